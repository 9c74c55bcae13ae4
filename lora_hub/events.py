"""Events: what happened to a run, one JSON line each, and the run that they add up to.

`events.jsonl` only grows. Several processes write to it (the app, the worker, a worker that resumes): each line is one
`write` in append mode, so lines never mix, and each writer counts its own `seq`. A `Run` is folded from the lines and
never stored.

| kind | data |
|---|---|
| submitted | owner, runner |
| state | state; handle (how the runner finds the process again) |
| progress | phase, step, total, eta (seconds) |
| metric | step, loss or eval_loss; lr |
| exam | train_rows, eval_rows, metrics {base, adapter}, comparison, mode, or a note; the same in Persian: note_fa |
| error | message, hint; the same in Persian: message_fa, hint_fa |
| adapter | folder, best_step, or an AdapterRef under `published` |
"""

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lora_hub.schema import AdapterRef, Event, EventKind, PairedComparison, Run, RunState, Score, TrainSpec


class EventLog:
    """Appends events of one writer to a file. `source` names the writer; it has to be its alone."""

    def __init__(self, path: Path, source: str) -> None:
        self.path = path
        self.source = source
        self._seq = 0

    def append(self, kind: EventKind, **data: Any) -> Event:
        event = Event(source=self.source, seq=self._seq, at=time.time(), kind=kind, data=data)
        self._seq += 1
        line = (to_line(event) + "\n").encode()
        # One write call in append mode: lines of two processes never interleave, and a torn last line is skipped.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
        return event


def app_log(path: Path) -> EventLog:
    """The log of this process, as the app or the command line."""
    return EventLog(path, f"app-{os.getpid()}-{time.time_ns()}")


def to_line(event: Event) -> str:
    return json.dumps(event.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))


def parse_lines(lines: Iterable[str]) -> list[Event]:
    """Events of the lines. A line cut off by a crash in the middle of a write is left out; it was never acknowledged."""
    events = []
    for line in lines:
        line = line.strip("\x00 \r\n")
        if not line:
            continue
        try:
            events.append(Event.model_validate_json(line))
        except ValueError:
            continue
    return events


def fold(run_id: str, spec: TrainSpec, events: Iterable[Event]) -> Run:
    """The run that these events add up to."""
    now: dict[str, Any] = {"id": run_id, "spec": spec}
    train_losses: dict[int, float] = {}
    eval_losses: dict[int, float] = {}
    notes: dict[str, str] = {}
    for event in events:
        data = event.data
        match event.kind:
            case "submitted":
                now |= {"created": event.at, "owner": data.get("owner", "local"), "runner": data.get("runner", "local")}
            case "state":
                _fold_state(now, event)
            case "progress":
                now |= {"phase": data.get("phase", ""), "step": data.get("step", 0), "total_steps": data.get("total", 0)}
                now["eta"] = data.get("eta")
            case "metric":
                if "loss" in data:
                    train_losses[data["step"]] = data["loss"]
                if "eval_loss" in data:
                    eval_losses[data["step"]] = data["eval_loss"]
            case "exam":
                now |= {key: data[key] for key in ("train_rows", "eval_rows", "mode") if key in data}
                if "metrics" in data:
                    now["metrics"] = {
                        who: {name: Score(**score) for name, score in scores.items()} for who, scores in data["metrics"].items()
                    }
                if data.get("comparison"):
                    now["comparison"] = PairedComparison(**data["comparison"])
                if data.get("note"):
                    notes[data["note"]] = data.get("note_fa", "")
            case "error":
                now["error"] = {key: data.get(key, "") for key in ("message", "hint", "message_fa", "hint_fa")}
            case "adapter":
                if "folder" in data:
                    now |= {"adapter_folder": data["folder"], "best_step": data.get("best_step", 0)}
                if "published" in data:
                    now["adapter"] = AdapterRef(**data["published"])
                    now["error"] = None
    return Run(**now, train_losses=_pairs(train_losses), eval_losses=_pairs(eval_losses), notes=tuple(notes), notes_fa=tuple(notes.values()))


def _fold_state(now: dict[str, Any], event: Event) -> None:
    state = RunState(event.data["state"])
    current = now.get("state", RunState.QUEUED)
    # "lost" is what an onlooker concludes; what the worker itself said last counts more.
    if state is RunState.LOST and current.is_final:
        return
    now["state"] = state
    if "handle" in event.data:
        now["handle"] = event.data["handle"]
    if state is RunState.QUEUED:
        now |= {"error": None, "ended": 0.0, "eta": None}
    elif state is RunState.RUNNING and not now.get("started"):
        now["started"] = event.at
    elif state.is_final:
        now |= {"ended": event.at, "eta": None, "phase": ""}


def _pairs(losses: dict[int, float]) -> tuple[tuple[int, float], ...]:
    return tuple(sorted(losses.items()))
