"""The rows of a test: from a file, read as a training file is, or the rows that a run held out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.compare.test_sets.nouns import MOST_COLUMNS, TestRow
from lora_hub.core.errors import DataError, SpecError
from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Mend, Problem, Task
from lora_hub.data.prompts.prepare import Example
from lora_hub.runs import read_held_out

# Characters of a cell that are kept beside a row: what rows are grouped by is short.
MOST_CELL = 100


@dataclass(frozen=True)
class ReadRows:
    """columns: what else the file says of each row, by its number. problems: what makes scores less meaningful."""

    examples: list[Example]
    columns: dict[int, dict[str, str]]
    problems: list[Problem]


def read_file(
    file: Path, task: Task, mapping: Mapping[str, str] | None, mends: Sequence[Mend], *, max_rows: int = 0
) -> ReadRows:
    """The rows of a stored file for a task. mends: what the adapter's training file was mended by. Raises SpecError
    (a mapping of roles that the task does not have), DataError: also where no label of the file is one that the task
    knows, because every score would be 0."""
    from lora_hub.data.checks import checks
    from lora_hub.data.columns import columns
    from lora_hub.data.inspector import inspect_file
    from lora_hub.data.mending.mends import for_test
    from lora_hub.data.prompts import prepare

    _check_count(max_rows)
    try:
        columns.check_roles(task, dict(mapping or {}))
    except DataError as error:  # the request is wrong, not the data
        raise SpecError(error.said, error.advice) from error
    seen = inspect_file(file, task, dict(mapping or {}), mends=for_test(tuple(mends)), is_test=True)
    columns.check_mapping(seen.table, task, seen.mapping)
    examples = prepare.build_examples(seen.table, task, seen.mapping)
    problems = [problem for problem in seen.table.problems if problem.code == "test-part"]
    if unused := seen.table.frame.height - len({example.row for example in examples}):
        problems.append(_left_out(unused, seen.table.frame.height))
    examples = examples[:max_rows] if max_rows else examples
    problems += [
        found.problem for found in checks.find_unseen(task, seen.table, seen.mapping, seen.table, seen.mapping)
    ]
    if wrong := next((problem for problem in problems if problem.severity == "error"), None):
        raise DataError(wrong.said, wrong.advice)
    return ReadRows(examples, _other_columns(seen, {example.row for example in examples}), problems)


def _check_count(max_rows: int) -> None:
    if max_rows < 0:
        raise SpecError(
            _("A test of {count} rows cannot be made.", count=max_rows), _("Give how many rows, or 0 for all of them.")
        )


def _left_out(count: int, rows: int) -> Problem:
    said = _n(
        "{count:,} of {rows:,} rows has no right answer or lacks an input, and nobody is asked it.",
        "{count:,} of {rows:,} rows have no right answer or lack an input, and nobody is asked them.",
        count=count,
        rows=rows,
    )
    return Problem(code="left-out", severity="warning", said=said)


def _other_columns(seen: Any, rows: set[int]) -> dict[int, dict[str, str]]:
    """The columns that the task does not read: rows may be grouped by them."""
    others = [name for name in seen.table.frame.columns if name not in seen.mapping.values() and name != "row"]
    if not others:
        return {}
    frame = seen.table.frame.select(others[:MOST_COLUMNS])
    found = {}
    for number, cells in zip(seen.table.numbers().to_list(), frame.iter_rows(named=True), strict=True):
        if number in rows:
            found[number] = {
                name: str(cell)[:MOST_CELL]
                for name, cell in cells.items()
                if isinstance(cell, str | int | float | bool) and str(cell).strip()
            }
    return found


def read_held_out_rows(run_id: str, *, max_rows: int = 0) -> ReadRows:
    """The rows that a run held out and scored. Raises RunError, SpecError, DataError where there are none."""
    _check_count(max_rows)
    found = read_held_out(run_id)
    rows = found.rows[:max_rows] if max_rows else found.rows
    if not rows:
        raise DataError(
            _("The run {run_id} has no held-out rows here."), _("Choose a file instead."), run_id=run_id[:160]
        )
    examples = [Example(row.row, row.inputs, row.reference) for row in rows]
    problem = Problem(code="held-out", severity="warning", said=found.missing) if found.missing else None
    return ReadRows(examples, {}, [problem] if problem else [])


def to_rows(task: Task, read: ReadRows) -> list[TestRow]:
    from lora_hub.data.prompts import template

    return [
        TestRow(
            row=one.row,
            inputs=one.inputs,
            prompt=one.inputs["messages"][-1]["content"] if task.is_chat else template.render_prompt(task, one.inputs),
            reference=one.answer,
            columns=read.columns.get(one.row, {}),
        )
        for one in read.examples
    ]


def to_examples(rows: Sequence[TestRow]) -> list[Example]:
    return [Example(row.row, row.inputs, row.reference) for row in rows]
