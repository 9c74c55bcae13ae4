"""The Test sets tab: choose rows and adapters, start, watch, and read what was found: scores, pairs, plots, rows."""

from typing import Any

import gradio as gr

from lora_hub.compare import test_sets
from lora_hub.core.messages import _
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame import picking
from lora_hub.ui.frame.page import LIGHT, Labels, Page, told
from lora_hub.ui.render.test_sets import render_tests
from lora_hub.ui.tabs.test_sets.test_sets_watch import Testing

TICK_SECONDS = 2
ADDRESS = "(id) => { window.loraHub.address('test', id, true); }"
SAVE = "(told) => { window.loraHub.saveText(told); }"
ASK = "(told) => { window.loraHub.askRow(told); }"


def build(page: Page, tab: gr.Tab) -> None:
    """Draws the tab inside the current context and wires it."""
    with gr.Row(elem_classes="lh-split"):
        with gr.Column(scale=1, min_width=280, elem_classes="lh-side"):
            new = NewTest(page.words)
            listed = shared.html(elem_id="lh-tests")
        with gr.Column(scale=3, min_width=340):
            shown = ShownTest(page.words)
    _wire(page, tab, new, listed, shown)


class NewTest:
    """The form of a new test."""

    def __init__(self, words: Labels) -> None:
        with gr.Column(elem_classes="lh-section", elem_id="lh-test-new"):
            shared.html(f"<h2>{words.both(_('New test'))}</h2>")
            self.rows = gr.Dropdown(
                [],
                value=None,
                label=words(_("Rows")),
                info=words(_("A file of yours, the held-out rows of a run, or a dataset on the Hub (owner/name)")),
                allow_custom_value=True,
                elem_id="lh-test-rows",
            )
            self.file = gr.File(label=words(_("Or a new file")), height=132, elem_id="lh-test-upload")
            self.adapters = gr.Dropdown(
                [],
                value=[],
                multiselect=True,
                allow_custom_value=True,
                max_choices=test_sets.MOST_ADAPTERS,
                label=words(_("Adapters")),
                elem_id="lh-test-adapters",
            )
            self.base = gr.Checkbox(True, label=words(_("The base, too")), elem_id="lh-test-base")
            self.examples = gr.Checkbox(
                True, label=words(_("The base with examples in its prompt")), elem_id="lh-test-examples"
            )
            with gr.Accordion(
                words(_("A judge of the answers")), open=False, visible=False, elem_id="lh-test-judging"
            ) as self.judging:
                self.judge = gr.Dropdown(
                    [],
                    value=None,
                    label=words(_("Judge")),
                    info=words(_("A base, an adapter or an OpenAI-compatible address; empty: nobody judges")),
                    allow_custom_value=True,
                    elem_id="lh-test-judge",
                )
                self.model = gr.Textbox(
                    "", label=words(_("Its model at the address")), max_lines=1, elem_id="lh-test-judge-model"
                )
                self.told = shared.html(elem_id="lh-test-judge-told")
                self.agreed = gr.Checkbox(
                    False, label=words(_("Send it there")), visible=False, elem_id="lh-test-judge-agreed"
                )
            self.starting = shared.html(elem_id="lh-test-starting")
            self.start = gr.Button(words(_("Start")), variant="primary", size="md", elem_id="lh-test-start")
            self.refused = shared.html(elem_id="lh-test-refused")


class ShownTest:
    """The widgets of the selected test."""

    def __init__(self, words: Labels) -> None:
        # The test that is chosen, what is drawn of it (a stamp), a page of rows, a row to be asked, a text to be saved.
        self.id = gr.Textbox("", visible="hidden", elem_id="lh-test-id")
        self.seen = gr.Textbox("", visible="hidden")
        self.paged = gr.Textbox("", visible="hidden", elem_id="lh-test-page")
        self.ask = gr.Textbox("", visible="hidden", elem_id="lh-test-ask")
        self.asked, self.saved, self.pressed = (gr.Textbox("", visible="hidden") for _field in range(3))
        self.timer = gr.Timer(TICK_SECONDS, active=False)
        self.head = shared.html(elem_id="lh-test-head")
        with gr.Row(elem_classes="lh-tight"):
            self.cancel = gr.Button(
                words(_("Cancel")), variant="stop", size="sm", visible=False, elem_id="lh-test-cancel"
            )
            self.resume = gr.Button(words(_("Resume")), size="sm", visible=False, elem_id="lh-test-resume")
            self.share = gr.Button(words(_("Share")), size="sm", visible=False, elem_id="lh-test-share")
            self.csv = gr.Button("CSV", size="sm", visible=False, elem_id="lh-test-csv")
            self.json = gr.Button("JSON", size="sm", visible=False, elem_id="lh-test-json")
            self.delete = gr.Button(words(_("Delete")), size="sm", visible=False, elem_id="lh-test-delete")
        self.result = shared.html(elem_id="lh-test-result")
        with gr.Column(visible=False) as self.box:
            with gr.Row(elem_classes="lh-tight lh-plainfields"):
                self.plot = gr.Dropdown([], label=words(_("Plot")), min_width=220, elem_id="lh-test-plot")
                self.pane = gr.Dropdown([], label=words(_("Model")), min_width=220, elem_id="lh-test-pane")
            with gr.Column(elem_classes="lh-testplot"):
                self.above = shared.html(elem_id="lh-test-above")
                self.picture = gr.Plot(show_label=False, container=False, elem_id="lh-test-picture")
            shared.html(f"<h4>{words.both(_('Rows'))}</h4>")
            filters, orders = render_tests.FILTERS, render_tests.ORDERS
            self.show, self.order = picking.draw(
                words, filters, orders, "lh-test-show", "lh-test-order", shown="disagree", width=200
            )
            self.rows = shared.html(elem_id="lh-test-answers")


def _wire(page: Page, tab: gr.Tab, new: NewTest, listed: gr.HTML, shown: ShownTest) -> None:
    testing, language = Testing(page), page.language
    slow = {**LIGHT, "concurrency_id": "tests", "concurrency_limit": 4}
    drawn = [
        *[
            listed,
            shown.head,
            shown.timer,
            shown.cancel,
            shown.resume,
            shown.share,
            shown.csv,
            shown.json,
            shown.delete,
        ],
        *[shown.result, shown.box, shown.plot, shown.pane, shown.above, shown.picture, shown.rows, shown.seen],
    ]
    asked = [language, shown.id, shown.seen, shown.show, shown.order, shown.paged, shown.plot, shown.pane]
    after: dict[str, Any] = {"fn": told(testing.look), "inputs": asked, "outputs": drawn, **slow}
    filling = {"inputs": [language, new.rows, new.adapters], "outputs": [new.rows, new.adapters]}
    tab.select(told(testing.fill), **filling, **slow)
    tab.select(**after)
    changed = [shown.id.change, shown.show.input, shown.order.input, shown.paged.change]
    gr.on([*changed, shown.plot.input, shown.pane.input], **after, trigger_mode="always_last")
    shown.timer.tick(**{**after, "concurrency_id": "tests tick"})
    new.file.upload(told(testing.upload), [language, new.file], [new.rows, new.file], **slow)
    offered = {"inputs": [language, new.adapters, new.judge], "outputs": [new.judging, new.judge]}
    gr.on([tab.select, new.adapters.change], told(testing.offer_judge), **offered, **slow, trigger_mode="always_last")
    gr.on(
        [new.judge.change, new.model.blur],
        told(testing.tell_judge),
        [language, new.judge, new.model],
        [new.told, new.agreed],
        **slow,
        trigger_mode="always_last",
    )
    starting = [language, new.rows, new.adapters, new.base, new.examples, new.judge, new.model, new.agreed]
    start_shown = [new.starting, new.start]
    new.start.click(told(testing.wait), language, start_shown, **LIGHT).then(
        told(testing.start), starting, [shown.id, new.refused], **slow
    ).then(told(testing.ready), language, start_shown, **LIGHT)
    shown.id.change(None, shown.id, None, js=ADDRESS, api_visibility="private")
    for button, handler in (
        (shown.cancel, testing.cancel),
        (shown.resume, testing.resume),
        (shown.share, testing.share),
    ):
        button.click(told(handler), [language, shown.id], None, **slow).then(**after)
    deleting = shown.delete.click(
        told(testing.delete),
        [language, shown.id, shown.pressed],
        [shown.delete, shown.pressed, shown.id],
        **slow,
    )
    shared.ask_only_for(deleting, lambda one: one or "", [shown.id], language, shown.delete, shown.pressed, _("Delete"))
    for button, handler in ((shown.csv, testing.save_csv), (shown.json, testing.save_json)):
        saving = button.click(told(handler), [language, shown.id], shown.saved, **slow)
        saving.then(None, shown.saved, None, js=SAVE, api_visibility="private")
    going = shown.ask.change(
        told(testing.ask), [language, shown.ask], [page.compare_names, page.tabs, shown.asked], **slow
    )
    going.then(None, shown.asked, None, js=ASK, api_visibility="private")
