"""The multi-task pipeline: a YAML file, one process, an adapter per task; a failing task does not stop the others."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from small_data import sentiment_rows, write_csv

from lora_hub import runs
from lora_hub.catalogue import bases
from lora_hub.core import store
from lora_hub.core.errors import BaseError, LoraHubError, SpecError
from lora_hub.core.schema import RunState
from lora_hub.runs import pipeline

ROOT = Path(__file__).parents[2]
QUICK = {"steps": 8, "evaluations": 2, "max_held_out": 20}


def write(folder: Path, data: object) -> Path:
    file = folder / "pipeline.yaml"
    file.write_text(data if isinstance(data, str) else yaml.safe_dump(data), encoding="utf-8")
    return file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_csv(tmp_path / "reviews.csv", sentiment_rows(60))
    write_csv(
        tmp_path / "more.csv", [(text, {"good": "spam", "bad": "ham"}[label]) for text, label in sentiment_rows(60, 1)]
    )
    return tmp_path


def entries(**changes: object) -> list[dict]:
    return [
        {"task": "sentiment", "data": "reviews.csv", "set": {**QUICK, **changes}},
        {
            "task": "spam",
            "data": "more.csv",
            "map": {"text": "text", "answer": "label"},
            "set": {**QUICK, "lora.r": 4, **changes},
            "name": "mine",
        },
    ]


def test_a_file_is_read_with_paths_beside_it(data: Path) -> None:
    own = data / "own.yaml"
    own.write_text("id: own\ntitle: {en: Own}\ninstruction: {en: Say.}\n", encoding="utf-8")
    asked = pipeline.read_pipeline(
        write(
            data,
            {
                "effort": "quick",
                "org": "me",
                "tasks": [
                    *entries(),
                    {"task": "own.yaml", "data": "ann/reviews", "test": "more.csv", "mend": ["duplicates"]},
                ],
            },
        )
    )
    assert asked.base == bases.get_base("built-in") and (asked.org, asked.effort) == ("me", "quick")
    first, second, third = asked.entries
    assert first.data == str(data / "reviews.csv") and first.set["steps"] == "8"
    assert second.map == {"text": "text", "answer": "label"} and second.name == "mine"
    assert (third.task, third.data, third.test, third.mend) == (
        str(own),
        "ann/reviews",
        data / "more.csv",
        ("duplicates",),
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("tasks: [", "is not YAML"),
        ("- a", "is not a mapping"),
        ("tasks: []", "has no tasks"),
        ("task: x", "unknown key 'task'"),
        ("tasks: [{task: spam}]", "Task 1 of the pipeline has no data"),
        ("tasks: [{data: x}]", "has no task"),
        ("tasks: [{task: spam, data: x, mapp: y}]", "unknown key 'mapp'"),
        ("tasks: [{task: spam, data: x, set: [a]}]", "set = .* is not a mapping"),
        ("tasks: [spam]", "Task 1 of the pipeline is not a mapping"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        pipeline.read_pipeline(write(tmp_path, written))


def test_no_such_file_and_no_such_base(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        pipeline.read_pipeline(tmp_path / "none.yaml")
    with pytest.raises(BaseError):
        pipeline.read_pipeline(write(tmp_path, {"base": "no such base", "tasks": entries()}))


def test_two_tasks_are_trained_scored_and_published_in_one_process(data: Path, hub) -> None:
    """By the command, as a person would; the third has no data and fails alone."""
    file = write(data, {"tasks": [*entries(), {"task": "topic", "data": "nowhere.csv"}]})
    done = subprocess.run(
        [sys.executable, "-m", "lora_hub", "pipeline", str(file), "--publish", "--json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        env={**os.environ, "LORA_HUB_HUB": "embedded"},
    )
    assert done.returncode == 3, done.stderr[-2000:]  # a part of it happened
    result = json.loads(done.stdout)
    assert [row["state"] for row in result["runs"]] == ["succeeded", "succeeded", "failed"]
    assert "nowhere.csv" in result["runs"][2]["error"] and "topic" in result["error"]["message"]
    assert result["mode"] in ("together", "in turn") and result["seconds"] > 0
    assert result["runs"][1]["adapter"] == "lora-hub/mine" and len(result["runs"][0]["revision"]) == 40
    for row in result["runs"][:2]:
        assert row["metrics"]["adapter"]["accuracy"]["value"] >= 0 and row["eval_rows"] > 0
        run = store.read_run(row["run"])
        assert run.mode == result["mode"] and run.handle["group"] and any("trained" in note.en for note in run.notes)
        assert any("۲ وظیفه" in note.fa and "آموزش دید" in note.fa for note in run.notes)
        record = json.loads((store.run_folder(row["run"]) / "adapter" / "lora_hub.json").read_text(encoding="utf-8"))
        assert record["task"]["id"] == row["task"] and record["report"]["rows"] == 60
    assert (
        store.read_run(result["runs"][0]["run"]).handle["pid"] == store.read_run(result["runs"][1]["run"]).handle["pid"]
    )
    assert "sentiment: training" in done.stderr


def wait_until(condition, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def start(data: Path, **changes: object) -> list[str]:
    started = pipeline.start_pipeline(pipeline.make_pipeline({"tasks": entries(**changes)}, data))
    assert all(one.run_id for one in started), [one.error for one in started]
    return [one.run_id for one in started]


def test_one_is_cancelled_and_the_other_goes_on(data: Path) -> None:
    first, second = start(data, steps=400, evaluations=40, patience=0)
    wait_until(lambda: runs.refresh_run(first).step > 2 or runs.refresh_run(first).state.is_final)
    cancelled = runs.cancel_run(first)
    assert cancelled.state is RunState.CANCELLED, runs.read_log(first)
    assert not runs.refresh_run(second).state.is_final
    runs.cancel_run(second)
    assert runs.refresh_run(second).state is RunState.CANCELLED


def test_a_killed_pipeline_goes_on_task_by_task(data: Path) -> None:
    first, second = start(data, steps=30, evaluations=15, patience=0)
    folder = store.run_folder(first)
    wait_until(lambda: any((folder / "checkpoints").glob("*")) or runs.refresh_run(first).state.is_final)
    pid = runs.refresh_run(first).handle["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: all(runs.refresh_run(one).state is RunState.LOST for one in (first, second)))
    runs.resume_run(first)
    run = runs.wait_for_run(first)
    assert run.state is RunState.SUCCEEDED and run.total_steps == 30, runs.read_log(first)
    assert runs.refresh_run(second).state is RunState.LOST
    with pytest.raises(LoraHubError):
        runs.cancel_run(second)
