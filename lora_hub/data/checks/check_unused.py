"""What a file holds and its task does not use."""

from lora_hub.core.messages import _, several
from lora_hub.core.schema import Problem
from lora_hub.data.tables.findings import Finding
from lora_hub.data.tables.table import Table


def names_unused(table: Table, mapping: dict[str, str]) -> list[str]:
    """All columns with a value in them that no role has; none where no role has any."""
    used = {*mapping.values(), table.split_column}
    left = [
        name for name in table.columns if mapping and name not in used and table.frame[name].null_count() < table.rows
    ]
    return [name for name in left if table.is_nested(name) or (table.frame[name] != "").any()]


def unused_columns(table: Table, mapping: dict[str, str]) -> list[Finding]:
    """What the file holds and the task does not use, by name. Columns without any value are not worth a word."""
    left = names_unused(table, mapping)
    if not left:
        return []
    return [
        Finding(
            Problem(
                code="unused-columns",
                severity="info",
                said=_("Not used: {columns}.", columns=several(left, most=12)),
                count=len(left),
            )
        )
    ]
