"""The events of a run, one JSON line each, and the Run computed from them.

`events.jsonl` is append-only. Several processes write to it (the app, the worker, a worker that resumes). Each line is
one `write` in append mode under a lock of the file, so lines never mix, and each writer counts its own `seq`. A `Run`
is computed from the lines and never stored.

| kind | data |
|---|---|
| submitted | owner, runner, visibility, most_seconds (of an attempt) |
| shared | visibility |
| renamed | name (that a person gave; "": none any more) |
| tagged | tags (all of them, in place of those before) |
| state | state; with "queued": attempt (1, and one more for each resume) |
| handle | handle (how the runner finds the process again) |
| hired | fields of `Hired` that are new; or ended (a job) and seconds (that it took) |
| progress | phase, step, total, eta (seconds); while it waits for its turn: place, before (runs), slots |
| metric | step, loss or eval_loss; beside a loss: lr, grad_norm (before clipping), tokens_second, memory (bytes) |
| exam | a note; or file_rows, train_rows, validation_rows, eval_rows, left_out, metrics, comparison, mode |
| error | message, hint |
| sweep | candidates (lr, r, alpha); or a number with step and eval_loss, dropped or failed; or chosen |
| adapter | folder, best_step, stopped (why before its last step), or an AdapterRef under `published` |

metrics: {base, adapter}. note, message and hint are messages (messages.py); older versions wrote texts, with their
Persian beside them (`messages.read_message`).

An attempt begins with "queued" and its number, written by the process that holds the run's lock, before the worker
starts. The first end that the attempt's own worker reports is final; later reports by anybody else change nothing.
"""

import fcntl
import json
import math
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import orjson

from lora_hub.core.curve import Curve
from lora_hub.core.disk import FULL
from lora_hub.core.messages import Message, read_message
from lora_hub.core.schema import (
    AdapterRef,
    Event,
    EventKind,
    Failure,
    Hired,
    PairedComparison,
    PartScore,
    Run,
    RunState,
    Score,
    TrainSpec,
    Visibility,
    Wait,
)
from lora_hub.core.sweep_nouns import with_told
from lora_hub.core.unread import not_understood, unread_lines

KINDS, VISIBILITIES = get_args(EventKind), get_args(Visibility)
# The kinds of event that a run may still write on a full disk: the worker's reserved space is released for them.
LAST_WORDS = ("error", "state")
# What a training tells beside its losses.
MEASURES = ("lr", "grad_norm", "tokens_second", "memory")
# What a person may call a run, in characters, and how many tags it may have.
MOST_NAME, MOST_TAG, MOST_TAGS = 100, 40, 12


class EventLog:
    """Appends one writer's events to a file. `source` names the writer and must be unique to it.

    reserve: a file that is deleted for space if the disk is too full for the run's last events.
    """

    def __init__(self, path: Path, source: str, reserve: Path | None = None) -> None:
        self.path = path
        self.source = source
        self.reserve = reserve
        self._seq = 0

    def append(self, kind: EventKind, **data: Any) -> Event:
        """Writes one event. Raises OSError if it cannot be written; the file is then unchanged."""
        event = Event(source=self.source, seq=self._seq, at=time.time(), kind=kind, data=data)
        line = (to_line(event) + "\n").encode()
        try:
            append_line(self.path, line)
        except OSError as error:
            if error.errno not in FULL or kind not in LAST_WORDS or self.reserve is None:
                raise
            self.reserve.unlink(missing_ok=True)
            append_line(self.path, line)
        self._seq += 1
        return event


def append_line(path: Path, line: bytes) -> None:
    """Appends a complete line or nothing. If a crash cut off the line before, that line is closed first, so that only
    it is lost."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # closing the descriptor releases it
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        try:
            written = 0
            while written < len(line):
                written += os.write(descriptor, line[written:])
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def app_log(path: Path) -> EventLog:
    """The event log of this process as the app or the command line."""
    return EventLog(path, f"app-{os.getpid()}-{time.time_ns()}")


def to_line(event: Event) -> str:
    return json.dumps(event.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))


def read_line(line: str | bytes) -> dict[str, Any] | None:
    """One line as it was written; None for an empty line and for one that a crash cut off, which was never
    acknowledged."""
    if isinstance(line, str):
        line = line.encode(errors="surrogatepass")
    line = line.strip(b"\x00 \r\n")
    if not line:
        return None
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            read = json.loads(line)  # accepts NaN, which is not JSON
        except (ValueError, RecursionError):
            return None
    return read if isinstance(read, dict) else None


def parse_lines(lines: Iterable[str | bytes]) -> list[Event]:
    """The events on the lines that this version knows. For a `Run`, `Folding` also counts the unknown ones."""
    events = []
    for line in lines:
        read = read_line(line)
        if read is None:
            continue
        try:
            events.append(Event.model_validate(read))
        except ValueError:
            continue
    return events


class Folding:
    """Computes a run from its events. Add them one at a time in the file's order, which is the order in which things
    happened; their times are only for display."""

    def __init__(self) -> None:
        self._now: dict[str, Any] = {}
        self._train, self._eval = Curve(), Curve()
        self._measures = {name: Curve() for name in MEASURES}
        self._notes: dict[str, Message] = {}  # by their English text
        self._logs: dict[str, None] = {}
        self._attempt = 1
        self._worker = ""  # the source of this attempt's worker, after its first event
        self._gone: set[str] = set()  # workers of earlier attempts
        self._told_by_worker = False
        self._not_understood = 0
        self._unread: list[int] = []
        self._end_unread = False

    def skip(self, line: int) -> None:
        """Counts a line of the file (from 1) that cannot be read."""
        self._unread.append(line)
        self._end_unread = True

    def add(self, event: Mapping[str, Any]) -> None:
        """Applies an event. An event of a kind or form unknown to this version is counted, and the rest goes on."""
        self._end_unread = False
        try:
            kind, data, at = event["kind"], event.get("data") or {}, float(event["at"])
            if kind not in KINDS:
                raise ValueError(kind)
            getattr(self, f"_add_{kind}")(data, at, str(event.get("source", "")))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            self._not_understood += 1
            return
        self._now["last_event"] = at

    @property
    def steps(self) -> tuple[int, int]:
        """(step, of how many)."""
        return self._now.get("step", 0), self._now.get("total_steps", 0)

    def run(self, run_id: str, spec: TrainSpec) -> Run:
        notes = dict(self._notes)
        if self._not_understood:
            said = not_understood(self._not_understood)
            notes[said.en] = said
        if self._unread:
            said = unread_lines(self._unread)
            notes[said.en] = said
        return Run(
            **self._now,
            id=run_id,
            spec=spec,
            attempt=self._attempt,
            end_unread=self._end_unread,
            train_losses=self._train.pairs(),
            eval_losses=self._eval.pairs(),
            measures={name: pairs for name, curve in self._measures.items() if (pairs := curve.pairs())},
            notes=tuple(notes.values()),
            logs=tuple(self._logs),
        )

    # --- one kind each; nothing is changed before all of an event has been read
    # -------------------------------------------

    def _add_submitted(self, data: Mapping[str, Any], at: float, source: str) -> None:
        self._now |= {
            "created": at,
            "owner": str(data.get("owner", "local")),
            "runner": str(data.get("runner", "local")),
            "most_seconds": float(data.get("most_seconds", 0)),
        }
        if "visibility" in data:
            self._add_shared(data, at, source)

    def _add_shared(self, data: Mapping[str, Any], at: float, source: str) -> None:
        if data["visibility"] not in VISIBILITIES:
            raise ValueError(data["visibility"])
        self._now["visibility"] = data["visibility"]

    def _add_renamed(self, data: Mapping[str, Any], at: float, source: str) -> None:
        self._now["name"] = str(data["name"])[:MOST_NAME]

    def _add_tagged(self, data: Mapping[str, Any], at: float, source: str) -> None:
        self._now["tags"] = tuple(str(tag)[:MOST_TAG] for tag in list(data["tags"])[:MOST_TAGS])

    def _add_handle(self, data: Mapping[str, Any], at: float, source: str) -> None:
        handle = dict(data["handle"])
        self._now["handle"] = handle
        # Runs of a group write to the log of the first; a run resumed alone has its own log from then on.
        self._logs[str((handle.get("group") or [""])[0])] = None

    def _add_hired(self, data: Mapping[str, Any], at: float, source: str) -> None:
        before = self._now["hired"].model_dump() if "hired" in self._now else {"jobs": {}}
        jobs = before["jobs"] | ({str(data["ended"]): float(data["seconds"])} if "ended" in data else {})
        told = {key: data[key] for key in Hired.model_fields if key in data}
        self._now["hired"] = Hired.model_validate({**before, **told, "jobs": jobs})

    def _add_state(self, data: Mapping[str, Any], at: float, source: str) -> None:
        state = RunState(data["state"])
        if "handle" in data:  # written by versions before the kind "handle"
            self._add_handle(data, at, source)
        if state is RunState.QUEUED:
            attempt = int(data.get("attempt", 1))
            if attempt > self._attempt:
                self._begin_attempt(attempt)
            self._now.setdefault("state", state)
            return
        by_worker = source.startswith("worker-")
        if by_worker and not self._is_current(source):
            return
        current = self._now.get("state", RunState.QUEUED)
        # Only the worker's own report may replace what another process concluded ("lost").
        if current.is_final and (self._told_by_worker or not by_worker):
            return
        self._now |= {"state": state, "waits": None}
        self._told_by_worker = by_worker
        if state.is_final:
            self._now |= {"ended": at, "eta": None, "phase": ""}
        elif state is RunState.RUNNING and not self._now.get("started"):
            self._now["started"] = at

    def _is_current(self, source: str) -> bool:
        """Whether this worker belongs to the current attempt. A second worker without a "queued" event before it
        resumed the run in a version that did not number attempts."""
        if source in self._gone:
            return False
        if self._worker and source != self._worker:
            self._begin_attempt(self._attempt + 1)
        self._worker = source
        return True

    def _begin_attempt(self, number: int) -> None:
        started, last = self._now.get("started", 0.0), self._now.get("ended") or self._now.get("last_event", 0.0)
        worked = self._now.get("worked", 0.0) + (max(0.0, last - started) if started else 0.0)
        self._gone.add(self._worker)
        self._attempt, self._worker, self._told_by_worker = number, "", False
        self._now |= {
            "state": RunState.QUEUED,
            "error": None,
            "started": 0.0,
            "ended": 0.0,
            "eta": None,
            "phase": "",
            "waits": None,
        }
        self._now |= {"worked": worked, "stopped": ""}

    def _add_progress(self, data: Mapping[str, Any], at: float, source: str) -> None:
        eta = data.get("eta")
        waits = (
            Wait(place=data["place"], before=tuple(data.get("before", ())), slots=data.get("slots", 1))
            if "place" in data
            else None
        )
        told = {
            "phase": str(data.get("phase", "")),
            "step": int(data.get("step", 0)),
            "total_steps": int(data.get("total", 0)),
        }
        self._now |= {**told, "eta": None if eta is None else float(eta), "waits": waits}

    def _add_metric(self, data: Mapping[str, Any], at: float, source: str) -> None:
        step = int(data["step"])
        losses = {key: float(data[key]) for key in ("loss", "eval_loss") if key in data}
        measures = {name: float(data[name]) for name in MEASURES if data.get(name) is not None and "loss" in losses}
        if "loss" in losses:
            self._train.add(step, losses["loss"])
        for name, value in measures.items():
            if math.isfinite(value):
                self._measures[name].add(step, value)
        if "eval_loss" in losses:
            self._eval.add(step, losses["eval_loss"])
        # Not every step is reported: a later step means that the earlier ones happened.
        if losses:
            self._now["step"] = max(step, self._now.get("step", 0))

    def _add_sweep(self, data: Mapping[str, Any], at: float, source: str) -> None:
        self._now["sweep"] = with_told(self._now.get("sweep"), data)

    def _add_exam(self, data: Mapping[str, Any], at: float, source: str) -> None:
        counts: dict[str, Any] = {
            key: int(data[key])
            for key in ("file_rows", "train_rows", "validation_rows", "eval_rows", "left_out")
            if key in data
        }
        if "mode" in data:
            counts["mode"] = str(data["mode"])
        if "metrics" in data:
            counts["metrics"] = {
                who: {name: Score(**score) for name, score in scores.items()} for who, scores in data["metrics"].items()
            }
        if "parts" in data:
            counts["parts"] = tuple(PartScore.model_validate(one) for one in data["parts"])
        for key in ("comparison", "parent_comparison", "general"):
            if data.get(key):
                counts[key] = PairedComparison(**data[key])
        self._now |= counts
        if data.get("note"):
            said = read_message(data, "note")
            self._notes[said.en] = said

    def _add_error(self, data: Mapping[str, Any], at: float, source: str) -> None:
        if source not in self._gone:
            self._now["error"] = Failure(said=read_message(data, "message"), advice=read_message(data, "hint"))

    def _add_adapter(self, data: Mapping[str, Any], at: float, source: str) -> None:
        told: dict[str, Any] = {}
        if "folder" in data:
            told = {
                "adapter_folder": str(data["folder"]),
                "best_step": int(data.get("best_step", 0)),
                "stopped": str(data.get("stopped", "")),
            }
        if "published" in data:
            told |= {"adapter": AdapterRef(**data["published"]), "error": None}
        self._now |= told
