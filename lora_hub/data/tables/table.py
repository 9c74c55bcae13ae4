"""A table read from a file: every reader returns one, and everything after it works on it.

`Table.frame` holds text: every scalar column is a polars String column, exactly as in the file ("007" stays "007").
Nested values (chat messages, lists) are kept: as polars lists and structs if all rows agree, else as a polars Object
column of Python lists and dicts. A missing value is null; an empty cell of a CSV is "".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars

from lora_hub.core.messages import NOTHING, Message
from lora_hub.core.schema import Problem
from lora_hub.data.tables.value_text import value_text

SHOWN_ROWS = 10


@dataclass(frozen=True)
class Question:
    """One of several questions that annotators answered. rows: numbers of the rows without a label, which are useless
    if this is the answer; problems: what to report then."""

    rows: set[int]
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class SplitColumn:
    """A column that assigns rows to parts. `scored`: its value for the test part ("test", "validation"; "": it has
    none). `aside`: numbers of the rows in neither part, by its value for them."""

    name: str = ""
    scored: str = ""
    aside: dict[str, list[int]] = field(default_factory=dict)

    @property
    def rows_aside(self) -> int:
        return sum(map(len, self.aside.values()))


@dataclass(frozen=True)
class Marks:
    """Columns of 0 and 1 that each mark a label, and the column `label` that was made from them. `unmarked`: numbers of
    the rows that none of them marks."""

    label: str = ""
    columns: tuple[str, ...] = ()
    unmarked: tuple[int, ...] = ()


@dataclass
class Table:
    """`format`: csv, tsv, text, json, jsonl, parquet, arrow, xlsx, xls, ods or html. `encoding` and `delimiter` are
    empty if the format has none. `test`: the test part of an archive or a workbook that holds a train and a test part.
    `sheets`: the sheets or archive members to choose from; `sheet`: the one that was read. `row_numbers`: the file's
    data row (from 1) for each row, if some are left out. `split`: the column that defined `test`. `questions`: for an
    annotation tool's export with several, by column. `marks`: the columns that its labels were made from."""

    frame: polars.DataFrame
    format: str
    encoding: str = ""
    delimiter: str = ""
    problems: list[Problem] = field(default_factory=list)
    test: "Table | None" = None
    sheet: str = ""
    sheets: list[str] = field(default_factory=list)
    row_numbers: polars.Series | None = None
    split: SplitColumn = SplitColumn()
    questions: dict[str, Question] = field(default_factory=dict)
    marks: Marks = Marks()
    _remembered: dict[str, tuple[polars.DataFrame, Any]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def columns(self) -> list[str]:
        return self.frame.columns

    def columns_test_lacks(self, mapping: dict[str, str]) -> list[str]:
        """Columns in the mapping that the test part does not have."""
        return (
            []
            if self.test is None
            else [column for column in mapping.values() if column in self.columns and column not in self.test.columns]
        )

    def fitted(self, mapping: dict[str, str]) -> "Table":
        """Without its test part if the mapping does not fit that part (a file for prediction has no labels), and
        without the rows that have no label for the question that is the answer."""
        table = replace(self, test=None) if self.columns_test_lacks(mapping) else self
        asked = self.questions.get(mapping.get("answer", ""))
        if table.test is not None:
            table = replace(table, test=table.test.fitted(mapping))
        if asked is None:
            return table
        numbers = self.numbers()
        keep = ~numbers.is_in(list(asked.rows))
        table = replace(table, problems=[*self.problems, *asked.problems], questions={})
        # If none is left, a check reports it.
        return (
            replace(table, frame=self.frame.filter(keep), row_numbers=numbers.filter(keep))
            if asked.rows and keep.any()
            else table
        )

    @property
    def rows(self) -> int:
        return self.frame.height

    def is_nested(self, column: str) -> bool:
        return is_nested(self.frame.schema[column])

    def numbers(self) -> polars.Series:
        """The data-row number (from 1, as in the file) of each row."""
        if self.row_numbers is not None:
            return self.row_numbers
        return polars.int_range(1, self.rows + 1, dtype=polars.UInt32, eager=True)

    def texts(self, column: str) -> polars.Series:
        """The column as text (`value_text`), with nested values as JSON. Null stays null."""
        if not self.is_nested(column):
            return as_text(self.frame[column])
        # JSON text is computed once for all comparisons
        return self.remember(f"texts of {column}", lambda: as_text(self.frame[column]))

    def remember(self, fact: str, make: Callable[[], Any]) -> Any:
        """A fact about the unchanged frame, computed once for all callers."""
        frame, known = self._remembered.get(fact, (None, None))
        if frame is not self.frame:
            known = make()
            self._remembered[fact] = (self.frame, known)
        return known


def is_nested(dtype: polars.DataType) -> bool:
    return dtype.is_nested() or dtype == polars.Object


def as_text(series: polars.Series) -> polars.Series:
    """String series of any column, each value in its standard text form."""
    if series.dtype == polars.String:
        return series
    if is_nested(series.dtype):
        return polars.Series(series.name, [value_text(value) for value in series.to_list()], dtype=polars.String)
    return series.cast(polars.String, strict=False)


def scalars_to_text(frame: polars.DataFrame) -> polars.DataFrame:
    """The frame with every scalar column as String. Whole-number floats lose their ".0": labels 0/1 that a missing
    value once turned into 0.0/1.0 are labels 0/1. Booleans are "true" and "false", as in JSON."""
    columns = []
    for series in frame.get_columns():
        if series.dtype == polars.String or is_nested(series.dtype):
            columns.append(series)
            continue
        if series.dtype.is_float():
            series = series.set(~series.is_finite(), None)
            whole = series.drop_nulls()
            if whole.len() and bool(((whole == whole.floor()) & (whole.abs() < 2**53)).all()):
                series = series.cast(polars.Int64)
        if series.dtype == polars.Null:
            series = series.cast(polars.String)
        elif isinstance(series.dtype, polars.Duration):
            series = series.dt.to_string("polars")  # "1d 2h": the cast to String is not there for durations
        elif isinstance(series.dtype, polars.Datetime) and series.dtype.time_zone is None:
            series = series.dt.to_string("%Y-%m-%d %H:%M:%S%.f")  # without the zeros of a second's parts
        columns.append(series.cast(polars.String, strict=False))
    return polars.DataFrame(columns)


def row_problem(
    code: str, severity: str, said: Message, rows: Sequence[int], *, hint: Message = NOTHING, count: int = 0
) -> Problem:
    """A Problem with at most ten example rows (from 1)."""
    return Problem(
        code=code, severity=severity, said=said, advice=hint, rows=tuple(rows[:SHOWN_ROWS]), count=count or len(rows)
    )
