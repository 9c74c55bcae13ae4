"""What an app without a lasting disk must not lose is kept in a private repo (LORA_HUB_STATE): runs and tests that
have ended, people's files, comparisons and votes, and what the organization allows. It is read when the app starts and
written while it runs, in a thread.

    keeper = start_keeping(); keeper.wait(60)      before the page is served
    keeper.close()                                 what is new is kept, too

A run is there as it ended, with its adapter and without its checkpoints: it can be compared and published; resumed, it
begins again. A run that a job trains is there, too: resumed, its job is followed again. What is deleted here is deleted
there. The app works on where nothing can be kept, and says so.
"""

import json
import logging
import os
import threading
import time

from lora_hub import hub, runs
from lora_hub.compare import test_sets
from lora_hub.compare.test_sets import TestReader
from lora_hub.core import run_reader, settings, store
from lora_hub.core.errors import DataError, LoraHubError
from lora_hub.core.messages import Message, _, _n, read_message
from lora_hub.people import limits, policy
from lora_hub.use_cases import packing

logger = logging.getLogger("lora_hub.use_cases")
EVERY_SECONDS, LONGEST_PAUSE = 20.0, 600.0
CLOSE_SECONDS = 20.0  # a Space that is stopped is killed soon after
MOST_PACKAGE_BYTES = 512 * 1024**2
# Of one commit.
BATCH_PACKAGES, BATCH_BYTES = 50, 64 * 1024**2
LEAST_KEY = 32
STATUS = "kept.json"


class Keeper:
    """Thread-safe; one thread of its own."""

    def __init__(self, repo: hub.StateRepo) -> None:
        self._repo, self._reader, self._tests = repo, run_reader.RunReader(), TestReader()
        self._kept: dict[str, packing.Print] = {}  # place -> as it was when it was last kept
        self._is_read = False
        self._ends, self._read = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="keeping", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Whether what was kept has been read by then, as far as it could be."""
        return self._read.wait(seconds)

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Keeps what is new and ends, within so many seconds."""
        self._ends.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _work(self) -> None:
        pause = EVERY_SECONDS
        while True:
            is_last = self._ends.is_set()
            try:
                self.look()
                pause = EVERY_SECONDS
            except LoraHubError as error:
                logger.warning("what the app stores cannot be kept: %s", error)
                self._tell(error.said)
                pause = min(pause * 2, LONGEST_PAUSE)
            except Exception:
                logger.exception("what the app stores could not be kept")
                self._tell(_("This is a bug in LoRA Hub; the log has the details."))
                pause = min(pause * 2, LONGEST_PAUSE)
            self._read.set()
            if is_last:
                return
            self._ends.wait(pause)

    def look(self) -> None:
        """Reads what was kept, if that has not succeeded yet, and keeps what is new. Raises HubError."""
        if self._is_read and not (settings.home() / STATUS).exists():
            # Nobody deletes all this on purpose: a disk that was lost under the app takes nothing with it.
            logger.warning("%s was emptied; what was kept is read again", settings.home())
            self._is_read, self._kept = False, {}
        if not self._is_read:
            self._restore()
            self._is_read = True
            self._read.set()
        if self._save() or not (settings.home() / STATUS).exists():
            self._tell()

    def _restore(self) -> None:
        """What is damaged stays where it is, and all else is read."""
        there = self._repo.list_packages()
        first = self._repo.name_of(packing.POLICY)  # it says how much may be stored here
        count, used = 0, 0
        for name in sorted(there, key=lambda name: name != first):
            most = policy.read().all_disk_mb * limits.MB - used
            if there[name] > most:
                logger.warning("%s does not fit and is left in %s", name[:12], self._repo.repo_id)
                continue
            try:
                place = packing.unpack(self._repo.read(name), most)
            except DataError as error:
                logger.warning("not read: %s", error)
                continue
            self._kept[place] = packing.print_of(place)
            used += sum(size for _path, size, _changed in self._kept[place])
            count += 1
        logger.info("%d of %d packages were read from %s", count, len(there), self._repo.repo_id)

    def _save(self) -> bool:
        """Whether anything was new."""
        known = runs.list_runs(self._reader)
        ended = [f"runs/{run.id}" for run in known if run.state.is_final]
        ended += [f"tests/{test.id}" for test in test_sets.list_tests(self._tests) if test.state.is_final]
        now = {place: packing.print_of(place) for place in (*packing.places(), *ended)}
        # One that a job trains is kept once, as soon as the job is known: the job goes on when the app is gone.
        going = [run for run in known if not run.state.is_final and run.hired is not None and run.hired.is_under_way]
        for place in (f"runs/{run.id}" for run in going):
            now[place] = self._kept.get(place) or packing.print_of(place)
        new = [place for place, found in now.items() if found and self._kept.get(place) != found]
        gone = [place for place in self._kept if place not in now and not packing.print_of(place)]
        if not new and not gone:
            return False
        batch: dict[str, bytes] = {}
        placed: list[str] = []
        for place in new:
            if sum(size for _path, size, _changed in now[place]) > MOST_PACKAGE_BYTES:
                logger.warning("%s is too large to be kept", place)
                self._kept[place] = now[place]
                continue
            try:
                batch[self._repo.name_of(place)] = packing.pack(place)
            except OSError:  # it is being removed or written: next time
                continue
            placed.append(place)
            if len(batch) >= BATCH_PACKAGES or sum(map(len, batch.values())) >= BATCH_BYTES:
                self._write(batch, placed, now)
                batch, placed = {}, []
        self._write(batch, placed, now, gone)
        return True

    def _write(
        self, batch: dict[str, bytes], placed: list[str], now: dict[str, packing.Print], gone: list[str] | None = None
    ) -> None:
        removed = [self._repo.name_of(place) for place in gone or ()]
        if removed:
            there = self._repo.list_packages()
            removed = [name for name in removed if name in there]  # another app with this repo was quicker
        if batch or removed:
            self._repo.write(batch, removed)
        self._kept |= {place: now[place] for place in placed}
        for place in gone or ():
            del self._kept[place]

    def _tell(self, trouble: Message | None = None) -> None:
        """Leaves word for the page."""
        said = {"repo": self._repo.repo_id, "at": time.time(), "packages": len(self._kept)}
        try:
            store.write_json(
                settings.home() / STATUS, said | ({"trouble": trouble.model_dump(mode="json")} if trouble else {})
            )
        except (OSError, LoraHubError):
            logger.exception("%s cannot be written", STATUS)


def start_keeping() -> Keeper | None:
    """Begins to keep what the app stores; None where LORA_HUB_STATE is not set, or lacks what it needs, which is
    logged."""
    repo = settings.state_repo()
    if not repo:
        return None
    if trouble := _lacking():
        logger.warning("nothing is kept in %s: %s", repo, trouble)
        return None
    keeper = Keeper(hub.StateRepo(repo, os.environ[settings.SERVICE_TOKEN], os.environ[settings.STATE_KEY]))
    keeper.start()
    return keeper


def _lacking() -> Message | None:
    if not os.environ.get(settings.SERVICE_TOKEN):
        return _("{variable} is not set.", variable=settings.SERVICE_TOKEN)
    if len(os.environ.get(settings.STATE_KEY, "")) < LEAST_KEY:
        return _(
            "{variable} is not a text of {least} characters or more.", variable=settings.STATE_KEY, least=LEAST_KEY
        )
    return None


def what_is_kept() -> Message | None:
    """Whether what the app stores outlives it, in a sentence; None where the question does not arise, on a machine of
    one's own."""
    repo = settings.state_repo()
    if not repo:
        if not settings.in_space():
            return None
        if os.environ.get("LORA_HUB_HOME"):
            return _("Runs and files are on this Space's storage, which outlives a restart.")
        return _("Runs and files are lost when this Space restarts. Publish what is to stay.")
    trouble, told = _lacking(), _status()
    if trouble is None and told.get("trouble"):
        trouble = read_message(told, "trouble")
    if trouble is not None:
        return _("Runs and files cannot be kept in {repo} at present: {why}", repo=repo, why=trouble)
    if not told:
        return _("Runs and files are being read from {repo}.", repo=repo)
    return _n(
        "Runs and files outlive a restart: {count} package is kept in {repo}, encrypted.",
        "Runs and files outlive a restart: {count} packages are kept in {repo}, encrypted.",
        count=int(told.get("packages", 0)),
        repo=repo,
    )


def _status() -> dict:
    try:
        found = json.loads((settings.home() / STATUS).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # nothing was kept yet
        return {}
    return found if isinstance(found, dict) else {}
