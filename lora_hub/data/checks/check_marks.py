"""Reports labels that were read from one-hot columns."""

from lora_hub.core.messages import NOTHING, _, _n, joined, several
from lora_hub.data.checks.rows import Check, Rows
from lora_hub.data.columns.mark_columns import NONE
from lora_hub.data.tables.findings import Finding, finding

LISTED = 12


def check_marks(rows: Rows) -> list[Finding]:
    """Names the columns that the labels come from, and the rows that no column marks."""
    marks = rows.table.marks
    if not marks.columns or rows.mapping.get("answer") != marks.label:
        return []
    said = _(
        "The labels are read from {count} columns that mark them with 1: {columns}.",
        count=len(marks.columns),
        columns=several(marks.columns, most=LISTED),
    )
    numbers = rows.table.numbers()
    hits = numbers.filter(numbers.is_in(list(marks.unmarked)))
    none = (
        _n(
            "{count:,} row that none of them marks has the label {none!r}.",
            "{count:,} rows that none of them marks have the label {none!r}.",
            count=hits.len(),
            none=NONE,
        )
        if hits.len()
        else NOTHING
    )
    hint = _("To learn one of them alone, choose its column as the answer.")
    return [finding("label-columns", "info", joined(said, none), hint=hint, rows=hits, count=rows.table.rows)]


CHECKS = (Check(125, "filled", check_marks),)
