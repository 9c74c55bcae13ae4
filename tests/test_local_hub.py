"""The embedded Hub, driven by the real `huggingface_hub` client over HTTP: repos, commits, reading, listing, rights."""

import json
import os
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

ROOT = Path(__file__).resolve().parent.parent
TOKENS = {"alice": "hf_alice_0123456789", "bob": "hf_bob_0123456789", "carol": "hf_carol_0123456789", "dora": "hf_dora_0123456789"}
ACCOUNTS = {
    "users": {name: {"token": token, "fullname": name.title()} for name, token in TOKENS.items()},
    "orgs": {"lora-hub": {"fullname": "LoRA Hub", "members": {"alice": "admin", "bob": "read", "dora": "contributor"}},
             "closed": {"fullname": "Closed", "members": {"alice": "admin"}, "private_by_default": True}},
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

    def fetch(self, path: str, *, method: str = "GET", body: bytes | None = None, token: str = "", **headers: str) -> tuple[int, dict, bytes]:
        """(status, headers, body) without following redirects, and without raising."""
        request = urllib.request.Request(self.url + path, body, {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}, method=method)
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
        process = subprocess.Popen([sys.executable, "-m", "lora_hub.local_hub", "--port", str(port), "--dir", str(folder), "--upstream", "off", *arguments],
                                   stdout=log, stderr=log, cwd=ROOT)
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
    (folder / "adapter_config.json").write_text(json.dumps(
        {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "HuggingFaceTB/SmolLM2-135M-Instruct"}))
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
    assert {"lora", "peft", "safetensors", "lora-hub", "task:spam", "en", "fa", "license:apache-2.0", "dataset:owner/messages",
            "base_model:HuggingFaceTB/SmolLM2-135M-Instruct", "base_model:adapter:HuggingFaceTB/SmolLM2-135M-Instruct"} <= set(info.tags)
    assert info.card_data.base_model == "HuggingFaceTB/SmolLM2-135M-Instruct" and info.library_name == "peft"
    assert info.safetensors.total == 68 and info.safetensors.parameters == {"F32": 68}
    weights = next(file for file in info.siblings if file.rfilename == "adapter_model.safetensors")
    assert weights.lfs.size == weights.size == (folder / "adapter_model.safetensors").stat().st_size
    old = Path(snapshot_download(repo, revision="v1", endpoint=server.url, token=TOKENS["bob"], cache_dir=tmp_path / "c1"))
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
    listed = list(server.api("bob").list_models(author="ALICE", filter=["lora-hub", "task:spam"], full=True, cardData=True))
    assert [m.id for m in listed] == names[2::-1]
    assert listed[0].card_data["license"] == "apache-2.0" and listed[0].sha and listed[0].last_modified and listed[0].siblings
    assert {m.id for m in api.list_models(author="alice", search="LISTED-hid")} == {"alice/listed-hidden"}
    assert [m.id for m in api.list_models(author="alice", search="listed", sort="created_at", limit=2)] == ["alice/listed-hidden", "alice/listed-4"]
    assert list(api.list_models(author="alice", filter="task:none")) == []
    assert [m.id for m in api.list_models(filter="base_model:adapter:HuggingFaceTB/SmolLM2-135M-Instruct", author="alice")] == names[2::-1]
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


def test_restart_keeps_everything(tmp_path: Path) -> None:
    started = start_server(tmp_path / "h" / "hub")
    token = (tmp_path / "h" / "hub" / "token").read_text()
    from huggingface_hub import HfApi

    api = HfApi(endpoint=started.url, token=token)
    assert api.whoami()["name"] == "local" and [org["name"] for org in api.whoami()["orgs"]] == ["lora-hub"]
    commit = api.upload_file(repo_id=api.create_repo("lora-hub/kept").repo_id, path_in_repo="a.txt", path_or_fileobj=b"kept")
    port = int(started.url.rsplit(":", 1)[1])
    started.kill(signal.SIGKILL)
    again = start_server(tmp_path / "h" / "hub", "--org", "another", port=port)
    try:
        assert again.url == started.url and api.model_info("lora-hub/kept").sha == commit.oid
        assert again.fetch("/lora-hub/kept/resolve/main/a.txt")[2] == b"kept"
        api.upload_file(repo_id="lora-hub/kept", path_in_repo="b.txt", path_or_fileobj=b"still mine")
        assert oct((tmp_path / "h" / "hub" / "token").stat().st_mode)[-3:] == "600" and token not in again.log
    finally:
        again.kill()


def test_a_second_server_over_the_same_folder_refuses(server: Server) -> None:
    done = subprocess.run([sys.executable, "-m", "lora_hub.local_hub", "--dir", str(server.folder)], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "already serves" in done.stderr and "Traceback" not in done.stderr


def test_a_taken_port_and_a_broken_accounts_file_are_told_in_a_sentence(server: Server, tmp_path: Path) -> None:
    port = server.url.rsplit(":", 1)[1]
    (tmp_path / "broken.yaml").write_text("users: {eve: {token: hf_secret_of_eve}\norgs: [")
    for arguments, words in ((["--port", port], "cannot listen"), (["--accounts", str(tmp_path / "broken.yaml")], "accounts file"),
                             (["--accounts", str(tmp_path / "none.yaml")], "accounts file"), (["--host", "0.0.0.0"], "--accounts")):
        done = subprocess.run([sys.executable, "-m", "lora_hub.local_hub", "--dir", str(tmp_path / "other"), *arguments], cwd=ROOT,
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr and "hf_secret_of_eve" not in done.stderr


# ---- accounts and rights


def test_accounts_roles_and_what_strangers_see(server: Server, new_repo: Callable[..., str]) -> None:
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    me = server.api().whoami()
    assert me["name"] == "alice" and {(org["name"], org["roleInOrg"]) for org in me["orgs"]} == {("lora-hub", "admin"), ("closed", "admin")}
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        server.api().whoami(token="hf_nobody")
    private, public = new_repo(private=True), new_repo()
    server.api().upload_file(repo_id=private, path_in_repo="a.txt", path_or_fileobj=b"secret")
    assert server.api("bob").model_info(private).private is True
    for user in ("carol", None):
        with pytest.raises(RepositoryNotFoundError):
            server.api(user).model_info(private)
        assert not server.api(user).repo_exists(private)
        assert private not in [m.id for m in server.api(user).list_models(author="lora-hub", limit=100)]
        assert server.fetch(f"/{private}/resolve/main/a.txt", token=TOKENS[user] if user else "")[0] == 404
        assert server.fetch(f"/{private}", token=TOKENS[user] if user else "")[0] == 404
    for user in ("bob", "carol"):
        with pytest.raises(HfHubHTTPError) as refused:
            server.api(user).upload_file(repo_id=public, path_in_repo="x", path_or_fileobj=b"x")
        assert refused.value.response.status_code == 403
        with pytest.raises(HfHubHTTPError):
            server.api(user).delete_repo(public)
        with pytest.raises(HfHubHTTPError):
            server.api(user).create_repo("lora-hub/not-mine")
    mine = server.api("dora").create_repo("lora-hub/of-dora").repo_id
    server.api("dora").upload_file(repo_id=mine, path_in_repo="x", path_or_fileobj=b"x")
    with pytest.raises(HfHubHTTPError):
        server.api("dora").upload_file(repo_id=public, path_in_repo="x", path_or_fileobj=b"x")
    assert server.fetch(f"/api/models/{public}", token="hf_wrong")[0] == 401
    closed = server.api().create_repo("closed/inner").repo_id
    assert server.api().model_info(closed).private is True


def test_the_accounts_file_is_reread(server: Server) -> None:
    file = server.folder.parent / "accounts.json"
    more = json.loads(file.read_text())
    more["users"]["erin"] = {"token": "hf_erin_0123456789"}
    file.write_text(json.dumps(more))
    status, _, body = server.fetch("/api/whoami-v2", token="hf_erin_0123456789")
    assert status == 200 and json.loads(body)["name"] == "erin"
    file.write_text(json.dumps(ACCOUNTS))
    assert server.fetch("/api/whoami-v2", token="hf_erin_0123456789")[0] == 401


def test_ids_in_any_case_and_settings(server: Server, new_repo: Callable[..., str]) -> None:
    api, repo = server.api(), new_repo()
    assert api.model_info(repo.upper()).id == repo and api.model_info(repo.title()).id == repo
    api.update_repo_settings(repo, private=True)
    assert not server.api(None).repo_exists(repo)
    api.update_repo_settings(repo, private=False)
    assert server.api(None).repo_exists(repo) and server.api("carol").auth_check(repo) is None
    assert api.create_repo(repo.upper(), exist_ok=True).repo_id.lower() == repo
    with pytest.raises(Exception, match="409"):
        api.create_repo(repo)
    api.delete_repo(repo)
    assert not api.repo_exists(repo)
    api.delete_repo(repo, missing_ok=True)


def test_moved_repos_answer_to_both_names(server: Server, new_repo: Callable[..., str]) -> None:
    api, repo = server.api(), new_repo()
    api.upload_file(repo_id=repo, path_in_repo="a.txt", path_or_fileobj=b"moved")
    api.move_repo(repo, "alice/moved-here")
    assert api.model_info(repo).id == "alice/moved-here"
    assert server.fetch(f"/{repo}/resolve/main/a.txt")[2] == b"moved"
    api.create_repo(repo)
    assert api.model_info(repo).id == repo


def test_datasets_and_spaces_are_apart_from_models(server: Server, new_repo: Callable[..., str]) -> None:
    api, repo = server.api(), new_repo()
    api.create_repo(repo, repo_type="dataset")
    api.create_repo(repo, repo_type="space", space_sdk="gradio")
    api.upload_file(repo_id=repo, repo_type="dataset", path_in_repo="README.md", path_or_fileobj=b"---\nlanguage: [fa]\ntask_categories: [translation]\n---\n")
    assert {"language:fa", "task_categories:translation"} <= set(api.dataset_info(repo).tags)
    assert [d.id for d in api.list_datasets(author="lora-hub", filter="task_categories:translation")] == [repo]
    assert api.space_info(repo).sdk == "gradio" and api.space_info(repo).card_data["sdk"] == "gradio"
    assert [s.id for s in api.list_spaces(author="lora-hub", search=repo.split("/")[1])] == [repo]
    assert api.list_repo_files(repo) == [".gitattributes"]


# ---- commits and reading


def test_gitattributes_decides_what_goes_to_lfs(server: Server, new_repo: Callable[..., str]) -> None:
    from huggingface_hub import CommitOperationAdd

    api, repo = server.api(), new_repo()
    api.create_commit(repo, [CommitOperationAdd(path, b"data " + path.encode()) for path in ("a.bin", "deep/b.safetensors", "c.txt", "odd.xyz")],
                      commit_message="files")
    kinds = {file.path: file.lfs is not None for file in api.list_repo_tree(repo, recursive=True) if hasattr(file, "lfs")}
    assert kinds == {".gitattributes": False, "a.bin": True, "deep/b.safetensors": True, "c.txt": False, "odd.xyz": False}
    api.upload_file(repo_id=repo, path_in_repo=".gitattributes", path_or_fileobj=b"*.xyz filter=lfs diff=lfs merge=lfs -text\ndeep/** -filter\n")
    api.upload_file(repo_id=repo, path_in_repo="odd.xyz", path_or_fileobj=b"new")
    assert api.get_paths_info(repo, ["odd.xyz"])[0].lfs.sha256 and api.get_paths_info(repo, ["nothing"]) == []
    api.upload_file(repo_id=repo, path_in_repo="empty.bin", path_or_fileobj=b"")
    assert api.get_paths_info(repo, ["empty.bin"])[0].size == 0
    assert server.fetch(f"/{repo}/resolve/main/empty.bin")[2] == b""


def test_a_stale_parent_is_refused_with_412_and_a_noop_makes_no_commit(server: Server, new_repo: Callable[..., str]) -> None:
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
    api.create_commit(repo, [CommitOperationAdd(path, path.encode()) for path in ("a.txt", "d/b.txt", "d/e/c.txt", "w.bin")], commit_message="files")
    api.create_branch(repo, branch="work/one")
    api.delete_folder("d", repo, revision="work/one")
    api.create_commit(repo, [CommitOperationCopy("w.bin", "copy.bin"), CommitOperationCopy("a.txt", "copy.txt")], commit_message="copy", revision="work/one")
    assert set(api.list_repo_files(repo, revision="work/one")) == {".gitattributes", "a.txt", "w.bin", "copy.bin", "copy.txt"}
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


def test_resolve_heads_ranges_and_conditions(server: Server, new_repo: Callable[..., str]) -> None:
    repo = new_repo()
    for name, kind in (("w.bin", "lfs"), ("t.txt", "regular")):
        commit = server.api().upload_file(repo_id=repo, path_in_repo=name, path_or_fileobj=b"0123456789").oid
        path = f"/{repo}/resolve/{commit}/{name}"
        status, headers, body = server.fetch(path, method="HEAD")
        assert (status, body, headers["content-length"], headers["x-repo-commit"]) == (200, b"", "10", commit)
        assert ("x-linked-etag" in headers) == (kind == "lfs")
        assert server.fetch(path, Range="bytes=2-4")[::2] == (206, b"234")
        assert server.fetch(path, Range="bytes=7-")[2] == b"789" and server.fetch(path, Range="bytes=-2")[2] == b"89"
        assert server.fetch(path, Range="bytes=20-")[0] == 416
        assert server.fetch(path, **{"If-None-Match": headers["etag"]})[::2] == (304, b"")
        assert server.fetch(path, **{"If-None-Match": '"other"'})[0] == 200
    status, headers, body = server.fetch(f"/{repo}/resolve/main/none.txt")
    assert (status, headers["x-error-code"], headers["x-repo-commit"]) == (404, "EntryNotFound", commit)
    assert server.fetch(f"/{repo}/resolve/nope/t.txt")[1]["x-error-code"] == "RevisionNotFound"
    assert server.fetch("/lora-hub/nope/resolve/main/t.txt")[1]["x-error-code"] == "RepoNotFound"


def test_last_commits_and_history_pages(server: Server, new_repo: Callable[..., str]) -> None:
    api, repo = server.api(), new_repo()
    made = [api.upload_file(repo_id=repo, path_in_repo=f"d/{n % 3}.txt", path_or_fileobj=str(n).encode(), commit_message=f"commit {n}").oid for n in range(55)]
    files = {item.path: item.last_commit for item in api.list_repo_tree(repo, recursive=True, expand=True)}
    assert files["d/0.txt"].oid == made[54] and files["d/2.txt"].title == "commit 53" and files["d"].oid == made[54]
    assert files[".gitattributes"].title == "initial commit"
    assert [c.commit_id for c in api.list_repo_commits(repo)] [:-1] == made[::-1]
    assert api.model_info(repo, revision=made[3][:9]).sha == made[3]


def test_cards_are_checked_and_hostile_ones_do_no_harm(server: Server, new_repo: Callable[..., str]) -> None:
    api, repo = server.api(), new_repo()
    with pytest.raises(Exception, match="model-index"):
        api.upload_file(repo_id=repo, path_in_repo="README.md", path_or_fileobj=b"---\nmodel-index: foo\n---\n")
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=False))
    status, _, body = server.fetch("/api/validate-yaml", method="POST", body=json.dumps({"content": f"---\n{bomb}---\n", "repoType": "model"}).encode())
    assert status == 400 and "Aliases" in json.loads(body)["errors"][0]["message"]
    lines = [{"key": "header", "value": {"summary": "x"}}, {"key": "file", "value": {"path": "README.md", "encoding": "utf-8", "content": f"---\n{bomb}---\n# x"}}]
    body = "\n".join(map(json.dumps, lines)).encode()
    assert server.fetch(f"/api/models/{repo}/commit/main", method="POST", body=body, token=TOKENS["alice"])[0] == 200
    assert api.model_info(repo).card_data in (None, {}) or not api.model_info(repo).card_data.to_dict()


def test_pages_show_cards_without_scripts(server: Server, new_repo: Callable[..., str], tmp_path: Path) -> None:
    repo = new_repo()
    server.api().upload_folder(repo_id=repo, folder_path=adapter_folder(tmp_path / "adapter"), commit_message="<b>v1</b>")
    server.api().create_tag(repo, tag="v1")
    status, headers, body = server.fetch(f"/{repo}")
    page = body.decode()
    assert status == 200 and "<h1>Spam detection</h1>" in page and "<table>" in page and ">v1<" in page
    assert "<script" not in page and 'href="javascript' not in page and f'href="/{repo}/resolve/main/docs/x.md"' in page
    assert "script-src" not in headers["content-security-policy"] and headers["content-security-policy"].startswith("default-src 'none'")
    assert repo.split("/")[1] in server.fetch("/lora-hub")[2].decode() and repo in server.fetch("/")[2].decode()
    files = server.fetch(f"/{repo}/tree/main")[2].decode()
    assert "adapter_model.safetensors" in files and "?download=true" in files
    commits = server.fetch(f"/{repo}/commits/main")[2].decode()
    assert "&lt;b&gt;v1&lt;/b&gt;" in commits and "<b>v1</b>" not in commits
    link = re.search(r'href="(/[^"]+/commit/[0-9a-f]{40})"', commits)[1]
    assert "lora_hub.json" in server.fetch(link)[2].decode()
    server.api().create_repo(repo, repo_type="dataset")
    assert server.fetch(f"/datasets/{repo}")[0] == 200 and server.fetch("/nobody-here")[0] == 404
    server.api().upload_file(repo_id=repo, path_in_repo="evil.html", path_or_fileobj=b"<script>alert(1)</script>")
    headers = server.fetch(f"/{repo}/resolve/main/evil.html")[1]
    assert headers["content-type"].startswith("text/plain") and "sandbox" in headers["content-security-policy"]


def test_what_it_does_not_do_is_said_with_501(server: Server, new_repo: Callable[..., str]) -> None:
    for method, path in (("POST", f"/api/models/{new_repo()}/like"), ("GET", "/api/papers/search"), ("GET", "/api/settings/webhooks")):
        status, headers, body = server.fetch(path, method=method, body=b"{}" if method == "POST" else None, token=TOKENS["alice"])
        assert status == 501 and "does not do" in json.loads(body)["error"] and headers["x-request-id"]
