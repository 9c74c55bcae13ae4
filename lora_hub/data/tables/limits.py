"""The size limits of a table and the errors beyond them, shared by all readers."""

from collections.abc import Iterator
from typing import Any

import polars

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _

MAX_COLUMNS = 2_000
MAX_ROWS = 20_000_000
MAX_CELL = 8_000_000  # bytes of UTF-8: more than a million words


def check_size(name: str, *, rows: int = 0, columns: int = 0) -> None:
    """Raises DataError if a table has too many rows or columns. Call it as soon as the size is known, before any are
    created: refusing 300,000 columns of one row took 3 GB. name: the file's."""
    if columns > MAX_COLUMNS:
        raise DataError(
            _("{name} has more than {most:,} columns, which is the most that can be read."),
            _("Keep the columns that are needed, and upload it again."),
            name=name,
            most=MAX_COLUMNS,
        )
    if rows > MAX_ROWS:
        raise DataError(
            _("{name} has {rows:,} rows."),
            _("At most {most:,} rows can be read."),
            name=name,
            rows=rows,
            most=MAX_ROWS,
        )


def check_cells(frame: polars.DataFrame, name: str) -> None:
    """Raises DataError if a cell, or a text in a nested one, is larger than `MAX_CELL`: the checks of each text
    (languages, secrets, near-duplicates) take a second for every four megabytes."""
    for series in frame.get_columns():
        sizes = _text_sizes(series)
        if sizes is None or not sizes.len() or (sizes.max() or 0) <= MAX_CELL:
            continue
        raise DataError(
            _("A text in row {row} of {name} is {size} MB long, in the column {column!r}; the limit is {limit} MB."),
            _("Split it into several rows; or see whether a quotation mark before it is never closed."),
            row=int(sizes.arg_max()) + 1,
            name=name,
            size=-(-sizes.max() // 1_000_000),
            column=series.name,
            limit=MAX_CELL // 1_000_000,
        )


def _text_sizes(series: polars.Series) -> polars.Series | None:
    """For each row, the bytes of its longest text; None if the column holds no text."""
    if series.dtype == polars.String:
        return series.str.len_bytes()
    if series.dtype == polars.Object:
        return polars.Series([max(_sizes(value), default=0) for value in series.to_list()], dtype=polars.UInt64)
    if isinstance(series.dtype, (polars.List, polars.Array)):
        inner = polars.DataFrame({"row": polars.int_range(series.len(), eager=True), "cell": series}).explode("cell")
        sizes = _text_sizes(inner["cell"])
        if sizes is None:
            return None
        longest = inner.select("row", size=sizes).group_by("row", maintain_order=True).agg(polars.col("size").max())
        return longest["size"]
    if isinstance(series.dtype, polars.Struct):
        sizes = [_text_sizes(series.struct.field(field.name)) for field in series.dtype.fields]
        known = {f"f{place}": one for place, one in enumerate(sizes) if one is not None}
        return polars.DataFrame(known).select(polars.max_horizontal(polars.all())).to_series() if known else None
    return None


def _sizes(value: Any) -> Iterator[int]:
    """The bytes of each text in a value at any depth, except keys."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield len(one) if one.isascii() else len(one.encode(errors="replace"))
        elif isinstance(one, (list, tuple)):
            left.extend(one)
        elif isinstance(one, dict):
            left.extend(one.values())
