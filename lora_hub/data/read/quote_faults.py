"""Unpaired quotation marks in a delimited file, and the rows they may have damaged.

is_quoted(sample, ",")               whether quotation marks are there to quote cells, or are a part of the texts
find_quote_faults(frame, ",", ...)   rows with a mark that opens or closes nothing, and rows that were read into
                                     another's cell
"""

import re
from collections import Counter

import polars

from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Problem
from lora_hub.data.tables.table import row_problem

# The share of cells with a mark that have one at both ends, if marks quote: some may be damaged, but not nearly all.
QUOTED_SHARE = 0.25
SHORT = 40  # characters of a label, which shows where a row ends


def is_quoted(text: str, delimiter: str) -> bool:
    """Whether cells in the beginning of a file are quoted, even if other marks are unpaired. For files in which every
    line has the same number of delimiters, so that the marks may also be part of the texts."""
    marked = [
        cell for line in re.split(r"[\r\n]+", text) if '"' in line for cell in line.split(delimiter) if '"' in cell
    ]
    wrapped = sum(len(cell) > 1 and cell[0] == cell[-1] == '"' and cell.count('"') % 2 == 0 for cell in marked)
    return wrapped > 1 and wrapped >= QUOTED_SHARE * len(marked)


def find_quote_faults(frame: polars.DataFrame, delimiter: str, *, quote: str, sound: bool) -> list[Problem]:
    """`frame`: the rows below the header. quote: the mark that quotes cells; empty if none does. sound: every mark was
    found to open or close a cell."""
    marks = [mark for mark in "\"'" if not sound or mark != quote]
    return [
        one for one in (_loose_marks(frame, marks, bool(quote)), _rows_in_cells(frame, delimiter)) if one is not None
    ]


def _loose_marks(frame: polars.DataFrame, marks: list[str], quoted: bool) -> Problem | None:
    """Cells with an unpaired mark at one end. After a number it may mean inches, if marks do not quote."""
    hits = polars.zeros(frame.height, polars.Boolean, eager=True)
    behind = r"\s*" if quoted else r"[^\d\s]\s*"
    for mark in marks:
        if mark == "'" and not _are_wrapped(frame, mark):
            continue  # an apostrophe
        for series in frame.get_columns():
            loose = series.str.contains(rf"^\s*{mark}|{behind}{mark}\s*$") & (
                series.str.count_matches(mark, literal=True) % 2 == 1
            )
            hits |= loose.fill_null(False)
    count = int(hits.sum())
    if not count:
        return None
    said = _n(
        "In {count:,} row a quotation mark is opened or closed by itself; it was read as a part of the text.",
        "In {count:,} rows a quotation mark is opened or closed by itself; it was read as a part of the text.",
        count=count,
    )
    return row_problem(
        "loose-quotes",
        "warning",
        said,
        (hits.arg_true() + 1).to_list(),
        hint=_("See whether the other mark is missing there."),
    )


def _are_wrapped(frame: polars.DataFrame, mark: str) -> bool:
    begun = sum(int(series.str.starts_with(mark).sum() or 0) for series in frame.get_columns())
    whole = sum(
        int((series.str.starts_with(mark) & series.str.ends_with(mark) & (series.str.len_bytes() > 1)).sum() or 0)
        for series in frame.get_columns()
    )
    return whole > 1 and whole >= QUOTED_SHARE * begun and begun >= QUOTED_SHARE * frame.height


def _rows_in_cells(frame: polars.DataFrame, delimiter: str) -> Problem | None:
    """Cells over several lines that were separate rows: they end or begin with one of this file's labels, as its rows
    do."""
    if frame.width < 2 or len(delimiter) != 1:
        return None
    hits: set[int] = set()
    for place, series in enumerate(frame.get_columns()):
        cells = series.filter(broken := series.str.contains("\n", literal=True).fill_null(False))
        if not cells.len():
            continue
        last = place == frame.width - 1
        beside = frame.to_series(0 if last else frame.width - 1)
        found = _beside(cells, delimiter, frame.width, place)
        known = _labels(beside.filter(~broken)) | {
            label for label, count in Counter(label for one in found for label in set(one)).items() if count > 2
        }
        hits.update(
            number for number, labels in zip(broken.arg_true().to_list(), found, strict=True) if known & set(labels)
        )
    if not hits:
        return None
    said = _n(
        (
            "In {count:,} row a quoted text goes on over lines that look like rows of their own: they were read into "
            "its "
            "cell."
        ),
        (
            "In {count:,} rows a quoted text goes on over lines that look like rows of their own: they were read into "
            "its "
            "cell."
        ),
        count=len(hits),
    )
    hint = _("A quotation mark may not be closed there. Mend these lines and drop the file again.")
    return row_problem("rows-in-a-cell", "warning", said, sorted(number + 1 for number in hits), hint=hint)


def _beside(cells: polars.Series, delimiter: str, width: int, place: int) -> list[list[str]]:
    """For each cell, the content of the row's last cell (the first, if `place` is the last) if its lines were rows."""
    found: list[list[str]] = []
    for cell in cells.to_list():
        lines = cell.replace("\r\n", "\n").split("\n")
        labels = []
        for number, line in enumerate(lines):
            parts = line.split(delimiter)
            if place == width - 1:
                is_row, label = number > 0 and len(parts) >= width, parts[0]
            else:
                is_row, label = (
                    number + 1 < len(lines) and len(parts) >= (width if number else width - place),
                    parts[-1],
                )
            label = label.strip('"')
            if is_row and label and label == label.strip() and len(label) <= SHORT:
                labels.append(label)
        found.append(labels)
    return found


def _labels(series: polars.Series) -> set[str]:
    """The values of a column that repeat."""
    counts = series.drop_nulls().value_counts(name="count").filter(polars.col("count") > 2)
    return {value for value in counts.to_series(0).to_list() if 0 < len(value) <= SHORT}
