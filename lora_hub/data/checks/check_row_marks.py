"""Finds table columns that mark rows as not to be learnt (weight 0, skip 1). In conversations such marks are followed.
In a table, the column may just as well be a property of the row's subject, so it is only reported, with the rows and a
mend."""

from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Task
from lora_hub.data.chats.chat_marks import HIDDEN_KEYS, LEARNT_KEYS, WEIGHTS, as_number, reading
from lora_hub.data.columns.column_names import plain
from lora_hub.data.tables.findings import Finding, finding
from lora_hub.data.tables.table import Table, is_nested

CODE = "unlearnt-rows"
NUMBERS = {*WEIGHTS, "sample_weight", "example_weight", "instance_weight", "row_weight"}
LEARNT = {*NUMBERS, *LEARNT_KEYS, "keep", "use", "include", "included"} - {"loss"}
HIDDEN = {*HIDDEN_KEYS, "ignore", "ignored", "skip", "skipped", "exclude", "excluded", "discard", "discarded"}


def find_row_marks(table: Table, task: Task, mapping: dict[str, str]) -> list[Finding]:
    """At most one finding, for the first such column that has no role and marks some rows but not all."""
    if task.is_chat:
        return []
    for name in table.columns:
        key = plain(name)
        series = table.frame[name]
        if (
            key not in LEARNT | HIDDEN
            or name in mapping.values()
            or name == table.split.name
            or is_nested(series.dtype)
        ):
            continue
        values = [value for value in series.drop_nulls().unique().to_list() if value.strip()]
        if not all(reading(value) is not None or key in NUMBERS and as_number(value) is not None for value in values):
            continue
        off = sorted(value for value in values if reading(value) is (key in HIDDEN))
        hits = table.numbers().filter(series.is_in(off).fill_null(False))
        if not 0 < hits.len() < table.rows:
            continue
        said = _n(
            (
                "In {count:,} row {column!r} is {value}, which often marks a row as not to be learnt. The column is "
                "not "
                "used: it is trained on as the others are."
            ),
            (
                "In {count:,} rows {column!r} is {value}, which often marks a row as not to be learnt. The column is "
                "not "
                "used: they are trained on as the others are."
            ),
            count=hits.len(),
            column=name,
            value=off[0],
        )
        return [finding(CODE, "warning", said, hint=_("Leave these rows out if that is what it means."), rows=hits)]
    return []
