"""The line of those that want to train on this machine: first come, first served, as many at once as LORA_HUB_SLOTS
says.

A ticket is a numbered file that is locked as long as its worker lives, waiting and training alike. A worker's turn has
come when fewer than LORA_HUB_SLOTS living tickets stand before its own. A killed worker's ticket is no longer locked
and counts as gone, so nothing is ever left standing in the way.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from lora_hub.core import file_lock, settings
from lora_hub.core.schema import Wait

POLL_SECONDS = 0.25
DOOR = "door"  # nobody else looks at the line or steps into it while it is locked


class Cancelled(Exception):
    """A person ended the run."""


class take_turn:
    """Waits until this machine has room for the runs of one process; within, it has. Raises Cancelled.

    tell: told its place whenever that changes.
    """

    def __init__(
        self, run_ids: list[str], cancelled: Callable[[], bool], tell: Callable[[Wait], None] = lambda wait: None
    ) -> None:
        self.run_ids, self.cancelled, self.tell = run_ids, cancelled, tell
        self.folder = settings.runs_dir() / ".line"

    def __enter__(self) -> "take_turn":
        self.folder.mkdir(parents=True, exist_ok=True)
        with file_lock.alone(self.folder / DOOR):
            self.number = max(_numbers(self.folder), default=0) + 1
            self.ticket = self.folder / str(self.number)
            self.descriptor = os.open(self.ticket, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            file_lock.try_lock(self.descriptor)  # nobody else knows it yet
            os.write(self.descriptor, json.dumps(self.run_ids).encode())
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self) -> None:
        told = None
        while len(before := self._before()) >= settings.slots():
            slots = settings.slots()
            wait = Wait(
                place=len(before) - slots + 1, before=tuple(run_id for of in before for run_id in of), slots=slots
            )
            if wait != told:
                self.tell(wait)
                told = wait
            if self.cancelled():
                raise Cancelled
            time.sleep(POLL_SECONDS)

    def __exit__(self, *_: object) -> None:
        self.ticket.unlink(missing_ok=True)
        os.close(self.descriptor)

    def _before(self) -> list[list[str]]:
        """The runs of each living ticket before this one."""
        found = []
        with file_lock.alone(self.folder / DOOR):
            for number in _numbers(self.folder):
                if number < self.number:
                    runs = _living(self.folder / str(number))
                    if runs is not None:
                        found.append(runs)
        return found


def _numbers(folder: Path) -> list[int]:
    return sorted(int(name) for name in os.listdir(folder) if name.isdigit())


def _living(ticket: Path) -> list[str] | None:
    """The runs of a ticket; None where its worker is gone, and then the ticket is, too."""
    try:
        descriptor = os.open(ticket, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        if file_lock.try_lock(descriptor):
            ticket.unlink(missing_ok=True)
            return None
        read = os.pread(descriptor, 1 << 16, 0)
        return [str(one) for one in json.loads(read)] if read else []
    finally:
        os.close(descriptor)
