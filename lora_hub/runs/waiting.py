"""Runs that wait for their turn without a process of their own, in the app that started them.

    room = WaitingRoom()                   app.py creates one where people sign in
    runs.start_runs(specs, room=room)      a run waits here until its turn; if there is room it starts at once
    room.close()                           each waiting run goes on as a process of its own

A waiting run has its lock and its place in the line like any other. At its turn both are handed to its worker, with the
owner's token, which nobody else has seen. If the app is killed, its waiting runs are lost, like those of a killed
worker; `take_up` lets them wait again when the app is back.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lora_hub.core import events, store
from lora_hub.core.run_lock import RunLock
from lora_hub.core.schema import RunState, Wait
from lora_hub.runs.turns import POLL_SECONDS, Ticket

logger = logging.getLogger("lora_hub.runs")


@dataclass
class Waiting:
    """Runs of one process, with their locks. start: called as start(run ids, locks, ticket) to start them. told: their
    place in the line as their events have it."""

    run_ids: list[str]
    locks: list[RunLock]
    start: Callable[[list[str], list[RunLock], Ticket], None]
    ticket: Ticket
    logs: dict[str, events.EventLog] = field(default_factory=dict)
    told: Wait | None = None

    def tell(self, place: Wait) -> None:
        if place == self.told:
            return
        self.told = place
        for log in self.logs.values():
            log.append("progress", phase="waiting for its turn", step=0, total=0, eta=None, **place.model_dump())

    def drop_cancelled(self) -> None:
        """Ends the runs that were cancelled; the others go on waiting."""
        for place in reversed(range(len(self.run_ids))):
            run_id = self.run_ids[place]
            if store.is_cancel_asked(run_id):
                self.logs[run_id].append("state", state=RunState.CANCELLED)
                self.locks.pop(place).close()
                del self.run_ids[place], self.logs[run_id]


class WaitingRoom:
    """Thread-safe; one thread for all waiting runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Waiting] = []
        self._watch: threading.Thread | None = None
        self._closed = False

    def __len__(self) -> int:
        with self._lock:
            return sum(len(one.run_ids) for one in self._waiting)

    def admit(
        self,
        run_ids: Sequence[str],
        locks: Sequence[RunLock],
        start: Callable[[list[str], list[RunLock], Ticket], None],
    ) -> None:
        """Takes over the runs of one process and their locks. They start at once if there is room, else at their turn.
        Raises what `start` raises if it is called at once."""
        one = Waiting([*run_ids], [*locks], start, Ticket.take([*run_ids]))
        one.logs = {run_id: events.app_log(store.events_file(run_id)) for run_id in run_ids}
        with self._lock:
            is_turn = self._closed or one.ticket.wait() is None
            if not is_turn:
                self._waiting.append(one)
                if self._watch is None:
                    self._watch = threading.Thread(target=self._look, name="waiting runs", daemon=True)
                    self._watch.start()
        if is_turn:
            _hand_over(one)

    def close(self) -> None:
        """Called when the app ends: each waiting run goes on as a waiting process."""
        with self._lock:
            self._closed = True
            left, self._waiting = self._waiting, []
        for one in left:
            self._begin(one)

    def _look(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._watch = None
                    return
                ready = [one for one in self._waiting if self._goes_now(one)]
                self._waiting = [one for one in self._waiting if one not in ready and one.run_ids]
            for one in ready:
                self._begin(one)
            time.sleep(POLL_SECONDS)

    def _goes_now(self, one: Waiting) -> bool:
        one.drop_cancelled()
        if not one.run_ids:
            one.ticket.give_back()
            return False
        place = one.ticket.wait()
        if place is not None:
            one.tell(place)
        return place is None

    def _begin(self, one: Waiting) -> None:
        try:
            _hand_over(one)
        except Exception:  # `start` records the error in the runs' events
            logger.exception("a run that waited could not be started")


def _hand_over(one: Waiting) -> None:
    try:
        one.start(one.run_ids, one.locks, one.ticket)
    except BaseException:
        one.ticket.give_back()
        raise
    else:
        one.ticket.close()  # the worker has it now
    finally:
        for lock in one.locks:
            lock.close()
