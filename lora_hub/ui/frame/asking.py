"""The person behind a request of the page, for handlers.

Without sign-in every request comes from whoever sits at this machine. With sign-in, a request that has no session, or
whose person cannot be determined, is a stranger's. It never gets the rights of the machine's own person.
"""

import json
from typing import Any

from gradio.context import LocalContext

from lora_hub.core import settings
from lora_hub.people import LOCAL, STRANGER, Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.render.render import escape

# Key in a request's scope: a function that returns the person (sign_in.py puts it there).
ASKING = "lora_hub.asking"
# The same of whose an upload is: (person, path) -> whether they sent it (doors.py puts it there).
SENT = "lora_hub.sent"


def who_asks() -> Person:
    """The person whose event is being handled. This may ask the Hub whether a role has changed, so never call it on the
    event loop."""
    return who_asks_in(_scope_of(LocalContext.request.get(None)))


def has_sent(person: Person, path: str) -> bool:
    """Whether this person sent the file that an event names by its path in the server's folder of uploads: an event may
    name any. Whoever sits at this machine has sent them all."""
    return has_sent_in(_scope_of(LocalContext.request.get(None)), person, path)


def has_sent_in(scope: dict[str, Any], person: Person, path: str) -> bool:
    """The same of a request's scope."""
    if person.is_local:
        return True
    is_of = scope.get(SENT)
    return is_of is not None and is_of(person, path)


def who_asks_in(scope: dict[str, Any]) -> Person:
    """The person of a request's scope."""
    if not settings.signs_in():
        return LOCAL
    ask = scope.get(ASKING)
    return ask() if ask is not None else STRANGER


def asked_by(person: Person) -> str:
    """A sign for the page's scripts, in HTML that is drawn for this person: a page that shows somebody else, since they
    have signed out or have another role by now, then shows who asks. Empty where nobody signs in."""
    if person.is_local:
        return ""
    # Gradio leaves few attributes to what it shows as a note.
    told = json.dumps({"id": person.id, "role": person.role, "may": " ".join(able(person))})
    return f'<span hidden class="lh-asked-by" title="{escape(told)}"></span>'


def able(person: Person) -> list[Action]:
    """What this person may do."""
    return [action for action in Action if rules.may(person, action)]


def _scope_of(request: Any) -> dict[str, Any]:
    """The ASGI scope of a request from Gradio or Starlette; empty if there is none."""
    inner = getattr(request, "request", None) or request
    return getattr(inner, "scope", None) or {}
