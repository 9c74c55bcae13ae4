"""Several adapters of the shelf at once: their check boxes, Compare with all of them, and collections."""

import json
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _, _n
from lora_hub.core.schema import MOST_ADAPTERS
from lora_hub.hub import Collection
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame import page as shared
from lora_hub.ui.frame.page import LIGHT, Page
from lora_hub.ui.render import render
from lora_hub.ui.render.text import t
from lora_hub.ui.tabs.shelf.shelf_kept import KeptListings

MOST_PICKED = 200
# Keeps the checked boxes in a hidden field, from which the server draws them again, and says how many there are.
PICKING = """
const field = () => document.querySelector('#lh-picked :is(textarea, input)');
const picked = () => { try { return new Set(JSON.parse(field().value || '[]')); } catch { return new Set(); } };
const tell = () => {
  const count = picked().size, said = element.querySelector('.lh-picked');
  const clear = element.querySelector('[data-unpick]');
  const number = new Intl.NumberFormat(document.documentElement.lang).format(count);
  const words = count && said ? said.dataset.said.replace('#', number) : '';
  if (said && said.textContent !== words) said.textContent = words; // else the observer below would see its own writing
  if (clear) clear.hidden = !count;
};
const write = (all) => { window.loraHub.put('lh-picked', JSON.stringify([...all])); tell(); };
element.addEventListener('change', (event) => {
  const box = event.target.closest('[data-pick]');
  if (!box) return;
  const all = picked();
  all[box.checked ? 'add' : 'delete'](box.dataset.pick);
  write(all);
});
element.addEventListener('click', (event) => {
  if (!event.target.closest('[data-unpick]')) return;
  for (const box of element.querySelectorAll('[data-pick]')) box.checked = false;
  write([]);
});
new MutationObserver(tell).observe(element, { childList: true, subtree: true });
"""
# What was done with the checked ones is done: the list may come back as it was drawn, and then nothing unchecks them.
UNPICK = "(names) => { if (names === '[]') document.querySelector('#lh-shelf [data-unpick]')?.click(); }"


class Picked:
    """The fields below the shelf, drawn inside the current context."""

    def __init__(self, page: Page) -> None:
        words = page.words
        self.names = gr.Textbox("[]", visible="hidden", elem_id="lh-picked")
        with gr.Row(elem_classes="lh-tight lh-plainfields lh-picking"):
            self.compare = gr.Button(
                words(_("Compare selected")), size="md", visible=False, elem_id="lh-picked-compare"
            )
            self.target = gr.Dropdown(
                [],
                value=None,
                label=words(_("Collection to put them in")),
                info=words(_("Choose one, or type the title of a new one")),
                allow_custom_value=True,
                visible=False,
                min_width=240,
                elem_id="lh-picked-collection",
            )
            self.add = gr.Button(words(_("Add to collection")), size="md", visible=False, elem_id="lh-picked-add")
            self.take_out = gr.Button(
                words(_("Take out of collection")), size="md", visible=False, elem_id="lh-picked-out"
            )
        self.row = [self.compare, self.target, self.add, self.take_out]


def names_of(picked: str) -> list[str]:
    """The repo ids in the hidden field, which a browser may fill with anything."""
    try:
        names = json.loads(picked or "[]")
    except ValueError:
        return []
    return [str(one)[:200] for one in names[:MOST_PICKED]] if isinstance(names, list) else []


def offer(person: Person, collections: tuple[Collection, ...], is_filled: bool) -> list[Any]:
    """The row: Compare, and the fields for who may sort adapters into collections; nothing of it where the shelf is
    empty. The Hub decides whether this person may, which only they can try."""
    may = is_filled and rules.may(person, Action.PUBLISH)
    choices = [(one.title, one.slug) for one in collections]
    fields = [gr.Dropdown(choices=choices, visible=may), gr.Button(visible=may), gr.Button(visible=may)]
    return [gr.Button(visible=is_filled), *fields]


def wire(page: Page, picked: Picked, kept: KeptListings, org: gr.Textbox, reading: list[dict[str, Any]]) -> None:
    """reading: the events that read the shelf again, one after the other."""

    @shared.told
    def compare(language: str, names: str) -> list[Any]:
        chosen = names_of(names)
        if not 0 < len(chosen) <= MOST_ADAPTERS:
            raise SpecError(
                _n("{count} adapter is selected.", "{count} adapters are selected.", count=len(chosen)),
                _("Select 1 to {most} of them.", most=MOST_ADAPTERS),
            )
        return [gr.Dropdown(choices=chosen, value=chosen), gr.Tabs(selected="compare")]

    @shared.told
    def add(language: str, names: str, collection: str | None, org: str, *, person: Person) -> str:
        made = use_cases.add_to_collection(person, _some(names), collection or "", org.strip() or page.organization)
        kept.forget(person)
        said = _n("{title} now holds {count} adapter.", "{title} now holds {count} adapters.", count=len(made.adapters))
        shared.inform(render.sentence(t(said, language, title=made.title)), language)
        return "[]"

    @shared.told
    def take_out(language: str, names: str, collection: str | None, *, person: Person) -> str:
        chosen = _some(names)
        if not collection:
            raise SpecError(_("No collection is chosen."), _("Choose the one to take them out of."))
        made = use_cases.remove_from_collection(person, chosen, collection)
        kept.forget(person)
        said = _n("{title} now holds {count} adapter.", "{title} now holds {count} adapters.", count=len(made.adapters))
        shared.inform(render.sentence(t(said, language, title=made.title)), language)
        return "[]"

    picked.compare.click(compare, [page.language, picked.names], [page.compare_names, page.tabs], **LIGHT)
    by_hub = {"concurrency_id": "hub", "show_progress": "hidden", "api_visibility": "private"}
    added = picked.add.click(
        add, [page.language, picked.names, picked.target, org], picked.names, **by_hub, trigger_mode="once"
    )
    taken = picked.take_out.click(
        take_out, [page.language, picked.names, picked.target], picked.names, **by_hub, trigger_mode="once"
    )
    for changed in (added, taken):
        changed.then(None, picked.names, None, js=UNPICK, api_visibility="private")
        for event in reading:
            changed = changed.then(**event)


def _some(names: str) -> list[str]:
    chosen = names_of(names)
    if not chosen:
        raise SpecError(_("No adapter is selected."), _("Check the box of one or more of them."))
    return chosen
