"""The benchmarks report what they measured and nothing else."""

import ast
import importlib
import importlib.util
import json
import os
import re
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import quality_report

from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.schema import Score
from lora_hub.evaluation import metrics

BENCH = Path(__file__).parent / "bench"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(file.stem for file in BENCH.glob("*.py")))
def test_each_benchmark_starts(name, monkeypatch) -> None:
    """It finds the modules of the tests by itself, as where it is a program; the libraries are loaded once for all."""
    monkeypatch.setattr("sys.argv", [f"{name}.py"])
    monkeypatch.setattr("os.environ", os.environ.copy())
    rooms = str(BENCH.parent)
    monkeypatch.setattr("sys.path", [str(BENCH), *(one for one in sys.path if not one.startswith(rooms))])
    for known, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        # A second conftest would start a second Hub.
        if file.startswith(rooms) and known != "conftest" and known != __name__:
            monkeypatch.delitem(sys.modules, known)
    assert callable(load(name).main)
    text = (BENCH / f"{name}.py").read_text(encoding="utf-8")
    assert "sys.path" in text or not re.search(r"^from lora_hub", text, re.M), "run by its name it finds no package"


@pytest.mark.parametrize("file", sorted([*BENCH.glob("*.py"), *BENCH.parent.glob("*.py")]), ids=lambda file: file.stem)
def test_what_is_read_of_a_module_is_there(file) -> None:
    """A function that got another name is missed only where it is called: in a benchmark, hours later."""
    tree, modules = ast.parse(file.read_text(encoding="utf-8")), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lora_hub"):
            for one in node.names:
                found = getattr(importlib.import_module(node.module), one.name, None)
                # Of a package its module, where the package does not name it itself.
                found = found or importlib.import_module(f"{node.module}.{one.name}")
                modules |= {one.asname or one.name: found} if isinstance(found, ModuleType) else {}
    gone = {
        f"{file.name}:{node.lineno}: {node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
        if not hasattr(modules[node.value.id], node.attr)
    }
    assert not gone


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


def test_a_goal_is_told_with_its_verdict(tmp_path, capsys, monkeypatch) -> None:
    """What `train --json` prints, made up here."""
    goals, file = load("bench_goals"), tmp_path / "rows.csv"
    file.write_text("text,label\n")
    score = {"value": 50.0, "low": 40.0, "high": 60.0, "rows": 52}
    compared = metrics.compare(
        get_task("spam"),
        {"base": ["ham"] * 8, "adapter": ["spam"] * 8},
        ["spam"] * 8,
        {
            "base": {"accuracy": Score(value=0, low=0, high=32)},
            "adapter": {"accuracy": Score(value=100, low=68, high=100)},
        },
    )
    told = {
        "metrics": {"base": {"accuracy": score}, "adapter": {"accuracy": {**score, "value": 96.0}}},
        "comparison": compared.model_dump(mode="json"),
        "seconds": 12.0,
        "train_rows": 320,
    }
    monkeypatch.setattr(goals, "GOALS", {"one": (file, "spam", "accuracy", 90, 60, 60, [])})
    monkeypatch.setattr(
        goals.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=json.dumps(told), returncode=0)
    )
    monkeypatch.setattr("sys.argv", ["bench_goals.py"])
    assert goals.main() == 0
    said = capsys.readouterr().out
    assert "8 of 8 rows changed, all for the better" in said and "52 scored  met" in said


def test_a_process_is_measured_with_what_it_says() -> None:
    script = 'import sys; print("loading"); print("{" + sys.argv[1] + ": 1.5}"); sum(range(3_000_000))'
    took = load("bench_train").measure(script, '"train"')
    assert took["train"] == 1.5 and 0 < took["whole"] < took["wall"] + 1 and 5 < took["peak"] < 1000


def quality_line(recipe: str, seed: int, scores: str, task: str = "spam") -> dict:
    metric = {"metric": "balanced_accuracy", "truth": "0000000011111111", "scores": scores, "scored": 16}
    value = 50.0 * sum(scores[part].count("1") / 8 for part in (slice(8), slice(8, 16)))
    return {
        "task": task,
        "base": "b",
        "recipe": recipe,
        "seed": seed,
        "rows": 9,
        "seconds": 1.0,
        "cpu": 1.0,
        "value": value,
        **metric,
    }


def test_quality_is_told_from_its_file_alone(tmp_path, capsys) -> None:
    """The last line of a cell counts; a row's answers under two seeds are one row for the test."""
    file = tmp_path / "quality.jsonl"
    lines = [quality_line("ours", 0, "0" * 16), quality_line("ours", 0, "1" * 16), quality_line("ours", 1, "1" * 16)]
    lines += [quality_line(peer, seed, "1" * 8 + "0" * 8) for peer in quality_report.PEERS for seed in (0, 1, 2)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert not quality_report.report(file)
    said = capsys.readouterr().out
    assert "| spam | balanced_accuracy | 9 | 16 | 100.0 (2) 1 s | 50.0 (3) 1 s | 50.0 (3) 1 s | +50.0" in said
    assert "surely better on 1 (goal 5)" in said
    found = quality_report.compare(lines[1:3], lines[3:5])
    assert found.rows == 32 and found.clusters == 16 and found.p == pytest.approx(2 / 2**8)


def test_readme_has_every_cell_of_the_quality_file() -> None:
    found = quality_report.read_results(BENCH / "quality.jsonl")
    readme = (BENCH.parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"So far {len(found)} of 240 planned cells" in readme
    for base, task in dict.fromkeys(key[:2] for key in found):
        told = []
        for recipe in quality_report.RECIPES:
            lines = [line for key, line in found.items() if key[:3] == (base, task, recipe)]
            value, _seeds, *seconds = quality_report.cell_text(lines).split(" ", 2)
            told.append(f"{value} ({seconds[0]})" if seconds else value)
        assert f"| {' | '.join(told)} |" in readme, f"{base}, {task}: python tests/bench/bench_quality.py"


def test_quality_of_texts_is_the_mean_of_the_rows() -> None:
    one = {"metric": "chrf", "scored": 4, "scores": [10, 20, 30, 40]}
    assert quality_report.value_of(one) == 25
    assert quality_report.compare([one], [{**one, "scores": [0, 20, 30, 40]}]).difference == pytest.approx(2.5)


def test_what_only_a_gpu_can_say_runs_small_on_a_cpu(tmp_path, capsys, monkeypatch) -> None:
    """The script for a GPU, every part of it that needs no other process, with tiny shapes."""
    monkeypatch.syspath_prepend(str(BENCH.parent / "gpu"))
    import day

    out = tmp_path / "day.json"
    monkeypatch.setattr(
        "sys.argv", ["day.py", "--small", "--only", "sft,stack,together,graphs,small,nf4", "--out", str(out)]
    )
    assert day.main() == 0
    told = json.loads(out.read_text())
    assert told["sft"]["tokens_s"] == pytest.approx(4 * 32 / told["sft"]["step_s"], rel=0.02)
    assert told["stack"]["ratio"] > 0.5 and told["stack"]["decode_step_ms"] > 0 and told["together"]["ratio"] > 0.5
    assert told["graphs"]["plain_ms"] > 0 and "left_out" in told["nf4"]
    monkeypatch.setitem(day.PARTS, "sft", lambda day: 1 / 0)
    monkeypatch.setattr("sys.argv", ["day.py", "--small", "--only", "sft,nf4", "--out", str(out)])
    assert day.main() == 1, "a part that fails is told, and the others go on"
    assert "ZeroDivisionError" in out.read_text() and "left_out" in out.read_text()
    with pytest.raises(TimeoutError), day.within(0.05):
        time.sleep(5)
    peaks = {"NVIDIA H100 80GB HBM3": 989e12, "NVIDIA H100 PCIe": 756e12, "NVIDIA L40S": 362e12, "Tesla T4": 0}
    assert {name: day.peak_flops(name) for name in peaks} == peaks


def test_flops_of_a_token_are_counted_from_the_weights(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH.parent / "gpu"))
    import day

    model = day.Day(True, 60).build("tiny")
    linear = 2 * (64 * 64 * 2 + 64 * 32 * 2 + 64 * 96 * 3)
    head, lora = 64 * 512, 2 * 16 * (2 * 128 + 2 * 96 + 3 * 160)
    assert day.flops_per_token(model, 32) == 4 * (linear + head) + 6 * lora + 6 * 2 * 64 * 32
