"""A team's own Hub, set up and joined as README describes: two people, two homes, only an address and a token."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from small_data import sentiment_rows, write_csv
from test_local_hub import ROOT, Server, start_server

from lora_hub.hub.endpoint import HubConnection
from lora_hub.ui import app
from lora_hub.ui.frame.page import Labels

README = (ROOT / "README.md").read_text(encoding="utf-8")
ACCOUNTS = next(text for text in re.findall(r"^```yaml\n(.*?)^```$", README, re.M | re.S) if "bob: {token" in text)
TOKENS = {name: user["token"] for name, user in yaml.safe_load(ACCOUNTS)["users"].items()}
PUSH = """
import torch
from transformers import LlamaConfig, LlamaForCausalLM
sizes = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 128}
model = LlamaForCausalLM(LlamaConfig(num_hidden_layers=1, num_attention_heads=2, **sizes))
model.push_to_hub("lora-hub/pushed")
again = LlamaForCausalLM.from_pretrained("lora-hub/pushed")
print(all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values())))
"""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("team")
    (folder / "accounts.yaml").write_text(ACCOUNTS)
    server = start_server(folder / "hub", "--accounts", str(folder / "accounts.yaml"))
    yield server
    server.kill()
    assert "Traceback" not in server.log and not any(token in server.log for token in TOKENS.values())


class Person:
    """Somebody with a home and a token."""

    def __init__(self, server: Server, home: Path, name: str):
        home.mkdir()
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("HF_", "LORA_HUB_", "SPACE_ID"))
        }
        self.home, self.name = home, name
        self.environment = kept | {
            "HOME": str(home),
            "HF_ENDPOINT": server.url,
            "HF_TOKEN": TOKENS[name],
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }

    def run(self, *command: str, expect: int = 0) -> str:
        done = subprocess.run(command, cwd=self.home, env=self.environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == expect, done.stdout[-3000:] + done.stderr[-3000:]
        assert not any(token in done.stdout + done.stderr for token in TOKENS.values())
        return done.stdout

    def lora_hub(self, *arguments: str, expect: int = 0) -> dict:
        return json.loads(self.run(sys.executable, "-m", "lora_hub", *arguments, "--json", expect=expect))


def test_two_people_share_what_they_make(team: Server, tmp_path: Path) -> None:
    ann, bob = Person(team, tmp_path / "ann", "ann"), Person(team, tmp_path / "bob", "bob")
    write_csv(ann.home / "reviews.csv", sentiment_rows(60))
    train = [
        "train",
        "reviews.csv",
        "--task",
        "sentiment",
        "--effort",
        "quick",
        "--set",
        "steps=6",
        "--publish",
        "--name",
        "shared",
    ]
    made = ann.lora_hub(*train)
    assert made["adapter"] == "lora-hub/shared"
    seen = bob.lora_hub("adapters")
    assert [one["repo_id"] for one in seen["adapters"]] == ["lora-hub/shared"] and seen["hub"] == {
        "kind": "other",
        "url": team.url,
    }
    answer = bob.lora_hub("compare", "--adapter", "lora-hub/shared", "--prompt", "The soup was lovely.")["answers"]
    assert {one["adapter"] for one in answer} >= {"lora-hub/shared"}
    for person in (ann, bob):
        assert not (person.home / ".lora_hub" / "hub").exists(), "no Hub of their own was started"


def test_the_tools_of_others_need_nothing_else(team: Server, tmp_path: Path) -> None:
    """`hf upload` and `push_to_hub` of weights, with hf_xet there and no variable that turns it off."""
    bob = Person(team, tmp_path / "bob", "bob")
    weights = os.urandom(400_000) + bytes(400_000) + os.urandom(1) * 77_777
    (bob.home / "model.safetensors").write_bytes(weights)
    hf = str(Path(sys.executable).with_name("hf"))
    before = team.log.count("/v1/shards 200")
    bob.run(hf, "upload", "lora-hub/by-hand", "model.safetensors")
    bob.run(hf, "upload", "lora-hub/by-hand", "model.safetensors", "again/model.safetensors")
    assert team.log.count("/v1/shards 200") > before, "it came as the client sends it unasked"
    for path in ("model.safetensors", "again/model.safetensors"):
        assert team.fetch(f"/lora-hub/by-hand/resolve/main/{path}", token=TOKENS["ann"])[2] == weights
    assert bob.run(sys.executable, "-c", PUSH).strip().endswith("True")
    assert list((team.folder / "incoming").iterdir()) == [], "nothing is left of the way that it came"


@pytest.mark.parametrize(
    ("kind", "url", "said"),
    [
        ("embedded", "http://127.0.0.1:20500", "Embedded Hub"),
        ("public", "https://huggingface.co", "Public Hub"),
        ("other", "http://hub.team.example:8000", "hub.team.example:8000"),
    ],
)
def test_the_header_names_the_hub_that_is_meant(kind: str, url: str, said: str) -> None:
    shown = app.header(HubConnection(kind, url, "lora-hub"), Labels())
    others = {"Embedded Hub", "Public Hub", "hub.team.example:8000"} - {said}
    named = re.search(r'<span class="lh-hub.*?</b>', shown)[0]
    assert said in named and not any(other in named for other in others) and url in shown
    assert (
        "HF_TOKEN is not used" in app.header(HubConnection(kind, url, "lora-hub", token_aside=True), Labels())
    ) and "HF_TOKEN" not in shown
