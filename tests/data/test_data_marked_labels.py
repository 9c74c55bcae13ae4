"""One-hot label columns are read as one column of labels; columns of 0 and 1 that mean something else are not."""

import json
from pathlib import Path

import polars
import pytest

from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.data.inspection import Inspection
from lora_hub.data.inspector import inspect_file
from lora_hub.data.read.read import read_table

FEELINGS = ["anger", "fear", "joy", "sadness"]


def text(n: int) -> str:
    return f"The lamp of week {n} stood in the {('hall', 'yard', 'shed')[n % 3]} all day"


def write(file: Path, rows: list[dict]) -> Path:
    if file.suffix == ".parquet":
        polars.DataFrame(rows).write_parquet(file)
    elif file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        polars.DataFrame(rows).write_csv(file)
    return file


def seen(file: Path, task: str = "sentiment", **more) -> tuple[Inspection, dict]:
    found = inspect_file(file, get_task(task), **more)
    return found, {problem.code: problem for problem in found.problems}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("marks", [(0, 1), (0.0, 1.0), (False, True)], ids=str)
@pytest.mark.parametrize("prefix", ["", "label_"])
def test_one_mark_a_row_is_its_label(tmp_path: Path, kind: str, marks: tuple, prefix: str) -> None:
    rows = [
        {"id": n, "text": text(n), **{prefix + one: marks[one == FEELINGS[n % 4]] for one in FEELINGS}}
        for n in range(60)
    ]
    found, told = seen(write(tmp_path / f"one.{kind}", rows))
    assert found.mapping == {"text": "text", "answer": "label"}
    assert found.table.texts("label").to_list() == [FEELINGS[n % 4] for n in range(60)]
    assert told["label-columns"].message.startswith("The labels are read from 4 columns that mark them with 1: ")
    assert "none" not in told["label-columns"].message and "several-labels" not in told
    assert told["unused-columns"].message == "Not used: id."


def test_two_columns_that_exclude_each_other_are_two_labels(tmp_path: Path) -> None:
    rows = [{"text": text(n), "label_ham": int(n % 3 > 0), "label_spam": int(n % 3 == 0)} for n in range(30)]
    found, told = seen(write(tmp_path / "two.csv", rows), "spam")
    assert told["labels"].message == "2 classes: ham 20, spam 10." and found.mapping["answer"] == "label"


def several(n: int) -> dict:
    return {"toxic": int(n % 4 == 0), "obscene": int(n % 8 == 0), "threat": int(n % 5 == 1)}


def test_several_marks_a_row_are_several_labels_and_no_mark_is_none(tmp_path: Path) -> None:
    rows = [{"comment_text": text(n), **several(n)} for n in range(80)]
    rows[3] = {"comment_text": text(3), "toxic": None, "obscene": None, "threat": None}  # nobody looked at it
    found, told = seen(write(tmp_path / "many.csv", rows), "topic")
    labels = [", ".join(sorted(name for name, mark in several(n).items() if mark)) or "none" for n in range(80)]
    assert found.table.texts("label").to_list()[:2] == ["obscene, toxic", "threat"]
    assert {row.row: row.answer for row in found.planned.examples} == {
        n + 1: label for n, label in enumerate(labels) if n != 3
    }
    unmarked = [n + 1 for n, label in enumerate(labels) if label == "none" and n != 3]
    assert told["label-columns"].rows == tuple(unmarked[:10])
    assert f"{len(unmarked)} rows that none of them marks have the label 'none'." in told["label-columns"].message
    assert told["several-labels"].count == sum("," in label for label in labels)
    # One of them alone can be the answer.
    alone, told = seen(tmp_path / "many.csv", "topic", mapping={"answer": "toxic"})
    assert alone.mapping["answer"] == "toxic" and "label-columns" not in told
    assert told["unused-columns"].message == "Not used: obscene, threat."


def test_the_test_part_has_the_same_labels(tmp_path: Path) -> None:
    rows = [
        {
            "text": text(n),
            "split": "test" if n % 5 == 4 else "train",
            **{one: int(one == FEELINGS[n % 4]) for one in FEELINGS},
        }
        for n in range(80)
    ]
    table = read_table(write(tmp_path / "split.csv", rows))
    assert table.test.texts("label").to_list() == [FEELINGS[n % 4] for n in range(80) if n % 5 == 4]
    assert table.test.marks.columns == tuple(FEELINGS)


@pytest.mark.parametrize(
    "more",
    [
        lambda n: {"is_reply": n % 2, "has_url": int(n % 3 == 0), "spam": int(n % 5 == 0)},
        lambda n: {"sentiment": "pos" if n % 2 else "neg", "a": n % 2, "b": int(n % 3 == 0), "c": int(n % 5 == 0)},
        lambda n: {"is_reply": n % 2, "has_url": int(n % 3 == 0), "was_edited": int(n % 7 == 0)},
        lambda n: {"summary": f"A lamp, {n}", "short": n % 2, "good": int(n % 3 == 0), "long": int(n % 5 == 0)},
        lambda n: {"a": n % 2, "b": int(n % 3 == 0)},
        lambda n: {"a": 1, "b": 0, "c": 0},
        lambda n: {"a": n % 2, "b": n % 3, "c": int(n % 5 == 0), "d": n},
    ],
)
def test_columns_that_say_something_else_are_left_alone(tmp_path: Path, more) -> None:
    rows = [{"text": text(n), **more(n)} for n in range(60)]
    table = read_table(write(tmp_path / "other.csv", rows))
    assert table.columns == list(rows[0]) and not table.marks.columns
