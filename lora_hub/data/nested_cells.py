"""Cells that hold lists or objects, as the text that a task trains on, and what is to be told of them.

    plain_cells(table, task, mapping)     the table with the task's columns as text: labels as labels, all else as JSON
    find_nested(table, task, mapping)     findings: several labels a row, labels of parts of a text, objects learnt as JSON

Every road from a table to a row goes through `plain_cells` (it is the first thing that `mends.apply_mends` does), so what is
checked, shown, trained on and scored is one text.
"""

from dataclasses import replace

import polars

from lora_hub.data.check_words import number_fa, rows, some
from lora_hub.data.findings import Finding, finding
from lora_hub.data.label_forms import combinations
from lora_hub.data.table import Table
from lora_hub.data.value_text import label_text, listed
from lora_hub.schema import Task

LOOKED_AT = 1_000  # cells that show whether a column of texts holds lists


def plain_cells(table: Table, task: Task, mapping: dict[str, str]) -> Table:
    """The table in which the columns of the task's roles are text; a chat's conversations stay as they are. A cell of a label
    task that holds no label of the whole row is null."""
    if task.is_chat:
        return table
    changed = {}
    for role, column in mapping.items():
        if column not in table.columns:
            continue
        if role == "answer" and task.output == "labels" and holds_lists(table.frame[column]):
            changed[column] = _labels(table.frame[column])
        elif table.is_nested(column):
            changed[column] = table.texts(column)
    plain = table if not changed else replace(table, frame=table.frame.with_columns([series.alias(name) for name, series in changed.items()]))
    if table.test is not None:
        plain = replace(plain, test=plain_cells(table.test, task, mapping))
    return plain


def holds_lists(series: polars.Series) -> bool:
    """Whether the cells are lists or objects, or texts that write such (as pandas writes them into a CSV)."""
    if series.dtype != polars.String:
        return series.dtype.is_nested() or series.dtype == polars.Object
    texts = series.drop_nulls().head(LOOKED_AT).str.strip_chars()
    texts = texts.filter(texts != "")
    if not texts.len() or not texts.str.contains(r"^(?s)[\[{].*[\]}]$").all():
        return False
    return all(listed(text) is not None for text in texts.to_list())


def _labels(series: polars.Series) -> polars.Series:
    return polars.Series(series.name, [label_text(value) for value in series.to_list()], dtype=polars.String)


def find_nested(table: Table, task: Task, mapping: dict[str, str]) -> list[Finding]:
    """`table`: as it was read, its nested cells as they are."""
    answer = mapping.get("answer", "")
    if task.is_chat or answer not in table.columns or not holds_lists(table.frame[answer]):
        return []
    series, numbers = table.frame[answer], table.numbers()
    if task.output != "labels":
        return [finding(
            "nested-answers", "info", f"The lists and objects in {answer!r} are learnt as JSON text.",
            f"فهرست‌ها و شیءهای ستون «{answer}» به شکل متن JSON یاد گرفته می‌شود.", count=series.len() - series.null_count(),
        )] if table.is_nested(answer) else []  # fmt: skip
    values = series.to_list()
    labels = [label_text(value) for value in values]
    found = []
    unread = [place for place, label in enumerate(labels) if label is None]
    if unread:
        found.append(finding(
            "no-row-label", "error" if len(unread) == len(values) else "warning",
            f"{rows(len(unread))} in {answer!r} hold{'s' if len(unread) == 1 else ''} no label of the whole row but something else, such as {_short(values[unread[0]])}.",
            f"{number_fa(len(unread))} سطر در ستون «{answer}» برچسبِ کل سطر ندارد و چیز دیگری دارد، مانند {_short(values[unread[0]])}.",
            hint="Labels of words or passages are not learnt here: bring one label, or a list of labels, for each row.",
            hint_fa="برچسبِ واژه‌ها یا بخش‌هایی از متن اینجا یاد گرفته نمی‌شود: برای هر سطر یک برچسب یا فهرستی از برچسب‌ها بدهید.",
            rows=numbers.gather(unread),
        ))  # fmt: skip
    several = [place for place, (value, label) in enumerate(zip(values, labels, strict=True)) if label and _count(value) > 1]
    known = combinations(filter(None, labels))  # told where the labels are checked
    if any(labels[place] not in known for place in several):
        shown = some(sorted({labels[place] or "" for place in several}), 4)
        found.append(finding(
            "label-sets", "warning",
            f"{rows(len(several))} {'has' if len(several) == 1 else 'have'} several labels in {answer!r}. Each combination is a class of its own: {shown.en}.",
            f"{number_fa(len(several))} سطر در ستون «{answer}» چند برچسب دارد. هر ترکیب یک دستهٔ جدا شمرده می‌شود: {shown.fa}.",
            hint="The adapter answers with one of the combinations it has seen; for labels that stand on their own, train a task for each.",
            hint_fa="آداپتور با یکی از ترکیب‌هایی که دیده پاسخ می‌دهد؛ اگر برچسب‌ها مستقل‌اند، برای هر کدام یک وظیفه آموزش دهید.",
            rows=numbers.gather(several),
        ))  # fmt: skip
    return found


def _count(value: object) -> int:
    value = listed(value) if isinstance(value, str) else value
    return len(value) if isinstance(value, (list, dict)) else 1


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"
