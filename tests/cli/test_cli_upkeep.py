"""`datasets`, `disk` and `delete` in the shell: what is there, what takes space; nothing goes without --yes."""

import json
from pathlib import Path

import pytest
from test_collecting import run_in
from test_kept import keep
from test_test_sets import made

from lora_hub import cli, use_cases
from lora_hub.compare.test_sets import list_tests
from lora_hub.core import settings, store
from lora_hub.people import LOCAL, Person


def tell(capsys: pytest.CaptureFixture, *words: str, expect: int = 0) -> dict:
    assert cli.main([*words, "--json"]) == expect
    return json.loads(capsys.readouterr().out)


def test_the_disk_is_told_by_what_takes_it_and_cleaned(
    capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LORA_HUB_HUB", "embedded")
    monkeypatch.delenv("HF_ENDPOINT")
    done, failed = run_in("succeeded"), run_in("failed")
    upload = tmp_path / "rows.csv"
    upload.write_text("text,label\na,b\n")
    use_cases.add_dataset(LOCAL, upload)
    use_cases.add_dataset(Person(id="will", roles={"lora-hub": "write"}), upload)
    (store.uploads_dir() / "0a").mkdir(parents=True)
    (store.uploads_dir() / "0a" / "rows.csv").write_bytes(b"x" * 77)
    (settings.home() / "errors.log").write_bytes(b"x" * 11)
    told = tell(capsys, "disk")
    parts = {(part["kind"], part["owner"]): part for part in told["parts"]}
    assert parts["checkpoints", "local"]["bytes"] == parts["needed checkpoints", "local"]["bytes"] == 1000
    assert parts["adapters", "local"]["bytes"] == 2000 and parts["uploads", ""]["bytes"] == 77
    assert parts["datasets", "local"]["bytes"] == parts["datasets", "will"]["bytes"] == 15
    assert parts["other", ""]["bytes"] == 11 and sum(part["bytes"] for part in told["parts"]) == told["bytes"]
    assert parts["checkpoints", "local"]["remove"] == "python -m lora_hub disk clean"
    assert told["home"] == str(settings.home()) and told["free"] > 0 and told["cache"] is None

    cleaned = tell(capsys, "disk", "clean")
    assert cleaned["removed"] == {"checkpoints": 1, "leftovers": 0} and cleaned["bytes"] == told["bytes"] - 1000
    assert (store.run_folder(failed) / "checkpoints").is_dir() and not (store.run_folder(done) / "checkpoints").exists()
    # The same for people, in their language.
    assert cli.main(["disk", "clean"]) == cli.main(["disk", "--language", "fa"]) == 0
    english, persian = capsys.readouterr().out.split("۰٫۰ مگابایت", 1)
    assert "removed: checkpoints of runs that have succeeded (0)" in english and "delete run ID --yes" in english
    assert "چک‌پوینت‌های اجراهایی که می‌توان ادامه داد" in persian


def test_nothing_goes_without_yes(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    run_id, upload, test_id = run_in("succeeded"), tmp_path / "rows.csv", made("local")
    upload.write_text("text,label\na,b\n")
    use_cases.add_dataset(LOCAL, upload)
    keep(LOCAL)
    (file,) = tell(capsys, "datasets")["datasets"]
    assert (file["name"], file["bytes"], file["runs"]) == ("rows.csv", 15, [])
    for what, said in (
        (("run", run_id), f"the run {run_id}"),
        (("dataset", file["dataset"]), "the file"),
        (("person", "local"), "1 run, 1 file, 1 test and 1 comparison of local with their votes"),
    ):
        told = tell(capsys, "delete", *what, expect=1)["error"]
        assert told["message"].startswith("Nothing was deleted. This would be, for good: ") and said in told["message"]
    assert store.list_run_ids() == [run_id] and tell(capsys, "datasets")["datasets"] == [file]
    assert tell(capsys, "delete", "run", run_id, "--yes")["runs"] == [run_id] and store.list_run_ids() == []
    assert tell(capsys, "delete", "dataset", file["dataset"], "--yes")["datasets"] == [file["dataset"]]
    for what, status in (
        (("run", run_id), 1),
        (("dataset", file["dataset"]), 1),
        (("person", "../x"), 1),
        (("run", "x", "--adapters"), 2),
        (("everything", "x"), 2),
    ):
        assert tell(capsys, "delete", *what, "--yes", expect=status)["error"]["message"]
    told = tell(capsys, "delete", "dataset", file["dataset"], expect=1)["error"]
    assert told["message"].startswith("There is no file")
    gone = tell(capsys, "delete", "person", "local", "--yes")
    assert (gone["runs"], gone["tests"], gone["comparisons"]) == ([], [test_id], 1) and list_tests() == []
