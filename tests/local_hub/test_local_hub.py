"""The embedded Hub, driven by the real `huggingface_hub` client over HTTP: repos, commits, reading, listing, rights."""

import json
import re
import signal
import struct
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOKENS = {
    "alice": "hf_alice_0123456789",
    "bob": "hf_bob_0123456789",
    "carol": "hf_carol_0123456789",
    "dora": "hf_dora_0123456789",
}
ACCOUNTS = {
    "users": {name: {"token": token, "fullname": name.title()} for name, token in TOKENS.items()},
    "orgs": {
        "lora-hub": {"fullname": "LoRA Hub", "members": {"alice": "admin", "bob": "read", "dora": "contributor"}},
        "closed": {"fullname": "Closed", "members": {"alice": "admin"}, "private_by_default": True},
    },
}


@dataclass
class Server:
    """A server process of our own for the tests."""

    url: str
    folder: Path
    process: subprocess.Popen

    def api(self, user: str | None = "alice"):
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.url, token=TOKENS[user] if user else False)

    def fetch(
        self, path: str, *, method: str = "GET", body: bytes | None = None, token: str = "", **headers: str
    ) -> tuple[int, dict, bytes]:
        """(status, headers, body) without following redirects, and without raising."""
        request = urllib.request.Request(
            self.url + path, body, {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}, method=method
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=120) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def kill(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(10)

    @property
    def log(self) -> str:
        return (self.folder.parent / "server.log").read_text()


def start_server(folder: Path, *arguments: str, port: int = 0) -> Server:
    """Starts `python -m lora_hub.local_hub` and waits until it says its address."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    before = (folder / "server.json").read_text() if (folder / "server.json").exists() else ""
    with open(folder.parent / "server.log", "ab") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "lora_hub.local_hub",
                "--port",
                str(port),
                "--dir",
                str(folder),
                "--upstream",
                "off",
                *arguments,
            ],
            stdout=log,
            stderr=log,
            cwd=ROOT,
        )
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        if (folder / "server.json").exists() and (text := (folder / "server.json").read_text()) != before:
            if (record := json.loads(text))["pid"] == process.pid:
                return Server(record["url"], folder, process)
        time.sleep(0.02)
    process.kill()
    raise AssertionError((folder.parent / "server.log").read_text())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hub")
    (folder / "accounts.json").write_text(json.dumps(ACCOUNTS))
    started = start_server(folder / "hub", "--accounts", str(folder / "accounts.json"))
    yield started
    started.kill()
    assert "Traceback" not in started.log, started.log[-4000:]
    assert not any(token in started.log for token in TOKENS.values())


@pytest.fixture(autouse=True)
def _client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The client as the launcher sets it up: no Xet, a cache of its own."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf-cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def new_repo(server: Server, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Makes repositories named after the test."""

    def make(owner: str = "lora-hub", **options: object) -> str:
        name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:50].strip("-")
        return server.api().create_repo(f"{owner}/{name}-{uuid.uuid4().hex[:8]}", **options).repo_id

    return make


def safetensors(**shapes: tuple[int, ...]) -> bytes:
    """A safetensors file of float32 zeros."""
    header, offset = {}, 0
    for name, shape in shapes.items():
        size = 4
        for side in shape:
            size *= side
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(offset)


CARD = """---
license: apache-2.0
language:
- en
- fa
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
library_name: peft
tags: [lora-hub, "task:spam", lora]
datasets: [owner/messages]
---
# Spam detection

| a | b |
|---|---|
| 1 | 2 |

<script>alert(1)</script> [bad](javascript:alert(1)) [file](docs/x.md)
"""


def adapter_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "README.md").write_text(CARD)
    (folder / "adapter_config.json").write_text(
        json.dumps(
            {
                "peft_type": "LORA",
                "task_type": "CAUSAL_LM",
                "base_model_name_or_path": "HuggingFaceTB/SmolLM2-135M-Instruct",
            }
        )
    )
    (folder / "adapter_model.safetensors").write_bytes(safetensors(a=(8, 4), b=(4, 8)))
    (folder / "lora_hub.json").write_text("{}")
    return folder


# ---- the road of an adapter


def test_publish_version_list_and_fetch(server: Server, new_repo: Callable[..., str], tmp_path: Path) -> None:
    from huggingface_hub import snapshot_download

    api, repo, folder = server.api(), new_repo(), adapter_folder(tmp_path / "adapter")
    first = api.upload_folder(repo_id=repo, folder_path=folder, commit_message="v1")
    api.create_tag(repo, tag="v1")
    (folder / "adapter_model.safetensors").write_bytes(safetensors(a=(8, 4), b=(4, 8), c=(2, 2)))
    second = api.upload_folder(repo_id=repo, folder_path=folder, commit_message="v2")
    api.create_tag(repo, tag="v2", tag_message="better")
    info = api.model_info(repo, files_metadata=True)
    assert info.sha == second.oid != first.oid and info.author == "lora-hub" and info.private is False
    assert {
        "lora",
        "peft",
        "safetensors",
        "lora-hub",
        "task:spam",
        "en",
        "fa",
        "license:apache-2.0",
        "dataset:owner/messages",
        "base_model:HuggingFaceTB/SmolLM2-135M-Instruct",
        "base_model:adapter:HuggingFaceTB/SmolLM2-135M-Instruct",
    } <= set(info.tags)
    assert info.card_data.base_model == "HuggingFaceTB/SmolLM2-135M-Instruct" and info.library_name == "peft"
    assert info.safetensors.total == 68 and info.safetensors.parameters == {"F32": 68}
    weights = next(file for file in info.siblings if file.rfilename == "adapter_model.safetensors")
    assert weights.lfs.size == weights.size == (folder / "adapter_model.safetensors").stat().st_size
    old = Path(
        snapshot_download(repo, revision="v1", endpoint=server.url, token=TOKENS["bob"], cache_dir=tmp_path / "c1")
    )
    new = Path(snapshot_download(repo, endpoint=server.url, token=False, cache_dir=tmp_path / "c2"))
    assert old.name == first.oid and (old / "adapter_model.safetensors").read_bytes() == safetensors(a=(8, 4), b=(4, 8))
    assert (new / "adapter_model.safetensors").read_bytes() == (folder / "adapter_model.safetensors").read_bytes()
    assert {p.name for p in new.iterdir()} == {".gitattributes", *(p.name for p in folder.iterdir())}
    assert api.model_info(repo).downloads == 2
    assert api.model_info(repo, revision="v1").safetensors.total == 64
    assert [c.title for c in api.list_repo_commits(repo)] == ["v2", "v1", "initial commit"]
    assert {tag.name: tag.target_commit for tag in api.list_repo_refs(repo).tags} == {"v1": first.oid, "v2": second.oid}


def test_listing_by_author_tags_search_order_and_pages(server: Server, tmp_path: Path) -> None:
    api, folder = server.api(), adapter_folder(tmp_path / "adapter")
    names = [api.create_repo(f"alice/listed-{n}").repo_id for n in range(5)]
    for name in names[:3]:
        api.upload_folder(repo_id=name, folder_path=folder)
    api.create_repo("alice/listed-hidden", private=True)
    listed = list(
        server.api("bob").list_models(author="ALICE", filter=["lora-hub", "task:spam"], full=True, cardData=True)
    )
    assert [m.id for m in listed] == names[2::-1]
    assert (
        listed[0].card_data["license"] == "apache-2.0"
        and listed[0].sha
        and listed[0].last_modified
        and listed[0].siblings
    )
    brief = next(iter(api.list_models(author="alice", filter="lora-hub")))
    assert brief.card_data is None and brief.siblings is None and brief.downloads == 0 and brief.library_name == "peft"
    assert {m.id for m in server.api("bob").list_models(author="alice", search="listed-hid")} == set()
    assert {m.id for m in api.list_models(author="alice", search="LISTED-hid")} == {"alice/listed-hidden"}
    assert [m.id for m in api.list_models(author="alice", search="listed", sort="created_at", limit=2)] == [
        "alice/listed-hidden",
        "alice/listed-4",
    ]
    assert list(api.list_models(author="alice", filter="task:none")) == []
    assert [
        m.id for m in api.list_models(filter="base_model:adapter:HuggingFaceTB/SmolLM2-135M-Instruct", author="alice")
    ] == names[2::-1]
    one = next(iter(api.list_models(author="alice", search="listed-0", expand=["sha", "safetensors", "downloads"])))
    assert one.safetensors.total == 64 and one.sha and one.tags is None
    status, headers, body = server.fetch("/api/models?author=alice&search=listed&limit=2")
    link = re.fullmatch(r'<(.+)>; rel="next"', headers["link"])[1]
    seen = [m["id"] for m in json.loads(body)]
    while link:
        _, headers, body = server.fetch(link.removeprefix(server.url))
        seen += [m["id"] for m in json.loads(body)]
        link = (re.fullmatch(r'<(.+)>; rel="next"', headers.get("link", "")) or [None, None])[1]
    assert sorted(seen) == names


def test_gitattributes_decides_what_goes_to_lfs(server: Server, new_repo: Callable[..., str]) -> None:
    from huggingface_hub import CommitOperationAdd

    api, repo = server.api(), new_repo()
    api.create_commit(
        repo,
        [
            CommitOperationAdd(path, b"data " + path.encode())
            for path in ("a.bin", "deep/b.safetensors", "c.txt", "odd.xyz")
        ],
        commit_message="files",
    )
    kinds = {
        file.path: file.lfs is not None for file in api.list_repo_tree(repo, recursive=True) if hasattr(file, "lfs")
    }
    assert kinds == {
        ".gitattributes": False,
        "a.bin": True,
        "deep/b.safetensors": True,
        "c.txt": False,
        "odd.xyz": False,
    }
    api.upload_file(
        repo_id=repo,
        path_in_repo=".gitattributes",
        path_or_fileobj=b"*.xyz filter=lfs diff=lfs merge=lfs -text\ndeep/** -filter\n",
    )
    api.upload_file(repo_id=repo, path_in_repo="odd.xyz", path_or_fileobj=b"new")
    assert api.get_paths_info(repo, ["odd.xyz"])[0].lfs.sha256 and api.get_paths_info(repo, ["nothing"]) == []
    api.upload_file(repo_id=repo, path_in_repo="empty.bin", path_or_fileobj=b"")
    assert api.get_paths_info(repo, ["empty.bin"])[0].size == 0
    assert server.fetch(f"/{repo}/resolve/main/empty.bin")[2] == b""


def test_a_stale_parent_is_refused_with_412_and_a_noop_makes_no_commit(
    server: Server, new_repo: Callable[..., str]
) -> None:
    from huggingface_hub.errors import HfHubHTTPError

    api, repo = server.api(), new_repo()
    start = api.model_info(repo).sha
    one = api.upload_file(repo_id=repo, path_in_repo="a.txt", path_or_fileobj=b"1", parent_commit=start)
    with pytest.raises(HfHubHTTPError) as refused:
        api.upload_file(repo_id=repo, path_in_repo="a.txt", path_or_fileobj=b"2", parent_commit=start)
    assert refused.value.response.status_code == 412
    assert api.upload_file(repo_id=repo, path_in_repo="a.txt", path_or_fileobj=b"1").oid == one.oid
    assert len(api.list_repo_commits(repo)) == 2


def test_deletions_branches_and_tags(server: Server, new_repo: Callable[..., str]) -> None:
    from huggingface_hub import CommitOperationAdd, CommitOperationCopy
    from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError

    api, repo = server.api(), new_repo()
    api.create_commit(
        repo,
        [CommitOperationAdd(path, path.encode()) for path in ("a.txt", "d/b.txt", "d/e/c.txt", "w.bin")],
        commit_message="files",
    )
    api.create_branch(repo, branch="work/one")
    api.delete_folder("d", repo, revision="work/one")
    api.create_commit(
        repo,
        [CommitOperationCopy("w.bin", "copy.bin"), CommitOperationCopy("a.txt", "copy.txt")],
        commit_message="copy",
        revision="work/one",
    )
    assert set(api.list_repo_files(repo, revision="work/one")) == {
        ".gitattributes",
        "a.txt",
        "w.bin",
        "copy.bin",
        "copy.txt",
    }
    assert "d/e/c.txt" in api.list_repo_files(repo)
    assert [item.path for item in api.list_repo_tree(repo, "d")] == ["d/b.txt", "d/e"]
    api.delete_file("a.txt", repo)
    assert "a.txt" not in api.list_repo_files(repo)
    api.create_tag(repo, tag="v1", revision="work/one")
    with pytest.raises(HfHubHTTPError, match="already exists"):
        api.create_tag(repo, tag="v1")
    api.create_tag(repo, tag="v1", exist_ok=True)
    api.delete_tag(repo, tag="v1")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(repo, revision="v1")
    api.delete_branch(repo, branch="work/one")
    with pytest.raises(HfHubHTTPError):
        api.delete_branch(repo, branch="main")
    assert [branch.name for branch in api.list_repo_refs(repo).branches] == ["main"]
