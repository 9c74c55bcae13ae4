"""What the shell refuses before it costs anything, and how it reports completed work that is not good enough."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sample_adapters import make_spec
from small_data import sentiment_rows, write_csv
from test_cli import call

from lora_hub.cli import shell
from lora_hub.cli.options import BelowMinimum, Partly, Unfinished
from lora_hub.cli.pipeline import _check_pipeline
from lora_hub.cli.screen import Screen
from lora_hub.cli.show_runs import show_scored
from lora_hub.cli.text import verdict
from lora_hub.core import store
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import PairedComparison, Run, RunState, Score
from lora_hub.evaluation.minimum import below_minimum
from lora_hub.hub import check_owner
from lora_hub.runs import run_states

FOUND = PairedComparison(
    metric="accuracy",
    rows=52,
    clusters=52,
    changed=24,
    better=24,
    worse=0,
    base=50.0,
    adapter=96.2,
    difference=46.2,
    low=30.0,
    high=60.0,
    p=3e-06,
    test="mcnemar",
    verdict="better",
)
SCORES = {"adapter": {"accuracy": Score(value=50.0, low=40.0, high=60.0, rows=52)}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "reviews.csv", sentiment_rows(60))


def test_a_verdict_ends_with_its_sentence_and_small_chances_are_told_as_below_one() -> None:
    said = verdict(FOUND.model_dump(mode="json"))[0]
    assert said.en == (
        "accuracy, adapter against the base (p < 0.0001): 24 of 52 rows changed, all for the better; that is beyond "
        "what chance explains."
    )
    assert len(verdict(FOUND.model_dump(mode="json"))) == 1
    assert "(p = 0.25)" in verdict({**FOUND.model_dump(mode="json"), "p": 0.25, "verdict": "chance"})[0].en


@pytest.mark.parametrize(("found", "words"), [("worse", "does better"), ("chance", "may do as well")])
def test_a_training_that_examples_would_have_spared_is_told_so(found: str, words: str) -> None:
    told = {**FOUND.model_dump(mode="json"), "verdict": found}
    assert len(verdict(told)) == 1  # against the base alone there is nothing to add
    advice = verdict({**told, "against": "base_examples"})[1].en
    assert words in advice and "needs no training" in advice


def test_a_base_that_is_not_to_be_had_is_refused_before_a_run_is_started(
    home: Path, data: Path, hub, capsys: pytest.CaptureFixture
) -> None:
    pipeline = data.with_name("tasks.yaml")
    pipeline.write_text(json.dumps({"base": "some/wrong-id", "tasks": [{"task": "sentiment", "data": data.name}]}))
    for command in (
        ["train", str(data), "--task", "sentiment", "--base", "some/wrong-id"],
        ["pipeline", str(pipeline)],
    ):
        assert shell.main(command) == 1
        said = capsys.readouterr().err
        assert "some/wrong-id" in said and "Check the name" in said and "rows" not in said
    assert store.list_run_ids() == []


def test_a_base_that_is_not_to_be_had_is_told_when_a_file_is_looked_at(hub, data: Path, capsys) -> None:
    assert shell.main(["inspect", str(data), "--task", "sentiment", "--base", "some/wrong-id", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["problems"][0]
    assert (first["code"], first["severity"]) == ("base", "error") and "some/wrong-id" in first["message"]


def test_an_organization_that_is_not_there_is_told(hub, capsys: pytest.CaptureFixture) -> None:
    assert shell.main(["adapters", "--org", "no-such-team", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["error"]
    assert told["message"].startswith("There is no organization 'no-such-team' on http")
    assert hub.organization in told["hint"]
    # one that is there and holds none, and a person
    check_owner(hub.organization.upper())
    check_owner(hub.user)
    assert shell.main(["adapters", "--org", hub.user]) == 0


def test_an_input_that_the_task_does_not_have_is_wrong_usage(hub, capsys: pytest.CaptureFixture) -> None:
    from lora_hub.answering.questions import read_question
    from lora_hub.catalogue.tasks.catalogue import get_task

    for inputs, said in (
        ({"foo": "1"}, "The task question-answering of mine has no input 'foo'."),
        ({"question": "Who?"}, "The task question-answering of mine needs the input 'context', too."),
    ):
        with pytest.raises(SpecError) as error:
            read_question(get_task("question-answering"), "mine", "", inputs)
        assert error.value.message == said and error.value.hint == "Its inputs: question, context."
    # a conversation is told as its one turn
    chat, rows = read_question(get_task("chat"), "mine", "", {"messages": "Hello"})
    assert rows == [{"messages": [{"role": "user", "content": "Hello"}]}]


def test_one_below_its_minimum_is_not_told_to_be_published(home: Path, data: Path) -> None:
    options = ["--task", "sentiment", "--set", "steps=1", "--set", "evaluations=1", "--set", "lr=1e-7"]
    said = call("train", str(data), *options, home=home, expect=None)
    assert "publish it: python -m lora_hub publish sentiment-" in said
    run_id = next((home / "runs").glob("sentiment-*")).name
    shown = call("runs", "wait", run_id, "--min", "accuracy.low=99.9", home=home, expect=4)
    assert "\nerror: The adapter is not good enough: accuracy.low is " in shown
    result = call("runs", "wait", run_id, "--json", home=home)
    assert "publish it" not in Screen().tell_all(show_scored(result, is_good=False))
    # one of a foreign input, to the real adapter
    assert "Its inputs: text." in call("compare", "--adapter", run_id, "--input", "foo=1", home=home, expect=2)
    wrong = call("compare", "--adapter", run_id, "--test", str(data), "--map", "foo=text", home=home, expect=2)
    assert "no role 'foo'" in wrong and "text, answer" in wrong
    for command in (["train", str(data), "--task", "sentiment"], ["inspect", str(data), "--task", "sentiment"]):
        assert "no role 'foo'" in call(*command, "--map", "foo=text", home=home, expect=2)


def test_what_is_said_of_a_run_below_its_minimum() -> None:
    spec = make_spec().model_copy(update={"minimum": {"accuracy": 90.0}})
    run = Run(id="r", spec=spec, state=RunState.SUCCEEDED, metrics=SCORES, adapter_folder="adapter")
    assert run_states.describe(run).en == (
        "It is trained and scored, and not good enough: accuracy is 50.0, below 90. Train it on more or better rows, "
        "or ask it in Compare."
    )
    good = run.model_copy(update={"spec": make_spec()})
    assert run_states.describe(good).en.startswith("It is trained and scored. Publish it")


@pytest.mark.parametrize(
    ("kinds", "status", "said"),
    [
        ("below", 4, "1 of 1 trained but not good enough: spam0 (accuracy is 50.0, below 90)."),
        ("below good", 4, "1 of 2 trained but not good enough: spam0 (accuracy is 50.0, below 90)."),
        ("failed failed", 1, "2 of 2 did not succeed: spam0, spam1."),
        ("partly", 3, "1 of 1 trained but not published: spam0."),
        (
            "failed below partly",
            3,
            "1 of 3 did not succeed: spam0. 1 of 3 trained but not published: spam2. 1 of 3 trained but not good "
            "enough: spam1 (accuracy is 50.0, below 90).",
        ),
    ],
)
def test_a_pipeline_tells_what_failed_from_what_is_not_good_enough(
    kinds: str, status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = below_minimum(SCORES["adapter"], {"accuracy": 90.0})

    def check_ended(run: str, row: dict) -> None:
        if run == "below":
            raise BelowMinimum(_("The adapter is not good enough: {below}.", below=below), also={}, below=below)
        if run == "partly":
            raise Partly(_("The Hub is down."), also={})

    monkeypatch.setattr("lora_hub.cli.pipeline.check_ended", check_ended)
    ended = [LoraHubError("It broke.") if kind == "failed" else kind for kind in kinds.split()]
    result = {"runs": [{"task": f"spam{place}"} for place in range(len(ended))]}
    with pytest.raises(Unfinished) as error:
        _check_pipeline(ended, result)
    assert error.value.message == said and error.value.status == status and error.value.hint


def test_what_a_file_holds_is_shown_and_not_obeyed_by_the_terminal(tmp_path: Path, capsys) -> None:
    texts = [
        (f"text {n} \x1b]0;title\x07 \x1b[31mred \u202eturned \x9b1m", ("good", "b\x1b[2Jad")[n % 2]) for n in range(40)
    ]
    file = write_csv(tmp_path / "escapes.csv", texts)
    assert shell.main(["inspect", str(file), "--task", "sentiment"]) == 0
    told = "".join(capsys.readouterr())
    assert "\\x1b[31mred \\u202eturned" in told and "b\\x1b[2Jad" in told
    assert not [letter for letter in told if letter in "\x1b\x07\x9b\u202e"]


# --- what only the base can judge, and tasks that ask for what cannot be ---


@pytest.mark.parametrize("command", ["inspect", "train"])
def test_a_module_that_the_base_has_not_is_refused_before_anything_is_started(
    command: str, home: Path, data: Path, capsys: pytest.CaptureFixture
) -> None:
    asked = [command, str(data), "--task", "sentiment", "--set", "lora.targets=q_proj,foo"]
    assert shell.main([*asked, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)["error"]
    assert told["message"] == "lora.targets = q_proj, foo will not do: the base has no module 'foo'."
    assert "down_proj" in told["hint"] and "q_proj" in told["hint"] and "embed" not in told["hint"]
    assert store.list_run_ids() == []


def test_a_pipeline_whose_every_task_asks_for_what_cannot_be_is_wrong_usage(
    home: Path, data: Path, capsys: pytest.CaptureFixture
) -> None:
    wrong = [{"lr": 7}, {"lora.targets": "foo"}, {"no_such": 1}]
    tasks = [{"task": "sentiment", "data": data.name, "set": one} for one in wrong]
    file = data.with_name("tasks.yaml")
    file.write_text(json.dumps({"base": "built-in", "tasks": tasks}))
    assert shell.main(["pipeline", str(file), "--json"]) == 2
    told = capsys.readouterr()
    rows = json.loads(told.out)["runs"]
    for row, said in zip(rows, ("lr = 7 will not do", "no module 'foo'", "no setting 'no_such'"), strict=True):
        assert said in row["error"] and said in told.err and row["run"] == ""
    assert "Give another value." in told.err and store.list_run_ids() == []
    # One that cannot be read is not wrong usage: the command is right, the file is not.
    file.write_text(json.dumps({"base": "built-in", "tasks": [tasks[0], {"task": "sentiment", "data": "none.csv"}]}))
    assert shell.main(["pipeline", str(file), "--json"]) == 1


@pytest.mark.parametrize("arguments", ["runs", "tasks --json", "train x.csv --task spam", "hub stop", "--help"])
def test_a_closed_output_is_told_and_nothing_is_done(arguments: str, home: Path) -> None:
    command = f"{sys.executable} -m lora_hub {arguments} >&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (1, "") and done.stderr.startswith("error: Standard output is closed, ")
    if arguments == "tasks --json":  # what is said on a closed standard error does not go to the output instead
        command = f"{sys.executable} -m lora_hub runs show none --json 2>&-"
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 1 and set(json.loads(done.stdout)) == {"error"}


def test_a_folder_of_languages_that_is_not_there_is_told_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("LORA_HUB_LOCALE", "/nonexistent")
    assert shell.main(["tasks", "--json"]) == 0
    told = capsys.readouterr()
    assert told.err == "note: LORA_HUB_LOCALE names /nonexistent, which is no folder.\n" and "tasks" in told.out


def test_libraries_draw_no_bars_in_a_log(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    assert shell.main(["tasks"]) == 0
    assert os.environ.pop("HF_HUB_DISABLE_PROGRESS_BARS") == "1"
