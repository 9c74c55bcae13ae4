"""Visitors of one base: everybody's rows are answered in one running batch, whoever asked first and whatever adapter
they ask.

A visitor's rows join the batch between two steps and leave it when they end; a step gives every open row one token, so
nobody waits for another's answer to end. Those who come at the same time join together. Rows that would not fit any
more wait in the order they came; of a visitor with many, as many come at a time as half of the room holds. A visitor
who cancels, or goes away, is gone with the next step. What fails for one fails for that one: where a step fails, its
visitors go on apart from each other. One thread answers while there is something to answer.

    queue = AnswerQueue(stack, ends, pad)
    for moved in queue.answer(live_rows):       # as decoding.decode
        ...
"""

import dataclasses
import logging
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import torch

from lora_hub.answering.decoding import Batch, Live, Part
from lora_hub.answering.stack import AdapterStack

logger = logging.getLogger("lora_hub.answering.visitors")

# Padded tokens in the cache at once, by device; one row is let in even where it alone is more.
ROOM = {"cpu": 32_768, "cuda": 524_288}
POLL_SECONDS = 0.05
# Those who are answered wait so long at a time while others' prompts are read; of one visitor they are read whole.
READ_SECONDS = 1.0


@dataclass(eq=False)
class Visit:
    """One visitor's rows, which belong to the answering thread. moved: what the visitor still has to be told: rows, an
    error, or None at the end."""

    rows: list[Live]
    moved: "queue.SimpleQueue[list[Live] | BaseException | None]" = field(default_factory=queue.SimpleQueue)
    gone: bool = False

    @property
    def open(self) -> list[Live]:
        """The rows that have not ended."""
        return [row for row in self.rows if not row.finish]

    def cancel(self) -> None:
        """Ends the rows, so that they leave the batch with the next step."""
        for row in self.open:
            row.finish = "cancelled"


@dataclass(eq=False)
class Running:
    """A batch and whose rows are in it."""

    batch: Batch
    visits: list[Visit]


class AnswerQueue:
    """The queue of a base. Safe to use from any number of threads."""

    def __init__(self, stack: AdapterStack, ends: set[int], pad: int, *, room: int = 0) -> None:
        self._stack, self._ends, self._pad = stack, ends, pad
        self._room = room or ROOM.get(stack.model.device.type, ROOM["cpu"])
        self._waiting: deque[Visit] = deque()
        self._batches: list[Running] = []  # touched by the answering thread alone, and so are those who are let in
        self._coming: list[Visit] = []
        self._lock = threading.Lock()
        self._running = False

    def answer(self, rows: list[Live], *, cancelled: Callable[[], bool] | None = None) -> Iterator[list[Live]]:
        """Yields the rows that got a token or ended, as `decoding.decode` does; raises what their step raised. One who
        asks so much that it would take the room of all, and memory without end, is answered part after part."""
        for part in parted(rows, self._room // 2):
            if (yield from self._answer(part, rows, cancelled)):
                return

    def _answer(
        self, part: list[Live], rows: list[Live], cancelled: Callable[[], bool] | None
    ) -> Generator[list[Live], None, bool]:
        """`answer` for some of a visitor's rows; returns whether it was cancelled."""
        visit = Visit(part)
        with self._lock:
            self._waiting.append(visit)
            if not self._running:
                self._running = True
                threading.Thread(target=self._work, name="answers", daemon=True).start()
        try:
            while True:
                if cancelled is not None and cancelled():
                    # Copies: the rows themselves may get a token at this very moment. One that has ended has all its
                    # tokens.
                    yield [
                        dataclasses.replace(row, finish=row.finish or "cancelled", ids=list(row.ids)) for row in rows
                    ]
                    return True
                try:
                    moved = visit.moved.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    continue
                if moved is None:
                    return False
                if isinstance(moved, BaseException):
                    raise moved
                yield moved
        finally:
            visit.gone = True

    def _work(self) -> None:
        """Steps until nobody is left. Batches that cannot be joined (caches with a window) take turns."""
        try:
            while True:
                self._let_in()
                for running in list(self._batches):
                    self._step(running)
                with self._lock:
                    if not self._batches and not self._waiting:
                        self._running = False
                        return
        except BaseException as error:
            # A fault of the queue itself: nobody may wait for ever, and the next visitor starts anew.
            with self._lock:
                left = [
                    *self._waiting,
                    *self._coming,
                    *(visit for running in self._batches for visit in running.visits),
                ]
                self._waiting.clear()
                self._coming.clear()
                self._batches.clear()
                self._running = False
            for visit in left:
                self._fail(error, visit)
            raise

    def _let_in(self) -> None:
        """Reads the prompts of those who wait, one visitor after another, and puts all of them into the batch at once:
        the cache is copied once, and no step is made for a few of them. Those who are answered wait meanwhile."""
        until, running = time.monotonic() + READ_SECONDS, self._open_batch()
        parts: list[Part] = []
        while (visit := self._next(running)) is not None:
            if running is None:
                running = self._new_batch()
                self._batches.append(running)
            self._coming.append(visit)
            try:
                part = running.batch.read(visit.open)
            except Exception as error:  # theirs alone: nobody else is touched
                self._coming.remove(visit)
                self._fail(error, visit)
            else:
                parts.append(part)
                _tell(part.live, [visit])
                if not part.can_join:
                    break
            if time.monotonic() >= until:
                break
        if running is not None:
            self._add(running, parts)

    def _add(self, running: Running, parts: list[Part]) -> None:
        visits, self._coming = self._coming, []
        try:
            running.batch.add(parts)
        except Exception:  # what fails for all together may be the fault of one, or its memory's
            for visit, part in zip(visits, parts, strict=True):
                try:
                    running.batch.add([part])
                except Exception as error:
                    self._fail(error, visit)
        running.visits += [visit for visit in visits if visit.open]
        if not running.visits:
            self._batches.remove(running)

    def _next(self, where: Running | None) -> Visit | None:
        """The first of those who wait, where there is room for them in this batch, or a new one."""
        with self._lock:
            for visit in [visit for visit in self._waiting if visit.gone]:
                self._waiting.remove(visit)
            if not self._waiting:
                return None
            first = self._waiting[0]
        others = sum(running.batch.room() for running in self._batches if running is not where)
        rows = [row for visit in [*self._coming, first] for row in visit.open]
        is_alone = not self._coming and not any(running.visits for running in self._batches)
        if not is_alone and others + (where or self._new_batch()).batch.room(rows) > self._room:
            return None
        with self._lock:
            return self._waiting.popleft()

    def _join(self, running: Running, visit: Visit) -> None:
        running.visits.append(visit)
        try:
            _tell(running.batch.join(visit.open), [visit])
        except Exception as error:  # theirs alone: those who were there before are not touched
            self._fail(error, visit)
            running.visits.remove(visit)
            if not running.visits:
                self._batches.remove(running)

    def _step(self, running: Running) -> None:
        for visit in running.visits:
            if visit.gone:
                visit.cancel()
        try:
            _tell(running.batch.step(), running.visits)
        except Exception as error:
            self._go_on_apart(running, error)
            return
        for visit in running.visits:
            if visit.gone:
                visit.cancel()  # else they would be answered on, to nobody
        running.visits[:] = [visit for visit in running.visits if visit.open]
        if not running.visits:
            self._batches.remove(running)

    def _go_on_apart(self, running: Running, error: Exception) -> None:
        """After a step that failed: the batch's tensors cannot be trusted any more, the tokens so far can. Everybody's
        rows are read again in a batch of their own; whose fault it was fails there alone."""
        self._batches.remove(running)
        # whose last token came before it failed has all of the answer
        _tell([row for visit in running.visits for row in visit.rows], [one for one in running.visits if not one.open])
        visits, running.visits = [visit for visit in running.visits if visit.open], []
        if not visits:
            return
        if len(visits) == 1:
            self._fail(error, visits[0])
            return
        logger.warning("a step of %s visitors failed, they go on apart", len(visits), exc_info=error)
        del running.batch
        traceback.clear_frames(error.__traceback__)  # they hold the batch's tensors
        self._give_memory_back()
        for visit in visits:
            own = self._new_batch()
            self._batches.append(own)
            self._join(own, visit)

    def _open_batch(self) -> Running | None:
        return next((running for running in self._batches if running.batch.can_grow), None)

    def _new_batch(self) -> Running:
        return Running(Batch(self._stack, self._ends, self._pad), [])

    def _fail(self, error: BaseException, visit: Visit) -> None:
        if isinstance(error, torch.OutOfMemoryError):
            self._give_memory_back()
        visit.cancel()
        visit.moved.put(error)

    def _give_memory_back(self) -> None:
        if self._stack.model.device.type == "cuda":
            torch.cuda.empty_cache()


def parted(rows: list[Live], room: int) -> Iterator[list[Live]]:
    """The rows in parts, each of which takes at most so many padded tokens of the cache, or is one row."""
    part: list[Live] = []
    longest = most = 0
    for row in rows:
        longer, more = max(longest, len(row.prompt) + len(row.ids)), max(most, row.left)
        if part and (len(part) + 1) * (longer + more) > room:
            yield part
            part, longer, more = [], len(row.prompt) + len(row.ids), row.left
        part.append(row)
        longest, most = longer, more
    if part:
        yield part


def _tell(moved: list[Live], visits: list[Visit]) -> None:
    ids = {id(row) for row in moved}
    for visit in visits:
        own = [row for row in visit.rows if id(row) in ids]
        if own:
            visit.moved.put(own)
        if not visit.open:
            visit.moved.put(None)
