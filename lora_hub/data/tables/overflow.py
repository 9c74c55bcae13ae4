"""Rows that continue in unnamed columns: a text was split because it contains the delimiter.

Many exports begin like this: `v1,v2,,,` with the message in v2 and, in some rows, its rest in the unnamed columns.
"""

import re

import polars

from lora_hub.core.messages import _, _n
from lora_hub.data.tables.findings import Finding, finding
from lora_hub.data.tables.table import Table

UNNAMED = re.compile(r"column_\d+_*")
# If more than this share of rows fills them, the unnamed columns are real columns and not overflow.
MOST_ROWS = 0.2


def overflow_columns(table: Table) -> tuple[str, list[str]]:
    """The column whose text continues, and the unnamed columns at the table's end where it continues; "" and none if
    every column has a name."""
    unnamed: list[str] = []
    for name in reversed(table.columns):
        if not UNNAMED.fullmatch(name) or table.is_nested(name):
            break
        unnamed.insert(0, name)
    if not unnamed or len(unnamed) == len(table.columns):
        return "", []
    return table.columns[-len(unnamed) - 1], unnamed


def goes_on(table: Table, unnamed: list[str]) -> polars.Series:
    """Boolean: which rows have text in the unnamed columns."""
    filled = table.frame.select(
        any=polars.any_horizontal([polars.col(name).str.strip_chars() != "" for name in unnamed])
    )["any"]
    return filled.fill_null(False)


def find_overflow(table: Table) -> list[Finding]:
    into, unnamed = overflow_columns(table)
    if not into:
        return []
    rows = table.numbers().filter(goes_on(table, unnamed))
    if not 0 < rows.len() < MOST_ROWS * table.rows:
        return []
    said = _n(
        "{count:,} row goes on in columns without a name: the text in {column!r} was probably cut at a delimiter.",
        "{count:,} rows go on in columns without a name: the text in {column!r} was probably cut at a delimiter.",
        count=rows.len(),
        column=into,
    )
    hint = _("Put the pieces back together, or put texts that hold the delimiter in quotation marks.")
    return [finding("overflow", "warning", said, hint=hint, rows=rows)]
