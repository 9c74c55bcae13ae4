"""What Fine-tune shows for the current form: the handlers that inspect it, and those of clicks in the data report."""

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from lora_hub import runs, use_cases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.schema import Run, TrainSpec
from lora_hub.people import Person
from lora_hub.ui.frame.page import Page
from lora_hub.ui.render import render, render_plan, render_standing
from lora_hub.ui.render.runs.run_names import name_runs
from lora_hub.ui.render.text import t
from lora_hub.ui.tabs.finetune import data_reading, task_list
from lora_hub.ui.tabs.finetune.asked import OWN, Asked
from lora_hub.ui.tabs.finetune.data_arrival import brought, proposed_task
from lora_hub.ui.tabs.finetune.data_ways import has_sample
from lora_hub.ui.tabs.finetune.finetune_steps import Steps, base_choices, parent_choices
from lora_hub.ui.tabs.finetune.form import changed_mends
from lora_hub.ui.tabs.finetune.review import exact_prompts, glance, review
from lora_hub.ui.tabs.finetune.task_list import Entry, read_entries
from lora_hub.ui.tabs.finetune.view import View

# As many adapters are offered to go on from; the name of another one can be typed.
SHOWN_PARENTS = 30
# Characters of a base's name; those of the Hub are shorter.
MOST_NAME = 250


class Look:
    """The handlers. outputs: everything that an inspection may update."""

    def __init__(self, page: Page, steps: Steps) -> None:
        self.page, self.steps, self.form, self.room = page, steps, steps.form, steps.room
        choice, columns, base, training = steps.choice, steps.columns, steps.base, steps.training
        self.outputs = [
            *[choice.card, choice.own_box, self.room.sample, *data_reading.shown(self.room)],
            *[columns.problems, columns.prompts, columns.exact, steps.shown_roles],
            *[base.card, base.get, base.parent, base.parent_note],
            *[base.marks, base.measuring, base.lengths, base.settings],
            *[training.plan, training.name_note, training.reason, training.train, training.add, steps.seen],
            *training.twin_parts,
        ]

    def look(self, language: str, opened: str, listed: Any, *values: Any, person: Person) -> dict[Any, Any]:
        entries = read_entries(listed)
        asked = task_list.on_base_of(entries, self.form.read(values))
        view = review(person, asked, language, self.page.looker, opened or "", is_listed=bool(entries))
        return (
            self._data(asked, view, self._columns(values), language)
            | self._rest(person, view, entries, asked, language)
            | self._seen(view, values)
        )

    def with_file(self, take: Callable[..., dict[Any, Any]]) -> Callable[..., Iterator[Any]]:
        """A handler that adds a new file and shows it in one round trip: the file as soon as it is read, then its
        review."""
        count = len(self.steps.fields)

        def take_and_look(language: str, opened: str, listed: Any, *values: Any, person: Person) -> Iterator[Any]:
            new = take(person, language, *values[count:])
            if self.room.dataset not in new:
                yield new or gr.skip()
                return
            now = [new.get(field, value) for field, value in zip(self.steps.fields, values, strict=False)]
            entries = read_entries(listed)
            asked = task_list.on_base_of(entries, self.form.read(now))
            first = glance(person, asked, language, self.page.looker)
            shown = self._data(asked, first, self._columns(now), language, is_new=True)
            if self.room.file in new:  # the field is cleared if the data was added in another way
                shown[self.room.file] = gr.File(value=None, label=data_reading.file_label(asked, language))
            yield new | shown | {self.steps.kept: asked.to_json()}
            view = review(person, asked, language, self.page.looker, first=first, is_listed=bool(entries))
            # Everything is sent again: the response of an older inspection may have arrived in between, and `seen`
            # stands for the whole page.
            columns = [column for _, column, _ in view.roles]
            yield (
                self._data(asked, view, columns, language)
                | self._rest(person, view, entries, asked, language)
                | self._seen(view, now)
            )

        return take_and_look

    def mend(
        self,
        language: str,
        mends: str,
        dataset: str,
        task_id: str | None,
        proposed: str,
        encoding: str,
        delimiter: str,
        sheet: str,
        skip_broken: bool,
        event: gr.EventData,
        *,
        person: Person,
    ) -> list[Any]:
        """The mends after a click, and the task that the columns suggest with them, if the task was only proposed."""
        asked = Asked(
            dataset=dataset,
            encoding=encoding or "",
            delimiter=delimiter or "",
            sheet=sheet or "",
            skip_broken=bool(skip_broken),
        )
        asked = replace(asked, mends=changed_mends(mends, event._data))
        unchanged = [json.dumps(asked.mends), gr.skip(), gr.skip()]
        if not dataset or not proposed:
            return unchanged
        mending = asked.mends_to_do()
        file = use_cases.open_dataset(person, dataset)
        found = proposed_task(person, self.page, file, task_id, proposed, language, mending, **asked.reading())
        return [unchanged[0], *found] if found and found[0] not in (None, task_id) else unchanged

    def use_task(self, language: str, event: gr.EventData) -> Any:
        chosen = str((event._data or {}).get("id", ""))
        return [chosen, ""] if chosen in catalogue.ORDER else gr.skip()

    def use_base(self, language: str, event: gr.EventData) -> Any:
        """What a click in the list of bases chose; whether there is such a base is found by the look that follows."""
        chosen = (event._data or {}).get("id", "")
        return chosen if isinstance(chosen, str) and 0 < len(chosen) <= MOST_NAME else gr.skip()

    def when_measured(self, language: str) -> Any:
        """Looks again as soon as this machine has been measured."""
        return gr.skip() if runs.is_measuring() else [secrets.token_hex(4), gr.Timer(active=False)]

    def open_rows(self, language: str, event: gr.EventData) -> str:
        return str((event._data or {}).get("code", ""))[:80]

    def show_exact(self, language: str, opened: str, listed: Any, *values: Any, person: Person) -> str:
        asked = task_list.on_base_of(read_entries(listed), self.form.read(values))
        return exact_prompts(person, asked, language, self.page.looker)

    def bring_base(self, language: str, name: str | None, *, person: Person) -> Iterator[Any]:
        """The base that is not here yet: what goes on, and then the field with it, which is looked at again. What went
        wrong stays where it is told. A page that was left meanwhile finds the base on the list."""
        base = self.steps.base
        for told in brought(person, str(name or "").strip(), language):
            if isinstance(told, str):
                yield {base.card: told}
            else:
                choices = base_choices(lambda said: t(said, language))
                yield {
                    base.base: gr.Dropdown(choices=choices, value=told.id),
                    self.steps.outdated: secrets.token_hex(4),
                }

    def _columns(self, values: Sequence[Any]) -> list[Any]:
        """The values of the role dropdowns, taken from the form's values."""
        said = dict(zip(self.steps.fields, values, strict=False))
        return [said[role] for role in self.room.roles]

    def _data(
        self, asked: Asked, view: View, columns: list[Any], language: str, is_new: bool = False
    ) -> dict[Any, Any]:
        """Steps 1 to 3."""
        choice, room = self.steps.choice, self.room
        return {
            choice.card: view.task,
            choice.own_box: gr.Column(visible=asked.task == OWN),
            room.sample: gr.Button(interactive=has_sample(asked.task)),
            **data_reading.updates(room, view, asked, columns, language, is_new),
            self.steps.columns.problems: view.problems,
            self.steps.columns.prompts: view.prompts,
            self.steps.shown_roles: json.dumps([[role, column] for role, column, _ in view.roles]),
        }

    def _rest(self, person: Person, view: View, entries: list[Entry], asked: Asked, language: str) -> dict[Any, Any]:
        """The parts that need a plan: the whole report, and steps 4 and 5."""
        stand = task_list.stand(entries, asked, view, language)
        steps, training = self.steps, self.steps.training
        reason = render.note(stand.reason, "good" if stand.is_ready else "plain")
        with_list = task_list.prices(entries, view.hired) if view.ready and stand.can_add else []
        plan = view.plan + render_plan.price_notes([one for one in with_list if one.flavor == asked.hardware], language)
        if view.estimate is not None and view.ready and stand.can_add and entries:
            plan += render_plan.in_one_go(task_list.takes(entries, view.estimate), language)
        return {
            steps.columns.problems: view.problems,
            steps.columns.exact: gr.Button(visible=view.ready),
            steps.base.card: view.base,
            steps.base.get: gr.Button(view.wanted, visible=bool(view.wanted)),
            steps.base.parent: gr.Dropdown(choices=self._parents(person, asked, language)),
            steps.base.parent_note: view.parent,
            steps.base.marks: view.bases,
            steps.base.measuring: gr.Timer(active=view.measuring),
            steps.base.lengths: view.lengths,
            steps.base.settings: view.settings,
            training.plan: plan + self._left(person, language),
            training.name_note: view.name,
            training.reason: reason,
            **self._under_way(person, view.spec, language),
            training.train: gr.Button(
                task_list.train_words(stand.count, entries, language), interactive=stand.can_train
            ),
            training.add: gr.Button(task_list.add_words(entries, language), interactive=stand.can_add),
        }

    def _parents(self, person: Person, asked: Asked, language: str) -> list[Any]:
        """Adapters that a training of this task on this base may go on from: those of runs, the newest first."""
        known = [
            run
            for run in use_cases.list_runs(person, self.page.runs)
            if run.adapter_folder and run.spec.base.id == asked.base and run.spec.task.id == asked.task
        ]
        names = name_runs(known)
        told = [(f"{names[run.id].title(language)} ({run.id})", run.id) for run in known[:SHOWN_PARENTS]]
        return parent_choices(lambda said: t(said, language), told)

    def _left(self, person: Person, language: str) -> str:
        """What a person may still start, shown before they press Train."""
        if person.is_local:
            return ""
        return render_standing.left(use_cases.look_at_standing(person, with_disk=False), language)

    def _under_way(self, person: Person, spec: TrainSpec | None, language: str) -> dict[Any, Any]:
        found = use_cases.list_runs(person, self.page.runs) if spec is not None else []
        return self._twin(render_plan.find_same(spec, found) if spec is not None else None, language)

    def still_under_way(self, language: str, run_id: str, *, person: Person) -> Any:
        """Checks whether the run that is shown as running still is: it ends or is cancelled independently of the
        form."""
        same = next((run for run in use_cases.list_runs(person, self.page.runs) if run.id == run_id), None)
        return gr.skip() if same is not None and not same.state.is_final else self._twin(None, language)

    def _twin(self, same: Run | None, language: str) -> dict[Any, Any]:
        training = self.steps.training
        is_there = same is not None
        return {
            training.under_way: render_plan.under_way(same, language),
            training.twin: same.id if is_there else "",
            training.watching: gr.Timer(active=is_there),
        }

    def _seen(self, view: View, values: Sequence[Any]) -> dict[Any, Any]:
        """The form's values as the browser has them after the response of an inspection has filled its fields."""
        after = dict(zip(self.steps.fields, values, strict=True))
        after |= {slot: column for slot, (_, column, _) in zip(self.room.roles, view.roles, strict=False)}
        return {self.steps.seen: json.dumps(["" if value is None else value for value in after.values()])}
