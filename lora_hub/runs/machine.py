"""What this machine can take: its speed, measured once in the background, and its memory."""

import os
import subprocess
import sys
import time
from typing import Any

from lora_hub.catalogue import bases, hardware, machine_speed
from lora_hub.core import settings
from lora_hub.core.errors import BaseError
from lora_hub.core.messages import _
from lora_hub.core.processes import run_threads, with_package
from lora_hub.core.schema import BaseModel, TrainSpec
from lora_hub.hub import endpoint
from lora_hub.runs import turns


def gpu_name() -> str:
    """This machine's GPU, as its driver calls it; empty where there is none."""
    return next(iter(_ask_driver("name")), "")


def gpu_flops() -> float:
    """Peak 16-bit FLOP/s of this machine's GPU, 0 where there is none."""
    named = _ask_driver("name")
    return hardware.card_flops(named[0]) if named else 0.0


# Processes that this one has started to measure, one for each folder.
_measuring: dict[str, Any] = {}


def what_is_known(base: BaseModel) -> dict[str, Any]:
    """What an estimate of a run on this machine rests on: gpu_flops, speed, pace and slowdown, as `recipe.estimate`
    takes them. Where nothing was measured yet, that is begun in the background."""
    if flops := gpu_flops():
        return {"gpu_flops": flops}
    speed = machine_speed.read_speed()
    if speed is None:
        begin_measuring()
        return {}
    return {"speed": speed, "pace": machine_speed.read_pace(base), "slowdown": slowdown()}


def slowdown() -> float:
    """How many times as long as on an idle machine a run on the CPU takes beside what else runs now: its threads and
    all others that want a core share the cores evenly; 1.0 where there is one for each. Runs that train here are left
    out: the next one waits for them. The lesser of the last minute's mean and the last five's, so that a short burst
    says nothing. 1.0, too, where the system tells no load."""
    import psutil

    cores = os.cpu_count() or 1
    threads = run_threads()
    try:
        minute, five_minutes, _quarter = psutil.getloadavg()
    except OSError:  # a sandbox that does not say
        return 1.0
    others = max(0.0, min(minute, five_minutes) - threads * turns.count_at_work())
    return max(1.0, (others + threads) / cores)


def begin_measuring() -> None:
    """Measures this machine in a process of its own, unless that is going on, has failed or is not wanted."""
    place = str(machine_speed.speed_file())
    if settings.measures_speed() and place not in _measuring:
        said = [sys.executable, "-m", "lora_hub.training.measure_speed"]
        _measuring[place] = subprocess.Popen(
            said,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=with_package(settings.without_secrets()),
        )
    elif place in _measuring:
        _measuring[place].poll()  # or it stays a zombie


def is_measuring() -> bool:
    """Whether a process that this one has started still measures this machine."""
    going = _measuring.get(str(machine_speed.speed_file()))
    return going is not None and going.poll() is None


def measured_speed(seconds: float) -> machine_speed.Speed | None:
    """This machine's speed, for which it is waited so long; None where it is not known by then."""
    until = time.monotonic() + seconds
    while (speed := machine_speed.read_speed()) is None:
        begin_measuring()
        if not is_measuring() or time.monotonic() > until:
            return machine_speed.read_speed()
        time.sleep(0.05)
    return speed


def machine_memory() -> int:
    """Bytes that a base may take: the largest GPU's where there is one, else the machine's."""
    import psutil

    sizes = _ask_driver("memory.total")
    return max(map(int, sizes)) << 20 if sizes else psutil.virtual_memory().total


def _ask_driver(what: str) -> list[str]:
    """A fact of each of the machine's GPUs, by the driver's own tool, so that torch can stay out."""
    import shutil

    if settings.has_zero_gpu() or not shutil.which("nvidia-smi"):  # a borrowed GPU is no run's
        return []
    asked = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    told = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False)
    return told.stdout.strip().splitlines() if told.returncode == 0 else []


def check_base(base: BaseModel) -> None:
    """Raises BaseError where a base of a Hub could not be loaded: there is none of that name or revision, this account
    has not been let in, or it is neither reachable nor on this disk. Asked before a run is started, not in it."""
    if bases.folder_of(base) is not None:
        return
    with endpoint.connected():
        from lora_hub import hub

        hub.fetch_base(base)


def check_fits(spec: TrainSpec) -> None:
    """Raises BaseError where the base alone is larger than this machine's memory."""
    import psutil

    if not spec.base.parameters or gpu_flops():
        return
    needed = bases.memory_bytes(
        spec.base,
        train=True,
        batch=1,
        length=64,
        r=spec.lora.r,
        precision="fp32",
        quantization=spec.quantization,
        with_process=True,
    )
    needed = needed or 4 * spec.base.parameters  # a shape that is not known: at least its weights in fp32
    total = psutil.virtual_memory().total
    if needed > total:
        raise BaseError(
            _("{base} needs about {needed:.1f} GB to be trained here; this machine has {total:.1f} GB."),
            _("Choose a smaller base, or train on a GPU Space."),
            base=spec.base.id,
            needed=needed / 1e9,
            total=total / 1e9,
        )
