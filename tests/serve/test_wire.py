"""OpenAI's wire, asked by its official client and by hand: models, chats, completions, labels, tools, and what is
refused."""

import json
import math
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from sample_adapters import make_spec
from serving import Place, in_threads, open_place

from lora_hub.answering import generate, questions
from lora_hub.compare import routing
from lora_hub.hub import make_record
from lora_hub.hub.card import engines
from lora_hub.hub.card.card import facts_of
from lora_hub.models import Stops, read_calls
from lora_hub.serve import requests

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
HELLO = [{"role": "user", "content": "Hello there"}]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("serve")) as found:
        yield found


@pytest.fixture(scope="module")
def client(place: Place) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{place.url}/v1", api_key="none", max_retries=0)


def direct(place: Place, name: str, inputs: dict[str, Any], most: int) -> str:
    """The answer as Compare and the exam get it."""
    pane = place.shelf.panes[name]
    with place.bases.hold([pane]) as (loaded, (slot,)):
        asked = questions.put(loaded.tokenizer, pane.task, [inputs], adapter=slot)
        return questions.answer_all(loaded.stack, loaded.tokenizer, asked, max_new_tokens=most)[0].text


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert [one.id for one in client.models.list()] == ["base", "auto", "write", "spam", "topic", "qa", "chat", "raw"]
    assert client.models.retrieve("write").owned_by == client.models.retrieve("lora-hub/write").owned_by == "lora-hub"
    with pytest.raises(openai.NotFoundError) as error:
        client.models.retrieve("none/such")
    assert error.value.code == "model_not_found"


def test_each_adapter_is_asked_in_its_own_template(client: openai.OpenAI, place: Place) -> None:
    for name, inputs in (
        ("write", {"text": "Hello there"}),
        ("chat", {"messages": HELLO}),
        ("spam", {"text": "Hello there"}),
    ):
        told = client.chat.completions.create(model=name, messages=HELLO, max_tokens=9)
        assert told.choices[0].message.content == direct(place, name, inputs, 9) and told.model == name
    fields = {"question": "who?", "context": "me"}
    by_fields = client.chat.completions.create(model="qa", messages=[], max_tokens=9, extra_body={"inputs": fields})
    by_message = client.chat.completions.create(
        model="qa", messages=[{"role": "user", "content": json.dumps(fields)}], max_tokens=9
    )
    expected = direct(place, "qa", fields, 9)
    assert by_fields.choices[0].message.content == by_message.choices[0].message.content == expected
    assert by_fields.usage.completion_tokens == 9 == by_fields.usage.total_tokens - by_fields.usage.prompt_tokens
    # the base is no adapter
    base = client.chat.completions.create(model="base", messages=HELLO, max_tokens=9).choices[0].message.content
    assert base != client.chat.completions.create(model="chat", messages=HELLO, max_tokens=9).choices[0].message.content


@pytest.mark.parametrize(("name", "inputs"), [("spam", ("text",)), ("qa", ("question", "context"))])
def test_the_code_on_a_card_asks_it(
    place: Place, name: str, inputs: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    spec = make_spec().model_copy(update={"task": place.shelf.panes[name].task})
    made = engines.serve(facts_of(make_record(spec, spec.task, "run", {}, {}, 1), name))
    address = f"http://127.0.0.1:{engines.SERVE_PORT}"
    assert address in made.code
    exec(made.code.replace(address, place.url), {})
    asked = {role: f"Put the {role} here." for role in inputs}
    expected = direct(place, name, asked, place.shelf.panes[name].task.max_new_tokens)
    assert capsys.readouterr().out.strip() == expected.strip()


def test_a_stream_says_the_same_piece_by_piece(client: openai.OpenAI) -> None:
    asked = {"model": "write", "messages": HELLO, "max_completion_tokens": 20}
    whole = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert (
        "".join(one.choices[0].delta.content or "" for one in chunks if one.choices) == whole.choices[0].message.content
    )
    assert len(chunks) > 4 and chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason == "length"
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage and len({one.id for one in chunks}) == 1
    texts = client.completions.create(model="base", prompt=["abc", "déf"], max_tokens=6, n=2, stream=True)
    assert {one.choices[0].index for one in texts} == {0, 1, 2, 3}


def test_sampling_is_by_the_seed(client: openai.OpenAI) -> None:
    def ask(seed: int | None, **more: Any) -> list[str]:
        how = {"model": "base", "prompt": "abc", "max_tokens": 8, "temperature": 1.5, "n": 3, "seed": seed, **more}
        return [one.text for one in client.completions.create(**how).choices]

    assert ask(7) == ask(7) != ask(8) and len(set(ask(7))) == 3
    assert ask(None) != ask(None)
    assert len(set(ask(7, temperature=0))) == 1 and ask(-5, top_p=0.9) == ask(-5, top_p=0.9)


def test_an_answer_ends_before_a_stop(client: openai.OpenAI, place: Place) -> None:
    whole = client.completions.create(model="base", prompt="abc", max_tokens=24).choices[0].text
    stop = whole[5:7]
    told = client.completions.create(model="base", prompt="abc", max_tokens=24, stop=[stop, "never"])
    assert told.choices[0].text == whole[: whole.index(stop)] and told.choices[0].finish_reason == "stop"
    assert told.usage.completion_tokens < 24
    assert Stops(("END", "\n\n")).cut("one E") == ("one ", False) and Stops(("END",)).cut("a ENDb") == ("a ", True)
    assert Stops(("END",)).cut("one EN", is_complete=True) == ("one EN", False) and Stops().cut("x") == ("x", False)


def test_labels_come_with_their_chances(client: openai.OpenAI, place: Place) -> None:
    told = client.chat.completions.create(model="spam", messages=HELLO, logprobs=True, top_logprobs=5).choices[0]
    (token,) = told.logprobs.content
    chances = {one.token: math.exp(one.logprob) for one in token.top_logprobs}
    assert token.token == told.message.content and set(chances) == {"ham", "spam"}
    assert math.isclose(sum(chances.values()), 1, abs_tol=1e-6)
    said = place.ask("/v1/classify", {"model": "spam", "input": ["Hello there", {"text": "Win!"}]}).json()
    first, second = said["data"]
    assert first["label"] == told.message.content and first["probabilities"] == pytest.approx(chances, abs=1e-5)
    assert first["probs"] == [*first["probabilities"].values()] and second["index"] == 1
    for body, name in (({"model": "write", "input": "x"}, "model"), ({"model": "base", "input": "x"}, "model")):
        refused = place.ask("/v1/classify", body)
        assert (
            refused.status_code == 400 and "has no labels" in refused.text and refused.json()["error"]["param"] == name
        )
    for sent in ("", {"text": ""}, {"other": "x"}):
        refused = place.ask("/v1/classify", {"model": "spam", "input": sent})
        assert refused.status_code == 400 and refused.json()["error"]["param"] == "input"
    streamed = client.chat.completions.create(model="spam", messages=HELLO, stream=True, logprobs=True)
    assert "".join(one.choices[0].delta.content or "" for one in streamed) == told.message.content


def test_label_visitors_are_scored_together(place: Place) -> None:
    alone = [
        place.ask("/v1/classify", {"model": name, "input": text}).json()["data"]
        for name in ("spam", "topic")
        for text in "abc"
    ]
    asked = [(name, text) for name in ("spam", "topic") for text in "abc"]
    together = in_threads(
        [lambda one=one: place.ask("/v1/classify", {"model": one[0], "input": one[1]}).json()["data"] for one in asked]
    )
    assert [one[0]["label"] for one in together] == [one[0]["label"] for one in alone]
    for one, other in zip(together, alone, strict=True):
        assert one[0]["probs"] == pytest.approx(other[0]["probs"], abs=1e-5)


def test_the_router_chooses(client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    def route(fits: bool) -> None:
        candidates = tuple(
            routing.Candidate(adapter=name, distance=0.1, share=0.5, fits=fits) for name in ("write", "topic")
        )
        found = routing.Routed(base="tiny", adapter="write" if fits else "", candidates=candidates)
        monkeypatch.setattr(
            "lora_hub.compare.routing.route", lambda _bases, text, *_others: heard.append(text) or found
        )

    heard: list[str] = []
    route(fits=True)
    told = client.chat.completions.create(model="auto", messages=HELLO, max_tokens=9)
    assert told.model == "write" and heard == ["Hello there"]
    assert told.choices == client.chat.completions.create(model="write", messages=HELLO, max_tokens=9).choices
    route(fits=False)
    assert client.chat.completions.create(model="auto", messages=HELLO, max_tokens=3).model == "base"
    with pytest.raises(openai.BadRequestError, match="one bare question"):
        client.chat.completions.create(model="auto", messages=[], extra_body={"inputs": {"text": "x"}})


WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def test_tools_reach_the_template_and_calls_come_back(
    client: openai.OpenAI, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = 'Let me see.\n<tool_call>{"name": "weather", "arguments": {"city": "رم"}}</tool_call>'
    heard: list[str] = []

    def stream(_stack: Any, tokenizer: Any, rows: Any, **_named: Any) -> Iterator[Any]:
        heard.append(tokenizer.decode(rows[0].ids))
        for end in (10, 30, len(said)):
            yield 0, generate.Answer(text=said[:end], tokens=end, finish="stop" if end == len(said) else "")

    asked = {"model": "chat", "messages": HELLO, "tools": [WEATHER]}
    with monkeypatch.context() as patched:
        patched.setattr(generate, "stream", stream)
        message = client.chat.completions.create(**asked).choices[0]
        chunks = list(client.chat.completions.create(**asked, stream=True))
    assert message.finish_reason == "tool_calls" and message.message.content == "Let me see."
    (call,) = message.message.tool_calls
    assert call.function.name == "weather" and json.loads(call.function.arguments) == {"city": "رم"}
    assert '"name": "weather"' in heard[0] and chunks[-1].choices[0].finish_reason == "tool_calls"
    told = [one.choices[0].delta for one in chunks if one.choices[0].delta.tool_calls]
    assert told[0].tool_calls[0].function.name == "weather" and told[0].content == "Let me see."
    # the conversation goes on with the call and its result
    again = [
        *HELLO,
        message.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "sun"},
    ]
    assert client.chat.completions.create(model="chat", messages=again, tools=[WEATHER], max_tokens=3).choices
    with pytest.raises(openai.BadRequestError, match="knows no tools"):
        client.chat.completions.create(**{**asked, "model": "write"})
    assert client.chat.completions.create(**{**asked, "model": "write"}, tool_choice="none", max_tokens=3).choices


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('{"name": "weather", "arguments": {}}', 1),
        ('{"name": "weather", "parameters": {"a": 1}}\n{"name": "weather", "arguments": {}}', 2),
        ('[{"name": "weather", "arguments": {}}]', 1),
        ('{"name": "other", "arguments": {}}', 0),
        ("It is sunny.", 0),
        ("<tool_call>broken", 0),
        ('<tool_call>{"name": "weather", "arguments": {}}', 1),
        ("[" * 3000, 0),
    ],
)
def test_calls_in_an_answer(text: str, calls: int) -> None:
    rest, found = read_calls(text, [WEATHER])
    assert len(found) == calls and (calls or rest == text)


def test_a_name_that_is_none_is_refused_and_never_the_base(client: openai.OpenAI, place: Place) -> None:
    for name in ("nope", "write@v9", "../etc/passwd", "Base", "base@v1", "x" * 400, " ", "base "):
        with pytest.raises(openai.NotFoundError) as error:
            client.chat.completions.create(model=name, messages=HELLO, max_tokens=3)
        assert error.value.code == "model_not_found" and error.value.param == "model"
        for path, body in (("completions", {"prompt": "x"}), ("classify", {"input": "x"})):
            assert place.ask(f"/v1/{path}", {"model": name, **body}).status_code == 404
    assert place.ask("/v1/chat/completions", {"model": "", "messages": HELLO}).status_code == 400


# A call whose arguments are nested deeper than any template goes.
DEEP = {
    "role": "assistant",
    "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "x", "arguments": '{"a":' * 900 + "1" + "}" * 900}}
    ],
}


@pytest.mark.parametrize(
    ("change", "said", "param"),
    [
        ({"frequency_penalty": 0.5}, "Not supported here: frequency_penalty", "frequency_penalty"),
        ({"response_format": {"type": "json_object"}, "zz": 1}, "response_format", "response_format"),
        ({"tool_choice": "required"}, "tool_choice will not do", "tool_choice"),
        ({"n": 9}, "n will not do: it must be at most 8", "n"),
        ({"temperature": 3}, "temperature will not do", "temperature"),
        ({"temperature": "hot"}, "it must be a number", "temperature"),
        ({"top_p": 0}, "top_p will not do", "top_p"),
        ({"max_tokens": 0}, "max_tokens will not do", "max_tokens"),
        ({"stop": ["a"] * 5}, "stop will not do: it may have at most 4 entries", "stop"),
        ({"stop": ""}, "stop will not do: it must have at least 1 character", "stop"),
        ({"messages": []}, "There are no messages", "messages"),
        ({"messages": HELLO * 300}, "messages will not do: it may have at most 256 entries", "messages"),
        ({"messages": [{"role": "god", "content": "x"}]}, "messages.0.role", "messages.0.role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages.0.content.0.type will not do: it must be one of text",
            "messages.0.content.0.type",
        ),
        ({"messages": [{"role": "user", "content": " "}]}, "The prompt is empty", "messages"),
        ({"messages": [{"role": "system", "content": "Be kind."}, *HELLO]}, "without a system message", "messages"),
        ({"messages": [*HELLO, *HELLO]}, "Send one user message", "messages"),
        ({"logprobs": True}, "write has none", "logprobs"),
        ({"top_logprobs": 3}, "needs logprobs", "top_logprobs"),
        ({"inputs": {"text": "x", "other": "y"}}, "has no input 'other'", "inputs"),
        ({"inputs": {"text": ["x"]}}, "inputs", "inputs.text"),
        ({"seed": 1.5}, "it must be a whole number", "seed"),
        ({"model": "chat", "messages": [*HELLO, DEEP]}, "chat template refuses these messages", None),
        ({"tools": [{"type": "function"}]}, "The tools are no definitions", "tools"),
        ({"messages": [{"role": "user", "content": "a" * 400_000}]}, "400,000 characters long", None),
    ],
)
def test_what_cannot_be_done_is_named(place: Place, change: dict[str, Any], said: str, param: str | None) -> None:
    for stream in (False, True):
        told = place.ask("/v1/chat/completions", {"model": "write", "messages": HELLO, "stream": stream, **change})
        error = told.json()["error"]
        assert told.status_code == 400 and error["type"] == "invalid_request_error"
        assert said in error["message"] and error["param"] == param, error


def test_what_changes_nothing_is_taken(place: Place) -> None:
    neutral = {
        "frequency_penalty": 0,
        "presence_penalty": 0.0,
        "logit_bias": None,
        "prediction": None,
        "web_search_options": None,
        "response_format": {"type": "text"},
        "user": "somebody",
        "metadata": {"a": "b"},
        "parallel_tool_calls": True,
        "store": False,
    }
    body = {"model": "write", "messages": HELLO, "max_tokens": 3, "n": None, "stop": None, "tools": None, **neutral}
    assert place.ask("/v1/chat/completions", body).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "no JSON"),
        (b"{", 400, "no JSON: line 1"),
        (b"[1]", 400, "no JSON object"),
        (b'{"model": "write", "temperature": NaN}', 400, "no JSON"),
        (b'{"model": "write", "temperature": 1e999}', 400, "no JSON"),
        (b'{"model": "\xff"}', 400, "no JSON"),
        (b'{"model": "\\ud800"}', 400, "no JSON"),
        (b"[" * 100_000, 400, "no JSON"),
        (b'{"model": "write", "messages": ' + b"[" * 500 + b"]" * 500 + b"}", 400, "nested more than 32 levels"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, 400, "nested more than 32 levels"),
        (b'{"model": "write", "messages": 7, "seed": ' + b"9" * 5000 + b"}", 400, ""),
        (b" " * (requests.MOST_BYTES + 1), 413, "more than 1,048,576 bytes"),
    ],
)
def test_hostile_bodies(place: Place, body: bytes, status: int, said: str) -> None:
    for path in ("chat/completions", "completions", "classify"):
        told = place.http.post(f"/v1/{path}", content=body, headers={"content-type": "application/json"})
        assert told.status_code == status and said in told.json()["error"]["message"], told.text[:300]
    if status == 413:  # without a length that says so
        parts = (body[at : at + 65536] for at in range(0, len(body), 65536))
        told = place.http.post("/v1/completions", content=parts, headers={"content-type": "application/json"})
        assert told.status_code == 413


def test_every_refusal_has_openais_form(place: Place) -> None:
    plain = place.http.post("/v1/completions", content=b"{}", headers={"content-type": "text/plain"})
    for told, status in (
        (plain, 415),
        (place.ask("/v1/completions"), 405),
        (place.ask("/v1/embeddings", {}), 404),
        (place.ask("/"), 404),
        (place.http.delete("/v1/models/write"), 405),
    ):
        assert told.status_code == status and set(told.json()["error"]) == {"message", "type", "param", "code"}


def test_a_prompt_that_is_too_long_has_its_code(place: Place) -> None:
    told = place.ask("/v1/completions", {"model": "write", "prompt": "word " * 5000})
    assert told.status_code == 400 and told.json()["error"]["code"] == "context_length_exceeded"


def test_a_fault_of_ours_tells_nothing_of_itself(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_given: Any, **_named: Any) -> Any:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(place.shelf, "pane", fails)
    told = place.ask("/v1/chat/completions", {"model": "write", "messages": HELLO, "stream": True})
    assert told.status_code == 500 and "secret inside" not in told.text and "secret inside" in caplog.text
