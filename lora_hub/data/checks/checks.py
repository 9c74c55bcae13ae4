"""Pre-flight: what is wrong with the data, told before a GPU second is spent.

Every check looks at all rows at once (polars) and gives at most one Finding: a Problem (code, severity, a sentence and
what to do, a count, the first ten rows) and the numbers of all the rows it is about. An error stops a run;
a warning and an info do not. What looks like a secret is told by row and kind, never shown.

    find(table, task, mapping)                 one table: findings, errors first, at most one for each code
    check_table(table, task, mapping)          their problems
    find_overlap(task, train, test, ...)       rows of the training table that are in the test table
    find_unseen(task, train, test, ...)        labels that only one of the two tables has
    check_overlap(task, train, test, ...)      their problems
"""

import polars

from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Problem, Task
from lora_hub.data.checks.check_answers import check_answers
from lora_hub.data.checks.check_chats import check_chats
from lora_hub.data.checks.check_labels import check_labels, check_unseen_labels
from lora_hub.data.checks.check_languages import check_languages
from lora_hub.data.checks.check_mixed_rows import check_mixed_rows
from lora_hub.data.checks.check_rows import (
    check_conflicts,
    check_duplicates,
    check_rows,
    check_size,
    filled_rows,
    key_of,
)
from lora_hub.data.checks.check_secrets import check_secrets
from lora_hub.data.checks.check_templates import check_templates
from lora_hub.data.checks.check_test_labels import check_test_labels
from lora_hub.data.checks.check_texts import check_characters
from lora_hub.data.checks.check_third_language import check_third_language
from lora_hub.data.tables.findings import Finding, finding
from lora_hub.data.tables.near_duplicates import check_near_duplicates
from lora_hub.data.tables.table import Table

ORDER = ("error", "warning", "info")


def check_table(table: Table, task: Task, mapping: dict[str, str]) -> list[Problem]:
    """The problems of `find`."""
    return [found.problem for found in find(table, task, mapping)]


def find(table: Table, task: Task, mapping: dict[str, str]) -> list[Finding]:
    """All findings, errors first. Roles that are not mapped, or to a column there is not, are passed over."""
    usable = {role: column for role, column in mapping.items() if column in table.columns}
    if not usable:
        return []
    frame = rows_of(table, task, usable)
    found: list[Finding] = []
    if task.is_chat:
        found += check_chats(table.frame[usable["messages"]], frame["row"])
    else:
        found += check_rows(frame, task, usable)
        filled = filled_rows(frame, task)
        if filled.height:
            found += check_labels(filled, task)
            found += check_conflicts(filled, task)
            found += check_answers(filled, task)
            found += check_languages(filled, task)
            found += check_third_language(filled, task, usable)
            found += check_mixed_rows(filled, task, usable)
    found += check_duplicates(table, usable)
    found += check_size(frame, task)
    texts = [role for role in (*task.inputs, *(["answer"] if task.output == "text" else [])) if role in frame.columns]
    if texts:
        for check in (check_near_duplicates, check_templates, check_secrets, check_characters):
            found += check(frame, texts)
    return sorted(found, key=lambda one: ORDER.index(one.problem.severity))


def rows_of(table: Table, task: Task, mapping: dict[str, str]) -> polars.DataFrame:
    """`row` (its number in the file) and the text of every mapped role, white space around it aside; a missing value is
    an empty text."""
    return polars.DataFrame(
        [table.numbers().alias("row")]
        + [_stripped(table.texts(column)).alias(role) for role, column in mapping.items()]
    )


def _stripped(texts: polars.Series) -> polars.Series:
    """Where there is nothing to take away the texts themselves, and no second copy of them in memory."""
    texts = texts.fill_null("") if texts.null_count() else texts
    stripped = texts.str.strip_chars()
    return texts if stripped.str.len_bytes().sum() == texts.str.len_bytes().sum() else stripped


def check_overlap(
    task: Task, train: Table, train_mapping: dict[str, str], test: Table, test_mapping: dict[str, str]
) -> list[Problem]:
    """The problems of `find_overlap`."""
    return [found.problem for found in find_overlap(task, train, train_mapping, test, test_mapping)]


def find_overlap(
    task: Task, train: Table, train_mapping: dict[str, str], test: Table, test_mapping: dict[str, str]
) -> list[Finding]:
    """Rows of the training table whose inputs are in the test table, too (case and spaces aside). `rows`: of the
    training table. With them the score would measure memory."""
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
    """Labels that only the test table has, and those that it has not. Nothing for a task that writes text; a task that
    has its labels is held to those."""
    if task.output != "labels" or "answer" not in test_mapping or not (task.labels or "answer" in train_mapping):
        return []
    known, scored = task.labels or _labels(train, task, train_mapping), _scored(test, task, test_mapping)
    return [*check_unseen_labels(known, scored, task.id), *check_test_labels(known, scored)]


def _labels(table: Table, task: Task, mapping: dict[str, str]) -> list[str]:
    return [label for label in _scored(table, task, mapping)["answer"].unique().to_list() if label]


def _scored(table: Table, task: Task, mapping: dict[str, str]) -> polars.DataFrame:
    return filled_rows(rows_of(table, task, mapping), task)
