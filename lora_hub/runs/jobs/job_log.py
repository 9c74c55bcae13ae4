"""What a job says, as it says it: read in a thread, through lost connections, each line once.

    log = JobLog(job, payer, {run_id: spec}, {run_id: 17})     this run's events up to 17 were heard before
    log.next(0.5)      (run, `Event`), a text of the log, a LoraHubError, ENDED, or None where nothing came in time

A Hub tells a job's output from its first line whenever it is asked. The job numbers the events of each run; the lines
between them are counted from the last event.
"""

import queue
import re
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from lora_hub import hub
from lora_hub.core.errors import HubUnreachableError, LoraHubError
from lora_hub.core.schema import Event, TrainSpec
from lora_hub.runs.jobs import job_wire

ENDED = "the job has ended"  # compared by identity
AGAIN_SECONDS = 3.0
# Bounds of what one job may tell, in characters: events of all its runs, a line of its log, and its log. And a run's
# notes, which all stand on its page.
MOST_EVENTS, MOST_LINE, MOST_LOG = 100_000_000, 2_000, 20_000_000
MOST_NOTES = 200
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_AGAIN = object()


class Text(str):
    """A line of the job's log."""


class JobLog:
    def __init__(
        self, job_id: str, payer: str, specs: Mapping[str, TrainSpec], heard: Mapping[str, int] | None = None
    ) -> None:
        """specs: the runs that are listened to; what others say is left out. heard: the number of the last event that
        was heard of each; none: nothing was."""
        self.job_id, self.payer, self.specs = job_id, payer, specs
        self._before = {run_id: number for run_id, number in (heard or {}).items() if number >= 0}
        self._heard = {**self._before}
        self._since = 0  # lines of the log that were passed on since the last event
        # Runs whose last event that was heard has not come again; and lines after the last of all.
        self._waited_for, self._to_skip = {*self._heard}, 0
        self._events = self._characters = 0
        self._notes: Counter[str] = Counter()
        self._lines: queue.Queue[Any] = queue.Queue(maxsize=10_000)
        self._closed = threading.Event()
        threading.Thread(target=self._read, name=f"log of {job_id}", daemon=True).start()

    def close(self) -> None:
        self._closed.set()

    def next(self, seconds: float) -> tuple[str, Event] | Text | LoraHubError | str | None:
        try:
            found = self._lines.get(timeout=seconds)
        except queue.Empty:
            return None
        if found is _AGAIN:
            self._waited_for, self._to_skip = {*self._heard}, self._since
            return None
        return self._hear(found) if type(found) is str and found is not ENDED else found

    def is_old(self, run_id: str, event: Event) -> bool:
        """Whether whoever followed the job before has heard and told the event: it is passed on once more, for what is
        only remembered."""
        return event.seq <= self._before.get(run_id, -1)

    def _hear(self, line: str) -> tuple[str, Event] | Text | None:
        read = job_wire.read_line(line, self.specs)
        if read is not None:
            run_id, event = read
            last = self._heard.get(run_id, -1)
            if event.seq >= last:
                self._waited_for.discard(run_id)
            if event.seq > last:
                self._heard[run_id], self._since, self._to_skip = event.seq, 0, 0
                self._events += len(line)
                self._notes[run_id] += "note" in event.data
                return read if self._events <= MOST_EVENTS and self._notes[run_id] <= MOST_NOTES else None
            return read if self.is_old(run_id, event) else None
        if self._waited_for or line.startswith(job_wire.MARK):
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
