"""Runs for real: SFTTrainer on the built-in base in a process of its own, killed, cancelled, resumed, published,
loaded."""

import contextlib
import io
import json
import math
import os
import signal
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from small_data import sentiment_rows, write_csv
from walked import calls_of

from lora_hub import compare, runs, use_cases
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.cli import main
from lora_hub.core import settings, store
from lora_hub.core.errors import BaseError, DataError, HubError, RunError, SpecError
from lora_hub.core.schema import BaseModel, HeldOutRow, Question, RunState
from lora_hub.hub import snippet
from lora_hub.people import LOCAL
from lora_hub.runs import run_data
from lora_hub.runs.runners import local

TASK = catalogue.get_task("sentiment")
QUICK = {"epochs": "3", "evaluations": "3", "max_held_out": "40"}


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs-home")


@pytest.fixture
def same_home(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One home for the tests that look at one finished run."""
    monkeypatch.setenv("LORA_HUB_HOME", str(shared_home))
    return shared_home


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "reviews.csv", sentiment_rows(160))


def plan(data: Path, **overrides: str) -> runs.Plan:
    return runs.plan_run(data, TASK, bases.get_base("built-in"), effort="quick", overrides={**QUICK, **overrides})


def test_too_few_steps_to_learn_from_are_told_before_the_start(data: Path) -> None:
    told = {steps: [one.code for one in plan(data, steps=steps).problems] for steps in ("6", "60")}
    assert "few-steps" in told["6"] and "few-steps" not in told["60"]


@pytest.fixture
def finished(same_home: Path, tmp_path: Path) -> str:
    """The id of one run that succeeded; made once."""
    known = store.list_run_ids()
    if known:
        return known[0]
    data = write_csv(tmp_path / "reviews.csv", sentiment_rows(240))
    run = runs.start_runs([plan(data, epochs="6").spec], environment={"HF_TOKEN_FOR_TEST": "hf_secretsecretsecret"})[0]
    run = runs.wait_for_run(run.id)
    assert run.state is RunState.SUCCEEDED, runs.read_log(run.id)
    return run.id


def wait_until(condition, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def test_the_adapter_learns_and_both_are_scored_on_the_same_held_out_rows(finished: str) -> None:
    run = runs.refresh_run(finished)
    base, adapter = run.metrics["base"]["accuracy"], run.metrics["adapter"]["accuracy"]
    assert adapter.value >= 90 and adapter.value > base.value + 20
    assert base.low <= base.value <= base.high and adapter.low <= adapter.value <= adapter.high
    rows = runs.read_held_out(finished).rows
    assert len(rows) == run.eval_rows > 10
    for who in ("base", "base_examples", "adapter"):
        right = sum(row.answers[who].text == row.reference for row in rows)
        assert (
            100 * right / len(rows) == pytest.approx(run.metrics[who]["accuracy"].value)
            and "calibration_error" in run.metrics[who]
        )
    # Nothing that was scored was trained on.
    spec = store.read_spec(finished)
    assert run.train_rows + run.eval_rows < spec.dataset.rows
    assert run.best_step > 0 and len(run.eval_losses) >= 2 and run.eval_losses[-1][1] < run.eval_losses[0][1]
    assert all(math.isfinite(loss) for _, loss in run.train_losses)


def printed_by_the_card(folder: Path, rows: list[HeldOutRow]) -> list[dict[str, float]]:
    """What the card's code prints for each row, with plain transformers and PEFT: label -> per cent."""
    record = json.loads((folder / "lora_hub.json").read_text(encoding="utf-8"))
    task = catalogue.task_from_dict(record["task"])
    code = snippet.write(task, repo_id=str(folder), base=str(bases.built_in_folder()), **record["asking"])
    loading, asking = code.split("inputs = ", 1)
    names: dict = {}
    exec(loading, names)
    found = []
    for row in rows:
        names["inputs"] = row.inputs
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(asking.split("\n", 1)[1], names)
        found.append({line.split("% ", 1)[1]: float(line.split("%")[0]) for line in out.getvalue().splitlines()})
    return found


def test_the_exam_the_panes_a_test_set_and_the_cards_code_give_one_answer(finished: str, tmp_path: Path) -> None:
    """The same rows, four ways: the exam wrote them down; panes and test set answer again, base and adapter; the card's
    code is plain transformers and PEFT on an untouched base."""
    folder = store.run_folder(finished) / "adapter"
    assert {"adapter_config.json", "adapter_model.safetensors", "lora_hub.json", "router.safetensors"} <= {
        file.name for file in folder.iterdir()
    }
    rows = runs.read_held_out(finished).rows[:12]
    comparer = compare.Comparer()
    for row in rows:
        events = list(comparer.stream([finished], Question(inputs=row.inputs, reference=row.reference)))
        assert [event.done for event in events] == [True, True]
        for who, event in zip(("base", "adapter"), events, strict=True):
            assert event.answer.text == row.answers[who].text and event.answer.text in ("bad", "good")
            assert event.answer.probabilities == pytest.approx(
                {"bad": 0.0, "good": 0.0} | row.answers[who].probabilities, abs=1e-3
            )
            assert event.judgement.right == row.judgements[who].right == (row.answers[who].text == row.reference)
    for row, printed in zip(rows, printed_by_the_card(folder, rows), strict=True):
        assert max(printed, key=printed.get) == row.answers["adapter"].text and set(printed) == {"bad", "good"}
        assert printed[row.answers["adapter"].text] == pytest.approx(100 * row.answers["adapter"].confidence, abs=0.2)


def test_free_text_is_only_written_where_it_is_asked_for(finished: str) -> None:
    comparer = compare.Comparer()
    prompt = {"text": "The soup number 5 was delicious."}
    written = {
        event.name: event.answer
        for event in comparer.stream([finished], Question(inputs=prompt, free_text=True, max_new_tokens=6))
        if event.done
    }
    assert (
        not written["base"].probabilities and not written[finished].probabilities and written[finished].text == "good"
    )
    chosen = {
        event.name: event.answer
        for event in comparer.stream([finished], Question(prompt="Anything at all"))
        if event.done
    }
    assert all(
        answer.text in ("good", "bad") and sum(answer.probabilities.values()) == pytest.approx(1)
        for answer in chosen.values()
    )


def test_the_record_names_labels_data_and_libraries_but_no_row_and_no_path(finished: str) -> None:
    text = (store.run_folder(finished) / "adapter" / "lora_hub.json").read_text(encoding="utf-8")
    record = json.loads(text)
    assert record["task"]["labels"] == ["bad", "good"] and record["dataset"]["mapping"] == {
        "text": "text",
        "answer": "label",
    }
    assert set(record["libraries"]) >= {"torch", "peft", "trl", "transformers"}
    assert "number" not in text and str(settings.home()) not in text and str(Path.cwd()) not in text


def test_no_secret_is_in_any_file_of_the_home(finished: str, same_home: Path) -> None:
    token = os.environ.get("HF_TOKEN", "")
    assert token, "the embedded Hub gives a token to look for"
    for file in same_home.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"hf_secretsecretsecret" not in content and token.encode() not in content, file


def test_publish_then_compare_from_the_hub(finished: str, hub) -> None:
    ref = runs.publish_run(finished, org=hub.organization, name="reviews").ref
    assert ref.repo_id == f"{hub.organization}/reviews" and "v1" in ref.versions
    assert runs.refresh_run(finished).adapter == ref
    comparer = compare.Comparer()
    events = [
        event
        for event in comparer.stream(
            [ref.repo_id, finished], Question(inputs={"text": "The soup number 5 was delicious."})
        )
        if event.done
    ]
    by_pane = {event.pane: event for event in events}
    assert [by_pane[i].name for i in range(3)] == ["base", ref.repo_id, finished]
    assert by_pane[1].answer.text == by_pane[2].answer.text == "good" and by_pane[1].revision == ref.revision
    assert by_pane[1].divergence is not None and by_pane[1].divergence.kl > 0 and by_pane[0].divergence is None


def test_the_shell_reads_what_a_run_left_once(finished: str, hub) -> None:
    def entered(*arguments: str) -> Counter[str]:
        return calls_of(lambda: statuses.append(main([*arguments, "--json"])))

    statuses: list[int] = []
    counted = entered("compare", "--adapter", finished, "--prompt", "The soup was delicious.")
    once = ("runs/looking.refresh_run", "hub/fetch.read_adapter_record", "compare/panes.find_here")
    assert {name: counted[name] for name in once} == dict.fromkeys(once, 1)
    counted = entered("publish", finished, "--org", hub.organization, "--name", "once")
    once = ("runs/looking.refresh_run", "runs/run_rows.read_held_out", "hub/fetch.read_adapter_record")
    assert {name: counted[name] for name in once} == dict.fromkeys(once, 1)
    assert statuses == [0, 0]


def test_compare_scores_a_file_as_the_run_did(finished: str, tmp_path: Path) -> None:
    rows = runs.read_held_out(finished).rows
    file = write_csv(tmp_path / "held.csv", [(row.inputs["text"], row.reference) for row in rows])
    scored = use_cases.score_file(LOCAL, compare.Comparer(), [finished], file)
    run = runs.refresh_run(finished)
    assert scored["rows"] == len(rows)
    for who, name in (("base", "base"), ("base_examples", "base_examples"), ("adapter", finished)):
        assert scored["metrics"][name]["accuracy"].value == pytest.approx(run.metrics[who]["accuracy"].value)
    assert scored["problems"] == []


def test_a_test_file_is_scored_without_examples_that_were_lost_and_says_so(finished: str, tmp_path: Path) -> None:
    rows = runs.read_held_out(finished).rows[:12]
    file = write_csv(tmp_path / "held.csv", [(row.inputs["text"], row.reference) for row in rows])
    examples = store.run_folder(finished) / "examples.jsonl"
    whole = examples.read_bytes()
    try:
        examples.write_bytes(whole[:-30])
        scored = use_cases.score_file(LOCAL, compare.Comparer(), [finished], file)
    finally:
        examples.write_bytes(whole)
    assert set(scored["metrics"]) == {"base", finished}
    assert [problem.code for problem in scored["problems"]] == ["examples_missing"] and "asked without them" in scored[
        "problems"
    ][0].message


def test_compare_says_which_labels_an_adapter_was_never_taught(finished: str, tmp_path: Path) -> None:
    rows = [(row.inputs["text"], row.reference) for row in runs.read_held_out(finished).rows]
    file = write_csv(tmp_path / "held.csv", [*rows, ("The lamp never came.", "lost"), ("Nor did the chair.", "lost")])
    scored = use_cases.score_file(LOCAL, compare.Comparer(), [finished], file, base=False)
    assert [problem.message for problem in scored["problems"]] == [
        "2 test rows have the label 'lost', which no training row has."
    ]
    other = write_csv(tmp_path / "other.csv", [(text, str(place % 2)) for place, (text, _) in enumerate(rows)])
    with pytest.raises(DataError, match="labels that no training row has: '0'"):
        use_cases.score_file(LOCAL, compare.Comparer(), [finished], other, base=False)


def test_a_split_is_scored_on_its_test_part(finished: str, tmp_path: Path) -> None:
    rows = [(row.inputs["text"], row.reference) for row in runs.read_held_out(finished).rows]
    test = write_csv(tmp_path / "test.csv", rows[:9])
    packed = tmp_path / "split.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(write_csv(tmp_path / "train.csv", sentiment_rows(60)), "data/train.csv")
        archive.write(test, "data/test.csv")
    scored, alone = (
        use_cases.score_file(LOCAL, compare.Comparer(), [finished], file, base=False) for file in (packed, test)
    )
    assert scored["rows"] == 9 and scored["metrics"] == alone["metrics"]
    assert [problem.message for problem in scored["problems"]] == [
        "The file holds a train and a test part: the 9 rows of the test part are scored, the 60 to train on are not."
    ]
    # So is one that is brought to `train --test`, when the run reads it again, too.
    spec = runs.plan_run(
        write_csv(tmp_path / "own.csv", sentiment_rows(80)), TASK, bases.get_base("built-in"), test_file=packed
    ).spec
    assert spec.test_dataset.rows == 9
    assert sorted((example.inputs["text"], example.answer) for example in run_data.read_split(spec)[1].test) == sorted(
        rows[:9]
    )


def test_a_finished_run_without_its_history_has_its_scores_and_answers(finished: str) -> None:
    """events.jsonl was emptied: the run was told as killed, and could be neither asked nor published."""
    events, before = store.events_file(finished), runs.refresh_run(finished)
    text = runs.read_held_out(finished).rows[0].inputs["text"]
    whole = events.read_bytes()
    try:
        events.write_bytes(b"")
        run = runs.refresh_run(finished)
        counts = (
            "file_rows",
            "train_rows",
            "validation_rows",
            "eval_rows",
            "left_out",
            "best_step",
            "metrics",
            "comparison",
            "adapter_folder",
        )
        assert (
            run.state is RunState.SUCCEEDED
            and run.notes
            and all(getattr(run, key) == getattr(before, key) for key in counts)
        )
        panes = [
            event
            for event in compare.Comparer().stream([finished], Question(base=False, inputs={"text": text}))
            if event.done
        ]
        assert panes[0].answer.text in ("good", "bad") and len(runs.read_held_out(finished).rows) == before.eval_rows
    finally:
        events.write_bytes(whole)


def test_a_run_that_succeeded_cannot_be_resumed_or_cancelled(finished: str) -> None:
    with pytest.raises(RunError, match="succeeded"):
        runs.resume_run(finished)
    with pytest.raises(RunError, match="ended already"):
        runs.cancel_run(finished)


def test_publish_fails_in_words_when_the_hub_is_down_and_works_later(
    finished: str, hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    with monkeypatch.context() as down:
        down.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
        down.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        with pytest.raises(HubError) as caught:
            runs.publish_run(finished, org=hub.organization, name="later")
        assert "127.0.0.1:9" in str(caught.value) and caught.value.hint
    assert (store.run_folder(finished) / "adapter" / "adapter_model.safetensors").is_file()
    assert runs.publish_run(finished, org=hub.organization, name="later").ref.repo_id.endswith("/later")


def test_killed_worker_is_lost_then_resumed_from_its_checkpoint(data: Path) -> None:
    started = runs.start_runs([plan(data, steps="60", evaluations="20", patience="0").spec])[0]
    checkpoints = store.run_folder(started.id) / "checkpoints"
    wait_until(lambda: len(list(checkpoints.glob("checkpoint-*/trainer_state.json"))) >= 1)
    os.kill(started.handle["pid"], signal.SIGKILL)
    # The lock goes with the last of its threads, which may be a moment after its first.
    wait_until(lambda: runs.refresh_run(started.id).state.is_final)
    lost = runs.refresh_run(started.id)
    assert not local.is_alive(started.handle)
    assert lost.state is RunState.LOST and "killed" in lost.error.message and "Resume" in lost.error.hint
    before = lost.step
    assert before > 0
    resumed = runs.wait_for_run(runs.resume_run(started.id).id)
    assert resumed.state is RunState.SUCCEEDED and resumed.error is None, runs.read_log(started.id)
    progress = [
        event.data["step"] for event in store.read_events(started.id) if event.kind == "metric" and "loss" in event.data
    ]
    after_resume = progress[progress.index(max(p for p in progress if p <= before)) + 1 :]
    assert after_resume and min(after_resume) > 1, "it began anew instead of going on"


def test_cancel_ends_clearly_and_a_second_run_waits_for_its_turn(data: Path) -> None:
    first = runs.start_runs([plan(data, steps="100000", patience="0").spec])[0]
    second = runs.start_runs([plan(data, steps="100000", patience="0", seed="7").spec])[0]
    wait_until(lambda: runs.refresh_run(first.id).step > 0 or runs.refresh_run(second.id).step > 0)
    running, waiting = (first, second) if runs.refresh_run(first.id).step else (second, first)
    assert runs.refresh_run(waiting.id).state is RunState.QUEUED
    gone = runs.cancel_run(waiting.id)
    assert gone.state is RunState.CANCELLED
    ended = runs.cancel_run(running.id)
    assert ended.state is RunState.CANCELLED and ended.step > 0
    wait_until(lambda: not local.is_alive(running.handle), 20)
    assert list((store.run_folder(running.id) / "checkpoints").parent.glob("log.txt"))


def test_bad_data_is_refused_before_anything_starts(tmp_path: Path) -> None:
    one_class = write_csv(tmp_path / "one.csv", [(f"text {i}", "ham") for i in range(40)])
    with pytest.raises(DataError, match="same answer|one class|only"):
        found = plan(one_class)
        assert found.errors
        raise DataError(found.errors[0].message)
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(DataError):
        plan(empty)
    with pytest.raises(DataError, match="nowhere"):
        runs.plan_run(
            write_csv(tmp_path / "x.csv", sentiment_rows(40)),
            TASK,
            bases.get_base("built-in"),
            mapping={"text": "nowhere", "answer": "label"},
        )
    with pytest.raises(SpecError):
        plan(write_csv(tmp_path / "y.csv", sentiment_rows(40)), nonsense="1")
    assert store.list_run_ids() == []


def test_a_base_too_large_for_the_memory_is_refused_with_both_figures(data: Path) -> None:
    huge = BaseModel(id="some/huge", parameters=2_000_000_000_000, hidden_size=16384, context=4096)
    spec = plan(data).spec.model_copy(update={"base": huge})
    with pytest.raises(BaseError, match=r"some/huge needs about .* GB .* this machine has"):
        runs.start_runs([spec])


def test_answers_that_would_be_cut_away_end_the_run_in_words(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "long.csv", [(f"{i} " + "word " * 300, "good" if i % 2 else "bad") for i in range(40)])
    run = runs.wait_for_run(runs.start_runs([plan(data, max_length="64").spec])[0].id)
    assert run.state is RunState.FAILED
    assert "longer than max_length = 64" in run.error.message and "max_length" in run.error.hint
    assert "Traceback" not in run.error.message
