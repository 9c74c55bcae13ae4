"""The numbers of a test's plots, and their pictures: right, whole, and no words of a file in them but as text."""

import json

import pytest

from lora_hub.compare.test_sets import TestRow, judge_rows
from lora_hub.compare.test_sets.figures import (
    Confusion,
    by_column,
    by_label,
    by_length,
    calibration,
    columns_of,
    confusion,
)
from lora_hub.core.schema import Answer, Task, Text2
from lora_hub.ui.render.test_sets import test_plots

TASK = Task(
    id="tone",
    title=Text2(en="Tone"),
    instruction=Text2(en="?"),
    output="labels",
    labels=("بد", "<b>good"),
    template="{text}",
    metrics=("accuracy",),
)


@pytest.fixture(scope="module")
def rows() -> list[TestRow]:
    """Forty rows; v1 is right on all short ones, v2 says one label."""
    made, answers = [], {"v1": [], "v2": []}
    for n in range(40):
        right = TASK.labels[n % 2]
        text = f"{n} " * (3 if n < 20 else 30)
        columns = {"source": "web" if n % 4 else "=mail", "id": str(n)}
        made.append(TestRow(row=n + 1, inputs={"text": text}, prompt=text, reference=right, columns=columns))
        said = right if n < 20 else TASK.labels[0]
        answers["v1"].append(Answer(text=said, probabilities={said: 0.9}, finish="stop"))
        answers["v2"].append(Answer(text=TASK.labels[0], probabilities={TASK.labels[0]: 0.6}, finish="stop"))
    return judge_rows(TASK, made, answers)


def test_the_numbers_are_of_the_rows(rows) -> None:
    shortest, longest = by_length(TASK, rows)[0], by_length(TASK, rows)[-1]
    assert shortest.scores["v1"].value == 100 and longest.scores["v1"].value < 70
    assert sum(group.rows for group in by_length(TASK, rows)) == 40
    assert {group.name: group.scores["v2"].value for group in by_label(TASK, rows)} == {"بد": 100, "<b>good": 0}
    assert [(group.name, group.rows) for group in by_column(TASK, rows, "source")] == [("=mail", 10), ("web", 30)]
    assert columns_of(rows) == ["source"], "a column of ids groups nothing"
    found = confusion(TASK, rows, "v1")
    assert found.labels == ["بد", "<b>good"] and found.counts == [[20, 0], [10, 10]]
    (sure,) = calibration(rows, "v2")
    assert (sure.sure, sure.right, sure.rows) == (pytest.approx(0.6), 0.5, 40) and sure.low < 0.5 < sure.high


@pytest.mark.parametrize("language", ["en", "fa"])
def test_plots_are_read_from_where_the_language_begins_and_say_files_words_as_text(rows, language) -> None:
    marks = [(group.name, list(group.scores.items())) for group in by_label(TASK, rows)]
    drawn = (
        test_plots.dots(marks, language, names=["v1", "v2"]),
        test_plots.heat(confusion(TASK, rows, "v1"), language),
        test_plots.curve(calibration(rows, "v2"), language),
    )
    for figure in drawn:
        told = json.loads(test_plots.picture(figure).plot)
        assert "<b>" not in json.dumps(told) + test_plots.in_words(figure, language)
        first, last = told["layout"]["xaxis"]["range"]
        assert (first < last, told["layout"]["yaxis"]["side"]) == (
            (True, "left") if language == "en" else (False, "right")
        )
    dots, heat, curve = (json.loads(figure.to_json()) for figure in drawn)
    # What is drawn is what was counted: v2 says one label, v1 is right on the short rows.
    v1, v2 = dots["data"]
    shares = {group.name: group.scores for group in by_label(TASK, rows)}
    assert v2["x"] == [shares[name]["v2"].value for name, _scores in marks] and sorted(v2["x"]) == [0, 100]
    low = [v1["x"][at] - v1["error_x"]["arrayminus"][at] for at in range(2)]
    assert low == pytest.approx([shares[name]["v1"].low for name, _scores in marks])
    assert heat["data"][0]["z"] == [[20, 0], [10, 10]]
    assert (curve["data"][1]["x"], curve["data"][1]["y"]) == ([pytest.approx(0.6)], [0.5])
    assert "&lt;b&gt;good" in heat["layout"]["yaxis"]["ticktext"][1]
    # Names of any length, with what is wide, hidden, or in no SVG, leave room for the plot, on a phone, too.
    for strange in ("x" * 9000, "<'&\">" * 9, "字" * 30, "\u202e\x0b\x1b" * 9):
        found = Confusion([strange, ""], [[1, 2], [0, 0]])
        figure = test_plots.heat(found, language)
        told = json.loads(test_plots.picture(figure).plot)
        said = json.dumps(told, ensure_ascii=False) + test_plots.in_words(figure, language)
        assert len(said) < 4000 and not any(hidden in said for hidden in ("\u202e", "\\u000b", "\\u001b"))
        assert figure.layout.margin.l + figure.layout.margin.r < 260
