"""What a training tells beside its losses: how fast it reads its rows, and the memory it takes.

meter = Meter(device)
meter.begin(); ...; meter.end()          around each step: looks at the validation rows and checkpoints do not count
meter.read(tokens)                       {"tokens_second": 5120.0, "memory": 731906048}
"""

import math
import resource
import sys
import time
from pathlib import Path
from typing import Any

STATM = Path("/proc/self/statm")


class Meter:
    """Measures the steps of one training. device: a torch.device."""

    def __init__(self, device: Any) -> None:
        self.device = device
        self._worked, self._began = 0.0, time.monotonic()
        self._tokens = 0.0

    def begin(self) -> None:
        self._began = time.monotonic()

    def end(self) -> None:
        now = time.monotonic()
        self._worked += now - self._began
        self._began = now

    def read(self, tokens: float | None) -> dict[str, float]:
        """What is told of the steps since the last reading. tokens: of prompts and answers, without padding, in all
        steps so far; None: nobody counted. memory: bytes; tokens_second: tokens a second of work."""
        told: dict[str, float] = {"memory": memory_bytes(self.device)}
        if tokens is not None:
            read, self._tokens = tokens - self._tokens, tokens
            if read > 0 and self._worked > 0:
                told["tokens_second"] = round(read / self._worked, 1)
        self._worked = 0.0
        return told


def memory_bytes(device: Any) -> int:
    """Of a GPU, the most that this process had in use so far; else what the process takes now (its resident set)."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, KiB elsewhere
    return peak if sys.platform == "darwin" else 1024 * peak


def norm_told(norm: Any) -> dict[str, float]:
    """A gradient's norm before it is clipped, where it is a number: in half precision a step may be skipped for one
    that is not."""
    value = float(norm) if norm is not None else math.nan
    return {"grad_norm": float(f"{value:.5g}")} if math.isfinite(value) else {}
