"""Fine-tune's list of tasks and its Train button: the handlers that add a task, edit it again, and start the
training."""

from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.core.errors import AccessError, LoraHubError
from lora_hub.core.messages import _, text_in
from lora_hub.core.schema import Run, TrainSpec
from lora_hub.people import Person
from lora_hub.ui.frame.page import Page, alert, inform
from lora_hub.ui.render import render
from lora_hub.ui.render.text import number, t
from lora_hub.ui.tabs.finetune import render_tasks, task_list
from lora_hub.ui.tabs.finetune.asked import Asked
from lora_hub.ui.tabs.finetune.finetune_steps import Steps, where_bases_come_from
from lora_hub.ui.tabs.finetune.from_run import asked_of, asked_of_adapter
from lora_hub.ui.tabs.finetune.review import review
from lora_hub.ui.tabs.finetune.task_list import Entry, read_entries
from lora_hub.ui.tabs.finetune.view import View


class Start:
    """The handlers. list_parts: the list in the browser, the list on the page, and the base that the list fixes."""

    def __init__(self, page: Page, steps: Steps) -> None:
        self.page, self.form, self.room, self.fields = page, steps.form, steps.room, steps.fields
        self.list_parts = [steps.listed, steps.training.tasks, steps.base.base]

    def add_task(self, language: str, opened: str, listed: Any, *values: Any, person: Person) -> dict[Any, Any]:
        entries = read_entries(listed)
        asked = task_list.on_base_of(entries, self.form.read(values))
        view = review(person, asked, language, self.page.looker)
        if view.spec is None:
            raise _not_ready(view)
        entries = task_list.add_entry(entries, asked, view.spec, view.hired, view.estimate)
        title = text_in(view.spec.task.title, language)
        said = t(_("{task} is on the list. The form is free for the next task."), language, task=title)
        inform(render.sentence(said), language, 5)
        return self._with_form(_next_after(asked), entries, language)

    def remove_task(self, language: str, listed: Any, event: gr.EventData) -> list[Any]:
        gone = str((event._data or {}).get("id", ""))
        return self._list([entry for entry in read_entries(listed) if entry.id != gone], language)

    def edit_task(self, language: str, opened: str, listed: Any, *values: Any, person: Person) -> Any:
        """Puts an entry back into the form and keeps its place on the list. A task that is already in the form is first
        added to the list, or has to be finished. If the entry is already being edited, it is restored unchanged and the
        form is cleared."""
        entries = read_entries(listed)
        chosen = next((entry for entry in entries if entry.id == values[-1].partition(" ")[0]), None)
        if chosen is None:
            return gr.skip()
        asked = task_list.on_base_of(entries, self.form.read(values[:-1]))
        if chosen.edited:
            return self._with_form(_next_after(asked), task_list.put_down(entries), language)
        if task_list.is_begun(asked) and not task_list.is_listed(entries, asked):
            view = review(person, asked, language, self.page.looker)
            if view.spec is None:
                raise LoraHubError(
                    t(_("The form holds another task, which is not ready: {reason}"), language, reason=view.reason),
                    t(_("Finish it first, or remove its file (step 2)."), language),
                )
            entries = task_list.add_entry(entries, asked, view.spec, view.hired, view.estimate)
        return self._with_form(chosen.asked, task_list.take_up(entries, chosen), language)

    def start_from(self, language: str, opened: str, listed: Any, *values: Any, person: Person) -> Any:
        """Puts the settings of a run or of a published adapter into the form, in place of what it held, and shows it.
        The last of the values is the run's id, or the adapter's repo."""
        source = str(values[-1] or "")
        if not source:
            return gr.skip()
        if "/" in source:
            name, (asked, missing) = source, asked_of_adapter(person, source)
        else:
            run = use_cases.refresh_run(person, source, self.page.runs)
            name, (asked, missing) = run.name or run.id, asked_of(person, run)
        entries = task_list.put_down(read_entries(listed))
        told = _("The form has the settings of {run}. The name of its adapter is left out.", run=name)
        inform(render.escape(told.in_language(language)), language, 6)
        if entries and entries[0].asked.base != asked.base:
            missing.append(_("The base stays {base}: that of the tasks on the list.", base=entries[0].asked.base))
        for said in missing:
            alert(render.escape(said.in_language(language)), language)
        form = self._with_form(task_list.on_base_of(entries, asked), entries, language)
        return {**form, self.page.tabs: gr.Tabs(selected="finetune"), self.page.start_from: ""}

    def start(self, language: str, opened: str, listed: Any, *values: Any, person: Person) -> list[Any]:
        entries = read_entries(listed)
        asked = task_list.on_base_of(entries, self.form.read(values))
        ready, planned = task_list.plan_entries(person, entries, language, self.page.looker)
        if any(now.message and not before.message for now, before in zip(planned, entries, strict=True)):
            said = _(
                "A task on the list cannot be trained any more; the reason is beside it. Press Train again to go on "
                "without it."
            )
            alert(render.sentence(t(said, language)), language)
            return [gr.skip(), gr.skip(), gr.skip(), *self._list(planned, language)]
        if not task_list.is_listed(task_list.waiting(entries), asked):
            view = review(person, asked, language, self.page.looker)
            if view.spec is not None:
                ready.append(view)
            elif not entries:
                raise _not_ready(view)
            elif any(entry.edited for entry in entries):
                raise LoraHubError(
                    t(_("The task that is being edited is not ready: {reason}"), language, reason=view.reason),
                    t(_("Finish it, or keep it as it was."), language),
                )
        if not ready:
            raise LoraHubError(
                t(_("None of these tasks can be trained any more."), language),
                t(_("The reason is beside each; remove it and add it anew."), language),
            )
        started = self._start(person, ready, language)
        self._tell(person, [view.spec for view in ready], len(started), language)
        left = [entry for entry in planned if entry.message]
        # The name was for this run; the next task must not be published over it by default.
        unlisted = self._list(left, language) if entries else [gr.skip()] * len(self.list_parts)
        return [started[0].id, gr.Tabs(selected="runs"), "", *unlisted]

    def _start(self, person: Person, ready: list[View], language: str) -> list[Run]:
        """Starts those of this machine together, and one job for those of the same hardware. What has been started is
        not lost when a job cannot be."""
        here = [view.spec for view in ready if view.hired is None]
        started = [*use_cases.start_runs(person, here, room=self.page.room)] if here else []
        jobs: dict[str, list[View]] = {}
        for view in ready:
            if view.hired is not None:
                jobs.setdefault(view.hired.flavor, []).append(view)
        for flavor, views in jobs.items():
            try:
                hired = views[0].hired
                if len(views) > 1:
                    hired = use_cases.hire(person, [(view.spec, view.tokens_row) for view in views], flavor)
                started += use_cases.start_runs(person, [view.spec for view in views], hired=hired)
            except LoraHubError as error:
                if not started:
                    raise
                alert(render.sentence(" ".join(render.told(error, language))), language, 20)
        return started

    def restore(self, language: str, kept: Any, listed: Any) -> dict[Any, Any]:
        """The form and the list as the browser stored them. Only values that differ from an untouched form are
        written."""
        pairs = zip(self.form.write(self.form.kept_form(kept)), self.form.write(Asked()), strict=True)
        fitting = [gr.skip() if one == untouched else one for one, untouched in pairs]
        return dict(zip(self.fields, fitting, strict=True)) | self._listed(read_entries(listed), language)

    def _tell(self, person: Person, specs: list[TrainSpec], count: int, language: str) -> None:
        """Says that the runs have started, and warns now, not after the training, about anything that would prevent
        publishing."""
        said = (
            t(_("The run has started."), language)
            if count == 1
            else t(_("{count} runs have started."), language, count=number(count, language))
        )
        inform(render.sentence(said), language)
        trouble = use_cases.publishing_trouble(person, specs[0])
        if trouble is not None:
            said = t(_("The adapter can be trained, but as things are, it cannot be published."), language)
            why = " ".join(render.told(trouble, language))
            alert(f"{render.sentence(said)} {render.sentence(why)}", language, 20)

    def _with_form(self, asked: Asked, entries: list[Entry], language: str) -> dict[Any, Any]:
        """Another task in the form, and the list with it. The previous task's file is cleared."""
        others = {self.room.opened: "", self.room.file: None, self.room.test_file: None}
        listed = dict(zip(self.list_parts, self._list(entries, language), strict=True))
        return dict(zip(self.fields, self.form.write(asked), strict=True)) | others | listed

    def _listed(self, entries: list[Entry], language: str) -> dict[Any, Any]:
        return dict(zip(self.list_parts, self._list(entries, language), strict=True)) if entries else {}

    def _list(self, entries: list[Entry], language: str) -> list[Any]:
        """Updates for `list_parts`."""
        there = bool(entries)
        said = (
            _("Fixed while tasks are on the list of step 5: they share one base") if there else where_bases_come_from()
        )
        value = {"value": entries[0].asked.base} if there else {}
        fixed = gr.Dropdown(interactive=not there, info=t(said, language), **value)
        return [[entry.to_json() for entry in entries], render_tasks.task_list(entries, language), fixed]


def _not_ready(view: View) -> LoraHubError:
    """Why there is nothing to train: what the page says beside the button, or that this person may not, which may be so
    only since the page was drawn."""
    return view.error if isinstance(view.error, AccessError) else LoraHubError(view.reason, "")


def _next_after(asked: Asked) -> Asked:
    """The form for the next task: only the values that all tasks share."""
    return Asked(base=asked.base, effort=asked.effort, overrides=asked.overrides, hardware=asked.hardware)
