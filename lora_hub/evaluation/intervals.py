"""Intervals of scores: how sure a metric of few or many rows is. Knows no texts.

    score_interval(table, value, weights)      95 % interval of a metric of the rows, as wide as few rows make it

Intervals are Wilson's score interval (Wilson 1927) with an effective number of rows: the rows divided by the design
effect, as surveys do it (Korn and Graubard 1998; Dean and Pagano 2015). For a share of independent rows that is
Wilson's interval itself. For any other metric of 0 to 100 per cent, and for clustered rows, the design effect is the
variance of the metric (jackknife) against that of a share; it is never estimated from the rows alone, since rows that
all score alike show no variance at all (`UNSEEN`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from lora_hub.core.schema import Score

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
Z = NormalDist().inv_cdf(1 - ALPHA / 2)
# Weight, in rows that are wholly wrong where the others are right, of what the rows have not shown but may hold.
UNSEEN = 0.05
CHUNK = 500_000  # numbers in memory at once, for permutations and derivatives


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


@dataclass(frozen=True)
class Classes:
    """The rows of metrics that are means over classes. number: the class of each row, ints (rows,); right: 1 where it
    was found, else 0, floats (rows,)."""

    number: Any
    right: Any


Value = Callable[[Any], Any]
"""Sums of shape (draws, columns) -> the metric in per cent, shape (draws,)."""


def wilson(share: Any, rows: Any) -> tuple[Any, Any]:
    """Wilson's 95 % score interval of a share (0 to 1) of `rows` rows (any positive number; arrays of both, too)."""
    import numpy as np

    square = Z * Z
    centre = (share + square / (2 * rows)) / (1 + square / rows)
    half = Z * np.sqrt(share * (1 - share) / rows + square / (4 * rows * rows)) / (1 + square / rows)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def score_interval(
    table: RowTable, value: Value, weights: Any = None, clusters: Any = None, classes: Classes | None = None
) -> Score:
    """A metric over the rows of a table, in per cent, with its 95 % interval.

    weights: what each row weighs in the metric (a long reference has more n-grams than a short one), any positive
    scale, (rows,); None: all alike. classes: for metrics that are means over classes; a row then weighs as much as the
    rows of its class are few, and weights are not looked at. Raises ValueError where there are no rows.
    """
    import numpy as np

    rows = table.rows
    if not rows:
        raise ValueError("no rows to score")
    percent = float(value(table.total()[None])[0])
    share = min(max(percent / 100, 0.0), 1.0)
    spread = float((influences(table, value, clusters) ** 2).sum())
    if classes is None:
        weights = np.ones(rows) if weights is None else np.asarray(weights, dtype=np.float64)
        effect = _design_effect(spread, share, rows, effective_units(cluster_sums(weights, clusters)))
    else:
        effect = _design_effect_of_classes(
            spread, share, classes, rows / effective_units(cluster_sums(np.ones(rows), clusters))
        )
    low, high = wilson(share, rows / effect)
    # Rounding alone could leave the value outside.
    return Score(value=percent, low=min(100 * float(low), percent), high=max(100 * float(high), percent), rows=rows)


def _design_effect(spread: float, share: float, rows: int, independent: float) -> float:
    """How many rows are worth as much as one independent row of a share. spread: sum of the clusters' squared
    influences.
    independent: units that the clusters would be worth if all rows of each were right or wrong together."""
    whole = rows / independent  # the design effect where each cluster is wholly right or wholly wrong
    binomial = rows * share * (1 - share)
    # A share's variance follows from the share; any other's is estimated too, which few rows do badly: Student's t.
    known = min(1.0, spread / (whole * binomial)) if binomial > 0 else 1.0
    wider = 1 + (1 - known) * (student_factor(independent - 1) ** 2 - 1)
    spread = max(spread, min(spread * wider, whole * binomial))
    return (spread + UNSEEN * whole) / (binomial + UNSEEN)


def _design_effect_of_classes(spread: float, share: float, classes: Classes, clustered: float) -> float:
    """The same for a mean over classes, of which a rare one decides as much as a frequent one and is known from few
    rows: two of two right do not say that it is always right. Each class counts as if one more row of it had been right
    and one more wrong (Laplace). clustered: the design effect of the clusters alone where all rows of each are right or
    wrong together."""
    import numpy as np

    _, number = np.unique(classes.number, return_inverse=True)
    rows, right = np.bincount(number), np.bincount(number, weights=classes.right)
    recall, cautious = right / rows, (right + 1) / (rows + 2)
    hidden = rows * np.maximum(cautious * (1 - cautious) - recall * (1 - recall), 0)
    weights = len(number) / (len(rows) * rows)
    spread += clustered * float((weights**2 * hidden).sum())
    expected = min(max(share + float((cautious - recall).mean()), 0.0), 1.0)
    # A metric at its end with classes that are not (all said wrongly as one another) leaves nothing to divide by.
    return max(spread, 1e-9) / max(len(number) * expected * (1 - expected), 1e-9)


def student_factor(degrees: float) -> float:
    """Quantile of Student's t against the normal one, with the variance's own correction for `degrees` + 1 units: what
    an estimated standard error is to be multiplied by (Abramowitz and Stegun 26.7.5)."""
    n, z = max(degrees, 0.5), Z
    quantile = (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )
    return quantile / z * math.sqrt((n + 1) / n)


def numbered(clusters: Any, rows: int) -> Any:
    """Clusters as 0, 1, ...; each row its own where none are given."""
    import numpy as np

    if clusters is None:
        return np.arange(rows)
    if len(clusters) != rows:
        raise ValueError(f"{len(clusters)} cluster numbers for {rows} rows")
    return np.unique(np.asarray(clusters), return_inverse=True)[1]


def cluster_sums(values: Any, clusters: Any) -> Any:
    import numpy as np

    return values if clusters is None else np.bincount(numbered(clusters, len(values)), weights=values)


def effective_units(weights: Any) -> float:
    """Independent units that unequal weights are worth (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def influences(table: RowTable, value: Value, clusters: Any = None) -> Any:
    """What each cluster of rows (each row, where there are none) adds to the metric, as a share, times the number of
    rows: (clusters,), with a mean of about 0. For a share these are the sums of (right or wrong) - share.

    By leaving each cluster out (jackknife, Quenouille 1956, Tukey 1958), which also sees how a metric bends: BLEU of a
    few rows hangs on one or two of them. Tables of classes are too wide for that, and straight enough for the
    derivative.
    """
    import numpy as np

    if table.index is not None:
        return cluster_sums(_derivative(table, value), clusters)
    numbers = numbered(clusters, table.rows)
    count = int(numbers.max()) + 1
    total = table.total()
    if count == 1:
        return np.zeros(1)
    sums = table.values if count == table.rows else table.grouped(numbers, count)
    return (table.rows - np.bincount(numbers)) * (value(total[None]) - value(total - sums)) / 100


def _derivative(table: RowTable, value: Value) -> Any:
    """The same for each row by the metric's derivative (infinitesimal jackknife, Jaeckel 1972): (rows,)."""
    import numpy as np

    total = table.total()
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
