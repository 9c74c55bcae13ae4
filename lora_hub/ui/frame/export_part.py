"""An adapter as a file for other programs, with progress and cancel: a part of the shelf, and of a finished run.

export_part.build(page, page.adapter_id)       the shelf's
export_part.build(page, exportable, "lh-run-export")
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from lora_hub import use_cases
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _
from lora_hub.exporting import KINDS, TYPES, Step
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame.page import LIGHT, Page, html, inform, told, told_stream
from lora_hub.ui.frame.stops import Stops
from lora_hub.ui.render import render
from lora_hub.ui.render.text import digits, t


def _nothing() -> tuple[str, Any]:
    """No result, and no files."""
    return "", gr.File(value=None, visible=False)


def build(page: Page, chosen: gr.Textbox, elem_id: str = "lh-export") -> None:
    """Draws the part inside the current context. chosen: the name of the adapter that it exports; "" for none, and
    then it is hidden. elem_id: how the ids of its widgets begin."""
    words = page.words
    with gr.Row(elem_classes="lh-tight lh-plainfields"):
        kind = gr.Dropdown(
            [(words(said), one) for one, said in KINDS.items()],
            value="peft",
            label=words(_("Export as")),
            visible=False,
            min_width=240,
            elem_id=f"{elem_id}-kind",
        )
        type_ = gr.Dropdown([], label=words(_("Weights as")), visible=False, min_width=120, elem_id=f"{elem_id}-type")
        start = gr.Button(words(_("Export")), size="md", scale=0, visible=False, elem_id=elem_id)
        stop = gr.Button(words(_("Cancel")), size="md", scale=0, visible=False, elem_id=f"{elem_id}-stop")
    state = html(elem_id=f"{elem_id}-state")
    files = gr.File(label=words(_("Download")), visible=False, interactive=False, elem_id=f"{elem_id}-files")
    stops, going = Stops(), gr.Textbox("", visible="hidden")  # the name of what runs, by which it is stopped

    def offer(language: str, name: str, under_way: str, *, person: Person) -> list[Any]:
        """What is under way goes on, and stays in sight, while another adapter is looked at."""
        may = bool(name) and rules.may(person, Action.TRAIN)
        if under_way:
            return [gr.Dropdown(visible=may), *[gr.skip()] * 5]
        return [
            gr.Dropdown(value="peft", visible=may),
            gr.Dropdown(visible=False),
            gr.Button(visible=may),
            gr.Button(visible=False),
            *_nothing(),
        ]

    def pick(language: str, kind: str | None) -> list[Any]:
        """What is said of another kind does not stay."""
        types = [one for one in TYPES.get(kind, ()) if one]
        return [gr.Dropdown(types, value=types[0] if types else None, visible=bool(types)), *_nothing()]

    def wait(language: str) -> list[Any]:
        said = _("The export begins as soon as no other one runs.")
        return [render.waiting(t(said, language)), gr.Button(visible=False)]

    def export(language: str, name: str, kind: str | None, type_: str | None, *, person: Person) -> Iterator[list[Any]]:
        """Into a new folder of Gradio's cache: what lies there is handed out as it is, and not copied once more. What
        is not downloaded within an hour goes, as uploads do."""
        name_of_it, stopped = stops.start()

        def going_on(said: str) -> str:
            return render.waiting(render.escape(f"\u2068{name}\u2069: {said}"))

        first = going_on(t(_("Fetching the adapter and its base"), language))
        yield [first, _nothing()[1], gr.skip(), gr.Button(visible=True), name_of_it]
        idle = [gr.Button(visible=True), gr.Button(visible=False), ""]
        cache = Path(get_upload_folder())
        cache.mkdir(parents=True, exist_ok=True)
        work, made = Path(tempfile.mkdtemp(prefix="export-", dir=cache)), None
        asked = (person, name, kind or "peft", type_ or "", work / "made")
        try:
            with closing(use_cases.export_adapter(*asked, packed=True)) as steps:
                for step in steps:
                    if stopped.is_set():
                        break
                    if not isinstance(step, Step):
                        made = step
                        continue
                    count = digits(f" {step.done}/{step.total}", language) if step.total else ""
                    yield [going_on(f"{t(step.said, language)}{count}"), *[gr.skip()] * 4]
            if made is None:
                yield [*_nothing(), *idle]
                return
            said = [t(made.agreement.tell(), language)] if made.agreement else []
            shown = gr.File(value=str(made.folder / made.files[0]), visible=True)
            yield [render.note(" ".join([t(_("Done."), language), *said])), shown, *idle]
        except LoraHubError as error:
            yield [render.error_card(error, language), gr.skip(), *idle]
        except Exception:
            yield [*_nothing(), *idle]
            raise
        finally:
            stops.end(name_of_it)
            if made is None:
                shutil.rmtree(work, ignore_errors=True)

    def stop_it(language: str, name: str) -> None:
        stops.stop(name)
        inform(render.escape(t(_("The export is being cancelled."), language)), language)

    chosen.change(told(offer), [page.language, chosen, going], [kind, type_, start, stop, state, files], **LIGHT)
    kind.input(told(pick), [page.language, kind], [type_, state, files], **LIGHT, trigger_mode="always_last")
    pressed = start.click(told(wait), page.language, [state, start], **LIGHT)
    pressed.then(
        told_stream(export),
        [page.language, chosen, kind, type_],
        [state, files, start, stop, going],
        concurrency_id="export",
        concurrency_limit=1,
        show_progress="hidden",
        api_visibility="private",
    )
    stop.click(told(stop_it), [page.language, going], None, **LIGHT)
