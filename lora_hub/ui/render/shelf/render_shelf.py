"""The organization's adapters -> HTML: as cards or as a table, a page at a time, each with its check box.

    shelf(View(found, page=1, ...), "en")

Everything here may be a stranger's: names, titles, tasks and bases are escaped and keep to their own direction.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from lora_hub.core import verdicts
from lora_hub.core.languages import name_of
from lora_hub.core.messages import _, _n
from lora_hub.core.schema import AdapterRef
from lora_hub.hub import headline
from lora_hub.ui.render.render import badge, empty, escape, filled, pager, table
from lora_hub.ui.render.render_data import WHO, metric_title
from lora_hub.ui.render.render_works import badges
from lora_hub.ui.render.text import between, iso_moment, percent, size_of, t
from lora_hub.works_in import Mark

# Adapters drawn at once: more are slow to draw and not read.
PAGE = 48
CARDS, TABLE = "cards", "table"


@dataclass(frozen=True)
class View:
    """What is drawn. found: those that the filters left, in order. total: of how many. chosen: the repo id of the open
    one. picked: repo ids of those whose boxes are checked. titles: task id -> title in the reader's language.
    page: counts from 1. where: `pager`'s. collection: the title of the one that is shown. works: where each works, by
    repo id, as far as that is known."""

    found: Sequence[AdapterRef]
    total: int
    organization: str
    chosen: str = ""
    picked: Set[str] = frozenset()
    titles: Mapping[str, str] = field(default_factory=dict)
    form: str = CARDS
    page: int = 1
    where: str = ""
    collection: str = ""
    may_train: bool = True
    works: Mapping[str, Sequence[Mark]] = field(default_factory=dict)


def shelf(view: View, language: str) -> str:
    """The list; where it is empty, why and what next."""
    if not view.found:
        own = _("Train one in Fine-tune (the spam sample takes about a minute), then press Publish in Runs.")
        others = _("Adapters that members publish appear here.")
        return (
            empty(t(_("No adapter matches this filter."), language), t(_("Clear the search or a filter."), language))
            if view.total
            else empty(
                t(_("No adapter here yet"), language),
                t(own if view.may_train else others, language),
                ("finetune", t(_("Go to Fine-tune"), language)) if view.may_train else None,
            )
        )
    shown = drawn(view.found, view.page)
    listed = _table(shown, view, language) if view.form == TABLE else _cards(shown, view, language)
    turning = pager(view.where, view.page, PAGE, len(view.found), language) if len(view.found) > PAGE else ""
    return _head(view, language) + listed + turning


def drawn(found: Sequence[AdapterRef], page: int) -> Sequence[AdapterRef]:
    """Those of one page."""
    first = PAGE * (page - 1)
    return found[first : first + PAGE]


def _head(view: View, language: str) -> str:
    """How many there are, and how many are picked: page.js's part of the shelf counts on (adapters_tab.PICKING)."""
    counted = filled(
        _n("One adapter in {organization}", "{count:,} adapters in {organization}", count=view.total),
        language,
        organization=f"<bdi>{escape(view.organization)}</bdi>",
    )
    if len(view.found) != view.total:
        shown = filled(_n("{count:,} shown", "{count:,} shown", count=len(view.found)), language)
        counted += f"{between(language)}{shown}"
    if view.collection:
        named = filled(_("collection {name}"), language, name=f"<b><bdi>{escape(view.collection)}</bdi></b>")
        counted += f"{between(language)}{named}"
    said = escape(t(_("{count} selected"), language, count="#"))
    hint = escape(t(_("Check several to compare them, or to put them into a collection."), language))
    clear = escape(t(_("Clear selection"), language))
    return (
        f'<div class="lh-shelf-head"><p class="lh-quiet">{counted}</p><p class="lh-quiet lh-pick-hint">{hint}</p>'
        f'<p class="lh-quiet lh-picked" '
        f'role="status" data-said="{said}"></p><button type="button" class="lh-small" data-unpick '
        f"hidden>{clear}</button></div>"
    )


def _cards(shown: Sequence[AdapterRef], view: View, language: str) -> str:
    return f'<ul class="lh-shelf-cards">{"".join(_card(ref, view, language) for ref in shown)}</ul>'


def _card(ref: AdapterRef, view: View, language: str) -> str:
    facts = [
        f"<bdi>{escape(ref.base)}</bdi>" if ref.base else "",
        _languages(ref, language),
        escape(size_of(ref.size, language)) if ref.size else "",
        f"<bdi>{escape(iso_moment(ref.updated[:10], language))}</bdi>" if ref.updated else "",
        filled(_("by {owner}"), language, owner=f"<bdi>{escape(ref.owner)}</bdi>") if ref.owner else "",
    ]
    task = badge(view.titles.get(ref.task, ref.task), "live") if ref.task else ""
    title = f'<p class="lh-shelf-title"><bdi>{escape(ref.title)}</bdi></p>' if _has_title(ref) else ""
    told = between(language).join(one for one in facts if one)
    return (
        f'<li class="lh-shelf-card"><div class="lh-shelf-name">{_box(ref, view, language)}{_opener(ref, view)}</div>'
        f"{title}<p>{task}{_marks(ref, language)}</p><p>{_score(ref, language)}</p>"
        f'<p class="lh-quiet">{told}</p>{badges(view.works.get(ref.repo_id, ()), language)}'
        f"{_compare(ref, language)}</li>"
    )


def _table(shown: Sequence[AdapterRef], view: View, language: str) -> str:
    heads = [
        "",
        t(_("Adapter"), language),
        t(_("Task"), language),
        t(_("Base"), language),
        t(_("Language"), language),
        t(_("Metric"), language),
        t(_("Size"), language),
        t(_("Owner"), language),
        t(_("Updated"), language),
        "",
    ]
    rows = [
        [
            _box(ref, view, language),
            _opener(ref, view) + _marks(ref, language) + badges(view.works.get(ref.repo_id, ()), language),
            escape(view.titles.get(ref.task, ref.task)),
            f"<bdi>{escape(ref.base)}</bdi>",
            _languages(ref, language),
            _score(ref, language),
            escape(size_of(ref.size, language)) if ref.size else "",
            f"<bdi>{escape(ref.owner)}</bdi>" if ref.owner else "",
            f'<span class="lh-quiet"><bdi>{escape(iso_moment(ref.updated[:10], language))}</bdi></span>',
            _compare(ref, language),
        ]
        for ref in shown
    ]
    return table(heads, rows, "lh-shelf", stacked=True)


def _opener(ref: AdapterRef, view: View) -> str:
    owner, _slash, name = ref.repo_id.rpartition("/")
    current = ' aria-current="true"' if ref.repo_id == view.chosen else ""
    return (
        f'<button type="button" class="lh-open" data-open="{escape(ref.repo_id)}"{current}><b><bdi>{escape(name)}</bdi>'
        f'</b><span class="lh-quiet"><bdi>{escape(owner)}</bdi></span></button>'
    )


def _box(ref: AdapterRef, view: View, language: str) -> str:
    says = escape(t(_("Select {name}"), language, name=ref.repo_id))
    checked = " checked" if ref.repo_id in view.picked else ""
    return f'<input type="checkbox" class="lh-pick" data-pick="{escape(ref.repo_id)}" aria-label="{says}"{checked}>'


def _compare(ref: AdapterRef, language: str) -> str:
    return (
        f'<button type="button" class="lh-small" data-compare="{escape(ref.repo_id)}">'
        f"{escape(t(_('Compare'), language))}</button>"
    )


def _has_title(ref: AdapterRef) -> bool:
    return bool(ref.title) and ref.title != ref.repo_id.rpartition("/")[2]


def _marks(ref: AdapterRef, language: str) -> str:
    said = [
        badge(t(_("unpublished"), language), "warn") if ref.unpublished else "",
        badge(t(_("private"), language)) if ref.private and not ref.unpublished else "",
    ]
    return "".join(said)


def _languages(ref: AdapterRef, language: str) -> str:
    return escape(between(language).join(name_of(code, language) for code in ref.languages))


def _score(ref: AdapterRef, language: str) -> str:
    """The first metric: the adapter's score, and beside it the base's, by whichever way of prompting it was better."""
    first = headline(ref)
    if first is None:
        return ""
    name, score = first
    before = of = ""
    if any(name in ref.metrics.get(who, {}) for who in verdicts.BASE_WAYS):
        who = verdicts.stronger_base(ref.metrics, name)
        before = (
            f'<span class="lh-quiet">{between(language)}{escape(t(WHO[who], language))} '
            f"{escape(percent(ref.metrics[who][name].value, language))}</span>"
        )
    if score.rows:
        rows = t(_n("({count:,} row)", "({count:,} rows)", count=score.rows), language)
        of = f'<span class="lh-quiet"> {escape(rows)}</span>'
    return (
        f'<span title="{escape(metric_title(name, language))}"><b>'
        f"{escape(percent(score.value, language))}</b> {escape(metric_title(name, language))}{of}{before}</span>"
    )
