"""Finding settings against training once: CPU seconds of both, within one run.

    OMP_NUM_THREADS=1 python tests/bench/bench_sweep.py [--settings 8] [--rows 200] [--rounds 2] [--base built-in]
        [--task spam]

The sample's rows are trained with the default settings (patience off, so that all do all steps), once and as a sweep,
in turn. Counted is the training alone, its validations included: what comes before and after is the same
for both.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import transformers  # noqa: E402

from lora_hub import runs  # noqa: E402
from lora_hub.answering import loading  # noqa: E402
from lora_hub.catalogue import bases  # noqa: E402
from lora_hub.catalogue.tasks.catalogue import get_task, sample_file  # noqa: E402
from lora_hub.data.prompts import prepare  # noqa: E402
from lora_hub.runs import run_data  # noqa: E402
from lora_hub.training import alone, sweep  # noqa: E402


def measure(base_name: str, task_name: str, settings: int, rows: int, rounds: int) -> tuple[float, float]:
    """(seconds of one training, of the sweep): medians."""
    base, task = bases.get_base(base_name), get_task(task_name)
    tokenizer, model = loading.load_tokenizer(base), loading.load_base(base)
    spec = runs.plan_run(sample_file(task), task, base, overrides={"patience": 0}).spec
    frozen, split, _notes = run_data.read_split(spec)
    train, validation = (
        prepare.encode_examples(tokenizer, frozen, part[:rows], spec.max_length)
        for part in (split.train, split.validation)
    )

    def silent(*_: Any, **__: Any) -> None:
        pass

    def once(folder: Path) -> None:
        alone.train_adapter(spec, model, tokenizer, train, validation, folder, report=silent)

    def all_of_them(folder: Path) -> None:
        wide = spec.model_copy(update={"sweep": settings})
        sweep.train_sweep(wide, model, tokenizer, train, validation, folder, report=silent)

    taken: dict[Any, list[float]] = {once: [], all_of_them: []}
    for turn in range(rounds + 1):
        for way, seconds in taken.items():
            with tempfile.TemporaryDirectory() as folder:
                began = time.process_time()
                way(Path(folder))
                if turn:
                    seconds.append(time.process_time() - began)
    return statistics.median(taken[once]), statistics.median(taken[all_of_them])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", type=int, default=8)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--base", default="built-in")
    parser.add_argument("--task", default="spam")
    options = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    one, many = measure(options.base, options.task, options.settings, options.rows, options.rounds)
    print(
        f"{options.base}, {options.task}, {options.rows} rows: {options.settings} settings take {many / one:.2f}x of "
        f"one run (goal: <= 2x at 8; {many:.1f} s against {one:.1f} s of CPU)"
    )


if __name__ == "__main__":
    main()
