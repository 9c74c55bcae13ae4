"""Composing an adapter from others by a few examples. It works in the thread that asks, one search after another, and
ends when the person stops it."""

import functools
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lora_hub import hub, runs
from lora_hub.catalogue import bases
from lora_hub.compare import Comparer, composing
from lora_hub.core import settings
from lora_hub.core.errors import LoraHubError
from lora_hub.core.schema import AdapterRef, Task
from lora_hub.people import Person, limits
from lora_hub.people.rules import Action
from lora_hub.use_cases import datasets
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.comparing import resolved
from lora_hub.use_cases.publishing import asked_as
from lora_hub.use_cases.training import check_allowed, everybodys, find_base
from lora_hub.use_cases.watching import may_see

_TURN = threading.Lock()


@dataclass(frozen=True)
class Composition:
    """made: its folder is None where nothing was better. left: adapters that could not take part. published: where the
    person wanted that, and it was offered; trouble: why it was not, though it was saved."""

    made: composing.Made
    left: tuple[composing.Left, ...] = ()
    published: AdapterRef | None = None
    trouble: LoraHubError | None = None


@use_case(Action.TRAIN, counted=True)
def compose(
    person: Person,
    comparer: Comparer,
    file: Path,
    task: Task,
    *,
    base: str = "",
    adapters: Sequence[str] = (),
    mapping: Mapping[str, str] | None = None,
    test: Path | None = None,
    name: str = "",
    org: str = "",
    publish: bool = False,
    private: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Composition:
    """Finds weights over adapters of a base (the organization's, where none are named) from the examples of a file of
    this person's, and saves their sum where it is better than the best of them and than the base. base: whose adapters
    of the organization; empty: the built-in one. publish: to the organization, then; that it may be is asked before the
    search. On this machine it stays only for whoever sits at it. Raises AdapterError, BaseError, DataError, HubError,
    RunError (stopped), AccessError where it exceeds a limit."""
    owner, is_over = _begin(person, file, test, cancelled)
    read = composing.read_examples(file, task, mapping, owner=owner)
    judging = composing.read_examples(test, read.task, is_test=True, owner=owner) if test else None
    org = org if org and person.is_local else settings.organization()
    left: list[composing.Left] = []
    if adapters:
        panes = composing.name_publicly(resolved(person, comparer, [*adapters]))
    else:
        wanted = find_base(person, base or bases.BUILT_IN)
        if not person.is_local:
            runs.check_base(wanted)
        panes, left = composing.gather_adapters(comparer.bases, wanted, org)
    spec = composing.plan_adapter(read, panes[0].base, name=name, test=judging, seed=seed)
    if publish:
        with asked_as(person):
            hub.check_publishing(spec, org=org, private=private)
    with _turn(is_over):
        made = composing.compose_adapter(
            comparer.bases, panes, read, spec, test=judging, progress=progress, cancelled=is_over
        )
    if not person.is_local and not publish and made.folder is not None:
        shutil.rmtree(made.folder, ignore_errors=True)
        made = replace(made, folder=None)
    if not publish or made.folder is None:
        return Composition(made, tuple(left))
    try:
        with asked_as(person):
            published = hub.publish_adapter(
                made.folder, spec=made.spec, scores=made.scores, run_id=made.id, org=org, private=private
            )
    except LoraHubError as error:
        return Composition(made, tuple(left), trouble=error)
    finally:
        if not person.is_local:  # nobody but whoever sits here may use a folder of this machine
            shutil.rmtree(made.folder, ignore_errors=True)
    return Composition(made, tuple(left), published)


@use_case(Action.TRAIN, counted=True)
def check_composition(
    person: Person,
    comparer: Comparer,
    name: str,
    file: Path,
    *,
    test: Path | None = None,
    base: str = "",
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> composing.Checked:
    """As `composing.check_composition`, of the published adapter of this name and files of this person's. base: where
    its base lies, if elsewhere than the record says. Raises AccessError, too, where it exceeds a limit."""
    owner, is_over = _begin(person, file, test, cancelled)
    if base:
        find_base(person, base)
    published = composing.read_published(hub.owned(name), base)
    check_allowed(person, published.pane.base)
    if not person.is_local:
        runs.check_base(published.pane.base)
    with _turn(is_over):
        return composing.check_composition(
            comparer.bases,
            published,
            file,
            test=test,
            owner=owner,
            sees=functools.partial(may_see, person),
            progress=progress,
            cancelled=is_over,
        )


def _begin(
    person: Person, file: Path, test: Path | None, cancelled: Callable[[], bool]
) -> tuple[str, Callable[[], bool]]:
    """Whose the files are, and what tells that the time is over or the person stops it. Raises DataError for files of
    somebody else, AccessError."""
    for one in (file, test):
        if one is not None:
            datasets.check_own(person, one)
    ends = _ends_at(person)
    return datasets.owner_of(person), lambda: cancelled() or (ends > 0 and time.monotonic() > ends)


def _ends_at(person: Person) -> float:
    """When a search has to end, on the monotonic clock; 0: whenever it does. It starts only where a run or test of this
    person might. Raises AccessError."""
    if person.is_local:
        return 0.0
    return time.monotonic() + limits.check_start(person, 1, everybodys(person), time.time())


@contextmanager
def _turn(cancelled: Callable[[], bool]) -> Iterator[None]:
    """Waits until nobody else's search works here. Raises RunError where the person does not."""
    while not _TURN.acquire(timeout=0.2):
        if cancelled():
            raise composing.stopped()
    try:
        yield
    finally:
        _TURN.release()
