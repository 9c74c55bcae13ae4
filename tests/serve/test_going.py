"""Many clients at once: one running batch for all, who goes away is gone with the next step, a server that is told to
end finishes, and each key has its limits."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import Place, in_threads, open_place

from lora_hub.answering.label_visitors import LabelQueue
from lora_hub.core.errors import DataError, SpecError
from lora_hub.people import policy
from lora_hub.serve import Keys, door, read_keys

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
KEY, OTHER = "sk-0123456789abcdef", "sk-fedcba9876543210"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("going")) as found:
        found.stack.model.generation_config.eos_token_id = None
        yield found


@pytest.fixture
def steps(place: Place) -> Iterator[list[int]]:
    """Rows of each forward from now on; each takes at least 10 ms."""
    found: list[int] = []

    def watch(_module: Any, _given: Any, named: dict[str, Any], _out: Any) -> None:
        found.append(len(named["input_ids"]))
        time.sleep(0.01)

    hook = place.stack.model.register_forward_hook(watch, with_kwargs=True)
    yield found
    hook.remove()


def body(model: str, text: str = "Hello there", most: int = 40, **more: Any) -> dict[str, Any]:
    return {"model": model, "prompt": text, "max_tokens": most, **more}


def wait_until(is_so: Any, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not is_so() and time.monotonic() < until:
        time.sleep(0.005)
    assert is_so()


def test_clients_of_different_adapters_are_answered_in_one_batch(place: Place, steps: list[int]) -> None:
    asked = [body(name, f"{name} {text}", 16) for name in ("write", "base", "raw", "chat") for text in ("a", "bcd")]

    def ask(one: dict[str, Any]) -> str:
        return place.ask("/v1/completions", one).json()["choices"][0]["text"]

    alone = [ask(one) for one in asked]
    steps.clear()
    assert in_threads([lambda one=one: ask(one) for one in asked]) == alone
    assert max(steps) >= 6 and len(steps) < 4 * 16, steps
    wait_until(lambda: place.door.under_way == 0)


@pytest.mark.parametrize("stream", [True, False])
def test_who_goes_away_is_gone_with_the_next_step(place: Place, steps: list[int], stream: bool) -> None:
    sent = json.dumps(body("write", most=1500, stream=stream)).encode()
    with socket.create_connection(("127.0.0.1", int(place.url.rpartition(":")[2]))) as client:
        client.sendall(HEAD % len(sent) + sent)
        wait_until(lambda: len(steps) > 5)
    gone = len(steps)
    wait_until(lambda: place.door.under_way == 0)
    time.sleep(0.1)
    after = len(steps)
    # On an idle machine it is a step or two; the closing has to arrive first, which a busy one may put off.
    assert after - gone <= 40, "steps for nobody"
    time.sleep(0.1)
    assert len(steps) == after < 200


def test_what_runs_is_finished_and_new_questions_are_refused(place: Place, steps: list[int]) -> None:
    with place.http.stream("POST", "/v1/completions", json=body("write", most=60, stream=True)) as running:
        lines = running.iter_lines()
        next(lines)
        place.door.end()
        try:
            refused = place.ask("/v1/completions", body("write"))
            assert refused.status_code == 503 and refused.json()["error"]["type"] == "server_error"
            assert "about to end" in refused.text and refused.headers["retry-after"] == "1"
            told = [line for line in lines if line]
        finally:
            place.door._is_ending = False
    assert told[-1] == "data: [DONE]" and json.loads(told[-2][6:])["choices"][0]["finish_reason"] == "length"


def test_no_more_than_there_are_threads(place: Place, steps: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST_AT_ONCE", 1)
    with place.http.stream("POST", "/v1/completions", json=body("write", most=60, stream=True)) as running:
        next(running.iter_lines())
        refused = place.ask("/v1/completions", body("write"))
        assert refused.status_code == 503 and "1 questions are answered" in refused.text
    wait_until(lambda: place.door.under_way == 0)
    wait_until(lambda: place.ask("/v1/completions", body("write", most=1)).status_code == 200)


def test_a_body_that_does_not_come_is_not_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "BODY_SECONDS", 0.1)
    with socket.create_connection(("127.0.0.1", int(place.url.rpartition(":")[2])), timeout=10) as client:
        client.sendall(HEAD % 9 + b"{")
        assert b" 408 " in client.recv(4096)


def test_each_key_has_its_limits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# ours\nteam-a  {KEY}\n\n{OTHER}  # theirs\n")
    keys = read_keys(file, a_minute=4, at_once=1)
    caplog.set_level("DEBUG")
    with open_place(tmp_path, keys) as place:

        def ask(key: str, **more: Any) -> httpx.Response:
            return place.ask(
                "/v1/completions", {**body("write", most=2), **more}, headers={"authorization": f"Bearer {key}"}
            )

        for key in ("none", "sk-wrong-0123456789", KEY + "x"):
            refused = ask(key)
            assert refused.status_code == 401 and refused.json()["error"]["code"] == "invalid_api_key"
        assert place.ask("/v1/models").status_code == 401 and place.ask("/health").status_code == 200
        assert place.ask("/v1/models", headers={"authorization": f"Bearer {KEY}"}).status_code == 200
        assert ask(KEY).status_code == 200
        long = ask(KEY, prompt="a" * (policy.read().prompt_characters + 1))
        assert long.status_code == 403 and "characters long" in long.text
        assert ask(KEY, max_tokens=policy.read().answer_tokens + 1).status_code == 403
        assert ask(KEY).status_code == 200  # the fourth
        refused = ask(KEY)
        assert refused.status_code == 429 and refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert ask(OTHER).status_code == 200
        hook = place.stack.model.register_forward_hook(lambda *_: time.sleep(0.01))
        both = in_threads([lambda: ask(OTHER, max_tokens=40).status_code] * 2)
        hook.remove()
        assert sorted(both) == [200, 429]
    assert KEY not in caplog.text and OTHER not in caplog.text and "team-a ask_model write: done" in caplog.text


def test_keys_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    for text in (
        "",
        "# none\n",
        "short\n",
        "two names sk-0123456789abcdef\n",
        "a sk-0123456789\u200cabcdef\n",
        "\ufffd" * 40,
    ):
        file.write_text(text)
        with pytest.raises(SpecError) as error:
            read_keys(file)
        assert "0123456789" not in str(error.value)
    with pytest.raises(SpecError, match="cannot be read"):
        read_keys(tmp_path / "none")
    assert len(read_keys(None, f"{KEY},b {OTHER}")) == 2 and not len(Keys({}))


def test_labels_that_come_meanwhile_are_scored_together() -> None:
    begun, go_on, scored = threading.Event(), threading.Event(), []

    def score(asked: list[Any], _is_over: Any) -> list[list[float]]:
        scored.append(len(asked))
        begun.set()
        go_on.wait(10)
        if "bad" in asked:
            raise DataError("bad")
        return [[float(one)] for one in asked]

    queue, told = LabelQueue(score), {}

    def ask(one: Any, cancelled: Any = None) -> None:
        try:
            told[one] = queue.ask([one], cancelled=cancelled)
        except DataError as error:
            told[one] = error

    threads = [threading.Thread(target=ask, args=(1,))]
    threads[0].start()
    begun.wait(10)
    threads += [threading.Thread(target=ask, args=(one,)) for one in (2, 3, "bad")]
    threads.append(threading.Thread(target=ask, args=(4, lambda: True)))
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: len(queue._waiting) == 4)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert (told[1], told[2], told[3], told[4]) == ([[1.0]], [[2.0]], [[3.0]], None)
    assert isinstance(told["bad"], DataError) and scored[:2] == [1, 3]  # together, then apart: one of them failed
