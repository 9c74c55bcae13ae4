"""The nouns of scoring; `schema` has them, too."""

from typing import Literal

from lora_hub.core.noun import Noun


class Score(Noun):
    """A metric in per cent (0 to 100) with its 95 % interval. `rows`: how many rows it is of; 0: not recorded."""

    value: float
    low: float
    high: float
    rows: int = 0


Scores = dict[str, Score]


class PairedComparison(Noun):
    """An adapter against its base on the same rows, by a paired test; `verdicts.describe` says it in words.

    metric: the one that was compared. against: whom the adapter was compared with (a key of a run's metrics). clusters:
    how many of the rows are different from each other; rows that are nearly the same count as one. changed = better +
    worse: rows that score otherwise than before. base, adapter: per cent. difference: adapter minus base in points,
    with its 95 % interval. p: two-sided, of `test`. verdict: "better" and "worse" only where p < 0.05; "chance":
    something changed, and it can be chance; "same": no row changed.
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
