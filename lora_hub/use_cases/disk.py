"""What takes space on this machine's disk, and what of it can be removed."""

import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lora_hub import runs
from lora_hub.catalogue import cached
from lora_hub.compare import test_sets
from lora_hub.core import settings, store
from lora_hub.core.schema import RunState
from lora_hub.hub import endpoint
from lora_hub.people import LOCAL, Person
from lora_hub.people.limits import bytes_below
from lora_hub.people.rules import Action
from lora_hub.use_cases import collecting
from lora_hub.use_cases.case import use_case


@dataclass(frozen=True)
class Part:
    """kind: "checkpoints", "needed checkpoints" (of runs that can be resumed), "adapters", "run files" (logs, events,
    held-out rows), "tests" (test sets with their answers), "datasets", "comparisons" (with votes), "hub" (the embedded
    Hub's repos), "cache" (bases and adapters from the Hub, kept answers), "uploads" (of the page, before they are
    datasets) or "other". owner: whose, where it is somebody's. folder: where it is. size: bytes."""

    kind: str
    folder: Path
    size: int
    owner: str = ""


@dataclass(frozen=True)
class Disk:
    """size: bytes of our folder. free: bytes that its disk has left. parts: the largest first. cache: the Hub client's
    own, which other programs share, where the Hub in use is not the embedded one; it is no part of `size`."""

    home: Path
    size: int
    free: int
    parts: tuple[Part, ...]
    cache: Part | None = None


@use_case(Action.ADMINISTER)
def measure_disk(person: Person) -> Disk:
    """Measures all of our folder. It takes a walk through it."""
    home = settings.home()
    sizes: Counter[tuple[str, Path, str]] = Counter()
    for run in runs.list_runs():
        folder = store.run_folder(run.id)
        checkpoints, adapter = bytes_below(folder / store.CHECKPOINTS), bytes_below(folder / store.ADAPTER)
        is_needed = run.state is not RunState.SUCCEEDED
        sizes["needed checkpoints" if is_needed else "checkpoints", settings.runs_dir(), run.owner] += checkpoints
        sizes["adapters", settings.runs_dir(), run.owner] += adapter
        sizes["run files", settings.runs_dir(), run.owner] += bytes_below(folder) - checkpoints - adapter
    sizes["datasets", settings.datasets_dir(), LOCAL.id] += bytes_below(settings.datasets_dir())
    for folder in settings.people_dir().glob("*/datasets"):
        sizes["datasets", folder, folder.parent.name] += bytes_below(folder)
    sizes["comparisons", settings.comparisons_dir(), LOCAL.id] += bytes_below(settings.comparisons_dir())
    for folder in settings.people_dir().glob("*/comparisons"):
        sizes["comparisons", folder, folder.parent.name] += bytes_below(folder)
    sizes["hub", settings.hub_dir(), ""] += bytes_below(settings.hub_dir())
    uploads = bytes_below(store.uploads_dir())
    sizes["uploads", store.uploads_dir(), ""] += uploads
    for test in test_sets.list_tests():
        sizes["tests", test_sets.tests_dir(), test.owner] += bytes_below(test_sets.folder_of(test.id))
    own_cache = store.uploads_dir().parent
    sizes["cache", own_cache, ""] += bytes_below(own_cache) - uploads
    whole = bytes_below(home)
    sizes["other", home, ""] += max(0, whole - sizes.total())
    parts = [Part(kind, folder, size, owner) for (kind, folder, owner), size in sizes.items() if size]
    elsewhere = None if endpoint.wanted_kind() == "embedded" else cached.cache_folder()
    place = next(part for part in (home, *home.parents) if part.exists())
    return Disk(
        home,
        whole,
        shutil.disk_usage(place).free,
        tuple(sorted(parts, key=lambda part: part.size, reverse=True)),
        Part("cache", elsewhere, bytes_below(elsewhere)) if elsewhere is not None else None,
    )


@use_case(Action.ADMINISTER, counted=True)
def clean_disk(person: Person) -> dict[str, int]:
    """Removes now what the app removes by itself after a while, as `collecting.collect_all`."""
    return collecting.collect_all(time.time())
