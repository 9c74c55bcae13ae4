"""Reads CSV and similar: comma, semicolon, tab, pipe, and plain text with one column.

A sample decides the dialect. One pass over the bytes checks that every quotation mark is where RFC 4180 allows it
(vectorised, a fraction of a second per 100 MB). Then pyarrow's strict parser reads the whole file. Only if the pass or
the parser finds a faulty line does Python's csv module read the file again, record by record, to report which line and
why.
"""

import csv
import io
import re
from dataclasses import dataclass

import numpy
import polars

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.core.schema import Problem
from lora_hub.data.read.cells import apply_layout, without_empty_edges
from lora_hub.data.read.headers import find_layout, is_header, left_above
from lora_hub.data.read.quote_faults import find_quote_faults, is_quoted
from lora_hub.data.read.ragged import read_ragged, short_rows
from lora_hub.data.read.sniffing import SAMPLE_ROWS, is_single_quoted, skips_spaces, sniff_delimiter
from lora_hub.data.read.source import Source
from lora_hub.data.tables.limits import MAX_COLUMNS, check_size
from lora_hub.data.tables.table import Table

SAMPLE, LONGEST_SAMPLE = 256 << 10, 16 << 20  # bytes
NEVER = "\x02"  # the delimiter for a file with one column


@dataclass(frozen=True)
class Dialect:
    """`quote`: empty if quotation marks are part of the text. `escape`: a backslash if \\" stands for a quote.
    `skip_space`: spaces between a delimiter and a quotation mark are not part of the cell."""

    delimiter: str
    quote: str = '"'
    escape: str = ""
    skip_space: bool = False

    def reader(self, lines):
        """Python's csv reader with this dialect."""
        quoting = csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=quoting,
            strict=bool(self.quote),
            doublequote=not self.escape,
            escapechar=self.escape or None,
            skipinitialspace=self.skip_space,
        )


def read_delimited(source: Source, *, delimiter: str = "", skip_broken: bool = False) -> Table:
    """The table in UTF-8 `source`. Raises DataError naming lines that cannot be read, unless `skip_broken`."""
    csv.field_size_limit(1 << 30)
    text = _sample_text(source)
    if not text.strip():
        raise DataError(_("{name} holds nothing but blank lines."), _("Choose another file."), name=source.name)
    if said := re.match(r"(?i)\"?sep=([^\r\n\"]{1,3})\"?[\r\n]+", text):  # Excel's own delimiter hint, above the header
        delimiter = delimiter or said[1]
        source, text = _without_start(source, text, said.end())
    source, text, problems = _without_comments(source, text)
    found = delimiter or sniff_delimiter(text) or next((mark for mark in ",;|" if skips_spaces(text, mark)), "")
    dialect = Dialect(found or NEVER)
    if len(found) > 1 or not found.isascii():
        dialect, source, text = _plain_delimiter(source, text, found)
    if dialect.delimiter == NEVER and not _one_quoted_column(text):
        dialect = Dialect(NEVER, quote="")
    elif is_single_quoted(text, dialect.delimiter):
        dialect = Dialect(dialect.delimiter, quote="'")
    elif found and skips_spaces(text, dialect.delimiter):
        dialect = Dialect(dialect.delimiter, skip_space=True)
    dialect, sound = _settle_quotes(source, dialect, text)
    frame = _parse(source, dialect, text) if sound else None
    more, short = [], []
    if frame is None:
        frame, more, short = read_ragged(source, dialect, skip_broken=skip_broken)
    check_size(source.name, columns=frame.width)
    layout = find_layout(frame.head(SAMPLE_ROWS).rows(), frame.width)
    frame = apply_layout(frame, layout)
    frame, edges = without_empty_edges(frame, source.name)
    edges += find_quote_faults(frame, dialect.delimiter, quote=dialect.quote, sound=sound)
    one = dialect.delimiter == NEVER
    kind = "text" if one and not layout.header else "tsv" if dialect.delimiter == "\t" else "csv"
    problems += more + short_rows(
        [place for place in short if place < layout.first_row + frame.height], layout.first_row
    )
    names = [problem for problem in layout.problems if problem.code != "unnamed-columns" or _unnamed(frame)]
    return Table(frame, kind, delimiter="" if one else found, problems=problems + names + edges)


def _unnamed(frame: polars.DataFrame) -> bool:
    return any(re.fullmatch(r"column_\d+_*", name) for name in frame.columns)


def _without_start(source: Source, text: str, characters: int) -> tuple[Source, str]:
    """The file and its sample without their first `count` characters."""
    start = len(text[:characters].encode())
    return Source(source.name, data=source.read().removeprefix(b"\xef\xbb\xbf")[start:]), text[characters:]


def _without_comments(source: Source, text: str) -> tuple[Source, str, list[Problem]]:
    """Skips lines above the header that begin with #. A single such line with as many cells as the next is the header
    itself (#id, text)."""
    found = re.match(r"(?:#[^\r\n]*[\r\n]+)+", text)
    if not found or found.end() >= len(text.rstrip()):
        return source, text, []
    comments = re.split(r"[\r\n]+", found[0].strip())
    below = [line for line in re.split(r"[\r\n]+", text[found.end() :])[:50] if line]
    end = found.end()
    for delimiter in "\t,;|":
        if comments[-1].count(delimiter) == below[0].count(delimiter) > 0:
            rows = list(csv.reader(below, delimiter=delimiter))
            if not is_header(rows[0], rows[1:]):
                if not is_header(next(csv.reader([comments[-1].lstrip("# ")], delimiter=delimiter)), rows):
                    return source, text, []  # text that begins with #
                end = text.index(comments.pop())
                end += re.match("#+ ?", text[end:]).end()
            break
    else:
        if not sniff_delimiter("\n".join(below)):
            return source, text, []
    source, text = _without_start(source, text, end)
    shown = "; ".join(comment.strip("# ")[:60] for comment in comments[:5])
    return source, text, [left_above(len(comments), shown)] if comments else []


def _plain_delimiter(source: Source, sample: str, delimiter: str) -> tuple[Dialect, Source, str]:
    """The file and its sample, with a longer delimiter replaced by one byte that no text contains."""
    text = source.read().decode("utf-8", errors="replace").removeprefix("\ufeff")
    plain = next((mark for mark in "\x1f\x1e\x1d\x1c\x01" if mark not in text), "")
    if not plain:
        raise DataError(
            _("{name} cannot be cut at {delimiter!r}."),
            _("Save it with , or ; between the cells."),
            name=source.name,
            delimiter=delimiter,
        )
    source = Source(source.name, data=text.replace(delimiter, plain).encode())
    return Dialect(plain), source, sample.replace(delimiter, plain)


def _sample_text(source: Source) -> str:
    text = source.head(SAMPLE).decode("utf-8", errors="ignore").removeprefix("\ufeff")
    if source.size <= SAMPLE:
        return text
    if text.lstrip().startswith('"') and not _ends_a_record(text):
        # The sample holds only one long text of the first record.
        text = source.head(LONGEST_SAMPLE).decode("utf-8", errors="ignore").removeprefix("\ufeff")
    cut = max(text.rfind("\n"), text.rfind("\r"))
    return text[: cut + 1] if cut > 0 else text


def _ends_a_record(text: str) -> bool:
    """Whether a line ends outside quotation marks."""
    parts = text.split('"')
    return any("\n" in part or "\r" in part for part in parts[::2])


def _one_quoted_column(text: str) -> bool:
    """Whether it is a CSV of one column with quoted texts, rather than plain lines of text."""
    lines = [line for line in re.split(r"[\r\n]+", text) if line]
    opened = sum(line.startswith('"') for line in lines)
    return opened >= 0.5 * (len(lines) - 1) and opened > 0 and (text.rstrip().endswith('"') or is_quoted(text, NEVER))


def _settle_quotes(source: Source, dialect: Dialect, text: str) -> tuple[Dialect, bool]:
    """The dialect with its quoting decided, and whether every quotation mark in the file is valid under it. text: the
    file's sample."""
    if not dialect.quote:
        return dialect, True
    if dialect.skip_space:
        return dialect, False  # pyarrow does not support such cells
    if quotes_are_sound(source, dialect):
        return dialect, True
    if dialect.quote == '"':
        escaped = Dialect(dialect.delimiter, '"', "\\")
        if any(b'\\"' in chunk for chunk in source.chunks()) and quotes_are_sound(source, escaped):
            return escaped, True
    if _regular_lines(source, dialect.delimiter) and not (dialect.quote == '"' and is_quoted(text, dialect.delimiter)):
        return Dialect(dialect.delimiter, quote=""), True
    return dialect, False


def quotes_are_sound(source: Source, dialect: Dialect) -> bool:
    """Whether every quotation mark opens a cell, closes one, or is doubled (or escaped) inside one. Literal marks
    inside unquoted cells (5" pipe) fail here and are left to the record-by-record reader."""
    quote, delimiter = ord(dialect.quote), dialect.delimiter.encode()
    if len(delimiter) != 1:
        return False
    before_opening = numpy.zeros(256, dtype=bool)
    before_opening[[delimiter[0], 10, 13, quote]] = True
    after_closing = before_opening
    count = 0
    last_position, offset, previous = -2, 0, 10
    pending = False  # the previous chunk ended with a closing mark
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
            # a reopening mark must follow the closing quote directly
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
    """Whether every line has the same number of delimiters even if quotation marks are ignored; then the marks are part
    of the texts."""
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


def _parse(source: Source, dialect: Dialect, text: str) -> polars.DataFrame | None:
    """All cells as text, by pyarrow; None if a record has a different number of cells from the first. text: the file's
    sample."""
    import pyarrow
    from pyarrow import csv as arrow_csv

    width = _width(text, dialect)
    check_size(source.name, columns=width)
    data = pyarrow.BufferReader(source.data) if source.data is not None else str(source.path)
    parse = arrow_csv.ParseOptions(
        delimiter=dialect.delimiter,
        quote_char=dialect.quote or False,
        double_quote=not dialect.escape,
        escape_char=dialect.escape or False,
        newlines_in_values=bool(dialect.quote),
    )
    # One thread: on two cores, several threads took twice the CPU and were hardly faster.
    read = arrow_csv.ReadOptions(
        autogenerate_column_names=True, use_threads=False, block_size=min(4 << 20, max(1 << 16, source.size + 1))
    )
    convert = arrow_csv.ConvertOptions(
        column_types={f"f{index}": pyarrow.string() for index in range(width)},
        strings_can_be_null=False,
        quoted_strings_can_be_null=False,
    )
    while True:
        try:
            return polars.from_arrow(arrow_csv.read_csv(data, read, parse, convert))
        except pyarrow.ArrowInvalid as error:
            # No Python callback for such rows: pyarrow's threads may call it while the interpreter shuts down.
            if "straddling" in str(error) and read.block_size < 1 << 30:
                read.block_size *= 8  # a text longer than a block
                continue
            return None


def _width(text: str, dialect: Dialect) -> int:
    """Number of cells in the first record; the maximum possible if it does not end in the sample."""
    try:
        for record in dialect.reader(io.StringIO(text, newline="")):
            if record:
                return len(record)
    except csv.Error:  # it continues after the sample
        return MAX_COLUMNS
    return 1
