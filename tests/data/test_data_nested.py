"""A value has the same text form wherever it is read: nested answers as JSON, lists of labels as labels, nothing filled
in."""

import datetime
import json
from pathlib import Path

import numpy
import polars
import pytest

from lora_hub import cli
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.data.inspection import Inspection
from lora_hub.data.inspector import inspect_file
from lora_hub.data.mending.mends import apply_mends
from lora_hub.data.prompts import prepare
from lora_hub.data.read.read import read_table
from lora_hub.data.tables.value_text import label_text, listed, value_text

SENTIMENT, INSTRUCTION = get_task("sentiment"), get_task("instruction")
ORDER = {"item": "چراغ", "count": 2, "urgent": False, "note": None, "tags": ["a", 1.5]}
ORDER_TEXT = '{"item": "چراغ", "count": 2, "urgent": false, "note": null, "tags": ["a", 1.5]}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is ", "as it is "),
        (None, None),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (10**40, "1" + "0" * 40),
        (0.5, "0.5"),
        (float("nan"), None),
        ([], "[]"),
        ({"a": float("nan")}, '{"a": null}'),
        (ORDER, ORDER_TEXT),
        ((1, 2), "[1, 2]"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.datetime(2026, 1, 2, 3, 4), "2026-01-02 03:04:00"),
        ([datetime.date(2026, 1, 2)], '["2026-01-02"]'),
        (b"bytes", "bytes"),
        (b"\xff\x00", "ff00"),
        ({"b": b"x"}, '{"b": "x"}'),
        (numpy.int64(3), "3"),
        (numpy.array(["a", "b"]), '["a", "b"]'),
        (polars.Series([1, 2]), "[1, 2]"),
        ({1: "a"}, '{"1": "a"}'),
        ("half \ud83d pair", "half ? pair"),
        (["half \ud83d pair"], '["half ? pair"]'),
    ],
)
def test_each_value_has_one_text(value: object, text: str | None) -> None:
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("negative", "negative"),
        (" negative ", "negative"),
        (["negative"], "negative"),
        (["urgent", "positive"], "positive, urgent"),
        ("['negative']", "negative"),
        ('["urgent", "positive"]', "positive, urgent"),
        ("['a' 'b']", "a, b"),
        ("['a'\n 'b']", "a, b"),
        (["a", "a"], "a"),
        ([], ""),
        (None, ""),
        ([None], ""),
        ([1], "1"),
        ([True], "true"),
        (7, "7"),
        ([["a"]], None),
        ({"positive": 1, "urgent": 0}, "positive"),
        ({"POS": 1.0, "NEG": 0.0}, "POS"),
        ({"a": True, "b": True, "c": False}, "a, b"),
        ([{"user_id": "u", "value": "pos", "status": "submitted"}], "pos"),
        ({"label": "x"}, "x"),
        ({"choices": ["A", "B"]}, "A, B"),
        ([[0, 5, "PER"]], None),
        ([{"start": 0, "end": 5, "label": "PER"}], None),
        ({"a": 0.3, "b": 0.7}, None),
        ("[draft] text", "[draft] text"),
        ("[]", ""),
        ({}, ""),
        ([{"label": 1, "user": 1}], "1"),
        ({"a": 0, "b": 0}, ""),
    ],
)
def test_labels_in_lists_and_objects_are_labels(value: object, text: str | None) -> None:
    assert label_text(value) == text


def test_a_text_that_only_begins_like_a_list_is_a_text() -> None:
    assert listed("[1, 2") is None and listed("[draft]") is None and listed("{x}") is None and listed("(1, 2)") is None
    assert listed("('a',)") == ["a"] and listed("('a')") is None and listed("()") is None
    assert listed("['a', 'b']") == ["a", "b"] and listed("{'a': None}") == {"a": None}


def write(folder: Path, rows: list[dict], kind: str) -> Path:
    """The rows as people's programs save them."""
    file = folder / f"rows.{kind}"
    if kind == "jsonl":
        file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    elif kind == "json":
        file.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    elif kind == "parquet":
        polars.DataFrame(rows).write_parquet(file)
    else:  # csv: as pandas prints nested cells
        flat = [{key: value if isinstance(value, str) else repr(value) for key, value in row.items()} for row in rows]
        polars.DataFrame(flat).write_csv(file)
    return file


def trained(seen: Inspection) -> list[str]:
    return [example.answer for example in prepare.build_examples(seen.table, seen.task, seen.mapping)]


def codes(seen: Inspection) -> dict[str, str]:
    return {problem.code: problem.message for problem in seen.problems}


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet", "csv"])
def test_a_label_in_a_list_is_one_label_in_every_file(tmp_path: Path, kind: str) -> None:
    rows = [
        {
            "id": i,
            "text": f"The lamp {i} was fine",
            "labels": (["positive", "urgent"], ["negative"], ["positive"])[i % 3],
        }
        for i in range(30)
    ]
    seen = inspect_file(write(tmp_path, rows, kind), SENTIMENT)
    assert seen.mapping == {"text": "text", "answer": "labels"}
    assert set(trained(seen)) == {"positive, urgent", "negative", "positive"}
    assert (
        "10 rows have several labels" in codes(seen)["label-sets"] and "positive, urgent" in codes(seen)["label-sets"]
    )
    assert codes(seen)["unused-columns"] == "Not used: id."
    assert seen.preview[0]["completion"] == "positive, urgent"


def test_several_labels_are_told_once(tmp_path: Path) -> None:
    rows = [
        {
            "text": f"The lamp {i} was fine",
            "labels": (["positive", "urgent"], ["negative", "urgent"], ["positive"], ["negative"])[i % 4],
        }
        for i in range(40)
    ]
    seen = inspect_file(write(tmp_path, rows, "jsonl"), SENTIMENT)
    assert [problem.count for problem in seen.problems if problem.code in ("several-labels", "label-sets")] == [20]


def test_marks_of_labels_and_the_answers_of_several_people(tmp_path: Path) -> None:
    rows = [{"text": f"The lamp {i} was fine", "cats": {"POS": i % 2, "NEG": 1 - i % 2}} for i in range(30)]
    seen = inspect_file(write(tmp_path, rows, "jsonl"), SENTIMENT)
    assert set(trained(seen)) == {"POS", "NEG"} and not {"several-labels", "label-sets"} & set(codes(seen))
    rows = [
        {
            "text": f"The lamp {i} was fine",
            "label.responses": (["good"], ["bad", "bad", "good"], ["good", "bad"])[i % 3],
        }
        for i in range(30)
    ]
    seen = inspect_file(write(tmp_path, rows, "jsonl"), SENTIMENT)
    assert (
        seen.mapping["answer"] == "label.responses"
        and set(trained(seen)) == {"good", "bad"}
        and len(trained(seen)) == 20
    )
    assert codes(seen)["divided-labels"].startswith("In 10 rows") and not {"several-labels", "label-sets"} & set(
        codes(seen)
    )


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet", "csv"])
def test_a_list_of_one_label_is_that_label(tmp_path: Path, kind: str) -> None:
    rows = [{"text": f"The lamp {i} was fine", "topics_found": [("heat", "light")[i % 2]]} for i in range(30)]
    seen = inspect_file(write(tmp_path, rows, kind), get_task("topic"), {"answer": "topics_found"})
    assert set(trained(seen)) == {"heat", "light"} and not {"several-labels", "label-sets"} & set(codes(seen))


def test_labels_of_parts_of_a_text_are_refused_by_name(tmp_path: Path) -> None:
    rows = [{"text": f"Sara met Omid {i}", "label": [[0, 4, "PER"], [9, 13, "PER"]]} for i in range(30)]
    seen = inspect_file(write(tmp_path, rows, "jsonl"), SENTIMENT)
    assert seen.mapping == {"text": "text", "answer": "label"}
    assert (
        any(problem.severity == "error" for problem in seen.problems)
        and "no label of the whole row" in codes(seen)["no-row-label"]
    )
    assert next(found for found in seen.findings if found.problem.code == "no-row-label").rows.len() == 30


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
def test_a_nested_answer_is_learnt_as_json(tmp_path: Path, kind: str) -> None:
    rows = [
        {
            "instruction": "Give the order as JSON.",
            "input": f"{i} lamps",
            "output": {"item": "چراغ", "count": i, "urgent": False, "note": None},
        }
        for i in range(30)
    ]
    seen = inspect_file(write(tmp_path, rows, kind), INSTRUCTION)
    assert seen.mapping["answer"] == "output"
    assert trained(seen)[3] == '{"item": "چراغ", "count": 3, "urgent": false, "note": null}'
    assert seen.preview[0]["completion"] == '{"item": "چراغ", "count": 0, "urgent": false, "note": null}'
    assert "nested-cells" in codes(seen) and ("filled-nulls" in codes(seen)) == (kind == "parquet")


def test_keys_that_a_row_has_not_are_not_filled_in_and_numbers_stay_numbers(tmp_path: Path) -> None:
    outputs = [
        {"item": "lamp", "when": 1690876800},
        {"when": "2025-08-01", "opts": ["a", 1]},
        {"count": 1},
        {"count": 1.5},
        ["a", 2],
        "text",
        5,
    ]
    rows = [{"instruction": f"do {i}", "output": output} for i, output in enumerate(outputs)]
    for kind in ("jsonl", "json"):
        table = read_table(write(tmp_path, rows, kind))
        table, _ = apply_mends(table, INSTRUCTION, {"instruction": "instruction", "answer": "output"}, ())
        assert table.frame["output"].to_list() == [value_text(output) for output in outputs]


def test_the_test_half_has_the_same_form(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}", "label": ["a"] if i % 2 else ["b", "a"]} for i in range(20)]
    table = read_table(write(tmp_path, rows, "jsonl"))
    table.test = read_table(write(tmp_path, [{"text": "t", "label": "a"}], "json"))
    table, _ = apply_mends(table, SENTIMENT, {"text": "text", "answer": "label"}, ())
    assert set(table.frame["label"].to_list()) == {"a", "a, b"} and table.test.frame["label"].to_list() == ["a"]


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["('negative',)", "('positive',)"], {"negative", "positive"}),
        (["{'negative'}", "{'positive'}"], {"negative", "positive"}),
        ([["positive"], "positive", ["negative"], "negative"], {"negative", "positive"}),
        (["[toxic]", "fine"], {"[toxic]", "fine"}),
        (["(a)", "(b)"], {"(a)", "(b)"}),
    ],
)
def test_lists_however_they_are_written_and_single_names_are_one_spelling(
    tmp_path: Path, cells: list, classes: set[str]
) -> None:
    seen = inspect_file(
        write(tmp_path, [{"text": f"the text of row {i}", "label": cells[i % len(cells)]} for i in range(40)], "jsonl"),
        SENTIMENT,
    )
    assert set(trained(seen)) == classes


@pytest.mark.parametrize("marks", [[[1, 0, 0], [0, 1, 0], [1, 1, 0]], [["0"], [1, 1, 0]]])
def test_a_mark_for_each_class_is_no_name_of_one(marks: list) -> None:
    assert label_text(marks[-1]) is None and label_text(str(marks[-1])) is None and label_text([1, 0]) == "0, 1"


@pytest.mark.parametrize(
    "label", [[[0, 3, "DET"], [4, 8, "ITEM"]], [{"label": "ITEM", "start_offset": 4, "end_offset": 8}]]
)
def test_a_file_without_a_column_to_learn_is_shown_with_what_is_missing(
    tmp_path: Path, label: list, capsys: pytest.CaptureFixture
) -> None:
    path = write(tmp_path, [{"id": i, "text": f"the text of row {i}", "label": label} for i in range(40)], "jsonl")
    assert cli.main(["inspect", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["estimate"] is None and any(
        "No column was found for answer" in problem["message"] for problem in told["problems"]
    )
