"""Checks whether enough rows are held out for a meaningful score. Reported before training, because training cannot fix
it."""

import math

from lora_hub.core.messages import NOTHING, _, _n, joined, several
from lora_hub.data.tables.findings import Finding, finding
from lora_hub.data.tables.table import Table

CODE = "few-held-out"
FEW = 50  # rows; with fewer, a share is uncertain by more than about 13 points either way
LEAST_TOLD = 6  # rows that must change, all in one direction, before the exact McNemar test can be significant


def check_held_out(scored: int) -> list[Finding]:
    """scored: rows that base and adapter will be scored on. Returns nothing if they are enough."""
    if not 0 < scored < FEW:
        return []
    # Half of Wilson's 95 % interval at 50 %: z / (2 sqrt(n + z^2)).
    half = round(98 / math.sqrt(scored + 3.84))
    said = _n(
        "Only {count} row would be scored: a score of so few is known to about {half} points either way.",
        "Only {count} rows would be scored: a score of so few is known to about {half} points either way.",
        count=scored,
        half=half,
    )
    never = _(
        "No difference between adapter and base can be more than chance with fewer than {least} rows.", least=LEAST_TOLD
    )
    hint = _(
        "Bring more rows, or a test file of your own; from about {few} rows on a score begins to say something.",
        few=FEW,
    )
    return [finding(CODE, "warning", joined(said, never if scored < LEAST_TOLD else NOTHING), hint=hint, count=scored)]


def find_test_columns(table: Table, mapping: dict[str, str]) -> list[Finding]:
    """A test part of the file whose columns differ from those of the training rows."""
    lacking = table.columns_test_lacks(mapping)
    if not lacking:
        return []
    said = _n(
        (
            "The test part of the file ({count:,} row) has no column {columns}: it is left aside, and rows to score "
            "are "
            "held out of the others."
        ),
        (
            "The test part of the file ({count:,} rows) has no column {columns}: it is left aside, and rows to score "
            "are "
            "held out of the others."
        ),
        count=table.test.rows,
        columns=several(lacking, quoted=True),
    )
    hint = _(
        "Its columns: {columns}. Name them as in the other part, or give that file as the test file.",
        columns=several(table.test.columns, quoted=True),
    )
    return [finding("test-columns", "warning", said, hint=hint)]
