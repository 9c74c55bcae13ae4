"""The tasks in step 5 that wait to be trained together -> HTML."""

from collections.abc import Sequence

from lora_hub.core.messages import _, _n
from lora_hub.ui.render import render_plan
from lora_hub.ui.render.render import badge, escape, filled, sentence
from lora_hub.ui.render.text import between, direction, t
from lora_hub.ui.tabs.finetune.task_list import Entry, prices, takes, title_of

# Sends which entry's Remove was pressed. Until the response arrives nothing else can be pressed (finetune.py releases
# the page).
REMOVE = """element.addEventListener('click', (event) => {
  const found = event.target.closest('[data-remove]');
  if (!found) return;
  window.loraHub.hold('list');
  trigger('unlist', {id: found.dataset.remove});
});"""


def task_list(entries: Sequence[Entry], language: str) -> str:
    """The list of step 5: title, data, rows, adapter, a remove button, and what prevents its training now. Below it,
    what all take on this machine, and what a job costs that trains several of them."""
    if not entries:
        return ""
    items = []
    for entry in entries:
        title = escape(title_of(entry.asked, language))
        data = entry.asked.dataset.partition("/")[2]
        facts = [
            f"<bdi>{escape(data)}</bdi>",
            escape(t(_n("{count:,} row", "{count:,} rows", count=entry.rows), language)),
        ]
        if entry.adapter:
            facts.append(f'<code dir="ltr">{escape(entry.adapter)}</code>')
        wrong = ""
        if entry.message:
            told = (
                f"<strong>{escape(t(_('Cannot be trained any more.'), language))}</strong> "
                f'<span dir="{direction(entry.message)}">{sentence(f"{entry.message} {entry.hint}".strip())}</span>'
            )
            wrong = f'<p class="lh-entry-wrong" role="alert">{told}</p>'
        edit, edit_named, mark = t(_("Edit"), language), _("Edit {task}"), ""
        if entry.edited:
            edit, edit_named = t(_("Keep as it was"), language), _("Keep {task} as it was")
            mark = badge(t(_("being edited"), language), "live")
        css = " lh-bad" if entry.message else " lh-edited" if entry.edited else ""
        items.append(
            f'<li class="lh-entry{css}"><div><b dir="auto">{title}{mark}</b>'
            f'<span class="lh-quiet">{between(language).join(facts)}</span></div>'
            f'<button type="button" class="lh-small" data-edit="{escape(entry.id)}" '
            f'aria-label="{filled(edit_named, language, task=title)}">{escape(edit)}</button>'
            f'<button type="button" class="lh-small" data-remove="{escape(entry.id)}" '
            f'aria-label="{filled(_("Remove {task}"), language, task=title)}">'
            f"{escape(t(_('Remove'), language))}</button>{wrong}</li>"
        )
    return (
        f'<section class="lh-tasks"><h4>{escape(t(_("Trained in one go"), language))}</h4><ol>{"".join(items)}'
        f"</ol>{render_plan.in_one_go(takes(list(entries)), language)}"
        f"{render_plan.price_notes(prices(list(entries)), language)}</section>"
    )
