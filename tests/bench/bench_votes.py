"""Intervals of strengths from votes: how often they leave out the truth at any moment of a growing number of votes, how
often two equal models are called different, and how many votes it takes to tell unequal ones apart. Beside it the same
for an interval that is looked at as if it had been planned for that moment (Wald's, 95 %).

    python tests/bench/bench_votes.py [--histories 400] [--votes 300]

Simulated: models of known strengths (nats), shown in pairs or all together in an order drawn anew, and a tie with the
given chance. Every history is looked at after each vote up to 50, and after every tenth later.
"""

import argparse
import math
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from lora_hub.compare.votes.strengths import ALPHA, difference_interval  # noqa: E402

Z = 1.959964
# Strengths, models shown at once, chance of a tie.
CASES = {
    "two equal": ((0.0, 0.0), 2, 0.0),
    "two equal, 30 % ties": ((0.0, 0.0), 2, 0.3),
    "two, 1 nat apart": ((0.0, 1.0), 2, 0.0),
    "four equal, in pairs": ((0.0,) * 4, 2, 0.1),
    "four equal, all shown": ((0.0,) * 4, 4, 0.1),
    "four unequal, all shown": ((0.0, 0.3, 0.6, 1.2), 4, 0.1),
}


def wald(mine: float, other: float) -> tuple[float, float]:
    """The interval of a difference from the normal distribution."""
    if not mine or not other:
        return -math.inf, math.inf
    middle, half = math.log(mine / other), Z * math.sqrt(1 / mine + 1 / other)
    return middle - half, middle + half


def vote(drawn: random.Random, theta: tuple[float, ...], shown: int, ties: float, got: list[list[float]]) -> None:
    """One more vote: got[i][j] is what i got where j was shown, too."""
    models = drawn.sample(range(len(theta)), shown)
    shares = [1 / shown] * shown
    if drawn.random() >= ties:
        (best,) = drawn.choices(range(shown), [math.exp(theta[model]) for model in models])
        shares = [float(place == best) for place in range(shown)]
    for place, one in enumerate(models):
        for other in models:
            if one != other:
                got[one][other] += shares[place]


def truth_of(theta: tuple[float, ...], shown: int, ties: float) -> list[list[float]]:
    """The differences that the shares have in the mean: ties draw them together. shown: two, or all of them."""

    def mean(one: int, other: int) -> float:
        inside = theta if shown == len(theta) else (theta[one], theta[other])
        return (1 - ties) * math.exp(theta[one]) / sum(map(math.exp, inside)) + ties / shown

    models = range(len(theta))
    return [[math.log(mean(one, other) / mean(other, one)) for other in models] for one in models]


def measure(name: str, histories: int, votes: int) -> dict[str, float]:
    """Shares of histories (0 to 1) in which an interval left out the truth, ever; and in which a pair was told apart at
    the end, with the votes that the median history took."""
    theta, shown, ties = CASES[name]
    count, drawn = len(theta), random.Random(name)
    pairs = [(one, other) for one in range(count) for other in range(one)]
    truth = truth_of(theta, shown, ties)
    missed, missed_wald, apart, took = 0, 0, 0, []
    for _history in range(histories):
        got = [[0.0] * count for _model in theta]
        is_missed, is_missed_wald, first_apart = False, False, 0
        for number in range(1, votes + 1):
            vote(drawn, theta, shown, ties, got)
            if number > 50 and number % 10:
                continue
            for one, other in pairs:
                both, true = (got[one][other], got[other][one]), truth[one][other]
                low, high = difference_interval(*both, ALPHA / len(pairs))
                is_missed |= not low <= true <= high
                if not first_apart and (low > 0 or high < 0):
                    first_apart = number
                low, high = wald(*both)
                is_missed_wald |= not low <= true <= high
        missed, missed_wald = missed + is_missed, missed_wald + is_missed_wald
        apart += bool(first_apart)
        took += [first_apart] if first_apart else []
    return {
        "missed": missed / histories,
        "missed_wald": missed_wald / histories,
        "apart": apart / histories,
        "median_votes": sorted(took)[len(took) // 2] if took else 0,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--histories", type=int, default=400)
    parser.add_argument("--votes", type=int, default=300)
    options = parser.parse_args()
    print(f"{options.histories} histories of {options.votes} votes; truth ever left out: ours (at most 5 %), Wald's")
    good = True
    for name in CASES:
        found = measure(name, options.histories, options.votes)
        # A share of 5 % may come out higher by chance.
        limit = 0.05 + 2 * math.sqrt(0.05 * 0.95 / options.histories)
        good &= found["missed"] <= limit
        print(
            f"{name:26} {100 * found['missed']:5.1f} %  {100 * found['missed_wald']:5.1f} %   some pair told apart: "
            f"{100 * found['apart']:5.1f} % of histories, the median after {found['median_votes']} votes"
        )
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
