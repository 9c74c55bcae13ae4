"""The runner of HF Jobs: runs are trained by a job of the Hub in use, and a process here follows it
(`follower`).

The run's `hired` says on which hardware and in whose account. The handle is that of the process here, as the local
runner's; the job is known by the run's events, so that another process can follow it as well.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lora_hub.core.run_lock import RunLock
from lora_hub.runs.runners import local

trains_here = False
is_working, is_alive, cancel, kill = local.is_working, local.is_alive, local.cancel, local.kill


def start(
    run_ids: list[str],
    log: Path,
    environment: dict[str, str] | None = None,
    locks: Sequence[RunLock] = (),
    ticket: Any = None,
) -> dict[str, Any]:
    """Starts the follower of a run, or of several on one base, which one job trains; arguments as the local runner's.
    Raises OSError."""
    handle = local.launch("runs.jobs.follower", run_ids, log, environment, locks)
    return {**handle, "group": run_ids} if len(run_ids) > 1 else handle
