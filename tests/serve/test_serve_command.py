"""The shell's `serve`: README's own examples ask it, by the official client and by curl; SIGTERM finishes what runs."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from test_cli import call
from test_served_shelf import publish

ROOT = Path(__file__).parents[2]
PART = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## One endpoint for the whole shelf\n")[2]
KEY = "sk-0123456789abcdef"
ADDRESS = "http://127.0.0.1:8000"


def example(language: str) -> str:
    return re.findall(rf"^```{language}\n(.*?)^```$", PART.partition("\n## ")[0], re.M | re.S)[0]


@pytest.fixture(scope="module")
def served(hub: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen, str, Path]]:
    """A server with keys, its address, and its log."""
    folder = tmp_path_factory.mktemp("serve")
    publish(folder, "spam-served", 1)
    publish(folder, "spam-served", 2)
    (folder / "keys").write_text(f"team {KEY}\n")
    command = ["serve", "--adapter", "lora-hub/spam-served", "--port", "0", "--key-file", str(folder / "keys")]
    environment = {**os.environ, "LORA_HUB_HOME": str(folder / "home"), "LORA_HUB_HUB": "public"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "lora_hub", *command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            line = process.stdout.readline()
            assert re.fullmatch(
                r"LoRA Hub serves built-in and its adapters \(1\) at http://127.0.0.1:\d+/v1\n", line
            ), line + (folder / "log").read_text()
            yield process, line.split()[-1].removesuffix("/v1"), folder / "log"
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def test_readmes_examples(served: tuple[subprocess.Popen, str, Path]) -> None:
    _process, url, _log = served

    def mine(text: str) -> str:
        return text.replace(ADDRESS, url).replace("spam-built-in", "spam-served")

    code = mine(example("python")).replace('api_key="none"', f'api_key="{KEY}"')
    told: list[Any] = []
    exec(code, {"print": lambda *said, **_end: told.append(said)})
    assert told[0] == (["base", "auto", "spam-served"],) and told[1][0] in ("ham", "spam")
    assert "".join(piece for (piece,) in told[2:])
    curl = mine(example("bash")).replace("curl -s", f'curl -s -H "Authorization: Bearer {KEY}"')
    done = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=60, check=True)
    found = json.loads(done.stdout)
    assert found["model"] == "spam-served@v1" and [one["num_classes"] for one in found["data"]] == [2, 2]


def test_each_version_answers_for_itself(served: tuple[subprocess.Popen, str, Path]) -> None:
    _process, url, _log = served
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)

    def chances(model: str) -> str:
        told = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Win!"}], logprobs=True, top_logprobs=2
        )
        return str(told.choices[0].logprobs.content)

    assert chances("spam-served") == chances("lora-hub/spam-served@v2") != chances("spam-served@v1")
    for name in ("spam-served@v7", "served-spam", "built-in"):
        with pytest.raises(openai.NotFoundError):
            chances(name)


def test_what_runs_is_finished_when_it_is_told_to_end(served: tuple[subprocess.Popen, str, Path]) -> None:
    process, url, log = served
    body = {"model": "base", "prompt": "Once", "max_tokens": 480, "stream": True, "temperature": 1, "seed": 1}
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {KEY}"}, timeout=60) as client:
        assert client.get("/v1/models").status_code == 200
        with client.stream("POST", "/v1/completions", json=body) as running:
            lines = running.iter_lines()
            next(lines)
            process.send_signal(signal.SIGTERM)
            refused = client.post("/v1/completions", json=body)
            while refused.status_code == 200:
                refused = client.post("/v1/completions", json=body)
            assert refused.status_code == 503, refused.text
            assert [line for line in lines if line][-1] == "data: [DONE]"
    assert process.wait(30) == 0
    assert KEY not in log.read_text() and "Traceback" not in log.read_text()


def test_what_the_command_refuses(home: Path, tmp_path: Path) -> None:
    for arguments, said in (
        (("--host", "0.0.0.0"), "no keys are given"),
        (("--port", "70000"), "invalid port value"),
        (("--key-file", str(tmp_path / "none")), "cannot be read"),
        (("--engine", "gpu:8000"), "no address"),
        (("--base", "none-such"), "none-such"),
    ):
        assert said in call("serve", *arguments, home=home, expect=2 if arguments[0] != "--base" else 1), arguments
