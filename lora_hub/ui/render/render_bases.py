"""What each base takes on this machine, and the one that suits -> HTML."""

from lora_hub.core import languages, settings
from lora_hub.core.messages import _
from lora_hub.core.verdicts import tell_about
from lora_hub.ui.render.render import badge, escape, filled, note, table
from lora_hub.ui.render.text import between, count_of, size_of, t
from lora_hub.use_cases import BaseChoice, BaseMark

KINDS = {"fits": "good", "slow": "warn", "large": "bad", "unknown": "plain"}
PLACES = {"here": _("here"), "package": _("from the package index"), "hub": _("from the Hub")}


def suited(found: BaseChoice, chosen: str, language: str, *, only: str = "") -> str:
    """Which base suits, with a button unless it is chosen, and what the list below it says of all. only: the one that
    can be chosen, since the adapter to go on from, or the tasks on the list, have it."""
    return ("" if only else _proposal(found, chosen, language)) + _list(found, chosen, language, only)


def _proposal(found: BaseChoice, chosen: str, language: str) -> str:
    if not found.is_measured:
        if not settings.measures_speed():
            return ""
        return note(t(_("This machine is being measured; then the list says how long each base trains."), language))
    lines = []
    for one, said in (
        (found.proposed, _("Suited to this data and effort: {base}, {mark}.")),
        (found.beyond, _("If the Hub can be reached: {base}, {mark}.")),
    ):
        if one is None:
            continue
        base = f"<strong><bdi>{escape(one.title)}</bdi></strong>"
        line = filled(said, language, base=base, mark=escape(t(one.tell(found.memory_bytes), language)))
        choose = "" if one.id == chosen else _button(one, escape(t(_("Take it"), language)), language)
        lines.append(f'<p class="lh-suited">{line} {choose}</p>')
    return "".join(lines)


def _button(mark: BaseMark, shown: str, language: str) -> str:
    """shown: what stands on it, as HTML."""
    named = t(_("Take {base}"), language, base=mark.title)
    return (
        f'<button type="button" class="lh-plainbutton" data-base="{escape(mark.id)}" aria-label="{escape(named)}">'
        f"{shown}</button>"
    )


def _list(found: BaseChoice, chosen: str, language: str, only: str) -> str:
    rows = [_row(one, found, chosen, language, only) for one in found.marks]
    heads = [_("Base"), _("Size"), _("Languages"), _("Training"), _("Memory"), _("An answer")]
    told = t(
        _("Estimates for {rows:,} rows; an answer is 40 tokens, from base and adapter."), language, rows=found.rows
    )
    return (
        '<details class="lh-fold" data-key="bases">'
        f"<summary>{escape(t(_('All bases on this machine: time and memory'), language))}</summary>"
        f"{table([t(head, language) for head in heads], rows, 'lh-marks', stacked=True)}"
        f'<p class="lh-quiet">{escape(told)}</p></details>'
    )


def _row(one: BaseMark, found: BaseChoice, chosen: str, language: str, only: str) -> list[str]:
    name = f"<bdi>{escape(one.title)}</bdi>"
    if one.id == chosen:
        name = f'<strong aria-current="true">{name}</strong>'
    elif only in ("", one.id):
        name = _button(one, name, language)
    spoken = between(language).join(languages.name_of(code, language) for code in one.languages) or "–"
    answer = t(_("about {time}"), language, time=t(tell_about(one.answer_seconds), language))
    return [
        f'{name} <span class="lh-quiet">{escape(t(PLACES[one.place], language))}</span>',
        escape(count_of(one.parameters, language)) if one.parameters else "–",
        escape(spoken),
        badge(t(one.tell(found.memory_bytes), language), KINDS[one.verdict]),
        escape(size_of(one.memory_bytes, language)) if one.memory_bytes else "–",
        escape(answer) if one.answer_seconds else "–",
    ]
