"""Labels with different texts stay different labels. Those that may mean the same are reported with a mend, and never
merged by themselves."""

import json
from pathlib import Path

import pytest

from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.schema import Problem
from lora_hub.data.inspection import Inspection
from lora_hub.data.inspector import inspect_file
from lora_hub.data.tables.label_forms import nearest


def looked_at(
    folder: Path, labels: list, task: str | None = "topic", kind: str = "csv", mends: tuple = ()
) -> Inspection:
    file = folder / f"data.{kind}"
    if kind == "csv":
        file.write_text(
            "text,label\n" + "".join(f'a text that is number {n},"{labels[n % len(labels)]}"\n' for n in range(60)),
            encoding="utf-8",
        )
    else:
        rows = [{"text": f"a text that is number {n}", "label": labels[n % len(labels)]} for n in range(60)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return inspect_file(file, get_task(task) if task else None, mends=mends)


def told(seen: Inspection) -> dict[str, Problem]:
    return {problem.code: problem for problem in seen.problems}


ALIKE = {"near-duplicate-labels", "same-number-labels", "same-meaning-labels", "mixed-labels"}


@pytest.mark.parametrize(
    ("labels", "code", "mend"),
    [
        (["1.1", "1.10", "2.0"], "same-number-labels", None),
        (["1.9", "1.90", "1.900"], "same-number-labels", None),
        (["007", "7", "12"], "same-number-labels", {"7": "007"}),
        (["1e3", "1000", "20"], "same-number-labels", {"1e3": "1000"}),
        (["Yes", "1", "No", "0"], "same-meaning-labels", {"No": "0", "Yes": "1"}),
        (["y", "yes", "n", "no"], "same-meaning-labels", {"no": "n", "yes": "y"}),
        (["بله", "1", "خیر", "0"], "same-meaning-labels", {"خیر": "0", "بله": "1"}),
        (["pos", "Positive", "neg"], "same-meaning-labels", {"pos": "Positive"}),
        (["مثبت", "positive", "منفی"], "same-meaning-labels", {"مثبت": "positive"}),
        (["ham", "not spam", "spam"], "same-meaning-labels", {"not spam": "ham"}),
        (["0", "1", "negative", "positive"], "mixed-labels", {"0": "negative", "1": "positive"}),
        (["0", "1", "billing", "repairs"], "mixed-labels", None),
        (["0", "0.0", "false", "1"], "near-duplicate-labels", {"0.0": "0", "false": "0"}),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else "",
)
def test_what_may_be_one_label_is_told_and_joined_by_its_mend_only(
    tmp_path: Path, labels: list[str], code: str, mend: dict | None
) -> None:
    task = "sentiment" if {"negative", "pos", "positive"} & set(labels) else "spam" if "spam" in labels else "topic"
    seen = looked_at(tmp_path, labels, task)
    problem = told(seen)[code]
    assert problem.severity == "warning" and problem.count > 0 and problem.said.fa and set(told(seen)) & ALIKE == {code}
    assert [one.values for one in problem.mends] == ([mend] if mend else [])
    # Unasked they stay what they are, to the rows that are trained on.
    assert set(seen.table.frame["label"]) == set(labels) and told(seen)["labels"].count == len(labels)
    if mend:
        mended = looked_at(tmp_path, labels, task, mends=problem.mends)
        assert told(mended)["labels"].count == len(labels) - len(mend) and not set(told(mended)) & ALIKE


@pytest.mark.parametrize(
    "labels",
    [
        ["1.1", "1.2", "2.0"],
        ["001", "002", "010"],
        ["1", "2", "no"],
        ["1", "yes", "maybe"],
        ["0", "1", "2"],
        ["n", "s", "e", "w"],
    ],
    ids=",".join,
)
def test_labels_that_are_nothing_alike_are_not_questioned(tmp_path: Path, labels: list[str]) -> None:
    assert not set(told(looked_at(tmp_path, labels))) & ALIKE


def test_a_test_files_version_is_not_offered_as_another() -> None:
    assert nearest("1.10", ["1.1", "1.2"]) == "" and nearest("1.0", ["1", "2"]) == "1"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize(
    "marks",
    [[[0, 1], [1, 0]], [[0, 1, 0], [1, 0, 0], [0, 0, 1]], [[0.0, 1.0], [1.0, 0.0]], [[False, True], [True, False]]],
    ids=str,
)
def test_one_hot_labels_are_the_places_of_their_marks(tmp_path: Path, marks: list, kind: str) -> None:
    seen = looked_at(tmp_path, marks, None, kind)
    assert seen.mapping == {"text": "text", "answer": "label"} and seen.task.output == "labels"
    assert seen.table.frame["label"].to_list() == [str(marks[n % len(marks)].index(1)) for n in range(60)]
    assert "its place, counted from 0, is the label" in told(seen)[
        "one-hot-labels"
    ].message and "label-sets" not in told(seen)


def test_one_hot_labels_as_numpy_prints_them(tmp_path: Path) -> None:
    assert looked_at(tmp_path, ["[0. 1. 0.]", "[1. 0. 0.]"]).table.frame["label"].head(2).to_list() == ["1", "0"]


def test_marks_of_several_classes_are_refused_by_row(tmp_path: Path) -> None:
    seen = looked_at(tmp_path, [[0, 1, 1], [1, 0, 0], [0, 0, 1]], None, "jsonl")
    assert (
        told(seen)["no-row-label"].count == 20
        and told(seen)["no-row-label"].rows[:2] == (1, 4)
        and "[0, 1, 1]" in told(seen)["no-row-label"].message
    )
    # Marks in a text's order are no set of labels: in another order they are others.
    assert not set(told(looked_at(tmp_path, ["0,0,1", "0,1,0", "1,0,0"]))) & ALIKE
