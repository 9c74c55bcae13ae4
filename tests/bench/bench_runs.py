"""What a tick of the Runs tab costs. `python tests/bench/bench_runs.py [FINISHED] [EVENTS]`

A home with FINISHED (200) finished runs and one that is under way with EVENTS (72,000) events, half of them losses.
Printed are, in milliseconds of this process's CPU (so that a busy machine counts less):

1. the first look at all of them, and the list alone afterwards (nothing new);
2. a whole tick of the page, as its timer asks for it: the list, the run's head, its plot and log, each with one new
event;
3. the same without remembering, as a ratio.

Exit 1 where a tick after the first takes more than 20 ms.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

TICK_MS, TICKS = 20.0, 20


def make_home(finished: int, lines: int) -> str:
    """Writes the runs and returns the id of the long one, whose lock this process holds."""
    from lora_hub.catalogue import bases
    from lora_hub.catalogue.tasks import catalogue
    from lora_hub.core import events, run_lock, store
    from lora_hub.core.schema import DatasetInfo
    from lora_hub.training import recipe

    info = DatasetInfo(fingerprint="0" * 16, name="x.csv", rows=100, columns=("text", "answer"), format="csv")
    spec = recipe.make_spec(
        catalogue.get_task("spam"), bases.get_base("built-in"), info, {"text": "text", "answer": "answer"}
    )
    score = {"value": 90.0, "low": 80.0, "high": 95.0, "rows": 50}

    def write(run_id: str, told: list[tuple[str, dict]]) -> None:
        made = [
            events.Event(source="worker-1-1", seq=seq, at=1.0 + seq, kind=kind, data=data)
            for seq, (kind, data) in enumerate(told)
        ]
        store.events_file(run_id).write_text("".join(events.to_line(event) + "\n" for event in made), encoding="utf-8")
        store.log_file(run_id).write_text("a line of the log\n" * 5000, encoding="utf-8")

    begin = [("submitted", {}), ("state", {"state": "queued", "attempt": 1}), ("state", {"state": "running"})]
    training = [("progress", {"phase": "training", "step": step, "total": 150, "eta": 1.0}) for step in range(150)]
    training += [("metric", {"step": step, "loss": 1.0 / (1 + step)}) for step in range(150)]
    end = [
        ("exam", {"metrics": {"base": {"accuracy": score}, "adapter": {"accuracy": score}}}),
        ("adapter", {"folder": "adapter"}),
        ("state", {"state": "succeeded"}),
    ]
    for _ in range(finished):
        write(store.create_run(spec), begin + training + end)
    long = [
        ("metric", {"step": step // 2, "loss": 1.0 / (1 + step)})
        if step % 2
        else ("progress", {"phase": "training", "step": step // 2, "total": lines, "eta": 9.0})
        for step in range(lines - len(begin))
    ]
    run_id = store.create_run(spec, lambda folder: run_lock.take(folder))
    write(run_id, begin + long)
    return run_id


def timed(work: object, times: int) -> tuple[float, float]:
    """(median, largest) CPU milliseconds of a call."""
    took = []
    for place in range(times):
        began = time.process_time()
        work(place)
        took.append(1000 * (time.process_time() - began))
    return statistics.median(took), max(took)


def main() -> int:
    finished = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    lines = int(sys.argv[2]) if len(sys.argv) > 2 else 72_000
    with tempfile.TemporaryDirectory() as home:
        os.environ["LORA_HUB_HOME"] = home
        run_id = make_home(finished, lines)
        from lora_hub import runs
        from lora_hub.core import events, store
        from lora_hub.core.run_reader import RunReader
        from lora_hub.people import LOCAL
        from lora_hub.ui.tabs.runs import runs_watch

        reader = RunReader()
        log = events.EventLog(store.events_file(run_id), "worker-1-1")
        first, _ = timed(lambda _: runs.list_runs(reader), 1)
        listing, _ = timed(lambda _: runs.list_runs(reader), TICKS)

        seen = [""]

        def tick(place: int, known: RunReader | None = None) -> None:
            log.append("metric", step=lines + place, loss=0.5)
            seen[0] = runs_watch.draw(LOCAL, known or reader, "en", run_id, seen_before=seen[0])[-1]

        tick(0)
        median, most = timed(tick, TICKS)
        again, _ = timed(lambda place: tick(place, RunReader()), 3)
    print(
        f"{finished} finished runs and one of {lines:,} events: first look {first:.0f} ms, the list again "
        f"{listing:.1f} ms"
    )
    print(
        f"  a tick of the page with a new event: median {median:.1f} ms, longest {most:.1f} ms (goal {TICK_MS:.0f}); "
        f"reading all again {again:.0f} ms, {again / median:.0f} times as long"
    )
    return 0 if median <= TICK_MS else 1


if __name__ == "__main__":
    sys.exit(main())
