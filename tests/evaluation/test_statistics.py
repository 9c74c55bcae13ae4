"""statistics: known values of Wilson and McNemar, clusters, permutation tests, and the wording of verdicts."""

import math

import numpy as np
import pytest

from lora_hub.core import verdicts
from lora_hub.core.schema import PairedComparison
from lora_hub.evaluation import statistics
from lora_hub.evaluation.statistics import RowTable


def share_table(hits) -> RowTable:
    return RowTable(np.stack([np.asarray(hits, dtype=float), np.ones(len(hits))], axis=1), 2)


def mean(sums):
    return 100 * sums[:, 0] / sums[:, 1]


def compare(ours, theirs, clusters=None) -> PairedComparison:
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    return statistics.compare(
        "accuracy", share_table(ours), share_table(theirs), mean, (ours, theirs), clusters=clusters
    )


@pytest.mark.parametrize(
    ("right", "rows", "low", "high"),
    [
        (52, 52, 93.12, 100),
        (8, 8, 67.56, 100),
        (0, 8, 0, 32.44),
        (5, 10, 23.66, 76.34),
        (1, 1, 20.65, 100),
        (81, 263, 25.53, 36.62),
    ],
)
def test_wilson(right, rows, low, high):
    """The last one is Newcombe's (1998) own example."""
    score = statistics.score_interval(share_table([1] * right + [0] * (rows - right)), mean)
    assert (score.low, score.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))
    assert (score.value, score.rows) == (100 * right / rows, rows)


@pytest.mark.parametrize(("better", "worse"), [(3, 0), (5, 0), (6, 0), (1, 1), (20, 7), (0, 12), (0, 0), (400, 301)])
def test_mcnemar_is_the_binomial_test(better, worse):
    changed = better + worse
    tail = sum(math.comb(changed, k) for k in range(max(better, worse), changed + 1))
    assert statistics.sign_flip_p([1] * better + [-1] * worse) == pytest.approx(min(1, 2 * tail / 2**changed), abs=1e-9)


def test_three_of_eight_can_be_chance():
    found = compare([1] * 8, [0] * 3 + [1] * 5)
    assert found.p == pytest.approx(0.25) and found.verdict == "chance" and found.test == "exact McNemar"
    assert (found.rows, found.changed, found.better, found.worse, found.difference) == (8, 3, 3, 0, 37.5)
    assert found.low < 0 < found.high
    said = verdicts.describe(found)
    assert said.en == "3 of 8 rows changed, all for the better; with 8 rows that can be chance."
    assert "تصادفی" in said.fa
    assert PairedComparison(**found.model_dump(mode="json")) == found


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        ([1] * 9, [0] * 9, "9 of 9 rows changed, all for the better; that is beyond what chance explains."),
        ([0] * 9, [1] * 9, "9 of 9 rows changed, all for the worse; that is beyond what chance explains."),
        (
            [1, 0, 1],
            [0, 1, 1],
            "2 of 3 rows changed, 1 for the better and 1 for the worse; with 3 rows that can be chance.",
        ),
        ([1, 0, 1], [1, 1, 1], "1 of 3 rows changed, for the worse; with 3 rows that can be chance."),
        ([1, 0, 1], [1, 0, 1], "None of the 3 rows changed."),
        ([1], [0], "1 of 1 row changed, for the better; with 1 row that can be chance."),
        ([1], [1], "The one row did not change."),
    ],
)
def test_words_name_the_rows(ours, theirs, words):
    assert verdicts.describe(compare(ours, theirs)).en == words


def test_copies_of_a_row_count_once():
    """Nine rows that are three rows three times over: three changes, not nine."""
    clusters = np.repeat([5, 1, 7], 3)
    found = compare([1] * 9, [0] * 9, clusters)
    assert (
        found.p == pytest.approx(statistics.sign_flip_p([1, 1, 1]))
        and found.verdict == "chance"
        and found.clusters == 3
    )
    assert verdicts.describe(found).en.endswith(
        "; with 9 rows (3 of them different from each other) that can be chance."
    )
    score = statistics.score_interval(share_table([1] * 9), mean, clusters=clusters)
    three = statistics.score_interval(share_table([1] * 3), mean)
    assert (score.low, score.high) == (pytest.approx(three.low), pytest.approx(three.high))
    mixed = statistics.score_interval(share_table(np.repeat([1, 0], 3).tolist() + [1] * 3), mean, clusters=clusters)
    assert mixed.low < statistics.score_interval(share_table([1, 0, 1]), mean).low + 1


@pytest.mark.parametrize("ours", [[0.2, 0.9, 0.5, 0.7, 0.1], [0.9] * 5, [0.0] * 5])
def test_few_rows_are_exchanged_in_every_way(ours):
    """Against all 2^5 exchanges by hand."""
    theirs = [0.1, 0.8, 0.6, 0.2, 0.3]
    apart = np.subtract(ours, theirs)
    ways = [sum(d if way >> i & 1 else -d for i, d in enumerate(apart)) for way in range(32)]
    expected = np.mean(np.abs(ways) >= abs(apart.sum()) - 1e-9)
    found = compare(ours, theirs)
    assert found.test == "paired permutation" and found.p == pytest.approx(expected)


def test_many_rows_are_exchanged_at_random_and_agree_with_the_exact_test():
    rng = np.random.default_rng(1)
    ours, theirs = rng.random(400) < 0.62, rng.random(400) < 0.54
    exact = compare(ours, theirs)
    tables = [share_table(each).grouped(np.arange(400), 400) for each in (ours, theirs)]
    assert statistics.permutation_p(*tables, mean, seed=3) == pytest.approx(exact.p, abs=0.02)


def test_a_hundred_thousand_rows_are_compared_in_blocks():
    rng = np.random.default_rng(2)
    ours, theirs = rng.random(100_000), rng.random(100_000)
    found = compare(ours, theirs)
    assert found.rows == 100_000 and found.test == "paired permutation"
    assert compare(np.minimum(ours + 0.02, 1), ours).verdict == "better"
    many = compare(ours < 0.51, theirs < 0.5)
    assert many.test == "exact McNemar" and 0 < many.p <= 1


@pytest.mark.parametrize("same", [0.54, 0.0, 1.0])
@pytest.mark.parametrize("rows", [1, 3, 100])
def test_rows_that_score_alike_still_have_an_interval(same, rows):
    score = statistics.score_interval(share_table([same] * rows), mean)
    assert score.low <= score.value <= score.high and score.high - score.low > 0.5


def test_several_adapters_side_by_side_have_to_be_surer():
    """Holm: of p = 0.031, 0.0020 and 0.5 the smallest counts three times, the next twice."""
    found = [compare([1] * rows, [0] * rows) for rows in (6, 10, 2)]
    adjusted = statistics.adjust_for_several(found)
    assert [one.p for one in adjusted] == pytest.approx([2 * 2 / 2**6, 3 * 2 / 2**10, 0.5])
    assert [one.verdict for one in found] == ["better", "better", "chance"]
    assert [one.verdict for one in adjusted] == ["chance", "better", "chance"]
    assert adjusted[0].low == 0 and adjusted[1].low > 0
    assert statistics.adjust_for_several(found[:1]) == found[:1]


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        statistics.score_interval(share_table([]).__class__(np.zeros((0, 2)), 2), mean)
    with pytest.raises(ValueError, match="3 cluster numbers for 2 rows"):
        compare([1, 0], [1, 1], [1, 2, 3])
