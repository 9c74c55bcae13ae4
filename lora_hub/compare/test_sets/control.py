"""What moves a test: start, cancel, resume, share, delete. Its process is `worker`; its truth is its folder."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from lora_hub.compare.test_sets import folders
from lora_hub.compare.test_sets.looking import SHARED, look
from lora_hub.compare.test_sets.nouns import TestSpec, TestState
from lora_hub.core import events, run_lock, settings, store
from lora_hub.core.errors import LoraHubError, RunError, SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import RunState
from lora_hub.runs import HERE, RESUMABLE, get_runner, run_states

# A worker that was asked to end and has not within these seconds is ended.
CANCEL_SECONDS = 20.0


def start_test(spec: TestSpec, environment: dict[str, str]) -> TestState:
    """Makes the test's folder and starts its process. environment: for the child alone (tokens); it is written nowhere.
    Raises LoraHubError where no process can be started, or on a full disk."""
    settings.check()
    with contextlib.ExitStack() as held:
        locks: list[run_lock.RunLock] = []
        folder = folders.make(spec, lambda making: locks.append(held.enter_context(_take(making))))
        _begin(folder, locks[0], 1, environment)
    return look(spec.id)


def resume_test(test_id: str, environment: dict[str, str]) -> TestState:
    """Goes on with a test that failed, was cancelled or lost; answers that were given are kept. Raises RunError for one
    in another state."""
    state = look(test_id)
    if state.state not in RESUMABLE:
        raise RunError(
            _("The test {test_id} is {state}."),
            _("Only a test that failed, was cancelled or was lost can be resumed."),
            test_id=test_id,
            state=run_states.word(state.state),
        )
    folder = folders.folder_of(test_id)
    with _take(folder) as lock:
        (folder / "cancel").unlink(missing_ok=True)
        _begin(folder, lock, state.attempt + 1, environment)
    return look(test_id)


def cancel_test(test_id: str) -> TestState:
    """Ends a test; what was answered is kept. Raises RunError where it has ended already."""
    state = look(test_id)
    if state.state.is_final:
        raise RunError(
            _("The test {test_id} has ended already: {state}."),
            _("Nothing is left to cancel."),
            test_id=test_id,
            state=run_states.word(state.state),
        )
    folder, runner = folders.folder_of(test_id), get_runner(HERE)
    with store.disk_errors(folder):
        (folder / "cancel").touch()
    runner.cancel(state.handle)
    _wait(lambda: look(test_id).state.is_final)
    if not look(test_id).state.is_final:
        runner.kill(state.handle)
        _wait(lambda: look(test_id).state.is_final)
    return look(test_id)


def share_test(test_id: str, visibility: str) -> TestState:
    """Sets who may read a test. Raises SpecError for what is none of `looking.SHARED`."""
    state = look(test_id)
    if visibility not in SHARED:
        raise SpecError(
            _("A test cannot be {visibility!r}."), _("It is private or organization."), visibility=visibility[:40]
        )
    if state.visibility != visibility:
        folder = folders.folder_of(test_id)
        with store.disk_errors(folder):
            events.app_log(folder / "events.jsonl").append("shared", visibility=visibility)
    return look(test_id)


def delete_test(test_id: str) -> None:
    """Deletes a test that has ended; kept answers stay until nobody reads them. Raises RunError where it has not."""
    state = look(test_id)
    if not state.state.is_final:
        raise RunError(
            _("The test {test_id} has not ended."), _("Cancel it first, or wait for its end."), test_id=test_id
        )
    with _take(folders.folder_of(test_id)):
        folders.remove(test_id)


def _take(folder: Path) -> run_lock.RunLock:
    lock = run_lock.take(folder, run_lock.ENDING_SECONDS)
    if lock is None:
        raise RunError(
            _("A process works on the test {test_id} at this moment."),
            _("Wait until it has ended, or cancel it."),
            test_id=folder.name,
        )
    return lock


def _begin(folder: Path, lock: run_lock.RunLock, attempt: int, environment: dict[str, str]) -> None:
    log = events.app_log(folder / "events.jsonl")
    with store.disk_errors(folder):
        log.append("state", state=RunState.QUEUED, attempt=attempt)
    try:
        handle = get_runner(HERE).launch(
            "compare.test_sets.worker", [folder.name], folder / "log.txt", environment, [lock]
        )
    except OSError as error:
        told = LoraHubError(
            _("No process could be started: {reason}."),
            _("Free memory or space on this machine, then resume the test."),
            reason=error.strerror or error,
        )
        log.append("error", message=told.said, hint=told.advice)
        log.append("state", state=RunState.FAILED)
        raise told from error
    log.append("handle", handle=handle)


def _wait(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + CANCEL_SECONDS
    while not ready() and time.monotonic() < until:
        time.sleep(0.1)
