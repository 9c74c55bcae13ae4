"""The Fine-tune tab: five numbered steps from a task to a started run.

The form's fields are read by name into an `Asked`, looked at (review.py) and rendered; the same form is kept in the
browser, so that a reload, another language or a restarted app brings it back, and so is the list of tasks that are
trained in one go (task_list.py). Step 2 is data_room.py.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import spec_fields
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import TrainSpec
from lora_hub.training import recipe
from lora_hub.ui import data_room, render, render_runs, render_tasks, task_list
from lora_hub.ui import page as shared
from lora_hub.ui.asked import OWN, Asked, dataset_path
from lora_hub.ui.data_arrival import proposed_task
from lora_hub.ui.finetune_fields import (
    DONE,
    HOLD,
    OUTDATED,
    OWN_FIELDS,
    RELEASE,
    REPORT,
    SHOW_FORM,
    WIRED,
    base_choices,
    override,
    own_task,
)
from lora_hub.ui.form import Form, changed_mends, correcting
from lora_hub.ui.page import LIGHT, Page
from lora_hub.ui.review import View, exact_prompts, glance, review
from lora_hub.ui.task_list import Entry, read_entries
from lora_hub.ui.text import number, t
from lora_hub.ui.words import WORDS


def build(page: Page, blocks: gr.Blocks) -> None:
    """Draws the tab inside the current context and wires it."""
    words = page.words
    kept = gr.BrowserState(None, storage_key="lora_hub_form", secret="lora-hub-form")
    listed = gr.BrowserState(None, storage_key="lora_hub_tasks", secret="lora-hub-form")
    outdated, seen, shown_roles = (gr.Textbox("", visible="hidden") for _ in range(3))
    edited = gr.Textbox("", visible="hidden", elem_id="lh-edited")
    with gr.Column(elem_classes="lh-page"):
        with gr.Column(elem_classes="lh-section"):
            shared.html(render.heading(1, "step_task"))
            choices = [(words(task.title), task.id) for task in catalogue.list_tasks()]
            task = gr.Radio(
                [*choices, (words(_("Your own task")), OWN)],
                show_label=False,
                label=words(_("Task")),
                container=False,
                elem_id="lh-task",
                elem_classes="lh-cards-radio",
            )
            with gr.Column(visible=False, elem_id="lh-own") as own_box:
                own = own_task(words)
            task_html = shared.html(elem_id="lh-task-card")
        with gr.Column(elem_classes="lh-section"):
            room = data_room.build(page)
        with gr.Column(elem_classes="lh-section"):
            shared.html(render.heading(3, "step_columns"))
            problems_html = shared.html(elem_id="lh-problems", js_on_load=REPORT)
            prompts_html = shared.html(elem_id="lh-prompts")
            with gr.Row(elem_classes="lh-tight"):
                exact = gr.Button(
                    words(_("Show it as this base gets it, token marks included")),
                    size="sm",
                    visible=False,
                    elem_id="lh-exact",
                )
        with gr.Column(elem_classes="lh-section"):
            shared.html(render.heading(4, "step_base"))
            with gr.Row():
                with gr.Column(min_width=300):
                    base = gr.Dropdown(
                        base_choices(),
                        value=bases.BUILT_IN,
                        label=words(_("Base")),
                        info=words(_("From the list, or type any Hub id or a folder")),
                        allow_custom_value=True,
                        elem_id="lh-base",
                    )
                    base_html = shared.html(elem_id="lh-base-card")
                with gr.Column(min_width=300):
                    effort = gr.Radio(
                        [(words(WORDS[f"effort_{name}"]), name) for name in recipe.EFFORTS],
                        value="balanced",
                        label=words(_("Effort")),
                        elem_id="lh-effort",
                    )
                    shared.html(
                        "".join(
                            (
                                f'<p class="lh-quiet lh-effort-{name}"><b>{render.both(WORDS[f"effort_{name}"])}</b> '
                                f"{render.both(WORDS[f'effort_{name}_why'])}</p>"
                            )
                            for name in recipe.EFFORTS
                        )
                    )
            lengths_html = shared.html(elem_id="lh-lengths")
            with gr.Accordion(words(_("Advanced: every setting and why")), open=False, elem_id="lh-advanced"):
                shared.html(
                    f'<p class="lh-quiet">{render.both(_("Leave a field empty to keep the derived value."))}</p>'
                )
                with gr.Row(elem_classes="lh-overrides"):
                    overrides = {one.key: override(one, words) for one in spec_fields.FIELDS}
                settings_html = shared.html(elem_id="lh-settings")
        with gr.Column(elem_classes="lh-section"):
            shared.html(render.heading(5, "step_train"))
            plan_html = shared.html(elem_id="lh-plan", js_on_load=REPORT)
            name = gr.Textbox(
                label=words(_("Adapter name")),
                info=words(_("Empty: made from task and data")),
                max_lines=1,
                max_length=96,
                elem_id="lh-name",
            )
            tasks_html = shared.html(elem_id="lh-tasks", js_on_load=render_tasks.REMOVE)
            reason_html = shared.html(elem_id="lh-reason")
            with gr.Row(elem_id="lh-start"):
                train = gr.Button(
                    words(_("Train")), variant="primary", interactive=False, scale=4, min_width=200, elem_id="lh-train"
                )
                add = gr.Button(words(_("Add task")), interactive=False, scale=1, min_width=130, elem_id="lh-add-task")

    form = Form(
        task,
        room.proposed,
        own,
        room.dataset,
        room.encoding,
        room.delimiter,
        room.sheet,
        room.skip_broken,
        room.test,
        room.corrections,
        room.mends,
        room.roles,
        base,
        effort,
        name,
        overrides,
    )
    fields = form.components()
    inputs = [page.language, room.opened, listed, *fields]
    outputs = [
        task_html,
        own_box,
        room.sample,
        *room.shown(),
        problems_html,
        prompts_html,
        shown_roles,
        exact,
        base_html,
        lengths_html,
        plan_html,
    ]
    outputs += [settings_html, reason_html, train, add, seen]
    places = [fields.index(slot) for slot in room.roles]

    def show_data(asked: Asked, view: View, slots: list[Any], language: str, is_new: bool = False) -> dict[Any, Any]:
        reading = (asked.encoding, asked.delimiter, asked.sheet, asked.skip_broken)
        return {
            task_html: view.task,
            own_box: gr.Column(visible=asked.task == OWN),
            room.sample: gr.Button(interactive=data_room.has_sample(asked.task)),
            **dict(zip(room.shown(), data_room.updates(view, *reading, slots, language, is_new), strict=True)),
            problems_html: view.problems,
            prompts_html: view.prompts,
            shown_roles: json.dumps([role for role, *_ in view.roles]),
        }

    def under_way(spec: TrainSpec | None, language: str) -> str:
        from lora_hub import runs

        return render_runs.under_way(spec, runs.list_runs(page.runs), language) if spec is not None else ""

    def show_rest(asked: Asked, view: View, entries: list[Entry], language: str) -> dict[Any, Any]:
        stand = task_list.stand(entries, asked, view, language)
        return {
            problems_html: view.problems,
            exact: gr.Button(visible=view.ready),
            base_html: view.base,
            lengths_html: view.lengths,
            plan_html: view.plan,
            settings_html: view.settings,
            reason_html: under_way(view.spec, language)
            + render.note(stand.reason, "good" if stand.is_ready else "plain"),
            train: gr.Button(task_list.train_words(stand.count, entries, language), interactive=stand.can_train),
            add: gr.Button(interactive=stand.can_add),
        }

    def looked_at(view: View, values: Sequence[Any]) -> dict[Any, Any]:
        """The form's values as the browser has them once a look's answer is in their fields."""
        after = dict(zip(fields, values, strict=True))
        after |= {slot: column for slot, (_, column, _) in zip(room.roles, view.roles, strict=False)}
        return {seen: json.dumps(["" if value is None else value for value in after.values()])}

    @shared.told
    def look(language: str, opened: str, kept_list: Any, *values: Any) -> Any:
        entries = read_entries(kept_list)
        asked = task_list.on_base_of(entries, form.read(values))
        view = review(asked, language, page.looker, opened or "")
        shown = show_data(asked, view, [values[place] for place in places], language) | show_rest(
            asked, view, entries, language
        )
        return shown | looked_at(view, values)

    def with_look(take: Callable[..., dict[Any, Any]], more: list[Any], changed: list[Any]) -> dict[str, Any]:
        """An event that brings a new file and shows it, in one trip: the file as soon as it is read, then what it
        means."""

        @shared.told_stream
        def take_and_look(language: str, opened: str, kept_list: Any, *values: Any) -> Iterator[Any]:
            new = take(language, *values[len(fields) :])
            if room.dataset not in new:
                yield new or gr.skip()
                return
            now = [new.get(component, value) for component, value in zip(fields, values, strict=False)]
            entries = read_entries(kept_list)
            asked = task_list.on_base_of(entries, form.read(now))
            yield (
                new
                | show_data(
                    asked, glance(asked, language, page.looker), [now[place] for place in places], language, is_new=True
                )
                | {kept: asked.to_json()}
            )
            view = review(asked, language, page.looker)
            # All of it again: an older look's answer may have come between the two, and `seen` stands for the whole
            # page.
            slots = [column for _, column, _ in view.roles]
            yield (
                show_data(asked, view, slots, language)
                | show_rest(asked, view, entries, language)
                | looked_at(view, now)
            )

        both = list(dict.fromkeys([*outputs, kept, *room.renewed(), *changed]))
        return {**looking, "fn": take_and_look, "inputs": [*inputs, *more], "outputs": both}

    @shared.told
    def mend(
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
    ) -> Any:
        """The mends after a click, and the task that the columns tell with them where it was only proposed."""
        asked = Asked(
            dataset=dataset,
            encoding=encoding or "",
            delimiter=delimiter or "",
            sheet=sheet or "",
            skip_broken=bool(skip_broken),
        )
        asked = replace(asked, mends=changed_mends(mends, event._data))
        found = (
            proposed_task(
                page, dataset_path(dataset), task_id, proposed, language, asked.mends_to_do(), **asked.reading()
            )
            if dataset and proposed
            else []
        )
        return [
            json.dumps(asked.mends),
            *(found if found and found[0] not in (None, task_id) else [gr.skip(), gr.skip()]),
        ]

    @shared.told
    def use_task(language: str, event: gr.EventData) -> Any:
        chosen = str((event._data or {}).get("id", ""))
        return [chosen, ""] if chosen in catalogue.ORDER else gr.skip()

    @shared.told
    def open_rows(language: str, event: gr.EventData) -> str:
        return str((event._data or {}).get("code", ""))[:80]

    @shared.told
    def show_exact(language: str, opened: str, kept_list: Any, *values: Any) -> str:
        return exact_prompts(task_list.on_base_of(read_entries(kept_list), form.read(values)), language, page.looker)

    def list_updates(entries: list[Entry], language: str) -> list[Any]:
        """Updates for `list_parts`: the list in the browser, the list on the page, and the base that it fixes."""
        there = bool(entries)
        fixed = gr.Dropdown(
            interactive=not there,
            info=t(
                _("Fixed while tasks are on the list of step 5: they share one base")
                if there
                else _("From the list, or type any Hub id or a folder"),
                language,
            ),
            **({"value": entries[0].asked.base} if there else {}),
        )
        return [[entry.to_json() for entry in entries], render_tasks.task_list(entries, language), fixed]

    @shared.told
    def add_task(language: str, opened: str, kept_list: Any, *values: Any) -> Any:
        entries = read_entries(kept_list)
        asked = task_list.on_base_of(entries, form.read(values))
        view = review(asked, language, page.looker)
        if view.spec is None:
            raise LoraHubError(view.reason, "")
        entries = task_list.add_entry(entries, asked, view.spec)
        gr.Info(
            render.escape(
                t(
                    _("{task} is on the list. The form is free for the next task."),
                    language,
                    task=view.spec.task.title.in_language(language),
                )
            ),
            duration=5,
            title=t(_("Note"), language),
        )
        # The next task starts with nothing but what is the same for all.
        cleared = form.write(Asked(base=asked.base, effort=asked.effort, overrides=asked.overrides))
        others = {room.opened: "", room.file: None, room.test_file: None}
        return (
            dict(zip(fields, cleared, strict=True))
            | others
            | dict(zip(list_parts, list_updates(entries, language), strict=True))
        )

    @shared.told
    def remove_task(language: str, kept_list: Any, event: gr.EventData) -> Any:
        gone = str((event._data or {}).get("id", ""))
        return list_updates([entry for entry in read_entries(kept_list) if entry.id != gone], language)

    @shared.told
    def edit_task(language: str, opened: str, kept_list: Any, *values: Any) -> Any:
        """An entry goes back into the form. What is in the form by then takes its place on the list, or has to be
        finished first."""
        entries = read_entries(kept_list)
        chosen = next((entry for entry in entries if entry.id == values[-1].partition(" ")[0]), None)
        if chosen is None:
            return gr.skip()
        asked = task_list.on_base_of(entries, form.read(values[:-1]))
        left = [entry for entry in entries if entry is not chosen]
        if task_list.is_begun(asked) and not task_list.is_listed(entries, asked):
            view = review(asked, language, page.looker)
            if view.spec is None:
                raise LoraHubError(
                    t(_("The form holds another task, which is not ready: {reason}"), language, reason=view.reason),
                    t(_("Finish it first, or remove its file (step 2)."), language),
                )
            left = task_list.add_entry(left, asked, view.spec)
        others = {room.opened: "", room.file: None, room.test_file: None}
        return (
            dict(zip(fields, form.write(chosen.asked), strict=True))
            | others
            | dict(zip(list_parts, list_updates(left, language), strict=True))
        )

    @shared.told
    def start(language: str, opened: str, kept_list: Any, *values: Any) -> Any:
        from lora_hub import runs

        entries = read_entries(kept_list)
        asked = task_list.on_base_of(entries, form.read(values))
        specs, planned = task_list.plan_entries(entries, language, page.looker)
        if any(now.message and not before.message for now, before in zip(planned, entries, strict=True)):
            gr.Warning(
                render.escape(
                    t(
                        _(
                            "A task on the list cannot be trained any more; the reason is beside it. Press Train "
                            "again to go on without it."
                        ),
                        language,
                    )
                ),
                duration=12,
                title=t(_("Note"), language),
            )
            return [gr.skip(), gr.skip(), gr.skip(), *list_updates(planned, language)]
        if not task_list.is_listed(entries, asked):
            view = review(asked, language, page.looker)
            if view.spec is not None:
                specs.append(view.spec)
            elif not entries:
                raise LoraHubError(view.reason, "")
        if not specs:
            raise LoraHubError(
                t(_("None of these tasks can be trained any more."), language),
                t(_("The reason is beside each; remove it and add it anew."), language),
            )
        started = runs.start_runs(specs)
        said = (
            t(_("The run has started."), language)
            if len(started) == 1
            else t(_("{count} runs have started."), language, count=number(len(started), language))
        )
        gr.Info(render.escape(said), duration=4, title=t(_("Note"), language))
        trouble = runs.publishing_trouble(specs[0])
        if trouble is not None:  # told now, not when the training is over
            why = " ".join(trouble.in_language(language))
            gr.Warning(
                render.escape(
                    f"{t(_('The adapter can be trained, but as things are not be published.'), language)} {why}"
                ),
                duration=20,
                title=t(_("Note"), language),
            )
        left = [entry for entry in planned if entry.message]
        # The name was this run's: the next task is not published over it unasked.
        return [
            started[0].id,
            gr.Tabs(selected="runs"),
            "",
            *(list_updates(left, language) if entries else [gr.skip()] * len(list_parts)),
        ]

    @shared.told
    def restore(language: str, data: Any, kept_list: Any) -> Any:
        # Only what differs from an untouched form is written.
        pairs = zip(form.write(form.kept_form(data)), form.write(Asked()), strict=True)
        fitting = dict(zip(fields, [gr.skip() if one == untouched else one for one, untouched in pairs], strict=True))
        entries = read_entries(kept_list)
        return fitting | (dict(zip(list_parts, list_updates(entries, language), strict=True)) if entries else {})

    list_parts = [listed, tasks_html, base]
    looking = {
        "fn": look,
        "inputs": inputs,
        "outputs": outputs,
        "concurrency_id": "look",
        "concurrency_limit": 4,
        "api_visibility": "private",
    }
    looking |= {"show_progress": "minimal", "show_progress_on": [room.data], "trigger_mode": "always_last"}
    quiet = {**looking, "show_progress": "hidden", "show_progress_on": None}
    arrived, looked = data_room.wire(page, room, task, with_look)

    # What is clicked is kept at once, not only when it has been looked at: the page may be left or reloaded before. And
    # always as the
    # browser has it: a look's answer may be older than the last click.
    keeping = {
        "fn": None,
        "inputs": fields,
        "outputs": kept,
        "js": form.keeping(),
        "api_visibility": "private",
        "trigger_mode": "multiple",
    }

    def look_again(event: Any) -> None:
        event.then(None, [seen, *fields], outdated, js=OUTDATED, api_visibility="private")
        event.then(**keeping)

    for event in (*looked, *(event.then(**looking) for event in arrived)):
        look_again(event)
    look_again(outdated.change(**quiet))
    # Never by a change: that fires while a kept form comes back, too, when a part of its fields is still empty.
    reading = [room.encoding.input, room.delimiter.input, room.sheet.input, room.skip_broken.input]
    clicked = [task.input, own["output"].input, *reading]
    chosen = [
        *clicked,
        base.input,
        effort.input,
        *[one.input for one in overrides.values() if not isinstance(one, gr.Textbox)],
    ]
    gr.on(chosen, **keeping)
    # Who clicks a task has chosen it, whatever was proposed.
    task.input(None, None, room.proposed, js="() => ''", api_visibility="private")
    for place, role in enumerate(room.roles):
        corrected = role.input(
            None,
            [room.corrections, shown_roles, role],
            room.corrections,
            js=correcting(place),
            api_visibility="private",
        )
        look_again(corrected.then(**keeping).then(**looking))
    look_again(gr.on([*clicked, *[own[key].blur for key in OWN_FIELDS if key != "output"]], **looking))
    mended = [
        page.language,
        room.mends,
        room.dataset,
        task,
        room.proposed,
        room.encoding,
        room.delimiter,
        room.sheet,
        room.skip_broken,
    ]
    look_again(
        problems_html.mend(mend, mended, [room.mends, task, room.proposed], **LIGHT)
        .then(None, None, None, js=DONE, api_visibility="private")
        .then(**keeping)
        .then(**quiet)
    )
    look_again(
        problems_html.task(use_task, [page.language], [task, room.proposed], **LIGHT)
        .then(None, None, None, js=DONE, api_visibility="private")
        .then(**keeping)
        .then(**looking)
    )
    look_again(
        problems_html.rows(open_rows, [page.language], room.opened, **LIGHT)
        .then(None, None, None, js=DONE, api_visibility="private")
        .then(**quiet)
    )
    changes = [base.input, effort.input, name.blur]
    changes += [
        trigger
        for one in overrides.values()
        for trigger in ((one.blur, one.submit) if isinstance(one, gr.Textbox) else (one.input,))
    ]
    look_again(gr.on(changes, **quiet))
    exact.click(
        show_exact,
        inputs,
        prompts_html,
        concurrency_id="exact",
        concurrency_limit=1,
        show_progress="minimal",
        api_visibility="private",
    )
    alone = {
        "concurrency_id": "start",
        "concurrency_limit": 1,
        "show_progress": "hidden",
        "api_visibility": "private",
        "trigger_mode": "once",
    }
    look_again(train.click(start, inputs, [page.run_id, page.tabs, name, *list_parts], **alone).then(**quiet))
    add.click(None, None, None, js=HOLD, api_visibility="private")
    rewritten = [*dict.fromkeys([*fields, room.opened, room.file, room.test_file, *list_parts])]
    added = add.click(add_task, inputs, rewritten, **alone)
    changed = edited.change(edit_task, [*inputs, edited], rewritten, **alone)
    removed = tasks_html.unlist(remove_task, [page.language, listed], list_parts, **LIGHT)
    for event, after in ((added, RELEASE), (removed, RELEASE), (changed, SHOW_FORM)):
        look_again(event.then(None, None, None, js=after, api_visibility="private").then(**quiet))
    restored = blocks.load(
        restore,
        [page.language, kept, listed],
        [*dict.fromkeys([*fields, *list_parts])],
        js="(language, ...kept) => [window.loraHub.language, ...kept]",
        **LIGHT,
    )
    look_again(restored.then(None, None, None, js=WIRED, api_visibility="private").then(**quiet))
