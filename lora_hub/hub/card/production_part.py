"""The part of an adapter's card that says which version is in production, and why. It is written anew with each
promotion; the rest of the card stays as it is.

    text = with_production(text, promotions)
"""

import re

from lora_hub.evaluation import metrics
from lora_hub.hub.card.markdown import escape
from lora_hub.hub.promotion import Measured, Promotion, Promotions

BEGIN, END = "<!-- lora-hub: production -->", "<!-- lora-hub: end of production -->"
_PART = re.compile(f"\n*{re.escape(BEGIN)}.*{re.escape(END)}\n*", re.DOTALL)
MOST_SHOWN = 10
KINDS = {"better": "measured better", "reason": "by an admin, with a reason", "rolled_back": "rolled back"}


def with_production(card: str, promotions: Promotions) -> str:
    """The card with this record in it, in the place of an earlier one or at the end; without one where there is none.
    The lines may be a stranger's: they stand there as words."""
    rest = _PART.sub("\n\n", card).rstrip() + "\n"
    if not promotions.entries:
        return rest if _PART.search(card) else card
    lines = ["| when | version | instead of | why | on the task | general questions |", "|---|---|---|---|---|---|"]
    lines += [_line(one) for one in reversed(promotions.entries[-MOST_SHOWN:])]
    said = f"The tag `production` is on {escape(promotions.entries[-1].version)}."
    text = "\n".join(
        [
            BEGIN,
            "",
            "## In production",
            "",
            f"{said} Each move of it, the newest first; differences in points with 95 % intervals, the general "
            "questions against the base.",
            "",
            *lines,
            "",
            END,
        ]
    )
    return f"{rest}\n{text}\n"


def _line(one: Promotion) -> str:
    why = KINDS[one.kind] + (f": {escape(one.reason, 300)}" if one.reason else "") + f" ({escape(one.by, 60)})"
    why += f"; {one.before_name or 'what was there'} could not be read" if one.unread else ""
    cells = [
        escape(one.at[:16], 20),
        one.version,
        one.before_name or "nothing",
        why,
        _cell(one.task),
        _cell(one.general),
    ]
    return f"| {' | '.join(cells)} |"


def _cell(found: Measured | None) -> str:
    if found is None:
        return "–"
    title = escape(metrics.title_of(found.metric).en, 60)
    sides = {"version": "the new version", "against": escape(found.against, 60)}
    notes = ""
    if found.left_out:
        by = " and ".join(sides[side] for side in found.left_by)
        notes += f"; {found.left_out:,} others, with which {by} was trained, left out"
    if found.maybe:
        by = " and ".join(sides[side] for side in found.maybe)
        notes += f"; {by} may have learned some of them"
    return (
        f"{title} {found.score:.1f} against {found.other:.1f} ({escape(found.against, 60)}): {found.difference:+.1f} "
        f"({found.low:+.1f} to {found.high:+.1f}), {found.rows:,} rows{notes}"
    )
