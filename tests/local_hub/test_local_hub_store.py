"""The embedded Hub's store: many writers at once, damaged on purpose; and hostile input."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from test_local_hub import ACCOUNTS, ROOT, TOKENS, Server, _client, new_repo, server, start_server  # noqa: F401

ALICE = TOKENS["alice"]


def post_lines(
    server: Server, repo: str, *operations: dict, token: str = ALICE, branch: str = "main", **header: str
) -> tuple[int, dict, bytes]:
    """A commit as raw lines, as a client that means harm would send it."""
    lines = [{"key": "header", "value": {"summary": "x", **header}}, *operations]
    return server.fetch(
        f"/api/models/{repo}/commit/{branch}",
        method="POST",
        body="\n".join(map(json.dumps, lines)).encode(),
        token=token,
    )


def add(path: str, data: bytes = b"x") -> dict:
    return {"key": "file", "value": {"path": path, "encoding": "base64", "content": base64.b64encode(data).decode()}}


def check(folder: Path, action: str = "fsck") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "lora_hub.local_hub", action, "--dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Starts (again) a server over a folder of the test's own."""
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / "accounts.json").write_text(json.dumps(ACCOUNTS))
    running: list[Server] = []

    def start() -> Server:
        running.append(start_server(tmp_path / "h" / "hub", "--accounts", str(tmp_path / "h" / "accounts.json")))
        return running[-1]

    yield start
    for started in running:
        if started.process.poll() is None:
            started.kill()


def test_twenty_writers_to_one_repo_and_to_twenty(server: Server, new_repo: Callable[..., str]) -> None:
    repos, one = [new_repo() for _ in range(20)], new_repo()
    with ThreadPoolExecutor(20) as pool:
        apart = list(pool.map(lambda n: post_lines(server, repos[n], add("a.txt", str(n).encode()))[0], range(20)))
        together = list(pool.map(lambda n: post_lines(server, one, add(f"{n}.txt"))[0], range(20)))
    assert apart == together == [200] * 20
    assert {f"{n}.txt" for n in range(20)} <= set(server.api().list_repo_files(one))
    assert len(server.api().list_repo_commits(one)) == 21
    head = server.api().model_info(one).sha
    with ThreadPoolExecutor(20) as pool:
        raced = list(
            pool.map(
                lambda n: post_lines(server, one, add("race.txt", str(n).encode()), parentCommit=head)[0], range(20)
            )
        )
    assert sorted(raced) == [200] + [412] * 19


def test_fsck_finds_damage_and_gc_keeps_what_is_used(own: Callable[[], Server]) -> None:
    started = own()
    repo = started.api().create_repo("lora-hub/damaged").repo_id
    started.api().upload_file(repo_id=repo, path_in_repo="w.bin", path_or_fileobj=b"weights")
    started.api().upload_file(repo_id=repo, path_in_repo="a.txt", path_or_fileobj=b"text")
    started.api().create_repo("lora-hub/dropped")
    started.api().upload_file(repo_id="lora-hub/dropped", path_in_repo="d.bin", path_or_fileobj=b"dropped")
    started.api().delete_repo("lora-hub/dropped")
    status, text = check(started.folder)
    assert status == 1 and text == ""  # while the server runs, the folder is its own
    started.kill()
    assert check(started.folder) == (0, "0 problems\n")
    blob = started.folder / "blobs" / (name := hashlib.sha256(b"dropped").hexdigest())[:2] / name
    check(started.folder, "gc")
    assert blob.exists()  # too young: an upload could be about to be committed
    subprocess.run(
        ["find", str(started.folder / "blobs"), "-type", "f", "-exec", "touch", "-d", "3 days ago", "{}", "+"],
        check=True,
    )
    assert check(started.folder, "gc")[1].startswith("2 unused files") and not blob.exists()  # the file and its tree
    assert check(started.folder) == (0, "0 problems\n")
    weights = started.folder / "blobs" / (name := hashlib.sha256(b"weights").hexdigest())[:2] / name
    weights.write_bytes(b"w3ights")
    status, text = check(started.folder)
    assert status == 1 and "other bytes" in text and "w.bin" in text
    import sqlite3

    weights.write_bytes(b"weights")
    with sqlite3.connect(started.folder / "hub.sqlite") as db:
        db.execute("UPDATE commits SET author = 'mallory' WHERE title LIKE '%w.bin%'")
    status, text = check(started.folder)
    assert status == 1 and "is not what its id says" in text


# ---- hostile input


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "a//b",
        "a/./b",
        "",
        ".git/config",
        "a/.GIT/hooks",
        "a\0b",
        "a\nb",
        "a\\..\\b",
        "x" * 300,
        "a/" * 600 + "b",
    ],
)
def test_paths_that_could_mean_another_place_are_refused(
    server: Server, new_repo: Callable[..., str], path: str
) -> None:
    repo = new_repo()
    status, headers, body = post_lines(server, repo, add(path))
    assert (
        status in (400, 422)
        and "Invalid path" in json.loads(body)["error"]
        and headers["x-error-message"].isprintable()
    )
    assert server.api().list_repo_files(repo) == [".gitattributes"]
    oid = hashlib.sha256(b"x").hexdigest()
    assert post_lines(server, repo, {"key": "lfsFile", "value": {"path": path, "oid": oid, "size": 1}})[0] in (400, 422)


def test_reading_outside_of_the_store_is_not_possible(server: Server, new_repo: Callable[..., str]) -> None:
    repo = new_repo()
    for path in (
        f"/{repo}/resolve/main/..%2F..%2F..%2Fetc%2Fpasswd",
        f"/{repo}/resolve/..%2F..%2Frefs/x",
        "/..%2F..%2Fetc/passwd/resolve/main/x",
        f"/{repo}/resolve/main/%00",
        "/lora-hub/..%2Fx/resolve/main/x",
    ):
        assert server.fetch(path)[0] in (400, 404)


@pytest.mark.parametrize("name", ["..", "a..b", "a--b", "-a", "a b", "resolve", "x.git", "a\r\nb", "x" * 120, "é"])
def test_reserved_and_malformed_names_are_refused(server: Server, name: str) -> None:
    status, _, body = server.fetch(
        "/api/repos/create",
        method="POST",
        body=json.dumps({"name": name, "organization": "lora-hub"}).encode(),
        token=ALICE,
    )
    assert status == 400 and "Invalid repository name" in json.loads(body)["error"]


def test_odd_references_are_refused(server: Server, new_repo: Callable[..., str]) -> None:
    repo = new_repo()
    for name in ("refs%2Fheads%2Fmain", "a..b", "a%0d%0ab", "a%20b", "-x", "a.lock", "0a" * 20):
        assert server.fetch(f"/api/models/{repo}/branch/{name}", method="POST", body=b"{}", token=ALICE)[0] == 400
    assert server.fetch(f"/api/models/{repo}/tag/main", method="POST", body=b'{"tag": "a:b"}', token=ALICE)[0] == 400


def test_a_blob_whose_hash_or_size_lies_is_refused(server: Server, new_repo: Callable[..., str]) -> None:
    repo, oid = new_repo(), hashlib.sha256(b"honest").hexdigest()

    def batch(size: int) -> str:
        body = json.dumps(
            {"operation": "upload", "transfers": ["basic"], "objects": [{"oid": oid, "size": size}]}
        ).encode()
        answer = json.loads(
            server.fetch(f"/{repo}.git/info/lfs/objects/batch", method="POST", body=body, token=ALICE)[2]
        )
        return answer["objects"][0]["actions"]["upload"]["href"].removeprefix(server.url)

    assert server.fetch(batch(6), method="PUT", body=b"l1ar!!")[0] == 400
    assert server.fetch(batch(5), method="PUT", body=b"honest")[0] == 413
    href = batch(6)
    assert server.fetch(href.replace("link=", "link=0"), method="PUT", body=b"honest")[0] == 403
    assert server.fetch(href, method="PUT", body=b"hones")[0] == 400
    assert post_lines(server, repo, {"key": "lfsFile", "value": {"path": "w.bin", "oid": oid, "size": 6}})[0] == 400
    assert server.fetch(href, method="PUT", body=b"honest")[0] == 200
    assert post_lines(server, repo, {"key": "lfsFile", "value": {"path": "w.bin", "oid": oid, "size": 5}})[0] == 400
    assert post_lines(server, repo, {"key": "lfsFile", "value": {"path": "w.bin", "oid": oid, "size": 6}})[0] == 200


def test_the_same_file_sent_many_times_at_once(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo, data = new_repo(), bytes(range(256)) * 4096
    oid = hashlib.sha256(data).hexdigest()

    def send(n: int) -> int:
        body = json.dumps({"operation": "upload", "objects": [{"oid": oid, "size": len(data)}]}).encode()
        answer = json.loads(
            server.fetch(f"/{repo}.git/info/lfs/objects/batch", method="POST", body=body, token=ALICE)[2]
        )
        if "actions" not in answer["objects"][0]:
            return 200  # another one was quicker
        href = answer["objects"][0]["actions"]["upload"]["href"].removeprefix(server.url)
        return server.fetch(href, method="PUT", body=data if n % 4 else data[::-1])[0]

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(send, (n or 1 for n in range(32)))) <= {200, 400}  # 400: the wrong bytes
    assert (
        post_lines(server, repo, {"key": "lfsFile", "value": {"path": "w.bin", "oid": oid, "size": len(data)}})[0]
        == 200
    )
    assert server.fetch(f"/{repo}/resolve/main/w.bin")[2] == data


def test_a_large_file_comes_in_parts(server: Server, new_repo: Callable[..., str], tmp_path: Path) -> None:  # noqa: F811
    from huggingface_hub import hf_hub_download

    with open(tmp_path / "large.bin", "wb") as file:
        file.truncate(256 * 1024 * 1024)
        file.seek(0, 2)
        file.write(b"the second part")
    repo, before = new_repo(), set((server.folder / "incoming").iterdir())
    server.api().upload_file(repo_id=repo, path_in_repo="large.bin", path_or_fileobj=tmp_path / "large.bin")
    info = server.api().get_paths_info(repo, ["large.bin"])[0]
    with open(tmp_path / "large.bin", "rb") as file:
        assert (
            info.lfs.sha256 == hashlib.file_digest(file, "sha256").hexdigest() and info.size == 256 * 1024 * 1024 + 15
        )
    status, headers, tail = server.fetch(f"/{repo}/resolve/main/large.bin", Range="bytes=-20")
    assert (status, tail) == (206, bytes(5) + b"the second part")
    assert set((server.folder / "incoming").iterdir()) == before
    path = hf_hub_download(repo, "large.bin", endpoint=server.url, token=ALICE, cache_dir=tmp_path / "cache")
    assert Path(path).stat().st_size == info.size


def test_a_tag_stays_where_it_is(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo, api = new_repo(), server.api()
    api.create_tag(repo, tag="v1")
    before = api.model_info(repo, revision="v1").sha
    assert post_lines(server, repo, add("a.txt"), branch="refs%2Ftags%2Fv1")[0] == 400
    assert (
        post_lines(server, repo, add("a.txt"), branch="v1")[0] == 404
        and api.model_info(repo, revision="v1").sha == before
    )


def test_another_users_lfs_object_cannot_be_linked(server: Server) -> None:
    secret, data = (
        server.api().create_repo("closed/secret", exist_ok=True).repo_id,
        b"a secret of the closed organization",
    )
    server.api().upload_file(repo_id=secret, path_in_repo="s.bin", path_or_fileobj=data)
    thief, oid = server.api("carol").create_repo("carol/thief").repo_id, hashlib.sha256(data).hexdigest()
    line = {"key": "lfsFile", "value": {"path": "s.bin", "algo": "sha256", "oid": oid, "size": len(data)}}
    assert post_lines(server, thief, line, token=TOKENS["carol"])[0] == 400
    body = json.dumps({"operation": "upload", "objects": [{"oid": oid, "size": len(data)}]}).encode()
    answer = json.loads(
        server.fetch(f"/{thief}.git/info/lfs/objects/batch", method="POST", body=body, token=TOKENS["carol"])[2]
    )
    assert "actions" in answer["objects"][0]  # the answer does not tell that the object is there
    assert post_lines(server, "alice/mine", line)[0] == 404
    server.api().create_repo("alice/mine")
    assert post_lines(server, "alice/mine", line)[0] == 400  # a repo links what was uploaded to it, whoever asks


def test_lfs_files_are_copied_inside_a_repo(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    from huggingface_hub import CommitOperationCopy

    repo, api, data = new_repo(), server.api(), b"the same weights twice"
    api.upload_file(repo_id=repo, path_in_repo="w.bin", path_or_fileobj=data)
    api.create_commit(repo, [CommitOperationCopy("w.bin", "copy.bin")], commit_message="Copy")
    assert server.fetch(f"/{repo}/resolve/main/copy.bin")[2] == data
    # the form of that line leads nowhere from another repo, so that no gate is got round
    line = {"key": "lfsFile", "value": {"path": "w.bin", "algo": "sha256", "oid": hashlib.sha256(data).hexdigest()}}
    assert post_lines(server, repo, line)[0] == 200 and post_lines(server, new_repo(), line)[0] == 400


def test_large_and_malformed_bodies_are_refused(server: Server, new_repo: Callable[..., str]) -> None:
    repo = new_repo()
    commit = f"/api/models/{repo}/commit/main"
    for body, status in (
        (b"{", 400),
        (b"[1]", 400),
        (b'{"key": "file", "value": 3}', 400),
        (b'{"key": "nope", "value": {}}', 400),
        (json.dumps(add("a") | {"value": {"path": "a", "encoding": "base64", "content": "!"}}).encode(), 400),
        (b"[" * 100_000, 400),
        (b" " * (49 * 1024 * 1024), 413),
    ):
        assert server.fetch(commit, method="POST", body=body, token=ALICE)[0] == status
    assert server.fetch("/api/repos/create", method="POST", body=b"{" + b" " * (9 * 1024 * 1024), token=ALICE)[0] == 413
    assert server.fetch("/api/repos/create", method="POST", body=b'{"name": 3}', token=ALICE)[0] == 400
    assert server.fetch("/api/models?limit=x")[0] == 400 and server.fetch("/api/models?sort=passwords")[0] == 400


def test_a_commit_of_ten_thousand_files(server: Server, new_repo: Callable[..., str]) -> None:
    repo, started = new_repo(), time.monotonic()
    status, _, _ = post_lines(server, repo, *(add(f"d{n % 100}/{n}.txt", str(n).encode()) for n in range(10_000)))
    assert status == 200 and time.monotonic() - started < 120
    assert len(list(server.api().list_repo_tree(repo, recursive=True))) == 10_101
    assert post_lines(server, repo, *(add(f"{n}.txt") for n in range(25_001)))[0] == 413


def test_a_file_cannot_be_a_folder_too(server: Server, new_repo: Callable[..., str]) -> None:
    repo = new_repo()
    assert post_lines(server, repo, add("a"), add("a/b"))[0] == 400
    assert post_lines(server, repo, add("a/b"))[0] == 200 and post_lines(server, repo, add("a"))[0] == 400


def test_connections_go_with_their_threads(tmp_path: Path) -> None:
    """A server that runs for weeks opens no file that it does not close."""
    import gc
    import threading

    from lora_hub.local_hub.store import Store

    store = Store(tmp_path / "hub")
    for _ in range(30):
        thread = threading.Thread(target=store.repos)
        thread.start()
        thread.join()
    gc.collect()
    held = [
        link for link in Path("/proc/self/fd").iterdir() if link.is_symlink() and str(tmp_path) in os.readlink(link)
    ]
    assert len(held) < 10, "as many as threads at once, not one for each that there ever was"
    store.close()
    assert {file.name for file in (tmp_path / "hub").iterdir()} == {"hub.sqlite", "incoming"}
