"""The Runs tab: the list of runs, and one run as it is now: progress, curves, log, result, examples, publishing.

A timer polls for updates (runs_watch.py), and the address bar names the selected run.
"""

from typing import Any

import gradio as gr

from lora_hub.core.messages import _
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame import picking
from lora_hub.ui.frame.page import LIGHT, Labels, Page, told
from lora_hub.ui.render.runs.render_held_out import FILTERS, ORDERS
from lora_hub.ui.tabs.runs import runs_more
from lora_hub.ui.tabs.runs.runs_list import Finding
from lora_hub.ui.tabs.runs.runs_more import MoreOfRun
from lora_hub.ui.tabs.runs.runs_watch import Watch, shown_run

TICK_SECONDS = 2
VISIBILITIES = {
    "private": _("only its owner and the admins"),
    "organization": _("the organization"),
    "public": _("everybody who may look"),
}
# Computes the plan again for the current names, unless they have changed in the meantime.
PLANNED = "(...names) => window.loraHub.planned(names)"
ADDRESS = "(id) => { window.loraHub.address('run', id, true); window.loraHub.nameOfRun(id); }"

# Keeps the older runs unfolded when the list is redrawn.
OLDER = """let open = null;
element.addEventListener('click', (event) => {
  const summary = event.target.closest('.lh-older > summary');
  if (summary) open = !summary.parentElement.open;
});
watch('value', () => {
  const older = element.querySelector('.lh-older');
  if (older && open !== null) older.open = open;
});"""


def build(page: Page, tab: gr.Tab) -> None:
    """Draws the tab inside the current context and wires it."""
    with gr.Row(elem_classes="lh-split"):
        with gr.Column(scale=1, min_width=280, elem_classes="lh-side"):
            finding = Finding(page.words)
            listed = shared.reading(page.words, elem_id="lh-runs", js_on_load=OLDER)
            shared.html(_notices(page.words))
        with gr.Column(scale=3, min_width=340):
            shown = ShownRun(page)
    page.choices += [shown.show, shown.order, shown.private]
    _wire(page, tab, finding, listed, shown)


class ShownRun:
    """The widgets of the selected run."""

    def __init__(self, page: Page) -> None:
        words = page.words
        # What the page shows now: a stamp that begins with the run's id, and the version it announced for publishing.
        self.seen, self.said = (gr.Textbox("", visible="hidden") for _ in range(2))
        self.paged = gr.Textbox("", visible="hidden", elem_id="lh-examples-page")
        self.head = shared.html(elem_id="lh-run")
        with gr.Row(elem_classes="lh-tight"):
            self.cancel = gr.Button(words(_("Cancel")), variant="stop", size="sm", visible=False, elem_id="lh-cancel")
            self.resume = gr.Button(words(_("Resume")), size="sm", visible=False, elem_id="lh-resume")
            self.delete = gr.Button(words(_("Delete")), size="sm", visible=False, elem_id="lh-delete")
        # the run whose Delete was pressed once
        self.to_delete = gr.Textbox("", visible="hidden", elem_id="lh-to-delete")
        self.visibility = gr.Radio(
            [(words(said), one) for one, said in VISIBILITIES.items()],
            label=words(_("Who sees this run")),
            visible=False,
            elem_id="lh-visibility",
        )
        self.result = shared.html(elem_id="lh-result")
        with gr.Column(visible=False, elem_classes="lh-section lh-publish") as self.publish_box:
            self._draw_publishing(words, page.organization)
        self.plot = shared.html(elem_id="lh-plot")
        self.more = MoreOfRun(page)
        with gr.Column(visible=False) as self.examples_box:
            self._draw_examples(words)
        with gr.Accordion(words(_("Log")), open=False, visible=False) as self.log_box:
            self.log = shared.html(elem_id="lh-log")

    def _draw_publishing(self, words: Labels, organization: str) -> None:
        self.published = shared.html(elem_id="lh-published")
        with gr.Row(equal_height=True):
            self.org = gr.Textbox(
                organization, label=words(_("Organization")), max_lines=1, min_width=140, elem_id="lh-org"
            )
            self.name = gr.Textbox(
                label=words(_("Repository name")),
                placeholder=words(_("made from task and base")),
                max_lines=1,
                min_width=180,
                elem_id="lh-publish-name",
            )
            self.private = gr.Checkbox(label=words(_("Private")), min_width=90, elem_id="lh-private")
        self.planned = shared.html(elem_id="lh-planned")
        self.agreed = gr.Checkbox(
            label=words(_("Publish it there anyway: its answers replace those of the version before")),
            visible=False,
            elem_id="lh-agreed",
        )
        self.publishing = shared.html(elem_id="lh-publishing")
        with gr.Row(elem_classes="lh-tight"):
            self.publish = gr.Button(words(_("Publish")), variant="primary", size="md", elem_id="lh-publish")
            self.compare = gr.Button(words(_("Compare")), size="md", elem_id="lh-run-compare")

    def _draw_examples(self, words: Labels) -> None:
        shared.html(f"<h4>{words.both(_('Held-out examples'))}</h4>")
        self.show, self.order = picking.draw(words, FILTERS, ORDERS, "lh-show", "lh-order")
        self.examples = shared.html(elem_id="lh-examples")


def _notices(words: Labels) -> str:
    """The button that lets the browser tell of runs that end; notices.js hides it where that is settled."""
    said = words.both(_("Tell me when a run ends"))
    return f'<button type="button" class="lh-small lh-notices" data-notices>{said}</button>'


def _wire(page: Page, tab: gr.Tab, finding: Finding, listed: gr.HTML, run: ShownRun) -> None:
    watch, language = Watch(page), page.language
    drawn = [
        *[listed, run.head, run.cancel, run.resume, run.delete, run.to_delete, run.visibility],
        *[run.result, run.publish_box, run.published],
        *[run.plot, run.examples_box, run.examples, run.log_box, run.log, finding.filters, run.seen],
    ]
    asked = [language, page.run_id, run.show, run.order, run.paged, finding.search, finding.filters]
    after: dict[str, Any] = {"fn": told(watch.look), "inputs": asked, "outputs": drawn, **LIGHT}
    page.run_id.change(None, page.run_id, None, js=ADDRESS, api_visibility="private")
    looked = [page.run_id.change, run.show.input, run.order.input, run.paged.change]
    gr.on([*looked, finding.search.input, finding.filters.input], **after, trigger_mode="always_last")
    runs_more.wire(page, run.more, run.seen, after)
    # The tab is drawn when it is opened, not a tick later.
    ticking = {**LIGHT, "concurrency_id": "tick"}
    gr.on([page.timer.tick, tab.select], told(watch.look), [*asked, run.seen], drawn, **ticking)
    for button, handler in ((run.cancel, watch.cancel), (run.resume, watch.resume)):
        done = button.click(told(handler), [language, run.seen], button, **{**LIGHT, "concurrency_id": button.elem_id})
        done.then(**after)
    shared_by = {**LIGHT, "concurrency_id": run.visibility.elem_id, "trigger_mode": "always_last"}
    run.visibility.input(told(watch.share), [language, run.seen, run.visibility], None, **shared_by).then(**after)
    # No look after it: the first press changes the button alone, and a run that is gone is no longer selected.
    deleting = run.delete.click(
        told(watch.delete),
        [language, run.seen, run.to_delete],
        [run.delete, run.to_delete, page.run_id],
        **{**LIGHT, "concurrency_id": run.delete.elem_id},
    )
    shared.ask_only_for(deleting, shown_run, [run.seen], language, run.delete, run.to_delete, _("Delete"))
    planning: dict[str, Any] = {
        "fn": told(watch.plan),
        "inputs": [language, run.seen, run.org, run.name, run.said, run.agreed],
        "outputs": [run.planned, run.publish, run.said, run.agreed],
        "concurrency_id": "hub",
        "concurrency_limit": 4,
        "api_visibility": "private",
        "show_progress": "hidden",
        "trigger_mode": "always_last",
    }
    naming = [run.seen.change, run.org.blur, run.org.submit, run.name.blur, run.name.submit, run.agreed.input]
    gr.on(naming, **planning).then(None, [run.org, run.name], None, js=PLANNED, api_visibility="private")
    pressed = run.publish.click(told(watch.wait), language, [run.publishing, run.publish], **LIGHT)
    published = pressed.then(
        told(watch.publish),
        [language, run.seen, run.org, run.name, run.private, run.said, run.agreed],
        run.published,
        concurrency_id="publish",
        concurrency_limit=2,
        show_progress="hidden",
        api_visibility="private",
    )
    # The plan says afresh what the button does, whatever came of it.
    published.then(**after).then(**planning).then(None, None, run.publishing, js="() => ''", api_visibility="private")
    run.compare.click(told(watch.to_compare), [language, run.seen], [page.compare_names, page.tabs], **LIGHT)
