"""Programs go the road from a file to a comparison: gradio_client, curl and an MCP client, each with a person's token,
and nothing without one. The examples are README's own."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from sample_adapters import make_spec
from small_data import write_csv
from test_page_people import Place, token_of

from lora_hub.api import NAMES, mcp_door
from lora_hub.hub import make_record
from lora_hub.hub.card import engines
from lora_hub.hub.card.card import facts_of

ROWS = [(f"You won prize {n}, call now", "spam") for n in range(60)] + [(f"See you at {n}", "ham") for n in range(60)]
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
PART = README.partition("\n## From a program\n")[2].partition("\n## ")[0]


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PART, re.M | re.S)


def example(language: str) -> str:
    return examples(language)[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("programs"), LORA_HUB_MCP="1")
    try:
        yield made
    finally:
        made.close()
    log = (made.app.home / "app.log").read_text()
    assert "Traceback" not in log and "hf_will" not in log, log[-3000:]


@pytest.fixture(scope="module")
def published(place: Place, tmp_path_factory: pytest.TempPathFactory) -> str:
    """README's program, run by will: the adapter that it published."""
    folder = tmp_path_factory.mktemp("program")
    write_csv(folder / "messages.csv", ROWS)
    code = example("python").replace(
        '"http://127.0.0.1:7860")  # of', f'"{place.app.url}", token="{token_of("will")}", verbose=False)  # of'
    )
    assert place.app.url in code
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    *_, ended, tested, first, last = done.stdout.strip().splitlines()
    assert ended.startswith("succeeded {'value'") and "True {'steps'" in done.stdout, done.stdout
    assert tested.startswith("succeeded [{'a'"), done.stdout
    base, adapter = json.loads(last.replace("'", '"')).items()
    assert base[0] == "base" and base[1] in ("ham", "spam") and adapter[1] in ("ham", "spam")
    return adapter[0]


def calls(place: Place, name: str = "") -> Client:
    return Client(place.app.url, token=token_of(name) if name else False, verbose=False)


def test_the_code_on_a_card_asks_the_app(place: Place, published: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = make_spec()
    record = make_record(spec, spec.task, "run", {}, {}, 1)
    code = engines.app(facts_of(record, published)).code
    mine = code.replace(
        f'"http://127.0.0.1:{engines.APP_PORT}"', f'"{place.app.url}", token="{token_of("rita")}", verbose=False'
    )
    assert mine != code
    exec(mine, {})
    base, adapter = capsys.readouterr().out.splitlines()
    assert base in ("base ham", "base spam") and adapter in (f"{published} ham", f"{published} spam")


def test_the_road_by_gradio_client(place: Place, published: str) -> None:
    rita = calls(place, "rita")
    [adapter] = rita.predict(api_name="/adapters")["adapters"]
    assert adapter["repo_id"] == published and adapter["versions"] == ["v1"]
    # The commit is that of whose token the program sent.
    [commit] = place.api("ada").list_repo_commits(published, revision="v1")[:1]
    assert commit.authors == ["will"]
    run = calls(place, "will").predict(api_name="/runs")["runs"][0]
    assert (run["state"], run["adapter"]) == ("succeeded", published)
    # Another's run is not there, and a reader trains nothing.
    assert rita.predict(api_name="/runs")["runs"] == []
    for asked, said in (
        ({"run": run["run"], "api_name": "/run"}, "There is no run"),
        ({"run": run["run"], "api_name": "/cancel"}, "is a member who reads"),
        ({"text": "a,b\n1,2\n", "api_name": "/inspect"}, "is a member who reads"),
        ({"dataset": "0123456789abcdef/a.csv", "api_name": "/train"}, "is a member who reads"),
        ({"adapters": [], "api_name": "/compare"}, "0 adapters were named"),
    ):
        with pytest.raises(AppError, match=said):
            rita.predict(**asked)


def test_several_tasks_in_one_go(place: Place) -> None:
    """README's second program, and a task that has no data any more beside one that has."""
    will = calls(place, "will")
    text = "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS)
    seen = will.predict(text=text, name="rows.tsv", task="spam", api_name="/inspect")
    told: list[str] = []
    exec(examples("python")[1], {"app": will, "seen": seen, "print": told.append})
    assert all(re.fullmatch(r"spam-\d{8}-\d{6}-[0-9a-f]{4}", run) for run in told), told
    gone = {"dataset": "0123456789abcdef/gone.csv", "task": "spam"}
    runs = will.predict(tasks=[gone, {"dataset": seen["dataset"], "task": "spam"}], api_name="/pipeline")["runs"]
    assert (runs[0]["run"], runs[0]["state"]) == ("", "failed") and "no longer here" in runs[0]["failure"]["message"]
    for run in (*told, runs[1]["run"]):
        said = will.predict(run=run, api_name="/cancel")
        assert said["cancelling"] or said["state"] in ("cancelled", "succeeded")
    small, large = (will.predict(run=run, api_name="/run") for run in told)
    assert small["base"] == large["base"] == "built-in" and small["run"] != large["run"]
    for tasks, said in (
        ([gone], "is no longer here"),
        ([], "at least 1"),
        ([gone] * 17, "at most 16"),
        ([{**gone, "base": "x"}], "Task 1 of the pipeline: train takes no 'base'"),
    ):
        with pytest.raises(AppError, match=said):
            will.predict(tasks=tasks, api_name="/pipeline")
    with pytest.raises(AppError, match="runs no jobs"):
        will.predict(tasks=[{"dataset": seen["dataset"], "task": "spam"}], hardware="t4-small", api_name="/pipeline")


def test_the_road_by_curl(place: Place, published: str) -> None:
    code = example("bash").replace("http://127.0.0.1:7860", place.app.url)
    assert code.count(place.app.url) == 2
    done = subprocess.run(
        ["bash", "-c", code],
        env={**os.environ, "HF_TOKEN": token_of("rita")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0 and "event: complete" in done.stdout, done.stderr + done.stdout
    [told] = json.loads(done.stdout.rpartition("data: ")[2])
    assert [one["repo_id"] for one in told["adapters"]] == [published]


def test_votes_production_and_the_shelf_by_gradio_client(place: Place, published: str) -> None:
    """What the page does after a comparison, with the same rights and in the same places."""
    rita, will = calls(place, "rita"), calls(place, "will")
    asked = {"adapters": [published], "prompt": "You won a prize!", "api_name": "/compare"}
    blind = rita.predict(**asked, blind=True)
    assert [one["place"] for one in blind["answers"]] == [1, 2] and published not in json.dumps(blind)
    best = next(one["place"] for one in blind["answers"])
    voting = {"comparison": blind["comparison"], "choice": "one", "place": best, "api_name": "/vote"}
    hidden, shown = rita.predict(**voting), rita.predict(**voting, reveal=True)
    assert hidden["models"] == [] and len(shown["models"]) == 2 and (shown["counts"], shown["place"]) == (True, best)
    late = rita.predict(comparison=blind["comparison"], choice="tie", api_name="/vote")
    assert not late["counts"] and late["models"] == shown["models"]
    board = rita.predict(task="spam", preferences=True, api_name="/votes")
    assert board["votes"] == 1 and board["boards"][0]["task"] == "spam" and len(board["preferences"]) == 1
    assert rita.predict(**asked)["answers"][1]["adapter"] == published, "and kept only where it is wanted"
    kept = rita.predict(**asked, keep=True)
    assert re.fullmatch("[0-9a-f]{16}", kept["comparison"]) and kept["trouble"] == ""
    with pytest.raises(AppError, match="another person's|There is no comparison"):
        will.predict(**{**voting, "comparison": kept["comparison"]})

    [test] = will.predict(api_name="/tests")["tests"]
    told = will.predict(test=test["test"], rows=2, api_name="/test")
    assert told["pairs"][0]["better"] is None or told["pairs"][0]["p"] < 0.05
    assert len(told["answers"]) == 2 and published in told["answers"][0]["answers"]
    for name, given, said in (
        ("test", {"test": test["test"]}, "There is no test"),
        ("cancel_test", {"test": test["test"]}, "is a member who reads"),
        ("promote", {"adapter": published, "version": "v1"}, "is a member who reads"),
        ("unpublish", {"adapter": published}, "is a member who reads"),
        ("collections", {"collection": "Ours", "add": [published]}, "is a member who reads"),
    ):
        with pytest.raises(AppError, match=said):
            rita.predict(**given, api_name=f"/{name}")
    grid = rita.predict(api_name="/matrix")
    assert grid["bases"][0]["adapters"][1]["adapter"] == published and grid["missing"] > 0
    moved = will.predict(adapter=published, version="v1", api_name="/promote")
    assert moved["task"]["rows"] > 0 and moved["general"]["rows"] == 80 and isinstance(moved["moved"], bool)
    with pytest.raises(AppError, match="was in production before|Nothing of"):
        will.predict(adapter=published, api_name="/roll_back")
    [made] = will.predict(collection="Ours", add=[published], api_name="/collections")["collections"]
    assert made["adapters"] == [published] and made["title"] == "Ours"
    assert rita.predict(api_name="/collections")["collections"][0]["slug"] == made["slug"]
    gone = will.predict(adapter=published, api_name="/unpublish")
    assert gone["unpublished"] and "In these collections: Ours." in gone["depends"]
    assert not will.predict(adapter=published, undo=True, api_name="/unpublish")["unpublished"]
    [made] = will.predict(collection=made["slug"], remove=[published], api_name="/collections")["collections"]
    assert made["adapters"] == []


async def _tools(place: Place, name: str, calls: list[tuple[str, dict[str, Any]]]) -> tuple[list[str], list[Any]]:
    headers = {"Authorization": f"Bearer {token_of(name)}"} if name else None
    async with streamablehttp_client(f"{place.app.url}/mcp", headers=headers) as (read, write, _):
        async with ClientSession(read, write) as session:
            await session.initialize()
            tools = (await session.list_tools()).tools
            return [one.name for one in tools], [await session.call_tool(tool, given) for tool, given in calls]


def test_the_road_by_mcp(place: Place, published: str) -> None:
    rows = "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS)
    asked = [
        ("inspect", {"text": rows, "name": "rows.tsv", "task": "spam"}),
        ("compare", {"adapters": [published], "prompt": "You won a prize!", "with_base": False}),
        ("train", {"dataset": "0123456789abcdef/gone.csv", "task": "spam"}),
        ("runs", {}),
    ]
    names, (seen, compared, gone, runs) = asyncio.run(_tools(place, "will", asked))
    assert names == list(NAMES)
    dataset = seen.structuredContent["dataset"]
    assert seen.structuredContent["rows"] == 120 and re.fullmatch(r"[0-9a-f]{16}/rows\.tsv", dataset)
    [answer] = compared.structuredContent["answers"]
    assert (answer["adapter"], answer["done"], answer["text"] in ("ham", "spam")) == (published, True, True)
    assert gone.isError and "is no longer here" in gone.content[0].text
    # Another person's client opens neither will's data nor his runs.
    mine = [one["run"] for one in runs.structuredContent["runs"]]
    asked = [("plan", {"dataset": dataset, "task": "spam"}), ("run", {"run": mine[0]}), ("runs", {})]
    _names, (data, run, theirs) = asyncio.run(_tools(place, "cora", asked))
    assert data.isError and "is no longer here" in data.content[0].text
    assert run.isError and "There is no run" in run.content[0].text
    assert theirs.structuredContent["runs"] == []


def test_nothing_without_a_token_or_with_a_wrong_one(place: Place, published: str) -> None:
    stranger = calls(place)
    needed = {
        "inspect": {"text": "a,b\n1,2\n"},
        "plan": {"dataset": "a/b"},
        "train": {"dataset": "a/b"},
        "pipeline": {"tasks": [{"dataset": "a/b"}]},
        "run": {"run": "x"},
        "cancel": {"run": "x"},
        "publish": {"run": "x"},
        "compare": {"adapters": [published], "prompt": "x"},
        "route": {"text": "x"},
        "start_test": {"adapters": [published], "run": "x"},
        "test": {"test": "x"},
        "cancel_test": {"test": "x"},
        "vote": {"comparison": "0" * 16, "choice": "tie"},
        "promote": {"adapter": published, "version": "v1"},
        "roll_back": {"adapter": published},
        "unpublish": {"adapter": published},
    }
    for name in NAMES:
        with pytest.raises(AppError, match="nobody is signed in"):
            stranger.predict(**needed.get(name, {}), api_name=f"/{name}")
    _names, found = asyncio.run(_tools(place, "", [(name, needed.get(name, {})) for name in NAMES]))
    assert all(one.isError and "nobody is signed in" in one.content[0].text for one in found)

    wrong = {"Authorization": "Bearer hf_made_up_by_somebody"}
    for path in ("/gradio_api/call/v2/runs", "/mcp", "/gradio_api/queue/join"):
        answer = httpx.post(place.app.url + path, json={}, headers=wrong, timeout=60)
        assert answer.status_code == 403 and "does not accept this token" in answer.text


def test_the_pages_own_functions_are_not_for_programs(place: Place) -> None:
    config = httpx.get(f"{place.app.url}/config", timeout=60).json()
    public = {one["api_name"]: one["id"] for one in config["dependencies"] if one["api_visibility"] == "public"}
    assert sorted(public) == sorted(NAMES)
    own = next(one for one in config["dependencies"] if one["backend_fn"] and one["api_visibility"] == "private")
    headers = {"Authorization": f"Bearer {token_of('will')}"}
    body = {"fn_index": own["id"], "session_hash": "program", "data": []}
    answer = httpx.post(f"{place.app.url}/gradio_api/queue/join", json=body, headers=headers, timeout=60)
    assert answer.status_code == 400 and "Programs may call: inspect, plan" in answer.text
    for name in (own["api_name"], "nothing", "runs/../add_task"):
        for path in (f"/gradio_api/call/v2/{name}", f"/gradio_api/call/{name}", f"/gradio_api/run/{name}"):
            answer = httpx.post(place.app.url + path, json={"data": []}, headers=headers, timeout=60)
            assert answer.status_code == 404, path


FILE = {"_type": "gradio.FileData"}
ROWS_TEXT = "text,label\n" + "".join(f"{text},{label}\n" for text, label in (("You won it", "spam"), ("Hi", "ham")) * 9)


@pytest.mark.parametrize(
    ("name", "body", "status", "said"),
    [
        ("run", {}, 400, "run is not called with these arguments. It takes run."),
        ("run", {"run": "x", "extra": 1}, 400, "run is not called with these arguments."),
        ("run", {"run": ["x"]}, 200, "'run' will not do: it must be a text"),
        ("inspect", {"text": ROWS_TEXT, "columns": ["text"]}, 200, "'columns' will not do"),
        ("inspect", {"text": ROWS_TEXT, "mends": ["relabel:a=b"] * 1000}, 200, "at most 30 entries"),
        ("inspect", {"dataset": "0123456789abcdef/gone.csv"}, 200, "'gone.csv' (0123456789abcdef) is no longer here"),
        ("compare", {"adapters": ["a/b"], "temperature": "hot"}, 200, "'temperature' will not do"),
    ],
)
def test_wrong_arguments_by_http(place: Place, name: str, body: dict, status: int, said: str) -> None:
    headers = {"Authorization": f"Bearer {token_of('will')}"}
    with httpx.Client(base_url=f"{place.app.url}/gradio_api/call", headers=headers, timeout=60) as will:
        answer = will.post(f"/v2/{name}", json=body)
        assert answer.status_code == status, answer.text
        told = answer.text if status != 200 else will.get(f"/{name}/{answer.json()['event_id']}").text
    assert said in told and "should not have happened" not in told and str(place.app.home) not in told


def test_bodies_that_are_none(place: Place) -> None:
    headers = {"Authorization": f"Bearer {token_of('will')}", "Content-Type": "application/json"}
    with httpx.Client(base_url=f"{place.app.url}/gradio_api/call", headers=headers, timeout=60) as will:
        answer = will.post("/run", json={"data": []})
        assert answer.status_code == 400 and "It takes run." in answer.text
        for path, body in (("/run", '{"run": NaN}'), ("/v2/run", "[1]"), ("/v2/run", "{")):
            answer = will.post(path, content=body)
            assert answer.status_code == 422 and "This request cannot be read: body" in answer.text
        assert will.post("/v2/run", content="[" * 100_000).status_code == 400
    # Too deep for the libraries that read it; and the same for who has signed in with nothing.
    for path in ("/mcp", "/gradio_api/queue/join", "/gradio_api/call/run"):
        for who in (headers, {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}):
            answer = httpx.post(place.app.url + path, content="[" * 100_000, headers=who, timeout=60)
            assert answer.status_code == 400 and "64 levels" in answer.text, path


@pytest.mark.parametrize("name", ["", "will"])
def test_a_file_is_an_upload_of_whoever_names_it(place: Place, name: str) -> None:
    """Anything else is refused before Gradio looks at it, which would download it, and for a stranger, too."""
    headers = {"Authorization": f"Bearer {token_of(name)}"} if name else {}
    for path in ("http://127.0.0.1:1/big", "https://example.invalid/x", "/etc/passwd", "../../etc/passwd", "a\0"):
        for body in ({"file": {"path": path, "meta": FILE}}, {"text": [{"deep": {"path": path, "meta": FILE}}]}):
            answer = httpx.post(f"{place.app.url}/gradio_api/call/v2/inspect", json=body, headers=headers, timeout=60)
            assert answer.status_code == 400 and "This is no file of yours." in answer.text
    body = {"file": {"path": "x", "meta": 5}}
    answer = httpx.post(f"{place.app.url}/gradio_api/call/v2/inspect", json=body, headers=headers, timeout=60)
    assert answer.status_code == 400 and "This is no file of yours." in answer.text


def test_wrong_arguments_by_mcp(place: Place) -> None:
    asked = [
        ("run", {}),
        ("run", {"run": 5}),
        ("inspect", {"text": ROWS_TEXT, "file": "/etc/passwd"}),
        ("compare", {"adapters": "a/b"}),
    ]
    _names, found = asyncio.run(_tools(place, "will", asked))
    told = [one.content[0].text for one in found]
    assert all(one.isError for one in found)
    for one, said in zip(
        told, ("it is missing", "it must be a text", "inspect takes no 'file'", "it must be a list"), strict=True
    ):
        assert said in one and "pydantic" not in one
    # No stream is held open for whoever asks.
    assert httpx.get(f"{place.app.url}/mcp", headers={"Accept": "text/event-stream"}, timeout=60).status_code == 405


def test_who_listens_for_nothing_fills_no_log(place: Place) -> None:
    for path in ("call/runs/none-such", "queue/data?session_hash=none-such"):
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{place.app.url}/gradio_api/{path}", timeout=60)
    log = (place.app.home / "app.log").read_text()
    assert "Exception in ASGI" not in log, log[-2000:]


def test_a_token_that_is_none_is_refused(place: Place) -> None:
    headers = {"Authorization": "Bearer hf_\xff".encode("latin-1")}
    for path in ("/", "/gradio_api/call/v2/runs"):
        answer = httpx.request("POST" if "call" in path else "GET", place.app.url + path, headers=headers, timeout=60)
        assert answer.status_code == 403 and "does not accept this token" in answer.text


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_client_of_mcp_that_goes_away_ends_its_comparison(is_gone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def compare(person: object) -> Iterator[dict]:
        """Answers that grow."""
        try:
            for count in range(200):
                yield {"count": count}
                time.sleep(0.005)
        finally:
            seen.append(count)

    class Request:
        scope: dict = {}  # noqa: RUF012

        async def is_disconnected(self) -> bool:
            return is_gone

    monkeypatch.setattr(mcp_door, "GONE_SECONDS", 0.01)
    tool = mcp_door._as_tool(compare, lambda scope: None)
    context = SimpleNamespace(request_context=SimpleNamespace(request=Request()))
    found = asyncio.run(tool(context=context))
    assert (found["count"] == seen[0] == 199) is not is_gone
