"""The Matrix tab: every adapter of the organization on every task's held-out rows, and what each forgot."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.messages import _, text_in
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame.page import LIGHT, Page, html, reading, told, told_stream
from lora_hub.ui.render import render_matrix


def build(page: Page, tab: gr.Tab) -> None:
    """Draws the tab inside the current context and wires it. The matrix is read when the tab is opened."""
    words = page.words
    why = _(
        "Each row is an adapter, each column the held-out rows of a task, in per cent; General is what it forgot of "
        "general questions, in points against the base."
    )
    with gr.Column(elem_classes="lh-page lh-wide"):
        signs = _("Outlined: the adapter's own task. –: not computed yet.")
        html(f"<p class='lh-quiet'>{words.both(why)} {words.both(signs)}</p>")
        with gr.Row(elem_classes="lh-tight"):
            fill = gr.Button(words(_("Fill now")), size="md", scale=0, visible=False, elem_id="lh-matrix-fill")
            stop = gr.Button(words(_("Stop")), size="md", scale=0, visible=False, elem_id="lh-matrix-stop")
        going = html(elem_id="lh-matrix-going")
        table = reading(words, elem_id="lh-matrix", js_on_load=render_matrix.TELL)

    def shown(language: str, person: Person) -> list[Any]:
        found = use_cases.read_matrix(person)
        titles = {one.id: text_in(one.title, language) for one in catalogue.list_tasks()}
        may = rules.may(person, Action.TRAIN) and bool(found.wanted)
        return [render_matrix.matrix(found, titles, language), gr.Button(visible=may)]

    def look(language: str, *, person: Person) -> list[Any]:
        return shown(language, person)

    def fill_it(language: str, *, person: Person) -> Iterator[list[Any]]:
        yield [gr.skip(), gr.Button(visible=False), gr.Button(visible=True), gr.skip()]
        done = total = 0
        for done, total in use_cases.fill_matrix(person, page.comparer):
            yield [gr.skip(), gr.skip(), gr.skip(), render_matrix.filling(done, total, language)]
        yield [*shown(language, person), gr.Button(visible=False), render_matrix.filling(done, total, language)]

    def stopped(language: str, *, person: Person) -> list[Any]:
        return [*shown(language, person), gr.Button(visible=False), ""]

    outputs = [table, fill, stop, going]
    tab.select(told(look), page.language, [table, fill], **LIGHT)
    filling = fill.click(
        told_stream(fill_it),
        page.language,
        outputs,
        concurrency_id="matrix",
        concurrency_limit=1,
        show_progress="hidden",
        api_visibility="private",
    )
    stop.click(told(stopped), page.language, outputs, cancels=[filling], **LIGHT)
