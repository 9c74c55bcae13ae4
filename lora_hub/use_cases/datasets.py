"""A person's files: uploaded, pasted, downloaded from the Hub, inspected. Each is only opened under its owner's
name."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lora_hub import runs
from lora_hub.compare import test_sets
from lora_hub.core import file_lock, settings, store
from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import DataPart, DatasetInfo, Task
from lora_hub.people import Person, limits, policy
from lora_hub.people.rules import Action
from lora_hub.use_cases import collecting
from lora_hub.use_cases.case import use_case


def owner_of(person: Person) -> str:
    """The name under which a person's files are stored; "" for whoever sits at this machine."""
    return "" if person.is_local else person.id


@use_case(Action.TRAIN, counted=True)
def add_dataset(person: Person, path: Path, name: str = "") -> Path:
    """Stores a copy of an uploaded file as this person's and returns its path. Raises DataError, AccessError (no
    room)."""
    path = Path(path)
    with _room(person, name or path.name, path.stat().st_size if path.is_file() else 0):
        kept = store.add_dataset(path, name, owner_of(person))
        if kept != path and not runs.mark_brought(kept):  # else it is named where it lies
            kept = store.add_dataset(path, name, owner_of(person))
    return kept


@use_case(Action.TRAIN, counted=True)
def add_text(person: Person, text: str, name: str) -> Path:
    """Stores a text that this person pasted. Raises DataError, AccessError (no room)."""
    with _room(person, name, len(text.encode(errors="replace"))):
        kept = store.add_text(text, name, owner_of(person))
        if not runs.mark_brought(kept):
            kept = store.add_text(text, name, owner_of(person))
    return kept


@use_case(Action.TRAIN, counted=True)
def fetch_dataset(
    person: Person, name: str, *, token: str = "", progress: Callable[[Message], None] | None = None
) -> Path:
    """Brings a dataset of the Hub here, as this person. token: another one than theirs. Raises as
    `hub.fetch_dataset`, and AccessError where there is no room."""
    from lora_hub.hub import fetch_dataset

    if person.is_local:
        kept = fetch_dataset(name, token=token, progress=progress)
        runs.mark_brought(kept)
        return kept
    had, most = _kept_files(person), int(policy.read().upload_mb * limits.MB)
    with _room(person, name[:100], most, at_most=True) as kept_free:  # how large it is, the Hub tells only now
        kept = fetch_dataset(name, token=token, progress=progress, owner=owner_of(person), most_bytes=most)
        size = kept.stat().st_size
        if kept not in had and size > kept_free:
            try:
                with _alone():
                    _check_room(person, kept.name, size, size + kept_free)
            except BaseException:
                kept.unlink(missing_ok=True)
                raise
    runs.mark_brought(kept)
    return kept


@contextmanager
def _room(person: Person, name: str, size: int, *, at_most: bool = False) -> Iterator[int]:
    """Keeps room for a file of `size` bytes while it is written, so that of two at once each knows of the other. Yields
    the bytes kept free. at_most: the size is not known yet; room for so much is kept, or for as much as is left. Raises
    AccessError if there is none."""
    if person.is_local:
        yield 0
        return
    with _alone():
        left = _check_room(person, name, 0 if at_most else size)
        size = min(size, left)
        reserved = store.reserve_room(owner_of(person), size)
    try:
        yield size
    finally:
        reserved.unlink(missing_ok=True)


def _alone() -> AbstractContextManager[None]:
    """Inside this block nobody else's room is counted and taken."""
    folder = settings.people_dir()
    with store.disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return file_lock.alone(folder / ".keeping")


def _kept_files(person: Person) -> set[Path]:
    return set(settings.datasets_dir(owner_of(person)).glob("*/*"))


@use_case(Action.TRAIN)
def open_dataset(person: Person, name: str) -> Path:
    """The stored file of a dataset id ("fingerprint/name") if it is this person's own. Raises DataError if it is gone,
    or if the id is invalid."""
    fingerprint, file = parse_dataset_id(name)
    info = DatasetInfo(fingerprint=fingerprint, name=file, rows=0, columns=(), format="", owner=owner_of(person))
    kept = store.dataset_file(info)
    if not person.is_local:
        kept.touch()  # marks it as in use: see `collecting`
    return kept


def parse_dataset_id(name: str) -> tuple[str, str]:
    """(fingerprint, file name) of a dataset id. Raises DataError if it is none."""
    fingerprint, _rest, file = name.partition("/")
    if not store.FINGERPRINT.fullmatch(fingerprint):
        raise DataError(_("{name!r} is no dataset of this app."), _("Upload the file again."), name=name[:200])
    return fingerprint, file


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


@use_case(Action.TRAIN, counted=True)
def combine_datasets(
    person: Person,
    inspector: Any,
    files: Sequence[Any],
    task: Task,
    mapping: dict[str, str] | None = None,
    **reading: Any,
) -> tuple[Path, tuple[DataPart, ...]]:
    """Several of this person's files as one dataset: the file that is kept of it, and its parts. What they were put
    together to before goes, unless a run was made of it. files: each a `data.combining.OneFile`. mapping: roles whose
    column the person chose, in the files that have it. reading: as for `read_dataset`, for all. Raises DataError where
    one of them does not fit the task, AccessError (no room)."""
    from lora_hub.data.combining import combine_files

    kept = [replace(one, file=store.add_dataset(one.file, one.file.name)) if person.is_local else one for one in files]
    for one in kept:
        check_own(person, one.file)
    combined = combine_files(partial(read_dataset, person, inspector), kept, task, mapping, **reading)
    collecting.collect_combined(time.time() - collecting.SUPERSEDED_SECONDS, settings.datasets_dir(owner_of(person)))
    with _room(person, combined.name, len(combined.text.encode())):
        return runs.keep_combined(combined.text, combined.name, owner_of(person)), combined.parts


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
    """Bytes that a person's files, runs, tests and comparisons take. known: all runs."""
    mine = [store.run_folder(run.id) for run in known if run.owner == person.id]
    mine += [test_sets.tests_dir() / one.id for one in test_sets.list_tests() if one.owner == person.id]
    owner = owner_of(person)
    return limits.bytes_below(settings.datasets_dir(owner), settings.comparisons_dir(owner), *mine)


def _check_room(person: Person, name: str, size: int, had: int = 0) -> int:
    """Checks whether this person has room for a file of `size` bytes, and returns the bytes that they have left. had:
    bytes of it that are counted already. Raises AccessError."""
    mine = disk_of(person, runs.list_runs()) - had
    everybodys = limits.bytes_below(settings.people_dir(), settings.runs_dir(), test_sets.tests_dir()) - had
    return limits.check_upload(person, name, size, mine, everybodys)
