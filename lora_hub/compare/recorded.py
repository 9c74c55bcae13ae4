"""Figures that somebody recorded, held against the same ones computed again.

differing({"accuracy": 91.5}, {"accuracy": 90.0})      [("accuracy", 91.5, 90.0)]; [] where all are the same
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

# Of percents, shares and p-values that are kept with four digits: less is another machine's arithmetic.
SAME = 0.001
# What a stranger recorded may have more of; a name is cut.
MOST_DIFFERING, LONGEST_NAME = 100, 80


def differing(recorded: Mapping[str, Any], computed: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(figure, as it was recorded, as it is now) of all that are not the same; None where one side has none. Both are
    nested by name; a figure's name is its path."""
    kept, new = dict(_flat(recorded)), dict(_flat(computed))
    different = []
    for name in {**new, **kept}:
        if len(different) < MOST_DIFFERING and not _is_same(kept.get(name), new.get(name)):
            different.append((name[:LONGEST_NAME], _shown(kept.get(name)), new.get(name)))
    return different


def _shown(value: Any) -> Any:
    """JSON has neither infinity nor what is no number."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value[:LONGEST_NAME] if isinstance(value, str) else value


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return abs(one - other) <= SAME
    return one == other


def _flat(value: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    for name, one in value.items():
        if isinstance(one, Mapping):
            yield from _flat(one, f"{where}{name}.")
        else:
            yield f"{where}{name}", one
