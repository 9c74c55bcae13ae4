"""A file as it is inspected before training: what `inspect --json` prints."""

import hashlib
import json
from pathlib import Path

import pytest

from lora_hub import runs
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks.catalogue import get_task, list_tasks, sample_file
from lora_hub.core.errors import DataError
from lora_hub.data.checks.check_held_out import check_held_out
from lora_hub.data.inspector import inspect_file

SHARED = Path(__file__).parents[3] / "shared" / "data"
KEYS = {
    "rows",
    "columns",
    "encoding",
    "delimiter",
    "format",
    "mapping",
    "problems",
    "preview",
    "task",
    "name",
    "fingerprint",
}


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    file = tmp_path / "messages.csv"
    lines = [f"{('ham', 'spam')[n % 2]},message number {n}" for n in range(60)]
    file.write_text("kind,message\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_what_inspect_prints(messages: Path) -> None:
    seen = inspect_file(messages, get_task("spam"), name="mine.csv").to_json()
    assert set(seen) >= KEYS
    assert (seen["rows"], seen["columns"], seen["encoding"], seen["delimiter"], seen["format"]) == (
        60,
        ["kind", "message"],
        "utf-8",
        ",",
        "csv",
    )
    assert seen["mapping"] == {"text": "message", "answer": "kind"}
    assert seen["fingerprint"] == hashlib.sha256(messages.read_bytes()).hexdigest()[:16] and seen["name"] == "mine.csv"
    assert len(seen["preview"]) == 5
    assert "message number 0" in seen["preview"][0]["prompt"] and "ham, spam" in seen["preview"][0]["prompt"]
    assert seen["preview"][0]["completion"] == "ham"
    for problem in seen["problems"]:
        assert set(problem) >= {"code", "severity", "message", "hint", "rows"}
    json.dumps(seen)


def test_a_task_is_proposed_where_none_is_chosen(messages: Path) -> None:
    seen = inspect_file(messages, None)
    assert seen.task.id == "spam"
    assert "task-proposed" in {problem.code for problem in seen.problems}


def test_what_a_person_chose_stays(messages: Path) -> None:
    seen = inspect_file(messages, get_task("topic"), {"text": "kind"})
    assert seen.mapping["text"] == "kind" and seen.reasons["text"].en == "chosen by you"
    with pytest.raises(DataError, match="no column 'mesage'") as refusal:
        inspect_file(messages, get_task("spam"), {"text": "mesage"})
    assert "'message'" in refusal.value.hint


def test_a_missing_column_is_an_error_that_can_still_be_mended(tmp_path: Path) -> None:
    file = tmp_path / "qa.jsonl"
    file.write_text(
        "\n".join(json.dumps({"question": f"What is {n}?", "answer": f"It is {n}, of course."}) for n in range(60))
    )
    seen = inspect_file(file, get_task("question-answering"))
    assert any(problem.severity == "error" for problem in seen.problems) and seen.preview == []
    missing = next(problem for problem in seen.problems if problem.code == "missing-column")
    assert "context" in missing.message and "question, answer" in missing.hint


def test_every_sample_of_the_catalogue_is_sound() -> None:
    samples = [(task, sample_file(task)) for task in list_tasks() if sample_file(task)]
    assert samples
    for task, file in samples:
        seen = inspect_file(file, task)
        worse = [
            problem
            for problem in seen.problems
            if problem.severity != "info" and problem.code not in ("duplicates", "personal-data", "placeholders")
        ]
        assert not worse, (task.id, worse)
        assert set(seen.mapping) >= {*task.inputs, "answer"} - set(task.optional_inputs)
        assert inspect_file(file, None).task.id == task.id


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of real data is not here")
@pytest.mark.parametrize(
    "file", sorted((SHARED / "difficult").glob("*")) if SHARED.is_dir() else [], ids=lambda file: file.name
)
def test_difficult_files_are_seen_or_refused_in_words(file: Path) -> None:
    try:
        seen = inspect_file(file, None, skip_broken=True)
    except DataError as error:
        assert error.message.endswith(".") and error.hint
    else:
        assert seen.info.rows > 0 and json.dumps(seen.to_json())
        assert seen.preview or any(problem.severity == "error" for problem in seen.problems)


@pytest.mark.parametrize(("scored", "half"), [(8, 28), (49, 13), (5, 33), (1, 45)])
def test_too_few_rows_to_measure_with_are_told_before_the_start(scored: int, half: int) -> None:
    problem = check_held_out(scored)[0].problem
    assert (problem.code, problem.severity, problem.count) == ("few-held-out", "warning", scored)
    assert problem.message.startswith(f"Only {scored} row") and f"about {half} points" in problem.message
    assert ("No difference" in problem.message) == (scored < 6) and problem.said.fa and problem.advice.fa


def test_enough_rows_to_measure_with_are_not_told() -> None:
    assert not check_held_out(50) and not check_held_out(5000)


def test_inspect_and_plan_tell_how_many_rows_would_be_scored(messages: Path, tmp_path: Path) -> None:
    """Inspect with the usual share, a plan with its own settings and its own test file; said once."""

    def told(problems) -> list[int]:
        return [problem.count for problem in problems if problem.code == "few-held-out"]

    base, task = bases.get_base("built-in"), get_task("spam")
    assert told(inspect_file(messages, task).problems) == [
        8
    ]  # of 60 rows 12 are held out, of these 4 choose the checkpoint
    assert told(runs.plan_run(messages, task, base).problems) == [8]
    plan = runs.plan_run(messages, task, base, overrides={"held_out": 0.5})
    assert told(plan.problems) == told(plan.spec.dataset.problems) == [20]
    test = tmp_path / "test.csv"
    test.write_text("kind,message\n" + "".join(f"{('ham', 'spam')[n % 2]},tested number {n}\n" for n in range(30)))
    assert told(runs.plan_run(messages, task, base, test_file=test).problems) == [30]
    test.write_text("kind,message\n" + "".join(f"{('ham', 'spam')[n % 2]},tested number {n}\n" for n in range(80)))
    assert told(runs.plan_run(messages, task, base, test_file=test).problems) == []
