"""The only module that touches our folders on disk, all below $LORA_HUB_HOME.

    datasets/<fingerprint>/{the file as it came}; people/<owner>/{datasets/<fingerprint>/, comparisons/}
    runs/<id>/{spec.json, events.jsonl, lock, log.txt, held_out.jsonl, examples.jsonl, checkpoints/, adapter/}
    runs/.line/ (turns.py: whose turn it is); comparisons/ (compare/kept/kept_files.py)
    tests/<id>/{spec.json, events.jsonl, lock, log.txt, rows.jsonl, problems.json, answers/, verdicts.jsonl,
    result.json}; composed/<id>/, matrix/, bases/, hub/, cache/, organization.json, kept.json

Files are written to a temporary name and renamed, so that nobody ever reads half of one.
"""

import difflib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_hub.core import events, run_lock, run_reader, settings
from lora_hub.core.disk import disk_errors as disk_errors
from lora_hub.core.errors import DataError, RunError
from lora_hub.core.messages import _, several
from lora_hub.core.privacy import keep_private as keep_private
from lora_hub.core.schema import DatasetInfo, Run, TrainSpec

# Folders inside a run's folder.
ADAPTER, CHECKPOINTS, PARENT = "adapter", "checkpoints", "parent"  # the last: the adapter that it goes on from
# The checkpoint of a run that is trained together with others (those of one alone are folders); the folder of those of
# settings that are tried at once, by their number, and the file there that says of one that it is out.
TOGETHER, SWEEP, DROPPED = "together.pt", "sweep", "dropped"
# Of a dataset: what an id of ours begins with, and the folder of its file is called (`dataset_fingerprint`).
FINGERPRINT = re.compile(r"[0-9a-f]{16}")
# Beside a stored file that could not be read.
REFUSED = ".refused"
NAMED_RUNS = 3  # if a name could mean several
_RUN_ID = re.compile(r"^[a-z0-9][a-z0-9._-]{0,120}$")


def write_text(path: Path, text: str) -> None:
    """Writes a file in one step: readers see the old content or the new, never a part."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def write_jsonl(path: Path, rows: list[Any]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


# --- datasets ---


def uploads_dir() -> Path:
    """Where the page's server puts uploads, before each becomes a dataset."""
    return settings.home() / "cache" / "uploads"


def fingerprint(path: Path) -> str:
    """First 16 hex digits of the sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def dataset_fingerprint(path: Path) -> str:
    """`fingerprint` of a dataset's file; a stored file's folder is named after it."""
    path = Path(path)
    return path.parent.name if _owner_of(path) is not None else fingerprint(path)


def dataset_owner(path: Path) -> str:
    """Who owns a stored file: the name of a signed-in person; "" for the local user and for any other file."""
    return _owner_of(Path(path)) or ""


def _owner_of(path: Path) -> str | None:
    """As `dataset_owner`; None for a file that is not stored."""
    folder = path.parent.parent
    if folder == settings.datasets_dir():
        return ""
    is_persons = folder.name == "datasets" and folder.parent.parent == settings.people_dir()
    return folder.parent.name if is_persons else None


def add_dataset(path: Path, name: str = "", owner: str = "") -> Path:
    """Stores a copy of an uploaded file and returns its path, because the upload may be deleted at any time.

    owner: the signed-in person who uploaded it. Everybody has their own copy, since a fingerprint is a name and not a
    permission. A file that is stored already is not copied again. Raises DataError if there is no such file or it is
    too large.
    """
    path = Path(path)
    is_kept = _owner_of(path) is not None if not owner else _owner_of(path) == owner
    if is_kept and path.is_file() and path.name == _safe_name(name or path.name):
        return path
    if not path.is_file():
        raise DataError(_("There is no file {path!r}."), _("Check the path, or upload the file again."), path=path)
    size, most = path.stat().st_size, settings.max_upload_bytes()
    if size > most:
        raise DataError(
            _("{name} is {size:.0f} MB; the limit is {limit:.0f} MB."),
            _("Upload a part of it, or raise LORA_HUB_MAX_UPLOAD_MB."),
            name=name or path.name,
            size=size / 1e6,
            limit=most / 1e6,
        )
    folder = _datasets_of(owner or dataset_owner(path)) / fingerprint(path)
    kept = folder / _safe_name(name or path.name)
    if not kept.exists():
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            temporary = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}")
            try:
                shutil.copyfile(path, temporary)
                temporary.replace(kept)
            finally:
                temporary.unlink(missing_ok=True)
    return kept


def _datasets_of(owner: str) -> Path:
    return settings.datasets_dir(check_owner_name(owner))


def check_owner_name(owner: str) -> str:
    """The name, unchanged. Raises DataError if it cannot belong to a person, because it becomes part of a path."""
    if owner and not settings.NAMESPACE.fullmatch(owner):
        raise DataError(_("{owner!r} can be nobody's name."), _("Sign in again."), owner=owner[:100])
    return owner


def add_text(text: str, name: str, owner: str = "") -> Path:
    """Stores a pasted text as a file and returns its path. Raises DataError if it is empty."""
    if not text.strip():
        raise DataError(_("Nothing was pasted."), _("Copy a table, its header with it, and paste it here."))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pasted"
        file.write_text(text, encoding="utf-8", errors="replace")
        return add_dataset(file, name, owner)


def reserve_room(owner: str, size: int) -> Path:
    """A file that counts as `size` bytes of a person's, and takes none of the disk (it is sparse). Whoever has written
    what it stands for removes it."""
    folder = _datasets_of(owner)
    reserved = folder / f".room.{secrets.token_hex(8)}"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with reserved.open("wb") as file:
            file.truncate(size)
    return reserved


def dataset_file(info: DatasetInfo) -> Path:
    """The stored file of a dataset, the owner's own copy. Raises DataError if it is gone."""
    folder = _datasets_of(info.owner) / info.fingerprint
    kept = folder / _safe_name(info.name)
    if not kept.is_file():
        others = [file for file in folder.glob("*") if not file.name.startswith(".")] if folder.is_dir() else []
        if not others:
            raise DataError(
                # Where that is concerns only who sits at this machine.
                _("The dataset {name!r} ({fingerprint}) is no longer here.")
                if info.owner
                else _("The dataset {name!r} ({fingerprint}) is no longer in {folder}."),
                _("Upload it again."),
                name=info.name[:200],
                fingerprint=info.fingerprint,
                folder=folder.parent,
            )
        kept = others[0]
    return kept


def mark_refused(path: Path, refused: bool) -> None:
    """Notes at a stored file that it could not be read, or that it could: one that could not is not kept for long."""
    if _owner_of(path) is None:
        return
    mark = path.parent / REFUSED
    if refused and path.parent.is_dir():
        mark.touch()
    elif not refused:
        mark.unlink(missing_ok=True)


def _safe_name(name: str) -> str:
    cleaned = re.sub(r"[^\w.\- ]", "_", Path(name).name).strip(" .")
    return cleaned[-100:] or "dataset"


# --- runs ---

# Disk space that a worker reserves, to report its end on a full disk.
RESERVE, RESERVE_BYTES = ".reserve", 64 * 1024


def create_run(spec: TrainSpec, before_seen: Callable[[Path], Any] = lambda folder: None) -> str:
    """Makes a run's folder with its `spec.json` and returns the run's id: task, time, four random digits. The folder
    appears with its spec or not at all. before_seen: called with the folder before it becomes visible."""
    while True:
        run_id = f"{spec.task.id}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
        folder = settings.runs_dir() / run_id
        making = folder.with_name(f".{run_id}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            with disk_errors(folder):
                making.mkdir(parents=True)
                write_json(making / "spec.json", spec.model_dump(mode="json"))
                before_seen(making)
                try:
                    making.rename(folder)
                except OSError as error:
                    if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                        raise
                    continue  # another run in the same second drew the same digits
            return run_id
        finally:
            shutil.rmtree(making, ignore_errors=True)


def remove_run(run_id: str) -> None:
    """Removes a run's folder. It is out of every list at once, also where the removal is cut off halfway: what is left
    then has a hidden name, and is collected later."""
    folder = run_folder(run_id)
    gone = folder.with_name(f".{run_id}.{secrets.token_hex(4)}")
    with disk_errors(folder):
        folder.rename(gone)
        shutil.rmtree(gone)


def remove_checkpoints(run_id: str) -> None:
    """Removes what only a resume needs. For a run that has succeeded, by whoever holds its lock."""
    for name in (CHECKPOINTS, PARENT):
        shutil.rmtree(run_folder(run_id) / name, ignore_errors=True)


def run_folder(run_id: str) -> Path:
    """A run's folder. Raises RunError if there is no such run."""
    folder = settings.runs_dir() / run_id
    if not _RUN_ID.match(run_id) or not _is_run(folder):
        raise _no_run(run_id)
    return folder


def _no_run(run_id: str) -> RunError:
    known = list_run_ids()
    fits = [one for one in known if run_id and run_id in one]
    if len(fits) > 1:
        return RunError(
            _("{run_id!r} fits {count:,} runs, and names none of them."),
            _("Give one whole: {runs} (and {more:,} more).")
            if len(fits) > NAMED_RUNS
            else _("Give one whole: {runs}."),
            run_id=run_id,
            count=len(fits),
            runs=several(fits[:NAMED_RUNS]),
            more=len(fits) - NAMED_RUNS,
        )
    near = fits or difflib.get_close_matches(run_id, known, n=2, cutoff=0.8)
    return RunError(
        _("There is no run {run_id!r}."),
        _("Did you mean {near}?", near=several(near, "or"))
        if near
        else _("`python -m lora_hub runs` lists the runs there are."),
        run_id=run_id,
    )


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run's, even a damaged one."""
    return bool(_RUN_ID.match(folder.name)) and _began(str(folder)) is not None


def list_run_ids() -> list[str]:
    """Ids of all runs, newest first. Raises RunError if their parent folder cannot be read."""
    folder = str(settings.runs_dir())
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):  # nothing was started yet
        return []
    except OSError as error:
        raise RunError(
            _("The runs in {folder} cannot be read: {reason}."),
            _("Give this user the right to read the folder, or set LORA_HUB_HOME to another one."),
            folder=folder,
            reason=error.strerror,
        ) from error
    began = {name: _began(os.path.join(folder, name)) for name in names if _RUN_ID.match(name)}
    return sorted(
        (name for name, at in began.items() if at is not None), key=lambda name: (began[name], name), reverse=True
    )


def _began(folder: str) -> int | None:
    """When a run's spec was written, in nanoseconds, or its events if there is no spec; None if this is not a run's
    folder. A run with unreadable files counts too: it reports what is wrong itself."""
    for name in ("spec.json", "events.jsonl"):
        try:
            return os.lstat(os.path.join(folder, name)).st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return 0
    return None


def read_spec(run_id: str) -> TrainSpec:
    """Raises a RunError that says what is wrong with a damaged spec."""
    return run_reader.read_spec(run_folder(run_id))


def read_run(run_id: str, reader: run_reader.RunReader | None = None) -> Run:
    """The run as its events describe it, without checking its process. reader: one that may have read it before."""
    return (reader or run_reader.RunReader()).read(run_folder(run_id))


def own_run(run_id: str) -> run_lock.RunLock:
    """The lock of a run, held. Raises RunError where a process works on the run."""
    folder = run_folder(run_id)
    with disk_errors(folder):
        lock = run_lock.take(folder)
    if lock is None:
        raise RunError(
            _("A process works on the run {run_id} at this moment."),
            _("Wait until it has ended, or cancel it."),
            run_id=run_id,
        )
    return lock


def ask_cancel(run_id: str) -> None:
    """Leaves a request to cancel a run. For one of several runs that share a process, since a signal would end them
    all."""
    path = run_folder(run_id) / "cancel"
    with disk_errors(path):
        path.touch()  # it is empty, so that it fits on a full disk


def is_cancel_asked(run_id: str) -> bool:
    return (settings.runs_dir() / run_id / "cancel").exists()


def clear_cancel(run_id: str) -> None:
    """Withdraws that request before a run resumes."""
    (run_folder(run_id) / "cancel").unlink(missing_ok=True)


def keep_reserve(run_id: str) -> Path:
    """Reserves disk space, which is released for a run's last events if the disk is full by then."""
    path = run_folder(run_id) / RESERVE
    with disk_errors(path):
        path.write_bytes(os.urandom(RESERVE_BYTES))  # random bytes, which no file system can compress
    return path


def events_file(run_id: str) -> Path:
    return run_folder(run_id) / "events.jsonl"


def read_events(run_id: str) -> list[events.Event]:
    path = events_file(run_id)
    if not path.exists():
        return []
    with path.open("rb") as file:
        return events.parse_lines(file)


def log_file(run_id: str) -> Path:
    return run_folder(run_id) / "log.txt"


def read_log(run_id: str, lines: int = 200) -> str:
    """The last lines of a run's log."""
    path = log_file(run_id)
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - lines * 400))
        text = file.read().decode("utf-8", errors="replace")
    return "\n".join(text.splitlines()[-lines:])
