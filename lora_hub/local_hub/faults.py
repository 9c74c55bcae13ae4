"""Refusals in the Hub's format: a status, a sentence and, if the client looks for one, an `X-Error-Code`."""

from ..core.errors import HubError


class HubFault(HubError):
    """Raised by a handler to refuse. `body` is added to the JSON response beside `error`."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str = "",
        *,
        body: dict | None = None,
        headers: dict[str, str] | None = None,
    ):
        super().__init__(message)
        self.status, self.code, self.body, self.headers = status, code, body or {}, headers or {}


def refuse(when: object, status: int, message: str, code: str = "", **more: dict | None) -> None:
    """Raises a HubFault where `when` is true."""
    if when:
        raise HubFault(status, message, code, **more)
