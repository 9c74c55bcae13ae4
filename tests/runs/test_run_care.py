"""Many runs: names and tags, finding them, what is taken away of one, and the same settings again."""

import csv
import io
import json
from pathlib import Path

import pytest
import yaml
from persian import refused
from small_data import held_out_row, sentiment_rows, write_csv
from test_run_folders import FAILED, WORKER, make_run, started

from lora_hub import cli, runs, use_cases
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import events, store
from lora_hub.core.errors import AccessError, RunError, SpecError
from lora_hub.core.schema import Judgement, Mend, TrainSpec
from lora_hub.people import LOCAL, Person
from lora_hub.runs import pipeline, run_rows

WILL, EVE = (Person(id=name, roles={"lora-hub": "write"}, token="") for name in ("will", "eve"))


def run_of(owner: str, visibility: str = "private", **changes: object) -> str:
    return make_run(("app-1", "submitted", {"owner": owner, "visibility": visibility}), *FAILED, **changes)


def test_a_run_gets_a_name_and_tags_as_events_of_its_own() -> None:
    run_id = run_of("will")
    before = store.events_file(run_id).read_bytes()
    assert use_cases.rename_run(WILL, run_id, "  Night \u202eshift\n2 ").name == "Night shift 2"
    assert use_cases.tag_run(WILL, run_id, ["#شب", "night,run", " Night Run ", ""]).tags == ("شب", "night run")
    after = store.events_file(run_id).read_bytes()
    assert after.startswith(before) and len(after.splitlines()) == len(before.splitlines()) + 2
    assert use_cases.rename_run(WILL, run_id, "Night shift 2").name and store.events_file(run_id).read_bytes() == after
    with refused(SpecError, match="too long"):
        use_cases.rename_run(WILL, run_id, "x" * (events.MOST_NAME + 1))
    with refused(SpecError, match="too long"):
        use_cases.tag_run(WILL, run_id, ["x" * (events.MOST_TAG + 1)])
    with refused(SpecError, match="13 tags"):
        use_cases.tag_run(WILL, run_id, [f"t{place}" for place in range(13)])
    with refused(RunError):
        use_cases.rename_run(EVE, run_id, "mine")
    assert use_cases.rename_run(WILL, run_id, "").name == "" and use_cases.tag_run(WILL, run_id, []).tags == ()
    # a line that somebody else wrote is bounded when it is read
    log = events.EventLog(store.events_file(run_id), "app-9")
    log.append("renamed", name="y" * 9000)
    log.append("tagged", tags=["z" * 9000] * 9000)
    run = use_cases.refresh_run(WILL, run_id)
    assert (
        len(run.name) == events.MOST_NAME and len(run.tags) == events.MOST_TAGS and len(run.tags[0]) == events.MOST_TAG
    )


def test_runs_are_found_by_what_is_known_of_them_and_only_those_one_may_see() -> None:
    mine, shared, hidden = run_of("will"), run_of("eve", "organization", name="يک‌شب"), run_of("eve")
    use_cases.tag_run(EVE, hidden, ["secret"])
    use_cases.tag_run(EVE, shared, ["Baseline"])

    def find(person: Person = WILL, **wanted: object) -> set[str]:
        return {run.id for run in use_cases.find_runs(person, runs.Wanted(**wanted))}

    assert find() == {mine, shared} and find(EVE, tags=("secret",)) == {hidden} and find(tags=("secret",)) == set()
    assert find(search="یک شب") == {shared}, "two keyboards write it in two ways"
    assert find(search="SPAM x.csv") == {mine, shared} and find(search="loss nan eve") == {shared}
    assert find(states=("failed",), owners=("will",)) == {mine} and find(states=("succeeded", "lost")) == set()
    assert find(tags=("baseline", "other")) == {shared} and find(tasks=("spam",), bases=("built-in",)) == {mine, shared}
    assert find(LOCAL) == {mine, shared, hidden}
    with refused(SpecError, match="'asleep'"):
        runs.Wanted(states=("asleep",))
    page = runs.Wanted.of("x", ["state failed", "state made-up", "tag a b", "nothing"])
    assert (page.states, page.tags, page.is_all) == (("failed",), ("a b",), False) and runs.Wanted.of(" ", []).is_all


def test_the_settings_in_which_runs_differ_are_told_and_no_others() -> None:
    one, other = run_of("will"), run_of("will", lr=0.5, effort="quick")
    found, differing = use_cases.compare_runs(WILL, [one, other, one])
    assert [run.id for run in found] == [one, other]
    assert {name: values[1] for name, values in differing} == {"effort": "quick", "lr": "0.5"}
    for wrong in ([one], [f"r{place}" for place in range(9)]):
        with refused(SpecError, match="cannot stand beside"):
            use_cases.compare_runs(WILL, wrong)


def test_metrics_rows_and_log_are_taken_away(capsys: pytest.CaptureFixture) -> None:
    told = {"loss": 1.5, "lr": 0.01, "grad_norm": 2.0, "tokens_second": 640.5, "memory": 10**8}
    run_id = make_run(
        started(),
        (WORKER, "metric", {"step": 0, "eval_loss": 3.0}),
        (WORKER, "metric", {"step": 1, **told}),
        (
            WORKER,
            "exam",
            {"metrics": {"adapter": {"accuracy": {"value": 90.0, "low": 80.0, "high": 95.0}}}, "eval_rows": 1},
        ),
    )
    row = held_out_row(7, {"text": "=1+1"}, "spam", {"adapter": {"spam": 0.9, "ham": 0.1}}, base="ham", adapter="@spam")
    judged = {
        who: Judgement(metric="accuracy", score=score, right=None) for who, score in (("base", 0.0), ("adapter", 100.0))
    }
    run_rows.write_held_out(store.run_folder(run_id), [row.model_copy(update={"judgements": judged})])
    store.log_file(run_id).write_text("[10:00:00] begun\n")
    metrics = list(csv.DictReader(io.StringIO(use_cases.export_run(LOCAL, run_id, "metrics").text)))
    assert (
        [line["step"] for line in metrics] == ["0", "1"]
        and metrics[0]["loss"] == ""
        and metrics[1]["memory"] == "100000000.0"
    )
    (line,) = csv.DictReader(io.StringIO(use_cases.export_run(LOCAL, run_id, "rows").text))
    assert (line["row"], line["text"], line["adapter"], line["base"]) == ("7", "'=1+1", "'@spam", "ham")
    assert (line["adapter: score"], line["base: confidence"], line["reference"]) == ("100.0", "", "spam")
    assert use_cases.export_run(LOCAL, run_id, "log").text.strip() == "[10:00:00] begun"
    with refused(SpecError, match="no file called 'weights'"):
        use_cases.export_run(LOCAL, run_id, "weights")
    with refused(RunError, match="no losses"):
        use_cases.export_run(LOCAL, make_run(started()), "metrics")
    assert cli.main(["runs", "export", run_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"][1]["grad_norm"] == 2.0
    assert cli.main(["runs", "export", run_id, "--what", "log"]) == 0 and "begun" in capsys.readouterr().out
    shared = run_of("eve", "organization")
    store.log_file(shared).write_text("/home/eve")
    assert use_cases.export_run(WILL, shared, "log").text == "", "the log tells of the machine"
    with refused(AccessError):
        use_cases.rename_run(WILL, shared, "mine")


OWN = {
    "id": "tone",
    "title": {"en": 'Tone: "of"\na review', "fa": "لحن"},
    "instruction": {"en": "Is it {kind}? [good, bad]"},
    "inputs": ["text", "shop"],
    "optional_inputs": ["shop"],
    "output": "labels",
}


@pytest.mark.parametrize("own", [False, True])
def test_settings_as_yaml_make_the_same_run_again(own: bool, tmp_path: Path) -> None:
    """Through the file, the pipeline's reader and its plan: the same spec."""
    data = write_csv(tmp_path / "reviews: 1.csv", sentiment_rows(60))
    test = write_csv(tmp_path / "test.csv", sentiment_rows(20, 9))
    task = catalogue.task_from_dict(OWN) if own else catalogue.get_task("sentiment")
    spec: TrainSpec = runs.plan_run(
        data,
        task,
        bases.get_base("built-in"),
        mapping={"text": "text", "answer": "label"},
        mends=[Mend(kind="relabel", values={"good": "fine"})],
        effort="quick",
        overrides={"lora.targets": "q_proj,v_proj", "lr": "0.00321", "seed": "7", "sweep": "3", "lora.rslora": "true"},
        test_file=test,
        name="my-tone",
        minimum={"accuracy": 40.0},
        publish_private=True,
    ).spec
    text = use_cases.export_run(LOCAL, store.create_run(spec), "settings").text
    (entry,) = pipeline.read_pipeline(_write(tmp_path / "again.yaml", text)).entries
    again = pipeline._plan(entry, pipeline.read_pipeline(tmp_path / "again.yaml"), "", False, None, {})
    assert again.spec == spec
    assert runs.changed_settings(spec).keys() == {"lora.targets", "lr", "seed", "sweep", "lora.rslora"}


def test_data_that_is_gone_is_told_and_no_place_of_this_machine(tmp_path: Path) -> None:
    run_id = run_of("will")
    text = use_cases.export_run(WILL, run_id, "settings").text
    assert "'x.csv' is not on this machine any more" in text and str(store.run_folder(run_id).parents[1]) not in text
    assert yaml.safe_load(text)["tasks"][0]["data"] == "x.csv"
    hidden = run_of("eve")
    with refused(RunError):
        use_cases.export_run(WILL, hidden, "settings")


def test_the_shell_finds_names_and_compares(capsys: pytest.CaptureFixture) -> None:
    one, other = make_run(*FAILED), make_run(*FAILED, lr=0.5)

    def call(*arguments: str) -> tuple[int, str]:
        status = cli.main(["runs", *arguments])
        printed, told = capsys.readouterr()
        return status, printed + told

    assert call("rename", one, "--name", "Night")[0] == 0 and call("tag", one, "--tag", "a b", "--tag", "c")[0] == 0
    status, shown = call()
    assert status == 0 and "Night #a b #c" in shown and other in shown
    assert other not in call("--tag", "C")[1] and one not in call("--search", other)[1]
    assert json.loads(call("--state", "failed", "--json")[1])["runs"][1]["tags"] == ["a b", "c"]
    assert "No run fits" in call("--tag", "z")[1]
    status, shown = call("compare", one, other)
    assert status == 0 and "lr" in shown and "0.5" in shown and "epochs" not in shown
    assert (
        call("--state", "asleep")[0] == 2 and call("show", one, "--tag", "x")[0] == 2 and call("compare", one)[0] == 2
    )


def _write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file
