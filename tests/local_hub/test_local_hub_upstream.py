"""Fall-through to an upstream Hub: another embedded Hub plays the public one, a socket one that cannot be reached."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_local_hub import ACCOUNTS, TOKENS, Server, _client, adapter_folder, server, start_server  # noqa: F401

TAGGED = "x-upstream-hub"


@pytest.fixture(scope="module")
def near(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:  # noqa: F811
    """A Hub of another organization, with `server` as its upstream."""
    folder = tmp_path_factory.mktemp("near")
    (folder / "accounts.json").write_text(
        json.dumps({"users": ACCOUNTS["users"], "orgs": {"nearby": {"members": {"alice": "admin"}}}})
    )
    started = start_server(folder / "hub", "--accounts", str(folder / "accounts.json"), "--upstream", server.url)
    yield started
    started.kill()
    assert "Traceback" not in started.log


def test_reads_fall_through_and_files_are_kept(server: Server, near: Server, tmp_path: Path) -> None:  # noqa: F811
    from huggingface_hub import snapshot_download

    far = server.api().create_repo("lora-hub/far").repo_id
    commit = server.api().upload_folder(repo_id=far, folder_path=adapter_folder(tmp_path / "adapter")).oid
    info = near.api().model_info(far, files_metadata=True)
    assert info.sha == commit and "lora" in info.tags and info.safetensors.total == 64
    assert near.api().model_info(far, revision=commit[:10]).sha == commit
    assert {item.path for item in near.api().list_repo_tree(far)} == set(server.api().list_repo_files(far))
    assert (
        near.api().get_paths_info(far, ["README.md"])[0].size > 0
        and near.api().list_repo_refs(far).branches[0].target_commit == commit
    )
    for n in range(2):
        folder = Path(snapshot_download(far, endpoint=near.url, token=TOKENS["alice"], cache_dir=tmp_path / f"c{n}"))
        assert (folder / "lora_hub.json").read_text() == "{}" and folder.name == commit
    path = f"/{far}/resolve/main/adapter_model.safetensors"
    status, headers, whole = near.fetch(path)
    assert status == 200 and headers[TAGGED] == server.url and len(list((near.folder / "upstream").iterdir())) == 5
    assert near.fetch(path, Range="bytes=8-15")[::2] == (206, whole[8:16])
    server.api().upload_file(repo_id=far, path_in_repo="new.bin", path_or_fileobj=b"0123456789")
    new = f"/{far}/resolve/main/new.bin"
    assert near.fetch(new, Range="bytes=8-")[::2] == (206, b"89")
    assert near.fetch(new, method="HEAD")[1]["content-length"] == "10" and near.fetch(new, Range="bytes=20-")[0] == 416
    time.sleep(0.2)  # the last byte leaves before the file is in its place
    assert len(list((near.folder / "upstream").iterdir())) == 5
    assert near.fetch(new)[2] == near.fetch(new)[2] == b"0123456789"
    time.sleep(0.2)
    assert len(list((near.folder / "upstream").iterdir())) == 6
    assert near.fetch(f"/{far}/resolve/main/none")[1]["x-error-code"] == "EntryNotFound"
    assert near.fetch("/lora-hub/nowhere/resolve/main/none")[1]["x-error-code"] == "RepoNotFound"
    assert TAGGED not in near.fetch("/api/models/alice/mine")[1]


def test_writes_tokens_and_own_names_never_leave(server: Server, near: Server) -> None:  # noqa: F811
    from huggingface_hub.errors import RepositoryNotFoundError

    hidden = server.api().create_repo("lora-hub/far-private", private=True).repo_id
    with pytest.raises(RepositoryNotFoundError):
        near.api().model_info(hidden)  # alice may read it there, but her token stays here
    public = server.api().create_repo("lora-hub/far-public").repo_id
    with pytest.raises(RepositoryNotFoundError):
        near.api().upload_file(repo_id=public, path_in_repo="x", path_or_fileobj=b"x")
    before = server.log.count("nearby/")
    assert not near.api().repo_exists("nearby/not-there") and not near.api().repo_exists("alice/not-there")
    assert server.log.count("nearby/") == before and "alice/not-there" not in server.log


def test_what_was_longest_not_asked_for_goes_first(server: Server, tmp_path: Path) -> None:  # noqa: F811
    from starlette.requests import Request

    from lora_hub.local_hub.upstream import Upstream

    far, upstream = (
        server.api().create_repo("lora-hub/far-many").repo_id,
        Upstream(server.url, tmp_path / "kept", limit=25),
    )
    for name in "abc":
        server.api().upload_file(repo_id=far, path_in_repo=name, path_or_fileobj=name.encode() * 10)

    async def fetch(names: str) -> list[bytes]:
        bodies = []
        for name in names:
            scope = {
                "type": "http",
                "method": "GET",
                "headers": [],
                "path": "/",
                "query_string": b"",
                "server": ("hub", 80),
            }
            answer = await upstream.file(Request(scope), f"/{far}/resolve/main/{name}")
            bodies.append(b"".join([piece async for piece in answer.body_iterator]))
            await asyncio.sleep(0.05)
        return bodies

    assert asyncio.run(fetch("abac")) == [b"a" * 10, b"b" * 10, b"a" * 10, b"c" * 10]
    assert sorted(file.read_bytes()[:1] for file in (tmp_path / "kept").iterdir()) == [b"a", b"c"]


@pytest.mark.parametrize("kind", ["refuses", "hangs"])
def test_an_unreachable_upstream_costs_two_seconds_once(tmp_path: Path, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        if kind == "refuses":
            silent.close()
            address = "http://127.0.0.1:9"
        else:
            address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = start_server(tmp_path / "h" / "hub", "--upstream", address)
        try:
            times = []
            for _ in range(3):
                before = time.monotonic()
                status, headers, body = started.fetch("/api/models/some/thing")
                times.append(time.monotonic() - before)
                assert (status, headers["x-error-code"]) == (404, "RepoNotFound") and "cannot be reached" in json.loads(
                    body
                )["error"]
                assert headers["x-upstream-unreachable"] == address
            assert (
                times[0] < 2 + 10 and max(times[1:]) < 2
            )  # generous: the first one imports the client, on a machine that may be busy
        finally:
            started.kill()


def test_what_nobody_has_does_not_exist_though_the_upstream_is_down(tmp_path: Path) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    started = start_server(tmp_path / "h" / "hub", "--upstream", "http://127.0.0.1:9")
    try:
        api = HfApi(started.url, (started.folder / "token").read_text())
        here = api.create_repo("lora-hub/here").repo_id
        for name in ("some/thing", "gpt2", "lora-hub/none"):
            for kind in ("model", "dataset", "space"):
                assert api.repo_exists(name, repo_type=kind) is False
                assert api.revision_exists(name, "main", repo_type=kind) is False
                assert api.file_exists(name, "config.json", repo_type=kind) is False
        assert api.repo_exists(here) and api.revision_exists(here, "main") and api.file_exists(here, ".gitattributes")
        assert not api.revision_exists(here, "v9") and not api.file_exists(here, "none")
        with pytest.raises(RepositoryNotFoundError, match="http://127.0.0.1:9, which may, cannot be reached"):
            api.model_info("some/thing")
        with pytest.raises(RepositoryNotFoundError) as own:
            api.model_info("lora-hub/none")
        assert "upstream" not in str(own.value), "names of its own are asked nowhere else"
    finally:
        started.kill()


def test_a_download_that_breaks_off_is_not_kept(tmp_path: Path) -> None:
    """An upstream that promises 1,000 bytes and closes after 10."""
    with socket.create_server(("127.0.0.1", 0)) as upstream:

        def serve() -> None:
            while True:
                try:
                    connection, _ = upstream.accept()
                except OSError:
                    return
                with connection:
                    asked = connection.recv(65536)
                    connection.sendall(
                        b'HTTP/1.1 200 OK\r\nETag: "e"\r\nX-Repo-Commit: '
                        + b"a" * 40
                        + b"\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n"
                        + (b"" if asked.startswith(b"HEAD") else b"x" * 10)
                    )

        threading.Thread(target=serve, daemon=True).start()
        started = start_server(tmp_path / "h" / "hub", "--upstream", f"http://127.0.0.1:{upstream.getsockname()[1]}")
        try:
            with pytest.raises(Exception, match="IncompleteRead|reset|end of file|closed"):
                started.fetch("/some/thing/resolve/main/x")
            time.sleep(0.2)
            assert list((started.folder / "upstream").iterdir()) == []
        finally:
            started.kill()
