"""The Matrix tab: every adapter of the organization on every task's held-out rows, and what each forgot."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _, text_in
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame.page import LIGHT, Page, html, reading, told, told_stream
from lora_hub.ui.frame.stops import Stops
from lora_hub.ui.render import render, render_matrix


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
        stops, named = Stops(), gr.Textbox("", visible="hidden")  # the name of what runs, by which it is stopped
        table = reading(words, elem_id="lh-matrix", js_on_load=render_matrix.TELL)

    def shown(language: str, person: Person) -> list[Any]:
        found = use_cases.read_matrix(person)
        titles = {one.id: text_in(one.title, language) for one in catalogue.list_tasks()}
        may = rules.may(person, Action.TRAIN) and bool(found.wanted)
        return [render_matrix.matrix(found, titles, language), gr.Button(visible=may)]

    def look(language: str, *, person: Person) -> list[Any]:
        return shown(language, person)

    def fill_it(language: str, *, person: Person) -> Iterator[list[Any]]:
        name, stopped = stops.start()
        yield [gr.skip(), gr.Button(visible=False), gr.Button(visible=True), gr.skip(), name]
        done, total, failed = 0, 0, ""
        try:
            for done, total in use_cases.fill_matrix(person, page.comparer, cancelled=stopped.is_set):
                yield [gr.skip(), gr.skip(), gr.skip(), render_matrix.filling(done, total, language), gr.skip()]
        except LoraHubError as error:
            failed = render.error_card(error, language)
        except Exception:
            yield [gr.skip(), gr.Button(visible=True), gr.Button(visible=False), "", ""]
            raise
        finally:
            stops.end(name)
        said = failed or ("" if stopped.is_set() else render_matrix.filling(done, total, language))
        yield [*shown(language, person), gr.Button(visible=False), said, ""]

    def stop_filling(language: str, name: str) -> None:
        stops.stop(name)

    outputs = [table, fill, stop, going, named]
    tab.select(told(look), page.language, [table, fill], **LIGHT)
    fill.click(
        told_stream(fill_it),
        page.language,
        outputs,
        concurrency_id="matrix",
        concurrency_limit=1,
        show_progress="hidden",
        api_visibility="private",
    )
    stop.click(told(stop_filling), [page.language, named], None, **LIGHT)
