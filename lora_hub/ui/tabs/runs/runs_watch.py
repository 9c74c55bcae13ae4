"""The handlers of the Runs tab: a run as it is now, and actions on the selected run.

Nothing of a run is cached here: it is read at every tick, and what has not changed is not sent again.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import gradio as gr

from lora_hub import runs, use_cases
from lora_hub.core.errors import AccessError, LoraHubError, RunError
from lora_hub.core.messages import _
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import Run, RunState
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.runs import run_phases
from lora_hub.ui.frame.asking import asked_by
from lora_hub.ui.frame.page import Page, asks_again, inform, not_pressed
from lora_hub.ui.render import render, render_data
from lora_hub.ui.render.runs import render_groups, render_held_out, render_publication, render_runs
from lora_hub.ui.render.runs.measure_plots import measure_plots
from lora_hub.ui.render.runs.plot import loss_plot
from lora_hub.ui.render.runs.run_names import name_runs
from lora_hub.ui.render.runs.sweep_plot import sweep_plot
from lora_hub.ui.render.text import page_number, t
from lora_hub.ui.tabs.runs import runs_list


class Watch:
    """The handlers for one page. A stamp begins with the id of the run that the page shows. Buttons act on that run,
    which for a moment may not be the one just selected."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def look(
        self,
        language: str,
        run_id: str,
        show_what: str,
        order: str,
        paged_to: str,
        search: str,
        filters: list[str],
        seen_before: str = "",
        *,
        person: Person,
    ) -> list[Any]:
        """Updates for the tab's parts (`draw`). seen_before: the stamp of what the page has, where what has not changed
        need not be sent again."""
        shown = {"search": search, "filters": filters}
        try:
            return draw(person, self.page.runs, language, run_id, show_what, order, paged_to, seen_before, **shown)
        except RunError as error:
            # An old address, or a run whose folder was removed: the list is still useful.
            listed = _listed(person, use_cases.list_runs(person, self.page.runs), "", language, **shown)
            return [listed, render.error_card(error, language), *_hidden(), gr.skip(), ""]
        except AccessError as error:
            return _nothing(person, error, language)

    def cancel(self, language: str, stamp: str, *, person: Person) -> Any:
        run = use_cases.refresh_run(person, shown_run(stamp))
        if rules.can_change(person, run):  # it takes a while
            inform(render.escape(t(_("The run is being cancelled."), language)), language)
        use_cases.cancel_run(person, run.id)
        return gr.Button(visible=False)

    def resume(self, language: str, stamp: str, *, person: Person) -> Any:
        use_cases.resume_run(person, shown_run(stamp), room=self.page.room)
        inform(render.escape(t(_("The run goes on."), language)), language)
        return gr.Button(visible=False)

    def share(self, language: str, stamp: str, visibility: str, *, person: Person) -> None:
        use_cases.share_run(person, shown_run(stamp), visibility)
        inform(render.escape(t(_("Done."), language)), language)

    def delete(self, language: str, stamp: str, pressed_for: str, *, person: Person) -> Any:
        """The first press asks for confirmation; a second one for the same run deletes it."""
        run_id = shown_run(stamp)
        if pressed_for != run_id:
            return *asks_again(language, run_id), gr.skip()
        use_cases.delete_run(person, run_id)
        inform(render.escape(t(_("The run was deleted. What was published stays."), language)), language)
        return *not_pressed(_("Delete"), language, visible=False), ""

    def plan(
        self, language: str, stamp: str, org: str, name: str, said_before: str, agreed: bool, *, person: Person
    ) -> list[Any]:
        """[plan, Publish, stamp of the announced version, confirmation] for the selected run with these names.
        Confirmation is required if users of the repo would get different answers than before."""
        run = use_cases.refresh_run(person, shown_run(stamp)) if shown_run(stamp) else None
        plain, unasked = gr.Button(t(_("Publish"), language), interactive=True), gr.Checkbox(False, visible=False)
        if run is None or not run.adapter_folder or not rules.can_change(person, run):
            return ["", plain, "", unasked]
        try:
            ahead = use_cases.plan_publication(person, run.id, org=org, name=name)
        except LoraHubError as error:
            return [render.error_card(error, language), plain, "", unasked]
        does = _("Propose {version}") if ahead.by_pull_request else _("Publish {version}")
        said = _("Nothing new: this is {version} already") if ahead.is_same else does
        promise, asks = _promise(run.id, ahead), ahead.is_another
        is_agreed = agreed and promise == said_before
        button = gr.Button(
            t(said, language, version=ahead.version), interactive=not ahead.is_same and (is_agreed or not asks)
        )
        # Confirmation is for one version; a tick made in the meantime stays.
        kept = {} if promise == said_before else {"value": False}
        return [render_publication.planned(ahead, language), button, promise, gr.Checkbox(visible=asks, **kept)]

    def wait(self, language: str) -> list[Any]:
        """[what is said while an adapter is published, Publish]"""
        said = _("Publishing: the files are uploaded. The first time after a start this may take half a minute.")
        return [render.waiting(t(said, language)), gr.Button(interactive=False)]

    def publish(
        self,
        language: str,
        stamp: str,
        org: str,
        name: str,
        private: bool,
        said_before: str,
        agreed: bool,
        *,
        person: Person,
    ) -> Any:
        run = use_cases.refresh_run(person, shown_run(stamp))
        ahead = use_cases.plan_publication(person, run.id, org=org, name=name)
        if ahead.before and not ahead.is_same and said_before != _promise(run.id, ahead):
            # The name was typed a moment ago, or somebody else has published in the meantime: show the plan first.
            said = _(
                "{repo} has versions already. What the new one differs in stands above the button; press it again to "
                "publish."
            )
            told = render.filled(said, language, repo=render.isolate(ahead.repo_id))
            inform(told, language, 8)
            return gr.skip()
        if ahead.is_another and not agreed:
            raise RunError(
                _("{repo} would answer differently than before.", repo=ahead.repo_id),
                _("Tick the box above the button if you want that, or give the adapter another name."),
            )
        ref = use_cases.publish_run(
            person, run.id, org=(org or "").strip(), name=(name or "").strip(), private=private
        ).ref
        return render_data.published(ref, language)

    def to_compare(self, language: str, stamp: str, *, person: Person) -> tuple[Any, Any]:
        run = use_cases.refresh_run(person, shown_run(stamp))
        name = run.adapter.repo_id if run.adapter else run.id
        return gr.Dropdown(choices=[name], value=[name]), gr.Tabs(selected="compare")


def shown_run(stamp: str) -> str:
    """The id of the run that the page shows."""
    return stamp.partition(" ")[0]


def _page(paged_to: str, *shown: str) -> int:
    """The page number of the rows: the one clicked, if it was clicked for this run, filter and order; else the
    first."""
    asked, _, page = paged_to.rpartition(" ")
    return page_number(page) if asked == " ".join(shown) else 1


def _promise(run_id: str, ahead: Any) -> str:
    return f"{run_id} {ahead.repo_id} {ahead.version}"


def draw(
    person: Person,
    reader: RunReader,
    language: str,
    run_id: str,
    show_what: str = "all",
    order: str = "file",
    paged_to: str = "",
    seen_before: str = "",
    *,
    search: str = "",
    filters: Sequence[str] = (),
) -> list[Any]:
    """Updates for the tab's parts as this person may see them, the list first and the stamp last. Parts that no longer
    change are sent once: `seen_before` is the stamp of what the page has. search, filters: which runs are listed
    (`runs_list`). Raises RunError if there is no such run."""
    known = use_cases.list_runs(person, reader)
    named = zlib.crc32(repr([(one.id, one.name, one.tags, one.state) for one in known]).encode())
    listed = _listed(person, known, run_id, language, search=search, filters=filters)
    if not run_id:
        empty = render.empty(t(_("Choose a run from the list."), language)) if known else ""
        stamp = f" {named} {language}"
        offered = runs_list.offering(known, filters, language) if stamp != seen_before else gr.skip()
        return [listed, empty, *_hidden(), offered, stamp]
    run = next((run for run in known if run.id == run_id), None) or use_cases.refresh_run(person, run_id, reader)
    members = next(
        (group for group in render_groups.beside_each_other(known) if any(one.id == run.id for one in group)), []
    )
    others = [one for one in members if one.id != run.id]
    stamp = (
        f"{run.id} {run.state} {bool(run.metrics)} {run.adapter.revision if run.adapter else ''} {show_what} "
        f"{order} {paged_to} {language} {run.visibility} {named} {bool(run.train_losses)}"
    )
    is_new, mine = stamp != seen_before, rules.can_change(person, run)
    found = use_cases.read_held_out(person, run.id, reader) if is_new and run.metrics else None
    against = run.comparison.against if run.comparison else "base"
    return [
        listed,
        render_runs.run_head(run, language, others, name_runs([run, *(one for one in known if one.id != run.id)])),
        gr.Button(
            visible=mine and not run.state.is_final and (not run.cancelling or run_phases.how_late(run) is not None)
        ),
        gr.Button(visible=mine and run.state in runs.RESUMABLE),
        *(
            not_pressed(_("Delete"), language, visible=mine and run.state.is_final)
            if is_new
            else (gr.skip(), gr.skip())
        ),
        gr.Radio(value=run.visibility, visible=mine and not person.is_local) if is_new else gr.skip(),
        render_runs.result(run, language),
        gr.Column(visible=mine and bool(run.adapter_folder) and run.state is not RunState.DAMAGED),
        _published(run, language) if is_new else gr.skip(),
        sweep_plot(run.sweep, run.planned_steps, language)
        + loss_plot(
            run.train_losses, run.eval_losses, best_step=run.best_step, total=run.planned_steps, language=language
        )
        + measure_plots(run.measures, run.planned_steps, language),
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
        gr.Accordion(visible=mine),
        render_runs.log_text(use_cases.read_log(person, run.id, reader=reader), language),
        runs_list.offering(known, filters, language) if is_new else gr.skip(),
        stamp,
    ]


def _listed(
    person: Person,
    known: list[Run],
    run_id: str,
    language: str,
    *,
    search: str,
    filters: Sequence[str],
) -> str:
    """The list, with a sign of whose it is: a page whose person has signed out or lost a role then says so."""
    wanted = runs_list.wanted_of(search, filters)
    found = known if wanted.is_all else use_cases.find_runs(person, wanted, known)
    if known and not found:
        return render.empty(t(_("No run fits."), language)) + asked_by(person)
    may_train = rules.may(person, Action.TRAIN)
    return render_runs.runs_list(found, run_id, language, may_train=may_train, names=name_runs(known)) + asked_by(
        person
    )


def _nothing(person: Person, error: AccessError, language: str) -> list[Any]:
    """The tab for a person who may not look at runs at all: none of those shown before stays."""
    return [asked_by(person), render.error_card(error, language), *_hidden(), gr.skip(), ""]


def _hidden() -> list[Any]:
    """Updates for everything between head and stamp when no run is shown."""
    off = {"visible": False}
    return [
        gr.Button(**off),
        gr.Button(**off),
        gr.Button(**off),
        "",
        gr.Radio(**off),
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
        return render_data.published(run.adapter, language)
    return f"<h4>{render.escape(t(_('Share this adapter'), language))}</h4>"
