"""A file of JSON lines that only grows, such as events.jsonl. Each look reads what was added since the last one.

lines = GrowingFile(path)
lines.look(forget, take)     take(event, number) for each new line; forget() first if it is another file than before
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_hub.core.events import read_line

# How many of the last bytes read must still be there; otherwise it is a different file.
TAIL_BYTES = 64
# A file's inode, bytes and time of change; None: there is no file.
Stamp = tuple[int, int, int] | None


class GrowingFile:
    """Not safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._forget()

    def _forget(self) -> None:
        self._stamp: Stamp = None
        self._offset, self._tail, self._lines = 0, b"", 0

    def look(self, forget: Callable[[], None], take: Callable[[dict[str, Any] | None, int], None]) -> bool:
        """Whether the file has changed. forget: called where all that was taken no longer counts. take: is given each
        new line, None for one that cannot be read, and its number from 1; empty lines are left out. Raises OSError if
        the file cannot be read."""
        stamp = stamp_of(self._path)
        if stamp == self._stamp:
            return False
        if stamp is None:
            self._forget()
            forget()
            return True
        with open(self._path, "rb") as file:
            if not self._goes_on(file, os.fstat(file.fileno())):
                self._forget()
                forget()
            file.seek(self._offset)
            for line in file:
                read = read_line(line)
                # A line without a line break is still being written, unless it is valid already.
                if read is None and not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                self._tail = (self._tail + line)[-TAIL_BYTES:]
                self._lines += 1
                if read is not None or line.strip():
                    take(read, self._lines)
        self._stamp = stamp
        return True

    def _goes_on(self, file: Any, found: os.stat_result) -> bool:
        """Whether this is the same file as before, only longer."""
        if self._stamp is None or found.st_ino != self._stamp[0] or found.st_size <= self._stamp[1]:
            return False
        file.seek(self._offset - len(self._tail))
        return file.read(len(self._tail)) == self._tail


def stamp_of(path: str) -> Stamp:
    """Detects changes of a file."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
