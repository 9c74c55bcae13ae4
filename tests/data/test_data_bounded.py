"""Visitors' files are read in a process with limits. A file that exceeds them is reported to its owner and ends only
that process."""

import os
import threading
import zipfile
from pathlib import Path

import pytest
from persian import refused

from lora_hub.core import store
from lora_hub.core.errors import DataError
from lora_hub.data.inspector import Inspector
from lora_hub.data.read import bounded
from lora_hub.data.read.bounded import BoundedReader
from lora_hub.data.read.read import read_table
from lora_hub.ui.frame.warm import Looker

ROWS = "text,label\n" + "".join(f"row {n},{'spam' if n % 2 else 'ham'}\n" for n in range(50))
CHATS = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": [1, {"b": null}]}]}\n' * 3


@pytest.fixture(autouse=True)
def _nothing_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "SMALL_BYTES", 0)


def test_what_is_read_is_the_same(tmp_path: Path) -> None:
    zipped, (rows, chats) = tmp_path / "rows.zip", (tmp_path / "rows.csv", tmp_path / "chats.jsonl")
    rows.write_text(ROWS)
    chats.write_text(CHATS)
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(rows, "train.csv")
    for file, reading in ((rows, {}), (rows, {"delimiter": ","}), (chats, {}), (zipped, {"sheet": "train.csv"})):
        here, there = read_table(file, **reading), BoundedReader()(file, **reading)
        assert there.frame.to_dicts() == here.frame.to_dicts() and there.frame.schema == here.frame.schema
        assert (there.format, there.encoding, there.problems) == (here.format, here.encoding, here.problems)


def test_what_cannot_be_read_is_told_in_the_same_words(tmp_path: Path) -> None:
    for name, content in (("empty.csv", b""), ("noise.csv", os.urandom(4000)), ("picture.png", b"\x89PNG\r\n\x1a\n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError) as here:
            read_table(tmp_path / name)
        with refused(DataError) as there:
            BoundedReader()(tmp_path / name)
        assert there.value.in_language("fa") == here.value.in_language("fa")
    with refused(DataError, match="There is no file"):
        BoundedReader()(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("bound", ["MEMORY_BYTES", "CPU_SECONDS", "WALL_SECONDS"])
def test_a_file_that_takes_too_much_is_refused(bound: str, tmp_path: Path, monkeypatch) -> None:
    """The other end reads its own bounds, so they are set there, too."""
    file = tmp_path / "large.csv"
    file.write_text("text,label\n" + "a long enough row of words,ham\n" * 400_000)
    most = {"MEMORY_BYTES": 100 << 20, "CPU_SECONDS": 0, "WALL_SECONDS": 0.05}[bound]
    monkeypatch.setattr(bounded, bound, most)
    run = bounded.subprocess.run

    def with_bounds(command: list[str], **named):
        code = f"import sys; from lora_hub.data.read import bounded; bounded.{bound} = {most}; "
        return run([command[0], "-c", code + "sys.exit(bounded.main(*sys.argv[1:]))", *command[3:]], **named)

    monkeypatch.setattr(bounded.subprocess, "run", with_bounds)
    with refused(DataError, match="large.csv takes more than .* seconds or .* GB of memory to be read"):
        BoundedReader()(file)


def test_one_file_of_a_person_at_a_time(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(bounded, "WAIT_SECONDS", 0.2)
    files = {}
    for owner in ("will", "cora", "eve"):
        (tmp_path / f"{owner}.csv").write_text(ROWS)
        files[owner] = store.add_dataset(tmp_path / f"{owner}.csv", "", owner)
    reader, begun, go_on = BoundedReader(), threading.Semaphore(0), threading.Event()

    def slow(path: Path, reading: dict) -> str:
        begun.release()
        go_on.wait(60)
        return path.name

    monkeypatch.setattr(bounded, "_read", slow)
    waiting = [threading.Thread(target=reader, args=(files[owner],)) for owner in ("will", "cora")]
    for thread in waiting:
        thread.start()
        begun.acquire(timeout=60)
    with refused(DataError, match="Another file of yours is still being read"):
        reader(files["will"])
    with refused(DataError, match="Many files are being read"):
        reader(files["eve"])
    go_on.set()
    for thread in waiting:
        thread.join(60)
    assert reader(files["eve"]) == "eve.csv" and reader(files["will"]) == "will.csv"


def test_nothing_of_ours_is_in_its_environment(monkeypatch) -> None:
    for name in ("HF_TOKEN", "OAUTH_CLIENT_SECRET", "LORA_HUB_SERVICE_TOKEN"):
        monkeypatch.setenv(name, "hf_secret")
    assert "hf_secret" not in bounded._environment("/x").values()


def test_it_is_for_visitors_only(tmp_path: Path, monkeypatch) -> None:
    """Whoever sits at the machine may take all of it, and waits for no process."""
    (tmp_path / "rows.csv").write_text(ROWS)
    asked = []
    monkeypatch.setattr(bounded, "_read", lambda path, reading: asked.append(path) or read_table(path))
    assert Looker().read(tmp_path / "rows.csv").rows == Inspector().read(tmp_path / "rows.csv").rows == 50 and not asked
    monkeypatch.setenv("OAUTH_CLIENT_ID", "the-app")
    assert Looker().read(tmp_path / "rows.csv").rows == 50 and asked
