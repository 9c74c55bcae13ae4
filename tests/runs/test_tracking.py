"""What a run tells goes to Trackio where that is asked for: a package of the same calls stands in its place."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from persian import refused
from test_run_folders import FAILED, make_run, make_spec

from lora_hub import runs
from lora_hub.core import store
from lora_hub.core.errors import SpecError
from lora_hub.runs import tracking
from lora_hub.runs.owner import Owner

# `init` ends what it takes for the context's current run, as Trackio 0.43 does.
STUB = """
import contextvars, json, os
current = contextvars.ContextVar("current", default=None)
def write(**said):
    with open(os.environ["STUB_LOG"], "a") as file: file.write(json.dumps(said) + "\\n")
class Run:
    def __init__(self, name): self.name = name
    def log(self, metrics, step):
        if os.environ.get("STUB_FAILS"): raise RuntimeError("no room")
        write(run=self.name, step=step, **metrics)
    def finish(self): write(finished=self.name)
def init(project, name, space_id=None, **named):
    if current.get(): current.get().finish()
    current.set(Run(name))
    away = space_id or os.environ.get("TRACKIO_SPACE_ID") or os.environ.get("TRACKIO_SERVER_URL")
    write(project=project, name=name, away=away, lr=named["config"]["lr"], resume=named["resume"])
    return current.get()
"""


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "trackio").mkdir()
    (tmp_path / "trackio" / "__init__.py").write_text(STUB)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("STUB_LOG", str(tmp_path / "heard.jsonl"))
    monkeypatch.setenv("LORA_HUB_REPORT_TO", "trackio")
    for name in tracking.AWAY:
        monkeypatch.setenv(name, "somebody/else")
    yield tmp_path / "heard.jsonl"
    sys.modules.pop("trackio", None)  # a trainer of another test would take it for the real one


def lines(heard: Path) -> list[dict]:
    return [json.loads(line) for line in heard.read_text().splitlines()] if heard.exists() else []


def test_nothing_is_told_unless_it_is_asked_for(heard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LORA_HUB_REPORT_TO")
    tracker = tracking.Tracker("a", make_spec())
    tracker.tell("metric", {"step": 1, "loss": 1.0})
    tracker.end()
    assert lines(heard) == [] and tracking.report_to() == ("", "")


def test_what_a_run_tells_stays_on_this_machine(heard: Path) -> None:
    one, other = (Owner(make_run(*FAILED)) for _run in range(2))
    one.report("metric", step=1, loss=1.5, lr=0.01, grad_norm=2.0, memory=10**8)
    other.report("metric", step=1, loss=9.0)
    one.report("progress", phase="training", step=1, total=4, eta=None)
    one.report("metric", step=2, eval_loss=1.25)
    one.end()
    other.end()
    said = lines(heard)
    assert [line["away"] for line in said if "project" in line] == [None, None] and "TRACKIO_SPACE_ID" not in os.environ
    mine = [line for line in said if line.get("run") == one.run_id]
    assert mine[0] == {"run": one.run_id, "step": 1, "loss": 1.5, "lr": 0.01, "grad_norm": 2.0, "memory": 1e8}
    assert mine[1] == {"run": one.run_id, "step": 2, "eval_loss": 1.25}
    # a second run in the process does not end the first
    assert [line["finished"] for line in said if "finished" in line] == [one.run_id, other.run_id]
    assert said.index({"finished": one.run_id}) > said.index(mine[1])


def test_a_space_is_told_only_by_its_name_and_trouble_ends_no_run(
    heard: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("LORA_HUB_REPORT_TO", "trackio:team/curves")
    monkeypatch.setenv("STUB_FAILS", "1")
    owner = Owner(make_run(*FAILED))
    owner.report("metric", step=1, loss=1.0)
    owner.report("metric", step=2, loss=1.0)
    owner.end()
    assert [line["away"] for line in lines(heard) if "project" in line] == ["team/curves"]
    assert "trackio was not told: RuntimeError: no room" in capsys.readouterr().out
    assert len(store.read_run(owner.run_id).train_losses) == 2


def test_what_is_not_there_is_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("wandb", "trackio:", "trackio:x y/z"):
        monkeypatch.setenv("LORA_HUB_REPORT_TO", wrong)
        with refused(SpecError, match="LORA_HUB_REPORT_TO is"):
            runs.start_runs([make_spec()])
    monkeypatch.setenv("LORA_HUB_REPORT_TO", "trackio")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with refused(SpecError, match="not installed"):
        runs.start_runs([make_spec()])
    assert store.list_run_ids() == []
