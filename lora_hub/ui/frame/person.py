"""Who is signed in, for the page's head: the button, the name, and a door for those who may not come in.

Every answer is in the page; which one is seen the style sheet decides by what `facts` says, so that nothing flickers
and nothing has to be asked.
"""

import json

from lora_hub.core import settings
from lora_hub.core.messages import Message, _
from lora_hub.people import Person, rules
from lora_hub.people.rules import ROLE_NAMES, Action
from lora_hub.ui.frame.page import Labels


def facts(person: Person) -> str:
    """What the page's scripts know of who asks, as a script: never their token."""
    known = {
        "id": person.id,
        "name": person.name,
        "avatar": person.avatar,
        "role": person.role,
        "may": " ".join(action for action in Action if rules.may(person, action)),
    }
    return f"<script>window.loraHubPerson = {_inert(json.dumps(known))};</script>"


def _inert(text: str) -> str:
    """JSON that ends no script, whatever somebody is called."""
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
        f'<form method="post" action="/logout"><button type="submit">{labels.both(_("Sign out"))}</button></form>'
        "</span></span>"
    )


def door(labels: Labels) -> str:
    """In place of the tabs, for those who may nothing here."""
    organization = settings.organization()

    def said(sentence: Message) -> str:
        return labels.both(sentence, organization=lambda language: organization)

    title = _("This is the place of {organization}: its members train, share and compare adapters here.")
    come_in = _("Sign in to come in. Your rights here are those you have in {organization}.")
    outside = _(
        "You are signed in, and no member of {organization}. Ask one of its admins to let you in, then sign in again."
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
    """Nothing where there is no Hub to sign in with."""
    if not settings.has_sign_in():
        return ""
    said = labels.both(_("Sign in with Hugging Face"))
    return f'<a class="lh-sign-in {more}" data-sign-in href="/login/huggingface">{said}</a>'
