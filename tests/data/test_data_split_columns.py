"""Rows that a column marks as test rows are scored and never trained on, and the use of such a column is reported."""

import json
import zipfile
from pathlib import Path

import polars
import pytest

from lora_hub.catalogue.bases import get_base
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.errors import DataError
from lora_hub.core.schema import Mend
from lora_hub.data.columns.split_columns import find_split, part_of
from lora_hub.data.inspection import Inspection
from lora_hub.data.inspector import inspect_file
from lora_hub.data.prompts import prepare
from lora_hub.data.prompts import split as splitting
from lora_hub.data.read.read import read_table
from lora_hub.runs import plan_run
from lora_hub.runs.run_data import read_split

TOPIC = get_task("topic")


def write(folder: Path, column: str, values: list[object], kind: str = "csv") -> Path:
    """60 rows of text and label, and a column with these values again and again."""
    rows = [
        {
            "text": f"The text of row {n} about a thing",
            "label": ("box", "lamp", "rug")[n // 4 % 3],
            column: values[n % len(values)],
        }
        for n in range(60)
    ]
    file = folder / f"rows.{kind}"
    if kind == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif kind == "parquet":
        polars.DataFrame(rows).write_parquet(file)
    else:
        polars.DataFrame(rows).write_csv(file)
    return file


def told(seen: Inspection) -> dict:
    return {problem.code: problem for problem in seen.problems}


def places(seen: Inspection) -> tuple[list[int], list[int]]:
    """Row numbers of those to train on and those to score."""
    tested = seen.table.test
    return seen.table.numbers().to_list(), tested.numbers().to_list() if tested is not None else []


def every(rest: int, of: int = 4) -> list[int]:
    return [n + 1 for n in range(60) if n % of == rest]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("column", ["split", "subset", "set", "Fold", "data_split", "partition", "Usage", "where"])
def test_rows_marked_as_test_are_scored_and_not_trained_on(tmp_path: Path, kind: str, column: str) -> None:
    seen = inspect_file(write(tmp_path, column, ["train", "train", "test", "train"], kind), TOPIC)
    assert places(seen) == ([n for n in range(1, 61) if n % 4 != 3], every(2))
    assert "45 rows are trained on, 15 (test) are scored" in told(seen)[
        "split-column"
    ].message and "unused-columns" not in told(seen)
    assert seen.to_json()["test_rows"] == 15 and seen.to_json()["unused"] == []
    assert seen.mapping == {"text": "text", "answer": "label"}


@pytest.mark.parametrize(
    ("values", "test", "left"),
    [
        (["train", "train", "test", "validation"], every(2), every(3)),
        (["train", "train", "val", "train"], every(2), []),
        (["TRAIN", "train", "Test", "dev"], every(2), every(3)),
        (["Training", "Training", "PublicTest", "Training"], every(2), []),
        (["آموزش", "آموزش", "آزمون", "آموزش"], every(2), []),
        (["train_0", "train_1", "held-out", "train_2"], every(2), []),
        (["train", None, "test", "extra"], every(2), []),
    ],
    ids=str,
)
def test_validation_rows_are_scored_where_there_are_no_test_rows_and_else_left_out(
    tmp_path: Path, values: list, test: list[int], left: list[int]
) -> None:
    seen = inspect_file(write(tmp_path, "split", values), TOPIC)
    trained, tested = places(seen)
    assert tested == test and sorted([*trained, *tested, *left]) == list(range(1, 61)) and not set(trained) & set(left)
    assert told(seen)["split-column"].rows == tuple(left[:10])


@pytest.mark.parametrize(
    ("column", "values", "test", "left"),
    [
        ("is_test", [0, 0, 1, 0], every(2), []),
        ("isTest", [False, False, True, False], every(2), []),
        ("is_train", [1, 1, 0, 1], every(2), []),
        ("train", [True, True, False, True], [], every(2)),
        ("test", ["no", "no", "yes", "no"], every(2), []),
        ("held_out", [0, 0, 1, 0], every(2), []),
    ],
    ids=str,
)
def test_a_column_of_marks_parts_the_rows(
    tmp_path: Path, column: str, values: list, test: list[int], left: list[int]
) -> None:
    seen = inspect_file(write(tmp_path, column, values), TOPIC)
    trained, tested = places(seen)
    assert tested == test and not set(trained) & {*test, *left} and len(trained) == 45


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("fold", [0, 1, 2, 3]),
        ("split", ["a", "b"]),
        ("set", ["kitchen", "bath"]),
        ("split", ["train"]),
        ("note", ["train", "bus", "test"]),
        ("is_test", [0]),
        ("is_valid", [0, 1, 1]),
        ("test", ["yes", "yes", "no"]),
    ],
    ids=str,
)
def test_other_columns_part_nothing(tmp_path: Path, column: str, values: list) -> None:
    seen = inspect_file(write(tmp_path, column, values), TOPIC)
    assert places(seen) == (list(range(1, 61)), []) and "split-column" not in told(seen)


def test_a_label_named_train_is_a_label(tmp_path: Path) -> None:
    file = tmp_path / "rides.csv"
    polars.DataFrame(
        [{"text": f"ride {n} of the day", "bus": n % 2, "train": (n + 1) % 2} for n in range(40)]
    ).write_csv(file)
    assert read_table(file).rows == 40
    polars.DataFrame(
        [{"text": f"ride {n} of the day", "label": ("train", "test")[n % 2]} for n in range(40)]
    ).write_csv(file)
    assert read_table(file).rows == 40


def test_a_file_of_test_rows_alone_says_so_and_is_scored_whole(tmp_path: Path) -> None:
    file = write(tmp_path, "split", ["test"])
    seen = inspect_file(file, TOPIC)
    assert told(seen)["no-training-rows"].count == 60 and len(places(seen)[0]) == 60
    scored = read_table(file, is_test=True)
    assert scored.rows == 60 and not scored.problems


def test_of_a_file_to_score_on_the_test_rows_are_scored(tmp_path: Path) -> None:
    scored = read_table(write(tmp_path, "split", ["train", "train", "test", "train"]), is_test=True)
    assert scored.numbers().to_list() == every(2) and [problem.code for problem in scored.problems] == ["test-part"]


def test_beside_a_test_file_of_an_archive_rows_marked_as_test_are_left_out(tmp_path: Path) -> None:
    file = write(tmp_path, "split", ["train", "train", "test", "train"])
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        archive.write(file, "train.csv")
        archive.write(file, "test.csv")
    table = read_table(tmp_path / "both.zip")
    assert table.rows == 45 and table.test.rows == 60
    (found,) = find_split(table)
    assert "15 rows (test) are left out" in found.problem.message


def test_conversations_and_the_split_of_a_run(tmp_path: Path) -> None:
    rows = [
        {
            "messages": [{"role": "user", "content": f"q {n}"}, {"role": "assistant", "content": f"a {n}"}],
            "split": "test" if n % 4 == 2 else "train",
        }
        for n in range(60)
    ]
    (tmp_path / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = read_table(tmp_path / "chats.jsonl")
    assert table.test.numbers().to_list() == every(2)
    chat = get_task("chat")
    examples, test = (prepare.build_examples(one, chat, {"messages": "messages"}) for one in (table, table.test))
    split, _ = splitting.split_with_test(examples, test, chat, seed=1, test_name="chats.jsonl")
    assert {example.answer for example in split.test} == {f"a {n - 1}" for n in every(2)}
    assert not {example.row for example in split.train + split.validation} & set(every(2))


def test_the_split_is_told_after_the_mends(tmp_path: Path) -> None:
    rows = [f"the text of row {n}" for n in range(58)] + ["the text of row 0", "another text"]
    file = tmp_path / "rows.csv"
    split = ["train", "train", "test", "train"] * 14 + ["validation", "test", "train", "train"]
    polars.DataFrame({"text": rows, "label": ["a", "b"] * 30, "split": split}).write_csv(file)
    said = told(inspect_file(file, TOPIC))["split-column"].message
    assert "44 rows are trained on, 15 (test) are scored and not trained on, 1 row (validation) is left out" in said
    assert "The rows that choose the checkpoint are drawn from those to train on" in said
    after = told(inspect_file(file, TOPIC, mends=[Mend(kind="drop", values={"code": "duplicates"})]))
    assert "43 rows are trained on, 15 (test)" in after["split-column"].message


def test_one_row_of_each_is_told_as_one(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    polars.DataFrame({"text": ["a b", "c d"], "label": ["x", "y"], "split": ["train", "test"]}).write_csv(file)
    said = told(inspect_file(file, TOPIC))["split-column"].message
    assert "1 row is trained on, 1 (test) is scored" in said


@pytest.mark.parametrize(
    ("column", "values", "parts"),
    [("fold", [0, 1, 2, 3], "0, 1, 2, 3"), ("kfold", [1, 2], "1, 2"), ("Split", ["0", "1", "10"], "0, 1, 10")],
)
def test_a_column_of_numbered_folds_is_told_with_what_to_do(
    tmp_path: Path, column: str, values: list, parts: str
) -> None:
    seen = inspect_file(write(tmp_path, column, values), TOPIC)
    problem = told(seen)["folds"]
    assert f"numbers {len(values)} parts of the rows ({parts})" in problem.message and "“test”" in problem.hint
    assert "folds" not in told(inspect_file(write(tmp_path, column, ["train", "test"]), TOPIC))
    assert "folds" not in told(inspect_file(write(tmp_path, column, list(range(60))), TOPIC))


@pytest.mark.parametrize("same", ["bytes", "rows"])
def test_a_test_file_that_is_the_training_file_is_refused_when_it_is_planned(tmp_path: Path, same: str) -> None:
    rows = {"text": [f"the text of row {n}" for n in range(60)], "label": ["a", "b"] * 30}
    polars.DataFrame(rows).write_csv(tmp_path / "train.csv")
    polars.DataFrame({name: cells if same == "bytes" else cells[::-1] for name, cells in rows.items()}).write_csv(
        tmp_path / "scored.csv"
    )
    with pytest.raises(DataError) as refused:
        plan_run(tmp_path / "train.csv", TOPIC, get_base("built-in"), test_file=tmp_path / "scored.csv")
    assert str(refused.value).startswith(
        "Of 60 rows to train on 0 are left: the others stand among the rows to score, in scored.csv, too."
    )
    assert "leave the test file out" in str(refused.value.hint)


def test_a_run_counts_every_row_of_the_file(tmp_path: Path) -> None:
    plan = plan_run(write(tmp_path, "split", ["train", "train", "test", "validation"]), TOPIC, get_base("built-in"))
    _, split, notes = read_split(plan.spec)
    assert split.file_rows == 60 and len(split.test) == 15 and len(split.train) + len(split.validation) == 30
    assert [note.en for note in notes] == ["15 rows that the file's split column sets aside were left out."]


def test_parts() -> None:
    assert [
        part_of(value)
        for value in ("Train", "test2017", "val", "PrivateTest", "heldout", "test set", "اعتبارسنجی", "dev_extra")
    ] == [
        "train",
        "test",
        "validation",
        "test",
        "test",
        "test",
        "validation",
        "validation",
    ]
    assert [part_of(value) for value in ("", "1", "test drive", "train_test", "unsupervised", "held")] == [""] * 6
