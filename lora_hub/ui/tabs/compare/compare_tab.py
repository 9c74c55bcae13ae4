"""The Compare tab: the base and one to eight adapters beside each other, on one prompt, one held-out example or in a
chat."""

from typing import Any

import gradio as gr

from lora_hub.core.messages import _
from lora_hub.core.schema import MOST_EXAMPLES, MOST_SAMPLES
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame.page import LIGHT, Labels, Page, number_field, told, told_stream
from lora_hub.ui.tabs.compare import compare_blind, compare_history
from lora_hub.ui.tabs.compare.compare_asking import ROLE_SLOTS, Asking

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
WENT_ON, EDITED = (f"(...told) => window.loraHub.question.{what}(...told)" for what in ("wentOn", "edited"))
ADDRESS = "(names) => { window.loraHub.address('adapters', (names || []).join(',')); }"


def build(page: Page, tab: gr.Tab) -> None:
    """Draws the tab inside the current context and wires it."""
    with gr.Column(elem_classes="lh-page lh-wide"):
        with gr.Column(elem_classes="lh-section"):
            page.compare_names.render()
            fields = Fields(page.words)
        answers = shared.html(elem_id="lh-answers")
        # What changes of the panes while they answer: compare.js puts it in its place.
        told = shared.html(elem_id="lh-told", elem_classes="lh-out-of-sight")
        compare_history.build(page, answers, compare_blind.wire(page, answers))
    page.choices += [fields.with_base, fields.free_text, fields.goes_on, fields.apart, fields.blind]
    _wire(page, tab, fields, answers, told)


class Fields:
    """What is asked and how: the tab's widgets except the adapter names, which other tabs also write."""

    def __init__(self, words: Labels) -> None:
        # The running question, the example's reference answer, what was typed last, and the inputs that have a field.
        self.asking = gr.Textbox("", visible="hidden")
        self.reference = gr.Textbox("", visible="hidden")
        self.asked_anew = gr.Textbox("", visible="hidden", elem_id="lh-asked-anew")
        self.roles_named = gr.Textbox("", visible="hidden")
        self.again = gr.Textbox("", visible="hidden", elem_id="lh-again")
        self.chat = gr.Textbox("", visible="hidden")
        self.nothing = shared.html(elem_id="lh-nothing")
        self.strengths = gr.Textbox("", visible="hidden", elem_id="lh-strengths")
        with gr.Row(elem_classes="lh-boxes"):
            self.with_base = gr.Checkbox(
                True, label=words(_("Answer with the base, too")), min_width=160, elem_id="lh-with-base"
            )
            self.free_text = gr.Checkbox(
                False,
                label=words(_("Free text")),
                info=words(_("Tasks with labels answer in their own words too, instead of with one of their labels.")),
                min_width=160,
                elem_id="lh-free-text",
            )
            self.goes_on = gr.Checkbox(
                False,
                label=words(_("Go on as a chat")),
                info=words(_("Each pane goes on from its own answers.")),
                min_width=160,
                elem_id="lh-goes-on",
            )
            self.blind = gr.Checkbox(
                False,
                label=words(_("Blind")),
                info=words(_("Names are hidden and shuffled until you have voted.")),
                min_width=160,
                elem_id="lh-blind",
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
            self.example_before = gr.Button(words(_("Previous")), size="md", elem_id="lh-example-before")
            self.example_next = gr.Button(words(_("Next")), size="md", elem_id="lh-example-next")
            self.apart = gr.Checkbox(
                False, label=words(_("Only where base and adapter disagree")), elem_id="lh-apart", min_width=160
            )
        with gr.Row(elem_classes="lh-tight"):
            self.edit = gr.Button(words(_("Edit the last turn")), size="md", visible=False, elem_id="lh-chat-edit")
            self.anew = gr.Button(words(_("New chat")), size="md", visible=False, elem_id="lh-chat-new")
        with gr.Accordion(words(_("How they answer")), open=False):
            self._how(words)

    def _how(self, words: Labels) -> None:
        self.sliders = shared.html(elem_id="lh-sliders")
        self.system = gr.Textbox(
            "",
            label=words(_("System prompt")),
            info=words(_("Makes the question a chat.")),
            lines=2,
            max_lines=8,
            elem_id="lh-system",
        )
        with gr.Row(elem_classes="lh-fields"):
            self.most = number_field(
                words(_("Longest answer, tokens")),
                "lh-most-tokens",
                why=words(_("0: what the task says")),
                most=4096,
                is_whole=True,
                width=160,
            )
            self.temperature = number_field(
                words(_("Temperature")),
                "lh-temperature",
                why=words(_("0: the most likely answer, always the same")),
                most=5,
                step=0.1,
                width=160,
            )
            self.seed = number_field(words(_("Seed")), "lh-seed", most=2**31 - 1, is_whole=True)
            self.top_p = number_field(
                words(_("Top-p")),
                "lh-top-p",
                1,
                why=words(_("Draws only from the likeliest tokens that together have this probability")),
                least=0.01,
                most=1,
                step=0.05,
            )
            self.samples = number_field(
                words(_("Answers from each")),
                "lh-samples",
                1,
                why=words(_("More than one needs a temperature")),
                least=1,
                most=MOST_SAMPLES,
                is_whole=True,
            )
            self.examples = number_field(
                words(_("Examples for the base")),
                "lh-examples-count",
                why=words(_("Also asks the base with this many examples in its prompt")),
                most=MOST_EXAMPLES,
                is_whole=True,
                width=160,
            )
        self.typed_examples = gr.Textbox(
            "",
            label=words(_("Examples of your own")),
            info=words(
                _("A line each: input => answer, several inputs with | between them. Empty: the adapter's own.")
            ),
            lines=2,
            max_lines=8,
            elem_id="lh-typed-examples",
        )


def _wire(page: Page, tab: gr.Tab, fields: Fields, answers: gr.HTML, told_of: gr.HTML) -> None:
    asking, names, language = Asking(page), page.compare_names, page.language
    by_hub: dict[str, Any] = {"concurrency_id": "hub", "show_progress": "hidden", "api_visibility": "private"}
    in_browser: dict[str, Any] = {"fn": None, "queue": False, "api_visibility": "private"}
    # All questions to a base are answered in one running batch. Beyond the limit they wait in Gradio's queue.
    asks = [fields.ask.click, fields.prompt.submit]
    gr.on(asks, inputs=names, js=FRESH, **in_browser)
    numbers = [fields.most, fields.temperature, fields.seed, fields.top_p, fields.samples, fields.examples]
    chatting = [fields.goes_on, fields.system, fields.chat, fields.blind]
    how = [fields.with_base, fields.free_text, fields.prompt, *numbers, fields.typed_examples, fields.strengths]
    answering: dict[str, Any] = {
        "outputs": [answers, fields.ask, fields.stop, fields.asking, fields.chat, told_of],
        "concurrency_id": "compare",
        "concurrency_limit": MOST_QUESTIONS,
        "show_progress": "hidden",
        "api_visibility": "private",
        "trigger_mode": "once",
    }
    gr.on(
        asks,
        told_stream(asking.answer),
        [language, names, *how, *chatting, fields.reference, fields.roles_named, *fields.roles],
        **answering,
    )
    fields.again.change(told_stream(asking.answer_again), [language, fields.again], **answering)
    # A turn of a chat that was answered leaves the field for the next one.
    chat_shown = [fields.prompt, fields.edit, fields.anew]
    gr.on([fields.chat.change], inputs=[fields.chat, fields.prompt], outputs=chat_shown, js=WENT_ON, **in_browser)
    edited = [fields.chat, fields.prompt]
    fields.edit.click(inputs=edited, outputs=edited, js=EDITED, **in_browser)
    fields.anew.click(outputs=[fields.chat], js="() => ''", **in_browser)
    fields.stop.click(told(asking.stop), [language, fields.asking], None, **{**LIGHT, "queue": False})
    texts, checked = [fields.prompt, *fields.roles], [fields.reference, fields.example_note]
    checking: dict[str, Any] = {
        "inputs": [*checked, names, *texts],
        "outputs": checked,
        "js": CHECKED,
        **in_browser,
    }
    for button, take in (
        (fields.example, asking.take_example),
        (fields.example_next, asking.next_example),
        (fields.example_before, asking.last_example),
    ):
        button.click(inputs=fields.reference, js=ASKING, **in_browser)
        example = button.click(
            told(take),
            [language, names, fields.reference, fields.apart],
            [fields.example_note, fields.reference],
            **by_hub,
        )
        placed = example.then(inputs=[fields.reference, *texts], outputs=texts, js=PLACED, **in_browser)
        placed.then(**checking)
    # Whether answers are judged is decided when the question is asked (`right_answer`). The note disappears as soon as
    # something else is typed or chosen.
    gr.on([fields.asked_anew.change, names.change], **checking)
    # Answers belong to the question as it was asked; they are marked as outdated as soon as any part of it changes.
    # compare.js listens to typing in the fields.
    changed = [one.input for one in (fields.with_base, fields.free_text, fields.goes_on, fields.blind, *numbers)]
    taken = [one.click for one in (fields.example, fields.example_next, fields.example_before)]
    gr.on([*changed, *taken], js=STALE, **in_browser)
    names.change(inputs=names, js=OTHERS, **in_browser)
    tab.select(told(asking.list_names), [language, names], [names, fields.nothing], **by_hub)
    names.change(None, names, None, js=ADDRESS, api_visibility="private")
    redrawn = names.change(
        told(asking.show_fields),
        [language, names, fields.roles_named, fields.strengths],
        [fields.trouble, fields.sliders, fields.roles_named, *texts],
        **by_hub,
    )
    redrawn.then(inputs=[fields.roles_named, fields.reference, *texts], outputs=texts, js=REDRAWN, **in_browser)
