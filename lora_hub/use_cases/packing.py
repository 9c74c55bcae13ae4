"""A part of the app's folder as one package: a run or a test that has ended, a person's file, their comparisons and
votes, or what the organization allows.

Packed are the files that show what was: no checkpoints, locks or links. A package is unpacked beside its place and
renamed into it, so nobody sees half of one, and what is there already stays.
"""

import io
import re
import secrets
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from lora_hub import runs
from lora_hub.core import settings, store
from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.people import policy

POLICY = policy.FILE
TEST_FILES = (
    *("spec.json", "events.jsonl", "cancel", "log.txt"),
    *("rows.jsonl", "problems.json", "verdicts.jsonl", "result.json"),
)
RUN_FILES = ("spec.json", "events.jsonl", "held_out.jsonl", "examples.jsonl", "log.txt")
# Where a package may lie below our folder, and nowhere else.
_PLACE = re.compile(
    rf"{re.escape(POLICY)}|(?:runs|tests)/[a-z0-9][a-z0-9._-]{{0,120}}|people/{settings.NAMESPACE.pattern}/(?:datasets/{store.FINGERPRINT.pattern}|comparisons)"
)
# Modified since, more or fewer of them: what a package is compared by.
Print = tuple[tuple[str, int, int], ...]


def files_of(place: str) -> list[Path]:
    """The files of a package by its place below our folder: "runs/ID", "tests/ID", "people/NAME/datasets/FINGERPRINT",
    "people/NAME/comparisons" or the policy's file."""
    whole = settings.home() / place
    if place == POLICY:
        found = [whole]
    elif place.startswith("runs/"):
        found = [*(whole / name for name in RUN_FILES), *sorted((whole / store.ADAPTER).rglob("*"))]
    elif place.startswith("tests/"):
        found = [*(whole / name for name in TEST_FILES), *sorted((whole / "answers").glob("*.jsonl"))]
    else:
        found = sorted(whole.glob("*"))
    return [
        file
        for file in found
        if file.is_file()
        and not file.is_symlink()
        and (not file.name.startswith(".") or file.name == runs.COMBINED_MARK)
    ]


def print_of(place: str) -> Print:
    """Path, bytes and time of change of each of its files; () where there is nothing."""
    found = []
    for file in files_of(place):
        try:
            state = file.stat()
        except FileNotFoundError:
            continue  # removed at this moment
        found.append((file.relative_to(settings.home()).as_posix(), state.st_size, state.st_mtime_ns))
    return tuple(found)


def places() -> Iterator[str]:
    """Every place that holds something, except runs and tests, of which only those count that have ended."""
    home = settings.home()
    if (home / POLICY).is_file():
        yield POLICY
    people = settings.people_dir()
    for folder in sorted([*people.glob("*/datasets/*"), *people.glob("*/comparisons")]):
        if _PLACE.fullmatch(place := folder.relative_to(home).as_posix()):
            yield place


def pack(place: str) -> bytes:
    """A tar of a package's files. Raises OSError where one of them goes at this moment."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for file in files_of(place):
            archive.add(file, file.relative_to(settings.home()).as_posix(), recursive=False)
    return packed.getvalue()


def unpack(packed: bytes, most_bytes: float) -> str:
    """Puts a package into its place, unless something is there, and returns the place. Raises DataError for what is no
    package, or larger than `most_bytes` when unpacked."""
    making = settings.home() / f".unpacking.{secrets.token_hex(4)}"
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            members, size = [], 0
            for member in archive:
                size += member.size
                if not member.isfile() or size > most_bytes:
                    raise _no_package()
                members.append(member)
            place = _common_place([member.name for member in members])
            with store.disk_errors(making):
                making.mkdir(parents=True)
                archive.extractall(making, members, filter="data")
                target = settings.home() / place
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    (making / place).rename(target)
    except (tarfile.TarError, EOFError, ValueError, KeyError) as error:
        raise _no_package() from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return place


def _common_place(names: list[str]) -> str:
    """The place that all files of a package lie in. Raises DataError where that is none of ours."""
    found = {match[0] if (match := _PLACE.match(name)) else "" for name in names}
    if len(found) != 1:
        raise _no_package()
    place = found.pop()
    for name in names:
        is_inside = name == place if place == POLICY else name.startswith(f"{place}/") and ".." not in name.split("/")
        if not place or not is_inside:
            raise _no_package()
    return place


def _no_package() -> DataError:
    return DataError(_("A package of kept files holds something else."), _("It is left where it is."))
