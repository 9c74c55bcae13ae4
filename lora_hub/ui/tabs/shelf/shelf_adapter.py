"""The open adapter of the shelf: its card, versions and scores; unpublishing it, putting it back, deleting it.

Both buttons that take it away ask once, and say then what depends on it."""

from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.core.errors import AdapterError
from lora_hub.core.messages import _
from lora_hub.core.schema import AdapterRef
from lora_hub.hub import version_number
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame import export_part
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame.page import LIGHT, Page
from lora_hub.ui.render import render, render_own_data, render_works
from lora_hub.ui.render.shelf import render_adapters, render_card
from lora_hub.ui.render.text import t
from lora_hub.ui.tabs.shelf import promote
from lora_hub.ui.tabs.shelf.shelf_kept import KeptListings

UNPUBLISHING = "unpublish "  # what the button was pressed for, before the repo's id


class OneAdapter:
    """Its widgets, drawn inside the current context. going: what a press would take away. pressed: what one of the
    buttons was pressed for. gone: changes when something of the open adapter is gone;
    moved: when another version went into production."""

    def __init__(self, page: Page) -> None:
        words = page.words
        self.head = shared.html(elem_id="lh-adapter")
        with gr.Row(elem_classes="lh-tight"):
            self.compare = gr.Button(words(_("Add to Compare")), size="md", visible=False, elem_id="lh-adapter-compare")
        self.moved = promote.build(page)
        export_part.build(page, page.adapter_id)
        with gr.Row(elem_classes="lh-tight lh-plainfields"):
            self.version = gr.Dropdown(
                [], label=words(_("What to delete")), visible=False, min_width=220, elem_id="lh-adapter-version"
            )
            self.delete = gr.Button(words(_("Delete")), size="md", scale=0, visible=False, elem_id="lh-adapter-delete")
            self.unpublish = gr.Button(
                words(_("Unpublish")), size="md", scale=0, visible=False, elem_id="lh-adapter-unpublish"
            )
        self.going = shared.html(elem_id="lh-adapter-going")
        self.card = shared.html(visible=False, elem_id="lh-card")
        self.pressed, self.gone = (gr.Textbox("", visible="hidden") for _field in range(2))
        self.taking = [self.going, self.delete, self.unpublish, self.pressed]
        self.all = [self.head, self.compare, self.card, self.version, *self.taking]


def wire(page: Page, one: OneAdapter, kept: KeptListings) -> Any:
    """Wires its buttons, and returns the event that opens an adapter, after which the shelf is to be read again."""
    chosen = page.adapter_id

    @shared.told
    def open_card(language: str, repo_id: str, *, person: Person) -> list[Any]:
        if not repo_id:
            return ["", gr.Button(visible=False), gr.HTML(visible=False), *nothing_to_take()]
        ref = use_cases.get_adapter(person, repo_id)
        versions = [(one.tag, one.commit, one.date, one.message) for one in use_cases.list_versions(person, repo_id)]
        card = use_cases.read_card(person, repo_id)
        text = render_card.card_html(card, ref.url, language, use_cases.read_figures(person, repo_id, card))
        may_start = rules.may(person, Action.TRAIN)
        top = render_adapters.adapter_head(ref, language, may_start) + works_of(person, ref, language)
        top += render_adapters.versions_table(versions, language)
        top += render_adapters.made_from(ref, use_cases.list_made_from(person, repo_id), language)
        return [top, gr.Button(visible=True), gr.HTML(text, visible=True), *what_to_take(person, ref, language)]

    def works_of(person: Person, ref: AdapterRef, language: str) -> str:
        """Where it works; nothing where its configuration cannot be read, which Compare says of it."""
        try:
            return render_works.folded(use_cases.mark_adapter(person, ref), language)
        except AdapterError:
            return ""

    def what_to_take(person: Person, ref: AdapterRef, language: str) -> list[Any]:
        """What may be unpublished and deleted: the Hub decides whether this person may, which only they can try."""
        if not rules.may(person, Action.PUBLISH) or not ref.task:
            return nothing_to_take()
        older = [tag for tag in ref.versions if version_number(tag)][1:]
        choices = [(t(_("the whole repository"), language), ""), *((tag, tag) for tag in older)]
        return [gr.Dropdown(choices, value="", visible=True), *unpressed(language, ref.unpublished)]

    def nothing_to_take() -> list[Any]:
        return [gr.Dropdown(visible=False), "", gr.Button(visible=False), gr.Button(visible=False), ""]

    def unpressed(language: str, is_off: bool) -> list[Any]:
        """Both buttons before their first press. is_off: the adapter is off the shelf."""
        delete, nothing = shared.not_pressed(_("Delete"), language)
        said = t(_("Put back on the shelf") if is_off else _("Unpublish"), language)
        return ["", delete, gr.Button(said, variant="secondary", visible=True), nothing]

    def taken_back(language: str, pressed_for: str) -> Any:
        """The button that unpublishes, where the other one is pressed instead of it."""
        is_pressed = pressed_for.startswith(UNPUBLISHING)
        return gr.Button(t(_("Unpublish"), language), variant="secondary") if is_pressed else gr.skip()

    def deletion_of(repo_id: str, version: str | None) -> str:
        return f"{repo_id}@{version or ''}"

    def unpublishing_of(repo_id: str) -> str:
        return f"{UNPUBLISHING}{repo_id}"

    @shared.told
    def delete_it(language: str, repo_id: str, version: str | None, pressed_for: str, *, person: Person) -> list[Any]:
        """The first press says what goes; a second one for the same choice deletes it."""
        asked = deletion_of(repo_id, version)
        if pressed_for != asked:
            planned = use_cases.plan_deletion(person, repo_id, version or "")
            leaning = [] if version else use_cases.find_dependents(person, repo_id).tell()
            button, pressed = shared.asks_again(language, asked)
            said, other = render_own_data.deletion(planned, language, leaning), taken_back(language, pressed_for)
            return [said, button, other, pressed, gr.skip(), gr.skip()]
        deleted = use_cases.delete_adapter(person, repo_id, version or "")
        kept.forget(person)
        name = deleted.version or deleted.repo_id
        shared.inform(render.escape(t(_("{name} was deleted."), language, name=name)), language)
        delete, nothing = shared.not_pressed(_("Delete"), language)
        return ["", delete, gr.skip(), nothing, repo_id if version else "", asked]

    @shared.told
    def unpublish_it(language: str, repo_id: str, pressed_for: str, *, person: Person) -> list[Any]:
        """Putting back is done at once. For unpublishing the first press says what follows."""
        asked = unpublishing_of(repo_id)
        if use_cases.get_adapter(person, repo_id).unpublished:
            ref = use_cases.put_back(person, repo_id)
        elif pressed_for != asked:
            leaning = use_cases.find_dependents(person, repo_id).tell()
            delete, _nothing = shared.not_pressed(_("Delete"), language)
            again = gr.Button(t(_("Unpublish: press again"), language), variant="stop")
            return [render_adapters.unpublishing(repo_id, leaning, language), delete, again, asked, gr.skip()]
        else:
            ref = use_cases.unpublish_adapter(person, repo_id)
        kept.forget(person)
        said = _("{name} is off the shelf.") if ref.unpublished else _("{name} is on the shelf again.")
        shared.inform(render.escape(t(said, language, name=ref.repo_id)), language)
        return [*unpressed(language, ref.unpublished), ref.revision]

    @shared.told
    def choose(language: str, pressed_for: str) -> list[Any]:
        """Another version was chosen: neither button has been pressed for it."""
        delete, nothing = shared.not_pressed(_("Delete"), language)
        return ["", delete, taken_back(language, pressed_for), nothing]

    opening = gr.on(
        [chosen.change, one.gone.change, one.moved.change],
        open_card,
        [page.language, chosen],
        one.all,
        concurrency_id="hub",
        show_progress="minimal",
        show_progress_on=[one.head],
        api_visibility="private",
    )
    by_hub = {
        "concurrency_id": "hub",
        "show_progress": "minimal",
        "show_progress_on": [one.head],
        "api_visibility": "private",
    }
    # What is gone then is read again: the list, and the card of a repository that stays.
    deleting = one.delete.click(
        delete_it, [page.language, chosen, one.version, one.pressed], [*one.taking, chosen, one.gone], **by_hub
    )
    unpublishing = one.unpublish.click(
        unpublish_it, [page.language, chosen, one.pressed], [*one.taking, one.gone], **by_hub
    )
    asked = page.language, one.delete, one.pressed, _("Delete"), one.going
    shared.ask_only_for(deleting, deletion_of, [chosen, one.version], *asked)
    asked = page.language, one.unpublish, one.pressed, _("Unpublish"), one.going
    shared.ask_only_for(unpublishing, unpublishing_of, [chosen], *asked)
    one.version.input(choose, [page.language, one.pressed], one.taking, **LIGHT)
    return opening
