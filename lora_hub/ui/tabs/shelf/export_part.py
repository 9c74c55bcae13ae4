"""A part of the Adapters tab: the open adapter as files for other programs, with progress and cancel.

export_part.build(page)
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.core.messages import _
from lora_hub.exporting import KINDS, TYPES, Step
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame.page import LIGHT, Page, html, told, told_stream
from lora_hub.ui.render import render
from lora_hub.ui.render.text import t


def _nothing() -> tuple[str, Any]:
    """No result, and no files."""
    return "", gr.File(value=None, visible=False)


def build(page: Page) -> None:
    """Draws the part inside the current context and wires it to the adapter that is open."""
    words, chosen = page.words, page.adapter_id
    with gr.Row(elem_classes="lh-tight lh-plainfields"):
        kind = gr.Dropdown([], label=words(_("Export as")), visible=False, min_width=240, elem_id="lh-export-kind")
        type_ = gr.Dropdown([], label=words(_("Weights as")), visible=False, min_width=120, elem_id="lh-export-type")
        start = gr.Button(words(_("Export")), size="md", scale=0, visible=False, elem_id="lh-export")
        stop = gr.Button(words(_("Cancel")), size="md", scale=0, visible=False, elem_id="lh-export-stop")
    state = html(elem_id="lh-export-state")
    files = gr.File(
        label=words(_("Download")), visible=False, file_count="multiple", interactive=False, elem_id="lh-export-files"
    )

    def offer(language: str, repo_id: str, *, person: Person) -> list[Any]:
        may = bool(repo_id) and rules.may(person, Action.TRAIN)
        choices = [(t(title, language), name) for name, title in KINDS.items()]
        return [
            gr.Dropdown(choices, value="peft", visible=may),
            gr.Dropdown(visible=False),
            gr.Button(visible=may),
            gr.Button(visible=False),
            *_nothing(),
        ]

    def pick(language: str, kind: str | None) -> list[Any]:
        """What is said of another kind does not stay."""
        types = [one for one in TYPES.get(kind, ()) if one]
        return [gr.Dropdown(types, value=types[0] if types else None, visible=bool(types)), *_nothing()]

    def export(
        language: str, repo_id: str, kind: str | None, type_: str | None, *, person: Person
    ) -> Iterator[list[Any]]:
        """Into a folder of its own below the system's, from where Gradio may hand files out; it goes once the browser's
        copy is made."""
        yield [*_nothing(), gr.skip(), gr.skip()]
        with tempfile.TemporaryDirectory(prefix="lora-hub-export-") as work:
            going = use_cases.export_adapter(person, repo_id, kind or "peft", type_ or "", Path(work) / "made")
            for step in going:
                if isinstance(step, Step):
                    count = f" {step.done}/{step.total}" if step.total else ""
                    yield [
                        render.waiting(render.escape(f"{t(step.said, language)}{count}")),
                        gr.skip(),
                        gr.Button(visible=False),
                        gr.Button(visible=True),
                    ]
                    continue
                said = [t(step.agreement.tell(), language)] if step.agreement else []
                shown = [str(step.folder / file) for file in step.files]
                yield [
                    render.note(" ".join([t(_("Done."), language), *said])),
                    gr.File(value=shown, visible=True),
                    gr.Button(visible=True),
                    gr.Button(visible=False),
                ]

    def ended(language: str) -> list[Any]:
        return ["", gr.Button(visible=True), gr.Button(visible=False)]

    chosen.change(told(offer), [page.language, chosen], [kind, type_, start, stop, state, files], **LIGHT)
    kind.input(told(pick), [page.language, kind], [type_, state, files], **LIGHT)
    going = start.click(
        told_stream(export),
        [page.language, chosen, kind, type_],
        [state, files, start, stop],
        concurrency_id="export",
        concurrency_limit=1,
        show_progress="hidden",
        api_visibility="private",
    )
    stop.click(told(ended), page.language, [state, start, stop], cancels=[going], **LIGHT)
