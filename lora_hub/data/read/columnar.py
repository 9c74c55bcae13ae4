"""Reads Parquet and Arrow files. Class numbers become class names if the file contains the names (datasets'
ClassLabel)."""

import json

import polars

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import Problem
from lora_hub.data.read.headers import name_columns
from lora_hub.data.read.json_rows import flatten_known
from lora_hub.data.read.source import Source
from lora_hub.data.tables.limits import check_size
from lora_hub.data.tables.table import Table, scalars_to_text


def begins(source: Source, start: bytes) -> bool:
    return _is_parquet(start) or start[:6] == b"ARROW1" or start[:4] == b"\xff\xff\xff\xff"


def read(source: Source, options: dict) -> Table:
    return (read_parquet if _is_parquet(source.head(4)) else read_arrow)(source, limit=options["limit"])


def _is_parquet(start: bytes) -> bool:
    return start[:4] == b"PAR1"


def read_parquet(source: Source, *, limit: int) -> Table:
    """Raises DataError for a damaged file or one that unpacks to more than `limit` bytes."""
    import pyarrow
    from pyarrow import parquet

    try:
        with source.open() as file:
            footer = parquet.ParquetFile(file)
            unpacked = sum(footer.metadata.row_group(i).total_byte_size for i in range(footer.metadata.num_row_groups))
            _check(source, footer.metadata.num_rows, len(footer.schema_arrow.names), unpacked, limit)
            names = _class_names(footer.schema_arrow.metadata)
            if len(set(footer.schema_arrow.names)) < len(footer.schema_arrow.names):
                table = footer.read()
                frame = polars.from_arrow(table.rename_columns(name_columns(table.column_names)[0]))
            else:
                frame = polars.read_parquet(source.path if source.data is None else source.open())
    except (pyarrow.ArrowException, polars.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        raise _damaged(source, "Parquet", error) from None
    return _table(frame, "parquet", names)


def read_arrow(source: Source, *, limit: int) -> Table:
    """Reads an Arrow file or stream (the format `datasets` keeps on disk)."""
    import pyarrow
    from pyarrow import ipc

    try:
        with source.open() as file:
            reader = ipc.open_file(file) if source.head(6) == b"ARROW1" else ipc.open_stream(file)
            names = _class_names(reader.schema.metadata)
            table = reader.read_all()
        # Without this, a damaged file's false lengths are trusted, and the process is killed when they are used.
        table.validate(full=True)
        _check(source, table.num_rows, table.num_columns, table.nbytes, limit)
        if len(set(table.column_names)) < table.num_columns:
            table = table.rename_columns(name_columns(table.column_names)[0])
        frame = polars.from_arrow(table)
    except (pyarrow.ArrowException, polars.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        raise _damaged(source, "Arrow", error) from None
    return _table(frame, "arrow", names)


def _damaged(source: Source, kind: str, error: Exception) -> DataError:
    reason = str(error).splitlines()[0][:200].rstrip(".") if str(error) else type(error).__name__
    if "not supported" in reason or "unsupported" in reason.lower():
        return DataError(
            _("The {kind} file {name} has a column of a kind that cannot be read: {reason}."),
            _("Save that column as text."),
            kind=kind,
            name=source.name,
            reason=reason,
        )
    return DataError(
        _("The {kind} file {name} is damaged: {reason}."),
        _("Write the file again."),
        kind=kind,
        name=source.name,
        reason=reason,
    )


def _check(source: Source, rows: int, columns: int, unpacked: int, limit: int) -> None:
    check_size(source.name, rows=rows, columns=columns)
    if unpacked > 4 * limit:
        raise DataError(
            _("{name} unpacks to {unpacked} MB."),
            _("At most {limit} MB are read."),
            name=source.name,
            unpacked=unpacked // 1_000_000,
            limit=4 * limit // 1_000_000,
        )


def _class_names(metadata: dict | None) -> dict[str, list[str]]:
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    except ValueError:
        return {}
    return {
        name: feature["names"]
        for name, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
    }


def _table(frame: polars.DataFrame, kind: str, names: dict[str, list[str]]) -> Table:
    problems = []
    for column, labels in names.items():
        if column in frame.columns and frame.schema[column].is_integer():
            frame = frame.with_columns(
                frame[column].replace_strict(dict(enumerate(labels)), default=None).cast(polars.String)
            )
            said = _(
                "The numbers of {column!r} were read as the class names that the file gives: {names}.",
                column=column,
                names=several(labels, most=5),
            )
            problems.append(Problem(code="class-names", severity="info", said=said))
    frame, dropped = _without_bytes(frame)
    if dropped:
        if not frame.width:
            raise DataError(
                _("The file holds nothing but columns of bytes ({dropped}), such as images or sound."),
                _("Only texts can be learned: add a column of text."),
                dropped=several(dropped, most=5),
            )
        said = _("Columns of bytes were left out: {columns}.", columns=several(dropped, most=5))
        problems.append(Problem(code="binary-columns", severity="warning", count=len(dropped), said=said))
    return Table(flatten_known(scalars_to_text(frame)), kind, problems=problems)


def _without_bytes(frame: polars.DataFrame) -> tuple[polars.DataFrame, list[str]]:
    """Byte columns that are all UTF-8 become text; the others (images, sound) are dropped and reported."""
    dropped, texts = [], []
    for series in frame.get_columns():
        if series.dtype == polars.Binary:
            try:
                texts.append(series.cast(polars.String))
            except polars.exceptions.PolarsError:
                dropped.append(series.name)
        elif _holds_bytes(series.dtype):
            dropped.append(series.name)
    return frame.drop(dropped).with_columns(texts), dropped


def _holds_bytes(dtype: polars.DataType) -> bool:
    """Whether a nested column contains bytes anywhere, as in a list of images."""
    if isinstance(dtype, polars.Struct):
        return any(_holds_bytes(field.dtype) for field in dtype.fields)
    return _holds_bytes(dtype.inner) if isinstance(dtype, (polars.List, polars.Array)) else dtype == polars.Binary
