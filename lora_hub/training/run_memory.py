"""The memory that a run takes, from its spec: in training, and on a CPU while base and adapter are scored.

    training_bytes(spec, tokens_row=60, precision="fp32")
    scoring_bytes(spec, tokens_row=60)
    shared_bytes(spec, precision="fp32")          of these what runs that are trained in one go take only once

The peak of a run on a CPU is the higher of the two: what training has freed is used again. Checked against what whole
runs took by tests/bench/bench_memory.py."""

import math

from lora_hub.catalogue import bases, memory
from lora_hub.core.schema import TrainSpec

# By so many standard deviations the fullest batch of a run is above the mean one.
RARE = 3.5
# Bytes that a row takes for each of its tokens, with its text, in a run's process: as a table, as Python's numbers and
# as the trainer's.
ROW_TOKEN = 160
# What an evaluation takes beside the weights and a batch's keys and values: logits and the like.
SCORED = 100 * 10**6


def training_bytes(spec: TrainSpec, tokens_row: float, precision: str, *, checkpointing: bool = False) -> int:
    """Bytes at the peak until scoring begins, where the rows were measured: on a GPU of a batch whose rows are as long
    as the longest that the run keeps; on a CPU, which reads no padding, of the batch of most tokens that many steps
    meet. 0 where the base's shape is not known. Settings that are tried at once all have their rows in the batch."""
    lengths, rows, on_cpu = spec.dataset.lengths, spec.rows_at_once, precision == "fp32"
    longest = min(spec.max_length, lengths.total[-1] if lengths else tokens_row * 2)
    if lengths and on_cpu:
        low, middle, high = (min(longest, lengths.total[place]) for place in (1, 3, 5))
        spread = (high - low) / (2 * 1.645)  # of a normal distribution, from its 5 and 95 %
        longest = min(longest, middle + (longest - middle) / rows + RARE * spread / math.sqrt(rows))
    tried = max(1, spec.sweep)
    needed = bases.memory_bytes(
        spec.base,
        train=True,
        batch=rows * tried,
        length=math.ceil(longest),
        r=spec.lora.r,
        precision=precision,
        quantization=spec.quantization,
        gradient_checkpointing=checkpointing,
        trained=min(lengths.answer[-1], math.ceil(longest)) if lengths else 0,
        begin=lengths.begin if lengths and on_cpu else 0,
        with_process=on_cpu,
    )
    if not needed:
        return 0
    others = (tried - 1) * bases.shape_of(spec.base).lora_parameters(spec.lora.r) * 16
    return needed + others + (_row_bytes(spec, tokens_row) if on_cpu else 0)


def scoring_bytes(spec: TrainSpec, tokens_row: float) -> int:
    """Bytes while base and adapter are scored on a CPU: the adapter within a second copy of the layers, unless that is
    too large (answering/merged). 0 where the base's shape is not known."""
    shape = bases.shape_of(spec.base)
    if shape is None:
        return 0
    copy = 4 * shape.linear_parameters
    weights = 4 * (spec.base.parameters or shape.parameters)
    merged = copy if copy <= memory.MERGED_BYTES else 0
    kept = 4 * 2 * shape.kv_heads * shape.head * shape.layers * memory.BATCH_TOKENS["cpu"]
    return memory.PROCESS + weights + merged + kept + SCORED + _row_bytes(spec, tokens_row)


def shared_bytes(spec: TrainSpec, precision: str) -> int:
    """The base's weights, and on a CPU the process. 0 where the base's shape is not known."""
    of = {"precision": precision, "quantization": spec.quantization, "with_process": precision == "fp32"}
    return bases.memory_bytes(spec.base, train=False, batch=0, length=0, r=0, **of)


def _row_bytes(spec: TrainSpec, tokens_row: float) -> int:
    return int(spec.dataset.rows * min(tokens_row, spec.max_length) * ROW_TOKEN)
