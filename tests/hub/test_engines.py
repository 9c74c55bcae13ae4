"""The code and the commands of a card that ask an adapter elsewhere than in PEFT: each is run, or read by the options
that its program documents."""

import argparse
import json
import re
import shlex
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sample_adapters import SCORES, make_spec

from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.schema import Task, TrainSpec
from lora_hub.data.prompts.template import render_prompt
from lora_hub.hub.card import engines, use_part
from lora_hub.hub.card.card import facts_of, render_card
from lora_hub.hub.card.card_metadata import Facts
from lora_hub.hub.card.engines import Pasted
from lora_hub.hub.record import make_record

REPO = "lora-hub/spam-built-in"


class Wire(ThreadingHTTPServer):
    """A server of OpenAI's wire that answers the same to everything. asked: (path, body) of each request."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict]] = []
        super().__init__(("127.0.0.1", 0), Answering)


class Answering(BaseHTTPRequestHandler):
    server: Wire

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, body))
        is_chat = self.path.endswith("/chat/completions")
        said = {"message": {"role": "assistant", "content": " spam"}} if is_chat else {"text": " spam"}
        choices = [{"index": 0, "finish_reason": "stop", "logprobs": None, **said}]
        told = {"id": "1", "object": "x", "created": 1, "model": body["model"], "choices": choices}
        content = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_said: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    made = Wire()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()


def facts(task: Task | None = None, **changed) -> Facts:
    spec = make_spec()
    spec = spec.model_copy(update={"task": task or spec.task, **changed})
    record = make_record(spec, spec.task, "run", SCORES, {}, 1)
    return facts_of(record, REPO, base_repo="owner/base")


def ask(wire: Wire, pasted: Pasted, capsys: pytest.CaptureFixture[str]) -> tuple[str, dict]:
    """Runs the code against the wire; returns what it sent there."""
    code = re.sub(r"http://127\.0\.0\.1:\d+", f"http://127.0.0.1:{wire.server_port}", pasted.code)
    assert code != pasted.code
    exec(code, {})
    assert capsys.readouterr().out.strip() == "spam"
    return wire.asked[-1]


@pytest.mark.parametrize("make", [engines.vllm, engines.llama_cpp])
@pytest.mark.parametrize("task", ["spam", "translation", "question-answering", "chat"])
def test_a_server_of_the_base_is_sent_the_prompt_that_was_trained(
    wire: Wire, make, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    of = get_task(task).model_copy(update={"labels": ("ham", "spam")} if task == "spam" else {})
    path, body = ask(wire, make(facts(of)), capsys)
    assert (path, body["temperature"], body["max_tokens"]) == ("/v1/chat/completions", 0, of.max_new_tokens)
    inputs = {role: f"Put the {role} here." for role in of.inputs}
    expected = "Put your words here." if of.is_chat else render_prompt(of, inputs)
    assert body["messages"][-1] == {"role": "user", "content": expected} and body["model"] == "spam-built-in"
    held = body.get("structured_outputs")
    assert held == ({"choice": ["ham", "spam"]} if make is engines.vllm and task == "spam" else None)


def test_a_base_without_a_template_is_sent_plain_text(wire: Wire, capsys: pytest.CaptureFixture[str]) -> None:
    spec = make_spec()
    base = spec.base.model_copy(update={"has_chat_template": False})
    path, body = ask(wire, engines.vllm(facts(base=base)), capsys)
    assert path == "/v1/completions" and body["prompt"].endswith("Put the text here.\nLabel:")
    assert body["structured_outputs"] == {"choice": [" ham", " spam"]}


@pytest.mark.parametrize("task", ["spam", "question-answering", "chat"])
def test_our_own_endpoint_is_sent_what_is_asked_about(
    wire: Wire, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, body = ask(wire, engines.serve(facts(get_task(task))), capsys)
    (message,) = body["messages"]
    assert path == "/v1/chat/completions" and body["model"] == REPO and message["role"] == "user"
    if task == "question-answering":
        assert json.loads(message["content"]) == {role: f"Put the {role} here." for role in get_task(task).inputs}


def test_vllms_command_is_of_its_documented_options() -> None:
    # docs.vllm.ai/en/v0.33.0: `vllm serve` and features/lora
    reader = argparse.ArgumentParser(exit_on_error=False)
    reader.add_argument("model")
    reader.add_argument("--enable-lora", action="store_true", required=True)
    reader.add_argument("--max-lora-rank", type=int, choices=(1, 8, 16, 32, 64, 128, 256, 320, 512))
    reader.add_argument("--lora-modules", nargs="+")
    spec = make_spec()
    for rank, most in ((4, 8), (16, 16), (17, 32), (512, 512)):
        shell = engines.vllm(facts(lora=spec.lora.model_copy(update={"r": rank}))).shell
        program, command, *words = shlex.split(shell)
        read = reader.parse_args(words)
        assert (program, command, read.model, read.max_lora_rank) == ("vllm", "serve", "owner/base", most)
        assert read.lora_modules == [f"spam-built-in={REPO}"]


def test_llama_cpps_command_is_of_its_documented_options() -> None:
    # llama.cpp, tools/server/README.md: -m, --lora, --port
    reader = argparse.ArgumentParser(exit_on_error=False)
    reader.add_argument("-m", required=True)
    reader.add_argument("--lora", action="append")
    reader.add_argument("--port", type=int)
    _export, start = engines.llama_cpp(facts()).shell.splitlines()
    program, *words = shlex.split(start)
    read = reader.parse_args(words)
    assert (program, read.m, read.port) == ("llama-server", "Tiny-1M.gguf", engines.LLAMA_PORT) and len(read.lora) == 1


def test_our_own_commands_are_commands() -> None:
    from lora_hub.cli.parser import make_parser

    text = render_card(make_record(make_spec(), make_spec().task, "run", SCORES, {}, 1), REPO, base_repo="owner/base")
    lines = re.findall(r"^python -m lora_hub ((?:.*\\\n)*.*)$", text, re.M)
    assert {line.split()[0] for line in lines} == {"serve", "export", "app", "reproduce", "train"}
    for line in lines:
        read = make_parser().parse_args(shlex.split(line.replace("\\\n", " ")))
        assert getattr(read, "repo", REPO) == REPO


def test_peoples_words_are_no_code(wire: Wire, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "'); import os; os._exit(9); ('\n```\n"
    spec: TrainSpec = make_spec()
    task = spec.task.model_copy(
        update={"labels": (evil, "spam"), "inputs": (evil, "b"), "template": "{instruction} {labels} " + evil}
    )
    base = spec.base.model_copy(update={"id": f"/x/{evil}; rm -rf ~", "folder": "/x"})
    of = facts(task, base=base)
    for make in (engines.vllm, engines.llama_cpp, engines.serve):
        ask(wire, make(of), capsys)
    for make in (engines.vllm, engines.llama_cpp, engines.serve):
        assert all(line.split()[0] in ("vllm", "llama-server", "python") for line in make(of).shell.splitlines())
    compile(engines.app(of).code, "card", "exec")
    assert "```\n'" not in use_part.usage(of, use_part.Words()).replace("````", "")
