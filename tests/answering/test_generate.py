"""Answers: the same tokens as with PEFT one by one, streaming and not, constrained, sampled, cancelled, cut to the
context."""

import itertools
import threading
from pathlib import Path

import pytest
import tiny_bases
import torch
from persian import refused
from tiny_bases import BASE, CONFIGS, END, build, byte_tokenizer, load_with_peft, save_adapter

from lora_hub.answering import generate
from lora_hub.answering.decoding import Live, _draw, _next_tokens
from lora_hub.answering.generate import PromptRow, answer_all, stream
from lora_hub.answering.stack import AdapterStack
from lora_hub.core.errors import AdapterError, DataError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
NAMES = ["base", "a", "b", "c"]
RANKS = {"a": {"r": 3}, "b": {"r": 6, "use_rslora": True}, "c": {"r": 2, "lora_alpha": 7}}


@pytest.fixture(scope="module")
def tokenizer():
    return byte_tokenizer()


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("adapters")
    return {
        name: save_adapter(build("llama"), root / name, seed=i, **o) for i, (name, o) in enumerate(RANKS.items(), 1)
    }


@pytest.fixture(scope="module")
def stack(folders):
    stack = AdapterStack(build("llama"), BASE)
    for name, folder in folders.items():
        stack.attach(folder, name)
    return stack


@pytest.fixture(scope="module")
def references(folders):
    """The same models without the stack."""
    return {
        "base": build("llama"),
        **{name: load_with_peft(build("llama"), folder) for name, folder in folders.items()},
    }


def prompt(length: int, seed: int = 0) -> list[int]:
    return torch.randint(3, tiny_bases.VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def generate_alone(model, ids: list[int], limit: int, ends: list[int]) -> list[int]:
    """What transformers' own generate gives for one prompt, without the end token."""
    with torch.no_grad():
        out = model.generate(
            input_ids=torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=limit,
            do_sample=False,
            eos_token_id=ends,
            pad_token_id=0,
        )[0, len(ids) :].tolist()
    return out[:-1] if out[-1] in ends else out


@pytest.mark.parametrize("kind", CONFIGS)
def test_mixed_batches_give_the_tokens_of_peft_one_by_one(kind, tokenizer, tmp_path):
    model = build(kind)
    models = {"base": build(kind)}
    for i, name in enumerate(NAMES[1:], 1):
        models[name] = load_with_peft(model, save_adapter(model, tmp_path / name, seed=i, **RANKS[name]))
    # many end tokens: rows end at different times and leave the batch, longer than the sliding windows
    ends = [END, *range(3, 40)]
    model.generation_config.eos_token_id = ends
    stack = AdapterStack(model, BASE)
    for name in NAMES[1:]:
        stack.attach(tmp_path / name, name)
    rows = [PromptRow(prompt(length, i), NAMES[i % 4]) for i, length in enumerate((9, 4, 13, 7, 1))]
    answers = answer_all(stack, tokenizer, rows, max_new_tokens=8)
    expected = [generate_alone(models[row.adapter], row.ids, 8, ends) for row in rows]
    assert [list(answer.ids) for answer in answers] == expected
    assert {len(ids) for ids in expected} != {8}, "some rows must end early"
    assert [answer.finish for answer in answers] == ["stop" if len(ids) < 8 else "length" for ids in expected]


@pytest.mark.gpu
def test_on_cuda_the_answers_are_those_of_the_cpu(stack, folders, tokenizer):
    on_gpu = AdapterStack(build("llama").cuda(), BASE)
    for name, folder in folders.items():
        on_gpu.attach(folder, name)
    choices = [[30, 31, END], [32, END], [30, 33, END]]
    rows = [
        PromptRow(prompt(4 + i, i), NAMES[i % 4], choices=choices if i % 3 == 0 else None, seed=i) for i in range(12)
    ]
    for temperature in (0.0, 0.8):
        here, there = (
            [answer.ids for answer in answer_all(one, tokenizer, rows, max_new_tokens=10, temperature=temperature)]
            for one in (stack, on_gpu)
        )
        assert here == there


def test_streamed_is_what_bulk_gives(stack, tokenizer):
    rows = [PromptRow(prompt(5 + i, i), NAMES[i % 4]) for i in range(6)]
    bulk = answer_all(stack, tokenizer, rows, max_new_tokens=24, batch_tokens=100)
    events = list(stream(stack, tokenizer, rows, max_new_tokens=24))
    done = {row: answer for row, answer in events if answer.done}
    assert sorted(done) == list(range(6))
    assert max(len(answer.text) for answer in bulk) > 5
    for i, answer in enumerate(bulk):
        assert (done[i].text, done[i].ids, done[i].finish) == (answer.text, answer.ids, answer.finish)
        assert [e.tokens for row, e in events if row == i] == sorted(e.tokens for row, e in events if row == i)


class Scripted:
    """Gives rows the tokens of a text one by one, as a base's queue of visitors would."""

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids

    def answer(self, live, *, cancelled=None):
        for token in self.ids:
            live[0].ids.append(token)
            yield live
        live[0].finish = "stop"
        yield live


def test_persian_comes_letter_by_letter(stack, tokenizer):
    ids = tokenizer("سلام د").input_ids
    assert len(ids) == 11
    events = list(stream(stack, tokenizer, [PromptRow(prompt(6), "a")], max_new_tokens=20, visitors=Scripted(ids)))
    assert [answer.text for _row, answer in events] == ["س", "سل", "سلا", "سلام", "سلام ", "سلام د", "سلام د"]
    assert events[-1][1].finish == "stop"


def test_what_prompts_begin_with_in_common_is_read_once(stack, references, tokenizer):
    """Examples before every question: one forward for them, then the rest of each prompt; the tokens are those of whole
    prompts."""
    begin = prompt(60, 77)
    rows = [PromptRow(begin + prompt(3 + i % 5, i), NAMES[i % 4]) for i in range(16)]
    seen = []
    watch = stack.model.register_forward_pre_hook(lambda m, a, k: seen.append(k["input_ids"].numel()), with_kwargs=True)
    answers = answer_all(stack, tokenizer, rows, max_new_tokens=3)
    watch.remove()
    assert sum(seen) < 16 * 30 < 16 * 60
    for row, answer in zip(rows, answers, strict=True):
        assert list(answer.ids) == generate_alone(references[row.adapter], row.ids, 3, [END])


def test_a_sampled_row_depends_on_its_seed_and_not_on_its_neighbours(stack, tokenizer):
    def sample(rows, **options):
        return [a.ids for a in answer_all(stack, tokenizer, rows, max_new_tokens=12, temperature=0.9, **options)]

    row = PromptRow(prompt(6), "a", seed=7)
    others = [PromptRow(prompt(4 + i, i), NAMES[i % 4], seed=i) for i in range(7)]
    alone = sample([row])
    assert sample([*others[:3], row, *others[3:]])[3] == alone[0]
    assert sample([row, row])[1] == alone[0]
    assert len({sample([PromptRow(row.ids, "a", seed=seed)])[0] for seed in range(6)}) > 3
    greedy = [a.ids for a in answer_all(stack, tokenizer, others, max_new_tokens=12)]
    assert sample(others, top_p=1e-6) == greedy
    assert sample(others) != greedy


def test_next_to_no_temperature_is_greedy():
    logits = torch.tensor([[1.0, 3.0, 2.0, -float("inf")]])
    for temperature in (1e-3, 1e-40, 5e-324):
        row = Live(0, None, [1], 9, torch.Generator().manual_seed(1), temperature)
        assert _next_tokens(logits, [row]) == [1]


def test_draws_follow_the_distribution_within_the_nucleus():
    chances = torch.tensor([0.1, 0.5, 0.15, 0.25])
    generators = [torch.Generator().manual_seed(seed) for seed in range(4000)]
    for top_p, expected in ((1.0, chances), (0.7, torch.tensor([0.0, 2 / 3, 0.0, 1 / 3]))):
        drawn = _draw(chances.log().expand(4000, 4), generators, top_p)
        shares = torch.bincount(drawn, minlength=4) / 4000
        assert (shares - expected).abs().max() < 0.03  # four standard errors
        assert shares[expected == 0].sum() == 0


def test_cancelling_ends_within_one_step(stack, tokenizer):
    steps = []
    watch = stack.model.register_forward_pre_hook(lambda *_: steps.append(1))
    rows = [PromptRow(prompt(5, i), NAMES[i]) for i in range(3)]
    events = list(stream(stack, tokenizer, rows, max_new_tokens=50, cancelled=lambda: len(steps) >= 4))
    assert len(steps) == 4
    assert [(row, e.finish, e.tokens) for row, e in events if e.done] == [(i, "cancelled", 4) for i in range(3)]
    answers = answer_all(stack, tokenizer, rows, max_new_tokens=50, batch_tokens=60, cancelled=lambda: len(steps) >= 6)
    watch.remove()
    assert len(steps) == 6
    assert {answer.finish for answer in answers} == {"cancelled"}
    assert sorted(answer.tokens for answer in answers) == [0, 0, 2]


def test_answers_end_where_the_context_ends(stack, tokenizer, references):
    rows = [PromptRow(prompt(126)), PromptRow(prompt(8))]
    long, short = answer_all(stack, tokenizer, rows, max_new_tokens=10)
    assert (long.tokens, long.finish) == (2, "length")
    assert list(long.ids) == generate_alone(references["base"], rows[0].ids, 2, [END])
    assert short.tokens == 10
    with refused(DataError, match="Prompt 2 is 128 tokens long, and 'tiny' reads at most 128"):
        answer_all(stack, tokenizer, [rows[0], PromptRow(prompt(128))], max_new_tokens=1)
    with refused(DataError, match="Prompt 1 is empty"):
        next(stream(stack, tokenizer, [PromptRow([])], max_new_tokens=1))
    with refused(AdapterError, match="'nobody' is not attached"):
        answer_all(stack, tokenizer, [PromptRow([5], "nobody")], max_new_tokens=1)


def test_batches_keep_the_order_and_the_budget(stack, tokenizer):
    rows = [PromptRow(prompt(2 + (i * 7) % 30, i), NAMES[i % 4]) for i in range(24)]
    shapes, told = [], []
    watch = stack.model.register_forward_pre_hook(lambda m, a, k: shapes.append(k["input_ids"].shape), with_kwargs=True)
    answers = answer_all(
        stack, tokenizer, rows, max_new_tokens=4, batch_tokens=160, progress=lambda n, of: told.append((n, of))
    )
    watch.remove()
    assert max(n * (length + 4) for n, length in shapes if length > 1) <= 160
    assert told[-1] == (24, 24) and len(told) > 3 and told == sorted(told)
    assert [answer.ids for answer in answers] == [
        answer_all(stack, tokenizer, [row], max_new_tokens=4)[0].ids for row in rows
    ]
    assert answer_all(stack, tokenizer, [], max_new_tokens=4) == []


def test_two_streams_at_once_and_threads_do_not_disturb_each_other(stack, tokenizer):
    questions = [[PromptRow(prompt(5 + i, 10 * i + j), NAMES[(i + j) % 4]) for j in range(3)] for i in range(4)]
    expected = [[a.ids for a in answer_all(stack, tokenizer, rows, max_new_tokens=12)] for rows in questions]
    # taken in turns by one thread, as a server's coroutines do
    one, two = (stream(stack, tokenizer, rows, max_new_tokens=12) for rows in questions[:2])
    got: list[dict] = [{}, {}]
    for pair in itertools.zip_longest(one, two):
        for i, event in enumerate(pair):
            if event is not None:
                got[i][event[0]] = event[1].ids
    assert [[g[row] for row in range(3)] for g in got] == expected[:2]
    # and from threads of their own; one walks away in the middle
    next(stream(stack, tokenizer, questions[0], max_new_tokens=12))
    answers: dict[int, list] = {}

    def ask(i: int) -> None:
        answers[i] = [a.ids for a in answer_all(stack, tokenizer, questions[i], max_new_tokens=12)]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answers[i] for i in range(4)] == expected
    assert torch.is_grad_enabled()


def test_end_tokens_are_the_configs_the_tokenizers_and_the_turns():
    template = "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}<turn>\n{% endfor %}"
    tokenizer = byte_tokenizer(template, ("<turn>",))
    model = build("llama")
    model.generation_config.eos_token_id = [9, 10]
    assert generate.end_token_ids(model, tokenizer) == {9, 10, END, tokenizer.convert_tokens_to_ids("<turn>")}
    model.generation_config.eos_token_id = None
    assert generate.end_token_ids(model, byte_tokenizer()) == {END}


def test_divergence_is_kl_and_share_of_changed_choices(stack, references, tokenizer):
    row = PromptRow(prompt(8), "b")
    answer = answer_all(stack, tokenizer, [row], max_new_tokens=10)[0].ids
    measured = generate.divergence(stack, tokenizer, row, answer)
    with torch.no_grad():
        ids = torch.tensor([row.ids + list(answer)])
        adapter, base = (references[who](input_ids=ids).logits[0, 7:-1].double() for who in ("b", "base"))
    p, q = adapter[0].softmax(-1), base[0].softmax(-1)
    assert measured.kl == pytest.approx((p * (p / q).log()).sum().item(), rel=1e-4)
    assert measured.kl > 0.01
    assert measured.changed == pytest.approx((adapter.argmax(-1) != base.argmax(-1)).double().mean().item())
    assert measured.changed > 0
    nothing = generate.divergence(stack, tokenizer, PromptRow(row.ids, "base"), answer)
    assert (nothing.kl, nothing.changed) == (0.0, 0.0)
    assert generate.divergence(stack, tokenizer, row, []).kl == pytest.approx(measured.kl, rel=1e-6)
