"""Suggests names for numeric classes whose meaning is well known.

suggest_names(["0", "1"], task_id="spam")             {"0": "ham", "1": "spam"}
suggest_names(["1", "2", "3"], task_id="topic")       {}: nobody can know
"""

import re
from collections.abc import Iterable

from lora_hub.core.messages import Message, _, _n

_POLES = (_("negative"), _("positive"))
_THREE = (_POLES[0], _("neutral"), _POLES[1])
_FIVE = (_("very negative"), *_THREE, _("very positive"))
_SPAM = (_("ham"), _("spam"))
_TRUTH = (_("no"), _("yes"))
_STARS = tuple(_n("{count} star", "{count} stars", count=count) for count in range(1, 6))

# The class numbers of common sentiment datasets, and their meanings.
_SENTIMENT = {
    ("0", "1"): _POLES,
    ("-1", "1"): _POLES,
    ("1", "2"): _POLES,
    ("0", "4"): _POLES,
    ("-1", "0", "1"): _THREE,
    ("0", "1", "2"): _THREE,
    ("1", "2", "3"): _THREE,
    ("-2", "-1", "0", "1", "2"): _FIVE,
    ("0", "1", "2", "3", "4"): _FIVE,
    ("1", "2", "3", "4", "5"): _FIVE,
}


def suggest_names(
    labels: Iterable[str], column_name: str = "", task_id: str = "", language: str = "en"
) -> dict[str, str]:
    """Label -> name for each of `labels`, or {} if the numbers have no usual meaning. The answer column's name and
    `task_id` choose between meanings. `language`: "en" or "fa" names."""
    labels = list(labels)
    numbers = {_number(label): label for label in labels}
    if "" in numbers or not 2 <= len(numbers) == len(labels):
        return {}
    key = tuple(sorted(numbers, key=int))
    names = _names_for(key, task_id, column_name.strip().lower())
    return (
        {numbers[number]: name.in_language(language) for number, name in zip(key, names, strict=True)} if names else {}
    )


def _names_for(key: tuple[str, ...], task_id: str, column: str) -> tuple[Message, ...]:
    if re.search(r"star|rating|ستاره|امتیاز", column) and set(key) <= {"1", "2", "3", "4", "5"} and len(key) > 2:
        return tuple(_STARS[int(number) - 1] for number in key)
    if key == ("0", "1") and (task_id == "spam" or "spam" in column or "هرز" in column):
        return _SPAM
    if task_id == "sentiment" or re.search(r"sentiment|polarity|احساس|قطبیت", column):
        return _SENTIMENT.get(key, ())
    return _TRUTH if key == ("0", "1") else ()


def _number(label: str) -> str:
    """The number "1" for "1", "1.0", "+1" and "۱"; "" for anything but a whole number."""
    found = re.fullmatch(r"([+-]?)(\d{1,3})(?:\.0+)?", label.strip())
    return str(int(found[1] + found[2])) if found else ""
