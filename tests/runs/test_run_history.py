"""A run whose history, `events.jsonl`, is incomplete: what can be known is shown, and what cannot is reported."""

import json
from pathlib import Path

import pytest
from persian import check_persian, check_sentence
from test_run_folders import FAILED, WORKER, fold, make_run, started

from lora_hub import cli, runs
from lora_hub.core import events, store
from lora_hub.core.errors import LoraHubError
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import RunState
from lora_hub.runs import run_history, run_states


def test_a_run_is_at_the_latest_step_that_anything_was_said_of() -> None:
    """Progress is told twice a second: a run that was killed had done the step whose loss it told."""
    begun = (WORKER, "progress", {"phase": "training", "step": 79, "total": 160})
    assert fold(started(), begun, (WORKER, "metric", {"step": 81, "eval_loss": 0.5})).step == 81
    assert fold(started(), begun, (WORKER, "metric", {"step": 70, "loss": 0.5})).step == 79
    resumed = fold(
        started(),
        begun,
        ("app-2", "state", {"state": "queued", "attempt": 2}),
        (WORKER, "progress", {"phase": "training", "step": 54, "total": 160}),
    )
    assert resumed.step == 54, "a resumed run goes back to its checkpoint"


# --- a history that is damaged ---

SCORE = {"value": 90.0, "low": 80.0, "high": 95.0, "rows": 52}


def leave_adapter(run_id: str, of: str = "") -> Path:
    """What a run has in its folder when it is trained and scored."""
    folder = store.run_folder(run_id) / "adapter"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"x")
    counts = {"file_rows": 400, "train_rows": 320, "validation_rows": 28, "eval_rows": 52, "left_out": 0}
    record = {
        "version": 1,
        "run": of or run_id,
        "dataset": counts,
        "metrics": {"base": {"accuracy": SCORE}, "adapter": {"accuracy": SCORE}},
        "best_step": 81,
    }
    (folder / "lora_hub.json").write_text(json.dumps(record))
    return folder


def finish(run_id: str) -> None:
    log = events.EventLog(store.events_file(run_id), WORKER)
    log.append("exam", metrics={"adapter": {"accuracy": SCORE}})
    log.append("adapter", folder="adapter", best_step=81)
    log.append("state", state="succeeded")


def damage(run_id: str, how: str) -> None:
    file = store.events_file(run_id)
    lines = file.read_bytes().splitlines(keepends=True)
    if how == "missing":
        file.unlink()
        return
    file.write_bytes(
        {
            "empty": b"",
            "zeros": b"\0" * 900,
            "noise": b"\xff\x00\x1b[noise\n" * 40,
            "other JSON": b'{"a": 1}\n[2]\n',
            "cut": b"".join(lines[:3]),
            "end is noise": b"".join(lines[:3]) + b"\xfe" * 80 + b"\n\xfd\n",
        }[how]
    )


TOLD = {
    "missing": "its events.jsonl is missing",
    "empty": "its events.jsonl is empty",
    "zeros": "nothing in its events.jsonl can be read",
    "noise": "nothing in its events.jsonl can be read",
    "other JSON": "nothing in its events.jsonl can be read",
    "end is noise": "the last lines of its events.jsonl cannot be read",
    "cut": "its events.jsonl does not tell of them",
}


@pytest.mark.parametrize("how", TOLD)
def test_a_finished_run_whose_history_is_damaged_is_trained_and_scored(how: str, capsys: pytest.CaptureFixture) -> None:
    """It was told as killed, most often because the memory ran out."""
    run_id = make_run(started())
    leave_adapter(run_id)
    finish(run_id)
    damage(run_id, how)
    for run in (runs.refresh_run(run_id), runs.list_runs(RunReader())[0]):
        assert (
            run.state is RunState.SUCCEEDED
            and run.error is None
            and run.adapter_folder == "adapter"
            and run.best_step == 81
        )
        assert run.metrics["adapter"]["accuracy"].low == 80.0 and (run.file_rows, run.eval_rows) == (400, 52)
        assert any(TOLD[how] in note.en and "lora_hub.json" in note.en for note in run.notes), run.notes
        for note in [one.fa for one in run.notes]:
            check_sentence(note)
        assert run.created > 1e9
    assert cli.main(["runs", "show", run_id]) == 0
    shown = capsys.readouterr().out
    assert (
        "killed" not in shown
        and "succeeded" in shown
        and TOLD[how] in shown
        and "90.0 (80.0 to 95.0)" in shown
        and "step 0 of 0" not in shown
    )


@pytest.mark.parametrize("how", ["missing", "empty", "zeros", "noise", "end is noise"])
@pytest.mark.parametrize("left", ["nothing", "a checkpoint", "an adapter of another run", "a record that is cut"])
def test_a_run_whose_end_cannot_be_read_says_so_and_how_to_go_on(how: str, left: str) -> None:
    run_id = make_run(started())
    folder = store.run_folder(run_id)
    if left == "an adapter of another run":
        leave_adapter(run_id, of="spam-other")
    elif left == "a record that is cut":
        (leave_adapter(run_id) / "lora_hub.json").write_text('{"run": "' + run_id)
    else:
        for name in ("checkpoint-27", "checkpoint-54") if left == "a checkpoint" else ():
            (folder / "checkpoints" / name).mkdir(parents=True)
            (folder / "checkpoints" / name / "trainer_state.json").write_text("{}")
    damage(run_id, how)
    run = runs.refresh_run(run_id)
    assert (
        run.state is RunState.LOST
        and run.error.message == f"This run's history is damaged, so how it ended is not known: {TOLD[how]}."
    )
    assert ("last checkpoint, step 54" if left == "a checkpoint" else "begins anew") in run.error.hint
    assert (f"An adapter of it lies in {folder}/adapter." in run.error.hint) == (folder / "adapter").is_dir()
    check_persian(LoraHubError(run.error.said, run.error.advice))


def test_a_run_killed_after_its_exam_is_trained_and_publishing_goes_on_where_it_was() -> None:
    """Killed between the record and the words about it: what is done is not done again, and what was resumed has a
    whole history."""
    run_id = make_run(started(), publish_to="lora-hub")
    leave_adapter(run_id)
    told, lost = store.read_run(run_id), runs.refresh_run(run_id)
    assert lost.state is RunState.LOST and "only publishing is left" in lost.error.hint
    run_history.heal(told, lost, events.app_log(store.events_file(run_id)).append)
    healed = store.read_run(run_id)
    assert (
        healed.adapter_folder == "adapter"
        and healed.metrics == lost.metrics
        and healed.best_step == 81
        and healed.left_out == 0
    )
    size = store.events_file(run_id).stat().st_size
    run_history.heal(healed, runs.refresh_run(run_id), events.app_log(store.events_file(run_id)).append)
    assert store.events_file(run_id).stat().st_size == size, "what is told is not told twice"
    assert not any("damaged" in note.en for note in runs.refresh_run(run_id).notes)


def test_scores_whose_line_is_damaged_are_those_of_the_record() -> None:
    run_id = make_run(started())
    leave_adapter(run_id)
    finish(run_id)
    file = store.events_file(run_id)
    file.write_bytes(
        b"".join(
            line if b'"metrics"' not in line else line[:40] + b"\n"
            for line in file.read_bytes().splitlines(keepends=True)
        )
    )
    run = runs.refresh_run(run_id)
    assert run.state is RunState.SUCCEEDED and run.metrics["adapter"]["accuracy"].value == 90.0
    assert [
        note for note in run.notes if note.en.startswith("Line 4 of this run's events.jsonl cannot be read")
    ] and "lora_hub.json" in run.notes[-1].en


def test_a_run_killed_between_its_training_and_its_exam_goes_on_with_the_exam() -> None:
    """Its last checkpoint is its end: it said "goes on from step 20" of 20."""
    told = [(WORKER, "progress", {"phase": "training", "step": step, "total": 20}) for step in (10, 20)]
    looks = [(WORKER, "metric", {"step": step, "eval_loss": 1.0}) for step in (10, 20)]
    run_id = make_run(started(), *told, *looks)
    lost = runs.refresh_run(run_id)
    assert (
        lost.state is RunState.LOST
        and lost.error.hint == "Resume the run: it is trained, and goes on with its scoring."
    )
    check_persian(LoraHubError(lost.error.said, lost.error.advice))
    before = fold(started(), *told, *looks, ("app-2", "state", {"state": "queued", "attempt": 2}))
    said = run_states.describe(before, before.last_event)
    assert "trained, and goes on with its scoring" in said.en and "from step" not in said.en
    check_sentence(said.fa)
    assert "last checkpoint, step 10" in runs.refresh_run(make_run(started(), *told, looks[0])).error.hint
    # Of settings that are tried at once, too, which tell their losses as theirs.
    tried = [(WORKER, "sweep", {"candidates": [{"lr": 1e-3, "r": 8, "alpha": 16}] * 2})]
    tried += [(WORKER, "sweep", {"number": place, "step": step, "eval_loss": 1.0}) for place, step in ((0, 6), (1, 4))]
    assert "last checkpoint, step 6" in runs.refresh_run(make_run(started(), *tried)).error.hint


# --- lines that cannot be read ---


@pytest.mark.parametrize("count", [1, 2, 7])
def test_lines_that_cannot_be_read_are_counted_and_named(count: int) -> None:
    run_id = make_run(started(), *FAILED)
    file = store.events_file(run_id)
    lines = file.read_bytes().splitlines(keepends=True)
    assert runs.refresh_run(run_id).notes == ()
    file.write_bytes(b"".join([*lines[:2], b"\n", *[b'{"kind": "metric", "da\n'] * count, *lines[2:]]))
    run = runs.refresh_run(run_id)
    assert run.state is RunState.FAILED and run.error.message == "The loss became nan."
    (said,) = run.notes
    note, note_fa = said.en, said.fa
    assert note.startswith(
        {
            1: "Line 4 of this run's events.jsonl cannot be read",
            2: "2 lines of this run's events.jsonl cannot be read (4, 5):",
            7: "7 lines of this run's events.jsonl cannot be read (4, 5, 6, 7, 8, ...):",
        }[count]
    )
    check_sentence(note_fa)


def test_a_run_that_was_killed_twice_while_it_wrote_is_still_told_as_killed() -> None:
    """A line that a crash cut off, with more after it, says nothing of how the run ended."""
    run_id = make_run(started())
    with store.events_file(run_id).open("ab") as file:
        file.write(b'{"source":"worker-7-1","se\n')
    events.app_log(store.events_file(run_id)).append("state", state="queued", attempt=2)
    run = runs.refresh_run(run_id)
    assert run.state is RunState.LOST and "killed" in run.error.message and "Line 4" in run.notes[0].en


# --- a newer version's ---


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 2}, "version 2 of its form"),
        ({"version": "2"}, "version 2 of its form"),
        ({"version": 2.1}, "version 2.1 of its form"),
        ({"optimizer": "x"}, "it has optimizer"),
        ({"optimizer": "x", "lr": {"peak": 1e-4}}, "it has optimizer"),
        ({"version": 3, "task": None, "base": "new"}, "version 3 of its form"),
    ],
)
def test_a_run_of_a_newer_version_is_told_as_that(change: dict, told: str, capsys: pytest.CaptureFixture) -> None:
    run_id = make_run(started())
    spec = store.run_folder(run_id) / "spec.json"
    spec.write_text(json.dumps({**json.loads(spec.read_text()), **change}))
    run = runs.refresh_run(run_id)
    assert run.is_newer and told in run.error.message and "Update LoRA Hub" in run.error.hint
    check_persian(LoraHubError(run.error.said, run.error.advice))
    assert cli.main(["runs"]) == 0
    shown = capsys.readouterr().out
    assert "newer version" in shown.splitlines()[1] and "damaged" not in shown and "Update LoRA Hub" in shown
    assert cli.main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["newer"] is True


def test_a_spec_that_is_damaged_is_not_told_as_newer() -> None:
    for change in ({"version": "x"}, {"version": 0}, {"version": None}, {"lr": -3}):
        run_id = make_run(started())
        spec = store.run_folder(run_id) / "spec.json"
        spec.write_text(json.dumps({**json.loads(spec.read_text()), **change}))
        run = runs.refresh_run(run_id)
        assert run.state is RunState.DAMAGED and not run.is_newer and "is damaged" in run.error.message
