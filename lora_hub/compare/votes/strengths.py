"""How good models are by votes on their answers: Bradley-Terry strengths with intervals that hold at every moment.

    rank([Ballot(("a", "b"), (1.0, 0.0)), ...])      a Board: the models, the strongest first, and what is sure

A ballot gives each of the models that it showed a share; the shares add up to 1. A vote for one gives it 1, a tie (and
"none is good") gives all of them the same. Strengths are those of Bradley and Terry (1952), of Luce (1959) for more
than two, estimated by `choix` with half a ballot for and against each model added, so that few votes say little.

Intervals. Of a pair of models, what one got from the ballots that showed both, against what the other got, is a test
martingale when it is divided by its chance under any assumed difference of strength, with the true one mixed over
Beta(1/2, 1/2) (Robbins 1970; for shares instead of whole votes it is a supermartingale, since the likelihood ratio is
convex in them). By Ville's inequality the differences that it does not reject at 1/alpha hold with 95 % *at all moments
together*: whoever looks after each vote, and stops when it suits them, is misled no more often. alpha is divided by the
number of pairs (Bonferroni), so all of them hold together. Strengths add up, so a pair's interval is narrowed by those
over a third model (shortest paths). Nothing is estimated from a normal distribution: with few votes the intervals are
wide or open, and not wrong.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lora_hub.core.schema import BASE

ALPHA = 0.05
# Elo's scale: 400 points are odds of ten to one.
POINTS = 400 / math.log(10)
MOST_MODELS = 60
# Beyond this difference (nats) an interval is open.
_REACH = 20.0


@dataclass(frozen=True)
class Ballot:
    """shown: the models in the order of the page. shares: what each of them got, 0 to 1. is_bad: none was good."""

    shown: tuple[str, ...]
    shares: tuple[float, ...]
    is_bad: bool = False

    @property
    def by_model(self) -> dict[str, float]:
        """What each model got. One that was shown in several places (by two names, or by whoever wrote the file) is one
        model there: a ballot is one vote, however often it names somebody."""
        found: dict[str, float] = {}
        for model, share in zip(self.shown, self.shares, strict=True):
            found[model] = max(found.get(model, 0.0), share)
        whole = sum(found.values())
        return {model: share / whole for model, share in found.items()}


@dataclass(frozen=True)
class Strength:
    """One model of a board. points: its strength on Elo's scale, above `Board.against`. low, high: its interval; None:
    open, nothing is known on that side yet. votes: ballots that showed it; won, tied, bad: those that chose it alone,
    called all equal, or called none good. best, worst: the ranks that are possible. unclear: the models from which it
    cannot be told apart yet."""

    model: str
    points: float
    low: float | None
    high: float | None
    votes: int
    won: int
    tied: int
    bad: int
    best: int
    worst: int
    unclear: tuple[str, ...]


@dataclass(frozen=True)
class Side:
    """Whether the place on the page decides: of the ballots for the first or the last model shown, `share` (0 to 1)
    went to the first, ties as halves; `low`, `high`: its interval, at every moment. Without bias 0.5. votes:
    ballots."""

    share: float
    low: float
    high: float
    votes: int


@dataclass(frozen=True)
class Board:
    """against: the model whose strength is 0, the one that most ballots showed, of several a base. fits: whether any
    strengths at all agree with what is sure of each pair; if not, models beat each other in a circle, and intervals are
    those of the pairs alone."""

    rows: tuple[Strength, ...]
    side: Side | None
    against: str
    votes: int
    fits: bool = True


def rank(ballots: Iterable[Ballot]) -> Board:
    """The board of these ballots. Of more than 60 models, those that most ballots showed."""
    import numpy as np

    counted = list(ballots)
    frequent = _count_shown(counted)
    models = sorted(frequent, key=lambda model: (-frequent[model], not model.startswith(BASE), model))[:MOST_MODELS]
    if not models:
        return Board((), None, "", 0)
    place = {model: number for number, model in enumerate(models)}
    got, seen = np.zeros((len(models), len(models))), np.zeros((len(models), len(models)), dtype=bool)
    for ballot in counted:
        inside = [(place[model], share) for model, share in ballot.by_model.items() if model in place]
        for one, share in inside:
            for other, _share in inside:
                if one != other:
                    got[one, other] += share
                    seen[one, other] = True
    high = _differences(got, seen)
    fits, closed = _narrowed(high)
    theta = _estimate(got)
    rows = [_row(number, models, counted, theta, closed) for number in np.argsort(-theta, kind="stable")]
    return Board(tuple(rows), side_of(counted), models[0], len(counted), fits)


def side_of(ballots: Sequence[Ballot]) -> Side | None:
    """Whether the first place on the page is chosen more often than the last. None without a ballot. The order is drawn
    anew for each comparison, so both places show each model equally often."""
    first, last = sum(one.shares[0] for one in ballots), sum(one.shares[-1] for one in ballots)
    if not first + last:
        return None
    low, high = difference_interval(first, last, ALPHA)
    return Side(first / (first + last), _share(low), _share(high), len(ballots))


def difference_interval(mine: float, other: float, alpha: float) -> tuple[float, float]:
    """The difference of two strengths (nats of odds) that what both got allows, at every moment with 1 - alpha. An open
    end is infinite."""
    most = _log_mixture(mine, other) - math.log(1 / alpha)

    def is_allowed(difference: float) -> bool:
        return mine * _log_share(difference) + other * _log_share(-difference) >= most

    def end(sign: float) -> float:
        inside, outside = middle, sign * 2 * _REACH
        if not (other if sign > 0 else mine) or is_allowed(outside):
            return sign * math.inf
        for _step in range(50):
            between = (inside + outside) / 2
            inside, outside = (between, outside) if is_allowed(between) else (inside, between)
        return outside  # the wider of the two

    # The likeliest difference; where one of them got nothing, far out on that side, which the data always allow.
    if mine and other:
        middle = min(max(math.log(mine / other), -_REACH), _REACH)
    else:
        middle = _REACH * ((mine > 0) - (other > 0))
    return end(-1.0), end(1.0)


def _log_mixture(mine: float, other: float) -> float:
    """Log of the Beta(1/2, 1/2) mean of p^mine (1 - p)^other."""
    return math.lgamma(mine + 0.5) + math.lgamma(other + 0.5) - math.lgamma(mine + other + 1) - math.log(math.pi)


def _log_share(difference: float) -> float:
    return -math.log1p(math.exp(-difference)) if difference > 0 else difference - math.log1p(math.exp(difference))


def _share(difference: float) -> float:
    return math.exp(_log_share(difference)) if math.isfinite(difference) else float(difference > 0)


def _differences(got: Any, seen: Any) -> Any:
    """The highest difference of strength of each model (rows) above each other (columns), (models, models)."""
    import numpy as np

    count = len(got)
    pairs = max(1, int(seen.sum()) // 2)
    high = np.full((count, count), math.inf)
    np.fill_diagonal(high, 0.0)
    for one in range(count):
        for other in range(one):
            if seen[one, other]:
                low, top = difference_interval(float(got[one, other]), float(got[other, one]), ALPHA / pairs)
                high[one, other], high[other, one] = top, -low
    return high


def _narrowed(high: Any) -> tuple[bool, Any]:
    """Differences over third models (Floyd and Warshall 1962), and whether any strengths are left. Where none are: the
    differences as they were."""
    import numpy as np

    closed = high.copy()
    for between in range(len(closed)):
        closed = np.minimum(closed, closed[:, between, None] + closed[None, between, :])
    fits = bool((np.diagonal(closed) >= -1e-9).all())
    return fits, closed if fits else high


def _estimate(got: Any) -> Any:
    """Strengths in nats, (models,), whose mean is 0."""
    import choix
    import numpy as np

    count = len(got)
    if count == 1:
        return np.zeros(1)
    theta = choix.ilsr_pairwise_dense(got, alpha=1 / (2 * count), max_iter=10_000)
    return theta - theta.mean()


def _row(number: int, models: list[str], ballots: list[Ballot], theta: Any, high: Any) -> Strength:
    model, others = models[number], [other for other in range(len(models)) if other != number]
    mine = [ballot for ballot in ballots if model in ballot.shown]
    points = float(theta[number] - theta[0]) * POINTS
    low, top = -float(high[0, number]) * POINTS, float(high[number, 0]) * POINTS
    better = sum(bool(high[number, other] < 0) for other in others)
    worse = sum(bool(high[other, number] < 0) for other in others)
    unclear = [models[other] for other in others if high[number, other] >= 0 and high[other, number] >= 0]
    return Strength(
        model,
        points,
        min(low, points) if math.isfinite(low) else None,
        max(top, points) if math.isfinite(top) else None,
        votes=len(mine),
        won=sum(ballot.by_model[model] == 1 for ballot in mine if max(ballot.shares) == 1),
        tied=sum(max(ballot.shares) < 1 and not ballot.is_bad for ballot in mine),
        bad=sum(ballot.is_bad for ballot in mine),
        best=1 + better,
        worst=len(models) - worse,
        unclear=tuple(unclear),
    )


def _count_shown(ballots: Sequence[Ballot]) -> dict[str, int]:
    found: dict[str, int] = {}
    for ballot in ballots:
        for model in ballot.by_model:
            found[model] = found.get(model, 0) + 1
    return found
