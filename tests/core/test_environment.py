"""Environment variables are checked before anything starts; an invalid value counts as a wrong command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from persian import check_persian
from small_data import sentiment_rows, write_csv
from test_cli import ROOT

from lora_hub import runs
from lora_hub.core import settings, store
from lora_hub.core.errors import RunError, SpecError

WRONG = [
    ("LORA_HUB_SLOTS", "abc", "a whole number from 1 to 1000"),
    ("LORA_HUB_SLOTS", "0", "a whole number from 1"),
    ("LORA_HUB_SLOTS", "1.5", "a whole number"),
    ("LORA_HUB_MAX_UPLOAD_MB", "nan", "a number from"),
    ("LORA_HUB_MAX_UPLOAD_MB", "inf", "a number from"),
    ("LORA_HUB_IDLE_MINUTES", "-1", "a number from 0"),
    ("LORA_HUB_PORT", "99999", "from 0 to 65535"),
    ("LORA_HUB_SERVE", "yes", "`1`, `0` or unset"),
    ("LORA_HUB_HUB", "pubic", "`public`, `embedded` or unset"),
    ("LORA_HUB_ORG", "a/b", "letters, digits"),
    ("HF_ENDPOINT", "notaurl", "http://hub.example:8000"),
    ("HF_ENDPOINT", "http://[::1", "http://hub.example:8000"),
    ("HF_ENDPOINT", "http://x:port", "http://hub"),
    ("HF_ENDPOINT", "ftp://hub.example", "http://hub.example:8000"),
    ("LORA_HUB_UPSTREAM", "huggingface.co", "http://hub.example:8000"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), WRONG)
def test_a_variable_that_cannot_be_meant_is_named_with_what_is_allowed(
    name: str, value: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.check()
    monkeypatch.setenv(name, value)
    with pytest.raises(SpecError) as told:
        settings.check()
    assert name in told.value.message and value in told.value.message and allowed in str(told.value)
    check_persian(told.value)


@pytest.mark.parametrize("value", ["", " ", "2", " 3 ", "4.0"])
def test_a_number_may_be_left_out_or_have_spaces_around_it(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORA_HUB_SLOTS", value)
    settings.check()
    assert settings.slots() == int(float(value.strip() or 1))


@pytest.mark.parametrize("name", ["LORA_HUB_SLOTS", "LORA_HUB_MAX_UPLOAD_MB", "LORA_HUB_HUB", "HF_ENDPOINT"])
def test_no_run_is_made_where_the_environment_is_wrong(name: str, home: Path, tmp_path: Path) -> None:
    """The worker found it: a run that failed stood in the list."""
    data = write_csv(tmp_path / "reviews.csv", sentiment_rows(60))
    command = ["train", str(data), "--task", "sentiment", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "lora_hub", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "LORA_HUB_HOME": str(home), name: "abc"},
    )
    assert done.returncode == 2 and name in json.loads(done.stdout)["error"]["message"] and not home.exists()


def test_nor_from_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    from test_run_folders import make_run, make_spec, started

    monkeypatch.setenv("LORA_HUB_SLOTS", "abc")
    with pytest.raises(SpecError, match="LORA_HUB_SLOTS"):
        runs.start_runs([make_spec()])
    assert store.list_run_ids() == []
    run_id = make_run(started())
    with pytest.raises(SpecError, match="LORA_HUB_SLOTS"):
        runs.resume_run(run_id)
    assert runs.refresh_run(run_id).attempt == 1


@pytest.mark.parametrize("below", ["", "/x", "/x/y"])
def test_a_home_that_is_a_file_is_told_in_one_sentence(
    below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LORA_HUB_HOME", f"{tmp_path}/file{below}")
    with pytest.raises(SpecError, match="LORA_HUB_HOME is to be a folder") as told:
        settings.check()
    assert f"{tmp_path}/file is a file" in told.value.message
    check_persian(told.value)
    done = subprocess.run(
        [sys.executable, "-m", "lora_hub", "runs"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (
        done.returncode == 2
        and done.stderr.startswith("error: LORA_HUB_HOME")
        and len(done.stderr.splitlines()) == 1
        and not done.stdout
    )


def test_runs_that_may_not_be_read_are_not_told_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(folder: str) -> list[str]:
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(store.os, "listdir", refused)
    with pytest.raises(RunError, match="cannot be read: Permission denied") as told:
        store.list_run_ids()
    check_persian(told.value)


def test_two_variables_that_contradict_each_other_are_wrong_usage(home: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("LORA_HUB_CONNECTED_TO", "HF_TOKEN")}
    environment = kept | {
        "LORA_HUB_HOME": str(home),
        "LORA_HUB_HUB": "embedded",
        "HF_ENDPOINT": "http://hub.example:8000",
    }
    done = subprocess.run(
        [sys.executable, "-m", "lora_hub", "adapters"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert (
        done.returncode == 2
        and "HF_ENDPOINT names another one: http://hub.example:8000" in done.stderr
        and not (home / "hub").exists()
    )


# --- the embedded Hub's own command ---


@pytest.mark.parametrize("command", [["lora_hub", "hub"], ["lora_hub.local_hub"]])
@pytest.mark.parametrize(
    ("arguments", "told", "status"),
    [
        (["--accounts", "nope.yaml"], "The accounts file nope.yaml cannot be used: No such file or directory.", 2),
        (["--accounts", "{bad}"], "line 2 is not valid YAML", 2),
        (["--port", "99999"], "99999", 2),
        (["--port", "-1"], "-1", 2),
        (["--idle", "-5"], "-5", 2),
        (["--idle", "nan"], "nan", 2),
        (["--upstream", "nonsense"], "nonsense", 2),
        (["--host", "0.0.0.0"], "Without accounts", 2),
        (["backup"], "needs one", 2),
        (["fsck", "x"], "Only `backup`", 2),
        (["--host", "localhost", "--port", "{taken}"], "cannot listen", 1),
    ],
)
def test_a_hub_that_cannot_start_says_why_and_leaves_nothing(
    command: list[str], arguments: list[str], told: str, status: int, home: Path, tmp_path: Path, hub
) -> None:
    (tmp_path / "bad.yaml").write_text("users: {")
    arguments = [one.format(bad=tmp_path / "bad.yaml", taken=hub.url.rpartition(":")[2]) for one in arguments]
    folder = tmp_path / "above" / "hub"
    done = subprocess.run(
        [sys.executable, "-m", *command, *arguments, "--dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "LORA_HUB_HOME": str(home)},
    )
    assert done.returncode == status and told in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert not folder.parent.exists() and not home.exists()


@pytest.mark.parametrize("action", [[], ["fsck"], ["gc"], ["stop"], ["backup", "copy"]])
@pytest.mark.parametrize("below", ["", "hub"])
def test_a_file_in_place_of_a_hubs_folder_is_named(action: list[str], below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = subprocess.run(
        [sys.executable, "-m", "lora_hub", "hub", *action, "--dir", str(tmp_path / "file" / below)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (
        done.returncode == 1
        and done.stderr
        == f"error: {tmp_path}/file is a file, not a folder. Give the folder of an embedded Hub as --dir.\n"
    )
    assert (tmp_path / "file").read_text() == "mine"
