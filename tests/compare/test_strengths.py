"""Strengths from votes: what is known for few of them, at every moment, and for models that were never shown together.
How often the intervals err is measured by tests/bench/bench_votes.py; the shares here are of few simulations."""

import math
import random

import pytest

from lora_hub.compare.votes.strengths import POINTS, Ballot, difference_interval, rank, side_of


def won(winner: str, *others: str) -> Ballot:
    return Ballot((winner, *others), (1.0, *[0.0] * len(others)))


def tie(*shown: str) -> Ballot:
    return Ballot(shown, tuple(1 / len(shown) for _one in shown))


def test_few_votes_separate_nothing_and_many_do() -> None:
    """Seven of seven is the least that separates two models: 7 ln 2 less the mixture is more than ln 20."""
    for count, is_clear in ((1, False), (6, False), (7, True), (30, True)):
        board = rank([won("a", "base")] * count)
        first, second = board.rows
        assert (first.model, second.model, board.against) == ("a", "base", "base")
        assert (first.unclear == (), first.best, first.worst) == (is_clear, 1, 1 if is_clear else 2)
        assert first.high is None and (second.low, second.high) == (0, 0)
        assert first.low > 0 if is_clear else first.low < 0
    assert rank([]).rows == () and rank([tie("a", "b")]).rows[0].points == pytest.approx(0, abs=1e-6)


def test_ties_are_halves_and_speak_against_a_difference() -> None:
    with_ties = rank([won("a", "b")] * 8 + [tie("a", "b")] * 8)
    assert with_ties.rows[0].unclear and with_ties.rows[0].tied == 8
    halves = rank([won("a", "b")] * 12 + [won("b", "a")] * 4)
    assert with_ties.rows[0].points == pytest.approx(halves.rows[0].points)
    assert halves.rows[0].points - halves.rows[1].points == pytest.approx(POINTS * math.log(12.5 / 4.5), rel=1e-3)


def test_strengths_reach_over_a_third_model() -> None:
    """a and c were never shown together; b was shown with both."""
    board = rank([won("a", "b")] * 40 + [won("b", "a")] * 4 + [won("b", "c")] * 40 + [won("c", "b")] * 4)
    assert [row.model for row in board.rows] == ["a", "b", "c"] and all(not row.unclear for row in board.rows)
    apart = rank([won("a", "b")] * 40 + [won("c", "d")] * 40)
    by_name = {row.model: row for row in apart.rows}
    assert set(by_name["a"].unclear) == {"c", "d"} and by_name["c"].low is None and by_name["c"].high is None


def test_models_that_beat_each_other_in_a_circle_are_told() -> None:
    circle = [ballot for pair in (("a", "b"), ("b", "c"), ("c", "a")) for ballot in [won(*pair)] * 40]
    assert not rank(circle).fits and rank(circle[:80]).fits


def test_a_ballot_is_one_vote_however_often_it_names_a_model() -> None:
    """One adapter by two names, or a file of votes that repeats one: eighty places are no eighty votes."""
    stuffed = Ballot(("a",) * 40 + ("b",) * 40, (1.0,) + (0.0,) * 79)
    assert rank([stuffed]).rows == rank([won("a", "b")]).rows
    even = Ballot(("a", "a", "b"), (1 / 3,) * 3)
    assert rank([even]).rows == rank([tie("a", "b")]).rows, "a tie favours nobody who stood there twice"
    second = Ballot(("b", "a", "a"), (0.0, 0.0, 1.0))
    assert [(row.model, row.won) for row in rank([second]).rows] == [("a", 1), ("b", 0)]
    assert len(rank([Ballot(("a", "a"), (0.0, 1.0))]).rows) == 1


def test_the_side_is_told_with_an_interval() -> None:
    first = [Ballot(("a", "b"), (1.0, 0.0)), Ballot(("b", "a"), (1.0, 0.0))] * 20
    side = side_of(first)
    assert side.share == 1 and side.low > 0.5 and side.votes == 40
    fair = side_of([*first[:10], *(Ballot(("a", "b"), (0.0, 1.0)) for _one in range(10))])
    assert fair.share == 0.5 and fair.low < 0.5 < fair.high and side_of([]) is None


def test_an_interval_holds_at_every_moment() -> None:
    """Looked at after each of 150 votes, an interval of 95 % leaves the truth out in at most 5 % of all histories, for
    equal models and for unequal ones, also where a fifth of the votes are ties. With 150 histories each, 12 are allowed
    (a chance of 5 % gives more in 5 of 100)."""
    drawn = random.Random(0)
    for truth, ties in ((0.0, 0.0), (1.0, 0.2)):
        missed = 0
        for _history in range(150):
            got = [0.0, 0.0]
            for _vote in range(150):
                if drawn.random() < ties:
                    got = [got[0] + 0.5, got[1] + 0.5]
                else:
                    got[drawn.random() < 1 / (1 + math.exp(truth))] += 1
                low, high = difference_interval(*got, 0.05)
                mean = (1 - ties) / (1 + math.exp(-truth)) + ties / 2
                if not low <= math.log(mean / (1 - mean)) <= high:
                    missed += 1
                    break
        assert missed <= 12, (truth, missed)
