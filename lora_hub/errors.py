"""The errors that people read.

A `LoraHubError` says what went wrong with which value (`message`) and what to do next (`hint`). It is caught at the
two edges (the page and the command line) and shown without a traceback. Everything else is a bug and is logged whole.
"""


class LoraHubError(Exception):
    """An error for people. `message`: one sentence, what and which value. `hint`: one sentence, what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

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
