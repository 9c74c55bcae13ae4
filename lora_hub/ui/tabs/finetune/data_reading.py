"""What step 2's widgets show of a file: how it was read, and which column is what."""

from typing import Any

import gradio as gr

from lora_hub.core.messages import _, several
from lora_hub.ui.render import render
from lora_hub.ui.render.render_table import delimiter_name, role_name
from lora_hub.ui.render.text import t
from lora_hub.ui.tabs.finetune.asked import Asked
from lora_hub.ui.tabs.finetune.data_room import ROLE_SLOTS, Room
from lora_hub.ui.tabs.finetune.view import View

ENCODINGS = (
    "utf-8",
    "utf-16",
    "windows-1252",
    "windows-1256",
    "iso-8859-1",
    "windows-1251",
    "big5",
    "gb18030",
    "shift_jis",
)
DELIMITERS = (",", ";", "\t", "|")


def shown(room: Room) -> list[Any]:
    """The widgets that an inspection updates: see `updates`."""
    fields = [room.file, room.encoding, room.delimiter, room.sheet, room.skip_broken]
    return [room.data, room.files, *room.weights, room.reading, *fields, *room.roles, room.preview]


def file_label(asked: Asked, language: str) -> str:
    """The label of the file field. It names the file in use, because the field is empty for a restored form, a sample
    and pasted text."""
    if asked.parts:
        names = several([part["dataset"].partition("/")[2] for part in asked.parts])
        return t(_("Dataset: {name}", name=names), language)
    in_use = asked.dataset.partition("/")[2]
    return (
        t(_("Dataset: {name}"), language, name=in_use)
        if in_use
        else t(_("Dataset: a file, or several of one task"), language)
    )


def updates(
    room: Room, view: View, asked: Asked, columns: list[Any], language: str, is_new: bool = False
) -> dict[Any, Any]:
    """Updates for `shown`. columns: the current values of the role dropdowns; a field that already has its value is not
    written again, so that a choice made in the meantime stays. is_new: another file without corrections, so all fields
    are written."""
    new = {"value": ""} if is_new else {}
    info = view.read_as
    has_text = info is not None and bool(info.encoding) or view.is_broken
    has_cells = info is not None and bool(info.delimiter) or view.is_broken
    sheets = list(info.sheets) if info is not None else []
    found = (info.encoding, delimiter_name(info.delimiter, language), info.sheet) if info is not None else ("", "", "")
    separators = [(delimiter_name(one, language), one) for one in DELIMITERS]

    def field(chosen: str, found: str, choices: list[tuple[str, str]], is_of_use: bool) -> Any:
        return _field(chosen, found, choices, is_of_use or bool(chosen), language, new)

    return {
        room.data: view.data,
        **_weights(room, asked, language),
        room.file: gr.File(label=file_label(asked, language)),
        room.reading: gr.Row(visible=(info is not None or view.is_broken) and not asked.parts),
        room.encoding: field(asked.encoding, found[0], [(name, name) for name in ENCODINGS], has_text),
        room.delimiter: field(asked.delimiter, found[1], separators, has_cells),
        room.sheet: field(asked.sheet, found[2], [(name, name) for name in sheets], len(sheets) > 1),
        room.skip_broken: gr.Checkbox(
            visible=view.is_broken or asked.skip_broken, **({"value": False} if is_new else {})
        ),
        **dict(zip(room.roles, _roles(view, columns, language), strict=True)),
        room.preview: view.preview,
    }


def _weights(room: Room, asked: Asked, language: str) -> dict[Any, Any]:
    """One number for each of several files; the others stay hidden."""
    updates: dict[Any, Any] = {room.files: gr.Column(visible=bool(asked.parts))}
    for place, weight in enumerate(room.weights):
        updates[weight] = gr.Number(visible=False)
        if place < len(asked.parts):
            part = asked.parts[place]
            label = t(_("Weight of {name}"), language, name=part["dataset"].partition("/")[2])
            updates[weight] = gr.Number(visible=True, value=part["weight"], label=label)
    return updates


def _field(
    chosen: str, found: str, choices: list[tuple[str, str]], visible: bool, language: str, new: dict[str, str]
) -> Any:
    """A dropdown whose first choice shows what was detected."""
    itself = (
        t(_("{found} (found)"), language, found=found) if found and not chosen else t(_("found by itself"), language)
    )
    known = [value for _, value in choices]
    return gr.Dropdown(
        choices=[(itself, ""), *choices, *([(chosen, chosen)] if chosen and chosen not in known else [])],
        visible=visible,
        **new,
    )


def _roles(view: View, columns: list[Any], language: str) -> list[Any]:
    """One dropdown per role; the others stay hidden."""
    found = []
    for (role, column, reason), now in zip(view.roles, columns, strict=False):
        choices = [(t(_("(none)"), language), ""), *[(name, name) for name in view.columns]]
        label = t(_("{role}: which column?"), language, role=role_name(role, language))
        value = {} if column == now else {"value": column}
        found.append(
            gr.Dropdown(
                choices=choices,
                visible=bool(view.columns),
                label=label,
                info=render.as_hint(reason) or None,
                **value,
            )
        )
    return found + [gr.Dropdown(visible=False)] * (ROLE_SLOTS - len(found))
