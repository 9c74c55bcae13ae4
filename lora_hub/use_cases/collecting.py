"""What nobody uses is removed after a while. The app does this by itself, and the page says when.

keep_clean()      collects soon and every hour, in a thread of its own
collect_all(now)  everything at once
"""

import logging
import math
import shutil
import threading
import time
from pathlib import Path

from lora_hub import hub, runs
from lora_hub.compare import test_sets
from lora_hub.core import run_lock, settings, store
from lora_hub.core.schema import RunState
from lora_hub.people import policy
from lora_hub.people.limits import DAY_SECONDS

logger = logging.getLogger("lora_hub.use_cases")
# The first visitor does not wait for it.
SOON_SECONDS, EVERY_SECONDS = 30.0, 3600.0
# What is untouched for so long is no longer being written.
LEFT_SECONDS = 3600.0
# Between the look at a form and its run, what its files were put together to stays; looking at it again counts anew.
SUPERSEDED_SECONDS = 600.0


def collect_unused(now: float) -> int:
    """Removes uploads of signed-in people that no run uses and that nobody has opened for as long as the organization
    allows. now: UTC seconds. Returns the number of file folders removed."""
    before, used = now - policy.read().upload_days * DAY_SECONDS, _used_by_runs()
    return _remove([one for one in settings.people_dir().glob("*/datasets/[!.]*") if one not in used], before)


def _used_by_runs() -> set[Path]:
    """The folders of all files that runs were made of, those that were put together for one among them."""
    return {
        settings.datasets_dir(info.owner) / fingerprint
        for run in runs.list_runs()
        for info in (run.spec.dataset, run.spec.test_dataset)
        if info is not None
        for fingerprint in info.fingerprints
    }


def collect_combined(before: float, *folders: Path) -> int:
    """Removes what several files were put together to if no run was made of it and nobody has looked at it since then
    (UTC seconds). folders: of datasets. Returns how many. Of what a run was made that cannot be read is not known: none
    goes then."""
    marks = [mark for folder in folders for mark in folder.glob(f"*/{runs.COMBINED_MARK}")]
    marked = [file for mark in marks for file in mark.parent.glob("[!.]*") if runs.is_combined(file)]
    old = [file for file in marked if _last_touched(file) < before]
    if not old or any(run.state is RunState.DAMAGED for run in runs.list_runs()):
        return 0
    used = _used_by_runs()
    return sum(file.parent not in used and runs.remove_combined(file, before) for file in old)


def collect_adapters(now: float) -> int:
    """Removes copies of adapters that have not been asked anything for as long as unused files are kept. Returns how
    many."""
    return hub.drop_adapters(now - policy.read().upload_days * DAY_SECONDS)


def collect_checkpoints() -> int:
    """Removes the checkpoints of runs that have succeeded; their workers do it, too, unless they are older than that or
    were killed at that moment. Returns the number of runs."""
    count = 0
    for run in runs.list_runs():
        folder = settings.runs_dir() / run.id
        if run.state is not RunState.SUCCEEDED or not (folder / store.CHECKPOINTS).is_dir():
            continue
        lock = run_lock.take(folder, 0.0)
        if lock is not None:  # else its worker is ending, and does it
            with lock:
                store.remove_checkpoints(run.id)
            count += 1
    return count


def collect_leftovers(before: float) -> int:
    """Removes what nobody has touched since then (UTC seconds): uploads of the page that became no dataset, datasets
    that could not be read or were put together and that no run uses, and what killed processes left half written or
    half removed. Returns how many."""
    datasets, used = [settings.datasets_dir(), *settings.people_dir().glob("*/datasets")], _used_by_runs()
    refused = [mark.parent for folder in datasets for mark in folder.glob(f"*/{store.REFUSED}")]
    found = [
        *store.uploads_dir().glob("*"),
        *settings.runs_dir().glob(".*.*"),
        *test_sets.tests_dir().glob(".*-*"),  # one that was being made or removed
        *(path for name in ("*/.*.*", "*/answers/.*.*") for path in test_sets.tests_dir().glob(name)),
        *settings.comparisons_dir().glob(".*.json.*"),
        *settings.people_dir().glob("*/comparisons/.*.json.*"),
        *(path for folder in datasets for name in (".*.*", "*/.*.*") for path in folder.glob(name)),
        *(folder for folder in refused if folder not in used),
    ]
    return _remove(found, before) + collect_combined(before, *datasets)


def _remove(paths: list[Path], before: float) -> int:
    """Removes those that were last touched before then (UTC seconds); returns how many."""
    count = 0
    for path in paths:
        if _last_touched(path) < before:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            count += 1
    return count


def _last_touched(path: Path) -> float:
    """UTC seconds at which it, or anything in it, was last changed; infinity where it is being removed right now."""
    try:
        return max(one.lstat().st_mtime for one in (path, *path.rglob("*")))
    except FileNotFoundError:
        return math.inf


def collect_all(now: float) -> dict[str, int]:
    """Everything that nobody needs, now (UTC seconds). Where people sign in, that includes files and cached adapters
    that nobody has used for a while; a laptop's own are its person's to remove. Returns how many of each kind."""
    found = {"checkpoints": collect_checkpoints(), "leftovers": collect_leftovers(now - LEFT_SECONDS)}
    if settings.signs_in():
        found |= {"unused files": collect_unused(now), "cached adapters": collect_adapters(now)}
    return found


def keep_clean() -> None:
    """Collects repeatedly for as long as the app runs."""

    def look() -> None:
        time.sleep(SOON_SECONDS)
        while True:
            try:
                for kind, count in collect_all(time.time()).items():
                    if count:
                        logger.info("removed: %s (%d)", kind, count)
            except Exception:
                logger.exception("unused files could not be looked for")
            time.sleep(EVERY_SECONDS)

    threading.Thread(target=look, name="unused files", daemon=True).start()
