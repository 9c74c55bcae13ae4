"""Which adapter a bare question is for."""

from lora_hub import runs
from lora_hub.compare import Comparer, routing
from lora_hub.people import Person, limits
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.training import check_allowed, find_base


@use_case(Action.COMPARE, counted=True)
def route(person: Person, comparer: Comparer, text: str, base: str = "built-in", org: str = "") -> routing.Routed:
    """The organization's adapter of this base that a question is for, as `compare.routing.route`. Raises AccessError
    where the question exceeds a limit, DataError, BaseError, HubError."""
    limits.check_question(person, 1, 0, len(text))
    chosen = find_base(person, base)
    check_allowed(person, chosen)
    if not person.is_local:
        runs.check_base(chosen)
    return routing.route(comparer.bases, text, chosen, org)
