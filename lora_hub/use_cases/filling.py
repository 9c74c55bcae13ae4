"""The organization's matrix: reading it, filling it, and filling it by itself while nobody needs the machine."""

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator

from lora_hub import hub, runs
from lora_hub.catalogue import bases
from lora_hub.compare import Comparer, Pane, matrix, test_sets
from lora_hub.compare.test_sets import TestReader
from lora_hub.core import settings
from lora_hub.core.errors import HubError, LoraHubError, RunError
from lora_hub.core.messages import _
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import Run, RunState
from lora_hub.people import LOCAL, Person
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.served import SERVED
from lora_hub.use_cases.training import check_allowed
from lora_hub.use_cases.watching import visible

logger = logging.getLogger("lora_hub.use_cases")
# By itself, the matrix is filled after nobody was served for so long, and only with bases of this many parameters:
# larger ones take memory that whoever sits at the machine may want.
IDLE_SECONDS, LOOK_SECONDS, MOST_PARAMETERS = 300.0, 5.0, 1e9
# A filling writes to the Hub after so many cells and at its end.
CELLS_A_COMMIT = 25
_FILLING = threading.Lock()


@use_case(Action.BROWSE, counted=True)
def read_matrix(person: Person, org: str = "") -> matrix.Matrix:
    """The matrix as this person may see it: adapters that the Hub shows them, rows of runs that they may see, and cells
    that the organization's repo has for them. Raises HubError."""
    return _read(person, org or settings.organization())


def _read(person: Person, org: str) -> matrix.Matrix:
    sets = [
        (run.spec.task.id, functools.partial(matrix.rows_of, run.id))
        for run in visible(person, runs.list_runs())
        if run.state is RunState.SUCCEEDED
    ]
    shared = {}
    with contextlib.suppress(HubError):  # whoever may not read the repo sees what this machine has
        shared = matrix.read_cells(hub.read_matrix_file(org))
    adapters = hub.list_adapters(org)
    seen = {ref.repo_id for ref in adapters}
    found = matrix.lay_out(adapters, sets, shared)
    columns = {column.set for grid in found.grids for column in grid.columns}
    kept = {key: cell for key, cell in matrix.kept_cells(org).items() if cell.set in columns and key[0] in {*seen, ""}}
    # What this machine computed itself is believed before what anybody who writes there may have put into the repo.
    return matrix.lay_out(adapters, sets, {**shared, **kept})


@use_case(Action.TRAIN)
def fill_matrix(
    person: Person, comparer: Comparer, org: str = "", *, cancelled: Callable[[], bool] = lambda: False
) -> Iterator[tuple[int, int]]:
    """Computes what is missing of the matrix and can be computed here; yields after each cell how many are done,
    and how many there were. Whoever asks a question meanwhile goes first. Raises HubError, RunError (somebody fills it
    already)."""
    if not _FILLING.acquire(blocking=False):
        raise RunError(_("The matrix is being filled already."), _("Look again in a while."))
    try:
        yield from _fill(person, comparer, org or settings.organization(), cancelled)
    finally:
        _FILLING.release()


def _fill(
    person: Person, comparer: Comparer, org: str, cancelled: Callable[[], bool], only_small: bool = False
) -> Iterator[tuple[int, int]]:
    wanted = [one for one in _read(person, org).wanted if not only_small or _is_small(one.base)]
    total, done, unsent = len(wanted), 0, []
    yield 0, total
    filler = _filler(person, comparer, _busy_check(cancelled))
    try:
        while wanted and not cancelled():
            for one, cell in filler.fill(list(wanted)):
                wanted.remove(one)
                done += 1
                if cell is not None:
                    matrix.add_cells(org, [cell])
                    unsent.append(cell)
                    if len(unsent) >= CELLS_A_COMMIT:
                        _share(person, org, unsent)
                        unsent = []
                yield done, total
            while wanted and not cancelled() and is_busy():
                time.sleep(0.5)
    finally:
        if unsent:
            _share(person, org, unsent)


def _filler(person: Person, comparer: Comparer, busy: Callable[[], bool] = lambda: False) -> matrix.Filler:
    def check(pane: Pane) -> None:
        """An adapter's record names its base, and anybody may have written it."""
        check_allowed(person, pane.base)
        if not person.is_local:
            runs.check_base(pane.base)

    return matrix.Filler(comparer.bases, busy, check, "" if person.is_local else person.id)


def _is_small(base: str) -> bool:
    return any(one.id == base and one.parameters <= MOST_PARAMETERS for one in bases.list_bases())


def _share(person: Person, org: str, cells: list[matrix.Cell]) -> None:
    """Into the organization's repo, for everybody; whoever may not write there keeps them here."""

    def merge(old: bytes) -> bytes:
        known = matrix.read_cells(old)
        return matrix.to_lines({**known, **{cell.key: cell for cell in cells}}.values())

    try:
        with hub.acting_as(person):  # also where a filling is stopped between two steps
            hub.write_matrix_file(org, merge)
    except HubError as error:
        logger.info("the matrix stays on this machine: %s", error)


@use_case(Action.TRAIN)
def check_matrix(
    person: Person, comparer: Comparer, org: str = ""
) -> tuple[int, list[tuple[matrix.Cell, matrix.Cell]]]:
    """Computes every cell again whose rows are on this machine: how many, and those that come out otherwise than they
    are kept, as (kept, computed). Raises HubError, AdapterError, BaseError."""
    found = [
        (matrix.Wanted(grid.base, column, ref), cell)
        for grid in _read(person, org or settings.organization()).grids
        for ref, cells in grid.rows
        for column, cell in zip(grid.columns, cells, strict=True)
        if cell is not None and (column.run_id or column.task == "general")
    ]
    return len(found), matrix.check_cells(_filler(person, comparer), found)


_READER, _TESTS = RunReader(), TestReader()


def is_busy() -> bool:
    """Whether somebody is being served, a run trains, or a test is answered."""
    return SERVED.quiet_seconds() == 0 or _works()


def _works() -> bool:
    if any(is_training(run) for run in runs.list_runs(_READER)):
        return True
    return any(one.state is RunState.RUNNING for one in test_sets.list_tests(_TESTS))


def is_training(run: Run) -> bool:
    return run.state in (RunState.RUNNING, RunState.PUBLISHING)


def _busy_check(cancelled: Callable[[], bool]) -> Callable[[], bool]:
    """`is_busy`, where runs and tests are looked at once a second: it is asked between the steps of an answer."""
    looked, found = 0.0, False

    def check() -> bool:
        nonlocal looked, found
        if cancelled() or SERVED.quiet_seconds() == 0:
            return True
        if time.monotonic() - looked > 1:
            looked, found = time.monotonic(), _works()
        return found

    return check


def start_filling(comparer: Comparer) -> threading.Event:
    """Fills the matrix by itself, as whoever sits at this machine, each time when nobody has been served for a while;
    gives way at once. Set the event to end it."""
    ended = threading.Event()
    threading.Thread(target=_fill_when_idle, args=(comparer, ended), daemon=True).start()
    return ended


def _somebody_came(ended: threading.Event, last: float) -> bool:
    return ended.is_set() or SERVED.last != last or SERVED.quiet_seconds() == 0


def _fill_when_idle(comparer: Comparer, ended: threading.Event) -> None:
    filled_after = 0.0

    while not ended.wait(LOOK_SECONDS):
        last = SERVED.last
        if not last or last == filled_after or SERVED.quiet_seconds() < IDLE_SECONDS or is_busy():
            continue
        if not _FILLING.acquire(blocking=False):
            continue
        try:
            with hub.acting_as(LOCAL):
                gives_way = functools.partial(_somebody_came, ended, last)
                going = _fill(LOCAL, comparer, settings.organization(), gives_way, only_small=True)
                for _step in going:
                    pass
        except LoraHubError as error:
            logger.info("the matrix is not filled: %s", error)
        except Exception:
            logger.exception("filling the matrix failed")
        finally:
            _FILLING.release()
        if SERVED.last == last:  # nobody came: all that can be is computed until somebody does something
            filled_after = last
