"""Tests that need a GPU: 16-bit training, QLoRA, running out of memory. `make test-gpu` runs these, `make test` does
not."""

import importlib.util
from pathlib import Path

import pytest
from small_data import sentiment_rows, write_csv

from lora_hub import runs
from lora_hub.answering import loading
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import BaseError
from lora_hub.core.schema import RunState, TrainSpec
from lora_hub.data.prompts import prepare
from lora_hub.training import alone as train

pytestmark = pytest.mark.gpu
TASK = catalogue.get_task("sentiment")


@pytest.fixture
def spec(tmp_path: Path) -> TrainSpec:
    import torch

    assert torch.cuda.is_available(), "make test-gpu needs a CUDA device"
    data = write_csv(tmp_path / "reviews.csv", sentiment_rows(240))
    return runs.plan_run(data, TASK, bases.get_base("built-in"), overrides={"epochs": "6"}).spec


def learn(spec: TrainSpec, tmp_path: Path) -> train.Trained:
    from lora_hub.runs import run_data

    task, split, _ = run_data.read_split(spec)
    tokenizer = loading.load_tokenizer(spec.base)
    model = loading.load_base(spec.base, precision=spec.precision, quantization=spec.quantization)
    rows = [prepare.encode_examples(tokenizer, task, part, spec.max_length) for part in (split.train, split.validation)]
    return train.train_adapter(spec, model, tokenizer, *rows, tmp_path, report=lambda *_, **__: None)


@pytest.mark.parametrize("precision", ["auto", "bf16", "fp16", "fp32"])
def test_every_precision_learns(spec: TrainSpec, tmp_path: Path, precision: str) -> None:
    trained = learn(spec.model_copy(update={"precision": precision}), tmp_path)
    assert trained.best_loss < 0.5


def test_gradient_checkpointing_reaches_the_same_loss(spec: TrainSpec, tmp_path: Path) -> None:
    plain = learn(spec.model_copy(update={"precision": "fp32"}), tmp_path / "a")
    spared = learn(spec.model_copy(update={"precision": "fp32", "gradient_checkpointing": "on"}), tmp_path / "b")
    assert spared.best_loss == pytest.approx(plain.best_loss, abs=0.02)


def test_qlora_learns_or_says_what_is_missing(spec: TrainSpec, tmp_path: Path) -> None:
    spec = spec.model_copy(update={"quantization": "nf4"})
    if importlib.util.find_spec("bitsandbytes") is None:
        with pytest.raises(BaseError, match="bitsandbytes"):
            learn(spec, tmp_path)
    else:
        assert learn(spec, tmp_path).best_loss < 1.0


def test_memory_that_runs_out_is_told_in_words(spec: TrainSpec, tmp_path: Path) -> None:
    import torch

    torch.cuda.set_per_process_memory_fraction(0.0005)
    try:
        with pytest.raises(BaseError, match="memory"):
            learn(spec.model_copy(update={"batch": 512}), tmp_path)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()


def test_a_whole_run_on_the_gpu(spec: TrainSpec) -> None:
    run = runs.wait_for_run(runs.start_runs([spec])[0].id)
    assert run.state is RunState.SUCCEEDED, runs.read_log(run.id)
    assert run.metrics["adapter"]["accuracy"].value > run.metrics["base"]["accuracy"].value
