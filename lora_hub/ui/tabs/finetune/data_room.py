"""Step 2 of Fine-tune, drawn: four ways to add a dataset, how it was read, its columns' roles, and its first rows.
data_ways.py wires the four ways; data_reading.py decides what the widgets show."""

from typing import Any

import gradio as gr

from lora_hub.core import settings
from lora_hub.core.messages import _, several
from lora_hub.core.schema import MOST_WEIGHT
from lora_hub.data.read.formats import PACKED, TABLES
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame.page import Labels
from lora_hub.ui.render.text import size_of
from lora_hub.ui.tabs.finetune.asked import MAX_FILES, MAX_INPUTS
from lora_hub.ui.tabs.finetune.form import NO_MENDS, NO_PARTS, NOTHING_CORRECTED

ROLE_SLOTS = MAX_INPUTS + 1
READ = {"formats": several([one.title for one in TABLES]), "packed": several(PACKED, "or")}
WHAT_IS_READ = _(
    "{formats}, or one of these packed ({packed}). Any encoding. Several files become one dataset. "
    "Rows stay on this machine.",
    **READ,
)
WHAT_IS_SENT = _("{formats}, or one of these packed ({packed}). Any encoding. Nobody else can open your file.", **READ)
TOO_LARGE = _("This file is larger than {limit}. Use a part of it, or raise LORA_HUB_MAX_UPLOAD_MB.")


class Room:
    """The widgets of step 2, made where it is drawn."""

    def __init__(self, words: Labels) -> None:
        shared.html(words.heading(2, _("Your data"), WHAT_IS_SENT if settings.signs_in() else WHAT_IS_READ))
        self.file = gr.File(
            label=words(_("Dataset: a file, or several of one task")),
            file_count="multiple",
            height=132,
            elem_id="lh-file",
        )
        shared.html(_too_large(words))
        with gr.Row(elem_classes="lh-tight", elem_id="lh-ways"):
            self.paste = gr.Button(words(_("Paste a table")), size="sm", elem_id="lh-paste-open")
            self.hub = gr.Button(words(_("From the Hub")), size="sm", elem_id="lh-hub-open")
            self.sample = gr.Button(
                words(_("Use this task's sample")), size="sm", elem_id="lh-sample", interactive=False
            )
        with gr.Column(visible=False, elem_id="lh-paste", elem_classes="lh-way") as self.paste_box:
            self._draw_paste(words)
        with gr.Column(visible=False, elem_id="lh-hub", elem_classes="lh-way") as self.hub_box:
            self._draw_hub(words)
        self.data = shared.html(elem_id="lh-data")
        with gr.Column(visible=False, elem_id="lh-mixed-files") as self.files:
            self._draw_weights(words)
        with gr.Row(visible=False, elem_id="lh-reading", elem_classes="lh-fields") as self.reading:
            self._draw_reading(words)
        with gr.Row(elem_classes=["lh-roles", "lh-fields"], elem_id="lh-roles"):
            self.roles = [
                gr.Dropdown(
                    [], visible=False, label="", allow_custom_value=True, elem_id=f"lh-role-{place}", min_width=180
                )
                for place in range(ROLE_SLOTS)
            ]
        self.preview = shared.html(elem_id="lh-preview")
        with gr.Accordion(words(_("A held-out file of your own")), open=False):
            self.test_file = gr.File(label=words(_("Held-out file (optional)")), height=110, elem_id="lh-test-file")
            said = _("Never trained on. Without one, a part of the data is held out.")
            shared.html(f'<p class="lh-quiet">{words.both(said)}</p>')
        # What the browser stores: the open way to add a file, the ids of the stored files (`asked.dataset_id`), the
        # corrections, the problem whose rows are shown, the task that the columns suggested, and which stored file each
        # upload is, with its weight.
        self.way = _hidden("way")
        self.dataset = _hidden("dataset")
        self.test = _hidden("test")
        self.corrections = _hidden("corrections", NOTHING_CORRECTED)
        self.mends = _hidden("mends", NO_MENDS)
        self.parts = _hidden("parts", NO_PARTS)
        self.opened = _hidden("opened")
        self.proposed = _hidden("proposed")
        self.uploads = _hidden("uploads", "{}")

    def _draw_weights(self, words: Labels) -> None:
        said = _("Weight 1: the rows as they are; 2: each row twice; 0.5: half of them. Each file gives held-out rows.")
        shared.html(f'<p class="lh-quiet">{words.both(said)}</p>')
        small: dict[str, Any] = {"label": "", "visible": False, "minimum": 0.05, "step": 0.05, "min_width": 180}
        with gr.Row(elem_classes="lh-fields"):
            self.weights = [
                gr.Number(1.0, maximum=MOST_WEIGHT, elem_id=f"lh-weight-{place}", **small) for place in range(MAX_FILES)
            ]

    def _draw_paste(self, words: Labels) -> None:
        self.pasted = gr.Textbox(
            label=words(_("A table copied from a spreadsheet, its header with it")),
            placeholder=words(_("text\tlabel\nWin a prize now\tspam")),
            lines=5,
            max_lines=12,
            elem_id="lh-pasted",
        )
        self.paste_note = shared.html()
        with gr.Row(elem_classes="lh-tight"):
            self.use_pasted = gr.Button(words(_("Use this")), size="sm", variant="primary", elem_id="lh-use-pasted")

    def _draw_hub(self, words: Labels) -> None:
        with gr.Row():
            self.hub_name = gr.Textbox(
                label=words(_("Dataset on the Hub")),
                placeholder=words(_("owner/name, or the address of its page")),
                max_lines=1,
                min_width=220,
                elem_id="lh-hub-name",
                html_attributes=gr.InputHTMLAttributes(autocomplete="off", autocorrect="off", spellcheck=False),
            )
            self.hub_token = gr.Textbox(
                label=words(_("Token, if it is private (never kept)")),
                type="password",
                max_lines=1,
                min_width=180,
                elem_id="lh-hub-token",
                html_attributes=gr.InputHTMLAttributes(autocomplete="new-password"),
            )
        self.hub_note = shared.html(elem_id="lh-hub-note")
        with gr.Row(elem_classes="lh-tight"):
            self.fetch = gr.Button(words(_("Fetch")), size="sm", variant="primary", elem_id="lh-fetch")

    def _draw_reading(self, words: Labels) -> None:
        small: dict[str, Any] = {"allow_custom_value": True, "min_width": 130, "visible": False, "value": ""}
        itself = [(words(_("found by itself")), "")]
        self.encoding = gr.Dropdown(itself, label=words(_("Encoding")), elem_id="lh-encoding", **small)
        self.delimiter = gr.Dropdown(itself, label=words(_("Separator")), elem_id="lh-delimiter", **small)
        self.sheet = gr.Dropdown(itself, label=words(_("Sheet")), elem_id="lh-sheet", **small)
        self.skip_broken = gr.Checkbox(
            label=words(_("Go on without what cannot be read")), visible=False, min_width=180, elem_id="lh-skip-broken"
        )

    def renewed(self) -> list[Any]:
        """The fields that a new file changes: see the function `renewed`."""
        return [
            self.dataset,
            self.encoding,
            self.delimiter,
            self.sheet,
            self.skip_broken,
            self.corrections,
            self.mends,
            self.opened,
            self.parts,
        ]


def renewed(dataset: str) -> list[Any]:
    """Values for `Room.renewed()`: the new file, and nothing corrected yet. So what was corrected in another one stays
    behind."""
    return [dataset, "", "", "", False, NOTHING_CORRECTED, NO_MENDS, "", NO_PARTS]


def _hidden(name: str, value: str = "") -> gr.Textbox:
    return gr.Textbox(value, visible="hidden", elem_id=f"lh-{name}")


def _too_large(words: Labels) -> str:
    """What page.js shows for a file over the limit, before any of it is sent."""
    limit = settings.max_upload_bytes()
    said = words.both(TOO_LARGE, limit=lambda language: size_of(limit, language))
    return f'<div id="lh-too-large" class="lh-card lh-bad" role="alert" data-limit="{limit}" hidden>{said}</div>'
