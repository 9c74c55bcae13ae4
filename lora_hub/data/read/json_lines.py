"""Reads JSONL: one object on each line, a million lines in about a second.

pyarrow parses rows of texts (measured: half of polars' time). orjson parses other flat rows, one block of lines at a
time, so that memory holds text and not a million dicts. polars parses conversations of flat turns and keeps them
compact. Rows with other nested values stay Python objects, unchanged. If a block does not parse, its lines are read one
by one, and every broken one is reported by its number.
"""

import json
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import numpy
import orjson
import polars

from lora_hub.core.errors import DataError, reason_of
from lora_hub.core.messages import Message, _, _n, several
from lora_hub.core.schema import Problem
from lora_hub.data.read.json_keys import has_doubles, most_keys
from lora_hub.data.read.json_rows import column_names, flatten_known, table_of_values
from lora_hub.data.read.source import Source
from lora_hub.data.tables import error_words, strict_json
from lora_hub.data.tables.limits import MAX_COLUMNS, check_size
from lora_hub.data.tables.table import Table, row_problem, scalars_to_text
from lora_hub.data.tables.value_text import value_text

BLOCK = 4 << 20
DEEPEST = 48
TOLD = 8
MAX_MISSING = 50_000_000  # empty cells caused by rows with different keys


class _NotFlat(Exception):
    """A row that is not an object of scalars, for another reader."""


def read_lines(source: Source, *, skip_broken: bool = False) -> Table:
    """The table of UTF-8 JSONL. Skips blank lines. Raises DataError naming broken lines, unless `skip_broken`."""
    frame = _read_texts(source)
    if frame is not None:
        return Table(frame, "jsonl")
    try:
        frame, broken = _read_flat(source)
        problems = broken_lines(source.name, broken, skip_broken)
        if not frame.height:
            raise DataError(_("{name} holds no readable line."), _("Choose another file."), name=source.name)
        return Table(frame, "jsonl", problems=problems)
    except _NotFlat:
        pass
    nested = _read_nested(source)
    if nested is not None:
        return Table(flatten_known(nested), "jsonl")
    values, broken = [], []
    for number, line in enumerate(_lines(source), 1):
        if line.strip():
            _load_line(line, number, values, broken)
    problems = broken_lines(source.name, broken, skip_broken)
    if not values:
        raise DataError(_("{name} holds no readable line."), _("Choose another file."), name=source.name)
    table = table_of_values(values, source.name, skip_broken=skip_broken)
    return Table(table.frame, "jsonl", problems=problems + table.problems)


def broken_lines(name: str, broken: list[tuple[int, Message]], skip_broken: bool) -> list[Problem]:
    """One warning for the lines left out; a DataError if leaving out is not allowed."""
    if not broken:
        return []
    lines = several(
        (_("line {line} ({reason})", line=number, reason=reason) for number, reason in broken), ";", most=TOLD
    )
    if not skip_broken:
        said = _n(
            "{name} has {count:,} line that is not valid JSON: {lines}.",
            "{name} has {count:,} lines that are not valid JSON: {lines}.",
            name=name,
            count=len(broken),
            lines=lines,
        )
        raise DataError(said, _("Mend them, or go on without these lines (skip broken lines)."))
    said = _n(
        "{count:,} line was left out: {lines}.",
        "{count:,} lines were left out: {lines}.",
        count=len(broken),
        lines=lines,
    )
    return [row_problem("broken-lines", "warning", said, [], count=len(broken))]


def _read_texts(source: Source) -> polars.DataFrame | None:
    """Rows whose values are texts or null, all with the keys of the first rows; None for any other file."""
    import pyarrow
    from pyarrow import json as arrow_json

    keys: dict[str, None] = {}
    for line in source.head(256 << 10).removeprefix(b"\xef\xbb\xbf").split(b"\n")[:-1][:1000]:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(row, dict) or not all(isinstance(value, (str, type(None))) for value in row.values()):
            return None
        keys |= dict.fromkeys(row)
    if (
        not keys
        or len(keys) > MAX_COLUMNS
        or column_names(list(keys)) != list(keys)
        or source.head(3) == b"\xef\xbb\xbf"
    ):
        return None
    schema = pyarrow.schema([(key, pyarrow.string()) for key in keys])
    try:
        table = arrow_json.read_json(
            str(source.path) if source.data is None else pyarrow.BufferReader(source.data),
            arrow_json.ReadOptions(block_size=BLOCK),
            arrow_json.ParseOptions(
                explicit_schema=schema, newlines_in_values=False, unexpected_field_behavior="error"
            ),
        )
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
        return None
    return polars.from_arrow(table) if table.schema.equals(schema) and table.num_rows else None


def _read_flat(source: Source) -> tuple[polars.DataFrame, list[tuple[int, Message]]]:
    """Raises _NotFlat at the first row that is not an object of scalars."""
    frames: list[polars.DataFrame] = []
    broken: list[tuple[int, Message]] = []
    names: dict[str, None] = {}
    first, missing = 1, 0
    for block in _blocks(source):
        rows = _rows(block, first, broken)
        first += block.count(b"\n")
        if not rows:
            continue
        shapes = dict.fromkeys(map(tuple, rows))  # the keys of each row form
        keys = list(dict.fromkeys(key for shape in shapes for key in shape))
        names |= dict.fromkeys(keys)
        check_size(source.name, columns=len(names))
        missing += len(keys) * len(rows) - sum(map(len, rows))
        if missing > MAX_MISSING:
            raise DataError(
                _("The rows have {count} different keys, and each row only a few of them."),
                _("Save them with the same keys in each row."),
                count=len(names),
            )
        if column_names(keys) != keys:
            raise _NotFlat  # a key that is not a valid name: empty, or half a surrogate pair
        if len(shapes) == 1:
            columns = [_column(key, list(map(itemgetter(key), rows))) for key in keys]
        else:
            columns = [_column(key, [row.get(key) for row in rows]) for key in keys]
        frames.append(polars.DataFrame(columns))
    if not frames:
        return polars.DataFrame(), broken
    frame = polars.concat(frames, how="vertical" if all(f.columns == frames[0].columns for f in frames) else "diagonal")
    return frame.select(list(names)), broken


def _blocks(source: Source) -> Iterator[bytes]:
    """Whole lines, about `BLOCK` bytes at a time, without the byte order mark."""
    rest = b""
    start = True
    for chunk in source.chunks(BLOCK):
        if start:
            chunk, start = chunk.removeprefix(b"\xef\xbb\xbf"), False
            if b"\n" not in chunk and b"\r" in chunk:
                raise _NotFlat
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            rest += chunk
            continue
        yield rest + chunk[:cut]
        rest = chunk[cut:]
    if rest:
        yield rest


def _rows(block: bytes, first: int, broken: list[tuple[int, Message]]) -> list[dict[str, Any]]:
    """The rows of a block of lines; `first`: the number of its first line."""
    body = block.rstrip()
    try:
        # JSON text contains no bare line break, so the lines of a valid block form an array's items.
        rows = orjson.loads(b"[" + body.replace(b"\n", b",") + b"]")
    except orjson.JSONDecodeError:
        rows = None
    if rows is None or len(rows) != body.count(b"\n") + 1 or has_doubles(body, rows):
        rows = []
        for number, line in enumerate(block.split(b"\n"), first):
            if line and not line.isspace():
                _load_line(line.decode("utf-8", errors="replace"), number, rows, broken)
    if not set(map(type, rows)) <= {dict}:
        raise _NotFlat
    return rows


def _column(name: str, values: list) -> polars.Series:
    kinds = set(map(type, values))
    if list in kinds or dict in kinds:
        raise _NotFlat
    if float in kinds and any(type(value) is float and abs(value) >= 2**53 for value in values):
        raise _NotFlat  # orjson turns a whole number beyond 64 bits into a float
    if not kinds <= {str, type(None)}:
        values = [value_text(value) for value in values]
    try:
        return polars.Series(name, values, dtype=polars.String)
    except UnicodeEncodeError:  # half a surrogate pair, which text cannot contain
        return polars.Series(name, [value_text(value) for value in values], dtype=polars.String)


def _load_line(line: str, number: int, values: list, broken: list[tuple[int, Message]]) -> None:
    try:
        values.append(strict_json.load(line))
    except json.JSONDecodeError as error:
        broken.append(
            (number, _("column {column}: {reason}", column=error.colno, reason=error_words.json_reason(error.msg)))
        )
    except RecursionError:
        broken.append((number, _("nested too deeply")))
    except ValueError as error:
        broken.append((number, reason_of(error)))


def _lines(source: Source) -> list[str]:
    text = source.read().decode("utf-8", errors="replace").removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _read_nested(source: Source) -> polars.DataFrame | None:
    """None if polars refuses or would change a value (`_are_turns`): a text in one row and a list in the next, half a
    surrogate pair."""
    if source.head(3) == b"\xef\xbb\xbf" or not source.head(64).lstrip().startswith(b"{"):
        return None
    if any(map(_is_deep, source.chunks())):
        return None
    if any(rb"\ud" in chunk or rb"\uD" in chunk or rb"\u0000" in chunk for chunk in source.chunks()):
        return None
    try:
        frame = polars.read_ndjson(source.data if source.data is not None else source.path, infer_schema_length=None)
    except polars.exceptions.PolarsError:
        return None
    except BaseException as error:  # polars' own panics are not Exceptions
        if type(error).__name__ == "PanicException":
            return None
        raise
    nested = [series for series in frame.get_columns() if series.dtype.is_nested()]
    kept = column_names(frame.columns) == frame.columns and all(
        _are_turns(series.dtype) and not _mixes(series) for series in nested
    )
    return _with_plain_texts(frame, source) if kept else None


def _with_plain_texts(frame: polars.DataFrame, source: Source) -> polars.DataFrame | None:
    """The frame with its scalars as text. A column that has a number with a point is read again: polars makes one kind
    of all its numbers, so that 1 becomes 1.0 beside 0.5. None where one of them is beyond what can be held, or where an
    object has a key twice, of which polars keeps one."""
    texts: dict[str, list] = {series.name: [] for series in frame.get_columns() if series.dtype.is_float()}
    if not texts and sum(map(most_keys, _blocks(source))) <= _keys_kept(frame):
        return scalars_to_text(frame)
    broken: list[tuple[int, Message]] = []
    for block in _blocks(source):
        rows = _rows(block, 0, broken)
        for name, values in texts.items():
            values += [row.get(name) for row in rows]
    if broken:
        return None
    try:
        return scalars_to_text(frame.with_columns([_column(name, values) for name, values in texts.items()]))
    except _NotFlat:
        return None


def _keys_kept(frame: polars.DataFrame) -> int:
    """The number of non-null values in a frame of turns: equal to those written, if nothing is null or duplicate."""
    count = 0
    for series in frame.get_columns():
        count += series.len() - series.null_count()
        if _are_turns(series.dtype):
            turns = series.explode().drop_nulls()
            fields = [turns.struct.field(field.name) for field in series.dtype.inner.fields]
            count += sum(field.len() - field.null_count() for field in fields)
    return count


def _are_turns(dtype: polars.DataType) -> bool:
    """Lists of flat objects with a speaker. For other nested values polars uses one type for all rows. It fills missing
    keys with nulls and turns a number beside a text into a text, which changes the file's values."""
    if not isinstance(dtype, polars.List) or not isinstance(dtype.inner, polars.Struct):
        return False
    fields = dtype.inner.fields
    return any(field.name in ("role", "from") for field in fields) and not any(
        field.dtype.is_nested() for field in fields
    )


def _is_deep(chunk: bytes) -> bool:
    """Whether a line nests brackets deeper than `DEEPEST`; polars' time and memory double with every few levels."""
    data = numpy.frombuffer(chunk, dtype=numpy.uint8)
    steps = ((data == 91) | (data == 123)).astype(numpy.int8) - ((data == 93) | (data == 125)).astype(numpy.int8)
    depth = numpy.cumsum(steps, dtype=numpy.int32)
    starts = numpy.concatenate(([0], numpy.flatnonzero(data == 10) + 1))
    starts = starts[starts < len(data)]
    before = numpy.where(starts > 0, depth[numpy.maximum(starts - 1, 0)], 0)
    return bool((numpy.maximum.reduceat(depth, starts) - before).max() > DEEPEST) if len(starts) else False


def _mixes(series: polars.Series) -> bool:
    """Whether texts in a nested column begin like JSON; polars writes a list as text if other rows have a text."""
    if isinstance(series.dtype, (polars.List, polars.Array)):
        return _mixes(series.explode())
    if isinstance(series.dtype, polars.Struct):
        return any(_mixes(series.struct.field(field.name)) for field in series.dtype.fields)
    return series.dtype == polars.String and bool(series.str.contains(r"^\s*[\[{]").any())
