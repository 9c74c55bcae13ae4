"""Reports what a file holds and its task does not use."""

from lora_hub.core.messages import _, several
from lora_hub.core.schema import Problem
from lora_hub.data.columns.column_names import squeezed
from lora_hub.data.tables.findings import Finding
from lora_hub.data.tables.table import Table

FOLDS = {"fold", "folds", "kfold", "cvfold", "foldid", "foldnumber", "split", "splitid", "partition"}
MOST_FOLDS = 20


def names_unused(table: Table, mapping: dict[str, str]) -> list[str]:
    """All columns that have values but no role; none if no column has a role. Empty columns are not reported."""
    is_marked = table.marks.label in mapping.values()
    used = {*mapping.values(), table.split.name, *(table.marks.columns if is_marked else [table.marks.label])}
    left = [
        name for name in table.columns if mapping and name not in used and table.frame[name].null_count() < table.rows
    ]
    return [name for name in left if table.is_nested(name) or (table.frame[name] != "").any()]


def find_unused(table: Table, mapping: dict[str, str]) -> list[Finding]:
    """The names of the unused columns, and what can be done about one of them."""
    left = names_unused(table, mapping)
    return [*_folds(table, left), *_unused(left)]


def _folds(table: Table, left: list[str]) -> list[Finding]:
    """A column that numbers cross-validation folds: no fold is scored unless a person chooses one."""
    for name in left:
        if table.is_nested(name) or squeezed(name) not in FOLDS:
            continue
        values = table.frame[name].drop_nulls().unique().to_list()
        if not 2 <= len(values) <= MOST_FOLDS or not all(value.strip().isdecimal() for value in values):
            continue
        said = _(
            "The column {column!r} numbers {count} parts of the rows ({parts}). It does not say which is to be scored, "
            "so rows to score are drawn by chance from all of them.",
            column=name,
            count=len(values),
            parts=several(sorted(int(value) for value in values)),
        )
        hint = _("To score on one part, write “test” in that column in its rows and “train” in the others.")
        return [Finding(Problem(code="folds", severity="info", said=said, advice=hint, count=table.rows))]
    return []


def _unused(left: list[str]) -> list[Finding]:
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
