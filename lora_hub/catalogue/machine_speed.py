"""How fast this machine is: measured once, kept, and corrected by what its runs really took.

    read_speed()                     Speed, None where it has not been measured
    read_pace(base)                  what its runs took of what had been estimated, by base
    keep_pace(base, training=(41.0, 60.0))

    $LORA_HUB_HOME/cache/speed/<machine>.json       one file for each processor, number of cores and torch

Knows no torch, so that a page can ask. `training/measure_speed.py` measures."""

import functools
import hashlib
import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lora_hub.core import file_lock, settings, store
from lora_hub.core.schema import BaseModel

# What is believed of one run, so that a machine that happened to be busy does not spoil the next estimate by more.
LEAST_PACE, MOST_PACE = 0.25, 4.0
# How much of what is known is kept when another run has been.
KEPT = 0.5
MOST_BASES = 500
# Of what is measured and how: figures of another kind are not taken for these.
MEASURED_AS = 2
# What reading a file raises that somebody wrote into, or that was cut off: what it knew is measured again.
DAMAGES = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


@dataclass(frozen=True)
class Speed:
    """flops: {width of a square-ish product: FLOP/s in fp32}, by the threads that a run has; bf16: the same in bf16,
    empty where the processor has no such products; bytes_second: read from memory."""

    flops: dict[int, float]
    bytes_second: float
    bf16: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0

    def flops_at(self, width: int) -> float:
        """FLOP/s on products of that width: between two that were measured on a straight line over their logarithms,
        beyond them as at the last."""
        known = sorted(self.flops.items())
        before = max((one for one in known if one[0] <= width), default=known[0])
        after = min((one for one in known if one[0] >= width), default=known[-1])
        if before[0] == after[0]:
            return before[1]
        share = math.log(width / before[0]) / math.log(after[0] / before[0])
        return before[1] ** (1 - share) * after[1] ** share


@dataclass(frozen=True)
class Pace:
    """What runs of a base took of what had been estimated: 2.0 is twice as long. runs: how many said so."""

    training: float = 1.0
    scoring: float = 1.0
    runs: int = 0


def read_speed() -> Speed | None:
    told = _read().get("speed")
    try:
        speed = Speed(
            flops={int(width): float(flops) for width, flops in told["flops"].items()},
            bytes_second=float(told["bytes_second"]),
            bf16={int(width): float(flops) for width, flops in told["bf16"].items()},
            seconds=float(told["seconds"]),
        )
    except DAMAGES:
        return None
    figures = [*speed.flops, *speed.flops.values(), *speed.bf16, *speed.bf16.values(), speed.bytes_second]
    return speed if speed.flops and all(math.isfinite(one) and one > 0 for one in figures) else None


def keep_speed(speed: Speed) -> None:
    _change(lambda known: {**known, "speed": asdict(speed)})


def read_pace(base: BaseModel) -> Pace:
    told = _paces(_read()).get(_name(base))
    try:
        pace = Pace(float(told["training"]), float(told["scoring"]), int(told["runs"]))
    except DAMAGES:
        return Pace()
    return pace if all(LEAST_PACE <= one <= MOST_PACE for one in (pace.training, pace.scoring)) else Pace()


def keep_pace(
    base: BaseModel, *, training: tuple[float, float] | None = None, scoring: tuple[float, float] | None = None
) -> None:
    """training, scoring: (seconds that it took, seconds that had been estimated without a pace)."""

    def changed(known: dict) -> dict:
        paces = dict(_paces(known))
        old = read_pace(base)
        paces.pop(_name(base), None)
        both = {
            "training": _mean(old.training, training, is_first=not old.runs),
            "scoring": _mean(old.scoring, scoring, is_first=not old.runs),
            "runs": old.runs + 1,
        }
        paces[_name(base)] = both  # the last that was trained stands last
        return {**known, "paces": dict(list(paces.items())[-MOST_BASES:])}

    _change(changed)


def _mean(old: float, seconds: tuple[float, float] | None, *, is_first: bool) -> float:
    """The geometric mean of what was known and what a run says."""
    if seconds is None or min(seconds) <= 0:
        return old
    new = min(MOST_PACE, max(LEAST_PACE, seconds[0] / seconds[1]))
    return new if is_first else old**KEPT * new ** (1 - KEPT)


def speed_file() -> Path:
    return settings.home() / "cache" / "speed" / f"{_machine()}.json"


@functools.cache
def _machine() -> str:
    """A name for a processor with so many cores and this torch: another one is as good as another machine."""
    said = f"{_processor()}|{os.cpu_count()}|{importlib.metadata.version('torch')}|{MEASURED_AS}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _processor() -> str:
    """Its model, family and what it can compute: virtual machines often call very different ones by one name."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return platform.processor() or platform.machine()
    named = ("vendor_id", "cpu family", "model", "model name", "flags", "Features", "CPU part")
    facts = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
    return "|".join(value.strip() for name, value in facts.items() if name.strip() in named)


def _name(base: BaseModel) -> str:
    """Two folders of one name are told apart by their weights."""
    return f"{base.id}@{base.fingerprint[:16]}" if base.folder else base.id


def _paces(known: dict) -> dict:
    found = known.get("paces")
    return found if isinstance(found, dict) else {}


def _read() -> dict:
    try:
        known = json.loads(speed_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _change(change: Callable[[dict], dict]) -> None:
    file = speed_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file_lock.alone(file.with_suffix(".lock")):
        store.write_json(file, change(_read()))
