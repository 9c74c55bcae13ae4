"""Whose region a question lies in. numpy alone; nothing here knows a model.

The adapter of the nearest center is chosen (hard top-1), in a space in which all directions vary alike within the
tasks: a fifth the task's own covariance, the rest the mean of all that are asked about, shrunk. The base answers
instead where the question is farther than the chosen task's own limit, in that task's own space, or where it is more
like what people write of all kinds than nearly all of the task's are. The nearer another task is, the less may it be.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lora_hub.hub import TaskRegion

# Correlations are shrunk by so much: of many tasks together little, of one task, known from few questions, more.
SHRINK, OWN_SHRINK = 0.1, 0.4
# In the space of the choice, the part of what varies within all tasks; the rest is the task's own.
SHARED = 0.8
# A mean over few tokens lies farther off by chance: as if so many more were missing.
FEW_TOKENS = 3.0
# Where the nearest task is farther than so much of the distance of the next one, a question counts as more like
# everyday texts: by DOUBT standard deviations times the logarithm of how much farther. Chosen, as all numbers here,
# with the tasks of tests/bench/bench_router.py.
CLEARLY_NEARER, DOUBT = 0.88, 8.0


@dataclass(frozen=True)
class Placed:
    """How a question lies to one task. distance: to its nearest center, in the space of the choice. share: of its
    limit, in its own space; more than 1 is outside. unlike: by how many standard deviations it is more like what people
    write of all kinds than nearly all of the task's questions are; more than 0 is outside. doubt: what the next task's
    nearness adds to that. fits: it is the chosen one, and the question lies in it."""

    name: str
    distance: float
    share: float
    unlike: float
    doubt: float
    fits: bool


class Atlas:
    """The regions of several adapters, with all that does not depend on a question worked out once: 0.6 MB for each
    region of 384 dimensions, and a question takes milliseconds. regions: by name."""

    def __init__(self, regions: Mapping[str, TaskRegion]) -> None:
        widths: dict[int, dict[str, TaskRegion]] = {}
        for name, region in regions.items():
            widths.setdefault(len(region.origin), {})[name] = region
        self._charts = {width: _charts(same) for width, same in widths.items()}
        self.names = frozenset(regions)
        self.bytes = sum(chart.bytes for charts in self._charts.values() for chart in charts.values())

    def place(self, state: Any, tokens: float) -> list[Placed]:
        """The tasks whose regions are as wide as the question's state, the nearest first; the first one fits, or none
        does."""
        import numpy

        return self.place_all(state[None], numpy.array([tokens]))[0]

    def place_all(self, states: Any, tokens: Any) -> list[list[Placed]]:
        """`place` of several questions. states: [questions, dimensions]; tokens: [questions]."""
        charts = self._charts.get(states.shape[1], {})
        near, within, unlike = [], [], []
        for chart in charts.values():
            odd = _oddly_long(chart, tokens)
            near.append(chart.choice(states) * odd)
            within.append(chart.own(states) / (1 + FEW_TOKENS / tokens) * odd / chart.limit)
            unlike.append(states @ chart.direction + chart.offset)
        names, found = list(charts), []
        for question in range(len(states)):
            order = sorted(range(len(names)), key=lambda one: near[one][question])
            placed = []
            for one, after in zip(order, [*order[1:], None], strict=True):
                far, share, more = (float(of[one][question]) for of in (near, within, unlike))
                doubt = 0.0 if after is None or placed else _doubt(far, float(near[after][question]))
                fits = not placed and share <= 1 and more + doubt <= 0
                placed.append(Placed(names[one], far, share, more, doubt, fits))
            found.append(placed)
        return found


def _doubt(nearest: float, next_one: float) -> float:
    """In standard deviations."""
    return DOUBT * max(0.0, math.log(max(nearest, 1e-9) / max(next_one, 1e-9) / CLEARLY_NEARER))


@dataclass(frozen=True)
class _Space:
    """Squared distances to the nearest of a task's centers on the unit sphere around `origin`, in a space that is
    whitened. centers: [centers, dimensions], so that a product with them is the cosine times the state's length.
    diagonal: [dimensions], of the matrix that tells this length; its other half is the chart's."""

    origin: Any
    centers: Any
    diagonal: Any

    def far(self, states: Any, half: Any) -> Any:
        """[questions, centers]. half: what stands on one side of the matrix's diagonal."""
        import numpy

        states = (states - self.origin).astype(numpy.float32)
        squared = 2 * ((states @ half) * states).sum(1) + (states**2 @ self.diagonal)
        length = numpy.sqrt(numpy.maximum(squared, 1e-18))
        return 2 - 2 * (states @ self.centers.T) / length[:, None]


@dataclass(frozen=True)
class _Chart:
    """One region, prepared. halves: [dimensions, dimensions], above the diagonal of the space of the choice, below it
    of the task's own space: both matrices are symmetric."""

    in_choice: _Space
    in_own: _Space
    halves: Any
    shortest: float
    longest: float
    limit: float
    direction: Any
    offset: float

    @property
    def bytes(self) -> int:
        spaces = (self.in_choice, self.in_own)
        return self.halves.nbytes + sum(one.origin.nbytes + one.centers.nbytes for one in spaces)

    def choice(self, states: Any) -> Any:
        import numpy

        return self.in_choice.far(states, numpy.triu(self.halves, 1)).min(1)

    def own(self, states: Any) -> Any:
        import numpy

        return self.in_own.far(states, numpy.tril(self.halves, -1)).min(1)


def _charts(regions: Mapping[str, TaskRegion]) -> dict[str, _Chart]:
    """Of regions of one width."""
    import numpy

    shared = sum(region.spread for region in regions.values()) / len(regions)
    middle = numpy.mean([of for one in regions.values() for of in (one.centers.mean(0), one.origin)], axis=0)
    found = {}
    for name, region in regions.items():
        choice, above = _space(region.centers, middle, whitening((1 - SHARED) * region.spread + SHARED * shared))
        own, below = _space(region.centers, region.origin, whitening(region.spread, OWN_SHRINK))
        halves = numpy.triu(above, 1) + numpy.tril(below, -1)
        limits = (region.shortest, region.longest, region.limit)
        found[name] = _Chart(choice, own, halves, *limits, region.direction, region.offset)
    return found


def _space(centers: Any, origin: Any, spread: Any) -> tuple[_Space, Any]:
    """A space, and the matrix of its lengths."""
    import numpy

    turned = (unit((centers - origin) @ spread) @ spread.T).astype(numpy.float32)
    lengths = (spread @ spread.T).astype(numpy.float32)
    return _Space(origin, turned, numpy.diag(lengths).copy()), lengths


def own_distance(states: Any, tokens: Any, region: TaskRegion) -> Any:
    """Squared distances [questions] to a task's nearest center in its own space, without the penalty for lengths."""
    far = nearest(states, region.centers, region.origin, whitening(region.spread, OWN_SHRINK))
    return far / (1 + FEW_TOKENS / tokens)


def _oddly_long(region: Any, tokens: Any) -> Any:
    """1 for questions as long as the task's, more for others: by how much longer or shorter, as logarithms."""
    import numpy

    return 1 + numpy.maximum(0, numpy.maximum(numpy.log(region.shortest / tokens), numpy.log(tokens / region.longest)))


def nearest(states: Any, centers: Any, origin: Any, spread: Any) -> Any:
    """Squared distances [questions] to the nearest center on the unit sphere around `origin`: 0 in the same direction,
    2 at right angles."""
    return (2 - 2 * unit((states - origin) @ spread) @ unit((centers - origin) @ spread).T).min(axis=1)


def unit(states: Any) -> Any:
    import numpy

    return states / numpy.maximum(numpy.linalg.norm(states, axis=1, keepdims=True), 1e-9)


def whitening(covariance: Any, shrink: float = SHRINK) -> Any:
    """The matrix W for which x W has the same variance in every direction, of a covariance whose correlations are
    shrunk towards none."""
    import numpy

    scale = numpy.sqrt(numpy.maximum(numpy.diag(covariance), 1e-9))
    values, vectors = numpy.linalg.eigh(covariance / scale[:, None] / scale[None])
    values = (1 - shrink) * numpy.maximum(values, 0) + shrink
    return (vectors / numpy.sqrt(values)) / scale[:, None]
