"""Measures this machine once, in a second or two: products of the widths that bases have, in fp32 and, where the
processor has it, bf16, and reading from memory. `python -m lora_hub.training.measure_speed` keeps what it found.

By the process's own CPU time over the threads that a run would have, so that a machine that is busy seems hardly
slower: what others do now says nothing of when a run will be."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from lora_hub.catalogue.machine_speed import Speed, keep_speed, speed_file
from lora_hub.core import file_lock
from lora_hub.core.processes import set_environment

# Widths: of the built-in base, of one of 135 million parameters, of one of a billion and more; tokens that are in one
# product, and how long it is repeated, of which the fastest counts.
WIDTHS, TOKENS, SECONDS = (128, 576, 2048), 512, 0.15
READ_BYTES = 256 * 2**20  # more than a cache holds


def measure() -> Speed:
    import torch

    from lora_hub.answering.products import linear

    began = time.monotonic()
    threads = torch.get_num_threads()
    with torch.inference_mode():
        flops = {width: _flops(torch, linear, width, torch.float32, threads) for width in WIDTHS}
        # Without instructions for it, bf16 is computed as fp32, only slower.
        has_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        bf16 = (
            {width: _flops(torch, torch.nn.functional.linear, width, torch.bfloat16, threads) for width in WIDTHS}
            if has_bf16
            else {}
        )
        many = torch.ones(READ_BYTES // 4)
        read = READ_BYTES / _fastest(many.sum, threads)
    return Speed(flops, read, bf16, time.monotonic() - began)


def _flops(torch: Any, linear: Callable[..., Any], width: int, kind: Any, threads: int) -> float:
    rows, weights = torch.randn(TOKENS, width, dtype=kind), torch.randn(3 * width, width, dtype=kind)
    return 2 * TOKENS * width * 3 * width / _fastest(lambda: linear(rows, weights), threads)


def _fastest(work: Callable[[], object], threads: int) -> float:
    """Seconds of the fastest of several times."""
    work()
    best, until = float("inf"), time.process_time() + SECONDS * threads
    while time.process_time() < until:
        began = time.process_time()
        work()
        best = min(best, max(1e-9, time.process_time() - began))
    return best / threads


def main() -> int:
    """Where another process measures already, it is left to that one."""
    os.nice(5)
    set_environment()
    speed_file().parent.mkdir(parents=True, exist_ok=True)
    held = file_lock.take(speed_file().with_suffix(".measuring"))
    if held is not None:
        keep_speed(measure())
        os.close(held)
    return 0


if __name__ == "__main__":
    sys.exit(main())
