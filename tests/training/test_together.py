"""Several adapters trained in one pass: each learns what it would learn alone, and none affects another."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import tiny_bases
import torch
from safetensors.torch import load_file
from tiny_bases import BASE, build, byte_tokenizer

from lora_hub.core.errors import SpecError
from lora_hub.core.schema import DatasetInfo, LoraSpec, Task, Text2, TrainSpec
from lora_hub.data.prompts.prepare import Encoded, Example
from lora_hub.training import alone as train
from lora_hub.training import checkpoints, together, together_watch, trainer_settings
from lora_hub.training.alone import Trained
from lora_hub.training.task_training import TaskTraining
from lora_hub.training.together_trainer import TogetherTrainer
from lora_hub.training.trainable import Start, TrainableStack
from lora_hub.training.trainer_settings import make_lora_config
from lora_hub.training.unadapted import as_it_was

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
TASK = Task(id="t", title=Text2(en="T"), instruction=Text2(en="."))
INFO = DatasetInfo(fingerprint="0", name="rows", rows=1, columns=("text",), format="csv")


def make_spec(**changes: object) -> TrainSpec:
    lora = LoraSpec(
        r=changes.pop("r", 4),
        alpha=8,
        dropout=changes.pop("dropout", 0.0),
        targets=changes.pop("targets", "all-linear"),
        rslora=changes.pop("rslora", False),
    )
    return TrainSpec(
        **{
            "task": TASK,
            "base": BASE,
            "dataset": INFO,
            "mapping": {},
            "lora": lora,
            "lr": 2e-3,
            "steps": 12,
            "batch": 4,
            "evaluations": 3,
            "patience": 0,
            **changes,
        }
    )


def make_rows(count: int, seed: int, length: int = 12) -> Encoded:
    random = torch.Generator().manual_seed(seed)
    rows = []
    for _ in range(count):
        size = int(torch.randint(length // 2, length, (1,), generator=random))
        ids = torch.randint(3, tiny_bases.VOCABULARY, (size,), generator=random).tolist()
        rows.append({"input_ids": ids, "completion_mask": [0] * (size - 3) + [1] * 3})
    return Encoded(rows, [])


def make_task(
    folder: Path, number: int = 0, rows: int = 24, **changes: object
) -> tuple[TaskTraining, list[tuple[str, dict]]]:
    told: list[tuple[str, dict]] = []
    spec = make_spec(**changes)
    return TaskTraining(
        spec,
        make_rows(rows, number),
        make_rows(10, number + 50),
        folder,
        lambda kind, **data: told.append((kind, data)),
    ), told


def learn(tasks: list[TaskTraining], model: object | None = None, mode: str = "together") -> together.Outcome:
    for task in tasks:
        task.folder.mkdir(parents=True, exist_ok=True)
    return together.train_tasks(tasks, model or build("llama"), byte_tokenizer(), mode=mode)


def weights(result: Trained) -> dict[str, torch.Tensor]:
    assert isinstance(result, Trained), result
    return load_file(result.folder / "adapter_model.safetensors")


def difference(one: Trained, other: Trained) -> float:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys() and any(
        value.abs().max() > 1e-3 for key, value in first.items() if "lora_B" in key
    )
    return max((first[key] - second[key]).abs().max().item() for key in first)


@pytest.mark.parametrize("mode", ["together", "in turn"])
def test_rare_labels_weigh_in_the_validation_loss_as_in_training(tmp_path: Path, mode: str) -> None:
    """The checkpoint is chosen by rows in the proportions that were trained on."""

    def first_loss(name: str, *, evened: bool, copied: bool = False) -> float:
        labelled = TASK.model_copy(update={"output": "labels"})
        task, told = make_task(tmp_path / name, steps=1, evaluations=1, task=labelled)
        task.validation = make_rows(50, 50)
        task.validation.rows[0:50:5] = [task.validation.rows[0]] * 10
        for of in (task.train, task.validation):
            answers = ["rare" if not place % 5 else "common" for place in range(len(of.rows))]
            of.examples[:] = [Example(place, {}, answer) for place, answer in enumerate(answers)]
        if copied:  # 10 rare rows of 50: each four times for once of a common one
            task.validation.rows.extend(task.validation.rows[0:50:5] * 3)
        task.spec = task.spec.model_copy(update={"even_labels": "auto" if evened else "off"})
        assert isinstance(learn([task], mode=mode).results[0], Trained)
        return next(data["eval_loss"] for kind, data in told if "eval_loss" in data)

    assert first_loss("a", evened=True) == pytest.approx(first_loss("b", evened=False, copied=True), abs=1e-4)
    assert first_loss("c", evened=False) != pytest.approx(first_loss("b2", evened=False, copied=True), abs=1e-4)


DIFFERENT = [
    {},
    {"r": 2, "lr": 5e-3, "schedule": "cosine", "steps": 9, "seed": 7},
    {"batch": 8, "micro_batch": 4, "weight_decay": 0.1, "rslora": True},
    {"targets": ("q_proj", "v_proj"), "steps": 5, "schedule": "constant", "batch": 3},
]


@pytest.mark.parametrize("packing", ["on", "off"])
def test_each_adapter_becomes_what_it_becomes_alone(tmp_path: Path, packing: str) -> None:
    """Own ranks, rates, schedules, lengths, seeds, batches and targets; weights within 1e-4."""
    model = build("llama")
    tasks = [
        make_task(tmp_path / f"all-{n}", n, 20 + n, packing=packing, **changes)[0]
        for n, changes in enumerate(DIFFERENT)
    ]
    for task in tasks:
        task.validation = task.train  # of which one look is clearly the best
    outcome = learn(tasks, model)
    assert outcome.mode == "together"
    for number, (task, result) in enumerate(zip(tasks, outcome.results, strict=True)):
        folder = tmp_path / f"alone-{number}"
        folder.mkdir()
        alone = train.train_adapter(
            task.spec, model, byte_tokenizer(), task.train, task.validation, folder, report=lambda *_, **__: None
        )
        assert (alone.best_step, alone.steps) == (result.best_step, result.steps)
        assert alone.best_loss == pytest.approx(result.best_loss, abs=1e-4)
        assert difference(alone, result) < 1e-4


@pytest.mark.parametrize("kind", ["qwen3", "gemma", "gpt-neox", "gpt2"])
def test_other_architectures(kind: str, tmp_path: Path) -> None:
    model = build(kind)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # GPT-2's own dropout draws by the batch
    tasks = [make_task(tmp_path / f"all-{n}", n, steps=6)[0] for n in range(2)]
    results = learn(tasks, model).results
    for task, result in zip(tasks, results, strict=True):
        folder = tmp_path / f"alone-{task.folder.name}"
        folder.mkdir()
        alone = train.train_adapter(
            task.spec, model, byte_tokenizer(), task.train, task.validation, folder, report=lambda *_, **__: None
        )
        assert difference(alone, result) < 1e-4


def test_the_base_comes_back_bit_for_bit(tmp_path: Path) -> None:
    model, ids = build("llama"), torch.tensor([[5, 9, 30]])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    logits = model(ids).logits
    learn([make_task(tmp_path / str(n), n, steps=3)[0] for n in range(2)], model)
    after = model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(model(ids).logits, logits) and not model.training
    assert not any(value.requires_grad for value in model.parameters())


def test_peft_loads_what_was_saved(tmp_path: Path) -> None:
    task, _ = make_task(tmp_path / "one", rslora=True)
    other, _ = make_task(tmp_path / "two", 1)
    first = learn([task, other]).results[0]
    loaded = tiny_bases.load_with_peft(build("llama"), first.folder)
    assert not torch.equal(loaded(torch.tensor([[5, 9, 30]])).logits, build("llama")(torch.tensor([[5, 9, 30]])).logits)
    config = json.loads((first.folder / "adapter_config.json").read_text())
    assert config["use_rslora"] and config["inference_mode"] and config["r"] == 4


def test_one_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    good, _ = make_task(tmp_path / "good")
    bad, told = make_task(tmp_path / "bad", 1)
    stack_of = together.TrainableStack

    class Poisoned(stack_of):
        """Stands for a learning rate that explodes: from the third step on one adapter's numbers are none."""

        def clip(self, adapter: int, most: float) -> None:
            if adapter == 1 and bad.step == 2:
                for parameter in self.parameters(1):
                    parameter.grad.fill_(float("nan"))
            super().clip(adapter, most)

    together.TrainableStack = Poisoned
    try:
        kept, failed = learn([good, bad]).results
    finally:
        together.TrainableStack = stack_of
    assert isinstance(failed, SpecError) and "nan" in failed.message and "step 4" in failed.message
    alone, _ = make_task(tmp_path / "alone")
    assert difference(learn([alone]).results[0], kept) < 1e-4
    assert not (bad.folder / "adapter").exists()


def test_targets_that_the_base_lacks_fail_alone(tmp_path: Path) -> None:
    good, _ = make_task(tmp_path / "good", steps=3)
    bad, _ = make_task(tmp_path / "bad", targets=("no_such_layer",), steps=3)
    kept, failed = learn([good, bad]).results
    assert isinstance(kept, Trained) and isinstance(failed, SpecError) and "no_such_layer" in failed.message


def test_who_is_cancelled_leaves_and_who_has_ended_makes_room(tmp_path: Path) -> None:
    long, _ = make_task(tmp_path / "long", steps=14)
    short, _ = make_task(tmp_path / "short", 1, steps=4)
    cancelled, _ = make_task(tmp_path / "cancelled", 2, steps=1000)
    cancelled.cancelled = lambda: cancelled.step >= 6
    rows: list[int] = []
    model = build("llama")
    watch = model.register_forward_pre_hook(
        lambda module, args, kwargs: rows.append(len(kwargs["input_ids"])) if module.training else None,
        with_kwargs=True,
    )
    results = learn([long, short, cancelled], model).results
    watch.remove()
    assert [result.steps for result in results] == [14, 4, 6]
    assert [result.cancelled for result in results] == [False, False, True]
    assert rows[0] > rows[5] > rows[-1]  # the batch shrinks as they leave


def test_in_turn_too_a_loss_is_told_before_the_next_ones_turn(tmp_path: Path) -> None:
    first, _ = make_task(tmp_path / "first", steps=1000)
    bad, _ = make_task(tmp_path / "bad", targets=("no_such_layer",))
    second, told = make_task(tmp_path / "second", 1, steps=3)
    first.cancelled = lambda: True
    lost: list[tuple[str, int]] = []
    for task in (first, bad):
        task.on_loss = lambda one: lost.append((one.folder.name, sum(kind == "metric" for kind, _ in told)))
    results = learn([first, bad, second], mode="in turn").results
    assert (
        lost == [("first", 0), ("bad", 0)]
        and results[0].cancelled
        and isinstance(results[1], SpecError)
        and results[2].steps == 3
    )


def test_patience_ends_a_task_and_progress_is_told_by_task(tmp_path: Path) -> None:
    one, told = make_task(tmp_path / "one", steps=60, evaluations=20, patience=2, lr=0.05)
    other, _ = make_task(tmp_path / "other", 1, steps=60)
    first, second = learn([one, other]).results
    assert first.steps < 60 and second.steps == 60
    looks = {data["step"]: data["eval_loss"] for kind, data in told if kind == "metric" and "eval_loss" in data}
    assert min(looks[step] for step in looks if step) == pytest.approx(first.best_loss, abs=1e-4) and looks[
        first.best_step
    ] == pytest.approx(first.best_loss, abs=1e-4)
    progress = [data for kind, data in told if kind == "progress"]
    assert progress[0]["step"] == 0 and progress[-1]["total"] == 60
    beside = [data for kind, data in told if kind == "metric" and "loss" in data]
    assert all(data["lr"] >= 0 and data["memory"] > 10**7 for data in beside)
    assert all(data["grad_norm"] > 0 and data["tokens_second"] > 0 for data in beside)


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    def whole() -> list[TaskTraining]:
        return [
            make_task(tmp_path / "whole" / str(n), n, steps=steps, evaluations=6)[0] for n, steps in enumerate((12, 18))
        ]

    def halves() -> list[TaskTraining]:
        return [
            make_task(tmp_path / "halves" / str(n), n, steps=steps, evaluations=6)[0]
            for n, steps in enumerate((12, 18))
        ]

    wanted = learn(whole()).results
    first = halves()
    for task in first:
        task.cancelled = lambda task=task: task.step >= 6
    assert all(result.cancelled for result in learn(first).results)
    # One of them alone first, then both: a checkpoint belongs to its task.
    again = halves()
    learn([again[1]])
    results = learn(halves()).results
    for one, other in zip(wanted, results, strict=True):
        assert other.steps == one.steps and other.best_step == one.best_step
        assert difference(one, other) < 1e-5
    # one that was cut off, or is of something else, is none: its task begins anew, and the other one stays
    file = halves()[0].checkpoint
    whole_file, kept = file.read_bytes(), torch.load(file, weights_only=True)
    kept["now"] = {name: (a, torch.full_like(b, math.nan)) for name, (a, b) in kept["now"].items()}
    for damaged in (whole_file[: len(whole_file) // 2], kept):
        file.write_bytes(damaged) if isinstance(damaged, bytes) else torch.save(damaged, file)
        results = learn(halves()).results
        assert [one.steps for one in results] == [12, 18] and difference(wanted[0], results[0]) < 1e-5


def test_a_probe_decides_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for times, mode in (((0.010, 0.030), "together"), ((0.030, 0.010), "in turn")):
        monkeypatch.setattr(TogetherTrainer, "probe", lambda self, times=times: times)
        outcome = learn([make_task(tmp_path / mode / str(n), n, steps=20)[0] for n in range(2)], mode="auto")
        assert (
            outcome.mode == mode
            and "a step of all takes" in outcome.why.en
            and all(isinstance(one, Trained) for one in outcome.results)
        )


def test_the_probe_measures_and_teaches_nothing(tmp_path: Path) -> None:
    seen = learn([make_task(tmp_path / "probed" / str(n), n, steps=20)[0] for n in range(2)], mode="auto")
    plain = learn([make_task(tmp_path / "plain" / str(n), n, steps=20)[0] for n in range(2)], mode=seen.mode)
    assert "ms" in seen.why.en and "میلی‌ثانیه" in seen.why.fa
    for one, other in zip(seen.results, plain.results, strict=True):
        assert difference(one, other) < 1e-6


def test_dropout_drops_only_where_it_is_asked_for(tmp_path: Path) -> None:
    without, _ = make_task(tmp_path / "without", steps=5)
    dropping, _ = make_task(tmp_path / "dropping", 1, dropout=0.5, steps=5)
    results = learn([without, dropping]).results
    plain = learn([make_task(tmp_path / "plain", steps=5)[0], make_task(tmp_path / "plain2", 1, steps=5)[0]]).results
    assert difference(results[0], plain[0]) < 1e-4
    assert difference(results[1], plain[1]) > 1e-4


def test_gradients_are_those_of_autograd(tmp_path: Path) -> None:
    """The stacked product's own backward against the plain formula, even and uneven numbers of rows, padded ranks."""
    torch.manual_seed(0)
    layer = torch.nn.Sequential(
        torch.nn.Linear(6, 5, bias=False), torch.nn.Tanh(), torch.nn.Linear(5, 7, bias=False)
    ).requires_grad_(False)
    shapes = [(3, 0.5), (2, 2.0)]
    starts = [
        Start({"0": (torch.randn(r, 6), torch.randn(5, r)), "2": (torch.randn(r, 5), torch.randn(7, r))}, scale)
        for r, scale in shapes
    ]
    stack = TrainableStack(layer, starts)
    for owners in ([0, 0, 1, 1], [0, 1, 1, 1], [1]):
        stack.zero_grad()
        x = torch.randn(len(owners), 4, 6)
        with stack.rows(owners):
            layer(x).pow(2).sum().backward()
        for adapter, start in enumerate(starts):
            wanted = [tensor.clone().requires_grad_() for pair in start.pairs.values() for tensor in pair]
            mine = [row for row, owner in enumerate(owners) if owner == adapter]
            if mine:
                hidden = torch.tanh(layer[0].weight @ x[mine].mT + start.scale * wanted[1] @ wanted[0] @ x[mine].mT)
                (layer[2].weight @ hidden + start.scale * wanted[3] @ wanted[2] @ hidden).pow(2).sum().backward()
            for parameter, one in zip(stack.parameters(adapter), wanted, strict=True):
                grad = one.grad if one.grad is not None else torch.zeros_like(one)
                grad = (
                    grad.t()
                    if parameter.shape != grad.shape
                    or parameter.shape[0] == one.shape[1]
                    and one.shape[0] != parameter.shape[0]
                    else grad
                )
                assert torch.allclose(parameter.grad, grad, atol=1e-4), owners
    stack.close()
    with pytest.raises(ValueError, match="apart"), stack.rows([0, 1, 0]):
        pass


def test_peft_agrees_on_the_configuration() -> None:
    spec = make_spec(r=3, targets=("q_proj",))
    config = make_lora_config(spec)
    assert (config.r, config.lora_alpha, config.target_modules) == (3, 8, {"q_proj"}) and math.isclose(
        config.lora_dropout, 0.0
    )


@pytest.mark.parametrize("mode", ["in turn", "together"])
@pytest.mark.parametrize(
    ("batch", "micro", "at_once"), [(16, 6, 4), (8, 6, 4), (7, 3, 1), (4, 9, 4), (9, 3, 3), (5, 0, 5)]
)
def test_a_step_is_as_many_rows_as_the_spec_says(
    tmp_path: Path, mode: str, batch: int, micro: int, at_once: int
) -> None:
    """Counted where the rows go through the base; a micro-batch that doesn't divide the batch is made smaller, never
    the step larger."""
    model = build("llama")
    seen: list[int] = []

    def count(module: torch.nn.Module, arguments: tuple, named: dict) -> None:
        if module.training:
            seen.append(len(named["input_ids"] if "input_ids" in named else arguments[0]))

    watched = model.model.register_forward_pre_hook(count, with_kwargs=True)
    task, _ = make_task(tmp_path / "run", rows=3 * batch, steps=3, batch=batch, micro_batch=micro, packing="off")
    learn([task], model, mode)
    watched.remove()
    assert seen == [at_once] * (3 * batch // at_once)


@pytest.mark.parametrize("mode", ["in turn", "together"])
def test_the_last_step_of_an_epoch_takes_what_is_left(tmp_path: Path, mode: str) -> None:
    """22 rows in steps of 8 by 4: 4 4 | 4 4 | 4 2, and the next epoch begins with a whole step."""
    model = build("llama")
    seen: list[int] = []
    watched = model.model.register_forward_pre_hook(
        lambda module, arguments, named: seen.append(len(named["input_ids"])) if module.training else None,
        with_kwargs=True,
    )
    task, _ = make_task(tmp_path / "run", rows=22, steps=0, epochs=2, batch=8, micro_batch=6, packing="off")
    result = learn([task], model, mode).results[0]
    watched.remove()
    assert result.steps == task.spec.count_steps(22) == 6 and seen == [4, 4, 4, 4, 4, 2] * 2


def test_a_run_trains_on_one_gpu() -> None:
    from types import SimpleNamespace

    for there in (0, 1, 4):
        config = SimpleNamespace(n_gpu=there, _n_gpu=there)
        trainer_settings.one_gpu(config)
        assert config._n_gpu == min(there, 1)


# --- the same alone, in turn and together ---


def alone(
    task: TaskTraining, folder: Path, model: object | None = None, **options: object
) -> tuple[Trained, list[tuple[str, dict]]]:
    told: list[tuple[str, dict]] = []
    folder.mkdir(parents=True, exist_ok=True)
    report = lambda kind, **data: told.append((kind, data))  # noqa: E731
    done = train.train_adapter(
        task.spec,
        model or build("llama"),
        byte_tokenizer(),
        task.train,
        task.validation,
        folder,
        report=report,
        **options,
    )
    return done, told


def looks(told: list[tuple[str, dict]]) -> list[int]:
    return [data["step"] for kind, data in told if kind == "metric" and "eval_loss" in data]


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 10, "evaluations": 3, "lr": 2e-3},
        {"steps": 7, "evaluations": 2},
        {"steps": 3, "evaluations": 50},
        {"steps": 1, "evaluations": 1},
        {"steps": 40, "evaluations": 20, "patience": 2, "lr": 0.05},
        {"steps": 41, "evaluations": 5, "patience": 1, "lr": 0.05},
        {"steps": 12, "evaluations": 5, "schedule": "constant", "batch": 3},
    ],
)
def test_both_ways_look_at_the_same_steps_and_keep_the_same_one(changes: dict, tmp_path: Path) -> None:
    """The last step is looked at also where it is none of the regular ones, and patience counts alike."""
    model = build("llama")
    task, told = make_task(tmp_path / "together", 1, **changes)
    other, _ = make_task(tmp_path / "other", 2, steps=changes["steps"])
    result = learn([task, other], model).results[0]
    lonely, seen = alone(task, tmp_path / "alone", model)
    assert looks(told) == looks(seen) and looks(told)[-1] == result.steps
    assert (lonely.best_step, lonely.steps, lonely.stopped) == (result.best_step, result.steps, result.stopped)
    assert bool(result.stopped) == (result.steps < changes["steps"])
    # Rounding grows with the steps and a rate that is meant to be too high.
    assert lonely.best_loss == pytest.approx(result.best_loss, abs=1e-3) and difference(lonely, result) < (
        1e-4 if changes["steps"] < 30 else 1e-2
    )


def test_a_falling_loss_keeps_the_last_step(tmp_path: Path) -> None:
    """22 steps, 4 looks: every sixth, and the 22nd. With the loss still falling that one is the best."""
    task, told = make_task(tmp_path / "one", 1, steps=22, evaluations=4, lr=5e-3)
    task.validation = task.train  # what is learnt is what is looked at: it falls to the end
    result = learn([task, make_task(tmp_path / "two", 2, steps=5)[0]]).results[0]
    assert looks(told) == [0, 6, 12, 18, 22] and result.best_step == 22 and not result.stopped


def test_few_validation_rows_choose_nothing(tmp_path: Path) -> None:
    """The last step is kept, in both ways and where it goes on; what the dial derives says so."""
    model, changes = build("llama"), {"steps": 12, "evaluations": 6, "lr": 0.05}
    task, told = make_task(tmp_path / "together", 1, **changes)
    task.validation = make_rows(9, 51)
    result = learn([task, make_task(tmp_path / "other", 2, steps=12)[0]], model).results[0]
    lonely, seen = alone(task, tmp_path / "alone", model)
    losses = [data["eval_loss"] for kind, data in seen if kind == "metric" and "eval_loss" in data]
    assert losses[-1] > min(losses), "else it shows nothing"
    assert lonely.best_step == result.best_step == 12
    assert lonely.best_loss == pytest.approx(losses[-1], abs=1e-4) == pytest.approx(result.best_loss, abs=1e-3)
    assert difference(lonely, result) < 1e-3
    (tmp_path / "alone" / "adapter" / "adapter_model.safetensors").unlink()
    again, _seen = alone(task, tmp_path / "alone", model)
    assert again.best_step == 12 and difference(again, result) < 1e-3


@pytest.mark.parametrize("mode", ["together", "in turn"])
@pytest.mark.parametrize("stop", [9, 15])
def test_patience_goes_on_counting_where_it_was(mode: str, stop: int, tmp_path: Path) -> None:
    """A training that is interrupted and resumed stops where it would have stopped, and keeps what it would have
    kept."""
    changes = {"steps": 60, "evaluations": 20, "patience": 3, "lr": 0.05}
    whole = learn([make_task(tmp_path / "whole", 1, **changes)[0]], mode=mode).results[0]
    assert whole.stopped == "patience" and whole.steps < 60
    cut, _ = make_task(tmp_path / "cut", 1, **changes)
    steps: list[int] = []
    cut.report = lambda kind, **data: steps.append(data["step"]) if kind == "metric" else None
    cut.cancelled = lambda: bool(steps) and max(steps) >= min(stop, whole.steps - 3)
    assert learn([cut], mode=mode).results[0].cancelled
    again, told = make_task(tmp_path / "cut", 1, **changes)
    resumed = learn([again], mode=mode).results[0]
    assert (resumed.steps, resumed.best_step, resumed.stopped) == (whole.steps, whole.best_step, whole.stopped)
    # One that had stopped before its process died does not begin to learn again.
    kept = weights(whole)
    finished, told = make_task(tmp_path / "whole", 1, **changes)
    assert_as_it_ended(learn([finished], mode=mode).results[0], whole, kept, told)


def assert_as_it_ended(
    again: Trained, before: Trained, kept: dict[str, torch.Tensor], told: list[tuple[str, dict]]
) -> None:
    """Nothing more was trained: the same adapter, and no step past the last."""
    assert (again.steps, again.best_step, again.stopped) == (before.steps, before.best_step, before.stopped)
    assert again.best_loss == pytest.approx(before.best_loss, abs=1e-6)
    now = weights(again)
    assert now.keys() == kept.keys() and all(torch.equal(now[name], kept[name]) for name in kept)
    steps = [data["step"] for kind, data in told if kind == "progress"]
    assert steps[-1] == max(steps) == before.steps and not [
        data for kind, data in told if kind == "metric" and "loss" in data
    ]


@pytest.mark.parametrize("mode", ["together", "in turn"])
@pytest.mark.parametrize("steps", [10, 12])  # in the middle of an epoch, and at its end
def test_a_training_whose_last_checkpoint_is_its_end_trains_no_more(mode: str, steps: int, tmp_path: Path) -> None:
    """Killed between the training and the exam, a run was resumed with "step 21 of 20"."""
    before = learn([make_task(tmp_path / "run", 1, steps=steps)[0]], mode=mode).results[0]
    kept = weights(before)
    (tmp_path / "run" / "adapter" / "adapter_model.safetensors").unlink()
    again, told = make_task(tmp_path / "run", 1, steps=steps)
    assert_as_it_ended(learn([again], mode=mode).results[0], before, kept, told)


@pytest.mark.parametrize("mode", ["together", "in turn"])
def test_the_step_at_which_a_training_ends_is_told(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled, stopped early or failed between two words: the last word tells the last step."""
    monkeypatch.setattr(train, "TELL_SECONDS", 1000.0)
    monkeypatch.setattr(together_watch, "TELL_SECONDS", 1000.0)

    def last_told(task: TaskTraining, told: list[tuple[str, dict]]) -> tuple[int, Trained]:
        result = learn([task], mode=mode).results[0]
        return [data["step"] for kind, data in told if kind == "progress"][-1], result

    task, told = make_task(tmp_path / "cancelled", 1, steps=60)
    looked = iter(range(100))
    task.cancelled = lambda: next(looked) >= 6
    step, result = last_told(task, told)
    assert result.cancelled and step == result.steps == 7
    step, result = last_told(*make_task(tmp_path / "stopped", 1, steps=60, evaluations=20, patience=3, lr=0.05))
    assert result.stopped == "patience" and 3 < step == result.steps < 60


def test_the_best_checkpoint_is_kept_where_the_run_was_moved(tmp_path: Path) -> None:
    """The trainer remembers it by the whole path that it had."""
    changes = {"steps": 60, "evaluations": 20, "patience": 3, "lr": 0.05}
    whole = learn([make_task(tmp_path / "whole", 1, **changes)[0]], mode="in turn").results[0]
    cut, told = make_task(tmp_path / "cut", 1, **changes)
    cut.cancelled = lambda: any(kind == "metric" and data["step"] >= whole.best_step + 4 for kind, data in told)
    assert learn([cut], mode="in turn").results[0].cancelled
    (tmp_path / "cut").rename(tmp_path / "moved")
    again, _ = make_task(tmp_path / "moved", 1, **changes)
    result = learn([again], mode="in turn").results[0]
    assert result.best_step == whole.best_step and result.steps == whole.steps
    kept, now = weights(whole), weights(result)
    assert all(torch.allclose(kept[name], now[name], atol=1e-5) for name in kept)


@pytest.mark.parametrize("unwhole", ["the best is gone", "the last is half"])
def test_checkpoints_that_are_not_whole_are_passed_over(unwhole: str, tmp_path: Path) -> None:
    learn([make_task(tmp_path / "run", 1, steps=10)[0]], mode="in turn")
    folder = tmp_path / "run" / "checkpoints"
    last = checkpoints.find_last(folder)
    assert (
        last.step == 10
        and last.why_over(10, 0) == ""
        and last.why_over(20, 0) is None
        and last.why_over(20, 1) in (None, "patience")
    )
    assert dataclasses.replace(last, looks=(*last.looks[:-1], (10, math.nan))).why_over(10, 0) is None, (
        "a loss that is no number is told"
    )
    if unwhole == "the last is half":
        (last.folder / "trainer_state.json").unlink()
        assert checkpoints.find_last(folder).step < 10
    else:
        for path in folder.glob("checkpoint-*/adapter_model.safetensors"):
            if path.parent != last.folder:
                path.unlink()
        again = checkpoints.find_last(folder)
        assert again.best_step == 10 and math.isfinite(again.best_loss)
    assert checkpoints.find_last(tmp_path) is None


def state_of(model: torch.nn.Module) -> dict:
    return {
        "weights": {name: value.clone() for name, value in model.state_dict().items()},
        "layers": [(name, type(layer)) for name, layer in model.named_modules()],
        "config": repr(model.config),
        "generation": repr(model.generation_config),
        "attributes": sorted(model.__dict__),
        "training": model.training,
        "hooks": [
            (name, len(layer._forward_hooks), len(layer._forward_pre_hooks)) for name, layer in model.named_modules()
        ],
        "trains": any(value.requires_grad for value in model.parameters()),
    }


def assert_same(before: dict, after: dict) -> None:
    assert all(torch.equal(before["weights"].pop(name), value) for name, value in after.pop("weights").items())
    assert before == {**after, "weights": {}}


def test_a_base_that_was_trained_with_checkpointing_wants_no_gradients_afterwards() -> None:
    """TRL and the trainer both hook its embeddings; the region of a run's questions could not be told then."""
    model = build("llama")
    with as_it_was(model):
        model.enable_input_require_grads()
        model.enable_input_require_grads()
    with torch.no_grad():
        assert not model(torch.tensor([[1, 2]])).logits.requires_grad


def explode(task: TaskTraining) -> None:
    """It breaks in the middle of a step, by what is no error for people: the base has no such token."""
    for row in task.train.rows:
        row["input_ids"][0] = tiny_bases.VOCABULARY + 5


def no_room(task: TaskTraining) -> None:
    """Its checkpoints cannot be written."""
    task.folder.mkdir(parents=True)
    (task.folder / "checkpoints").write_text("a file stands where the folder should be")


def no_layers(task: TaskTraining) -> None:
    task.spec = task.spec.model_copy(update={"lora": task.spec.lora.model_copy(update={"targets": ("no_such_layer",)})})


def checkpointing(task: TaskTraining) -> None:
    """It fails with gradient checkpointing on, which leaves hooks behind."""
    task.spec = task.spec.model_copy(update={"gradient_checkpointing": "on"})
    no_room(task)


@pytest.mark.parametrize("harm", [explode, no_room, no_layers, checkpointing])
def test_one_that_fails_in_turn_leaves_the_base_as_it_was(harm: object, tmp_path: Path) -> None:
    """The finished ones, before it and after it, fit the base that is left, and are what they are alone."""
    from lora_hub.answering.stack import AdapterStack
    from lora_hub.core.errors import LoraHubError

    model = build("llama")
    before = state_of(model)
    first, bad, last = (
        make_task(tmp_path / name, number, steps=4)[0] for number, name in enumerate(("first", "bad", "last"))
    )
    harm(bad)
    results = learn([first, bad, last], model, mode="in turn").results
    assert isinstance(results[1], LoraHubError), results[1]
    assert_same(before, state_of(model))
    stack = AdapterStack(model, BASE)
    for number, (name, result) in enumerate((("first", results[0]), ("last", results[2]))):
        stack.attach(result.folder, name)
        lonely = learn([make_task(tmp_path / f"{name}-alone", 2 * number, steps=4)[0]], mode="in turn").results[0]
        assert difference(lonely, result) < 1e-6


def test_a_held_out_loss_that_is_no_number_is_told_in_both_ways(tmp_path: Path) -> None:
    for mode in ("together", "in turn"):
        model = build("llama")
        task, _ = make_task(tmp_path / mode, steps=6)
        with torch.no_grad():  # only a token of the validation rows meets it
            model.get_input_embeddings().weight[2] = float("nan")
        task.validation.rows[0]["input_ids"][0] = 2
        (result,) = learn([task], model, mode=mode).results
        assert isinstance(result, SpecError) and "nan" in result.message, result
        assert not (task.folder / "adapter").exists()
