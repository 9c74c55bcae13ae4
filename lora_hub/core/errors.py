"""The errors that people read.

A `LoraHubError` says what went wrong with which value and what to do next, as messages (messages.py). The page and the
command line catch it and show it in the reader's language, without a traceback. Any other exception is a bug and is
logged with its traceback.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from lora_hub.core.messages import Message, _, as_message, several


class LoraHubError(Exception):
    """An error for people. `said`: one sentence: what happened, with which value. `advice`: one sentence: what to do.
    `values`: the values of both. `message`, `hint`: the same in English, for logs and programs."""

    def __init__(self, message: Message | str, hint: Message | str = "", **values: Any) -> None:
        self.said, self.advice = (
            text.filled(values) if isinstance(text, Message) else as_message(text) for text in (message, hint)
        )
        super().__init__(self.said, self.advice)

    @property
    def message(self) -> str:
        return self.said.en

    @property
    def hint(self) -> str:
        return self.advice.en

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def in_language(self, language: str) -> tuple[str, str]:
        """Message and hint in `language`; each is in English if it has no translation."""
        return self.said.in_language(language), self.advice.in_language(language)

    def to_json(self) -> dict:
        return {"error": {"message": self.message, "hint": self.hint}}


class DataError(LoraHubError):
    """The file or table cannot be used as it is: unreadable, empty, a column missing, nothing to train on."""


class TooLongError(DataError):
    """A prompt is longer than the base reads."""


class SpecError(LoraHubError):
    """A setting is unknown or its value is out of range; an unknown task or base."""


class BaseError(LoraHubError):
    """The base model cannot be loaded, does not fit, or is not the one an adapter was made for."""


class AdapterError(LoraHubError):
    """An adapter cannot be found, read or applied to this base."""


class HubError(LoraHubError):
    """The Hub refused or could not be reached."""


class HubUnreachableError(HubError):
    """The Hub does not answer, or not yet: the same may well work in a moment."""


class RunError(LoraHubError):
    """There is no such run, or the run's state does not allow the request."""


class AccessError(LoraHubError):
    """This person may not do this, or has reached a limit."""


class PaceError(AccessError):
    """This person asks too much at once: the same will do later. seconds: until then; 0: nobody knows."""

    def __init__(self, message: Message | str, hint: Message | str = "", **values: Any) -> None:
        super().__init__(message, hint, **values)
        self.seconds = float(values.get("seconds", 0.0))


def reason_of(error: BaseException) -> Message:
    """The text of an exception, for the middle of a sentence. It is the message it was raised with
    (`ValueError(_("..."))`), else the first line of its text, in whatever language that is, else the name of its
    type."""
    if isinstance(error, LoraHubError):
        return error.said
    if error.args and isinstance(error.args[0], Message):
        return error.args[0]
    text = str(error).strip() or type(error).__name__
    return as_message(text.splitlines()[0][:300].rstrip(" .:"))


def damage_of(error: BaseException) -> Message:
    """What is wrong with a file that somebody wrote, without a full stop, from the exception that reading it raised.
    Names the field and its value if they are known, and never quotes a library's own words."""
    if isinstance(errors := getattr(error, "errors", None), Callable):  # pydantic's; it names each field
        first = errors()[0]
        field = ".".join(map(str, first["loc"])) or _("all of it")
        value = _shown(first.get("input"))
        if first["type"] == "missing" or first["type"] == "value_error" or not value:
            return _("{field}: {why}", field=field, why=refused(first))
        return _("{field} = {value}: {why}", field=field, value=value, why=refused(first))
    if isinstance(error, RecursionError):
        return _("it is nested too deeply")
    if isinstance(error, json.JSONDecodeError):
        return _("it is no valid JSON from line {line}, column {column} on", line=error.lineno, column=error.colno)
    if isinstance(error, UnicodeDecodeError):
        return _("it is no text in UTF-8")
    if isinstance(error, OSError):
        return as_message(error.strerror or type(error).__name__)
    if isinstance(error, KeyError):
        return _("it has no {key!r}", key=str(error.args[0]) if error.args else "")
    if error.args and isinstance(error.args[0], Message):
        return error.args[0]
    return _("a value in it is of another kind than it should be")


def _shown(value: Any) -> str:
    """A value as JSON, cut to a length that fits a sentence."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, TypeError, RecursionError):
        return ""
    return text if len(text) <= 60 else f"{text[:60]}…"


# pydantic's type of error -> the context value that it names, and our sentence.
_REFUSED = {
    "greater_than": ("gt", _("it must be greater than {bound}")),
    "greater_than_equal": ("ge", _("it must be at least {bound}")),
    "less_than": ("lt", _("it must be less than {bound}")),
    "less_than_equal": ("le", _("it must be at most {bound}")),
    "literal_error": ("expected", _("it must be one of {bound}")),
    "string_pattern_mismatch": ("pattern", _("it must match the pattern {bound!r}")),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), ("", _("it must be a whole number"))),
    **dict.fromkeys(("float_type", "float_parsing"), ("", _("it must be a number"))),
    "finite_number": ("", _("it must be a finite number")),
    **dict.fromkeys(("bool_type", "bool_parsing"), ("", _("it must be true or false"))),
    "string_type": ("", _("it must be a text")),
    "string_unicode": ("", _("it is no text in UTF-8")),
    "string_too_long": ("max_length", _("it may have at most {bound} characters")),
    "string_too_short": ("min_length", _("it must have at least {bound} character")),
    "too_long": ("max_length", _("it may have at most {bound} entries")),
    **dict.fromkeys(("tuple_type", "list_type"), ("", _("it must be a list"))),
    **dict.fromkeys(("model_type", "dict_type"), ("", _("it must be a set of named fields"))),
    "missing": ("", _("it is missing")),
    "extra_forbidden": ("", _("there is no such field")),
}
_TWO_TEXTS = _("it must be a text, or one for each language (en, fa)")


def refused(error: Mapping[str, Any]) -> Message:
    """Why a value is not valid, without a full stop, from one of the errors that pydantic lists. It is the message our
    own validator raised (`ValueError(_("..."))`), else a sentence for the error's type; for an unknown type, pydantic's
    own words."""
    raised = error.get("ctx", {}).get("error")
    if isinstance(raised, ValueError):
        return reason_of(raised)
    if error["type"] == "model_type" and error["ctx"]["class_name"] == "Text2":
        return _TWO_TEXTS
    if error["type"] not in _REFUSED:
        return as_message(error["msg"].removeprefix("Value error, "))
    bound, said = _REFUSED[error["type"]]
    value = error["ctx"][bound] if bound else ""
    if bound == "expected":  # "'linear', 'cosine' or 'constant'"
        value = several(re.findall("'([^']*)'", value), "or")
    return said.filled({"bound": value})
