"""Identifies a process reliably. A process id alone may later belong to another process, and the clock may be set back.

handle = identify(pid)       {"pid", "boot", "ticks"}
is_alive(handle)
"""

import gc
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lora_hub.core.privacy import keep_private

_PROC = Path("/proc")


def boot_id() -> str:
    """An id of this machine's boot; it changes with each restart. Empty if the system has none."""
    file = _PROC / "sys/kernel/random/boot_id"
    return file.read_text().strip() if file.exists() else ""


def identify(pid: int) -> dict[str, Any]:
    """A handle that fits no other process: its id, and its start time in the kernel's ticks since boot (proc(5),
    `starttime`). Without /proc it has `created` instead: UTC seconds. Raises ProcessLookupError if the process is
    gone."""
    if boot_id():
        found = _stat(pid)
        if found is None:
            raise ProcessLookupError(pid)
        return {"pid": pid, "boot": boot_id(), "ticks": found[1]}
    import psutil

    try:
        return {"pid": pid, "created": psutil.Process(pid).create_time()}
    except psutil.NoSuchProcess as error:
        raise ProcessLookupError(pid) from error


def is_alive(handle: dict[str, Any]) -> bool:
    """Whether exactly this process still exists and has not ended."""
    if "pid" not in handle:
        return False
    if "ticks" in handle:
        found = _stat(handle["pid"])
        return (
            handle.get("boot") == boot_id()
            and found is not None
            and found[1] == handle["ticks"]
            and found[0] not in "ZX"
        )
    import psutil

    try:  # from a system without /proc, or from a version before ticks were stored
        process = psutil.Process(handle["pid"])
        return abs(process.create_time() - handle["created"]) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, KeyError):
        return False


def _stat(pid: int) -> tuple[str, int] | None:
    """(state, start in ticks) of a process; None if there is none. The name may contain anything and ends at the last
    ")"."""
    try:
        fields = (_PROC / str(int(pid)) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[19])


def with_package(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a child in which this package is found, from whatever folder it is started."""
    root = str(Path(__file__).resolve().parents[2])
    return environment | {"PYTHONPATH": os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))}


@contextmanager
def uncollected() -> Iterator[None]:
    """Within it nobody looks for garbage, and never again among what was made in it: for loading libraries, whose
    objects all stay. That takes a quarter of the time otherwise."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was:
            gc.enable()


def set_environment() -> None:
    """What has to be set in a process that works by itself, before it writes anything or imports torch."""
    keep_private()
    os.environ.setdefault("OMP_NUM_THREADS", str(run_threads()))
    # Thousands of modules are loaded and kept: looking for garbage among them takes an eighth of that time.
    gc.set_threshold(50_000, 20, 20)
    bound_caches()
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # the trainer's libraries would report their use
    # PEFT asks transformers for what that calls otherwise now: nobody who reads a run's log can do anything about it.
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


def run_threads() -> int:
    """Threads that compute in a process that works by itself. One core is left to the page and to everything else:
    threads that wait for each other on a busy core make a step up to five times as long (seen on two cores)."""
    asked = os.environ.get("OMP_NUM_THREADS", "").strip()
    return int(asked) if asked.isdigit() and int(asked) else max(1, (os.cpu_count() or 2) - 1)


def waited_seconds() -> float:
    """Seconds that this process's first thread has waited for a core since it began; 0 where the system does not say
    (Linux does: /proc/PID/schedstat, its second number, in nanoseconds)."""
    try:
        return int((_PROC / "self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def bound_caches() -> None:
    """Bounds what PyTorch and oneDNN keep of each shape that was multiplied, before torch is imported. By themselves
    they keep 1,024 shapes each, and rows of many lengths make new ones at every step: 40 steps of the built-in base on
    SMS spam took 1,300 MB; with 64, in which all that one layer needs has room, 850 MB and no more time."""
    for name in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
        os.environ.setdefault(name, "64")
