"""What is said to people: an English sentence with named values, told in a language at the edge.

    _("{name} has {count} rows.", name="a.csv", count=1200)          a Message: nothing is translated yet
    _n("{count} row", "{count} rows", count=3)                      with a plural form, chosen by `count`
    message.in_language("fa")                                       told, with the language's digits

The sentences stand in the code, in English. Every other language is a file, `locale/LANGUAGE/LC_MESSAGES/lora_hub.po`,
which `make messages` brings up to date; a sentence that it lacks is told in English. A Message is JSON like every noun,
so that what one process writes another tells in its reader's language.
"""

import functools
import itertools
import math
import re
import string
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import model_validator

from lora_hub.core.noun import Noun, Text2

LOCALE = Path(__file__).parents[1] / "locale"
DOMAIN = "lora_hub"
# What a Message that is read from a file may hold. Ours are far below it.
MOST_CHARACTERS, MOST_VALUES, MOST_DEPTH = 20_000, 40, 8
SHOWN_NAMES = 20
LONGEST_NAME = 60
_SPEC = re.compile(r",?(?:\.\d{1,2})?[fg%]?")
# The full stop of a value that ends its sentence, which has one of its own; "x..." keeps its three.
_STOP = re.compile(r"(?<=[^\s./])\.$|\.\.\.$")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LETTERS, _PERSIAN = re.compile("[A-Za-z]"), re.compile("[\u0600-\u06ff]")


class Names(Noun):
    """Several names in one place of a sentence; numbers and messages may stand among them. between: what stands between
    the last
    two: "," or "and" or "or"; ";": between all. quoted: each in quotation marks; in a language other than English names
    always are, and numbers never. most: so many are shown, then dots."""

    names: "tuple[Message | int | str, ...]"
    between: str = ","
    quoted: bool = False
    most: int = SHOWN_NAMES


class Message(Noun):
    """sentence: English, with {name} for each of `values`. many: its plural, for a `count` other than 1; empty: it has
    none. A value is a text or a name, a number, several names, or another message."""

    sentence: str
    values: "dict[str, Message | Names | Text2 | int | float | str]" = {}
    many: str = ""

    @model_validator(mode="before")
    @classmethod
    def _bounded(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "sentence" in data:
            values, texts = data.get("values") or {}, [str(data.get(name) or "") for name in ("sentence", "many")]
            if not isinstance(values, Mapping) or max(map(len, texts)) > MOST_CHARACTERS or len(values) > MOST_VALUES:
                raise ValueError("a message has at most 20,000 characters and 40 named values")
            try:
                _places(*texts)
            except ValueError as error:
                raise ValueError(f"the places of a message: {error}") from error
        return data

    def __bool__(self) -> bool:
        return bool(self.sentence)

    def __str__(self) -> str:
        return self.in_language("en")

    @property
    def en(self) -> str:
        return self.in_language("en")

    @property
    def fa(self) -> str:
        return self.in_language("fa")

    def filled(self, values: Mapping[str, Any]) -> "Message":
        """The same with those of the values that it has places for; values that it has already stay."""
        places = _places(self.sentence, self.many)
        wanted = {name: value for name, value in values.items() if name in places or (name == "count" and self.many)}
        return self.model_copy(update={"values": {**_plain(wanted), **self.values}}) if wanted else self

    def in_language(self, language: str, depth: int = 0) -> str:
        """The sentence in a language ("en", "fa"), its values filled in. What has no translation is told in English."""
        count = self.values.get("count")
        is_many = bool(self.many) and not (isinstance(count, int | float) and count == 1)
        text = translated(language, self.sentence, self.many, count)
        return _Filler(language if text else "en", language, depth).vformat(
            text or (self.many if is_many else self.sentence), (), self.values
        )


def _(sentence: str, /, **values: Any) -> Message:
    """A message. Its sentence is found in the code by this name, so it is written out there and not put together."""
    return Message.model_construct(sentence=sentence, many="", values=_plain(values))


def _n(sentence: str, many: str, /, **values: Any) -> Message:
    """A message with a plural: `sentence` where the value `count` is 1, else `many`."""
    return Message.model_construct(sentence=sentence, many=many, values=_plain(values))


def several(found: Iterable[object], between: str = ",", *, most: int = SHOWN_NAMES, quoted: bool = False) -> Names:
    """Names, numbers or messages for the middle of a sentence. between: ",", "and", "or" or ";"."""
    shown = itertools.islice(found, most + 1)  # one more than is shown says that there are more
    names = tuple(one if isinstance(one, Message | int) and not isinstance(one, bool) else str(one) for one in shown)
    return Names(names=names, between=between, most=most, quoted=quoted)


def numbers(found: Iterable[int], most: int = SHOWN_NAMES) -> Names:
    """Numbers of lines or rows for the middle of a sentence, those of numpy and its kind too."""
    return several(map(int, found), most=most)


def joined(*parts: "Message | str") -> Message:
    """Sentences one after another; empty ones are left out."""
    said = [
        part if isinstance(part, Message) else Message(sentence="{text}", values={"text": part})
        for part in parts
        if part
    ]
    if len(said) < 2:
        return said[0] if said else NOTHING
    return Message(
        sentence=" ".join(f"{{part{place}}}" for place in range(len(said))),
        values={f"part{place}": one for place, one in enumerate(said)},
    )


def as_message(text: "Message | str") -> Message:
    """A message; a text that nobody translates becomes one that says it as it is."""
    if isinstance(text, Message):
        return text
    return Message(sentence="{text}", values={"text": text}) if text else NOTHING


def read_message(told: Mapping[str, Any], key: str) -> Message:
    """What a file or an event says under a key. Older versions wrote a text, its Persian beside it as KEY_fa, or both
    as {"en", "fa"}. Raises ValueError where it is none of them."""
    found = told.get(key) or ""
    if isinstance(found, Message):
        return found
    if isinstance(found, Mapping) and "sentence" in found:
        return Message.model_validate(found)
    both = (
        Text2.model_validate(found)
        if isinstance(found, Mapping)
        else Text2(en=str(found), fa=str(told.get(f"{key}_fa") or ""))
    )
    return Message(sentence="{text}", values={"text": both}) if both.fa else as_message(both.en)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON can hold them: a path or another object becomes its text, a list of texts becomes names."""
    plain = {}
    for name, value in values.items():
        if isinstance(value, list | tuple | set | frozenset):
            value = several(value)
        elif isinstance(value, bool) or not isinstance(value, str | int | float | Message | Names | Text2):
            value = str(value)
        plain[name] = value
    return plain


def _places(*texts: str) -> set[str | None]:
    """The names in braces. Raises ValueError where a brace has no other."""
    return {name for text in texts for _literal, name, _spec, _conversion in string.Formatter().parse(text)}


class _Place(str):
    """A place that no value is for; it stays, for whoever fills it later."""


class _Filler(string.Formatter):
    """Fills a sentence. Only plain names and small number formats: a sentence may come from a file."""

    def __init__(self, grammar: str, language: str, depth: int) -> None:
        self.grammar, self.language, self.depth = grammar, language, depth

    def parse(self, text: str) -> Iterable[tuple[str, str | None, str | None, str | None]]:
        places = list(super().parse(text))
        after = [*(literal for literal, *_place in places[1:]), ""]
        for (literal, name, spec, conversion), behind in zip(places, after, strict=False):
            self.is_quoted, self.behind = literal.endswith(("«", "\u2068")), behind[:1]
            # No other format than a small number's: one may ask for memory, or hold places of its own.
            yield literal, name, spec if name is None or _SPEC.fullmatch(spec) else "", conversion

    def get_field(self, name: str, args: Any, values: Any) -> tuple[Any, str]:
        if not name.isidentifier():
            return _Place("{" + name + "}"), name
        return values.get(name, _Place("{" + name + "}")), name

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        return (
            _quoted(value) if conversion == "r" and isinstance(value, str) and not isinstance(value, _Place) else value
        )

    def format_field(self, value: Any, spec: str) -> str:
        text = self._told(value, spec)
        marks = ".:;,)" if isinstance(value, Message) else "."
        return text[:-1] if self.behind and self.behind in marks and _STOP.search(text) else text

    def _told(self, value: Any, spec: str) -> str:
        if isinstance(value, Message):
            return value.in_language(self.language, self.depth + 1) if self.depth < MOST_DEPTH else ""
        if isinstance(value, Text2):
            return value.in_language(self.language)
        if isinstance(value, Names):
            return self._told_names(value)
        if isinstance(value, int | float):
            text = format(value, spec) if spec else f"{value:g}" if isinstance(value, float) else str(value)
            return in_digits(text, self.grammar)
        if self.grammar == "en" or isinstance(value, _Place):
            return value
        return _on_one_line(value) if self.is_quoted else isolated(value)

    def _told_names(self, value: Names) -> str:
        between, dots = _BETWEEN["en" if self.grammar == "en" else "fa"], "..."
        last = between.get(value.between, between[","])
        other = last if value.between == ";" else between[","]
        shown = [self._told_name(name, value.quoted) for name in value.names[: value.most]]
        if len(value.names) > value.most:
            return other.join(shown) + (f"{other}{dots}" if self.grammar == "en" else f" و {dots}")
        return other.join(shown[:-1]) + last + shown[-1] if len(shown) > 1 else "".join(shown)

    def _told_name(self, name: Message | int | str, is_quoted: bool) -> str:
        if isinstance(name, Message):
            return name.in_language(self.language, self.depth + 1) if self.depth < MOST_DEPTH else ""
        if isinstance(name, int):
            return in_digits(str(name), self.grammar)
        name = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
        if self.grammar != "en":
            return f"«{_on_one_line(name)}»"
        return _quoted(name) if is_quoted else name


# What stands between names, by `Names.between`.
_BETWEEN = {
    "en": {",": ", ", "and": " and ", "or": " or ", ";": "; "},
    "fa": {",": "، ", "and": " و ", "or": " یا ", ";": "؛ "},
}


def _quoted(name: str) -> str:
    name = _on_one_line(name)
    return f'"{name}"' if "'" in name else f"'{name}'"


def _on_one_line(name: str) -> str:
    """Line breaks, tabs and other control characters as they are written in code: \\n."""
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], name)


# --- a language ---


def in_digits(text: str, language: str) -> str:
    """A number that is written in English, in the language's digits and signs: 1,234.5 -> ۱٬۲۳۴٫۵. A power of ten stays
    as it is."""
    if language == "en" or "e" in text:
        return text
    return text.translate(_signs(language))


@functools.cache
def _signs(language: str) -> dict[int, str]:
    """What stands for each digit and sign of a number, from CLDR."""
    from babel import Locale
    from babel.numbers import get_decimal_symbol, get_group_symbol

    locale = Locale.parse(language)
    zero = {"latn": "0", "arabext": "۰", "arab": "٠", "deva": "०", "beng": "০"}.get(
        locale.default_numbering_system, "0"
    )
    digits = {ord(str(digit)): chr(ord(zero) + digit) for digit in range(10)}
    digits[ord("%")] = (
        locale.number_symbols.get(locale.default_numbering_system, {}).get("percentSign", "%").strip("\u200e\u200f")
    )
    own = {"numbering_system": locale.default_numbering_system}
    return digits | {ord(","): get_group_symbol(locale, **own), ord("."): get_decimal_symbol(locale, **own)}


def isolated(text: str) -> str:
    """A name of another script for the middle of a right-to-left sentence: the marks around it (FSI, PDI: Unicode's
    bidirectional algorithm, UAX 9) let it keep to itself, so that it does not reorder its neighbours."""
    has_mark = "\u2068" in text
    return f"\u2068{text}\u2069" if not has_mark and _LETTERS.search(text) and not _PERSIAN.search(text) else text


def translated(language: str, sentence: str, many: str, count: Any) -> str:
    """The sentence in a language, its places still empty; "" where it has no translation."""
    if language == "en":
        return ""
    found = _catalogue(language).get(sentence)
    if not isinstance(found, tuple):
        return found or ""
    place = _plural_rule(language)(int(count) if isinstance(count, int | float) and math.isfinite(count) else 0)
    return found[min(place, len(found) - 1)]


@functools.cache
def _catalogue(language: str) -> dict[str, str | tuple[str, ...]]:
    """English sentence -> its translation, or its plural forms. Empty for a language that there is no file of."""
    parsed = _read_catalogue(language)
    if parsed is None:
        return {}
    found = {}
    for one in parsed:
        if one.id and one.string and not one.fuzzy:
            found[one.id[0] if isinstance(one.id, tuple) else one.id] = one.string
    return found


@functools.cache
def _plural_rule(language: str) -> Any:
    from gettext import c2py

    parsed = _read_catalogue(language)
    return c2py(parsed.plural_expr if parsed is not None else "n != 1")


@functools.cache
def _read_catalogue(language: str) -> Any:
    file = LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    if not re.fullmatch(r"[a-z]{2,3}(_[A-Za-z]{2,4})?", language) or not file.is_file():
        return None
    from babel.messages.pofile import read_po

    with file.open("rb") as opened:
        return read_po(opened, locale=language)


Names.model_rebuild()
NOTHING = Message(sentence="")
