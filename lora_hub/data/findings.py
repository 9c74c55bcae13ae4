"""A finding: what a check of the pre-flight says, and all the rows that it says it of.

A `Problem` carries at most ten example rows, because it is shown and kept; a mend needs all of them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars

from lora_hub.core.schema import Problem
from lora_hub.data.table import SHOWN_ROWS

# A list of values that ends its sentence, where the last value has a full stop of its own.
_TWO_STOPS = re.compile(r"(?<=[^\s./])\.\.(?=\s|$)")
NO_ROWS = polars.Series("row", [], dtype=polars.UInt32)


@dataclass(frozen=True)
class Finding:
    """`rows`: numbers (UInt32, from 1, as in the file) of all the rows that the problem is about."""

    problem: Problem
    rows: polars.Series = field(default_factory=lambda: NO_ROWS)


def finding(
    code: str,
    severity: str,
    message: str,
    message_fa: str,
    *,
    hint: str = "",
    hint_fa: str = "",
    rows: polars.Series | Sequence[int] = (),
    count: int | None = None,
) -> Finding:
    """A Finding whose Problem shows the first ten rows. `count`: where it is not the number of rows."""
    series = rows if isinstance(rows, polars.Series) else polars.Series("row", list(rows), dtype=polars.UInt32)
    message, message_fa, hint, hint_fa = (_TWO_STOPS.sub(".", text) for text in (message, message_fa, hint, hint_fa))
    problem = Problem(
        code=code, severity=severity, message=message, hint=hint, rows=tuple(series.head(SHOWN_ROWS).to_list()),
        count=series.len() if count is None else count, message_fa=message_fa, hint_fa=hint_fa,
    )  # fmt: skip
    return Finding(problem, series)
