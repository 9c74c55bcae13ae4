"""The embedded Hub's lifetime: it belongs to its home folder, not to the process that started it. Real processes,
really killed and stopped."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from conftest import end_hub
from small_data import sentiment_rows, write_csv
from test_endpoint import ROOT, Home

from lora_hub.hub import endpoint
from lora_hub.local_hub.folder import ports_of, read_record

LIST = "from lora_hub import hub; print(json.dumps([ref.repo_id for ref in hub.list_adapters()]), flush=True)\n"
WAIT = "sys.stdin.readline()\n"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "place")
    yield made
    end_hub(made.folder / "hub")


class Talking:
    """A process that is connected and does a step at each line that it is sent, as a page does at each click."""

    def __init__(self, place: Home, *steps: str, **environment: str):
        script = "".join(WAIT + step for step in steps) + WAIT
        names = place.environment | environment
        from test_endpoint import SCRIPT

        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, script],
            cwd=ROOT,
            env=names,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.said = json.loads(self.process.stdout.readline() or self.fail())

    def fail(self) -> str:
        raise AssertionError(self.process.communicate(timeout=10)[1])

    def step(self) -> object:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline() or self.fail())

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()
        self.process.stderr.close()


def wait_until(true: object, seconds: float = 30.0) -> bool:
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return bool(true())


def kill_9(place: Home) -> None:
    os.kill(place.record["pid"], signal.SIGKILL)
    assert wait_until(lambda: endpoint.find_server(place.folder / "hub", 1) is None)


def test_a_killed_hub_is_back_for_the_page_that_knew_it(place: Home) -> None:
    page = Talking(place, LIST, LIST)
    assert page.step() == []
    kill_9(place)
    assert page.step() == [] and endpoint.find_server(place.folder / "hub") == page.said["url"]
    page.end()


def test_a_command_that_ends_leaves_the_pages_hub(place: Home) -> None:
    page = Talking(place, LIST)
    assert not place.run("connection.close()")["started"]
    assert page.step() == []
    page.end()


def test_a_command_that_started_it_does_not_take_it_away(place: Home) -> None:
    command = Talking(place, LIST)
    page = Talking(place, LIST)
    command.end()
    assert command.said["started"] and not page.said["started"] and page.step() == []
    page.end()


def test_a_port_that_is_taken_while_it_is_down_is_no_end(place: Home) -> None:
    """The client has read the old address at its import; what has the port now is told nothing."""
    page = Talking(
        place,
        LIST,
        LIST + "import huggingface_hub; print(json.dumps(huggingface_hub.whoami()['name']), flush=True)\n" + WAIT,
    )
    assert page.step() == []
    kill_9(place)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", place.record["port"])) as stranger:

        def listen() -> None:
            while True:
                try:
                    connection = stranger.accept()[0]
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(65536))
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

        threading.Thread(target=listen, daemon=True).start()
        assert page.step() == []
        assert json.loads(page.process.stdout.readline()) == "local"  # the client's own functions, too
        moved = endpoint.find_server(place.folder / "hub")
        stranger.shutdown(socket.SHUT_RDWR)
    assert moved and moved != page.said["url"]
    assert not any(b"authorization" in one.lower() for one in heard)
    page.end()


def test_the_port_is_the_homes_own(place: Home) -> None:
    first = place.run()["url"]
    end_hub(place.folder / "hub")
    (place.folder / "hub" / "server.json").unlink()  # even what it wrote is lost
    assert place.run()["url"] == first and int(first.rsplit(":", 1)[1]) in ports_of(place.folder / "hub")[:-1]


def test_it_ends_itself_when_nobody_uses_it_and_not_before(place: Home) -> None:
    place.environment["LORA_HUB_IDLE_MINUTES"] = "0.02"
    page = Talking(place, LIST)
    time.sleep(4)  # more than three times as long as it waits without anybody
    assert endpoint.find_server(place.folder / "hub") == page.said["url"] and page.step() == []
    page.end()
    assert wait_until(lambda: read_record(place.folder / "hub").get("ended") == "idle")
    assert wait_until(lambda: endpoint.find_server(place.folder / "hub", 1) is None)
    again = place.run()
    assert again["started"] and again["url"] == page.said["url"]


def test_a_folder_that_is_removed_takes_its_hub_with_it(place: Home) -> None:
    place.environment["LORA_HUB_IDLE_MINUTES"] = "0.05"
    place.run()
    pid = place.record["pid"]
    shutil.rmtree(place.folder)
    assert wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_requests_use_it_too(place: Home) -> None:
    place.environment["LORA_HUB_IDLE_MINUTES"] = "0.03"
    place.run()
    until = time.monotonic() + 5
    while time.monotonic() < until:
        assert endpoint.find_server(place.folder / "hub"), "it ended although it was asked"
        time.sleep(0.2)
    assert wait_until(lambda: read_record(place.folder / "hub").get("ended") == "idle")


def test_many_starters_and_one_by_hand_end_with_one(place: Home) -> None:
    (place.folder / "hub").mkdir(parents=True)
    by_hand = subprocess.Popen(
        [sys.executable, "-m", "lora_hub.local_hub", "--dir", str(place.folder / "hub")],
        cwd=ROOT,
        env=place.environment,
        stderr=subprocess.DEVNULL,
    )
    several = [place.start() for _ in range(3)]
    said = [json.loads(process.communicate(timeout=60)[0].splitlines()[0]) for process in several]
    assert len({one["url"] for one in said}) == 1 and sum(one["started"] for one in said) <= 1
    # Where it lost, it waits a moment for the winner's end, as one that is started just after a stop does: that is
    # over.
    assert wait_until(lambda: by_hand.poll() is not None or place.record["pid"] == by_hand.pid)
    end_hub(place.folder / "hub")
    by_hand.wait(30)
    time.sleep(4)  # as long as one that waited for the lock would have waited
    assert endpoint.find_server(place.folder / "hub") is None, "nobody was left waiting for its end"


@pytest.fixture
def teams(place: Home) -> Iterator[subprocess.Popen]:
    """A Hub with accounts in the home's own place, started by hand."""
    accounts = place.folder / "accounts.json"
    accounts.parent.mkdir(parents=True)
    accounts.write_text(
        '{"users": {"ann": {"token": "hf_of_ann"}}, "orgs": {"lora-hub": {"members": {"ann": "admin"}}}}'
    )
    command = [
        sys.executable,
        "-m",
        "lora_hub.local_hub",
        "--dir",
        str(place.folder / "hub"),
        "--accounts",
        str(accounts),
    ]
    server = subprocess.Popen(command, cwd=ROOT, env=place.environment, stderr=subprocess.DEVNULL)
    assert wait_until(lambda: endpoint.find_server(place.folder / "hub"))
    yield server
    if server.poll() is None:
        server.terminate()
    server.wait(20)


def test_a_hub_with_accounts_comes_back_with_them(place: Home, teams: subprocess.Popen) -> None:
    page = Talking(place, LIST, LIST, LORA_HUB_HUB="embedded", HF_TOKEN="hf_of_ann")
    assert page.step() == []
    teams.kill()
    teams.wait()
    assert page.step() == [] and place.record["accounts"] is True and place.record["url"] == page.said["url"]
    page.end()
    refused = place.start(LORA_HUB_HUB="embedded")
    assert "Set HF_TOKEN to yours." in refused.communicate(timeout=60)[1], "nobody gets in without an account"


def test_a_hub_with_accounts_that_somebody_ended_stays_ended(place: Home, teams: subprocess.Popen) -> None:
    end_hub(place.folder / "hub")
    asked = place.start(LORA_HUB_HUB="embedded", HF_TOKEN="hf_of_ann")
    said = asked.communicate(timeout=60)[1]
    assert (
        "which has accounts, was ended" in said
        and f"--accounts {place.folder / 'accounts.json'}" in said
        and "hf_of_ann" not in said
    )


def test_two_hubs_at_once_are_no_choice(place: Home) -> None:
    asked = place.start(LORA_HUB_HUB="embedded", HF_ENDPOINT="http://hub.team.example:8000", HF_TOKEN="hf_of_ann")
    said = asked.communicate(timeout=60)[1]
    assert "HF_ENDPOINT names another one: http://hub.team.example:8000" in said and "hf_of_ann" not in said
    assert not (place.folder / "hub").exists(), "nothing was started"


def test_a_token_that_is_left_aside_is_told(place: Home) -> None:
    notes = "print(json.dumps([str(note) for note in connection.notes]))"
    process = place.start(notes, LORA_HUB_HUB="embedded", HF_TOKEN="hf_of_ann")
    first, second = process.communicate(timeout=60)[0].splitlines()
    assert json.loads(first)["url"] and "HF_TOKEN is not used" in second and "hf_of_ann" not in second
    child = (
        "import subprocess; subprocess.run([sys.executable, '-c', 'from lora_hub.hub.endpoint import connect; "
        "print(connect().notes)'])"
    )
    assert place.start(child).communicate(timeout=60)[0].splitlines()[1] == "[]", (
        "what connect set itself is not remarked on"
    )


def test_ends_in_order_with_its_log_folded_in(place: Home) -> None:
    page = Talking(
        place, "import huggingface_hub; huggingface_hub.create_repo('lora-hub/kept'); print(1, flush=True)\n"
    )
    page.step()
    page.end()
    end_hub(place.folder / "hub")
    assert {file.name for file in (place.folder / "hub").glob("hub.sqlite*")} == {"hub.sqlite"}
    assert read_record(place.folder / "hub")["ended"] == "stopped"


START_AND_DIE = """
import os, signal
from lora_hub.catalogue import bases
from lora_hub import runs
from lora_hub.catalogue.tasks import catalogue
settings = {{"effort": "quick", "overrides": {{"steps": 8}}, "publish_to": "lora-hub", "name": "outlives"}}
plan = runs.plan_run({file!r}, catalogue.get_task("sentiment"), bases.get_base("built-in"), **settings)
run = runs.start_runs([plan.spec])[0]
print(json.dumps(run.id), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_outlives_the_app_publishes_though_the_hub_was_killed(place: Home, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "reviews.csv", sentiment_rows(60))
    app = place.start(START_AND_DIE.format(file=str(file)), OMP_NUM_THREADS="1")
    run_id = json.loads(app.stdout.read().splitlines()[1])
    app.communicate()
    events = place.folder / "runs" / run_id / "events.jsonl"
    assert wait_until(lambda: '"training"' in events.read_text(), 120), events.read_text()
    kill_9(place)
    assert wait_until(
        lambda: '"state": "succeeded"' in events.read_text() or '"succeeded"' in events.read_text(), 300
    ), events.read_text()[-2000:]
    page = Talking(place, LIST)
    assert page.step() == ["lora-hub/outlives"], events.read_text()[-2000:]
    page.end()
