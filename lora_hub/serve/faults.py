"""Errors in OpenAI's form: {"error": {"message", "type", "param", "code"}}.

| status | type | when |
|---|---|---|
| 400 | invalid_request_error | a parameter, a body, a question that cannot be asked |
| 400 | invalid_request_error, code context_length_exceeded | a prompt that is longer than the base reads |
| 401 | authentication_error | no key, or one that is not known |
| 403 | permission_error | this person may not |
| 404 | invalid_request_error, code model_not_found | no such model, or no such address |
| 413, 415 | invalid_request_error | too large; no JSON |
| 429 | rate_limit_error | too many requests; Retry-After says when |
| 502, 503 | server_error | the Hub, the engine or the base; or this server is about to end |
| 500 | server_error | our mistake |
"""

from typing import Any

from starlette.responses import JSONResponse

from lora_hub.api import in_words
from lora_hub.core.errors import (
    AccessError,
    AdapterError,
    BaseError,
    DataError,
    HubError,
    HubUnreachableError,
    LoraHubError,
    PaceError,
    SpecError,
    TooLongError,
)
from lora_hub.core.messages import Message, _
from lora_hub.models import NoModel, ParameterError

INVALID, SERVER = "invalid_request_error", "server_error"
KINDS: tuple[tuple[type[LoraHubError], int, str], ...] = (  # the first that fits
    (NoModel, 404, INVALID),
    (PaceError, 429, "rate_limit_error"),
    (AccessError, 403, "permission_error"),
    (HubUnreachableError, 503, SERVER),
    (HubError, 502, SERVER),
    (BaseError, 503, SERVER),
    (SpecError, 400, INVALID),
    (DataError, 400, INVALID),
    (AdapterError, 400, INVALID),
)


class Refusal(LoraHubError):
    """A request that is refused before it is read. status: of HTTP."""

    def __init__(self, status: int, message: Message | str, hint: Message | str = "", **values: Any) -> None:
        super().__init__(message, hint, **values)
        self.status = status


def no_key() -> Refusal:
    return Refusal(
        401,
        _("There is no key in this request, or one that is not known here."),
        _("Send it as `Authorization: Bearer KEY`."),
    )


def ending() -> Refusal:
    return Refusal(503, _("This server is about to end: it finishes what runs."), _("Ask again in a moment."))


def fault(error: Exception) -> tuple[int, dict[str, Any]]:
    """The status, and the body's object."""
    status, kind, code = 500, SERVER, None
    if isinstance(error, Refusal):
        status, kind = error.status, SERVER if error.status >= 500 else INVALID
        if status == 401:
            kind, code = "authentication_error", "invalid_api_key"
    else:
        status, kind = next(((status, kind) for of, status, kind in KINDS if isinstance(error, of)), (500, SERVER))
    if isinstance(error, NoModel):
        code = "model_not_found"
    elif isinstance(error, TooLongError):
        code = "context_length_exceeded"
    elif status == 429:
        code = "rate_limit_exceeded"
    param = (
        error.param or None if isinstance(error, ParameterError) else "model" if isinstance(error, NoModel) else None
    )
    return status, {"error": {"message": in_words(error), "type": kind, "param": param, "code": code}}


def tell(error: Exception) -> JSONResponse:
    """The response that says so."""
    status, told = fault(error)
    headers = {}
    if status == 429:
        headers["retry-after"] = str(max(1, round(getattr(error, "seconds", 0) or 1)))
    elif status == 503:
        headers["retry-after"] = "1"
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, Refusal):  # what was not read must not be taken for the next request
        headers["connection"] = "close"
    return JSONResponse(told, status, headers)
