"""Reads delimited files with faulty lines, record by record with Python's csv module.

A short record is padded and reported. A record with more cells than the header, or with an unclosed quotation mark,
cannot be assigned to columns. It is refused by line number, and left out only if the person says so.
"""

import csv
from collections import Counter
from typing import TYPE_CHECKING

import polars

from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _, _n, several
from lora_hub.core.schema import Problem
from lora_hub.data.read.headers import is_header
from lora_hub.data.read.source import Source
from lora_hub.data.tables.table import row_problem

if TYPE_CHECKING:
    from lora_hub.data.read.delimited import Dialect

TOLD = 8
UNCLOSED = _("opens a quotation mark that is never closed")
TEXT_AFTER = _("has text after a closing quotation mark")


def read_ragged(
    source: Source, dialect: "Dialect", *, skip_broken: bool
) -> tuple[polars.DataFrame, list[Problem], list[int]]:
    """All records, including the header, as a frame of text, and the positions (from 0) of those that are too short.
    Raises DataError naming lines and reasons."""
    lines = _lines(source)
    records, starts, faults = _records(lines, dialect)
    if not records:
        raise DataError(_("{name} has no readable line."), _("Choose another file or delimiter."), name=source.name)
    records = _square(records)
    width = _table_width(records)
    kept: list[list[str | None]] = []
    short: list[int] = []
    for record, line in zip(records, starts, strict=True):
        extra = record[width:]
        if any(cell.strip() for cell in extra):
            reason = _n(
                "has {count} cell where the table has {width}",
                "has {count} cells where the table has {width}",
                count=len(record),
                width=width,
            )
            faults.append((line, reason))
            continue
        if len(record) < width:
            short.append(len(kept))
            record = record + [None] * (width - len(record))
        kept.append(record[:width])
    problems = []
    if faults:
        faults.sort(key=lambda fault: fault[0])
        lines = several((_("line {line} {fault}", line=line, fault=fault) for line, fault in faults), ";", most=TOLD)
        if not skip_broken:
            said = _n(
                "{name} has {count:,} line that cannot be read: {lines}.",
                "{name} has {count:,} lines that cannot be read: {lines}.",
                name=source.name,
                count=len(faults),
                lines=lines,
            )
            raise DataError(
                said,
                _(
                    "Put texts that hold the delimiter in quotation marks, or go on without these lines (skip broken "
                    "lines)."
                ),
            )
        said = _n(
            "{count:,} line was left out: {lines}.",
            "{count:,} lines were left out: {lines}.",
            count=len(faults),
            lines=lines,
        )
        hint = _("Mend these lines and drop the file again to keep them.")
        problems.append(row_problem("broken-lines", "warning", said, [], count=len(faults), hint=hint))
    columns = {f"f{index}": [row[index] for row in kept] for index in range(width)}
    return polars.DataFrame(columns, schema=dict.fromkeys(columns, polars.String)), problems, short


def short_rows(places: list[int], first_row: int) -> list[Problem]:
    """`places`: positions of short records; those above `first_row` are titles and the header."""
    rows = [place - first_row + 1 for place in places if place >= first_row]
    if not rows:
        return []
    said = _n(
        "{count:,} row has fewer cells than the header; the rest is empty.",
        "{count:,} rows have fewer cells than the header; the rest is empty.",
        count=len(rows),
    )
    return [row_problem("short-rows", "warning", said, rows, hint=_("See whether a delimiter is missing there."))]


def _square(records: list[list[str]]) -> list[list[str]]:
    """Records that all have one cell more than the header: a delimiter at the end of every line, or row names (R,
    pandas) without a header. Row names are all different."""
    wider = len(records[0]) + 1
    body = records[1:]
    if len(body) < 2 or wider < 3 or any(len(record) != wider for record in body):
        return records
    if not any(record[-1].strip() for record in body):
        return [records[0], *(record[:-1] for record in body)]
    names = [record[0] for record in body]
    if len(set(names)) == len(names) and all(len(name) <= 20 and len(name.split()) <= 3 for name in names):
        return [["", *records[0]], *body]
    return records


def _lines(source: Source) -> list[str]:
    text = source.read().decode("utf-8", errors="replace").removeprefix("\ufeff")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return text.splitlines(keepends=True) if not _odd_breaks(text) else [line + "\n" for line in text.split("\n")]


def _odd_breaks(text: str) -> bool:
    """str.splitlines also breaks at characters that are part of a text (U+2028, form feed, ...)."""
    return any(mark in text for mark in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")


class _Doomed(Exception):
    """A record continues into lines in which an earlier one found no end."""


class _Feed:
    """The lines from `at` on, one by one, for a csv reader. If a record is still open where an earlier one was open
    too, it would read on and fail in the same place, so it is stopped there. Otherwise lines that each open a quotation
    mark would be read to the end of the file again and again. `begin`: where the current record begins; `doomed`: up to
    which line (exclusive) records are known to fail."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = self.begin = self.doomed = 0

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        if self.begin < self.at < self.doomed:
            raise _Doomed
        if self.at >= len(self.lines):
            raise StopIteration
        self.at += 1
        return self.lines[self.at - 1]


def _records(lines: list[str], dialect: "Dialect") -> tuple[list[list[str]], list[int], list[tuple[int, Message]]]:
    """Records, the line (from 1) where each begins, and faults. After a fault, reading continues with the next line;
    every line is read at most three times."""
    records: list[list[str]] = []
    starts: list[int] = []
    faults: list[tuple[int, Message]] = []
    feed = _Feed(lines)
    while feed.at < len(lines):
        feed.begin = feed.at
        try:
            for record in dialect.reader(feed):
                if record:
                    records.append(record)
                    starts.append(feed.begin + 1)
                feed.begin = feed.at
        except (csv.Error, _Doomed) as error:
            line = feed.begin
            literal = _literal(lines[line], dialect, records)
            if literal:
                records.append(literal)
                starts.append(line + 1)
            else:
                went_on = isinstance(error, _Doomed) or feed.at - line > 1 or "unexpected end" in str(error)
                faults.append((line + 1, UNCLOSED if went_on else TEXT_AFTER))
            feed.doomed = max(feed.doomed, feed.at)
            feed.at = line + 1
    return records, starts, faults


def _literal(line: str, dialect: "Dialect", records: list[list[str]]) -> list[str] | None:
    """The cells of a line such as `"Hello" he said,ham`: quotation marks paired within their cell are part of it."""
    cells = line.rstrip("\r\n").split(dialect.delimiter)
    width = len(records[0]) if records else len(cells)
    if len(cells) != width or any(cell.count(dialect.quote) % 2 for cell in cells):
        return None
    pairs = ((cell[:1] == dialect.quote == cell[-1:] and len(cell) > 1, cell) for cell in cells)
    return [cell[1:-1].replace(dialect.quote * 2, dialect.quote) if quoted else cell for quoted, cell in pairs]


def _table_width(records: list[list[str]]) -> int:
    """The number of cells in the header; if the first lines are titles, that of most records."""
    width, count = Counter(len(record) for record in records).most_common(1)[0]
    first = len(records[0])
    if (
        1 < first == width - 1
        and count == len(records) - 1
        and is_header(records[0], [record[:first] for record in records[1:50]])
    ):
        return first  # no row names, or `_square` would have said so: texts are cut at a delimiter
    if first == 1 and width > 1:
        return width
    return first if count < 0.9 * len(records) or first >= width else width
