"""Labels from likelihoods: probabilities, what a base prefers whatever it is asked taken out of them.

A base's choice between labels is mostly a shifted boundary: some labels are likely as words, whatever stands before
them. Batch calibration (Zhou et al. 2024, arXiv 2309.17249) measures that on rows which are not scored and takes it
out. Here, in the domain of log likelihoods: a label's mean over those rows is subtracted, what is left is multiplied by
one temperature (Guo et al. 2017), and the label's share of the training rows is its prior. So a base whose likelihoods
tell nothing gives the commonest label, and one whose likelihoods tell something is judged by that.
"""

import math
from collections.abc import Sequence
from typing import Any

from lora_hub.core.schema import Calibration

# A label that no training row has counts as this share.
LEAST_SHARE = 1e-3


def probabilities(logs: Sequence[float], calibration: Calibration | None = None) -> list[float]:
    """The probability of each label (they add up to 1) from its log likelihood in nats."""
    scale, offsets = (calibration.scale, calibration.offsets) if calibration else (1.0, (0.0,) * len(logs))
    moved = [scale * log + offset for log, offset in zip(logs, offsets, strict=True)]
    top = max(moved)
    each = [math.exp(one - top) for one in moved]
    total = sum(each)
    return [one / total for one in each]


def fit_calibration(
    logs: Sequence[Sequence[float]], right: Sequence[int], shares: Sequence[float], *, with_end: bool = False
) -> Calibration:
    """A calibration from rows that are not scored.

    logs: log likelihoods in nats, (rows, labels). right: the place of each row's right label. shares: of each label
    among the training rows, 0 to 1. with_end: whether the likelihoods count the end token. Raises ValueError where
    there are no rows.
    """
    import numpy as np

    given = np.asarray(logs, dtype=np.float64)
    if not given.size:
        raise ValueError("no rows to calibrate on")
    prior = np.maximum(np.asarray(shares, dtype=np.float64), LEAST_SHARE)
    prior = np.log(prior / prior.sum())
    # how likely all labels are together says nothing about which of them
    relative = given - _log_sum(given)
    means = relative.mean(axis=0)
    centred = relative - means
    spread = max(float(centred.std()), 1e-9)
    # One number is fitted: a search is as good as a descent, and cannot fail. A few rows can't make a base surer than
    # it is: past what makes the spread 1 the scale is held back as if by one row more. 0 comes first: likelihoods that
    # tell nothing of the right labels, or the contrary, are left out, and the commonest label is what remains.
    steps = np.linspace(-5.0, 5.0, 401)
    scales = np.concatenate([[0.0], np.exp(steps) / spread])
    held = np.concatenate([[0.0], np.maximum(steps, 0.0) ** 2 / 2])
    rows = np.arange(len(given))
    losses = []
    for scale in scales:
        moved = scale * centred + prior
        losses.append(float((_log_sum(moved)[:, 0] - moved[rows, list(right)]).sum()))
    scale = float(scales[int(np.argmin(np.array(losses) + held))])
    offsets = tuple(float(one) for one in prior - scale * means)
    return Calibration(offsets=offsets, scale=scale, rows=len(given), with_end=with_end)


def _log_sum(values: Any) -> Any:
    import numpy as np

    top = values.max(axis=1, keepdims=True)
    return top + np.log(np.exp(values - top).sum(axis=1, keepdims=True))
