"""What a run took beside what had been estimated, kept for the next estimate of its base on this machine.

clock = IdleClock()
...
clock.read()        seconds since then in which this process did not wait for a core
"""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_hub.catalogue import machine_speed
from lora_hub.catalogue.machine_speed import Pace, read_pace
from lora_hub.core.processes import waited_seconds
from lora_hub.core.schema import TrainSpec
from lora_hub.runs.owner import write_log
from lora_hub.training import recipe

# A shorter training says more of what else the machine did.
LEAST_SECONDS = 5.0


class IdleClock:
    """Seconds as they would pass where nothing else runs: without those in which this process waited for a core. What
    others do during one run says nothing of the next."""

    def __init__(self) -> None:
        self._began = self._now()

    def read(self) -> float:
        return self._now() - self._began

    @staticmethod
    def _now() -> float:
        return time.monotonic() - waited_seconds()


class WithScoring:
    """A run's `report` while it trains, by which what is left includes the scoring that follows: as long beside the
    training as it was estimated. prepared: its rows. Nothing is added where this machine was not measured."""

    def __init__(self, report: Callable[..., Any], spec: TrainSpec, prepared: Any) -> None:
        self._report, self._spec, self._prepared = report, spec, prepared
        self._share: float | None = None
        self._step = 0.0  # seconds

    def __call__(self, kind: str, **data: Any) -> Any:
        if kind == "progress" and data.get("eta") is not None:
            step, total = data["step"], data["total"]
            if total > step:
                self._step = data["eta"] / (total - step)
            data["eta"] = round(data["eta"] + self._step * total * self._scoring(), 1)
        return self._report(kind, **data)

    def _scoring(self) -> float:
        """What scoring takes of what the training takes."""
        if self._share is None:
            told = _estimate(self._spec, self._prepared, read_pace(self._spec.base))
            self._share = told.scoring / told.training if told is not None else 0.0
        return self._share


def _estimate(spec: TrainSpec, prepared: Any, pace: Pace | None = None) -> recipe.Estimate | None:
    """Of a run with these rows here; None where this machine was not measured."""
    rows, speed = prepared.train, machine_speed.read_speed()
    if speed is None:
        return None
    return recipe.estimate(spec, tokens_row=rows.tokens / len(rows.rows), speed=speed, pace=pace)


def learn_pace(spec: TrainSpec, prepared: Any, trained: Any, training: float, scoring: float) -> None:
    """Of a run that was trained here from its first step, alone and on a CPU. prepared: its rows; training, scoring:
    seconds that they took, as an `IdleClock` tells them."""
    if spec.sweep or training < LEAST_SECONDS:
        return
    looks = max(1, round(spec.evaluations * trained.steps / max(1, spec.count_steps(len(prepared.train.rows)))))
    told = _estimate(spec.model_copy(update={"steps": trained.steps, "evaluations": looks}), prepared)
    if told is None:
        return
    machine_speed.keep_pace(
        spec.base, training=(training, told.training), scoring=(scoring, told.scoring) if scoring else None
    )
    if peak := peak_bytes():
        write_log(f"memory: {peak / 1e6:,.0f} MB at the most, {told.memory_bytes / 1e6:,.0f} MB were expected")


def peak_bytes() -> int:
    """The most memory that this process had; 0 where the system does not say. getrusage would also count what the
    process was before it was Python."""
    try:
        told = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        return 0
    return int(told[1]) * 1024 if told else 0
