"""The shell as people and scripts use it: one JSON object on standard output, honest exit codes. Where the process
itself is what matters (its Hub, its signals), commands are processes; elsewhere they are called in this one."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from small_data import sentiment_rows, write_csv
from test_privacy import open_to_others

from lora_hub.catalogue import machine_speed
from lora_hub.cli import main
from lora_hub.hub.endpoint import find_server

ROOT = Path(__file__).parents[2]


def call(*arguments: str, home: Path, expect: int | None = 0, text: str | None = None, here: bool | None = None) -> Any:
    """Runs a command; returns its JSON where it has --json, else its output. here: in this process, where its libraries
    are loaded already; by default so, unless the command is to find its home's own Hub."""
    here = "HF_ENDPOINT" in os.environ if here is None else here
    done = (run_here if here else run_process)(arguments, {**os.environ, "LORA_HUB_HOME": str(home)}, text)
    assert expect is None or done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr and "Traceback" not in done.stdout
    if "--json" in arguments:
        lines = done.stdout.splitlines()
        assert len(lines) == 1, f"more than the JSON on standard output: {done.stdout[:500]}"
        return json.loads(lines[0])
    return done.stdout if not expect else done.stderr


def run_process(
    arguments: Sequence[str], environment: dict[str, str], text: str | None = None, cwd: Path = ROOT
) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "lora_hub", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        input=text,
    )


def run_here(arguments: Sequence[str], environment: dict[str, str], text: str | None = None, cwd: Path = ROOT) -> Any:
    """The same without a process: what `lora_hub/__main__.py` does."""
    output, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched, contextlib.chdir(cwd):
        for name in os.environ.keys() - environment.keys():
            patched.delenv(name)
        for name, value in environment.items():
            patched.setenv(name, value)
        patched.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((text or "").encode())))
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                status = main(list(arguments))
            except SystemExit as ended:
                status = int(ended.code or 0)
    return subprocess.CompletedProcess(arguments, status, output.getvalue(), errors.getvalue())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "reviews.csv", sentiment_rows(160))


def test_tasks_and_bases(home: Path) -> None:
    tasks = call("tasks", "--json", home=home)["tasks"]
    assert {"spam", "sentiment", "translation", "question-answering", "chat"} <= {task["id"] for task in tasks}
    told = call("bases", "--json", home=home)
    found = told["bases"]
    assert found[0]["id"] == "built-in" and found[0]["parameters"] > 100_000
    assert not told["is_measured"] and "has not been measured" in call("bases", home=home)
    machine_speed.keep_speed(machine_speed.Speed({128: 1e11, 2048: 1e11}, 3e10))
    short, long = (call("bases", "--json", "--rows", rows, home=home)["marks"] for rows in ("400", "40000"))
    assert short[0]["verdict"] == "fits" and 0 < short[0]["seconds"] < long[0]["seconds"]
    shown = call("bases", "--data-language", "fa", "--effort", "quick", home=home)
    assert "Suited: built-in" in shown and "(slow)" in shown
    assert "spam" in call("tasks", home=home)


def test_inspect(home: Path, data: Path) -> None:
    seen = call("inspect", str(data), "--task", "sentiment", "--json", home=home)
    assert {"rows", "columns", "encoding", "delimiter", "format", "mapping", "problems", "preview"} <= set(seen)
    assert seen["rows"] == 160 and seen["mapping"] == {"text": "text", "answer": "label"}
    assert seen["preview"][0]["completion"] in ("good", "bad") and "The " in seen["preview"][0]["prompt"]
    for problem in seen["problems"]:
        assert {"code", "severity", "message", "hint", "rows"} <= set(problem)
    shown = call("inspect", str(data), "--task", "sentiment", home=home)
    assert "works in: PEFT, vLLM, transformers (merged)\n" in shown


def test_inspect_mends_and_says_what_can_be_mended(home: Path, tmp_path: Path) -> None:
    rows = sentiment_rows(60)
    file = write_csv(tmp_path / "again.csv", [*rows, *rows[:7], (rows[0][0] + "!", "Good ")])
    seen = call("inspect", str(file), "--task", "sentiment", "--json", home=home)
    offered = {problem["code"]: problem["mends"] for problem in seen["problems"] if problem["mends"]}
    assert {"duplicates", "near-duplicate-labels"} <= set(offered)
    mended = call(
        "inspect",
        str(file),
        "--task",
        "sentiment",
        "--mend",
        "near-duplicate-labels",
        "--mend",
        "duplicates",
        "--json",
        home=home,
    )
    assert mended["rows"] == 61 and [mend["rows"] for mend in mended["mends"]] == [1, 7]
    assert mended["lengths"]["sampled"] == 61 and mended["lengths"]["base"] == "built-in"
    assert "--mend duplicates" in call("inspect", str(file), "--task", "sentiment", home=home)
    assert "duplicates" in call("inspect", str(file), "--mend", "nonsense", home=home, expect=1)


@pytest.mark.parametrize(
    ("arguments", "named", "status"),
    [
        (["train", "{data}", "--task", "nonsense"], "nonsense", 2),
        (["train", "{data}", "--task", "sentiment", "--base", "no such base"], "no such base", 1),
        (["train", "{data}", "--task", "sentiment", "--map", "text=nowhere,answer=label"], "nowhere", 1),
        (["train", "{data}", "--task", "sentiment", "--map", "text"], "'text'", 2),
        (["train", "{data}", "--task", "sentiment", "--set", "epoch=3"], "epoch", 2),
        (["train", "{data}", "--task", "sentiment", "--set", "r"], "'r'", 2),
        (["train", "{data}", "--task", "sentiment", "--min", "accuracy"], "accuracy", 2),
        (["train", "{data}", "--task", "sentiment", "--min", "accuracy=nan"], "accuracy=nan", 2),
        (["train", "{data}", "--task", "sentiment", "--min", "chrf=9"], "chrf", 2),
        (["train", "/no/such/file.csv", "--task", "spam"], "/no/such/file.csv", 1),
        (["inspect", "{empty}"], "empty.csv", 1),
        (["runs", "show", "nope"], "nope", 1),
        (["runs", "wait", "nope"], "nope", 1),
        (["runs", "show"], "show", 2),
        (["runs", "--min", "accuracy=9"], "runs wait", 2),
        (["publish", "nope"], "nope", 1),
        (["publish", "nope", "--org", "a b"], "--org is 'a b'", 2),
        (["adapters", "--org", "a/b"], "--org is 'a/b'", 2),
        (["train", "{data}", "--task", "sentiment", "--publish", "--org", "a/b"], "--org is 'a/b'", 2),
        (["compare", "--adapter", "{data}", "--prompt", "x"], "reviews.csv", 1),
        (["compare", "--adapter", "x"], "--prompt", 2),
        (["compare", "--adapter", "x", "--prompt", "y", "--min", "accuracy=9"], "--test", 2),
        (["trian"], "trian", 2),
        (["train", "x", "--task", "spam", "--efort", "quick"], "--efort", 2),
        (["compare", "--adapter", "x", "--prompt", "y", "--seed", "one"], "'one'", 2),
        (["compare", "--adapter", "x", "--prompt", "y", "--strength", "x=most"], "KEY=NUMBER", 2),
        (["compare", "--adapter", "x", "--prompt", "y", "--strength", "z=1"], "names z, which is not asked", 2),
        (["compare", "--adapter", "x", "--prompt", "y", "--samples", "2"], "temperature above 0", 2),
    ],
)
def test_bad_input_says_what_and_what_next(
    arguments: list[str], named: str, status: int, home: Path, data: Path, tmp_path: Path
) -> None:
    """The command line itself being wrong is status 2, and told as JSON like every other error."""
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    arguments = [argument.format(data=data, empty=empty) for argument in arguments]
    told = call(*arguments, "--json", home=home, expect=status)
    assert named in told["error"]["message"] + told["error"]["hint"] and told["error"]["hint"]


def test_usage_is_told_to_people(home: Path) -> None:
    assert "invalid choice" in call("trian", home=home, expect=2)
    assert call("--version", home=home).startswith("lora-hub ")


def test_train_publish_list_compare(home: Path, data: Path, tmp_path: Path) -> None:
    """The whole road from the shell, on the home's own Hub."""
    environment = {
        name: os.environ.pop(name)
        for name in ("HF_ENDPOINT", "HF_TOKEN", "HF_HOME", "HF_HUB_CACHE")
        if name in os.environ
    }
    try:
        trained = call(
            "train",
            str(data),
            "--task",
            "sentiment",
            "--effort",
            "quick",
            "--set",
            "epochs=6",
            "--set",
            "evaluations=2",
            "--publish",
            "--name",
            "reviews",
            "--json",
            home=home,
        )
        assert {"run", "state", "adapter", "revision", "base", "seconds", "train_rows", "eval_rows", "metrics"} <= set(
            trained
        )
        assert (
            trained["state"] == "succeeded"
            and trained["adapter"] == "lora-hub/reviews"
            and len(trained["revision"]) >= 40
        )
        assert find_server(home / "hub"), "the Hub is the home's: it goes on for the page and whoever else needs it"
        scores = trained["metrics"]
        assert scores["adapter"]["accuracy"]["value"] > scores["base"]["accuracy"]["value"]
        assert scores["adapter"]["accuracy"].keys() == {"value", "low", "high", "rows"}
        assert scores["adapter"]["accuracy"]["rows"] == trained["eval_rows"] == trained["comparison"]["rows"]
        assert trained["comparison"]["verdict"] in ("better", "chance") and 0 < trained["comparison"]["p"] <= 1

        listed = call("adapters", "--task", "sentiment", "--json", home=home)["adapters"]
        assert [(ref["repo_id"], ref["versions"]) for ref in listed] == [("lora-hub/reviews", ["v1"])]
        none = call("adapters", "--task", "spam", "--json", home=home)
        assert none["adapters"] == [] and none["others"] == 1
        assert (
            "No adapters of task spam in lora-hub on this machine's own Hub"
            in (said := call("adapters", "--task", "spam", home=home))
            and "1 of other tasks" in said
        )
        assert "1 of other bases" in call("adapters", "--base", "no/such", home=home)
        assert "Did you mean sentiment?" in call("adapters", "--task", "sentimnet", home=home, expect=2)

        asked = call(
            "compare",
            "--adapter",
            "lora-hub/reviews",
            "--adapter",
            f"lora-hub/reviews@{trained['revision']}",
            "--adapter",
            trained["run"],
            "--input",
            "text=The soup number 5 was delicious.",
            "--examples",
            "2",
            "--strength",
            f"{trained['run']}=0",
            "--json",
            home=home,
        )["answers"]
        assert [answer["adapter"] for answer in asked][:2] == ["base", "base_examples"] and len(asked) == 5
        assert {answer["text"] for answer in asked[2:4]} == {"good"} and asked[2]["revision"] == trained["revision"]
        assert asked[1]["examples"] == 2 and "as in the exam" in asked[1]["note"], "its run is on this machine"
        assert asked[4]["strength"] == 0 and asked[4]["divergence"]["changed"] == 0
        assert all({"adapter", "revision", "text", "tokens", "seconds"} <= set(answer) for answer in asked)

        held = write_csv(tmp_path / "held.csv", sentiment_rows(40, seed=9))
        # As it was published: its run, which is on this machine, has the examples for the base.
        scored = call("compare", "--adapter", "lora-hub/reviews", "--test", str(held), "--json", home=home)
        assert scored["rows"] == 40 and set(scored["metrics"]) == {"base", "base_examples", "lora-hub/reviews"}

        shown = call("runs", "show", trained["run"], "--json", home=home, here=True)
        assert shown["state"] == "succeeded" and shown["adapter"] == "lora-hub/reviews"
        assert call("runs", "--json", home=home, here=True)["runs"][0]["run"] == trained["run"]
        assert "training" in call("runs", "log", trained["run"], "--json", home=home, here=True)["log"]
        told = call("compare", "--adapter", "lora-hub/reveiws", "--prompt", "x", "--json", home=home, expect=1)
        assert "reveiws" in told["error"]["message"]
        assert (home / "hub" / "token").is_file() and open_to_others(home) == [], "rows, adapters and the Hub's store"

        disk = call("disk", "--json", home=home, here=True)
        sizes = {part["kind"]: part["bytes"] for part in disk["parts"]}
        assert {"adapters", "run files", "datasets", "hub"} <= set(sizes) and "checkpoints" not in sizes
        assert sum(sizes.values()) == disk["bytes"] and sizes["hub"] > 1e6, "the built-in base is published, too"
        for what in (("run", trained["run"]), ("adapter", "reviews"), ("person", "local", "--adapters")):
            told = call("delete", *what, "--json", home=home, expect=1, here=what[0] == "run")  # the others ask a Hub
            assert "Nothing was deleted" in told["error"]["message"] and "--yes" in told["error"]["hint"]
        told = call("delete", "adapter", "reviews@v1", "--yes", "--json", home=home, expect=1)
        assert "v1 is the newest version" in told["error"]["message"]
        assert (
            call("adapters", "--json", home=home)["adapters"] and call("runs", "--json", home=home, here=True)["runs"]
        )
        gone = call("delete", "person", "local", "--adapters", "--yes", "--json", home=home)
        assert (gone["runs"], gone["adapters"]) == ([trained["run"]], ["lora-hub/reviews"]) and gone["datasets"]
        assert (
            "No adapters" in call("adapters", home=home) and call("runs", "--json", home=home, here=True)["runs"] == []
        )
        assert {part["kind"] for part in call("disk", "--json", home=home, here=True)["parts"]} == {"hub", "cache"}
    finally:
        os.environ |= environment


def test_the_embedded_hubs_store_is_checked(home: Path) -> None:
    assert "No adapters" in call("adapters", home=home, here=False)
    call("hub", "stop", home=home)
    assert call("hub", "fsck", home=home).strip() == "0 problems"
    assert "0 unused files" in call("hub", "gc", home=home)
    # As every other command's, and by a link to the folder as by the folder itself.
    link = home / "link"
    link.symlink_to(home / "hub", target_is_directory=True)
    assert call("hub", "fsck", "--dir", str(link), "--json", home=home) == {"problems": []}
    assert call("hub", "gc", "--dir", str(link), "--json", home=home) == {"files": 0, "bytes": 0}
    copied = call("hub", "backup", str(home / "copy"), "--dir", str(link), "--json", home=home)
    assert copied["files"] == 1 and (home / "copy" / "hub.sqlite").stat().st_size == copied["bytes"]
    assert call("hub", "stop", "--json", home=home) == {"stopped": False}
    told = call("hub", "--json", home=home, expect=2)
    assert told["error"]["message"].startswith("`hub` serves until it is ended")
    stray = home / "hub" / "blobs" / "ab" / ("ab" + "0" * 62)
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"not what its name says")
    assert "is damaged" in call("hub", "fsck", home=home, expect=1)
    told = call("hub", "fsck", "--json", home=home, expect=1)
    assert "is damaged" in told["error"]["message"] and "other bytes than its name says" in told["problems"][0]


def test_help_and_bare_call(home: Path) -> None:
    assert "train" in call("--help", home=home)
    assert "usage" in call(home=home, expect=2)
