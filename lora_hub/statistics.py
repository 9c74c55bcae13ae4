"""How sure a number is: intervals of scores, and paired tests of two models on the same rows. Knows no texts.

    score_interval(table, value, weights)      95 % interval of a metric of the rows, as wide as few rows make it
    compare(metric, ours, theirs, ...)         a PairedComparison: who is better, or whether it can be chance
    describe(comparison)                       the same in a sentence that names the rows

Rows that are nearly the same are not independent: `clusters` numbers each row's cluster, and all that is said here counts
clusters where there are any (without them, each row is one).

Intervals are Wilson's score interval (Wilson 1927) with an effective number of rows: the rows divided by the design effect,
as surveys do it (Korn and Graubard 1998; Dean and Pagano 2015). For a share of independent rows that is Wilson's interval
itself. For any other metric of 0 to 100 per cent, and for clustered rows, the design effect is the variance of the metric
by its linearisation (infinitesimal jackknife, Jaeckel 1972) against that of a share; it is never estimated from the rows
alone, since rows that all score alike show no variance at all (`UNSEEN`).

Tests are exact or permutation tests of the paired rows: for right and wrong the exact McNemar test (of clusters: the exact
sign-flip test of the clusters' sums, which is McNemar's where each cluster is one row), else approximate randomization
(Noreen 1989): the two models' answers to a cluster are exchanged at random.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from lora_hub.schema import PairedComparison, Score, Scores, Text2

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
Z = NormalDist().inv_cdf(1 - ALPHA / 2)
# Weight, in rows that are wholly wrong where the others are right, of what the rows have not shown but may hold.
UNSEEN = 0.1
# Permutations drawn where there are too many to try them all, and how many rows differ where all are tried.
DRAWS = 9_999
EXHAUSTIVE = 13
# More clusters than this are exchanged in so many random groups: as valid, and time and memory stay bounded.
MOST_BLOCKS = 2_000
CHUNK = 500_000  # numbers in memory at once, for permutations and derivatives

# How the base is asked, by the keys of a run's metrics.
BASE_WAYS = ("base", "base_examples")

EXACT_MCNEMAR = "exact McNemar"
EXACT_SIGNS = "exact sign flips of clusters"
PERMUTATION = "paired permutation"


@dataclass(frozen=True)
class RowTable:
    """Statistics of rows whose sums a metric is a function of, floats of shape (rows, columns).

    values: (rows, width). index: None where width = columns; else the column of each value, ints of the same shape, for
    tables that are mostly zeros (a class of 200 takes three numbers a row, and not 600).
    """

    values: Any
    columns: int
    index: Any = None

    @property
    def rows(self) -> int:
        return len(self.values)

    def total(self) -> Any:
        """Sums over all rows, (columns,)."""
        return self.grouped(None, 1)[0]

    def dot(self, direction: Any) -> Any:
        """The rows times a vector of (columns,): (rows,)."""
        return self.values @ direction if self.index is None else (self.values * direction[self.index]).sum(axis=1)

    def grouped(self, groups: Any, count: int) -> Any:
        """Sums over the rows of each group, (count, columns). groups: ints (rows,); None: all rows are group 0."""
        import numpy as np

        if groups is None:
            groups = np.zeros(self.rows, dtype=np.int64)
        width = self.values.shape[1]
        index = np.arange(width)[None, :] if self.index is None else self.index
        places = groups[:, None] * self.columns + index
        sums = np.bincount(places.ravel(), weights=self.values.ravel(), minlength=count * self.columns)
        return sums.reshape(count, self.columns)


Value = Callable[[Any], Any]
"""Sums of shape (draws, columns) -> the metric in per cent, shape (draws,)."""


def wilson(share: Any, rows: Any) -> tuple[Any, Any]:
    """Wilson's 95 % score interval of a share (0 to 1) of `rows` rows (any positive number; arrays of both, too)."""
    import numpy as np

    square = Z * Z
    centre = (share + square / (2 * rows)) / (1 + square / rows)
    half = Z * np.sqrt(share * (1 - share) / rows + square / (4 * rows * rows)) / (1 + square / rows)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def score_interval(table: RowTable, value: Value, weights: Any = None, clusters: Any = None) -> Score:
    """A metric over the rows of a table, in per cent, with its 95 % interval.

    weights: what each row weighs in the metric (a row of a rare class weighs more in balanced accuracy), any positive scale,
    (rows,); None: all alike. Raises ValueError where there are no rows.
    """
    import numpy as np

    rows = table.rows
    if not rows:
        raise ValueError("no rows to score")
    total = table.total()
    percent = float(value(total[None])[0])
    share = min(max(percent / 100, 0.0), 1.0)
    weights = np.ones(rows) if weights is None else np.asarray(weights, dtype=np.float64)
    independent = _effective(_cluster_sums(weights, clusters))
    spread = float((_cluster_sums(_influence(table, value, total), clusters) ** 2).sum())
    low, high = wilson(share, rows / _design_effect(spread, share, rows, independent))
    # Rounding alone could leave the value outside.
    return Score(value=percent, low=min(100 * float(low), percent), high=max(100 * float(high), percent), rows=rows)


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
    """Ours against theirs on the same rows. scores: each row's own score by both, two arrays of (rows,), which say for how
    many rows it became better or worse. A metric that is the mean of right (1) and wrong (0) is tested exactly; `value` of
    such a table is 100 times its first column's sum over its second's. Raises ValueError where the rows differ in number."""
    import numpy as np

    if ours.rows != theirs.rows or not ours.rows:
        raise ValueError(f"{ours.rows} rows against {theirs.rows}")
    mine, other = (np.asarray(each, dtype=np.float64) for each in scores)
    change = np.where(np.abs(mine - other) > 1e-9, mine - other, 0.0)
    percent = [float(value(table.total()[None])[0]) for table in (ours, theirs)]
    difference = percent[0] - percent[1]
    number = _numbered(clusters, ours.rows)
    count = int(number.max()) + 1
    if _is_share(ours, mine) and _is_share(theirs, other):
        p = sign_flip_p(_cluster_sums(change, number))
        test = EXACT_MCNEMAR if count == ours.rows else EXACT_SIGNS
        half = _half_of_shares(change, number)
    else:
        p = permutation_p(ours.grouped(number, count), theirs.grouped(number, count), value, seed=seed, draws=draws)
        test = PERMUTATION
        half = _half_of_values(_influence(ours, value) - _influence(theirs, value), number)
    low, high = _agreeing(difference, 100 * half, p)
    better, worse = int((change > 0).sum()), int((change < 0).sum())
    told = "better" if difference > 0 else "worse"
    verdict = "same" if not better + worse else told if p < ALPHA else "chance"
    return PairedComparison(
        metric=metric, against=against, rows=ours.rows, clusters=count, changed=better + worse, better=better, worse=worse,
        base=percent[1], adapter=percent[0], difference=difference, low=low, high=high, p=p, test=test, verdict=verdict,
    )  # fmt: skip


def mcnemar(better: int, worse: int) -> float:
    """Two-sided p of the exact McNemar test: so uneven a split of the rows that changed, if either side were as likely."""
    import numpy as np

    return sign_flip_p(np.repeat([1.0, -1.0], [better, worse]))


def sign_flip_p(sums: Any) -> float:
    """Two-sided p of the exact sign-flip test: `sums` are whole numbers, one a cluster, each of which could as well have had
    the other sign if the two models were alike. With sums of 1 and -1 this is the exact McNemar test.

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
    changed places at random. ours, theirs: the clusters' sums, (clusters, columns). Few clusters that differ are exchanged
    in every way there is; more in `draws` ways, seeded. The p of draws is never 0 (Phipson and Smyth 2010)."""
    import numpy as np

    generator = np.random.default_rng(seed)
    middle = (ours.sum(axis=0) + theirs.sum(axis=0)) / 2
    halves = (ours - theirs) / 2
    halves = halves[np.abs(halves).max(axis=1) > 1e-12]
    if not len(halves):
        return 1.0
    if len(halves) > MOST_BLOCKS:
        blocks = generator.permutation(len(halves)) % MOST_BLOCKS
        gathered = np.zeros((MOST_BLOCKS, halves.shape[1]))
        np.add.at(gathered, blocks, halves)
        halves = gathered

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


def adjust_for_several(found: list[PairedComparison]) -> list[PairedComparison]:
    """Comparisons that are made side by side: each p times the number of those not yet decided, the smallest first, so that
    one false "better" among all of them stays as rare as it is for one (Holm 1979)."""
    adjusted, largest = list(found), 0.0
    for rank, place in enumerate(sorted(range(len(found)), key=lambda place: found[place].p)):
        one = found[place]
        largest = max(largest, min(1.0, one.p * (len(found) - rank)))
        changes: dict[str, Any] = {"p": largest}
        if one.verdict in ("better", "worse") and largest >= ALPHA:
            changes |= {"verdict": "chance", "low": min(one.low, 0.0), "high": max(one.high, 0.0)}
        adjusted[place] = one.model_copy(update=changes)
    return adjusted


def stronger_base(metrics: dict[str, Scores], metric: str) -> str:
    """Whom an adapter has to beat: of the ways in which the base was asked ("base": as it is, "base_examples": with examples
    in its prompt), the one that scored higher; the plain one where they tie."""
    asked = [who for who in BASE_WAYS if metric in metrics.get(who, {})]
    if not asked:
        raise ValueError(f"the base has no {metric}")
    return max(asked, key=lambda who: metrics[who][metric].value)


def describe(found: PairedComparison) -> Text2:
    """What the test found, in a sentence that names the rows; the metric and its values are said beside it."""
    rows, rows_fa = _rows(found.rows), f"{found.rows:,} سطر"
    if not found.changed:
        en, fa = f"None of the {rows} changed", f"هیچ‌یک از {rows_fa} تغییر نکرد"
        if found.rows == 1:
            en, fa = "The one row did not change", "تنها سطر آزمون تغییر نکرد"
    else:
        en, fa = f"{found.changed:,} of {rows} changed, ", f"از {rows_fa}، {found.changed:,} سطر تغییر کرد، "
        whole = "all " if found.changed > 1 else ""
        whole_fa = "همه " if found.changed > 1 else ""
        if not found.worse:
            en, fa = f"{en}{whole}for the better", f"{fa}{whole_fa}به سوی بهتر"
        elif not found.better:
            en, fa = f"{en}{whole}for the worse", f"{fa}{whole_fa}به سوی بدتر"
        else:
            en = f"{en}{found.better:,} for the better and {found.worse:,} for the worse"
            fa = f"{fa}{found.better:,} سطر به سوی بهتر و {found.worse:,} سطر به سوی بدتر"
    if found.verdict in ("better", "worse"):
        return Text2(en=f"{en}; that is beyond what chance explains.", fa=f"{fa}؛ این از نظر آماری معنادار است.")
    if found.verdict == "same":
        return Text2(en=f"{en}.", fa=f"{fa}.")
    unlike, unlike_fa = "", ""
    if found.clusters < found.rows:
        unlike, unlike_fa = f" ({found.clusters:,} of them different from each other)", f" (که {found.clusters:,} سطر آن با هم فرق دارد)"
    return Text2(en=f"{en}; with {rows}{unlike} that can be chance.", fa=f"{fa}؛ با {rows_fa}{unlike_fa} این می‌تواند تصادفی باشد.")


def _rows(count: int) -> str:
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def _numbered(clusters: Any, rows: int) -> Any:
    """Clusters as 0, 1, ...; each row its own where none are given."""
    import numpy as np

    if clusters is None:
        return np.arange(rows)
    if len(clusters) != rows:
        raise ValueError(f"{len(clusters)} cluster numbers for {rows} rows")
    return np.unique(np.asarray(clusters), return_inverse=True)[1]


def _cluster_sums(values: Any, clusters: Any) -> Any:
    import numpy as np

    return values if clusters is None else np.bincount(_numbered(clusters, len(values)), weights=values)


def _effective(weights: Any) -> float:
    """Independent units that unequal weights are worth (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def _influence(table: RowTable, value: Value, total: Any = None) -> Any:
    """What each row adds to the metric, as a share, times the number of rows: deviations from the metric's value, of mean 0.
    For a share these are (right or wrong) - share."""
    import numpy as np

    total = table.total() if total is None else total
    gradient = np.zeros(table.columns)
    # A column without a sum has no row that could move it.
    columns = np.flatnonzero(total)
    step = max(1, CHUNK // table.columns)
    for start in range(0, len(columns), step):
        part = columns[start : start + step]
        moves = np.zeros((len(part), table.columns))
        sizes = 1e-4 * total[part]
        moves[np.arange(len(part)), part] = sizes
        gradient[part] = (value(total + moves) - value(total - moves)) / (2 * sizes)
    return table.rows * table.dot(gradient) / 100


def _design_effect(spread: float, share: float, rows: int, independent: float) -> float:
    """How many rows are worth as much as one independent row of a share. spread: sum of the clusters' squared influences.
    independent: units that the clusters would be worth if all rows of each were right or wrong together."""
    whole = rows / independent  # the design effect where each cluster is wholly right or wholly wrong
    binomial = rows * share * (1 - share)
    # A share's variance follows from the share; any other's is estimated too, which few rows do badly: Student's t.
    known = min(1.0, spread / (whole * binomial)) if binomial > 0 else 1.0
    wider = 1 + (1 - known) * (_student(independent - 1) ** 2 - 1)
    spread = max(spread, min(spread * wider, whole * binomial))
    return (spread + UNSEEN * whole) / (binomial + UNSEEN)


def _student(degrees: float) -> float:
    """Quantile of Student's t against the normal one, with the variance's own correction for `degrees` + 1 units: what an
    estimated standard error is to be multiplied by (Abramowitz and Stegun 26.7.5)."""
    n, z = max(degrees, 0.5), Z
    quantile = (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )
    return quantile / z * math.sqrt((n + 1) / n)


def _is_share(table: RowTable, scores: Any) -> bool:
    """Whether the metric is the mean of right and wrong: two columns, (right, 1)."""
    import numpy as np

    if table.columns != 2 or table.index is not None:
        return False
    return bool(np.isin(scores, (0.0, 1.0)).all() and (table.values[:, 0] == scores).all() and (table.values[:, 1] == 1).all())


def _half_of_shares(change: Any, clusters: Any) -> float:
    """Half the 95 % interval of a difference of paired shares: the adjusted Wald interval of Bonett and Price (2012), which
    has width without any change, with the clusters' design effect."""
    import numpy as np

    rows, square = len(change), float((change**2).sum())
    whole = rows / _effective(_cluster_sums(np.ones(rows), clusters))
    effect = max(1.0, (float((_cluster_sums(change, clusters) ** 2).sum()) + UNSEEN * whole) / (square + UNSEEN))
    worth = rows / effect + 2
    mean = float(change.sum()) / effect / worth
    return Z * math.sqrt(max((square / effect + 2) / worth - mean**2, 0.0) / worth)


def _half_of_values(influence: Any, clusters: Any) -> float:
    """Half the 95 % interval of a difference of any metric, from the rows' influences on it."""
    sums = _cluster_sums(influence, clusters)
    spread = float((sums**2).sum()) * _student(len(sums) - 1) ** 2
    return Z * math.sqrt(spread + UNSEEN * len(influence) / len(sums)) / len(influence)


def _agreeing(difference: float, half: float, p: float) -> tuple[float, float]:
    """The interval says what the test says: it leaves out 0 exactly where p < 0.05."""
    low, high = max(-100.0, difference - half), min(100.0, difference + half)
    if p >= ALPHA:
        return min(low, 0.0), max(high, 0.0)
    return (max(low, 0.0), high) if difference > 0 else (low, min(high, 0.0))
