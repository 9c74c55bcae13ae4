"""Several files of one task as one dataset: each is read and mapped by itself, and their rows stand one below the
other, in columns called by the roles.

    combined = combine_files(read_table, [OneFile(file), OneFile(other, 0.5)], task)
    combined.text               JSON Lines: what is kept as the dataset's file
    combined.parts              which rows are of which file

So duplicates, label names and all the rest are found across the files, as in one. A part that a file brings to be
scored stays that: then each row says in `split` which part it is of.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lora_hub.core.errors import DataError, SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import MOST_PARTS, MOST_WEIGHT, DataPart, Task
from lora_hub.data.inspection import complete_mapping
from lora_hub.data.tables.table import Table

SPLIT, TRAIN, TEST = "split", "train", "test"


@dataclass(frozen=True)
class Combined:
    """name, text: of the file that is kept. parts: the files, with their weights and mappings."""

    name: str
    text: str
    parts: tuple[DataPart, ...]


@dataclass(frozen=True)
class OneFile:
    """One of the files. weight: as of `DataPart`. mapping: the roles whose column was chosen for it; "" for none.
    reading: as `read_table` takes it."""

    file: Path
    weight: float = 1.0
    mapping: dict[str, str] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)


def combine_files(
    read: Callable[..., Table],
    files: Sequence[OneFile],
    task: Task,
    mapping: dict[str, str] | None = None,
    **reading: Any,
) -> Combined:
    """One dataset of stored files. mapping: the roles whose column a person chose, in the files that have it. reading:
    of all those that say nothing else. Raises DataError, with the file's name, where one of them cannot be read or does
    not fit the task."""
    if len(files) > MOST_PARTS:
        raise DataError(
            _("{count} files are too many for one dataset.", count=len(files)),
            _("Put them into {most} files at most.", most=MOST_PARTS),
        )
    tables = [(one, read(one.file, **{**reading, **one.reading})) for one in files]
    has_test = any(table.test is not None for _one, table in tables)
    lines: list[str] = []
    parts = []
    for one, table in tables:
        own = _map(one, table, task, mapping or {})
        before = len(lines)
        table = table.fitted(own)
        for part, name in ((table, TRAIN), (table.test, TEST)):
            if part is None:
                continue
            columns = {role: _values(part, column, task) for role, column in own.items()}
            for values in zip(*columns.values(), strict=True):
                row = dict(zip(columns, values, strict=True)) | ({SPLIT: name} if has_test else {})
                lines.append(json.dumps(row, ensure_ascii=False, default=str))
        rows = len(lines) - before
        parts.append(
            DataPart(
                name=one.file.name,
                fingerprint=one.file.parent.name,
                rows=rows,
                weight=one.weight,
                mapping=own,
                encoding=table.encoding,
                delimiter=table.delimiter,
                sheet=table.sheet if len(table.sheets) > 1 else "",
                skip_broken=bool({**reading, **one.reading}.get("skip_broken")),
            )
        )
    name = f"{'_'.join(one.file.stem for one in files)[:60]}.jsonl"
    return Combined(name, "".join(f"{line}\n" for line in lines), tuple(parts))


def roles_of(parts: Sequence[DataPart]) -> dict[str, str]:
    """The mapping of what files were put together to: its columns are called by the roles."""
    return {role: role for role in parts[0].mapping}


def _map(one: OneFile, table: Table, task: Task, chosen: dict[str, str]) -> dict[str, str]:
    """Which column of a file is what. Raises DataError where a role has none."""
    try:
        for_all = {role: column for role, column in chosen.items() if column in table.columns}
        mapping, _reasons = complete_mapping(table, task, {**for_all, **one.mapping})
        missing = [role for role in _needed(task) if role not in mapping]
        if missing:
            raise DataError(
                _("no column was found for {role}", role=missing[0]),
                _("Name the column as in the other files, or choose it with --map."),
            )
    except DataError as error:
        said = _("{name} does not go with the others: {reason}", name=one.file.name, reason=error.said)
        raise DataError(said, error.advice) from error
    return mapping


def _needed(task: Task) -> list[str]:
    roles = task.inputs if task.is_chat else (*task.inputs, "answer")
    return [role for role in roles if role not in task.optional_inputs]


def _values(table: Table, column: str, task: Task) -> list:
    """A column's values: messages and tools as they are nested, all else as text."""
    if task.is_chat or table.is_nested(column):
        return table.frame.get_column(column).to_list()
    return table.texts(column).to_list()


def read_weight(text: str) -> float:
    """A weight as a person writes it. Raises SpecError for what is none."""
    try:
        weight = float(text)
    except ValueError:
        weight = 0.0
    if not 0 < weight <= MOST_WEIGHT:
        raise SpecError(
            _("{weight!r} is no weight of a file."),
            _(
                "Give a number above 0, at most {most:g}: 2 for each row twice, 0.5 for half of the rows.",
                most=MOST_WEIGHT,
            ),
            weight=text[:40],
            most=MOST_WEIGHT,
        )
    return weight


def split_weight(name: str) -> tuple[str, float]:
    """(file, weight) of `FILE:WEIGHT`, where no file has that very name. Raises SpecError as `read_weight`."""
    file, colon, weight = name.rpartition(":")
    if not colon or not file or Path(name).exists() or not re.fullmatch(r"[-+.\deE]+", weight, re.ASCII):
        return name, 1.0
    return file, read_weight(weight)
