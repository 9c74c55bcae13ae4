"""How many requests somebody made in the last minute, and how many are worked on."""

import threading
import time
from collections import deque
from collections.abc import Callable

MINUTE = 60.0


class Pace:
    """The times of a person's requests, as long as they count. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._times, self._lock = clock, deque(), threading.Lock()
        self._going = 0

    def take(self, most: int) -> float:
        """Counts a request where fewer than `most` were made in the last minute, and returns 0; else the seconds until
        the next one is answered."""
        with self._lock:
            now = self._clock()
            while self._times and now - self._times[0] >= MINUTE:
                self._times.popleft()
            if len(self._times) >= most:
                return max(0.001, MINUTE - (now - self._times[len(self._times) - most]))
            self._times.append(now)
            return 0.0

    def begin(self, most: int) -> bool:
        """Whether one more is worked on beside the others, of which there are fewer than `most`."""
        with self._lock:
            begins = self._going < most
            self._going += begins
            return begins

    def end(self) -> None:
        """One that began has ended."""
        with self._lock:
            self._going -= 1
