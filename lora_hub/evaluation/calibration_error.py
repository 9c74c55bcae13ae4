"""How far stated probabilities are from the share of right answers."""

from collections.abc import Sequence
from typing import Any

from lora_hub.core.schema import Score
from lora_hub.evaluation import statistics
from lora_hub.evaluation.statistics import RowTable

# Bins of equal width, as Guo et al. 2017.
BINS = 10


def calibration_error(confidences: Sequence[float], right: Sequence[bool], clusters: Any = None) -> Score:
    """The expected calibration error in per cent (0: of the answers given with 80 %, 80 % are right; Guo et al. 2017):
    over ten bins of equal width, how far the mean confidence is from the share of right answers, weighted by rows. With
    its interval.

    confidences: probability of the label that was chosen, 0 to 1. clusters: as metrics.score has them. Raises
    ValueError where there are no rows.
    """
    import numpy as np

    sure, hits = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=np.float64)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    table = RowTable(
        np.stack([hits - sure, np.ones(len(sure))], axis=1), 2 * BINS, np.stack([2 * bins, 2 * bins + 1], axis=1)
    )
    return statistics.score_interval(table, _error, clusters=clusters)


def _error(sums: Any) -> Any:
    """sums: for each bin hits minus confidences, and rows."""
    import numpy as np

    return 100 * np.abs(sums[:, 0::2]).sum(axis=1) / sums[:, 1::2].sum(axis=1)
