"""One model asked by a program over OpenAI's wire (lora_hub/serve). The model's name stands for the base, an adapter,
or `AUTO`, which the router chooses for."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from lora_hub import runs
from lora_hub.compare import Pane, routing
from lora_hub.core.messages import _
from lora_hub.core.schema import AUTO, BASE, whole_text
from lora_hub.models import NoModel, ParameterError, Piece, Shelved, Wanted
from lora_hub.people import Person, limits
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.routing import routed
from lora_hub.use_cases.training import check_allowed


@use_case(Action.BROWSE)
def list_models(person: Person, shelf: Any) -> list[Shelved]:
    """The models of a shelf (`models`) beside `base` and `auto`. Raises HubError."""
    return shelf.names(person)


@use_case(Action.COMPARE, counted=True)
def ask_model(
    person: Person,
    shelf: Any,
    engine: Any,
    name: str,
    wanted: Wanted,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[Piece]:
    """Yields the answers as they grow, as `LocalEngine.answer`. shelf, engine: of `models`, or what does the
    same. name: the model's. Raises NoModel, ParameterError, AccessError if the questions exceed a limit, and as the
    engine does."""
    most = limits.check_question(
        person,
        len(wanted.asked) * wanted.samples,
        wanted.most_tokens,
        sum(len(text) for one in wanted.asked for text in one.texts),
    )
    pane, told = _found(person, shelf, engine, name, wanted, cancelled)
    if pane is None:
        return
    if not shelf.is_given:
        check_allowed(person, pane.base)
        if not person.is_local:
            runs.check_base(pane.base)
    with shelf.using(pane):
        for piece in engine.answer(pane, wanted, most_new_tokens=most, cancelled=cancelled):
            yield replace(piece, model=told)


def _found(
    person: Person,
    shelf: Any,
    engine: Any,
    name: str,
    wanted: Wanted,
    cancelled: Callable[[], bool] | None,
) -> tuple[Pane | None, str]:
    """Who answers, and by which name it is told."""
    if name == BASE:
        return shelf.base(person), BASE
    if name != AUTO:
        return shelf.pane(person, name), name
    if engine.bases is None:
        raise NoModel(
            _("{auto} needs the base on this machine, and another engine has it.", auto=AUTO), _("Name the adapter.")
        )
    base = shelf.base(person)
    text = whole_text(_question(wanted))
    refs = shelf.candidates(person, base.base)
    if shelf.is_given:
        found = routing.route(engine.bases, text, base.base, shelf.org, cancelled, refs)
    else:
        found = routed(person, engine, text, base.base, cancelled=cancelled, refs=refs)
    if cancelled is not None and cancelled():
        return None, ""
    return (shelf.pane(person, found.adapter), found.adapter) if found.adapter else (base, BASE)


def _question(wanted: Wanted) -> str:
    """The bare question that the router reads. Raises ParameterError."""
    (one, *others) = wanted.asked
    if others or one.inputs is not None:
        raise ParameterError(
            "model",
            _("{auto} reads one bare question.", auto=AUTO),
            _("Give the question as one text, or name the adapter."),
        )
    if one.text is not None:
        return one.text
    return next((message["content"] for message in reversed(one.messages) if message["role"] == "user"), "")
