"""Cells that hold lists or objects, as the text that a task trains on, and the findings about them.

    plain_cells(table, task, mapping)   the table with the task's columns as text: labels as labels, all else as JSON
    find_nested(table, task, mapping)   findings: several labels a row, labels of parts of a text, objects learnt as
                                        JSON

Every path from a table to a row goes through `plain_cells` (`mends.apply_mends` calls it first), so checks, previews,
training and scoring use the same text.
"""

from collections import Counter
from dataclasses import replace

import polars

from lora_hub.core.messages import _, _n, several
from lora_hub.core.schema import Task
from lora_hub.data.tables.findings import Finding, finding
from lora_hub.data.tables.label_forms import combinations
from lora_hub.data.tables.table import Table
from lora_hub.data.tables.value_text import label_names, label_text, listed

VOTES = (".responses", "_responses")
LOOKED_AT = 1_000  # cells sampled to see whether a column of texts holds lists


def plain_cells(table: Table, task: Task, mapping: dict[str, str]) -> Table:
    """The table with the columns of the task's roles as text; a chat's conversations stay unchanged. In a
    classification task, a cell without a label of the whole row becomes null."""
    if task.is_chat:
        return table
    changed = {}
    for role, column in mapping.items():
        if column not in table.columns:
            continue
        if role == "answer" and task.output == "labels" and holds_lists(table.frame[column], mixed=True):
            changed[column] = _labels(table.frame[column])
        elif table.is_nested(column):
            changed[column] = table.texts(column)
    plain = (
        table
        if not changed
        else replace(table, frame=table.frame.with_columns([series.alias(name) for name, series in changed.items()]))
    )
    if table.test is not None:
        plain = replace(plain, test=plain_cells(table.test, task, mapping))
    return plain


def holds_lists(series: polars.Series, *, mixed: bool = False) -> bool:
    """Whether the cells are lists or objects, or texts of such (as pandas writes into a CSV). mixed: also if only some
    are lists of names and the others single names, as tools write several labels beside one."""
    if series.dtype != polars.String:
        return series.dtype.is_nested() or series.dtype == polars.Object
    texts = series.drop_nulls().str.strip_chars()
    texts = texts.filter(texts != "")
    written = texts.filter(texts.str.contains(r"(?s)^(\[.*\]|\{.*\}|\(.*\))$"))
    values = [listed(text) for text in written.head(LOOKED_AT).to_list()]
    if not values or any(value is None for value in values):
        return False
    if written.len() == texts.len():
        return True
    return mixed and all(isinstance(value, list) and all(isinstance(name, str) for name in value) for value in values)


def _labels(series: polars.Series) -> polars.Series:
    values = series.to_list()
    return polars.Series(series.name, labels_of_cells(series.name, values, marks_of(values)), dtype=polars.String)


def labels_of_cells(column: str, values: list, marks: list[list[int]] | None) -> list[str | None]:
    """Each cell's label. marks: from `marks_of`: lists with a mark for each class get their label from the mark's
    position; with several marks the meaning is unclear."""
    if marks is None:
        return [_label(column, value) for value in values]
    return [str(one.index(1)) if one and sum(one) == 1 else None if one else "" for one in marks]


def marks_of(values: list) -> list[list[int]] | None:
    """Cells that are lists of 0 and 1 of equal length, as lists of int (empty for missing values); None if a cell is
    anything else."""
    marks: list[list[int]] = []
    for value in values:
        cells = listed(value) if isinstance(value, str) else value
        if value is None or isinstance(value, str) and not value.strip():
            marks.append([])
        elif (
            isinstance(cells, (list, tuple))
            and len(cells) > 1
            and all(isinstance(cell, (bool, int, float)) and cell in (0, 1) for cell in cells)
        ):
            marks.append([int(cell) for cell in cells])
        else:
            return None
    return marks if len({len(one) for one in marks} - {0}) == 1 and len(set(map(tuple, marks)) - {()}) > 1 else None


def _label(column: str, value: object) -> str | None:
    """A cell's label; None if it holds no label of the whole row. If the column holds several people's answers to one
    question (Argilla's `label.responses`), the majority's label; without a majority, an empty text."""
    if not column.endswith(VOTES):
        return label_text(value)
    votes = Counter(label_names(value) or []).most_common(2)
    return "" if not votes or len(votes) > 1 and votes[0][1] == votes[1][1] else votes[0][0]


def find_nested(table: Table, task: Task, mapping: dict[str, str]) -> list[Finding]:
    """`table`: as it was read, with its nested cells."""
    if task.is_chat:
        return []
    answer = mapping.get("answer", "")
    as_labels = task.output == "labels" and answer in table.columns and holds_lists(table.frame[answer], mixed=True)
    nested = [
        column
        for column in mapping.values()
        if column in table.columns and table.is_nested(column) and not (as_labels and column == answer)
    ]
    found = (
        []
        if not nested
        else [
            finding(
                "nested-cells",
                "info",
                _(
                    "The lists and objects in {nested} are put to the model as JSON text.",
                    nested=several(nested, "and", quoted=True),
                ),
            )
        ]
    )
    found += [one for column in nested if (one := _filled(table, column))]
    return found + _find_labels(table.frame[answer], table.numbers()) if as_labels else found


def _filled(table: Table, column: str) -> Finding | None:
    """Table formats use one set of keys for all rows, so a key missing in a row is null in it, just like a real
    null."""
    if table.frame.schema[column] == polars.Object:
        return None  # JSON, as it stands in the file
    hits = table.numbers().filter(table.texts(column).str.contains('": null', literal=True).fill_null(False))
    if not hits.len():
        return None
    said = _n(
        (
            "In {count:,} row keys in {column!r} are null: the file's format keeps no difference between null and not "
            "there."
        ),
        (
            "In {count:,} rows keys in {column!r} are null: the file's format keeps no difference between null and not "
            "there."
        ),
        count=hits.len(),
        column=column,
    )
    return finding(
        "filled-nulls", "info", said, hint=_("To have absent keys left out, save the data as JSON Lines."), rows=hits
    )


def _find_labels(series: polars.Series, numbers: polars.Series) -> list[Finding]:
    answer, values = series.name, series.to_list()
    marks = marks_of(values)
    labels = labels_of_cells(answer, values, marks)
    found = []
    if marks is not None and any(labels):
        found.append(
            finding(
                "one-hot-labels",
                "info",
                _("Each list in {answer!r} marks one class: its place, counted from 0, is the label.", answer=answer),
                hint=_("Names instead of places are learnt faster; a base knows what they mean."),
            )
        )
    if answer.endswith(VOTES):
        split = [
            place
            for place, (value, label) in enumerate(zip(values, labels, strict=True))
            if label == "" and label_names(value)
        ]
        said = _n(
            "In {count:,} row the answers in {column!r} are divided, so that no label has the most.",
            "In {count:,} rows the answers in {column!r} are divided, so that no label has the most.",
            count=len(split),
            column=answer,
        )
        hint = _("They are left out; decide which label is right.")
        return [finding("divided-labels", "warning", said, hint=hint, rows=numbers.gather(split))] if split else []
    unread = [place for place, label in enumerate(labels) if label is None]
    if unread:
        said = _n(
            "{count:,} row in {column!r} holds no label of the whole row but something else, such as {example}.",
            "{count:,} rows in {column!r} hold no label of the whole row but something else, such as {example}.",
            count=len(unread),
            column=answer,
            example=_short(values[unread[0]]),
        )
        hint = _("Labels of words or passages are not learnt here: bring one label, or a list of labels, for each row.")
        found.append(
            finding(
                "no-row-label",
                "error" if len(unread) == len(values) else "warning",
                said,
                hint=hint,
                rows=numbers.gather(unread),
            )
        )
    known = combinations(filter(None, labels))  # the label check reports this
    sets = (
        []
        if marks is not None
        else [
            place
            for place, value in enumerate(values)
            if labels[place] not in known and len(set(label_names(value) or [])) > 1
        ]
    )
    if sets:
        said = _n(
            "{count:,} row has several labels in {column!r}. Each combination is a class of its own: {labels}.",
            "{count:,} rows have several labels in {column!r}. Each combination is a class of its own: {labels}.",
            count=len(sets),
            column=answer,
            labels=several(sorted({labels[place] or "" for place in sets}), most=4),
        )
        hint = _(
            "The adapter answers with one of the combinations it has seen; for labels that stand on their own, train "
            "a task for each."
        )
        found.append(finding("label-sets", "warning", said, hint=hint, rows=numbers.gather(sets)))
    return found


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"
