"""The words by which two answers differ, as HTML: nothing of the text is lost, and each direction stands by itself."""

import re
from html import unescape

import pytest
from persian import refused

from lora_hub.core.errors import DataError, SpecError
from lora_hub.core.schema import Answer, PaneAnswer, Turn
from lora_hub.ui.render.compare import render_panes, word_marks
from lora_hub.ui.tabs.compare.compare_question import Typed, read_strengths

PERSIAN = "سلام دنیا، این یک متن است."


@pytest.mark.parametrize(
    ("text", "other", "own"),
    [
        ("the red cat sat", "the cat sat", ["red"]),
        ("a  b\n\nc <d>", "a b c", ["<d>"]),
        (PERSIAN, PERSIAN.replace("یک", "two"), ["یک"]),
        ("این word است", "این واژه است", ["word"]),
        ("same", "same", []),
        ("nothing in common", "at all here", []),
        ("", "x", []),
        (" led in", "led out", ["in"]),
    ],
)
def test_what_is_its_own_is_marked_and_nothing_is_lost(text: str, other: str, own: list[str]) -> None:
    shown = word_marks.marked(text, other, "en")
    assert [unescape(one) for one in re.findall(r"<mark[^>]*>(.*?)</mark>", shown, re.DOTALL)] == own
    assert unescape(re.sub(r"<[^>]*>", "", shown)) == text
    assert all('dir="auto"' in tag and "title=" in tag for tag in re.findall(r"<mark[^>]*>", shown))


def test_changes_to_the_right_answer_are_said() -> None:
    shown = word_marks.changes("the red cat", "the black cat", "en")
    assert re.sub(r"<(/?)(ins|del)[^>]*>", r"<\1\2>", shown) == "the <del>red</del> <ins>black</ins> cat"
    assert 'title="missing here"' in shown and 'title="not in the right answer"' in shown
    assert word_marks.changes("the  cat", "the cat", "en") == ""
    assert "<script>" not in word_marks.changes("<script>", "x <b>", "en")
    assert word_marks.changes("x " * 5000, "y", "en") == "", "too long to be read"


def view(place: int, name: str, text: str, **more: object) -> PaneAnswer:
    return PaneAnswer(pane=place, name=name, answer=Answer(text=text, finish="stop", tokens=2, seconds=1.0), **more)


def test_a_patch_is_the_live_part_of_its_pane() -> None:
    views = [view(0, "base", "the cat"), view(1, "a/b", "the <red> cat", version="v1", revision="c" * 40)]
    whole = render_panes.panes(views, "en", "hi", asked="q1", earlier={"a/b": (Turn(role="user", content="<hey>"),)})
    patch = render_panes.patches(views[1:], views, "en", "q1")
    assert 'data-asked="q1" data-to="1"' in patch and "data-busy" not in patch
    inner = patch[patch.index(">") + 1 : -len("</div>")]
    assert inner in whole and "&lt;red&gt;</mark>" in inner and "v1" in inner and "&lt;hey&gt;" in whole
    busy = views[1].model_copy(update={"answer": Answer(text="x")})
    assert "data-busy" in render_panes.patches([busy], [views[0], busy], "en", "q1")
    wanted = render_panes.live(views[1], "en", views, reference="the red cat")
    assert "Beside the right answer" in wanted and "<ins" in wanted


def typed(**given: object) -> Typed:
    plain = {
        **dict.fromkeys(("prompt", "roles", "typed_examples", "strengths", "system", "chat", "kept_right"), ""),
        **dict.fromkeys(("most", "temperature", "seed", "examples"), 0),
        "names": ["a/b"],
        "base": True,
        "free_text": False,
        "values": (),
        "top_p": 1,
        "samples": 1,
        "goes_on": False,
    }
    return Typed(**{**plain, **given})


def test_what_the_browser_keeps_is_read_as_anything() -> None:
    """Strengths, chats and examples are fields of the browser."""
    assert read_strengths('{"a/b": 0.5, "c": "1", "d": 7, "e": true}') == {"a/b": 0.5}
    assert read_strengths("[") == read_strengths("[1]") == read_strengths("[" * 99_999) == {}
    asked = typed(prompt="x", strengths='{"a/b": 0.5, "other": 0.2}').question()
    assert asked.strengths == {"a/b": 0.5} and not asked.is_chat
    first = typed(prompt="x", goes_on=True, chat="nonsense").question()
    assert first.is_chat and first.inputs is None
    later = typed(prompt="y", goes_on=True, chat='{"base": [["x", "said"]], "stranger": [["a", "b"]]}').question()
    assert [turn.content for turn in later.earlier["base"]] == ["x", "said"] and list(later.earlier) == ["base"]
    shown = typed(values=("x",), roles="text", examples=2, typed_examples="a => b => ham\n\nc=>spam").question().shown
    assert [(one.inputs, one.answer) for one in shown] == [({"text": "a => b"}, "ham"), ({"text": "c"}, "spam")]
    # Each input of a task with several has its place.
    two = {"values": ("x", "y"), "roles": "context\nquestion", "examples": 2}
    (one,) = typed(**two, typed_examples="Ada wrote it. | Who? => Ada").question().shown
    assert (one.inputs, one.answer) == ({"context": "Ada wrote it.", "question": "Who?"}, "Ada")
    for line in ("Ada wrote it. => Ada", "a | b | c => d", " | => d", "a | b =>"):
        with refused(DataError, match=re.escape("Write context | question => ...")):
            typed(**two, typed_examples=line).question()


@pytest.mark.parametrize("field", ["most", "seed", "samples", "examples", "temperature", "top_p"])
def test_numbers_that_are_none_are_refused_in_words(field: str) -> None:
    for value in (float("nan"), float("inf"), -float("inf"), -3):
        with refused(SpecError, match="will not do: it must be"):
            typed(prompt="x", **{field: value}).question()


def test_a_field_that_was_never_drawn_is_empty() -> None:
    empty = dict.fromkeys(("prompt", "typed_examples", "strengths", "system", "chat", "kept_right"))
    drawn = typed(**empty, values=("x", None), roles="text\ncontext")
    assert drawn.text == "x" and drawn.question().inputs == {"text": "x", "context": ""}
    assert typed(**empty, values=(None,), roles=None).text == ""
