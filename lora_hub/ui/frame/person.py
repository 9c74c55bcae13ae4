"""The signed-in person in the page's head: the button, the name, and a notice for people who may not enter.

The page contains every variant, and the style sheet shows the right one by what `facts` says. So nothing flickers, and
no further request is needed.
"""

import hashlib
import json
from typing import Any

from lora_hub.core import languages, settings
from lora_hub.core.languages import tag
from lora_hub.core.messages import Message, _
from lora_hub.people import Person, limits
from lora_hub.people.rules import ROLE_NAMES, Action
from lora_hub.ui.frame.asking import able
from lora_hub.ui.frame.page import Labels
from lora_hub.ui.render.text import t


def facts(person: Person) -> str:
    """What the page's scripts know about the person, as a script; never the token."""
    known = {
        "id": person.id,
        "name": person.name,
        "avatar": person.avatar,
        "role": person.role,
        "may": " ".join(able(person)),
        "largest": _largest(person),
        # Under this name the browser keeps what they typed, so that the next person at it does not get to see it.
        "kept": hashlib.sha256(person.id.encode()).hexdigest()[:16],
    }
    return f"<script>window.loraHubPerson = {_inert(json.dumps(known))};</script>"


def _largest(person: Person) -> dict[str, Any] | None:
    """The largest file that this person may send, and what is said of a larger one; None if they may send none."""
    if Action.TRAIN not in able(person):
        return None
    most = limits.largest_upload()
    said = _(
        "This file is larger than the {most:g} MB that are allowed here. Use a part of it; an admin may allow more."
    )
    told = {tag(language): t(said, language, most=most / limits.MB) for language in languages.languages()}
    return {"bytes": most, "said": told}


def _inert(text: str) -> str:
    """JSON that cannot end the script element, whatever a person's name contains."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def badge(labels: Labels) -> str:
    """The part of the header that says who is signed in."""
    roles = "".join(
        f'<span class="lh-role" data-role="{role}">{labels.both(name)}</span>' for role, name in ROLE_NAMES.items()
    )
    return (
        '<span class="lh-person">'
        f"{_button(labels)}"
        '<span class="lh-me"><span class="lh-avatar" data-avatar aria-hidden="true"></span>'
        f"<b><bdi data-me></bdi></b> {roles}"
        f'<form method="post" action="logout"><button type="submit">{labels.both(_("Sign out"))}</button></form>'
        "</span></span>"
    )


def door(labels: Labels) -> str:
    """Shown instead of the tabs to people who may do nothing here."""
    organization = settings.organization()

    def said(sentence: Message) -> str:
        return labels.both(sentence, organization=lambda language: organization)

    title = _("This is the place of {organization}: its members train, share and compare adapters here.")
    come_in = _("Sign in to come in. Your rights here are those you have in {organization}.")
    outside = _(
        "You are signed in, but you are not a member of {organization}. Ask one of its admins to let you in, then "
        "sign in again."
    )
    if not settings.has_sign_in():
        come_in = _(
            "Nobody can sign in yet: whoever runs this Space writes `hf_oauth: true` into the card of its README."
        )
    return (
        '<section class="lh-door">'
        f"<h2>{said(title)}</h2>"
        f'<p class="lh-for-stranger">{said(come_in)}</p><p class="lh-for-outsider">{said(outside)}</p>'
        f"{_button(labels, 'lh-for-stranger')}"
        "</section>"
    )


def _button(labels: Labels, more: str = "") -> str:
    """Empty if there is no Hub to sign in with."""
    if not settings.has_sign_in():
        return ""
    host = settings.sign_in_host()
    is_public = not host or host == "huggingface.co" or host.endswith(".huggingface.co")
    said = (
        labels.both(_("Sign in with Hugging Face"))
        if is_public
        else labels.both(_("Sign in with the Hub at {hub}"), hub=lambda language: host)
    )
    return f'<a class="lh-sign-in {more}" data-sign-in href="login/huggingface">{said}</a>'
