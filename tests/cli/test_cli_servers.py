"""The shell in a job on a build server: told to end, waiting for a run, checking a score against a minimum, reading
exit statuses."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_data import sentiment_rows, write_csv
from test_cli import ROOT, call

from lora_hub import runs
from lora_hub.core import settings, store
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import NOTHING
from lora_hub.core.schema import Run, RunState, Score
from lora_hub.evaluation import minimum
from lora_hub.runs.runners import local


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "reviews.csv", sentiment_rows(120))


def start(*arguments: str, home: Path, hangup: signal.Handlers = signal.SIG_DFL) -> subprocess.Popen:
    """hangup: what SIGHUP does to the command; the tests themselves may run under nohup."""
    return subprocess.Popen(
        [sys.executable, "-m", "lora_hub", *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LORA_HUB_HOME": str(home)},
        preexec_fn=lambda: signal.signal(signal.SIGHUP, hangup),
    )


def read_until(process: subprocess.Popen, said: str) -> str:
    """Reads standard error up to the line that says it, and returns all of that."""
    seen = ""
    for line in process.stderr:
        seen += line
        if said in line:
            return seen
    raise AssertionError(seen)


def is_gone(run: Run, seconds: float = 60) -> bool:
    """Whether the run's process ends; it says that it was cancelled a moment before."""
    deadline = time.monotonic() + seconds
    while local.is_alive(run.handle) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not local.is_alive(run.handle)


@pytest.mark.parametrize(("number", "when"), [(signal.SIGTERM, "training"), (signal.SIGINT, "run ")])
def test_train_told_to_end_cancels_its_run_and_says_so(number: int, when: str, home: Path, data: Path) -> None:
    """While it trains, and before it has loaded anything."""
    process = start("train", str(data), "--task", "sentiment", "--set", "steps=100000", "--json", home=home)
    read_until(process, when)
    process.send_signal(number)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    told = json.loads(output)
    assert told["state"] == "cancelled" and told["error"]["message"]
    run = runs.refresh_run(told["run"])
    assert run.state == RunState.CANCELLED and is_gone(run)


def test_told_to_end_between_starting_a_run_and_knowing_it(home: Path, data: Path) -> None:
    """The signal comes at the worst moment: the run is there, and its name has not been returned yet."""
    code = f"""
import os, signal, sys
from lora_hub import cli
from lora_hub import runs
from lora_hub.runs.runners import local
start = runs.start_runs
def slow(specs, **named):
    started = start(specs, **named)
    os.kill(os.getpid(), signal.SIGTERM)
    return started
runs.start_runs = slow
sys.exit(cli.main(["train", {str(data)!r}, "--task", "sentiment", "--set", "steps=100000", "--json"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "LORA_HUB_HOME": str(home)},
    )
    assert done.returncode == 143, done.stderr
    run = runs.refresh_run(json.loads(done.stdout)["run"])
    assert run.state == RunState.CANCELLED and is_gone(run)


def test_a_pipeline_told_to_end_cancels_all_its_runs(home: Path, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "tasks.yaml"
    entries = [
        {"task": "sentiment", "data": data.name, "name": name, "set": {"steps": 100000}} for name in ("one", "two")
    ]
    file.write_text(json.dumps({"tasks": entries}))
    process = start("pipeline", str(file), "--json", home=home)
    read_until(process, "all in one go: about 200000 steps")
    read_until(process, "training")
    process.terminate()
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 143
    told = json.loads(output)
    assert [row["state"] for row in told["runs"]] == ["cancelled", "cancelled"]
    assert all(is_gone(run) for run in runs.list_runs())


def test_waiting_and_the_minimum(home: Path, data: Path) -> None:
    """One run, trained without its shell, then waited for in every way."""
    task = call("inspect", str(data), "--task", "sentiment", "--json", home=home)
    assert {one["key"] for one in task["settings"]} >= {"lr", "lora.r", "epochs"} and task["estimate"]["steps"] > 0
    changed = call(
        "inspect", str(data), "--task", "sentiment", "--set", "r=4", "--effort", "quick", "--json", home=home
    )
    assert {"key": "lora.r", "value": 4, "why": "set by you"} in changed["settings"]

    from lora_hub.catalogue import bases
    from lora_hub.catalogue.tasks.catalogue import get_task

    plan = runs.plan_run(
        data,
        get_task("sentiment"),
        bases.get_base("built-in"),
        overrides={"epochs": "6", "evaluations": "2"},
        minimum={"accuracy": 100.0},
    )
    run = runs.start_runs([plan.spec])[0].id
    waiting = call("runs", "wait", run, "--timeout", "0.01", "--json", home=home, expect=124)
    assert waiting["run"] == run and waiting["state"] in ("queued", "running")
    ended = call("runs", "wait", run, "--json", home=home, expect=None)
    reached = ended["metrics"]["adapter"]["accuracy"]
    assert ended["state"] == "succeeded"
    assert call("runs", "wait", run, "--min", "accuracy.low=99.9", "--json", home=home, expect=4)["error"][
        "message"
    ].count("accuracy")
    assert (reached["value"] >= 100) == ("error" not in ended)

    failing = store.create_run(plan.spec)
    (store.run_folder(failing) / "spec.json").write_text((store.run_folder(failing) / "spec.json").read_text())
    runs.cancel_run(runs.start_runs([plan.spec.model_copy(update={"steps": 100_000})])[0].id)
    cancelled = runs.list_runs()[0]
    assert cancelled.state == RunState.CANCELLED
    assert call("runs", "wait", cancelled.id, "--json", home=home, expect=1)["state"] == "cancelled"


def test_what_is_below_the_minimum_is_not_published(home: Path, data: Path) -> None:
    told = call(
        "train",
        str(data),
        "--task",
        "sentiment",
        "--effort",
        "quick",
        "--set",
        "steps=1",
        "--set",
        "lr=1e-7",
        "--min",
        "accuracy.low=99.9",
        "--publish",
        "--name",
        "below",
        "--json",
        home=home,
        expect=4,
    )
    assert (
        told["state"] == "succeeded"
        and told["revision"] == ""
        and Path(told["adapter"]).is_dir()
        and told["metrics"]["adapter"]
    )
    assert "not published" in runs.refresh_run(told["run"]).error.message


def test_a_pipeline_says_how_much_of_it_happened(home: Path, data: Path, tmp_path: Path) -> None:
    bad = write_csv(tmp_path / "bad.csv", [("x", "y")])
    good = {"task": "sentiment", "data": data.name, "set": {"steps": 2, "evaluations": 1}}
    file = tmp_path / "tasks.yaml"
    file.write_text(json.dumps({"tasks": [good, {"task": "sentiment", "data": bad.name}]}))
    partly = call("pipeline", str(file), "--json", home=home, expect=3)
    assert [row["state"] for row in partly["runs"]] == ["succeeded", "failed"]
    file.write_text(json.dumps({"tasks": [{**good, "min": {"accuracy.low": 99.9}}]}))
    assert call("pipeline", str(file), "--json", home=home, expect=4)["runs"][0]["state"] == "succeeded"
    file.write_text(json.dumps({"tasks": [{"task": "sentiment", "data": bad.name}]}))
    assert call("pipeline", str(file), "--json", home=home, expect=1)["runs"][0]["state"] == "failed"
    file.write_text(json.dumps({"tasks": []}))
    assert "no tasks" in call("pipeline", str(file), "--json", home=home, expect=2)["error"]["message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LORA_HUB_SLOTS", "many"),
        ("LORA_HUB_MAX_UPLOAD_MB", "-3"),
        ("LORA_HUB_MAX_UPLOAD_MB", "nan"),
        ("LORA_HUB_PORT", "99999"),
        ("LORA_HUB_PORT", "1.5"),
    ],
)
def test_a_bad_number_in_the_environment_is_named(
    name: str, value: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    ask = {
        "LORA_HUB_SLOTS": settings.slots,
        "LORA_HUB_MAX_UPLOAD_MB": settings.max_upload_bytes,
        "LORA_HUB_PORT": settings.port,
    }[name]
    with pytest.raises(SpecError, match=name) as told:
        ask()
    assert value in told.value.message and told.value.in_language("fa")[0] != told.value.message
    if name == "LORA_HUB_PORT":
        done = subprocess.run(
            [sys.executable, "app.py"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "LORA_HUB_NO_BROWSER": "1"},
        )
        assert done.returncode == 2 and name in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("tasks",), ("tasks", "--json"), ("--help",)])
def test_a_reader_who_leaves_ends_the_command_quietly(arguments: tuple[str, ...], home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "lora_hub", *arguments],
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        env={**os.environ, "LORA_HUB_HOME": str(home)},
    )
    os.close(writing)
    # argparse prints its help by itself and takes no notice of a reader who is gone
    assert done.returncode in ((0, 141) if arguments == ("--help",) else (141,)) and done.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "{data}", "--task", "sentiment"),
        ("adapters",),
        ("runs",),
        ("runs", "show", "x"),
        ("inspect", "{data}"),
        ("tasks",),
    ],
)
@pytest.mark.parametrize("kind", ["file", "nowhere"])
def test_a_home_that_cannot_be_written_is_told(
    arguments: tuple[str, ...], kind: str, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("a file where a folder is wanted")
    environment = {"HF_ENDPOINT", "HF_TOKEN", "HF_HOME", "HF_HUB_CACHE"}
    home = tmp_path / "file" if kind == "file" else Path("/proc/nowhere")
    done = subprocess.run(
        [sys.executable, "-m", "lora_hub", *(argument.format(data=data) for argument in arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={
            **{name: value for name, value in os.environ.items() if name not in environment},
            "LORA_HUB_HOME": str(home),
        },
    )
    assert "Traceback" not in done.stderr and "bug in" not in done.stderr
    writes = arguments[0] in ("train", "adapters")
    status = 2 if kind == "file" else 1 if writes or arguments[:2] == ("runs", "show") else 0
    assert done.returncode == status, done.stderr
    if writes or kind == "file":
        assert str(home) in done.stderr and "LORA_HUB_HOME" in done.stderr


def test_an_error_that_cannot_be_logged_is_still_told() -> None:
    code = (
        "import sys; from lora_hub.cli import parser, shell; parser.list_tasks = lambda _: 1 / 0\n"
        "sys.exit(shell.main(['tasks']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "LORA_HUB_HOME": "/proc/nowhere"},
    )
    assert done.returncode == 1 and "bug in LoRA Hub: ZeroDivisionError" in done.stderr and "Traceback" in done.stderr


@pytest.mark.parametrize("asked", ["accuracy=0.6", "accuracy=101", "accuracy", "=5"])
def test_a_minimum_that_cannot_be_meant_is_refused(asked: str) -> None:
    with pytest.raises(SpecError):
        minimum.parse_minimum([asked])
    assert minimum.parse_minimum(["accuracy=60", "bleu=1"]) == {"accuracy": 60, "bleu": 1}


def test_scores_below_a_minimum_are_shown_whoever_was_scored() -> None:
    from lora_hub.cli import show_runs
    from lora_hub.cli.screen import Screen

    scored = {
        "rows": 30,
        "problems": [],
        "metrics": {"base": {}, "a": {"accuracy": {"value": 56.7, "low": 39.2, "high": 72.6, "rows": 30}}},
        "comparisons": {},
    }
    assert "56.7" in Screen().tell_all(show_runs.show_scored(scored))


def test_what_a_minimum_says() -> None:
    scores = {"accuracy": Score(value=91.0, low=84.0, high=95.0, rows=100)}
    assert minimum.below_minimum(scores, {"accuracy": 90, "accuracy.low": 80}) == NOTHING
    assert str(minimum.below_minimum(scores, {"accuracy": 91.5})) == "accuracy is 91.0, below 91.5"
    below = minimum.below_minimum(scores, {"accuracy.low": 85, "macro_f1": 1})
    assert str(below) == "accuracy.low is 84.0, below 85; macro_f1 was not scored" and "۸۴٫۰" in below.fa


def test_an_ignored_signal_stays_ignored(home: Path, data: Path) -> None:
    """As under nohup: the terminal may be closed, the command goes on."""
    process = start(
        "train", str(data), "--task", "sentiment", "--set", "steps=3", "--json", home=home, hangup=signal.SIG_IGN
    )
    read_until(process, "run ")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0 and json.loads(output)["state"] == "succeeded"
