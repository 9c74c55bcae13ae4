"""Our folder is readable by its user alone: it holds people's rows, their adapters and the embedded Hub's token.

Whoever starts (the shell, the page, a run's process) calls `keep_private` before anything is written; children inherit
it.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from lora_hub.core import settings

USER_ALONE = 0o077  # the rights that are taken from everything that is written
# Everything that may lie in our folder. LORA_HUB_HOME may name one that holds other things too; those stay as they are.
OURS = ("datasets", "people", "runs", "tests", "comparisons", "composed", "matrix", "hub", "cache", "organization.json")
OURS += ("kept.json", "errors.log")


def keep_private() -> int:
    """From here on, this process and its children write files that only this user can read. An older folder of ours is
    tightened; returns how many files and folders were open to others."""
    os.umask(USER_ALONE)
    home = settings.home()
    if not home.is_dir():
        return 0
    tops = [path for name in OURS if _is_open(path := home / name)]
    if _is_open(home) and {path.name for path in home.iterdir() if path.name[0] != "."} <= set(OURS):
        tops = [home]
    # A folder is closed after all that is in it, so that one that was interrupted is seen again at the next start.
    found = [path for top in tops for path in (*_below(top), top) if _is_open(path)]
    for path in found:
        _tighten(path)
    return len(found)


def _below(top: Path) -> Iterator[Path]:
    """Everything in a folder, at any depth; links are not followed."""
    for folder, folders, files in os.walk(top):
        yield from (Path(folder, name) for name in (*folders, *files))


def _is_open(path: Path) -> bool:
    """Whether others have rights on something that is this user's to change."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    is_link = stat.S_ISLNK(found.st_mode)
    return not is_link and bool(found.st_mode & USER_ALONE) and os.geteuid() in (0, found.st_uid)


def _tighten(path: Path) -> None:
    try:
        path.chmod(path.lstat().st_mode & ~USER_ALONE & 0o7777)
    except FileNotFoundError:  # the embedded Hub's files come and go
        return
