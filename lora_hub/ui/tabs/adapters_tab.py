"""The Adapters tab: the organization's adapters by task and base, and each adapter's card, versions and scores."""

from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import HubError
from lora_hub.core.messages import _, text_in
from lora_hub.core.schema import AdapterRef
from lora_hub.hub import version_number
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame.page import LIGHT, Page
from lora_hub.ui.render import render, render_adapters, render_card, render_own_data
from lora_hub.ui.render.render import error_card
from lora_hub.ui.render.text import t

# Sends which adapter's Compare button was pressed; page.js handles clicks on names.
COMPARE = """element.addEventListener('click', (event) => {
  const found = event.target.closest('[data-compare]');
  if (found) trigger('pick', {id: found.dataset.compare});
});"""

# The adapters in the Compare tab, plus one. Wrapped in a list, because the return value has one item per output.
ADD = "(names, id) => [(names || []).includes(id) ? names : [...(names || []), id]]"


def build(page: Page, tab: gr.Tab) -> None:
    """Draws the tab inside the current context and wires it. The list of adapters is read when the tab is opened."""
    words = page.words
    chosen = page.adapter_id
    with gr.Column(elem_classes="lh-page lh-wide"):
        with gr.Row(elem_classes="lh-filter"):
            tasks = [(words(task.title), task.id) for task in catalogue.list_tasks()]
            task = gr.Dropdown(
                [(words(_("All")), ""), *tasks],
                value="",
                label=words(_("Task")),
                min_width=150,
                elem_id="lh-filter-task",
            )
            known = [(base.title or base.id, base.id) for base in bases.list_bases()]
            base = gr.Dropdown(
                [(words(_("All")), ""), *known],
                value="",
                label=words(_("Base")),
                allow_custom_value=True,
                min_width=150,
                elem_id="lh-filter-base",
            )
            org = gr.Textbox(
                page.organization, label=words(_("Organization")), max_lines=1, min_width=140, elem_id="lh-filter-org"
            )
            refresh = gr.Button(words(_("Refresh")), size="md", scale=0, min_width=110, elem_id="lh-refresh")
        shelf = shared.html(elem_id="lh-shelf", js_on_load=COMPARE)
        head = shared.html(elem_id="lh-adapter")
        with gr.Row(elem_classes="lh-tight"):
            compare = gr.Button(words(_("Add to Compare")), size="md", visible=False, elem_id="lh-adapter-compare")
            version = gr.Dropdown(
                [], label=words(_("What to delete")), visible=False, min_width=220, elem_id="lh-adapter-version"
            )
            delete = gr.Button(words(_("Delete")), size="md", scale=0, visible=False, elem_id="lh-adapter-delete")
        going = shared.html(elem_id="lh-adapter-going")
        card = shared.html(visible=False, elem_id="lh-card")
        picked, pressed, gone = (gr.Textbox("", visible="hidden") for _field in range(3))
    page.choices += [task, base]

    @shared.told
    def look(language: str, org: str, task: str, base: str, chosen: str, *, person: Person) -> Any:
        organization = org.strip() or page.organization
        found = use_cases.list_adapters(person, org=organization, task=task, base=base.strip())
        if not found and not task and not base.strip():
            try:
                use_cases.check_owner(person, organization)
            except HubError as error:  # replaces the list, which belongs to another organization
                return error_card(error, language)
        titles = {one.id: text_in(one.title, language) for one in catalogue.list_tasks()}
        return render_adapters.shelf(
            found, chosen, titles, organization, bool(task or base), language, may_train=rules.may(person, Action.TRAIN)
        )

    @shared.told
    def pick(language: str, event: gr.EventData) -> Any:
        return str((event._data or {}).get("id", ""))[:200], gr.Tabs(selected="compare")

    @shared.told
    def open_card(language: str, repo_id: str, *, person: Person) -> Any:
        if not repo_id:
            return ["", gr.Button(visible=False), gr.HTML(visible=False), *no_deletion()]
        ref = use_cases.get_adapter(person, repo_id)
        versions = [(one.tag, one.commit, one.date, one.message) for one in use_cases.list_versions(person, repo_id)]
        text = render_card.card_html(use_cases.read_card(person, repo_id), ref.url, language)
        top = render_adapters.adapter_head(ref, language) + render_adapters.versions_table(versions, language)
        return [top, gr.Button(visible=True), gr.HTML(text, visible=True), *deletable(person, ref, language)]

    def deletable(person: Person, ref: AdapterRef, language: str) -> list[Any]:
        """What may be chosen for deletion: the Hub decides whether this person may, which only they can try."""
        if not rules.may(person, Action.PUBLISH) or not ref.task:
            return no_deletion()
        older = [tag for tag in ref.versions if version_number(tag)][1:]
        choices = [(t(_("the whole repository"), language), ""), *((tag, tag) for tag in older)]
        button, unpressed = shared.not_pressed(_("Delete"), language)
        return [gr.Dropdown(choices, value="", visible=True), button, "", unpressed]

    def no_deletion() -> list[Any]:
        return [gr.Dropdown(visible=False), gr.Button(visible=False), "", ""]

    def deletion_of(repo_id: str, version: str | None) -> str:
        return f"{repo_id}@{version or ''}"

    @shared.told
    def delete_it(language: str, repo_id: str, version: str | None, pressed_for: str, *, person: Person) -> list[Any]:
        """The first press says what goes; a second one for the same choice deletes it."""
        asked = deletion_of(repo_id, version)
        if pressed_for != asked:
            planned = use_cases.plan_deletion(person, repo_id, version or "")
            return [
                render_own_data.deletion(planned, language),
                *shared.asks_again(language, asked),
                gr.skip(),
                gr.skip(),
            ]
        deleted = use_cases.delete_adapter(person, repo_id, version or "")
        name = deleted.version or deleted.repo_id
        shared.inform(render.escape(t(_("{name} was deleted."), language, name=name)), language)
        return ["", *shared.not_pressed(_("Delete"), language), repo_id if version else "", asked]

    @shared.told
    def choose(language: str) -> list[Any]:
        return ["", *shared.not_pressed(_("Delete"), language)]

    asked = [page.language, org, task, base, chosen]
    looking = {
        "fn": look,
        "inputs": asked,
        "outputs": shelf,
        "concurrency_id": "hub",
        "concurrency_limit": 4,
        "api_visibility": "private",
    }
    # When outputs are written, the last response wins: after two quick filter changes the first one's rows must not
    # show.
    gr.on(
        [tab.select, refresh.click, task.input, base.change, org.submit, org.blur],
        **looking,
        show_progress="minimal",
        show_progress_on=[shelf],
        trigger_mode="always_last",
    )
    # The compared adapters are read from the page when the response arrives; they may have changed since the click.
    adding = {"fn": None, "outputs": page.compare_names, "js": ADD, "queue": False, "api_visibility": "private"}
    shelf.pick(pick, page.language, [picked, page.tabs], **LIGHT).then(inputs=[page.compare_names, picked], **adding)
    chosen.change(
        None, chosen, None, js="(id) => { window.loraHub.address('adapter', id, true); }", api_visibility="private"
    )
    opening = gr.on(
        [chosen.change, gone.change],
        open_card,
        [page.language, chosen],
        [head, compare, card, version, delete, going, pressed],
        concurrency_id="hub",
        show_progress="minimal",
        show_progress_on=[head],
        api_visibility="private",
    )
    opening.then(**looking, show_progress="hidden")
    # What is gone then is read again: the list, and the card of a repository that stays.
    deleting = delete.click(
        delete_it,
        [page.language, chosen, version, pressed],
        [going, delete, pressed, chosen, gone],
        concurrency_id="hub",
        show_progress="minimal",
        show_progress_on=[head],
        api_visibility="private",
    )
    shared.ask_only_for(deleting, deletion_of, [chosen, version], page.language, delete, pressed, _("Delete"), going)
    version.input(choose, page.language, [going, delete, pressed], **LIGHT)
    compare.click(inputs=[page.compare_names, chosen], **adding).then(
        lambda: gr.Tabs(selected="compare"), None, page.tabs, **LIGHT
    )
