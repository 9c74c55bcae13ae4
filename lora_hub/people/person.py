"""Who asks: somebody who sits at this machine, somebody who signed in with their account of the Hub, or a stranger."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lora_hub.core import settings
from lora_hub.people.pace import Pace

ROLES = ("", "read", "contributor", "write", "admin")  # "": not a member; each may what those before it may


@dataclass(frozen=True)
class Person:
    """id: the name of their account on the Hub; "local" for whoever sits at this machine, "" for a stranger. roles:
    organization -> role, as the Hub tells it. token: theirs, for as long as they are signed in; it is in memory only
    and never shown, not even in a traceback. pace: their requests of the last minute; None: not counted."""

    id: str = ""
    name: str = ""
    avatar: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    token: str = field(default="", repr=False, compare=False)
    is_local: bool = False
    pace: Pace | None = field(default=None, repr=False, compare=False)

    @property
    def role(self) -> str:
        """Their role in the organization of this app: one of `ROLES`."""
        if self.is_local:
            return "admin"
        organization = settings.organization().lower()
        found = next((role for name, role in self.roles.items() if name.lower() == organization), "")
        return found if found in ROLES else "read"

    @property
    def is_signed_in(self) -> bool:
        return bool(self.id) and not self.is_local


# Whoever sits at the machine that the app runs on, where nobody has to sign in.
LOCAL = Person(id="local", is_local=True)
# Somebody who has not signed in where people do.
STRANGER = Person()
