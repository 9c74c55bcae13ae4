"""Step 2 of Fine-tune: four ways for a dataset to come in, how it was read, which column is what, and its first rows.

    room = data_room.build(page)                              draws it inside the current context
    arrived, looked = data_room.wire(page, room, task, with_look)

A new file starts clean: what was corrected in another one stays behind. A token for the Hub goes into one call and
nowhere else; its field is emptied at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import settings, store
from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.ui import page as shared
from lora_hub.ui import render
from lora_hub.ui.asked import MAX_INPUTS, OWN, dataset_id, dataset_path
from lora_hub.ui.data_arrival import fetched, proposed_task
from lora_hub.ui.form import NO_MENDS, NOTHING_CORRECTED
from lora_hub.ui.page import LIGHT, Page
from lora_hub.ui.render_table import delimiter_name, role_name
from lora_hub.ui.review import View
from lora_hub.ui.text import LANGUAGES, size_of, t

ROLE_SLOTS = MAX_INPUTS + 1
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
# While a file is read that may propose a task, none can be chosen: what is proposed must not overwrite a choice.
HOLD_TASK = "(...values) => { window.loraHub.hold('task', '#lh-task'); return values; }"
FILES: dict[str, Any] = {
    "concurrency_id": "files",
    "concurrency_limit": 4,
    "api_visibility": "private",
    "show_progress": "hidden",
}


@dataclass
class Room:
    """The components of step 2."""

    file: gr.File
    sample: gr.Button
    way: gr.Textbox
    paste: gr.Button
    paste_box: gr.Column
    pasted: gr.Textbox
    use_pasted: gr.Button
    paste_note: gr.HTML
    hub: gr.Button
    hub_box: gr.Column
    hub_name: gr.Textbox
    hub_token: gr.Textbox
    fetch: gr.Button
    hub_note: gr.HTML
    data: gr.HTML
    reading: gr.Row
    encoding: gr.Dropdown
    delimiter: gr.Dropdown
    sheet: gr.Dropdown
    skip_broken: gr.Checkbox
    roles: list[gr.Dropdown]
    preview: gr.HTML
    test_file: gr.File
    dataset: gr.Textbox
    test: gr.Textbox
    corrections: gr.Textbox
    mends: gr.Textbox
    opened: gr.Textbox
    proposed: gr.Textbox

    def renewed(self) -> list[Any]:
        """The fields that a new file changes: see `renewed`."""
        return [
            self.dataset,
            self.encoding,
            self.delimiter,
            self.sheet,
            self.skip_broken,
            self.corrections,
            self.mends,
            self.opened,
        ]

    def shown(self) -> list[Any]:
        """The components that a review changes: see `updates`."""
        return [
            self.data,
            self.reading,
            self.encoding,
            self.delimiter,
            self.sheet,
            self.skip_broken,
            *self.roles,
            self.preview,
        ]


def renewed(dataset: str) -> list[Any]:
    """Values for `Room.renewed()`: the new file, and nothing corrected yet."""
    return [dataset, "", "", "", False, NOTHING_CORRECTED, NO_MENDS, ""]


def build(page: Page) -> Room:
    """Draws step 2 inside the current context."""
    words = page.words
    shared.html(render.heading(2, "step_data"))
    file = gr.File(label=words(_("Dataset")), height=132, elem_id="lh-file")
    shared.html(_too_large())
    with gr.Row(elem_classes="lh-tight", elem_id="lh-ways"):
        paste = gr.Button(words(_("Paste a table")), size="sm", elem_id="lh-paste-open")
        hub = gr.Button(words(_("From the Hub")), size="sm", elem_id="lh-hub-open")
        sample = gr.Button(words(_("Use this task's sample")), size="sm", elem_id="lh-sample", interactive=False)
    with gr.Column(visible=False, elem_id="lh-paste", elem_classes="lh-way") as paste_box:
        pasted = gr.Textbox(
            label=words(_("A table copied from a spreadsheet, its header with it")),
            placeholder=words(_("text\tlabel\nWin a prize now\tspam")),
            lines=5,
            max_lines=12,
            elem_id="lh-pasted",
        )
        paste_note = shared.html()
        with gr.Row(elem_classes="lh-tight"):
            use_pasted = gr.Button(words(_("Use this")), size="sm", variant="primary", elem_id="lh-use-pasted")
    with gr.Column(visible=False, elem_id="lh-hub", elem_classes="lh-way") as hub_box:
        plain = gr.InputHTMLAttributes(autocomplete="off", autocorrect="off", spellcheck=False)
        secret = gr.InputHTMLAttributes(autocomplete="new-password")
        with gr.Row():
            hub_name = gr.Textbox(
                label=words(_("Dataset on the Hub")),
                placeholder=words(_("owner/name, or the address of its page")),
                max_lines=1,
                min_width=220,
                elem_id="lh-hub-name",
                html_attributes=plain,
            )
            hub_token = gr.Textbox(
                label=words(_("Token, if it is private (never kept)")),
                type="password",
                max_lines=1,
                min_width=180,
                elem_id="lh-hub-token",
                html_attributes=secret,
            )
        hub_note = shared.html(elem_id="lh-hub-note")
        with gr.Row(elem_classes="lh-tight"):
            fetch = gr.Button(words(_("Fetch")), size="sm", variant="primary", elem_id="lh-fetch")
    data = shared.html(elem_id="lh-data")
    with gr.Row(visible=False, elem_id="lh-reading", elem_classes="lh-fields") as reading:
        small = {"allow_custom_value": True, "min_width": 130, "visible": False, "value": ""}
        encoding = gr.Dropdown(
            [(words(_("found by itself")), "")], label=words(_("Encoding")), elem_id="lh-encoding", **small
        )
        delimiter = gr.Dropdown(
            [(words(_("found by itself")), "")], label=words(_("Separator")), elem_id="lh-delimiter", **small
        )
        sheet = gr.Dropdown([(words(_("found by itself")), "")], label=words(_("Sheet")), elem_id="lh-sheet", **small)
        skip_broken = gr.Checkbox(
            label=words(_("Go on without what cannot be read")), visible=False, min_width=180, elem_id="lh-skip-broken"
        )
    with gr.Row(elem_classes=["lh-roles", "lh-fields"], elem_id="lh-roles"):
        roles = [
            gr.Dropdown([], visible=False, label="", allow_custom_value=True, elem_id=f"lh-role-{place}", min_width=180)
            for place in range(ROLE_SLOTS)
        ]
    preview = shared.html(elem_id="lh-preview")
    with gr.Accordion(words(_("A held-out file of your own")), open=False):
        test_file = gr.File(label=words(_("Held-out file (optional)")), height=110, elem_id="lh-test-file")
        shared.html(
            f'<p class="lh-quiet">'
            f"{render.both(_('Never trained on. Without one, a part of the data is held out.'))}</p>"
        )
    hidden = {name: gr.Textbox(value, visible="hidden", elem_id=f"lh-{name}") for name, value in HIDDEN.items()}
    return Room(
        file=file,
        sample=sample,
        paste=paste,
        paste_box=paste_box,
        pasted=pasted,
        use_pasted=use_pasted,
        paste_note=paste_note,
        hub=hub,
        hub_box=hub_box,
        hub_name=hub_name,
        hub_token=hub_token,
        fetch=fetch,
        hub_note=hub_note,
        data=data,
        reading=reading,
        encoding=encoding,
        delimiter=delimiter,
        sheet=sheet,
        skip_broken=skip_broken,
        roles=roles,
        preview=preview,
        test_file=test_file,
        **hidden,
    )


HIDDEN = {
    "way": "",
    "dataset": "",
    "test": "",
    "corrections": NOTHING_CORRECTED,
    "mends": NO_MENDS,
    "opened": "",
    "proposed": "",
}


TOO_LARGE = _("This file is larger than {limit}. Use a part of it, or raise LORA_HUB_MAX_UPLOAD_MB.")


def _too_large() -> str:
    """What page.js shows for a file that is over the limit, before a byte of it is sent."""
    limit = settings.max_upload_bytes()
    said = "".join(
        (
            f'<span class="lh-{language}" lang="{language}">'
            f"{render.escape(t(TOO_LARGE, language, limit=size_of(limit, language)))}</span>"
        )
        for language in LANGUAGES
    )
    return f'<div id="lh-too-large" class="lh-card lh-bad" role="alert" data-limit="{limit}" hidden>{said}</div>'


def updates(
    view: View,
    encoding: str,
    delimiter: str,
    sheet: str,
    skip_broken: bool,
    slots: list[Any],
    language: str,
    is_new: bool = False,
) -> list[Any]:
    """Updates for `Room.shown()`. The rest: what the fields say now; a field that says it already is not written again,
    so that a choice made in the meantime stays. is_new: another file, nothing corrected in it: the fields are written
    anyway."""
    new = {"value": ""} if is_new else {}
    info = view.read_as
    there = info is not None or view.is_broken
    has_text = info is not None and bool(info.encoding) or view.is_broken
    has_cells = info is not None and bool(info.delimiter) or view.is_broken
    sheets = list(info.sheets) if info is not None else []
    found = (info.encoding, delimiter_name(info.delimiter, language), info.sheet) if info is not None else ("", "", "")
    separators = [(delimiter_name(one, language), one) for one in DELIMITERS]
    return [
        view.data,
        gr.Row(visible=there),
        _reading(encoding, found[0], [(name, name) for name in ENCODINGS], has_text or bool(encoding), language, new),
        _reading(delimiter, found[1], separators, has_cells or bool(delimiter), language, new),
        _reading(sheet, found[2], [(name, name) for name in sheets], len(sheets) > 1 or bool(sheet), language, new),
        gr.Checkbox(visible=view.is_broken or skip_broken, **({"value": False} if is_new else {})),
        *_roles(view, slots, language),
        view.preview,
    ]


def _reading(
    chosen: str, found: str, choices: list[tuple[str, str]], visible: bool, language: str, new: dict[str, str]
) -> Any:
    """A dropdown whose first choice says what was found by itself."""
    itself = (
        t(_("{found} (found)"), language, found=found) if found and not chosen else t(_("found by itself"), language)
    )
    known = [value for _, value in choices]
    return gr.Dropdown(
        choices=[(itself, ""), *choices, *([(chosen, chosen)] if chosen and chosen not in known else [])],
        visible=visible,
        **new,
    )


def _roles(view: View, slots: list[Any], language: str) -> list[Any]:
    """One dropdown a role; the others stay hidden."""
    found = []
    for (role, column, reason), slot in zip(view.roles, slots, strict=False):
        choices = [(t(_("(none)"), language), ""), *[(name, name) for name in view.columns]]
        label = t(_("{role}: which column?"), language, role=role_name(role, language))
        value = {} if column == slot else {"value": column}
        found.append(
            gr.Dropdown(
                choices=choices, visible=bool(view.columns), label=label, info=render.isolated(reason) or None, **value
            )
        )
    return found + [gr.Dropdown(visible=False)] * (ROLE_SLOTS - len(found))


def wire(
    page: Page, room: Room, task: gr.Radio, with_look: Callable[..., dict[str, Any]]
) -> tuple[list[Any], list[Any]]:
    """Wires the ways in. Returns the events after which the file has to be looked at, and those that have done so in
    the same
    trip: with_look(take, inputs, outputs) makes the arguments of an event whose handler is `take`, a function of the
    language and the inputs' values that returns {component: value}, and shows the new file with them."""

    def new_file(kept: Path, before: str) -> dict[Any, Any]:
        """`before`: the file that it takes the place of, whose test file goes with it."""
        gone = {room.test: "", room.test_file: None} if before and before != dataset_id(kept) else {}
        return dict(zip(room.renewed(), renewed(dataset_id(kept)), strict=True)) | gone

    def guess(kept: Path, task_id: str | None, proposed: str, language: str) -> dict[Any, Any]:
        return dict(zip([task, room.proposed], proposed_task(page, kept, task_id, proposed, language), strict=False))

    def take_file(language: str, path: str | None, task_id: str | None, proposed: str, before: str) -> dict[Any, Any]:
        if not path:
            return {}
        kept = store.add_dataset(Path(path), Path(path).name)
        return new_file(kept, before) | guess(kept, task_id, proposed, language)

    def take_sample(language: str, task_id: str, before: str) -> dict[Any, Any]:
        file = catalogue.sample_file(catalogue.get_task(task_id))
        return {**new_file(store.add_dataset(file, file.name), before), room.file: None} if file else {}

    def take_pasted(language: str, text: str, task_id: str | None, proposed: str, before: str) -> dict[Any, Any]:
        try:
            kept = store.add_text(text or "", "pasted.tsv" if "\t" in (text or "") else "pasted.csv")
        except DataError as error:
            return {room.paste_note: render.error_card(error, language)}
        closed = {
            room.paste_note: "",
            room.file: None,
            room.way: "",
            room.paste_box: gr.Column(visible=False),
            room.pasted: "",
        }
        return new_file(kept, before) | closed | guess(kept, task_id, proposed, language)

    @shared.told
    def take_test(language: str, path: str | None) -> Any:
        return dataset_id(store.add_dataset(Path(path), Path(path).name)) if path else ""

    @shared.told_stream
    def take_from_hub(language: str, name: str, token: str, before: str) -> Iterator[Any]:
        waiting = [gr.skip()] * (len(room.renewed()) + 3)
        for words in fetched(name, token, language):
            if isinstance(words, Path):
                came = render.note(t(_("{name} is here."), language, name=words.name), "good")
                yield [
                    came,
                    gr.Button(interactive=True),
                    "",
                    *renewed(dataset_id(words)),
                    None,
                    *(["", None] if before else [gr.skip()] * 2),
                ]
            else:
                # The field is emptied with the first answer, whatever comes of it.
                yield [words, gr.Button(interactive=words.startswith('<div class="lh-card lh-bad"')), "", *waiting]

    @shared.told
    def guess_fetched(language: str, dataset: str, task_id: str | None, proposed: str) -> Any:
        # Only now: a fetch may take minutes, and what was chosen in them counts.
        return (proposed_task(page, dataset_path(dataset), task_id, proposed, language) if dataset else []) or [
            gr.skip(),
            gr.skip(),
        ]

    def open_paste(way: str) -> Any:
        return _opened("" if way == "paste" else "paste")

    def open_hub(way: str) -> Any:
        return _opened("" if way == "hub" else "hub")

    fresh, tests = room.renewed(), [room.test, room.test_file]
    dropped = room.file.upload(
        **with_look(take_file, [room.file, task, room.proposed, room.dataset], [task, room.proposed, *tests]),
        js=HOLD_TASK,
    )
    cleared = room.file.clear(lambda: [*renewed(""), "", None], None, [*fresh, *tests], api_visibility="private")
    sampled = room.sample.click(**with_look(take_sample, [task, room.dataset], [room.file, *tests]))
    pasting = [room.paste_note, room.file, room.way, room.paste_box, room.pasted]
    pasted = room.use_pasted.click(
        **with_look(
            take_pasted, [room.pasted, task, room.proposed, room.dataset], [task, room.proposed, *pasting, *tests]
        ),
        js=HOLD_TASK,
    )
    asked = [page.language, room.hub_name, room.hub_token, room.dataset]
    fetching = {**FILES, "concurrency_id": "fetch", "trigger_mode": "once"}
    brought = gr.on(
        [room.fetch.click, room.hub_name.submit, room.hub_token.submit],
        take_from_hub,
        asked,
        [room.hub_note, room.fetch, room.hub_token, *fresh, room.file, *tests],
        **fetching,
    ).then(
        guess_fetched, [page.language, room.dataset, task, room.proposed], [task, room.proposed], js=HOLD_TASK, **FILES
    )
    tested = gr.on(
        [room.test_file.upload, room.test_file.clear], take_test, [page.language, room.test_file], room.test, **FILES
    )
    for button, handler in ((room.paste, open_paste), (room.hub, open_hub)):
        opening = button.click(handler, room.way, [room.way, room.paste_box, room.hub_box], **LIGHT)
        opening.then(
            None,
            room.way,
            None,
            js=(
                "(way) => { document.querySelector(way === 'paste' ? '#lh-pasted textarea' : '#lh-hub-name :is(input, "
                "textarea)')?.focus(); }"
            ),
        )
    return [cleared, brought, tested], [dropped, sampled, pasted]


def _opened(way: str) -> Any:
    return way, gr.Column(visible=way == "paste"), gr.Column(visible=way == "hub")


def has_sample(task_id: str) -> bool:
    return bool(task_id) and task_id != OWN and catalogue.sample_file(catalogue.get_task(task_id)) is not None
