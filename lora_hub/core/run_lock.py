"""A run's folder has one owner at a time: the lock on the file `lock` in it, which dies with the process that holds it.

Whoever starts or resumes a run takes the lock, writes what there is to write, and hands it to the worker as an open
file (flock belongs to the open file, not to the process), so that there is no moment in between at which another could
take it.
"""

import os
from pathlib import Path

from lora_hub.core import file_lock

NAME = "lock"
# Onlookers hold it for microseconds to see whether it is held; whoever wants it waits for them.
PROBE_SECONDS = 1.0


class RunLock:
    """A lock that is held. It is given back by `close`, and by the end of the last process that has it."""

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
    """The lock of a run's folder; None where somebody else still holds it after `patience` seconds. Raises OSError
    where the folder cannot be written."""
    descriptor = file_lock.take(folder / NAME, seconds=patience)
    return None if descriptor is None else RunLock(descriptor)


def adopt(descriptor: int) -> RunLock:
    """The lock that this process was started with. Processes that it starts itself do not get it."""
    os.set_inheritable(descriptor, False)
    return RunLock(descriptor)


def is_held(folder: Path) -> bool:
    """Whether a process owns the run. Writes nothing."""
    return file_lock.is_held(folder / NAME)
