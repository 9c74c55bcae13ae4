"""Which adapter a bare question is for."""

from collections.abc import Callable, Sequence

from lora_hub import runs
from lora_hub.compare import Comparer, routing
from lora_hub.core.schema import AdapterRef, BaseModel, whole_text
from lora_hub.people import Person, limits
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.training import check_allowed, find_base


@use_case(Action.COMPARE, counted=True)
def route(person: Person, comparer: Comparer, text: str, base: str = "built-in", org: str = "") -> routing.Routed:
    """The organization's adapter of this base that a question is for, as `compare.routing.route`. Raises AccessError
    where the question exceeds a limit, DataError, BaseError, HubError."""
    return routed(person, comparer, text, find_base(person, base), org)


def routed(
    person: Person,
    comparer: Comparer,
    text: str,
    base: BaseModel,
    org: str = "",
    cancelled: Callable[[], bool] | None = None,
    refs: Sequence[AdapterRef] | None = None,
) -> routing.Routed:
    """`route` within another use case. refs: as `compare.routing.route`."""
    limits.check_question(person, 1, 0, len(text))
    check_allowed(person, base)
    if not person.is_local:
        runs.check_base(base)
    return routing.route(comparer.bases, whole_text(text), base, org, cancelled, refs)
