"""A run's rows whose file was truncated, damaged or lost: what can be read is shown, and what is missing is
reported."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from persian import check_sentence
from small_data import held_out_row, sentiment_rows
from test_run_folders import WORKER, make_run, started

from lora_hub import runs
from lora_hub.catalogue.tasks import catalogue
from lora_hub.cli.screen import Screen
from lora_hub.cli.show_runs import show_published
from lora_hub.core import store
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import HeldOutRow, RunState
from lora_hub.evaluation import metrics
from lora_hub.people import LOCAL
from lora_hub.runs import publishing, run_rows, run_states
from lora_hub.runs.run_json import rows_missing
from lora_hub.ui.render.runs import render_held_out, render_runs
from lora_hub.ui.tabs.runs import runs_watch

TASK = catalogue.get_task("spam").model_copy(update={"labels": ("ham", "spam")})
SCORE = {"value": 50.0, "low": 40.0, "high": 60.0, "rows": 6}


def held_out(count: int = 6) -> list[HeldOutRow]:
    rows = [
        held_out_row(
            number,
            {"text": f"message {number}"},
            "ham",
            {"adapter": {"ham": 0.9, "spam": 0.1}},
            base="spam",
            base_examples="ham",
            adapter="ham",
        )
        for number in range(1, count + 1)
    ]
    return metrics.judge_rows(TASK, rows)


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    """A line has the keys that programs read: a text, a score and a verdict by who answered."""
    rows = held_out(2)
    run_rows.write_held_out(tmp_path, rows)
    assert run_rows.read_held_out(tmp_path, expected=2, task=None) == run_rows.Found(rows)
    assert json.loads((tmp_path / run_rows.HELD_OUT).read_text().splitlines()[1]) == {
        "row": 2,
        "inputs": {"text": "message 2"},
        "prompt": "Text: message 2",
        "reference": "ham",
        "base": "spam",
        "base_examples": "ham",
        "adapter": "ham",
        "probabilities": {"adapter": {"ham": 0.9, "spam": 0.1}},
        "metric": "accuracy",
        "scores": {"base": 0.0, "base_examples": 100.0, "adapter": 100.0},
        "right": {"base": False, "base_examples": True, "adapter": True},
    }


def make_finished(count: int = 6) -> tuple[str, Path]:
    scores = {who: {"accuracy": SCORE, "balanced_accuracy": SCORE, "macro_f1": SCORE} for who in run_rows.ANSWERERS}
    run_id = make_run(
        started(),
        (WORKER, "exam", {"train_rows": 80, "eval_rows": count, "metrics": scores}),
        (WORKER, "adapter", {"folder": "adapter", "best_step": 3}),
        (WORKER, "state", {"state": "succeeded"}),
        task=TASK,
    )
    path = store.run_folder(run_id) / run_rows.HELD_OUT
    run_rows.write_held_out(path.parent, held_out(count))
    return run_id, path


def with_line(number: int, change: Callable[[dict], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        lines = path.read_text().splitlines()
        lines[number - 1] = json.dumps(change(json.loads(lines[number - 1])))
        path.write_text("\n".join(lines) + "\n")

    return damage


def cut_off(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])


def no_text(path: Path) -> None:
    lines = path.read_bytes().splitlines()
    lines[2] = b"\xff\xfe\x00" * 20
    path.write_bytes(b"\n".join(lines))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def short(path: Path) -> None:
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines()[:4]))


DAMAGES = {
    "cut off": (
        cut_off,
        5,
        "1 of the 6 held-out rows cannot be shown: line 6 of held_out.jsonl is cut off or damaged.",
    ),
    "no text": (no_text, 5, "line 3 of held_out.jsonl is cut off"),
    "a list": (with_line(2, lambda row: [1, 2]), 5, "line 2 of"),
    "inputs are a text": (with_line(2, lambda row: {**row, "inputs": "message"}), 5, "line 2 of"),
    "an answer is a number": (with_line(1, lambda row: {**row, "adapter": 3}), 5, "line 1 of"),
    "a score is a text": (
        with_line(4, lambda row: {**row, "scores": {**row["scores"], "adapter": "x"}}),
        5,
        "line 4 of",
    ),
    "a score is nan": (
        with_line(4, lambda row: {**row, "scores": {**row["scores"], "adapter": float("nan")}}),
        5,
        "line 4 of",
    ),
    "no score of one": (with_line(4, lambda row: {**row, "scores": {"base": 0.0, "adapter": 100.0}}), 5, "line 4 of"),
    "probabilities are a list": (with_line(4, lambda row: {**row, "probabilities": {"adapter": [1]}}), 5, "line 4 of"),
    "nobody's reference": (with_line(4, lambda row: {**row, "reference": []}), 5, "line 4 of"),
    "one did not answer": (
        with_line(5, lambda row: {key: value for key, value in row.items() if key != "base_examples"}),
        5,
        "line 5 of",
    ),
    "empty": (
        lambda path: path.write_bytes(b""),
        0,
        "None of the 6 held-out rows can be shown: held_out.jsonl ends before them.",
    ),
    "only zeros": (lambda path: path.write_bytes(b"\x00" * 4096), 0, "None of the 6"),
    "missing": (Path.unlink, 0, "None of the 6 held-out rows can be shown: the run's folder has no held_out.jsonl."),
    "a folder": (a_folder, 0, "held_out.jsonl cannot be read"),
    "short": (short, 4, "2 of the 6 held-out rows cannot be shown: held_out.jsonl ends before them."),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_readable_of_damaged_rows_is_shown_and_the_rest_is_said(name: str) -> None:
    damage, readable, said = DAMAGES[name]
    run_id, path = make_finished()
    assert runs.read_held_out(run_id).missing is None
    damage(path)
    found = runs.read_held_out(run_id)
    assert len(found.rows) == readable and said in found.missing.en, found.missing
    check_sentence(found.missing.fa)
    # the tab, with every filter, and the shell
    for show in render_held_out.FILTERS:
        for order in render_held_out.ORDERS:
            drawn = runs_watch.draw(LOCAL, RunReader(), "en", run_id, show, order)
            assert any(isinstance(part, str) and said.split(":")[0] in part for part in drawn), (show, order)
    drawn = runs_watch.draw(LOCAL, RunReader(), "fa", run_id)
    told = [part for part in drawn if isinstance(part, str)]
    assert any("هیچ‌یک از ۶" in part or "سطر از ۶ سطر آزمون" in part for part in told)
    assert said in rows_missing(found.missing)["rows_missing"].en
    published = {"adapter": "a/b", "versions": ["v1"], "revision": "0" * 40, "url": "", **rows_missing(found.missing)}
    assert said in Screen().tell_all(show_published(published))


def test_publishing_takes_the_rows_that_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, path = make_finished()
    cut_off(path)
    given: dict = {}

    class Stop(Exception):
        pass

    def publish_adapter(folder: Path, **options: object) -> None:
        given.update(options)
        raise Stop

    monkeypatch.setattr("lora_hub.hub.publish_adapter", publish_adapter)
    with pytest.raises(Stop):
        publishing.publish_adapter(runs.refresh_run(run_id), lambda *_, **__: None)
    assert [row.row for row in given["examples"]] == [1, 2, 3, 4, 5]
    assert given["examples"][0].prompt == "Text: message 1"


def test_rows_of_a_version_without_scores_are_judged_and_damaged_ones_are_left_out() -> None:
    run_id, path = make_finished()
    kept = ("row", "inputs", "reference", "base", "adapter")
    old = [{key: row[key] for key in kept} for row in map(json.loads, path.read_text().splitlines())]
    store.write_jsonl(path, [*old[:5], {**old[5], "base": None}])
    found = runs.read_held_out(run_id)
    assert [row.judgements["adapter"].score for row in found.rows] == [100.0] * 5 and "line 6" in found.missing.en
    (store.run_folder(run_id) / "spec.json").write_text("{")  # by which task nobody knows
    assert runs.refresh_run(run_id).state is RunState.DAMAGED and runs.read_held_out(run_id).rows == []


def test_scores_that_are_gone_are_told() -> None:
    """The line of the events that held them is damaged: the run is there, with its adapter, and says so."""
    run_id, _ = make_finished()
    events = store.events_file(run_id)
    lines = events.read_text().splitlines()
    events.write_text("\n".join("#" * 30 if '"exam"' in line else line for line in lines) + "\n")
    run = runs.refresh_run(run_id)
    assert run.state is RunState.SUCCEEDED and not run.metrics
    said = run_states.describe(run)
    assert "scores cannot be read" in said.en and "scores cannot be read" in render_runs.run_head(run, "en")
    check_sentence(said.fa)
    assert render_runs.result(run, "en") == ""


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda path: path.write_text("[]\n"), cut_off, lambda path: path.write_text("")]
)
def test_examples_of_the_base_are_taken_whole_or_not_at_all(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    path = tmp_path / run_rows.EXAMPLES
    store.write_jsonl(path, [{"inputs": {"text": text}, "answer": label} for text, label in sentiment_rows(4)])
    assert len(run_rows.read_examples(tmp_path, expected=4).rows) == 4
    damage(path)
    found = run_rows.read_examples(tmp_path, expected=4)
    assert found.rows == [] and "asked without them" in found.missing.en
    check_sentence(found.missing.fa)


def test_no_examples_were_shown_is_nothing_missing(tmp_path: Path) -> None:
    assert run_rows.read_examples(tmp_path, expected=0) == run_rows.Found([])
