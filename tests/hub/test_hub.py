"""Publishing, and what the Hub refuses, through the real client against the embedded Hub."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from breaking_proxy import BreakingProxy
from huggingface_hub import HfApi, ModelCard, constants
from persian import refused
from sample_adapters import CLOSED, ORG, SCORES, make_spec, publish
from small_data import held_out_row

from lora_hub import hub as hubs
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.errors import AdapterError, BaseError, HubError
from lora_hub.core.schema import BaseModel, Lengths
from lora_hub.hub.naming import repo_name, slugify


@pytest.fixture(scope="module")
def api(hub) -> HfApi:
    return HfApi()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A repo name of the test's own: all tests share one Hub."""
    return f"{request.node.name.split('[')[0].replace('_', '-')[:50]}"


# --- publish ---


def test_publish_is_one_commit_and_a_tag(tmp_path, name, api) -> None:
    ref = publish(tmp_path, name)
    assert ref.repo_id == f"{ORG}/{name}" and ref.versions == ("v1",) and ref.base == "Tiny-1M" and ref.task == "spam"
    commits = api.list_repo_commits(ref.repo_id)
    assert commits[0].commit_id == ref.revision and sum("Publish" in commit.title for commit in commits) == 1
    files = set(api.list_repo_files(ref.repo_id)) - {".gitattributes"}
    assert files == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "README.md",
        "lora_hub.json",
        "training_log.jsonl",
        "results.svg",
    }
    tags = api.list_repo_refs(ref.repo_id).tags
    assert [(tag.name, tag.target_commit) for tag in tags] == [("v1", ref.revision)]


def test_the_libraries_are_those_that_trained(tmp_path, name, api) -> None:
    """A run may be published long after it was trained, with newer libraries."""
    folder = Path(api.snapshot_download(publish(tmp_path, name).repo_id))
    assert json.loads((folder / "lora_hub.json").read_text())["libraries"] == {"peft": "0.0.trained"}
    assert "libraries: peft 0.0.trained." in (folder / "README.md").read_text()


def test_nothing_private_is_published(tmp_path, name, api) -> None:
    rows = [held_out_row(1, {"text": "SECRET-ROW"}, "spam", base="ham", adapter="spam")]
    ref = publish(tmp_path, name, examples=rows)
    folder = Path(api.snapshot_download(ref.repo_id))
    whole = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for secret in (b"/home/somebody", b"SECRET-ROW", b"4711", os.environ["HF_TOKEN"].encode(), str(tmp_path).encode()):
        assert secret not in whole
    assert json.loads((folder / "training_log.jsonl").read_text()) == {"step": 5, "loss": 1.25}
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == "Tiny-1M"
    assert ModelCard((folder / "README.md").read_text()).data.language == ["en"]


def test_where_the_base_lay_is_nowhere_in_what_is_published(tmp_path, name, api) -> None:
    """Lengths name the base that they were counted for; so may a test file's, and whatever comes to be written down
    later."""
    from lora_hub.hub.record import public_base, without_place

    place = "/home/somebody/models/Tiny-1M"
    counts = dict.fromkeys(("rows", "sampled", "max_length", "context", "too_long", "answers_cut", "over_context"), 1)
    lengths = Lengths(base=place, prompt=(1,), answer=(1,), total=(1,), trained_share=0.5, **counts)
    data = make_spec().dataset.model_copy(update={"lengths": lengths, "source": f"{place}/data.csv"})
    spec = make_spec(name, dataset=data, test_dataset=data.model_copy(update={"name": "test.csv"}))
    folder = Path(api.snapshot_download(publish(tmp_path, name, spec=spec).repo_id))
    whole = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"somebody" not in whole and b"/home" not in whole
    record = json.loads((folder / "lora_hub.json").read_text())
    assert (
        record["report"]["lengths"]["base"]
        == record["spec"]["test_dataset"]["lengths"]["base"]
        == record["base"]["id"]
        == "Tiny-1M"
    )
    # a record of an older run has the path in it, and loses it when it is published
    kept = tmp_path / "adapter-0" / "lora_hub.json"
    kept.write_text(
        json.dumps(
            {
                **json.loads(kept.read_text()),
                "report": {"lengths": {"base": place}, "notes": [f"read from {place}/config.json"]},
            }
        )
    )
    assert place in kept.read_text()
    assert without_place(json.loads(kept.read_text()), spec.base)["report"] == {
        "lengths": {"base": "Tiny-1M"},
        "notes": ["read from Tiny-1M/config.json"],
    }
    elsewhere = BaseModel(id="C:\\models\\Tiny-1M", folder="C:\\models\\Tiny-1M")
    assert public_base(elsewhere).id == "Tiny-1M" and without_place([elsewhere.folder], elsewhere) == ["Tiny-1M"]
    hub_base = BaseModel(id="owner/name")
    assert without_place({"base": "owner/name"}, hub_base) == {"base": "owner/name"}


def test_same_content_is_the_same_version_and_new_content_the_next(tmp_path, name, api) -> None:
    first, again = publish(tmp_path, name), publish(tmp_path, name)
    assert (again.revision, again.versions) == (first.revision, ("v1",))
    second = publish(tmp_path, name, seed=1, log=None)
    assert second.revision != first.revision and second.versions == ("v2", "v1")
    assert "training_log.jsonl" not in api.list_repo_files(
        second.repo_id
    )  # the first one's log is not the second one's


def test_publishing_at_the_same_time_loses_nothing(tmp_path, name) -> None:
    with ThreadPoolExecutor(4) as pool:
        refs = list(pool.map(lambda seed: publish(tmp_path / str(seed), name, seed=seed), range(4)))
    versions = hubs.list_versions(f"{ORG}/{name}")
    assert sorted(version.tag for version in versions) == ["v1", "v2", "v3", "v4"]
    assert {version.commit for version in versions} == {ref.revision for ref in refs}
    for seed, ref in enumerate(refs):  # and no version has a file of another's
        folder, _ = hubs.fetch_adapter(f"{name}@{ref.revision}")
        mine = tmp_path / str(seed) / f"adapter-{seed}" / "adapter_model.safetensors"
        assert (folder / mine.name).read_bytes() == mine.read_bytes()
        assert hubs.read_adapter_record(folder)["run"] == f"run-{seed}"


def test_the_card_passes_the_hubs_check_and_shows_in_the_listing(tmp_path, name, api) -> None:
    nasty = f"{name} | <b>x</b> ---"
    ref = publish(tmp_path, "", spec=make_spec(nasty))
    ModelCard(Path(api.hf_hub_download(ref.repo_id, "README.md")).read_text()).validate(repo_type="model")
    listed = next(one for one in hubs.list_adapters() if one.repo_id == ref.repo_id)
    assert (
        listed.title == nasty.replace("---", "—")
        and listed.metrics == SCORES
        and listed.revision == ref.revision
        and listed.updated
    )


def test_the_whole_of_a_persian_name(tmp_path) -> None:
    ref = publish(tmp_path, "", spec=make_spec("احساس فارسی ۲"))
    assert ref.repo_id.isascii() and ref.repo_id.endswith("ahsas-farsi-2") and ref.title == "احساس فارسی ۲"


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("My Adapter!", "My-Adapter"),
        ("a--b..c", "a-b.c"),
        ("-x-", "x"),
        ("Émile", "Emile"),
        ("x.git", "x"),
        ("نیم‌فاصله", "nim-faslh"),
        ("🙂", ""),
    ],
)
def test_slugs(text: str, slug: str) -> None:
    assert slugify(text) == slug


def test_default_and_impossible_names() -> None:
    assert repo_name(make_spec()) == "spam-tiny-1m"
    for name in ("🙂", "Built-in"):
        with refused(HubError):
            repo_name(make_spec(), name)


# --- refusals ---


def test_name_taken_by_something_else(tmp_path, name, api) -> None:
    api.create_repo(f"{ORG}/{name}")
    api.upload_file(repo_id=f"{ORG}/{name}", path_in_repo="config.json", path_or_fileobj=b"{}")
    with refused(HubError, match="is not an adapter of LoRA Hub"):
        publish(tmp_path, name)
    assert set(api.list_repo_files(f"{ORG}/{name}")) == {".gitattributes", "config.json"}


def test_name_taken_by_another_task(tmp_path, name) -> None:
    publish(tmp_path, name)
    with refused(HubError, match="for the task spam on the base Tiny-1M"):
        publish(
            tmp_path,
            name,
            seed=1,
            spec=make_spec(name, task=get_task("topic").model_copy(update={"labels": ("a", "b")})),
        )
    assert [version.tag for version in hubs.list_versions(name)] == ["v1"]


def test_a_private_adapter_never_goes_into_a_public_repo(tmp_path, name, api) -> None:
    publish(tmp_path, name)
    with refused(HubError, match="is public"):
        publish(tmp_path, name, seed=1, private=True)
    ref = publish(tmp_path, f"{name}-2", private=True)
    assert ref.private and api.model_info(ref.repo_id).private


def test_a_folder_without_an_adapter(tmp_path) -> None:
    with refused(AdapterError, match="adapter_config.json is missing"):
        hubs.publish_adapter(tmp_path, spec=make_spec(), scores=SCORES, run_id="r")


def test_a_hub_that_is_down_says_so_and_publishing_works_later(tmp_path, name, monkeypatch) -> None:
    with monkeypatch.context() as down:
        down.setattr(constants, "ENDPOINT", CLOSED)
        for call in (
            lambda: publish(tmp_path, name),
            hubs.list_adapters,
            lambda: hubs.get_adapter(name),
        ):
            with refused(HubError, match="cannot be reached") as error:
                call()
            assert error.value.hint
    assert publish(tmp_path, name).versions == ("v1",)


def test_a_token_that_is_not_valid(tmp_path, name, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_notatoken")
    with refused(HubError, match="does not accept this token") as error:
        publish(tmp_path, name)
    assert "hf_notatoken" not in str(error.value)


def test_no_token(tmp_path, name, monkeypatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with refused(HubError, match="token"):
        publish(tmp_path, name)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, hub):
    """A second embedded Hub with accounts: alice may write in `team`, bob may only read there."""
    folder = tmp_path_factory.mktemp("guarded")
    accounts = folder / "accounts.json"
    users = {name: {"token": f"hf_{name}"} for name in ("alice", "bob", "eve")}
    members = {"users": users, "orgs": {"team": {"members": {"alice": "write", "bob": "read"}}}}
    accounts.write_text(json.dumps(members))
    command = [
        sys.executable,
        "-m",
        "lora_hub.local_hub",
        "--dir",
        str(folder / "hub"),
        "--accounts",
        str(accounts),
        "--upstream",
        "off",
    ]
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[2])
    record = folder / "hub" / "server.json"
    until = time.monotonic() + 20
    while not record.exists() and time.monotonic() < until and server.poll() is None:
        time.sleep(0.05)
    assert record.exists(), (folder / "log.txt").read_text()
    yield json.loads(record.read_text())["url"]
    server.terminate()
    server.wait(10)


@pytest.mark.parametrize(
    ("token", "org", "said"),
    [
        ("hf_bob", "team", "may not publish team/"),
        ("hf_alice", "nowhere", "It is alice and belongs to: team."),
        ("hf_bob", "alice", "belongs to: team"),
    ],
)
def test_no_right_to_write(tmp_path, name, guarded, monkeypatch, token, org, said) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", guarded)
    monkeypatch.setenv("HF_TOKEN", token)
    with refused(HubError) as error:
        publish(tmp_path, name, org=org)
    assert said in error.value.message and "--org" in error.value.hint and token not in str(error.value)


def test_a_reader_may_not_add_a_version(tmp_path, name, guarded, monkeypatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", guarded)
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    assert publish(tmp_path, name, org="team").versions == ("v1",)
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    with refused(HubError, match="may not publish"):
        publish(tmp_path, name, org="team", seed=1)
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    assert [version.tag for version in hubs.list_versions(f"team/{name}")] == ["v1"]


def test_a_base_that_lets_nobody_in(guarded, monkeypatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", guarded)
    owner = HfApi(token="hf_alice")
    owner.create_repo("team/closed-base")
    owner.upload_file(repo_id="team/closed-base", path_in_repo="config.json", path_or_fileobj=b"{}")
    owner.update_repo_settings("team/closed-base", gated="manual")
    base = BaseModel(id="team/closed-base", gated=True)
    monkeypatch.setenv("HF_TOKEN", "hf_eve")
    with refused(BaseError, match="is gated") as error:
        hubs.fetch_base(base)
    assert f"{guarded}/team/closed-base" in error.value.hint
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    assert hubs.fetch_base(base) == base.id


# --- half way ---


def test_a_commit_that_breaks_shows_nothing(tmp_path, name, hub, api, monkeypatch) -> None:
    with BreakingProxy(hub.url, r"^POST .*/commit/") as proxy, monkeypatch.context() as through:
        through.setattr(constants, "ENDPOINT", proxy.url)
        with refused(HubError):
            publish(tmp_path, name)
        assert proxy.broken
    assert (
        set(api.list_repo_files(f"{ORG}/{name}")) <= {".gitattributes"} and not api.list_repo_refs(f"{ORG}/{name}").tags
    )
    assert f"{ORG}/{name}" not in [ref.repo_id for ref in hubs.list_adapters()]
    assert publish(tmp_path, name).versions == ("v1",)


@pytest.mark.parametrize(
    ("breaks", "status", "said"),
    [("^PUT ", 507, "has no room"), ("^PUT ", 403, "may not publish"), ("/preupload/", 418, "HTTP 418")],
)
def test_an_upload_that_is_refused(tmp_path, name, hub, monkeypatch, breaks, status, said) -> None:
    """Refused while the weights are on their way: the client wraps this in an error of its own."""
    with BreakingProxy(hub.url, breaks, status) as proxy, monkeypatch.context() as through:
        through.setattr(constants, "ENDPOINT", proxy.url)
        with refused(HubError, match=said):
            publish(tmp_path, name, seed=status)
        assert proxy.broken


def test_a_tag_that_breaks_is_set_by_the_next_try(tmp_path, name, hub, api, monkeypatch) -> None:
    with BreakingProxy(hub.url, r"^POST .*/tag/") as proxy, monkeypatch.context() as through:
        through.setattr(constants, "ENDPOINT", proxy.url)
        with refused(HubError):
            publish(tmp_path, name)
        assert proxy.broken
    commit = api.model_info(f"{ORG}/{name}").sha
    ref = publish(tmp_path, name)
    assert (ref.revision, ref.versions) == (commit, ("v1",))
