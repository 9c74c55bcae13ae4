"""The input of a check, and how a check declares when it runs.

CHECKS = (Check(40, "filled", lambda rows: check_answers(rows.filled, rows.task)),)     in a module named check_*
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import polars

from lora_hub.core.schema import Task
from lora_hub.data.tables.findings import Finding
from lora_hub.data.tables.table import Table


class Rows:
    """A table with a task. `mapping`: the roles whose column exists."""

    def __init__(self, table: Table, task: Task, mapping: dict[str, str]) -> None:
        self.table, self.task = table, task
        self.mapping = {role: column for role, column in mapping.items() if column in table.columns}

    @cached_property
    def frame(self) -> polars.DataFrame:
        """`row` (its number in the file) and the stripped text of each mapped role."""
        return rows_of(self.table, self.task, self.mapping)

    @cached_property
    def filled(self) -> polars.DataFrame:
        """The rows of `frame` that can be trained on."""
        return filled_rows(self.frame, self.task)

    @cached_property
    def texts(self) -> list[str]:
        """The roles that hold texts: inputs, and answers that are not labels."""
        roles = (*self.task.inputs, *(["answer"] if self.task.output == "text" else []))
        return [role for role in roles if role in self.frame.columns]


@dataclass(frozen=True)
class Check:
    """place: the order among equally severe findings; lower comes first. of: what must exist for the check to run:

    all       any column that has a role
    chats     conversations
    rows      rows that are no conversations
    filled    of these, some that can be trained on
    texts     a text in some role
    """

    place: int
    of: Literal["all", "chats", "rows", "filled", "texts"]
    look: Callable[[Rows], list[Finding]]

    def asks_of(self, rows: Rows) -> bool:
        if self.of == "chats":
            return rows.task.is_chat and "messages" in rows.mapping
        if self.of == "texts":
            return bool(rows.texts)
        if self.of in ("rows", "filled"):
            return not rows.task.is_chat and (self.of == "rows" or rows.filled.height > 0)
        return True


def rows_of(table: Table, task: Task, mapping: dict[str, str]) -> polars.DataFrame:
    """`row` (its number in the file) and the stripped text of every mapped role; a missing value becomes an empty
    text."""
    return polars.DataFrame(
        [table.numbers().alias("row")]
        + [_stripped(table.texts(column)).alias(role) for role, column in mapping.items()]
    )


def _stripped(texts: polars.Series) -> polars.Series:
    """Returns the texts themselves if there is nothing to strip, to avoid a second copy in memory."""
    texts = texts.fill_null("") if texts.null_count() else texts
    stripped = texts.str.strip_chars()
    return texts if stripped.str.len_bytes().sum() == texts.str.len_bytes().sum() else stripped


def empty(role: str) -> polars.Expr:
    return polars.col(role) == ""


def inputs_of(frame: polars.DataFrame, task: Task) -> list[str]:
    return [role for role in task.inputs if role in frame.columns]


def required_of(frame: polars.DataFrame, task: Task) -> list[str]:
    return [role for role in inputs_of(frame, task) if role not in task.optional_inputs]


def filled_rows(frame: polars.DataFrame, task: Task) -> polars.DataFrame:
    """Rows that can be trained on: no required text is empty."""
    roles = [*required_of(frame, task), *(["answer"] if "answer" in frame.columns else [])]
    if not roles:
        return frame
    filled = frame.select(~polars.any_horizontal([empty(role) for role in roles])).to_series()
    return frame if filled.all() else frame.filter(filled)


def key_of(roles: list[str]) -> polars.Expr:
    """A 64-bit key of the texts of these roles: a million rows collide with a chance of 3e-8."""
    key = polars.col(roles[0]).fill_null("").hash(seed=0)
    for number, role in enumerate(roles[1:], 1):
        key = key ^ polars.col(role).fill_null("").hash(seed=number)
    return key
