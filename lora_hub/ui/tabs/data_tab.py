"""The Data tab: the files that a person has brought, and deleting one of them or everything. Admins may delete
everything of anybody's."""

from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.core.messages import _
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame.page import LIGHT, Page, asks_again, inform, not_pressed, told
from lora_hub.ui.render import render, render_own_data
from lora_hub.ui.render.text import t

# What a browser tab remembers of its person's choices goes with their data.
FORGET = "(own) => { if (own) try { sessionStorage.clear(); } catch { /* forbidden inside a frame */ } }"


def build(page: Page, tab: gr.Tab) -> None:
    """Draws the tab inside the current context and wires it. It is filled when it is opened."""
    words = page.words
    with gr.Column(elem_classes="lh-page"):
        with gr.Column(elem_classes="lh-section"):
            shared.html(f"<h2>{words.both(_('Your files'))}</h2>")
            files = shared.html(elem_id="lh-files")
            with gr.Row(elem_classes="lh-tight lh-plainfields"):
                file = gr.Dropdown([], label=words(_("File")), min_width=260, visible=False, elem_id="lh-data-file")
                delete = gr.Button(words(_("Delete")), size="md", scale=0, visible=False, elem_id="lh-data-delete")
            file_going = shared.html(elem_id="lh-file-going")
        with gr.Column(elem_classes="lh-section"):
            shared.html(f"<h2>{words.both(_('Everything'))}</h2>")
            everything = shared.html(elem_id="lh-everything")
            with gr.Row(elem_classes="lh-tight"):
                owner = gr.Textbox(
                    "",
                    label=words(_("Whose")),
                    info=words(_("A person's name; empty: yours")),
                    max_lines=1,
                    visible=False,
                    elem_id="lh-data-owner",
                )
                adapters = gr.Checkbox(
                    label=words(_("Also the adapters that were published")), visible=False, elem_id="lh-data-adapters"
                )
                wipe = gr.Button(
                    words(_("Delete everything")),
                    size="md",
                    scale=0,
                    min_width=200,
                    visible=False,
                    elem_id="lh-data-wipe",
                )
        # what was pressed once; and whether the data that is gone was the reader's own
        pressed_file, pressed_all, own_is_gone = (gr.Textbox("", visible="hidden") for _field in range(3))

    def look(language: str, *, person: Person) -> list[Any]:
        if not rules.may(person, Action.TRAIN):
            said = render.empty(t(_("Only people who may train have data here."), language))
            return [said, gr.skip(), gr.skip(), "", "", "", *[gr.skip()] * 3, ""]
        found = use_cases.look_at_data(person)
        names = [(one.name, one.id) for one in found.files]
        is_admin = person.role == "admin" and not person.is_local  # on a laptop there is nobody else
        return [
            render_own_data.files_table(found.files, language),
            gr.Dropdown(names, value=None, visible=bool(names)),
            *not_pressed(_("Delete"), language, visible=bool(names)),
            "",
            render_own_data.everything(found, language),
            gr.Textbox(visible=is_admin),
            gr.Checkbox(False, visible=bool(found.adapters) or is_admin),
            # an admin may delete what is somebody else's
            *not_pressed(_("Delete everything"), language, visible=is_admin or not render_own_data.is_nothing(found)),
        ]

    def delete_file(language: str, chosen: str | None, pressed_for: str, *, person: Person) -> list[Any]:
        """The first press says what is lost with it; a second one for the same file deletes it."""
        if not chosen:
            inform(render.escape(t(_("Choose a file first."), language)), language)
            return [gr.skip()] * len(shown)
        if pressed_for != chosen:
            found = next((one for one in use_cases.list_datasets(person) if one.id == chosen), None)
            lost = render_own_data.file_going(found, language) if found is not None else ""
            return [gr.skip(), gr.skip(), *asks_again(language, chosen), lost, *[gr.skip()] * 5]
        use_cases.delete_dataset(person, chosen)
        inform(render.escape(t(_("The file was deleted."), language)), language)
        return look(language, person=person)

    def all_of(whose: str | None, also: bool | None) -> str:
        return f"{(whose or '').strip()} {bool(also)}"

    def wipe_all(language: str, whose: str | None, also: bool | None, pressed_for: str, *, person: Person) -> list[Any]:
        """The first press shows what goes; a second one for the same person and choice deletes it. whose, also: fields
        that only some people see."""
        whose, also = (whose or "").strip(), bool(also)
        asked = all_of(whose, also)
        if pressed_for != asked:
            going = render_own_data.going(use_cases.look_at_data(person, whose), also, language)
            return [*[gr.skip()] * 5, going, *[gr.skip()] * 2, *asks_again(language, asked), ""]
        gone = use_cases.delete_data(person, whose, adapters=also)
        inform(render.escape(t(_("Everything of {owner} was deleted."), language, owner=gone.owner)), language)
        return [*look(language, person=person), "own" if gone.owner == person.id else ""]

    def choose_file(language: str) -> tuple[Any, str, str]:
        return *not_pressed(_("Delete"), language), ""

    def choose_all(language: str) -> tuple[Any, str]:
        return not_pressed(_("Delete everything"), language)

    shown = [files, file, delete, pressed_file, file_going, everything, owner, adapters, wipe, pressed_all]
    changing = {**LIGHT, "concurrency_id": "own data", "concurrency_limit": 4}
    tab.select(told(look), page.language, shown, **LIGHT)
    file.input(told(choose_file), page.language, [delete, pressed_file, file_going], **LIGHT)
    gr.on([owner.input, adapters.input], told(choose_all), page.language, [wipe, pressed_all], **LIGHT)
    deleting = delete.click(told(delete_file), [page.language, file, pressed_file], shown, **changing)
    asked_for = [page.language, delete, pressed_file, _("Delete"), file_going]
    shared.ask_only_for(deleting, lambda one: one or "", [file], *asked_for)
    asked = [page.language, owner, adapters, pressed_all]
    wiped = wipe.click(told(wipe_all), asked, [*shown, own_is_gone], **changing)
    everyone = [owner, adapters]
    shared.ask_only_for(wiped, all_of, everyone, page.language, wipe, pressed_all, _("Delete everything"))
    wiped.then(None, own_is_gone, None, js=FORGET, api_visibility="private")
