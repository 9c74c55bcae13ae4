"""The Adapters tab: the organization's adapters, found and sorted, as cards or a table; several of them at once; and
each adapter's card, versions and scores."""

import hashlib
import json
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import text_in
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame.page import LIGHT, Page
from lora_hub.ui.render.render import error_card
from lora_hub.ui.render.shelf import render_shelf
from lora_hub.ui.render.text import page_number
from lora_hub.ui.tabs.shelf import compose, shelf_adapter, shelf_picked
from lora_hub.ui.tabs.shelf.shelf_filters import UNPUBLISHED, Filters, choices_of, wanted_of
from lora_hub.ui.tabs.shelf.shelf_kept import KeptListings

# Sends which adapter's Compare button was pressed; page.js handles clicks on names.
COMPARE = """element.addEventListener('click', (event) => {
  const found = event.target.closest('[data-compare]');
  if (found) trigger('pick', {id: found.dataset.compare});
});"""

# The adapters in the Compare tab, plus one. Wrapped in a list, because the return value has one item per output.
ADD = "(names, id) => [(names || []).includes(id) ? names : [...(names || []), id]]"

# The address names the filters.
ADDRESS = "(...all) => {{ window.loraHub.filtered({ids}, {first}, all.slice({before})); return all; }}"


def build(page: Page, tab: gr.Tab) -> None:
    """Draws the tab inside the current context and wires it. The list of adapters is read when the tab is opened."""
    chosen, kept = page.adapter_id, KeptListings()
    with gr.Column(elem_classes="lh-page lh-wide"):
        filters = Filters(page)
        shelf = shared.reading(page.words, elem_id="lh-shelf", js_on_load=COMPARE + shelf_picked.PICKING)
        picked = shelf_picked.Picked(page)
        compose.build(page, tab, picked.names)
        one = shelf_adapter.OneAdapter(page)
    turned = gr.Textbox("", visible="hidden", elem_id="lh-shelf-page")
    pressed = gr.Textbox("", visible="hidden")
    page.choices += filters.chosen

    @shared.told
    def gather(language: str, org: str, *, person: Person) -> list[Any]:
        """Asks the Hub, and offers what there is to choose from."""
        listing = kept.refresh(person, org.strip() or page.organization)
        named = [gr.Dropdown(choices) for choices in choices_of(listing.adapters, listing.collections, language)]
        return [*named, *shelf_picked.offer(person, listing.collections, bool(listing.adapters))]

    @shared.told
    def look(
        language: str,
        org: str,
        chosen: str,
        names: str,
        turned: str,
        search: str,
        task: str | None,
        base: str | None,
        collection: str | None,
        sort: str | None,
        form: str | None,
        spoken: str | None,
        owner: str | None,
        state: str | None,
        score: float | None,
        size: float | None,
        *,
        person: Person,
    ) -> Any:
        organization = org.strip() or page.organization
        listing = kept.listed(person, organization)
        if listing.failed:  # they were told so, and what is shown stays
            return gr.skip()
        if listing.missing is not None:  # replaces the list, which belongs to another organization
            return error_card(listing.missing, language)
        titles = {one.id: text_in(one.title, language) for one in catalogue.list_tasks()}
        shown, title = None, ""
        if collection:
            try:
                read = kept.collection(person, collection)
            except LoraHubError as error:
                return error_card(error, language)
            shown, title = read.adapters, read.title
        known = [ref for ref in listing.adapters if ref.unpublished == (state == UNPUBLISHED)]
        wanted = wanted_of(search, task, base, sort, spoken, owner, score, size, shown)
        found = use_cases.filter_adapters(person, known, wanted, titles)
        # A page number belongs to one list: another filter begins with the first.
        asked = hashlib.sha256(json.dumps([organization, state, str(wanted)]).encode()).hexdigest()[:12]
        number = page_of(turned, asked, len(found))
        view = render_shelf.View(
            found=found,
            total=len(known),
            organization=organization,
            chosen=chosen,
            picked=frozenset(shelf_picked.names_of(names)),
            titles=titles,
            form=form or render_shelf.CARDS,
            page=number,
            where=f'data-put="lh-shelf-page" data-value="{{page}} {asked}"',
            collection=title,
            may_train=rules.may(person, Action.TRAIN),
            works=use_cases.mark_adapters(person, render_shelf.drawn(found, number)),
        )
        return render_shelf.shelf(view, language)

    @shared.told
    def pick(language: str, event: gr.EventData) -> Any:
        return str((event._data or {}).get("id", ""))[:200], gr.Tabs(selected="compare")

    gathering = {
        "fn": gather,
        "inputs": [page.language, filters.org],
        "outputs": [filters.collection, filters.spoken, filters.owner, *picked.row],
        "concurrency_id": "hub",
        "concurrency_limit": 4,
        "api_visibility": "private",
    }
    before = [page.language, filters.org, chosen, picked.names, turned]
    ids, first = ([getattr(field, name) for field in filters.shown] for name in ("elem_id", "value"))
    looking = {
        "fn": look,
        "js": ADDRESS.format(before=len(before), ids=json.dumps(ids), first=json.dumps(first)),
        "inputs": [*before, *filters.shown],
        "outputs": shelf,
        "concurrency_id": "shelf",
        "concurrency_limit": 8,
        "api_visibility": "private",
        "show_progress": "hidden",
    }
    # When outputs are written, the last response wins: after two quick filter changes the first one's rows must not
    # show. What asks the Hub draws nothing: the filters may have changed meanwhile.
    gr.on(
        [tab.select, filters.refresh.click, filters.org.submit, filters.org.blur],
        **gathering,
        show_progress="minimal",
        show_progress_on=[shelf],
        trigger_mode="always_last",
    ).then(**looking)
    gr.on([turned.change, *filters.changes], **looking, trigger_mode="always_last")
    # The compared adapters are read from the page when the response arrives; they may have changed since the click.
    adding = {"fn": None, "outputs": page.compare_names, "js": ADD, "queue": False, "api_visibility": "private"}
    shelf.pick(pick, page.language, [pressed, page.tabs], **LIGHT).then(inputs=[page.compare_names, pressed], **adding)
    one.compare.click(inputs=[page.compare_names, chosen], **adding).then(
        lambda: gr.Tabs(selected="compare"), None, page.tabs, **LIGHT
    )
    chosen.change(
        None, chosen, None, js="(id) => { window.loraHub.address('adapter', id, true); }", api_visibility="private"
    )
    opening = shelf_adapter.wire(page, one, kept)
    opening.then(**looking)
    shelf_picked.wire(page, picked, kept, filters.org, [gathering | {"show_progress": "hidden"}, looking])


def page_of(turned: str, asked: str, count: int) -> int:
    """The page that a button named, if it was one of this list: "2 0f3e..."; else the first."""
    number, _space, of = turned.partition(" ")
    last = max(1, -(-count // render_shelf.PAGE))
    return min(page_number(number), last) if of == asked else 1
