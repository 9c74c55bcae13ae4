"""gz and zip: unpacked in memory, never to disk by a name from the archive, and never past the limit."""

import gzip
import lzma
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from lora_hub.data.source import CHUNK, Source
from lora_hub.errors import DataError
from lora_hub.schema import Problem

TRAIN = re.compile(r"(?:^|[^a-z])(train|training|learn)(?:[^a-z]|$)")
TEST = re.compile(r"(?:^|[^a-z])(test|testing|eval|evaluation|heldout|held_out|holdout)(?:[^a-z]|$)")
VALIDATION = re.compile(r"(?:^|[^a-z])(valid|validation|val|dev)(?:[^a-z]|$)")
NOT_DATA = re.compile(r"(^|/)(__macosx/|\.|readme|license|licence|thumbs\.db|desktop\.ini)|\.(md|png|jpg|pdf|py|html?)$")


# What a damaged zip makes zipfile raise.
DAMAGED = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, KeyError, struct.error, zlib.error,
    lzma.LZMAError,
)  # fmt: skip


@dataclass
class Members:
    """What a zip holds: the file to train on and, where there is one, the file to test on."""

    train: Source
    test: Source | None = None
    problems: list[Problem] = field(default_factory=list)


def unpack_gzip(source: Source, limit: int) -> Source:
    """Raises DataError where the file is damaged or unpacks to more than `limit` bytes."""
    parts, size = [], 0
    try:
        with source.open() as packed, gzip.GzipFile(fileobj=packed) as file:
            while part := file.read(CHUNK):
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise _too_large(source, limit)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(source, error) from None
    return Source(re.sub(r"\.gz$", "", source.name), data=b"".join(parts))


def check_size(source: Source, limit: int) -> None:
    """Raises DataError where a zip (a workbook is one) says that it unpacks to more than `limit` bytes."""
    try:
        with source.open() as file, zipfile.ZipFile(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > limit:
                raise _too_large(source, limit)
    except DAMAGED as error:
        raise damaged(source, error) from None


def unpack_zip(source: Source, limit: int, *, chosen: str = "") -> Members:
    """The data file of a zip, or its train and test files. `chosen`: a member's name. Raises DataError."""
    check_size(source, limit)
    try:
        with source.open() as file, zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir() and member.file_size]
            members = [member for member in members if not NOT_DATA.search(member.filename.lower())]
            if chosen:
                members = [member for member in members if member.filename == chosen] or members
            if not members:
                raise DataError(f"The archive {source.name} holds no data file.", "Put one file, or a train and a test file, in it.")
            if any(member.flag_bits & 1 for member in members):
                raise DataError(f"The archive {source.name} is protected with a password.", "Make it again without one.")
            train, test = _choose(members, source.name)
            found = Members(_member(archive, train, limit), _member(archive, test, limit) if test else None)
    except DAMAGED as error:
        raise damaged(source, error) from None
    told = f"Read {train.filename} to train on and {test.filename} to test on." if test else f"Read {train.filename}."
    left = [member.filename for member in members if member not in (train, test)]
    if left:
        told += f" Left out: {', '.join(left[:5])}."
    found.problems.append(Problem(code="archive", severity="info", message=told, count=len(members)))
    return found


def _choose(members: list[zipfile.ZipInfo], name: str) -> tuple[zipfile.ZipInfo, zipfile.ZipInfo | None]:
    if len(members) == 1:
        return members[0], None

    def stem(member: zipfile.ZipInfo) -> str:
        return PurePosixPath(member.filename).name.lower()

    train = [member for member in members if TRAIN.search(stem(member))]
    test = [member for member in members if TEST.search(stem(member))] or [m for m in members if VALIDATION.search(stem(m))]
    rest = [member for member in members if member not in train and member not in test]
    if len(test) == 1 and len(train) == 1:
        return train[0], test[0]
    if len(test) == 1 and not train and len(rest) == 1:
        return rest[0], test[0]
    names = ", ".join(member.filename for member in members[:8])
    raise DataError(
        f"The archive {name} holds {len(members)} files, and which to train on is not clear: {names}.",
        "Name them train and test, or drop one of them by itself.",
    )


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> Source:
    with archive.open(member) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise _too_large(Source(member.filename, data=b""), limit)
    return Source(PurePosixPath(member.filename).name, data=data)


def _too_large(source: Source, limit: int) -> DataError:
    return DataError(
        f"{source.name} unpacks to more than {limit >> 20} MB.", "Use a smaller file, or raise LORA_HUB_MAX_UPLOAD_MB."
    )


def damaged(source: Source, error: Exception) -> DataError:
    return DataError(f"The archive {source.name} is damaged: {error}.", "Make the archive again.")
