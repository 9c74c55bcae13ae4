"""A person: whoever sits at this machine, somebody signed in with their account on the Hub, or a stranger."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lora_hub.core import settings
from lora_hub.people.pace import Pace

ROLES = ("", "read", "contributor", "write", "admin")  # "": not a member; each role includes the ones before it


@dataclass(frozen=True)
class Person:
    """id: the account name on the Hub; "local" for whoever sits at this machine, "" for a stranger. roles: organization
    -> role, as the Hub reports it. token: the person's own while they are signed in; it is only in memory and never
    shown, not even in a traceback. pace: their requests of the last minute; None: not counted."""

    id: str = ""
    name: str = ""
    avatar: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    token: str = field(default="", repr=False, compare=False)
    is_local: bool = False
    pace: Pace | None = field(default=None, repr=False, compare=False)

    @property
    def role(self) -> str:
        """The person's role in this app's organization: one of `ROLES`."""
        if self.is_local:
            return "admin"
        organization = settings.organization().lower()
        found = next((role for name, role in self.roles.items() if name.lower() == organization), "")
        return found if found in ROLES else "read"

    @property
    def is_signed_in(self) -> bool:
        return bool(self.id) and not self.is_local


# Whoever sits at the machine that the app runs on, without sign-in.
LOCAL = Person(id="local", is_local=True)
# Somebody who is not signed in, where people sign in.
STRANGER = Person()
