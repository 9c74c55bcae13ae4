"""Reading from the embedded Hub: files with ranges, history, cards, pages, and unsupported requests."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from test_local_hub import TOKENS, Server, _client, adapter_folder, new_repo, server  # noqa: F401


def test_resolve_heads_ranges_and_conditions(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
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
    assert server.fetch(f"/{repo}/blob/main/t.txt")[2] == b"0123456789"  # where links of the client lead people
    assert server.fetch(f"/{repo}/resolve/nope/t.txt")[1]["x-error-code"] == "RevisionNotFound"
    assert server.fetch("/lora-hub/nope/resolve/main/t.txt")[1]["x-error-code"] == "RepoNotFound"


def test_last_commits_and_history_pages(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    api, repo = server.api(), new_repo()
    made = [
        api.upload_file(
            repo_id=repo, path_in_repo=f"d/{n % 3}.txt", path_or_fileobj=str(n).encode(), commit_message=f"commit {n}"
        ).oid
        for n in range(55)
    ]
    files = {item.path: item.last_commit for item in api.list_repo_tree(repo, recursive=True, expand=True)}
    assert files["d/0.txt"].oid == made[54] and files["d/2.txt"].title == "commit 53" and files["d"].oid == made[54]
    assert files[".gitattributes"].title == "initial commit"
    assert [c.commit_id for c in api.list_repo_commits(repo)][:-1] == made[::-1]
    assert api.model_info(repo, revision=made[3][:9]).sha == made[3]


def test_cards_are_checked_and_hostile_ones_do_no_harm(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    api, repo = server.api(), new_repo()
    with pytest.raises(Exception, match="model-index"):
        api.upload_file(repo_id=repo, path_in_repo="README.md", path_or_fileobj=b"---\nmodel-index: foo\n---\n")
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=False)
    )
    status, _, body = server.fetch(
        "/api/validate-yaml",
        method="POST",
        body=json.dumps({"content": f"---\n{bomb}---\n", "repoType": "model"}).encode(),
    )
    assert status == 400 and "Aliases" in json.loads(body)["errors"][0]["message"]
    lines = [
        {"key": "header", "value": {"summary": "x"}},
        {"key": "file", "value": {"path": "README.md", "encoding": "utf-8", "content": f"---\n{bomb}---\n# x"}},
    ]
    body = "\n".join(map(json.dumps, lines)).encode()
    assert server.fetch(f"/api/models/{repo}/commit/main", method="POST", body=body, token=TOKENS["alice"])[0] == 200
    assert api.model_info(repo).card_data in (None, {}) or not api.model_info(repo).card_data.to_dict()


def test_pages_show_cards_without_scripts(server: Server, new_repo: Callable[..., str], tmp_path: Path) -> None:  # noqa: F811
    repo = new_repo()
    server.api().upload_folder(
        repo_id=repo, folder_path=adapter_folder(tmp_path / "adapter"), commit_message="<b>v1</b>"
    )
    server.api().create_tag(repo, tag="v1")
    status, headers, body = server.fetch(f"/{repo}")
    page = body.decode()
    assert status == 200 and "<h1>Spam detection</h1>" in page and "<table>" in page and ">v1<" in page
    assert "<script" not in page and 'href="javascript' not in page and f'href="/{repo}/resolve/main/docs/x.md"' in page
    assert "script-src" not in headers["content-security-policy"] and headers["content-security-policy"].startswith(
        "default-src 'none'"
    )
    assert repo.split("/")[1] in server.fetch("/lora-hub")[2].decode() and repo in server.fetch("/")[2].decode()
    files = server.fetch(f"/{repo}/tree/main")[2].decode()
    assert "adapter_model.safetensors" in files and "?download=true" in files
    commits = server.fetch(f"/{repo}/commits/main")[2].decode()
    assert "&lt;b&gt;v1&lt;/b&gt;" in commits and "<b>v1</b>" not in commits
    link = re.search(r'href="(/[^"]+/commit/[0-9a-f]{40})"', commits)[1]
    commit = server.fetch(link)[2].decode()
    assert "lora_hub.json" in commit and "&lt;b&gt;v1&lt;/b&gt;" in commit and ">alice," in commit
    server.api().create_repo(repo, repo_type="dataset")
    assert server.fetch(f"/datasets/{repo}")[0] == 200 and server.fetch("/nobody-here")[0] == 404
    server.api().upload_file(repo_id=repo, path_in_repo="evil.html", path_or_fileobj=b"<script>alert(1)</script>")
    headers = server.fetch(f"/{repo}/resolve/main/evil.html")[1]
    assert headers["content-type"].startswith("text/plain") and "sandbox" in headers["content-security-policy"]


def test_what_it_does_not_do_is_said_with_501(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    for method, path in (
        ("POST", f"/api/models/{new_repo()}/like"),
        ("GET", "/api/papers/search"),
        ("GET", "/api/settings/webhooks"),
        ("GET", "/api/jobs/hardware"),
        ("DELETE", f"/api/models/{new_repo()}/like"),
    ):
        status, headers, body = server.fetch(
            path, method=method, body=b"{}" if method == "POST" else None, token=TOKENS["alice"]
        )
        assert status == 501 and "the public Hub does" in json.loads(body)["error"] and headers["x-request-id"]
