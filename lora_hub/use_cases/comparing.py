"""Questions to adapters: one question to a base and several adapters, or a test file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lora_hub import runs
from lora_hub.compare import Comparer, Pane, test_sets
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
    return _resolved(person, comparer, adapters)


def _resolved(person: Person, comparer: Comparer, adapters: list[str | Pane]) -> list[Pane]:
    panes = comparer.resolve(_names_for(person, adapters))
    for pane in panes[:1]:  # all have one base
        check_allowed(person, pane.base)
        if not person.is_local:
            runs.check_base(pane.base)  # it may be in memory for somebody who may use it
    return panes


@use_case(Action.COMPARE, counted=True)
def ask(
    person: Person,
    comparer: Comparer,
    adapters: list[str | Pane],
    question: Question,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[PaneAnswer]:
    """Yields the answers as they grow, as `Comparer.stream`. Raises AccessError if the question exceeds a limit."""
    most = limits.check_question(
        person,
        len(question.pane_names([*map(str, adapters)])),
        question.max_new_tokens,
        sum(map(len, question.texts)),
    )
    panes = _resolved(person, comparer, adapters)
    yield from comparer.stream(panes, question, most_new_tokens=most, cancelled=cancelled)


@use_case(Action.COMPARE, counted=True)
def score_file(
    person: Person, comparer: Comparer, adapters: list[str | Pane], file: Path, *arguments: Any, **named: Any
) -> Any:
    """As `test_sets.score_file`, from the shell: the file is on this machine."""
    if not person.is_local:
        raise LoraHubError(_("A test file is a path of the machine it is asked on."), _("Use the shell."))
    return test_sets.score_file(comparer.bases, comparer.resolve(adapters), file, *arguments, **named)


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
