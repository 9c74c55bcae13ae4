"""The right to publish is checked before the training, on a team's Hub with roles; and the trained adapter is reported
even without it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants
from persian import refused
from sample_adapters import make_spec, publish
from small_data import sentiment_rows, write_csv
from test_local_hub import ROOT, Server, start_server

from lora_hub import hub as hubs
from lora_hub import runs
from lora_hub.catalogue import bases
from lora_hub.core.errors import HubError
from lora_hub.hub.publish import push_base
from lora_hub.people import Person

USERS = ("ann", "will", "cora", "rita", "stella")
ORGS = {
    "team": {"members": {"ann": "admin", "will": "write", "cora": "contributor", "rita": "read"}},
    "closed": {"members": {"ann": "admin"}, "private_by_default": True},
}


HELPERS = (("cora", "contributor"), ("will", "write"))


def token_of(user: str) -> str:
    return f"hf_secret_of_{user}"


def write_accounts(file: Path, orgs: dict = ORGS, users: tuple[str, ...] = USERS) -> None:
    file.write_text(json.dumps({"users": {name: {"token": token_of(name)} for name in users}, "orgs": orgs}))


@pytest.fixture(scope="module", params=["off", "http://127.0.0.1:9"], ids=["alone", "upstream-down"])
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A team's Hub, with no upstream and with one that cannot be reached: what it says is the same."""
    folder = tmp_path_factory.mktemp("team")
    write_accounts(folder / "accounts.json")
    server = start_server(folder / "hub", "--accounts", str(folder / "accounts.json"), "--upstream", request.param)
    yield server
    server.kill()
    assert "Traceback" not in server.log and "hf_secret" not in server.log


@pytest.fixture
def at(team: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], HfApi]:
    """Makes this process a user's of the team's Hub."""

    def log_in(user: str) -> HfApi:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, team.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", team.url)
        monkeypatch.setenv("HF_TOKEN", token_of(user))
        return HfApi(team.url, token_of(user))

    return log_in


def spec_for(name: str, **more: object):
    return make_spec(name=name, **more)


@pytest.mark.parametrize(
    ("user", "org", "said"),
    [
        ("rita", "team", "This account may not publish team/new in 'team'. It is rita, who may only read there."),
        ("stella", "team", "It is stella and belongs to no organization."),
        ("will", "nowhere", "This account may not publish nowhere/new in 'nowhere'. It is will and belongs to: team."),
        (
            "will",
            "lora-hub",
            "This account may not publish lora-hub/new in 'lora-hub'. It is will and belongs to: team.",
        ),
        ("will", "closed", "It is will and belongs to: team."),
        ("will", "ann", "It is will and belongs to: team."),
        ("nobody", "team", "The Hub does not accept this token."),
    ],
)
def test_who_may_not_is_told_before_and_after_in_the_same_words(
    at, tmp_path: Path, user: str, org: str, said: str
) -> None:
    at(user)
    with refused(HubError) as before:
        hubs.check_publishing(spec_for("new"), org=org)
    with refused(HubError) as after:
        publish(tmp_path, "new", org=org)
    assert str(before.value) == str(after.value) and said in before.value.message
    assert "hf_secret" not in str(before.value) and before.value.hint


@pytest.mark.parametrize(
    ("user", "org"), [("ann", "team"), ("will", "team"), ("will", "TEAM"), ("cora", "team"), ("stella", "stella")]
)
def test_who_may_is_let_on_and_nothing_is_made(at, user: str, org: str) -> None:
    api = at(user)
    assert hubs.check_publishing(spec_for(f"not-yet-{user}"), org=org).info is None
    assert not api.repo_exists(f"{org}/not-yet-{user}")


def test_a_name_that_is_taken(at, tmp_path: Path) -> None:
    api = at("will")
    publish(tmp_path, "wills", org="team")
    api.create_repo("team/a-model", exist_ok=True)
    api.upload_file(repo_id="team/a-model", path_in_repo="config.json", path_or_fileobj=b"{}")
    assert hubs.check_publishing(spec_for("wills"), org="team").info is not None, "a next version of one's own"
    with refused(HubError, match="is not an adapter of LoRA Hub"):
        hubs.check_publishing(spec_for("a-model"), org="team")
    with refused(HubError, match="is public, and a private adapter was asked for"):
        hubs.check_publishing(spec_for("wills"), org="team", private=True)
    at("cora")
    assert hubs.check_publishing(spec_for("wills"), org="team").by_pull_request, "somebody else's: she may propose"
    publish(tmp_path / "hers", "coras", org="team")
    of_hers = hubs.check_publishing(spec_for("coras"), org="team")
    assert of_hers.info is not None and not of_hers.by_pull_request
    at("rita")
    with refused(HubError, match="who may only read there"):
        hubs.check_publishing(spec_for("wills"), org="team")
    at("ann")
    api.create_repo("team/built-in", exist_ok=True)
    api.upload_file(repo_id="team/built-in", path_in_repo="config.json", path_or_fileobj=b"{}")
    with refused(HubError, match="is not the built-in base"):
        hubs.check_publishing(spec_for("on-built-in", base=bases.get_base("built-in")), org="team")
    HfApi(constants.ENDPOINT, token_of("ann")).delete_repo("team/built-in")


def test_a_contributor_proposes_a_version_of_what_others_made(at, tmp_path: Path) -> None:
    api = at("will")
    first = publish(tmp_path, "shared-one", org="team")
    at("cora")
    proposed = publish(tmp_path / "hers", "shared-one", org="team", seed=7)
    assert "/discussions/" in proposed.pull_request and proposed.url == proposed.pull_request
    assert proposed.versions == () and proposed.revision != first.revision
    number = int(proposed.pull_request.rpartition("/")[2])
    pull = api.get_discussion_details("team/shared-one", number)
    assert pull.is_pull_request and pull.status == "open" and pull.author == "cora"
    assert api.model_info("team/shared-one").sha == first.revision, "nothing was changed"
    api.merge_pull_request("team/shared-one", number)
    assert api.model_info("team/shared-one").sha != first.revision


def test_the_apps_own_account_writes_no_more_for_a_contributor_than_they_may(
    at, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an organization publishes with one token for all, that token writes everywhere."""
    monkeypatch.setenv("LORA_HUB_ORG", "team")
    api = at("ann")
    first = publish(tmp_path, "service-one", org="team")
    cora, will = (Person(id=name, roles={"team": role}, token=token_of("ann")) for name, role in HELPERS)
    with hubs.acting_as(cora):
        assert hubs.check_publishing(spec_for("coras-third"), org="team").by_pull_request is False, "it is not there"
        proposed = publish(tmp_path / "hers", "service-one", org="team", seed=7)
    assert "/discussions/" in proposed.pull_request
    assert api.model_info("team/service-one").sha == first.revision, "nothing was changed"
    with hubs.acting_as(will):
        assert publish(tmp_path / "his", "service-one", org="team", seed=8).versions == ("v2", "v1")


def test_the_base_that_goes_along(at) -> None:
    """A contributor can use the base that an admin put there as it is, and not bring an old one up to date."""
    built_in = bases.get_base("built-in")
    api = at("ann")
    push_base(built_in, "team")
    at("cora")
    assert hubs.check_publishing(spec_for("coras-second", base=built_in), org="team").info is None
    api.upload_file(repo_id="team/built-in", path_in_repo="config.json", path_or_fileobj=b'{"model_type": "llama"}')
    with refused(HubError, match="may not bring team/built-in up to date"):
        hubs.check_publishing(spec_for("coras-second", base=built_in), org="team")
    at("will")
    assert hubs.check_publishing(spec_for("wills-second", base=built_in), org="team").info is None
    api.delete_repo("team/built-in")


def test_an_organization_that_is_private_by_default(at, tmp_path: Path) -> None:
    api = at("ann")
    inner, outer = publish(tmp_path / "1", "inner", org="closed"), publish(tmp_path / "2", "outer", org="team")
    hidden = publish(tmp_path / "3", "hidden", org="team", private=True)
    assert [api.model_info(ref.repo_id).private for ref in (inner, outer, hidden)] == [True, False, True]
    assert [ref.private for ref in (inner, outer, hidden)] == [True, False, True]
    assert not HfApi(constants.ENDPOINT, token_of("stella")).repo_exists("closed/inner")
    again = publish(tmp_path / "4", "inner", org="closed", seed=1)
    assert again.private and api.model_info("closed/inner").private, "a next version changes nothing about it"


def test_no_run_is_made_for_who_may_not_publish(at, home: Path, tmp_path: Path) -> None:
    at("rita")
    with refused(HubError, match="who may only read there"):
        runs.start_runs([spec_for("never", publish_to="team")])
    assert not (home / "runs").exists() or not list((home / "runs").glob("*/spec.json"))


# ---- at the shell, which has the Hub from HF_ENDPOINT


def shell(team: Server, home: Path, user: str, *arguments: str, expect: int) -> tuple[str, str]:
    """(standard output, standard error) of a command of somebody who has only the address and a token."""
    hidden = ("HF_", "LORA_HUB_", "SPACE_ID")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    environment |= {
        "LORA_HUB_HOME": str(home),
        "HF_ENDPOINT": team.url,
        "HF_TOKEN": token_of(user),
        "OMP_NUM_THREADS": "1",
        "HF_HOME": str(home / "hf"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "lora_hub", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and "hf_secret" not in done.stdout + done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "reviews.csv", sentiment_rows(60))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One team's Hub for what takes long."""
    folder = tmp_path_factory.mktemp("office")
    write_accounts(folder / "accounts.json")
    server = start_server(folder / "hub", "--accounts", str(folder / "accounts.json"))
    yield server
    server.kill()
    assert "Traceback" not in server.log and "hf_secret" not in server.log


def test_train_and_pipeline_ask_first(office: Server, home: Path, reviews: Path) -> None:
    train = ["train", str(reviews), "--task", "sentiment", "--publish", "--org", "team"]
    _, said = shell(office, home, "rita", *train, expect=1)
    assert "who may only read there" in said
    (reviews.parent / "tasks.yaml").write_text(f"tasks:\n  - {{task: sentiment, data: {reviews.name}}}\n")
    out, _ = shell(
        office,
        home,
        "rita",
        "pipeline",
        str(reviews.parent / "tasks.yaml"),
        "--publish",
        "--org",
        "team",
        "--json",
        expect=1,
    )
    told = json.loads(out)
    assert "who may only read there" in told["runs"][0]["error"] and told["runs"][0]["run"] == ""
    assert not list((home / "runs").glob("*/spec.json"))


def test_rights_that_go_meanwhile_cost_no_result(office: Server, home: Path, reviews: Path) -> None:
    """The training is done when the publishing fails: metrics and folder are told, and it can be published later."""
    accounts = office.folder.parent / "accounts.json"
    train = [
        "train",
        str(reviews),
        "--task",
        "sentiment",
        "--effort",
        "quick",
        "--set",
        "steps=8",
        "--publish",
        "--private",
        "--org",
        "team",
        "--name",
        "late",
    ]

    def demote() -> None:
        until = time.monotonic() + 200
        while time.monotonic() < until and not any(
            '"training"' in file.read_text() for file in home.glob("runs/*/events.jsonl")
        ):
            time.sleep(0.05)
        write_accounts(accounts, {"team": {"members": {"ann": "admin", "will": "read"}}})

    demoting = threading.Thread(target=demote)
    demoting.start()
    try:
        out, _ = shell(office, home, "will", *train, "--json", expect=3)
    finally:
        demoting.join()
        write_accounts(accounts)
    told = json.loads(out)
    assert "who may only read there" in told["error"]["message"]
    assert (Path(told["adapter"]) / "adapter_model.safetensors").is_file() and told["state"] == "succeeded"
    assert 0 <= told["metrics"]["adapter"]["accuracy"]["value"] <= 100
    out, _ = shell(office, home, "will", "publish", told["run"], "--org", "team", "--json", expect=0)
    assert json.loads(out)["adapter"] == "team/late" and json.loads(out)["private"] is True, (
        "as it was asked for when it was trained"
    )
    assert HfApi(office.url, token_of("ann")).model_info("team/late").private
