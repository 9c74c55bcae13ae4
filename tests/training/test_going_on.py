"""Going on from an adapter: training begins with its weights, alone, together, in a sweep; other shapes are refused."""

from pathlib import Path

import pytest
from safetensors.torch import load_file
from test_together import difference, learn, make_rows, make_spec, make_task, weights
from tiny_bases import build, byte_tokenizer, save_adapter

from lora_hub.core.errors import AdapterError
from lora_hub.core.schema import LoraSpec, Parent
from lora_hub.training import alone as train
from lora_hub.training import going_on
from lora_hub.training.candidates import make_candidates

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
PARENT = Parent(repo_id="a/b", revision="c" * 40)


def test_it_begins_with_the_weights_of_the_other_alone_and_together(tmp_path: Path) -> None:
    model = build("llama")
    before = save_adapter(model, tmp_path / "before")
    task, told = make_task(tmp_path / "together", parent=PARENT, lr=1e-9, steps=2)
    task.parent = before
    result = learn([task], model).results[0]
    saved = load_file(before / "adapter_model.safetensors")
    assert max((weights(result)[key] - saved[key]).abs().max().item() for key in saved) < 1e-6
    # as PEFT itself computes the loss of the adapter that it goes on from
    first = next(data["eval_loss"] for kind, data in told if kind == "metric" and "eval_loss" in data)
    fresh, told = make_task(tmp_path / "fresh", lr=1e-9, steps=2)
    learn([fresh], model)
    assert abs(first - next(data["eval_loss"] for kind, data in told if "eval_loss" in data)) > 0.1
    real, _told = make_task(tmp_path / "real", parent=PARENT)
    real.parent = before
    together = learn([real], model).results[0]
    (tmp_path / "alone").mkdir()
    looks: list[dict] = []
    alone = train.train_adapter(
        real.spec,
        model,
        byte_tokenizer(),
        real.train,
        real.validation,
        tmp_path / "alone",
        report=lambda kind, **data: looks.append(data),
        parent=before,
    )
    assert difference(alone, together) < 1e-4
    assert next(data["eval_loss"] for data in looks if "eval_loss" in data) == pytest.approx(first, abs=1e-4)


def test_a_resumed_run_goes_on_from_its_checkpoint_and_not_from_the_parent_again(tmp_path: Path) -> None:
    model, steps = build("llama"), {"steps": 6, "evaluations": 3}
    before = save_adapter(model, tmp_path / "before")
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    spec, rows = make_spec(parent=PARENT, **steps), (make_rows(24, 0), make_rows(6, 50))

    def train_in(folder: str, cancelled=lambda: False):
        return train.train_adapter(
            spec,
            model,
            byte_tokenizer(),
            *rows,
            tmp_path / folder,
            report=lambda *_, **__: None,
            cancelled=cancelled,
            parent=before,
        )

    whole, asked = train_in("whole"), iter(range(100))
    assert train_in("cut", lambda: next(asked) >= 3).cancelled
    assert difference(whole, train_in("cut")) < 1e-4


def test_another_shape_is_refused_in_words(tmp_path: Path) -> None:
    model = build("llama")
    for name, options in {
        "rank": {"r": 2, "lora_alpha": 4},
        "scale": {"lora_alpha": 3},
        "layers": {"target_modules": ["q_proj"]},
    }.items():
        task, _told = make_task(tmp_path / f"run-{name}", parent=PARENT)
        task.parent = save_adapter(model, tmp_path / name, **options)
        result = learn([task], model).results[0]
        assert isinstance(result, AdapterError) and "another rank" in str(result), (name, result)
    mixed = save_adapter(model, tmp_path / "mixed", rank_pattern={"q_proj": 2})
    with pytest.raises(AdapterError, match="different ranks"):
        going_on.shape_of("mixed", mixed, LoraSpec())
    shape = going_on.shape_of("rank", tmp_path / "rank", LoraSpec(dropout=0.1))
    assert shape == LoraSpec(r=2, alpha=4, dropout=0.1)
    damaged = tmp_path / "rank" / "adapter_model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:200])
    with pytest.raises(AdapterError):
        going_on.shape_of("rank", tmp_path / "rank", LoraSpec())


def test_settings_are_found_among_those_that_keep_the_rank() -> None:
    spec = make_spec(sweep=8, parent=PARENT)
    assert {one.lora for one in make_candidates(spec)} == {spec.lora}
    assert len({one.lr for one in make_candidates(spec)}) == 4
