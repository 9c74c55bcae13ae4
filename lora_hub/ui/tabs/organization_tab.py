"""The Organization tab, where people sign in: what a person may do here and has used. Admins also see and change what
the organization allows."""

import re
import unicodedata
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.core.messages import _
from lora_hub.core.spec_fields import fields_of
from lora_hub.people import Person, Policy
from lora_hub.people.rules import Action
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame.page import LIGHT, Page, inform, told
from lora_hub.ui.render import render, render_standing
from lora_hub.ui.render.text import t

FIELDS = tuple(fields_of(Policy))


def build(page: Page, tab: gr.Tab) -> None:
    """Draws the tab inside the current context and wires it. It is filled when it is opened."""
    words = page.words
    with gr.Column(elem_classes="lh-page"):
        standing = shared.html(elem_id="lh-standing")
        with gr.Column(visible=False, elem_classes="lh-section", elem_id="lh-policy") as box:
            shared.html(f"<h2>{words.both(_('What the organization allows'))}</h2>")
            with gr.Row(elem_classes="lh-overrides"):
                fields = {one.key: _field(page, one) for one in FIELDS}
            save = gr.Button(words(_("Save")), variant="primary", size="md", elem_id="lh-policy-save")

    def look(language: str, *, person: Person) -> list[Any]:
        told_of = use_cases.look_at_standing(person)
        is_admin = Action.ADMINISTER in told_of.may
        values = told_of.allowed.model_dump(mode="json") if told_of.allowed and is_admin else {}
        now = [_shown(values[key]) if values else gr.skip() for key in fields]
        return [render_standing.standing(told_of, language), gr.Column(visible=is_admin), *now]

    def change(language: str, *values: str, person: Person) -> list[Any]:
        given = {
            one.key: _number(value) if isinstance(value, str) and not one.choices else value
            for one, value in zip(FIELDS, values, strict=True)
        }
        use_cases.change_policy(person, {key: value for key, value in given.items() if value not in ("", None)})
        inform(render.escape(t(_("Saved: it counts from now on."), language)), language)
        return look(language, person=person)

    shown = [standing, box, *fields.values()]
    tab.select(told(look), page.language, shown, **LIGHT)
    save.click(told(change), [page.language, *fields.values()], shown, **{**LIGHT, "concurrency_id": "policy"})


def _number(typed: str) -> str:
    """A number as a program writes it, from one that was typed in the digits of any language, "100,000" too."""
    plain = "".join(str(unicodedata.digit(sign, sign)) for sign in typed.strip())
    return re.sub("[,\u066c]" r"(?=\d{3}(?!\d))", "", plain).replace("\u066b", ".")


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _field(page: Page, one: Any) -> Any:
    """A field of the form: a choice, or a number that is checked when it is saved."""
    choices = [(page.words(render_standing.CHOICES[choice]), choice) for choice in one.choices]
    elem_id = f"lh-policy-{one.key.replace('_', '-')}"
    return shared.setting_field(page.words(one.title), page.words(one.help), choices, elem_id)
