"""A person's files: uploaded, pasted, downloaded from the Hub, inspected. Each is only opened under its owner's
name."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lora_hub import runs
from lora_hub.core import settings, store
from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import DatasetInfo
from lora_hub.people import Person, limits, policy
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case


def owner_of(person: Person) -> str:
    """The name under which a person's files are stored; "" for whoever sits at this machine."""
    return "" if person.is_local else person.id


@use_case(Action.TRAIN, counted=True)
def add_dataset(person: Person, path: Path, name: str = "") -> Path:
    """Stores a copy of an uploaded file as this person's and returns its path. Raises DataError, AccessError (no
    room)."""
    path = Path(path)
    if not person.is_local and path.is_file():
        _check_room(person, name or path.name, path.stat().st_size)
    return store.add_dataset(path, name, owner_of(person))


@use_case(Action.TRAIN, counted=True)
def add_text(person: Person, text: str, name: str) -> Path:
    """Stores a text that this person pasted. Raises DataError, AccessError (no room)."""
    if not person.is_local:
        _check_room(person, name, len(text.encode(errors="replace")))
    return store.add_text(text, name, owner_of(person))


@use_case(Action.TRAIN, counted=True)
def fetch_dataset(
    person: Person, name: str, *, token: str = "", progress: Callable[[Message], None] | None = None
) -> Path:
    """Brings a dataset of the Hub here, as this person. token: another one than theirs. Raises as
    `hub.fetch_dataset`, and AccessError where there is no room."""
    from lora_hub.hub import fetch_dataset

    if person.is_local:
        return fetch_dataset(name, token=token, progress=progress)
    _check_room(person, name[:100], 0)
    had, most = _kept_files(person), int(policy.read().upload_mb * limits.MB)
    kept = fetch_dataset(name, token=token, progress=progress, owner=owner_of(person), most_bytes=most)
    if kept not in had:
        try:
            _check_room(person, kept.name, 0, kept.stat().st_size)
        except BaseException:
            kept.unlink(missing_ok=True)
            raise
    return kept


def _kept_files(person: Person) -> set[Path]:
    return set(settings.datasets_dir(owner_of(person)).glob("*/*"))


@use_case(Action.TRAIN)
def open_dataset(person: Person, name: str) -> Path:
    """The stored file of a dataset id ("fingerprint/name") if it is this person's own. Raises DataError if it is gone,
    or if the id is invalid."""
    fingerprint, _rest, file = name.partition("/")
    if not re.fullmatch(r"[0-9a-f]{16}", fingerprint):
        raise DataError(_("{name!r} is no dataset of this app."), _("Upload the file again."), name=name[:200])
    info = DatasetInfo(fingerprint=fingerprint, name=file, rows=0, columns=(), format="", owner=owner_of(person))
    kept = store.dataset_file(info)
    if not person.is_local:
        kept.touch()  # marks it as in use: see `collecting`
    return kept


@use_case(Action.TRAIN)
def read_dataset(person: Person, inspector: Any, file: Path, **reading: Any) -> Any:
    """The table of one of this person's files. inspector: a `data.inspector.Inspector`, or an object with its
    methods."""
    check_own(person, file)
    with _noting_refusal(file):
        return inspector.read(file, **reading)


@use_case(Action.TRAIN, counted=True)
def inspect_dataset(person: Person, inspector: Any, file: Path, *arguments: Any, **named: Any) -> Any:
    """An `Inspection` of one of this person's files; arguments as `Inspector.inspect` takes them."""
    check_own(person, file)
    with _noting_refusal(file):
        return inspector.inspect(file, *arguments, **named)


@contextmanager
def _noting_refusal(file: Path) -> Iterator[None]:
    """A file that cannot be read is kept for as long as somebody tries to, and not for longer: see `collecting`."""
    try:
        yield
    except DataError:
        store.mark_refused(file, True)
        raise
    store.mark_refused(file, False)


def check_own(person: Person, file: Path) -> None:
    """Raises DataError if a signed-in person names a file that is not theirs."""
    if not person.is_local and store.dataset_owner(file) != person.id and not _is_sample(file):
        raise DataError(_("This is no file of yours."), _("Upload it again."))


def _is_sample(file: Path) -> bool:
    from lora_hub.catalogue.tasks import catalogue

    return any(file == catalogue.sample_file(task) for task in catalogue.list_tasks())


def disk_of(person: Person, known: list[Any]) -> int:
    """Bytes that a person's files and runs take. known: all runs."""
    mine = [store.run_folder(run.id) for run in known if run.owner == person.id]
    return limits.bytes_below(settings.datasets_dir(owner_of(person)), *mine)


def _check_room(person: Person, name: str, size: int, had: int = 0) -> None:
    """had: bytes of the file if it is already there."""
    everybodys = limits.bytes_below(settings.people_dir(), settings.runs_dir())
    limits.check_upload(person, name, max(size, had), disk_of(person, runs.list_runs()) - had, everybodys - had)
