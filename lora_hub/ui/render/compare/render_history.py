"""The comparisons that a person kept -> HTML: the list with its buttons, and what stands above an opened one."""

from collections.abc import Sequence
from datetime import UTC, datetime

from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Comparison
from lora_hub.ui.render.compare.render_panes import BASES
from lora_hub.ui.render.render import badge, cell, empty, escape, sentence, table
from lora_hub.ui.render.text import iso_moment, t


def history(found: Sequence[Comparison], language: str, is_filtered: bool, asked_for: str = "") -> str:
    """asked_for: the id of the one whose Delete was pressed once."""
    if not found:
        said = _("No comparison has these words.") if is_filtered else _("No comparison is kept here yet.")
        return empty(t(said, language))
    counted = t(_n("{count:,} comparison", "{count:,} comparisons", count=len(found)), language)
    heads = [*(t(said, language) for said in (_("Question"), _("Models"), _("Time"))), ""]
    rows = [
        [
            f'<button type="button" class="lh-open" data-put="lh-comparison" data-value="{one.id}" data-anew>'
            f"<span>{cell(one.asked, 120)}</span></button>",
            _models(one, language),
            f'<span class="lh-quiet"><bdi>{escape(_time(one, language))}</bdi></span>',
            buttons(one, language, asked_for),
        ]
        for one in found
    ]
    return f'<p class="lh-quiet">{sentence(counted)}</p>' + table(heads, rows, "lh-history", stacked=True)


def buttons(one: Comparison, language: str, asked_for: str = "") -> str:
    """What its owner does with a comparison. asked_for: as in `history`."""
    is_shared = one.visibility == "organization"
    shares = ("unshare", _("Keep private")) if is_shared else ("share", _("Share"))
    deletes = ("delete!", _("Delete for good: press again")) if asked_for == one.id else ("delete", _("Delete"))
    acts = [shares, ("json", _("JSON")), ("markdown", _("Markdown")), deletes]
    drawn = [
        f'<button type="button" class="lh-small" data-put="lh-comparison-act" data-value="{act} {one.id}" data-anew>'
        f"{escape(t(words, language))}</button>"
        for act, words in acts
    ]
    link = (
        f'<button type="button" class="lh-small" data-link="?tab=compare&amp;comparison={one.id}" '
        f'data-copied="{escape(t(_("Copied"), language))}">{escape(t(_("Copy link"), language))}</button>'
    )
    shared = badge(t(_("shared"), language), "live") if is_shared else ""
    return f'<span class="lh-acts" data-of="{one.id}">{shared}{link}{"".join(drawn)}</span>'


def heading(one: Comparison, language: str, is_own: bool) -> str:
    """What stands above a comparison that was opened: when it was asked, and by whom."""
    said = (
        t(_("Your comparison of {time}"), language, time=_time(one, language))
        if is_own
        else t(_("A comparison by {owner}, {time}"), language, owner=one.owner, time=_time(one, language))
    )
    acts = buttons(one, language) if is_own else ""
    return f'<div class="lh-kept"><p class="lh-quiet">{sentence(said)}</p>{acts}</div>'


def _models(one: Comparison, language: str) -> str:
    blind = badge(t(_("blind"), language)) if one.is_blind else ""
    # in no order that could tell which answer is whose
    names = sorted({view.name for view in one.answers})
    titles = [t(BASES[name], language) if name in BASES else name for name in names]
    shown = "".join(f"<bdi>{escape(title)}</bdi><br>" for title in titles[:4])
    return shown + blind


def _time(one: Comparison, language: str) -> str:
    return iso_moment(datetime.fromtimestamp(one.at, UTC).isoformat()[:16], language)
