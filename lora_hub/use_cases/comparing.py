"""Questions to adapters: one question to a base and several adapters, or a test file. `AUTO` among them is the adapter
that the router chooses."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lora_hub import hub, runs
from lora_hub.catalogue import bases
from lora_hub.compare import Comparer, Pane, base_key, routing, test_sets, with_examples_of
from lora_hub.core import store
from lora_hub.core.errors import AdapterError, LoraHubError, RunError, SpecError
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import AUTO, BASE, BASE_EXAMPLES, BaseModel, PaneAnswer, Question
from lora_hub.people import Person, limits
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.routing import routed
from lora_hub.use_cases.training import check_allowed, find_base, is_place
from lora_hub.use_cases.watching import seen


@use_case(Action.COMPARE, counted=True)
def resolve(person: Person, comparer: Comparer, adapters: list[str | Pane]) -> list[Pane]:
    """The panes of these names, as `Comparer.resolve`; adapters that are not here yet are downloaded. Raises
    AdapterError, BaseError."""
    return resolved(person, comparer, adapters)


def resolved(person: Person, comparer: Comparer, adapters: list[str | Pane]) -> list[Pane]:
    """`resolve` within another use case."""
    panes = comparer.resolve(_names_for(person, adapters))
    for base in {base_key(pane.base): pane.base for pane in panes}.values():
        check_allowed(person, base)
        if not person.is_local:
            runs.check_base(base)  # it may be in memory for somebody who may use it
    return panes


def commit_of(pane: Pane) -> str:
    """Which version of an adapter of the Hub a pane is; "" for what lies on this machine, whatever it was published
    as."""
    return pane.revision if pane.revision and pane.name not in store.list_run_ids() else ""


@dataclass(frozen=True)
class Chosen:
    """Who is asked a question, after the router chose. adapters: names, and the pane that was chosen: an adapter's, or
    the base's where none fits. question: the same by the names of its panes."""

    adapters: list[str | Pane]
    question: Question

    @property
    def names(self) -> list[str]:
        """Of the adapters, without the base."""
        names = [one.name if isinstance(one, Pane) else one for one in self.adapters]
        return [name for name in names if name != BASE]


@use_case(Action.COMPARE, counted=True)
def choose_adapter(
    person: Person,
    comparer: Comparer,
    adapters: list[str | Pane],
    question: Question,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> Chosen | None:
    """Puts the adapter that a question is for in the place of `AUTO`. None if it was cancelled. Raises AdapterError,
    BaseError, DataError, HubError, SpecError (inputs of a task instead of a prompt)."""
    return _chosen(person, comparer, adapters, question, cancelled)


@use_case(Action.COMPARE, counted=True)
def ask(
    person: Person,
    comparer: Comparer,
    adapters: list[str | Pane],
    question: Question,
    *,
    only: str = "",
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[PaneAnswer]:
    """Yields the answers as they grow, as `Comparer.stream`. `AUTO` stands for the adapter that the question is for, as
    `choose_adapter` puts it. Raises AccessError if the question exceeds a limit."""
    most = limits.check_question(
        person,
        (1 if only else len(question.pane_names([*map(str, adapters)]))) * question.samples,
        question.max_new_tokens,
        sum(map(len, question.texts)),
    )
    if AUTO in adapters:
        chosen = _chosen(person, comparer, adapters, question, cancelled)
        if chosen is None:
            return
        adapters, question = chosen.adapters, chosen.question
    panes = resolved(person, comparer, adapters)
    if question.examples and not question.shown:
        panes[:1] = [with_examples(person, pane) for pane in panes[:1]]
    yield from comparer.stream(panes, question, only=only, most_new_tokens=most, cancelled=cancelled)


@use_case(Action.COMPARE, counted=True)
def score_file(
    person: Person, comparer: Comparer, adapters: list[str | Pane], file: Path, *arguments: Any, **named: Any
) -> Any:
    """As `test_sets.score_file`, from the shell: the file is on this machine."""
    if not person.is_local:
        raise LoraHubError(_("A test file is a path of the machine it is asked on."), _("Use the shell."))
    panes = [with_examples(person, pane) for pane in comparer.resolve(adapters)]
    return test_sets.score_file(comparer.bases, panes, file, *arguments, **named)


def _chosen(
    person: Person,
    comparer: Comparer,
    adapters: list[str | Pane],
    question: Question,
    cancelled: Callable[[], bool] | None,
) -> Chosen | None:
    """`choose_adapter` within another use case. A chat goes on with the adapter that its first turn was for."""
    if question.inputs is not None:
        raise SpecError(
            _("{auto} reads a bare question, and inputs of a task were given.", auto=AUTO),
            _("Give the question as one prompt, or name the adapter."),
        )
    others = resolved(person, comparer, [one for one in adapters if one != AUTO])
    named = [pane.name for pane in others]
    own = {BASE, BASE_EXAMPLES, *named}
    begun = [name for name, turns in question.earlier.items() if turns]
    if begun and AUTO not in begun:
        # The adapter that nobody named; without the base in the chat, the one that is named by hand, too.
        before = next((name for name in begun if name not in own), "")
        if not before and BASE not in begun:
            before = next((name for name in begun if name in named), "")
        if before:
            (pane,) = [one for one in others if one.name == before] or resolved(person, comparer, [before])
            said = _("{adapter} goes on: this chat began with it.", adapter=before)
            return _placed(adapters, others, question, replace(pane, note=said))
        said = _("The base goes on: this chat began with it.")
        return _placed(adapters, others, question, _base_itself(_base_for(person, comparer, others), said))
    base = _base_for(person, comparer, others)
    found = routed(person, comparer, question.prompt, base, cancelled=cancelled)
    if cancelled is not None and cancelled():
        return None
    why = routing.reason(found)
    if not found.adapter:
        return _placed(adapters, others, question, _base_itself(base, why))
    (pane,) = resolved(person, comparer, [f"{found.adapter}@{found.revision}" if found.revision else found.adapter])
    return _placed(adapters, others, question, replace(pane, name=found.adapter, note=why))


def _base_itself(base: BaseModel, note: Message) -> Pane:
    return Pane(BASE, base, base.revision, note=note)


def _base_for(person: Person, comparer: Comparer, others: list[Pane]) -> BaseModel:
    """The base whose adapters are looked at: the one that is given, that of the first adapter beside, or the one that
    the organization has most adapters of."""
    if comparer.base:
        return find_base(person, comparer.base)
    # what adapters of an organization say is no folder of this machine
    return others[0].base if others else bases.get_base(routing.most_used_base(), folders=False)


def _placed(adapters: list[str | Pane], others: list[Pane], question: Question, chosen: Pane) -> Chosen:
    """The chosen pane in the place of `AUTO`, or of the same adapter where it is asked by its name, too."""
    asked = [chosen if pane.name == chosen.name else pane for pane in others]
    if chosen not in asked:
        asked.insert(adapters.index(AUTO), chosen)
    names = {BASE, BASE_EXAMPLES, *(pane.name for pane in asked)}
    strengths, earlier = dict(question.strengths), dict(question.earlier)
    if AUTO in strengths:
        strengths.setdefault(chosen.name, strengths.pop(AUTO))
    if AUTO in earlier:  # an empty chat of the adapter that is named by hand, too, is none
        earlier[chosen.name] = earlier.get(chosen.name) or earlier[AUTO]
    return Chosen(
        [*asked],
        question.model_copy(
            update={
                "base": question.base or chosen.folder is None,
                "strengths": {name: value for name, value in strengths.items() if name in names - {BASE}},
                "earlier": {name: turns for name, turns in earlier.items() if name in names},
            }
        ),
    )


def with_examples(person: Person, pane: Pane) -> Pane:
    """The pane of a published adapter with the examples of its run's exam, if that run is here and this person sees it:
    they are rows of its owner's. What names the run is a file that anybody may have written."""
    if pane.shown or not pane.run or pane.run not in store.list_run_ids():
        return pane
    try:
        run = seen(person, pane.run)
    except RunError:
        return pane
    is_its = run.adapter is not None and run.adapter.repo_id == pane.name.partition("@")[0]
    return with_examples_of(pane, run.id) if is_its else pane


def _names_for(person: Person, names: list[str | Pane]) -> list[str | Pane]:
    """The names as this person may use them. A run that they may not see does not exist for them, and a name that is
    not a run is a repository on the Hub. Raises AdapterError if a name is a folder of this machine."""
    if person.is_local:
        return names
    there, found = set(store.list_run_ids()), []
    for name in names:
        if isinstance(name, Pane):
            found.append(name)
        elif name in there and _is_seen(person, name):
            found.append(name)
        elif is_place(name):
            raise AdapterError(
                _("{name!r} is neither a repository of the Hub nor a run."),
                _("Give owner/name, or choose one of the list."),
                name=name[:200],
            )
        else:
            found.append(hub.owned(name))
    return found


def _is_seen(person: Person, run_id: str) -> bool:
    try:
        seen(person, run_id)
    except RunError:
        return False
    return True
