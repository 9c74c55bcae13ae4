"""A part of the Adapters tab: composing an adapter from others by a few examples, without a training.

compose.build(page, tab, picked)      picked: the hidden field of the adapters that are checked
"""

import csv
import io
import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.compare import read_typed
from lora_hub.core.errors import DataError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import Task
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame.asking import has_sent
from lora_hub.ui.frame.page import LIGHT, Page, told, told_stream
from lora_hub.ui.frame.stops import Stops
from lora_hub.ui.render import render
from lora_hub.ui.render.shelf import render_composed
from lora_hub.ui.tabs.shelf.shelf_picked import names_of

# How often the progress is drawn.
DRAW_SECONDS = 0.5
ARROW = "=>"


def build(page: Page, tab: gr.Tab, picked: gr.Textbox) -> None:
    """Draws the part inside the current context and wires it. Only who may train sees it."""
    words, composing = page.words, Composing(page)
    why = _(
        "From 5 to 50 examples, weights are found with which a sum of adapters of one base answers them best. The "
        "adapters are those selected above, 2 to 12 of them; if none is, the organization's of the base. Half of the "
        "examples are kept from the search, and the sum is offered only if it is better on them than the best single "
        "adapter and than the base with the others in its prompt."
    )
    tasks = [task for task in catalogue.list_tasks() if not task.is_chat]
    with gr.Accordion(
        words(_("Compose from examples")), open=False, visible=False, elem_id="lh-compose-section"
    ) as section:
        shared.html(f'<p class="lh-quiet">{words.both(why)}</p>')
        with gr.Row(elem_classes="lh-tight"):
            task = gr.Dropdown(
                [(words(one.title), one.id) for one in tasks],
                value=tasks[0].id,
                label=words(_("Task")),
                min_width=200,
                elem_id="lh-compose-task",
            )
            base = gr.Dropdown(
                [(one.title or one.id, one.id) for one in bases.list_bases()],
                value=bases.BUILT_IN,
                label=words(_("Base model")),
                info=words(_("Used where no adapter is selected")),
                min_width=200,
                elem_id="lh-compose-base",
            )
        examples = gr.Textbox(
            "",
            label=words(_("Examples")),
            info=words(_("A line each: input => answer, several inputs with | between them. Or paste a table.")),
            lines=5,
            max_lines=14,
            elem_id="lh-compose-examples",
        )
        file = gr.File(label=words(_("Or a file with 5 to 50 rows")), height=132, elem_id="lh-compose-file")
        with gr.Row(elem_classes="lh-tight"):
            name = gr.Textbox(
                "",
                label=words(_("Name of the adapter")),
                info=words(_("Empty: made from task and base")),
                max_lines=1,
                min_width=200,
                elem_id="lh-compose-name",
            )
            publish = gr.Checkbox(True, label=words(_("Publish it if it is offered")), elem_id="lh-compose-publish")
        with gr.Row(elem_classes="lh-tight"):
            start = gr.Button(words(_("Compose")), variant="primary", size="md", scale=0, elem_id="lh-compose")
            stop = gr.Button(words(_("Stop")), size="md", scale=0, visible=False, elem_id="lh-compose-stop")
        result = shared.html(elem_id="lh-composed")
    going = gr.Textbox("", visible="hidden")

    def offer(language: str, *, person: Person) -> Any:
        return gr.Accordion(visible=rules.may(person, Action.TRAIN))

    tab.select(told(offer), page.language, section, **LIGHT)
    start.click(
        told_stream(composing.compose),
        [page.language, task, base, examples, file, picked, name, publish],
        [result, start, stop, going],
        concurrency_id="compose",
        concurrency_limit=4,
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="once",
    )
    stop.click(told(composing.stop), [page.language, going], None, **LIGHT)


class Composing:
    """The handlers for one page, and the searches that run on it."""

    def __init__(self, page: Page) -> None:
        self.page, self.stops = page, Stops()

    def compose(
        self,
        language: str,
        task: str | None,
        base: str | None,
        typed: str,
        path: str | None,
        picked: str,
        name: str,
        publish: bool,
        *,
        person: Person,
    ) -> Iterator[list[Any]]:
        """Yields [result, Compose, Stop, the search's name for Stop]."""
        chosen = catalogue.get_task(task or "")
        given, mapping = _file_of(person, chosen, typed or "", path)
        asked, stopped = self.stops.start()
        idle = [gr.Button(visible=True), gr.Button(visible=False), ""]
        steps: queue.Queue[tuple[int, int] | Exception | use_cases.Composition] = queue.Queue()

        def work() -> None:
            try:
                steps.put(
                    use_cases.compose(
                        person,
                        self.page.comparer,
                        given,
                        chosen,
                        base=base or "",
                        adapters=names_of(picked),
                        mapping=mapping,
                        name=(name or "").strip(),
                        publish=publish,
                        progress=lambda done, total: steps.put((done, total)),
                        cancelled=stopped.is_set,
                    )
                )
            except Exception as error:
                steps.put(error)

        try:
            yield [render_composed.steps(0, 1, language), gr.Button(visible=False), gr.Button(visible=True), asked]
            threading.Thread(target=work, name="composing", daemon=True).start()
            drawn = 0.0
            while isinstance(step := steps.get(), tuple):
                if time.monotonic() - drawn > DRAW_SECONDS:
                    drawn = time.monotonic()
                    yield [render_composed.steps(*step, language), gr.skip(), gr.skip(), gr.skip()]
            if isinstance(step, LoraHubError):
                yield [render.error_card(step, language), *idle]
            elif isinstance(step, Exception):
                yield ["", *idle]
                raise step
            else:
                yield [render_composed.composed(step, language), *idle]
        finally:  # also where the visitor has gone
            stopped.set()
            self.stops.end(asked)

    def stop(self, language: str, asked: str) -> None:
        self.stops.stop(asked)


def _file_of(person: Person, task: Task, typed: str, path: str | None) -> tuple[Path, dict[str, str]]:
    """The examples as a file of this person's, and its columns where they are known. Raises DataError."""
    if path:
        if not has_sent(person, path):
            raise DataError(_("This is no file of yours."), _("Upload it again."))
        return use_cases.add_dataset(person, Path(path)), {}
    lines = [line for line in typed.splitlines() if line.strip()]
    if not lines:
        raise DataError(_("There are no examples."), _("Type 5 to 50 of them, or bring a file."))
    if not all(ARROW in line for line in lines):
        return use_cases.add_text(person, typed, "examples.tsv" if "\t" in typed else "examples.csv"), {}
    made = io.StringIO(newline="")
    out = csv.writer(made)
    out.writerow([*task.inputs, "answer"])
    for one in read_typed(typed, task.inputs):
        out.writerow([*(one.inputs[role] for role in task.inputs), one.answer])
    return use_cases.add_text(person, made.getvalue(), "examples.csv"), {
        name: name for name in (*task.inputs, "answer")
    }
