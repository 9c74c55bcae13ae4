"""Datasets are kept, runs are folders, errors are told."""

from pathlib import Path

import pytest

from lora_hub.core import settings, store
from lora_hub.core.errors import DataError, LoraHubError, RunError


def test_a_dataset_survives_its_upload(tmp_path: Path) -> None:
    upload = tmp_path / "my data.csv"
    upload.write_text("a,b\n1,2\n")
    kept = store.add_dataset(upload, "نظرات (1).csv")
    upload.unlink()
    assert kept.read_text() == "a,b\n1,2\n" and kept.parent.parent == settings.datasets_dir()
    assert kept.parent.name == store.fingerprint(kept)


def test_a_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    upload = tmp_path / "x.csv"
    upload.write_text("a\n1\n")
    for name in ("../../evil.csv", "/etc/passwd", "..", "a/b.csv"):
        assert store.add_dataset(upload, name).parent.parent == settings.datasets_dir()


def test_missing_and_too_large_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no file"):
        store.add_dataset(tmp_path / "none.csv")
    monkeypatch.setenv("LORA_HUB_MAX_UPLOAD_MB", "0.001")
    big = tmp_path / "big.csv"
    big.write_text("x" * 5000)
    with pytest.raises(DataError, match="big.csv is 0 MB") as caught:
        store.add_dataset(big)
    assert "LORA_HUB_MAX_UPLOAD_MB" in caught.value.hint


@pytest.mark.parametrize("run_id", ["", "..", "../x", "nope", "/etc"])
def test_no_such_run(run_id: str) -> None:
    with pytest.raises(RunError, match="no run"):
        store.run_folder(run_id)


def test_a_file_is_never_half_written(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    store.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        store.write_json(path, {"a": object()})
    assert path.read_text() == '{\n "a": 1\n}\n'
    assert list(tmp_path.glob(".x.json*")) == []


def test_a_full_disk_is_told_in_words() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.fail("this system has no /dev/full to try with")
    with pytest.raises(LoraHubError, match="is full") as caught, store.disk_errors(full), full.open("w") as file:
        file.write("x" * 10_000)
        file.flush()
    assert "LORA_HUB_HOME" in caught.value.hint
