"""Reads a run's folder repeatedly. Each read processes only what was added since the last one.

    reader = RunReader()
    reader.read(folder)     a Run; if the folder cannot be read, its state is "damaged" and its error says why

Whoever reads more than once (the page, a waiting command) makes a reader and passes it on.
"""

import json
import threading
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lora_hub.core.errors import RunError, refused
from lora_hub.core.events import Folding
from lora_hub.core.growing_file import GrowingFile as GrowingFile
from lora_hub.core.growing_file import Stamp as Stamp
from lora_hub.core.growing_file import stamp_of as stamp_of
from lora_hub.core.messages import _, several
from lora_hub.core.schema import SPEC_VERSION, BaseModel, DatasetInfo, Failure, Run, RunState, Task, Text2, TrainSpec


class NewerSpec(RunError):
    """A spec.json written by a newer version of LoRA Hub."""


class RunReader:
    """Remembers each run it has read for as long as the run's files stay the same. Safe to use from several threads."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._busy = threading.Lock()

    def read(self, folder: Path) -> Run:
        """The run as its files describe it, without checking its process. Never raises because of the folder's
        contents."""
        with self._busy:
            known = self._known.get(folder.name)
            if known is None or known.folder != folder:
                known = self._known[folder.name] = _Known(folder)
            return known.look()

    def keep_only(self, run_ids: list[str]) -> None:
        """Forgets runs that no longer exist."""
        with self._busy:
            for run_id in set(self._known) - set(run_ids):
                del self._known[run_id]


class _Known:
    """What is known about one run: its spec, its events so far, and the state of its files at that time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._spec_file, self._events = str(folder / "spec.json"), GrowingFile(folder / "events.jsonl")
        self._spec: TrainSpec | RunError | None = None
        self._spec_stamp: Stamp = (-1, 0, 0)
        self._run: Run | None = None
        self._forget_events()

    def look(self) -> Run:
        trouble = None
        try:
            is_new = self._events.look(self._forget_events, self._take)
        except OSError as error:
            is_new, trouble = True, _unreadable(self.folder / "events.jsonl", error)
        if self._look_at_spec() or is_new or self._run is None:
            self._run = self._fold(trouble)
        return self._run

    def _fold(self, trouble: RunError | None) -> Run:
        trouble = self._spec if isinstance(self._spec, RunError) else trouble
        spec = self._spec if isinstance(self._spec, TrainSpec) else _what_is_left(self.folder)
        run = self._folding.run(self.folder.name, spec)
        if not run.created:  # nothing that was said of it can be read
            stamp = self._spec_stamp or stamp_of(str(self.folder))
            run = run.model_copy(update={"created": stamp[2] / 1e9 if stamp else 0.0})
        if trouble is None:
            return run
        error = Failure(said=trouble.said, advice=trouble.advice)
        is_newer = isinstance(trouble, NewerSpec)
        return run.model_copy(
            update={
                "state": RunState.DAMAGED,
                "is_newer": is_newer,
                "error": error,
                "waits": None,
                "phase": "",
                "eta": None,
            }
        )

    def _look_at_spec(self) -> bool:
        stamp = stamp_of(self._spec_file)
        if stamp == self._spec_stamp:
            return False
        self._spec_stamp = stamp
        try:
            self._spec = read_spec(self.folder)
        except RunError as error:
            self._spec = error
        return True

    def _forget_events(self) -> None:
        self._folding = Folding()

    def _take(self, event: dict[str, Any] | None, line: int) -> None:
        if event is None:
            self._folding.skip(line)
        else:
            self._folding.add(event)


def read_spec(folder: Path) -> TrainSpec:
    """A run's spec. Raises a RunError that says what is wrong with its file."""
    path = folder / "spec.json"
    restart = _("Start the run again from its data; what it has trained already stays in its folder.")
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise RunError(_("The run {run_id} has no spec.json."), restart, run_id=folder.name) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if not text.strip(b"\x00 \r\n\t"):
        raise RunError(
            _("The spec.json of the run {run_id} is empty: its write was cut off, or the disk was full."),
            restart,
            run_id=folder.name,
        )
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunError(
            _("The spec.json of the run {run_id} is damaged: it is cut off or no JSON."), restart, run_id=folder.name
        ) from error
    try:
        return TrainSpec.model_validate(data)
    except ValidationError as error:
        raise _not_valid(folder, data, error.errors()) from error


def _not_valid(folder: Path, data: Any, errors: list[dict]) -> RunError:
    """Why a spec.json that is valid JSON is not a valid spec: a newer version wrote it, or a value is wrong."""
    version = data.get("version", SPEC_VERSION) if isinstance(data, dict) else None
    strangers = [".".join(map(str, one["loc"])) for one in errors if one["type"] == "extra_forbidden"]
    is_newer = _number(version) > SPEC_VERSION
    # Nobody writes a spec by hand, so an unknown field comes from a newer version, whatever else changed with it.
    if is_newer or strangers:
        update = _("Update LoRA Hub to see and resume it.")
        if is_newer:
            return NewerSpec(
                _(
                    "The run {run_id} was written by a newer version of LoRA Hub (version {version} of its form; this "
                    "one reads {known})."
                ),
                update,
                run_id=folder.name,
                version=str(version),
                known=str(SPEC_VERSION),
            )
        return NewerSpec(
            _(
                "The run {run_id} was written by a newer version of LoRA Hub (it has {fields}, which this one does "
                "not know)."
            ),
            update,
            run_id=folder.name,
            fields=several(strangers, most=5),
        )
    return RunError(
        _("The spec.json of the run {run_id} is damaged: {where}: {why}."),
        _("Put the file right, or start the run again from its data."),
        run_id=folder.name,
        where=".".join(map(str, errors[0]["loc"])) or _("all of it"),
        why=refused(errors[0]),
    )


def _number(version: Any) -> float:
    """A version number from a file: 2, 2.1, "2"; 0 if it is not a number."""
    try:
        return float(version)
    except (TypeError, ValueError):
        return 0.0


def _unreadable(path: Path, error: OSError) -> RunError:
    return RunError(
        _("{path} cannot be read: {reason}."),
        _("Give this user the right to read it."),
        path=path,
        reason=error.strerror or error,
    )


def _what_is_left(folder: Path) -> TrainSpec:
    """A spec to show in place of one that cannot be read, with as much of task, base and name as is known. It is never
    used for training."""
    try:
        data = json.loads((folder / "spec.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        data = {}
    data = data if isinstance(data, dict) else {}
    task = _part(Task, data.get("task"), id="unknown", title=Text2(en=folder.name), instruction=Text2(en=""))
    base = _part(BaseModel, data.get("base"), id="?")
    dataset = _part(DatasetInfo, data.get("dataset"), fingerprint="", name="", rows=0, columns=(), format="")
    name = data.get("name")
    return TrainSpec(task=task, base=base, dataset=dataset, mapping={}, name=name if isinstance(name, str) else "")


def _part(kind: Any, data: Any, **otherwise: Any) -> Any:
    known = {key: value for key, value in data.items() if key in kind.model_fields} if isinstance(data, dict) else {}
    try:
        return kind(**{**otherwise, **known})
    except ValueError:
        return kind(**otherwise)
