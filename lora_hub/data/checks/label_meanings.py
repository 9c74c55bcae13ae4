"""Labels written differently that may mean the same: numbers in two forms, words for one pole, numbers beside names.

    same_numbers({"1.1": 5, "1.10": 4})                          [("1.1", ["1.10"])]: two versions, or one number
    same_meanings({"Positive": 9, "pos": 2, "neg": 8})           [("Positive", ["pos"])]
    numbers_beside_names({"0": 5, "1": 5, "ham": 9, "spam": 9}, "spam")    ({"0": "ham", "1": "spam"}, ["0", "1"])

Such labels are never merged without a person's decision. `label_forms` handles mere spellings, and also only proposes.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from lora_hub.data.checks.check_label_names import suggest_names
from lora_hub.data.tables.label_forms import nearest, normal_label

_NUMBER = re.compile(r"([+-]?)(\d{1,30})(?:[.,](\d{1,30}))?(?:e([+-]?\d{1,2}))?")
# Words of one meaning, as `normal_label` leaves them, whatever else is among the labels ...
_POLES = (
    {"positive", "pos", "positiv", "مثبت", "ایجابی"},
    {"negative", "neg", "negativ", "منفی", "سلبی"},
    {"neutral", "neu", "neut", "خنثی"},
    {"spam", "isspam", "اسپم", "هرزنامه"},
    {"ham", "notspam", "nonspam", "nospam", "notaspam"},
)
# ... and such that mean it only where no label is anything else. normal_label("true") is 1.
_TRUTH = ({"1", "yes", "y", "t", "بله", "بلی", "اری"}, {"0", "no", "n", "f", "خیر", "نه"})

Groups = list[tuple[str, list[str]]]


def same_numbers(counts: dict[str, int]) -> Groups:
    """Labels that are one number but that `normal_label` keeps apart, because they may be versions (1.1 and 1.10),
    codes (007 and 7) or counts (1e3 and 1000): (commonest, the others)."""
    groups: dict[Decimal, list[str]] = defaultdict(list)
    for label in sorted(counts, key=lambda label: -counts[label]):
        if (value := _value(normal_label(label))) is not None:
            groups[value].append(label)
    return [(group[0], group[1:]) for group in groups.values() if len({normal_label(label) for label in group}) > 1]


def are_versions(labels: Iterable[str]) -> bool:
    """Whether these differ only in trailing zeros: 1.1 and 1.10 are as often two versions as one number."""
    return all(re.fullmatch(r"[+-]?\d+[.]\d*[1-9]\d*", normal_label(label)) for label in labels)


def same_meanings(counts: dict[str, int]) -> Groups:
    """Labels that are different words for the same meaning: (commonest, the others)."""
    meanings = [*_POLES, *(_TRUTH if _is_truth(counts) else ())]
    groups: dict[int, list[str]] = defaultdict(list)
    for label in sorted(counts, key=lambda label: -counts[label]):
        if (place := _place(label, meanings)) is not None:
            groups[place].append(label)
    return [(group[0], group[1:]) for group in groups.values() if len({normal_label(label) for label in group}) > 1]


def same_meaning(label: str, known: Iterable[str]) -> str:
    """The one of `known` that means the same as `label`; "" if there is none."""
    known = list(known)
    groups = same_meanings(dict.fromkeys([*known, label], 1))
    return next(
        (one for usual, others in groups if label in (usual, *others) for one in (usual, *others) if one != label), ""
    )


def numbers_beside_names(counts: dict[str, int], task_id: str) -> tuple[dict[str, str], list[str]]:
    """Two or more numeric labels beside two or more names: (number -> the name it stands for, if known for all; the
    numbers). Both empty if there is no such mix."""
    numbers = [label for label in counts if _value(normal_label(label)) is not None]
    names = [label for label in counts if label not in numbers]
    if min(len(numbers), len(names)) < 2 or _is_truth(counts):
        return {}, []
    places = {place: name for name in reversed(names) if (place := _place(name, _POLES)) is not None}
    stand = {number: places.get(_place(name, _POLES)) for number, name in suggest_names(numbers, "", task_id).items()}
    return ({number: name for number, name in stand.items() if name} if stand and all(stand.values()) else {}), numbers


def known_as(labels: Iterable[str], known: Iterable[str], task_id: str) -> dict[str, str]:
    """label -> the known label it may be, for labels that are not in `known`. They may be another spelling, another
    word, another form of a number, or a number that stands for a name (or the reverse)."""
    labels, known = list(labels), sorted(known)
    found = {}
    for label in labels:
        numbers = [
            other
            for other in known
            if _value(normal_label(other)) is not None and _value(normal_label(other)) == _value(normal_label(label))
        ]
        other = (
            nearest(label, known)
            or same_meaning(label, known)
            or next((one for one in numbers if not are_versions([label, one])), "")
        )
        if other:
            found[label] = other
    left = [label for label in labels if label not in found]
    names, _ = numbers_beside_names(dict.fromkeys([*known, *left], 1), task_id)
    pairs = [*names.items(), *((name, number) for number, name in names.items())]
    return found | {label: other for label, other in pairs if label in left and other in known}


def _is_truth(labels: Iterable[str]) -> bool:
    return all(_place(label, _TRUTH) is not None for label in labels)


def _place(label: str, meanings: Iterable[set[str]]) -> int | None:
    normal = normal_label(label)
    return next((place for place, words in enumerate(meanings) if normal in words), None)


def _value(normal: str) -> Decimal | None:
    found = _NUMBER.fullmatch(normal)
    if not found:
        return None
    sign, whole, part, power = found.groups(default="")
    return (Decimal(f"{sign}{whole}.{part or 0}").scaleb(int(power or 0))).normalize()
