"""A comparison as a program asks for it: the answers as they grow, and kept or blind if it wants that.

for told in compared(person, comparer, ["lora-hub/spam"], question, keep=True): ...
"""

from collections.abc import Iterator
from typing import Any

from lora_hub import use_cases
from lora_hub.api.faults import in_words
from lora_hub.compare import votes
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import AUTO, PaneAnswer, Question
from lora_hub.people import Person

Json = dict[str, Any]


def compared(
    person: Person, comparer: Any, names: list[str], question: Question, *, keep: bool, blind: bool
) -> Iterator[Json]:
    """Yields the answers so far, each time one of them grows. keep: as the page keeps them; the last item has the id.
    blind: kept, and told at once when all are there, in an order drawn anew and without what tells a pane by its name
    or its speed. Raises as `use_cases.ask`, and SpecError or DataError where nobody could vote."""
    adapters: list[Any] = names
    if AUTO in names:
        chosen = use_cases.choose_adapter(person, comparer, [*names], question)
        adapters, question, names = chosen.adapters, chosen.question, chosen.names
    if blind and not person.role:
        raise SpecError(_("Only members vote."), _("Ask without blind."))
    order = votes.draw_order(len(question.pane_names(names)), question) if blind else ()
    views: dict[int, PaneAnswer] = {}
    for event in use_cases.ask(person, comparer, adapters, question):
        views[event.pane] = event
        if not blind:
            yield {"answers": [_told(views[pane]) for pane in sorted(views)]}
    done = [views[pane] for pane in sorted(views) if views[pane].done]
    if blind:
        one = use_cases.keep_comparison(person, question, done, order)
        hidden = [_hidden(place, view) for place, view in enumerate(one.placed, 1)]
        yield {"answers": hidden, "comparison": one.id}
    elif keep:
        told: Json = {"answers": [_told(view) for view in done], "comparison": "", "trouble": ""}
        try:
            one = use_cases.keep_comparison(person, question, done)
            yield {**told, "comparison": one.id if one is not None else ""}
        except LoraHubError as error:  # the answers are not lost where they cannot be kept
            yield {**told, "trouble": in_words(error)}


def _told(view: PaneAnswer) -> Json:
    return {**view.to_json(), "done": view.done}


def _hidden(place: int, view: PaneAnswer) -> Json:
    shares = {label: round(share, 6) for label, share in view.answer.probabilities.items()}
    drawn = {"samples": [one.text for one in view.answers]} if view.more else {}
    return {"place": place, "text": view.answer.text, "probabilities": shares, "done": view.done, **drawn}
