"""What a job says, as it says it: read in a thread, through lost connections, each line once.

    log = JobLog(job, payer, spec, heard=17)     events up to 17 were heard before
    log.next(0.5)      an `Event`, a text of the job's log, a LoraHubError, ENDED, or None where nothing came in time

A Hub tells a job's output from its first line whenever it is asked. Events are numbered by the job; the lines between
them are counted from the last event.
"""

import queue
import re
import threading
from typing import Any

from lora_hub import hub
from lora_hub.core.errors import HubUnreachableError, LoraHubError
from lora_hub.core.schema import Event, TrainSpec
from lora_hub.runs.jobs import job_wire

ENDED = "the job has ended"  # compared by identity
AGAIN_SECONDS = 3.0
# Bounds of what one job may tell, in characters: events all together, a line of its log, and its log. And notes, which
# all stand on the run's page.
MOST_EVENTS, MOST_LINE, MOST_LOG = 100_000_000, 2_000, 20_000_000
MOST_NOTES = 200
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_AGAIN = object()


class Text(str):
    """A line of the job's log."""


class JobLog:
    def __init__(self, job_id: str, payer: str, spec: TrainSpec, heard: int = -1) -> None:
        """heard: the number of the last event that was heard of this job; -1: none."""
        self.job_id, self.payer, self.spec, self.heard = job_id, payer, spec, heard
        self._before = heard  # events that were heard by whoever followed the job before
        self._since = 0  # lines of the log that were passed on since the last event
        self._skips, self._to_skip = heard >= 0, 0
        self._events = self._notes = self._characters = 0
        self._lines: queue.Queue[Any] = queue.Queue(maxsize=10_000)
        self._closed = threading.Event()
        threading.Thread(target=self._read, name=f"log of {job_id}", daemon=True).start()

    def close(self) -> None:
        self._closed.set()

    def next(self, seconds: float) -> Event | Text | LoraHubError | str | None:
        try:
            found = self._lines.get(timeout=seconds)
        except queue.Empty:
            return None
        if found is _AGAIN:
            self._skips, self._to_skip = self.heard >= 0, self._since
            return None
        return self._hear(found) if type(found) is str and found is not ENDED else found

    def is_old(self, event: Event) -> bool:
        """Whether whoever followed the job before has heard and told the event: it is passed on once more, for what is
        only remembered."""
        return event.seq <= self._before

    def _hear(self, line: str) -> Event | Text | None:
        event = job_wire.read_line(line, self.spec)
        if event is not None:
            if event.seq >= self.heard:
                self._skips = False
            if event.seq > self.heard:
                self.heard, self._since, self._to_skip = event.seq, 0, 0
                self._events += len(line)
                self._notes += "note" in event.data
                return event if self._events <= MOST_EVENTS and self._notes <= MOST_NOTES else None
            return event if self.is_old(event) else None
        if self._skips:
            return None
        if self._to_skip:
            self._to_skip -= 1
            return None
        self._since += 1
        text = _UNPRINTABLE.sub("", line)[:MOST_LINE]
        self._characters += len(text)
        return Text(text) if self._characters <= MOST_LOG else None

    def _read(self) -> None:
        while not self._closed.is_set():
            try:
                self._put(_AGAIN)
                for line in hub.read_job_lines(self.job_id, self.payer):
                    self._put(str(line))
                    if self._closed.is_set():
                        return
                self._put(ENDED)
                return
            except HubUnreachableError as error:
                self._put(error)
                self._closed.wait(AGAIN_SECONDS)
            except Exception as error:  # it is raised where the job is followed
                self._put(error)
                return

    def _put(self, item: Any) -> None:
        while not self._closed.is_set():
            try:
                self._lines.put(item, timeout=1.0)
                return
            except queue.Full:
                continue
