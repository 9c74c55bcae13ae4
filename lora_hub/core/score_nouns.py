"""The nouns of scoring; `schema` exports them too."""

from collections.abc import Mapping
from typing import Any, Literal

from lora_hub.core.noun import Noun


class Score(Noun):
    """A metric in per cent (0 to 100) with its 95 % interval. `rows`: the number of rows scored; 0: not recorded."""

    value: float
    low: float
    high: float
    rows: int = 0


Scores = dict[str, Score]


def scores_json(found: Mapping[str, Scores]) -> dict[str, dict[str, Any]]:
    """Scores by who answered and metric, as plain JSON."""
    return {who: {metric: score.model_dump() for metric, score in of.items()} for who, of in found.items()}


class PairedComparison(Noun):
    """A paired test of an adapter against its base on the same rows; `verdicts.describe` puts it into words.

    metric: the metric compared. against: the opponent (a key of a run's metrics). clusters: how many of the rows differ
    from each other; near-duplicates count as one. changed = better + worse: rows whose score changed. base, adapter:
    per cent. difference: adapter minus base in points, with its 95 % interval. p: two-sided p-value of `test`. verdict:
    "better" and "worse" only if p < 0.05; "chance": something changed, but it can be chance; "same": no row changed.
    """

    metric: str
    against: str = "base"
    rows: int
    clusters: int
    changed: int
    better: int
    worse: int
    base: float
    adapter: float
    difference: float
    low: float
    high: float
    p: float
    test: str
    verdict: Literal["better", "worse", "chance", "same"]


class PartScore(Noun):
    """How base and adapter did on the held-out rows of one of several files that are one dataset. metric: the task's
    first. base, adapter: None where none of its rows was scored. trained: how many of its rows were trained on."""

    name: str
    weight: float = 1.0
    metric: str = ""
    trained: int = 0
    base: Score | None = None
    adapter: Score | None = None
