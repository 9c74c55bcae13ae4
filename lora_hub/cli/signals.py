"""How a command of the shell is ended from outside: Ctrl+C, SIGTERM and SIGHUP all raise one exception, `Ended`.

A build server that stops a job sends SIGTERM. With Python's default handler, the run that was started would be left
behind, and a script waiting for the JSON would get nothing.
"""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

from lora_hub.core.messages import Message, _

INTERRUPTED = _("Interrupted.")
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Ended(KeyboardInterrupt):
    """The command was told to end. also: further JSON keys beside the error, such as the cancelled run."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number
        self.also: dict[str, Any] = {}

    @property
    def said(self) -> Message:
        if self.status == 128 + signal.SIGINT:
            return INTERRUPTED
        return _("Told to end by {signal}.", signal=signal.Signals(self.status - 128).name)


class Signals:
    """While this is open, a signal raises `Ended`; inside `held()`, at the end of that block. Works only in the main
    thread, as Python requires."""

    def __init__(self) -> None:
        self._held = False
        self._waiting = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        for number in SIGNALS:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:  # nohup and background jobs of a shell ask for it to be ignored
                self._before[number] = before
                signal.signal(number, self._hear)
        return self

    def __exit__(self, *exception: Any) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """A block that a signal must not interrupt, such as starting a run and remembering its name."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._waiting:
            raise Ended(self._waiting)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._held:
            self._waiting = number
        else:
            raise Ended(number)
