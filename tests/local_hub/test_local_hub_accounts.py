"""The embedded Hub's accounts and rights, its names and kinds of repositories, and its life as a process."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from test_local_hub import ACCOUNTS, ROOT, TOKENS, Server, _client, new_repo, server, start_server  # noqa: F401


def test_restart_keeps_everything(tmp_path: Path) -> None:
    started = start_server(tmp_path / "h" / "hub")
    token = (tmp_path / "h" / "hub" / "token").read_text()
    from huggingface_hub import HfApi

    api = HfApi(endpoint=started.url, token=token)
    assert api.whoami()["name"] == "local" and [org["name"] for org in api.whoami()["orgs"]] == ["lora-hub"]
    commit = api.upload_file(
        repo_id=api.create_repo("lora-hub/kept").repo_id, path_in_repo="a.txt", path_or_fileobj=b"kept"
    )
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


def test_a_second_server_over_the_same_folder_refuses(server: Server) -> None:  # noqa: F811
    done = subprocess.run(
        [sys.executable, "-m", "lora_hub.local_hub", "--dir", str(server.folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1 and "already serves" in done.stderr and "Traceback" not in done.stderr


def run_wrongly(tmp_path: Path, *arguments: str, status: int = 2) -> str:
    """The sentence with which a server refuses to start."""
    command = [sys.executable, "-m", "lora_hub.local_hub", "--dir", str(tmp_path / "other"), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == status and "Traceback" not in done.stderr and "hf_secret" not in done.stderr
    return done.stderr


def test_a_taken_port_and_a_lost_accounts_file_are_told_in_a_sentence(server: Server, tmp_path: Path) -> None:  # noqa: F811
    assert "cannot listen" in run_wrongly(tmp_path, "--port", server.url.rsplit(":", 1)[1], status=1)
    assert "accounts file" in run_wrongly(tmp_path, "--accounts", str(tmp_path / "none.yaml"))
    assert "--accounts" in run_wrongly(tmp_path, "--host", "0.0.0.0")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.yaml", "users: {eve: {token: hf_secret_of_eve}\norgs: [", "line 2 is not valid YAML"),
        ("a.json", '{"users": {"eve": {"token": "hf_secret_of_eve}}', "line 1"),
        ("a.yaml", "users: {eve: hf_secret_of_eve}", "entry 1 of 'users' is not a mapping"),
        ("a.yaml", "users: {eve: {fullname: hf_secret}}", "entry 1 of 'users' has no 'token'"),
        ("a.yaml", "[hf_secret]", "it is not a mapping"),
        ("a.yaml", "", "it is not a mapping"),
        ("a.yaml", "orgs: {us: {fullname: hf_secret}}", "entry 1 of 'orgs' has no 'members'"),
        (
            "a.yaml",
            "orgs: {us: {members: {eve: hf_secret}}}",
            "a member of us has another role than admin, contributor, read, write",
        ),
        ("a.yaml", "oauth: hf_secret", "'oauth' is not a mapping"),
        ("a.yaml", "users: {a: {token: hf_secret}, b: {token: hf_secret}}", "a and b have the same token"),
        ("a.yaml", "users: {a: {token: [hf_secret]}}", "the token of a is no text"),
        ("a.yaml", "users: {a: {token: yes}}", "the token of a is no text"),
        ("a.yaml", "users: {../hf_secret: {token: x}}", "the name of a user or an organization has other than letters"),
        ("a.yaml", "users: {A: {token: hf_secret}}\norgs: {a: {members: {}}}", "have the same name"),
        (
            "a.yaml",
            "users: {a: {token: hf_secret}}\norgs: {us: {members: {zed: write}}}",
            "a member of us is none of the users",
        ),
    ],
)
def test_a_broken_accounts_file_is_told_without_a_word_of_it(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    assert words in run_wrongly(tmp_path, "--accounts", str(tmp_path / name))


def test_accounts_roles_and_what_strangers_see(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    me = server.api().whoami()
    assert me["name"] == "alice" and {(org["name"], org["roleInOrg"]) for org in me["orgs"]} == {
        ("lora-hub", "admin"),
        ("closed", "admin"),
    }
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


def test_the_accounts_file_is_reread(server: Server) -> None:  # noqa: F811
    file = server.folder.parent / "accounts.json"
    more = json.loads(file.read_text())
    more["users"]["erin"] = {"token": "hf_erin_0123456789"}
    file.write_text(json.dumps(more))
    status, _, body = server.fetch("/api/whoami-v2", token="hf_erin_0123456789")
    assert status == 200 and json.loads(body)["name"] == "erin"
    file.write_text(json.dumps(ACCOUNTS))
    assert server.fetch("/api/whoami-v2", token="hf_erin_0123456789")[0] == 401


def test_a_broken_edit_keeps_the_last_good_accounts(tmp_path: Path) -> None:
    file = tmp_path / "accounts.yaml"
    file.write_text(
        "users: {eve: {token: hf_secret_of_eve}, 7: {token: ''}, fay: {token: }}\norgs: {us: {members: {eve: admin}}}\n"
    )
    started = start_server(tmp_path / "hub", "--accounts", str(file))

    def enters(token: str) -> bool:
        return started.fetch("/api/whoami-v2", token=token)[0] == 200

    try:
        assert enters("hf_secret_of_eve")
        for header in ("Bearer", "Bearer ", "Bearer None", "Basic hf_secret_of_eve", "hf_secret_of_eve"):
            assert started.fetch("/api/whoami-v2", Authorization=header)[0] == 401
        broken = {
            "users: {eve: {token: hf_secret_new}\norgs: [": "line 2 is not valid YAML",
            "": "it is not a mapping",
            "users: {mallory: {token: hf_secret_mallory}}\norgs: {us: {members: {mallory: boss}}}": (
                "a member of us has another role"
            ),
            "users: {mallory: {token: hf_secret_mallory}}\norgs: {us: {fullname: Us}}": (
                "entry 1 of 'orgs' has no 'members'"
            ),
        }
        for text, words in broken.items():
            file.write_text(text)
            for _ in range(2):
                assert enters("hf_secret_of_eve") and not enters("hf_secret_mallory") and not enters("hf_secret_new"), (
                    text
                )
            body = started.fetch("/api/whoami-v2", token="hf_secret_of_eve")[2]
            assert [org["name"] for org in json.loads(body)["orgs"]] == ["us"], "no half of a broken file counts"
            assert sum(words in line for line in started.log.splitlines()) == 1, "told once"
        file.unlink()
        assert enters("hf_secret_of_eve") and "No such file or directory" in started.log
        file.write_text("users: {eve: {token: hf_another_of_eve}}\n")
        assert not enters("hf_secret_of_eve") and enters("hf_another_of_eve")
    finally:
        started.kill()
    assert "hf_secret" not in started.log and "hf_another" not in started.log


def test_who_was_rejected_does_not_get_in_by_asking_again(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    api, repo = server.api(), new_repo()

    def ask(user: str) -> int:
        return server.fetch(f"/{repo}/ask-access", method="POST", body=b"{}", token=TOKENS[user])[0]

    assert ask("carol") == 400, "it is not gated"
    api.update_repo_settings(repo, gated="auto")
    assert ask("carol") == 200 and server.api("carol").auth_check(repo) is None
    api.reject_access_request(repo, "carol", rejection_reason="no")
    assert ask("carol") == 404
    with pytest.raises(Exception, match="403"):
        server.api("carol").auth_check(repo)
    with pytest.raises(Exception, match="404"):
        api.accept_access_request(repo, "bob")  # who did not ask
    asked = next(api.list_rejected_access_requests(repo))
    api.accept_access_request(repo, request_id=asked.request_id)
    assert (asked.username, asked.fullname) == ("carol", "Carol") and server.api("carol").auth_check(repo) is None
    api.grant_access(repo, "BOB")
    with pytest.raises(Exception, match="404"):
        api.grant_access(repo, "nobody-of-that-name")
    assert sorted(one.username for one in api.list_accepted_access_requests(repo)) == ["bob", "carol"]


def test_ids_in_any_case_and_settings(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
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


def test_moved_repos_answer_to_both_names(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    api, repo = server.api(), new_repo()
    api.upload_file(repo_id=repo, path_in_repo="a.txt", path_or_fileobj=b"moved")
    api.move_repo(repo, "alice/moved-here")
    assert api.model_info(repo).id == "alice/moved-here"
    assert server.fetch(f"/{repo}/resolve/main/a.txt")[2] == b"moved"
    api.create_repo(repo)
    assert api.model_info(repo).id == repo


def test_datasets_and_spaces_are_apart_from_models(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    api, repo = server.api(), new_repo()
    api.create_repo(repo, repo_type="dataset")
    api.create_repo(repo, repo_type="space", space_sdk="gradio")
    api.upload_file(
        repo_id=repo,
        repo_type="dataset",
        path_in_repo="README.md",
        path_or_fileobj=b"---\nlanguage: [fa]\ntask_categories: [translation]\n---\n",
    )
    assert {"language:fa", "task_categories:translation"} <= set(api.dataset_info(repo).tags)
    assert [d.id for d in api.list_datasets(author="lora-hub", filter="task_categories:translation")] == [repo]
    assert api.space_info(repo).sdk == "gradio" and api.space_info(repo).card_data["sdk"] == "gradio"
    assert [s.id for s in api.list_spaces(author="lora-hub", search=repo.split("/")[1])] == [repo]
    assert api.list_repo_files(repo) == [".gitattributes"]
