"""How tests stand, computed from their events. Nothing is written.

list_tests()              all tests, newest first
look(test_id)             one of them
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from lora_hub.compare.test_sets import folders
from lora_hub.compare.test_sets.nouns import TestSpec, TestState
from lora_hub.core import run_lock
from lora_hub.core.errors import RunError
from lora_hub.core.events import parse_lines
from lora_hub.core.messages import _, read_message
from lora_hub.core.schema import Event, Failure, RunState

# What a test does now, by the names that its process writes.
PHASES = {
    "waiting": _("waiting for another test to end"),
    "reading": _("reading the rows"),
    "answering": _("answering"),
    "judging": _("the judge compares answers"),
    "scoring": _("scoring"),
}
_LOST = Failure(
    said=_("The test's process ended without a word: it was killed, or the machine was restarted."),
    advice=_("Resume it: answers that were given are kept."),
)


def list_tests() -> list[TestState]:
    """A test that is damaged is left out; asking for it by name says what is wrong."""
    found = []
    for test_id in folders.list_ids():
        with contextlib.suppress(RunError):  # damaged, or removed since it was listed
            found.append(look(test_id))
    return found


def look(test_id: str) -> TestState:
    """Raises RunError where there is no such test, or it is damaged."""
    folder, spec = folders.folder_of(test_id), folders.read_spec(test_id)
    state = _read(folder, spec)
    if state.state.is_final or run_lock.is_held(folder):
        return state
    state = _read(folder, spec)  # it may have said its last word between our two looks
    if state.state.is_final:
        return state
    if state.cancelling:
        return state.model_copy(update={"state": RunState.CANCELLED, "ended": state.last_event})
    return state.model_copy(update={"state": RunState.LOST, "error": _LOST, "ended": state.last_event})


def _read(folder: Path, spec: TestSpec) -> TestState:
    path = folder / "events.jsonl"
    lines = path.read_bytes().splitlines() if path.is_file() else []
    return fold(spec, parse_lines(lines)).model_copy(update={"cancelling": (folder / "cancel").exists()})


def fold(spec: TestSpec, events: Iterable[Event]) -> TestState:
    """The state that a test's events tell."""
    now = {"id": spec.id, "spec": spec, "created": spec.created}
    for event in events:
        data = event.data
        now["last_event"] = event.at
        if event.kind == "state" and data.get("state") in {*RunState}:
            state = RunState(data["state"])
            if state is RunState.QUEUED:
                worked = TestState(**now).seconds
                now |= {"attempt": int(data.get("attempt", 1)), "worked": worked, "started": 0.0, "ended": 0.0}
                now |= {"error": None, "handle": {}, "eta": None}
            elif state is RunState.RUNNING:
                now["started"] = event.at
            elif state.is_final:
                now["ended"] = event.at
            now["state"] = state
        elif event.kind == "handle":
            now["handle"] = dict(data.get("handle", {}))
        elif event.kind == "progress":
            now["phase"] = str(data.get("phase", ""))[:200]
            now["eta"] = data.get("eta")
            if data.get("total"):  # a phase without answers leaves what was answered
                now |= {"done": int(data["step"]), "total": int(data["total"])}
        elif event.kind == "error":
            now["error"] = Failure(said=read_message(data, "message"), advice=read_message(data, "hint"))
    return TestState(**now)
