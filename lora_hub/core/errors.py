"""The errors that people read.

A `LoraHubError` says what went wrong with which value (`message`) and what to do next (`hint`), in English and, for those
that a person can meet on the page, in Persian. It is caught at the two edges (the page and the command line) and shown
without a traceback. Everything else is a bug and is logged whole.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any


class LoraHubError(Exception):
    """An error for people. `message`: one sentence, what and which value. `hint`: one sentence, what to do next.
    `message_fa`, `hint_fa`: the same in Persian; empty: not translated."""

    def __init__(self, message: str, hint: str = "", *, message_fa: str = "", hint_fa: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.message_fa = message_fa
        self.hint_fa = hint_fa

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def in_language(self, language: str) -> tuple[str, str]:
        """Message and hint in `language` ("en" or "fa"), each in English where it has no Persian."""
        if language != "fa":
            return self.message, self.hint
        return self.message_fa or self.message, self.hint_fa or self.hint

    def to_json(self) -> dict:
        return {"error": {"message": self.message, "hint": self.hint}}


class DataError(LoraHubError):
    """The file or table cannot be used as it is: unreadable, empty, a column missing, nothing to train on."""


class SpecError(LoraHubError):
    """A setting is unknown or its value is out of range; an unknown task or base."""


class BaseError(LoraHubError):
    """The base model cannot be loaded, does not fit, or is not the one an adapter was made for."""


class AdapterError(LoraHubError):
    """An adapter cannot be found, read or applied to this base."""


class HubError(LoraHubError):
    """The Hub refused or could not be reached."""


class RunError(LoraHubError):
    """There is no such run, or what was asked does not fit the state it is in."""


def names_fa(names: Iterable[object], most: int = 20, between: str = "، ") -> str:
    """Names inside a Persian sentence: «a»، «b»; a name of more than 60 characters is cut, and more than `most` end in dots."""
    shown = [str(name) if len(str(name)) <= 60 else str(name)[:60] + "..." for name in names]
    return between.join(f"«{name}»" for name in shown[:most]) + (" و ..." if len(shown) > most else "")


# pydantic's kinds of error -> Persian; {} is the bound or the choices that it names.
_REFUSED_FA = {
    "greater_than": ("gt", "باید از {} بزرگ‌تر باشد"), "greater_than_equal": ("ge", "باید دست‌کم {} باشد"),
    "less_than": ("lt", "باید از {} کوچک‌تر باشد"), "less_than_equal": ("le", "باید حداکثر {} باشد"),
    "literal_error": ("expected", "باید یکی از این‌ها باشد: {}"), "int_type": ("", "باید عددی صحیح باشد"),
    "int_parsing": ("", "باید عددی صحیح باشد"), "int_from_float": ("", "باید عددی صحیح باشد"), "float_type": ("", "باید عدد باشد"),
    "float_parsing": ("", "باید عدد باشد"), "finite_number": ("", "باید عددی کران‌دار باشد"), "bool_type": ("", "باید true یا false باشد"),
    "bool_parsing": ("", "باید true یا false باشد"), "string_type": ("", "باید متن باشد"), "string_pattern_mismatch": ("pattern", "باید با الگوی {} بخواند"),
    "missing": ("", "باید داده شود"),
}  # fmt: skip


def refused_fa(error: Mapping[str, Any]) -> str:
    """Why a value will not do, in Persian, from one of the errors that pydantic lists; for a kind not known pydantic's words."""
    if error["type"] not in _REFUSED_FA:
        return error["msg"].removeprefix("Value error, ")
    bound, text = _REFUSED_FA[error["type"]]
    value = error["ctx"][bound] if bound else ""
    if bound == "expected":  # "'linear', 'cosine' or 'constant'"
        value = names_fa(re.findall("'([^']*)'", value))
    return text.format(f"{value:g}" if isinstance(value, float) else value)
