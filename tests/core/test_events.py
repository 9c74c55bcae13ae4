"""Events are appended, and folding them gives a run."""

import json
import multiprocessing
from pathlib import Path

import pytest

from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import events
from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, _n
from lora_hub.core.schema import DatasetInfo, Run, RunState, TrainSpec
from lora_hub.training import recipe


@pytest.fixture
def spec() -> TrainSpec:
    info = DatasetInfo(fingerprint="0" * 16, name="x.csv", rows=100, columns=("text", "answer"), format="csv")
    return recipe.make_spec(
        catalogue.get_task("spam"), bases.get_base("built-in"), info, {"text": "text", "answer": "answer"}
    )


def write_many(path: str, source: str) -> None:
    log = events.EventLog(Path(path), source)
    for step in range(200):
        log.append("metric", step=step, loss=0.5, note="گزارش " * 20)


def test_two_writers_never_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    writers = [
        multiprocessing.get_context("spawn").Process(target=write_many, args=(str(path), name)) for name in ("a", "b")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = events.parse_lines(path.read_text(encoding="utf-8").splitlines())
    assert len(found) == 400
    for name in ("a", "b"):
        assert [event.seq for event in found if event.source == name] == list(range(200))


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    log = events.EventLog(tmp_path / "e.jsonl", "w")
    log.append("state", state="running")
    with (tmp_path / "e.jsonl").open("a") as file:
        file.write('{"source":"w","seq":1,"at":1.0,"kind":"st')
    assert [event.seq for event in events.parse_lines((tmp_path / "e.jsonl").read_text().splitlines())] == [0]


def fold(spec: TrainSpec, tmp_path: Path, *made: tuple[str, dict]) -> Run:
    log = events.EventLog(tmp_path / "events.jsonl", "w")
    for kind, data in made:
        log.append(kind, **data)
    folding = events.Folding()
    for event in events.parse_lines((tmp_path / "events.jsonl").read_text().splitlines()):
        folding.add(event.model_dump())
    return folding.run("r", spec)


def test_a_whole_run_folds(spec: TrainSpec, tmp_path: Path) -> None:
    score = {"value": 90.0, "low": 85.0, "high": 95.0}
    run = fold(
        spec,
        tmp_path,
        ("submitted", {"owner": "sara", "runner": "local"}),
        ("state", {"state": "queued", "handle": {"pid": 1}}),
        ("state", {"state": "running"}),
        ("progress", {"phase": "training", "step": 3, "total": 10, "eta": 4.0}),
        ("metric", {"step": 1, "loss": 1.75, "lr": None, "memory": float("inf")}),
        ("metric", {"step": 3, "loss": 1.5, "lr": 0.01, "grad_norm": 2.0, "tokens_second": 640.5, "memory": 10**8}),
        ("metric", {"step": 3, "eval_loss": 1.25, "lr": 7.0}),
        ("exam", {"train_rows": 80, "eval_rows": 20, "note": "2 rows left out", "note_fa": "2 سطر کنار رفت"}),
        ("exam", {"note": "said before notes had their Persian"}),
        ("exam", {"metrics": {"base": {"accuracy": score}, "adapter": {"accuracy": score}}}),
        ("adapter", {"folder": "adapter", "best_step": 3}),
        ("state", {"state": "succeeded"}),
    )
    assert (run.owner, run.state, run.step, run.total_steps, run.handle) == (
        "sara",
        RunState.SUCCEEDED,
        3,
        10,
        {"pid": 1},
    )
    assert run.train_losses == ((1, 1.75), (3, 1.5)) and run.eval_losses == ((3, 1.25),)
    assert run.measures == {
        "lr": ((3, 0.01),),
        "grad_norm": ((3, 2.0),),
        "tokens_second": ((3, 640.5),),
        "memory": ((3, 1e8),),
    }
    assert run.comparison is None  # a run from before there were paired tests
    assert run.metrics["adapter"]["accuracy"].high == 95.0 and tuple(map(str, run.notes)) == (
        "2 rows left out",
        "said before notes had their Persian",
    )
    assert [note.fa for note in run.notes] == ["2 سطر کنار رفت", "said before notes had their Persian"]
    assert run.adapter_folder == "adapter" and run.ended >= run.started > 0 and run.eta is None


def test_what_is_said_travels_as_a_message_and_older_versions_texts_are_still_told(
    spec: TrainSpec, tmp_path: Path
) -> None:
    said = _n("{count:,} row", "{count:,} rows", count=1200)
    broken = DataError(_("There is no file {path!r}."), _("Check the path, or upload the file again."), path="a.csv")
    run = fold(
        spec,
        tmp_path,
        ("exam", {"note": said}),
        ("exam", {"note": said}),
        ("error", {"message": broken.said, "hint": broken.advice}),
    )
    assert run.notes == (said,) and run.notes[0].fa == "۱٬۲۰۰ سطر"
    assert run.error.to_json() == {
        "message": "There is no file 'a.csv'.",
        "hint": "Check the path, or upload the file again.",
    }
    assert (
        run.error.said.fa == "فایلی در «a.csv» نیست."
        and Run.model_validate_json(run.model_dump_json()).error == run.error
    )
    (tmp_path / "older").mkdir()
    older = {"message": "Broken.", "hint": "Mend it.", "message_fa": "خراب است.", "hint_fa": ""}
    run = fold(
        spec,
        tmp_path / "older",
        ("exam", {"note": {"en": "Two rows.", "fa": "دو سطر."}}),
        ("exam", {"note": {"sentence": "{"}}),
        ("error", older),
    )
    assert (run.notes[0].en, run.notes[0].fa) == ("Two rows.", "دو سطر.")
    assert "1 of this run's events is not known" in run.notes[1].en  # a note that is none
    assert (run.error.said.fa, run.error.advice.fa, run.error.message) == ("خراب است.", "Mend it.", "Broken.")


def test_lost_does_not_undo_what_the_worker_said(spec: TrainSpec, tmp_path: Path) -> None:
    run = fold(
        spec, tmp_path, ("state", {"state": "running"}), ("state", {"state": "succeeded"}), ("state", {"state": "lost"})
    )
    assert run.state is RunState.SUCCEEDED


def test_resuming_clears_the_error(spec: TrainSpec, tmp_path: Path) -> None:
    run = fold(
        spec,
        tmp_path,
        ("error", {"message": "m", "hint": "h"}),
        ("state", {"state": "failed"}),
        ("state", {"state": "queued", "attempt": 2}),
    )
    assert run.state is RunState.QUEUED and run.error is None and run.ended == 0


def test_only_known_kinds_are_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        events.EventLog(tmp_path / "e.jsonl", "w").append("nonsense")  # type: ignore[arg-type]


def test_lines_are_json_with_persian_as_it_is(tmp_path: Path) -> None:
    event = events.EventLog(tmp_path / "e.jsonl", "w").append("exam", note="سلام")
    line = events.to_line(event)
    assert "سلام" in line and json.loads(line)["data"] == {"note": "سلام"}
