"""Fifty members of an organization at once: each asks in Compare, looks at the list of runs and thinks for a while,
again and again, each in one page. One app with sign-in, one embedded Hub with accounts, plain HTTP.

    OMP_NUM_THREADS=1 python tests/bench/bench_visitors.py [--visitors 50] [--seconds 120] [--think 20]

1. One visitor alone: seconds of a question, p50 and p95.
2. All of them: errors, p50 and p95, and what a fair share is: as many questions as were on the way at the same time,
   one after another as quickly as one visitor's alone. Goal: p95 within twice that.
3. Memory of the app's process, every 10 seconds. Goal: its second half no more than 5 % above its first.

Exit 1 where a goal is missed or there was an error.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), *(str(room) for room in (ROOT / "tests").iterdir() if room.is_dir())]

import conftest  # noqa: E402, F401  it starts the session's Hub before the client is imported
import psutil  # noqa: E402
from page_calls import Caller  # noqa: E402
from test_page_people import Place, token_of  # noqa: E402

SAMPLES = ["Win a free prize now, call 0900 123456", "See you at seven?", "Your parcel waits: pay 2 EUR here"]


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Asker:
    """A visitor, and how long each question took."""

    def __init__(self, url: str, name: str, adapter: str, seed: int) -> None:
        self.caller, self.adapter, self.random = Caller(url, name, token_of(name)), adapter, random.Random(seed)
        self.page = f"page{seed}{name}"  # a page that is open has one session, which takes a megabyte until it closes
        self.took: list[tuple[float, float]] = []  # began, ended
        self.errors: list[str] = []

    def ask(self) -> None:
        began = time.monotonic()
        try:
            values = {"lh-language": "en", "lh-names": [self.adapter], "lh-prompt": self.random.choice(SAMPLES)}
            answered = self.caller.ask("lh-ask", "click", values, session=self.page).rpartition("\n")[2]
            self.caller.heard.clear()
            if answered.count("<article") != 2:
                self.errors.append(answered[:300])
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}"[:300])
        self.took.append((began, time.monotonic()))

    def go(self, until: float, think: float) -> None:
        while time.monotonic() < until:
            time.sleep(self.random.expovariate(1 / think))
            if time.monotonic() < until:
                self.ask()


def train(place: Place, folder: Path) -> str:
    """An adapter of the organization, trained and published by the shell."""
    rows = "\n".join(
        f'"{text} {number}",{label}' for number in range(60) for text, label in zip(SAMPLES, ("spam", "ham", "spam"))
    )
    (folder / "rows.csv").write_text(f"text,label\n{rows}\n")
    made = subprocess.run(
        [sys.executable, "-m", "lora_hub", "train", str(folder / "rows.csv"), "--task", "spam", "--effort", "quick"]
        + ["--publish", "--json"],
        cwd=ROOT,
        env={**place.app.environment(), "HF_TOKEN": token_of("admin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return json.loads(made.stdout)["adapter"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument(
        "--think", type=float, default=20, help="seconds between two questions of a visitor, on average"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-visitors-") as made:
        names = [f"member{number}" for number in range(options.visitors)]
        place = Place(Path(made), {"admin": "admin", **dict.fromkeys(names, "read")})
        try:
            return measure(place, train(place, Path(made)), names, options)
        finally:
            place.close()


def measure(place: Place, adapter: str, names: list[str], options: argparse.Namespace) -> int:
    app = place.app
    first = Asker(app.url, names[0], adapter, 0)
    first.ask()  # the base is loaded
    first.took.clear()
    for _ in range(20):
        first.ask()
    alone = [ended - began for began, ended in first.took]
    print(
        f"one visitor: {len(alone)} questions, p50 {statistics.median(alone):.2f} s, p95 "
        f"{percentile(alone, 0.95):.2f} s"
    )
    askers = [Asker(app.url, name, adapter, seed) for seed, name in enumerate(names)]
    process, memory, until = psutil.Process(app.process.pid), [], time.monotonic() + options.seconds
    threads = [threading.Thread(target=one.go, args=(until, options.think)) for one in askers]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        memory.append(process.memory_info().rss / 1e6)
        time.sleep(10)
    took = [pair for one in askers for pair in one.took]
    seconds = [ended - began for began, ended in took]
    # Little's law: questions on the way at the same time, on average, with each question itself
    beside = [
        sum(began < other_end and ended > other_began for other_began, other_end in took) for began, ended in took
    ]
    fair = percentile([count * statistics.median(alone) for count in beside], 0.95)
    errors = [error for one in (first, *askers) for error in one.errors]
    p95 = percentile(seconds, 0.95)
    print(
        f"{len(askers)} visitors, {options.seconds:.0f} s: {len(took)} questions, p50 "
        f"{statistics.median(seconds):.2f} s, "
        f"p95 {p95:.2f} s; a fair share's p95 {fair:.2f} s; ratio {p95 / fair:.2f} (at most 2)"
    )
    half = len(memory) // 2 or 1
    before, after = statistics.mean(memory[:half]), statistics.mean(memory[half:] or memory)
    print(f"memory of the app: {before:.0f} MB, then {after:.0f} MB (ratio {after / before:.3f}, at most 1.05)")
    print("  every 10 s: " + " ".join(f"{one:.0f}" for one in memory))
    print(f"errors: {len(errors)}" + "".join(f"\n  {error}" for error in errors[:5]))
    return int(bool(errors) or p95 > 2 * fair or after > 1.05 * before)


if __name__ == "__main__":
    sys.exit(main())
