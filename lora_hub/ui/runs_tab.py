"""The Runs tab: the list of runs, and one run as it is now: progress, curves, log, result, examples, publishing.

Nothing of a run is kept here: a timer asks `runs` again and again, and the address bar names the run that is shown.
"""

from typing import Any

import gradio as gr

from lora_hub.core.errors import LoraHubError, RunError
from lora_hub.core.messages import _
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import Run, RunState
from lora_hub.runs import run_phases
from lora_hub.ui import page as shared
from lora_hub.ui import render, render_data, render_groups, render_held_out, render_publication, render_runs
from lora_hub.ui.page import LIGHT, Page
from lora_hub.ui.plot import loss_plot
from lora_hub.ui.render_held_out import FILTERS, ORDERS
from lora_hub.ui.run_names import name_runs
from lora_hub.ui.text import t
from lora_hub.ui.words import WORDS

TICK_SECONDS = 2


def build(page: Page) -> gr.Timer:
    """Draws the tab inside the current context and wires it. Returns its timer, which rests until the tab is open."""
    words = page.words
    timer = gr.Timer(TICK_SECONDS, active=False)
    # What the page shows now: a stamp that begins with the run's id, and the version that it said publishing would
    # make.
    seen, said = (gr.Textbox("", visible="hidden") for _ in range(2))
    paged = gr.Textbox("", visible="hidden", elem_id="lh-examples-page")
    with gr.Row(elem_classes="lh-split"):
        with gr.Column(scale=1, min_width=280, elem_classes="lh-side"):
            listed = shared.html(elem_id="lh-runs")
        with gr.Column(scale=3, min_width=340):
            head = shared.html(elem_id="lh-run")
            with gr.Row(elem_classes="lh-tight"):
                cancel = gr.Button(words(_("Cancel")), variant="stop", size="sm", visible=False, elem_id="lh-cancel")
                resume = gr.Button(words(_("Resume")), size="sm", visible=False, elem_id="lh-resume")
            result = shared.html(elem_id="lh-result")
            with gr.Column(visible=False, elem_classes="lh-section lh-publish") as publish_box:
                published = shared.html(elem_id="lh-published")
                with gr.Row(equal_height=True):
                    org = gr.Textbox(
                        page.organization, label=words(_("Organization")), max_lines=1, min_width=140, elem_id="lh-org"
                    )
                    name = gr.Textbox(
                        label=words(_("Repository name")),
                        placeholder=words(_("made from task and base")),
                        max_lines=1,
                        min_width=180,
                        elem_id="lh-publish-name",
                    )
                    private = gr.Checkbox(label=words(_("Private")), min_width=90)
                planned = shared.html(elem_id="lh-planned")
                with gr.Row(elem_classes="lh-tight"):
                    publish = gr.Button(words(_("Publish")), variant="primary", size="md", elem_id="lh-publish")
                    compare = gr.Button(words(_("Compare")), size="md", elem_id="lh-run-compare")
            plot = shared.html(elem_id="lh-plot")
            with gr.Column(visible=False) as examples_box:
                shared.html(f"<h4>{render.both(_('Held-out examples'))}</h4>")
                with gr.Row(elem_classes="lh-tight"):
                    show = gr.Radio(
                        [(words(WORDS[f"show_{one}"]), one) for one in FILTERS],
                        value="all",
                        label=words(_("Show")),
                        container=False,
                        show_label=False,
                        elem_id="lh-show",
                    )
                    order = gr.Dropdown(
                        [(words(WORDS[f"show_by_{one}"]), one) for one in ORDERS],
                        value="file",
                        label=words(_("Order")),
                        container=False,
                        show_label=False,
                        min_width=220,
                        scale=0,
                        elem_id="lh-order",
                    )
                examples = shared.html(elem_id="lh-examples")
            with gr.Accordion(words(_("Log")), open=False, visible=False) as log_box:
                log = shared.html(elem_id="lh-log")

    parts = [
        listed,
        head,
        cancel,
        resume,
        result,
        publish_box,
        published,
        plot,
        examples_box,
        examples,
        log_box,
        log,
        seen,
    ]

    @shared.told
    def look(language: str, run_id: str, show_what: str, order: str, paged_to: str) -> Any:
        try:
            return draw(page.runs, language, run_id, show_what, order, paged_to)
        except RunError as error:
            # An old address, or a run whose folder was removed: the list still helps.
            from lora_hub import runs

            return [
                render_runs.runs_list(runs.list_runs(page.runs), "", language),
                render.error_card(error, language),
                *_hidden(),
                "",
            ]

    @shared.told
    def tick(language: str, run_id: str, show_what: str, order: str, paged_to: str, seen_before: str) -> Any:
        try:
            return draw(page.runs, language, run_id, show_what, order, paged_to, seen_before)
        except RunError:
            return gr.skip()

    @shared.told
    def cancel_run(language: str, stamp: str) -> Any:
        from lora_hub import runs

        gr.Info(render.escape(t(_("The run is being cancelled."), language)), duration=4, title=t(_("Note"), language))
        runs.cancel_run(_shown(stamp))
        return gr.Button(visible=False)

    @shared.told
    def resume_run(language: str, stamp: str) -> Any:
        from lora_hub import runs

        runs.resume_run(_shown(stamp))
        gr.Info(render.escape(t(_("The run goes on."), language)), duration=4, title=t(_("Note"), language))
        return gr.Button(visible=False)

    @shared.told
    def plan(language: str, stamp: str, org: str, name: str) -> Any:
        """What Publish would do for the run that is shown, with these names."""
        from lora_hub import runs
        from lora_hub.runs import publication

        run = runs.refresh_run(_shown(stamp)) if stamp else None
        if run is None or not run.adapter_folder:
            return "", gr.Button(t(_("Publish"), language), interactive=True), ""
        try:
            ahead = publication.plan_publication(run, org=org, name=name)
        except LoraHubError as error:
            return render.error_card(error, language), gr.Button(t(_("Publish"), language), interactive=True), ""
        label = t(
            _("Nothing new: this is {version} already") if ahead.is_same else _("Publish {version}"),
            language,
            version=ahead.version,
        )
        return (
            render_publication.planned(ahead, language),
            gr.Button(label, interactive=not ahead.is_same),
            _promise(run.id, ahead),
        )

    @shared.told
    def publish_run(language: str, stamp: str, org: str, name: str, private: bool, said_before: str) -> Any:
        from lora_hub import runs
        from lora_hub.runs import publication

        run = runs.refresh_run(_shown(stamp))
        ahead = publication.plan_publication(run, org=org, name=name)
        if ahead.before and not ahead.is_same and said_before != _promise(run.id, ahead):
            # The name was typed a moment ago, or somebody else has published meanwhile: first it is said, then it is
            # done.
            gr.Info(
                render.filled(
                    _(
                        "{repo} has versions already. What the new one differs in stands above the button; press it "
                        "again to publish."
                    ),
                    language,
                    repo=render.isolate(ahead.repo_id),
                ),
                duration=8,
                title=t(_("Note"), language),
            )
            return gr.skip()
        ref = runs.publish_run(run.id, org=(org or "").strip(), name=(name or "").strip(), private=private)
        return render_data.published(ref.repo_id, ref.url, language)

    @shared.told
    def to_compare(language: str, stamp: str) -> Any:
        from lora_hub import runs

        run = runs.refresh_run(_shown(stamp))
        name = run.adapter.repo_id if run.adapter else run.id
        return gr.Dropdown(choices=[name], value=[name]), gr.Tabs(selected="compare")

    asked = [page.language, page.run_id, show, order, paged]
    after = {"fn": look, "inputs": asked, "outputs": parts, **LIGHT}
    page.run_id.change(
        None, page.run_id, None, js="(id) => { window.loraHub.address('run', id, true); }", api_visibility="private"
    )
    gr.on([page.run_id.change, show.input, order.input, paged.change], **after, trigger_mode="always_last")
    timer.tick(tick, [*asked, seen], parts, **{**LIGHT, "concurrency_id": "tick"})
    cancel.click(cancel_run, [page.language, seen], cancel, **{**LIGHT, "concurrency_id": "cancel"}).then(**after)
    resume.click(resume_run, [page.language, seen], resume, **{**LIGHT, "concurrency_id": "resume"}).then(**after)
    planning = {
        "fn": plan,
        "inputs": [page.language, seen, org, name],
        "outputs": [planned, publish, said],
        "concurrency_id": "hub",
        "concurrency_limit": 4,
        "api_visibility": "private",
        "show_progress": "hidden",
        "trigger_mode": "always_last",
    }
    gr.on([seen.change, org.blur, org.submit, name.blur, name.submit], **planning)
    publish.click(
        publish_run,
        [page.language, seen, org, name, private, said],
        published,
        concurrency_id="publish",
        concurrency_limit=2,
        show_progress="minimal",
        api_visibility="private",
    ).then(**after).then(**planning)
    compare.click(to_compare, [page.language, seen], [page.compare_names, page.tabs], **LIGHT)
    return timer


def _shown(stamp: str) -> str:
    """The id of the run that the page shows. What is pressed is done to it: for a moment it may not be the one just
    chosen."""
    return stamp.partition(" ")[0]


def _page(paged_to: str, *shown: str) -> int:
    """The page of the rows: the one that was clicked, for the run, the filter and the order where it was clicked; else
    the first."""
    asked, _, page = paged_to.rpartition(" ")
    return int(page) if asked == " ".join(shown) and page.isdecimal() else 1


def _promise(run_id: str, ahead: Any) -> str:
    return f"{run_id} {ahead.repo_id} {ahead.version}"


def draw(
    reader: RunReader,
    language: str,
    run_id: str,
    show_what: str = "all",
    order: str = ORDERS[0],
    paged_to: str = "",
    seen_before: str = "",
) -> list[Any]:
    """Updates for the tab's parts, the list first and the stamp last. What does not change any more is sent once:
    `seen_before` is the stamp of what the page has. Raises RunError where there is no such run."""
    from lora_hub import runs

    known = runs.list_runs(reader)
    if not run_id:
        empty = render.empty(t(_("Choose a run from the list."), language)) if known else ""
        return [render_runs.runs_list(known, "", language), empty, *_hidden(), ""]
    run = next((run for run in known if run.id == run_id), None) or runs.refresh_run(run_id, reader)
    members = next(
        (group for group in render_groups.beside_each_other(known) if any(one.id == run.id for one in group)), []
    )
    others = [one for one in members if one.id != run.id]
    stamp = (
        f"{run.id} {run.state} {bool(run.metrics)} {run.adapter.revision if run.adapter else ''} {show_what} "
        f"{order} {paged_to} {language}"
    )
    is_new = stamp != seen_before
    found = runs.read_held_out(run.id, reader) if is_new and run.metrics else None
    against = run.comparison.against if run.comparison else "base"
    return [
        render_runs.runs_list(known, run.id, language),
        render_runs.run_head(run, language, others, name_runs([run, *(one for one in known if one.id != run.id)])),
        gr.Button(visible=not run.state.is_final and (not run.cancelling or run_phases.how_late(run) is not None)),
        gr.Button(visible=run.state in runs.RESUMABLE),
        render_runs.result(run, language),
        gr.Column(visible=bool(run.adapter_folder) and run.state is not RunState.DAMAGED),
        _published(run, language) if is_new else gr.skip(),
        loss_plot(run.train_losses, run.eval_losses, best_step=run.best_step, total=run.total_steps, language=language),
        gr.Column(visible=bool(run.metrics)),
        render_held_out.held_out_rows(
            found.rows,
            show_what,
            language,
            order=order,
            against=against,
            page=_page(paged_to, run.id, show_what, order),
            place=f"{run.id} {show_what} {order}",
            missing=found.missing,
        )
        if found
        else gr.skip(),
        gr.Accordion(visible=True),
        render_runs.log_text(runs.read_log(run.id, reader=reader), language),
        stamp,
    ]


def _hidden() -> list[Any]:
    """Updates for everything between head and seen where no run is shown."""
    off = {"visible": False}
    return [
        gr.Button(**off),
        gr.Button(**off),
        "",
        gr.Column(**off),
        "",
        "",
        gr.Column(**off),
        "",
        gr.Accordion(**off),
        "",
    ]


def _published(run: Run, language: str) -> str:
    if run.adapter:
        return render_data.published(run.adapter.repo_id, run.adapter.url, language)
    return f"<h4>{render.escape(t(_('Share this adapter'), language))}</h4>"
