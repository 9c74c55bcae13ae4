"""What a person has here, their files, runs and comparisons, and deleting it: a file, or all of it. Admins may do the
second for anybody."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lora_hub import hub, runs
from lora_hub.compare import test_sets
from lora_hub.compare.test_sets import TestState
from lora_hub.core import settings, store
from lora_hub.core.errors import AccessError, DataError, RunError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import Run
from lora_hub.people import LOCAL, Person, limits
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.datasets import owner_of, parse_dataset_id


@dataclass(frozen=True)
class StoredFile:
    """A file that somebody brought. id: "fingerprint/name", as `open_dataset` takes it. size: bytes. kept: when it was
    last opened, UTC seconds. runs: ids of the runs that were made of it, newest first; together: of those, the ones
    whose data was put together from it and others. combined: nobody brought it, it was put together for these runs."""

    id: str
    name: str
    size: int
    kept: float
    runs: tuple[str, ...]
    together: tuple[str, ...] = ()
    combined: bool = False


@dataclass(frozen=True)
class OwnData:
    """All of a person's data here. size: bytes of files, runs and comparisons. adapters: repos on the Hub that their
    runs were published to. tests: ids of their test sets. comparisons: how many are kept."""

    owner: str
    files: tuple[StoredFile, ...]
    runs: tuple[str, ...]
    size: int
    adapters: tuple[str, ...]
    tests: tuple[str, ...] = ()
    comparisons: int = 0


@use_case(Action.TRAIN)
def list_datasets(person: Person) -> list[StoredFile]:
    """This person's files, the last opened first; what was put together from several of them, if a run was made of
    it."""
    return _files_of(owner_of(person), runs.list_runs())


@use_case(Action.TRAIN, counted=True)
def delete_dataset(person: Person, name: str) -> None:
    """Deletes one of this person's files. Runs that were made of it keep their results, and cannot be resumed. Raises
    DataError if there is no such file, RunError if a run that has not ended needs it."""
    folder = settings.datasets_dir(owner_of(person)) / parse_dataset_id(name)[0]
    known = runs.list_runs()
    mine = [one.id for one in _files_of(owner_of(person), known) if one.id.startswith(f"{folder.name}/")]
    if name not in mine:
        raise DataError(
            _("There is no file {name!r} of yours here."),
            _("`python -m lora_hub datasets` lists those there are."),
            name=name[:200],
        )
    _check_ended([run for run in known if folder in _folders_of(run)])
    with store.disk_errors(folder):
        if mine == [name]:
            shutil.rmtree(folder)
        else:  # the same bytes came under another name, too
            (folder / name.partition("/")[2]).unlink()


@use_case(Action.TRAIN)
def look_at_data(person: Person, owner: str = "") -> OwnData:
    """All that somebody has here: this person, or for an admin anybody. Raises AccessError for anybody else's."""
    owner = _whose(person, owner)
    known = [run for run in runs.list_runs() if run.owner == owner]
    folder = "" if owner == LOCAL.id else owner
    tests, kept = [one.id for one in test_sets.list_tests() if one.owner == owner], settings.comparisons_dir(folder)
    places = [settings.datasets_dir(folder), test_sets.answers_dir(folder), kept]
    places += [*(store.run_folder(run.id) for run in known), *map(test_sets.folder_of, tests)]
    return OwnData(
        owner,
        tuple(_files_of(folder, known)),
        tuple(run.id for run in known),
        limits.bytes_below(*places),
        tuple(dict.fromkeys(run.adapter.repo_id for run in known if run.adapter is not None)),
        tuple(tests),
        sum(1 for _file in kept.glob("[!.]*.json")),
    )


@use_case(Action.TRAIN, counted=True)
def delete_data(person: Person, owner: str = "", *, adapters: bool = False) -> OwnData:
    """Deletes all of it, and returns what there was. adapters: also the repos on the Hub that their runs were published
    to, as the one who asks, before anything else, and their own votes in the organization's repo; without it they stay.
    What a browser remembers is in the browser and goes with its tab. Raises AccessError, RunError if a run has not
    ended, HubError."""
    found = look_at_data(person, owner)
    known = [run for run in runs.list_runs() if run.id in found.runs]
    _check_ended(known)
    tests = [test_sets.look(one) for one in found.tests]
    _check_ended(tests)
    for repo_id in found.adapters if adapters else ():
        hub.delete_adapter(repo_id)
    is_local = found.owner == LOCAL.id
    if adapters and found.owner == person.id and settings.comparisons_dir("" if is_local else found.owner).is_dir():
        hub.remove_votes()
    for run in known:
        runs.delete_run(run.id)
    for test in tests:
        test_sets.delete_test(test.id)
    test_sets.forget("" if is_local else found.owner)
    whole = [settings.people_dir() / found.owner]
    for folder in [settings.datasets_dir(), settings.comparisons_dir()] if is_local else whole:
        with store.disk_errors(folder):
            if folder.is_dir():
                shutil.rmtree(folder)
    return found


def _whose(person: Person, owner: str) -> str:
    """The name under which runs are stored. Raises AccessError if this person may not ask about them, DataError if it
    can be nobody's."""
    owner = owner.strip() or person.id
    if owner != person.id and person.role != "admin":
        raise AccessError(
            _("Only admins of {organization} see and delete what is somebody else's."),
            _("Ask one of them, or leave the name out for what is yours."),
            organization=settings.organization(),
        )
    if owner == LOCAL.id and not person.is_local:
        raise AccessError(
            _("What {owner} has here is for whoever sits at the machine."), _("Use the shell there."), owner=owner
        )
    return store.check_owner_name(owner)


def _files_of(owner: str, known: list[Run]) -> list[StoredFile]:
    """owner: "" for the local user. known: the runs that could have been made of them."""
    found = []
    for folder in settings.datasets_dir(owner).glob("[!.]*"):
        # A file that was put together with others is not read again by their runs, but by whoever starts from one.
        used = tuple(run.id for run in known if folder in _folders_of(run) or folder in _parts_of(run))
        together = tuple(run.id for run in known if folder in _parts_of(run))
        for file in folder.glob("[!.]*"):
            status, name = file.stat(), f"{folder.name}/{file.name}"
            combined = runs.is_combined(file)
            if used or not combined:
                found.append(StoredFile(name, file.name, status.st_size, status.st_mtime, used, together, combined))
    return sorted(found, key=lambda one: one.kept, reverse=True)


def _folders_of(run: Run) -> list[Path]:
    infos = [info for info in (run.spec.dataset, run.spec.test_dataset) if info is not None]
    return [settings.datasets_dir(info.owner) / info.fingerprint for info in infos]


def _parts_of(run: Run) -> list[Path]:
    """The folders of the files that its dataset was put together from."""
    data = run.spec.dataset
    return [settings.datasets_dir(data.owner) / part.fingerprint for part in data.parts]


def _check_ended(known: Sequence[Run | TestState]) -> None:
    going = [run.id for run in known if not run.state.is_final]
    if going:
        raise RunError(
            _("These have not ended: {runs}."),
            _("Cancel them first, or wait for their end."),
            runs=several(going, most=5),
        )
