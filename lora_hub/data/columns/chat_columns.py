"""Joins columns that are parts of one conversation into one column: a prompt's turns and its completion, a system text,
tools or a weight beside the turns, an instruction with its history.

    as_chats(frame)      the frame with them joined; any other frame as it is
"""

import polars

from lora_hub.data.chats.chat_marks import ROW_KEYS, WEIGHTS, as_number, reading
from lora_hub.data.chats.convert import LISTS, PAIRS, SYSTEM, TOOLS
from lora_hub.data.tables.table import is_nested
from lora_hub.data.tables.value_text import listed


def as_chats(frame: polars.DataFrame) -> polars.DataFrame:
    """The frame with such columns replaced by one whose cells are objects of the parts, named after the turns' column,
    else `messages`. Turns may be lists or, in a CSV, their JSON text."""
    names = {name.lower(): name for name in frame.columns}

    def nested(name: str | None) -> bool:
        return name is not None and (is_nested(frame.schema[name]) or _is_listed(frame[name]))

    prompt, completion = names.get("prompt"), names.get("completion")
    history, turns = (
        names.get("history"),
        next((names[key] for key in LISTS if key in names and nested(names[key])), None),
    )
    beside = [names[key] for key in (*SYSTEM, *TOOLS) if key in names] + [
        names[key] for key in ROW_KEYS if key in names and _are_marks(key, frame[names[key]])
    ]
    asked = next((pair for pair in PAIRS if pair[0] in names and pair[1] in names), None)
    if nested(prompt) and completion is not None:
        used = [prompt, completion, *beside]
    elif turns is not None and beside:
        used = [turns, *beside]
    elif nested(history) and asked is not None:
        used = [*(names[key] for key in dict.fromkeys((*asked, "input", "history")) if key in names), *beside]
    else:
        return frame
    rows = zip(*(frame[name].to_list() for name in used), strict=True)
    keys = ["messages" if name == turns else name.lower() for name in used]
    name = turns if used[0] == turns else "messages"
    values = [
        {key: _loaded(cell) for key, cell in zip(keys, row, strict=True) if cell not in (None, "")} for row in rows
    ]
    return frame.drop(used).with_columns(polars.Series(name, values, dtype=polars.Object))


def _is_listed(series: polars.Series) -> bool:
    """Whether the texts hold lists of turns, as in a CSV."""
    if series.dtype != polars.String:
        return False
    texts = series.drop_nulls().head(20).str.strip_chars()
    texts = texts.filter(texts != "")
    values = [listed(text) for text in texts.to_list()] if texts.len() and texts.str.starts_with("[").all() else []
    return bool(values) and all(
        isinstance(value, list) and all(isinstance(turn, (dict, list)) for turn in value) for value in values
    )


def _are_marks(key: str, series: polars.Series) -> bool:
    """Whether a column beside the turns says which of them are learnt. A loss or a mask may mean anything else there,
    so every value must be a mark; among numeric weights, one 0 is enough."""
    if key == "train_on":
        return True
    if is_nested(series.dtype) or _is_list_of_marks(series):
        return True
    values = [value for value in series.drop_nulls().unique().to_list() if value.strip()]
    said = {reading(value) for value in values}
    if key in WEIGHTS and False in said:
        return all(as_number(value) is not None or reading(value) is not None for value in values)
    return bool(values) and None not in said


def _is_list_of_marks(series: polars.Series) -> bool:
    values = [listed(value) for value in series.drop_nulls().head(20).to_list() if value.strip()]
    return bool(values) and all(
        isinstance(value, list) and all(reading(one) is not None for one in value) for value in values
    )


def _loaded(cell: object) -> object:
    return listed(cell) or cell if isinstance(cell, str) and cell.lstrip()[:1] in ("[", "{") else cell
