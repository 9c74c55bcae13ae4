"""Many rows through one running batch: the same answers as alone, the batch kept full, a small memory survived."""

from pathlib import Path

import pytest
import tiny_bases
import torch
from tiny_bases import BASE, END, build, byte_tokenizer, save_adapter

from lora_hub.answering import bulk
from lora_hub.answering.generate import PromptRow, answer_all
from lora_hub.answering.stack import AdapterStack

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
NAMES = ["base", "a", "b"]
ROWS, MOST = 24, 6


def opened(kind: str, root: Path) -> AdapterStack:
    model = build(kind)
    model.generation_config.eos_token_id = [END, *range(3, 30)]  # answers of many lengths
    stack = AdapterStack(model, BASE)
    for seed, name in enumerate(NAMES[1:], 1):
        stack.attach(save_adapter(build(kind), root / name, seed=seed, r=2 + seed), name)
    return stack


def asked() -> list[PromptRow]:
    def prompt(i: int) -> list[int]:
        generator = torch.Generator().manual_seed(i)
        return torch.randint(3, tiny_bases.VOCABULARY, (3 + i % 9,), generator=generator).tolist()

    return [PromptRow(prompt(i), NAMES[i % 5 % 3]) for i in range(ROWS)]


def shapes_of(stack: AdapterStack) -> tuple[list[tuple[int, int]], torch.utils.hooks.RemovableHandle]:
    shapes: list[tuple[int, int]] = []
    watch = stack.model.register_forward_pre_hook(
        lambda module, args, given: shapes.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    return shapes, watch


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_rows_join_where_others_have_ended_and_answer_as_if_alone(kind, tmp_path, monkeypatch):
    """Also where the cache has a window, which nobody can join: then a batch ends before the next begins."""
    monkeypatch.setitem(bulk._MOST_ROWS, "cpu", MOST)
    stack, tokenizer, rows = opened(kind, tmp_path), byte_tokenizer(), asked()
    shapes, watch = shapes_of(stack)
    told: list[int] = []
    answers = answer_all(stack, tokenizer, rows, max_new_tokens=12, progress=lambda done, of: told.append(done))
    watch.remove()
    alone = [answer_all(stack, tokenizer, [row], max_new_tokens=12)[0] for row in rows]
    assert [(one.ids, one.finish) for one in answers] == [(one.ids, one.finish) for one in alone]
    assert told[-1] == ROWS and told == sorted(told)
    steps = [rows for rows, length in shapes if length == 1]
    assert max(rows for rows, _ in shapes) == MOST
    if kind == "llama":
        assert len({len(one.ids) for one in answers}) > 4
        taken = sum(max(0, len(one.ids) + (one.finish == "stop") - 1) for one in alone)
        assert taken / sum(steps) > 0.6, "most rows of most steps are answered, not carried along"


def test_where_the_memory_is_too_small_the_batch_begins_again_smaller(tmp_path, monkeypatch):
    monkeypatch.setitem(bulk._MOST_ROWS, "cpu", MOST)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    stack, tokenizer, rows = opened("llama", tmp_path), byte_tokenizer(), asked()
    expected = [one.ids for one in answer_all(stack, tokenizer, rows, max_new_tokens=12)]

    def too_many(module, args, given) -> None:
        if given["input_ids"].shape[0] > MOST // 2 and given["attention_mask"].shape[1] > 9:
            raise torch.OutOfMemoryError("so many are too many")

    watch = stack.model.register_forward_pre_hook(too_many, with_kwargs=True)
    assert [one.ids for one in answer_all(stack, tokenizer, rows, max_new_tokens=12)] == expected
    watch.remove()
