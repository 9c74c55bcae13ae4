"""`hub fsck`, `gc`, `backup`, `stop` and `serve`, on Hub folders and other folders: nothing is lost."""

import argparse
import contextlib
import hashlib
import io
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from test_local_hub import ROOT, Server, _client, start_server  # noqa: F401
from test_local_hub_store import own  # noqa: F401

from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.local_hub.server import add_arguments, start


def hub(action: str, folder: Path, *more: str) -> tuple[int, str]:
    """(exit status, what it said) of a verb of `hub`, in this process: a hundred of their own would take minutes."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            start(parser.parse_args([action, *more, "--dir", str(folder)]))
        except LoraHubError as error:
            return 2 if isinstance(error, SpecError) else 1, said.getvalue() + str(error)
    return 0, said.getvalue()


def seen(folder: Path) -> dict[str, tuple]:
    """Everything about a tree that a check could change: names, kinds, modes, times of change, owners, bytes."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (
            status.st_mode,
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_ino,
            status.st_size,
            content,
        )
    return found


def fill(server: Server) -> None:
    api = server.api()
    repo = api.create_repo("lora-hub/kept").repo_id
    for n in range(3):
        api.upload_file(repo_id=repo, path_in_repo=f"w{n}.bin", path_or_fileobj=os.urandom(5000 + n))


def a_photo_album(folder: Path) -> None:
    folder.mkdir()
    (folder / "incoming").mkdir()
    (folder / "incoming" / "holiday.jpg").write_bytes(b"\xff\xd8 a picture")
    (folder / "blobs").mkdir()
    os.chmod(folder, 0o755)


def a_folder_of_text(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.docx").write_bytes(b"ten years of work")


def another_programs_database(folder: Path) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / "hub.sqlite") as db:
        db.execute("CREATE TABLE repos(id)")
        db.execute("INSERT INTO repos VALUES(1)")
    (folder / "incoming").mkdir()
    (folder / "incoming" / "theirs").write_text("theirs")


def no_database_at_all(folder: Path) -> None:
    folder.mkdir()
    (folder / "hub.sqlite").write_text("this is no database, only a file of its name " * 30)


def an_empty_folder(folder: Path) -> None:
    folder.mkdir()


@pytest.mark.parametrize(
    "make", [a_photo_album, a_folder_of_text, another_programs_database, no_database_at_all, an_empty_folder]
)
@pytest.mark.parametrize("action", ["fsck", "gc", "backup", "stop"])
def test_what_is_no_hub_is_refused_and_left_as_it_is(tmp_path: Path, action: str, make: Callable[[Path], None]) -> None:
    make(tmp_path / "place")
    before = seen(tmp_path / "place")
    status, said = hub(action, tmp_path / "place", *([str(tmp_path / "copy")] if action == "backup" else []))
    assert status == 1 and "0 problems" not in said and str(tmp_path / "place") in said
    assert seen(tmp_path / "place") == before and not (tmp_path / "copy").exists()


@pytest.mark.parametrize("action", ["fsck", "gc", "backup", "stop"])
def test_a_mistyped_path_makes_nothing(tmp_path: Path, action: str) -> None:
    status, said = hub(action, tmp_path / "hbu" / "deep", *([str(tmp_path / "copy")] if action == "backup" else []))
    assert status == 1 and str(tmp_path / "hbu" / "deep") in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [a_photo_album, a_folder_of_text, another_programs_database, no_database_at_all])
def test_a_hub_does_not_move_into_somebodys_folder(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "place")
    before = seen(tmp_path / "place")
    status, said = hub("serve", tmp_path / "place")
    assert status == 1 and str(tmp_path / "place") in said
    assert seen(tmp_path / "place") == before


@pytest.mark.parametrize("door", [["lora_hub", "hub"], ["lora_hub.local_hub"]])
def test_both_doors_say_it_and_fail(tmp_path: Path, door: list[str]) -> None:
    a_photo_album(tmp_path / "place")
    before = seen(tmp_path / "place")
    for action in ("fsck", "serve"):
        command = [sys.executable, "-m", *door, action, "--dir", str(tmp_path / "place")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert (
            done.returncode == 1
            and "no embedded Hub's folder" in done.stderr
            and "Traceback" not in done.stderr
            and not done.stdout
        )
    assert seen(tmp_path / "place") == before


@pytest.mark.parametrize("action", ["serve", "fsck", "gc", "stop"])
def test_a_file_is_no_folder(tmp_path: Path, action: str) -> None:
    (tmp_path / "file").write_text("mine")
    status, said = hub(action, tmp_path / "file")
    assert status == 1 and str(tmp_path / "file") in said and (tmp_path / "file").read_text() == "mine"


def test_only_backup_takes_a_second_folder(tmp_path: Path) -> None:
    assert hub("fsck", tmp_path, str(tmp_path / "typed-without-dir"))[0] == 2
    assert "needs one" in hub("backup", tmp_path)[1]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_check_writes_nothing_and_sees_all(own: Callable[[], Server], how: signal.Signals) -> None:  # noqa: F811
    """Also of what a killed server has only in its write-ahead log yet."""
    server = own()
    fill(server)
    server.kill(how)
    assert (server.folder / "hub.sqlite-wal").exists() == (how == signal.SIGKILL)
    (server.folder / "incoming" / "half-an-upload").write_bytes(b"half")
    os.chmod(server.folder, 0o750)
    before = seen(server.folder)
    assert hub("fsck", server.folder) == (0, "0 problems\n") and seen(server.folder) == before
    weights = next(file for file in server.folder.glob("blobs/*/*") if file.stat().st_size == 5001)
    weights.write_bytes(b"x" * 5001)
    before = seen(server.folder)
    status, said = hub("fsck", server.folder)
    assert status == 1 and f"blob {weights.name} has other bytes" in said and "w1.bin of commit" in said
    assert seen(server.folder) == before


def test_a_running_hub_is_not_checked_behind_its_back(own: Callable[[], Server]) -> None:  # noqa: F811
    server = own()
    fill(server)
    for action in ("fsck", "gc", "serve"):
        status, said = hub(action, server.folder)
        assert status == 1 and "already serves" in said and "hub stop" in said
    assert server.api().repo_exists("lora-hub/kept")
    assert hub("stop", server.folder) == (0, "stopped\n") and server.process.wait(10) is not None
    assert hub("fsck", server.folder) == (0, "0 problems\n")


@pytest.mark.parametrize("loss", ["gone", "empty", "made anew", "garbage", "torn"])
def test_a_lost_database_costs_no_blob(own: Callable[[], Server], tmp_path: Path, loss: str) -> None:  # noqa: F811
    server = own()
    fill(server)
    server.kill()
    file = server.folder / "hub.sqlite"
    whole = file.read_bytes()
    {
        "gone": file.unlink,
        "empty": lambda: file.write_bytes(b""),
        "garbage": lambda: file.write_bytes(b"\0" * len(whole)),
        "torn": lambda: file.write_bytes(whole[: len(whole) // 2]),
        "made anew": lambda: (
            file.unlink(),
            _empty_store(tmp_path / "empty"),
            shutil.copy(tmp_path / "empty" / "hub.sqlite", file),
        ),
    }[loss]()
    for blob in server.folder.glob("blobs/*/*"):
        os.utime(blob, (1, 1))
    before = seen(server.folder / "blobs")
    for action in ("fsck", "gc"):
        status, said = hub(action, server.folder)
        assert status == 1 and "0 problems" not in said and "removed, " not in said, (action, said)
    if loss != "made anew":  # which a server cannot tell from one whose last repository was deleted
        assert hub("serve", server.folder)[0] == 1
    assert seen(server.folder / "blobs") == before
    file.write_bytes(whole)
    assert hub("fsck", server.folder) == (0, "0 problems\n")


def test_a_hub_whose_last_repository_was_deleted_is_sound_and_can_be_tidied(
    own: Callable[[], Server], tmp_path: Path
) -> None:  # noqa: F811
    server = own()
    fill(server)
    server.api().delete_repo("lora-hub/kept")
    server.kill()
    assert len(list(server.folder.glob("blobs/*/*"))) >= 3
    assert hub("fsck", server.folder) == (0, "0 problems\n")
    assert hub("backup", server.folder, str(tmp_path / "copy"))[0] == 0 and hub("fsck", tmp_path / "copy") == (
        0,
        "0 problems\n",
    )
    for blob in server.folder.glob("blobs/*/*"):
        os.utime(blob, (1, 1))
    assert hub("gc", server.folder)[0] == 0 and not list(server.folder.glob("blobs/*/*"))
    assert hub("fsck", server.folder) == (0, "0 problems\n")


def _empty_store(folder: Path) -> None:
    from lora_hub.local_hub.store import Store

    folder.mkdir()
    Store(folder).close()


def test_gc_removes_nothing_where_a_tree_is_lost(own: Callable[[], Server]) -> None:  # noqa: F811
    server = own()
    fill(server)
    server.kill()
    with sqlite3.connect(server.folder / "hub.sqlite") as db:
        tree = db.execute("SELECT tree FROM commits LIMIT 1").fetchone()[0]
    (server.folder / "blobs" / tree[:2] / tree).unlink()
    for blob in server.folder.glob("blobs/*/*"):
        os.utime(blob, (1, 1))
    before = seen(server.folder / "blobs")
    status, said = hub("gc", server.folder)
    assert status == 1 and tree in said and "Nothing was removed" in said and seen(server.folder / "blobs") == before


def test_a_backup_opens_though_others_write_meanwhile(own: Callable[[], Server], tmp_path: Path) -> None:  # noqa: F811
    server = own()
    fill(server)
    api, ended = server.api(), threading.Event()

    def write() -> None:
        n = 0
        while not ended.is_set():
            api.upload_file(repo_id="lora-hub/kept", path_in_repo=f"more/{n}.bin", path_or_fileobj=os.urandom(3000))
            n += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        before = api.model_info("lora-hub/kept").sha
        for n in range(3):
            status, said = hub("backup", server.folder, str(tmp_path / f"copy{n}"))
            assert status == 0 and "copied to" in said, said
            assert hub("fsck", tmp_path / f"copy{n}") == (0, "0 problems\n")
    finally:
        ended.set()
        writer.join()
    assert oct((tmp_path / "copy0").stat().st_mode)[-3:] == "700"
    again = start_server(tmp_path / "copy0", "--accounts", str(server.folder.parent / "accounts.json"))
    try:
        there = {commit.commit_id for commit in again.api().list_repo_commits("lora-hub/kept")}
        assert before in there
        for n in range(3):
            path = f"/lora-hub/kept/resolve/main/w{n}.bin"
            assert again.fetch(path)[2] == server.fetch(path)[2] != b""
    finally:
        again.kill()


def test_a_backup_at_rest_leaves_the_original_as_it_is(own: Callable[[], Server], tmp_path: Path) -> None:  # noqa: F811
    server = own()
    fill(server)
    server.kill(signal.SIGKILL)
    before = seen(server.folder)
    assert hub("backup", server.folder, str(tmp_path / "copy"))[0] == 0
    after = seen(server.folder)
    same = {name for name in before if before[name] == after.get(name)}
    assert {Path(name).name for name in before.keys() | after.keys() if name not in same} <= {
        server.folder.name,
        "users.lock",
    }
    assert hub("fsck", tmp_path / "copy") == (0, "0 problems\n")
    status, said = hub("backup", server.folder, str(tmp_path / "copy"))
    assert status == 1 and "not empty" in said
    assert "inside" in hub("backup", server.folder, str(server.folder / "copy"))[1]


def test_a_backup_of_a_damaged_store_is_not_kept(own: Callable[[], Server], tmp_path: Path) -> None:  # noqa: F811
    server = own()
    fill(server)
    weights = next(file for file in server.folder.glob("blobs/*/*") if file.stat().st_size == 5001)
    weights.write_bytes(b"x" * 5001)
    status, said = hub("backup", server.folder, str(tmp_path / "copy"))
    assert status == 1 and "not sound" in said and list(tmp_path.glob("*copy*")) == []


def test_a_backup_keeps_the_token(tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    server = start_server(tmp_path / "h" / "hub")
    token = (server.folder / "token").read_text()
    HfApi(server.url, token).create_repo("lora-hub/mine")
    assert hub("backup", server.folder, str(tmp_path / "copy"))[0] == 0
    server.kill()
    again = start_server(tmp_path / "copy")
    try:
        assert HfApi(again.url, token).whoami()["name"] == "local" and HfApi(again.url, token).repo_exists(
            "lora-hub/mine"
        )
        assert oct((tmp_path / "copy" / "token").stat().st_mode)[-3:] == "600"
    finally:
        again.kill()
