"""Likelihoods of whole labels: equal to a forward pass over prompt and label, for every architecture, adapter, batch
and prefix."""

import math
from pathlib import Path

import pytest
import tiny_bases
import torch
import transformers
from persian import refused
from tiny_bases import BASE, CONFIGS, END, build, load_with_peft, save_adapter

from lora_hub.answering import at_once, label_tree, likelihood, loading, questions
from lora_hub.answering.calibration import fit_calibration
from lora_hub.answering.likelihood import LabelRow, label_tokens, score_labels
from lora_hub.answering.stack import AdapterStack
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.errors import DataError
from lora_hub.core.schema import Calibration

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
NAMES = ["base", "a", "b"]
RANKS = {"a": {"r": 3}, "b": {"r": 6, "use_rslora": True}}


def tokens(length: int, seed: int) -> list[int]:
    return torch.randint(3, tiny_bases.VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def some_labels(count: int, seed: int, longest: int = 6) -> list[list[int]]:
    """Labels of different lengths; every third begins as the one before it does."""
    labels: list[list[int]] = []
    for i in range(count):
        own = tokens(1 + (i * 5 + seed) % longest, 100 * seed + i)
        labels.append((labels[-1][:1] if i % 3 == 2 else []) + own + [END])
    return labels


def alone(model, ids: list[int], label: list[int]) -> float:
    """One whole forward for one label, in double."""
    with torch.no_grad():
        logs = model(input_ids=torch.tensor([ids + label])).logits[0].double().log_softmax(-1)
    return sum(logs[len(ids) + place - 1, token].item() for place, token in enumerate(label))


def built(kind: str, root: Path):
    """(stack, the same models one by one)."""
    model = build(kind)
    stack, models = AdapterStack(model, BASE), {"base": build(kind)}
    for seed, name in enumerate(NAMES[1:], 1):
        folder = save_adapter(build(kind), root / name, seed=seed, **RANKS[name])
        models[name] = load_with_peft(build(kind), folder)
        stack.attach(folder, name)
    return stack, models


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return built("llama", tmp_path_factory.mktemp("llama"))


def close(found: list[list[float]], rows: list[LabelRow], models: dict) -> None:
    for logs, row in zip(found, rows, strict=True):
        expected = [alone(models[row.adapter], row.ids, label) for label in row.choices]
        assert logs == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("kind", CONFIGS)
def test_mixed_batches_give_what_each_label_gives_alone(kind, tmp_path):
    """Prompts of different lengths, alike at the beginning or not, each adapter in the same pass, labels of 2 to 8
    tokens."""
    stack, models = built(kind, tmp_path)
    begin, few, many = tokens(17, 1), some_labels(2, 3), some_labels(7, 4)
    alike = [LabelRow(begin + tokens(1 + i % 9, i), NAMES[i % 3], (few, many)[i % 2]) for i in range(12)]
    apart = [LabelRow(tokens(2 + i % 11, 50 + i), NAMES[i % 3], many) for i in range(7)]
    close(score_labels(stack, alike, 0), alike, models)
    close(score_labels(stack, alike, 0, batch_tokens=90), alike, models)
    close(score_labels(stack, apart, 0), apart, models)
    close(score_labels(stack, [alike[5]], 0), [alike[5]], models)


MORE = {
    "mistral": lambda: transformers.MistralConfig(**tiny_bases._DECODER, sliding_window=None),
    "phi3": lambda: transformers.Phi3Config(**tiny_bases._DECODER),
    "qwen2": lambda: transformers.Qwen2Config(**tiny_bases._DECODER),
    "smollm3": lambda: transformers.SmolLM3Config(**tiny_bases._DECODER),
}


@pytest.mark.parametrize("kind", [*CONFIGS, *MORE])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_labels_packed_behind_one_prompt_give_what_each_gives_alone(kind, attention, monkeypatch):
    """Every architecture that is packed, and the others as they are."""
    monkeypatch.setattr(tiny_bases, "CONFIGS", {**CONFIGS, **MORE})
    model = build(kind)
    if attention == "eager":
        model.set_attn_implementation("eager")
    rows = [LabelRow(tokens(4 + 3 * (i % 5), i), "base", some_labels(9, 7)) for i in range(6)]
    forwards = []
    stack = AdapterStack(model, BASE)
    watch = model.register_forward_pre_hook(lambda *_: forwards.append(1))
    found = score_labels(stack, rows, 0, all_exact=True)
    watch.remove()
    close(found, rows, {"base": build(kind)})
    assert (model.config.model_type in label_tree.PACKED) == (kind not in ("gemma3", "gpt-neo"))
    assert len(forwards) == 2


def test_likelihoods_that_are_no_numbers_choose_no_label() -> None:
    """Weights that overflow: the first label would be right on all rows that have it."""
    asked = questions.Asked([1], choices=[[3], [4]], labels=("ham", "spam"))
    for logs in ([math.nan, math.nan], [-math.inf, -math.inf], [math.inf, 0.0]):
        answer = questions.choose(asked, logs)
        assert (answer.text, answer.probabilities, answer.done) == ("", {}, True)
    assert questions.choose(asked, [-math.inf, -1.0]).text == "spam"


def test_a_tree_of_labels_is_bounded_before_it_is_made(llama, monkeypatch) -> None:
    stack, _models = llama
    rows, planted = [LabelRow(tokens(5, 1), "a", some_labels(40, 3))], []
    whole = score_labels(stack, rows, 0, all_exact=True)
    monkeypatch.setattr(likelihood, "MOST_NODES", 30)
    plant = likelihood.plant
    monkeypatch.setattr(likelihood, "plant", lambda labels: planted.append(sum(map(len, labels))) or plant(labels))
    assert score_labels(stack, rows, 0, all_exact=True)[0] == pytest.approx(whole[0], abs=1e-4)
    assert len(planted) > 3 and max(planted) <= 30


def test_labels_that_begin_alike_share_their_beginning():
    tree = label_tree.plant([[5, 6, END], [5, 6, 7, END], [8, END], [5, 9, END]])
    assert tree.tokens == [5, 6, 7, 8, 9] and tree.depths == [0, 1, 2, 0, 1]
    assert tree.sees.int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [0, 0, 0, 1, 0],
        [1, 0, 0, 0, 1],
    ]
    assert tree.steps == [
        (0, 0, 6),
        (0, 1, END),
        (1, 0, 6),
        (1, 1, 7),
        (1, 2, END),
        (2, 3, END),
        (3, 0, 9),
        (3, 4, END),
    ]


def test_a_base_without_a_cache_gives_the_same(llama, monkeypatch):
    stack, models = llama
    rows = [LabelRow(tokens(3 + i % 5, i), NAMES[i % 3], some_labels(5, 2)) for i in range(6)]
    read = likelihood.read_prompts

    def without(*arguments, **options):
        done = read(*arguments, **options)
        done.cache = None
        return done

    monkeypatch.setattr(likelihood, "read_prompts", without)
    close(score_labels(stack, rows, 0), rows, models)


def test_what_prompts_have_in_common_is_read_once(llama):
    stack, models = llama
    begin = tokens(40, 9)
    rows = [LabelRow(begin + tokens(2 + i % 4, i), NAMES[i % 3], some_labels(2, 1, 1)) for i in range(30)]
    seen = []
    watch = stack.model.register_forward_pre_hook(lambda m, a, k: seen.append(k["input_ids"].numel()), with_kwargs=True)
    found = score_labels(stack, rows, 0)
    watch.remove()
    assert sum(seen) < 30 * 12 < 30 * 40
    close(found, rows, models)


def test_a_few_labels_are_read_with_their_prompt(llama):
    """One forward for what prompts have in common, and one for all else; of many labels, those in the race alone."""
    stack, models = llama
    begin, of = tokens(20, 9), {count: some_labels(count, 3) for count in (3, 5, 12)}
    for counts, forwards in (((3, 5), 2), ((3, 12), 4)):
        rows = [LabelRow(begin + tokens(2 + i % 4, i), NAMES[i % 3], of[counts[i % 2]]) for i in range(9)]
        seen = []
        watch = stack.model.register_forward_pre_hook(
            lambda m, a, k, seen=seen: seen.append(k["attention_mask"].shape[-1]), with_kwargs=True
        )
        found = score_labels(stack, rows, 0)
        watch.remove()
        assert len(seen) == forwards
        if 12 not in counts:
            close(found, rows, models)
            assert seen[-1] % 16 == 0, "attention over a number of keys that suits the processor"


def test_of_many_labels_only_those_in_the_race_are_read_to_the_end(llama):
    """84 labels: those that can still win, and whatever chance can be seen, are exact; the rest is at most what was
    left possible."""
    stack, models = llama
    rows = [LabelRow(tokens(6 + i, i), NAMES[i % 3], some_labels(84, 5)) for i in range(6)]
    exact, raced = score_labels(stack, rows, 0, all_exact=True), score_labels(stack, rows, 0)
    close(exact, rows, models)
    for all_logs, logs in zip(exact, raced, strict=True):
        whole, seen = torch.tensor([all_logs, logs]).double().softmax(-1)
        assert torch.equal(whole.argmax(), seen.argmax()) and (whole - seen).abs().max() < 1e-5
        assert all(one >= other - 1e-4 for one, other in zip(logs, all_logs, strict=True))
    # a calibration decides which labels are in the race
    lifting = Calibration(offsets=tuple(40.0 * (label == 83) for label in range(84)))
    lifted = score_labels(stack, [LabelRow(row.ids, row.adapter, row.choices, lifting) for row in rows], 0)
    for all_logs, logs in zip(exact, lifted, strict=True):
        assert logs[83] == pytest.approx(all_logs[83], abs=2e-4)


def test_memory_is_bounded_by_rows_and_by_logits(llama, monkeypatch):
    stack, models = llama
    monkeypatch.setitem(at_once.LOGITS_BYTES, "cpu", 4 * tiny_bases.VOCABULARY * 20)
    rows = [LabelRow(tokens(6 + i, i), NAMES[i % 3], some_labels(20, 6)) for i in range(4)]
    shapes = []
    watch = stack.model.register_forward_pre_hook(lambda m, a, k: shapes.append(k["input_ids"].shape), with_kwargs=True)
    found = score_labels(stack, rows, 0, all_exact=True, batch_tokens=100)
    watch.remove()
    assert max(count * length for count, length in shapes) <= 100 and len(shapes) > 10
    close(found, rows, models)


def test_progress_cancelling_and_labels_without_tokens(llama):
    stack, _ = llama
    rows = [LabelRow(tokens(9, i), "a", some_labels(3, 1)) for i in range(20)]
    told: list[tuple[int, int]] = []
    score_labels(stack, rows, 0, batch_tokens=60, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (20, 20) and len(told) > 2
    assert score_labels(stack, rows, 0, batch_tokens=60, cancelled=lambda: True) is None
    assert score_labels(stack, [], 0) == []
    with refused(DataError, match="Prompt 2 is 128 tokens long, and 'tiny' reads at most 128"):
        score_labels(stack, [rows[0], LabelRow(tokens(128, 1), "a", some_labels(2, 1))], 0)
    with refused(DataError, match="A label has the token 259, but 'tiny' only knows tokens below 259"):
        score_labels(stack, [LabelRow(tokens(5, 1), "a", [[5, END], [tiny_bases.VOCABULARY, END]])], 0)
    # the longest label may end past the context, where the shortest still fits: also with a table of positions
    for other in (stack, AdapterStack(build("gpt2"), BASE)):
        assert all(map(math.isfinite, score_labels(other, [LabelRow(tokens(127, 1), "base", some_labels(5, 1))], 0)[0]))
    with refused(DataError, match="no tokens"):
        score_labels(stack, [LabelRow(tokens(5, 1), "a", [[]])], 0)


def test_the_end_token_counts_only_where_one_label_begins_another():
    card, lost, open_ = [7, 8, END], [7, 8, 9, END], [5, END]
    assert label_tokens([card, open_]) == [[7, 8], [5]]
    assert label_tokens([open_, lost, card]) == [open_, lost, card], "whatever their order"
    assert label_tokens([card, [7, 9, END]]) == [[7, 8], [7, 9]], "a shared beginning is no whole label"
    assert label_tokens([card, card]) == [card, card]
    assert label_tokens([[END], open_]) == [[END], open_], "a label without tokens begins every other"
    assert label_tokens([[END]]) == [[END]]


def test_a_calibration_is_used_on_likelihoods_like_those_it_was_fitted_on():
    """Those of versions that always counted the end token say nothing of it."""
    tokenizer, task = loading.load_tokenizer(bases.get_base("built-in")), get_task("spam")
    task = task.model_copy(update={"labels": ("spam", "ham")})
    old = Calibration.model_validate({"offsets": [0.0, 0.0], "scale": 2.0, "rows": 64})
    plain, with_old = (
        questions.put(tokenizer, task, [{"text": "hello"}], calibration=one)[0]
        for one in (old.model_copy(update={"with_end": False}), old)
    )
    assert not plain.ends and with_old.ends
    assert [ids + [with_old.choices[0][-1]] for ids in plain.choices] == with_old.choices
    logs = [-1.0] * len(task.labels)
    assert questions.choose(plain, logs).ids == questions.choose(with_old, logs).ids == tuple(plain.choices[0])
    assert fit_calibration([[-1.0, -2.0]], [0], [0.5, 0.5], with_end=True).with_end
