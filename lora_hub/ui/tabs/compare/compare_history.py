"""The history of Compare: a person's kept comparisons, one opened by its link, and the boards of all votes."""

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.events import Dependency

from lora_hub import use_cases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _, text_in
from lora_hub.core.schema import PaneAnswer, Question
from lora_hub.people import Person
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame.page import LIGHT, Page, inform, told, warn
from lora_hub.ui.render import render
from lora_hub.ui.render.compare import render_history, render_votes
from lora_hub.ui.render.text import t
from lora_hub.ui.tabs.compare.compare_blind import show_opened

MOST_SHOWN = 50
# The buttons above the answers are those of the list, too; the answers are not drawn again for them.
ACTED = """(acted) => {
  const { id, html } = JSON.parse(acted || '{}');
  for (const one of document.querySelectorAll('#lh-answers .lh-acts')) {
    if (id && one.dataset.of === id) one.outerHTML = html;
  }
}"""
# An opened comparison is in the address, so that a reload shows it again.
OPENED = "(asked) => { window.loraHub.opened((asked || '').split(' ')[0]); }"
SAVE = "(file) => { if (file) window.loraHub.save(JSON.parse(file)); }"


def keep(person: Person, question: Question, views: Sequence[PaneAnswer], language: str) -> str:
    """Keeps a comparison that was answered, and returns what the page says of it: HTML. An answer is not lost where it
    cannot be kept."""
    try:
        one = use_cases.keep_comparison(person, question, [view for view in views if view.done])
    except LoraHubError as error:
        warn(error, language)
        return ""
    return render_history.heading(one, language, True) if one is not None else ""


def build(page: Page, answers: gr.HTML, sent: Dependency) -> None:
    """Draws the two sections inside the current context and wires them. sent: a vote was cast, or names were shown."""
    words = page.words
    opened = gr.Textbox("", visible="hidden", elem_id="lh-comparison")
    act = gr.Textbox("", visible="hidden", elem_id="lh-comparison-act")
    file, acted = gr.Textbox("", visible="hidden"), gr.Textbox("", visible="hidden")
    # Whether the history and the board are seen.
    unfolded, board_unfolded = (gr.Textbox("", visible="hidden") for _section in range(2))
    with gr.Accordion(words(_("History")), open=False, elem_id="lh-history-section") as section:
        search = gr.Textbox(
            "",
            label=words(_("Search")),
            placeholder=words(_("Words of a question, an answer or a model")),
            max_lines=1,
            elem_id="lh-history-search",
        )
        listed = shared.html(elem_id="lh-history")
    with gr.Accordion(words(_("Leaderboard")), open=False, elem_id="lh-board-section") as board_section:
        board = shared.html(elem_id="lh-boards")
        with gr.Row(elem_classes="lh-tight"):
            again = gr.Button(words(_("Count again")), size="md", scale=0, min_width=140, elem_id="lh-boards-again")
            export = gr.Button(
                words(_("Preference data (JSONL)")), size="md", scale=0, min_width=200, elem_id="lh-preferences"
            )

    def look(language: str, words: str, *, person: Person) -> str:
        found = use_cases.list_comparisons(person, words, MOST_SHOWN)
        return render_history.history(found, language, bool(words.strip()))

    def look_again(language: str, words: str, seen: str, *, person: Person) -> Any:
        return look(language, words, person=person) if seen else gr.skip()

    def show(language: str, asked: str, *, person: Person) -> Any:
        """asked: the comparison's id, and when it was pressed."""
        name = asked[:200].partition(" ")[0]
        if not name:
            return gr.skip()
        found = use_cases.open_comparison(person, name)
        above = render_history.heading(found.comparison, language, found.is_own) if found.is_hidden else ""
        return above + show_opened(found, person, language)

    def do(language: str, asked: str, words: str, *, person: Person) -> list[Any]:
        """[the list, a file to save, the buttons above the answers]. asked: what was pressed, and the comparison's
        id."""
        what, name, *_rest = [*asked[:200].split(), "", ""]
        asked_for, saved = "", ""
        if what in ("json", "markdown"):
            text = use_cases.export_comparison(person, name, what, language)
            saved = _file(f"comparison-{name}.{'md' if what == 'markdown' else 'json'}", text)
        elif what in ("share", "unshare"):
            use_cases.share_comparison(person, name, "organization" if what == "share" else "private")
            said = (
                _("Members of the organization can open it by its link.")
                if what == "share"
                else _("It is yours alone.")
            )
            inform(render.escape(t(said, language)), language)
        elif what == "delete!":
            use_cases.delete_comparison(person, name)
            inform(render.escape(t(_("The comparison was deleted."), language)), language)
        elif what == "delete":
            asked_for = name
        found = use_cases.list_comparisons(person, words, MOST_SHOWN)
        above = ""
        if what in ("share", "unshare", "delete"):
            above = render_history.buttons(use_cases.open_comparison(person, name).comparison, language, asked_for)
        acts = json.dumps({"id": name, "html": above}) if above or what == "delete!" else ""
        return [render_history.history(found, language, bool(words.strip()), asked_for), saved, acts]

    def count(language: str, *, person: Person) -> str:
        titles = {task.id: text_in(task.title, language) for task in catalogue.list_tasks()}
        return render_votes.boards(use_cases.read_boards(person), titles, language)

    def count_again(language: str, seen: str, *, person: Person) -> Any:
        return count(language, person=person) if seen else gr.skip()

    def preferences(language: str, *, person: Person) -> str:
        rows = use_cases.export_votes(person)
        if not rows:
            inform(render.escape(t(_("No vote here prefers one answer to another."), language)), language)
            return ""
        return _file("preferences.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    hub: dict[str, Any] = {"concurrency_id": "hub", "show_progress": "hidden", "api_visibility": "private"}
    in_browser: dict[str, Any] = {"fn": None, "queue": False, "api_visibility": "private"}
    looking = [page.language, search]
    # a second search while the first is on its way counts, too
    searched = [section.expand, search.submit, search.blur]
    gr.on(searched, told(look), looking, listed, trigger_mode="always_last", **LIGHT)
    for part, kept in ((section, unfolded), (board_section, board_unfolded)):
        part.expand(outputs=kept, js="() => '1'", **in_browser)
        part.collapse(outputs=kept, js="() => ''", **in_browser)
    # What was asked just now is in it, too.
    answers.change(told(look_again), [*looking, unfolded], listed, **LIGHT, trigger_mode="always_last")
    shown = opened.change(told(show), [page.language, opened], answers, **LIGHT, trigger_mode="always_last")
    shown.success(inputs=opened, js=OPENED, **in_browser)
    done = act.change(told(do), [page.language, act, search], [listed, file, acted], **LIGHT)
    done.success(inputs=file, js=SAVE, **in_browser)
    done.success(inputs=acted, js=ACTED, **in_browser)
    gr.on([board_section.expand, again.click], told(count), page.language, board, **hub)
    sent.then(told(count_again), [page.language, board_unfolded], board, **hub)
    saved = export.click(told(preferences), page.language, file, **LIGHT)
    saved.success(inputs=file, js=SAVE, **in_browser)


def _file(name: str, text: str) -> str:
    return json.dumps({"name": name, "text": text}, ensure_ascii=False)
