"""A multi-task pipeline as it is written: a YAML file, or the same as a dict.

    base: built-in            # one base for all
    org: my-org               # where --publish publishes to
    effort: balanced
    tasks:
      - task: spam            # id of the catalogue, a YAML file of one's own, or what would stand in it
        data: spam.csv        # beside this file; or a dataset id on the Hub; several: [a.csv, b.csv:0.5], with weights,
                              # or {file: b.csv, weight: 0.5, map: {text: v2}, delimiter: ";"} with ways of its own
        map: {text: v2, answer: v1}
        test: spam_test.csv
        name: spam-adapter
        set: {epochs: 2}
        mend: [duplicates]
        encoding: cp1252      # and delimiter, sheet, skip_broken: how the file is read, where the guess is wrong
        min: {accuracy: 90}   # below it the adapter is not published
        from: lora-hub/spam@v1  # go on from this adapter, or from a run's
        private: true         # only the organization's members see what is published

read_pipeline(Path("pipeline.yaml"))      make_pipeline({"tasks": [...]}, folder)
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lora_hub.catalogue import bases
from lora_hub.core import bounded_yaml
from lora_hub.core.errors import DataError, SpecError
from lora_hub.core.messages import Message, _, several
from lora_hub.core.schema import MOST_PARTS, BaseModel, Task
from lora_hub.evaluation.minimum import parse_minimum

KEYS = {"base", "org", "effort", "tasks"}
READING_KEYS = ("encoding", "delimiter", "sheet", "skip_broken")
FILE_KEYS = {"file", "weight", "map", *READING_KEYS}
TASK_KEYS = {"task", "data", "from", "map", "test", "name", "set", "mend", "min", "private", *READING_KEYS}


@dataclass(frozen=True)
class Entry:
    """One task of a pipeline. own: a task that stands in the pipeline's file; None: `task` names it. data: a path, or a
    dataset id. files: several of them, which are one dataset. begin: the adapter that it goes on
    from, whose task it then is."""

    task: str
    data: str
    files: tuple["NamedFile", ...] = ()
    map: dict[str, str] = field(default_factory=dict)
    test: Path | None = None
    begin: str = ""
    name: str = ""
    set: dict[str, str] = field(default_factory=dict)
    mend: tuple[str, ...] = ()
    private: bool = False
    minimum: dict[str, float] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)
    own: Task | None = None


@dataclass(frozen=True)
class NamedFile:
    """One of several files, by a path or a dataset id; else as `data.combining.OneFile`."""

    name: str
    weight: float = 1.0
    map: dict[str, str] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pipeline:
    base: BaseModel
    entries: tuple[Entry, ...]
    org: str = ""
    effort: str = "balanced"


def read_pipeline(file: Path) -> Pipeline:
    """Reads a pipeline's file. Raises SpecError naming the entry and the key that is wrong."""
    file = Path(file)
    try:
        data = bounded_yaml.load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(
            _("The pipeline {path!r} cannot be read: {reason}."), _("Check the path."), path=file, reason=error.strerror
        ) from error
    except bounded_yaml.DoubledKey as error:
        raise SpecError(
            _("The pipeline {name} has the key {key!r} twice; the second one is in line {line}."),
            _("Remove one of the two."),
            name=file.name,
            key=error.problem,
            line=error.problem_mark.line + 1,
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(
            _("The pipeline {name} is not YAML: {reason}."),
            _("See the README for one."),
            name=file.name,
            reason=" ".join(str(error).split()),
        ) from error
    return make_pipeline(data, file.parent)


def make_pipeline(data: Any, folder: Path = Path()) -> Pipeline:
    """The pipeline of a dict; paths are taken from `folder`. Raises SpecError."""
    _check_keys(data, KEYS, _("The pipeline"))
    entries = data.get("tasks")
    if not isinstance(entries, list) or not entries:
        raise SpecError(_("The pipeline has no tasks."), _("Give tasks: a list of {{task, data}}."))
    made = tuple(
        _make_entry(entry, _("Task {number} of the pipeline", number=number), folder)
        for number, entry in enumerate(entries, 1)
    )
    return Pipeline(
        bases.get_base(_text(data, "base") or bases.BUILT_IN),
        made,
        _text(data, "org"),
        _text(data, "effort") or "balanced",
    )


def _make_entry(data: Any, where: Message, folder: Path) -> Entry:
    from lora_hub.catalogue.tasks import catalogue
    from lora_hub.data.columns import columns

    _check_keys(data, TASK_KEYS, where)
    for key in ("task", "data"):
        if not _text(data, key) and not (key == "task" and _text(data, "from")):
            raise SpecError(
                _("{where} has no {key}."), _("Each task needs at least task and data."), where=where, key=key
            )
    mapping = data.get("map") or {}
    if isinstance(mapping, str):
        try:
            mapping = columns.parse_map(mapping)
        except DataError as error:
            raise SpecError(
                _("{where}: {key} = {value} is not a mapping."),
                _("See the README for an example."),
                where=where,
                key="map",
                value=repr(mapping)[:60],
            ) from error
    settings = data.get("set") or {}
    mends = data.get("mend") or []
    least = data.get("min") or {}
    for key, value, kind in (
        ("map", mapping, dict),
        ("set", settings, dict),
        ("mend", mends, list),
        ("min", least, dict),
    ):
        if not isinstance(value, kind):
            said = (
                _("{where}: {key} = {value} is not a list.")
                if kind is list
                else _("{where}: {key} = {value} is not a mapping.")
            )
            raise SpecError(said, _("See the README for an example."), where=where, key=key, value=repr(value))
    private = data.get("private", False)
    if not isinstance(private, bool):
        raise SpecError(
            _("{where}: {key} = {value} is neither true nor false."),
            _("See the README for an example."),
            where=where,
            key="private",
            value=repr(private),
        )
    files = _files(data["data"], where, folder) if isinstance(data["data"], list) else ()
    here = folder / _text(data, "data")
    test = folder / _text(data, "test") if _text(data, "test") else None
    own = catalogue.task_from_dict(data["task"]) if isinstance(data.get("task"), dict) else None
    named = own.id if own else _text(data, "task")
    file = folder / named
    return Entry(
        task=str(file) if own is None and file.suffix in (".yaml", ".yml") else named or _text(data, "from"),
        own=own,
        begin=_text(data, "from"),
        data="" if files else str(here) if os.path.exists(here) else _text(data, "data"),
        files=files,
        map={str(role): str(column) for role, column in mapping.items()},
        test=test,
        name=_text(data, "name"),
        set={str(key): str(value) for key, value in settings.items()},
        mend=tuple(map(_mend, mends)),
        private=private,
        minimum=parse_minimum([f"{metric}={value}" for metric, value in least.items()]),
        reading=_reading(data),
    )


def _reading(data: dict[str, Any]) -> dict[str, Any]:
    return {
        key: data[key] is True if key == "skip_broken" else _text(data, key) for key in READING_KEYS if data.get(key)
    }


def _files(files: list[Any], where: Message, folder: Path) -> tuple[NamedFile, ...]:
    """Several files; paths are taken from `folder`. Raises SpecError."""
    from lora_hub.data.combining import read_weight, split_weight

    def path(name: str) -> str:
        return str(folder / name) if os.path.exists(folder / name) else name

    found = []
    for one in files[: MOST_PARTS + 1]:
        if isinstance(one, dict):
            _check_keys(one, FILE_KEYS, where)
            mapping, example = one.get("map") or {}, _("See the README for an example.")
            if not _text(one, "file"):
                raise SpecError(_("{where} has no {key}."), example, where=where, key="file")
            if not isinstance(mapping, dict):
                said = _("{where}: {key} = {value} is not a mapping.")
                raise SpecError(said, example, where=where, key="map", value=repr(mapping)[:60])
            mapping = {str(role): str(column) for role, column in mapping.items()}
            weight = read_weight(_text(one, "weight") or "1")
            found.append(NamedFile(path(_text(one, "file")), weight, mapping, _reading(one)))
        elif os.path.exists(folder / str(one)):
            found.append(NamedFile(str(folder / str(one))))
        else:
            file, weight = split_weight(str(one))
            found.append(NamedFile(path(file), weight))
    return tuple(found)


def _mend(value: Any) -> str:
    """A mend as the shell takes it: words, or a mapping {kind, values} as its JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _check_keys(data: Any, known: set[str], where: Message) -> None:
    its_keys = _("Its keys are: {keys}.", keys=several(sorted(known)))
    if not isinstance(data, dict):
        raise SpecError(_("{where} is not a mapping: {value}."), its_keys, where=where, value=repr(data)[:60])
    unknown = sorted(map(str, set(data) - known))
    if unknown:
        raise SpecError(_("{where} has the unknown key {key!r}."), its_keys, where=where, key=unknown[0])


def _text(data: dict, key: str) -> str:
    value = data.get(key)
    return "" if value is None else str(value)
