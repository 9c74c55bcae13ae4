"""Messages for people: an English sentence with named values, translated where it is shown.

    _("{name} has {count} rows.", name="a.csv", count=1200)          a Message: nothing is translated yet
    _n("{count} row", "{count} rows", count=3)                      with a plural form, chosen by `count`
    message.in_language("fa")                                       translated, with the language's digits

The code holds the sentences in English. Every other language is a file, `locale/LANGUAGE/LC_MESSAGES/lora_hub.po`
(languages.py), which `make messages` keeps up to date. A sentence without a translation is shown in English. A Message
is JSON like every noun, so one process can store it and another can show it in the reader's language.
"""

import itertools
import re
import string
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from pydantic import model_validator

from lora_hub.core.languages import ENGLISH, in_digits, isolated, last_of, percent, translated
from lora_hub.core.noun import Noun, Text2

# Limits for a Message read from a file. Our own messages are far below them.
MOST_CHARACTERS, MOST_VALUES, MOST_DEPTH = 20_000, 40, 8
SHOWN_NAMES = 20
# The sentence around a text that is not translated.
AS_IT_IS = "{text}"
LONGEST_NAME = 60
_SPEC = re.compile(r"\+?,?(?:\.\d{1,2})?[fg%]?")
# The full stop of a value that ends its sentence, which has one of its own; "x..." keeps its three.
_STOP = re.compile(r"(?<=[^\s./])\.$|\.\.\.$")
# A path in the Hub client's cache.
_KEPT = re.compile(r"/(model|dataset|space)s--(?P<repo>[^/]+)/snapshots/(?P<commit>[0-9a-f]{40})(?P<inside>(/.*)?)$")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Names(Noun):
    """A list inside a sentence: names, numbers or messages. between: what separates the last two: ",", "and" or "or";
    ";" separates all. quoted: each name is in quotation marks; in a language other than English names always are,
    numbers never. most: how many are shown before dots replace the rest."""

    names: "tuple[Message | int | str, ...]"
    between: str = ","
    quoted: bool = False
    most: int = SHOWN_NAMES


class Message(Noun):
    """sentence: English, with {name} for each of `values`. many: its plural, for a `count` other than 1; empty if it
    has none. A value is a text or a name, a number, several names, or another message."""

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
        """The same message with the given values added where the sentence has placeholders for them; values it already
        has stay."""
        places = _places(self.sentence, self.many)
        wanted = {name: value for name, value in values.items() if name in places or (name == "count" and self.many)}
        return self.model_copy(update={"values": {**_plain(wanted), **self.values}}) if wanted else self

    def in_language(self, language: str, *, isolate: bool = False) -> str:
        """The sentence in a language ("en", "fa") with its values filled in; in English if there is no translation.
        isolate: in English too, isolate each name in the other reading direction, as a page shows them. In every other
        language names always are."""
        return self._told(language, isolate, 0)

    def _told(self, language: str, isolate: bool, depth: int) -> str:
        count = self.values.get("count")
        is_many = bool(self.many) and not (isinstance(count, int | float) and count == 1)
        text = translated(language, self.sentence, self.many, count)
        # A text taken from a file or an older version is not a name in a sentence.
        filler = _Filler(language if text else ENGLISH, language, isolate and self.sentence != AS_IT_IS, depth)
        return filler.vformat(text or (self.many if is_many else self.sentence), (), self.values)


def _(sentence: str, /, **values: Any) -> Message:
    """A message. The translation tool finds its sentence in the code by this name, so the sentence must be a
    literal."""
    return Message.model_construct(sentence=sentence, many="", values=_plain(values))


def _n(sentence: str, many: str, /, **values: Any) -> Message:
    """A message with a plural: `sentence` if the value `count` is 1, else `many`."""
    return Message.model_construct(sentence=sentence, many=many, values=_plain(values))


def several(found: Iterable[object], between: str = ",", *, most: int = SHOWN_NAMES, quoted: bool = False) -> Names:
    """A list of names, numbers or messages inside a sentence. between: ",", "and", "or" or ";"."""
    shown = itertools.islice(found, most + 1)  # one more than is shown, to know that there are more
    names = tuple(one if isinstance(one, Message | int) and not isinstance(one, bool) else str(one) for one in shown)
    return Names(names=names, between=between, most=most, quoted=quoted)


def numbers(found: Iterable[int], most: int = SHOWN_NAMES) -> Names:
    """A list of line or row numbers inside a sentence; numpy's integers work too."""
    return several(map(int, found), most=most)


def joined(*parts: "Message | str") -> Message:
    """Sentences one after another, skipping empty ones."""
    said = [
        part if isinstance(part, Message) else Message(sentence=AS_IT_IS, values={"text": part})
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
    """A message; plain text becomes a message that shows it untranslated."""
    if isinstance(text, Message):
        return text
    return Message(sentence=AS_IT_IS, values={"text": text}) if text else NOTHING


def read_message(told: Mapping[str, Any], key: str) -> Message:
    """The message stored under a key in a file or an event. Older versions wrote a text, a text with its Persian beside
    it as KEY_fa, or both as {"en", "fa"}. Raises ValueError if it is none of these."""
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
    return Message(sentence=AS_IT_IS, values={"text": both}) if both.fa else as_message(both.en)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that JSON can hold: a path or another object becomes its text, a list of texts becomes names."""
    plain = {}
    for name, value in values.items():
        if isinstance(value, list | tuple | set | frozenset):
            value = several(value)
        elif isinstance(value, PurePath):
            value = _named_place(value)
        elif isinstance(value, bool) or not isinstance(value, str | int | float | Message | Names | Text2):
            value = str(value)
        plain[name] = value
    return plain


def _named_place(path: PurePath) -> str:
    """A path as people know it: what the Hub's client keeps lies under a commit's 40 digits, and is called by its
    repository and the first seven of them."""
    kept = _KEPT.search(path.as_posix())
    return f"{kept['repo'].replace('--', '/')}@{kept['commit'][:7]}{kept['inside']}" if kept else str(path)


def _places(*texts: str) -> set[str | None]:
    """The names in braces. Raises ValueError if braces hold anything else."""
    return {name for text in texts for _literal, name, _spec, _conversion in string.Formatter().parse(text)}


class _Place(str):
    """A placeholder without a value; it stays, so that it can be filled later."""


class _Filler(string.Formatter):
    """Fills a sentence. Allows only plain names and small number formats, because a sentence may come from a file."""

    def __init__(self, grammar: str, language: str, isolate: bool, depth: int) -> None:
        """grammar: the language of the sentence; English if `language` has no translation of it."""
        self.grammar, self.language, self.depth = grammar, language, depth
        self.isolate = isolate or grammar != ENGLISH

    def parse(self, text: str) -> Iterable[tuple[str, str | None, str | None, str | None]]:
        places = list(super().parse(text))
        after = [*(literal for literal, *_place in places[1:]), ""]
        for (literal, name, spec, conversion), behind in zip(places, after, strict=False):
            self.is_quoted, self.behind = literal.endswith(_OPENING), behind[:1]
            # Only small number formats: others may request huge memory, or contain placeholders of their own.
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
            return value._told(self.language, self.isolate, self.depth + 1) if self.depth < MOST_DEPTH else ""
        if isinstance(value, Text2):
            return text_in(value, self.language)
        if isinstance(value, Names):
            return self._told_names(value)
        if isinstance(value, int | float):
            if isinstance(value, float) and not spec:
                spec = ".15g" if value.is_integer() else "g"  # 1000000 as one types it, 2e-05 as it is
            text = format(value, spec)
            if spec.endswith("%"):
                return percent(in_digits(text[:-1], self.grammar), self.grammar)
            return in_digits(text, self.grammar)
        if isinstance(value, _Place) or not self.isolate:
            return value
        if self.grammar == ENGLISH:
            return isolated(value, ENGLISH)
        return _on_one_line(value) if self.is_quoted else isolated(value, self.grammar)

    def _told_names(self, value: Names) -> str:
        shown = [self._told_name(name, value.quoted) for name in value.names[: value.most]]
        between = (_SEMICOLON if value.between == ";" else _COMMA)._told(self.grammar, False, 0)
        if len(value.names) > value.most:
            # English puts a comma before the dots, where other languages put their "and".
            others = between.join(shown)
            return f"{others}{between}..." if self.grammar == ENGLISH else last_of(others, "...", "and", self.grammar)
        if len(shown) < 2 or value.between in (",", ";"):
            return between.join(shown)
        return last_of(between.join(shown[:-1]), shown[-1], value.between, self.grammar)

    def _told_name(self, name: Message | int | str, is_quoted: bool) -> str:
        if isinstance(name, Message):
            return name._told(self.language, self.isolate, self.depth + 1) if self.depth < MOST_DEPTH else ""
        if isinstance(name, int):
            return in_digits(str(name), self.grammar)
        name = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
        if self.grammar != ENGLISH:
            quotes = _IN_QUOTES._told(self.grammar, False, 0)
            # The page itself isolates text inside «».
            plain = _on_one_line(name)
            return quotes.replace("{name}", plain if "«" in quotes else isolated(plain, self.grammar))
        name = _quoted(name) if is_quoted else name
        return isolated(name, ENGLISH) if self.isolate else name


# The separator and the quotation marks of names, by language.
_COMMA, _SEMICOLON, _IN_QUOTES = _(", "), _("; "), _("“{name}”")
# A value after one of these is a name in quotation marks.
_OPENING = tuple("«‹“„‘‚「『\u2068")


def text_in(text: Text2, language: str) -> str:
    """A title in a language: its own text in that language, else the catalogue's translation, else English."""
    own = text.in_language(language)
    return own if own != text.en else translated(language, text.en, "", None) or own


def _quoted(name: str) -> str:
    name = _on_one_line(name)
    return f'"{name}"' if "'" in name else f"'{name}'"


def _on_one_line(name: str) -> str:
    """Line breaks, tabs and other control characters as escapes: \\n."""
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], name)


Names.model_rebuild()
NOTHING = Message(sentence="")
