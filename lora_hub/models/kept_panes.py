"""The panes that programs asked last, so that what is asked again is asked without the Hub.

panes = Panes()
panes.get(("lora-hub/spam", "v2"), fetch)            fetch() is called at the first question alone
with panes.using(pane): ...                          its files stay
"""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from lora_hub.compare import Pane
from lora_hub.core.recent import Recent

# Panes that are kept, a few kilobytes each, and folders of which is known when they were asked for.
MOST_PANES, MOST_FOLDERS = 512, 4096

_Key = tuple[str, str]


class Panes:
    """By any two words: the repo and the version that was asked for, say. Thread-safe: what several ask for the first
    time is fetched once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        # With when they were fetched and when asked for.
        self._known: Recent[_Key, tuple[Pane, float, float]] = Recent(MOST_PANES)
        self._fetching: dict[_Key, threading.Lock] = {}
        self._users: Counter[Path] = Counter()
        self._last: Recent[Path, float] = Recent(MOST_FOLDERS)  # when a folder was asked for

    def get(self, key: _Key, fetch: Callable[[], Pane], seconds: float = float("inf")) -> Pane:
        """The pane of a key, fetched where it is not known or is older than so many seconds."""
        found = self._fresh(key, seconds)
        if found is not None:
            return found
        with self._lock:
            fetching = self._fetching.setdefault(key, threading.Lock())
        try:
            with fetching:
                found = self._fresh(key, seconds)
                if found is None:
                    found = fetch()
                    self.put(key, found)
                    self._fresh(key, seconds)
                return found
        finally:
            with self._lock:
                self._fetching.pop(key, None)

    def put(self, key: _Key, pane: Pane) -> None:
        """The pane that a key stands for from now on."""
        with self._lock:
            now = self._clock()
            _before, _fetched, asked = self._known.get(key, (pane, now, now))
            self._known[key] = (pane, now, asked)

    def drop(self, key: _Key) -> None:
        """The next question fetches it."""
        with self._lock:
            self._known.pop(key, None)

    def asked_within(self, seconds: float) -> dict[_Key, Pane]:
        """The panes that somebody asked for in so many seconds."""
        with self._lock:
            now = self._clock()
            return {key: pane for key, (pane, _fetched, asked) in self._known.items() if now - asked <= seconds}

    @contextlib.contextmanager
    def using(self, pane: Pane) -> Iterator[None]:
        """Within the block its folder is in use."""
        with self._lock:
            self._users.update([pane.folder] if pane.folder is not None else [])
        try:
            yield
        finally:
            with self._lock:
                if pane.folder is not None:
                    self._users[pane.folder] -= 1
                    self._users += Counter()  # without those that nobody uses

    def last_use(self) -> dict[Path, float]:
        """How many seconds ago each folder was asked for; 0 for those in use."""
        with self._lock:
            now = self._clock()
            return {folder: now - when for folder, when in self._last.items()} | dict.fromkeys(self._users, 0.0)

    def _fresh(self, key: _Key, seconds: float) -> Pane | None:
        with self._lock:
            now = self._clock()
            pane, fetched, _asked = self._known.get(key, (None, 0.0, 0.0))
            if pane is None or now - fetched > seconds:
                return None
            if pane.folder is not None:
                if not pane.folder.is_dir():  # removed from the cache meanwhile
                    return None
                self._last[pane.folder] = now
            self._known[key] = (pane, fetched, now)
            return pane
