"""The embedded Hub's Spaces: set up through the client and by spaces/deploy.py; none ever claims to run."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from test_local_hub import ROOT, TOKENS, Server, _client, new_repo, server  # noqa: F401
from test_local_hub_clients import environment

NOWHERE = "where/nothing-is"


def test_a_space_is_created_with_all_that_create_repo_takes(server: Server) -> None:  # noqa: F811
    api, name = server.api(), "lora-hub/whole"
    api.create_repo(
        name,
        repo_type="space",
        space_sdk="gradio",
        space_hardware="t4-small",
        space_sleep_time=600,
        space_secrets=[{"key": "HF_TOKEN", "value": "hf_secret_value", "description": "for publishing"}],
        space_variables=[{"key": "LORA_HUB_ORG", "value": "lora-hub"}],
    )
    runtime = api.get_space_runtime(name)
    assert (runtime.stage, runtime.hardware, runtime.requested_hardware) == ("STOPPED", None, "t4-small")
    assert (runtime.sleep_time, runtime.storage, runtime.dev_mode, runtime.volumes) == (600, None, False, None)
    secret = api.get_space_secrets(name)["HF_TOKEN"]
    assert secret.description == "for publishing" and secret.updated_at is not None
    assert api.get_space_variables(name)["LORA_HUB_ORG"].value == "lora-hub"
    assert api.space_info(name).sdk == "gradio"


def test_stage_hardware_sleep_pause_and_restart(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    api, name = server.api(), new_repo(repo_type="space", space_sdk="gradio")
    assert api.wait_for_space(name, timeout=5).stage == "STOPPED"
    assert api.space_info(name).runtime.stage == api.space_info(name, expand=["runtime"]).runtime.stage == "STOPPED"
    asked = api.request_space_hardware(name, "l4x1", sleep_time=900)
    assert (asked.requested_hardware, asked.hardware, asked.sleep_time) == ("l4x1", None, 900)
    assert api.set_space_sleep_time(name, 1200).sleep_time == 1200
    assert api.pause_space(name).stage == "PAUSED"
    assert api.get_space_runtime(name).requested_hardware == "l4x1"
    for factory in (False, True):
        api.pause_space(name)
        assert api.restart_space(name, factory_reboot=factory).stage == "STOPPED"
    api.pause_space(name)
    assert api.set_space_sleep_time(name, 60).stage == "PAUSED"


def test_secrets_only_go_in_and_variables_come_back(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    api, name = server.api(), new_repo(repo_type="space", space_sdk="gradio")
    api.add_space_secret(name, "KEY", "the-secret-of-this-test", description="a key")
    assert api.add_space_variable(name, "MODEL", "a/b", description="which")["MODEL"].description == "which"
    assert api.add_space_variable(name, "MODEL", "c/d")["MODEL"].value == "c/d"
    assert list(api.get_space_secrets(name)) == ["KEY"]
    answer = server.fetch(f"/api/spaces/{name}/secrets", token=TOKENS["alice"])[2]
    assert json.loads(answer)["KEY"].keys() == {"updatedAt", "description"}
    assert not any(
        b"the-secret-of-this-test" in file.read_bytes() for file in server.folder.rglob("*") if file.is_file()
    )
    api.add_space_variable(name, "EMPTY", "")
    assert api.get_space_variables(name)["EMPTY"].value == "" and api.delete_space_variable(name, "EMPTY").keys() == {
        "MODEL"
    }
    api.delete_space_secret(name, "missing")
    api.delete_space_secret(name, "KEY")
    assert api.get_space_secrets(name) == {} and api.delete_space_variable(name, "MODEL") == {}
    for key, value in ((1, "x"), ("A", {"not": "a text"}), (None, "x"), (None, None)):
        with pytest.raises(Exception, match="has a key and a value, both texts"):
            api.add_space_variable(name, key, value)
    with pytest.raises(Exception, match="has a key and a value, both texts"):
        api.create_repo("lora-hub/odd-secrets", repo_type="space", space_sdk="gradio", space_secrets=["KEY"])
    assert not api.repo_exists("lora-hub/odd-secrets", repo_type="space")
    assert server.fetch(f"/api/spaces/{name}/variables", token=TOKENS["bob"])[0] == 200


def test_who_may_and_what_is_no_space(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    from huggingface_hub import Volume

    name, model, bob = new_repo(repo_type="space", space_sdk="gradio"), new_repo(), server.api("bob")
    for attempt in (
        lambda: bob.get_space_secrets(name),
        lambda: bob.add_space_secret(name, "KEY", "x"),
        lambda: bob.add_space_variable(name, "KEY", "x"),
        lambda: bob.request_space_hardware(name, "t4-small"),
        lambda: bob.pause_space(name),
        lambda: bob.restart_space(name),
    ):
        with pytest.raises(Exception, match="403"):
            attempt()
    assert bob.get_space_runtime(name).stage == "STOPPED"
    for nothing in (NOWHERE, model):
        with pytest.raises(Exception, match="404"):
            server.api().get_space_runtime(nothing)
    with pytest.raises(Exception, match="volumes"):
        server.api().create_repo(
            "lora-hub/with-volume",
            repo_type="space",
            space_sdk="gradio",
            space_volumes=[Volume(type="model", source="a/b", mount_path="/m")],
        )
    assert not server.api().repo_exists("lora-hub/with-volume", repo_type="space")


@pytest.fixture
def deploy(server: Server, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:  # noqa: F811
    """Runs spaces/deploy.py of a copy of this repository, as a person does: with HF_ENDPOINT and HF_TOKEN, no more."""
    copy = tmp_path / "repository"
    shutil.copytree(
        ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "tests", "build", "__pycache__", ".*_cache")
    )
    for unwanted in (".git/config", ".venv/lib/x.py", "tests/test_x.py", "lora_hub/__pycache__/x.pyc", "build/x"):
        (copy / unwanted).parent.mkdir(parents=True, exist_ok=True)
        (copy / unwanted).write_text("x")

    def run(*arguments: str, user: str = "alice") -> subprocess.CompletedProcess:
        known = environment(server, tmp_path) | {"HF_TOKEN": TOKENS[user]}
        known.pop("HF_HUB_DISABLE_XET", None)
        command = [sys.executable, "spaces/deploy.py", *arguments]
        return subprocess.run(command, cwd=copy, env=known, capture_output=True, text=True, timeout=100)

    return run


def test_deploy_puts_this_repository_on_a_space_and_brings_it_up_to_date(
    server: Server,
    deploy: Callable[..., subprocess.CompletedProcess],  # noqa: F811
) -> None:
    api, name = server.api(), "lora-hub/the-app"
    done = deploy(name, "--hardware", "t4-small", "--sleep", "1800")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{server.url}/spaces/{name}"
    info, files = api.space_info(name), set(api.list_repo_files(name, repo_type="space"))
    assert info.private and info.sdk == "gradio" and info.card_data["hf_oauth"] is True
    assert {
        "app.py",
        "README.md",
        "requirements.txt",
        "lora_hub/cli/commands.py",
        "lora_hub/catalogue/tasks/spam.yaml",
    } <= files
    left = ("tests/", ".git/", ".venv/", "Makefile", "build/")
    assert not [file for file in files if file.startswith(left) or "__pycache__" in file]
    runtime = api.get_space_runtime(name)
    assert (runtime.stage, runtime.requested_hardware, runtime.sleep_time) == ("STOPPED", "t4-small", 1800)
    assert api.get_space_variables(name)["LORA_HUB_ORG"].value == "lora-hub"
    assert list(api.get_space_secrets(name)) == [], "everybody brings their own token"
    assert any(file.lfs for file in api.list_repo_tree(name, repo_type="space", recursive=True) if hasattr(file, "lfs"))
    app = server.fetch(f"/spaces/{name}/resolve/main/app.py", token=TOKENS["alice"])[2]
    assert app == (ROOT / "app.py").read_bytes()
    again = deploy(name, "--org", "closed")
    assert again.returncode == 0, again.stdout + again.stderr
    assert api.space_info(name).sha == info.sha, "nothing changed, so there is no new version"
    assert api.get_space_runtime(name).requested_hardware == "t4-small"
    assert api.get_space_variables(name)["LORA_HUB_ORG"].value == "closed"


def test_deploy_says_what_was_refused(deploy: Callable[..., subprocess.CompletedProcess]) -> None:
    done = deploy("lora-hub/not-bobs", user="bob")
    assert done.returncode == 1 and "rights" in done.stderr and "Traceback" not in done.stderr
    assert deploy("no-slash").returncode == 2
