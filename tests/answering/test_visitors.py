"""Visitors of one base are answered in one batch, each as if alone, and nobody slows down or changes another's
answers."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import tiny_bases
import torch
from tiny_bases import BASE, CONFIGS, END, build, byte_tokenizer, save_adapter

from lora_hub.answering import generate, kv_cache
from lora_hub.answering.decoding import Batch
from lora_hub.answering.generate import PromptRow, stream
from lora_hub.answering.stack import AdapterStack
from lora_hub.answering.visitors import AnswerQueue
from lora_hub.core.errors import DataError

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
    done = [
        (row, answer.ids)
        for row, answer in stream(stack, tokenizer, rows, visitors=queue, **{"max_new_tokens": 24, **options})
        if answer.done
    ]
    assert sorted(row for row, _ids in done) == list(range(len(rows)))  # each row ends once
    return dict(done)


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
    asked = [
        [PromptRow(prompt(3 + (7 * n + i) % 19, 100 * n + i), names[(n + i) % 4]) for i in range(1 + n % 3)]
        for n in range(16)
    ]
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
    works = [
        lambda row=row, heat=heat: visit(stack, tokenizer, row, queue, temperature=heat, top_p=0.9)
        for row, heat in zip(rows, heats, strict=True)
    ]
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
        for _row, event in stream(
            stack, tokenizer, [PromptRow(prompt(4, 1))], max_new_tokens=100, visitors=queue, cancelled=stop.is_set
        ):
            events.append(event)
            if event.tokens >= 3:
                stop.set()
        return events

    other, left = in_threads(
        [lambda: visit(stack, tokenizer, [PromptRow(prompt(6, 2))], queue, max_new_tokens=40), leave]
    )
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
    failing[0].prompt = [10**6]  # a token that the base does not have

    def ask_badly() -> str:
        with pytest.raises(IndexError) as told:
            list(queue.answer(failing))
        return type(told.value).__name__

    answers = in_threads(
        [lambda: visit(stack, tokenizer, good, queue), ask_badly, lambda: visit(stack, tokenizer, good, queue)]
    )
    assert answers == [visit(stack, tokenizer, good), "IndexError", visit(stack, tokenizer, good)]
    with pytest.raises(DataError):
        list(stream(stack, tokenizer, [PromptRow([])], max_new_tokens=4, visitors=queue))


def test_those_who_find_no_room_wait_for_their_turn(tokenizer, tmp_path: Path) -> None:
    stack = open_stack("llama", tmp_path)
    queue = AnswerQueue(stack, generate.end_token_ids(stack.model, tokenizer), tokenizer.pad_token_id, room=70)
    widths = []
    watch = stack.model.register_forward_pre_hook(
        lambda module, args, kwargs: widths.append(kwargs["input_ids"].shape[0]), with_kwargs=True
    )
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


def test_a_row_that_waits_keeps_its_adapter_though_another_takes_the_slot(tokenizer, tmp_path: Path) -> None:
    """Planned when it is accepted: an adapter that comes later, into the same slot, never answers under its name."""
    model = build("llama")
    model.generation_config.eos_token_id = END
    stack = AdapterStack(model, BASE, max_slots=1)
    stack.attach(save_adapter(build("llama"), tmp_path / "a", seed=1), "a")
    other = save_adapter(build("llama"), tmp_path / "b", seed=2)
    row = PromptRow(prompt(6, 1), "a")
    alone = visit(stack, tokenizer, [row])
    queue = AnswerQueue(stack, generate.end_token_ids(model, tokenizer), tokenizer.pad_token_id, room=60)
    first = stream(stack, tokenizer, [PromptRow(prompt(6, 2))], max_new_tokens=50, visitors=queue)
    next(first)
    waiting = threading.Thread(target=lambda: answers.append(visit(stack, tokenizer, [row], queue)))
    answers: list = []
    waiting.start()
    while not queue._waiting and not answers:
        time.sleep(0.001)
    stack.attach(other, "b")
    list(first)
    waiting.join(30)
    assert answers == [alone]


def test_an_adapter_taken_away_answers_on_with_all_its_layers(tokenizer, tmp_path: Path) -> None:
    """What comes in its place touches other layers: those of the rows under way are still its own."""
    model = build("llama")
    model.generation_config.eos_token_id = END
    stack = AdapterStack(model, BASE, max_slots=1)
    stack.attach(save_adapter(build("llama"), tmp_path / "a", seed=1, target_modules=["q_proj", "down_proj"]), "a")
    row = PromptRow(prompt(6, 1), "a")
    alone = visit(stack, tokenizer, [row])[0]
    live = generate._prepare(stack, [row], 24, 0.0)
    batch = Batch(stack, generate.end_token_ids(model, tokenizer), tokenizer.pad_token_id)
    batch.join(live)
    stack.attach(save_adapter(build("llama"), tmp_path / "b", seed=2, target_modules=["v_proj"]), "b")
    while batch.live:
        batch.step()
    assert tuple(live[0].ids) == alone
    base = visit(stack, tokenizer, [PromptRow(row.ids)])[0]
    assert base != alone, "an adapter that changes nothing proves nothing"


def test_who_goes_away_during_a_step_leaves_the_batch_with_the_next(tokenizer, tmp_path: Path) -> None:
    """Beside others who stay: nothing is decoded for nobody."""
    model = build("llama")
    model.generation_config.eos_token_id = END
    stack = AdapterStack(model, BASE)
    queue = generate.open_queue(stack, tokenizer)
    sizes: list[int] = []
    gone_at: list[int] = []
    leaving = stream(
        stack, tokenizer, [PromptRow(prompt(4, 1)), PromptRow(prompt(5, 1))], max_new_tokens=100, visitors=queue
    )
    staying = stream(stack, tokenizer, [PromptRow(prompt(6, n)) for n in range(3)], max_new_tokens=60, visitors=queue)

    def watch(module, args, kwargs) -> None:
        if kwargs["input_ids"].shape[1] == 1:
            sizes.append(kwargs["input_ids"].shape[0])
            if sizes[-1] == 5 and sizes.count(5) == 4:  # in the middle of a step
                gone_at.append(len(sizes))
                next(
                    visit for running in queue._batches for visit in running.visits if len(visit.rows) == 2
                ).gone = True

    hook = model.register_forward_pre_hook(watch, with_kwargs=True)
    first = threading.Thread(target=lambda: list(leaving), daemon=True)
    first.start()
    done = {row: answer.ids for row, answer in staying if answer.done}
    hook.remove()
    assert sizes[gone_at[0] :] and set(sizes[gone_at[0] :]) <= {1, 2, 3}
    assert [done[n] for n in range(3)] == [
        visit(stack, tokenizer, [PromptRow(prompt(6, n))], max_new_tokens=60)[0] for n in range(3)
    ]


def test_a_merge_that_fails_half_way_leaves_the_running_batch_as_it_was(tokenizer, tmp_path: Path, monkeypatch) -> None:
    stack = open_stack("llama", tmp_path)
    ends, pad = generate.end_token_ids(stack.model, tokenizer), tokenizer.pad_token_id
    rows = [PromptRow(prompt(length, length), name) for length, name in ((5, "a"), (9, "base"), (30, "b"))]
    alone = [visit(stack, tokenizer, [row]) for row in rows]
    live = generate._prepare(stack, rows, 24, 0.0)
    batch = Batch(stack, ends, pad)
    batch.join(live[:2])
    batch.step()
    roomy = kv_cache._roomy
    for fails_at in range(4):  # keys and values of two layers
        calls = [0]

        def no_room(*arguments, **options):
            calls[0] += 1
            if calls[0] == fails_at + 1:
                raise torch.OutOfMemoryError("no room for the new rows")
            return roomy(*arguments, **options)

        part = batch.read(generate._prepare(stack, rows[2:], 24, 0.0))
        monkeypatch.setattr(kv_cache, "_roomy", no_room)
        with pytest.raises(torch.OutOfMemoryError):
            batch.add([part])
        monkeypatch.setattr(kv_cache, "_roomy", roomy)
    batch.join(live[2:])
    while batch.live:
        batch.step()
    assert [tuple(row.ids) for row in live] == [answer[0] for answer in alone]


def test_a_step_that_fails_costs_nobody_else_their_answer(tokenizer, tmp_path: Path) -> None:
    """Memory that several at once don't fit, and a row at whose token something breaks: the others answer as if
    alone."""
    stack = open_stack("llama", tmp_path)
    names = ["base", "a", "b", "c"]
    rows = [[PromptRow(prompt(4 + n, n), names[n])] for n in range(4)]
    heats = [0.0, 1.0, 0.0, 0.8]
    alone = [visit(stack, tokenizer, row, temperature=heat) for row, heat in zip(rows, heats, strict=True)]
    queue = generate.open_queue(stack, tokenizer)

    def too_many(module, args, kwargs) -> None:
        if kwargs["input_ids"].shape[1] == 1 and kwargs["input_ids"].shape[0] >= 3:
            raise torch.OutOfMemoryError("three are too many")

    hook = stack.model.register_forward_pre_hook(too_many, with_kwargs=True)
    works = [
        lambda row=row, heat=heat: visit(stack, tokenizer, row, queue, temperature=heat)
        for row, heat in zip(rows, heats, strict=True)
    ]
    assert in_threads(works) == alone
    hook.remove()

    class Broken(frozenset):
        asked = 0

        def __contains__(self, token) -> bool:
            Broken.asked += 1
            if Broken.asked == 3:
                raise ValueError("this row's own fault")
            return False

    def ask_badly() -> str:
        failing = generate._prepare(stack, [PromptRow(prompt(8, 8), "c")], 24, 0.0)
        failing[0].ends = Broken()
        Broken.asked = 0
        with pytest.raises(ValueError, match="own fault"):
            for _ in queue.answer(failing):
                Broken.asked = min(Broken.asked, 2) if Broken.asked < 3 else 2  # fails again when it is read apart
        return "failed"

    assert in_threads([ask_badly, *works]) == ["failed", *alone]
    assert not queue._running and not queue._batches


def test_a_fault_of_the_queue_itself_leaves_nobody_waiting(tokenizer, tmp_path: Path, monkeypatch) -> None:
    stack = open_stack("llama", tmp_path)
    queue = generate.open_queue(stack, tokenizer)
    assert list(queue.answer([])) == []  # nothing asked, nothing answered, and the next one is served
    row = PromptRow(prompt(7, 3), "a")
    alone = visit(stack, tokenizer, [row])
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    with monkeypatch.context() as broken:
        broken.setattr(queue, "_next", lambda _where: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            visit(stack, tokenizer, [row], queue)
    assert visit(stack, tokenizer, [row], queue) == alone


def test_room_is_what_the_cache_will_take_and_not_what_the_newest_needs(tokenizer, tmp_path: Path) -> None:
    """A long row near its end makes the batch wide; a short one that joins then takes as much."""
    stack = open_stack("llama", tmp_path)
    stack.model.generation_config.eos_token_id = END
    ends, pad = generate.end_token_ids(stack.model, tokenizer), tokenizer.pad_token_id
    batch = Batch(stack, ends, pad)
    live = generate._prepare(stack, [PromptRow(prompt(60, 1)), PromptRow(prompt(10, 2))], 40, 0.0)
    long, short = live[:1], live[1:]
    long[0].left = 4
    assert batch.room(long) == 64 and batch.room() == 0
    batch.join(long)
    batch.step()
    bound = batch.room(short)
    assert bound == 2 * (62 + 40)
    batch.join(short)
    widest = 0
    while batch.live:
        widest = max(widest, batch._part.mask.numel())
        batch.step()
    assert widest <= bound


def test_many_visitors_with_fewer_places_than_adapters(tokenizer, tmp_path: Path) -> None:
    """16 threads, 6 adapters, 2 places: every answer is that of its own adapter alone, memory stays bounded, some walk
    away."""
    model = build("llama")
    model.generation_config.eos_token_id = [END, *range(3, 20)]
    folders = {
        name: save_adapter(build("llama"), tmp_path / name, seed=seed, r=2 + seed % 3)
        for seed, name in enumerate("abcdef", 1)
    }
    roomy = AdapterStack(build("llama"), BASE)
    roomy.model.generation_config.eos_token_id = model.generation_config.eos_token_id
    for name, folder in folders.items():
        roomy.attach(folder, name)
    most_bytes = max(roomy.adapter(name).nbytes for name in folders) * 2
    asked = [(PromptRow(prompt(3 + n % 11, n), "abcdef"[n % 6]), "abcdef"[(n * 5 + 1) % 6]) for n in range(48)]
    alone = [visit(roomy, tokenizer, [row]) for row, _ in asked]
    stack = AdapterStack(model, BASE, max_slots=2, max_bytes=most_bytes)
    queue = AnswerQueue(stack, generate.end_token_ids(model, tokenizer), tokenizer.pad_token_id, room=400)
    wrong, most = [], [0]

    def visitor(place: int) -> str:
        for n in range(place, len(asked), 16):
            row, other = asked[n]
            with stack.hold({name: folders[name] for name in {row.adapter, other}}) as held:
                assert held is not None
                most[0] = max(most[0], stack._places.nbytes)
                if n % 7 == 3:  # looks once and goes
                    events = stream(stack, tokenizer, [row], max_new_tokens=24, visitors=queue)
                    next(events)
                    events.close()
                elif (got := visit(stack, tokenizer, [row], queue)) != alone[n]:
                    wrong.append((n, got, alone[n]))
        return "done"

    assert in_threads([lambda place=place: visitor(place) for place in range(16)]) == ["done"] * 16
    assert wrong == [] and most[0] <= most_bytes


def test_one_who_asks_for_more_than_the_room_leaves_room_to_others(
    tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = open_stack("llama", tmp_path)
    queue = AnswerQueue(stack, generate.end_token_ids(stack.model, tokenizer), tokenizer.pad_token_id, room=240)
    rows = [PromptRow(prompt(5 + place % 7, place), "abc"[place % 3]) for place in range(24)]
    alone = visit(stack, tokenizer, rows)
    rooms: list[int] = []
    add = Batch.add

    def watch(batch: Batch, parts: list) -> None:
        rooms.append(batch.room([row for part in parts for row in part.live if not row.finish]))
        add(batch, parts)

    monkeypatch.setattr(Batch, "add", watch)
    assert visit(stack, tokenizer, rows, queue) == alone
    assert len(rooms) > 5 and max(rooms) <= 240 // 2  # and not the 24 * 35 of all

    # a small question is answered long before the large one
    order: list[str] = []
    large = stream(stack, tokenizer, rows, max_new_tokens=24, visitors=queue)
    next(large)
    works = [
        lambda: [*large] and order.append("large"),
        lambda: visit(stack, tokenizer, rows[:1], queue) and order.append("small"),
    ]
    in_threads(works)
    assert order == ["small", "large"]

    # who goes away between two parts is told of all rows
    gone: list[int] = []
    ended = [
        (row, answer.finish)
        for row, answer in stream(stack, tokenizer, rows, max_new_tokens=24, visitors=queue, cancelled=lambda: gone)
        if answer.done and (gone.append(row) or True)
    ]
    assert sorted(row for row, _finish in ended) == list(range(24)) and "cancelled" in dict(ended).values()


def test_those_who_come_at_the_same_time_join_together_and_one_whose_prompt_fails_keeps_nobody(
    tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = open_stack("llama", tmp_path)
    queue = generate.open_queue(stack, tokenizer)
    rows = [PromptRow(prompt(5 + 3 * place, place), "abc"[place % 3]) for place in range(6)]
    alone = [visit(stack, tokenizer, [row]) for row in rows]
    added, read, go_on = [], Batch.read, threading.Event()
    add = Batch.add

    def wait(batch: Batch, new: list) -> Any:
        go_on.wait(20)
        if new[0].prompt == rows[3].ids:
            raise ValueError("cannot be read")
        return read(batch, new)

    monkeypatch.setattr(Batch, "read", wait)
    monkeypatch.setattr(Batch, "add", lambda batch, parts: added.append(len(parts)) or add(batch, parts))
    monkeypatch.setattr("lora_hub.answering.visitors.READ_SECONDS", 60.0)
    found: list[Any] = [None] * len(rows)

    def ask(place: int) -> None:
        try:
            found[place] = visit(stack, tokenizer, [rows[place]], queue)
        except ValueError as error:
            found[place] = error

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(rows))]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 20
    while len(queue._waiting) < len(rows) - 1 and time.monotonic() < until:
        time.sleep(0.005)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert isinstance(found[3], ValueError) and added[0] == len(rows) - 1
    assert [*found[:3], *found[4:]] == [*alone[:3], *alone[4:]]
