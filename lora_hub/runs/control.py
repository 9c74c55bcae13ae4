"""What moves a run: start, cancel, resume.

A run's truth is its folder; nothing about it is kept in this process, so the page may be closed, reloaded or restarted.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lora_hub.core import events, run_lock, settings, store
from lora_hub.core.errors import LoraHubError, RunError, SpecError
from lora_hub.core.messages import _
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import Hired, Run, RunState, TrainSpec
from lora_hub.runs import parents, run_history, run_states
from lora_hub.runs.looking import list_runs, refresh_run
from lora_hub.runs.machine import check_base, check_fits
from lora_hub.runs.publishing import check_publishing
from lora_hub.runs.runners import ELSEWHERE, HERE, get_runner
from lora_hub.runs.tracking import report_to
from lora_hub.runs.turns import Ticket
from lora_hub.runs.waiting import WaitingRoom

logger = logging.getLogger("lora_hub.runs")
# A worker that was asked to end and has not within these seconds is ended.
CANCEL_GRACE_SECONDS = 20
RESUMABLE = (RunState.FAILED, RunState.CANCELLED, RunState.LOST)


def start_runs(
    specs: Sequence[TrainSpec],
    *,
    owner: str = "local",
    environment: dict[str, str] | None = None,
    runner: str = "",
    hired: Hired | None = None,
    most_seconds: float = 0.0,
    room: WaitingRoom | None = None,
    base_checked: bool = False,
    check: Callable[[], None] | None = None,
) -> list[Run]:
    """Makes the folders of runs on one base and starts their process, which trains them together where that is faster.
    Raises BaseError where the base is not to be had or can't fit, AdapterError where the adapter to go on from is not,
    HubError where an adapter could not be published,
    LoraHubError on a full disk.

    environment: for the child alone (tokens); it is written nowhere. runner: who starts it, a module of runners/;
    empty: the one for the hardware. hired: the hardware of the one job that trains them (`hiring.hire`); None: this
    machine. most_seconds: each may train so long in an attempt; 0: as long as it takes. room: where they wait for their
    turn without a process; None: their process waits. base_checked: the caller has just asked `check_base`. check:
    called when their turn has come; a LoraHubError that it raises ends them.
    """
    settings.check()  # the process that is started reads them, too
    report_to()
    runner = runner or (HERE if hired is None else ELSEWHERE)
    if get_runner(runner).trains_here:
        for spec in specs:
            check_fits(spec)
    else:
        room = None
        if hired is None:
            raise SpecError(_("No hardware was chosen to train on."), _("Choose some, as `--hardware t4-small` does."))
    if not base_checked:
        for base in {spec.base.id: spec.base for spec in specs}.values():
            check_base(base)
    for spec in specs:
        check_publishing(spec)
    run_ids: list[str] = []
    held: dict[int, run_lock.RunLock] = {}
    with contextlib.ExitStack() as locks:

        def hold(folder: Path) -> None:
            held[len(run_ids)] = locks.enter_context(run_lock.take(folder))  # of the run that is being made

        try:
            for spec in specs:
                run_ids.append(store.create_run(spec, hold))
            for run_id, spec in zip(run_ids, specs, strict=True):
                if spec.parent is not None:
                    parents.bring(spec.parent, store.run_folder(run_id))
                with store.disk_errors(store.run_folder(run_id)):
                    log = events.app_log(store.events_file(run_id))
                    log.append("submitted", owner=owner, runner=runner, most_seconds=most_seconds)
                    if hired is not None:
                        log.append("hired", **hired.model_dump(mode="json"))
        except LoraHubError:
            # Nothing has been started: what is left of them would only stand in the list as lost.
            for run_id in run_ids:
                store.remove_run(run_id)
            raise
        _start(run_ids, list(held.values()), 1, environment, runner, room, check)
        if room is not None:
            locks.pop_all()  # the room has them
    return [refresh_run(run_id) for run_id in run_ids]


def _start(
    run_ids: list[str],
    locks: Sequence[run_lock.RunLock],
    attempt: int,
    environment: dict[str, str] | None,
    runner: str,
    room: WaitingRoom | None = None,
    check: Callable[[], None] | None = None,
) -> None:
    """Starts one process for runs whose locks are held, or lets them wait for it in a room, which takes the locks over.
    All that has to be before its first word is written before it starts."""
    logs = [events.app_log(store.events_file(run_id)) for run_id in run_ids]
    for run_id, log in zip(run_ids, logs, strict=True):
        with store.disk_errors(log.path):
            store.clear_cancel(run_id)
            log.append("state", state=RunState.QUEUED, attempt=attempt)

    def begin(run_ids: list[str], locks: Sequence[run_lock.RunLock], ticket: Ticket | None = None) -> None:
        _begin(run_ids, locks, environment, runner, ticket, check)

    if room is None:
        begin(run_ids, locks)
    else:
        room.admit(run_ids, locks, begin)


def _begin(
    run_ids: list[str],
    locks: Sequence[run_lock.RunLock],
    environment: dict[str, str] | None,
    runner: str,
    ticket: Ticket | None,
    check: Callable[[], None] | None,
) -> None:
    """The process itself. Raises LoraHubError, told in the runs' events, where there is none to be had."""
    logs = [events.app_log(store.events_file(run_id)) for run_id in run_ids]

    def fail(told: LoraHubError) -> None:
        for log in logs:
            log.append("error", message=told.said, hint=told.advice)
            log.append("state", state=RunState.FAILED)

    try:
        if check is not None:
            check()
    except LoraHubError as error:
        fail(error)
        raise
    try:
        # Members of a group write to the first one's log; the others' say where to look.
        handle = get_runner(runner).start(run_ids, store.log_file(run_ids[0]), environment, locks, ticket)
    except OSError as error:
        told = LoraHubError(
            _("No process could be started: {reason}."),
            _("Free memory or space on this machine, then resume the run."),
            reason=error.strerror or error,
        )
        fail(told)
        raise told from error
    for log in logs:
        log.append("handle", handle=handle)


def cancel_run(run_id: str, *, wait: float = CANCEL_GRACE_SECONDS) -> Run:
    """Ends a run at its next step; its checkpoints stay. Raises RunError where it has ended already."""
    reader = RunReader()
    run = refresh_run(run_id, reader)
    if run.state.is_final:
        raise RunError(
            _("The run {run_id} has ended already: {state}."),
            _("Nothing is left to cancel."),
            run_id=run_id,
            state=run_states.word(run.state),
        )
    # Whoever finds the process gone before it could say so knows then why. One of several gets no signal: it would end
    # all.
    store.ask_cancel(run_id)
    runner, attempt = get_runner(run.runner), run.attempt
    shared = len(run.handle.get("group", ())) > 1
    if not shared:
        runner.cancel(run.handle)
    deadline = time.monotonic() + wait
    while not run.state.is_final and run.attempt == attempt and time.monotonic() < deadline:
        time.sleep(0.1)
        run = refresh_run(run_id, reader)
    if run.attempt != attempt:
        raise RunError(
            _("The run {run_id} was cancelled, and somebody has resumed it meanwhile: it is {state}."),
            _("Cancel it again if it is to end."),
            run_id=run_id,
            state=run_states.word(run.state),
        )
    if not run.state.is_final and not shared:
        runner.kill(run.handle)
        while not run.state.is_final and runner.is_alive(run.handle):
            time.sleep(0.1)
        run = refresh_run(run_id, reader)
    return run


def resume_run(
    run_id: str,
    *,
    environment: dict[str, str] | None = None,
    room: WaitingRoom | None = None,
    check: Callable[[], None] | None = None,
) -> Run:
    """Goes on with a run that failed, was cancelled or lost, from its last checkpoint. Raises RunError for another
    state, and
    where a process works on it: of two that resume at once one goes on."""
    settings.check()
    report_to()
    store.read_spec(run_id)  # a damaged one says here what is wrong
    attempt = store.read_run(run_id).attempt
    with contextlib.ExitStack() as mine:
        lock = mine.enter_context(_when_ended(run_id))
        # Nobody else can change it now. Our own lock is no sign of work on it.
        told = store.read_run(run_id)
        if told.attempt != attempt:  # what was to be resumed has been, and has ended again
            raise RunError(
                _("The run {run_id} was resumed by somebody else a moment ago, and is {state}."),
                _("Look at it before you resume it again."),
                run_id=run_id,
                state=run_states.word(told.state),
            )
        run = run_states.judge(told, store.run_folder(run_id), is_owned=False)
        if run.state not in RESUMABLE:
            raise _not_resumable(run)
        is_under_way = run.hired is not None and run.hired.is_under_way  # its job waits for no answer of the Hub
        if not is_under_way and (environment is None or environment.get("HF_TOKEN", "-")):
            check_publishing(run.spec)
        with store.disk_errors(store.run_folder(run_id)):
            run_history.heal(told, run, events.app_log(store.events_file(run_id)).append)
        room = room if get_runner(run.runner).trains_here else None
        _start([run_id], [lock], run.attempt + 1, environment, run.runner, room, check)
        if room is not None:
            mine.pop_all()
    return refresh_run(run_id)


def take_up_waiting(room: WaitingRoom, environment: dict[str, str]) -> list[str]:
    """Runs that waited in an app that ended without a word wait again: their ids. environment: of their processes, for
    which nobody's token is known any more."""
    taken = []
    for run in reversed(list_runs()):
        if run.state is RunState.LOST and not run.handle and not run.started:
            try:
                resume_run(run.id, environment=environment, room=room)
                taken.append(run.id)
            except LoraHubError as error:
                logger.warning("the run %s does not wait again: %s", run.id, error)
    return taken


def take_up_hired() -> list[str]:
    """Runs of whoever sits at this machine whose jobs go on while nobody follows them: they are followed again, and
    their ids returned."""
    taken = []
    for run in list_runs():
        if run.state is RunState.LOST and run.owner == "local" and run.hired is not None and run.hired.is_under_way:
            try:
                resume_run(run.id)
                taken.append(run.id)
            except LoraHubError as error:
                logger.warning("the run %s is not followed again: %s", run.id, error)
    return taken


def _when_ended(run_id: str) -> run_lock.RunLock:
    """The lock of a run that has ended, held. Its worker may still be ending, too; one that works on it is told by its
    state."""
    until = time.monotonic() + run_lock.ENDING_SECONDS
    while True:
        try:
            return store.own_run(run_id)
        except RunError:
            run = refresh_run(run_id)
            if not run.state.is_final:
                raise _not_resumable(run) from None
            if time.monotonic() >= until:
                raise


def _not_resumable(run: Run) -> RunError:
    if run.state is RunState.SUCCEEDED:
        return RunError(
            _("The run {run_id} has succeeded: nothing is left of it to resume."),
            _("Publish it, or ask its adapter in Compare."),
            run_id=run.id,
        )
    return RunError(
        _("The run {run_id} is {state}."),
        _("Only a run that failed, was cancelled or was lost can be resumed."),
        run_id=run.id,
        state=run_states.word(run.state),
    )
