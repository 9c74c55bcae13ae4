"""Labels of the rows to score compared with the learned ones: spelled differently, only one label, some missing; and
mends that match no row."""

from pathlib import Path

import polars
import pytest

from lora_hub.catalogue.bases import get_base
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.schema import Mend
from lora_hub.data.inspection import Inspection, inspect_table
from lora_hub.data.inspector import Inspector, inspect_file
from lora_hub.data.mending.mend_arguments import parse_mends
from lora_hub.data.tables.table import Table
from lora_hub.runs import plan_run
from lora_hub.runs.run_data import read_split

SENTIMENT, TOPIC = get_task("sentiment"), get_task("topic")


def frame(labels: list[str], what: str) -> polars.DataFrame:
    return polars.DataFrame(
        {"text": [f"{what} number {n} speaks for itself" for n in range(len(labels))], "label": labels}
    )


def inspected(task, train: list[str], test: list[str], mends: tuple[Mend, ...] = ()) -> Inspection:  # noqa: ANN001
    table = Table(frame(train, "lamp"), "csv", test=Table(frame(test, "door"), "csv"))
    return inspect_table(table, task, mends=mends, fingerprint="", name="x")


def told(seen: Inspection) -> dict:
    return {problem.code: problem for problem in seen.problems}


def relabel(**values: str) -> Mend:
    return Mend(kind="relabel", values=values)


@pytest.mark.parametrize(
    ("task", "train", "test", "values"),
    [
        (SENTIMENT, ["0", "1"], ["0.0", "1.0"], {"0.0": "0", "1.0": "1"}),
        (SENTIMENT, ["positive", "negative"], ["POSITIVE", "negative"], {"POSITIVE": "positive"}),
        (SENTIMENT, ["positive", "negative"], ["pos", "neg"], {"pos": "positive", "neg": "negative"}),
        (SENTIMENT, ["positive", "negative"], ["0", "1"], {"0": "negative", "1": "positive"}),
        (SENTIMENT, ["0", "1"], ["negative", "positive"], {"negative": "0", "positive": "1"}),
        (TOPIC, ["007", "008"], ["7", "8"], {"7": "007", "8": "008"}),
        (TOPIC, ["a", "Price, Staff"], ["Price/Staff", "a"], {"Price/Staff": "Price, Staff"}),
        (TOPIC, ["1.1", "1.2"], ["1.10", "1.2"], {}),
        (TOPIC, ["good", "bad"], ["0", "1"], {}),
    ],
    ids=str,
)
def test_labels_that_only_the_test_part_writes_so_can_be_made_one(
    task, train: list[str], test: list[str], values: dict
) -> None:  # noqa: ANN001
    seen = inspected(task, train * 30, test * 10)
    problem = told(seen)["unseen-labels"]
    assert problem.mends == ((Mend(kind="relabel", values=values),) if values else ())
    if values:
        mended = inspected(task, train * 30, test * 10, problem.mends)
        assert "unseen-labels" not in told(mended) and "idle-mends" not in told(mended)
        assert mended.done[0].rows == 10 * sum(label in values for label in test)


def test_a_guess_is_called_one() -> None:
    assert (
        "'0' may be 'negative'"
        in told(inspected(SENTIMENT, ["positive", "negative"] * 30, ["0", "1"] * 10))["unseen-labels"].hint
    )
    assert (
        "'Negative' is 'negative'"
        in told(inspected(SENTIMENT, ["positive", "negative"] * 30, ["Negative", "positive"] * 10))[
            "unseen-labels"
        ].hint
    )


def files(folder: Path, train: list[str], test: list[str]) -> tuple[Path, Path]:
    frame(train, "lamp").write_csv(folder / "train.csv")
    frame(test, "door").write_csv(folder / "test.csv")
    return folder / "train.csv", folder / "test.csv"


def test_the_mend_for_a_test_file_of_its_own_is_offered_and_does_its_work(tmp_path: Path) -> None:
    train, test = files(tmp_path, ["0", "1"] * 30, ["0.0", "1.0"] * 10)
    plan = plan_run(train, SENTIMENT, get_base("built-in"), test_file=test)
    assert [problem.mends for problem in plan.problems if problem.code == "unseen-labels"] == [
        (Mend(kind="relabel", values={"0.0": "0", "1.0": "1"}),)
    ]
    mends = parse_mends(["unseen-labels"], Inspector(), train, SENTIMENT, None, test=test)
    mended = plan_run(train, SENTIMENT, get_base("built-in"), test_file=test, mends=mends)
    assert not {"unseen-labels", "idle-mends"} & {problem.code for problem in mended.problems}
    assert [note.en for note in read_split(mended.spec)[2]] == ["Labels renamed: 0.0 → 0, 1.0 → 1 (20 rows)."]


def test_a_test_part_of_one_label_is_told(tmp_path: Path) -> None:
    problem = told(inspected(SENTIMENT, ["positive", "negative"] * 30, ["positive"] * 12))["one-class-test"]
    assert (
        problem.severity == "warning"
        and problem.message.startswith("All 12 test rows have the label 'positive'")
        and problem.count == 12
    )
    assert told(inspected(SENTIMENT, ["positive", "negative"] * 30, ["positive"]))["one-class-test"].message.startswith(
        "The only test row has the label"
    )
    train, test = files(tmp_path, ["positive", "negative"] * 30, ["positive"] * 12)
    assert "one-class-test" in {
        one.code for one in plan_run(train, SENTIMENT, get_base("built-in"), test_file=test).problems
    }


def test_labels_that_no_test_row_has_are_named() -> None:
    seen = told(inspected(TOPIC, ["a", "b", "c", "d"] * 20, ["a", "b"] * 10))
    assert (
        seen["untested-labels"].message.startswith("No test row has the labels 'c', 'd': ")
        and "one-class-test" not in seen
    )
    assert not {"untested-labels", "one-class-test"} & set(told(inspected(TOPIC, ["a", "b"] * 20, ["a", "b"] * 10)))


@pytest.mark.parametrize(
    ("values", "near"),
    [
        ({"Positiv": "good"}, "(did you mean 'positive'?)"),
        ({"POSITIVE": "good"}, "(did you mean 'positive'?)"),
        ({"positvie": "good"}, "(did you mean 'positive'?)"),
        ({"1": "good"}, "'1'."),
        ({"xyz": "good"}, "'xyz'."),
    ],
    ids=str,
)
def test_a_renaming_that_fits_no_row_says_so_with_the_nearest(tmp_path: Path, values: dict, near: str) -> None:
    train, _ = files(tmp_path, ["positive", "negative"] * 30, ["positive"])
    mend = Mend(kind="relabel", values=values)
    problem = told(inspect_file(train, SENTIMENT, mends=[mend]))["idle-mends"]
    assert (
        problem.severity == "warning"
        and f"no row has the label {next(iter(values))!r}" in problem.message
        and near in problem.message
    )
    assert "idle-mends" in {one.code for one in plan_run(train, SENTIMENT, get_base("built-in"), mends=[mend]).problems}


def test_a_renaming_that_fits_in_part_names_the_rest(tmp_path: Path) -> None:
    train, _ = files(tmp_path, ["0", "1"] * 30, ["0"])
    seen = inspect_file(
        train, SENTIMENT, mends=[Mend(kind="relabel", values={"0": "negative", "1": "positive", "2": "mixed"})]
    )
    assert (
        told(seen)["idle-mends"].message == "Mends that fit nothing: no row has the label '2'."
        and seen.done[0].rows == 60
    )


def test_any_mend_with_nothing_to_do_says_so(tmp_path: Path) -> None:
    train, _ = files(tmp_path, ["0", "1"] * 30, ["0"])
    for mend in (
        Mend(kind="drop", values={"code": "duplicates"}),
        Mend(kind="leave-out", values={"rows": "900"}),
        Mend(kind="mask"),
    ):
        assert told(inspect_file(train, SENTIMENT, mends=[mend]))["idle-mends"].count == 1
