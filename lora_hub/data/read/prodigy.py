"""Exports of Prodigy (`prodigy db-out`). In each row, `answer` is the button that was pressed.

`accept` holds the ids of the chosen options (`choice`). The ids are the labels if they are words (POS); if they are
numbers, `options` gives the text of each. A binary question has its label in `label`, which `answer` accepts or
rejects. Marked `spans` are not a label of the text. Rejected or ignored rows are not examples, except with a single
label, where a rejected row belongs to the other class. Format: prodi.gy/docs/api-interfaces.
"""

import re
from collections import defaultdict
from typing import Any

import polars

from lora_hub.core.messages import _n
from lora_hub.data.read.annotations import Export
from lora_hub.data.tables.table import is_nested
from lora_hub.data.tables.value_text import listed, value_text

NAME = "Prodigy"
BUTTONS = {"accept", "reject", "ignore"}
OWN = ("answer", "options", "tokens", "config", "priority", "score")


def read_prodigy(frame: polars.DataFrame) -> Export | None:
    """None if the frame is not an export of this tool."""
    columns = frame.schema
    if "answer" not in columns or is_nested(columns["answer"]):
        return None
    buttons = [str(value or "").strip().lower() for value in frame["answer"].to_list()]
    hashed = "_input_hash" in columns or "_task_hash" in columns
    pressed = set(buttons) - {""}
    if not pressed or not pressed <= BUTTONS or not (hashed or {"label", "accept", "spans", "options"} & set(columns)):
        return None
    aside = [name for name in frame.columns if name in OWN or name.startswith("_")]
    column = "accept" if "accept" in columns else "label" if "label" in columns else ""
    if not column and "spans" not in columns:
        # A yes/no question: the button itself is the answer.
        aside.remove("answer")
        return _made(frame, aside, [button in ("", "ignore") for button in buttons], buttons)
    labels = [_labels(value) for value in frame[column].to_list()] if column else []
    if column == "accept" and "options" in columns and not _are_words(labels):
        options = frame["options"].to_list()
        labels = [_option_texts(chosen, given) for chosen, given in zip(labels, options, strict=True)]
    names = {label for one in labels for label in one}
    out = [button != "accept" for button in buttons]
    if column == "label" and len(names) == 1 and "reject" in pressed:
        other = f"not {next(iter(names))}"
        labels = [[other] if button == "reject" else one for button, one in zip(buttons, labels, strict=True)]
        out = [button in ("", "ignore") for button in buttons]
    export = _made(frame, aside, out, buttons)
    if column:
        _set_labels(frame, export, column, labels)
    if "spans" in columns:
        export.tell_spans(["spans"])
    return export


def _labels(value: Any) -> list[str]:
    value = listed(value) or value if isinstance(value, str) else value
    values = value if isinstance(value, list) else [value]
    return [str(value_text(one)) for one in values if one is not None and one != ""]


def _are_words(labels: list[list[str]]) -> bool:
    """Whether the ids are meaningful labels that a person wrote: not all numbers or hashes."""
    ids = {name for one in labels for name in one}
    return any(re.search(r"[^\W\d_]", name) and not re.fullmatch(r"[0-9a-fA-F-]{8,}", name) for name in ids)


def _option_texts(chosen: list[str], options: Any) -> list[str]:
    """The texts of the chosen options: `accept` names them by `id`, which may be a number. An option without a text,
    such as a picture, or with a repeated one keeps its id."""
    given = listed(options) if isinstance(options, str) else options
    given = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    said = {str(value_text(one.get("id"))): str(value_text(one.get("text")) or "").strip() for one in given}
    texts = list(said.values())
    return [said[name] if said.get(name) and texts.count(said[name]) == 1 else name for name in chosen]


def _made(frame: polars.DataFrame, aside: list[str], out: list[bool], buttons: list[str]) -> Export:
    export = Export(NAME, frame.drop(aside), list(range(1, frame.height + 1)), aside)
    rejected, ignored = (
        sum(is_out and button == name for is_out, button in zip(out, buttons, strict=True))
        for name in ("reject", "ignore")
    )
    export.leave_out(
        "not-accepted",
        out,
        _n(
            "{count:,} row not accepted by the annotator ({rejected:,} rejected, {ignored:,} ignored): left out.",
            "{count:,} rows not accepted by the annotator ({rejected:,} rejected, {ignored:,} ignored): left out.",
            rejected=rejected,
            ignored=ignored,
        ),
    )
    return export


def _set_labels(frame: polars.DataFrame, export: Export, column: str, labels: list[list[str]]) -> None:
    """The labels of each text. Several sessions that saw the same text are its annotators, and its first row represents
    them."""
    places = [place - 1 for place in export.places]
    keys = (
        frame["_input_hash"].to_list()
        if "_input_hash" in frame.columns and column == "accept"
        else [None] * frame.height
    )
    groups: dict[Any, list[int]] = defaultdict(list)
    for place in places:
        groups[place if keys[place] is None else ("hash", str(keys[place]))].append(place)
    if len(groups) < len(places):
        first = {group[0] for group in groups.values()}
        export.frame = export.frame.filter(polars.Series([place in first for place in places]))
        export.places = [place + 1 for place in places if place in first]
    export.set_labels(column, [[labels[place] for place in group] for group in groups.values()])
