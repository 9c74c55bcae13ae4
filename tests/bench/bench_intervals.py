"""How often a test set is wrong about how sure it is, by simulation: "better" said of adapters that are alike, and true
values outside of their 95 % intervals. numpy only: no model is asked.

    python tests/bench/bench_intervals.py [--draws 400]

Adapters answer rows of unlike difficulty, each with luck of its own; of "identical" ones the chances are the same, so
that every "better" among their pairs is false. Clusters: rows come in tens that are nearly the same and are answered
alike. False "better" is counted per test set (any of its pairs), coverage per interval. Exits with 1 where more than
5 % of test sets say a false "better" (and three standard errors of the simulation), or a coverage is outside of 93 to
97 % by more than those.
"""

import argparse
import sys
from itertools import combinations
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from lora_hub.evaluation import metrics  # noqa: E402
from lora_hub.evaluation.pairs import compare_pairs  # noqa: E402

LABELS = ("ham", "spam")


def draw(rng: np.random.Generator, rows: int, chances: list[float], tens: bool) -> tuple[dict, list[str], np.ndarray]:
    """(answers by adapter, right answers, clusters) of one test set. chances: of each adapter, to be right on a mean
    row. Difficulty moves all of them by up to 0.2, so that they are right and wrong on the same rows more often than by
    chance."""
    size = 10 if tens else 1
    groups = -(-rows // size)
    clusters = np.repeat(np.arange(groups), size)[:rows]
    right = rng.integers(0, 2, groups)[clusters]
    hardness = rng.uniform(-0.2, 0.2, groups)
    answers = {}
    for number, chance in enumerate(chances):
        hit = rng.random(groups) < np.clip(chance + hardness, 0, 1)
        said = np.where(hit[clusters], right, 1 - right)
        answers[f"v{number + 1}"] = [LABELS[one] for one in said]
    return answers, [LABELS[one] for one in right], clusters


def false_better(rng: np.random.Generator, rows: int, adapters: int, tens: bool, draws: int) -> float:
    """Share of test sets that call one of identical adapters better than another."""
    wrong = 0
    for _ in range(draws):
        answers, right, clusters = draw(rng, rows, [0.75] * adapters, tens)
        found = compare_pairs("accuracy", answers, right, clusters=clusters if tens else None)
        wrong += any(one.verdict in ("better", "worse") for one in found.values())
    return wrong / draws


def coverage(rng: np.random.Generator, rows: int, tens: bool, draws: int) -> tuple[float, float]:
    """Shares of intervals that hold the truth: of accuracies, and of differences of two adapters (without a correction
    for several pairs, which only widens them)."""
    chances, held, pairs, total = [0.6, 0.7, 0.78], 0, 0, 0
    for _ in range(draws):
        answers, right, clusters = draw(rng, rows, chances, tens)
        clusters = clusters if tens else None
        for chance, said in zip(chances, answers.values(), strict=True):
            score = metrics.score_metrics(["accuracy"], said, right, clusters=clusters)["accuracy"]
            held += score.low <= 100 * chance <= score.high
        for (a, of_a), (b, of_b) in combinations(zip(chances, answers.values(), strict=True), 2):
            found = metrics.compare_answers("accuracy", of_b, of_a, right, clusters=clusters)
            pairs += found.low <= 100 * (b - a) <= found.high
        total += len(chances)
    return held / total, pairs / total


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=400)
    draws = parser.parse_args().draws
    rng, missed = np.random.default_rng(0), False
    print("false 'better' among identical adapters, share of test sets (at most 5 %)")
    room = 3 * (0.05 * 0.95 / draws) ** 0.5
    for tens in (False, True):
        for rows in (50, 200, 500):
            for adapters in (2, 5, 9):
                found = false_better(rng, rows, adapters, tens, draws)
                missed |= found > 0.05 + room
                kind = "clusters of 10" if tens else "rows"
                print(f"  {rows:4d} {kind:14s} {adapters} adapters: {100 * found:4.1f} %")
    print("coverage of 95 % intervals (93 to 97 %)")
    for tens in (False, True):
        means = []
        for rows in (50, 200, 500):
            found = coverage(rng, rows, tens, draws)
            means.append(found)
            kind = "clusters of 10" if tens else "rows"
            print(f"  {rows:4d} {kind:14s} accuracies {100 * found[0]:4.1f} %, differences {100 * found[1]:4.1f} %")
        for part, name in enumerate(("accuracies", "differences")):
            mean = float(np.mean([one[part] for one in means]))
            missed |= not 0.93 - room <= mean <= 0.97 + room
            print(f"       mean of {name}: {100 * mean:4.1f} %")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
