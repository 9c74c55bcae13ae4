"""Builds a table from text cells: removes empty edges, finds title rows and header, and strips midnight from dates."""

import re

import polars

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Problem
from lora_hub.data.read.headers import Layout, find_layout, name_columns
from lora_hub.data.read.sniffing import SAMPLE_ROWS
from lora_hub.data.tables.limits import check_size
from lora_hub.data.tables.table import Table, row_problem


def table_of_form(rows: list[list[str]], left: int, form: str) -> Table:
    """The table from rows that `text_forms` read. `left`: lines that were not part of it."""
    width = max(len(row) for row in rows)
    columns = {f"f{index}": [row[index] if index < len(row) else None for row in rows] for index in range(width)}
    frame = polars.DataFrame(columns, schema=dict.fromkeys(columns, polars.String))
    layout = find_layout(frame.head(SAMPLE_ROWS).rows(), width)
    problems = list(layout.problems)
    if left:
        said = _n("{count:,} line around the table left out.", "{count:,} lines around the table left out.", count=left)
        problems.append(
            row_problem(
                "other-lines",
                "warning",
                said,
                [],
                count=left,
                hint=_("Save the table alone if they belong to the data."),
            )
        )
    return Table(apply_layout(frame, layout), "text" if form == "fasttext" else "csv", problems=problems)


def apply_layout(frame: polars.DataFrame, layout: Layout) -> polars.DataFrame:
    frame = frame.slice(layout.first_row)
    frame.columns = layout.names
    return frame


def without_empty_edges(frame: polars.DataFrame, name: str) -> tuple[polars.DataFrame, list[Problem]]:
    """The table without a right or left column that has neither name nor value, and without empty rows at its end, as
    spreadsheets save them."""

    def bare(column: str) -> bool:
        return bool(re.fullmatch(r"column_\d+_*", column)) and not _is_filled(frame[column])

    columns = list(frame.columns)
    if frame.height and not any(_is_filled(series) for series in frame.get_columns()):
        raise DataError(_("{name} has no cell with a value in it."), _("Choose a file with data in it."), name=name)
    # One on the right: a delimiter ends every line. One on the left too: it also begins every line. More were left
    # empty on purpose.
    if len(columns) > 2 and bare(columns[-1]) and not bare(columns[-2]):
        columns.pop()
        if len(columns) > 2 and bare(columns[0]) and not bare(columns[1]):
            columns.pop(0)
    frame = frame.select(columns) if len(columns) < frame.width else frame
    if not frame.height or any(_is_filled(series) for series in frame.tail(1).get_columns()):
        return frame, []
    filled = frame.select(any=polars.any_horizontal((polars.all().str.strip_chars() != "").fill_null(False)))["any"]
    last = int(filled.arg_true()[-1]) + 1
    dropped = frame.height - last
    said = _n("{count:,} empty row at the end left out.", "{count:,} empty rows at the end left out.", count=dropped)
    return frame.head(last), [row_problem("empty-rows", "info", said, [], count=dropped)]


def _is_filled(series: polars.Series) -> bool:
    """Whether any cell of a text column holds more than spaces; in most columns the first rows show it."""
    return any(bool((part.str.strip_chars() != "").any()) for part in (series.head(1_000), series.slice(1_000)))


def table_of_cells(frame: polars.DataFrame, name: str, kind: str, *, is_headed: bool = False) -> Table:
    """The table from a sheet's cells: empty edge rows and columns dropped, title rows and header found. `name`: the
    file's; `is_headed`: the first row is known to be the header."""
    check_size(name, columns=frame.width)
    if is_headed:
        names, problems = name_columns(frame.row(0))
        layout = Layout(0, True, names, problems)
    else:
        layout = find_layout(frame.head(SAMPLE_ROWS).rows(), frame.width)
    return Table(apply_layout(frame, layout), kind, problems=list(layout.problems))


def cells_of(frame: polars.DataFrame) -> polars.DataFrame:
    """The cells without empty rows and columns."""
    if not frame.width:
        return frame
    filled = frame.select(polars.all().is_not_null() & (polars.all().str.strip_chars() != ""))
    frame = frame.select([column for column in frame.columns if filled[column].any()])
    if not frame.width:
        return polars.DataFrame()
    frame = frame.filter(filled.select(any=polars.any_horizontal(polars.all()))["any"])
    return frame.with_columns([_plain_dates(series) for series in frame.get_columns()])


def _plain_dates(series: polars.Series) -> polars.Series:
    """Dates without midnight, and times without the date, which the file format adds to them."""
    if not series.head(SAMPLE_ROWS).str.contains(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d").any():
        return series
    if not series.str.contains(
        r"^\d{4}-\d\d-\d\d (?:[1-9]\d|0[1-9]|00:[1-9]\d|00:0[1-9]|00:00:[1-9]\d|00:00:0[1-9])"
    ).any():
        series = series.str.replace(r"^(\d{4}-\d\d-\d\d) 00:00:00(?:\.0+)?$", "$1")
    return series.str.replace(r"^(?:1899-12-3[01]|1904-01-01) (\d\d:\d\d:\d\d)", "$1")
