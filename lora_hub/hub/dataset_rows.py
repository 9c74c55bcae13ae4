"""Rows that `datasets` streams, written as Parquet: class numbers become names, and no more comes than there is room
for.

Owns what is done to rows on their way; `dataset` owns which rows, and where they are kept.
"""

import json
import re
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _, _n

BATCH = 1000
TELL_SECONDS = 1.0
# Features of `datasets` that decode to something no language model of ours reads.
MEDIA = {
    "Image": _("images"),
    "Audio": _("audio"),
    "Video": _("videos"),
    "Pdf": _("PDF documents"),
    "Nifti": _("scans"),
    "Mesh": _("3D models"),
    "BioSequence": _("biological sequences"),
    "BioStructure": _("biological structures"),
}


def megabytes(size: int) -> Message:
    return _("{size:,.0f} MB", size=size / 1e6) if size >= 1e7 else _("{size:.2g} MB", size=size / 1e6)


def check_media(features: Any, repo_id: str) -> None:
    """Raises DataError where a column holds images, audio and the like. `features`: of `datasets`; None: not known
    yet."""
    for column, feature in (features or {}).items():
        _refuse_media(column, set(_kinds(feature)), repo_id)


def check_media_of_parquet(path: Path, repo_id: str) -> None:
    """The same for a Parquet file that `datasets` wrote and of which no card says what it holds."""
    from pyarrow import ArrowException, parquet

    try:
        metadata = parquet.read_schema(path).metadata or {}
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ArrowException, OSError, ValueError, KeyError, TypeError):
        return  # written by something else, or damaged: the reader of files tells
    for column, feature in features.items():
        _refuse_media(column, set(re.findall(r'"_type": "(\w+)"', json.dumps(feature))), repo_id)


def _refuse_media(column: str, kinds: set[str], repo_id: str) -> None:
    if media := sorted(kinds & set(MEDIA)):
        raise DataError(
            _("The column {column!r} of {dataset} holds {media}; adapters here are trained on text."),
            _("Choose a dataset of texts, or make one that has only the columns of text."),
            column=column,
            dataset=repo_id,
            media=MEDIA[media[0]],
        )


def has_class_names(features: Any) -> bool:
    return any("ClassLabel" in _kinds(feature) for feature in (features or {}).values())


def _kinds(feature: Any) -> Iterator[str]:
    """The names of the feature's types, those inside lists and structs too."""
    yield type(feature).__name__
    if isinstance(feature, dict):
        for inner in feature.values():
            yield from _kinds(inner)
    elif isinstance(feature, list | tuple):
        for inner in feature:
            yield from _kinds(inner)
    elif getattr(feature, "feature", None) is not None:
        yield from _kinds(feature.feature)


def write_rows(dataset: Any, path: Path, room: int, tell: Callable[[Message], None]) -> tuple[int, list[str]]:
    """Writes a streaming split (`datasets.IterableDataset`) to a Parquet file of at most `room` bytes.

    Returns the number of rows, and the columns of class names that have no value in any row, as in a test split whose
    answers its owner keeps. Raises DataError where there is no room, no row, or files do not agree on their columns.
    """
    from pyarrow import parquet

    parts: list[Path] = []  # one for each schema that came; nearly always one
    writer, schema, rows, unpacked, told, filled = None, None, 0, 0, time.monotonic(), {}
    try:
        for table in _batches(dataset):
            for name in [
                name for name, feature in (dataset.features or {}).items() if type(feature).__name__ == "ClassLabel"
            ]:
                filled[name] = filled.get(name, False) or table[name].null_count < table.num_rows
            if writer is None or table.schema != schema:
                if writer is not None:
                    writer.close()
                schema = table.schema
                parts.append(path.with_name(f"{path.stem}.{len(parts)}.part"))
                writer = parquet.ParquetWriter(parts[-1], schema, compression="zstd")
            writer.write_table(table)
            rows, unpacked = rows + table.num_rows, unpacked + table.nbytes
            size = sum(part.stat().st_size for part in parts)
            # Our reader unpacks at most four times what it lets in.
            if size > room or unpacked > 4 * room:
                raise DataError(
                    _("The rows are more than {room}, the limit: {rows:,} of them take {size}, {unpacked} unpacked."),
                    _("Choose a smaller config or split (owner/name:config/split), or raise LORA_HUB_MAX_UPLOAD_MB."),
                    room=megabytes(room),
                    rows=rows,
                    size=megabytes(size),
                    unpacked=megabytes(unpacked),
                )
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                tell(_n("{count:,} row", "{count:,} rows", count=rows))
    finally:
        if writer is not None:
            writer.close()
    if not rows:
        raise DataError(_("The split has no rows."), _("Choose another split (owner/name:config/split)."))
    _join(parts, path)
    return rows, [name for name, any_value in filled.items() if not any_value]


def _batches(dataset: Any) -> Iterator[Any]:
    """Arrow tables of the split. Where the columns' types are not known before, each file is read by itself: only so
    may one have numbers where another has none."""
    shards = (
        [dataset]
        if dataset.features
        else [dataset.shard(dataset.num_shards, index) for index in range(dataset.num_shards)]
    )
    for shard in shards:
        for table in shard.with_format("arrow").iter(batch_size=BATCH):
            yield _with_names(table, dataset.features)


def _with_names(table: Any, features: Any) -> Any:
    """The table with class names for class numbers, in lists and structs too; a number without a name is no value."""
    import polars
    import pyarrow

    for index, name in enumerate(table.column_names):
        change = _naming(polars.col(name), (features or {}).get(name))
        if change is not None:
            named = polars.from_arrow(pyarrow.table({name: table[name]})).select(change.alias(name)).to_arrow()
            table = table.set_column(index, name, named.column(0))
    return table.replace_schema_metadata(None)  # what it says of class numbers is true no more


def _naming(values: Any, feature: Any) -> Any:
    """A polars expression that names the class numbers below `values`; None where there are none."""
    import polars

    if type(feature).__name__ == "ClassLabel":
        return values.replace_strict(dict(enumerate(feature.names)), default=None, return_dtype=polars.String)
    if isinstance(feature, dict):
        fields = {name: _naming(polars.field(name), inner) for name, inner in feature.items()}
        fields = {name: change for name, change in fields.items() if change is not None}
        return values.struct.with_fields(**fields) if fields else None
    inner = getattr(feature, "feature", None)
    change = _naming(polars.element(), inner) if inner is not None else None
    return values.list.eval(change) if change is not None else None


def _join(parts: list[Path], path: Path) -> None:
    """One file of several whose schemas differ: a missing column is empty, and where types differ a wider one holds
    both."""
    import pyarrow
    from pyarrow import parquet

    if len(parts) == 1:
        parts[0].replace(path)
        return
    try:
        schema = _wider([parquet.read_schema(part) for part in parts])
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            for part in parts:
                for batch in parquet.ParquetFile(part).iter_batches(BATCH):
                    table = pyarrow.Table.from_batches([batch])
                    for name in schema.names:
                        if name not in table.column_names:
                            table = table.append_column(name, pyarrow.nulls(table.num_rows, schema.field(name).type))
                    writer.write_table(table.select(schema.names).cast(schema))
    except pyarrow.ArrowException as error:
        raise DataError(
            _("The files of the dataset do not agree on their columns: {reason}."),
            _("Paste the address of one of its files instead."),
            reason=str(error).splitlines()[0][:200],
        ) from error
    for part in parts:
        part.unlink()


def _wider(schemas: list[Any]) -> Any:
    """A schema that holds all of them; numbers here and text there are text, which is what our reader makes of them
    anyway."""
    import pyarrow

    fields = {}
    for field in (field for schema in schemas for field in schema):
        known = fields.setdefault(field.name, field)
        try:
            fields[field.name] = pyarrow.unify_schemas(
                [pyarrow.schema([known]), pyarrow.schema([field])], promote_options="permissive"
            ).field(0)
        except pyarrow.ArrowTypeError:
            if pyarrow.types.is_nested(known.type) or pyarrow.types.is_nested(field.type):
                raise
            fields[field.name] = pyarrow.field(field.name, pyarrow.large_string())
    return pyarrow.schema(list(fields.values()))


def join_lines(files: list[Path], path: Path) -> Path:
    """One JSON Lines file of several, in their order. Each is moved into it."""
    with path.open("wb") as target:
        for file in files:
            with file.open("rb") as source:
                if source.read(3) != b"\xef\xbb\xbf":
                    source.seek(0)
                shutil.copyfileobj(source, target, 1 << 20)
            target.write(b"\n")  # an empty line is none, and the last line of a file may not have ended
            file.unlink()
    return path


def zip_pair(train: Path, test: Path, path: Path, suffixes: tuple[str, str]) -> Path:
    """A zip of `train` and `test`, not compressed: they are already, or will be read at once. The same files give the
    same bytes, and so the same fingerprint. Both files are moved into it, one by one."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file, name in ((train, f"train{suffixes[0]}"), (test, f"test{suffixes[1]}")):
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.file_size = file.stat().st_size
            with file.open("rb") as source, archive.open(member, "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            file.unlink()
    return path
