"""The numbers of a test's plots, and their pictures: right, whole, and no words of a file in them but as text."""

from xml.etree import ElementTree

import pytest

from lora_hub.compare.test_sets import TestRow, judge_rows
from lora_hub.compare.test_sets.figures import by_column, by_label, by_length, calibration, columns_of, confusion
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
def test_pictures_stand_alone_and_escape_what_a_file_says(rows, language) -> None:
    marks = [(group.name, list(group.scores.items())) for group in by_label(TASK, rows)]
    drawn = (
        test_plots.dots(marks, "دقت", language, names=["v1", "v2"]),
        test_plots.heat(confusion(TASK, rows, "v1"), language),
        test_plots.curve(calibration(rows, "v2"), language),
    )
    for svg in drawn:
        ElementTree.fromstring(svg)  # well-formed: a file of its own
        assert "<b>" not in svg and "script" not in svg
    first = ElementTree.fromstring(drawn[1])[3]  # a right label, beside its line: read from where the language begins
    assert first.get("text-anchor") in ("start", "end", "middle")
    assert float(ElementTree.fromstring(drawn[0])[0].get("d", "M9")[1:].split()[0]) > 0
