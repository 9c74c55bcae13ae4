"""The Fine-tune tab: five numbered steps from a task to a started run.

The form's fields are read by name into an `Asked` (review.py), looked at, and rendered; the same form is kept in the
browser, so that a reload, another language or a restarted app brings it back.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from lora_hub import bases, recipe, store
from lora_hub.errors import LoraHubError
from lora_hub.tasks import catalogue
from lora_hub.ui import page as shared
from lora_hub.ui import render
from lora_hub.ui.page import LIGHT, Labels, Page
from lora_hub.ui.review import MAX_INPUTS, OWN, Asked, View, dataset_id, exact_prompts, read_task, review
from lora_hub.ui.text import t

OWN_FIELDS = ("title", "inputs", "answer", "output", "instruction")
OWN_DEFAULTS = {"inputs": "text", "output": "labels"}
ROLE_SLOTS = MAX_INPUTS + 1
ENCODINGS = ("utf-8", "utf-16", "windows-1252", "windows-1256", "iso-8859-1", "windows-1251", "gb18030", "shift_jis")


@dataclass
class Form:
    """The fields that a person fills, by name."""

    task: gr.Radio
    own: dict[str, Any]
    dataset: gr.Textbox
    encoding: gr.Dropdown
    delimiter: gr.Dropdown
    skip_broken: gr.Checkbox
    test: gr.Textbox
    roles: list[gr.Dropdown]
    base: gr.Dropdown
    effort: gr.Radio
    name: gr.Textbox
    overrides: dict[str, Any] = field(default_factory=dict)

    def components(self) -> list[Any]:
        plain = [self.task, self.dataset, self.encoding, self.delimiter, self.skip_broken, self.test, self.base, self.effort, self.name]
        return [*plain, *self.own.values(), *self.roles, *self.overrides.values()]

    def read(self, values: tuple) -> Asked:
        """The form from the values of `components()`, in their order."""
        by_name = dict(zip([id(component) for component in self.components()], values, strict=True))

        def text(component: Any) -> str:
            value = by_name[id(component)]
            return value if isinstance(value, str) else ""

        asked = Asked(
            task=text(self.task), own={key: text(one) for key, one in self.own.items()}, dataset=text(self.dataset), encoding=text(self.encoding),
            delimiter=text(self.delimiter), skip_broken=bool(by_name[id(self.skip_broken)]), test=text(self.test), base=text(self.base),
            effort=text(self.effort) or "balanced", name=text(self.name), overrides={key: text(one) for key, one in self.overrides.items()},
        )  # fmt: skip
        try:
            task = read_task(asked)
        except LoraHubError:
            return asked  # the review tells it beside the field
        roles = [*task.inputs, "answer"] if task else []
        columns = {role: text(slot) for role, slot in zip(roles, self.roles, strict=False)}
        return Asked(**{**asked.__dict__, "columns": columns})

    def write(self, asked: Asked) -> list[Any]:
        """Updates for `components()` that bring a kept form back; the roles follow with the review."""
        plain = [asked.task or None, asked.dataset, asked.encoding, asked.delimiter, asked.skip_broken, asked.test, asked.base, asked.effort, asked.name]
        own = [asked.own.get(key) or OWN_DEFAULTS.get(key, "") for key in self.own]
        overrides = [asked.overrides.get(key, "") for key in self.overrides]
        return [*plain, *own, *[gr.skip() for _ in self.roles], *overrides]


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
            shared.html(render.heading(2, "step_data"))
            file = gr.File(label=words("file"), height=132, elem_id="lh-file")
            with gr.Row(elem_classes="lh-tight"):
                sample = gr.Button(words("use_sample"), size="sm", elem_id="lh-sample", interactive=False)
            data_html = shared.html(elem_id="lh-data")
            with gr.Accordion(words("reading_options"), open=False):
                with gr.Row():
                    encoding = gr.Dropdown([(words("found_itself"), ""), *[(name, name) for name in ENCODINGS]], value="", label=words("encoding"), allow_custom_value=True)
                    separators = [(words("found_itself"), ""), (",", ","), (";", ";"), ("Tab", "\t"), ("|", "|")]
                    delimiter = gr.Dropdown(separators, value="", label=words("delimiter"))
                skip_broken = gr.Checkbox(label=words("skip_broken"))
                test_file = gr.File(label=words("test_file"), height=110, elem_id="lh-test-file")
                test_html = shared.html(f'<p class="lh-quiet">{render.both("test_file_info")}</p>')
        with gr.Column(elem_classes="lh-section"):
            shared.html(render.heading(3, "step_columns"))
            with gr.Row(elem_classes="lh-roles"):
                roles = [
                    gr.Dropdown([], visible=False, label="", allow_custom_value=True, elem_id=f"lh-role-{place}", min_width=200) for place in range(ROLE_SLOTS)
                ]
            problems_html = shared.html(elem_id="lh-problems")
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
            with gr.Accordion(words("advanced"), open=False, elem_id="lh-advanced"):
                shared.html(f'<p class="lh-quiet">{render.both("advanced_why")}</p>')
                with gr.Row(elem_classes="lh-overrides"):
                    overrides = {one.key: _override(one, words) for one in recipe.FIELDS}
                settings_html = shared.html(elem_id="lh-settings")
        with gr.Column(elem_classes="lh-section"):
            shared.html(render.heading(5, "step_train"))
            plan_html = shared.html(elem_id="lh-plan")
            name = gr.Textbox(label=words("adapter_name"), info=words("adapter_name_info"), max_lines=1, max_length=96, elem_id="lh-name")
            reason_html = shared.html(elem_id="lh-reason")
            train = gr.Button(words("train"), variant="primary", interactive=False, elem_id="lh-train")
        dataset = gr.Textbox(visible="hidden", elem_id="lh-dataset")
        test = gr.Textbox(visible="hidden")

    form = Form(task, own, dataset, encoding, delimiter, skip_broken, test, roles, base, effort, name, overrides)
    inputs = [page.language, *form.components()]
    outputs = [task_html, own_box, sample, data_html, *roles, problems_html, prompts_html, exact, base_html, plan_html, settings_html, reason_html, train, kept]

    def show(asked: Asked, view: View, language: str) -> list[Any]:
        return [
            view.task, gr.Column(visible=asked.task == OWN), gr.Button(interactive=_has_sample(asked.task)), view.data,
            *_role_updates(view, language), view.problems, view.prompts, gr.Button(visible=view.ready), view.base, view.plan, view.settings,
            render.note(view.reason or t("ready", language), "plain" if view.reason else "good"), gr.Button(interactive=view.ready),
            asked.to_json(),
        ]  # fmt: skip

    @shared.told
    def look_anew(language: str, *values: Any) -> Any:
        asked = form.read(values)
        return show(asked, review(asked, language, keep_columns=False), language)

    @shared.told
    def look_again(language: str, *values: Any) -> Any:
        asked = form.read(values)
        return show(asked, review(asked, language, keep_columns=True), language)

    @shared.told
    def take_file(language: str, path: str | None, task_id: str | None) -> Any:
        if not path:
            return "", gr.skip()
        kept_file = store.add_dataset(Path(path), Path(path).name)
        return dataset_id(kept_file), gr.skip() if task_id else _propose_task(kept_file, language)

    @shared.told
    def take_sample(language: str, task_id: str) -> Any:
        file = catalogue.sample_file(catalogue.get_task(task_id))
        return (dataset_id(store.add_dataset(file, file.name)), None) if file else gr.skip()

    @shared.told
    def take_test(language: str, path: str | None) -> Any:
        return dataset_id(store.add_dataset(Path(path), Path(path).name)) if path else ""

    @shared.told
    def show_exact(language: str, *values: Any) -> str:
        return exact_prompts(form.read(values), language)

    @shared.told
    def start(language: str, *values: Any) -> Any:
        from lora_hub import runs

        asked = form.read(values)
        view = review(asked, language, keep_columns=True)
        if not view.ready:
            raise LoraHubError(view.reason, "")
        run = runs.start_run(view.spec)
        gr.Info(render.escape(t("started", language)), duration=4, title="")
        return run.id, gr.Tabs(selected="runs")

    @shared.told
    def restore(language: str, data: Any) -> Any:
        # Only what was really chosen comes back: a click made while the page was still opening is not undone.
        pairs = zip(form.write(Asked.from_json(data)), form.write(Asked()), strict=True)
        return [gr.skip() if one == untouched else one for one, untouched in pairs]

    @shared.told
    def look_restored(language: str, data: Any, *values: Any) -> Any:
        saved = Asked.from_json(data)
        # The columns' fields have no choices yet, so the chosen columns come from what was kept.
        asked = Asked(**{**form.read(values).__dict__, "columns": saved.columns})
        return show(asked, review(asked, language, keep_columns=any(saved.columns.values())), language)

    looking = {"inputs": inputs, "outputs": outputs, "concurrency_id": "look", "concurrency_limit": 4, "api_visibility": "private"}
    looking |= {"show_progress": "minimal", "show_progress_on": [data_html], "trigger_mode": "always_last"}
    quiet = {**looking, "show_progress": "hidden", "show_progress_on": None}
    files = {"concurrency_id": "files", "concurrency_limit": 4, "api_visibility": "private", "show_progress": "hidden"}
    uploaded = file.upload(take_file, [page.language, file, task], [dataset, task], **files)
    cleared = file.clear(lambda: "", None, dataset, api_visibility="private")
    sampled = sample.click(take_sample, [page.language, task], [dataset, file], **files)
    tested = gr.on([test_file.upload, test_file.clear], take_test, [page.language, test_file], test, **files)
    for done in (uploaded, cleared, sampled, tested):
        done.then(look_anew, **looking)
    gr.on([task.input, own["output"].input, encoding.change, delimiter.input, skip_broken.input, *[own[key].blur for key in OWN_FIELDS if key != "output"]], look_anew, **looking)
    gr.on([*[role.input for role in roles]], look_again, **looking)
    changes = [base.change, effort.input, name.blur]
    changes += [trigger for one in overrides.values() for trigger in ((one.blur, one.submit) if isinstance(one, gr.Textbox) else (one.input,))]
    gr.on(changes, look_again, **quiet)
    exact.click(show_exact, inputs, prompts_html, concurrency_id="exact", concurrency_limit=1, show_progress="minimal", api_visibility="private")
    train.click(start, inputs, [page.run_id, page.tabs], concurrency_id="start", concurrency_limit=1, show_progress="hidden", api_visibility="private")
    again = {**quiet, "inputs": [page.language, kept, *form.components()]}
    restored = blocks.load(restore, [page.language, kept], form.components(), js="(language, kept) => [window.loraHub.language, kept]", **LIGHT)
    restored.then(look_restored, **again)


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


def _has_sample(task_id: str) -> bool:
    return bool(task_id) and task_id != OWN and catalogue.sample_file(catalogue.get_task(task_id)) is not None


def _propose_task(file: Path, language: str) -> Any:
    """The task that a file's columns tell, chosen for a person who has not yet; with the reason."""
    from lora_hub.data import columns, read

    task_id, reason = columns.propose_task(read.read_table(file))
    if not task_id:
        return gr.skip()
    title = catalogue.get_task(task_id).title.in_language(language)
    gr.Info(render.escape(t("looks_like", language, task=title, reason=reason)), duration=8, title="")
    return task_id


def _role_updates(view: View, language: str) -> list[Any]:
    """One dropdown a role; the others stay hidden."""
    updates = []
    for role, column, reason in view.roles:
        shown = t("role_answer", language) if role == "answer" else role
        choices = [(t("role_none", language), ""), *[(name, name) for name in view.columns]]
        label = t("role_column", language, role=shown)
        updates.append(gr.Dropdown(choices=choices, value=column, visible=bool(view.columns), label=label, info=reason or None))
    return updates + [gr.Dropdown(visible=False)] * (ROLE_SLOTS - len(updates))
