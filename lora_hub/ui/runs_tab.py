"""The Runs tab: the list of runs, and one run as it is now: progress, curves, log, result, examples, publishing.

Nothing of a run is kept here: a timer asks `runs` again and again, and the address bar names the run that is shown.
"""

from typing import Any

import gradio as gr

from lora_hub.errors import RunError
from lora_hub.schema import Run, RunState
from lora_hub.ui import page as shared
from lora_hub.ui import render, render_data, render_groups, render_held_out, render_runs
from lora_hub.ui.page import LIGHT, PICK, Page
from lora_hub.ui.plot import loss_plot
from lora_hub.ui.render_held_out import FILTERS, ORDERS
from lora_hub.ui.text import t

TICK_SECONDS = 2
RESUMABLE = (RunState.FAILED, RunState.CANCELLED, RunState.LOST)


def build(page: Page) -> gr.Timer:
    """Draws the tab inside the current context and wires it. Returns its timer, which rests until the tab is open."""
    words = page.words
    timer = gr.Timer(TICK_SECONDS, active=False)
    seen = gr.Textbox(visible="hidden")
    with gr.Row(elem_classes="lh-split"):
        with gr.Column(scale=1, min_width=280, elem_classes="lh-side"):
            listed = shared.html(elem_id="lh-runs", js_on_load=PICK)
        with gr.Column(scale=3, min_width=340):
            head = shared.html(elem_id="lh-run", js_on_load=PICK)
            with gr.Row(elem_classes="lh-tight"):
                cancel = gr.Button(words("cancel"), variant="stop", size="sm", visible=False, elem_id="lh-cancel")
                resume = gr.Button(words("resume"), size="sm", visible=False, elem_id="lh-resume")
            result = shared.html(elem_id="lh-result")
            with gr.Column(visible=False, elem_classes="lh-section lh-publish") as publish_box:
                published = shared.html(elem_id="lh-published")
                with gr.Row(equal_height=True):
                    org = gr.Textbox(page.organization, label=words("organization"), max_lines=1, min_width=140, elem_id="lh-org")
                    name = gr.Textbox(label=words("publish_name"), placeholder=words("publish_name_info"), max_lines=1, min_width=180)
                    private = gr.Checkbox(label=words("private"), min_width=90)
                with gr.Row(elem_classes="lh-tight"):
                    publish = gr.Button(words("publish"), variant="primary", size="md", elem_id="lh-publish")
                    compare = gr.Button(words("compare"), size="md", elem_id="lh-run-compare")
            plot = shared.html(elem_id="lh-plot")
            with gr.Column(visible=False) as examples_box:
                shared.html(f"<h4>{render.both('held_out_examples')}</h4>")
                with gr.Row(elem_classes="lh-tight"):
                    show = gr.Radio([(words(f"show_{one}"), one) for one in FILTERS], value="all", label=words("show"), container=False, show_label=False, elem_id="lh-show")
                    order = gr.Dropdown([(words(f"show_by_{one}"), one) for one in ORDERS], value="file", label=words("order"), container=False, show_label=False, min_width=220, scale=0, elem_id="lh-order")
                examples = shared.html(elem_id="lh-examples")
            with gr.Accordion(words("log"), open=False, visible=False) as log_box:
                log = shared.html(elem_id="lh-log")

    parts = [listed, head, cancel, resume, result, publish_box, published, publish, plot, examples_box, examples, log_box, log, seen]

    def draw(language: str, run_id: str, show_what: str, order: str, seen_before: str) -> list[Any]:
        """Updates for `parts`. What does not change any more is sent once: `seen` says what the page has."""
        from lora_hub import runs

        known = runs.list_runs()
        if not run_id:
            empty = render.empty(t("choose_run", language)) if known else ""
            return [render_runs.runs_list(known, "", language), empty, *_hidden(), ""]
        run = next((run for run in known if run.id == run_id), None) or runs.refresh_run(run_id)
        members = next((group for group in render_groups.beside_each_other(known) if run in group), [])
        others = [one for one in members if one.id != run.id]
        stamp = f"{run.id} {run.state} {bool(run.metrics)} {run.adapter.revision if run.adapter else ''} {show_what} {order} {language}"
        is_new = stamp != seen_before
        rows = runs.read_held_out(run.id) if is_new and run.metrics else []
        against = run.comparison.against if run.comparison else "base"
        return [
            render_runs.runs_list(known, run.id, language),
            render_runs.run_head(run, language, others),
            gr.Button(visible=not run.state.is_final),
            gr.Button(visible=run.state in RESUMABLE),
            render_runs.result(run, language),
            gr.Column(visible=bool(run.adapter_folder)),
            _published(run, language) if is_new else gr.skip(),
            gr.Button(t("publish_again" if run.adapter else "publish", language)) if is_new else gr.skip(),
            loss_plot(run.train_losses, run.eval_losses, best_step=run.best_step, total=run.total_steps, language=language),
            gr.Column(visible=bool(run.metrics)),
            render_held_out.held_out_rows(rows, show_what, language, order=order, against=against) if is_new and run.metrics else gr.skip(),
            gr.Accordion(visible=True),
            render_runs.log_text(runs.read_log(run.id), language),
            stamp,
        ]

    @shared.told
    def look(language: str, run_id: str, show_what: str, order: str) -> Any:
        try:
            return draw(language, run_id, show_what, order, "")
        except RunError as error:
            # An old address, or a run whose folder was removed: the list still helps.
            from lora_hub import runs

            return [render_runs.runs_list(runs.list_runs(), "", language), render.error_card(error, language), *_hidden(), ""]

    @shared.told
    def tick(language: str, run_id: str, show_what: str, order: str, seen_before: str) -> Any:
        try:
            return draw(language, run_id, show_what, order, seen_before)
        except RunError:
            return gr.skip()

    @shared.told
    def pick(language: str, event: gr.EventData) -> str:
        return event._data["id"]

    @shared.told
    def cancel_run(language: str, run_id: str) -> Any:
        from lora_hub import runs

        gr.Info(render.escape(t("cancelled_word", language)), duration=4, title=t("note", language))
        runs.cancel_run(run_id)
        return gr.Button(visible=False)

    @shared.told
    def resume_run(language: str, run_id: str) -> Any:
        from lora_hub import runs

        runs.resume_run(run_id)
        gr.Info(render.escape(t("resumed_word", language)), duration=4, title=t("note", language))
        return gr.Button(visible=False)

    @shared.told
    def publish_run(language: str, run_id: str, org: str, name: str, private: bool) -> Any:
        from lora_hub import runs

        ref = runs.publish_run(run_id, org=org.strip(), name=name.strip(), private=private)
        return render_data.published(ref.repo_id, ref.url, language)

    @shared.told
    def to_compare(language: str, run_id: str) -> Any:
        from lora_hub import runs

        run = runs.refresh_run(run_id)
        name = run.adapter.repo_id if run.adapter else run.id
        return gr.Dropdown(choices=[name], value=[name]), gr.Tabs(selected="compare")

    asked = [page.language, page.run_id, show, order]
    after = {"fn": look, "inputs": asked, "outputs": parts, **LIGHT}
    for place in (listed, head):
        place.pick(pick, page.language, page.run_id, **LIGHT)
    page.run_id.change(**after).then(None, page.run_id, None, js="(id) => { window.loraHub.address('run', id); }")
    show.input(**after)
    order.input(**after)
    timer.tick(tick, [*asked, seen], parts, **{**LIGHT, "concurrency_id": "tick"})
    cancel.click(cancel_run, [page.language, page.run_id], cancel, **{**LIGHT, "concurrency_id": "cancel"}).then(**after)
    resume.click(resume_run, [page.language, page.run_id], resume, **{**LIGHT, "concurrency_id": "resume"}).then(**after)
    publish.click(
        publish_run, [page.language, page.run_id, org, name, private], published, concurrency_id="publish", concurrency_limit=2,
        show_progress="minimal", api_visibility="private",
    ).then(**after)  # fmt: skip
    compare.click(to_compare, [page.language, page.run_id], [page.compare_names, page.tabs], **LIGHT)
    return timer


def _hidden() -> list[Any]:
    """Updates for everything between head and seen where no run is shown."""
    off = {"visible": False}
    return [gr.Button(**off), gr.Button(**off), "", gr.Column(**off), "", gr.skip(), "", gr.Column(**off), "", gr.Accordion(**off), ""]


def _published(run: Run, language: str) -> str:
    if run.adapter:
        return render_data.published(run.adapter.repo_id, run.adapter.url, language)
    return f"<h4>{render.escape(t('publish_title', language))}</h4>"
