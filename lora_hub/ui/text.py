"""Every sentence of the page, in English and in Persian, and how numbers read in each.

    t("train", "fa")                     the Persian text
    t("rows", "en", count=3)             with its values filled in
    translations()                       {"en": {...}, "fa": {...}}: labels are translated in the browser (page.Labels)

A key that is missing is a KeyError: a test walks all keys that the page uses. Texts that people write never come
through here; `render` escapes those.
"""

import re
import time

from lora_hub.ui.words import WORDS

LANGUAGES = ("en", "fa")
_NUMBER = re.compile(r"(?<![\w.\-])-?\d+(?:,\d{3})*(?:\.\d+)?(?: ?%)?(?![\w\-])")
_PERSIAN_DIGITS = str.maketrans("0123456789%", "۰۱۲۳۴۵۶۷۸۹٪")


def t(key: str, language: str, **values: object) -> str:
    """The text of `key`. Raises KeyError where there is no such key."""
    english, persian = WORDS[key]
    text = persian if language == "fa" else english
    return text.format(**values) if values else text


def translations() -> dict[str, dict[str, str]]:
    """{language: {key: text}} of all labels: the texts, and the titles of the catalogue's tasks (task.ID) and settings."""
    from lora_hub.recipe import FIELDS
    from lora_hub.tasks.catalogue import list_tasks

    found = {language: {key: t(key, language) for key in WORDS} for language in LANGUAGES}
    for language in LANGUAGES:
        found[language] |= {f"task.{task.id}": task.title.in_language(language) for task in list_tasks()}
        found[language] |= {f"setting.{one.key}": one.title.in_language(language) for one in FIELDS}
        found[language] |= {f"setting.{one.key}.help": one.help.in_language(language) for one in FIELDS}
    return found


def digits(text: str, language: str) -> str:
    """The same text with the language's digits."""
    return text.translate(_PERSIAN_DIGITS) if language == "fa" else text


def persian_numbers(text: str) -> str:
    """A Persian sentence with its numbers in Persian digits; what is quoted in «» and names such as UTF-8 stay as they are."""
    parts = re.split("(«[^«»]*»)", text)
    return "".join(part if part.startswith("«") else _NUMBER.sub(lambda found: _in_persian(found.group()), part) for part in parts)


def _in_persian(text: str) -> str:
    return text.replace(" %", "%").translate(_PERSIAN_DIGITS).replace(",", "٬").replace(".", "٫")


def number(value: float, language: str, decimals: int = 0) -> str:
    """1234567.8 -> "1,234,568"."""
    text = f"{value:,.{decimals}f}"
    return digits(text, language).replace(",", "٬").replace(".", "٫") if language == "fa" else text


def percent(value: float, language: str) -> str:
    """A share that is already in per cent, with one decimal: 93.25 -> "93.3 %"."""
    return f"{number(value, language, 1)}{'٪' if language == 'fa' else ' %'}"


def count_of(value: float, language: str) -> str:
    """Parameters and the like: 1_700_000_000 -> "1.7 B"."""
    for size, key in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if value >= size:
            scaled = value / size
            return f"{number(scaled, language, 0 if scaled >= 100 else 1)} {t(key, language)}"
    return number(value, language)


def size_of(value: float, language: str) -> str:
    """Bytes: 1_500_000_000 -> "1.4 GiB"."""
    for size, key in ((1 << 30, "gib"), (1 << 20, "mib"), (1 << 10, "kib")):
        if value >= size:
            scaled = value / size
            return f"{number(scaled, language, 0 if scaled >= 100 else 1)} {t(key, language)}"
    return f"{number(value, language)} {t('bytes', language)}"


def dollars(amount: float, language: str) -> str:
    """US dollars: 0.004 -> "under $0.01", 12.5 -> "$12.50"."""
    if 0 < amount < 0.01:
        return t("less_than", language, amount=dollars(0.01, language))
    return t("dollars", language, amount=number(amount, language, 2))


def duration(seconds: float, language: str) -> str:
    """95 -> "1 min 35 s"; hours and minutes where it is long."""
    seconds = max(0, round(seconds))
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours:
        return t("duration_hours", language, hours=number(hours, language), minutes=number(minutes, language))
    if minutes:
        return t("duration_minutes", language, minutes=number(minutes, language), seconds=number(seconds % 60, language))
    return t("duration_seconds", language, seconds=number(seconds, language))


def age(at: float, language: str, now: float | None = None) -> str:
    """How long ago a moment (UTC seconds) was: "3 min ago"."""
    past = max(0.0, (time.time() if now is None else now) - at)
    for size, key in ((86400, "days_ago"), (3600, "hours_ago"), (60, "minutes_ago")):
        if past >= size:
            return t(key, language, count=number(past // size, language))
    return t("just_now", language)
