"""CSV and its relatives: comma, semicolon, tab, pipe, and plain text with one column.

How: the dialect is decided on a sample; one pass over the bytes checks that every quotation mark stands where RFC 4180
allows it (vectorised, a fraction of a second per 100 MB); then pyarrow's strict parser reads the whole. Only where the pass
or the parser finds a line at fault does Python's csv module read it again, record by record, to say which line and why.
"""

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass

import numpy
import polars

from lora_hub.data.headers import Layout, find_layout
from lora_hub.data.ragged import read_ragged, short_rows
from lora_hub.data.source import Source
from lora_hub.data.table import MAX_COLUMNS, Table
from lora_hub.errors import DataError

DELIMITERS = ",\t;|"
SAMPLE = 256 << 10
SAMPLE_ROWS = 300
NEVER = "\x01"  # the delimiter of a file with one column


@dataclass(frozen=True)
class Dialect:
    """`quote` is empty where quotation marks are part of the text; `escape`: a backslash where \\" stands for a quote."""

    delimiter: str
    quote: str = '"'
    escape: str = ""

    def reader(self, lines):
        """Python's csv reader of this dialect."""
        quoting = csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE
        return csv.reader(
            lines, delimiter=self.delimiter, quotechar=self.quote or None, quoting=quoting, strict=bool(self.quote),
            doublequote=not self.escape, escapechar=self.escape or None,
        )  # fmt: skip


def read_delimited(source: Source, *, delimiter: str = "", skip_broken: bool = False) -> Table:
    """The table in UTF-8 `source`. Raises DataError naming lines that cannot be read, unless `skip_broken`."""
    csv.field_size_limit(1 << 30)
    text = _sample_text(source)
    if not text.strip():
        raise DataError(f"{source.name} holds nothing but blank lines.", "Choose another file.")
    if said := re.match(r"(?i)(?:\ufeff)?sep=([,;|\t])\r?\n", text):  # Excel's own hint, above the header
        delimiter, text = said[1], text[said.end() :]
        source = Source(source.name, data=source.read().partition(b"\n")[2])
    dialect = Dialect(delimiter or sniff_delimiter(text) or NEVER)
    if dialect.delimiter == NEVER and not _one_quoted_column(text):
        dialect = Dialect(NEVER, quote="")
    elif '"' not in text and re.search(r"(?m)(^|[,;\t|])'[^'\n]*'(?=[,;\t|]|$)", text) and _single_quoted(text, dialect):
        dialect = Dialect(dialect.delimiter, quote="'")
    dialect, sound = _settle_quotes(source, dialect)
    frame = _parse(source, dialect) if sound else None
    problems, short = [], []
    if frame is None:
        frame, problems, short = read_ragged(source, dialect, skip_broken=skip_broken)
    if frame.width > MAX_COLUMNS:
        raise DataError(f"{source.name} has {frame.width} columns.", f"At most {MAX_COLUMNS} can be read.")
    layout = find_layout(frame.head(SAMPLE_ROWS).rows(), frame.width)
    frame = apply_layout(frame, layout)
    one = dialect.delimiter == NEVER
    kind = "text" if one and not layout.header else "tsv" if dialect.delimiter == "\t" else "csv"
    problems += short_rows(short, layout.first_row) + layout.problems
    return Table(frame, kind, delimiter="" if one else dialect.delimiter, problems=problems)


def apply_layout(frame: polars.DataFrame, layout: Layout) -> polars.DataFrame:
    frame = frame.slice(layout.first_row)
    frame.columns = layout.names
    return frame


def sniff_delimiter(text: str) -> str:
    """The delimiter that cuts the sample into rows of one width; empty where none does (one column)."""
    best, best_score = "", 0.0
    for delimiter in DELIMITERS:
        score = max(_regularity(text, delimiter, '"'), _regularity(text, delimiter, ""))
        if score > best_score:
            best, best_score = delimiter, score
    return best if best_score >= 0.5 else ""


def _regularity(text: str, delimiter: str, quote: str) -> float:
    """Share of records with the commonest number of cells, worth more where the first record agrees and there are many
    cells, less where the delimiter is followed by a space, as commas in prose are."""
    if delimiter not in text:
        return 0.0
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )  # fmt: skip
    records = []
    for record in reader:
        if record:
            records.append(record)
        if len(records) > SAMPLE_ROWS:
            break
    if len(records) > 1 and not text.endswith(("\n", "\r")):
        records.pop()  # the sample may end in the middle of it
    widths = Counter(len(record) for record in records)
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    if width < 2:
        return 0.0
    cells = [cell for record in records for cell in record[1:]]
    spaced = sum(cell.startswith(" ") for cell in cells) / max(1, len(cells))
    score = count / len(records) * (1 - 0.6 * spaced) + 0.02 * min(width, 10)
    if len(records[0]) == width:
        score += 0.2
    elif len(records[0]) == 1 and count < 0.9 * len(records):
        score -= 0.3  # a header without the delimiter, prose below
    return score + (0.1 if delimiter == "\t" else 0.0)


def _sample_text(source: Source) -> str:
    text = source.head(SAMPLE).decode("utf-8", errors="ignore").removeprefix("\ufeff")
    if source.size > SAMPLE:
        cut = max(text.rfind("\n"), text.rfind("\r"))
        text = text[: cut + 1] if cut > 0 else text
    return text


def _one_quoted_column(text: str) -> bool:
    """A CSV of one column whose texts are quoted, rather than plain lines of text."""
    lines = [line for line in re.split(r"[\r\n]+", text) if line]
    opened = sum(line.startswith('"') for line in lines)
    return opened >= 0.5 * (len(lines) - 1) and opened > 0 and text.rstrip().endswith('"')


def _single_quoted(text: str, dialect: Dialect) -> bool:
    cells = [cell for row in csv.reader(text.splitlines()[1:100], delimiter=dialect.delimiter) for cell in row if cell]
    return sum(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in cells) > 0.4 * len(cells) > 0


def _settle_quotes(source: Source, dialect: Dialect) -> tuple[Dialect, bool]:
    """The dialect with its quoting decided, and whether every quotation mark of the file is sound under it."""
    if not dialect.quote:
        return dialect, True
    if quotes_are_sound(source, dialect):
        return dialect, True
    if dialect.quote == '"':
        escaped = Dialect(dialect.delimiter, '"', "\\")
        if any(b'\\"' in chunk for chunk in source.chunks()) and quotes_are_sound(source, escaped):
            return escaped, True
    if _regular_lines(source, dialect.delimiter):
        return Dialect(dialect.delimiter, quote=""), True
    return dialect, False


def quotes_are_sound(source: Source, dialect: Dialect) -> bool:
    """Whether every quotation mark opens a cell, closes one, or is doubled (or escaped) inside one. Literal marks inside
    unquoted cells (5" pipe) fail here and are left to the record-by-record reader."""
    quote, delimiter = ord(dialect.quote), dialect.delimiter.encode()
    if len(delimiter) != 1:
        return False
    before_opening = numpy.zeros(256, dtype=bool)
    before_opening[[delimiter[0], 10, 13, quote]] = True
    after_closing = before_opening
    count = 0
    last_position, offset, previous = -2, 0, 10
    pending = False  # a closing mark was the last byte of the chunk before
    for chunk in source.chunks():
        data = numpy.frombuffer(chunk, dtype=numpy.uint8)
        if offset == 0 and chunk.startswith(b"\xef\xbb\xbf"):
            data = data[3:]
        if pending and len(data) and not after_closing[data[0]]:
            return False
        pending = False
        marks = data == quote
        if dialect.escape:
            slashes = numpy.concatenate(([previous == 92], data[:-1] == 92))
            marks &= ~slashes
        positions = numpy.flatnonzero(marks)
        if len(positions):
            parity = (numpy.arange(len(positions)) + count) % 2
            opening, closing = positions[parity == 0], positions[parity == 1]
            left = numpy.where(opening > 0, data[numpy.maximum(opening - 1, 0)], previous)
            if not before_opening[left].all():
                return False
            # a mark that reopens after a quote must follow it at once: the quote on its left has to be the closing one
            inner = opening[(left == quote)]
            if len(inner):
                before = numpy.isin(inner - 1, positions, assume_unique=True)
                before |= (inner == 0) & (last_position == offset - 1)
                if not before.all():
                    return False
            inside = closing[closing < len(data) - 1]
            if not after_closing[data[inside + 1]].all():
                return False
            pending = bool(len(closing)) and closing[-1] == len(data) - 1
            count += len(positions)
            last_position = offset + int(positions[-1])
        offset += len(data)
        if len(data):
            previous = int(data[-1])
    return count % 2 == 0


def _regular_lines(source: Source, delimiter: str) -> bool:
    """Every line has the same number of delimiters, quotation marks or not: then the marks are part of the texts."""
    mark = delimiter.encode()
    widths: set[int] = set()
    with source.open() as file:
        for block in file:
            for line in re.split(rb"\r(?!\n)", block):
                if line.strip(b"\r\n"):
                    widths.add(line.count(mark))
            if len(widths) > 1:
                return False
    return widths != {0} or delimiter == NEVER


def _parse(source: Source, dialect: Dialect) -> polars.DataFrame | None:
    """All cells as text, by pyarrow; None where a record has another number of cells than the first."""
    import pyarrow
    from pyarrow import csv as arrow_csv

    data = pyarrow.BufferReader(source.data) if source.data is not None else str(source.path)
    parse = arrow_csv.ParseOptions(
        delimiter=dialect.delimiter, quote_char=dialect.quote or False, double_quote=not dialect.escape,
        escape_char=dialect.escape or False, newlines_in_values=bool(dialect.quote),
    )  # fmt: skip
    # One thread: measured on two cores, several take twice the CPU and are hardly sooner.
    read = arrow_csv.ReadOptions(autogenerate_column_names=True, use_threads=False, block_size=min(4 << 20, max(1 << 16, source.size + 1)))
    convert = arrow_csv.ConvertOptions(
        column_types={f"f{index}": pyarrow.string() for index in range(_width(source, dialect))},
        strings_can_be_null=False, quoted_strings_can_be_null=False,
    )  # fmt: skip
    while True:
        try:
            return polars.from_arrow(arrow_csv.read_csv(data, read, parse, convert))
        except pyarrow.ArrowInvalid as error:
            # No Python callback for such rows: pyarrow's threads may call it after the interpreter has begun to end.
            if "straddling" in str(error) and read.block_size < 1 << 30:
                read.block_size *= 8  # one text longer than a block
                continue
            return None


def _width(source: Source, dialect: Dialect) -> int:
    for record in dialect.reader(io.StringIO(_sample_text(source), newline="")):
        if record:
            return len(record)
    return 1
