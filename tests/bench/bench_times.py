"""What runs are told to take beside what they take: `OMP_NUM_THREADS=1 python tests/bench/bench_times.py [CASE ...]`

A case is `TASK[+TASK...][:KEY=VALUE...]`: that many runs on the samples, in one go. Keys are settings, `effort`,
`base` (built-in) and `rows` (of the sample; all). Each is a home and a process of its own, with this machine's speed
measured once and no run before it, by which the next one's times would be corrected. With one thread the CPU seconds
of the process are those that an idle machine would take. What is told for a run that stops early is compared by the
steps that it made.

`fixed` is what a run costs beside its steps: 60 rows, few steps, twice in one home. Until the first step and after the
last one, in CPU seconds; the second run finds what the first has kept of its base. Exit 1 where a run is told to take
more or less than `ALLOWED` times what it takes, or the second run's fixed cost is above `FIXED_GOAL`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
CASES = (
    "fixed",
    "spam",
    "topic:effort=quick",
    "spam+sentiment",
    "spam+topic+question-answering:effort=quick",
    "spam+spam+spam+spam:effort=quick",
)
ALLOWED, FIXED_GOAL, FIXED_ROWS = 1.3, 5.0, 60


def plan(home: str, case: str) -> tuple[list[str], float, dict[str, float]]:
    """(ids of runs that nobody has begun, the seconds they are told to take in one go, those of each part)."""
    from lora_hub import runs
    from lora_hub.catalogue import bases
    from lora_hub.catalogue.tasks import catalogue
    from lora_hub.core import store
    from lora_hub.training import recipe

    tasks, *settings = case.split(":")
    overrides = dict(one.split("=", 1) for one in settings)
    effort, made = overrides.pop("effort", "balanced"), []
    rows, base = int(overrides.pop("rows", 0)), bases.get_base(overrides.pop("base", "built-in"))
    for place, task_id in enumerate(tasks.split("+")):
        task = catalogue.get_task(task_id)
        file = catalogue.sample_file(task)
        if rows:
            small = Path(home) / f"{place}{file.suffix}"
            small.write_text("".join(file.read_text(encoding="utf-8").splitlines(keepends=True)[: rows + 1]))
            file = small
        made.append(runs.plan_run(file, task, base, effort=effort, overrides=overrides, name=f"{task_id}-{place}"))
    told = recipe.estimate_together([one.estimate for one in made])
    parts = {
        "steps": told.steps,
        "training": told.training,
        "scoring": told.scoring,
        "start": told.seconds - told.training - told.scoring,
    }
    return [store.create_run(one.spec) for one in made], told.seconds, parts


def work(run_ids: list[str]) -> dict[str, float]:
    """CPU seconds of this process, which trains the runs: whole, and its parts."""
    from lora_hub.core.processes import set_environment

    set_environment()
    from lora_hub.core import store
    from lora_hub.runs import group_worker, worker
    from lora_hub.runs.owner import Owner

    steps: list[float] = []
    report = Owner.report

    def marked(self: Owner, kind: str, **data: object) -> object:
        if kind == "progress" and data.get("phase") == "training":
            steps.append(time.process_time())
        return report(self, kind, **data)

    Owner.report = marked
    if len(run_ids) > 1:
        status = group_worker.run_group([group_worker.Member(run_id) for run_id in run_ids])
    else:
        status = worker.Worker(run_ids[0]).run()
    if status:
        raise SystemExit("A run failed.")
    whole = time.process_time()
    done = sum(store.read_run(run_id).step for run_id in run_ids)
    return {
        "steps": done,
        "whole": whole,
        "start": steps[0],
        "training": steps[-1] - steps[0],
        "scoring": whole - steps[-1],
    }


def ask(home: str, *words: str) -> dict:
    """What this file says in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, *words],
        cwd=ROOT,
        env={**os.environ, "LORA_HUB_HOME": home, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def measure_fixed(home: str) -> float:
    """CPU seconds of the second run beside its steps; both are told."""
    beside = []
    for name in ("first", "second"):
        planned = ask(home, "--plan", home, f"spam:effort=quick:rows={FIXED_ROWS}")
        took = ask(home, "--work", *planned["runs"])
        beside.append(took["whole"] - took["training"])
        print(
            f"fixed, the {name} run of a home: {beside[-1]:.1f} CPU s ({took['start']:.1f} until the first step, "
            f"{took['scoring']:.1f} after the last; goal {FIXED_GOAL:.0f}), told {planned['parts']['start']:.1f} "
            f"and {planned['parts']['scoring']:.1f} of scoring",
            flush=True,
        )
    return beside[-1]


def main() -> int:
    if sys.argv[1:2] == ["--plan"]:
        run_ids, told, parts = plan(sys.argv[2], sys.argv[3])
        print(json.dumps({"runs": run_ids, "told": told, "parts": parts}))
        return 0
    if sys.argv[1:2] == ["--work"]:
        print(json.dumps(work(sys.argv[2:])))
        return 0
    cases, told_well, fixed_well = sys.argv[1:] or CASES, True, True
    with tempfile.TemporaryDirectory() as folder:
        measured = Path(folder, "measured")
        measured.mkdir()
        subprocess.run(
            [sys.executable, "-m", "lora_hub.training.measure_speed"],
            cwd=ROOT,
            env={**os.environ, "LORA_HUB_HOME": str(measured)},
            check=True,
        )
        for place, case in enumerate(cases):
            home = shutil.copytree(measured, Path(folder, str(place)))
            if case == "fixed":
                fixed_well &= measure_fixed(str(home)) <= FIXED_GOAL
                continue
            planned = ask(str(home), "--plan", str(home), case)
            took = ask(str(home), "--work", *planned["runs"])
            told, steps = planned["told"], planned["parts"].pop("steps")
            # What is told is of all steps; nobody knows before which run will stop early.
            of_those = told - planned["parts"]["training"] * (1 - took["steps"] / steps)
            ratio = of_those / took["whole"]
            told_well &= 1 / ALLOWED <= ratio <= ALLOWED
            parts = ", ".join(f"{name} {told:.1f} and {took[name]:.1f}" for name, told in planned["parts"].items())
            print(
                f"{case}: told {told:.1f} s for {steps:.0f} steps, that is {of_those:.1f} for the {took['steps']:.0f} "
                f"that it made, took {took['whole']:.1f} ({ratio:.2f}x; {parts})",
                flush=True,
            )
    if any(case != "fixed" for case in cases):
        print(f"told within {ALLOWED}x: {told_well}")
    if "fixed" in cases:
        print(f"a later run's fixed cost within {FIXED_GOAL:.0f} CPU s: {fixed_well}")
    return 0 if told_well and fixed_well else 1


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
