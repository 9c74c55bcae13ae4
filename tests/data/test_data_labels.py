"""Labels: different spellings of one label, several in a cell, options with commas, and labels that only the test part
has."""

import io
import json
import zipfile
from pathlib import Path

import polars
import pytest

from lora_hub.catalogue.bases import get_base
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.schema import Mend, Task
from lora_hub.data.checks import checks
from lora_hub.data.inspection import inspect_table
from lora_hub.data.inspector import inspect_file
from lora_hub.data.planned_rows import with_labels
from lora_hub.data.prompts import template
from lora_hub.data.read.read import Table
from lora_hub.data.tables.label_forms import combinations, near_groups, normal_label
from lora_hub.runs import plan_run
from lora_hub.runs.run_data import read_split

MAPPING = {"text": "text", "answer": "label"}
SAME = [
    ["0", "0.0", "false", "FALSE", "۰", "٠", "０", "-0"],
    ["1", "1.0", "true", "۱", "+1", "１", "1.", "1,00", "1.000000"],
    ["Yes", "yes ", "YES.", "yes!", '"yes"', "«yes»", "Y\u200bes"],
    ["-1", "\u22121", "\u20131", "-1.0"],
    ["خیلی‌خوب", "خیلی خوب", "خيلي خوب", "خیلیخوب", "خیلی\u00a0خوب"],
    ["إيجابي", "ايجابي", "ایجابی", "إيجابيّ"],
    ["café", "cafe\u0301", "CAFÉ"],
    ["New York", "new-york", "new_york", "NEW  YORK", "NewYork"],
    ["Q&A", "Q&amp;A"],
    ["👍", "👍\ufe0f"],
    ["İyi", "iyi"],
    ["Staff, Price", "Price, Staff", "price;staff", "Price | Staff"],
]
DIFFERENT = [
    ["A", "A-", "A+", "B"],
    ["C", "C++", "C#"],
    ["-1", "0", "1"],
    ["1.5", "15", "1.50001"],
    ["1.10", "11"],
    ["1-2", "12", "2-1"],
    [":)", ":("],
    ["v1.2", "v12"],
    ["no", "none"],
    ["yes", "yes?"],
    ["I", "II"],
    ["-", "+", "?"],
    ["1", "1,000"],
    ["1.1", "1.10", "1.100"],
    ["007", "7", "07"],
    ["1e3", "1000"],
    ["0,0,1", "0,1,0", "1,0,0"],
    ["0, 1", "1, 0"],
    ["پسر", "پدر"],
    ["n/a", "na"],
]


@pytest.mark.parametrize("labels", SAME, ids=lambda labels: labels[0])
def test_spellings_of_one_label(labels: list[str]) -> None:
    counts = {label: 10 - place for place, label in enumerate(labels)}
    assert near_groups(counts) == [(labels[0], labels[1:])]


@pytest.mark.parametrize("labels", DIFFERENT, ids=lambda labels: labels[0])
def test_labels_that_only_look_alike_stay_apart(labels: list[str]) -> None:
    assert near_groups(dict.fromkeys(labels, 1)) == []


def test_a_number_without_end_is_no_work() -> None:
    assert normal_label("9" * 100_000) and normal_label("1." + "0" * 100_000) and normal_label("a-" * 100_000)


def inspected(task: str, labels: list[str], mends: tuple[Mend, ...] = ()):  # noqa: ANN201
    rows = [f"the text of row {number} says something of its own" for number in range(len(labels))]
    table = Table(polars.DataFrame({"text": rows, "label": labels}), "csv")
    return inspect_table(table, get_task(task), mends=mends, fingerprint="", name="x")


def problems_of(seen) -> dict:  # noqa: ANN001
    return {problem.code: problem for problem in seen.problems}


def test_values_of_three_types_are_told_with_their_mend(tmp_path: Path) -> None:
    file = tmp_path / "mixed.jsonl"
    values = [0, 1] * 6 + [0.0, 1.0] * 6 + [False, True] * 6
    file.write_text(
        "".join(json.dumps({"text": f"The lamp {n} is here", "label": value}) + "\n" for n, value in enumerate(values))
    )
    problem = problems_of(inspect_file(file, get_task("sentiment")))["near-duplicate-labels"]
    assert problem.count == 24 and problem.mends == (
        Mend(kind="relabel", values={"0.0": "0", "false": "0", "1.0": "1", "true": "1"}),
    )
    mended = inspect_file(file, get_task("sentiment"), mends=problem.mends)
    assert problems_of(mended)[
        "labels"
    ].message == "2 classes: 0 18, 1 18." and "near-duplicate-labels" not in problems_of(mended)
    # The names for numbers are offered once the classes are two.
    assert [mend.values for mend in problems_of(mended)["numeric-labels"].mends] == [{"0": "negative", "1": "positive"}]


def test_several_labels_in_a_cell_are_told_and_kept_apart_in_the_prompt() -> None:
    seen = inspected("topic", ["Staff", "Price", "Staff, Price"] * 20)
    problem = problems_of(seen)["several-labels"]
    assert problem.message == "20 answers hold several labels at once: 'Staff, Price' (20)." and problem.rows[:3] == (
        3,
        6,
        9,
    )
    assert problems_of(seen)["labels"].message == "3 classes: Price 20, Staff 20, 'Staff, Price' 20."
    assert "Answer with one of: Price; Staff; Staff, Price.\n" in seen.preview[0]["prompt"]
    left = inspected("topic", ["Staff", "Price", "Staff, Price"] * 20, problem.mends)
    assert left.table.rows == 40 and "Answer with one of: Price, Staff.\n" in left.preview[0]["prompt"]


def test_combinations_are_made_of_labels_and_not_of_commas() -> None:
    assert combinations(["A, B", "B, C", "A, C"]) == {"A, B": ["A", "B"], "B, C": ["B", "C"], "A, C": ["A", "C"]}
    assert combinations(["مثبت", "فوری", "مثبت، فوری"]) == {"مثبت، فوری": ["مثبت", "فوری"]}
    assert combinations(["a|b", "a", "b"]) == {"a|b": ["a", "b"]}
    assert (
        combinations(["Arts, culture", "Sport, leisure", "News"]) == {} and combinations(["1,5", "2,5", "1", "5"]) == {}
    )


@pytest.mark.parametrize(
    "between", ["#", " # ", " #", "/", " / ", " & ", "&", "\n", "\r\n", "\t", "+", " + ", ",", ";", "|"]
)
def test_several_labels_are_known_by_whatever_stands_between(between: str) -> None:
    both = f"Staff{between}Price"
    problem = problems_of(inspected("topic", ["Staff", "Price", both] * 20))["several-labels"]
    assert (
        problem.count == 20
        and repr(both) in problem.message
        and problem.mends == (Mend(kind="drop", values={"code": "several-labels"}),)
    )
    turned = f"Price{between}Staff"
    assert near_groups({both: 9, turned: 4}) == ([] if "/" in between else [(both, [turned])])  # en/fa is not fa/en
    assert combinations(["#Staff", "#Price", "#Staff #Price"]) == {"#Staff #Price": ["Staff", "Price"]}


def test_signs_that_are_parts_of_a_name_part_nothing() -> None:
    assert (
        combinations(["Sci/Tech", "World", "Sports"])
        == {}
        == combinations(["R&B", "Q&A", "C#", "C", "C++", "A+", "A", "N/A"])
    )
    assert combinations(["C#", "Java", "C#, Java", "C++, Java", "C++"]) == {
        "C#, Java": ["C#", "Java"],
        "C++, Java": ["C++", "Java"],
    }
    assert (
        combinations(["1/2", "1", "2", "24/7", "24", "7"])
        == {}
        == combinations(["sport", "sport/ball", "sport/ski", "art"])
    )
    assert near_groups({"1/2": 5, "2/1": 4, "24/7": 3, "7/24": 3, "C#": 2, "C": 2, "A+": 2, "A": 2}) == []


def test_a_label_of_several_lines_is_told_with_its_mend() -> None:
    labels = ["Price\nof goods", "Staff"] * 30
    problem = problems_of(inspected("topic", labels))["labels-of-several-lines"]
    assert (
        problem.count == 30
        and "'Price\\nof goods' (30)" in problem.message
        and problem.mends == (Mend(kind="relabel", values={"Price\nof goods": "Price of goods"}),)
    )
    mended = inspected("topic", labels, problem.mends)
    assert "Answer with one of: Price of goods, Staff.\n" in mended.preview[0][
        "prompt"
    ] and "labels-of-several-lines" not in problems_of(mended)


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (["a", "b"], "a, b"),
        (["a, b", "c"], "a, b; c"),
        (["a, b", "c; d"], "a, b | c; d"),
        (["الف، ب", "پ"], "الف، ب; پ"),
        (["a,b", "c;d", "e|f", "g/h"], "a,b • c;d • e|f • g/h"),
    ],
)
def test_what_stands_between_options_stands_in_none(labels: list[str], shown: str) -> None:
    assert template.listed_labels(template.freeze_labels(get_task("topic"), labels)) == shown


def test_a_list_that_ends_with_a_full_stop_has_no_second_one(tmp_path: Path) -> None:
    seen = inspected("topic", ["Knight.", "Pirate."] * 20)
    assert "Answer with one of: Knight., Pirate.\n" in seen.preview[0]["prompt"]
    assert "Answer with one of: Knight, Pirate.\n" in inspected("topic", ["Knight", "Pirate"] * 20).preview[0]["prompt"]
    # A task that has its labels, as an adapter's, is asked as it was trained.
    record = get_task("topic").model_copy(update={"labels": ("Knight.", "Pirate.")})
    assert "one of: Knight., Pirate..\n" in template.render_prompt(
        template.freeze_labels(record, record.labels), {"text": "x"}
    )
    file = split(tmp_path, ["Knight.", "Pirate."] * 30, ["Knight.", "Pirate.", "Cook."] * 8)
    problem = problems_of(inspect_file(file, get_task("topic")))["unseen-labels"]
    assert (
        "The labels learnt are: Knight., Pirate. Test rows" in problem.hint
        and ".." not in problem.message + problem.hint + problem.advice.fa
    )


def test_a_chosen_separator_and_an_older_adapters_stay() -> None:
    chosen = get_task("topic").model_copy(update={"label_separator": " or "})
    assert template.listed_labels(template.freeze_labels(chosen, ["a, b", "c"])) == "a, b or c"
    # A record from before says nothing of a separator: it was trained with commas and is asked with them.
    record = (
        get_task("topic")
        .model_copy(update={"labels": ("a, b", "c")})
        .model_dump(mode="json", exclude={"label_separator"})
    )
    assert "one of: a, b, c." in template.render_prompt(Task(**record), {"text": "x"})
    table = Table(polars.DataFrame({"text": ["x"], "label": ["c"]}), "csv")
    own = get_task("topic").model_copy(update={"labels": ("a, b", "c")})
    assert "one of: a, b; c." in template.render_prompt(with_labels(own, table, MAPPING), {"text": "x"})


def split(folder: Path, train: list[str], test: list[str]) -> Path:
    def rows(labels: list[str], what: str) -> str:
        return "text,label\n" + "".join(
            f'{what} number {n} speaks for itself,"{label}"\n' for n, label in enumerate(labels)
        )

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("train.csv", rows(train, "lamp"))
        archive.writestr("test.csv", rows(test, "door"))
    file = folder / "split.zip"
    file.write_bytes(packed.getvalue())
    (folder / "train.csv").write_text(rows(train, "lamp"))
    (folder / "test.csv").write_text(rows(test, "door"))
    return file


def test_labels_that_only_the_test_part_has(tmp_path: Path) -> None:
    file = split(tmp_path, ["good", "bad"] * 30, ["good", "bad", "lost"] * 8)
    problem = problems_of(inspect_file(file, get_task("topic")))["unseen-labels"]
    assert (
        problem.message == "8 test rows have the label 'lost', which no training row has."
        and problem.severity == "warning"
    )
    assert problem.count == 8 and "Test rows: 3, 6, 9, " in problem.hint
    # A test file of one's own is held to the same.
    for task in (get_task("topic"), get_task("topic").model_copy(update={"labels": ("bad", "good", "spare")})):
        plan = plan_run(tmp_path / "train.csv", task, get_base("built-in"), test_file=tmp_path / "test.csv")
        assert [one.message for one in plan.problems if one.code == "unseen-labels"] == [problem.message]
        *_, notes = read_split(plan.spec)
        assert [note.en for note in notes if "test rows" in note.en] == [
            "8 of 24 test rows have a label that was not trained (such as 'lost'): no answer to them can be right."
        ]
    again = plan_run(file, get_task("topic"), get_base("built-in"))
    assert [one.message for one in again.problems if one.code == "unseen-labels"] == [problem.message]


def test_several_unseen_labels_and_those_that_are_only_spelt_otherwise(tmp_path: Path) -> None:
    file = split(tmp_path, ["good", "bad"] * 30, ["good", "Bad.", "lost", "late", "late"] * 4)
    problem = problems_of(inspect_file(file, get_task("topic")))["unseen-labels"]
    assert problem.message == "16 test rows have labels that no training row has: 'late' (8), 'Bad.' (4), 'lost' (4)."
    assert problem.hint.startswith("In the training rows 'Bad.' is 'bad': write them alike.") and problem.mends == (
        Mend(kind="relabel", values={"Bad.": "bad"}),
    )
    mended = problems_of(inspect_file(file, get_task("topic"), mends=problem.mends))["unseen-labels"]
    assert mended.count == 12 and not mended.mends


def test_a_test_part_of_other_labels_alone_is_an_error(tmp_path: Path) -> None:
    file = split(tmp_path, ["good", "bad"] * 30, ["0", "1"] * 10)
    seen = inspect_file(file, get_task("topic"))
    assert problems_of(seen)["unseen-labels"].severity == "error" and any(
        problem.severity == "error" for problem in seen.problems
    )


def test_sound_splits_and_texts_say_nothing(tmp_path: Path) -> None:
    file = split(tmp_path, ["good", "bad"] * 30, ["good", "bad"] * 10)
    assert "unseen-labels" not in problems_of(inspect_file(file, get_task("topic")))
    table = Table(polars.DataFrame({"text": ["a"] * 3, "label": ["x", "y", "z"]}), "csv")
    assert checks.find_unseen(get_task("instruction"), table, MAPPING, table, MAPPING) == []
