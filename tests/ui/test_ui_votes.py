"""What the page shows of blind answers, votes and boards: nothing that tells whose an answer is before the vote."""

import re
from collections.abc import Iterator

import pytest
from test_kept import HOSTILE, LOCAL, WILL, keep, views

from lora_hub import use_cases
from lora_hub.compare import votes as cast
from lora_hub.core.errors import DataError
from lora_hub.core.schema import Answer, PaneAnswer, Question, Turn
from lora_hub.people import STRANGER, policy
from lora_hub.ui.render.compare import render_history, render_votes
from lora_hub.ui.tabs.compare import compare_blind, compare_history

TELLING = re.compile(r"lora-hub/|spam-2026|[Bb]ase|0123456789|tokens|data-pane|data-place|\d s\b")


def grown(pane: int, text: str, seconds: float, *, is_done: bool = False) -> PaneAnswer:
    view = views("", "", "")[pane]
    answer = Answer(text=text, tokens=len(text), seconds=seconds, finish="stop" if is_done else "")
    return view.model_copy(update={"answer": answer})


def test_all_panes_are_written_at_one_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast model waits for the slowest, and what it has ended looks as unfinished as all else."""
    monkeypatch.setattr(compare_blind, "DRAW_SECONDS", 0.0)

    def stream() -> Iterator[PaneAnswer]:
        yield grown(1, "fast and long and done", 0.1, is_done=True)
        yield grown(2, "slow", 0.2)
        for written in ("s", "slo", "slowest"):
            yield grown(0, written, 1.0)
        yield grown(2, "slow but more", 1.1)
        yield grown(0, "slowest of all", 2.0, is_done=True)
        yield grown(2, "slow but more", 2.1, is_done=True)

    known = [grown(pane, "", 0.0) for pane in range(3)]
    shown = list(compare_blind.blind_stream(stream(), known, (2, 0, 1), "en", "asked"))
    lengths = []
    for html in shown:
        assert not TELLING.search(html), html
        texts = [re.sub("<[^>]+>", "", one) for one in re.findall(r'class="lh-answer"[^>]*>(.*?)</div>', html)]
        reached = max(map(len, texts))
        lengths.append(reached)
        assert html.count("aria-busy") == html.count("lh-caret") == 3
        whole = [known[pane].answer.text for pane in (2, 0, 1)]
        assert texts == [full[:reached] for full in whole]
    assert lengths == [0, 1, 3, 4, 7, 13], lengths
    ended = render_votes.blind_panes([known[pane] for pane in (2, 0, 1)], "en", "asked")
    assert "aria-busy" not in ended and not TELLING.search(ended)


def test_the_order_is_drawn_and_some_questions_cannot_be_blind() -> None:
    orders = {cast.draw_order(3, Question(prompt="x")) for _try in range(100)}
    assert len(orders) == 6
    with refused_in_words("One answer cannot be compared blind."):
        cast.draw_order(1, Question(prompt="x"))
    with refused_in_words("A chat that goes on is not blind"):
        cast.draw_order(3, Question(prompt="x", earlier={"base": (Turn(role="user", content="hi"),)}))


def refused_in_words(said: str):
    return pytest.raises(DataError, match=said)


def test_a_kept_blind_comparison_stays_blind_until_its_names_are_shown() -> None:
    end = compare_blind.end_blind(LOCAL, Question(prompt="asked"), views("a", "b", "c"), (2, 0, 1), "en", "asked", {})
    name = re.search("[0-9a-f]{16}", end)[0]
    assert not TELLING.search(end.replace(name, "")) and end.count("data-vote-key") == 3
    opened = use_cases.cast_vote(LOCAL, name, "one", 0)
    blind = compare_blind.show_opened(opened, LOCAL, "fa")
    assert not TELLING.search(blind.replace(name, "")) and blind.count('aria-pressed="true"') == 1
    revealed = compare_blind.show_opened(use_cases.reveal_names(LOCAL, name), LOCAL, "en")
    assert "You voted for answer 1: " in revealed and "lora-hub/other" in revealed and "lh-votes" not in revealed
    places = [revealed.rindex(f">{text}<") for text in ("c", "a", "b")]
    assert places == sorted(places), "each stays where it stood"


def test_where_nothing_is_kept_nobody_votes() -> None:
    policy.write(policy.Policy(strangers="compare"))
    end = compare_blind.end_blind(STRANGER, Question(prompt="asked"), views("a", "b"), (1, 0), "en", "asked", {})
    assert "Only members vote" in end and "lora-hub/spam" in end and "data-vote-key" not in end
    assert compare_history.keep(STRANGER, Question(prompt="x"), views("a", "b"), "en") == ""


def test_history_and_boards_show_what_strangers_wrote_as_text() -> None:
    one = keep(WILL, HOSTILE, HOSTILE, HOSTILE, order=(1, 0))
    hostile = [view.model_copy(update={"name": f"<b>{view.name}</b>"}) for view in one.answers]
    listed = render_history.history([one.model_copy(update={"answers": tuple(hostile)})], "en", False, one.id)
    assert "<script>" not in listed and "<b>lora" not in listed and "delete! " in listed and "blind" in listed
    for place in (0, 1):
        kept = keep(WILL, "again", "a", "b", order=(place, 1 - place))
        use_cases.cast_vote(WILL, kept.id, "one", 0)
    found = use_cases.read_boards(LOCAL)
    for language, said in (
        ("en", "not separable yet from Base, no adapter"),
        ("fa", "هنوز از مدل پایه، بدون آداپتور تفکیک‌پذیر نیست"),
    ):
        shown = re.sub("</?bdi>|«|»", "", render_votes.boards(found, {"spam": "Spam"}, language))
        assert said in shown and "base<" not in shown, "a base has its name in words"
    several = [render_votes._named(model) for model in ("base:built-in@ab", "base_examples:x", "o/a@1")]
    assert [str(one) for one in several] == [
        "Base, no adapter (built-in@ab)",
        "Base with examples in its prompt (x)",
        "o/a@1",
    ]
    assert "No votes yet" in render_votes.boards(found.__class__({}, 0, 0, "", None), {}, "en")
    waiting = render_votes.boards(found.__class__({}, 0, 0, "", None, 1), {}, "en")
    assert "1 vote of yours" in waiting and "No votes yet" not in waiting
