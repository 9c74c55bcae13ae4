"""What the built-in samples and real datasets reach with defaults: `python tests/bench/bench_goals.py [NAME ...]`

Each row is one `python -m lora_hub train ... --json`, nothing tuned. Real data is taken from ../shared/data where it is
there. Seconds are whole runs as the command reports them: start, training, both exams.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "lora_hub" / "tasks" / "samples"
SHARED = ROOT.parent / "shared" / "data"

# name: (file, task, metric, goal, most the base may have, most seconds, further arguments)
GOALS = {
    "spam sample": (SAMPLES / "spam.csv", "spam", "accuracy", 90, 60, 60, []),
    "Persian sentiment sample": (SAMPLES / "sentiment-fa.csv", "sentiment", "accuracy", 85, 100, 300, []),
    "translation sample": (SAMPLES / "translation-en-fa.csv", "translation", "chrf", 50, 15, 300, []),
    "question answering sample": (SAMPLES / "question-answering.jsonl", "question-answering", "exact_match", 60, 100, 300, []),
    "SMS spam": (SHARED / "spam/spam.csv", "spam", "balanced_accuracy", 93, 100, 180, []),
    "SMS spam, TinyStories-656K": (
        SHARED / "spam/spam.csv", "spam", "balanced_accuracy", 92, 100, 600, ["--base", str(SHARED / "models/TinyStories-656K")],
    ),
    "SST-2": (
        SHARED / "classification/sst2/sst2_train.tsv", "sentiment", "accuracy", 62, 100, 360,
        ["--test", str(SHARED / "classification/sst2/sst2_dev.tsv")],
    ),
}  # fmt: skip


def measure(name: str, home: str) -> bool:
    file, task, metric, goal, base_most, seconds_most, further = GOALS[name]
    if not file.exists():
        print(f"{name:28} not here: {file.name}")
        return True
    done = subprocess.run(
        [sys.executable, "-m", "lora_hub", "train", str(file), "--task", task, "--json", *further],
        cwd=ROOT, env={**os.environ, "LORA_HUB_HOME": home}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    if done.returncode:
        print(f"{name:28} failed: {told['error']['message']}")
        return False
    base, adapter = told["metrics"]["base"][metric], told["metrics"]["adapter"][metric]
    met = adapter["value"] >= goal and base["value"] <= base_most and told["seconds"] <= seconds_most
    print(
        f"{name:28} {metric:18} base {base['value']:5.1f}  adapter {adapter['value']:5.1f} ({adapter['low']:.1f} to {adapter['high']:.1f})  "
        f"goal {goal}  {told['seconds']:6.1f} s of {seconds_most}  {told['train_rows']} + {told['eval_rows']} rows  {'met' if met else 'NOT MET'}",
        flush=True,
    )
    return met


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        return 0 if all([measure(name, home) for name in (sys.argv[1:] or GOALS)]) else 1


if __name__ == "__main__":
    sys.exit(main())
