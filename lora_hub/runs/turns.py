"""The line of runs that want to train on this machine: first come, first served, LORA_HUB_SLOTS at once.

A ticket is a numbered file. It stays locked while its worker lives, waiting or training, or while the app waits in its
place (waiting.py). It is a worker's turn when fewer than LORA_HUB_SLOTS living tickets stand before its own. A killed
worker's ticket is no longer locked and counts as gone, so nothing blocks the line for good.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from lora_hub.core import file_lock, settings
from lora_hub.core.schema import Wait

POLL_SECONDS = 0.25
DOOR = "door"  # while it is locked, nobody else reads or joins the line


class Cancelled(Exception):
    """A person ended the run."""


class Ticket:
    """A place in the line, from `take` until `give_back`. It belongs to the open file: the app that waits in a worker's
    place hands the file over, and the worker keeps that place."""

    def __init__(self, number: int, descriptor: int) -> None:
        self.number, self.descriptor = number, descriptor

    @staticmethod
    def take(run_ids: list[str]) -> "Ticket":
        """Takes the next number. Raises OSError if the runs folder is not writable."""
        folder = _line()
        folder.mkdir(parents=True, exist_ok=True)
        with file_lock.alone(folder / DOOR):
            number = max(_numbers(folder), default=0) + 1
            descriptor = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            file_lock.try_lock(descriptor)  # nobody else knows it yet
            os.write(descriptor, json.dumps(run_ids).encode())
        return Ticket(number, descriptor)

    @staticmethod
    def adopt(words: str) -> "Ticket":
        """The ticket that this process was started with, as `__str__` writes it."""
        number, _, descriptor = words.partition(":")
        os.set_inheritable(int(descriptor), False)
        return Ticket(int(number), int(descriptor))

    def __str__(self) -> str:
        return f"{self.number}:{self.descriptor}"

    def give_back(self) -> None:
        (_line() / str(self.number)).unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leaves the ticket to the process that it was handed to."""
        os.close(self.descriptor)

    def wait(self) -> Wait | None:
        """Its place in the line now; None if its turn has come."""
        before, slots = self._before(), settings.slots()
        if len(before) < slots:
            return None
        return Wait(place=len(before) - slots + 1, before=tuple(run_id for of in before for run_id in of), slots=slots)

    def _before(self) -> list[list[str]]:
        """The runs of each living ticket before this one."""
        found, folder = [], _line()
        with file_lock.alone(folder / DOOR):
            for number in _numbers(folder):
                if number < self.number:
                    runs = _living(folder / str(number))
                    if runs is not None:
                        found.append(runs)
        return found


class take_turn:
    """Waits until this machine has room for the runs of one process, which then keep their turn until the block ends.
    Raises Cancelled. tell: called with the place in the line whenever it changes. ticket: one already taken for these
    runs."""

    def __init__(
        self,
        run_ids: list[str],
        cancelled: Callable[[], bool],
        tell: Callable[[Wait], None] = lambda wait: None,
        ticket: Ticket | None = None,
    ) -> None:
        self.run_ids, self.cancelled, self.tell, self.ticket = run_ids, cancelled, tell, ticket

    def __enter__(self) -> "take_turn":
        self.ticket = self.ticket or Ticket.take(self.run_ids)
        try:
            told = None
            while (wait := self.ticket.wait()) is not None:
                if wait != told:
                    self.tell(wait)
                    told = wait
                if self.cancelled():
                    raise Cancelled
                time.sleep(POLL_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.ticket.give_back()


def count_at_work() -> int:
    """How many processes have their turn now."""
    folder = _line()
    if not folder.is_dir():
        return 0
    with file_lock.alone(folder / DOOR):
        living = sum(_living(folder / str(number)) is not None for number in _numbers(folder))
    return min(settings.slots(), living)


def _line() -> Path:
    return settings.runs_dir() / ".line"


def _numbers(folder: Path) -> list[int]:
    return sorted(int(name) for name in os.listdir(folder) if name.isdigit())


def _living(ticket: Path) -> list[str] | None:
    """The runs of a ticket; None if its worker is gone, and then the ticket is removed."""
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
