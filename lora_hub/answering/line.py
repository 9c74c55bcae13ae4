"""A waiting line: whoever comes first is served first, one at a time, and whoever has gone is passed over.

line = Line()
with line.turn(cancelled) as mine:      # False: cancelled before its turn came
    if mine:
        ...
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# How often those who wait look whether they have been told to stop.
POLL_SECONDS = 0.05


class Line:
    """Safe to use from any number of threads."""

    def __init__(self) -> None:
        self._waiting: deque[object] = deque()
        self._moved = threading.Condition()

    @contextmanager
    def turn(self, cancelled: Callable[[], bool] | None = None) -> Iterator[bool]:
        """Waits for one's turn, which ends with the block. Yields False where `cancelled` said so before it came."""
        ticket = object()
        with self._moved:
            self._waiting.append(ticket)
        try:
            with self._moved:
                while self._waiting[0] is not ticket and not (cancelled is not None and cancelled()):
                    self._moved.wait(POLL_SECONDS)
                mine = self._waiting[0] is ticket
            yield mine
        finally:
            with self._moved:
                self._waiting.remove(ticket)
                self._moved.notify_all()
