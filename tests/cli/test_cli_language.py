"""The shell's messages are in its reader's language; names, JSON and logs stay English."""

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from persian import LETTER
from small_data import sentiment_rows, write_csv
from test_cli import call
from third_language import write_catalogue

from lora_hub.cli import language, shell
from lora_hub.cli.parser import make_parser
from lora_hub.cli.screen import Screen, Table
from lora_hub.cli.show_runs import show_result
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _

ISOLATES = re.compile("[\u2066-\u2069]")
ARABIC_DIGITS = "۰۱۲۳۴۵۶۷۸۹"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "reviews.csv", sentiment_rows(60))


@pytest.mark.parametrize(
    ("arguments", "environment", "chosen"),
    [
        ([], {}, "en"),
        (["runs"], {"LANG": "fa_IR.UTF-8"}, "fa"),
        (["runs"], {"LANG": "de_DE.UTF-8"}, "en"),
        (["runs"], {"LANG": "fa_IR", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        (["runs"], {"LANG": "en_US.UTF-8", "LC_MESSAGES": "fa"}, "fa"),
        (["runs"], {"LC_MESSAGES": "fa", "LC_ALL": "C.UTF-8"}, "en"),
        (["runs"], {"LC_ALL": "en_US", "LANGUAGE": "fa"}, "fa"),
        (["runs"], {"LANGUAGE": "de:fa_IR:en"}, "fa"),
        (["runs"], {"LANGUAGE": "de:en:fa"}, "en"),
        (["runs"], {"LANG": "POSIX"}, "en"),
        (["runs"], {"LANG": "", "LC_ALL": ""}, "en"),
        (["runs"], {"LANG": "fa_IR@latin"}, "fa"),
        (["--language", "fa", "runs"], {"LANG": "en_US"}, "fa"),
        (["runs", "--language", "fa-IR"], {}, "fa"),
        (["runs", "--language=en"], {"LANG": "fa_IR"}, "en"),
        (["runs", "--language"], {"LANG": "fa_IR"}, "fa"),
    ],
)
def test_the_language_is_chosen_as_gettext_does(arguments: list[str], environment: dict[str, str], chosen: str) -> None:
    assert language.choose_language(arguments, environment) == chosen


def test_a_language_without_a_translation_is_wrong_usage(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SpecError, match="'tlh'.*Choose one of: en, fa"):
        language.choose_language(["--language", "tlh"], {})
    assert shell.main(["runs", "--language", "tlh", "--json"]) == 2
    assert "tlh" in json.loads(capsys.readouterr().out)["error"]["message"]


@pytest.mark.parametrize("place", ["before", "after"])
def test_an_error_is_told_in_persian_and_kept_in_english_for_programs(
    place: str, home: Path, capsys: pytest.CaptureFixture
) -> None:
    command, option = ["runs", "show", "no-such-run", "--json"], ["--language", "fa"]
    assert shell.main([*option, *command] if place == "before" else [*command, *option]) == 1
    told = capsys.readouterr()
    assert told.err.startswith("خطا: ") and "no-such-run" in told.err and not ISOLATES.search(told.err)
    assert json.loads(told.out)["error"]["message"] == "There is no run 'no-such-run'."


def test_wrong_usage_is_told_in_persian(home: Path, capsys: pytest.CaptureFixture) -> None:
    assert shell.main(["runs", "log", "--language", "fa"]) == 2
    said = capsys.readouterr().err
    assert "شناسهٔ یک اجرا" in said and "runs log" in said


def test_a_training_is_told_in_persian(home: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "fa_IR.UTF-8")
    options = ["--task", "sentiment", "--set", "steps=4", "--set", "evaluations=1"]
    said = call("train", str(data), *options, home=home)
    run_id = next((home / "runs").glob("sentiment-*")).name
    folder = home / "runs" / run_id / "adapter"
    # what is to be copied stands there as it is typed
    assert f"{folder}\n" in said and f"python -m lora_hub publish {run_id}\n" in said
    assert not ISOLATES.search(said)
    ours = re.sub(r"/\S+|python -m .*|«[^»]*»|accuracy|balanced_accuracy|macro_f1|calibration_error|p [=<]", "", said)
    assert not re.search("[A-Za-z0-9]", ours), ours
    assert re.search(f"[{ARABIC_DIGITS}]+٫[{ARABIC_DIGITS}]", said)
    # what it wrote is English
    log, events = (home / "runs" / run_id / name for name in ("log.txt", "events.jsonl"))
    assert not LETTER.search(log.read_text() + events.read_text())
    assert "FutureWarning" not in log.read_text()
    # and so is what programs read
    shown = call("runs", "show", run_id, "--json", home=home)
    assert shown["state"] == "succeeded" and not LETTER.search(json.dumps(shown, ensure_ascii=False))
    assert shown["says"] == "It is trained and scored. Publish it, or ask it in Compare."
    people = call("runs", "show", run_id, home=home)
    assert people.splitlines()[0] == f"{run_id}: انجام شد، گام ۴ از ۴"
    assert "از ایجاد" in call("runs", home=home).splitlines()[0]
    assert call("runs", "--language", "en", home=home).split()[:4] == ["run", "state", "task", "base"]


def test_what_inspect_plans_is_told_in_persian(home: Path, data: Path) -> None:
    asked = ["inspect", str(data), "--task", "sentiment"]
    said = call("--language", "fa", *asked, home=home)
    lines = said.splitlines()
    assert lines[0] == "۶۰ سطر، ستون‌ها: text, label" and "وظیفه: sentiment" in lines
    setting = next(line for line in lines if line.startswith("lora.r "))
    assert re.fullmatch(r"lora\.r +16 +سطح «متعادل»: رتبهٔ ۱۶", setting), setting  # the value as --set takes it
    assert all(any(line.startswith(begin) for line in lines) for begin in ("هشدار: ", "حدود "))
    assert ">>> " in said and "The " in said  # what the model sees is what it sees
    as_json = call("--language", "fa", *asked, "--json", home=home)
    assert not LETTER.search(json.dumps(as_json, ensure_ascii=False))
    assert as_json == call(*asked, "--json", home=home)


def test_every_help_of_ours_is_told() -> None:
    def helps(parser: argparse.ArgumentParser) -> Iterator[str]:
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for inner in action.choices.values():
                    yield from [inner.description, *helps(inner)]
            elif action.help and action.help != argparse.SUPPRESS:
                yield action.help

    argparse_own = {"show this help message and exit", "show program's version number and exit"}
    told = [said for said in helps(make_parser(Screen("fa"))) if said not in argparse_own]
    english = [said for said in helps(make_parser()) if said not in argparse_own]
    # the embedded Hub runs on its own, without the catalogues
    hub = {said for said in english if not LETTER.search(said)} & set(told)
    assert len(hub) < 12 and len(told) == len(english) > 60
    assert all(LETTER.search(said) for said in told if said not in hub)


def test_tables_are_as_wide_as_they_look() -> None:
    table = Table(["a", _("run")], [["می‌شود", 7], ["x", "y"]])
    lines = Screen("fa").tell(table).splitlines()
    # the half-space takes no column
    assert lines == ["a      اجرا", "می‌شود  ۷", "x      y"]
    assert Screen("en").tell(Table(["a", "b"], [["日本", 7]])).splitlines() == ["a     b", "日本  7"]


def test_a_generated_language_shows_whole(
    home: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Its letters are Hebrew ones, so that what is left in Latin letters is what nobody translates: names, values, and
    argparse's own words."""
    write_catalogue(tmp_path / "locale", "he")
    monkeypatch.setenv("LORA_HUB_LOCALE", str(tmp_path / "locale"))

    def latin(*arguments: str, status: int = 0) -> set[str]:
        assert shell.main(["--language", "he", *arguments]) == status
        told = capsys.readouterr()
        assert re.search("[א-ת]", told.out + told.err) and not LETTER.search(told.out + told.err)
        return set(re.findall("[A-Za-z]{3,}", told.out + told.err))

    def words(*values: object) -> set[str]:
        return set(re.findall("[A-Za-z]{3,}", json.dumps(values).replace("\\n", " ")))

    assert latin("runs") <= words("python -m lora_hub train FILE --task TASK")
    assert latin("runs", "show", "no-such-run", status=1) <= words("no-such-run") | {"python", "lora", "hub", "runs"}
    assert shell.main(["inspect", str(data), "--task", "sentiment", "--json"]) == 0
    seen = json.loads(capsys.readouterr().out)
    named = [seen[key] for key in ("columns", "format", "encoding", "task", "mapping", "preview", "lengths")]
    settings = [[one["key"], one["value"]] for one in seen["settings"]]
    own = words(
        named, settings, "--set", "LoRA Without Regret", "good", "bad", [one["code"] for one in seen["problems"]]
    )
    assert latin("inspect", str(data), "--task", "sentiment") <= own
    # a run that has ended, in the list and by itself, and what train prints of it
    result = {
        "run": "r",
        "state": "succeeded",
        "adapter": "/a",
        "revision": "",
        "seconds": 1.0,
        "file_rows": 9,
        "train_rows": 5,
        "validation_rows": 1,
        "eval_rows": 2,
        "left_out": 1,
        "notes": [],
        "metrics": {"base": {"accuracy": {"value": 50.0, "low": 1.0, "high": 90.0}}},
        "comparison": None,
    }
    said = Screen("he").tell_all(show_result(result))
    assert set(re.findall("[A-Za-z]{3,}", said)) <= words("accuracy", "python -m lora_hub publish r")


def test_strengths_of_votes_are_in_the_readers_digits() -> None:
    from lora_hub.cli.show_votes import show_votes

    row = {"best": 1, "worst": 2, "model": "o/a@1", "points": 190.8, "low": -0.2, "high": None, "votes": 1, "won": 1}
    board = {"task": "spam", "votes": 1, "rows": [{**row, "unclear": []}], "side": None, "fits": True}
    result = {"boards": [board], "trouble": "", "waiting": 0}
    assert "1 to 2  o/a@1  +191      +0 to ?" in Screen("en").tell_all(show_votes(result))
    assert "۱ تا ۲" in (said := Screen("fa").tell_all(show_votes(result))) and "+۱۹۱" in said
