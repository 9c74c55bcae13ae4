"""The files that several others were put together to. Nobody brought them: they belong to the runs that were made of
them, and without one they are removed after a while.

kept = keep_combined(text, "a_b.jsonl")     stored as `store.add_text` does, and marked
is_combined(kept)                  True, until somebody brings the very same file
still_needed(kept)                 False where it is gone; else nobody removes it within the next minutes

Whose a file is, and whether it goes, is decided under a lock: the very same file may be brought at that moment.
"""

import contextlib
import os
from contextlib import AbstractContextManager
from pathlib import Path

from lora_hub.core import file_lock, settings, store

# Beside such a file, with its name: the same bytes may have been brought under another one.
COMBINED_MARK = ".together"


def keep_combined(text: str, name: str, owner: str = "") -> Path:
    """Stores the text of a combined file, and marks it unless somebody has brought the same one. Raises DataError."""
    with _alone():
        had = set(settings.datasets_dir(owner).glob("*/*"))
        kept = store.add_text(text, name, owner)
        if kept not in had:
            store.write_text(kept.parent / COMBINED_MARK, kept.name)
        still_needed(kept)
    return kept


def _alone() -> AbstractContextManager[None]:
    lock = settings.home() / "cache" / "together.lock"
    with store.disk_errors(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
    return file_lock.alone(lock)


def is_combined(file: Path) -> bool:
    try:
        return (file.parent / COMBINED_MARK).read_text(encoding="utf-8") == file.name
    except OSError:
        return False


def mark_brought(file: Path) -> bool:
    """Somebody brought this stored file themselves, too. Returns whether it is there: it may have been removed just
    before, and has to be stored again then."""
    with _alone():
        if is_combined(file):
            (file.parent / COMBINED_MARK).unlink(missing_ok=True)
        return file.is_file()


def remove_combined(file: Path, before: float) -> bool:
    """Removes a combined file unless somebody has brought or needed it since then (UTC seconds). Returns whether it
    did."""
    with _alone():
        try:
            if not is_combined(file) or file.stat().st_mtime >= before:
                return False
            file.unlink()
        except FileNotFoundError:
            return False
        (file.parent / COMBINED_MARK).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty: the same bytes came under another name, too
            file.parent.rmdir()
    return True


def still_needed(file: Path) -> bool:
    """Whether it is there. Then it counts as opened now."""
    try:
        os.utime(file)
    except FileNotFoundError:
        return False
    return True
