"""Who asks, what they may, and how much of it: a `Person` with a role in the organization, what the organization allows
(`policy`), whose a thing is (`rules`), and who is signed in (`sessions`)."""

from lora_hub.people.person import LOCAL, STRANGER, Person
from lora_hub.people.policy import Policy
from lora_hub.people.sessions import Sessions

__all__ = ["LOCAL", "STRANGER", "Person", "Policy", "Sessions", "limits", "policy", "rules"]
