"""The shelf's filters: the fields, and what they ask for.

filters = Filters(page); wanted = wanted_of(search, task, ..., repo_ids)
"""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.languages import name_of
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import AdapterRef
from lora_hub.hub import Collection, Wanted
from lora_hub.ui.frame.page import Page, number_field
from lora_hub.ui.render.shelf.render_shelf import CARDS, TABLE
from lora_hub.ui.render.text import t

SORTS: dict[str, Message] = {
    "newest": _("Last changed"),
    "score": _("Score"),
    "size": _("Size"),
    "name": _("Name"),
}
PUBLISHED, UNPUBLISHED = "published", "unpublished"
# Choices of a field that lists what is on the shelf.
MOST_CHOICES = 100


class Filters:
    """The fields, drawn inside the current context. shown: those that change what is shown, in the order in which the
    tab's handler takes them. chosen: those of them that keep their choice through a reload. changes: their events."""

    def __init__(self, page: Page) -> None:
        words, every = page.words, page.words(_("All"))
        with gr.Row(elem_classes="lh-filter"):
            self.search = gr.Textbox(
                label=words(_("Search")),
                placeholder=words(_("Name, task, language, owner")),
                max_lines=1,
                min_width=200,
                max_length=200,
                elem_id="lh-shelf-search",
            )
            tasks = [(words(task.title), task.id) for task in catalogue.list_tasks()]
            self.task = gr.Dropdown(
                [(every, ""), *tasks], value="", label=words(_("Task")), min_width=150, elem_id="lh-filter-task"
            )
            known = [(base.title or base.id, base.id) for base in bases.list_bases()]
            self.base = gr.Dropdown(
                [(every, ""), *known],
                value="",
                label=words(_("Base")),
                allow_custom_value=True,
                min_width=150,
                elem_id="lh-filter-base",
            )
            self.org = gr.Textbox(
                page.organization, label=words(_("Organization")), max_lines=1, min_width=140, elem_id="lh-filter-org"
            )
            self.refresh = gr.Button(words(_("Refresh")), size="md", scale=0, min_width=110, elem_id="lh-refresh")
        with gr.Row(elem_classes="lh-filter"):
            self.collection = self._listing(words(_("Collection")), every, "lh-shelf-collection")
            self.sort = gr.Dropdown(
                [(words(title), name) for name, title in SORTS.items()],
                value="newest",
                label=words(_("Sort by")),
                min_width=140,
                elem_id="lh-shelf-sort",
            )
            self.form = gr.Radio(
                [(words(_("Cards")), CARDS), (words(_("Table")), TABLE)],
                value=CARDS,
                label=words(_("Show as")),
                min_width=150,
                elem_id="lh-shelf-form",
            )
        # On a phone it unfolds Base, Organization and Collection, too (style_phone.css). They are always in the page,
        # because what was typed there is put back after a reload.
        more = gr.Accordion(words(_("More filters")), open=False, elem_id="lh-shelf-more")
        with more, gr.Row(elem_classes="lh-filter"):
            self.spoken = self._listing(words(_("Language")), every, "lh-shelf-spoken")
            self.owner = self._listing(words(_("Owner")), every, "lh-shelf-owner")
            any_of_them = words(_("0: any"))
            self.score = number_field(words(_("Lowest score, %")), "lh-shelf-score", why=any_of_them)
            self.size = number_field(words(_("Largest size, MB")), "lh-shelf-size", why=any_of_them)
            self.state = gr.Radio(
                [(words(_("Published")), PUBLISHED), (words(_("Unpublished")), UNPUBLISHED)],
                value=PUBLISHED,
                label=words(_("Which")),
                info=words(_("Unpublished adapters are seen by members only")),
                min_width=200,
                elem_id="lh-shelf-state",
            )
        limits = [self.score, self.size]
        self.chosen = [self.task, self.base, self.collection, self.sort, self.form, self.spoken, self.owner, self.state]
        self.shown = [self.search, *self.chosen, *limits]
        # What is pasted, or typed into a dropdown, is told by a field's change alone.
        typed = [self.search, *limits, self.base, self.collection, self.spoken, self.owner]
        clicked = [self.task, self.sort, self.form, self.state]
        self.changes = [*(one.change for one in typed), *(one.input for one in clicked)]

    @staticmethod
    def _listing(label: Any, every: Any, elem_id: str) -> gr.Dropdown:
        """A field whose choices are read with the shelf. A value that was kept may be none of them yet."""
        return gr.Dropdown(
            [(every, "")], value="", label=label, allow_custom_value=True, min_width=150, elem_id=elem_id
        )


def wanted_of(
    search: str,
    task: str | None,
    base: str | None,
    sort: str | None,
    spoken: str | None,
    owner: str | None,
    score: float | None,
    size: float | None,
    repo_ids: Sequence[str] | None,
) -> Wanted:
    """What the fields ask for; an emptied one asks for nothing. Raises SpecError."""
    return Wanted(
        search=search or "",
        task=task or "",
        base=(base or "").strip(),
        language=(spoken or "").strip(),
        owner=(owner or "").strip(),
        min_score=max(0.0, float(score or 0)),
        max_mb=max(0.0, float(size or 0)),
        sort=sort if sort in SORTS else "newest",
        repo_ids=None if repo_ids is None else frozenset(repo_ids),
    )


def choices_of(
    adapters: Sequence[AdapterRef], collections: Sequence[Collection], language: str
) -> tuple[list[tuple[str, str]], list[tuple[str, str]], list[tuple[str, str]]]:
    """(collections, languages, owners) that can be chosen on a shelf: (what is read, value)."""
    every = (t(_("All"), language), "")
    spoken = sorted({code for ref in adapters for code in ref.languages})[:MOST_CHOICES]
    owners = sorted({ref.owner for ref in adapters if ref.owner})[:MOST_CHOICES]
    return (
        [every, *((one.title, one.slug) for one in collections)],
        [every, *((name_of(code, language), code) for code in spoken)],
        [every, *((owner, owner) for owner in owners)],
    )
