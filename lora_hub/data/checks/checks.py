"""Pre-flight checks: problems in the data, reported before training starts.

Every check processes all rows at once (polars) and returns at most one Finding: a Problem (code, severity, a sentence
and advice, a count, the first ten rows) and the numbers of all affected rows. An error stops a run; a warning and an
info do not. Likely secrets are reported by row and kind, never shown. To add a check, add one file here: a module named
check_* whose `CHECKS` say when they run (`rows.Check`).

    find(table, task, mapping)                 one table: findings, errors first, at most one for each code
    find_overlap(task, train, test, ...)       rows of the training table that are in the test table
    find_unseen(task, train, test, ...)        labels that only one of the two tables has
"""

from importlib import import_module
from pkgutil import iter_modules

import polars

from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Task
from lora_hub.data import checks as room
from lora_hub.data.checks.check_labels import check_unseen_labels
from lora_hub.data.checks.check_test_labels import check_test_labels
from lora_hub.data.checks.rows import Check, Rows, filled_rows, key_of, rows_of
from lora_hub.data.tables.findings import Finding, finding, worst_first
from lora_hub.data.tables.table import Table


def find(table: Table, task: Task, mapping: dict[str, str]) -> list[Finding]:
    """All findings, errors first. Ignores roles without a mapping, or mapped to a column that does not exist."""
    rows = Rows(table, task, mapping)
    if not rows.mapping:
        return []
    found = [one for check in _all_checks() if check.asks_of(rows) for one in check.look(rows)]
    return worst_first(found)


def _all_checks() -> list[Check]:
    """The checks of all modules in this folder, in their order."""
    modules = [name for _finder, name, _is_room in iter_modules(room.__path__) if name.startswith("check_")]
    named = [check for name in modules for check in getattr(import_module(f"{room.__name__}.{name}"), "CHECKS", ())]
    return sorted(named, key=lambda check: check.place)


def find_overlap(
    task: Task, train: Table, train_mapping: dict[str, str], test: Table, test_mapping: dict[str, str]
) -> list[Finding]:
    """Rows of the training table whose inputs are also in the test table, ignoring case and spaces. With them, the
    score would measure memorization. `rows`: numbers in the training table."""
    roles = [role for role in task.inputs if role in train_mapping and role in test_mapping]
    if not roles:
        return []

    def keys(table: Table, mapping: dict[str, str]) -> polars.DataFrame:
        frame = rows_of(table, task, {role: mapping[role] for role in roles})
        frame = frame.filter(~polars.all_horizontal([polars.col(role) == "" for role in roles]))
        normal = [polars.col(role).str.to_lowercase().str.replace_all(r"\s+", " ") for role in roles]
        return frame.with_columns(normal).select("row", key=key_of(roles))

    trained, tested = keys(train, train_mapping), keys(test, test_mapping)
    hits = trained.filter(polars.col("key").is_in(tested["key"].implode()))["row"]
    if not hits.len():
        return []
    count, both = hits.len(), tested.filter(polars.col("key").is_in(trained["key"].implode())).height
    said = _n(
        "{count:,} training row is in the test file, too ({both:,} of its {all:,} rows).",
        "{count:,} training rows are in the test file, too ({both:,} of its {all:,} rows).",
        count=count,
        both=both,
        all=test.rows,
    )
    hint = _("They are not trained on, so that the score measures learning and not memory.")
    return [finding("leakage", "warning", said, hint=hint, rows=hits)]


def find_unseen(
    task: Task, train: Table, train_mapping: dict[str, str], test: Table, test_mapping: dict[str, str]
) -> list[Finding]:
    """Labels that only the test table has, and labels that it lacks. Returns nothing for a task with text answers. If
    the task has labels of its own, those count as learnt."""
    if task.output != "labels" or "answer" not in test_mapping or not (task.labels or "answer" in train_mapping):
        return []
    known, scored = task.labels or _labels(train, task, train_mapping), _scored(test, task, test_mapping)
    return [*check_unseen_labels(known, scored, task.id), *check_test_labels(known, scored)]


def _labels(table: Table, task: Task, mapping: dict[str, str]) -> list[str]:
    return [label for label in _scored(table, task, mapping)["answer"].unique().to_list() if label]


def _scored(table: Table, task: Task, mapping: dict[str, str]) -> polars.DataFrame:
    return filled_rows(rows_of(table, task, mapping), task)
