"""Runs that wait for their turn without a process, and runs with a time limit."""

import json
import os
import time
from pathlib import Path

import pytest
from test_run_folders import make_spec

from lora_hub import runs
from lora_hub.core import run_lock, settings, store
from lora_hub.core.errors import LoraHubError
from lora_hub.core.schema import RunState
from lora_hub.people import policy
from lora_hub.runs import control, owner, turns
from lora_hub.runs.waiting import WaitingRoom


class Runner:
    """Starts no process: it keeps what a worker would have been given, and the place in the line as a worker does."""

    trains_here = True

    def __init__(self) -> None:
        self.started: list[tuple[list[str], dict]] = []
        self.kept: list[tuple[turns.Ticket, list[int]]] = []
        self.fails = False

    def start(self, run_ids, log: Path, environment, locks, ticket=None) -> dict:
        if self.fails:
            raise OSError(12, "Cannot allocate memory")
        self.started.append(([*run_ids], dict(environment or {})))
        self.kept.append(
            (
                turns.Ticket(ticket.number, os.dup(ticket.descriptor)),
                [os.dup(lock.descriptor) for lock in locks],
            )
        )
        return {"pid": os.getpid(), **({"group": [*run_ids]} if len(run_ids) > 1 else {})}

    def end(self, place: int = 0) -> None:
        ticket, locks = self.kept.pop(place)
        ticket.give_back()
        for descriptor in locks:
            os.close(descriptor)

    def is_working(self, handle: dict, folder: Path) -> bool:
        return run_lock.is_held(folder)

    def is_alive(self, handle: dict) -> bool:
        return False

    def cancel(self, handle: dict) -> None: ...

    def kill(self, handle: dict) -> None: ...


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Runner:
    made = Runner()
    monkeypatch.setattr(control, "get_runner", lambda name: made)
    return made


def until(what) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def tickets() -> list[str]:
    return [name for name in os.listdir(settings.runs_dir() / ".line") if name.isdigit()]


def test_who_waits_has_a_place_and_no_process(runner: Runner) -> None:
    room = WaitingRoom()
    first, second, third = (
        runs.start_runs([make_spec()], owner=name, environment={"HF_TOKEN": f"hf_{name}"}, room=room)[0]
        for name in ("ann", "bob", "cy")
    )
    assert runner.started == [([first.id], {"HF_TOKEN": "hf_ann"})] and len(room) == 2
    until(lambda: runs.refresh_run(third.id).waits is not None)
    waits = runs.refresh_run(third.id).waits
    assert (waits.place, waits.before) == (2, (first.id, second.id))
    assert runs.refresh_run(second.id).state is RunState.QUEUED and not runs.refresh_run(second.id).handle
    # Secrets wait in memory only.
    assert not [file for file in settings.home().rglob("*") if file.is_file() and b"hf_bob" in file.read_bytes()]
    runner.end()
    until(lambda: len(runner.started) == 2)
    assert runner.started[1] == ([second.id], {"HF_TOKEN": "hf_bob"})
    until(lambda: runs.refresh_run(third.id).waits.place == 1)
    runs.cancel_run(third.id)
    assert runs.refresh_run(third.id).state is RunState.CANCELLED and len(room) == 0
    runner.end()
    until(lambda: not tickets())
    assert len(runner.started) == 2


def test_one_of_several_that_wait_can_be_cancelled(runner: Runner) -> None:
    room = WaitingRoom()
    runs.start_runs([make_spec()], room=room)
    kept, gone = runs.start_runs([make_spec(), make_spec(name="other")], room=room)
    runs.cancel_run(gone.id)
    runner.end()
    until(lambda: len(runner.started) == 2)
    assert runner.started[1][0] == [kept.id]


def test_an_app_that_ends_leaves_them_waiting_as_processes(runner: Runner) -> None:
    room = WaitingRoom()
    runs.start_runs([make_spec()], room=room)
    waiting = runs.start_runs([make_spec()], room=room)[0]
    room.close()
    assert [ids for ids, _ in runner.started][1] == [waiting.id]
    ticket, _locks = runner.kept[1]
    assert ticket.wait() is not None, "it stands where it stood"


def test_an_app_that_was_killed_takes_them_up_again(runner: Runner) -> None:
    room = WaitingRoom()
    runs.start_runs([make_spec()], room=room)
    waiting = runs.start_runs([make_spec()], owner="ann", room=room)[0]
    # what the end of the process does
    with room._lock:
        (one,), room._waiting = room._waiting, []
    for lock in one.locks:
        lock.close()
    one.ticket.give_back()
    assert runs.refresh_run(waiting.id).state is RunState.LOST
    again = WaitingRoom()
    assert runs.take_up_waiting(again, {"HF_TOKEN": ""}) == [waiting.id]
    run = runs.refresh_run(waiting.id)
    assert run.state is RunState.QUEUED and run.owner == "ann" and len(again) == 1
    assert runs.take_up_waiting(again, {}) == []
    again.close()


def test_a_process_that_cannot_be_had_is_told(runner: Runner) -> None:
    room = WaitingRoom()
    runner.fails = True
    with pytest.raises(LoraHubError, match="No process could be started: Cannot allocate memory"):
        runs.start_runs([make_spec()], room=room)
    assert tickets() == []
    runner.fails = False
    runs.start_runs([make_spec()], room=room)
    later = runs.start_runs([make_spec()], room=room)[0]
    runner.fails = True
    runner.end()
    until(lambda: runs.refresh_run(later.id).state is RunState.FAILED)
    assert "Cannot allocate memory" in runs.refresh_run(later.id).error.message
    until(lambda: tickets() == [])  # its place in the line is given back just after the run says that it failed


def test_a_run_that_takes_too_long_is_ended_and_can_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = store.create_run(make_spec())
    log = owner.EventLog(store.events_file(run_id), "app-1")
    log.append("submitted", owner="ann", most_seconds=7200)
    log.append("state", state=RunState.QUEUED, attempt=1)
    one = owner.Owner(run_id)
    now = time.monotonic()
    one.report("state", state=RunState.RUNNING)
    assert not one.cancelled()
    monkeypatch.setattr(owner.time, "monotonic", lambda: now + 7300)
    assert one.cancelled() and not one.told(one.check_cancelled)
    one.end()
    run = runs.refresh_run(run_id)
    assert run.state is RunState.FAILED and run.most_seconds == 7200
    assert run.error.message == "The run has trained for 2 hours, as long as a run may here."
    assert run.state in runs.RESUMABLE


def test_runs_together_take_no_more_than_the_minutes_of_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four may be started while there are minutes left, and each may take hours: what all have taken ends them."""
    policy.write(policy.Policy(minutes_a_day=60))

    def begin(run_owner: str, most: float) -> owner.Owner:
        run_id = store.create_run(make_spec())
        log = owner.EventLog(store.events_file(run_id), "app-1")
        log.append("submitted", owner=run_owner, most_seconds=most)
        log.append("state", state=RunState.QUEUED, attempt=1)
        one = owner.Owner(run_id)
        one.report("state", state=RunState.RUNNING)
        return one

    first, second, others, unlimited = begin("ann", 7200), begin("ann", 7200), begin("bob", 7200), begin("ann", 0)
    assert not any(one.cancelled() for one in (first, second, others, unlimited))
    later, monotonic = time.time() + 25 * 60, time.monotonic() + 25 * 60
    monkeypatch.setattr(owner.time, "time", lambda: later)  # three of Ann's, 25 minutes each
    monkeypatch.setattr(owner.time, "monotonic", lambda: monotonic)
    assert first.cancelled() and second.cancelled() and not others.cancelled() and not unlimited.cancelled()
    assert not first.told(first.check_cancelled)
    for one in (first, second, others, unlimited):
        one.end()
    run = runs.refresh_run(first.run_id)
    assert run.state is RunState.FAILED and run.error.message == "75 of your 60 minutes of training a day are used."
    assert run.state in runs.RESUMABLE


def test_a_worker_takes_over_the_place_in_the_line(home: Path) -> None:
    """The real one: it is given the ticket of who waited for it."""
    room, began = WaitingRoom(), time.monotonic()
    with turns.take_turn(["somebody"], lambda: False):
        waiting = runs.start_runs([make_spec()], room=room)[0]
        until(lambda: runs.refresh_run(waiting.id).waits)  # the place is told by who waits, before it is handed over
        assert not runs.refresh_run(waiting.id).handle
    until(lambda: runs.refresh_run(waiting.id).handle)
    run = runs.wait_for_run(waiting.id)
    assert run.state is RunState.FAILED and "0000000000000000" in run.error.message, "its dataset is not there"
    until(lambda: not tickets())
    events = [json.loads(line) for line in store.events_file(waiting.id).read_text().splitlines()]
    assert [one["data"].get("place") for one in events if one["kind"] == "progress"][0] == 1
    assert time.monotonic() - began < 60
