"""A finding: the result of a pre-flight check, with all the rows it affects.

A `Problem` carries at most ten example rows, because it is displayed and stored; a mend needs all of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import polars

from lora_hub.core.messages import NOTHING, Message
from lora_hub.core.schema import Problem
from lora_hub.data.tables.table import SHOWN_ROWS

SEVERITIES = ("error", "warning", "info")
NO_ROWS = polars.Series("row", [], dtype=polars.UInt32)


@dataclass(frozen=True)
class Finding:
    """`rows`: numbers (UInt32, from 1, as in the file) of all affected rows."""

    problem: Problem
    rows: polars.Series = field(default_factory=lambda: NO_ROWS)


def worst_first(found: Iterable[Finding]) -> list[Finding]:
    return sorted(found, key=lambda one: SEVERITIES.index(one.problem.severity))


def finding(
    code: str,
    severity: str,
    said: Message,
    *,
    hint: Message = NOTHING,
    rows: polars.Series | Sequence[int] = (),
    count: int | None = None,
) -> Finding:
    """A Finding whose Problem shows the first ten rows. `count`: if it is not the number of rows."""
    series = rows if isinstance(rows, polars.Series) else polars.Series("row", list(rows), dtype=polars.UInt32)
    shown = tuple(series.head(SHOWN_ROWS).to_list())
    problem = Problem(
        code=code, severity=severity, said=said, advice=hint, rows=shown, count=series.len() if count is None else count
    )
    return Finding(problem, series)
