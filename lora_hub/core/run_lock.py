"""A run's folder has one owner at a time: the process that holds the lock on its file `lock`. The lock dies with that
process.

The process that starts or resumes a run takes the lock, writes the run's files, and passes the lock to the worker as an
open file. flock belongs to the open file, not to the process, so no other process can take the lock in between.
"""

import os
from pathlib import Path

from lora_hub.core import file_lock

NAME = "lock"
# Held, shared, by whoever publishes the run by hand, which changes nothing that the run's owner does.
PUBLISHING = "publishing.lock"
# A process that checks the lock holds it for microseconds; a process that wants it waits for that.
PROBE_SECONDS = 1.0
# A worker that has said its last word gives its lock back within these seconds.
ENDING_SECONDS = 10.0


class RunLock:
    """A held lock. `close` releases it, and so does the end of the last process that has it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @property
    def is_open(self) -> bool:
        return self.descriptor >= 0

    def close(self) -> None:
        if self.is_open:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> "RunLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def take(folder: Path, patience: float = PROBE_SECONDS) -> RunLock | None:
    """The lock of a run's folder; None if somebody else still holds it after `patience` seconds. Raises OSError if the
    folder cannot be written."""
    descriptor = file_lock.take(folder / NAME, seconds=patience)
    return None if descriptor is None else RunLock(descriptor)


def take_for_publishing(folder: Path) -> RunLock | None:
    """Keeps a run's folder from being deleted while its adapter is published; None if it is being deleted."""
    descriptor = file_lock.take(folder / PUBLISHING, shared=True, seconds=PROBE_SECONDS)
    return None if descriptor is None else RunLock(descriptor)


def take_from_publishers(folder: Path) -> RunLock | None:
    """Nobody publishes the run while this is held; None if somebody does at this moment."""
    descriptor = file_lock.take(folder / PUBLISHING)
    return None if descriptor is None else RunLock(descriptor)


def adopt(descriptor: int) -> RunLock:
    """The lock that this process was started with. Its own child processes do not inherit it."""
    os.set_inheritable(descriptor, False)
    return RunLock(descriptor)


def is_held(folder: Path) -> bool:
    """Whether a process owns the run. Writes nothing."""
    return file_lock.is_held(folder / NAME)
