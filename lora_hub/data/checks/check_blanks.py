"""Finds columns that give a value once and leave the cells below it empty, as merged cells become when a workbook is
saved as CSV. A person sees the value beside every row; a program sees nothing.

    says_it_once(series)            True for ["Billing", "", "", "Repairs", "", ""]
    filled_down(series)             ["Billing", "Billing", "Billing", "Repairs", "Repairs", "Repairs"]
"""

import polars

from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Mend, Task
from lora_hub.data.tables.findings import Finding, finding
from lora_hub.data.tables.table import Table

FEWEST = 6  # rows
EMPTY = 0.3  # of the cells at least


def find_blanks(table: Table, task: Task, mapping: dict[str, str]) -> list[Finding]:
    """Checks the columns in use, or all of them if a role has no column yet. Returns at most one finding, whose mend
    fills the first such column."""
    complete = {*task.inputs, *([] if task.is_chat else ["answer"])} - set(task.optional_inputs) <= set(mapping)
    asked = [name for name in table.columns if name in mapping.values() or not complete]
    found = [
        (name, table.texts(name)) for name in asked if not table.is_nested(name) and says_it_once(table.frame[name])
    ]
    if not found:
        return []
    column, texts = found[0]
    hits = table.numbers().filter(_bare(texts) == "")
    said = _n(
        "{count:,} row has an empty cell below a filled one in {column!r}, "
        "as merged cells are saved in a file of text.",
        (
            "{count:,} rows have an empty cell below a filled one in {column!r}, as merged cells are saved in a file "
            "of "
            "text."
        ),
        count=hits.len(),
        column=column,
    )
    told = finding(
        "blank-below",
        "warning",
        said,
        hint=_("Where each value stands for the rows below it, too, fill it down; else these rows have none."),
        rows=hits,
    )
    return [
        Finding(
            told.problem.model_copy(update={"mends": (Mend(kind="fill-down", values={"column": column}),)}), told.rows
        )
    ]


def says_it_once(series: polars.Series) -> bool:
    """Whether a column's filled cells head groups of empty ones. The first cell is filled, and a value hardly ever
    follows itself, as it would if cells were merely missing."""
    texts = _bare(series)
    filled = texts != ""
    count = int(filled.sum())
    if texts.len() < FEWEST or count < 2 or not filled[0] or count > (1 - EMPTY) * texts.len():
        return False
    heads = texts.filter(filled)
    follows_itself = (heads == heads.shift(1)).fill_null(False).sum()
    followed = (filled & (~filled).shift(-1).fill_null(True)).sum()
    if followed < 0.6 * count or follows_itself > 0.1 * count:
        return False
    # Many short groups count only if each has its own value: labels with a few cells missing repeat.
    return count <= 0.25 * texts.len() or heads.n_unique() == count


def filled_down(series: polars.Series) -> polars.Series:
    """The column with each empty cell filled from the value above it."""
    bare = _bare(series)
    return (
        polars.DataFrame({"cell": series, "bare": bare})
        .select(polars.when(polars.col("bare") != "").then("cell").otherwise(None).forward_fill().alias(series.name))
        .to_series()
    )


def _bare(series: polars.Series) -> polars.Series:
    return series.fill_null("").str.strip_chars()
