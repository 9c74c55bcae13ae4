"""How far stated probabilities are from the share of right answers."""

from collections.abc import Sequence
from typing import Any

from lora_hub.core.schema import Score
from lora_hub.evaluation import statistics
from lora_hub.evaluation.intervals import ALPHA, cluster_sums, effective_units
from lora_hub.evaluation.statistics import RowTable

# Bins of equal width, as Guo et al. 2017.
BINS = 10
DRAWS = 2_000


def calibration_error(confidences: Sequence[float], right: Sequence[bool], clusters: Any = None) -> Score:
    """The expected calibration error in per cent (0: of the answers given with 80 %, 80 % are right; Guo et al. 2017):
    over ten bins of equal width, how far the mean confidence is from the share of right answers, weighted by rows. With
    its interval, whose lower end allows for what chance adds: shares of few rows are off, and an error is never below
    0, so that 12 rows of a perfectly calibrated model show an error of about 20.

    confidences: probability of the label that was chosen, 0 to 1. clusters: as metrics.score has them. Raises
    ValueError where there are no rows.
    """
    import numpy as np

    sure, hits = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=np.float64)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    table = RowTable(
        np.stack([hits - sure, np.ones(len(sure))], axis=1), 2 * BINS, np.stack([2 * bins, 2 * bins + 1], axis=1)
    )
    score = statistics.score_interval(table, _error, clusters=clusters)
    return score.model_copy(update={"low": max(0.0, min(score.low, score.value - _chance(bins, hits, clusters)))})


def _chance(bins: Any, hits: Any, clusters: Any) -> float:
    """What chance adds to the error at most, in per cent, in all but 2.5 % of draws: the error of shares that are drawn
    as often as each bin has rows. The error seen is at most the true one and this (the triangle inequality). Each bin's
    share is taken with one more row right and one more wrong (Laplace)."""
    import numpy as np

    rows = np.bincount(bins, minlength=BINS)
    shares = (np.bincount(bins, weights=hits, minlength=BINS) + 1) / (rows + 2)
    drawn = np.random.default_rng(0).binomial(rows, shares, size=(DRAWS, BINS))
    errors = np.abs(drawn - rows * shares).sum(axis=1) / rows.sum()
    # Rows that are nearly the same are right or wrong together.
    alike = len(hits) / effective_units(cluster_sums(np.ones(len(hits)), clusters))
    return 100 * float(np.quantile(errors, 1 - ALPHA / 2)) * alike**0.5


def _error(sums: Any) -> Any:
    """sums: for each bin hits minus confidences, and rows."""
    import numpy as np

    return 100 * np.abs(sums[:, 0::2]).sum(axis=1) / sums[:, 1::2].sum(axis=1)
