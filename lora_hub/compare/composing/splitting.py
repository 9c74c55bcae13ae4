"""Which of a few examples weights are found on, and which judge them.

halves = split_few(examples, task, seed=0)         half and half
halves = halves_of(examples, others)               a file of its own judges
"""

import random
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Task

# Examples that weights are found from.
LEAST_EXAMPLES, MOST_EXAMPLES = 5, 50
# Of a file of its own to judge on.
MOST_JUDGED = 2_000


@dataclass(frozen=True)
class Halves:
    """fitted: on which the weights are found, and which the base is shown. judged: which decide."""

    fitted: list[Any]
    judged: list[Any]


def split_few(examples: list[Any], task: Task, *, seed: int = 0) -> Halves:
    """Half of them to find weights on, half to judge: as many of each label in both, rows that are nearly the same in
    the same one. Raises DataError where there are too few or too many."""
    from lora_hub.data.prompts.split import cluster_examples

    check_count(len(examples))
    groups: dict[int, list[Any]] = defaultdict(list)
    for one, cluster in zip(examples, cluster_examples(examples), strict=True):
        groups[int(cluster)].append(one)
    strata: dict[str, list[list[Any]]] = defaultdict(list)
    for group in groups.values():
        strata[group[0].answer if task.output == "labels" else ""].append(group)
    pick, halves = random.Random(seed), Halves([], [])
    for label in sorted(strata):
        pick.shuffle(strata[label])
        for group in strata[label]:
            (halves.fitted if len(halves.fitted) <= len(halves.judged) else halves.judged).extend(group)
    if not halves.judged:
        raise DataError(_("All examples are nearly the same."), _("Give different ones."))
    return halves


def halves_of(fitted: list[Any], judged: list[Any]) -> Halves:
    """All examples to find weights on, and those of another file to judge, without rows that are nearly one of the
    first. Raises DataError."""
    from lora_hub.data.prompts.split import cluster_examples

    check_count(len(fitted))
    clusters = cluster_examples([*fitted, *judged])
    seen = set(clusters[: len(fitted)])
    left = [one for one, cluster in zip(judged, clusters[len(fitted) :], strict=True) if cluster not in seen]
    if not left:
        raise DataError(_("The test file has no row that is not among the examples."), _("Give other rows."))
    return Halves(fitted, left[:MOST_JUDGED])


def check_count(count: int) -> None:
    """Raises DataError where weights cannot be found from so many examples."""
    if not LEAST_EXAMPLES <= count <= MOST_EXAMPLES:
        raise DataError(
            _n(
                "{count:,} example is there; weights are found from {least} to {most}.",
                "{count:,} examples are there; weights are found from {least} to {most}.",
                count=count,
                least=LEAST_EXAMPLES,
                most=MOST_EXAMPLES,
            ),
            _("Give more examples.") if count < LEAST_EXAMPLES else _("Train an adapter on them, or give fewer."),
        )
