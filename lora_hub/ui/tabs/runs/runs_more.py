"""More of the selected run, below its plots: files to take away, its adapter for other programs, several runs in one
plot, its name and tags.

They follow what the page shows of a run (its stamp) and are drawn again only with it.
"""

import json
from typing import Any

import gradio as gr

from lora_hub import runs, use_cases
from lora_hub.core.errors import LoraHubError, RunError
from lora_hub.core.events import MOST_NAME
from lora_hub.core.messages import _
from lora_hub.core.schema import RunState
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame import export_part
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame.page import LIGHT, Page, inform, told
from lora_hub.ui.render import render
from lora_hub.ui.render.runs import render_beside, run_files
from lora_hub.ui.render.runs.curves import CURVES, run_svg
from lora_hub.ui.render.runs.run_files import has_curve
from lora_hub.ui.render.runs.run_names import name_runs
from lora_hub.ui.render.text import t

SAVE = "(told) => { window.loraHub.saveText(told); }"
# The form is told which run, and when: the same run may be taken twice.
START = "(stamp) => `${stamp.split(' ')[0]} ${Date.now()}`"
# Of the runs beside the selected one.
MOST_OTHERS = runs.MOST_BESIDE - 1


class MoreOfRun:
    """The widgets."""

    def __init__(self, page: Page) -> None:
        words = page.words
        # what was pressed to be saved, and the file for the browser
        self.saving = gr.Textbox("", visible="hidden", elem_id="lh-run-save")
        self.saved = gr.Textbox("", visible="hidden")
        self.files = shared.html(elem_id="lh-run-files")
        # the run whose adapter this person may take away, "" for none; changes only with it
        self.exportable = gr.Textbox("", visible="hidden")
        with gr.Accordion(words(_("Export the adapter")), open=False, visible=False) as self.export_box:
            export_part.build(page, self.exportable, "lh-run-export")
        with gr.Accordion(words(_("Beside other runs")), open=False, visible=False) as self.beside_box:
            with gr.Row(elem_classes="lh-tight lh-plainfields"):
                self.others = gr.Dropdown(
                    [],
                    value=[],
                    multiselect=True,
                    max_choices=MOST_OTHERS,
                    allow_custom_value=True,  # what was chosen before the app was started again
                    label=words(_("Other runs (1 to 7)")),
                    scale=3,
                    min_width=240,
                    elem_id="lh-beside",
                )
                self.curve = gr.Dropdown(
                    [(words(said), one) for one, said in CURVES.items()],
                    value="eval_loss",
                    label=words(_("Curve")),
                    min_width=180,
                    elem_id="lh-beside-curve",
                )
            self.picture = shared.html(elem_id="lh-beside-plot")
        with gr.Accordion(words(_("Name and tags")), open=False, visible=False) as self.name_box:
            with gr.Row(elem_classes="lh-plainfields"):
                self.name = gr.Textbox(
                    "",
                    label=words(_("Name of the run")),
                    info=words(_("Shown in lists of runs only; an adapter's repo has a name of its own")),
                    max_lines=1,
                    max_length=MOST_NAME,
                    min_width=220,
                    elem_id="lh-run-name",
                )
                self.tags = gr.Textbox(
                    "",
                    label=words(_("Tags")),
                    info=words(_("With commas between them")),
                    max_lines=1,
                    min_width=220,
                    elem_id="lh-run-tags",
                )
            with gr.Row(elem_classes="lh-tight"):
                self.keep = gr.Button(words(_("Save")), size="sm", elem_id="lh-run-keep")


def wire(page: Page, more: MoreOfRun, seen: gr.Textbox, after: dict[str, Any]) -> None:
    """seen: what the page shows of a run. after: the arguments of the event that draws it again."""
    doing, language = More(page), page.language
    looked = [
        more.files,
        more.exportable,
        more.export_box,
        more.beside_box,
        more.others,
        more.name_box,
        more.name,
        more.tags,
    ]
    drawing: dict[str, Any] = {
        "fn": told(doing.draw_beside),
        "inputs": [language, seen, more.curve, more.others],
        "outputs": more.picture,
        **LIGHT,
        "trigger_mode": "always_last",
    }
    shown = seen.change(told(doing.look), [language, seen, more.others], looked, **LIGHT, trigger_mode="always_last")
    shown.then(**drawing)
    gr.on([more.others.input, more.curve.input], **drawing)
    kept = more.keep.click(
        told(doing.keep), [language, seen, more.name, more.tags], None, **{**LIGHT, "concurrency_id": "run name"}
    )
    kept.then(**after)
    saving = more.saving.change(told(doing.save), [language, more.saving], more.saved, **LIGHT)
    saved = saving.then(None, more.saved, None, js=SAVE, api_visibility="private")
    # the same may be pressed again
    saved.then(None, None, [more.saving, more.saved], js="() => ['', '']", api_visibility="private")


class More:
    """The handlers for one page. Nothing is kept here."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def look(self, language: str, stamp: str, others: list[str], *, person: Person) -> list[Any]:
        run_id = stamp.partition(" ")[0]
        known = use_cases.list_runs(person, self.page.runs) if run_id else []
        run = next((one for one in known if one.id == run_id), None)
        if run is None:
            hidden = gr.Accordion(visible=False)
            return ["", "", hidden, hidden, gr.Dropdown(value=[], multiselect=True), hidden, gr.skip(), gr.skip()]
        mine, is_whole = rules.can_change(person, run), run.state is not RunState.DAMAGED
        names = name_runs(known)
        offered = [(names[one.id].line(language), one.id) for one in known if one.id != run.id and has_curve(one)]
        kept = [one for one in others or [] if one in {value for _said, value in offered}]
        takes = mine and is_whole and bool(run.adapter_folder) and rules.may(person, Action.TRAIN)
        return [
            run_files.files(run, language, has_log=mine, may_start=is_whole and rules.may(person, Action.TRAIN)),
            run.id if takes else "",
            gr.Accordion(visible=takes),
            gr.Accordion(visible=bool(offered) and is_whole),
            gr.Dropdown(choices=offered, value=kept, multiselect=True),
            gr.Accordion(visible=mine and is_whole),
            run.name,
            t(_(", "), language).join(run.tags),
        ]

    def draw_beside(self, language: str, stamp: str, what: str | None, others: list[str], *, person: Person) -> str:
        run_id = stamp.partition(" ")[0]
        if not run_id or not others:
            return ""
        chosen = [run_id, *others][: runs.MOST_BESIDE]
        try:
            found, differing = use_cases.compare_runs(person, chosen, self.page.runs)
        except LoraHubError as error:
            return render.error_card(error, language)
        names = name_runs(use_cases.list_runs(person, self.page.runs))
        return render_beside.beside(found, differing, names, what if what in CURVES else "eval_loss", language)

    def keep(self, language: str, stamp: str, name: str, tags: str, *, person: Person) -> None:
        run_id = stamp.partition(" ")[0]
        use_cases.rename_run(person, run_id, name)
        use_cases.tag_run(person, run_id, tags.replace("،", ",").split(","))
        inform(render.escape(t(_("Done."), language)), language)

    def save(self, language: str, pressed: str, *, person: Person) -> str:
        """pressed: "run what", as the buttons say it. A picture is told as SVG; the browser makes a PNG of it."""
        run_id, _space, what = pressed.partition(" ")
        if not run_id:
            return ""
        if what in ("svg", "png"):
            known = use_cases.list_runs(person, self.page.runs)
            run = next((one for one in known if one.id == run_id), None) or use_cases.refresh_run(person, run_id)
            if not has_curve(run):
                raise RunError(
                    _("The run {run_id} has no losses yet.", run_id=run.id), _("They begin with its first steps.")
                )
            title = name_runs([*known, run] if run not in known else known)[run.id].title(language)
            return _file(
                f"{run.id}.{what}", "image/png" if what == "png" else "image/svg+xml", run_svg(run, title, language)
            )
        found = use_cases.export_run(person, run_id, what)
        # The byte order mark tells spreadsheets that it is UTF-8.
        return _file(found.name, found.kind, ("\ufeff" if found.kind == "text/csv" else "") + found.text)


def _file(name: str, kind: str, text: str) -> str:
    return json.dumps({"name": name, "kind": kind, "text": text}, ensure_ascii=False)
