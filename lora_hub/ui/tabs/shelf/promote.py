"""A part of the Adapters tab: which version is in production, promoting another one through the gate, rolling back.

moved = promote.build(page)      a hidden field that changes when the tag has moved
"""

import time
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _
from lora_hub.hub import LONGEST_REASON
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame.page import LIGHT, Page, html, told
from lora_hub.ui.render import render
from lora_hub.ui.render.shelf import render_production
from lora_hub.ui.render.text import t


def build(page: Page) -> gr.Textbox:
    """Draws the part inside the current context and wires it to the adapter that is open."""
    words, chosen = page.words, page.adapter_id
    state = html(elem_id="lh-production")
    with gr.Row(elem_classes="lh-tight lh-plainfields"):
        version = gr.Dropdown(
            [], label=words(_("Version to promote")), visible=False, min_width=160, elem_id="lh-promote-version"
        )
        reason = gr.Textbox(
            "",
            label=words(_("Reason (only admins)")),
            info=words(_("Promotes it even if it is not better, and is recorded")),
            max_lines=2,
            max_length=LONGEST_REASON,
            visible=False,
            min_width=240,
            elem_id="lh-promote-reason",
        )
        promote = gr.Button(words(_("Promote")), size="md", scale=0, visible=False, elem_id="lh-promote")
        back = gr.Button(words(_("Roll back")), size="md", scale=0, visible=False, elem_id="lh-roll-back")
    result = html(elem_id="lh-promoted")
    moved = gr.Textbox("", visible="hidden")

    def look(language: str, repo_id: str, *, person: Person) -> list[Any]:
        nothing = ["", *(one(visible=False) for one in (gr.Dropdown, gr.Textbox, gr.Button, gr.Button))]
        if not repo_id:
            return nothing
        try:
            place = use_cases.look_at_production(person, repo_id)
        except LoraHubError:  # the card above says what is wrong; made elsewhere, it has no production of ours
            return nothing
        others = [tag for tag in place.versions if tag != place.version or not place.tagged]
        may = rules.may(person, Action.PUBLISH)
        before, _commit = place.promotions.before(place.commit) if place.commit else ("", "")
        return [
            render_production.production(place, language),
            gr.Dropdown(others, value=others[0] if others else None, visible=may and bool(others)),
            gr.Textbox(visible=person.role == "admin" and bool(others)),
            gr.Button(visible=may and bool(others)),
            gr.Button(visible=may and bool(before)),
        ]

    def promote_it(language: str, repo_id: str, version: str | None, reason: str, *, person: Person) -> list[Any]:
        reason = reason if person.role == "admin" else ""
        found = use_cases.promote(person, page.comparer, repo_id, version or "", reason=reason)
        return [
            render_production.outcome(found, language),
            "" if found.moved else gr.skip(),
            str(time.time_ns()) if found.moved else gr.skip(),
        ]

    def roll_it_back(language: str, repo_id: str, *, person: Person) -> list[Any]:
        done = use_cases.roll_back(person, repo_id)
        return [render_production.rolled_back(done, language), gr.skip(), str(time.time_ns())]

    def clear(language: str) -> str:
        return ""

    def wait(language: str) -> str:
        return render.waiting(t(_("Both versions answer the same rows. This may take a while."), language))

    shown = [state, version, reason, promote, back]
    working = {"concurrency_id": "promote", "concurrency_limit": 2, "api_visibility": "private"}
    gr.on([chosen.change, moved.change], told(look), [page.language, chosen], shown, **LIGHT)
    chosen.change(told(clear), page.language, result, **LIGHT)
    pressed = promote.click(told(wait), page.language, result, **LIGHT)
    pressed.then(
        told(promote_it),
        [page.language, chosen, version, reason],
        [result, reason, moved],
        **working,
        show_progress="minimal",
        show_progress_on=[result],
    )
    back.click(
        told(roll_it_back),
        [page.language, chosen],
        [result, reason, moved],
        **working,
        show_progress="minimal",
        show_progress_on=[result],
    )
    return moved
