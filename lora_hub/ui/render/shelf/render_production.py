"""What is in production of an adapter, and what became of a promotion -> HTML. The record may be a stranger's: it is
shown as words."""

from typing import Any

from lora_hub.compare.promoting import not_read, tell_general, tell_task
from lora_hub.core.messages import Message, _
from lora_hub.hub import Production, Promotion
from lora_hub.ui.render.render import card, escape, filled, isolate, sentence, table
from lora_hub.ui.render.text import iso_moment, t

MOST_SHOWN = 10
# Why a version is in production.
WHY = {
    "better": _("measured better"),
    "reason": _("an admin's reason"),
    "rolled_back": _("rolled back"),
}


def production(place: Production, language: str) -> str:
    """What is in production, and below it the record of how it came there."""
    if not place.commit:
        what_for = _(
            "The version in production is the one that everybody gets as {name}. Promote compares a version with it, "
            "at first with the base, on the same rows, and puts it there only if it is better.",
            name=f"{place.repo_id}@production",
        )
        return card("plain", sentence(t(_("No version is in production."), language)), sentence(t(what_for, language)))
    said = filled(_("{version} is in production."), language, version=isolate(place.name))
    entries = place.promotions.entries[-MOST_SHOWN:][::-1]
    if not entries:
        return card("good", said)
    heads = [t(one, language) for one in (_("When"), _("Version"), _("Instead of"), _("Why"), _("By"))]
    rows = [
        [
            f"<bdi>{escape(iso_moment(one.at[:16], language))}</bdi>",
            f"<bdi>{escape(one.version)}</bdi>",
            f"<bdi>{escape(one.before_name)}</bdi>",
            _why(one, language),
            f"<bdi>{escape(one.by)}</bdi>",
        ]
        for one in entries
    ]
    title = escape(t(_("Promotions so far"), language))
    return card("good", said) + f"<details><summary>{title}</summary>{table(heads, rows, stacked=True)}</details>"


def _why(one: Promotion, language: str) -> str:
    said = [escape(t(WHY[one.kind], language))]
    if one.reason:
        said.append(f'<span dir="auto">{escape(one.reason)}</span>')
    told = [not_read(one.before_name)] if one.unread else []
    told += [tell_task(one.task, one.version)] if one.task else []
    told += [tell_general(one.general, one.version, one.limit)] if one.general else []
    return "<br>".join([*said, *(f'<small class="lh-quiet">{sentence(t(each, language))}</small>' for each in told)])


def outcome(found: Any, language: str) -> str:
    """What became of a promotion. found: a `promoting.Outcome`."""
    if found.why == "better":
        said: Message = _("{version} is in production now: it is measured better.")
    elif found.moved:
        said = _("{version} is in production now, for the reason that was given.")
    else:
        said = _("{version} was not promoted.")
    return card(
        "good" if found.moved else "bad",
        filled(said, language, version=isolate(found.version)),
        sentence(t(found.said, language)),
    )


def rolled_back(done: Promotion, language: str) -> str:
    said = _("{version} is in production again, instead of {before}.")
    version, before = isolate(done.version), isolate(done.before_name)
    return card("good", filled(said, language, version=version, before=before))
