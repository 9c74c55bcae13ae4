"""A bare question brought to the organization's adapter whose task it is of."""

from lora_hub.compare.routing.router import Candidate, Routed, route, said

__all__ = ["Candidate", "Routed", "route", "said"]
