"""Where an adapter works -> HTML: a badge for each place, and in full with the reasons.

folded(marks, "en")         how many there are; the list with reasons is inside
badges(marks, "en")         one line, for a card of the shelf
"""

from collections.abc import Sequence

from lora_hub.core.messages import Message, _
from lora_hub.ui.render.render import escape, sentence
from lora_hub.ui.render.text import t
from lora_hub.works_in import Mark

# By `Mark.works`: the badge's colour, its sign, and what the sign says.
SIGNS: dict[str, tuple[str, str, Message]] = {
    "yes": ("good", "✓", _("works")),
    "if": ("warn", "!", _("works on a condition")),
    "no": ("bad", "✕", _("does not work")),
    "unknown": ("plain", "?", _("unknown")),
}


def badges(marks: Sequence[Mark], language: str) -> str:
    """A badge for each place where it works or may; its title says why. The open adapter tells all of them."""
    shown = [mark for mark in marks if mark.works != "no"]
    if not shown:
        return ""
    return f'<p class="lh-works-line">{"".join(_badge(mark, language, titled=True) for mark in shown)}</p>'


def folded(marks: Sequence[Mark], language: str) -> str:
    """Every place with its reason, folded: who trains a first adapter need not know these programs."""
    if not marks:
        return ""
    working = sum(mark.works in ("yes", "if") for mark in marks)
    said = t(_("Works in {some} of {all} other programs", some=working, all=len(marks)), language)
    return (
        f'<details class="lh-fold lh-works" data-key="works"><summary>{escape(said)}</summary>'
        f"{_list(marks, language)}</details>"
    )


def _list(marks: Sequence[Mark], language: str) -> str:
    lines = []
    for mark in marks:
        why = f'<span class="lh-quiet">{sentence(t(mark.why, language))}</span>' if mark.reasons else ""
        lines.append(f"<li>{_badge(mark, language)}{why}</li>")
    return f"<ul>{''.join(lines)}</ul>"


def _badge(mark: Mark, language: str, *, titled: bool = False) -> str:
    kind, sign, said = SIGNS[mark.works]
    word = t(said, language)
    why = f' title="{escape(f"{word}: {t(mark.why, language)}" if mark.reasons else word)}"' if titled else ""
    return (
        f'<span class="lh-badge lh-{kind}"{why}><span aria-hidden="true">{sign}</span>'
        f'<span class="lh-unseen">{escape(word)}: </span> {escape(t(mark.title, language))}</span>'
    )
