"""The Fine-tune tab: five numbered steps from a task to a started run.

The form's fields are read by name into an `Asked`, looked at (review.py) and rendered; the same form is kept in the browser,
so that a reload, another language or a restarted app brings it back. Step 2 is data_room.py.
"""

import json
from pathlib import Path
from typing import Any

import gradio as gr

from lora_hub import bases, recipe
from lora_hub.errors import LoraHubError
from lora_hub.tasks import catalogue
from lora_hub.ui import data_room, render
from lora_hub.ui import page as shared
from lora_hub.ui.asked import OWN, Asked
from lora_hub.ui.form import Form, changed_mends, corrections
from lora_hub.ui.page import LIGHT, Labels, Page
from lora_hub.ui.review import View, exact_prompts, review
from lora_hub.ui.text import t

OWN_FIELDS = ("title", "inputs", "answer", "output", "instruction")
REPORT = (Path(__file__).parent / "problems.js").read_text(encoding="utf-8")


def build(page: Page, blocks: gr.Blocks) -> None:
    """Draws the tab inside the current context and wires it."""
    words = page.words
    kept = gr.BrowserState(None, storage_key="lora_hub_form", secret="lora-hub-form")
    with gr.Column(elem_classes="lh-page"):
        with gr.Column(elem_classes="lh-section"):
            shared.html(render.heading(1, "step_task"))
            choices = [(words(f"task.{task.id}"), task.id) for task in catalogue.list_tasks()]
            task = gr.Radio([*choices, (words("own_task"), OWN)], show_label=False, label=words("task"), container=False, elem_id="lh-task", elem_classes="lh-cards-radio")
            with gr.Column(visible=False, elem_id="lh-own") as own_box:
                own = _own_task(words)
            task_html = shared.html(elem_id="lh-task-card")
        with gr.Column(elem_classes="lh-section"):
            room = data_room.build(page)
        with gr.Column(elem_classes="lh-section"):
            shared.html(render.heading(3, "step_columns"))
            problems_html = shared.html(elem_id="lh-problems", js_on_load=REPORT)
            prompts_html = shared.html(elem_id="lh-prompts")
            with gr.Row(elem_classes="lh-tight"):
                exact = gr.Button(words("exact"), size="sm", visible=False, elem_id="lh-exact")
        with gr.Column(elem_classes="lh-section"):
            shared.html(render.heading(4, "step_base"))
            with gr.Row():
                with gr.Column(min_width=300):
                    base = gr.Dropdown(
                        _base_choices(), value=bases.BUILT_IN, label=words("base"), info=words("base_info"), allow_custom_value=True, elem_id="lh-base"
                    )
                    base_html = shared.html(elem_id="lh-base-card")
                with gr.Column(min_width=300):
                    effort = gr.Radio([(words(f"effort_{name}"), name) for name in recipe.EFFORTS], value="balanced", label=words("effort"), elem_id="lh-effort")
                    shared.html("".join(f'<p class="lh-quiet lh-effort-{name}"><b>{render.both(f"effort_{name}")}</b> {render.both(f"effort_{name}_why")}</p>' for name in recipe.EFFORTS))
            lengths_html = shared.html(elem_id="lh-lengths")
            with gr.Accordion(words("advanced"), open=False, elem_id="lh-advanced"):
                shared.html(f'<p class="lh-quiet">{render.both("advanced_why")}</p>')
                with gr.Row(elem_classes="lh-overrides"):
                    overrides = {one.key: _override(one, words) for one in recipe.FIELDS}
                settings_html = shared.html(elem_id="lh-settings")
        with gr.Column(elem_classes="lh-section"):
            shared.html(render.heading(5, "step_train"))
            plan_html = shared.html(elem_id="lh-plan", js_on_load=REPORT)
            name = gr.Textbox(label=words("adapter_name"), info=words("adapter_name_info"), max_lines=1, max_length=96, elem_id="lh-name")
            reason_html = shared.html(elem_id="lh-reason")
            train = gr.Button(words("train"), variant="primary", interactive=False, elem_id="lh-train")

    form = Form(
        task, own, room.dataset, room.encoding, room.delimiter, room.sheet, room.skip_broken, room.test, room.corrections, room.mends, room.roles, base,
        effort, name, overrides,
    )  # fmt: skip
    fields = form.components()
    inputs = [page.language, room.opened, *fields]
    outputs = [task_html, own_box, room.sample, *room.shown(), problems_html, prompts_html, exact, base_html, lengths_html, plan_html, settings_html]
    outputs += [reason_html, train, room.corrections, kept]
    places = [fields.index(slot) for slot in room.roles]

    def show(asked: Asked, view: View, slots: list[Any], language: str) -> list[Any]:
        reading = (asked.encoding, asked.delimiter, asked.sheet, asked.skip_broken)
        return [
            view.task, gr.Column(visible=asked.task == OWN), gr.Button(interactive=data_room.has_sample(asked.task)),
            *data_room.updates(view, *reading, slots, language), view.problems, view.prompts, gr.Button(visible=view.ready), view.base, view.lengths,
            view.plan, view.settings, render.note(view.reason or t("ready", language), "plain" if view.reason else "good"),
            gr.Button(interactive=view.ready), corrections(asked.columns, [(role, column) for role, column, _ in view.roles]), asked.to_json(),
        ]  # fmt: skip

    @shared.told
    def look(language: str, opened: str, *values: Any) -> Any:
        asked = form.read(values)
        slots = [values[place] for place in places]
        return show(asked, review(asked, language, page.looker, opened or ""), slots, language)

    @shared.told
    def mend(language: str, mends: str, event: gr.EventData) -> str:
        return json.dumps(changed_mends(mends, event._data))

    @shared.told
    def open_rows(language: str, event: gr.EventData) -> str:
        return str((event._data or {}).get("code", ""))[:80]

    @shared.told
    def show_exact(language: str, opened: str, *values: Any) -> str:
        return exact_prompts(form.read(values), language, page.looker)

    @shared.told
    def start(language: str, opened: str, *values: Any) -> Any:
        from lora_hub import runs

        view = review(form.read(values), language, page.looker)
        if not view.ready:
            raise LoraHubError(view.reason, "")
        run = runs.start_run(view.spec)
        gr.Info(render.escape(t("started", language)), duration=4, title=t("note", language))
        return run.id, gr.Tabs(selected="runs")

    @shared.told
    def restore(language: str, data: Any) -> Any:
        # Only what was really chosen comes back: a click made while the page was still opening is not undone.
        pairs = zip(form.write(Asked.from_json(data)), form.write(Asked()), strict=True)
        return [gr.skip() if one == untouched else one for one, untouched in pairs]

    looking = {"fn": look, "inputs": inputs, "outputs": outputs, "concurrency_id": "look", "concurrency_limit": 4, "api_visibility": "private"}
    looking |= {"show_progress": "minimal", "show_progress_on": [room.data], "trigger_mode": "always_last"}
    quiet = {**looking, "show_progress": "hidden", "show_progress_on": None}
    for arrived in data_room.wire(page, room, task):
        arrived.then(**looking)
    # Never by a change: that fires while a kept form comes back, too, when a part of its fields is still empty.
    reading = [room.encoding.input, room.delimiter.input, room.sheet.input, room.skip_broken.input]
    gr.on([task.input, own["output"].input, *reading, *[own[key].blur for key in OWN_FIELDS if key != "output"], *[role.input for role in room.roles]], **looking)
    problems_html.mend(mend, [page.language, room.mends], room.mends, **LIGHT).then(**quiet)
    problems_html.rows(open_rows, [page.language], room.opened, **LIGHT).then(**quiet)
    changes = [base.input, effort.input, name.blur]
    changes += [trigger for one in overrides.values() for trigger in ((one.blur, one.submit) if isinstance(one, gr.Textbox) else (one.input,))]
    gr.on(changes, **quiet)
    exact.click(show_exact, inputs, prompts_html, concurrency_id="exact", concurrency_limit=1, show_progress="minimal", api_visibility="private")
    train.click(start, inputs, [page.run_id, page.tabs], concurrency_id="start", concurrency_limit=1, show_progress="hidden", api_visibility="private")
    restored = blocks.load(restore, [page.language, kept], fields, js="(language, kept) => [window.loraHub.language, kept]", **LIGHT)
    restored.then(**quiet)


def _own_task(words: Labels) -> dict[str, Any]:
    with gr.Row():
        title = gr.Textbox(label=words("own_title"), placeholder=words("own_title_hint"), max_lines=1, elem_id="lh-own-title")
        inputs = gr.Textbox(value="text", label=words("own_inputs"), info=words("own_inputs_info"), max_lines=1, elem_id="lh-own-inputs")
    instruction = gr.Textbox(label=words("own_instruction"), placeholder=words("own_instruction_hint"), lines=2, elem_id="lh-own-instruction")
    with gr.Row():
        answer = gr.Textbox(label=words("own_answer"), placeholder="Label", max_lines=1)
        output = gr.Radio([(words("own_labels"), "labels"), (words("own_text"), "text")], value="labels", label=words("own_output"))
    return {"title": title, "inputs": inputs, "answer": answer, "output": output, "instruction": instruction}


def _override(one: recipe.Field, words: Labels) -> Any:
    """A field of Advanced. Empty means: as derived."""
    label = words(f"setting.{one.key}")
    info = words(f"setting.{one.key}.help")
    options = one.choices or (("true", "false") if one.kind == "bool" else ())
    if options:
        return gr.Dropdown([(words("derived"), ""), *[(choice, choice) for choice in options]], value="", label=label, info=info, min_width=180)
    return gr.Textbox(label=label, info=info, max_lines=1, min_width=180, elem_id="lh-set-" + one.key.replace(".", "-"))


def _base_choices() -> list[tuple[str, str]]:
    return [(f"{base.title} ({base.id})" if base.title and base.title != base.id else base.id, base.id) for base in bases.list_bases()]
