"""The files that several others were put together to. Nobody brought them: they belong to the runs that were made of
them, and without one they are removed after a while.

kept = keep_combined(text, "a_b.jsonl")     stored as `store.add_text` does, and marked
is_combined(kept)                  True, until somebody brings the very same file
still_needed(kept)                 False where it is gone; else nobody removes it within the next minutes
"""

import os
from pathlib import Path

from lora_hub.core import settings, store

# Beside such a file, with its name: the same bytes may have been brought under another one.
COMBINED_MARK = ".together"


def keep_combined(text: str, name: str, owner: str = "") -> Path:
    """Stores the text of a combined file, and marks it unless somebody has brought the same one. Raises DataError."""
    had = set(settings.datasets_dir(owner).glob("*/*"))
    kept = store.add_text(text, name, owner)
    if kept not in had:
        store.write_text(kept.parent / COMBINED_MARK, kept.name)
    still_needed(kept)
    return kept


def is_combined(file: Path) -> bool:
    try:
        return (file.parent / COMBINED_MARK).read_text(encoding="utf-8") == file.name
    except OSError:
        return False


def mark_brought(file: Path) -> None:
    """Somebody brought this file themselves, too."""
    if is_combined(file):
        (file.parent / COMBINED_MARK).unlink(missing_ok=True)


def still_needed(file: Path) -> bool:
    """Whether it is there. Then it counts as opened now."""
    try:
        os.utime(file)
    except FileNotFoundError:
        return False
    return True
