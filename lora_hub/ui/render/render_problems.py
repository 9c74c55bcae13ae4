"""The pre-flight checks -> HTML: mends applied, problems as cards with their mends and rows, and the labels.

Clickable elements carry attributes (JSON for mends), which problems.js sends.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.languages import ENGLISH, percent
from lora_hub.core.languages import direction as direction_of
from lora_hub.core.messages import Message, _, _n, text_in
from lora_hub.core.schema import Mend, Problem
from lora_hub.ui.render.page_words import in_page_words
from lora_hub.ui.render.render import card, cell, escape, sentence
from lora_hub.ui.render.render_table import rows_table
from lora_hub.ui.render.text import digits, number, own_digits, t

# Severity of a finding -> the kind of its card, and the word for it.
_KIND = {"error": "bad", "warning": "warn", "info": "plain"}
_SEVERITY = {"error": _("Must be mended"), "warning": _("Worth a look"), "info": _("Good to know")}
SHOWN_LABELS = 1000  # they are in a box of their own that scrolls
# How many pairs a relabel mend lists.
SHOWN_PAIRS = 4


@dataclass(frozen=True)
class Labels:
    """The classes. counts: the most frequent first; names: suggestions for numeric classes."""

    counts: dict[str, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


NO_LABELS = Labels()


def report(
    problems: Sequence[Problem],
    done: Sequence[Any],
    opened: str,
    rows: Sequence[tuple[int, dict[str, str]]],
    labels: Labels,
    dataset: str,
    language: str,
    page: int = 1,
) -> str:
    """The full data report. opened: the code of the problem whose rows are shown, with one page of them; dataset: whose
    labels these are."""
    shown = [problem for problem in problems if not (labels.counts and problem.code == "labels")]
    return (
        done_list(done, language) + cards(shown, opened, rows, language, page) + labels_table(labels, dataset, language)
    )


def done_list(done: Sequence[Any], language: str) -> str:
    """The mends in force (`data.mends.Done`), each with the number of rows it changed and an undo button."""
    from lora_hub.data.mending import mends

    if not done:
        return ""
    items = []
    for one in done:
        rows = t(_n("{count:,} row", "{count:,} rows", count=one.rows), language)
        if not one.rows:
            rows = t(_("no row any more"), language)
        said = mends.describe(one.mend).in_language(language)
        items.append(
            f"<li{'' if one.rows else ' class=lh-idle'}><span>{sentence(said)}</span><b>{escape(rows)}</b>"
            f'<button type="button" class="lh-small" data-undo="{attribute(one.mend)}">'
            f"{escape(t(_('Undo'), language))}</button></li>"
        )
    everything = (
        f'<button type="button" class="lh-small" data-undo-all>{escape(t(_("Undo all"), language))}</button>'
        if len(done) > 1
        else ""
    )
    return (
        f'<section class="lh-done" aria-label="{escape(t(_("Mended"), language))}">'
        f"<header><h4>{escape(t(_('Mended'), language))}</h4>{everything}</header><ul>{''.join(items)}</ul></section>"
    )


def way_back(language: str) -> str:
    """A button that undoes all mends, for when the data cannot be inspected with them."""
    return (
        '<p class="lh-actions"><button type="button" class="lh-small" data-undo-all>'
        f"{escape(t(_('Undo all'), language))}</button></p>"
    )


def attribute(mend: Mend) -> str:
    """A mend as an attribute's value."""
    return escape(json.dumps(mend.model_dump(mode="json"), ensure_ascii=True, sort_keys=True))


def cards(
    problems: Sequence[Problem], opened: str, rows: Sequence[tuple[int, dict[str, str]]], language: str, page: int = 1
) -> str:
    """Findings about the data, the most severe first; mere information is folded."""
    if not problems:
        return card("good", escape(t(_("Nothing wrong found in the data."), language)))
    order = list(_KIND)
    by_weight = sorted(problems, key=lambda problem: order.index(problem.severity))
    drawn = {
        problem.code: problem_card(problem, rows if problem.code == opened else None, language, page)
        for problem in by_weight
    }
    grave = [drawn[problem.code] for problem in by_weight if problem.severity != "info"]
    light = [problem for problem in by_weight if problem.severity == "info"]
    first = "".join(grave) if grave else card("good", escape(t(_("Nothing wrong found in the data."), language)))
    folded = ""
    if light:
        is_open = " open" if any(problem.code == opened for problem in light) else ""
        words = t(_("Good to know ({count})"), language, count=number(len(light), language))
        inside = "".join(drawn[problem.code] for problem in light)
        folded = (
            f'<details class="lh-fold" data-key="info"{is_open}><summary>{escape(words)}</summary>'
            f'<div class="lh-cards">{inside}</div></details>'
        )
    return f'<div class="lh-cards">{first}{folded}</div>'


def problem_card(
    problem: Problem, rows: Sequence[tuple[int, dict[str, str]]] | None, language: str, page: int = 1
) -> str:
    """rows: those of the shown page; None: folded."""
    from lora_hub.data.mending import mends

    message, message_dir = _said(problem.said, language)
    hint, hint_dir = _said(problem.advice, language)
    kind = _KIND[problem.severity]
    word = t(_SEVERITY[problem.severity], language)
    role = ' role="alert"' if kind == "bad" else ""
    buttons = [
        f'<button type="button" class="lh-small{" lh-first" if place == 0 else ""}" data-mend="{attribute(mend)}" '
        f'title="{escape(mends.describe(mend).in_language(language))}">'
        f"{escape(mends.button(mend).in_language(language))}{_pairs(mend)}</button>"
        for place, mend in enumerate(problem.mends)
    ]
    if problem.task:
        words = t(_("Use “{task}”"), language, task=text_in(catalogue.get_task(problem.task).title, language))
        buttons.insert(
            0,
            (
                f'<button type="button" class="lh-small lh-first" data-task="{escape(problem.task)}">'
                f"{escape(words)}</button>"
            ),
        )
    if problem.rows:
        is_open = "true" if rows is not None else "false"
        buttons.append(
            f'<button type="button" class="lh-plainbutton" data-rows="{escape(problem.code)}" '
            f'aria-expanded="{is_open}">'
            f"{escape(t(_('Hide rows') if rows is not None else _('Show rows'), language))}</button>"
            f"{_numbers(problem, language)}"
        )
    actions = f'<div class="lh-actions">{"".join(buttons)}</div>' if buttons else ""
    below = hint_text = ""
    if rows is not None:
        below = (
            rows_table(rows, max(problem.count, len(rows)), language, problem.code, page)
            if rows
            else f'<p class="lh-quiet">{escape(t(_("These rows are no longer in the table."), language))}</p>'
        )
    if hint:
        hint_text = f'<p dir="{hint_dir}">{sentence(hint)}</p>'
    return (
        f'<article class="lh-card lh-{kind}" data-code="{escape(problem.code)}"{role}>'
        f'<span class="lh-card-kind">{escape(word)}</span><strong dir="{message_dir}">{sentence(message)}</strong>'
        f"{hint_text}{actions}{below}</article>"
    )


def _said(message: Message, language: str) -> tuple[str, str]:
    """The finding's sentence in the page's language if there is one, and its direction."""
    message = in_page_words(message)
    text = message.in_language(language)
    if text == message.en:
        return text, direction_of(ENGLISH)
    return own_digits(text, language), direction_of(language)


def _pairs(mend: Mend) -> str:
    """Which labels a relabel mend changes into which."""
    if mend.kind != "relabel":
        return ""
    shown = [
        f"<bdi>{escape(old)}</bdi> → <bdi>{escape(new)}</bdi>" for old, new in list(mend.values.items())[:SHOWN_PAIRS]
    ]
    more = " …" if len(mend.values) > SHOWN_PAIRS else ""
    return f'<small dir="ltr">{", ".join(shown)}{more}</small>'


def _numbers(problem: Problem, language: str) -> str:
    """The first row numbers; dots indicate more."""
    shown = t(_(", "), language).join(digits(str(row), language) for row in problem.rows[:6])
    if max(problem.count, len(problem.rows)) > 6:
        shown += " …"
    said = _("row {rows}") if len(problem.rows) == 1 and problem.count <= 1 else _("rows {rows}")
    return f'<span class="lh-rows">{escape(t(said, language, rows=shown))}</span>'


def labels_table(labels: Labels, dataset: str, language: str) -> str:
    """The classes, each with its count, a bar, and a field for a new name. Two classes with the same name are
    merged."""
    if not labels.counts:
        return ""
    most, total = max(labels.counts.values()), sum(labels.counts.values())
    rows = []
    for label, count in list(labels.counts.items())[:SHOWN_LABELS]:
        name = t(_("New name of {label}"), language, label=label)
        share = number(100 * count / total, language, 1 if 100 * count < 10 * total else 0)
        rows.append(
            f'<tr><td>{cell(label, 120)}</td><td class="lh-count"><span>{number(count, language)}</span>'
            f'<span class="lh-quiet">{percent(share, language)}</span>'
            f'<i class="lh-mini" aria-hidden="true"><i style="inline-size:{100 * count / most:.0f}%"></i></i></td>'
            f'<td><input type="text" dir="auto" data-label="{escape(label)}" '
            f'value="{escape(labels.names.get(label, ""))}" placeholder="{escape(label[:60])}" '
            f'aria-label="{escape(name)}" maxlength="200" autocomplete="off" spellcheck="false"></td></tr>'
        )
    left = len(labels.counts) - len(rows)
    more = (
        f'<p class="lh-quiet">{escape(t(_("and {count} more"), language, count=number(left, language)))}</p>'
        if left > 0
        else ""
    )
    heads = "".join(
        f'<th scope="col">{escape(t(head, language))}</th>' for head in (_("Label"), _("Rows"), _("New name"))
    )
    words = (
        t(_("One label"), language)
        if len(labels.counts) == 1
        else t(_("Labels ({count})"), language, count=number(len(labels.counts), language))
    )
    return (
        f'<details class="lh-fold lh-labels" data-key="labels" data-dataset="{escape(dataset)}"'
        f"{' open' if labels.names else ''}><summary>{escape(words)}</summary>"
        '<div class="lh-scroll" tabindex="0"><table class="lh-table">'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>{more}"
        '<p class="lh-renaming"><button type="button" class="lh-small lh-first" data-rename>'
        f"{escape(t(_('Rename'), language))}</button>"
        f'<span class="lh-quiet">{escape(t(_("The same name for two labels merges them."), language))}</span></p>'
        "</details>"
    )
