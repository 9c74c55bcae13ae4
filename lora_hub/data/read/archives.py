"""Compressed files: gz, bz2, xz, zst and lz4 of one file; zip and tar of several. They are unpacked in memory, never to
disk under a name from the archive, and never beyond the limit. `archive_members` decides which members are the train
and the test file."""

import bz2
import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.data.read.source import CHUNK, Source

# What the libraries raise for a damaged archive.
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    IndexError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    OverflowError,
)
MAX_MEMBERS = 200_000
ZIP = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True)
class Member:
    """A file in an archive. `name`: with its folders; `read(limit)`: at most that many bytes of it."""

    name: str
    size: int
    read: Callable[[int], bytes]
    locked: bool = False

    @property
    def base(self) -> str:
        return PurePosixPath(self.name).name


def packing(head: bytes) -> str:
    """gz, bz2, xz, lzma, zstd or lz4 by the first bytes; empty if it is none of them."""
    if head[:2] == b"\x1f\x8b":
        return "gz"
    if head[:3] == b"BZh" and head[4:10] == b"1AY&SY":
        return "bz2"
    if head[:6] == b"\xfd7zXZ\0":
        return "xz"
    if head[:4] == b"\x5d\0\0\x80" and head[4:13].endswith(b"\xff") or head[:5] == b"\x5d\0\0\x80\0":
        return "lzma"
    return {b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}.get(head[:4], "")


def unpack(source: Source, kind: str, limit: int) -> Source:
    """The single file in it. Raises DataError if it is damaged or unpacks to more than `limit` bytes."""
    parts, size = [], 0
    try:
        with source.open() as packed, _reader(packed, kind) as file:
            while part := file.read(CHUNK):
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise _too_large(source, limit)
    except DAMAGED as error:
        raise damaged(source, error) from None
    return Source(re.sub(r"\.(gz|bz2|xz|lzma|zst|zstd|lz4)$", "", source.name), data=b"".join(parts))


def _reader(packed: BinaryIO, kind: str) -> BinaryIO:
    if kind == "gz":
        return gzip.GzipFile(fileobj=packed)
    if kind == "bz2":
        return bz2.BZ2File(packed)
    if kind in ("xz", "lzma"):
        return lzma.LZMAFile(packed)
    import pyarrow

    return pyarrow.CompressedInputStream(pyarrow.PythonFile(packed, mode="r"), kind)


def check_size(source: Source, limit: int) -> None:
    """Raises DataError if a zip (a workbook is one) declares more than `limit` unpacked bytes."""
    try:
        with source.open() as file, zipfile.ZipFile(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > limit:
                raise _too_large(source, limit)
    except DAMAGED as error:
        raise damaged(source, error) from None


def is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


@contextmanager
def open_members(source: Source, limit: int) -> Iterator[list[Member]]:
    """The files of a zip or tar, to be read inside the `with`. Skips folders, links and devices. Raises DataError for a
    damaged archive and for one that unpacks to more than `limit` bytes."""
    try:
        with source.open() as file:
            if is_tar(source.head(512)):
                with tarfile.open(fileobj=io.BytesIO(file.read()), mode="r:") as archive:
                    members = [_of_tar(archive, member) for member in archive.getmembers() if member.isreg()]
                    _check(source, members, limit)
                    yield members
            else:
                with zipfile.ZipFile(file) as archive:
                    members = [_of_zip(archive, member) for member in archive.infolist() if not member.is_dir()]
                    _check(source, members, limit)
                    yield members
    except DAMAGED as error:
        raise damaged(source, error) from None


def _check(source: Source, members: list[Member], limit: int) -> None:
    if len(members) > MAX_MEMBERS:
        raise DataError(
            _("The archive {name} holds {count:,} files."),
            _("At most {most:,} files can be read."),
            name=source.name,
            count=len(members),
            most=MAX_MEMBERS,
        )
    if sum(member.size for member in members) > limit:
        raise _too_large(source, limit)


def _of_zip(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Member:
    def read(limit: int) -> bytes:
        with archive.open(member) as file:
            return _bounded(file, member.filename, limit)

    return Member(member.filename, member.file_size, read, locked=bool(member.flag_bits & 1))


def _of_tar(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Member:
    def read(limit: int) -> bytes:
        with archive.extractfile(member) as file:
            data = _bounded(file, member.name, limit)
        if len(data) < member.size:
            raise EOFError(f"{member.name} ends too early")
        return data

    return Member(member.name, member.size, read)


def _bounded(file: BinaryIO, name: str, limit: int) -> bytes:
    data = file.read(limit + 1)
    if len(data) > limit:
        raise _too_large(Source(name, data=b""), limit)
    return data


def _too_large(source: Source, limit: int) -> DataError:
    return DataError(
        _("{name} unpacks to more than {limit} MB."),
        _("Use a smaller file, or raise LORA_HUB_MAX_UPLOAD_MB."),
        name=source.name,
        limit=limit // 1_000_000,
    )


def damaged(source: Source, error: Exception) -> DataError:
    reason = (str(error) or type(error).__name__).splitlines()[0][:200].rstrip(".")
    head = source.head(4096)
    if b"[Content_Types].xml" in head or b"xl/" in head:
        return DataError(
            _("The workbook {name} is damaged: {reason}."),
            _("Open it, save it again as .xlsx, and drop it again."),
            name=source.name,
            reason=reason,
        )
    return DataError(
        _("The archive {name} is damaged: {reason}."),
        _("Make the archive again."),
        name=source.name,
        reason=reason,
    )
