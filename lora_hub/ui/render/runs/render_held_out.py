"""A run's held-out rows -> HTML: each row's answers, their score by the task's own metric, and which was better.

Ticks and crosses are only shown if the task's metric decides right or wrong per row; else each answer has its own
score.
"""

import json
from collections.abc import Sequence
from typing import Any

from lora_hub.core.messages import Message, _
from lora_hub.core.schema import ADAPTER, BASE, HeldOutRow
from lora_hub.ui.render.compare.render_answers import chances, judged
from lora_hub.ui.render.render import card, cell, empty, escape, pager, sentence, table
from lora_hub.ui.render.render_data import WHO
from lora_hub.ui.render.render_table import direction_of, role_name
from lora_hub.ui.render.text import digits, number, percent, t

SHOWN_EXAMPLES = 50
# The filters, and the sort orders.
FILTERS = {
    "all": _("all"),
    "wrong": _("adapter not fully right"),
    "better": _("better than the base"),
    "worse": _("worse than the base"),
}
ORDERS = {
    "file": _("as in the file"),
    "score": _("adapter's worst first"),
    "difference": _("largest loss against the base first"),
}


def pick_rows(
    rows: Sequence[HeldOutRow], show: str = "all", order: str = "file", against: str = BASE
) -> list[HeldOutRow]:
    """The held-out rows of a filter, in an order.

    wrong: the adapter's score is not 100. better, worse: than the base, prompted as `against` says. score: the
    adapter's lowest score first. difference: the adapter's largest loss against the base first.
    """
    chosen = {
        "all": lambda row: True,
        "wrong": lambda row: row.judgements[ADAPTER].score < 100,
        "better": lambda row: _difference(row, against) > 0,
        "worse": lambda row: _difference(row, against) < 0,
    }
    keys = {
        "file": lambda row: row.row,
        "score": lambda row: (row.judgements[ADAPTER].score, _given(row)),
        "difference": lambda row: (_difference(row, against), _given(row)),
    }
    picked = [row for row in rows if chosen[show](row)]
    return sorted(picked, key=keys[order])


def _difference(row: HeldOutRow, against: str) -> float:
    return row.judgements[ADAPTER].score - row.judgements.get(against, row.judgements[BASE]).score


def _given(row: HeldOutRow) -> float:
    """The probability that the adapter gave to the reference label. Among rows that are all wrong, the most confident
    mistake comes first."""
    return row.answers[ADAPTER].probabilities.get(str(row.reference), 0.0)


def held_out_rows(
    rows: Sequence[HeldOutRow],
    show: str,
    language: str,
    *,
    order: str = "file",
    against: str = BASE,
    page: int = 1,
    place: str = "",
    missing: Message | None = None,
) -> str:
    """One page of a table of held-out rows with all answers. place: what a click on another page sends before its
    number. missing: what could not be read, in words."""
    picked = pick_rows(rows, show, order, against)
    told = ""
    if missing is not None:
        told = card("warn", sentence(missing.in_language(language)))
    if not picked:
        return told + (empty(t(_("There is no such row."), language)) if rows or missing is None else "")
    who = [one for one in WHO if one in picked[0].answers]
    graded = picked[0].judgements[ADAPTER].right is None
    heads = [
        "#",
        t(_("Input"), language),
        t(_("Right answer"), language),
        *[t(WHO[one], language) for one in who],
        *([t(_("Difference"), language)] if graded else []),
    ]
    counted = len(picked)
    page = min(max(1, page), -(-counted // SHOWN_EXAMPLES))
    picked = picked[SHOWN_EXAMPLES * (page - 1) : SHOWN_EXAMPLES * page]
    cells = []
    for row in picked:
        shown = row.reference if isinstance(row.reference, str) else " / ".join(row.reference)
        change = _difference(row, against)
        gain = (
            f'<span class="lh-gain lh-{"good" if change > 0 else "bad" if change < 0 else "plain"}" dir="ltr">'
            f"{'+' if change >= 0 else '−'}{escape(number(abs(change), language, 1))}</span>"
        )
        cells.append(
            [
                escape(digits(str(row.row), language)),
                inputs_cell(row.inputs, language),
                cell(shown),
                *[_answer(row, one, language) for one in who],
                *([gain] if graded else []),
            ]
        )
    texts = [
        [next(iter(row.inputs.values()), "") for row in picked],
        [row.reference for row in picked],
        *[[row.answers[one].text for row in picked] for one in who],
    ]
    directions = ["", *[direction_of(one) for one in texts], *([""] if graded else [])]
    if counted <= SHOWN_EXAMPLES:
        shown, total = number(counted, language), number(len(rows), language)
        said = f'<p class="lh-quiet">{escape(t(_("{shown} of {total}"), language, shown=shown, total=total))}</p>'
    else:
        said = pager(
            f'data-put="lh-examples-page" data-value="{escape(place)} {{page}}"',
            page,
            SHOWN_EXAMPLES,
            counted,
            language,
        )
    return told + said + table(heads, cells, "lh-examples", directions, stacked=True)


def _answer(row: HeldOutRow, who: str, language: str) -> str:
    """An answer with its mark or its own score; a label with its probability and, behind it, those of the other
    labels."""
    answer, judgement = row.answers[who], row.judgements[who]
    kind = "" if judgement.right is None else "lh-right" if judgement.right else "lh-wrong"
    score = f" {judged(judgement, language)}" if judgement.right is None else ""
    likely = answer.probabilities
    others = ""
    if likely:
        sure = escape(percent(100 * answer.confidence, language))
        others = (
            f'<details class="lh-others"><summary class="lh-quiet">{sure}</summary>'
            f"{chances(likely, language)}</details>"
        )
    return f'<span class="{kind}">{cell(answer.text, 300)}</span>{score}{others}'


def inputs_cell(inputs: dict[str, Any], language: str) -> str:
    """A row's inputs, each with its name if there are several."""
    if len(inputs) == 1:
        return cell(_as_words(next(iter(inputs.values()))), 300)
    return "".join(
        f'<div><span class="lh-quiet">{escape(role_name(role, language))}</span> {cell(_as_words(value), 240)}</div>'
        for role, value in inputs.items()
        if value
    )


def _as_words(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(
            f"{turn.get('role', '')}: {turn.get('content', '')}" if isinstance(turn, dict) else str(turn)
            for turn in value
        )
    return (
        value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    )
