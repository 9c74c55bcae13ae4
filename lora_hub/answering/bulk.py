"""Any number of rows, of any adapters, through one running batch: rows that end leave it, others join at once.

A step of a small base costs nearly the same for 8 rows as for 32, and a batch of fixed rows runs until its longest
answer ends, most of its rows idle. So the batch is kept full. Rows wait in the order of their adapters, long prompts
first: then a batch is nearly always one or two adapters', whose products are large, and there is little padding.

    for ended in Bulk(batch, rows, room, reads).run():
        for row, seconds in ended: ...
"""

import time
from collections import deque
from collections.abc import Callable, Iterator

import torch

from lora_hub.answering.decoding import Batch, Live
from lora_hub.answering.prefill import prompt_too_large
from lora_hub.answering.stack import AdapterStack

# Padded tokens in the cache at once, by device, and rows: more of either is hardly faster.
_ROOM = {"cpu": 16_384, "cuda": 131_072}
_MOST_ROWS = {"cpu": 128, "cuda": 1024}
# Others join when rows are so few of those that fit: each time the whole cache is copied.
_REFILL = 0.7
# Rows that are a batch of their own: those of one adapter are multiplied by its merged weights alone, in one product.
_ENOUGH_ROWS = 64


def running_budget(stack: AdapterStack) -> int:
    """Padded tokens that a running batch may have in its cache on the stack's device."""
    return _ROOM.get(stack.model.device.type, _ROOM["cpu"])


class Bulk:
    """Rows to be answered in one running batch. room: padded tokens in its cache once every row has taken all that it
    may; reads: padded tokens of the prompts that one forward reads."""

    def __init__(self, batch: Batch, rows: list[Live], room: int, reads: int) -> None:
        self._batch, self._room, self._reads = batch, room, reads
        self._stack = batch.stack
        self._waiting = deque(sorted(rows, key=lambda row: (row.adapter.serial, -_length(row), row.row)))
        self._most = _MOST_ROWS.get(self._stack.model.device.type, _MOST_ROWS["cpu"])
        self._since: dict[int, float] = {}

    def run(self, cancelled: Callable[[], bool] | None = None) -> Iterator[list[tuple[Live, float]]]:
        """Yields rows that have ended, with the seconds since their prompts were read. `cancelled` is asked before each
        forward. Raises BaseError where a row does not even fit alone."""
        while self._waiting or self._batch.live:
            if cancelled is not None and cancelled():
                left = [*self._batch.live, *self._waiting]
                for row in left:
                    row.finish = "cancelled"
                self._waiting.clear()
                yield self._timed(left)
                return
            joining = self._next()
            try:
                moved = self._join(joining) if joining else self._batch.step()
            except torch.OutOfMemoryError as error:
                self._begin_smaller(joining, error)
                continue
            ended = [row for row in moved if row.finish]
            if ended:
                yield self._timed(ended)

    def _next(self) -> list[Live]:
        """The rows that join now: as many as fit one forward, where the batch is empty enough and can be joined."""
        if not self._waiting:
            return []
        live = self._batch.live
        if live and (not self._batch.can_grow or len(live) > _REFILL * self._most):
            return []
        joining: list[Live] = []
        longest = max((_length(row) for row in live), default=0)
        left = max((row.left for row in live), default=0)
        reads = 0
        for row in self._waiting:
            longest, left, reads = max(longest, _length(row)), max(left, row.left), max(reads, _length(row))
            rows = len(joining) + 1
            too_many = len(live) + rows > self._most or (len(live) + rows) * (longest + left) > self._room
            whole = len(live) + rows > _ENOUGH_ROWS and row.adapter is not (live or joining)[-1].adapter
            if too_many or whole or rows * reads > self._reads:
                if live or joining:
                    break
            joining.append(row)
        # A few rows are not worth the copying; what is read in several forwards comes without steps between them.
        worth = len(joining) >= (1 - _REFILL) * (len(live) + len(joining))
        return joining if worth or len(joining) * reads > self._reads / 2 else []

    def _join(self, rows: list[Live]) -> list[Live]:
        now = time.perf_counter()
        moved = self._batch.join(rows)
        for row in rows:
            self._waiting.popleft()
            self._since[row.row] = now
        return moved

    def _begin_smaller(self, joining: list[Live], error: torch.OutOfMemoryError) -> None:
        """After a forward that the memory did not hold: all open rows wait again, with the tokens that they have, for a
        batch of half the size."""
        still_open = self._batch.live
        together = [*still_open, *joining]
        if len(together) == 1:
            raise prompt_too_large(self._stack, _length(together[0])) from error
        self._batch = self._batch.anew()
        self._waiting.extendleft(reversed(still_open))
        torch.cuda.empty_cache()
        self._most = max(1, len(together) // 2)

    def _timed(self, rows: list[Live]) -> list[tuple[Live, float]]:
        now = time.perf_counter()
        return [(row, now - self._since.pop(row.row, now)) for row in rows]


def _length(row: Live) -> int:
    return len(row.prompt) + len(row.ids)
