"""The wire between a job and whoever follows it: its runs' events, a line each, among whatever else the job prints.

    print(to_line(run_id, event), flush=True)       in the job
    read_line(line, {run_id: spec})                 here: (run, `Event`), or None for a line that is none of these runs

A job may be another's: whoever may write to the account may print lines into it. What is read is bounded, holds only
what a training tells, and moves nothing by itself; unknown lines are the job's log.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from lora_hub.core import events
from lora_hub.core.messages import Message, Names, as_message, read_message
from lora_hub.core.schema import Event, TrainSpec
from lora_hub.runs.run_history import COUNTS

MARK = "lora-hub-event "
MOST_LINE = 60_000
# What an event of each kind may tell; other kinds are not a job's to tell.
TOLD: dict[str, tuple[str, ...]] = {
    "state": ("state",),
    "progress": ("phase", "step", "total", "eta"),
    "metric": ("step", "loss", "eval_loss", *events.MEASURES),
    "exam": ("note", *COUNTS, "metrics", "comparison", "mode"),
    "error": ("message", "hint"),
    "adapter": ("best_step", "stopped"),
}
MOST_WORDS = 2_000
MOST_STEP = 10**9
# A place in a sentence that would be filled up to so many characters.
_WIDE = re.compile(r"\{[^{}]*\d{3,}[^{}]*\}")


def to_line(run_id: str, event: Event) -> str:
    return f"{MARK}{run_id} {events.to_line(event)}"


def read_line(line: str, specs: Mapping[str, TrainSpec]) -> tuple[str, Event] | None:
    """The run and its event on a line of the job's output, without what is not a job's to tell; None where there is
    none. specs: of the runs that are listened to, by id; an event has to fit its run's."""
    if not line.startswith(MARK) or len(line) > MOST_LINE:
        return None
    run_id, _space, told = line[len(MARK) :].partition(" ")
    spec = specs.get(run_id)
    if spec is None:
        return None
    read = events.read_line(told)
    try:
        event = Event.model_validate(read)
        event = event.model_copy(update={"data": _bounded(event)})
        folding = events.Folding()
        getattr(folding, f"_add_{event.kind}")(event.data, 0.0, "")
        folding.run("", spec)  # its figures are figures
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return run_id, event


def _bounded(event: Event) -> dict[str, Any]:
    """Raises ValueError for what no training tells."""
    if event.kind not in TOLD or not 0 <= event.seq <= MOST_STEP:
        raise ValueError(event.kind)
    data = {key: event.data[key] for key in TOLD[event.kind] if event.data.get(key) is not None}
    for key in ("message", "hint", "note"):
        if key in data:
            data[key] = _words(data, key).model_dump(mode="json")
    for key in ("phase", "mode", "stopped"):
        if len(str(data.get(key, ""))) > 100:
            raise ValueError(key)
    for key in ("step", "total", "best_step", *COUNTS):
        if not 0 <= int(data.get(key, 0)) <= MOST_STEP:
            raise ValueError(key)
    return data


def _words(data: dict[str, Any], key: str) -> Message:
    found = read_message(data, key)
    if any(_WIDE.search(sentence) for sentence in _sentences(found)):
        raise ValueError(key)
    said = found.en
    return found if len(said) <= MOST_WORDS else as_message(said[:MOST_WORDS])


def _sentences(message: Message) -> Iterator[str]:
    yield from (message.sentence, message.many)
    for value in message.values.values():
        for one in value.names if isinstance(value, Names) else [value]:
            if isinstance(one, Message):
                yield from _sentences(one)
