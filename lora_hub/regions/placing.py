"""Whose region a question lies in. numpy alone; nothing here knows a model.

The adapter of the nearest center is chosen (hard top-1), in a space in which all directions vary alike within the
tasks: a fifth the task's own covariance, the rest the mean of all that are asked about, shrunk. The base answers
instead where the question is farther than the chosen task's own limit, in that task's own space, or where another task
is about as near.
"""

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
# The next task has to be so much farther. Chosen, as all numbers here, with the tasks of tests/bench/bench_router.py.
CLEARLY_NEARER = 0.93


@dataclass(frozen=True)
class Placed:
    """How a question lies to one task. distance: to its nearest center, in the space of the choice. share: of its
    limit, in its own space; more than 1 is outside. fits: it is the chosen one, and the question lies in it."""

    name: str
    distance: float
    share: float
    fits: bool


def place(state: Any, tokens: float, regions: Mapping[str, TaskRegion]) -> list[Placed]:
    """The tasks, the nearest first; the first one fits, or none does."""
    import numpy

    return place_all(state[None], numpy.array([tokens]), regions)[0]


def place_all(states: Any, tokens: Any, regions: Mapping[str, TaskRegion]) -> list[list[Placed]]:
    """`place` of several questions. states: [questions, dimensions]; tokens: [questions]."""
    import numpy

    if not regions:
        return [[] for _ in states]
    shared = sum(region.spread for region in regions.values()) / len(regions)
    middle = numpy.mean([of for one in regions.values() for of in (one.centers.mean(0), one.origin)], axis=0)
    near, within = [], []
    for region in regions.values():
        spread = whitening((1 - SHARED) * region.spread + SHARED * shared)
        odd = _oddly_long(region, tokens)
        near.append(nearest(states, region.centers, middle, spread) * odd)
        within.append(own_distance(states, tokens, region) * odd / region.limit)
    names, found = list(regions), []
    for question in range(len(states)):
        far = [float(one[question]) for one in near]
        share = [float(one[question]) for one in within]
        order = sorted(range(len(names)), key=lambda one: far[one])
        first = order[0]
        is_clear = len(order) == 1 or far[first] <= CLEARLY_NEARER * far[order[1]]
        fits = share[first] <= 1 and is_clear
        found.append([Placed(names[one], far[one], share[one], fits and one == first) for one in order])
    return found


def own_distance(states: Any, tokens: Any, region: TaskRegion) -> Any:
    """Squared distances [questions] to a task's nearest center in its own space, without the penalty for lengths."""
    far = nearest(states, region.centers, region.origin, whitening(region.spread, OWN_SHRINK))
    return far / (1 + FEW_TOKENS / tokens)


def _oddly_long(region: TaskRegion, tokens: Any) -> Any:
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
