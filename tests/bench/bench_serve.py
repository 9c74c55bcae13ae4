"""The endpoint's figures: many adapters in one running batch, the time to the first token, and a long shelf.

    OMP_NUM_THREADS=1 python tests/bench/bench_serve.py [--shape 30M] [--clients 16] [--adapters 8] [--tokens 64]
        [--prompt 20 80] [--rounds 5] [--cpu-seconds]

One process serves a base of random weights and its adapters (`python -m lora_hub serve`); this one asks it over HTTP.

1. All clients at once, against one adapter after another: its clients' questions together, then the next adapter's.
   Both must give the same answers. Goal: >= 3x the throughput. Also told: one question after another.
2. One client: seconds until the first token has arrived, against transformers' own `generate` of one token in this
   process, for the base and for an adapter (PEFT). Goal: <= 1.2x. The ways take turns; the median counts.
3. 1,000 adapters registered: memory, Hub requests of a question, and seconds to find the adapter. Goals: <= 50 MB, 0.

--prompt: tokens of the shortest and the longest question.
--cpu-seconds: where the machine is busy, throughput by the CPU seconds of the server's process.

Exit 1 where a goal is missed or answers differ.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import torch

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), *(str(room) for room in (ROOT / "tests").iterdir() if room.is_dir())]

import conftest  # noqa: E402, F401  it starts the session's Hub before the client is imported
from bench_stack import build, save_adapters  # noqa: E402
from peft import PeftModel  # noqa: E402
from serving import TEMPLATE  # noqa: E402
from tiny_bases import byte_tokenizer  # noqa: E402

from lora_hub import hub as hubs  # noqa: E402
from lora_hub.core.schema import AdapterRef  # noqa: E402
from lora_hub.models import OwnShelf  # noqa: E402
from lora_hub.people import LOCAL  # noqa: E402

LEAST_GAIN, MOST_WAIT, MOST_MB = 3.0, 1.2, 50.0
QUESTION = "Say what this text is about, in a few words of your own, and whether its writer is glad. " * 2


def make_base(folder: Path, shape: str, adapters: int) -> tuple[Any, list[Path]]:
    """A base whose every token is a letter, so that each has a text of its own; and adapters of it."""
    model, tokenizer = build(shape, "cpu", torch.float32), byte_tokenizer(TEMPLATE)
    letters = [tokenizer.convert_tokens_to_ids(chr(code)) for code in range(ord("A"), ord("z"))]
    with torch.no_grad():
        kept = model.lm_head.weight[letters].clone()
        model.lm_head.weight.zero_()
        model.lm_head.weight[letters] = kept
    model.save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    folders = save_adapters(model, folder, adapters)
    return model, folders


class Server:
    """`python -m lora_hub serve` in a process of its own."""

    def __init__(self, folder: Path, adapters: list[Path]) -> None:
        named = [part for one in adapters for part in ("--adapter", str(one))]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lora_hub", "serve", "--base", str(folder / "base"), "--port", "0", *named],
            cwd=ROOT,
            env={**os.environ, "LORA_HUB_HOME": str(folder / "home"), "LORA_HUB_HUB": "public"},
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        assert "/v1" in line, "the server did not start"
        self.http = httpx.Client(base_url=line.split()[-1], timeout=600, limits=httpx.Limits(max_connections=64))

    def answer(self, model: str, question: str, tokens: int) -> str:
        body = {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": tokens}
        told = self.http.post("/chat/completions", json=body)
        assert told.status_code == 200, told.text
        return told.json()["choices"][0]["message"]["content"]

    def first(self, model: str, question: str) -> None:
        body = {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 8, "stream": True}
        with self.http.stream("POST", "/chat/completions", json=body) as told:
            next(line for line in told.iter_lines() if '"content":' in line and '"content":""' not in line)

    def cpu_seconds(self) -> float:
        """Of the server's process so far."""
        return sum(psutil.Process(self.process.pid).cpu_times()[:2])

    def close(self) -> None:
        self.http.close()
        self.process.terminate()
        self.process.wait(60)


def together(works: list[Callable[[], str]]) -> list[str]:
    found: list[str] = [""] * len(works)

    def run(place: int) -> None:
        found[place] = works[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def in_turn(
    ways: dict[str, Callable[[], Any]], rounds: int, now: Callable[[], float] = time.perf_counter
) -> tuple[dict[str, float], dict[str, Any]]:
    """Median seconds of each way and what it gave; the first round does not count."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    gave: dict[str, Any] = {}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            start = now()
            gave[name] = way()
            if turn:
                took[name].append(now() - start)
    return {name: statistics.median(times) for name, times in took.items()}, gave


def measure_throughput(
    server: Server, names: list[str], clients: int, tokens: int, rounds: int, by_cpu: bool, prompt: tuple[int, int]
) -> bool:
    shortest, longest = prompt
    lengths = [shortest + (longest - shortest) * place // max(1, clients - 1) for place in range(clients)]
    asked = [
        (names[place % len(names)], f"{place} {(QUESTION * (1 + longest // len(QUESTION)))[:length]}")
        for place, length in enumerate(lengths)
    ]

    def one(place: int) -> Callable[[], str]:
        return lambda: server.answer(*asked[place], tokens)

    def all_at_once() -> list[str]:
        return together([one(place) for place in range(clients)])

    def by_adapter() -> list[str]:
        found = [""] * clients
        for name in names:
            own = [place for place in range(clients) if asked[place][0] == name]
            for place, text in zip(own, together([one(place) for place in own]), strict=True):
                found[place] = text
        return found

    def one_by_one() -> list[str]:
        return [one(place)() for place in range(clients)]

    ways = {"all": all_at_once, "adapters": by_adapter, "questions": one_by_one}
    took, gave = in_turn(ways, rounds, server.cpu_seconds if by_cpu else time.perf_counter)
    same = gave["all"] == gave["adapters"] == gave["questions"]
    count = clients * tokens
    gain, more = took["adapters"] / took["all"], took["questions"] / took["all"]
    print(f"{clients} clients over {len(names)} adapters, {tokens} tokens each: {count / took['all']:.0f} tokens/s")
    each = count / took["adapters"]
    print(f"  one adapter after another: {each:.0f} tokens/s, ratio {gain:.2f} (at least {LEAST_GAIN:g})")
    print(f"  one question after another: {count / took['questions']:.0f} tokens/s, ratio {more:.2f}")
    print(f"  the same answers: {same}")
    return same and took["adapters"] >= LEAST_GAIN * took["all"]


def measure_first_token(server: Server, model: Any, folder: Path, adapter: Path, rounds: int) -> bool:
    tokenizer = byte_tokenizer(TEMPLATE)
    adapted = PeftModel.from_pretrained(model, adapter)

    def generate(with_adapter: bool) -> None:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": QUESTION}], add_generation_prompt=True, tokenize=False
        )
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")
        with torch.no_grad():
            made = (
                adapted.generate(**ids, max_new_tokens=1, do_sample=False)
                if with_adapter
                else adapted.get_base_model().generate(**ids, max_new_tokens=1, do_sample=False)
            )
        tokenizer.decode(made[0])

    def base_alone() -> None:
        with adapted.disable_adapter():
            generate(False)

    took, _gave = in_turn(
        {
            "generate": base_alone,
            "served": lambda: server.first("base", QUESTION),
            "generate, adapter": lambda: generate(True),
            "served, adapter": lambda: server.first(adapter.name, QUESTION),
        },
        4 * rounds,
    )
    good = True
    for what, who in (("", "the base"), (", adapter", "an adapter")):
        ratio = took[f"served{what}"] / took[f"generate{what}"]
        good &= ratio <= MOST_WAIT
        print(
            f"first token of {who}, one client: {1000 * took[f'served{what}']:.1f} ms served, "
            f"{1000 * took[f'generate{what}']:.1f} ms by generate, ratio {ratio:.2f} (at most {MOST_WAIT:g})"
        )
    return good


def measure_shelf(count: int = 1000) -> bool:
    refs = [
        AdapterRef(repo_id=f"lora-hub/adapter-{place}", revision=f"{place:040x}", base="built-in", task="spam")
        for place in range(count)
    ]
    few, fetched = refs[:1], []
    listed: list[AdapterRef] = few
    hubs.list_adapters, list_adapters = (lambda *_given, **_named: listed), hubs.list_adapters
    try:
        shelf = OwnShelf("built-in")
        shelf.refresh()
        process = psutil.Process()
        before = process.memory_info().rss
        listed = refs
        shelf.refresh()
        taken = (process.memory_info().rss - before) / 1e6
    finally:
        hubs.list_adapters = list_adapters
    pane = shelf.base(LOCAL)
    shelf._fetch = lambda name, repo: fetched.append(repo) or pane
    names = [f"adapter-{place}" for place in range(0, count, 10)]
    for name in names:
        shelf.pane(LOCAL, name)
    fetched.clear()
    start = time.perf_counter()
    for name in names:
        shelf.pane(LOCAL, name)
    each = (time.perf_counter() - start) / len(names)
    print(
        f"{count:,} adapters registered: {taken:.1f} MB more (at most {MOST_MB:g}); a question asks the Hub "
        f"{len(fetched)} times and finds its adapter in {1e6 * each:.0f} µs"
    )
    return taken <= MOST_MB and not fetched and each < 1e-3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="30M", choices=("30M", "100M"))
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--adapters", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--prompt", type=int, nargs=2, default=(20, 80), metavar=("SHORTEST", "LONGEST"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu-seconds", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-serve-") as made:
        folder = Path(made)
        model, adapters = make_base(folder, options.shape, options.adapters)
        server = Server(folder, adapters)
        try:
            names = [one.name for one in adapters]
            good = measure_throughput(
                server,
                names,
                options.clients,
                options.tokens,
                options.rounds,
                options.cpu_seconds,
                tuple(options.prompt),
            )
            good &= measure_first_token(server, model, folder, adapters[0], options.rounds)
        finally:
            server.close()
    good &= measure_shelf()
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
