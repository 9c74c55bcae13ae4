"""Unused files are removed after a while. The app does this by itself, and the page says when.

keep_clean()      collects now and every hour, in a thread of its own
"""

import logging
import shutil
import threading
import time

from lora_hub import hub, runs
from lora_hub.core import settings
from lora_hub.people import policy
from lora_hub.people.limits import DAY_SECONDS

logger = logging.getLogger("lora_hub.use_cases")
EVERY_SECONDS = 3600.0


def collect_unused(now: float) -> int:
    """Removes uploads of signed-in people that no run uses and that nobody has opened for as long as the organization
    allows. now: UTC seconds. Returns the number of file folders removed."""
    days, gone = policy.read().upload_days, 0
    used = {
        (info.owner, info.fingerprint)
        for run in runs.list_runs()
        for info in (run.spec.dataset, run.spec.test_dataset)
        if info is not None
    }
    for folder in settings.people_dir().glob("*/datasets/*"):
        if (folder.parent.parent.name, folder.name) in used:
            continue
        try:
            last = max((file.stat().st_mtime for file in (folder, *folder.iterdir())), default=now)
        except OSError:  # it is being removed right now
            continue
        if now - last > days * DAY_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
    return gone


def collect_adapters(now: float) -> int:
    """Removes copies of adapters that have not been asked anything for as long as unused files are kept. Returns how
    many."""
    return hub.drop_adapters(now - policy.read().upload_days * DAY_SECONDS)


def keep_clean() -> None:
    """Collects repeatedly for as long as the app runs."""

    def look() -> None:
        while True:
            try:
                if gone := collect_unused(time.time()):
                    logger.info("%d files that nobody used were removed", gone)
                if gone := collect_adapters(time.time()):
                    logger.info("%d adapters that nobody asked were removed from the cache", gone)
            except Exception:
                logger.exception("unused files could not be looked for")
            time.sleep(EVERY_SECONDS)

    threading.Thread(target=look, name="unused files", daemon=True).start()
