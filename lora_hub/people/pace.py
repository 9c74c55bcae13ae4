"""How many requests a person made in the last minute, and how many are running."""

import threading
import time
from collections import deque
from collections.abc import Callable

MINUTE = 60.0


class Pace:
    """The times of a person's requests in the last minute. Thread-safe. a_minute, at_once: how many there may be, where
    it is not what the organization says and what everybody may; 0: it is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, a_minute: int = 0, at_once: int = 0) -> None:
        self.a_minute, self.at_once = a_minute, at_once
        self._clock, self._times, self._lock = clock, deque(), threading.Lock()
        self._going = 0

    def take(self, most: int) -> float:
        """Counts a request and returns 0 if fewer than `most` were made in the last minute; else returns the seconds
        until the next one is allowed."""
        with self._lock:
            now = self._clock()
            while self._times and now - self._times[0] >= MINUTE:
                self._times.popleft()
            if len(self._times) >= most:
                return max(0.001, MINUTE - (now - self._times[len(self._times) - most]))
            self._times.append(now)
            return 0.0

    def begin(self, most: int) -> bool:
        """Starts one more request if fewer than `most` are running, and returns whether it did."""
        with self._lock:
            begins = self._going < most
            self._going += begins
            return begins

    def end(self) -> None:
        """A request that began has ended."""
        with self._lock:
            self._going -= 1
