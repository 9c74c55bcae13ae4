"""How tests stand, computed from their events. Nothing is written.

list_tests(reader)        all tests, newest first
look(test_id, reader)     one of them

reader: a `TestReader`, which remembers what it has read; whoever looks again and again brings one.
"""

import contextlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lora_hub.compare.test_sets import folders
from lora_hub.compare.test_sets.nouns import TestSpec, TestState
from lora_hub.core import run_lock
from lora_hub.core.errors import RunError
from lora_hub.core.messages import _, read_message
from lora_hub.core.run_reader import GrowingFile, Stamp, stamp_of
from lora_hub.core.schema import Event, Failure, RunState

# Who may read a test besides its owner and the admins.
SHARED = ("private", "organization")
# What a test does now, by the names that its process writes.
PHASES = {
    "waiting": _("waiting for another test to end"),
    "loading": _("loading libraries and tokenizers"),
    "reading": _("reading the rows"),
    "answering": _("answering"),
    "judging": _("the judge compares answers"),
    "scoring": _("scoring"),
}
_LOST = Failure(
    said=_("The test's process ended without a word: it was killed, or the machine was restarted."),
    advice=_("Resume it: answers that were given are kept."),
)


class TestReader:
    """Remembers each test it has read and reads only what its process has told since. Safe to use from several
    threads."""

    __test__ = False  # pytest takes its name for a test's

    def __init__(self) -> None:
        self._known: dict[Path, _Known] = {}
        self._busy = threading.Lock()

    def read(self, folder: Path) -> TestState:
        """What the test's files tell, without checking its process. Raises RunError where they are damaged."""
        with self._busy:
            known = self._known.get(folder)
            if known is None:
                known = self._known[folder] = _Known(folder)
            return known.look()

    def keep_only(self, folders: list[Path]) -> None:
        """Forgets tests that no longer exist."""
        with self._busy:
            for folder in set(self._known) - set(folders):
                del self._known[folder]


class _Known:
    """What is known about one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._spec_file, self._spec_stamp = str(folder / "spec.json"), (-1, 0, 0)
        self._events = GrowingFile(folder / "events.jsonl")
        self._spec: TestSpec | None = None
        self._told = _Told()

    def look(self) -> TestState:
        stamp: Stamp = stamp_of(self._spec_file)
        if self._spec is None or stamp != self._spec_stamp:
            self._spec, self._spec_stamp = folders.read_spec(self.folder.name), stamp
        self._events.look(self._forget, self._take)
        state = TestState(id=self._spec.id, spec=self._spec, **{"created": self._spec.created, **self._told.now})
        return state.model_copy(update={"cancelling": (self.folder / "cancel").exists()})

    def _forget(self) -> None:
        self._told = _Told()

    def _take(self, event: dict[str, Any] | None, line: int) -> None:
        """A line that cannot be read, or is none of ours, tells nothing."""
        with contextlib.suppress(ValueError, TypeError):
            self._told.add(Event.model_validate(event))


class _Told:
    """What a test's events tell so far."""

    def __init__(self) -> None:
        self.now: dict[str, Any] = {}

    def add(self, event: Event) -> None:
        getattr(self, f"_add_{event.kind}", self._add_nothing)(event.data, event.at)
        self.now["last_event"] = event.at

    def _add_nothing(self, data: Mapping[str, Any], at: float) -> None:
        pass

    def _add_state(self, data: Mapping[str, Any], at: float) -> None:
        if data.get("state") not in {*RunState}:
            return
        state = RunState(data["state"])
        if state is RunState.QUEUED:
            started, ended = self.now.get("started", 0.0), self.now.get("ended", 0.0)
            worked = self.now.get("worked", 0.0) + (max(0.0, (ended or started) - started) if started else 0.0)
            self.now |= {"attempt": int(data.get("attempt", 1)), "worked": worked, "started": 0.0, "ended": 0.0}
            self.now |= {"error": None, "handle": {}, "eta": None}
        elif state is RunState.RUNNING:
            self.now["started"] = at
        elif state.is_final:
            self.now["ended"] = at
        self.now["state"] = state

    def _add_shared(self, data: Mapping[str, Any], at: float) -> None:
        if data.get("visibility") in SHARED:
            self.now["visibility"] = data["visibility"]

    def _add_handle(self, data: Mapping[str, Any], at: float) -> None:
        self.now["handle"] = dict(data.get("handle", {}))

    def _add_progress(self, data: Mapping[str, Any], at: float) -> None:
        told = {"phase": str(data.get("phase", ""))[:200], "eta": data.get("eta")}
        if data.get("total"):  # a phase without answers leaves what was answered
            told |= {"done": int(data["step"]), "total": int(data["total"])}
        self.now |= told

    def _add_error(self, data: Mapping[str, Any], at: float) -> None:
        self.now["error"] = Failure(said=read_message(data, "message"), advice=read_message(data, "hint"))


def list_tests(reader: TestReader | None = None) -> list[TestState]:
    """A test that is damaged is left out; asking for it by name says what is wrong."""
    reader, found = reader or TestReader(), []
    test_ids = folders.list_ids()
    reader.keep_only([folders.tests_dir() / test_id for test_id in test_ids])
    for test_id in test_ids:
        with contextlib.suppress(RunError, OSError):  # damaged, or removed since it was listed
            found.append(look(test_id, reader))
    return found


def look(test_id: str, reader: TestReader | None = None) -> TestState:
    """Raises RunError where there is no such test, or it is damaged."""
    reader, folder = reader or TestReader(), folders.folder_of(test_id)
    state = reader.read(folder)
    if state.state.is_final or run_lock.is_held(folder):
        return state
    state = reader.read(folder)  # it may have said its last word between our two looks
    if state.state.is_final:
        return state
    if state.cancelling:
        return state.model_copy(update={"state": RunState.CANCELLED, "ended": state.last_event})
    return state.model_copy(update={"state": RunState.LOST, "error": _LOST, "ended": state.last_event})
