"""The bytes a reader works on: a file on disk, or data in memory from an archive or another encoding.

Readers use `chunks()` where they can, so that a 500 MB file is never in memory twice.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20


@dataclass
class Source:
    """Either `path` or `data`. `name`: the name shown to people."""

    name: str
    path: Path | None = None
    data: bytes | None = None

    @property
    def size(self) -> int:
        return len(self.data) if self.data is not None else self.path.stat().st_size

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data) if self.data is not None else self.path.open("rb")

    def head(self, size: int) -> bytes:
        with self.open() as file:
            return file.read(size)

    def read(self) -> bytes:
        return self.data if self.data is not None else self.path.read_bytes()

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        if self.data is not None:
            for start in range(0, len(self.data), size):
                yield self.data[start : start + size]
            return
        with self.path.open("rb") as file:
            while chunk := file.read(size):
                yield chunk
