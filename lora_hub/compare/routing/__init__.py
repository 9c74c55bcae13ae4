"""A bare question brought to the organization's adapter whose task it is of."""

from lora_hub.compare.routing.router import Candidate, Routed, most_used_base, reason, route, said

__all__ = ["Candidate", "Routed", "most_used_base", "reason", "route", "said"]
