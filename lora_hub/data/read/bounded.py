"""Reads visitors' files in a process of their own, with limits on time and memory.

The readers limit what they can before reading. A file that still takes too much ends that process; its owner gets an
error, and the app goes on. Only one file per person is read at a time.

    reader = BoundedReader()
    reader(path, encoding="", sheet="")      as `read.read_table`

`python -m lora_hub.data.read.bounded PATH READING RESULT` is the child process.
"""

import json
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from lora_hub.core import store
from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.data.read.read import Table, read_table

CPU_SECONDS, WALL_SECONDS = 60, 180.0
MEMORY_BYTES = 4 << 30  # of address space; the libraries alone take 1 GiB
# A plain file up to this size is always quick to read; a compressed one may unpack to any size.
SMALL_BYTES = 256 << 10
PACKED = (b"PK", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z", b"Rar!", b"PAR1", b"ARROW1", b"\xd0\xcf")
# How many files are read at once, and how long to wait for the same person's other file or a free place.
MOST_AT_ONCE, WAIT_SECONDS = 2, 30.0
NO_MEMORY = 3  # exit status
_ROOT = Path(__file__).parents[3]


class BoundedReader:
    """Reads like `read_table`. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading: dict[str, threading.Lock] = {}  # by the file's owner
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)

    def __call__(self, path: Path, **reading: Any) -> Table:
        """Raises DataError like `read_table`, and if the file exceeds the limits."""
        path = Path(path)
        if not path.is_file() or _is_small(path):
            return read_table(path, **reading)
        with self._lock:
            mine = self._reading.setdefault(store.dataset_owner(path), threading.Lock())
        if not mine.acquire(timeout=WAIT_SECONDS):
            raise DataError(_("Another file of yours is still being read."), _("Wait until it is done."))
        try:
            if not self._places.acquire(timeout=WAIT_SECONDS):
                raise DataError(_("Many files are being read at the moment."), _("Try again in a minute."))
            try:
                return _read(path, reading)
            finally:
                self._places.release()
        finally:
            mine.release()


def _is_small(path: Path) -> bool:
    if path.stat().st_size > SMALL_BYTES:
        return False
    with path.open("rb") as file:
        return not file.read(8).startswith(PACKED)


def _read(path: Path, reading: dict[str, Any]) -> Table:
    with tempfile.TemporaryDirectory(prefix="lora-hub-read-") as folder:
        result = Path(folder) / "result"
        command = [sys.executable, "-m", "lora_hub.data.read.bounded", str(path), json.dumps(reading), str(result)]
        try:
            ended = subprocess.run(
                command,
                cwd=_ROOT,
                env=_environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=WALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            ended = None
        if ended is not None and ended.returncode == 0:
            found = pickle.loads(result.read_bytes())  # our own program wrote it
            if isinstance(found, DataError):
                raise found
            # a result that cannot be pickled is read again here, which takes no more than it just did
            return found if found is not None else read_table(path, **reading)
        if ended is not None and ended.returncode not in (NO_MEMORY,) and ended.returncode > 0:
            raise RuntimeError(f"reading {path.name} failed: {ended.stderr.decode(errors='replace')[-4000:]}")
    raise DataError(
        _("{name} takes more than {seconds} seconds or {memory} GB of memory to be read."),
        _("Upload a part of it, or save it as CSV or as JSON lines."),
        name=path.name,
        seconds=CPU_SECONDS,
        memory=MEMORY_BYTES >> 30,
    )


def _environment(folder: str) -> dict[str, str]:
    """Only those of our variables that a file's reader needs."""
    kept = ("PATH", "LANG", "SYSTEMROOT", "TZ", "LORA_HUB_HOME", "LORA_HUB_MAX_UPLOAD_MB")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    threads = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return environment | threads | {"PYTHONPATH": str(_ROOT), "TMPDIR": folder}


def main(path: str, reading: str, result: str) -> int:
    """Reads the file within the limits and writes the result."""
    try:
        import resource

        for name, most in (("RLIMIT_AS", MEMORY_BYTES), ("RLIMIT_CPU", CPU_SECONDS), ("RLIMIT_CORE", 0)):
            resource.setrlimit(getattr(resource, name), (most, most))
        os.nice(5)
    except ImportError:  # without it the parent process still ends a reader that takes too long
        pass
    try:
        found: Any = read_table(Path(path), **json.loads(reading))
    except DataError as error:
        found = error
    except MemoryError:
        return NO_MEMORY
    try:
        whole = pickle.dumps(found)
    except Exception:  # a column of Python's own objects: polars does not write such
        whole = pickle.dumps(None)
    Path(result).write_bytes(whole)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
