"""What a run took beside what had been estimated, kept for the next estimate of its base on this machine."""

import re
from pathlib import Path
from typing import Any

from lora_hub.catalogue import machine_speed
from lora_hub.core.schema import TrainSpec
from lora_hub.runs.owner import write_log
from lora_hub.training import recipe

# A shorter training says more of what else the machine did.
LEAST_SECONDS = 5.0


def learn_pace(spec: TrainSpec, prepared: Any, trained: Any, scoring: float) -> None:
    """Of a run that was trained here from its first step, alone and on a CPU. prepared: its rows; scoring: seconds that
    scoring took."""
    speed = machine_speed.read_speed()
    if speed is None or spec.sweep or trained.seconds < LEAST_SECONDS:
        return
    rows = prepared.train
    looks = max(1, round(spec.evaluations * trained.steps / max(1, spec.count_steps(len(rows.rows)))))
    done = spec.model_copy(update={"steps": trained.steps, "evaluations": looks})
    told = recipe.estimate(done, tokens_row=rows.tokens / len(rows.rows), speed=speed)
    machine_speed.keep_pace(
        spec.base, training=(trained.seconds, told.training), scoring=(scoring, told.scoring) if scoring else None
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
