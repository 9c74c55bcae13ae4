"""The benchmarks report what they measured and nothing else."""

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

BENCH = Path(__file__).parent / "bench"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("missing", ["file", "test"])
def test_a_goal_whose_data_is_missing_is_not_met(missing, tmp_path, capsys, monkeypatch) -> None:
    goals = load("bench_goals")
    there = tmp_path / "rows.csv"
    there.write_text("text,label\n")
    gone = tmp_path / "gone.csv"
    further = [] if missing == "file" else ["--test", str(gone)]
    monkeypatch.setattr(
        goals, "GOALS", {"one": (gone if missing == "file" else there, "spam", "accuracy", 90, 60, 60, further)}
    )
    monkeypatch.setattr("sys.argv", ["bench_goals.py"])
    assert goals.main() == 1
    said = capsys.readouterr().out
    assert "NOT MEASURED: gone.csv is not here" in said and said.endswith("0 met, 0 NOT MET, 1 NOT MEASURED\n")


def test_training_seconds_leave_out_nothing_of_ours() -> None:
    """From turning to training (before the trainer is made) to what comes after it (after the best checkpoint was taken
    up)."""
    phases = [
        (1.0, "loading the base"),
        (3.0, "training"),
        (5.5, "training"),
        (9.0, "training"),
        (11.0, "scoring the base"),
    ]
    events = [SimpleNamespace(kind="progress", at=at, data={"phase": phase}) for at, phase in phases]
    events.insert(3, SimpleNamespace(kind="metric", at=6.0, data={"step": 3, "loss": 1.0}))
    assert load("bench_train").training_seconds(events) == 8.0
