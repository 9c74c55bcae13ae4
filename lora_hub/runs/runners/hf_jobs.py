"""The runner of HF Jobs: a run is trained by a job of the Hub in use, and a process here follows it (`follower`).

The run's `hired` says on which hardware and in whose account. The handle is that of the process here, as the local
runner's; the job is known by the run's events, so that another process can follow it as well.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lora_hub.core import store
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
    """Starts a follower for each run: each is a job of its own, also where several are started together. Raises
    OSError."""
    handles = [
        local.launch("runs.jobs.follower", [run_id], store.log_file(run_id), environment, [*locks[place : place + 1]])
        for place, run_id in enumerate(run_ids)
    ]
    # Of several, each says by itself which process it is; until then it is asked to end by the file `cancel`.
    return handles[0] if len(handles) == 1 else {}
