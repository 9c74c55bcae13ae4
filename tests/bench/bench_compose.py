"""Composing from few examples: how often a sum is offered where there is a better one, and where there is none.

    python tests/bench/bench_compose.py [REPEATS] [BASE]
    python tests/bench/bench_compose.py --trained DATA [REPEATS] [--only CASE...]

Four adapters with random weights on the base (default: built-in). Right answers are those of a planted sum of two of
them ("a sum"), of one of them ("one adapter": no sum is better), or drawn ("noise"). Weights are found from 10, 20 and
50 examples and judged on 300 other rows. An offer in the last two cases is a false one.

--trained: three adapters of the built-in base, trained here (--effort quick): English film reviews and Persian reviews
as positive or negative, and spam. "mixed": reviews in both languages; of tasks that none of them knows, "news": the
topic of news (AG News, 4 labels), and "intents": what bank customers ask about (Banking77, 6 of its intents). No row
that finds weights or judges was trained on. DATA: the folder of the real data sets.
"""

import argparse
import csv
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

from lora_hub.catalogue import bases  # noqa: E402
from lora_hub.catalogue.tasks import catalogue  # noqa: E402
from lora_hub.compare.composing.composed import compose  # noqa: E402
from lora_hub.compare.composing.splitting import Halves, halves_of  # noqa: E402
from lora_hub.compare.composing.summing import save_sum  # noqa: E402
from lora_hub.compare.loaded_bases import LoadedBases  # noqa: E402
from lora_hub.compare.panes import Pane  # noqa: E402
from lora_hub.core.schema import Task  # noqa: E402
from lora_hub.data.prompts.prepare import Example  # noqa: E402
from lora_hub.evaluation import exam  # noqa: E402

ADAPTERS, JUDGED, COUNTS = 4, 300, (10, 20, 50)
INTENTS = "card_arrival change_pin exchange_rate getting_spare_card lost_or_stolen_card transfer_timing".split()
HEAD = f"{'case':12} {'examples':>8} {'offered':>9} {'sum':>6} {'single':>6} {'base':>6} {'seconds':>8}"


def answers_of(loaded: LoadedBases, pane: Pane, texts: list[str]) -> list[str]:
    asked = [Example(n, {"text": text}, pane.task.labels[0]) for n, text in enumerate(texts)]
    with loaded.hold([pane]) as (one, (name,)):
        return [a.text for a in exam.answer_examples(one.stack, one.tokenizer, pane.task, asked, name)]


def trained_rows(data: Path) -> dict[str, list[tuple[str, str]]]:
    """(text, label) by task, in an order drawn with a seed."""

    def table(path: Path, delimiter: str = ",") -> list[list[str]]:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            return [row for row in csv.reader(file, delimiter=delimiter) if row][1:]

    english = [line.split("\t") for line in (data / "classification/sst2/sst2_train.tsv").read_text().splitlines()[1:]]
    positive = {"1": "positive", "0": "negative", "مثبت": "positive", "منفی": "negative"}
    samples = catalogue.sample_file(catalogue.get_task("spam")).parent
    found = {
        "en": [(text, positive[label]) for text, label in english],
        "fa": [(text, positive[label]) for text, label in table(samples / "sentiment-fa.csv")],
        "spam": [(text, label) for text, label in table(samples / "spam.csv")],
        "news": [(row[2], row[0]) for row in table(data / "difficult/agnews.csv.gz")],
        "intents": [
            (text, label) for text, label in table(data / "classification/banking77/train.csv") if label in INTENTS
        ],
    }
    for rows in found.values():
        random.Random(0).shuffle(rows)
    return found


def train(rows: list[tuple[str, str]], task: str, place: Path) -> Path:
    """The folder of an adapter that was trained on these rows."""
    with (place.with_suffix(".csv")).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    given = ["train", str(place.with_suffix(".csv")), "--task", task, "--effort", "quick", "--json"]
    made = subprocess.run(
        [sys.executable, "-m", "lora_hub", *given],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "LORA_HUB_HOME": str(place.parent / "home")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return place.parent / "home" / "runs" / json.loads(made.stdout)["run"] / "adapter"


def measure_trained(data: Path, repeats: int, only: Sequence[str] = ()) -> None:
    rows, base, loaded = trained_rows(data), bases.get_base(bases.BUILT_IN), LoadedBases()
    asked = {"mixed": ("sentiment", ("en", "fa")), "news": ("topic", ("news",)), "intents": ("intent", ("intents",))}
    with tempfile.TemporaryDirectory() as kept:
        panes = []
        for name, task in (("en", "sentiment"), ("fa", "sentiment"), ("spam", "spam")):
            folder = train(rows[name][:280], task, Path(kept) / name)
            panes.append(Pane(name, base, task=catalogue.get_task(task), folder=folder))
        print(HEAD)
        for case, (task_id, names) in asked.items():
            if only and case not in only:
                continue
            labels = sorted({label for name in names for _, label in rows[name]})
            task = catalogue.get_task(task_id).model_copy(update={"labels": tuple(labels)})
            for count in COUNTS:
                told = []
                for seed in range(repeats):
                    drawn = random.Random(f"{case} {count} {seed}")
                    left = [drawn.sample(of, min(len(of), 200)) for of in (rows[name][280:] for name in names)]
                    few = [one for of in left for one in of[: count // len(names)]]
                    others = [one for of in left for one in of[count // len(names) :]]
                    made = [Example(n, {"text": text}, label) for n, (text, label) in enumerate([*few, *others])]
                    halves = halves_of(made[: len(few)], made[len(few) :])
                    told.append(tell(loaded, panes, task, halves, Path(kept) / f"{case} {count} {seed}", seed))
                show(case, count, told)


def tell(
    loaded: LoadedBases, panes: list[Pane], task: Task, halves: Halves, made: Path, seed: int
) -> tuple[bool, float, float, float, float]:
    """(whether a sum was offered; scores of the sum, of the best adapter, of the base in its better way; seconds)."""
    began = time.perf_counter()
    found = compose(loaded, panes, task, halves, made, seed=seed)
    scores = {who: of["accuracy"].value for who, of in found.scores.items()}
    return (
        found.is_offered,
        scores.get("adapter", scores["base"]),
        found.singles[found.best]["accuracy"].value,
        max(scores["base"], scores.get("base_examples", 0.0)),
        time.perf_counter() - began,
    )


def show(case: str, count: int, told: list[tuple[bool, float, float, float, float]]) -> None:
    offered = sum(one[0] for one in told)
    means = [sum(column) / len(told) for column in list(zip(*told, strict=True))[1:]]
    print(
        f"{case:12} {count:8} {offered:4} of {len(told):2} {means[0]:6.1f} {means[1]:6.1f} {means[2]:6.1f}"
        f" {means[3]:8.1f}",
        flush=True,
    )


def main() -> None:
    if sys.argv[1:2] == ["--trained"]:
        more = argparse.ArgumentParser()
        more.add_argument("data", type=Path)
        more.add_argument("repeats", type=int, nargs="?", default=4)
        more.add_argument("--only", nargs="+", choices=("mixed", "news", "intents"), default=())
        given = more.parse_args(sys.argv[2:])
        measure_trained(given.data, given.repeats, given.only)
        return
    import planted

    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    base = bases.get_base(sys.argv[2] if len(sys.argv) > 2 else bases.BUILT_IN)
    task, loaded = planted.task_of(), LoadedBases()
    print(HEAD)
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
                    halves = halves_of(rows[:count], rows[count:])
                    told.append(tell(loaded, panes, task, halves, made / "sum", seed))
                show(case, count, told)


if __name__ == "__main__":
    main()
