"""What a search for a sum of adapters found -> HTML: whether one is offered, with the numbers of everybody who was
asked, and what it is made of."""

from typing import Any

from lora_hub.core.messages import Message, _
from lora_hub.core.schema import ADAPTER, BASE, BASE_EXAMPLES
from lora_hub.ui.render.render import card, escape, isolate, link, sentence, table, told
from lora_hub.ui.render.render_data import metric_title
from lora_hub.ui.render.text import number, t

WHO = {
    ADAPTER: _("The sum"),
    BASE: _("The base"),
    BASE_EXAMPLES: _("The base with examples in its prompt"),
}


def steps(done: int, total: int, language: str) -> str:
    """How far a search is."""
    said = t(
        _("Search and judgement: {done} of {total} steps"),
        language,
        done=number(done, language),
        total=number(total, language),
    )
    share = min(100.0, 100 * done / max(1, total))
    named = escape(t(_("Progress"), language))
    return (
        f'<div class="lh-waiting"><div class="lh-bar" role="progressbar" aria-label="{named}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{share:.0f}"><i style="inline-size:{share:.1f}%"></i></div>'
        f'<p role="status">{sentence(said)}</p></div>'
    )


def composed(found: Any, language: str) -> str:
    """found: a `use_cases.Composition`."""
    one = found.made.composed
    parts = [f"<p>{sentence(t(one.said, language))}</p>", _scores(one, language)]
    if one.is_offered:
        parts.append(_weights(found.made.recipe, language))
    for left in found.left:
        said = t(_("Left out: {adapter}. {why}"), language, adapter=f"«{left.adapter}»", why=t(left.said, language))
        parts.append(f'<p class="lh-quiet">{sentence(said)}</p>')
    title = _("A composed adapter is offered.") if one.is_offered else _("No sum is offered.")
    return card(
        "good" if one.is_offered else "plain", sentence(t(title, language)), "".join([*_where(found, language), *parts])
    )


def _where(found: Any, language: str) -> list[str]:
    """Where it is now."""
    if not found.made.composed.is_offered:
        return []
    if found.published is not None:
        said = t(_("Published:"), language)
        return [f"<p>{escape(said)} {link(found.published.url, found.published.repo_id)}</p>"]
    parts = []
    if found.trouble is not None:
        message, hint = told(found.trouble, language)
        parts.append(f"<p>{sentence(message)} {sentence(hint)}</p>")
    if found.made.folder is not None and found.made.folder.is_dir():
        said = t(_("Saved in {folder}."), language, folder=f"«{found.made.folder}»")
        parts.append(f"<p>{sentence(said)}</p>")
    else:
        said = t(_("It was not published, so nothing of it is kept: compose again and let it be published."), language)
        parts.append(f"<p>{sentence(said)}</p>")
    return parts


def _scores(one: Any, language: str) -> str:
    rows = [(t(said, language), one.scores[who][one.metric]) for who, said in WHO.items() if who in one.scores]
    rows += [(name, one.singles[name][one.metric]) for name in one.names]
    heads = [t(_("Asked"), language), metric_title(one.metric, language), t(_("95 % interval"), language)]
    interval: Message = _("{low} to {high}")
    cells = [
        [
            isolate(name),
            escape(number(score.value, language, 1)),
            escape(t(interval, language, low=number(score.low, language, 1), high=number(score.high, language, 1))),
        ]
        for name, score in rows
    ]
    return table(heads, cells)


def _weights(recipe: Any, language: str) -> str:
    heads = [t(_("Adapter"), language), t(_("Weight"), language)]
    rows = [[isolate(part.adapter), escape(number(part.weight, language, 3))] for part in recipe.parts]
    return table(heads, rows)
