"""Every two of several models on the same rows, so that one false "better" among all pairs stays as rare as for one.

for (a, b), found in compare_pairs("accuracy", {"v2": [...], "v3": [...]}, references).items(): ...
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from lora_hub.core.schema import PairedComparison
from lora_hub.evaluation import intervals, statistics
from lora_hub.evaluation.metrics import METRICS, References


def compare_pairs(
    name: str, answers: Mapping[str, Sequence[str]], references: References, *, clusters: Any = None
) -> dict[tuple[str, str], PairedComparison]:
    """Each pair of models by one metric, the one that scores higher first (in the order of `answers` where they score
    the same), with p-values adjusted for the number of pairs (Holm 1979). A comparison's `adapter` is the pair's first,
    its `base` the second. clusters: as `metrics.score` has them. Raises ValueError where there are no rows or their
    numbers differ."""
    metric = METRICS[name]
    wanted = [[one] if isinstance(one, str) else [*one] for one in references]
    tables = {who: metric.table([text or "" for text in of], wanted) for who, of in answers.items()}
    each = {who: metric.each(table) for who, table in tables.items()}
    values = {who: float(metric.value(table.total()[None])[0]) for who, table in tables.items()}
    found = {}
    for one, other in combinations(answers, 2):
        a, b = (other, one) if values[other] > values[one] else (one, other)
        found[a, b] = statistics.compare(
            name, tables[a], tables[b], metric.value, (each[a], each[b]), clusters=clusters, against=b
        )
    return dict(zip(found, statistics.adjust_for_several(list(found.values())), strict=True))


def sign_test(won: Sequence[int], clusters: Any = None) -> float:
    """Two-sided p of the exact sign test of rows that one of two models won (1), lost (-1) or neither (0), if each
    cluster could as well have gone the other way. clusters: as in `compare_pairs`."""
    import numpy as np

    each = np.asarray(won, dtype=np.float64)
    return statistics.sign_flip_p(intervals.cluster_sums(each, intervals.numbered(clusters, len(each))))
