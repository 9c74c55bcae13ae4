"""What a run will need, here and on rented hardware: it grows with the work, says what fits, and rounds what is
billed."""

import math

import pytest

from lora_hub.catalogue import bases, hardware
from lora_hub.catalogue.machine_speed import Speed
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.schema import BaseModel, DatasetInfo, Lengths, TrainSpec
from lora_hub.training import estimate, recipe

SMOL = bases.get_base("HuggingFaceTB/SmolLM2-135M-Instruct")
QWEN = bases.get_base("Qwen/Qwen3-8B")


def make(
    base: BaseModel = SMOL, rows: int = 1000, task: str = "spam", longest: int = 0, **overrides: object
) -> TrainSpec:
    counted = (20,) * 7 + (longest,)
    lengths = Lengths(
        base=base.id,
        rows=rows,
        sampled=rows,
        prompt=counted,
        answer=counted,
        total=counted,
        max_length=512,
        context=base.context,
        too_long=0,
        answers_cut=0,
        over_context=0,
        trained_share=0.1,
    )
    info = DatasetInfo(
        fingerprint="0" * 16,
        name="x.csv",
        rows=rows,
        columns=("text", "answer"),
        format="csv",
        lengths=lengths if longest else None,
    )
    return recipe.make_spec(
        catalogue.get_task(task), base, info, {"text": "text", "answer": "answer"}, overrides=overrides
    )


def by_flavor(spec: TrainSpec, tokens_row: float = 60) -> dict[str, estimate.CostEstimate]:
    return {cost.flavor: cost for cost in estimate.estimate_costs([(spec, tokens_row)])}


def test_several_in_one_go_share_process_start_and_base() -> None:
    one = recipe.estimate(make(rows=500), tokens_row=40)
    many = recipe.estimate_together([one, one, one])
    start = one.seconds - one.training - one.scoring
    assert many.seconds == pytest.approx(start + 3 * (one.training + one.scoring)) and many.steps == 3 * one.steps
    weights = 650 * 10**6 + 4 * SMOL.parameters
    assert many.training_bytes == pytest.approx(weights + 3 * (one.training_bytes - weights))
    assert many.memory_bytes == one.memory_bytes + 2 * one.own_bytes
    busy = recipe.estimate(make(rows=500), tokens_row=40, slowdown=4.0)
    assert recipe.estimate_together([one, busy]).busy_seconds == pytest.approx(
        4 * recipe.estimate_together([one, one]).seconds
    )
    strange = recipe.estimate(make(BaseModel(id="who/knows", context=128)), tokens_row=40)
    assert recipe.estimate_together([strange, strange]).memory_bytes == 0


def test_publishing_is_told_where_the_run_publishes() -> None:
    spec = make(rows=500)
    alone = recipe.estimate(spec, tokens_row=40)
    published = recipe.estimate(spec.model_copy(update={"publish_to": "lora-hub"}), tokens_row=40)
    sent = 4 * bases.shape_of(SMOL).lora_parameters(spec.lora.r) / estimate.UPLOAD
    assert published.seconds - alone.seconds == pytest.approx(estimate.PUBLISHED + sent)
    assert recipe.estimate_together([published] * 2).seconds > recipe.estimate_together([alone] * 2).seconds + 8


@pytest.mark.parametrize("tokens_row", [0.0, 1.0, 3.0])
def test_nothing_takes_less_than_no_time_however_short_the_rows_are(tokens_row: float) -> None:
    of = recipe.estimate(make(BaseModel(id="who/knows", context=128), rows=3), tokens_row=tokens_row)
    assert of.scoring > 0 and of.training > 0


def test_it_grows_with_the_work() -> None:
    small = recipe.estimate(make(rows=500), tokens_row=40)
    large = recipe.estimate(make(rows=50_000), tokens_row=40)
    on_gpu = recipe.estimate(make(rows=50_000), tokens_row=40, gpu_flops=1e15)
    assert small.steps < large.steps and small.seconds < large.seconds and on_gpu.seconds < large.seconds
    assert small.memory_bytes > SMOL.parameters
    assert recipe.estimate(make(rows=500, evaluations=50), tokens_row=40).seconds > small.seconds
    assert recipe.estimate(make(steps=7), tokens_row=40).steps == 7


def test_rows_brought_to_test_on_are_all_scored_and_the_others_trained_on() -> None:
    spec = make(rows=6920)
    other = spec.model_copy(update={"test_dataset": spec.dataset.model_copy(update={"rows": 872})})
    # As `split.split_with_test` parts them: of 400 rows 35 % choose the checkpoint, the others go back to training.
    assert recipe.estimate(other, tokens_row=60).steps == pytest.approx(spec.epochs * (6920 - 140) / 16, abs=1)
    own = spec.model_copy(update={"dataset": spec.dataset.model_copy(update={"test_rows": 872})})
    assert recipe.estimate(own, tokens_row=60).steps == recipe.estimate(other, tokens_row=60).steps
    many = spec.model_copy(update={"test_dataset": spec.dataset.model_copy(update={"rows": 8720})})
    assert recipe.estimate(many, tokens_row=60).seconds > recipe.estimate(other, tokens_row=60).seconds


def test_a_wider_base_makes_better_use_of_a_cpu() -> None:
    tiny = bases.get_base("built-in")
    seconds = [recipe.estimate(make(base, steps=1000, evaluations=1), tokens_row=60).seconds for base in (tiny, SMOL)]
    assert seconds[0] < seconds[1] < seconds[0] * SMOL.parameters / tiny.parameters


def test_memory_is_that_of_the_longest_row_where_it_was_measured() -> None:
    short, long = (recipe.estimate(make(longest=tokens), tokens_row=40).memory_bytes for tokens in (60, 400))
    assert short < long
    # rows that training leaves out take no memory
    cut = make(longest=5000)
    assert (
        recipe.estimate(cut, tokens_row=40).memory_bytes
        == recipe.estimate(make(longest=cut.max_length), tokens_row=40).memory_bytes
    )


def test_cheapest_first_and_those_that_fit_before_the_others() -> None:
    costs = estimate.estimate_costs([(make(QWEN), 60)])
    fits = [cost.fits for cost in costs]
    assert fits == sorted(fits, reverse=True) and True in fits and False in fits
    fitting = [cost.dollars for cost in costs if cost.fits]
    assert fitting == sorted(fitting)
    assert {cost.flavor for cost in costs} == {one.flavor for one in hardware.list_hardware() if one.gpus <= 1}
    for cost in costs:
        assert cost.fits == (cost.memory_bytes <= 0.92 * cost.had_bytes) and cost.title


def test_a_base_of_eight_billion_needs_a_large_card_or_four_bits() -> None:
    plain = by_flavor(make(QWEN))
    assert not plain["t4-small"].fits and plain["a100-large"].fits and plain["h200"].fits
    # 8.2e9 weights at 16 bits are 16.4e9 bytes, more than a T4 has
    assert plain["t4-small"].memory_bytes > 16.4e9
    small = by_flavor(make(QWEN, quantization="nf4", micro_batch=1, gradient_checkpointing="on", max_length=256))
    assert small["l4x1"].fits and small["l4x1"].memory_bytes < 12e9
    assert not small["cpu-performance"].fits  # 4 bits need a GPU


def test_recomputing_activations_makes_it_fit_and_takes_longer() -> None:
    rows = dict(longest=4000, max_length=4096, micro_batch=4)
    off, auto, on = (
        by_flavor(make(QWEN, gradient_checkpointing=way, **rows), 2000)["rtx-pro-6000"] for way in ("off", "auto", "on")
    )
    assert not off.fits and auto.fits and auto.memory_bytes == on.memory_bytes < off.memory_bytes
    assert auto.seconds == on.seconds and 1.2 < on.seconds / off.seconds < 1.4


def test_dollars_are_those_of_the_minutes_begun() -> None:
    hourly_of = {one.flavor: one.dollars for one in hardware.list_hardware()}
    for cost in estimate.estimate_costs([(make(), 60)]):
        hourly = hourly_of[cost.flavor]
        minutes = cost.dollars / hourly * 60
        assert minutes == pytest.approx(math.ceil(cost.seconds / 60))
        assert cost.seconds > 180  # a machine has to start
    assert by_flavor(make())["t4-small"].dollars < by_flavor(make())["h200"].dollars


def test_a_faster_card_takes_less_time_and_a_base_has_to_come_down() -> None:
    costs = by_flavor(make(QWEN, rows=20_000), 400)
    assert costs["h200"].seconds < costs["a100-large"].seconds < costs["l4x1"].seconds < costs["t4-small"].seconds
    assert by_flavor(make(QWEN, steps=1))["h200"].seconds > by_flavor(make(SMOL, steps=1))["h200"].seconds + 100


def test_the_built_in_base_is_cheapest_without_a_gpu() -> None:
    costs = estimate.estimate_costs([(make(bases.get_base("built-in"), rows=400), 60)])
    assert costs[0].flavor.startswith("cpu-") and costs[0].dollars < 0.01 and all(cost.fits for cost in costs)


def test_nobody_guesses_for_a_base_of_unknown_size() -> None:
    assert estimate.estimate_costs([(make(BaseModel(id="someone/anything")), 60)]) == []


def test_settings_that_are_tried_at_once_have_their_rows_in_memory_together() -> None:
    one, eight = (recipe.estimate(make(longest=100, sweep=tried), tokens_row=40).training_bytes for tried in (0, 8))
    adapters = 7 * 16 * bases.shape_of(SMOL).lora_parameters(16)
    beside = recipe.estimate(make(longest=100, batch=1), tokens_row=40).training_bytes
    assert eight > adapters + beside + 7 * (one - beside)


def test_a_run_takes_what_its_larger_half_takes() -> None:
    # Scored within a second copy of its layers, which a training of one short row at a time does not need.
    copy = 4 * bases.shape_of(SMOL).linear_parameters
    small = recipe.estimate(make(longest=30, micro_batch=1), tokens_row=20)
    assert small.memory_bytes > 4 * SMOL.parameters + copy > small.training_bytes - 650e6
    large = recipe.estimate(make(longest=400), tokens_row=200)
    assert large.memory_bytes == large.training_bytes
    # rows of every file that is read take their part, whether they are long or many
    many = recipe.estimate(make(rows=1_000_000), tokens_row=100)
    assert many.memory_bytes > 1_000_000 * 100 * 100


@pytest.mark.parametrize("speed", [None, Speed({128: 1e12}, 1e11)])
def test_finding_settings_takes_longer_on_tiny_data_too(speed: Speed | None) -> None:
    """Where a step's own cost is nearly all there is: 1.65 times one run with 60 rows, 1.84 times with 200."""
    built_in = bases.get_base("built-in")
    one, eight = (recipe.estimate(make(built_in, 60, sweep=tried), tokens_row=60, speed=speed) for tried in (0, 8))
    assert 1.6 < eight.training / one.training < 1.9


def test_rows_of_unlike_lengths_cost_a_step_more() -> None:
    speed = Speed({128: 2e11}, 1e10)
    alike = make(bases.get_base("built-in"), longest=21, steps=100)
    lengths = alike.dataset.lengths.model_copy(update={"total": (10, 12, 15, 20, 25, 28, 30, 31)})
    unlike = alike.model_copy(update={"dataset": alike.dataset.model_copy(update={"lengths": lengths})})
    seconds = [recipe.estimate(spec, tokens_row=20, speed=speed).training for spec in (alike, unlike)]
    assert seconds[1] - seconds[0] == pytest.approx(100 * estimate.MIXED_STEP)


def test_small_runs_are_told_to_take_what_they_took() -> None:
    """Of CPU seconds measured on one core by tests/bench/bench_times.py: 0.052 a step and 2 of scoring 60 answers in
    text three times, which were told as 0.087 and 16; and 4.5 for a process to start and end."""
    built_in, speed = bases.get_base("built-in"), Speed({128: 2.4e11}, 3.7e10)
    spec = make(built_in, 600, "question-answering", longest=45, steps=106, evaluations=4, max_held_out=60)
    told = recipe.estimate(spec, tokens_row=42, speed=speed)
    assert 106 * 0.052 / 1.3 < told.training < 106 * 0.075 and 1.3 < told.scoring < 3.2
    assert 3.5 < told.seconds - told.training - told.scoring < 6
