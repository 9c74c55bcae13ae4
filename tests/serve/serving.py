"""A server of a tiny base and adapters of random weights, in a thread of the test's process."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from tiny_bases import BASE, build, byte_tokenizer, save_adapter

from lora_hub.answering import generate, questions
from lora_hub.answering.adapter_tokenizer import AdapterTokenizers
from lora_hub.answering.stack import AdapterStack
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.compare.loaded_bases import Loaded, LoadedBases
from lora_hub.compare.panes import Pane, base_key
from lora_hub.core.messages import _
from lora_hub.core.schema import AdapterRef, BaseModel, Task
from lora_hub.models import LocalEngine, NoModel, Shelved
from lora_hub.people import LOCAL, Person
from lora_hub.serve import Door, Keys

# A chat template as small as they come, with tools.
TEMPLATE = (
    "{% if tools %}T{{ tools | tojson }}\n{% endif %}"
    "{% for m in messages %}{{ m['role'][0] }}:{{ m['content'] }}"
    "{% for c in m['tool_calls'] or [] %}<tool_call>{{ c['function'] | tojson }}</tool_call>{% endfor %}<end>"
    "{% endfor %}{% if add_generation_prompt %}a:{% endif %}"
)
CONTEXT = 2048


def labels_task(labels: tuple[str, ...] = ("ham", "spam")) -> Task:
    return get_task("spam").model_copy(update={"labels": labels})


@dataclass
class FewModels:
    """A shelf of panes that are here. asked: names, as they were looked for."""

    base_pane: Pane
    panes: dict[str, Pane]
    is_given: bool = True
    org: str = "lora-hub"
    asked: list[str] = field(default_factory=list)

    def base(self, person: Person) -> Pane:
        return self.base_pane

    def names(self, person: Person) -> list[Shelved]:
        return [Shelved(name, f"lora-hub/{name}", "c" * 40, 7) for name in self.panes]

    def candidates(self, person: Person, base: BaseModel) -> tuple[AdapterRef, ...]:
        return tuple(AdapterRef(repo_id=name, revision="c" * 40, base=base.id) for name in self.panes)

    def using(self, pane: Pane) -> Any:
        return contextlib.nullcontext()

    def pane(self, person: Person, name: str) -> Pane:
        self.asked.append(name)
        if name not in self.panes:
            raise NoModel(_("There is no model {name!r} here."), name=name)
        return self.panes[name]


def load_tiny(base: BaseModel, **most: Any) -> tuple[LoadedBases, Any]:
    """Bases with the tiny one in memory, and its stack."""
    model = build("llama")
    model.config.max_position_embeddings = CONTEXT
    stack = AdapterStack(model, base, **most)
    tokenizer = byte_tokenizer(TEMPLATE)
    bases = LoadedBases()
    bases._loaded[base_key(base)] = Loaded(
        stack,
        tokenizer,
        generate.open_queue(stack, tokenizer),
        questions.open_label_queue(stack, tokenizer),
        AdapterTokenizers(tokenizer),
    )
    return bases, stack


def make_shelf(folder: Path) -> FewModels:
    """`write` answers in text, `spam` and `topic` with labels, `qa` has two inputs, `chat` converses, `raw` has no
    task."""
    base = BASE.model_copy(update={"context": CONTEXT})
    tasks: dict[str, Task | None] = {
        "write": get_task("summarization"),
        "spam": labels_task(),
        "topic": get_task("topic").model_copy(update={"labels": ("sport", "news", "art")}),
        "qa": get_task("question-answering"),
        "chat": get_task("chat"),
        "raw": None,
    }
    model = build("llama")
    panes = {
        name: Pane(name, base, task=task, folder=save_adapter(model, folder / name, seed=seed), revision="c" * 40)
        for seed, (name, task) in enumerate(tasks.items(), 1)
    }
    return FewModels(Pane("base", base), panes)


@dataclass
class Place:
    """A running server. steps: forwards of its base so far."""

    url: str
    door: Door
    shelf: FewModels
    bases: LoadedBases
    stack: Any
    http: httpx.Client

    def ask(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return self.http.post(path, json=body, **more) if body is not None else self.http.get(path, **more)


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serves an ASGI app from a thread; yields its address."""
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        for _ in range(500):
            if server.started:
                break
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextlib.contextmanager
def open_place(folder: Path, keys: Keys | None = None) -> Iterator[Place]:
    shelf = make_shelf(folder)
    bases, stack = load_tiny(shelf.base_pane.base)

    def who_asks(scope: dict[str, Any]) -> Person:
        sent = next((value.decode() for name, value in scope["headers"] if name == b"authorization"), "")
        return keys.who_asks(sent) if keys is not None else LOCAL

    door = Door(shelf, LocalEngine(bases), who_asks)
    with serving(door) as url, httpx.Client(base_url=url, timeout=60) as http:
        yield Place(url, door, shelf, bases, stack, http)


def in_threads(works: list[Any]) -> list[Any]:
    results: list[Any] = [None] * len(works)

    def run(place: int) -> None:
        results[place] = works[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results
