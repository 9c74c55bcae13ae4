"""`deploy`, as a person calls it: a checkout full of other files becomes a Space of the embedded Hub."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from breaking_proxy import BreakingProxy
from huggingface_hub import CommitOperationAdd
from test_local_hub import TOKENS, Server, _client, server  # noqa: F401
from test_local_hub_clients import environment
from test_space_files import STRAYS, checkout  # noqa: F401

from lora_hub.hub.space.plan import TITLE

Deploy = Callable[..., subprocess.CompletedProcess]
SERVICE = "hf_of_the_space_itself"


@pytest.fixture
def deploy(server: Server, checkout: Path, tmp_path: Path) -> Deploy:  # noqa: F811
    """Runs the command in a copy of this repository, with HF_ENDPOINT and HF_TOKEN and no more."""

    def run(*arguments: str, user: str = "alice", **variables: str) -> subprocess.CompletedProcess:
        known = environment(server, tmp_path) | {"LORA_HUB_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKENS[user]}
        command = [sys.executable, "-m", "lora_hub", "deploy", *arguments]
        done = subprocess.run(command, cwd=checkout, env=known | variables, capture_output=True, text=True, timeout=100)
        assert "Traceback" not in done.stderr and TOKENS[user] not in done.stdout + done.stderr, done.stderr
        assert SERVICE not in done.stdout + done.stderr
        return done

    return run


def result_of(done: subprocess.CompletedProcess, status: int = 0) -> dict:
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_checkout_becomes_a_space_and_is_brought_up_to_date(
    server: Server,  # noqa: F811
    deploy: Deploy,
    checkout: Path,  # noqa: F811
) -> None:
    api, name = server.api(), "lora-hub/the-app"
    shown = deploy(name, "--hardware", "t4-small", "--dry-run")
    assert shown.returncode == 0 and "lora-hub/the-app would be made, private." in shown.stdout
    assert "lora_hub/cli/deploy.py" in shown.stdout and "Hardware: t4-small." in shown.stdout
    assert "is lost when the Space restarts" in shown.stderr
    assert not api.repo_exists(name, repo_type="space")
    # nothing but the project's own files, the settings, and a private Space
    made = result_of(
        deploy(name, "--hardware", "t4-small", "--sleep", "1800", "--no-wait", "--json", LORA_HUB_SERVICE_TOKEN=SERVICE)
    )
    info, files = api.space_info(name), set(api.list_repo_files(name, repo_type="space"))
    assert info.private and info.sdk == "gradio" and info.card_data["hf_oauth"] is True
    assert files == {one["path"] for one in made["files"]} | {".gitattributes"} and not files & set(STRAYS)
    assert (made["new"], made["commit"], made["visibility"]) == (True, info.sha, {"was": "", "becomes": "private"})
    runtime = api.get_space_runtime(name)
    assert (runtime.requested_hardware, runtime.sleep_time, runtime.volumes) == ("t4-small", 1800, None)
    variables = {key: one.value for key, one in api.get_space_variables(name).items()}
    assert variables == {"LORA_HUB_ORG": "lora-hub", "LORA_HUB_STATE": "lora-hub/the-app-state"}
    assert list(api.get_space_secrets(name)) == made["secrets"] == ["LORA_HUB_SERVICE_TOKEN", "LORA_HUB_STATE_KEY"]
    app = server.fetch(f"/spaces/{name}/resolve/main/app.py", token=TOKENS["alice"])[2]
    assert app == (checkout / "app.py").read_bytes()
    # the same again is no new version
    again = result_of(deploy(name, "--no-wait", "--json"))
    assert (again["sent"], again["removed"], again["commit"], again["variables"]) == ([], [], info.sha, {})
    assert again["secrets"] == [], "the key of what is kept is drawn once"
    # what an earlier deployment left there goes, what the owner has there or set stays
    earlier = {".env": b"HF_TOKEN=hf_x", "accounts.json": b"{}", "lora_hub/core/gone.py": b""}
    owners = {"logo.svg": b"<svg/>", "app.py": b"print('mine')", "requirements.txt": b"torch\nbitsandbytes==0.50\n"}
    readme = (checkout / "README.md").read_text().replace("emoji: 🧩", "emoji: 🦉\nhf_oauth_authorized_org: lora-hub")
    for title, written in ((TITLE, earlier), ("Ours", owners | {"README.md": readme.encode()})):
        operations = [CommitOperationAdd(path, content) for path, content in written.items()]
        api.create_commit(name, operations, commit_message=title, repo_type="space")
    done = result_of(deploy(name, "--org", "closed", "--jobs", "--no-wait", "--json"))
    assert done["removed"] == sorted(earlier) and done["kept"] == ["logo.svg"]
    assert {*done["sent"]} == {"app.py", "requirements.txt", "README.md"}
    assert api.get_space_variables(name)["LORA_HUB_ORG"].value == "closed"
    card = api.space_info(name).card_data
    assert (card["emoji"], card["hf_oauth_authorized_org"]) == ("🦉", "lora-hub") and "jobs" in card["hf_oauth_scopes"]
    packages = server.fetch(f"/spaces/{name}/resolve/main/requirements.txt", token=TOKENS["alice"])[2].decode()
    assert packages == f"{(checkout / 'requirements.txt').read_text()}# added on this Space:\nbitsandbytes==0.50\n"
    notes = " ".join(done["notes"])
    assert "README.md keeps what was set there: emoji" in notes and ".env and accounts.json, which" in notes
    assert "app.py was changed on the Space and is replaced by ours" in notes
    assert result_of(deploy(name, "--sleep", "600", "--no-wait", "--json"))["sent"] == []
    assert (
        api.get_space_runtime(name).sleep_time == 600 and api.get_space_runtime(name).requested_hardware == "t4-small"
    )


def test_who_sees_a_space_is_never_changed_or_left_without_a_word(server: Server, deploy: Deploy) -> None:  # noqa: F811
    api, name = server.api(), "lora-hub/seen"
    assert deploy(name, "--public", "--no-wait").returncode == 0 and not api.space_info(name).private
    left = deploy(name, "--no-wait")
    assert "is public and stays so: anybody may open its address. --private makes it private" in left.stderr
    assert not api.space_info(name).private
    assert "stays so" not in deploy(name, "--no-wait", "--public").stderr
    hidden = deploy(name, "--private", "--no-wait")
    assert "lora-hub/seen is public and becomes private." in hidden.stderr
    assert "lora-hub/seen was public and is private now" in hidden.stderr and api.space_info(name).private
    shown = deploy(name, "--public", "--storage", "--no-wait")
    assert "becomes public: anybody may open its address" in shown.stderr and not api.space_info(name).private
    assert api.get_space_variables(name)["LORA_HUB_HOME"].value == "/data/lora_hub"
    assert [one.to_dict() for one in api.get_space_runtime(name).volumes] == [
        {"type": "bucket", "source": "lora-hub/seen-data", "mountPath": "/data"}
    ]
    assert api.bucket_info("lora-hub/seen-data").private
    assert shown.stdout == f"{server.url}/spaces/{name}\n"


@pytest.mark.parametrize(
    ("arguments", "variables", "status", "said"),
    [
        (["no-slash"], {}, 2, "'no-slash' is not of the form ORG/NAME. Give the organization and"),
        (["a/b--c"], {}, 2, "not of the form ORG/NAME"),
        (["lora-hub/x", "--hardware", "t4"], {}, 2, "A Space cannot have the hardware 't4'. It is one of: zero-a10g,"),
        (["lora-hub/x", "--public", "--private"], {}, 2, "not allowed with argument"),
        (["lora-hub/x"], {"HF_TOKEN": "", "HF_ENDPOINT": ""}, 2, "There is no token, and a Space is made with one."),
        (["lora-hub/x"], {"LORA_HUB_SERVICE_TOKEN": TOKENS["alice"]}, 2, "is the token that deploys"),
        (["lora-hub/x"], {"HF_TOKEN": TOKENS["bob"]}, 1, "It is bob, who may only read there. Use a token with"),
        (["elsewhere/x"], {}, 1, "It is alice and belongs to: "),
        (["lora-hub/x"], {"HF_TOKEN": "hf_unknown"}, 1, "The Hub does not accept this token. Set HF_TOKEN to a valid"),
        (["lora-hub/x"], {"HF_ENDPOINT": "http://127.0.0.1:9"}, 1, "The Hub at http://127.0.0.1:9 cannot be reached."),
        (["lora-hub/another-app"], {}, 1, "There is a Space lora-hub/another-app already, and it is not LoRA Hub."),
        (["lora-hub/leaky"], {"LORA_HUB_SERVICE_TOKEN": "in any file"}, 1, "A token stands in README.md, and"),
    ],
)
def test_what_cannot_be_deployed_is_one_sentence(
    server: Server,  # noqa: F811
    deploy: Deploy,
    checkout: Path,  # noqa: F811
    arguments: list[str],
    variables: dict[str, str],
    status: int,
    said: str,
) -> None:
    api = server.api()
    if "another-app" in arguments[0]:
        api.create_repo(arguments[0], repo_type="space", space_sdk="docker", exist_ok=True)
    if "leaky" in arguments[0]:
        with (checkout / "README.md").open("a") as file:
            file.write("in any file\n")
    done = deploy(*arguments, "--json", **variables)
    told = json.loads(done.stdout)["error"]
    assert done.returncode == status and told["message"] and said in f"{told['message']} {told['hint']}", done.stdout
    assert not api.repo_exists("lora-hub/x", repo_type="space")


def test_it_waits_until_the_space_runs_and_tells_why_it_does_not(server: Server, deploy: Deploy) -> None:  # noqa: F811
    name = "lora-hub/waited-for"
    asleep = deploy(name, "--json")
    assert asleep.returncode == 3 and json.loads(asleep.stdout)["stage"] == "STOPPED"
    assert "is deployed and does not run: it is STOPPED. It says: This embedded Hub keeps" in asleep.stderr
    head = server.api().space_info(name).sha
    for stages, options, status, said in (
        (
            [{"stage": "RUNNING", "sha": "older"}, {"stage": "APP_STARTING"}, {"stage": "RUNNING", "sha": head}],
            [],
            0,
            "",
        ),
        (
            [{"stage": "BUILDING"}, {"stage": "BUILD_ERROR", "sha": head, "errorMessage": "No matching\ndistribution"}],
            [],
            3,
            "it is BUILD_ERROR. It says: No matching distribution. Its log is on ",
        ),
        ([{"stage": "PAUSED"}], [], 3, "it is PAUSED. Start it on "),
        ([{"stage": "BUILDING"}], ["--timeout", "0.2"], 3, "and still BUILDING after 0.2 s. It goes on by"),
    ):
        with BreakingProxy(server.url, r"GET /api/spaces/.*/runtime$", says=stages) as proxy:
            done = deploy(name, *options, HF_ENDPOINT=proxy.url)
        assert done.returncode == status and said in done.stderr, done.stderr
        assert f"stage: {stages[-1]['stage']}" in done.stderr
    # a Hub that goes away in the middle: what was done is told, and the same again goes on
    with BreakingProxy(server.url, r"POST /api/spaces/.*/commit/", 500) as proxy:
        broken = deploy("lora-hub/half-way", "--json", HF_ENDPOINT=proxy.url)
    assert broken.returncode == 3 and json.loads(broken.stdout)["done"] == [
        "made: lora-hub/half-way, private",
        "variable: LORA_HUB_ORG=lora-hub",
    ]
    assert deploy("lora-hub/half-way", "--no-wait").returncode == 0
