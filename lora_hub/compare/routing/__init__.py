"""A bare question brought to the organization's adapter whose task it is of."""

from lora_hub.compare.routing.router import (
    MOST_CANDIDATES,
    Candidate,
    Routed,
    most_used_base,
    prepare,
    reason,
    route,
    said,
)

__all__ = ["MOST_CANDIDATES", "Candidate", "Routed", "most_used_base", "prepare", "reason", "route", "said"]
