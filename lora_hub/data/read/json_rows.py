"""Rows from JSON values of any form: objects, lists, single values. Common nested values become separate columns."""

from typing import Any

import polars

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, _n, several
from lora_hub.data.read.headers import find_layout
from lora_hub.data.tables import strict_json
from lora_hub.data.tables.limits import check_size
from lora_hub.data.tables.table import Table, row_problem
from lora_hub.data.tables.value_text import value_text

LABELS = ("label", "labels", "category", "intent", "cats")


def table_of_values(values: list, name: str, *, skip_broken: bool = False) -> Table:
    """The table of an array's values. Raises DataError if they are not rows, naming the exceptions, which `skip_broken`
    leaves out."""
    if values and isinstance(values[0], str) and all(isinstance(value, str) and value[:1] == "{" for value in values):
        values = _loaded(values) or values  # JSON text inside JSON
    if not values:
        raise DataError(_("{name} has no rows."), _("Choose a file with data in it."), name=name)
    objects = [value for value in values if isinstance(value, dict)]
    if len(objects) == len(values):
        if all(
            set(value) >= {"row"}
            and isinstance(value["row"], dict)
            and set(value) <= {"row", "row_idx", "truncated_cells"}
            for value in values
        ):
            values = [value["row"] for value in values]
        return Table(frame_of(values, name), "json")
    if objects:
        others = [number for number, value in enumerate(values, 1) if not isinstance(value, dict)]
        if not skip_broken:
            raise DataError(
                _n(
                    "{name} mixes objects with other values (row {rows}).",
                    "{name} mixes objects with other values (rows {rows}).",
                    count=len(others),
                ),
                _("Every row has to be an object; mend these, or go on without them (skip broken lines)."),
                name=name,
                rows=several(others, most=5),
            )
        problem = row_problem(
            "broken-lines",
            "warning",
            _n(
                "Left out, for it is no object: row {rows}.",
                "Left out, for they are no objects: rows {rows}.",
                count=len(others),
                rows=several(others, most=5),
            ),
            [],
            count=len(others),
        )
        return Table(frame_of(objects, name), "json", problems=[problem])
    if all(isinstance(value, list) for value in values):
        if values[0] and all(isinstance(turn, dict) for value in values for turn in value):
            return Table(frame_of([{"messages": value} for value in values], name), "json")
        width = max(len(value) for value in values)
        if not width:
            raise DataError(_("{name} has no rows."), _("Choose a file with data in it."), name=name)
        cells = [[value_text(cell) for cell in value] + [None] * (width - len(value)) for value in values]
        layout = find_layout(cells[:300], width)
        body = cells[layout.first_row :]
        columns = {key: [row[index] for row in body] for index, key in enumerate(layout.names)}
        return Table(
            polars.DataFrame(columns, schema=dict.fromkeys(columns, polars.String)), "json", problems=layout.problems
        )
    return Table(
        polars.DataFrame({"text": [value_text(value) for value in values]}, schema={"text": polars.String}), "json"
    )


def _loaded(values: list[str]) -> list | None:
    try:
        loaded = [strict_json.load(value) for value in values]
    except (ValueError, RecursionError):
        return None
    return loaded if all(isinstance(value, dict) for value in loaded) else None


def frame_of(rows: list[dict], name: str) -> polars.DataFrame:
    """Rows of any form as a frame: columns in order of first occurrence, scalars as text, nested values unchanged.
    name: the file's."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    check_size(name, columns=len(keys))
    columns = []
    for key in keys:
        values = [row.get(key) for row in rows]
        if any(isinstance(value, (list, dict)) for value in values):
            columns.append(_nested("", values))
        else:
            columns.append(polars.Series([value_text(value) for value in values], dtype=polars.String))
    shown = column_names(keys)
    return flatten_known(
        polars.DataFrame([column.alias(as_name) for as_name, column in zip(shown, columns, strict=True)])
    )


def column_names(keys: list[str]) -> list[str]:
    """Keys as column names: none is empty, none has half a surrogate pair, all differ."""
    names: dict[str, None] = {}
    given = set(keys)
    for place, key in enumerate(keys, 1):
        name = value_text(key).strip() or f"column_{place}"
        while name in names or name != key and name in given:
            name += "_"
        names[name] = None
    return list(names)


def _nested(name: str, values: list) -> polars.Series:
    return polars.Series(name, values, dtype=polars.Object)


def flatten_known(frame: polars.DataFrame) -> polars.DataFrame:
    """Separate columns for common nested values. `translation: {en, fa}` becomes en and fa. `answers: {text: [...]}`
    (SQuAD on the Hub) gains the column `answer`, its first text. Rows with messages and rows with conversations share
    one column."""
    if {"messages", "conversations"} <= set(frame.columns):
        frame = _one_chat_column(frame)
    for name, dtype in zip(frame.columns, frame.dtypes, strict=True):
        if name == "translation" and (dtype == polars.Object or isinstance(dtype, polars.Struct)):
            values = frame[name].to_list()
            if all(
                value is None
                or (isinstance(value, dict) and all(not isinstance(v, (list, dict)) for v in value.values()))
                for value in values
            ):
                keys = list(dict.fromkeys(key for value in values if value for key in value))
                new = [
                    polars.Series(key, [value_text((value or {}).get(key)) for value in values], dtype=polars.String)
                    for key in keys
                    if key not in frame.columns
                ]
                frame = frame.drop(name).with_columns(new)
        elif name in LABELS and _is_singles(frame[name]):
            frame = frame.with_columns(
                polars.Series(name, [value_text(value[0]) if value else None for value in frame[name].to_list()])
            )
        elif name == "answers" and "answer" not in frame.columns and (dtype == polars.Object or dtype.is_nested()):
            firsts = [_first_answer(value) for value in frame[name].to_list()]
            if any(first is not None for first in firsts):
                frame = frame.with_columns(polars.Series("answer", firsts, dtype=polars.String))
    return frame


def _is_singles(series: polars.Series) -> bool:
    """Lists of at most one value: a label as labelling tools (doccano) write it."""
    if series.dtype != polars.Object and not isinstance(series.dtype, polars.List):
        return False
    return all(
        value is None
        or isinstance(value, list)
        and len(value) < 2
        and not any(isinstance(item, (list, dict)) for item in value)
        for value in series.to_list()
    )


def _one_chat_column(frame: polars.DataFrame) -> polars.DataFrame:
    """A file combined from two formats: each row has one column or the other."""
    pairs = list(zip(frame["messages"].to_list(), frame["conversations"].to_list(), strict=True))
    if any(left is not None and right is not None for left, right in pairs):
        return frame
    return frame.drop("conversations").with_columns(
        _nested("messages", [right if left is None else left for left, right in pairs])
    )


def _first_answer(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("text")
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        value = value.get("text")
    return value_text(value) if not isinstance(value, (list, dict)) else None
