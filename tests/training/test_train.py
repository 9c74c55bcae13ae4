"""How a spec becomes a training: precision, batches without padding, and a base that is returned unchanged."""

import contextlib
from pathlib import Path

import pytest
import torch
from persian import refused
from small_data import sentiment_rows, write_csv

from lora_hub import runs
from lora_hub.answering import loading
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import BaseError, SpecError
from lora_hub.core.schema import TrainSpec
from lora_hub.data.prompts import prepare
from lora_hub.runs import run_data
from lora_hub.training import alone as train


def test_precision_follows_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert loading.pick_precision(cpu) == "fp32" and loading.pick_precision(cpu, "bf16") == "bf16"
    for has_bf16, picked in ((True, "bf16"), (False, "fp16")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True, known=has_bf16: known)
        assert loading.pick_precision(gpu) == picked
    with refused(BaseError, match="needs a GPU"):
        loading.pick_precision(cpu, "fp16")


class Prepared:
    """A small spec's rows and the built-in base, loaded once for the tests below."""

    def __init__(self, folder: Path, **overrides: str) -> None:
        data = write_csv(folder / "reviews.csv", sentiment_rows(80))
        self.spec: TrainSpec = runs.plan_run(
            data, catalogue.get_task("sentiment"), bases.get_base("built-in"), overrides=overrides
        ).spec
        task, split, _ = run_data.read_split(self.spec)
        self.tokenizer = loading.load_tokenizer(self.spec.base)
        self.model = loading.load_base(self.spec.base)
        self.train, self.validation = (
            prepare.encode_examples(self.tokenizer, task, part, self.spec.max_length)
            for part in (split.train, split.validation)
        )

    def learn(
        self, folder: Path, cancelled=lambda: False, **changes: object
    ) -> tuple[train.Trained, list[tuple[str, dict]]]:
        told: list[tuple[str, dict]] = []
        spec = self.spec.model_copy(update=changes)
        done = train.train_adapter(
            spec,
            self.model,
            self.tokenizer,
            self.train,
            self.validation,
            folder,
            report=lambda kind, **data: told.append((kind, data)),
            cancelled=cancelled,
        )
        return done, told


def test_the_base_comes_back_bit_for_bit(tmp_path: Path) -> None:
    made = Prepared(tmp_path, steps="4", evaluations="2")
    before = {name: value.clone() for name, value in made.model.state_dict().items()}
    ids = torch.tensor([made.train.rows[0]["input_ids"]])
    with torch.inference_mode():
        logits = made.model(ids).logits
    done, told = made.learn(tmp_path / "run")
    after = made.model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    with torch.inference_mode():
        assert torch.equal(made.model(ids).logits, logits)
    assert not made.model.training and not any(value.requires_grad for value in made.model.parameters())
    assert done.steps == 4 and (done.folder / "adapter_model.safetensors").is_file()
    assert [data["eval_loss"] for kind, data in told if kind == "metric" and "eval_loss" in data]
    beside = [data for kind, data in told if kind == "metric" and "loss" in data]
    assert all({"lr", "grad_norm", "tokens_second", "memory"} <= data.keys() for data in beside) and len(beside) == 4
    assert all(data["grad_norm"] > 0 and data["tokens_second"] > 0 and data["memory"] > 10**8 for data in beside)


def test_flat_and_padded_batches_train_the_same_weights(tmp_path: Path) -> None:
    """Rows one behind the other are exact: same seeds, same adapter."""
    from safetensors.torch import load_file

    made = Prepared(tmp_path, steps="3", evaluations="1")
    flat, _ = made.learn(tmp_path / "flat", packing="on")
    padded, _ = made.learn(tmp_path / "padded", packing="off")
    one, other = (load_file(done.folder / "adapter_model.safetensors") for done in (flat, padded))
    assert one.keys() == other.keys() and any(value.abs().max() > 0 for name, value in one.items() if "lora_B" in name)
    # AdamW's first steps are as long where the gradient is rounding noise as anywhere: such weights may differ, few do.
    differences = torch.cat([(one[name] - other[name]).abs().flatten() for name in one])
    assert (differences < 1e-5).float().mean() > 0.99 and flat.best_loss == pytest.approx(padded.best_loss, abs=1e-3)


def test_cancelling_stops_at_the_next_step(tmp_path: Path) -> None:
    made = Prepared(tmp_path, steps="1000", patience="0")
    asked = iter([False, False])
    done, _ = made.learn(tmp_path / "run", cancelled=lambda: next(asked, True))
    assert done.cancelled and done.steps <= 4


def test_a_learning_rate_that_explodes_is_told(tmp_path: Path) -> None:
    made = Prepared(tmp_path, steps="30")
    with refused(SpecError, match="lr = 1"):
        # a NaN among the weights stands for what a wild learning rate ends in
        with torch.no_grad():
            made.model.lm_head.weight[0, 0] = float("nan")
        made.learn(tmp_path / "run", lr=1.0)


def test_targets_that_the_base_lacks_are_named(tmp_path: Path) -> None:
    made = Prepared(tmp_path, steps="2")
    with refused(SpecError, match="no_such_layer"):
        made.learn(tmp_path / "run", lora=made.spec.lora.model_copy(update={"targets": ("no_such_layer",)}))


def test_the_head_sees_only_trained_tokens_and_the_losses_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl.trainer import utils

    made = Prepared(tmp_path, steps="3", evaluations="1")
    before = utils._use_triton
    _, ours = made.learn(tmp_path / "ours")
    assert utils._use_triton is before
    monkeypatch.setattr(train, "head_on_trained_tokens", contextlib.nullcontext)
    _, plain = made.learn(tmp_path / "plain")

    def losses(told: list[tuple[str, dict]]) -> list[float]:
        return [data.get("loss", data.get("eval_loss")) for kind, data in told if kind == "metric"]

    assert losses(ours) == pytest.approx(losses(plain), abs=1e-3) and len(losses(ours)) >= 4
