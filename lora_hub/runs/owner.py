"""The one process that a run belongs to: it holds the run's lock, and nothing else speaks for the run.

What it says are the run's events and its log; what it hears is that a person cancels.
"""

import contextlib
import math
import os
import time
import traceback
from collections.abc import Callable
from typing import Any

from lora_hub.core import processes, run_lock, store
from lora_hub.core.crash import explain_crash
from lora_hub.core.errors import AccessError, LoraHubError
from lora_hub.core.events import EventLog, Folding
from lora_hub.core.messages import Message, _, _n
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import Event, EventKind, Run, RunState, TrainSpec, Wait
from lora_hub.people import limits
from lora_hub.runs.looking import list_runs
from lora_hub.runs.tracking import Tracker
from lora_hub.runs.turns import Cancelled

# A page looks every two seconds; what is told more often only makes the run's file longer.
TELL_SECONDS = 0.5
# What all runs of a day have taken is counted so often.
COUNT_SECONDS = 30.0


class Owner:
    """A run's owner. `cancelled` turns true on SIGTERM, or where this run of several was cancelled, and is asked at
    every step.

    lock: the run's, where it was handed over; else it is taken here. Raises RunError where another process has it.
    """

    def __init__(self, run_id: str, lock: run_lock.RunLock | None = None) -> None:
        self.run_id = run_id
        self.folder = store.run_folder(run_id)
        self.lock = lock or store.own_run(run_id)
        self.spec: TrainSpec = store.read_spec(run_id)
        # Nobody but the owner tells what becomes of the run, so its file is read once.
        self.folding = Folding()
        for event in store.read_events(run_id):
            self.folding.add(event.model_dump())
        self.log = EventLog(
            self.folder / "events.jsonl", f"worker-{os.getpid()}-{time.time_ns()}", self.folder / store.RESERVE
        )
        self._cancelled = False
        self._until = 0.0  # when it has trained as long as it may in an attempt; 0: it may as long as it takes
        self._counted, self._spent = 0.0, None  # when its owner's minutes were counted last, and that none are left
        self._reader = RunReader()
        self._told = 0.0
        self._has_waited = False
        self._tracker = Tracker(run_id, self.spec)

    @property
    def now(self) -> Run:
        """The run as it stands."""
        return self.folding.run(self.run_id, self.spec)

    def report(self, kind: EventKind, **data: Any) -> Event:
        """Tells an event."""
        event = self.log.append(kind, **data)
        self.folding.add(event.model_dump())
        self._tracker.tell(kind, data)
        if data.get("state") is RunState.RUNNING and (most := self.now.most_seconds):
            self._until = time.monotonic() + most
            self._counted = -math.inf
        return event

    def cancel(self, *_: Any) -> None:
        """Ends the run at its next step. Also the handler of a signal."""
        self._cancelled = True

    def cancelled(self) -> bool:
        return self._cancelled or self.is_overdue or store.is_cancel_asked(self.run_id)

    @property
    def is_overdue(self) -> bool:
        """Whether it has trained as long as it may. What is trained by then is scored and published."""
        if not self._until or self.is_trained:
            return False
        return time.monotonic() > self._until or not self._has_minutes()

    def _has_minutes(self) -> bool:
        """Whether its owner may train on today: each of their runs was let in when there were minutes left, and
        together they may have used them by now."""
        if time.monotonic() - self._counted >= COUNT_SECONDS:
            self._counted = time.monotonic()
            try:
                limits.check_minutes(self.now.owner, list_runs(self._reader), time.time())
            except AccessError as error:
                self._spent = error
            except LoraHubError as error:  # what is allowed cannot be read at this moment: nobody loses a run by that
                write_log(f"minutes cannot be counted: {error}")
        return self._spent is None

    def check_cancelled(self) -> None:
        if self.cancelled():
            raise Cancelled

    def phase(self, name: str) -> None:
        """Says what is being done now, in events and in the log."""
        self.check_cancelled()
        self.say(name)

    def say(self, name: str) -> None:
        write_log(name)
        step, total = self.folding.steps
        self.report("progress", phase=name, step=step, total=total, eta=None)

    def part(self, name: str, done: int, total: int) -> None:
        """Says how far the phase is, not more often than somebody looks."""
        if time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            step, steps = self.folding.steps
            self.report("progress", phase=f"{name} ({done} of {total})", step=step, total=steps, eta=None)

    def wait(self, place: Wait) -> None:
        """Says which place in the line the run has: to the log once, since what is read there is how it came to be."""
        if not self._has_waited:
            write_log(f"place {place.place} in the queue, behind {', '.join(place.before)}")
        self._has_waited = True
        step, total = self.folding.steps
        self.report(
            "progress", phase="waiting for its turn", step=step, total=total, eta=None, **place.model_dump(mode="json")
        )

    def note(self, said: Message) -> None:
        """Says something about the run that stays on its page."""
        self.report("exam", note=said)

    def begin(self) -> None:
        """What a process does first: it says who it is where its starter could not, and keeps room for its last
        words."""
        run = self.now
        write_log(f"run {self.run_id}" + (f", attempt {run.attempt}" if run.attempt > 1 else ""))
        identity = processes.identify(os.getpid())
        if {**run.handle, **identity} != run.handle:
            self.report("handle", handle=identity)
        store.keep_reserve(self.run_id)

    def end(self) -> None:
        """What a process does last with a run: from here on it may be resumed, and belongs to whoever does."""
        if not self.lock.is_open:
            return
        self._tracker.end()
        if self._tracker.trouble:
            write_log(f"trackio was not told: {self._tracker.trouble}")
        if self.now.state is RunState.SUCCEEDED:  # nothing is left to resume, and they are most of its disk space
            store.remove_checkpoints(self.run_id)
        (self.folder / store.RESERVE).unlink(missing_ok=True)
        self.lock.close()

    def told(self, work: Callable[[], Any]) -> bool:
        """Does a part of the work; whether it went well. How it ended otherwise is said in the events."""
        try:
            work()
            return True
        except Cancelled:
            if self.is_overdue and not store.is_cancel_asked(self.run_id) and not self._cancelled:
                self._end_overdue()
                return False
            write_log("cancelled")
            self.report("state", state=RunState.CANCELLED)
        except BaseException as error:
            write_log(
                f"error: {error}" if isinstance(error, LoraHubError) else "".join(traceback.format_exception(error))
            )
            self.fail(explain_crash(error))
        return False

    def _end_overdue(self) -> None:
        if self._spent is not None:
            write_log(f"ended: {self._spent}")
            self.fail(self._spent)
            return
        hours = self.now.most_seconds / 3600
        write_log(f"ended after {hours:.2f} hours, as long as it may take here")
        self.fail(
            LoraHubError(
                _n(
                    "The run has trained for one hour, as long as a run may here.",
                    "The run has trained for {count:.2g} hours, as long as a run may here.",
                ),
                _("Resume it: it goes on from its last checkpoint. Or choose less effort."),
                count=hours,
            )
        )

    def fail(self, error: LoraHubError) -> None:
        # What was published or trained before the failure stays in the events: publishing can be tried again.
        self.report("error", message=error.said, hint=error.advice)
        self.report("state", state=RunState.SUCCEEDED if self.is_trained else RunState.FAILED)

    @property
    def is_trained(self) -> bool:
        """Trained and scored already; only the publishing is left to do."""
        return bool(self.now.adapter_folder)


def write_log(text: str) -> None:
    """Writes to the run's log, which this process's output is. A log on a full disk is no reason to end a run: what
    matters is in its events."""
    with contextlib.suppress(OSError):
        print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)
