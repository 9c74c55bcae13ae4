"""The weights with which a sum of adapters is best, found without gradients: CMA-ES (`cma`; Hansen 2016, arXiv
1604.00772) on the loss of a few examples, with LoraHub's L1 penalty (Huang et al. 2023, arXiv 2307.13269).

    found = find_weights(loss, count=4, most=200)        found.weights; None where it was cancelled

The base alone, each adapter alone and all of them evenly are tried first, and the search starts at the best of these:
a sum is never worse on the examples that it is fitted on than what there is.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MOST_EVALUATIONS = 200
# A weight's bounds and the penalty on their mean size, LoraHub's own.
MOST_WEIGHT, PENALTY = 1.5, 0.05
SPREAD = 0.3  # the first steps' standard deviation
# A weight nearer to 0 is left out of the sum.
NEAR_ZERO = 0.02
# What is tried is what a recipe tells, so that the same sum comes out of it again.
DIGITS = 6


@dataclass(frozen=True)
class FoundWeights:
    """loss: with these weights, in nats, without the penalty. singles: with each adapter alone."""

    weights: tuple[float, ...]
    loss: float
    singles: tuple[float, ...]
    base: float
    evaluations: int


def find_weights(
    loss: Callable[[Sequence[float]], float],
    count: int,
    *,
    most: int = MOST_EVALUATIONS,
    seed: int = 0,
    told: Callable[[int], None] = lambda done: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> FoundWeights | None:
    """loss: mean loss of the examples' answers, in nats, for these weights. count: adapters, 2 or more. most:
    evaluations of it, beside those of the adapters alone. told: how many there were so far."""
    import numpy as np

    with warnings.catch_warnings():  # it says at its import that it cannot plot
        warnings.simplefilter("ignore")
        import cma

    tried: list[tuple[float, float, tuple[float, ...]]] = []  # penalized, as it is, weights

    def value(weights: Sequence[float]) -> float:
        sparse = tuple(0.0 if abs(one) < NEAR_ZERO else round(float(one), DIGITS) for one in weights)
        plain = loss(sparse)
        plain = plain if math.isfinite(plain) else 1e9
        tried.append((plain + PENALTY * sum(map(abs, sparse)) / count, plain, sparse))
        told(len(tried))
        return tried[-1][0]

    starts = [(0.0,) * count, *(tuple(float(i == j) for j in range(count)) for i in range(count)), (1 / count,) * count]
    for start in starts:
        if cancelled():
            return None
        value(start)
    base, *singles = [plain for _penalized, plain, _weights in tried[: count + 1]]
    first = min(tried)[2]
    search = cma.CMAEvolutionStrategy(
        list(first),
        SPREAD,
        {
            "bounds": [-MOST_WEIGHT, MOST_WEIGHT],
            "verbose": -9,
            # draws of its own: other threads draw from numpy's
            "seed": float("nan"),
            "randn": np.random.RandomState(seed).randn,
        },
    )
    while not search.stop() and len(tried) - len(starts) + search.popsize <= most:
        if cancelled():
            return None
        asked = search.ask()
        search.tell(asked, [value(one) for one in asked])
    _penalized, plain, weights = min(tried)
    return FoundWeights(weights, plain, tuple(singles), base, len(tried))


def weigh(loss: Callable[[Sequence[float]], float], weights: Sequence[float]) -> FoundWeights:
    """As `find_weights`, of weights that were found before."""
    count = len(weights)
    singles = tuple(loss([float(i == j) for j in range(count)]) for i in range(count))
    return FoundWeights(tuple(weights), loss(weights), singles, loss([0.0] * count), 0)
