"""How sure a number is, in one place: intervals of scores (intervals.py) and paired tests of two models on the same
rows.

    score_interval(table, value, weights)   95 % interval of a metric of the rows, as wide as few rows make it
    compare(metric, ours, theirs, ...)      a PairedComparison: who is better, or whether it can be chance; verdicts.py
                                            says it in words

Rows that are nearly the same are not independent: `clusters` numbers each row's cluster, and all that is said here
counts clusters where there are any (without them, each row is one).

Tests are exact or permutation tests of the paired rows: for right and wrong the exact McNemar test (of clusters: the
exact sign-flip test of the clusters' sums, which is McNemar's where each cluster is one row), else approximate
randomization (Noreen 1989): the two models' answers to a cluster are exchanged at random.
"""

import math
from typing import Any

from lora_hub.core.schema import PairedComparison
from lora_hub.evaluation.intervals import (
    ALPHA,
    CHUNK,
    UNSEEN,
    Classes,
    RowTable,
    Value,
    Z,
    cluster_sums,
    effective_units,
    influences,
    numbered,
    score_interval,
    student_factor,
    wilson,
)

__all__ = ["Classes", "RowTable", "compare", "score_interval", "wilson"]

# Permutations drawn where there are too many to try them all, and how many rows differ where all are tried.
DRAWS = 9_999
EXHAUSTIVE = 13
# More clusters than this are exchanged in so many random groups: as valid, and time and memory stay bounded.
MOST_BLOCKS = 2_000

EXACT_MCNEMAR = "exact McNemar"
EXACT_SIGNS = "exact sign flips of clusters"
PERMUTATION = "paired permutation"


def compare(
    metric: str,
    ours: RowTable,
    theirs: RowTable,
    value: Value,
    scores: tuple[Any, Any],
    *,
    clusters: Any = None,
    against: str = "base",
    seed: int = 0,
    draws: int = DRAWS,
) -> PairedComparison:
    """Ours against theirs on the same rows. scores: each row's own score by both, two arrays of (rows,), which say for
    how many rows it became better or worse. A metric that is the mean of right (1) and wrong (0) is tested exactly;
    `value` of such a table is 100 times its first column's sum over its second's. Raises ValueError where the rows
    differ in number."""
    import numpy as np

    if ours.rows != theirs.rows or not ours.rows:
        raise ValueError(f"{ours.rows} rows against {theirs.rows}")
    mine, other = (np.asarray(each, dtype=np.float64) for each in scores)
    change = np.where(np.abs(mine - other) > 1e-9, mine - other, 0.0)
    percent = [float(value(table.total()[None])[0]) for table in (ours, theirs)]
    difference = percent[0] - percent[1]
    number = numbered(clusters, ours.rows)
    count = int(number.max()) + 1
    if _is_share(ours, mine) and _is_share(theirs, other):
        p = sign_flip_p(cluster_sums(change, number))
        test = EXACT_MCNEMAR if count == ours.rows else EXACT_SIGNS
        half = _half_of_shares(change, number)
    else:
        p = permutation_p(*_exchanged(ours, theirs, number, seed), value, seed=seed, draws=draws)
        test = PERMUTATION
        half = _half_of_values(influences(ours, value, number) - influences(theirs, value, number), ours.rows)
    low, high = _agreeing(difference, 100 * half, p)
    better, worse = int((change > 0).sum()), int((change < 0).sum())
    told = "better" if difference > 0 else "worse"
    verdict = "same" if not better + worse else told if p < ALPHA else "chance"
    return PairedComparison(
        metric=metric,
        against=against,
        rows=ours.rows,
        clusters=count,
        changed=better + worse,
        better=better,
        worse=worse,
        base=percent[1],
        adapter=percent[0],
        difference=difference,
        low=low,
        high=high,
        p=p,
        test=test,
        verdict=verdict,
    )


def sign_flip_p(sums: Any) -> float:
    """Two-sided p of the exact sign-flip test: `sums` are whole numbers, one a cluster, each of which could as well
    have had the other sign if the two models were alike. With sums of 1 and -1 this is the exact McNemar test.

    The distribution of the sum of all is a product of cosines, turned back by one Fourier transform (exact to 1e-12).
    """
    import numpy as np

    sizes = np.abs(np.rint(sums)).astype(np.int64)
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return 1.0
    reach = int(sizes.sum())
    angles = 2 * np.pi * np.arange(2 * reach + 1) / (2 * reach + 1)
    distinct, counts = np.unique(sizes, return_counts=True)
    wave = np.ones(len(angles))
    for size, times in zip(distinct, counts, strict=True):
        wave *= np.cos(size * angles) ** int(times)
    chances = np.fft.ifft(wave).real
    seen = abs(int(np.rint(np.sum(sums))))
    # Index d is the sum d, index -d the sum -d.
    tail = float(chances[seen : reach + 1].sum()) * 2 if seen else 1.0
    return min(1.0, max(tail, 1e-12))


def permutation_p(ours: Any, theirs: Any, value: Value, *, seed: int = 0, draws: int = DRAWS) -> float:
    """Two-sided p of approximate randomization: so large a difference of the metric, if each cluster's two answers had
    changed places at random. ours, theirs: the clusters' sums, (clusters, columns). Few clusters that differ are
    exchanged in every way there is; more in `draws` ways, seeded. The p of draws is never 0 (Phipson and Smyth
    2010)."""
    import numpy as np

    generator = np.random.default_rng(seed)
    middle = (ours.sum(axis=0) + theirs.sum(axis=0)) / 2
    halves = (ours - theirs) / 2
    halves = halves[np.abs(halves).max(axis=1) > 1e-12]
    if not len(halves):
        return 1.0

    def differences(signs: Any) -> Any:
        moved = signs @ halves
        return np.abs(value(middle + moved) - value(middle - moved))

    seen = differences(np.ones((1, len(halves))))[0] - 1e-9
    if seen <= 0:
        return 1.0
    all_ways = len(halves) <= EXHAUSTIVE
    total = 2 ** (len(halves) - 1) if all_ways else draws
    step = max(1, CHUNK // max(halves.shape))
    hits = 0
    for start in range(0, total, step):
        size = min(step, total - start)
        if all_ways:  # of two opposite exchanges one is tried: the difference is the same
            signs = 1.0 - 2.0 * (np.arange(start, start + size)[:, None] >> np.arange(len(halves)) & 1)
        else:
            signs = 1.0 - 2.0 * generator.integers(0, 2, size=(size, len(halves)), dtype=np.int8)
        hits += int((differences(signs) >= seen).sum())
    return hits / total if all_ways else (hits + 1) / (draws + 1)


def _exchanged(ours: RowTable, theirs: RowTable, clusters: Any, seed: int) -> tuple[Any, Any]:
    """The two tables' sums over what is exchanged: each cluster with a row that differs, at most `MOST_BLOCKS` random
    groups of them; and before these all other rows in one. (groups, columns) each. clusters: numbered from 0."""
    import numpy as np

    differs = (ours.values != theirs.values).any(axis=1)
    if ours.index is not None:
        differs |= (ours.index != theirs.index).any(axis=1)
    moved = np.unique(clusters[differs])
    blocks = np.arange(len(moved))
    if len(moved) > MOST_BLOCKS:
        blocks = np.random.default_rng(seed).permutation(len(moved)) % MOST_BLOCKS
    group = np.zeros(int(clusters.max()) + 1, dtype=np.int64)
    group[moved] = 1 + blocks
    count = 1 + min(len(moved), MOST_BLOCKS)
    return ours.grouped(group[clusters], count), theirs.grouped(group[clusters], count)


def adjust_for_several(found: list[PairedComparison]) -> list[PairedComparison]:
    """Comparisons that are made side by side: each p times the number of those not yet decided, the smallest first, so
    that one false "better" among all of them stays as rare as it is for one (Holm 1979)."""
    adjusted, largest = list(found), 0.0
    for rank, place in enumerate(sorted(range(len(found)), key=lambda place: found[place].p)):
        one = found[place]
        largest = max(largest, min(1.0, one.p * (len(found) - rank)))
        changes: dict[str, Any] = {"p": largest}
        if one.verdict in ("better", "worse") and largest >= ALPHA:
            changes |= {"verdict": "chance", "low": min(one.low, 0.0), "high": max(one.high, 0.0)}
        adjusted[place] = one.model_copy(update=changes)
    return adjusted


def _is_share(table: RowTable, scores: Any) -> bool:
    """Whether the metric is the mean of right and wrong: two columns, (right, 1)."""
    import numpy as np

    if table.columns != 2 or table.index is not None:
        return False
    return bool(
        np.isin(scores, (0.0, 1.0)).all() and (table.values[:, 0] == scores).all() and (table.values[:, 1] == 1).all()
    )


def _half_of_shares(change: Any, clusters: Any) -> float:
    """Half the 95 % interval of a difference of paired shares: the adjusted Wald interval of Bonett and Price (2012),
    which has width without any change, with the clusters' design effect."""
    import numpy as np

    rows, square = len(change), float((change**2).sum())
    whole = rows / effective_units(cluster_sums(np.ones(rows), clusters))
    effect = max(1.0, (float((cluster_sums(change, clusters) ** 2).sum()) + UNSEEN * whole) / (square + UNSEEN))
    worth = rows / effect + 2
    mean = float(change.sum()) / effect / worth
    return Z * math.sqrt(max((square / effect + 2) / worth - mean**2, 0.0) / worth)


def _half_of_values(apart: Any, rows: int) -> float:
    """Half the 95 % interval of a difference of any metric. apart: how differently each cluster moves the two,
    (clusters,)."""
    spread = float((apart**2).sum()) * student_factor(len(apart) - 1) ** 2
    return Z * math.sqrt(spread + UNSEEN * rows / len(apart)) / rows


def _agreeing(difference: float, half: float, p: float) -> tuple[float, float]:
    """The interval says what the test says: it leaves out 0 exactly where p < 0.05."""
    low, high = max(-100.0, difference - half), min(100.0, difference + half)
    if p >= ALPHA:
        return min(low, 0.0), max(high, 0.0)
    return (max(low, 0.0), high) if difference > 0 else (low, min(high, 0.0))
