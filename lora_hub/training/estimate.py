"""What a run will take before it is started: steps, seconds and memory here, and dollars on rented hardware.

    estimate(spec, tokens_row=60, gpu_flops=0)     this machine
    estimate_costs([(spec, 60)])                   each rented flavor (hardware.yaml), the cheapest first

Figures to choose by. On two cores they were within one and a half times of what runs took; GPUs have only been
calculated.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lora_hub.answering.exam_work import plan_exam
from lora_hub.catalogue import bases
from lora_hub.catalogue.hardware import Hardware, list_hardware
from lora_hub.core.schema import TrainSpec
from lora_hub.data.prompts.split import held_out_sizes, validation_beside_test

# What estimates rest on. CPU: FLOP/s that two cores reach on a base of `SMALL` parameters (wider ones make better use
# of them: 6e10 seen at 135 million), seconds a step costs beside its FLOPs, seconds until the first step. GPU: the
# share of the peak that LoRA reaches, and the same two.
CPU_FLOPS, SMALL, CPU_STEP, CPU_START = 2.5e10, 1.26e6, 0.03, 14.0
GPU_SHARE, GPU_STEP, GPU_START = 0.3, 0.02, 25.0
# Seconds that an answer and a token of its text cost beside their FLOPs.
ANSWERED, WRITTEN = 0.008, 0.002
# A rented machine: seconds until it runs, bytes a second that a base comes down with, cores beyond which a CPU gains
# nothing.
BOOT, DOWNLOAD, CPU_CORES = 180.0, 100e6, 16
# What Python with its libraries takes beside the base, what CUDA does, and how full memory may be.
CPU_BYTES, CUDA_BYTES, FILLED = 700 * 2**20, 600 * 2**20, 0.92


@dataclass(frozen=True)
class Estimate:
    """What a run will take. tokens_row: mean tokens a row; seconds: wall time, start and scoring included."""

    steps: int
    tokens_row: float
    seconds: float
    memory_bytes: int

    def to_json(self) -> dict[str, float]:
        """For programs."""
        return {"steps": self.steps, "seconds": round(self.seconds, 1), "memory_bytes": self.memory_bytes}


@dataclass(frozen=True)
class CostEstimate:
    """Runs on rented hardware. seconds: boot and download included; dollars: US dollars, by the minute begun; hourly:
    US dollars an hour;
    memory_bytes: what they take of `had_bytes` (of the GPU, or the RAM where there is none). setup_seconds: until the
    first of them begins, of `seconds`."""

    flavor: str
    title: str
    seconds: float
    dollars: float
    hourly: float
    fits: bool
    memory_bytes: int
    had_bytes: int
    setup_seconds: float = 0.0


def estimate(spec: TrainSpec, *, tokens_row: float, gpu_flops: float = 0.0) -> Estimate:
    """What the run will take on this machine. tokens_row: mean tokens a row; gpu_flops: peak FLOP/s of a GPU, 0 where
    it is a CPU."""
    flops, step_seconds, start = (
        (GPU_SHARE * gpu_flops, GPU_STEP, GPU_START) if gpu_flops else (_cpu_flops(spec), CPU_STEP, CPU_START)
    )
    seconds = start + _work_seconds(spec, tokens_row, flops, step_seconds)
    memory = _memory(spec, tokens_row, "bf16" if gpu_flops else "fp32")
    return Estimate(steps=_steps(spec), tokens_row=tokens_row, seconds=seconds, memory_bytes=memory)


def estimate_costs(
    work: Sequence[tuple[TrainSpec, float]], prices: Mapping[str, float] | None = None
) -> list[CostEstimate]:
    """Runs that are trained by one machine, on each rented flavor, the cheapest first; those they do not fit on come
    last. work: each run on the one base, with its mean tokens a row. prices: today's by flavor, US dollars an hour, in
    place of the list's.

    They use one GPU, so flavors with several are left out: they cost more and are no faster. Counted as trained one
    after another: whether they are faster together is found out there. Empty where nobody knows how large the base is.
    Prices: `hardware.prices_checked()`.
    """
    if not all(spec.base.parameters and _memory(spec, tokens_row, "fp32") for spec, tokens_row in work):
        return []
    costs = [_cost(work, hardware) for hardware in list_hardware(prices) if hardware.gpus <= 1]
    return sorted(costs, key=lambda cost: (not cost.fits, cost.dollars, cost.seconds))


def _cost(work: Sequence[tuple[TrainSpec, float]], hardware: Hardware) -> CostEstimate:
    """One flavor. What boots, and the base, serve all runs; the hungriest says what has to fit."""
    first = work[0][0]
    # What lies in a folder comes with the image.
    download = 0.0 if bases.folder_of(first.base) else 2 * first.base.parameters / DOWNLOAD
    setup = BOOT + download + (GPU_START if hardware.gpus else CPU_START)
    each = [_cost_of_one(spec, tokens_row, hardware) for spec, tokens_row in work]
    seconds = setup + sum(one for one, _memory in each)
    memory = max(one for _seconds, one in each)
    # nf4 needs a GPU
    fits = memory <= FILLED * hardware.memory_bytes and (hardware.gpus > 0 or first.quantization == "none")
    dollars = math.ceil(seconds / 60) / 60 * hardware.dollars
    return CostEstimate(
        hardware.flavor, hardware.title, seconds, dollars, hardware.dollars, fits, memory, hardware.memory_bytes, setup
    )


def _cost_of_one(spec: TrainSpec, tokens_row: float, hardware: Hardware) -> tuple[float, int]:
    """(seconds, bytes) of one run there. A GPU that has too little for it recomputes activations."""
    checkpointing = spec.gradient_checkpointing == "on"
    if hardware.gpus:
        plain, spared = (
            _memory(spec, tokens_row, "bf16", checkpointing=way) + CUDA_BYTES
            for way in (checkpointing, spec.gradient_checkpointing != "off")
        )
        memory = plain if plain <= FILLED * hardware.memory_bytes else spared
        recomputes = checkpointing or memory < plain
        flops, step_seconds = GPU_SHARE * hardware.flops * (3 / 4 if recomputes else 1), GPU_STEP
    else:
        memory = _memory(spec, tokens_row, "fp32", checkpointing=checkpointing) + CPU_BYTES
        flops, step_seconds = _cpu_flops(spec) / 2 * min(hardware.vcpu, CPU_CORES), CPU_STEP
    return _work_seconds(spec, tokens_row, flops, step_seconds), memory


def _cpu_flops(spec: TrainSpec) -> float:
    """FLOP/s of two cores on the spec's base: fitted on 1.3, 5 and 135 million parameters."""
    return CPU_FLOPS * min(3.0, max(1.0, (_parameters(spec) / SMALL) ** 0.2))


def _parameters(spec: TrainSpec) -> int:
    return spec.base.parameters or 1_000_000_000


def _steps(spec: TrainSpec) -> int:
    return spec.count_steps(_trained(spec))


def _trained(spec: TrainSpec) -> int:
    scored, validation = _held_out(spec)
    return max(1, spec.dataset.rows - validation - (0 if spec.test_rows else scored))


def _held_out(spec: TrainSpec) -> tuple[int, int]:
    """Rows that are scored and rows that choose the checkpoint, as `data.prepare` sets them apart."""
    if spec.test_rows:
        return spec.test_rows, validation_beside_test(spec.dataset.rows)
    return held_out_sizes(spec.dataset.rows, spec.held_out, spec.max_held_out)


def _work_seconds(spec: TrainSpec, tokens_row: float, flops: float, step_seconds: float) -> float:
    """Seconds of training and scoring. flops: those that are reached, not the peak.

    Training costs 4 FLOPs a parameter and token with a frozen base (2 forward, 2 back through the activations), scoring
    2. A small base is bound by the cost of a step rather than by its FLOPs, hence `step_seconds`.
    """
    parameters = _parameters(spec)
    work = _swept(spec.sweep)  # each candidate takes its FLOPs, and all share a step
    training = _steps(spec) * (step_seconds + work * 4 * parameters * spec.batch * tokens_row / flops)
    scored, validation = _held_out(spec)
    looked_at = (spec.evaluations + 1) * validation * work
    training += looked_at * 2 * parameters * tokens_row / flops
    exam = plan_exam(
        spec.task,
        scored=scored,
        validation=validation,
        trained=_trained(spec),
        tokens_row=tokens_row,
        context=spec.base.context,
    )
    return (
        training + 2 * parameters * (exam.read + exam.written) / flops + ANSWERED * exam.rows + WRITTEN * exam.written
    )


def _swept(settings: int) -> float:
    """Trainings that finding settings costs, by when candidates drop out (`sweep.HALVED`)."""
    if settings < 2:
        return 1.0
    return (settings + 2 * 2 + 9) / 12


def _memory(spec: TrainSpec, tokens_row: float, precision: str, *, checkpointing: bool = False) -> int:
    """Bytes at the peak: a batch whose rows are as long as the longest that the run keeps, where that was measured."""
    longest = spec.dataset.lengths.total[-1] if spec.dataset.lengths else tokens_row * 2
    return bases.memory_bytes(
        spec.base,
        train=True,
        batch=spec.rows_at_once,
        length=int(min(spec.max_length, longest)),
        r=spec.lora.r,
        precision=precision,
        quantization=spec.quantization,
        gradient_checkpointing=checkpointing,
    )
