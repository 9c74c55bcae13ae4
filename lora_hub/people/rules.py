"""Rights, by role and by owner.

| who | may |
|---|---|
| stranger | what the organization allows: nothing, or browse and compare |
| read | browse, compare |
| contributor | train too, and publish: as a pull request if the repo already exists |
| write | train, publish |
| admin | all of it with everybody's runs, and set what the organization allows |
| whoever sits at this machine | everything |

A run has an owner and is private, shared with the organization, or public. To a person who may not see a thing, every
answer is the same as if it did not exist.
"""

from enum import StrEnum
from typing import Any

from lora_hub.core import settings
from lora_hub.core.errors import AccessError
from lora_hub.core.messages import _
from lora_hub.people import policy
from lora_hub.people.person import LOCAL, ROLES, Person


class Action(StrEnum):
    NOTHING = "nothing"  # everybody may ask who they are and what they may do
    BROWSE = "browse"
    COMPARE = "compare"
    TRAIN = "train"
    PUBLISH = "publish"
    ADMINISTER = "administer"


LEAST_ROLE = {
    Action.NOTHING: "",
    Action.BROWSE: "read",
    Action.COMPARE: "read",
    Action.TRAIN: "contributor",
    Action.PUBLISH: "contributor",
    Action.ADMINISTER: "admin",
}
FOR_STRANGERS = (Action.BROWSE, Action.COMPARE)
ROLE_NAMES = {
    "": _("no member"),
    "read": _("member who reads"),
    "contributor": _("contributor"),
    "write": _("member who writes"),
    "admin": _("admin"),
}


def may(person: Person, action: Action) -> bool:
    """Whether this person may do this kind of thing at all. For a thing that has an owner, see `can_see` and
    `can_change`."""
    if ROLES.index(person.role) >= ROLES.index(LEAST_ROLE[action]):
        return True
    return action in FOR_STRANGERS and policy.read().strangers == "compare"


def check(person: Person, action: Action) -> None:
    """Raises AccessError, saying what is missing, if this person may not."""
    if may(person, action):
        return
    organization = settings.organization()
    if not person.id:
        raise AccessError(
            _("Only members of {organization} may do this, and nobody is signed in."),
            _("Sign in at the top of the page."),
            organization=organization,
        )
    if not person.role:
        raise AccessError(
            _("Only members of {organization} may do this, and {name} is not one."),
            _("Ask an admin of {organization} to let you in, then sign in again."),
            organization=organization,
            name=person.id,
        )
    raise AccessError(
        _("{name} is a {role} in {organization}, and this takes a {needed}."),
        _("Ask an admin of {organization} for another role, then sign in again."),
        organization=organization,
        name=person.id,
        role=ROLE_NAMES[person.role],
        needed=ROLE_NAMES[LEAST_ROLE[action]],
    )


def can_see(person: Person, owned: Any) -> bool:
    """Whether a person may look at something that has an `owner` and a `visibility`."""
    if can_change(person, owned):
        return True
    if owned.visibility == "organization":
        return bool(person.role)
    return owned.visibility == "public" and may(person, Action.BROWSE)


def can_change(person: Person, owned: Any) -> bool:
    """Whether a person may cancel, resume, publish, share or delete it. The owner and the organization's admins may."""
    if person.role == "admin":
        return True
    # An account on the Hub may have the same name as the local person's id.
    return bool(person.role and person.id and owned.owner == person.id and person.id != LOCAL.id)


def check_owner(person: Person, owned: Any) -> None:
    """Raises AccessError if this person may see a thing but not change it."""
    if not can_change(person, owned):
        raise AccessError(
            _("This is {owner}'s, and only {owner} and the admins of {organization} may change it."),
            _("Ask them."),
            owner=owned.owner,
            organization=settings.organization(),
        )
