"""The local runner: a run is a process of its own on this machine. It only starts, looks and cancels.

A handle is {"pid", "created"}: a process id alone may belong to somebody else after a restart, with the moment of its
creation it is unmistakable.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

NICENESS = 5  # training takes what the page leaves, so that the page stays quick


def start(run_ids: list[str], log: Path, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Starts the worker of a run, or of several that are trained on one base, in a session of its own and returns its handle;
    that of several has {"group": ids}.

    environment: added to ours for this one child, secrets among it.
    """
    import psutil

    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", f"lora_hub.{'worker' if len(run_ids) == 1 else 'group_worker'}", *run_ids],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false", **(environment or {})},
            cwd=Path(__file__).parents[2],
            start_new_session=True,
            preexec_fn=lambda: os.nice(NICENESS),
        )
    handle = {"pid": child.pid, "created": psutil.Process(child.pid).create_time()}
    return {**handle, "group": run_ids} if len(run_ids) > 1 else handle


def is_alive(handle: dict[str, Any]) -> bool:
    """Whether the worker's process is still there."""
    import psutil

    try:
        process = psutil.Process(handle["pid"])
        return abs(process.create_time() - handle["created"]) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, KeyError):
        return False


def cancel(handle: dict[str, Any]) -> None:
    """Asks the worker to end; it stops at the next step and says so itself."""
    if is_alive(handle):
        os.kill(handle["pid"], signal.SIGTERM)


def kill(handle: dict[str, Any]) -> None:
    """Ends the worker at once, for one that does not answer."""
    if is_alive(handle):
        os.kill(handle["pid"], signal.SIGKILL)
