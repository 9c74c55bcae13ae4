"""Sixteen simultaneous visitors of the running page, with more adapters than the stack has slots. Each gets the answers
that they would get alone. They talk to the server as the page's script does: a session, the Ask button's event, the
stream of its answers."""

import json
import threading
import time
from collections.abc import Iterator

import httpx
import psutil
import pytest
from test_page import App, free_port
from tiny_bases import save_adapter

from lora_hub import compare
from lora_hub.answering import loading
from lora_hub.catalogue import bases
from lora_hub.core.messages import _
from lora_hub.core.schema import Question
from lora_hub.ui.frame.programs import PAGE_HEADER
from lora_hub.ui.render.text import t

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
VISITORS, TURNS, ADAPTERS, TOKENS = 16, 2, 20, 12
PATIENCE = 300.0


@pytest.fixture(scope="module")
def adapters(tmp_path_factory) -> list[str]:
    """More than the 16 places of a stack, all of the built-in base, each of a loudness of its own."""
    root = tmp_path_factory.mktemp("many")
    model = loading.load_base(bases.get_base("built-in"))
    model.config._name_or_path = "built-in"
    return [
        str(save_adapter(model, root / f"a{n}", seed=n, r=2 + n % 3, strength=0.05 + 0.01 * n)) for n in range(ADAPTERS)
    ]


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Iterator[App]:
    running = App(tmp_path_factory.mktemp("visitors") / "home", free_port())
    try:
        running.start()
        yield running
    finally:
        running.close()


class Visitor:
    """A page's session with the server."""

    def __init__(self, url: str, name: str) -> None:
        self.api, self.session = f"{url}/gradio_api", f"visitor-{name}"
        self.client = httpx.Client(timeout=PATIENCE, headers={PAGE_HEADER: "1"})
        config = self.client.get(f"{url}/config").json()
        self.components = {component["id"]: component for component in config["components"]}
        button = next(
            number for number, component in self.components.items() if component["props"].get("elem_id") == "lh-ask"
        )
        asking = [
            one
            for one in config["dependencies"]
            if [button, "click"] in [list(target) for target in one["targets"]] and one["backend_fn"]
        ]
        self.event = asking[0]

    def _fields(self, names: list[str], prompt: str, tokens: int) -> list:
        """What the page would send: each field as it stands there, but for what this visitor has filled in."""
        typed = {"lh-language": "en", "lh-names": names, "lh-with-base": True, "lh-prompt": prompt}
        fields = [self.components[number] for number in self.event["inputs"]]
        values = [typed.get(field["props"].get("elem_id"), field["props"].get("value")) for field in fields]
        values[next(place for place, field in enumerate(fields) if field["type"] == "number")] = (
            tokens  # the first is how many
        )
        return [
            "" if value is None and field["type"] == "textbox" else value
            for value, field in zip(values, fields, strict=True)
        ]

    def ask(self, names: list[str], prompt: str, *, tokens: int = TOKENS, give_up_after: int = 0) -> str:
        """The panes' HTML when the answer is whole, or after so many messages where the visitor closes the page
        then."""
        asked = {
            "data": self._fields(names, prompt, tokens),
            "fn_index": self.event["id"],
            "session_hash": self.session,
        }
        self.client.post(f"{self.api}/queue/join", json=asked).raise_for_status()
        shown, seen = "", 0
        with self.client.stream("GET", f"{self.api}/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if message.get("msg") in ("process_generating", "process_completed"):
                    assert message["success"], message
                    panes = message["output"]["data"]
                    # Gradio sends what has changed of a value after the first time; the last message has it whole.
                    shown = panes[0] if panes and isinstance(panes[0], str) else shown
                    seen += 1
                    if give_up_after and seen >= give_up_after:
                        return shown
                if message.get("msg") == "process_completed":
                    return shown
        raise AssertionError("the stream ended before the answer")


def answers_in(html: str) -> list[tuple[str, str]]:
    """(name, answer) of each pane."""
    from html import unescape
    from re import DOTALL, findall, sub

    panes = findall(r'<article[^>]*data-pane="([^"]*)"[^>]*>(.*?)</article>', html, DOTALL)
    texts = [findall(r'class="lh-answer[^"]*"[^>]*>(.*?)</(?:div|p|pre)>', body, DOTALL) for _name, body in panes]
    return [
        (unescape(name), unescape(sub(r"<[^>]+>", "", found[0] if found else "")).strip())
        for (name, _body), found in zip(panes, texts, strict=True)
    ]


def questions(adapters: list[str]) -> list[tuple[list[str], str]]:
    """Each with two or three adapters of its own; the prompts are of unlike lengths."""
    words = "the quick lamp was late and nobody knew why it had come so far".split()
    asked = []
    for n in range(VISITORS * TURNS):
        names = [adapters[(n * 3 + k * 7) % ADAPTERS] for k in range(2 + n % 2)]
        asked.append((names, " ".join(words[(n + k) % len(words)] for k in range(2 + (5 * n) % 23))))
    return asked


def alone(names: list[str], prompt: str, comparer: compare.Comparer, tokens: int = TOKENS) -> list[tuple[str, str]]:
    events = [event for event in comparer.stream(names, Question(prompt=prompt, max_new_tokens=tokens)) if event.done]
    events.sort(key=lambda event: event.pane)
    return [(event.name, " ".join((event.answer.text or t(_("(an empty answer)"), "en")).split())) for event in events]


def test_sixteen_visitors_at_once_get_what_each_would_get_alone(app: App, adapters: list[str]) -> None:
    comparer = compare.Comparer()
    asked = questions(adapters)
    wanted = [alone(names, prompt, comparer) for names, prompt in asked]
    assert len({text for panes in wanted for _name, text in panes}) > ADAPTERS, (
        "adapters that answer alike prove nothing"
    )
    visitors = [Visitor(app.url, str(n)) for n in range(VISITORS)]
    visitors[0].ask(*asked[0])  # the base is in memory from here on
    got: dict[int, list[tuple[str, str]]] = {}
    before = psutil.Process(app.process.pid).memory_info().rss

    def visit(place: int) -> None:
        for turn in range(TURNS):
            n = place + turn * VISITORS
            got[n] = [(name, " ".join(text.split())) for name, text in answers_in(visitors[place].ask(*asked[n]))]

    threads = [threading.Thread(target=visit, args=(place,)) for place in range(VISITORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [got.get(n) for n in range(len(asked))] == wanted
    assert psutil.Process(app.process.pid).memory_info().rss - before < 512 * 2**20
    assert "Traceback" not in app.log()


def test_visitors_who_close_the_page_leave_nothing_running(app: App, adapters: list[str]) -> None:
    """Their adapters' places and their rows are free again: all 16 places would be held else, and everybody else would
    wait."""
    comparer = compare.Comparer()
    for n in range(6):
        leaving = Visitor(app.url, f"leaving-{n}")
        leaving.ask(adapters[3 * n : 3 * n + 3], "once upon a time", tokens=400, give_up_after=2)
        leaving.client.close()
    names, prompt = adapters[-3:], "and who stays is answered"
    got = [(name, " ".join(text.split())) for name, text in answers_in(Visitor(app.url, "staying").ask(names, prompt))]
    assert got == alone(names, prompt, comparer)
    process = psutil.Process(app.process.pid)
    end = time.monotonic() + 60
    while process.cpu_percent(1.0) > 20:
        assert time.monotonic() < end, "something is still answered, to nobody"
