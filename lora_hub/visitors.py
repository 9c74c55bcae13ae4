"""Visitors of one base: everybody's rows are answered in one running batch, whoever asked first and whatever adapter they ask.

A visitor's rows join the batch between two steps and leave it when they end; a step gives every open row one token, so nobody
waits for another's answer to end. Rows that would not fit any more wait in the order they came. A visitor who cancels, or goes
away, is gone with the next step. One thread answers while there is something to answer.

    queue = AnswerQueue(stack, ends, pad)
    for moved in queue.answer(live_rows):       # as decoding.decode
        ...
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch

from lora_hub.decoding import Batch, Live
from lora_hub.stack import AdapterStack

# Padded tokens in the cache at once, by device; one visitor's rows are let in even where they alone are more.
ROOM = {"cpu": 32_768, "cuda": 524_288}
POLL_SECONDS = 0.05


@dataclass
class Visit:
    """One visitor's rows. moved: what the visitor still has to be told: rows, an error, or None at the end."""

    rows: list[Live]
    moved: "queue.SimpleQueue[list[Live] | BaseException | None]" = field(default_factory=queue.SimpleQueue)
    gone: bool = False

    @property
    def width(self) -> int:
        return max(len(row.prompt) + row.left for row in self.rows)


class AnswerQueue:
    """The queue of a base. Safe to use from any number of threads."""

    def __init__(self, stack: AdapterStack, ends: set[int], pad: int, *, room: int = 0) -> None:
        self._stack, self._ends, self._pad = stack, ends, pad
        self._room = room or ROOM.get(stack.model.device.type, ROOM["cpu"])
        self._waiting: deque[Visit] = deque()
        self._lock = threading.Lock()
        self._running = False

    def answer(self, rows: list[Live], *, cancelled: Callable[[], bool] | None = None) -> Iterator[list[Live]]:
        """Yields the rows that got a token or ended, as `decoding.decode` does; raises what their step raised."""
        visit = Visit(rows)
        with self._lock:
            self._waiting.append(visit)
            if not self._running:
                self._running = True
                threading.Thread(target=self._work, name="answers", daemon=True).start()
        try:
            while True:
                if cancelled is not None and cancelled():
                    for row in rows:
                        row.finish = row.finish or "cancelled"
                    yield [row for row in rows if row.finish == "cancelled"]
                    return
                try:
                    moved = visit.moved.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    continue
                if moved is None:
                    return
                if isinstance(moved, BaseException):
                    raise moved
                yield moved
        finally:
            visit.gone = True

    def _work(self) -> None:
        """Steps until nobody is left. Batches that cannot be joined (caches with a window) take turns."""
        batches: list[tuple[Batch, list[Visit]]] = []
        while True:
            visit = self._next(batches)
            if visit is not None:
                self._let_in(visit, batches)
            for batch, visits in list(batches):
                self._step(batch, visits)
                visits[:] = [one for one in visits if not one.gone and any(not row.finish for row in one.rows)]
                if not visits:
                    batches.remove((batch, visits))
            with self._lock:
                if not batches and not self._waiting:
                    self._running = False
                    return

    def _next(self, batches: list[tuple[Batch, list[Visit]]]) -> Visit | None:
        """The first of those who wait, where there is room for them."""
        with self._lock:
            while self._waiting and self._waiting[0].gone:
                self._waiting.popleft()
            if not self._waiting:
                return None
            rows = sum(len(visit.rows) for _, visits in batches for visit in visits)
            widest = max((visit.width for _, visits in batches for visit in visits), default=0)
            first = self._waiting[0]
            if rows and (rows + len(first.rows)) * max(widest, first.width) > self._room:
                return None
            return self._waiting.popleft()

    def _let_in(self, visit: Visit, batches: list[tuple[Batch, list[Visit]]]) -> None:
        batch, visits = next(((batch, visits) for batch, visits in batches if batch.can_grow), (None, None))
        if batch is None:
            batch, visits = Batch(self._stack, self._ends, self._pad), []
            batches.append((batch, visits))
        visits.append(visit)
        try:
            _tell(batch.join(visit.rows), [visit])
        except Exception as error:  # theirs alone: those who were there before are not touched
            self._fail(error, [visit])
            visits.remove(visit)
            if not visits:
                batches.remove((batch, visits))

    def _step(self, batch: Batch, visits: list[Visit]) -> None:
        for visit in visits:
            if visit.gone:
                for row in visit.rows:
                    row.finish = row.finish or "cancelled"
        try:
            _tell(batch.step(), visits)
        except Exception as error:
            self._fail(error, visits)

    def _fail(self, error: Exception, visits: list[Visit]) -> None:
        if isinstance(error, torch.OutOfMemoryError):
            torch.cuda.empty_cache()
        for visit in visits:
            for row in visit.rows:
                row.finish = row.finish or "cancelled"
            visit.moved.put(error)


def _tell(moved: list[Live], visits: list[Visit]) -> None:
    ids = {id(row) for row in moved}
    for visit in visits:
        own = [row for row in visit.rows if id(row) in ids]
        if own:
            visit.moved.put(own)
        if all(row.finish for row in visit.rows):
            visit.moved.put(None)
