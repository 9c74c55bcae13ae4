"""People and their rights: a `Person` with a role in the organization, what the organization allows (`policy`), who
owns what (`rules`), usage limits (`limits`), and who is signed in (`sessions`)."""

from lora_hub.people.pace import Pace
from lora_hub.people.person import LOCAL, STRANGER, Person
from lora_hub.people.policy import Policy
from lora_hub.people.sessions import Sessions

__all__ = ["LOCAL", "STRANGER", "Pace", "Person", "Policy", "Sessions", "limits", "policy", "rules"]
