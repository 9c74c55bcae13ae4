"""The widgets of the Fine-tune tab, a class per step, and the form over them. Each widget is created where it is drawn
and used by name from then on. Step 2 is in data_room.py."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.catalogue import bases, hardware
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import settings, spec_fields
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import EFFORTS, BaseModel
from lora_hub.people import LOCAL
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame.page import Labels
from lora_hub.ui.render.page_words import OWN_TITLES
from lora_hub.ui.render.render_data import EFFORT_TITLES
from lora_hub.ui.tabs.finetune import render_tasks
from lora_hub.ui.tabs.finetune.asked import OWN, setting_field
from lora_hub.ui.tabs.finetune.data_room import Room
from lora_hub.ui.tabs.finetune.form import Form

# Sends clicks in the data report.
REPORT = (Path(__file__).parents[2] / "assets" / "problems.js").read_text(encoding="utf-8")
EFFORT_REASONS = {
    "quick": _("A first look: few passes over the data."),
    "balanced": _("The default: good results in a sensible time."),
    "thorough": _("More passes and a larger adapter, as long as validation loss falls."),
}
WATCH_SECONDS = 4
PARENT_HINT = _("To train an adapter that you have further on new data, choose its run, or type owner/name@version")
# The settings that are worth a try before the others.
FIRST = ("sweep", "replay", "lr", "epochs", "lora.r", "batch", "max_length", "even_labels")
# Between two looks whether this machine has been measured, which takes a few seconds, once.
MEASURING_SECONDS = 2
FROM_THE_LIST = _("From the list, or type any Hub id or a folder")
FROM_THE_LIST_HERE = _("From the list; another one of the Hub if an admin allows it")


def where_bases_come_from() -> Message:
    """What may stand in the field of the base."""
    return FROM_THE_LIST_HERE if settings.signs_in() else FROM_THE_LIST


class Steps:
    """The five steps, one below the other, and what the browser stores: the form, the task list, the entry being
    edited. fields: the form's, in order. seen: what was inspected last."""

    def __init__(self, words: Labels) -> None:
        self.kept = gr.BrowserState(None, storage_key="lora_hub_form", secret="lora-hub-form")
        self.listed = gr.BrowserState(None, storage_key="lora_hub_tasks", secret="lora-hub-form")
        self.outdated, self.seen, self.shown_roles = (gr.Textbox("", visible="hidden") for _ in range(3))
        self.edited = gr.Textbox("", visible="hidden", elem_id="lh-edited")
        with gr.Column(elem_classes="lh-page"):
            with gr.Column(elem_classes="lh-section"):
                self.choice = TaskStep(words)
            with gr.Column(elem_classes="lh-section"):
                self.room = room = Room(words)
            with gr.Column(elem_classes="lh-section"):
                self.columns = ColumnsStep(words)
            with gr.Column(elem_classes="lh-section"):
                self.base = BaseStep(words)
            with gr.Column(elem_classes="lh-section"):
                self.training = TrainStep(words)
        plain = {"task": self.choice.task, "base": self.base.base, "effort": self.base.effort}
        plain |= {"hardware": self.training.hardware, "parent": self.base.parent}
        plain |= {"name": self.training.name, "dataset": room.dataset, "test": room.test, "proposed": room.proposed}
        plain |= {"encoding": room.encoding, "delimiter": room.delimiter, "sheet": room.sheet}
        plain |= {"skip_broken": room.skip_broken, "corrections": room.corrections, "mends": room.mends}
        plain |= {"parts": room.parts}
        self.form = Form(plain, own=self.choice.own, roles=room.roles, overrides=self.base.overrides)
        self.fields = self.form.components()


class TaskStep:
    """Step 1: a task of the catalogue, or a custom one. own: its fields, by the names that `catalogue.task_from_dict`
    knows."""

    def __init__(self, words: Labels) -> None:
        shared.html(
            words.heading(
                1, _("What should it learn?"), _("The task says what goes in, what comes out and how it is scored.")
            )
        )
        choices = [(words(task.title), task.id) for task in catalogue.list_tasks()]
        self.task = gr.Radio(
            [*choices, (words(_("Your own task")), OWN)],
            show_label=False,
            label=words(_("Task")),
            container=False,
            elem_id="lh-task",
            elem_classes="lh-cards-radio",
        )
        with gr.Column(visible=False, elem_id="lh-own") as self.own_box:
            self.own = _own_task(words)
        self.card = shared.html(elem_id="lh-task-card")


class ColumnsStep:
    """Step 3: what is wrong with the data, and the exact text that the model will see."""

    def __init__(self, words: Labels) -> None:
        shared.html(
            words.heading(
                3,
                _("What the model will see"),
                _("Mend what is wrong, and read the exact text. Only the marked part is trained."),
            )
        )
        self.problems = shared.html(elem_id="lh-problems", js_on_load=REPORT)
        self.prompts = shared.html(elem_id="lh-prompts")
        with gr.Row(elem_classes="lh-tight"):
            self.exact = gr.Button(
                words(_("Show it as this base reads it, with special tokens")),
                size="sm",
                visible=False,
                elem_id="lh-exact",
            )


class BaseStep:
    """Step 4: the base, how much is trained, and every setting with its reason. overrides: setting -> its field."""

    def __init__(self, words: Labels) -> None:
        shared.html(words.heading(4, _("Base and effort"), _("The base stays frozen; the adapter is what is trained.")))
        with gr.Row():
            with gr.Column(min_width=300):
                self.base = gr.Dropdown(
                    base_choices(words),
                    value=bases.BUILT_IN,
                    label=words(_("Base")),
                    info=words(where_bases_come_from()),
                    allow_custom_value=True,
                    elem_id="lh-base",
                )
                self.card = shared.html(elem_id="lh-base-card")
                self.get = gr.Button("", visible=False, size="sm", variant="primary", elem_id="lh-get-base")
            with gr.Column(min_width=300):
                self.effort = gr.Radio(
                    [(words(EFFORT_TITLES[name]), name) for name in EFFORTS],
                    value="balanced",
                    label=words(_("Effort")),
                    elem_id="lh-effort",
                )
                shared.html("".join(_effort(name, words) for name in EFFORTS))
                self.parent = gr.Dropdown(
                    parent_choices(words, []),
                    value="",
                    label=words(_("Start from")),
                    info=words(PARENT_HINT),
                    allow_custom_value=True,
                    elem_id="lh-parent",
                )
                self.parent_note = shared.html(elem_id="lh-parent-note")
        self.measuring = gr.Timer(MEASURING_SECONDS, active=False)
        self.marks = shared.html(elem_id="lh-bases", js_on_load=REPORT)
        self.lengths = shared.html(elem_id="lh-lengths")
        with gr.Accordion(words(_("Advanced: every setting and why")), open=False, elem_id="lh-advanced"):
            shared.html(f'<p class="lh-quiet">{words.both(_("Leave a field empty to keep the derived value."))}</p>')
            of = {one.key: one for one in spec_fields.FIELDS}
            with gr.Row(elem_classes="lh-overrides"):
                self.overrides = {key: _override(of[key], words) for key in FIRST}
            shared.html(f'<h4 class="lh-others">{words.both(_("The other settings"))}</h4>')
            with gr.Row(elem_classes="lh-overrides"):
                self.overrides |= {key: _override(one, words) for key, one in of.items() if key not in FIRST}
            self.settings = shared.html(elem_id="lh-settings", js_on_load=REPORT)


class TrainStep:
    """Step 5: the plan, the list of tasks that are trained in one go, and the buttons."""

    def __init__(self, words: Labels) -> None:
        shared.html(
            words.heading(
                5,
                _("Training"),
                _("Training runs in a process of its own: close the page, restart the app, it goes on."),
            )
        )
        self.plan = shared.html(elem_id="lh-plan", js_on_load=REPORT)
        self.name = gr.Textbox(
            label=words(_("Adapter name")),
            info=words(_("Empty: made from task and data")),
            max_lines=1,
            max_length=96,
            elem_id="lh-name",
        )
        self.hardware = gr.Dropdown(
            [(words(_("this machine")), ""), *_hardware_choices()],
            value="",
            label=words(_("Train on")),
            info=words(_("Or a job of the Hub on hired hardware; you see what it costs before you start it")),
            elem_id="lh-hardware",
        )
        self.name_note = shared.html(elem_id="lh-name-note")
        self.tasks = shared.html(elem_id="lh-tasks", js_on_load=render_tasks.REMOVE)
        # A running run of exactly this spec: its notice, its id, and the timer that checks whether it still runs.
        self.under_way = shared.html(elem_id="lh-under-way")
        self.twin = gr.Textbox("", visible="hidden")
        self.watching = gr.Timer(WATCH_SECONDS, active=False)
        self.twin_parts = [self.under_way, self.twin, self.watching]
        self.reason = shared.html(elem_id="lh-reason")
        with gr.Row(elem_id="lh-start"):
            self.train = gr.Button(
                words(_("Train")), variant="primary", interactive=False, scale=4, min_width=200, elem_id="lh-train"
            )
            self.add = gr.Button(words(_("Add task")), interactive=False, scale=1, min_width=130, elem_id="lh-add-task")


def _own_task(words: Labels) -> dict[str, Any]:
    with gr.Row():
        title = gr.Textbox(
            label=words(OWN_TITLES["title"]),
            placeholder=words(_("Tone of a letter")),
            max_lines=1,
            elem_id="lh-own-title",
        )
        inputs = gr.Textbox(
            value="text",
            label=words(OWN_TITLES["inputs"]),
            info=words(_("Names with commas between them")),
            max_lines=1,
            elem_id="lh-own-inputs",
        )
    instruction = gr.Textbox(
        label=words(OWN_TITLES["instruction"]),
        placeholder=words(_("Is this letter formal or casual?")),
        lines=2,
        elem_id="lh-own-instruction",
    )
    with gr.Row():
        answer = gr.Textbox(
            label=words(OWN_TITLES["answer"]), placeholder=words(_("Label")), max_lines=1, elem_id="lh-own-answer"
        )
        output = gr.Radio(
            [(words(_("one of a few labels")), "labels"), (words(_("free text")), "text")],
            value="labels",
            label=words(_("The answer is")),
        )
    return {"title": title, "inputs": inputs, "answer": answer, "output": output, "instruction": instruction}


def _effort(name: str, words: Labels) -> str:
    """An effort in one line, with its reason."""
    title, why = words.both(EFFORT_TITLES[name]), words.both(EFFORT_REASONS[name])
    return f'<p class="lh-quiet lh-effort-{name}"><b>{title}</b> {why}</p>'


def _override(one: spec_fields.Field, words: Labels) -> Any:
    """A field of Advanced. Empty means: use the derived value."""
    options = one.choices or (("true", "false") if one.kind == "bool" else ())
    choices = [(words(_("as derived")), ""), *[(choice, choice) for choice in options]] if options else []
    return shared.setting_field(words(one.title), words(one.help), choices, setting_field(one.key))


def _hardware_choices() -> list[tuple[str, str]]:
    """(title with price, flavor) of the hardware that a run can use, the cheapest first."""
    return [
        (f"{one.title} ({one.flavor}, ${one.dollars:.2f}/h)", one.flavor)
        for one in hardware.list_hardware()
        if one.gpus <= 1
    ]


def base_choices(words: Callable[[Message], Any]) -> list[tuple[Any, str]]:
    """(title with id, id) of each base: those here, those that a package brings to whoever sits at the machine, those
    of the Hub. words: tells a sentence to the reader."""
    listed = bases.list_bases()
    packages = [] if settings.signs_in() else use_cases.list_packages(LOCAL)
    here = [one for one in listed if bases.folder_of(one) is not None]
    return [
        *map(_choice, here),
        *[(words(_("{base}, without the Hub", base=one.title)), one.name) for one in packages],
        *[_choice(one) for one in listed if one not in here],
    ]


def _choice(base: BaseModel) -> tuple[str, str]:
    return (f"{base.title} ({base.id})" if base.title and base.title != base.id else base.id), base.id


def parent_choices(words: Callable[[Message], Any], found: Sequence[tuple[str, str]]) -> list[tuple[Any, str]]:
    """What a training can begin from: nothing, or one of these adapters, as (what it is called, name)."""
    return [(words(_("the base alone: a new adapter")), ""), *found]
