"""Finds near-duplicate rows."""

import polars

from lora_hub.core.messages import NOTHING, _, _n, joined
from lora_hub.data.checks.rows import Check
from lora_hub.data.tables.findings import Finding, finding
from lora_hub.data.tables.near_duplicates import near_duplicates

MOST = 100_000


def check_near_duplicates(frame: polars.DataFrame, roles: list[str]) -> list[Finding]:
    """`frame`: row and texts. Finds rows that are nearly, but not exactly, the same as an earlier one, among the first
    100,000."""
    looked = frame.head(MOST).select("row", text=polars.concat_str(roles, separator=" "))
    looked = looked.filter(polars.col("text").is_first_distinct())
    later = near_duplicates(looked["text"])
    if not len(later):
        return []
    count = len(later)
    said = _n(
        "{count:,} row is nearly the same as an earlier one.",
        "{count:,} rows are nearly the same as an earlier one.",
        count=count,
    )
    part = _("The first {most:,} rows were compared.", most=MOST) if frame.height > MOST else NOTHING
    hint = _("They add little to learn from and make the score look better than it is.")
    return [finding("near-duplicates", "info", joined(said, part), hint=hint, rows=looked["row"].gather(later))]


CHECKS = (Check(100, "texts", lambda rows: check_near_duplicates(rows.frame, rows.texts)),)
