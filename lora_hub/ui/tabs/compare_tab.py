"""The Compare tab: the base and one to four adapters beside each other, on one prompt or one held-out example."""

from typing import Any

import gradio as gr

from lora_hub.core.messages import _
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame.page import LIGHT, Labels, Page, told, told_stream
from lora_hub.ui.tabs.compare_asking import ROLE_SLOTS, Asking

# Questions running at once. Each occupies one of the server's threads (app.py's MOST_THREADS), mostly waiting.
MOST_QUESTIONS = 32
# Marks the displayed answers as belonging to another question than the one in the fields, or to this one.
STALE = "() => { window.loraHub.question.stale(true); }"
FRESH = "(names) => { window.loraHub.question.stale(false); window.loraHub.asked = JSON.stringify(names || []); }"
# The adapter list also fires a change event when it only received new choices, possibly late. The question is then
# still the same.
OTHERS = "(names) => { if (JSON.stringify(names || []) !== window.loraHub.asked) window.loraHub.question.stale(true); }"
# The browser (compare.js) decides which field a text goes into, by the fields visible when the response arrives.
ASKING = "(kept) => { window.loraHub.question.asking(kept, false); }"
PLACED, CHECKED, REDRAWN = (
    f"(...told) => window.loraHub.question.{what}(...told)" for what in ("placed", "checked", "redrawn")
)
ADDRESS = "(names) => { window.loraHub.address('adapters', (names || []).join(',')); }"


def build(page: Page, tab: gr.Tab) -> None:
    """Draws the tab inside the current context and wires it."""
    with gr.Column(elem_classes="lh-page lh-wide"):
        with gr.Column(elem_classes="lh-section"):
            page.compare_names.render()
            fields = Fields(page.words)
        answers = shared.html(elem_id="lh-answers")
    page.choices += [fields.with_base, fields.free_text]
    _wire(page, tab, fields, answers)


class Fields:
    """What is asked and how: the tab's widgets except the adapter names, which other tabs also write."""

    def __init__(self, words: Labels) -> None:
        # The running question, the example's reference answer, what was typed last, and the inputs that have a field.
        self.asking = gr.Textbox("", visible="hidden")
        self.reference = gr.Textbox("", visible="hidden")
        self.asked_anew = gr.Textbox("", visible="hidden", elem_id="lh-asked-anew")
        self.roles_named = gr.Textbox("", visible="hidden")
        with gr.Row():
            self.with_base = gr.Checkbox(True, label=words(_("Answer with the base, too")), elem_id="lh-with-base")
            self.free_text = gr.Checkbox(
                False,
                label=words(_("Free text")),
                info=words(_("Tasks with labels answer in their own words too, instead of with one of their labels.")),
                elem_id="lh-free-text",
            )
        self.prompt = gr.Textbox(
            label=words(_("Prompt")),
            placeholder=words(_("Ask all of them the same")),
            lines=3,
            max_lines=12,
            elem_id="lh-prompt",
        )
        self.roles = [
            gr.Textbox(visible=False, lines=2, max_lines=12, elem_id=f"lh-input-{place}") for place in range(ROLE_SLOTS)
        ]
        self.trouble = shared.html(elem_id="lh-trouble")
        self.example_note = shared.html(elem_id="lh-example-note")
        with gr.Row(elem_classes="lh-tight"):
            self.ask = gr.Button(words(_("Ask")), variant="primary", size="md", elem_id="lh-ask")
            self.stop = gr.Button(words(_("Stop")), variant="stop", size="md", visible=False, elem_id="lh-stop")
            self.example = gr.Button(words(_("Take an example")), size="md", elem_id="lh-example")
        with gr.Accordion(words(_("How they answer")), open=False), gr.Row(elem_classes="lh-fields"):
            self.most = gr.Number(
                0,
                label=words(_("Longest answer, tokens")),
                info=words(_("0: what the task says")),
                precision=0,
                minimum=0,
                maximum=4096,
                min_width=160,
                elem_id="lh-most-tokens",
            )
            self.temperature = gr.Number(
                0,
                label=words(_("Temperature")),
                info=words(_("0: the most likely answer, always the same")),
                minimum=0,
                maximum=5,
                step=0.1,
                min_width=160,
                elem_id="lh-temperature",
            )
            self.seed = gr.Number(
                0,
                label=words(_("Seed")),
                precision=0,
                minimum=0,
                maximum=2**31 - 1,
                min_width=120,
                elem_id="lh-seed",
            )


def _wire(page: Page, tab: gr.Tab, fields: Fields, answers: gr.HTML) -> None:
    asking, names, language = Asking(page), page.compare_names, page.language
    by_hub: dict[str, Any] = {"concurrency_id": "hub", "show_progress": "hidden", "api_visibility": "private"}
    in_browser: dict[str, Any] = {"fn": None, "queue": False, "api_visibility": "private"}
    # All questions to a base are answered in one running batch. Beyond the limit they wait in Gradio's queue.
    asks = [fields.ask.click, fields.prompt.submit]
    gr.on(asks, inputs=names, js=FRESH, **in_browser)
    how = [fields.with_base, fields.free_text, fields.prompt, fields.most, fields.temperature, fields.seed]
    gr.on(
        asks,
        told_stream(asking.answer),
        [language, names, *how, fields.reference, fields.roles_named, *fields.roles],
        [answers, fields.ask, fields.stop, fields.asking],
        concurrency_id="compare",
        concurrency_limit=MOST_QUESTIONS,
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="once",
    )
    fields.stop.click(told(asking.stop), [language, fields.asking], None, **{**LIGHT, "queue": False})
    texts, checked = [fields.prompt, *fields.roles], [fields.reference, fields.example_note]
    checking: dict[str, Any] = {
        "inputs": [*checked, names, *texts],
        "outputs": checked,
        "js": CHECKED,
        **in_browser,
    }
    fields.example.click(inputs=fields.reference, js=ASKING, **in_browser)
    example = fields.example.click(
        told(asking.take_example), [language, names], [fields.example_note, fields.reference], **by_hub
    )
    placed = example.then(inputs=[fields.reference, *texts], outputs=texts, js=PLACED, **in_browser)
    placed.then(**checking)
    # Whether answers are judged is decided when the question is asked (`right_answer`). The note disappears as soon as
    # something else is typed or chosen.
    gr.on([fields.asked_anew.change, names.change], **checking)
    # Answers belong to the question as it was asked; they are marked as outdated as soon as any part of it changes.
    # compare.js listens to typing in the fields.
    changed = [one.input for one in (fields.with_base, fields.free_text, fields.most, fields.temperature, fields.seed)]
    gr.on([*changed, fields.example.click], js=STALE, **in_browser)
    names.change(inputs=names, js=OTHERS, **in_browser)
    tab.select(told(asking.list_names), [language, names], names, **by_hub)
    names.change(None, names, None, js=ADDRESS, api_visibility="private")
    redrawn = names.change(
        told(asking.show_fields),
        [language, names, fields.roles_named],
        [fields.trouble, fields.roles_named, *texts],
        **by_hub,
    )
    redrawn.then(inputs=[fields.roles_named, fields.reference, *texts], outputs=texts, js=REDRAWN, **in_browser)
