"""Visitors of one base: answered in one batch, each as if alone, and nobody at another's cost."""

import threading
import time
from pathlib import Path

import pytest
import tiny_bases
import torch
from tiny_bases import BASE, CONFIGS, END, build, byte_tokenizer, save_adapter

from lora_hub import generate
from lora_hub.decoding import Batch
from lora_hub.errors import DataError
from lora_hub.generate import PromptRow, stream
from lora_hub.stack import AdapterStack

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


def prompt(length: int, seed: int) -> list[int]:
    return torch.randint(3, tiny_bases.VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


@pytest.fixture(scope="module")
def tokenizer():
    return byte_tokenizer()


def open_stack(kind: str, folder: Path) -> AdapterStack:
    model = build(kind)
    model.generation_config.eos_token_id = [END, *range(3, 30)]  # rows end at different times
    stack = AdapterStack(model, BASE)
    for seed, name in enumerate("abc", 1):
        stack.attach(save_adapter(build(kind), folder / name, seed=seed, r=seed + 1), name)
    return stack


def visit(stack: AdapterStack, tokenizer, rows: list[PromptRow], queue=None, **options) -> dict[int, tuple[int, ...]]:
    done = [event for event in stream(stack, tokenizer, rows, visitors=queue, **{"max_new_tokens": 24, **options}) if event.done]
    assert sorted(event.row for event in done) == list(range(len(rows)))  # each row ends once
    return {event.row: event.ids for event in done}


def in_threads(works: list) -> list:
    results: list = [None] * len(works)

    def run(place: int) -> None:
        results[place] = works[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@pytest.mark.parametrize("kind", CONFIGS)
def test_sixteen_visitors_get_what_each_would_get_alone(kind: str, tokenizer, tmp_path: Path) -> None:
    """Sliding windows, too, whose caches nobody can join: they take turns."""
    stack = open_stack(kind, tmp_path)
    queue = generate.open_queue(stack, tokenizer)
    names = ["base", "a", "b", "c"]
    asked = [[PromptRow(prompt(3 + (7 * n + i) % 19, 100 * n + i), names[(n + i) % 4]) for i in range(1 + n % 3)] for n in range(16)]
    alone = [visit(stack, tokenizer, rows) for rows in asked]
    together = in_threads([lambda rows=rows: visit(stack, tokenizer, rows, queue) for rows in asked])
    assert together == alone


def test_a_row_that_joins_changes_nothing_for_those_there(tokenizer, tmp_path: Path) -> None:
    stack = open_stack("llama", tmp_path)
    ends, pad = generate.end_token_ids(stack.model, tokenizer), tokenizer.pad_token_id
    rows = [PromptRow(prompt(length, length), name) for length, name in ((5, "a"), (17, "base"), (9, "b"), (30, "a"))]
    alone = [visit(stack, tokenizer, [row]) for row in rows]
    live = generate._prepare(stack, rows, 24, 0.0)
    batch = Batch(stack, ends, pad)
    batch.join([live[0], live[1]])
    for _ in range(3):
        batch.step()
    batch.join([live[2]])
    batch.step()
    batch.join([live[3]])
    while batch.live:
        batch.step()
    assert [tuple(row.ids) for row in live] == [answer[0] for answer in alone]


def test_draws_depend_on_the_seed_and_not_on_the_company(tokenizer, tmp_path: Path) -> None:
    stack = open_stack("llama", tmp_path)
    queue = generate.open_queue(stack, tokenizer)
    rows = [[PromptRow(prompt(8, n), "a", seed=n)] for n in range(6)]
    heats = [0.0, 0.7, 1.0, 1.3, 0.7, 1.0]
    alone = [visit(stack, tokenizer, row, temperature=heat, top_p=0.9) for row, heat in zip(rows, heats, strict=True)]
    works = [lambda row=row, heat=heat: visit(stack, tokenizer, row, queue, temperature=heat, top_p=0.9) for row, heat in zip(rows, heats, strict=True)]
    assert in_threads(works) == alone


def test_who_cancels_is_gone_with_the_next_step_and_the_others_stay(tokenizer, tmp_path: Path) -> None:
    model = build("llama")
    model.generation_config.eos_token_id = END
    stack = AdapterStack(model, BASE)
    queue = generate.open_queue(stack, tokenizer)
    steps = []
    watch = model.register_forward_hook(lambda *_: steps.append(time.perf_counter()) or time.sleep(0.01))
    stop = threading.Event()

    def leave() -> list:
        events = []
        for event in stream(stack, tokenizer, [PromptRow(prompt(4, 1))], max_new_tokens=100, visitors=queue, cancelled=stop.is_set):
            events.append(event)
            if event.tokens >= 3:
                stop.set()
        return events

    other, left = in_threads([lambda: visit(stack, tokenizer, [PromptRow(prompt(6, 2))], queue, max_new_tokens=40), leave])
    watch.remove()
    assert left[-1].finish == "cancelled" and left[-1].tokens < 20
    assert other == visit(stack, tokenizer, [PromptRow(prompt(6, 2))], max_new_tokens=40)
    assert not queue._waiting


def test_a_visitor_who_walks_away_does_not_keep_the_batch_busy(tokenizer, tmp_path: Path) -> None:
    model = build("llama")
    stack = AdapterStack(model, BASE)
    queue = generate.open_queue(stack, tokenizer)
    events = stream(stack, tokenizer, [PromptRow(prompt(4, 1))], max_new_tokens=120, visitors=queue)
    next(events)
    events.close()
    until = time.monotonic() + 20
    while queue._running and time.monotonic() < until:
        time.sleep(0.01)
    assert not queue._running


def test_one_visitors_failure_is_that_visitors_alone(tokenizer, tmp_path: Path) -> None:
    stack = open_stack("llama", tmp_path)
    queue = generate.open_queue(stack, tokenizer)
    good = [PromptRow(prompt(7, 3), "a")]
    failing = generate._prepare(stack, [PromptRow(prompt(4, 4), "b")], 8, 0.0)
    failing[0].slot = 99  # an adapter that was taken away between asking and answering

    def ask_badly() -> str:
        with pytest.raises(Exception, match="Slot 99") as told:
            list(queue.answer(failing))
        return type(told.value).__name__

    answers = in_threads([lambda: visit(stack, tokenizer, good, queue), ask_badly, lambda: visit(stack, tokenizer, good, queue)])
    assert answers == [visit(stack, tokenizer, good), "AdapterError", visit(stack, tokenizer, good)]
    with pytest.raises(DataError):
        list(stream(stack, tokenizer, [PromptRow([])], max_new_tokens=4, visitors=queue))


def test_those_who_find_no_room_wait_for_their_turn(tokenizer, tmp_path: Path) -> None:
    from lora_hub.visitors import AnswerQueue

    stack = open_stack("llama", tmp_path)
    queue = AnswerQueue(stack, generate.end_token_ids(stack.model, tokenizer), tokenizer.pad_token_id, room=70)
    widths = []
    watch = stack.model.register_forward_pre_hook(lambda module, args, kwargs: widths.append(kwargs["input_ids"].shape[0]), with_kwargs=True)
    rows = [[PromptRow(prompt(8, n), "a")] for n in range(6)]
    answers = in_threads([lambda row=row: visit(stack, tokenizer, row, queue) for row in rows])
    watch.remove()
    assert answers == [visit(stack, tokenizer, row) for row in rows]
    assert max(widths) <= 2


def test_an_adapter_can_be_replaced_while_it_answers(tokenizer, tmp_path: Path) -> None:
    """The rows that were there keep the old weights; those that come get the new ones, though the slot is the same."""
    stack = open_stack("llama", tmp_path)
    row = PromptRow(prompt(9, 5), "a")
    old = visit(stack, tokenizer, [row])[0]
    live = generate._prepare(stack, [row], 24, 0.0)
    batch = Batch(stack, generate.end_token_ids(stack.model, tokenizer), tokenizer.pad_token_id)
    batch.join(live)
    stack.attach(save_adapter(build("llama"), tmp_path / "new", seed=9, r=3), "a")
    new = visit(stack, tokenizer, [row])[0]
    later = generate._prepare(stack, [row], 24, 0.0)
    batch.join(later)
    while batch.live:
        batch.step()
    assert (tuple(live[0].ids), tuple(later[0].ids)) == (old, new) and old != new
