"""A run that ends is told to its owner's browser, whatever tab is open: assets/notices.js makes a notice of it.

The page asks only while a run of theirs is under way. What is watched is kept in the page, not here.
"""

import json
import time
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.core.errors import AccessError
from lora_hub.core.messages import _
from lora_hub.people import Person
from lora_hub.ui.frame.page import LIGHT, Page, told
from lora_hub.ui.render.runs.render_runs import STATES
from lora_hub.ui.render.runs.run_names import name_runs
from lora_hub.ui.render.text import t

WATCH_SECONDS = 5
# Runs that one page watches; a person has fewer under way.
MOST_WATCHED = 64


def wire(page: Page) -> None:
    """Wires the notices into the page; to be called inside its context."""
    watched, ended = (gr.Textbox("", visible="hidden") for _field in range(2))
    timer = gr.Timer(WATCH_SECONDS, active=False)

    def look(language: str, before: str, *, person: Person) -> list[Any]:
        return look_at_ended(page, language, before, person)

    looking: dict[str, Any] = {
        "fn": told(look),
        "inputs": [page.language, watched],
        "outputs": [watched, timer, ended],
        **LIGHT,
    }
    page.blocks.load(**looking)
    page.run_id.change(**looking, trigger_mode="always_last")
    timer.tick(**looking)
    ended.change(None, ended, None, js="(told) => window.loraHub.ended(told)", api_visibility="private")


def look_at_ended(page: Any, language: str, before: str, person: Person) -> list[Any]:
    """[ids of this person's runs that are under way, the timer, those that have ended since]. before: the ids that were
    watched, as JSON; it comes from the browser."""
    try:
        known = use_cases.list_runs(person, page.runs)
    except AccessError:  # signed out
        return ["", gr.Timer(active=False), gr.skip()]
    mine = [run for run in known if run.owner == person.id]
    going = [run.id for run in mine if not run.state.is_final][:MOST_WATCHED]
    watched = _ids(before)
    over = [run for run in mine if run.id in watched and run.state.is_final]
    if not over:
        return [json.dumps(going) if going else "", gr.Timer(active=bool(going)), gr.skip()]
    names = name_runs(known)
    said = [
        {
            "id": run.id,
            "name": names[run.id].title(language),
            "said": t(_("The run has ended: {state}."), language, state=t(STATES[run.state], language)),
        }
        for run in over
    ]
    news = json.dumps({"at": time.time(), "runs": said}, ensure_ascii=False)
    return [json.dumps(going) if going else "", gr.Timer(active=bool(going)), news]


def _ids(text: str) -> set[str]:
    try:
        read = json.loads(text[: 200 * MOST_WATCHED])
    except ValueError:
        return set()
    return {one for one in read if isinstance(one, str)} if isinstance(read, list) else set()
