"""Composing from few examples: how often a sum is offered where there is a better one, and where there is none.

    python tests/bench/bench_compose.py [REPEATS] [BASE]

Four adapters with random weights on the base (default: built-in). Right answers are those of a planted sum of two of
them ("a sum"), of one of them ("one adapter": no sum is better), or drawn ("noise"). Weights are found from 10, 20 and
50 examples and judged on 300 other rows. An offer in the last two cases is a false one.
"""

import random
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

from lora_hub.catalogue import bases  # noqa: E402
from lora_hub.compare.composing.composed import compose  # noqa: E402
from lora_hub.compare.composing.splitting import halves_of  # noqa: E402
from lora_hub.compare.composing.summing import save_sum  # noqa: E402
from lora_hub.compare.loaded_bases import LoadedBases  # noqa: E402
from lora_hub.compare.panes import Pane  # noqa: E402
from lora_hub.data.prompts.prepare import Example  # noqa: E402
from lora_hub.evaluation import exam  # noqa: E402

ADAPTERS, JUDGED, COUNTS = 4, 300, (10, 20, 50)


def answers_of(loaded: LoadedBases, pane: Pane, texts: list[str]) -> list[str]:
    asked = [Example(n, {"text": text}, pane.task.labels[0]) for n, text in enumerate(texts)]
    with loaded.hold([pane]) as (one, (name,)):
        return [a.text for a in exam.answer_examples(one.stack, one.tokenizer, pane.task, asked, name)]


def main() -> None:
    import planted

    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    base = bases.get_base(sys.argv[2] if len(sys.argv) > 2 else bases.BUILT_IN)
    task, loaded = planted.task_of(), LoadedBases()
    print(f"{'case':12} {'examples':>8} {'offered':>9} {'sum':>6} {'single':>6} {'base':>6} {'seconds':>8}")
    with tempfile.TemporaryDirectory() as kept:
        folders = [Path(kept) / str(n) for n in range(ADAPTERS)]
        for n, folder in enumerate(folders):
            planted.save(folder, n + 1)
        panes = [Pane(folder.name, base, task=task, folder=folder) for folder in folders]
        for case in ("a sum", "one adapter", "noise"):
            for count in COUNTS:
                told: list[tuple[bool, float, float, float, float]] = []
                for seed in range(repeats):
                    drawn = random.Random(f"{case} {count} {seed}")
                    texts = drawn.sample(planted.texts(2000), count + JUDGED)
                    first, second = drawn.sample(folders, 2)
                    made = Path(kept) / f"{case} {count} {seed}"
                    save_sum({first: 0.9, second: 0.9} if case == "a sum" else {first: 1.0}, made)
                    right = answers_of(loaded, Pane("planted", base, task=task, folder=made), texts)
                    if case == "noise":
                        drawn.shuffle(right)
                    rows = [Example(n, {"text": text}, of) for n, (text, of) in enumerate(zip(texts, right))]
                    began = time.perf_counter()
                    found = compose(loaded, panes, task, halves_of(rows[:count], rows[count:]), made / "sum", seed=seed)
                    scores = {who: of["accuracy"].value for who, of in found.scores.items()}
                    told.append(
                        (
                            found.is_offered,
                            scores.get("adapter", scores["base"]),
                            found.singles[found.best]["accuracy"].value,
                            max(scores["base"], scores.get("base_examples", 0.0)),
                            time.perf_counter() - began,
                        )
                    )
                offered = sum(one[0] for one in told)
                means = [sum(column) / len(told) for column in list(zip(*told, strict=True))[1:]]
                print(
                    f"{case:12} {count:8} {offered:4} of {len(told):2} {means[0]:6.1f} {means[1]:6.1f} {means[2]:6.1f}"
                    f" {means[3]:8.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
