"""Runs that wait for their turn without a process of their own, in the app that started them.

    room = WaitingRoom()                   app.py builds one where people sign in
    runs.start_runs(specs, room=room)      a run whose turn has not come waits here; the others start at once
    room.close()                           each goes on waiting as a process of its own

A run that waits has its lock and its place in the line as any other; when its turn comes both are handed to its worker,
with the token of its owner, which nobody else has seen. Where the app ends without a word, the runs are lost like those
of a killed worker, and `take_up` lets them wait again when it is back.
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
    """Runs of one process, with their locks. start: (run ids, locks, ticket) -> starts it."""

    run_ids: list[str]
    locks: list[RunLock]
    start: Callable[[list[str], list[RunLock], Ticket], None]
    ticket: Ticket
    logs: dict[str, events.EventLog] = field(default_factory=dict)

    def tell(self, place: Wait) -> None:
        for log in self.logs.values():
            log.append("progress", phase="waiting for its turn", step=0, total=0, eta=None, **place.model_dump())

    def drop_cancelled(self) -> None:
        """Those that somebody cancelled have ended, and the others wait on."""
        for place in reversed(range(len(self.run_ids))):
            run_id = self.run_ids[place]
            if store.is_cancel_asked(run_id):
                self.logs[run_id].append("state", state=RunState.CANCELLED)
                self.locks.pop(place).close()
                del self.run_ids[place], self.logs[run_id]


class WaitingRoom:
    """Thread-safe; one thread for all that wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Waiting] = []
        self._told: dict[int, Wait | None] = {}
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
        """Takes runs of one process and their locks over: started at once where there is room, else when it is their
        turn. Raises what `start` raises where it is called at once."""
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
        """The app ends: those that wait go on as processes that wait."""
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
            self._told.pop(one.ticket.number, None)
            return False
        place = one.ticket.wait()
        if place is None:
            self._told.pop(one.ticket.number, None)
            return True
        if self._told.get(one.ticket.number) != place:
            self._told[one.ticket.number] = place
            one.tell(place)
        return False

    def _begin(self, one: Waiting) -> None:
        try:
            _hand_over(one)
        except Exception:  # what went wrong is told in the runs' events by whoever starts them
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
