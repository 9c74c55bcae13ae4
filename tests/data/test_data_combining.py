"""Several files of one task as one: each mapped by itself, duplicates across them found, rows of each scored."""

import json
from pathlib import Path

import pytest

from lora_hub import runs
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import store
from lora_hub.core.errors import DataError, SpecError
from lora_hub.core.schema import Answer, DataPart, TrainSpec
from lora_hub.data.combining import OneFile, combine_files, split_weight
from lora_hub.data.prompts.prepare import Encoded
from lora_hub.data.read.read import read_table
from lora_hub.evaluation import exam
from lora_hub.runs import pipeline, run_data
from lora_hub.training.passes import rows_of_pass, weighted

SPAM = catalogue.get_task("spam")


def files(folder: Path) -> list[Path]:
    """80 rows; and 64 in another form, of which 4 repeat some of the first."""
    first, second = folder / "first.csv", folder / "second.tsv"
    first.write_text("message,kind\n" + "".join(f"{text},{label}\n" for text, label in map(_row, range(80))))
    more = [(f"call {n} to claim your reward", "spam") if n % 2 else (f"we meet in room {n}", "ham") for n in range(60)]
    more += map(_row, range(4))
    second.write_text("label\ttext\tid\n" + "".join(f"{label}\t{text}\t{n}\n" for n, (text, label) in enumerate(more)))
    return [first, second]


def _row(n: int) -> tuple[str, str]:
    return (f"win a free prize number {n} now", "spam") if n % 2 else (f"see you at lunch on day {n}", "ham")


def plan(folder: Path, *weights: float, **named: object) -> runs.Plan:
    kept = [OneFile(store.add_dataset(file), weight) for file, weight in zip(files(folder), weights, strict=True)]
    combined = combine_files(read_table, kept, SPAM)
    return runs.plan_run(
        store.add_text(combined.text, combined.name), SPAM, bases.get_base("built-in"), parts=combined.parts, **named
    )


def test_each_file_is_mapped_by_itself_and_duplicates_are_found_across_them(tmp_path: Path) -> None:
    made = plan(tmp_path, 1, 0.5)
    first, second = made.spec.dataset.parts
    assert (first.mapping, second.mapping) == (
        {"text": "message", "answer": "kind"},
        {"text": "text", "answer": "label"},
    )
    assert (first.rows, second.rows, made.spec.dataset.rows) == (80, 64, 144)
    assert next(one for one in made.problems if one.code == "duplicates").count == 4
    assert made.spec.dataset.name == "first_second.jsonl"
    assert [made.spec.dataset.part_of(row) for row in (1, 80, 81, 144)] == [0, 0, 1, 1]
    assert TrainSpec.model_validate_json(made.spec.model_dump_json()) == made.spec


def test_rows_are_held_out_of_each_file_and_told_by_file(tmp_path: Path) -> None:
    spec = plan(tmp_path, 1, 2).spec
    task, split, _notes = run_data.read_split(spec)
    for part in (split.train, split.validation, split.test):
        share = sum(spec.dataset.part_of(one.row) for one in part) / len(part)
        assert 0.3 < share < 0.6, share
    answers = {
        "base": [Answer(text="ham") for _ in split.test],
        "adapter": [Answer(text=one.answer if spec.dataset.part_of(one.row) else "ham") for one in split.test],
    }
    first, second = exam.score_parts(spec, task, split.train, split.test, answers)
    assert first.adapter == first.base and second.adapter.value == 100 and second.weight == 2
    assert first.adapter.rows + second.adapter.rows == len(split.test)
    assert first.trained + second.trained == len(split.train)
    half, _whole = exam.score_parts(plan(tmp_path, 0.5, 2).spec, task, split.train, split.test, answers)
    assert half.trained == round(first.trained / 2), "rows that never come were not trained on"


def test_a_weight_is_how_often_the_rows_of_a_file_come_in_a_pass(tmp_path: Path) -> None:
    spec = plan(tmp_path, 0.5, 2.5).spec
    task, split, _notes = run_data.read_split(spec)
    train = Encoded([{"input_ids": [one.row], "completion_mask": [1]} for one in split.train], split.train)
    own = [sum(spec.dataset.part_of(one.row) == part for one in split.train) for part in (0, 1)]
    seen = [spec.dataset.part_of(row["input_ids"][0]) for row in rows_of_pass(spec, train).rows]
    assert [seen.count(0), seen.count(1)] == [round(own[0] * 0.5), own[1] * 2 + round(own[1] * 0.5)]
    none = Encoded([], [])
    counts = run_data.count_rows(spec, task, split, train, none, none)
    assert counts["train_rows"] == round(own[0] * 0.5) + own[1], "rows that never come are left out"
    assert counts["left_out"] == split.file_rows - counts["train_rows"]
    assert weighted(spec, train) == weighted(spec, train), "a run that is resumed goes on with the same rows"
    plain = spec.model_copy(update={"dataset": spec.dataset.model_copy(update={"parts": ()})})
    assert weighted(plain, train) is train
    assert plan(tmp_path, 2, 2).estimate.steps == pytest.approx(2 * plan(tmp_path, 1, 1).estimate.steps, rel=0.15)


def test_a_test_part_of_one_file_stays_what_is_scored(tmp_path: Path) -> None:
    first, second = files(tmp_path)
    split = "".join(f"{text},{label},{'test' if n % 4 == 0 else 'train'}\n" for n, (text, label) in _numbered())
    first.write_text("message,kind,split\n" + split)
    combined = combine_files(read_table, [OneFile(first), OneFile(second)], SPAM)
    rows = [json.loads(line) for line in combined.text.splitlines()]
    assert [row["split"] for row in rows].count("test") == 20 and combined.parts[0].rows == 80
    spec = runs.plan_run(
        store.add_text(combined.text, combined.name), SPAM, bases.get_base("built-in"), parts=combined.parts
    ).spec
    assert spec.dataset.test_rows == 20


def _numbered() -> list[tuple[int, tuple[str, str]]]:
    return [(n, _row(n)) for n in range(80)]


def test_what_does_not_go_together_is_told_with_the_files_name(tmp_path: Path) -> None:
    first, _second = files(tmp_path)
    other = tmp_path / "prices.csv"
    other.write_text("x,y\n" + "".join(f"{n},{n * 2}\n" for n in range(40)))
    with pytest.raises(DataError, match=r"prices\.csv does not go with the others"):
        combine_files(read_table, [OneFile(first), OneFile(other)], SPAM)
    with pytest.raises(DataError, match="21 files are too many"):
        combine_files(read_table, [OneFile(first)] * 21, SPAM)


def test_a_weight_stands_behind_the_name(tmp_path: Path) -> None:
    (tmp_path / "a:2").write_text("x")
    assert split_weight("b.csv:0.5") == ("b.csv", 0.5) and split_weight("owner/name:2") == ("owner/name", 2)
    assert split_weight("b.csv") == ("b.csv", 1) and split_weight(r"C:\a.csv") == (r"C:\a.csv", 1)
    assert split_weight(str(tmp_path / "a:2")) == (str(tmp_path / "a:2"), 1)
    for wrong in ("b:0", "b:-1", "b:99", "b:1e9"):
        with pytest.raises(SpecError, match="no weight"):
            split_weight(wrong)
    with pytest.raises(ValueError):
        DataPart(name="a", fingerprint="0", rows=1, weight=float("nan"))


def test_a_pipeline_names_several_files_of_a_task(tmp_path: Path) -> None:
    files(tmp_path)
    (entry,) = pipeline.make_pipeline(
        {"tasks": [{"task": "spam", "data": ["first.csv", "second.tsv:0.5"]}]}, tmp_path
    ).entries
    assert [(one.name, one.weight) for one in entry.files] == [
        (str(tmp_path / "first.csv"), 1.0),
        (str(tmp_path / "second.tsv"), 0.5),
    ]
