"""Interprets a JSON document: arrays, wrapped arrays (at any depth), splits, objects of columns or of rows, pandas'
formats, SQuAD's nesting."""

import re
from collections.abc import Iterator
from typing import Any

from lora_hub.core.errors import DataError
from lora_hub.core.messages import NOTHING, _, joined, several
from lora_hub.core.schema import Problem
from lora_hub.data.read.archive_members import pick_split
from lora_hub.data.read.json_rows import frame_of, table_of_values
from lora_hub.data.tables.table import Table

# Keys that hold the rows of a wrapped file, in order of preference.
ROW_KEYS = (
    "data",
    "rows",
    "records",
    "examples",
    "items",
    "results",
    "instances",
    "samples",
    "dataset",
    "train",
    "common_examples",
    "result",
    "response",
    "payload",
    "content",
    "hits",
    "rasa_nlu_data",
    "entries",
    "documents",
    "values",
    "list",
)
DEEPEST = 5


def table_of_document(value: Any, name: str, *, skip_broken: bool = False) -> Table:
    """Raises DataError if the value holds no rows."""
    if isinstance(value, list):
        return table_of_values(value, name, skip_broken=skip_broken)
    if not isinstance(value, dict):
        raise DataError(
            _("{name} holds a single value, not a table."),
            _("Save an array of objects or one object a line."),
            name=name,
        )
    if "nbformat" in value and "cells" in value:
        raise DataError(
            _("{name} is a notebook, not a table."),
            _("Save the data that it holds as CSV or JSONL."),
            name=name,
        )
    squad = _squad(value)
    if squad is not None:
        return Table(frame_of(squad, name), "json")
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        return table_of_values([value["columns"], *value["data"]], name)
    split = _from_split(value, name, skip_broken)
    if split is not None:
        return split
    if isinstance(value.get("columns"), list) and isinstance(value.get("rows"), list) and value["columns"]:
        names = [column.get("name") if isinstance(column, dict) else column for column in value["columns"]]
        return table_of_values([names, *value["rows"]], name)
    lists = {key: item for key, item in value.items() if isinstance(item, list)}
    rows = {key: item for key, item in lists.items() if item and isinstance(item[0], dict)}
    if "messages" in rows or "conversations" in rows:
        return Table(frame_of([value], name), "json")
    if rows:
        return _from_wrapped(rows, name, skip_broken)
    if len(lists) == len(value) > 1 and all(key.isdigit() for key in value) and all(item for item in lists.values()):
        return table_of_values(list(lists.values()), name)  # {"0": [cells], "1": [cells]}
    if lists and len(lists) == len(value) and len({len(item) for item in lists.values()}) == 1:
        keys = list(lists)
        return Table(
            frame_of([dict(zip(keys, row, strict=True)) for row in zip(*lists.values(), strict=True)], name), "json"
        )
    if lists and len(lists) == len(value) and len(lists) > 1:
        if all(isinstance(text, str) for item in lists.values() for text in item):
            return _from_lists_by_label(lists, name)
        lengths = several([_("{name}: {count:,}", name=key, count=len(item)) for key, item in lists.items()], most=6)
        raise DataError(
            _("The columns of {name} are not equally long ({lengths})."),
            _("Every column needs one value a row."),
            name=name,
            lengths=lengths,
        )
    objects = [item for item in value.values() if isinstance(item, dict)]
    if objects and len(objects) == len(value):
        return _from_objects(value, name)
    if len(lists) == 1 and next(iter(lists.values())):
        return table_of_values(next(iter(lists.values())), name)
    if not value or (lists and not any(lists.values())):
        raise DataError(_("{name} has no rows."), _("Choose a file with data in it."), name=name)
    inner = _inside(value)
    if inner:
        table = table_of_document(value[inner], name, skip_broken=skip_broken)
        table.problems.append(_wrapped(inner, ""))
        return table
    if (
        len(value) >= 5
        and all(isinstance(item, str) for item in value.values())
        and sum(" " in key for key in value) > len(value) / 2
    ):
        return Table(frame_of([{"key": key, "value": item} for key, item in value.items()], name), "json")
    return Table(frame_of([value], name), "json")


def _from_wrapped(rows: dict[str, list], name: str, skip_broken: bool) -> Table:
    """{"version": ..., "data": [rows]}."""
    main = next((key for key in ROW_KEYS if key in rows), max(rows, key=lambda key: len(rows[key])))
    table = table_of_values(rows[main], name, skip_broken=skip_broken)
    table.problems.append(_wrapped(main, "", [key for key in rows if key != main]))
    return table


def _from_split(value: dict, name: str, skip_broken: bool) -> Table | None:
    """{"train": ..., "test": ...}, each a document of its own."""
    parts = [key for key, item in value.items() if isinstance(item, (list, dict)) and item]
    train, test = pick_split(parts)
    if not train or len(parts) > 5 or not re.search(r"train|آموزش|data|learn", train.lower()):
        return None
    if not all(_holds_rows(value[key]) for key in (train, test)):
        return None
    table = table_of_document(value[train], name, skip_broken=skip_broken)
    table.test = table_of_document(value[test], name, skip_broken=skip_broken)
    table.problems.append(_wrapped(train, test, [key for key in parts if key not in (train, test)]))
    return table


def _holds_rows(value: Any) -> bool:
    if isinstance(value, list):
        return isinstance(value[0], (dict, list))
    return any(isinstance(item, (list, dict)) for item in value.values())


def _wrapped(main: str, test: str, left: list[str] | None = None) -> Problem:
    rows = _("The rows are under {main!r}.", main=main)
    if test:
        rows = _("The rows are under {main!r}; those under {test!r} are the test rows.", main=main, test=test)
    return Problem(
        code="wrapped",
        severity="info",
        said=joined(rows, _("Left out: {names}.", names=several(left, most=5)) if left else NOTHING),
    )


def _from_lists_by_label(lists: dict[str, list], name: str) -> Table:
    """{"greeting": [texts], "farewell": [texts]}: lists of different lengths are no columns."""
    rows = [{"text": text, "label": label} for label, texts in lists.items() for text in texts]
    said = _("The keys were read as labels of the texts under them: {keys}.", keys=several(lists, most=5))
    told = Problem(code="label-lists", severity="info", said=said)
    return Table(frame_of(rows, name), "json", problems=[told])


def _inside(value: dict) -> str:
    """The key under which the rows are nested: the only one with an object, or one with such a name. Empty if the
    object itself is a row."""
    objects = [
        key for key, item in value.items() if isinstance(item, dict) and any(True for _ in _row_lists(item, DEEPEST))
    ]
    named = [key for key in objects if key in ROW_KEYS]
    if named:
        return named[0]
    return objects[0] if len(objects) == 1 and len(value) == 1 else ""


def _row_lists(value: dict, depth: int) -> Iterator[list]:
    for item in value.values():
        if isinstance(item, list) and item and isinstance(item[0], (dict, list)):
            yield item
        elif isinstance(item, dict) and depth:
            yield from _row_lists(item, depth - 1)


def _from_objects(value: dict[str, dict], name: str) -> Table:
    """pandas' forms: {"column": {"0": ...}} where the inner keys count rows, else {"row id": {column: ...}}."""
    inner = [list(item) for item in value.values()]
    if len(inner) == 1 and any(isinstance(item, (dict, list)) for item in next(iter(value.values())).values()):
        key = next(iter(value))
        if _inside(value) == key:
            table = table_of_document(value[key], name)
            table.problems.append(_wrapped(key, ""))
            return table
    if all(keys == inner[0] for keys in inner) and all(re.fullmatch(r"\d+", key) for key in inner[0]):
        keys = list(value)
        return Table(frame_of([{key: value[key][row] for key in keys} for row in inner[0]], name), "json")
    return table_of_values(list(value.values()), name)


def _squad(value: dict) -> list[dict] | None:
    """Rows of SQuAD's nesting: data > paragraphs > qas. A question without an answer gets an empty one."""
    articles = value.get("data", value.get("paragraphs"))
    if not isinstance(articles, list) or not articles:
        return None
    if "paragraphs" in value and "data" not in value:
        articles = [value]
    rows = []
    for article in articles:
        paragraphs = article.get("paragraphs") if isinstance(article, dict) else None
        if not isinstance(paragraphs, list):
            return None
        for paragraph in paragraphs:
            if not isinstance(paragraph, dict):
                return None
            questions = paragraph.get("qas") or []
            if not isinstance(questions, list) or not all(isinstance(asked, dict) for asked in questions):
                return None
            for asked in questions:
                answers = asked.get("answers") or []
                if isinstance(answers, dict):
                    answers = answers.get("text") or []
                answers = answers if isinstance(answers, list) else [answers]
                texts = [item.get("text") if isinstance(item, dict) else item for item in answers]
                rows.append(
                    {
                        "id": asked.get("id"),
                        "title": article.get("title"),
                        "context": paragraph.get("context"),
                        "question": asked.get("question"),
                        "answer": texts[0] if texts else "",
                    }
                )
    return rows or None
