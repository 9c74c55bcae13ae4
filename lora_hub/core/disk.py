"""Messages about this machine's disk: why a write failed (a full disk, a read-only disk, a folder without permission).
Also hides local paths from visitors.

with disk_errors(path): ...        raises LoraHubError
explain_disk(error, folder)        None where the error says something else
expand("~/x")                      /home/me/x
without_places("/data/lora_hub/people/will/datasets/ab/rows.csv is damaged.")     "rows.csv is damaged.", for visitors
"""

import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lora_hub.core import settings
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _

FULL = (errno.ENOSPC, errno.EDQUOT)
# With less free space than this, a failed write is blamed on the full disk.
FULL_DISK_BYTES = 8 * 1024 * 1024
# System folders, which hold nobody's dataset.
_SYSTEM = ("/bin", "/dev", "/etc", "/lib", "/opt", "/proc", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var")


def expand(path: str | Path) -> Path:
    """A path whose ~ or ~NAME in front is that home; one of somebody whom this machine does not know stays as it is,
    where Path.expanduser raises: names that people type, or strangers wrote, may begin so."""
    return Path(os.path.expanduser(path))


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns the error of a full or read-only disk into a LoraHubError."""
    try:
        yield
    except OSError as error:
        told = explain_disk(error, path if path.is_dir() else path.parent)
        if told is None:
            raise
        raise told from error


def explain_disk(error: OSError, path: Path) -> LoraHubError | None:
    """Why nothing can be written in the folder `path`, in words; None if the error has another cause."""
    if error.errno in FULL:
        return disk_is_full(path)
    # the folder does not exist and could not be created (below /proc, say), or a file has its name
    is_missing = not path.is_dir() and error.errno in (errno.ENOTDIR, errno.EEXIST, errno.ENOENT)
    if is_missing or error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return LoraHubError(
            _("{path} cannot be written: {reason}."),
            _("Give this user the right to write there, or set LORA_HUB_HOME to another folder."),
            path=path,
            reason=error.strerror,
        )
    return None


def explain_home(error: OSError) -> LoraHubError | None:
    """The same for an error about our own folder, whatever code raised it; None if the error is about something
    else."""
    names = [str(name) for name in (error.filename, error.filename2) if isinstance(name, str | os.PathLike)]
    home = settings.home()
    beside = any(home.is_relative_to(name) or Path(name).is_relative_to(home) for name in names)
    return explain_disk(error, home) if beside else None


def is_disk_full() -> bool:
    """Whether the disk of our home folder has almost no space left."""
    home = settings.home()
    return shutil.disk_usage(next(part for part in (home, *home.parents) if part.exists())).free < FULL_DISK_BYTES


def disk_is_full(path: Path, *, ended_run: bool = False) -> LoraHubError:
    """The error for a full disk that holds `path`. ended_run: it ended a run, which can be resumed."""
    advice = _("Free some space there, or set LORA_HUB_HOME to another disk.")
    if ended_run:
        advice = _("Free some space there, then resume the run: it goes on from its last checkpoint.")
    return LoraHubError(_("The disk that holds {path} is full."), advice, path=path)


def without_places(text: str) -> str:
    """The text with each path in one of this machine's folders cut to its last part."""
    if "/" not in text:
        return text
    roots = "|".join(map(re.escape, sorted(_roots(), key=len, reverse=True)))
    return re.sub(rf"(?<![\w./~-])(?:{roots})(?![\w.-])(?:/[^\s'\"«»<>,;:()\[\]{{}}|\u2066-\u2069]*)?", _last, text)


def _last(found: re.Match) -> str:
    return found[0].rstrip("/").rpartition("/")[2]


def _roots() -> set[str]:
    known = [settings.home(), Path.home(), Path.cwd(), Path(__file__).parents[2], tempfile.gettempdir()]
    known += [sys.prefix, sys.base_prefix, os.environ.get("HF_HOME"), os.environ.get("HF_HUB_CACHE")]
    return {str(one) for one in (*known, *_SYSTEM) if one and str(one).count("/") and len(str(one)) > 1}
