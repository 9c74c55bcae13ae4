"""The exam: a base gets its best chance, calibrated and with examples before the question; text and labels, on real
small bases."""

import random

import pytest
import torch
from small_data import sentiment_rows
from tiny_bases import BASE, build, byte_tokenizer, save_adapter

from lora_hub.answering import loading
from lora_hub.answering.stack import AdapterStack
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.schema import Task, Text2
from lora_hub.data.prompts import template
from lora_hub.data.prompts.prepare import Example
from lora_hub.evaluation import exam
from lora_hub.evaluation.examples import MOST_EXAMPLES, choose_examples

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
TONE = Task(
    id="tone",
    title=Text2(en="Tone"),
    instruction=Text2(en="?"),
    output="labels",
    labels=("no", "yes"),
    template="{text}",
    metrics=("accuracy",),
)
STRICT = (
    "{% for m in messages %}{% if loop.index0 > 1 %}{{ raise_exception('one turn only') }}{% endif %}[{{ "
    "m['content'] }}]{% endfor %}"
)


def tone_rows(count: int, seed: int) -> list[Example]:
    """Short rows of two letters, of which one belongs to each label."""
    pick = random.Random(seed)
    return [
        Example(row, {"text": f"{'ba'[row % 2] * pick.randint(2, 6)}{pick.randrange(10)}"}, ("no", "yes")[row % 2])
        for row in range(1, count + 1)
    ]


@pytest.fixture(scope="module")
def tokenizer():
    return byte_tokenizer()


@pytest.fixture(scope="module")
def small(tokenizer, tmp_path_factory):
    """A random base whose output prefers one label's letters, whatever it reads, and a random adapter on it."""
    model = build("llama", seed=3)
    first = template.encode_answers(tokenizer, ["yes"])[0][1]
    hidden = torch.zeros(model.config.hidden_size)
    with torch.no_grad():
        for text in ("aaa", "bbb", "ab1"):
            ids = torch.tensor([tokenizer(text).input_ids])
            hidden += model.model(input_ids=ids).last_hidden_state[0, -1]
        model.lm_head.weight[first] += hidden / hidden.norm()
    stack = AdapterStack(model, BASE)
    stack.attach(save_adapter(build("llama", seed=3), tmp_path_factory.mktemp("exam") / "a"), "a")
    return stack


def test_the_exam_asks_the_base_as_it_is_and_with_examples_and_calibrates_both(small, tokenizer):
    began: list[str] = []
    found = exam.hold_exam(
        small,
        tokenizer,
        TONE,
        tone_rows(40, 1),
        "a",
        trained=tone_rows(60, 2),
        unscored=tone_rows(30, 3),
        begin=began.append,
    )
    assert began == ["base", "base_examples", "adapter"] == list(found.answers) == list(found.scores)
    assert set(found.calibrations) == {"base", "base_examples"} and len(found.shown) >= 2 and len(found.shown) % 2 == 0
    for who, answers in found.answers.items():
        assert all(
            answer.text in TONE.labels and sum(answer.probabilities.values()) == pytest.approx(1) for answer in answers
        )
        assert set(found.scores[who]) == {"accuracy", exam.CALIBRATION_ERROR}
    assert found.comparison.against in ("base", "base_examples") and found.comparison.rows == 40
    rows = exam.held_out_rows(TONE, tone_rows(40, 1), found.answers)
    assert set(rows[0].judgements) == set(rows[0].answers) == set(found.answers)
    assert [row.answers["adapter"] for row in rows] == found.answers["adapter"]
    right = sum(row.judgements["base"].right for row in rows)
    assert right * 100 / 40 == pytest.approx(found.scores["base"]["accuracy"].value)


def test_a_base_that_says_one_label_whatever_it_reads_is_judged_by_what_it_knows(small, tokenizer):
    scored, known = tone_rows(60, 4), tone_rows(40, 5)
    plain = exam.answer_examples(small, tokenizer, TONE, scored, "base")
    assert len({answer.text for answer in plain}) == 1
    fitted = exam.calibrate(small, tokenizer, TONE, known, tone_rows(60, 6))
    mended = exam.answer_examples(small, tokenizer, TONE, scored, "base", calibration=fitted)
    assert len({answer.text for answer in mended}) == 2
    accuracy = [exam.score_answers(TONE, answers, scored)["accuracy"].value for answers in (plain, mended)]
    assert accuracy[0] == 50 and accuracy[1] > 60


def test_few_validation_rows_are_joined_by_training_rows(small, tokenizer):
    """One temperature of a few rows falls anywhere. Rows that stand before the question as examples do not join."""
    scored, trained = tone_rows(20, 7), tone_rows(120, 8)
    found = exam.hold_exam(small, tokenizer, TONE, scored, "a", trained=trained, unscored=tone_rows(10, 9))
    assert found.shown and {one.rows for one in found.calibrations.values()} == {64}
    found = exam.hold_exam(small, tokenizer, TONE, scored, "a", trained=trained, unscored=tone_rows(80, 9))
    assert {one.rows for one in found.calibrations.values()} == {80}
    few = exam.hold_exam(small, tokenizer, TONE, scored, "a", trained=trained[:20], unscored=tone_rows(10, 9))
    assert {one.rows for one in few.calibrations.values()} == {10 + 20 - len(few.shown)}


def test_a_cancelled_exam_ends(small, tokenizer):
    rows = tone_rows(10, 1)
    assert (
        exam.hold_exam(small, tokenizer, TONE, rows, "a", trained=rows, unscored=rows, cancelled=lambda: True) is None
    )


def test_text_tasks_are_asked_with_examples_too(small, tokenizer):
    task = catalogue.get_task("translation").model_copy(
        update={"template": "{text}", "max_new_tokens": 4, "inputs": ("text",), "optional_inputs": ()}
    )
    rows = [Example(row, {"text": f"w{row}"}, f"v{row}") for row in range(1, 13)]
    found = exam.hold_exam(small, tokenizer, task, rows[:4], "a", trained=rows[4:], unscored=[])
    assert list(found.answers) == ["base", "base_examples", "adapter"] and not found.calibrations
    assert not any(answer.probabilities for of in found.answers.values() for answer in of)
    alone = exam.answer_examples(small, tokenizer, task, rows[:1], "base")
    assert found.answers["base"][0].text == alone[0].text == alone[0].text.strip()


def test_examples_are_balanced_seeded_and_fit_the_context():
    base = bases.get_base("built-in")
    tokenizer = loading.load_tokenizer(base)
    task = catalogue.get_task("sentiment").model_copy(update={"labels": ("bad", "good")})
    trained = [Example(row, {"text": text}, label) for row, (text, label) in enumerate(sentiment_rows(200), 1)]
    asked = [{"text": "The film number 1 was fine."}, {"text": "A long one. " * 20}]

    def choose(context: int, seed: int = 0, of: list[Example] = trained):
        return choose_examples(tokenizer, task, of, asked, context=context, seed=seed)

    whole = choose(4096)
    assert len(whole) == MOST_EXAMPLES and sorted(answer for _, answer in whole).count("bad") == MOST_EXAMPLES // 2
    assert whole == choose(4096) != choose(4096, seed=1)
    few = choose(400)
    assert 0 < len(few) < MOST_EXAMPLES and len({answer for _, answer in few}) == 2
    assert max(map(len, template.encode_prompts(tokenizer, task, asked, few))) + 4 <= 400
    assert choose(100) == () == choose(4096, of=[])
    # a class with few rows is shown as often as the others
    rare = [example for example in trained if example.answer == "bad"] + [
        example for example in trained if example.answer == "good"
    ][:1]
    assert sorted(answer for _, answer in choose(4096, of=rare)) == ["bad", "good"]


def test_a_template_for_one_turn_gets_no_examples(tokenizer):
    strict = byte_tokenizer(STRICT)
    assert choose_examples(strict, TONE, tone_rows(60, 1), [{"text": "aa"}], context=10_000, seed=0) == ()
    assert (
        len(choose_examples(tokenizer, TONE, tone_rows(60, 1), [{"text": "aa"}], context=10_000, seed=0))
        == MOST_EXAMPLES
    )


def test_examples_of_a_chat_are_turns_behind_its_system_turn():
    tokenizer = byte_tokenizer("{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<assistant>")
    chat = catalogue.get_task("chat")

    def said(*turns: tuple[str, str]) -> dict:
        return {"messages": [{"role": role, "content": content} for role, content in turns]}

    trained = [
        Example(1, said(("user", "hi")), "hello"),
        Example(2, said(("user", "a"), ("assistant", "b"), ("user", "c")), "d"),
    ]
    asked = said(("system", "Be kind."), ("user", "who?"))
    shown = choose_examples(tokenizer, chat, trained, [asked], context=10_000, seed=0)
    assert [answer for _, answer in shown] == ["hello"]
    assert (
        template.prompt_text(tokenizer, chat, asked, shown)
        == "<system>Be kind.<user>hi<assistant>hello<user>who?<assistant>"
    )


def test_an_untouched_tokenizer_writes_examples_one_below_the_other():
    plain = byte_tokenizer()
    text = template.prompt_text(plain, TONE, {"text": "who"}, [({"text": "aa"}, "no")])
    assert text == "aa\nAnswer: no\n\nwho\nAnswer:"
