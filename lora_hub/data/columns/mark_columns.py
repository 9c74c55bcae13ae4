"""Reads one-hot label columns (one column for each label, 1 if it applies), as in datasets of emotions, toxicity and
topics, as a single column of labels.

    text      anger  joy              text      anger  joy  label
    so loud   1      0        ->      so loud   1      0    anger

The columns stay, so that one of them alone can be chosen as the answer. A row in which none holds is labelled `NONE`.
"""

from dataclasses import replace

import polars

from lora_hub.data.columns.column_names import BOOKKEEPING, LABEL, plain
from lora_hub.data.tables.table import Marks, Table, is_nested

COLUMN = "label"
NONE = "none"
FORMS = ({"0", "1"}, {"0.0", "1.0"}, {"false", "true"}, {"False", "True"}, {"FALSE", "TRUE"})
HOLDS = [max(form) for form in FORMS]  # 1 and true; each sorts after its opposite
# Names of label or answer columns: if there is one, columns of 0 and 1 mean something else.
ANSWERS = {*LABEL, "response", "completion", "summary", "translation", "sql", "query", "corrected", "answers"} - {
    *"language section status priority type subject team department note rate overall".split()
}
# First words of a name that only say that the column is a mark.
PREFIXES = {"is", "has", "label", "labels", "class", "category", "topic", "emotion", "tag", "intent", "target", "cat"}
# Prefixes of other marks, such as whether a row has a link.
ASKS = {"is", "has", "was", "can", "contains", "includes"}


def with_marked_labels(table: Table) -> Table:
    """The table with a column `COLUMN` of the labels that columns of 0 and 1 mark. Unchanged if there are none, or if
    another column is named like the answer."""
    names = _marks(table.frame)
    if not names:
        return table
    marked = _folded(table, names)
    test = table.test
    if test is not None and set(names) <= set(test.columns) and all(_is_mark(test.frame[name]) for name in names):
        marked.test = _folded(test, names)
    return marked


def _marks(frame: polars.DataFrame) -> list[str]:
    """The columns that mark labels: adjacent, all with the same two values."""
    groups: list[list[str]] = [[]]
    kind: set[str] = set()
    for name in frame.columns:
        form = _form(frame[name]) if plain(name) not in BOOKKEEPING else None
        if form is None or groups[-1] and form != kind:
            groups.append([])
        if form is not None:
            groups[-1].append(name)
            kind = form
    names = max(groups, key=len)
    others = [name for name in frame.columns if name not in names]
    if len(names) < 2 or not others or any(plain(name) in ANSWERS for name in others):
        return []
    held = _held(frame, names)
    used = sum(bool(held[name].any()) for name in names)
    if bool((held.sum_horizontal() == 1).all()):
        return names if used > 1 else []
    first = [plain(name).partition("_")[0] for name in names]
    says_more = any(plain(name) in ANSWERS for name in names) or (set(first) & ASKS and len(set(first)) > 1)
    return names if len(names) > 2 and used > 1 and not says_more else []


def _form(series: polars.Series) -> set[str] | None:
    """How a column writes its marks; None if it holds anything else."""
    if is_nested(series.dtype):
        return None
    for form in FORMS:
        if series.head(200).is_in([*form, ""]).fill_null(True).all():
            return form if _is_mark(series) and series.is_in(list(form)).any() else None
    return None


def _is_mark(series: polars.Series) -> bool:
    if is_nested(series.dtype):
        return False
    return any(bool(series.is_in([*form, ""]).fill_null(True).all()) for form in FORMS)


def _held(frame: polars.DataFrame, names: list[str]) -> polars.DataFrame:
    return frame.select(polars.col(name).is_in(HOLDS).fill_null(False) for name in names)


def _folded(table: Table, names: list[str]) -> Table:
    labels = _label_names(names)
    held = _held(table.frame, names)
    said = table.frame.select(polars.any_horizontal((polars.col(names) != "").fill_null(False))).to_series().to_list()
    found = [
        [label for label, holds in zip(labels, row, strict=True) if holds] or ([NONE] if is_said else [])
        for row, is_said in zip(held.rows(), said, strict=True)
    ]
    counts = held.sum_horizontal()
    if any(len(one) > 1 for one in found):
        column = polars.Series(COLUMN, [one or None for one in found], dtype=polars.Object)
    else:
        column = polars.Series(COLUMN, [one[0] if one else None for one in found], dtype=polars.String)
    numbers = table.numbers()
    unmarked = numbers.filter((counts == 0) & polars.Series(said, dtype=polars.Boolean))
    marks = Marks(COLUMN, tuple(names), tuple(unmarked.to_list()))
    return replace(table, frame=table.frame.with_columns(column), marks=marks)


def _label_names(names: list[str]) -> list[str]:
    """The labels that the columns are named after, without the prefix that pandas adds (label_ham, label_spam)."""
    heads = {name.partition("_")[0] for name in names}
    if len(heads) == 1 and plain(heads.pop()) in PREFIXES:
        tails = [name.partition("_")[2].strip() for name in names]
        if all(tails) and len(set(tails)) == len(tails):
            return tails
    return [name.strip() for name in names]
