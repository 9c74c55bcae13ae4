"""The local runner: a run is a process of its own on this machine. It only starts, looks and cancels.

A handle is what `processes.identify` tells of the worker's process, which no other process fits.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lora_hub.core.processes import identify, is_alive
from lora_hub.core.run_lock import RunLock, is_held

trains_here = True
NICENESS = 5  # training takes what the page leaves, so that the page stays quick


def start(
    run_ids: list[str],
    log: Path,
    environment: dict[str, str] | None = None,
    locks: Sequence[RunLock] = (),
    ticket: Any = None,
) -> dict[str, Any]:
    """Starts the worker of a run, or of several that are trained on one base, in a session of its own and returns its
    handle; that of several has {"group": ids}. Raises OSError where no process can be started.

    environment: added to ours for this one child, secrets among it. locks: the runs', which the child holds from then
    on. ticket: their place in the line, where they waited for their turn without a process (`turns.Ticket`).
    """
    program = "runs.worker" if len(run_ids) == 1 else "runs.group_worker"
    handle = launch(program, run_ids, log, environment, locks, ticket)
    return {**handle, "group": run_ids} if len(run_ids) > 1 else handle


def launch(
    program: str,
    run_ids: list[str],
    log: Path,
    environment: dict[str, str] | None = None,
    locks: Sequence[RunLock] = (),
    ticket: Any = None,
) -> dict[str, Any]:
    """Starts a process, a module of `lora_hub`, for what these ids name, and returns its handle; arguments as `start`.
    Raises OSError."""
    descriptors = [lock.descriptor for lock in locks]
    held = ["--locks", ",".join(map(str, descriptors))] if descriptors else []
    if ticket is not None:
        held += ["--ticket", str(ticket)]
        descriptors.append(ticket.descriptor)
    with log.open("ab") as output:
        child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"lora_hub.{program}",
                *run_ids,
                *held,
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false", **(environment or {})},
            cwd=Path(__file__).parents[3],
            start_new_session=True,
            preexec_fn=lambda: os.nice(NICENESS),
            pass_fds=descriptors,
        )
    return identify(child.pid)


def is_working(handle: dict[str, Any], folder: Path) -> bool:
    """Whether the process works on the run: whoever does holds the run's lock. Workers from before there were locks are
    known by their process."""
    return is_held(folder) or ("created" in handle and is_alive(handle))


def cancel(handle: dict[str, Any]) -> None:
    """Asks the worker to end; it stops at the next step and says so itself."""
    if is_alive(handle):
        os.kill(handle["pid"], signal.SIGTERM)


def kill(handle: dict[str, Any]) -> None:
    """Ends the worker at once, for one that does not answer."""
    if is_alive(handle):
        os.kill(handle["pid"], signal.SIGKILL)
