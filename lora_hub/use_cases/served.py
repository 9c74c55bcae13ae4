"""Whether somebody is being served: what may wait, waits until nobody is.

with SERVED.under_way(): ...        around each request that takes long
SERVED.quiet_seconds()              0 while one is under way
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Served:
    """Requests of all people in this process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._going, self._ended = 0, 0.0

    @contextmanager
    def under_way(self) -> Iterator[None]:
        with self._lock:
            self._going += 1
        try:
            yield
        finally:
            with self._lock:
                self._going -= 1
                self._ended = time.monotonic()

    @property
    def last(self) -> float:
        """When the last request ended, by `time.monotonic`; 0 where there was none."""
        with self._lock:
            return self._ended

    def quiet_seconds(self) -> float:
        """Since the last request; 0 while one is under way."""
        with self._lock:
            return 0.0 if self._going else time.monotonic() - self._ended


# Of this process: every counted use case is in it.
SERVED = Served()
