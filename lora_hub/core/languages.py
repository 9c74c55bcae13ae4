"""The languages of the interface: which exist, how a sentence is translated, and how each writes numbers, lists and
dates.

    languages()                                  ("en", "fa"): English, which is in the code, and each with a catalogue
    translated("fa", "Train", "", None)          "شروع آموزش"; "" where the catalogue has none
    autonym("fa"), direction("fa")               "فارسی", "rtl"
    in_digits("1,234.5", "fa")                   "۱٬۲۳۴٫۵"

A catalogue is a file `LANGUAGE/LC_MESSAGES/lora_hub.po` in `folder()`; whatever else there is to know of a language
comes from Unicode's CLDR, by Babel. English is the code's own: nothing is read or imported for it.
"""

import functools
import math
import os
import re
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from babel import Locale

ENGLISH = "en"
LOCALE = Path(__file__).parents[1] / "locale"
DOMAIN = "lora_hub"
_CODE = re.compile(r"[a-z]{2,3}(?:_[A-Z][a-z]{3})?(?:_[A-Z]{2})?")
# Letters that Persian and Arabic keyboards write in two ways, and what stands between parts of a word.
_SAME = str.maketrans(
    {"\u064a": "\u06cc", "\u0649": "\u06cc", "\u0643": "\u06a9", "\u200c": " ", "\u0640": "", "\u0650": ""}
)
# The digit zero of each numbering system that CLDR uses for some language. Other languages write Latin digits.
_ZEROS = {"arab": "٠", "arabext": "۰", "deva": "०", "beng": "০", "mymr": "၀", "tibt": "༠", "olck": "᱐", "adlm": "𞥐"}
# Direction marks in CLDR's patterns. They are removed, since whoever shows a text sets its direction.
_MARKS = re.compile("[\u061c\u200e\u200f]")
_LEFT_TO_RIGHT, _RIGHT_TO_LEFT = "\u200e", "\u200f"
_FSI, _PDI = "\u2068", "\u2069"


# --- which there are ---


def folder() -> Path:
    """The folder of the catalogues: LORA_HUB_LOCALE, else the package's own."""
    return Path(os.environ.get("LORA_HUB_LOCALE") or LOCALE)


def lost_folder() -> str | None:
    """The value of LORA_HUB_LOCALE if there is no such folder, so that only English is available; else None."""
    return None if folder().is_dir() else str(folder())


def languages() -> tuple[str, ...]:
    """English and every language that has a catalogue, by CLDR code: "fa", "pt_BR"."""
    found = folder().glob(f"*/LC_MESSAGES/{DOMAIN}.po")
    return (ENGLISH, *sorted(file.parts[-3] for file in found if _CODE.fullmatch(file.parts[-3])))


def tag(language: str) -> str:
    """The language's code for browsers (BCP 47): "pt-BR"."""
    return language.replace("_", "-")


def autonym(language: str) -> str:
    """The language's own short name. Raises babel's UnknownLocaleError if CLDR does not know it."""
    return "English" if language == ENGLISH else _locale(language).get_display_name(language) or language


def direction(language: str) -> str:
    """ "ltr" or "rtl"."""
    return "ltr" if language == ENGLISH else _locale(language).text_direction


# --- a sentence in one ---


def translated(language: str, sentence: str, many: str, count: Any) -> str:
    """The translated sentence with its placeholders still in it; "" if there is no translation."""
    if language == ENGLISH or not _CODE.fullmatch(language):
        return ""
    strings, plural = _catalogue(folder() / language / "LC_MESSAGES" / f"{DOMAIN}.po")
    found = strings.get(sentence)
    if not isinstance(found, tuple):
        return found or ""
    place = plural(int(count) if isinstance(count, int | float) and math.isfinite(count) else 0)
    return found[min(place, len(found) - 1)]


@functools.cache
def _catalogue(file: Path) -> tuple[dict[str, str | tuple[str, ...]], Any]:
    """English sentence -> its translation or its plural forms, and the rule that chooses a plural form by a count.
    Empty if there is no file for the language."""
    from gettext import c2py

    if not file.is_file():
        return {}, c2py("n != 1")
    from babel.messages.pofile import read_po

    with file.open("rb") as opened:
        parsed = read_po(opened, locale=file.parts[-3])
    strings = {}
    for one in parsed:
        if one.id and one.string and not one.fuzzy:
            strings[one.id[0] if isinstance(one.id, tuple) else one.id] = one.string
    return strings, c2py(parsed.plural_expr)


# --- what it writes ---


def has_own_digits(language: str) -> bool:
    return language != ENGLISH and _locale(language).default_numbering_system in _ZEROS


def in_digits(text: str, language: str) -> str:
    """A number written in English, in the language's digits and signs: 1,234.5 -> ۱٬۲۳۴٫۵. A power of ten is left
    unchanged. Where one writes from right to left, a mark keeps a sign on the number's left, and one behind it keeps
    what follows ("+8.7, 80 rows") out of that."""
    if language == ENGLISH or "e" in text:
        return text
    own = text.translate(_signs(language))
    is_marked = text[:1] in ("-", "+") and direction(language) == "rtl"
    return f"{_LEFT_TO_RIGHT}{own}{_RIGHT_TO_LEFT}" if is_marked else own


def percent(text: str, language: str) -> str:
    """A number with its percent sign. text: already in the language's digits."""
    if language == ENGLISH:
        return f"{text} %"
    pattern = _MARKS.sub("", _locale(language).percent_formats[None].pattern.partition(";")[0])
    number = text.removesuffix(_RIGHT_TO_LEFT)
    shown = re.sub("[#0,.]+", lambda _number: number, pattern).replace("%", in_digits("%", language))
    return shown + text[len(number) :]


def last_of(others: str, last: str, between: str, language: str) -> str:
    """The other items, then the last one with its conjunction. between: "and" or "or"."""
    if language == ENGLISH:
        return f"{others} {between} {last}"
    kind = {"and": "standard", "or": "or"}[between]
    # The pattern for two: in one for more, CLDR has a comma before the word in some languages, ours in none.
    pattern = _MARKS.sub("", _locale(language).list_patterns[kind]["2"])
    return pattern.replace("{0}", others).replace("{1}", last)


def day(at: datetime, language: str) -> str:
    """A date in figures, such as 2026/11/05 or 05.11.2026: CLDR's short date with a four-digit year and two digits for
    month and day."""
    if language == ENGLISH:
        return at.strftime("%Y-%m-%d")
    pattern = _MARKS.sub("", _locale(language).date_formats["short"].pattern)
    parts = {"y": f"{at.year:04}", "M": f"{at.month:02}", "d": f"{at.day:02}"}
    return in_digits_only(re.sub("y+|M+|d+", lambda found: parts[found[0][0]], pattern), language)


def day_and_time(day: str, time: str, language: str) -> str:
    """A date and a time side by side; both are in the language already."""
    if language == ENGLISH:
        return f"{day}, {time}"
    pattern = _MARKS.sub("", str(_locale(language).datetime_formats["short"]))
    return pattern.replace("{1}", day).replace("{0}", time)


def in_digits_only(text: str, language: str) -> str:
    """The same text with the language's digits; its points and commas stay, because they do not belong to a number."""
    return text.translate({sign: own for sign, own in _signs(language).items() if chr(sign).isdigit()})


@functools.cache
def _signs(language: str) -> dict[int, str]:
    """The language's character for each digit and sign of a number. Empty for English."""
    if language == ENGLISH:
        return {}
    locale = _locale(language)
    system = locale.default_numbering_system
    symbols = locale.number_symbols.get(system) or locale.number_symbols["latn"]
    zero = ord(_ZEROS.get(system, "0"))
    signs = {"%": "percentSign", ",": "group", ".": "decimal"}
    return {ord(str(digit)): chr(zero + digit) for digit in range(10)} | {
        ord(sign): _MARKS.sub("", symbols.get(name, sign)) for sign, name in signs.items()
    }


# --- names in it ---


def folded(text: str) -> str:
    """A text as it is searched, without what two people write in two ways: case, width, the two forms of Persian
    letters."""
    return unicodedata.normalize("NFKC", text).casefold().translate(_SAME)


def arabic_share(text: str) -> float:
    """The share of a text's letters that are in Arabic script, 0 to 1."""
    letters = [char for char in text if char.isalpha()]
    return sum("\u0600" <= char <= "\u06ff" for char in letters) / max(1, len(letters))


def isolated(text: str, language: str) -> str:
    """A name for the middle of a sentence. A name in the other reading direction gets isolation marks around it (FSI,
    PDI: Unicode's bidirectional algorithm, UAX 9), so that it does not reorder the text around it."""
    if _FSI in text:
        return text
    ways = {unicodedata.bidirectional(letter) for letter in text}
    turns = bool(ways & {"R", "AL"})
    other = turns if direction(language) == "ltr" else "L" in ways and not turns
    return f"{_FSI}{text}{_PDI}" if other else text


def name_of(code: str, language: str) -> str:
    """A language's name in another one, by its ISO 639 code: ("fa", "en") -> "Persian". A code that CLDR does not know
    stays a code."""
    return str(_locale(language).languages.get(code.split("-")[0], code))


@functools.cache
def _locale(language: str) -> "Locale":
    from babel import Locale

    return Locale.parse(language)
