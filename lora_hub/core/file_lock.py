"""Kernel locks on files (flock). A lock belongs to the open file and ends with its processes, however they end.

    descriptor = take(file, seconds=1.0)       None if others hold it for longer
    is_held(file)                              writes nothing
    with alone(file): ...                      waits as long as necessary

The user of a lock defines its meaning: who owns a run (run_lock), whose turn it is (runs/turns), who serves and who
uses an embedded Hub's folder (local_hub/folder). Standard library only, because the app looks for the Hub before
anything else may be imported.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS = 0.02


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Takes the lock of an open file if it is free, and returns whether it did. shared: shared locks may coexist."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def take(file: Path, *, shared: bool = False, seconds: float = 0.0, create: bool = True) -> int | None:
    """The descriptor of the open file, which holds the lock until it is closed; None if others still hold it after
    `seconds`. create False: writes nothing, and raises FileNotFoundError if there is no such file."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT if create else os.O_RDONLY, 0o644)
    until = time.monotonic() + seconds
    try:
        while not try_lock(descriptor, shared=shared):
            if time.monotonic() >= until:
                os.close(descriptor)
                return None
            time.sleep(POLL_SECONDS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_held(file: Path) -> bool:
    """Whether somebody holds the lock exclusively right now. Writes nothing."""
    try:
        descriptor = take(file, shared=True, create=False)
    except FileNotFoundError:
        return False
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Waits for the lock and holds it for the block."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
