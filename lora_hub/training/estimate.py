"""What a run will take before it is started: steps, seconds and memory here, and dollars on rented hardware.

    estimate(spec, tokens_row=60, speed=read_speed(), pace=read_pace(spec.base))     this machine
    estimate(spec, tokens_row=60, gpu_flops=1e14)  a machine with a GPU
    estimate_costs([(spec, 60)])                   each rented flavor (hardware.yaml), the cheapest first
    answer_seconds(base, speed=read_speed())       a question to the base and an adapter

Figures to choose by. Where the machine was measured (catalogue/machine_speed.py) they follow from that, and from what
runs of the base took; else from what two cores did once. GPUs have only been calculated.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lora_hub.answering.exam_work import plan_exam
from lora_hub.catalogue import bases
from lora_hub.catalogue.hardware import Hardware, list_hardware
from lora_hub.catalogue.machine_speed import Pace, Speed
from lora_hub.core.schema import BaseModel, TrainSpec
from lora_hub.data.prompts.split import held_out_sizes, validation_beside_test
from lora_hub.training.estimated import Estimate
from lora_hub.training.run_memory import scoring_bytes, shared_bytes, training_bytes

# What estimates rest on. CPU: FLOP/s that two cores reach on a base of `SMALL` parameters (wider ones make better use
# of them: 6e10 seen at 135 million), seconds a step costs beside its FLOPs, seconds until the first step. GPU: the
# share of the peak that LoRA reaches, and the same two.
CPU_FLOPS, SMALL, CPU_STEP, CPU_START = 2.5e10, 1.26e6, 0.03, 5.0
GPU_SHARE, GPU_STEP, GPU_START = 0.3, 0.02, 25.0
# Of a machine that was measured: the share of its products' rate that those with an adapter's narrow matrices reach,
# and what a step costs beside (within a sixth for 960 to 12,800 tokens a step on the built-in base and 400 to 2,400 on
# SmolLM2-135M: tests/bench/bench_memory.py prints the seconds).
ADAPTER_SHARE, MEASURED_STEP = 0.065, 0.01
# What it costs more where rows are of unlike lengths, as they are outside of that bench: several calls of the layers,
# each in shapes that were not met before (on the built-in base a step of the samples 0.05 to 0.09 s, where 0.02 to 0.05
# followed from the rest: tests/bench/bench_times.py, as what follows; a base of 135 million takes seconds).
MIXED_STEP, ALIKE = 0.03, 1.1
# A question as it is asked to compare: tokens that are read and written, and what a token of its text costs beside its
# FLOPs, in seconds.
ASKED, ANSWER, WRITTEN = 60, 40, 0.002
# An evaluation: what a run's costs beside its rows, an answer beside its FLOPs, and a token of its text in a full batch
# of others, in seconds; how many rows share a reading of the weights, by what it takes.
SCORED, ANSWERED, WRITTEN_MANY, AT_ONCE = 0.8, 0.003, 0.0001, 4
# Tokens of one of the base's own answers with its prompt, and of the general questions with all their choices, asked
# twice.
REPLAYED, GENERAL = 60, 2 * 80 * 35
# Rows and tokens of each that are read to tell where the task's questions lie (regions/).
REGION_ROWS, REGION_TOKENS = 424, 96
# Publishing: seconds beside the weights (the Hub is asked and told in a dozen calls), and bytes a second that a line
# takes up.
PUBLISHED, UPLOAD = 4.0, 2.5e6
# A rented machine: seconds until it runs, bytes a second that a base comes down with, cores beyond which a CPU gains
# nothing.
BOOT, DOWNLOAD, CPU_CORES = 180.0, 100e6, 16
# What CUDA takes beside the base, and how full memory may be.
CUDA_BYTES, FILLED = 600 * 2**20, 0.92


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


@dataclass(frozen=True)
class _Rates:
    """FLOP/s that are reached, counted on all of a base's parameters: in training, in reading prompts and in writing
    answers. step: seconds a step beside. shares_beginning: what all rows begin with is read once."""

    training: float
    reading: float
    writing: float
    step: float
    shares_beginning: bool = False


def estimate(
    spec: TrainSpec,
    *,
    tokens_row: float,
    gpu_flops: float = 0.0,
    speed: Speed | None = None,
    pace: Pace | None = None,
    slowdown: float = 1.0,
) -> Estimate:
    """What the run will take on this machine. tokens_row: mean tokens a row; gpu_flops: peak FLOP/s of a GPU, 0 where
    it is a CPU; speed: of that CPU, where it was measured; pace: what runs of the base took of such estimates;
    slowdown: how many times as long everything takes beside what else runs now."""
    rates, start = (_gpu_rates(gpu_flops), GPU_START) if gpu_flops else (_cpu_rates(spec, speed), CPU_START)
    training, scoring = _training_seconds(spec, tokens_row, rates), _scoring_seconds(spec, tokens_row, rates)
    if pace is not None:
        training, scoring = training * pace.training, scoring * pace.scoring
    publishing = _publishing_seconds(spec)
    seconds = start + training + scoring + publishing
    precision = "bf16" if gpu_flops else "fp32"
    trained = training_bytes(spec, tokens_row, precision)
    return Estimate(
        steps=_steps(spec),
        tokens_row=tokens_row,
        seconds=seconds,
        memory_bytes=trained if gpu_flops or not trained else max(trained, scoring_bytes(spec, tokens_row)),
        training=training,
        scoring=scoring,
        training_bytes=trained,
        seconds_now=seconds * slowdown,
        publishing=publishing,
        own_bytes=max(0, trained - shared_bytes(spec, precision)),
    )


def answer_seconds(base: BaseModel, *, gpu_flops: float = 0.0, speed: Speed | None = None) -> float:
    """Seconds until a question of `ASKED` tokens has `ANSWER` tokens from the base and from an adapter, once the base
    is loaded. 0 where nobody knows: the machine was not measured, or the base's size is unknown."""
    if not base.parameters or not (speed or gpu_flops):
        return 0.0
    flops = GPU_SHARE * gpu_flops if gpu_flops else speed.flops_at(base.hidden_size)
    # All weights are read for each token, whoever is asked: both answers are in one batch.
    token = 4 * base.parameters / speed.bytes_second if speed and not gpu_flops else 0.0
    return 2 * ASKED * 2 * base.parameters / flops + ANSWER * (WRITTEN + max(token, 4 * base.parameters / flops))


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
    if not all(spec.base.parameters and training_bytes(spec, tokens_row, "fp32") for spec, tokens_row in work):
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
            training_bytes(spec, tokens_row, "bf16", checkpointing=way) + CUDA_BYTES
            for way in (checkpointing, spec.gradient_checkpointing != "off")
        )
        memory = plain if plain <= FILLED * hardware.memory_bytes else spared
        recomputes = checkpointing or memory < plain
        rates = _gpu_rates(hardware.flops * (3 / 4 if recomputes else 1))
    else:
        memory = training_bytes(spec, tokens_row, "fp32", checkpointing=checkpointing)
        rates = _cpu_rates(spec, None, min(hardware.vcpu, CPU_CORES))
    return _training_seconds(spec, tokens_row, rates) + _scoring_seconds(spec, tokens_row, rates), memory


def _gpu_rates(flops: float) -> _Rates:
    """flops: of the card, at its peak."""
    reached = GPU_SHARE * flops
    return _Rates(reached, reached, reached, GPU_STEP)


def _cpu_rates(spec: TrainSpec, speed: Speed | None, cores: int = 2) -> _Rates:
    """Of this machine where it was measured, else of so many cores like those that were measured once."""
    # Of settings that are tried at once each costs all of a step again: eight took 1.84 times one run of 200 short rows
    # (tests/bench/bench_sweep.py), and 1.65 times of 60.
    tried = _swept(spec.sweep)
    if speed is None:
        flops = _cpu_flops(spec) / 2 * cores
        return _Rates(flops, flops, flops, CPU_STEP * tried)
    shape, parameters = bases.shape_of(spec.base), _parameters(spec)
    flops = speed.flops_at(spec.base.hidden_size or (shape.hidden if shape else 1024))
    linear = shape.linear_parameters if shape else parameters
    # The embeddings are only looked up, and a frozen map costs 4 FLOPs a weight and token: forward, and back through
    # the activations. An adapter's maps cost 6, at a lower rate.
    adapter = shape.lora_parameters(spec.lora.r) / ADAPTER_SHARE if shape else 0.0
    training = flops * 4 * parameters / (4 * linear + 6 * adapter)
    writing = min(flops * parameters / linear, AT_ONCE * speed.bytes_second / 2)
    lengths = spec.dataset.lengths
    mixed = lengths is None or lengths.total[5] > ALIKE * lengths.total[1]
    step = tried * (MEASURED_STEP + (MIXED_STEP if mixed else 0.0))
    return _Rates(training, flops * parameters / linear, writing, step, shares_beginning=True)


def _cpu_flops(spec: TrainSpec) -> float:
    """FLOP/s of two cores on the spec's base: fitted on 1.3, 5 and 135 million parameters."""
    return CPU_FLOPS * min(3.0, max(1.0, (_parameters(spec) / SMALL) ** 0.2))


def _parameters(spec: TrainSpec) -> int:
    return spec.base.parameters or 1_000_000_000


def _steps(spec: TrainSpec) -> int:
    return spec.count_steps(max(1, round(_trained(spec) * spec.dataset.weight)) + spec.replay)


def _trained(spec: TrainSpec) -> int:
    scored, validation = _held_out(spec)
    return max(1, spec.dataset.rows - validation - (0 if spec.test_rows else scored))


def _held_out(spec: TrainSpec) -> tuple[int, int]:
    """Rows that are scored and rows that choose the checkpoint, as `data.prepare` sets them apart."""
    if spec.test_rows:
        return spec.test_rows, validation_beside_test(spec.dataset.rows)
    return held_out_sizes(spec.dataset.rows, spec.held_out, spec.max_held_out)


def _training_seconds(spec: TrainSpec, tokens_row: float, rates: _Rates) -> float:
    """Training costs 4 FLOPs a parameter and token with a frozen base (2 forward, 2 back through the activations),
    looking at the validation rows 2. A small base is bound by the cost of a step rather than by its FLOPs."""
    work = _swept(spec.sweep)  # each candidate takes its FLOPs
    # On a CPU what all rows begin with is read once a step.
    lengths = spec.dataset.lengths
    begin = lengths.begin * (1 - 1 / spec.rows_at_once) if lengths and rates.shares_beginning else 0.0
    tokens = _parameters(spec) * max(1.0, tokens_row - begin) * work
    _scored, validation = _held_out(spec)
    training = _steps(spec) * (rates.step + 4 * tokens * spec.batch / rates.training)
    return training + (spec.evaluations + 1) * validation * 2 * tokens / rates.reading


def _scoring_seconds(spec: TrainSpec, tokens_row: float, rates: _Rates) -> float:
    """The exam of the base, the base with examples and the adapter, at 2 FLOPs a parameter and token."""
    scored, validation = _held_out(spec)
    exam = plan_exam(
        spec.task,
        scored=scored,
        validation=validation,
        trained=_trained(spec),
        tokens_row=tokens_row,
        context=spec.base.context,
    )
    read, written = exam.read, exam.written
    if spec.replay:  # asked before the training; what they take in a step is counted there
        read, written = read + spec.replay * REPLAYED // 3, written + spec.replay * REPLAYED
    if spec.asks_general:
        read += GENERAL
    read += min(REGION_ROWS, _trained(spec) + validation) * min(REGION_TOKENS, tokens_row)
    through = read / rates.reading + written / rates.writing
    return SCORED + 2 * _parameters(spec) * through + ANSWERED * exam.rows + WRITTEN_MANY * written


def _publishing_seconds(spec: TrainSpec) -> float:
    """Until the adapter is published, where the run publishes it."""
    if not spec.publish_to:
        return 0.0
    shape = bases.shape_of(spec.base)
    return PUBLISHED + (4 * shape.lora_parameters(spec.lora.r) / UPLOAD if shape else 0.0)


def _swept(settings: int) -> float:
    """Trainings that finding settings costs, by when candidates drop out (`sweep.HALVED`)."""
    if settings < 2:
        return 1.0
    return (settings + 2 * 2 + 9) / 12
