"""What `deploy` sends, started as a Space starts it: its files, its environment, sign-in; and a restart that wipes
its disk."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import HfApi, snapshot_download
from page_calls import Caller
from test_local_hub import Server, start_server
from test_page import App, free_port
from test_page_people import PEOPLE, SCOPES, SECRET, token_of

ROOT = Path(__file__).resolve().parents[2]
SPACE, HOST = "lora-hub/the-app", "lora-hub-the-app.hf.space"
ROWS = "text,label\n" + "".join(f"You won prize {n} call now,spam\nSee you at {n} then,ham\n" for n in range(60))
ENDED = ("succeeded", "failed", "cancelled", "lost")


class SpaceApp(App):
    """The deployed folder, started with what the Hub gives a Space."""

    def __init__(self, code: Path, home: Path, hub: Server, **variables: str) -> None:
        given = {
            "SYSTEM": "spaces",
            "SPACE_ID": SPACE,
            "SPACE_HOST": HOST,
            "SPACE_AUTHOR_NAME": "lora-hub",
            "OAUTH_CLIENT_ID": "app",
            "OAUTH_CLIENT_SECRET": SECRET,
            "OAUTH_SCOPES": SCOPES,
            "OPENID_PROVIDER_URL": hub.url,
            "HF_ENDPOINT": hub.url,
            "LORA_HUB_HUB": "",
            "PYTHONPATH": "",
        }
        super().__init__(home, free_port(), **given, **variables)
        self.code, self.callers = code, {}

    def ask(self, who: str, function: str, **values: Any) -> Any:
        """The answer of one of the page's public functions to somebody who signs in; a text where it refuses."""
        caller = self.callers.get(who) or self.callers.setdefault(who, Caller(self.url, who, token_of(who), HOST))
        status, said = caller.post(f"/gradio_api/call/v2/{function}", json=values)
        assert status == 200, said
        told = caller.client.get(f"/gradio_api/call/{function}/{json.loads(said)['event_id']}").text
        kind, data = re.findall(r"^event: (\w+)\ndata: (.*)$", told, re.M)[-1]
        return json.loads(data)[0] if kind == "complete" else data


def log_of(app: App) -> str:
    """What the app logged. In a Space Gradio watches its files, and its loops end with a complaint of Python's own."""
    return (app.home / "app.log").read_text().partition("Exception ignored in: <function BaseEventLoop.__del__")[0]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hub")
    people = {name: role for name, role in PEOPLE.items() if role}
    accounts = {
        "users": {name: {"token": token_of(name)} for name in (*PEOPLE, "the-space")},
        "orgs": {"lora-hub": {"members": {**people, "the-space": "write"}}},
        "oauth": {"app": {"secret": SECRET, "redirect": [f"https://{HOST}/login/callback"]}},
    }
    (folder / "accounts.json").write_text(json.dumps(accounts))
    server = start_server(folder / "hub", "--accounts", str(folder / "accounts.json"))
    yield server
    server.kill()


@pytest.fixture
def deployed(hub: Server, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """The folder that a Space would hold, and its variables and secrets."""
    secret = {"LORA_HUB_SERVICE_TOKEN": token_of("the-space")}
    done = subprocess.run(
        [sys.executable, "-m", "lora_hub", "deploy", SPACE, "--no-wait", "--json"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("HF_", "LORA_HUB_"))}
        | {"HF_ENDPOINT": hub.url, "HF_TOKEN": token_of("ada"), "NO_PROXY": "127.0.0.1", **secret},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    api = HfApi(hub.url, token=token_of("ada"))
    code = snapshot_download(
        SPACE, repo_type="space", local_dir=tmp_path / "code", endpoint=hub.url, token=token_of("ada")
    )
    variables = {name: one.value for name, one in api.get_space_variables(SPACE).items()}
    assert variables.keys() == {"LORA_HUB_ORG", "LORA_HUB_STATE"}
    assert set(api.get_space_secrets(SPACE)) == {*secret, "LORA_HUB_STATE_KEY"}
    return Path(code), variables | secret | {"LORA_HUB_STATE_KEY": "k" * 40}


def test_a_deployed_space_trains_for_its_people_and_shows_it_after_a_restart(
    hub: Server, deployed: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    code, variables = deployed
    app = SpaceApp(code, tmp_path / "first", hub, **variables)
    try:
        app.start()
        assert "LoRA Hub" in httpx.get(app.url, headers={"Host": HOST}).text
        assert "rita" in app.ask("rita", "inspect", text=ROWS, name="rows.csv", task="spam"), "a reader trains nothing"
        seen = app.ask("will", "inspect", text=ROWS, name="rows.csv", task="spam")
        asked = {"dataset": seen["dataset"], "task": "spam", "effort": "quick", "overrides": {"steps": 4}}
        run = app.ask("will", "train", **asked)["run"]
        until = time.monotonic() + 300
        while (told := app.ask("will", "run", run=run))["state"] not in ENDED and time.monotonic() < until:
            time.sleep(0.5)
        assert told["state"] == "succeeded", told
    finally:
        app.close()
    said = log_of(app)
    assert "Traceback" not in said and not [value for value in variables.values() if value in said and "hf_" in value]
    shutil.rmtree(app.home)
    again = SpaceApp(code, tmp_path / "second", hub, **variables)
    try:
        again.start()
        assert [one["run"] for one in again.ask("will", "runs")["runs"]] == [run]
        assert again.ask("rita", "runs")["runs"] == [] and "no run" in again.ask("rita", "run", run=run)
        answers = again.ask("will", "compare", adapters=[run], prompt="You won a prize!")["answers"]
        assert {one["adapter"] for one in answers} == {"base", run} and all(one["text"] for one in answers)
        assert again.ask("will", "plan", **asked)["can_start"], "the file is there, too"
    finally:
        again.close()
    assert "Traceback" not in log_of(again)
