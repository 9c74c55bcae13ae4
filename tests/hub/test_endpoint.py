"""Which Hub a process uses: decided, found or started by real processes, each with its own home folder."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from persian import refused

from lora_hub.core.errors import HubError, SpecError
from lora_hub.hub import endpoint

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, os, sys
from lora_hub.hub.endpoint import connect
connection = connect()
names = ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_DISABLE_XET", "NO_PROXY", "DISABLE_SAFETENSORS_CONVERSION", "HF_HOME",
         "HF_HUB_CACHE", "LORA_HUB_HUB")
light = ("lora_hub.local_hub", "lora_hub.local_hub.folder")
clients = [name for name in sys.modules if name.split(".")[0] == "huggingface_hub"]
clients += [name for name in sys.modules if "local_hub" in name and name not in light]
print(json.dumps({"kind": connection.kind, "url": connection.url, "organization": connection.organization,
                  "user": connection.user, "loaded": clients,
                  "started": connection.started_here, "env": {name: os.environ.get(name) for name in names}}),
      flush=True)
exec(sys.argv[1] if len(sys.argv) > 1 else "")
"""


class Home:
    """A LORA_HUB_HOME and the processes that use it."""

    def __init__(self, folder: Path):
        self.folder = folder
        hidden = ("HF_", "LORA_HUB_", "SPACE_ID", "NO_PROXY", "no_proxy")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        self.environment |= {"LORA_HUB_HOME": str(folder), "LORA_HUB_UPSTREAM": "off"}

    def start(self, then: str = "", **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, then],
            cwd=ROOT,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, then: str = "", **environment: str) -> dict:
        done = self.start(then, **environment)
        out, err = done.communicate(timeout=60)
        assert done.returncode == 0, err
        return json.loads(out.splitlines()[0])

    @property
    def record(self) -> dict:
        return json.loads((self.folder / "hub" / "server.json").read_text())

    def kill_server(self) -> None:
        try:
            os.kill(self.record["pid"], signal.SIGKILL)
        except (OSError, ProcessLookupError):
            return
        until = time.monotonic() + 10
        while endpoint.find_server(self.folder / "hub", 1) and time.monotonic() < until:
            time.sleep(0.02)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "place")
    yield made
    made.kill_server()


def test_it_starts_a_server_and_sets_what_the_client_reads(place: Home) -> None:
    said = place.run(NO_PROXY="example.org")
    assert (said["kind"], said["organization"], said["user"], said["started"], said["loaded"]) == (
        "embedded",
        "lora-hub",
        "local",
        True,
        [],
    )
    token = (place.folder / "hub" / "token").read_text()
    assert said["env"] == {
        "HF_ENDPOINT": said["url"],
        "HF_TOKEN": token,
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "example.org,127.0.0.1,localhost",
        "DISABLE_SAFETENSORS_CONVERSION": "1",
        "HF_HOME": str(place.folder / "cache"),
        "HF_HUB_CACHE": str(place.folder / "cache" / "hub"),
        "LORA_HUB_HUB": "embedded",
    }
    assert (
        set(place.record) == {"url", "port", "pid", "id", "accounts"}
        and said["url"] == f"http://127.0.0.1:{place.record['port']}"
    )
    assert oct((place.folder / "hub" / "token").stat().st_mode)[-3:] == "600"
    assert token not in (place.folder / "hub" / "log.txt").read_text() and token not in json.dumps(place.record)


def test_the_server_outlives_its_starter_and_is_used_again(place: Home) -> None:
    starter = place.start("import time; time.sleep(60)")
    first = json.loads(starter.stdout.readline())
    starter.kill()
    starter.communicate()
    again = place.run("connection.close()")
    assert first["started"] and not again["started"] and again["url"] == first["url"]
    assert endpoint.find_server(place.folder / "hub") == first["url"]


def test_whoever_started_the_server_leaves_it_to_the_others(place: Home) -> None:
    said = place.run("connection.close(); connection.close()")
    assert said["started"] and endpoint.find_server(place.folder / "hub") == said["url"]


def test_two_at_once_end_with_one_server(place: Home) -> None:
    processes = [place.start() for _ in range(4)]
    said = [json.loads(process.communicate(timeout=60)[0].splitlines()[0]) for process in processes]
    assert len({one["url"] for one in said}) == 1 and sum(one["started"] for one in said) == 1
    assert len({one["env"]["HF_TOKEN"] for one in said}) == 1


def test_after_a_crash_the_port_and_the_token_stay(place: Home) -> None:
    first = place.run()
    place.kill_server()
    second = place.run()
    assert second["started"] and second["url"] == first["url"] and second["env"]["HF_TOKEN"] == first["env"]["HF_TOKEN"]


def test_a_stale_record_and_a_taken_port_are_got_over(place: Home) -> None:
    first = place.run()
    place.kill_server()
    with socket.create_server(("127.0.0.1", place.record["port"])) as stranger:  # something that never answers
        stranger.settimeout(0.1)
        (place.folder / "hub" / "server.json").write_text(json.dumps(place.record | {"pid": 1}))
        assert endpoint.find_server(place.folder / "hub", 0.3) is None
        second = place.run()
    assert second["started"] and second["url"] != first["url"]
    place.kill_server()
    (place.folder / "hub" / "server.json").write_text("not json")
    assert place.run()["started"]


def test_children_decide_as_their_parent(place: Home) -> None:
    asks = "from lora_hub.hub.endpoint import connect; print(connect().kind, connect().url)"
    child = f"import subprocess; subprocess.run([sys.executable, '-c', {asks!r}])"
    process = place.start(child)
    lines = process.communicate(timeout=60)[0].splitlines()
    assert lines[1] == f"embedded {json.loads(lines[0])['url']}"


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, "embedded"),
        ({"HF_TOKEN": "hf_x"}, "public"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9/"}, "other"),
        ({"HF_ENDPOINT": "http://hub.team.example:8000", "HF_TOKEN": "hf_x"}, "other"),
        ({"HF_ENDPOINT": "http://hub.team.example:8000", "LORA_HUB_HUB": "public"}, "other"),
        ({"HF_ENDPOINT": "https://huggingface.co/"}, "public"),
        ({"HF_ENDPOINT": "https://huggingface.co.evil.example/"}, "other"),
        ({"SPACE_ID": "a/b"}, "public"),
        ({"HF_TOKEN": "hf_x", "LORA_HUB_HUB": "embedded"}, "embedded"),
        ({"LORA_HUB_HUB": "public"}, "public"),
    ],
)
def test_public_or_embedded(monkeypatch: pytest.MonkeyPatch, environment: dict, kind: str) -> None:
    for name in ("HF_TOKEN", "HF_ENDPOINT", "SPACE_ID", "LORA_HUB_HUB"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert endpoint.wanted_kind() == kind


def test_the_public_hub_is_left_as_it_is(place: Home) -> None:
    said = place.run(HF_TOKEN="hf_mine", LORA_HUB_ORG="team")
    assert (said["kind"], said["url"], said["organization"], said["started"]) == (
        "public",
        "https://huggingface.co",
        "team",
        False,
    )
    assert (
        said["env"]["HF_TOKEN"] == "hf_mine"
        and said["env"]["HF_ENDPOINT"] is None
        and not (place.folder / "hub").exists()
    )


def test_a_hub_with_accounts_takes_the_persons_own_token(place: Home, tmp_path: Path) -> None:
    (tmp_path / "accounts.json").write_text('{"users": {"ann": {"token": "hf_of_ann"}}, "orgs": {}}')
    command = [sys.executable, "-m", "lora_hub.local_hub", "--dir", str(place.folder / "hub")]
    server = subprocess.Popen(
        [*command, "--accounts", str(tmp_path / "accounts.json")], cwd=ROOT, env=place.environment
    )
    while not endpoint.find_server(place.folder / "hub"):
        assert server.poll() is None
        time.sleep(0.02)
    try:
        said = place.run(LORA_HUB_HUB="embedded", HF_TOKEN="hf_of_ann")
        assert (said["started"], said["user"], said["env"]["HF_TOKEN"]) == (False, "", "hf_of_ann")
        refused = place.start()
        assert "Set HF_TOKEN to yours." in refused.communicate(timeout=60)[1] and refused.returncode == 1
    finally:
        server.terminate()
        server.wait()


def test_errors_are_sentences(place: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORA_HUB_HUB", "elsewhere")
    with refused(SpecError, match="elsewhere"):
        endpoint.connect()
    monkeypatch.setenv("LORA_HUB_HUB", "embedded")
    with refused(HubError, match="not running"):
        endpoint.connect(start=False)
    monkeypatch.setenv("LORA_HUB_HOME", str(tmp_path / "a-file"))
    (tmp_path / "a-file").write_text("")
    with refused(HubError, match="cannot be used"):
        endpoint.connect()
    script = "import huggingface_hub.constants; from lora_hub.hub.endpoint import connect; connect()"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=place.environment, capture_output=True, text=True, timeout=60
    )
    assert "HubError: huggingface_hub was imported while the Hub was" in done.stderr
