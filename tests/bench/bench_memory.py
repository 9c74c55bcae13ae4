"""What a training is told to need beside what it takes: `python tests/bench/bench_memory.py [CASE ...]`

A case is BASE:ROWS:TOKENS[:BEGIN], so many rows of so many tokens at once, the first BEGIN of which all rows share; or
run:BASE:TASK[:KEY=VALUE ...], a whole run on the task's sample (or on a FILE in its place: run:BASE:TASK=FILE), from
its rows to its scores; of several tasks with + between, which are then trained in one go. Without any: the built-in
base and SmolLM2-135M (where it is among the bases of LORA_HUB_HOME) with short and long rows, and runs of them, a sweep
and several tasks among them. Each is a process of its own that works as a run does; its peak is the kernel's (VmHWM of
/proc: getrusage's also counts what the process was before it was Python). Seconds are the process's own CPU time, a
step, so that a busy machine changes little."""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CASES = (
    "built-in:16:60",
    "built-in:32:400",
    "SmolLM2-135M-Instruct:16:100",
    "SmolLM2-135M-Instruct:4:100",
    "SmolLM2-135M-Instruct:16:300",
    "SmolLM2-135M-Instruct:16:100:50",
    "run:built-in:spam",
    "run:built-in:spam:sweep=8",
    "run:built-in:translation:steps=40",
    "run:built-in:spam+sentiment+translation:steps=30:evaluations=2:max_held_out=40",
    "run:SmolLM2-135M-Instruct:spam:steps=4:max_held_out=24:general=off",
    "run:SmolLM2-135M-Instruct:spam:steps=4:max_held_out=24:general=off:micro_batch=4",
)
ALLOWED = 0.15
STEPS, ANSWER = 3, 2


def random_rows(count: int, tokens: int, begin: int = 0) -> Any:
    """So many rows of so many tokens, of which the last are trained on and the first are the same."""
    from lora_hub.data.prompts.prepare import Encoded

    ids = random.Random(count)
    mask = [0] * (tokens - ANSWER) + [1] * ANSWER
    alike = [7] * begin
    rows = [[*alike, *(ids.randrange(8, 1000) for _ in mask[begin:])] for _ in range(count)]
    return Encoded([{"input_ids": row, "completion_mask": mask} for row in rows], [])


def make_spec(base: Any, rows: int, tokens: int, begin: int = 0) -> Any:
    """A spec of so many rows at once, with their lengths counted."""
    from lora_hub.catalogue.tasks import catalogue
    from lora_hub.core.schema import DatasetInfo, Lengths
    from lora_hub.training import recipe

    counted = (tokens,) * 8
    lengths = Lengths(
        base=base.id,
        rows=rows,
        sampled=rows,
        prompt=counted,
        answer=(ANSWER,) * 8,
        total=counted,
        max_length=tokens,
        context=base.context,
        too_long=0,
        answers_cut=0,
        over_context=0,
        trained_share=0.1,
        begin=begin,
    )
    info = DatasetInfo(
        fingerprint="0" * 16, name="x.csv", rows=4 * rows, columns=("text", "answer"), format="csv", lengths=lengths
    )
    overrides = {"steps": STEPS, "batch": rows, "evaluations": 1, "max_length": max(tokens, 64)}
    task = catalogue.get_task("spam")
    return recipe.make_spec(task, base, info, {"text": "text", "answer": "answer"}, overrides=overrides)


def measure(base_id: str, rows: int, tokens: int, begin: int = 0) -> dict[str, float]:
    """Trains here."""
    from lora_hub.core.processes import set_environment

    set_environment()
    from lora_hub.answering import loading
    from lora_hub.catalogue import bases
    from lora_hub.runs.run_pace import peak_bytes
    from lora_hub.training import alone, estimate

    base = bases.get_base(base_id)
    spec = make_spec(base, rows, tokens, begin)
    tokenizer = loading.load_tokenizer(base)
    model = loading.load_base(base)
    loaded = peak_bytes()
    train, look = random_rows(rows * 2, tokens, begin), random_rows(rows, tokens, begin)
    marks: list[tuple[int, float]] = []

    def report(kind: str, **data: object) -> None:
        if kind == "progress" and data.get("phase") == "training":
            marks.append((int(data["step"]), time.process_time()))

    alone.TELL_SECONDS = 0
    with tempfile.TemporaryDirectory() as folder:
        alone.train_adapter(spec, model, tokenizer, train, look, Path(folder), report=report)
    (first, began), (last, ended) = marks[0], marks[-1]
    told = estimate.estimate(spec, tokens_row=tokens)
    return {
        "told": told.training_bytes,
        "took": peak_bytes(),
        "loaded": loaded,
        "step": (ended - began) / max(1, last - first),
        "threads": int(os.environ["OMP_NUM_THREADS"]),
    }


def measure_run(base_id: str, task_id: str, overrides: list[str]) -> dict[str, float]:
    """A whole run in this process, planned in another one: a run's own never plans."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"LORA_HUB_HOME": home, "LORA_HUB_SPEED": "off"}
        asked = [sys.executable, __file__, "--plan", base_id, task_id, *overrides]
        planned = subprocess.run(asked, capture_output=True, text=True, check=True)
        told, *run_ids = planned.stdout.splitlines()[-1].split()
        from lora_hub.core.processes import set_environment

        set_environment()
        from lora_hub.runs import group_worker, run_pace, worker

        if len(run_ids) > 1:
            status = group_worker.run_group([group_worker.Member(run_id) for run_id in run_ids])
        else:
            status = worker.Worker(run_ids[0]).run()
        took = run_pace.peak_bytes()
    if status:
        raise SystemExit("The run failed.")
    return {"told": int(told), "took": took}


def plan(base_id: str, task_ids: str, *overrides: str) -> list[Any]:
    """The bytes that runs are told to take in one go, and the ids of the runs, which nobody has begun."""
    from lora_hub import runs
    from lora_hub.catalogue import bases
    from lora_hub.catalogue.tasks import catalogue
    from lora_hub.core import store
    from lora_hub.training import recipe

    asked, made = dict(one.split("=", 1) for one in overrides), []
    for named in task_ids.split("+"):
        task_id, _, file = named.partition("=")
        task = catalogue.get_task(task_id)
        rows = Path(file) if file else catalogue.sample_file(task)
        made.append(runs.plan_run(rows, task, bases.get_base(base_id), overrides=asked))
    told = recipe.estimate_together([one.estimate for one in made])
    return [told.memory_bytes, *(store.create_run(one.spec) for one in made)]


def main() -> int:
    if sys.argv[1:2] == ["--plan"]:
        print(*plan(*sys.argv[2:]))
        return 0
    if sys.argv[1:2] == ["--one"]:
        base, *numbers = sys.argv[2].split(":")
        if base == "run":
            base, task, *overrides = numbers
            print(json.dumps(measure_run(base, task, overrides)))
        else:
            print(json.dumps(measure(base, *map(int, numbers))))
        return 0
    worst = 0.0
    for case in sys.argv[1:] or CASES:
        done = subprocess.run([sys.executable, __file__, "--one", case], capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{case}: {done.stderr.strip().splitlines()[-1]}")
            continue
        one = json.loads(done.stdout.splitlines()[-1])
        ratio = one["told"] / one["took"]
        worst = max(worst, abs(ratio - 1))
        more = (
            f"; {one['loaded'] / 1e6:,.0f} MB once the base was loaded), {one['step']:.2f} CPU s a step"
            if "step" in one
            else ")"
        )
        print(
            f"{case}: told {one['told'] / 1e6:,.0f} MB, took {one['took'] / 1e6:,.0f} MB ({ratio:.2f}{more}", flush=True
        )
    print(f"told within {100 * worst:.0f} % (goal {100 * ALLOWED:.0f})")
    return 0 if worst <= ALLOWED else 1


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
