"""What an adapter forgets, with and without the base's own answers among its rows (`replay`).

    OMP_NUM_THREADS=1 python tests/bench/bench_forgetting.py --base FOLDER [--task topic] [--rows 160] [--passes 4]
        [--replay 100] [--scored 100] [--seeds 1] [--json FILE]

Trained twice on the same rows of the task's sample for the same passes over them, on other rows scored. Forgotten is
what the 80 questions of the general set lose against the base (`evaluation/general.py`), learnt what the task's own
rows gain. With replay a training has more steps, since its passes have more rows: what that costs is told, too.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from lora_hub import runs  # noqa: E402
from lora_hub.answering import loading  # noqa: E402
from lora_hub.answering.stack import AdapterStack  # noqa: E402
from lora_hub.catalogue import bases  # noqa: E402
from lora_hub.catalogue.tasks.catalogue import get_task, sample_file  # noqa: E402
from lora_hub.core.schema import BASE  # noqa: E402
from lora_hub.data.prompts import prepare  # noqa: E402
from lora_hub.evaluation import exam, general  # noqa: E402
from lora_hub.runs import (
    replay,
    run_data,  # noqa: E402
)
from lora_hub.training import alone  # noqa: E402


def measure(
    base_name: str, task_name: str, *, rows: int, replayed: int, scored: int, seed: int, passes: float
) -> list[dict[str, Any]]:
    """For the base, without and with replay: {who, task, low, high, general, difference, low, high, steps, seconds} in
    per cent, points and CPU seconds."""
    base, task = bases.get_base(base_name), get_task(task_name)
    tokenizer, model = loading.load_tokenizer(base), loading.load_base(base)
    asked = {"patience": 0, "epochs": passes, "evaluations": 2, "seed": seed, "held_out": 0.5, "even_labels": "off"}
    spec = runs.plan_run(sample_file(task), task, base, overrides=asked).spec
    frozen, split, _notes = run_data.read_split(spec)
    test = split.test[:scored]
    train = prepare.encode_examples(tokenizer, frozen, split.train[:rows], spec.max_length)
    validation = prepare.encode_examples(tokenizer, frozen, split.validation[:24], spec.max_length)
    began = time.process_time()
    own = replay.own_answers(model, tokenizer, base, replayed)
    asking = time.process_time() - began
    told = []
    for who, rows_in in (("without", train), ("with", replay.with_replay(train, own))):
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            trained = alone.train_adapter(
                spec, model, tokenizer, rows_in, validation, Path(folder), report=lambda *_, **__: None
            )
            seconds = time.process_time() - began
            stack = AdapterStack(model, base)
            stack.attach(trained.folder, who)
            if not told:
                score = _score(stack, tokenizer, frozen, test, BASE)
                told.append({"who": "base", "task": score.value, "task_low": score.low, "task_high": score.high})
            score = _score(stack, tokenizer, frozen, test, who)
            found = general.measure_forgotten(stack, tokenizer, who)
            stack.close()
        told.append(
            {
                "who": who,
                "seed": seed,
                "task": score.value,
                "task_low": score.low,
                "task_high": score.high,
                "base_general": found.base,
                "general": found.adapter,
                "difference": found.difference,
                "low": found.low,
                "high": found.high,
                "steps": trained.steps,
                "train_rows": len(train.rows),
                "scored": len(test),
                "seconds": round(seconds, 1),
                "asking": round(asking if who == "with" else 0.0, 1),
            }
        )
        print(told[-1], flush=True)
    return told


def _score(stack: Any, tokenizer: Any, task: Any, test: list[Any], who: str) -> Any:
    answers = exam.answer_examples(stack, tokenizer, task, test, who)
    return exam.score_answers(task, answers, test)[task.metrics[0]]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="built-in")
    parser.add_argument("--task", default="topic")
    parser.add_argument("--rows", type=int, default=160)
    parser.add_argument("--passes", type=float, default=4)
    parser.add_argument("--replay", type=int, default=100)
    parser.add_argument("--scored", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    found = []
    for seed in range(options.seeds):
        found += measure(
            options.base,
            options.task,
            rows=options.rows,
            replayed=options.replay,
            scored=options.scored,
            seed=seed,
            passes=options.passes,
        )
    for one in found:
        print(f"{one['who']:8} task {one['task']:.1f} ({one['task_low']:.1f} to {one['task_high']:.1f})", end="")
        if "general" in one:
            lost = f"{one['difference']:+.1f}, {one['low']:+.1f} to {one['high']:+.1f}"
            taken = one["seconds"] + one["asking"]
            print(f", general {one['general']:.1f} (base {one['base_general']:.1f}; {lost})", end="")
            print(f", {one['steps']} steps, {taken:.0f} s", end="")
        print()
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
