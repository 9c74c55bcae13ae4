"""The dial derives, people override, unknown keys are errors."""

import pytest

from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import spec_fields
from lora_hub.core.errors import SpecError
from lora_hub.core.schema import BaseModel, DatasetInfo, LoraSpec, TrainSpec
from lora_hub.training import recipe
from lora_hub.training.few_steps import find_few_steps

TASK = catalogue.get_task("spam")
BASE = bases.get_base("HuggingFaceTB/SmolLM2-135M-Instruct")
MAPPING = {"text": "text", "answer": "answer"}

# Every setting that is a number: none may ask for the impossible.
NUMBERS = [field.key for field in spec_fields.FIELDS if type(spec_fields.value_of_default(field.key)) in (int, float)]


def info(rows: int = 1000) -> DatasetInfo:
    return DatasetInfo(fingerprint="0" * 16, name="x.csv", rows=rows, columns=("text", "answer"), format="csv")


def make(effort: str = "balanced", rows: int = 1000, base: BaseModel = BASE, **overrides: object) -> TrainSpec:
    return recipe.make_spec(TASK, base, info(rows), MAPPING, effort=effort, overrides=overrides)


def test_more_effort_is_more_of_everything() -> None:
    quick, balanced, thorough = (make(effort) for effort in recipe.EFFORTS)
    assert quick.lora.r < balanced.lora.r < thorough.lora.r
    assert quick.epochs < balanced.epochs < thorough.epochs
    assert quick.max_length < balanced.max_length < thorough.max_length


def test_learning_rate_is_the_bases() -> None:
    assert make().lr == BASE.default_lr == pytest.approx(5e-4 * (2000 / 576) ** 0.781, rel=0.05)
    assert make(base=BaseModel(id="x/y", default_lr=3e-4)).lr == 3e-4


@pytest.mark.parametrize(
    ("rows", "labels", "why"),
    [
        (600, 20, "many labels"),
        (50, 20, "many labels"),
        (600, 8, ""),
        (50, 2, ""),
        (50, 0, "fewer than 100 steps"),
        (600, 0, ""),
    ],
)
def test_a_small_base_with_much_to_learn_in_few_steps_learns_at_twice_the_rate(
    rows: int, labels: int, why: str
) -> None:
    task = TASK.model_copy(update={"labels": tuple(f"label {number}" for number in range(labels))})
    if not labels:
        task = catalogue.get_task("translation")
    for base in (bases.get_base("built-in"), BASE):
        spec = recipe.make_spec(task, base, info(rows), MAPPING)
        doubled = bool(why) and base is not BASE
        assert spec.lr == (2 if doubled else 1) * base.default_lr
        told = str({key: said for key, _, said in recipe.explain(spec)}["lr"])
        assert (why if doubled else "ten times") in told


@pytest.mark.parametrize("rows", [20, 300, 5000, 200_000])
@pytest.mark.parametrize("effort", recipe.EFFORTS)
def test_batches_stay_small_and_length_within_the_context(rows: int, effort: str) -> None:
    spec = make(effort, rows, base=BASE.model_copy(update={"context": 256}))
    assert spec.batch <= 32 and spec.max_length <= 256 and spec.lora.targets == "all-linear"
    assert spec.epochs >= 1


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("lora.r", "4", lambda s: s.lora.r == 4),
        ("r", 4, lambda s: s.lora.r == 4),
        ("learning_rate", "1e-3", lambda s: s.lr == 1e-3),
        ("lr", "0.002", lambda s: s.lr == 0.002),
        ("num_train_epochs", "2", lambda s: s.epochs == 2),
        ("targets", "q_proj, v_proj", lambda s: s.lora.targets == ("q_proj", "v_proj")),
        ("rslora", "true", lambda s: s.lora.rslora is True),
        ("packing", "off", lambda s: s.packing == "off"),
        ("steps", "7", lambda s: s.steps == 7),
    ],
)
def test_overrides(key: str, value: object, where) -> None:
    spec = make(**{key: value})
    assert where(spec)
    told = {k: str(why) for k, _, why in recipe.explain(spec)}
    assert told[recipe.find_key(key)].startswith("set by you")


def test_unknown_key_is_an_error_with_a_near_miss() -> None:
    with pytest.raises(SpecError, match="no setting 'epoch'") as caught:
        make(epoch="3")
    assert "epochs" in caught.value.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lr", "fast"),
        ("r", "0"),
        ("dropout", "1.5"),
        ("schedule", "zigzag"),
        ("rslora", "maybe"),
        ("epochs", "-1"),
        ("batch", "2.5"),
        *((key, value) for key in NUMBERS for value in ("1000000000000", "inf", "nan", "-1000000000000")),
    ],
)
def test_bad_values_name_key_and_value(key: str, value: str) -> None:
    with pytest.raises(SpecError) as caught:
        make(**{key: value})
    assert recipe.find_key(key) in caught.value.message and value in caught.value.message and caught.value.hint


def test_unknown_effort() -> None:
    with pytest.raises(SpecError, match="'heroic'"):
        make("heroic")


def test_every_field_of_the_form_is_in_the_spec_and_every_hyperparameter_in_the_form() -> None:
    keys = {field.key for field in spec_fields.FIELDS}
    nested = {f"lora.{name}" for name in LoraSpec.model_fields}
    ours = {
        "version",
        "task",
        "base",
        "dataset",
        "mapping",
        "test_dataset",
        "test_mapping",
        "name",
        "effort",
        "lora",
        "parent",
        "share_rows",
        "publish_to",
        "publish_private",
        "minimum",
    }
    # Of the task itself only the language that it is put in is a setting.
    assert keys == (set(TrainSpec.model_fields) - ours) | nested | {"task.prompt_language"}
    assert set(spec_fields.SYNONYMS.values()) <= keys
    for field in spec_fields.FIELDS:
        assert field.title.fa and field.help.fa
        if field.kind == "choice":
            assert spec_fields.value_of_default(field.key) in field.choices


def test_built_in_base_has_a_width_to_derive_from() -> None:
    assert bases.get_base("built-in").hidden_size > 0


def test_a_micro_batch_that_does_not_divide_the_batch_is_told() -> None:
    spec = make(batch="16", micro_batch="6")
    assert (spec.rows_at_once, spec.passes) == (4, 4)
    why = {key: str(reason) for key, _, reason in recipe.explain(spec)}
    assert why["micro_batch"] == "set by you; 4 at once, so that a step is 16 rows"
    why = {key: str(reason) for key, _, reason in recipe.explain(make(batch="16", micro_batch="8"))}
    assert why["micro_batch"] == "set by you"


@pytest.mark.parametrize("effort", recipe.EFFORTS)
@pytest.mark.parametrize("rows", [20, 50, 160, 370])
def test_few_rows_are_seen_until_something_is_learnt(effort: str, rows: int) -> None:
    """A real base: one pass over 160 rows was ten steps, after which nothing was learnt."""
    level = recipe.EFFORTS.index(effort)
    spec = make(effort, rows)
    steps = recipe.estimate(spec, tokens_row=40).steps
    assert steps >= recipe.LEAST_STEPS[level] or spec.epochs == recipe.MOST_PASSES[level]
    assert spec.epochs <= recipe.MOST_PASSES[level]
    assert "few rows" in str({key: why for key, _, why in recipe.explain(spec)}["epochs"])


def test_many_rows_are_seen_as_often_as_before() -> None:
    assert [make(effort, 1000).epochs for effort in recipe.EFFORTS] == [1, 3, 5]


def test_labels_are_evened_out_where_a_task_has_them() -> None:
    assert make().even_labels == "auto"
    assert recipe.make_spec(catalogue.get_task("translation"), BASE, info(), {}).even_labels == "off"


@pytest.mark.parametrize(
    ("steps", "given", "said"),
    [(10, {}, "Choose more effort"), (39, {"steps": "39"}, "Set steps = 40"), (40, {}, ""), (400, {}, "")],
)
def test_a_run_that_ends_before_anything_is_learnt_is_told(steps: int, given: dict[str, str], said: str) -> None:
    found = find_few_steps(make(**given), steps)
    assert [one.severity for one in found] == (["warning"] if said else [])
    if said:
        assert f"after {steps} steps" in str(found[0].said) and said in str(found[0].advice)


def test_more_effort_is_not_advised_where_there_is_none() -> None:
    assert "effort" not in str(find_few_steps(make("thorough"), 5)[0].advice)
