"""Questions to adapters: one question to a base and several adapters, or a test file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lora_hub import runs
from lora_hub.compare import Comparer, Pane, base_key, check_one_base, test_sets, with_examples_of
from lora_hub.core import settings, store
from lora_hub.core.errors import AdapterError, LoraHubError, RunError
from lora_hub.core.messages import _
from lora_hub.core.schema import PaneAnswer, Question
from lora_hub.people import Person, limits
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.training import check_allowed, is_place
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
    """Yields the answers as they grow, as `Comparer.stream`. Raises AccessError if the question exceeds a limit."""
    most = limits.check_question(
        person,
        (1 if only else len(question.pane_names([*map(str, adapters)]))) * question.samples,
        question.max_new_tokens,
        sum(map(len, question.texts)),
    )
    panes = resolved(person, comparer, adapters)
    if question.examples and not question.shown:
        panes[:1] = [_with_examples(person, pane) for pane in panes[:1]]
    yield from comparer.stream(panes, question, only=only, most_new_tokens=most, cancelled=cancelled)


@use_case(Action.COMPARE, counted=True)
def score_file(
    person: Person, comparer: Comparer, adapters: list[str | Pane], file: Path, *arguments: Any, **named: Any
) -> Any:
    """As `test_sets.score_file`, from the shell: the file is on this machine."""
    if not person.is_local:
        raise LoraHubError(_("A test file is a path of the machine it is asked on."), _("Use the shell."))
    panes = comparer.resolve(adapters)
    check_one_base(panes)
    return test_sets.score_file(comparer.bases, panes, file, *arguments, **named)


def _with_examples(person: Person, pane: Pane) -> Pane:
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
        if name in there and _is_seen(person, name):
            found.append(name)
        elif is_place(name):
            raise AdapterError(
                _("{name!r} is neither a repository of the Hub nor a run."),
                _("Give owner/name, or choose one of the list."),
                name=name[:200],
            )
        else:
            found.append(name if "/" in name.partition("@")[0] else f"{settings.organization()}/{name}")
    return found


def _is_seen(person: Person, run_id: str) -> bool:
    try:
        seen(person, run_id)
    except RunError:
        return False
    return True
