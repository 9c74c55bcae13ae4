"""Who asks: the person behind a request of the page, for handlers.

Where nobody signs in it is whoever sits at this machine. Where people do, a request without a session is a stranger's,
and so is everything that cannot be told: no way leads from there to what the machine's own person may.
"""

from typing import Any

from gradio.context import LocalContext

from lora_hub.core import settings
from lora_hub.people import LOCAL, STRANGER, Person

# In a request's scope: a function that says who asks (sign_in.py puts it there).
ASKING = "lora_hub.asking"
# The same of whose an upload is: (person, path) -> whether they sent it (doors.py puts it there).
SENT = "lora_hub.sent"


def who_asks() -> Person:
    """The person whose event is being handled. It may ask the Hub, for a role that changed: never on the event loop."""
    return who_asks_in(_scope_of(LocalContext.request.get(None)))


def has_sent(person: Person, path: str) -> bool:
    """Whether this person sent the file that an event names by its path in the server's folder of uploads: an event may
    name any. Whoever sits at this machine has sent them all."""
    if person.is_local:
        return True
    is_of = _scope_of(LocalContext.request.get(None)).get(SENT)
    return is_of is not None and is_of(person, path)


def who_asks_in(scope: dict[str, Any]) -> Person:
    """The person of a request's scope."""
    if not settings.signs_in():
        return LOCAL
    ask = scope.get(ASKING)
    return ask() if ask is not None else STRANGER


def _scope_of(request: Any) -> dict[str, Any]:
    """The ASGI scope of a request, Gradio's or Starlette's; nothing where there is none."""
    inner = getattr(request, "request", None) or request
    return getattr(inner, "scope", None) or {}
