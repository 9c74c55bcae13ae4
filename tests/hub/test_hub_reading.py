"""Listing, fetching and versions, through the real client against the embedded Hub."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants
from persian import refused
from sample_adapters import CLOSED, ORG, SCORES, make_folder, make_spec, publish

from lora_hub import hub as hubs
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.errors import AdapterError, BaseError, HubError
from lora_hub.core.schema import BaseModel
from lora_hub.hub import endpoint
from lora_hub.hub.card import card_metadata
from lora_hub.hub.publish import push_base


@pytest.fixture(scope="module")
def api(hub: endpoint.HubConnection) -> HfApi:
    return HfApi()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, hub: endpoint.HubConnection):
    """An adapter with two versions."""
    folder = tmp_path_factory.mktemp("first")
    publish(folder, "first")
    return publish(folder, "first", seed=1)


# --- listing ---


def test_list_is_one_request(tmp_path, first, hub) -> None:
    publish(
        tmp_path, "second", spec=make_spec("second", task=get_task("topic").model_copy(update={"labels": ("a", "b")}))
    )
    log = next(Path(path) for path in Path(constants.HF_HOME).parent.glob("hub/log.txt"))
    hubs.list_adapters()  # what others' cards lack is asked once and kept
    before = len(log.read_text().splitlines())
    found = {ref.repo_id: ref for ref in hubs.list_adapters()}
    requests = [line for line in log.read_text().splitlines()[before:] if "/api/" in line]
    assert len(requests) == 1 and "GET /api/models" in requests[0], requests
    assert found[f"{ORG}/first"].metrics == SCORES and found[f"{ORG}/first"].base == "Tiny-1M"
    assert found[f"{ORG}/first"].url == f"{hub.url}/{ORG}/first"
    assert list(found)[:1] == [f"{ORG}/second"]  # last changed first
    topics = {ref.repo_id for ref in hubs.list_adapters(task="topic")}
    assert f"{ORG}/second" in topics and f"{ORG}/first" not in topics
    for base in ("Tiny-1M", "/elsewhere/Tiny-1M/"):
        assert {f"{ORG}/first", f"{ORG}/second"} <= {ref.repo_id for ref in hubs.list_adapters(base=base)}
    assert hubs.list_adapters(base="owner/other") == [] and hubs.list_adapters(org="nobody") == []


def test_adapters_made_elsewhere_are_listed(tmp_path, api) -> None:
    folder = make_folder(tmp_path / "a", make_spec())
    (folder / "lora_hub.json").unlink()
    results = [
        {
            "task": {"type": "text-generation"},
            "dataset": {"type": "d", "name": "d"},
            "metrics": [{"type": "accuracy", "value": 81.5}],
        }
    ]
    text = json.dumps(
        {"base_model": "owner/base", "library_name": "peft", "model-index": [{"name": "m", "results": results}]}
    )
    (folder / "README.md").write_text(f"---\n{text}\n---\n# Theirs\n")
    api.create_repo(f"{ORG}/elsewhere")
    api.upload_folder(repo_id=f"{ORG}/elsewhere", folder_path=folder)
    ref = next(ref for ref in hubs.list_adapters(base="owner/base"))
    assert (ref.repo_id, ref.task, ref.base) == (f"{ORG}/elsewhere", "", "owner/base")
    assert ref.metrics["adapter"]["accuracy"].value == 81.5
    where, fetched = hubs.fetch_adapter("elsewhere")
    assert hubs.read_adapter_record(where) is None and fetched.task == "" and fetched.base.endswith("Tiny-1M")


@pytest.mark.parametrize(
    "claim",
    [
        "lora_hub: 7",
        "lora_hub: {metrics: {adapter: {accuracy: {value: high}}, base: 3}, base: [1]}",
        "model-index: [3]",
    ],
)
def test_cards_that_somebody_broke_are_still_listed(api, claim) -> None:
    repo_id = f"{ORG}/broken-{len(claim)}"
    api.create_repo(repo_id)
    api.upload_file(repo_id=repo_id, path_in_repo="adapter_config.json", path_or_fileobj=b"{}")
    api.upload_file(
        repo_id=repo_id, path_in_repo="README.md", path_or_fileobj=f"---\ntags: [lora-hub]\n{claim}\n---\n".encode()
    )
    ref = next(ref for ref in hubs.list_adapters() if ref.repo_id == repo_id)
    assert ref.metrics in ({}, {"adapter": {}}) and ref.base == ""


def test_one_adapter_with_its_versions_and_card(first) -> None:
    ref = hubs.get_adapter("first")
    assert ref.revision == first.revision and ref.versions == ("v2", "v1") and ref.metrics == SCORES
    versions = hubs.list_versions(f"{ORG}/first")
    assert [version.tag for version in versions] == ["v2", "v1"] and versions[0].commit == first.revision
    assert versions[0].date >= versions[1].date > "2020" and versions[0].message == "Publish first"
    assert hubs.get_adapter("first", "v1").revision == versions[1].commit
    text = hubs.read_card("first", "v1")
    assert text.startswith("# first\n") and "---\n" not in text.split("```")[0]


def test_what_is_not_there(first) -> None:
    with refused(AdapterError, match="no adapter lora-hub/firsst") as error:
        hubs.get_adapter("firsst")
    assert "lora-hub/first" in error.value.hint
    for call in (hubs.fetch_adapter, hubs.read_card, hubs.list_versions):
        with refused(AdapterError, match="There is no adapter"):
            call("nobody/nothing")
    missing = (
        lambda: hubs.fetch_adapter("first@v9"),
        lambda: hubs.get_adapter("first", "v9"),
        lambda: hubs.read_card("first", "v9"),
    )
    for call in missing:
        with refused(AdapterError, match="has no version 'v9'") as error:
            call()
        assert "v1, v2" in error.value.hint
    for name in ("a/b/c", "", "../../etc/passwd"):
        with refused(AdapterError):
            hubs.fetch_adapter(name)
    with pytest.raises(AdapterError, match="ارگ/x"):
        hubs.fetch_adapter("ارگ/x")


def test_what_is_in_production_stands_first(first, api) -> None:
    api.create_tag(f"{ORG}/first", tag="production", revision="v1")
    old = next(version.commit for version in hubs.list_versions("first") if version.tag == "v1")
    assert [version.tag for version in hubs.list_versions("first")] == ["production", "v2", "v1"]
    assert hubs.fetch_adapter("first@production")[1].revision == old
    api.delete_tag(f"{ORG}/first", tag="production")


# --- fetching ---


def test_fetch_gives_the_exact_version_and_works_with_the_hub_down(first, tmp_path, monkeypatch) -> None:
    folder, ref = hubs.fetch_adapter("first@v1")
    newest, newest_ref = hubs.fetch_adapter(f"{ORG}/first")
    assert newest_ref.revision == first.revision != ref.revision and ref.metrics == SCORES and ref.task == "spam"
    weights = "adapter_model.safetensors"
    assert (folder / weights).read_bytes() == (make_folder(tmp_path / "0", make_spec(), 0) / weights).read_bytes()
    assert (newest / weights).read_bytes() == (make_folder(tmp_path / "1", make_spec(), 1) / weights).read_bytes()
    record = hubs.read_adapter_record(folder)
    assert record and record["task"]["labels"] == ["ham", "spam"] and card_metadata.spec_of(record).lora.r == 16
    monkeypatch.setattr(constants, "ENDPOINT", CLOSED)
    assert hubs.fetch_adapter("first@v1")[0] == folder and hubs.fetch_adapter("first")[1].revision == first.revision
    with refused(HubError, match="cannot be reached"):
        hubs.fetch_adapter("never-fetched")


def test_a_repo_that_is_no_lora_adapter(api) -> None:
    api.create_repo(f"{ORG}/a-model")
    api.upload_file(repo_id=f"{ORG}/a-model", path_in_repo="config.json", path_or_fileobj=b"{}")
    with refused(AdapterError, match="no adapter_config.json"):
        hubs.fetch_adapter("a-model")
    assert hubs.read_card("a-model") == "" and hubs.list_versions("a-model") == []


@pytest.mark.parametrize("text", ["{", "[]", '{"version": "1"}', '{"version": 99}', '{"version": 1, "spec": {}}'])
def test_a_damaged_record(first, api, text) -> None:
    repo_id = f"{ORG}/damaged-{len(text)}"
    folder, _ = hubs.fetch_adapter("first")
    api.create_repo(repo_id, exist_ok=True)
    api.upload_folder(repo_id=repo_id, folder_path=folder)
    api.upload_file(repo_id=repo_id, path_in_repo="lora_hub.json", path_or_fileobj=text.encode())
    with refused(AdapterError):
        hubs.fetch_adapter(repo_id)


# --- bases ---


def test_bases_on_the_hub_and_in_the_cache(api, first, monkeypatch) -> None:
    with refused(BaseError, match="There is no owner/nothing"):
        hubs.fetch_base(BaseModel(id="owner/nothing"))
    with refused(BaseError, match="is an adapter"):
        hubs.fetch_base(BaseModel(id=first.repo_id))
    api.create_repo(f"{ORG}/some-base", exist_ok=True)
    for file in ("config.json", "model.safetensors"):
        api.upload_file(repo_id=f"{ORG}/some-base", path_in_repo=file, path_or_fileobj=b"{}")
    base = BaseModel(id=f"{ORG}/some-base")
    assert hubs.fetch_base(base) == base.id
    with refused(BaseError, match="has no version 'v7'"):
        hubs.fetch_base(base.model_copy(update={"revision": "v7"}))
    monkeypatch.setattr(constants, "ENDPOINT", CLOSED)
    with refused(BaseError, match="cannot be fetched"):
        hubs.fetch_base(base)
    monkeypatch.undo()
    cached = api.snapshot_download(base.id)
    monkeypatch.setattr(constants, "ENDPOINT", CLOSED)
    assert hubs.fetch_base(base) == cached


def ask(model, tokenizer, spec) -> str:
    """The greedy answer to the snippet's own question, through the project's own prompt."""
    import torch

    from lora_hub.data.prompts.template import encode_prompt

    ids = torch.tensor([encode_prompt(tokenizer, spec.task, {"text": "Put the text here."})])
    output = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=spec.task.max_new_tokens, do_sample=False
    )
    return tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True).strip()


def chances(model, tokenizer, spec) -> dict[str, float]:
    """Each label's probability in per cent, by the likelihood of the whole label, one forward pass for each."""
    import torch

    from lora_hub.data.prompts.template import encode_answers, encode_prompt

    prompt = encode_prompt(tokenizer, spec.task, {"text": "Put the text here."})
    logs = []
    for *label, _ in encode_answers(tokenizer, list(spec.task.labels)):  # neither begins the other: no end token
        with torch.no_grad():
            said = model(torch.tensor([prompt + label])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        logs.append(said[range(len(label)), label].sum())
    return dict(zip(spec.task.labels, (100 * torch.stack(logs).softmax(0)).tolist(), strict=True))


@pytest.fixture(scope="module")
def on_built_in(tmp_path_factory: pytest.TempPathFactory, hub: endpoint.HubConnection):
    """A real adapter of the built-in base, saved by PEFT and published: (ref, spec, its labels' probabilities)."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    spec = make_spec(base=bases.get_base("built-in"))
    tokenizer = AutoTokenizer.from_pretrained(spec.base.folder)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(spec.base.folder),
        LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
    ).eval()
    with model.disable_adapter():
        alone = ask(model, tokenizer, spec)
    for seed in range(50):  # of ever stronger random adapters, one that says something, and not what the base says
        torch.manual_seed(seed)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1 * (1 + seed / 5))
        answer = ask(model, tokenizer, spec)
        if answer not in ("", alone):
            break
    assert answer not in ("", alone)
    folder = tmp_path_factory.mktemp("real")
    model.save_pretrained(folder)
    return hubs.publish_adapter(folder, spec=spec, scores=SCORES, run_id="run-2"), spec, chances(model, tokenizer, spec)


def test_the_built_in_base_is_pushed_once(on_built_in, api) -> None:
    ref, spec, _ = on_built_in
    assert ref.repo_id == f"{ORG}/spam-built-in" and ref.base == "built-in"
    head = api.model_info(f"{ORG}/built-in")
    assert push_base(spec.base, ORG) == (f"{ORG}/built-in", head.sha)
    assert api.model_info(f"{ORG}/built-in").sha == head.sha
    assert "license:apache-2.0" in head.tags and head.library_name == "transformers"
    config = json.loads(Path(api.hf_hub_download(ref.repo_id, "adapter_config.json")).read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == (f"{ORG}/built-in", head.sha)
    assert f"base_model:adapter:{ORG}/built-in" in api.model_info(ref.repo_id).tags
    for base in ("built-in", f"{ORG}/built-in"):
        assert ref.repo_id in [one.repo_id for one in hubs.list_adapters(base=base)]


def test_the_cards_snippet_answers_as_the_adapter_does(on_built_in, tmp_path) -> None:
    """Pasted in an empty folder, in a process that knows the Hub and nothing of LoRA Hub."""
    ref, _, expected = on_built_in
    code = re.search(r"```python\n(.*?)\n```", hubs.read_card(ref.repo_id), re.DOTALL)[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    told = {label: float(share) for share, label in re.findall(r"([\d.]+)% (\w+)", done.stdout)}
    assert told == pytest.approx(expected, abs=0.06)
