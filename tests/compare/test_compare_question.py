"""One question in all its ways: several bases, examples, samples, strength, a chat that goes on, one pane alone."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from persian import refused
from test_compare_bases import adapters  # noqa: F401

from lora_hub import compare
from lora_hub.catalogue.tasks import catalogue
from lora_hub.compare import panes
from lora_hub.core.errors import AdapterError, SpecError
from lora_hub.core.schema import BASE, BASE_EXAMPLES, PaneAnswer, Question, ShownExample, Turn, ask_question
from lora_hub.data.prompts import template

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def comparer() -> compare.Comparer:
    return compare.Comparer()


@pytest.fixture
def ask(comparer: compare.Comparer) -> Callable[..., dict[str, PaneAnswer]]:
    def asked(names: list, **question: object) -> dict[str, PaneAnswer]:
        only = str(question.pop("only", ""))
        wanted = ask_question(**{"prompt": "hello", "max_new_tokens": 12, **question})
        told = [one for one in comparer.stream(names, wanted, only=only) if one.done]
        assert len({one.pane for one in told}) == len(told), "each pane is complete once"
        return {one.name: one for one in sorted(told, key=lambda one: one.pane)}

    return asked


def test_panes_of_several_bases_answer_as_each_does_alone(adapters: list[str], ask) -> None:  # noqa: F811
    names = [adapters[0], adapters[2], adapters[1], adapters[4]]
    told = ask(names)
    assert list(told) == [BASE, *names]
    for name in names:
        alone = ask([name])[name]
        assert (told[name].answer.text, told[name].base) == (alone.answer.text, alone.base)
        assert told[name].divergence == alone.divergence and not alone.divergence.is_none
        assert told[name].first_seconds > 0 and told[name].tokens_per_second > 0
    assert len({one.base for one in told.values()}) == 3 and told[BASE].base == told[names[0]].base


def test_what_will_not_do_is_named(adapters: list[str], ask) -> None:  # noqa: F811
    with refused(SpecError, match="samples will not do: it must be at most 8"):
        ask([adapters[0]], samples=9)
    with refused(SpecError, match="several answers differ only at a temperature above 0"):
        ask([adapters[0]], samples=2)


def test_strength_scales_an_adapter(adapters: list[str], ask) -> None:  # noqa: F811
    """1 is the adapter as it was trained, to the bit; 0 is the base; between them it is something else."""
    name = adapters[0]
    trained, none, half = (
        ask([name], strengths={name: strength}, temperature=0.7, max_new_tokens=24) for strength in (1.0, 0.0, 0.5)
    )
    plain = ask([name], temperature=0.7, max_new_tokens=24)
    assert trained[name].answer.ids == plain[name].answer.ids and trained[name].divergence == plain[name].divergence
    assert none[name].answer.ids == none[BASE].answer.ids and none[name].divergence.is_none
    assert 0 < half[name].divergence.kl < plain[name].divergence.kl
    assert half[name].strength == 0.5 and half[name].to_json()["strength"] == 0.5
    again = ask([name], temperature=0.7, max_new_tokens=24)
    assert again[name].answer.ids == plain[name].answer.ids, "what was scaled is another adapter in the stack"
    with refused(SpecError, match="it must be at most 1.2"):
        ask([name], strengths={name: 1.3})


def test_samples_are_drawn_with_the_next_seeds(adapters: list[str], ask) -> None:  # noqa: F811
    drawn = ask([adapters[0]], temperature=1.0, top_p=0.9, samples=3, seed=5)[adapters[0]]
    alone = [ask([adapters[0]], temperature=1.0, top_p=0.9, seed=5 + n)[adapters[0]].answer.ids for n in range(3)]
    assert [one.ids for one in drawn.answers] == alone and len({*alone}) > 1
    assert [one["text"] for one in drawn.to_json()["samples"]] == [one.text for one in drawn.answers]


def test_a_chat_goes_on_from_each_panes_own_answers(adapters: list[str], ask, monkeypatch) -> None:  # noqa: F811
    seen: list[list[dict]] = []
    encode = template.encode_prompts

    def watched(tokenizer: object, task: object, rows: list[dict], *more: object) -> list[list[int]]:
        seen.append(rows[0]["messages"])
        return encode(tokenizer, task, rows, *more)

    monkeypatch.setattr(template, "encode_prompts", watched)
    earlier = {
        who: (Turn(role="user", content="a"), Turn(role="assistant", content=who[-1])) for who in (BASE, adapters[0])
    }
    told = ask([adapters[0]], system="Be brief.", earlier=earlier)
    assert all(one.answer.finish for one in told.values())
    for messages, who in zip(seen, (BASE, adapters[0]), strict=True):
        assert [(one["role"], one["content"]) for one in messages] == [
            ("system", "Be brief."),
            ("user", "a"),
            ("assistant", who[-1]),
            ("user", "hello"),
        ]
    with refused(SpecError, match="a chat goes on with a prompt"):
        ask([adapters[0]], system="Be brief.", inputs={"text": "x"})


def test_one_pane_is_asked_again_in_its_place(adapters: list[str], ask) -> None:  # noqa: F811
    whole, again = ask(adapters[:2]), ask(adapters[:2], only=adapters[1])
    assert list(again) == [adapters[1]] and again[adapters[1]].pane == 2
    assert again[adapters[1]].answer.text == whole[adapters[1]].answer.text
    with refused(AdapterError, match="was not asked"):
        ask(adapters[:2], only="another")


def test_the_base_is_shown_examples_or_says_why_not(adapters: list[str], ask, monkeypatch) -> None:  # noqa: F811
    pane = panes.resolve_adapter(adapters[0])
    none = ask([pane], examples=4)[BASE_EXAMPLES]
    assert (none.answer.finish, none.examples, none.answer.tokens) == ("skipped", 0, 0)
    assert "without a task" in none.note.en and "note" in none.to_json()
    short = catalogue.get_task("spam").model_copy(update={"template": "{text}", "labels": ("ham", "spam")})
    spam, asked = replace(pane, task=short), []
    encode = template.encode_prompts
    monkeypatch.setattr(
        template, "encode_prompts", lambda *given: asked.append(given[3] if len(given) > 3 else ()) or encode(*given)
    )
    typed = tuple(ShownExample(inputs={"text": text}, answer=answer) for text, answer in (("a", "ham"), ("b", "spam")))
    told = ask([spam], examples=2, shown=typed)[BASE_EXAMPLES]
    assert told.examples == 2 and told.note.en == "2 examples, as typed" and told.answer.text in short.labels
    assert (({"text": "a"}, "ham"), ({"text": "b"}, "spam")) in asked
    mine = replace(spam, shown=(({"text": "c"}, "ham"), ({"text": "d"}, "spam")))
    assert ask([mine], examples=8)[BASE_EXAMPLES].note.en == "2 examples from the training rows, as in the exam"
    assert ask([mine], examples=1)[BASE_EXAMPLES].examples == 1
    long = tuple(ShownExample(inputs={"text": "long " * 40}, answer="ham") for _ in range(2))
    assert "no room" in ask([spam], examples=2, shown=long)[BASE_EXAMPLES].note.en
    with refused(SpecError, match="does not have the inputs of the task spam"):
        ask([spam], examples=1, shown=(ShownExample(inputs={"title": "a"}, answer="ham"),))


def test_a_question_is_kept_as_json() -> None:
    asked = Question(prompt="x", strengths={"a": 0.5}, earlier={"base": (Turn(role="user", content="a"),)})
    assert Question.model_validate_json(json.dumps(asked.model_dump(mode="json"))) == asked
    assert "a" in [*asked.texts], "earlier turns count as what is read"
