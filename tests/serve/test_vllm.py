"""The engine elsewhere, against a stub of vLLM's documented wire: /v1/models, /v1/completions with token ids, streams
and prompt_logprobs, /v1/load_lora_adapter and /v1/unload_lora_adapter. The stub answers with the tiny base itself, so
that what comes back must be what is answered here. vLLM itself has not been asked."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from serving import Place, open_place, serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from tiny_bases import build, byte_tokenizer

from lora_hub.answering.adapter_tokenizer import AdapterTokenizers
from lora_hub.answering.stack import AdapterStack
from lora_hub.core.errors import BaseError
from lora_hub.models import NoModel, Put, Wanted
from lora_hub.people import LOCAL
from lora_hub.serve import Door, VllmEngine

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
HELLO = [{"role": "user", "content": "Hello there"}]


@dataclass
class Stub:
    """vLLM as its documentation has it. heard: paths and bodies. loaded: folders by name. breaks: how it misbehaves."""

    stack: AdapterStack
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    loaded: dict[str, str] = field(default_factory=dict)
    breaks: str = ""
    streams: int = 0

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/models", self.models),
                Route("/v1/completions", self.complete, methods=["POST"]),
                Route("/v1/load_lora_adapter", self.load, methods=["POST"]),
                Route("/v1/unload_lora_adapter", self.unload, methods=["POST"]),
            ]
        )

    async def models(self, _request: Request) -> Response:
        lora = [
            {"id": name, "object": "model", "parent": "tiny/base", "root": place} for name, place in self.loaded.items()
        ]
        return JSONResponse({"object": "list", "data": [*lora, {"id": "tiny/base", "object": "model", "parent": None}]})

    async def load(self, request: Request) -> Response:
        body = await self._body(request)
        if self.breaks == "no runtime loading":
            return JSONResponse({"detail": "Not Found"}, 404)
        if body["lora_name"] in self.loaded:
            return _error(400, f"The lora adapter '{body['lora_name']}' has already been loaded.")
        if not (Path(body["lora_path"]) / "adapter_config.json").is_file():
            return _error(404, f"Loading lora {body['lora_name']} failed: No adapter found for {body['lora_path']}")
        self.stack.attach(Path(body["lora_path"]), body["lora_name"])
        self.loaded[body["lora_name"]] = body["lora_path"]
        return PlainTextResponse(f"Success: LoRA adapter '{body['lora_name']}' added successfully.")

    async def unload(self, request: Request) -> Response:
        body = await self._body(request)
        if self.loaded.pop(body["lora_name"], None) is None:
            return _error(404, f"The lora adapter '{body['lora_name']}' cannot be found.")
        self.stack.detach(body["lora_name"])
        return PlainTextResponse(f"Success: LoRA adapter '{body['lora_name']}' removed successfully.")

    async def complete(self, request: Request) -> Response:
        body = await self._body(request)
        if body["model"] not in (*self.loaded, "tiny/base"):
            return _error(404, f"The model `{body['model']}` does not exist.")
        if any(len(ids) > 1000 for ids in body["prompt"]):
            return _error(400, "This model's maximum context length is 1000 tokens.")
        if body.get("prompt_logprobs") is not None:
            return JSONResponse(
                {
                    "object": "text_completion",
                    "choices": [self._scored(body, *one) for one in enumerate(body["prompt"])],
                }
            )
        return StreamingResponse(self._stream(body), media_type="text/event-stream")

    async def _body(self, request: Request) -> dict[str, Any]:
        body = await request.json()
        self.heard.append((request.url.path, body))
        return body

    def _logits(self, model: str, ids: list[int]) -> torch.Tensor:
        slot = 0 if model == "tiny/base" else self.stack.slot(model)
        with torch.no_grad(), self.stack.route([slot]):
            return self.stack.model(input_ids=torch.tensor([ids])).logits[0].float()

    def _scored(self, body: dict[str, Any], index: int, ids: list[int]) -> dict[str, Any]:
        if self.breaks == "no logprobs":
            return {"index": index, "text": "", "finish_reason": "length"}
        logs = self._logits(body["model"], ids).log_softmax(-1)
        told: list[Any] = [None]
        for place, token in enumerate(ids[1:]):
            best = int(logs[place].argmax())
            told.append({str(one): {"logprob": float(logs[place, one]), "rank": 1} for one in {token, best}})
        return {"index": index, "text": "x", "finish_reason": "length", "prompt_logprobs": told}

    async def _stream(self, body: dict[str, Any]) -> Any:
        import anyio

        self.streams += 1
        tokenizer = byte_tokenizer()
        try:
            for index, prompt in enumerate(body["prompt"] * body["n"]):
                ids, finish = list(prompt), "length"
                for _ in range(body["max_tokens"]):
                    token = int(self._logits(body["model"], ids)[-1].argmax())
                    if token in (2, *body["stop_token_ids"]):
                        finish = "stop"
                        break
                    ids.append(token)
                    text = bytes([token]).decode("latin-1") if self.breaks == "bytes" else tokenizer.decode([token])
                    yield _event({"choices": [{"index": index, "text": text, "finish_reason": None}]})
                    await anyio.sleep(0.02 if self.breaks == "slow" else 0)
                    if self.breaks == "breaks off":
                        return
                yield _event({"choices": [{"index": index, "text": "", "finish_reason": finish}]})
            yield "data: [DONE]\n\n"
        finally:
            self.streams -= 1


def _event(told: dict[str, Any]) -> str:
    return f"data: {json.dumps({'object': 'text_completion', **told})}\n\n"


def _error(status: int, said: str) -> Response:
    return JSONResponse({"error": {"message": said, "type": "BadRequestError", "param": None, "code": status}}, status)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """What answers in this process."""
    with open_place(tmp_path_factory.mktemp("here")) as found:
        yield found


@pytest.fixture
def stub(here: Place) -> Iterator[tuple[Stub, str]]:
    made = Stub(AdapterStack(build("llama"), here.stack.base))
    with serving(made.app()) as url:
        yield made, url


def engine_of(here: Place, url: str, **more: Any) -> VllmEngine:
    with here.bases.hold([here.shelf.base_pane]) as (loaded, _names):
        return VllmEngine(url, AdapterTokenizers(loaded.tokenizer), **more)


@pytest.fixture
def there(here: Place, stub: tuple[Stub, str]) -> Iterator[httpx.Client]:
    """The endpoint whose answers come from the stub."""
    engine = engine_of(here, stub[1] + "/v1")
    with serving(Door(here.shelf, engine, lambda _scope: LOCAL)) as url, httpx.Client(base_url=url, timeout=60) as http:
        yield http


def content(told: httpx.Response) -> Any:
    assert told.status_code == 200, told.text
    return told.json()["choices"][0]["message"]


def test_the_same_answers_come_from_there(here: Place, there: httpx.Client, stub: tuple[Stub, str]) -> None:
    made, _url = stub
    for name in ("write", "base", "chat", "write"):
        body = {"model": name, "messages": HELLO, "max_tokens": 10}
        assert content(there.post("/v1/chat/completions", json=body))["role"] == "assistant"
        mine = here.ask("/v1/chat/completions", body).json()
        told = there.post("/v1/chat/completions", json=body).json()
        # a byte is a token here, and half of a character has no text of its own: compare what both can say
        assert told["usage"]["prompt_tokens"] == mine["usage"]["prompt_tokens"]
        assert told["choices"][0]["finish_reason"] == mine["choices"][0]["finish_reason"]
    loads = [body for path, body in made.heard if path == "/v1/load_lora_adapter"]
    assert [one["lora_name"] for one in loads] == [f"{name}@{'c' * 40}" for name in ("write", "chat")]
    assert loads[0]["lora_path"] == str(here.shelf.panes["write"].folder.resolve())
    asked = [body for path, body in made.heard if path == "/v1/completions"]
    with here.bases.hold([here.shelf.panes["write"]]) as (loaded, _names):
        rendered = loaded.tokenizer.decode(asked[0]["prompt"][0])
    assert "Hello there" in rendered and "Text: " in rendered  # the task's own template, as tokens
    assert {one["model"] for one in asked} == {f"write@{'c' * 40}", f"chat@{'c' * 40}", "tiny/base"}


def test_labels_have_the_same_chances_there(here: Place, there: httpx.Client) -> None:
    for name in ("spam", "topic"):
        body = {"model": name, "input": ["Hello there", "Win!"]}
        mine, told = here.ask("/v1/classify", body).json(), there.post("/v1/classify", json=body).json()
        for one, other in zip(mine["data"], told["data"], strict=True):
            assert one["label"] == other["label"] and one["probs"] == pytest.approx(other["probs"], abs=1e-4)
        assert mine["usage"] == told["usage"]


def test_the_least_asked_is_unloaded(here: Place, stub: tuple[Stub, str]) -> None:
    made, url = stub
    engine = engine_of(here, url, most_loaded=2)
    for name in ("write", "chat", "write", "raw", "write"):
        wanted = Wanted(name, (Put(messages=tuple(HELLO)),), most_tokens=2)
        assert [*engine.answer(here.shelf.panes[name], wanted)][-1].finish
    calls = [
        (path.rpartition("/")[2][:4], body["lora_name"].partition("@")[0])
        for path, body in made.heard
        if "lora" in path
    ]
    assert calls == [("load", "write"), ("load", "chat"), ("unlo", "chat"), ("load", "raw")]
    assert len(made.loaded) == 2
    # one that somebody loaded before us is there already
    again = engine_of(here, url)
    assert [*again.answer(here.shelf.panes["raw"], Wanted("raw", (Put(text="x"),), most_tokens=2))][-1].finish


def test_who_goes_away_is_let_go_there(here: Place, there: httpx.Client, stub: tuple[Stub, str]) -> None:
    made, _url = stub
    made.breaks = "slow"
    body = {"model": "write", "prompt": "Hello", "max_tokens": 500, "stream": True}
    with there.stream("POST", "/v1/completions", json=body) as running:
        next(running.iter_lines())
        assert made.streams == 1
    for _ in range(100):
        if not made.streams:
            break
        threading.Event().wait(0.05)
    assert made.streams == 0


def test_what_it_refuses_is_told(here: Place, there: httpx.Client, stub: tuple[Stub, str]) -> None:
    made, url = stub
    body = {"model": "base", "messages": HELLO, "max_tokens": 5}
    long = there.post("/v1/chat/completions", json={**body, "messages": [{"role": "user", "content": "a" * 1500}]})
    assert long.status_code == 400 and "maximum context length is 1000" in long.json()["error"]["message"]
    for breaks, name, path, said in (
        ("no runtime loading", "write", "chat/completions", "VLLM_ALLOW_RUNTIME_LORA_UPDATING"),
        ("no logprobs", "spam", "classify", "does not tell the likelihood"),
        ("breaks off", "base", "chat/completions", "an answer has no end"),
    ):
        made.breaks = breaks
        told = there.post(
            f"/v1/{path}", json={"model": name, **({"input": "x"} if path == "classify" else {"messages": HELLO})}
        )
        assert told.status_code == 503 and said in told.json()["error"]["message"], told.text
    auto = there.post("/v1/chat/completions", json={**body, "model": "auto"})
    assert auto.status_code == 404 and "needs the base on this machine" in auto.text
    assert "auto" not in [one["id"] for one in there.get("/v1/models").json()["data"]]
    with pytest.raises(BaseError, match="cannot be reached"):
        engine_of(here, "http://127.0.0.1:9").warm(here.shelf.base_pane)


def test_it_is_told_of_repositories(here: Place, stub: tuple[Stub, str], tmp_path: Path) -> None:
    made, url = stub
    engine, pane = engine_of(here, url, sends_repos=True), here.shelf.panes["write"]
    wanted = Wanted("write", (Put(text="x"),), most_tokens=2)
    with pytest.raises(BaseError, match="No adapter found for lora-hub/write"):
        [*engine.answer(replace(pane, name="lora-hub/write"), wanted)]
    assert made.heard[-1][1] == {"lora_name": f"lora-hub/write@{'c' * 40}", "lora_path": "lora-hub/write"}
    with pytest.raises(NoModel, match="is another"):
        [*engine.answer(replace(pane, name="lora-hub/write@v1"), wanted)]
