"""The nouns of the Adapters and Compare tabs -> HTML: an adapter's facts, the panes of answers. The list of adapters is
`render_shelf`'s."""

from collections.abc import Mapping, Sequence
from typing import Any

from lora_hub.core.messages import Message, _, joined, text_in
from lora_hub.core.schema import BASE, AdapterRef, Answer, PaneAnswer
from lora_hub.ui.render.render import badge, card, cell, empty, escape, filled, isolate, link, sentence, table
from lora_hub.ui.render.render_answers import chances, judged
from lora_hub.ui.render.text import between, iso_moment, number, percent, t

# How an answer ended.
FINISH = {
    "stop": _("done"),
    "length": _("cut at the longest answer"),
    "cancelled": _("stopped"),
    "skipped": _("not asked"),
}


def _versions(versions: Sequence[str]) -> str:
    return "".join(badge(version, "good" if version == "production" else "plain") for version in versions)


def adapter_head(ref: AdapterRef, language: str) -> str:
    name = f"<bdi>{escape(ref.repo_id)}</bdi>"
    to_hub = link(ref.url, t(_("Open on the Hub"), language)) if ref.url else ""
    commit = f"<code>{escape(ref.revision[:12])}</code>" if ref.revision else ""
    off = badge(t(_("unpublished"), language), "warn") if ref.unpublished else ""
    return (
        f'<div class="lh-runhead"><h3>{name} {_versions(ref.versions)}{off}</h3><p class="lh-quiet">{commit} '
        f"{to_hub}</p></div>"
    )


def unpublishing(repo_id: str, leaning: Sequence[Message], language: str) -> str:
    """What unpublishing an adapter would do. leaning: what depends on it."""
    said = _("{repo} leaves the shelf and becomes private. Nothing is deleted, and it can be put back.", repo=repo_id)
    more = joined(*leaning, _("Press again to unpublish it."))
    return card("warn", sentence(t(said, language)), sentence(t(more, language)))


def versions_table(versions: Sequence[tuple[str, str, str, str]], language: str) -> str:
    """versions: (tag, commit, date, message)."""
    rows = [
        [
            badge(tag, "good" if tag == "production" else "plain"),
            f"<code>{escape(commit[:12])}</code>",
            f"<bdi>{escape(iso_moment(date[:16], language))}</bdi>",
            escape(message),
        ]
        for tag, commit, date, message in versions
    ]
    return (
        table([t(_("Versions"), language), t(_("Commit"), language), t(_("Updated"), language), ""], rows)
        if rows
        else ""
    )


def panes(
    views: Sequence[PaneAnswer], language: str, question: str = "", titles: Mapping[str, str] | None = None
) -> str:
    """The answers side by side, below their question. titles: the title that people know a pane by, if it is not its
    name."""
    if not views:
        return empty(
            t(_("Choose adapters and ask. Base and adapters answer beside each other, in one pass."), language)
        )
    base = next((view for view in views if view.name == BASE and view.answer.done), None)
    # If the tasks differ, each pane shows its own question.
    are_many = len({view.task.id if view.task else "" for view in views if view.answer.done}) > 1
    shown = [_pane(view, language, base, (titles or {}).get(view.name, ""), are_many) for view in views]
    asked = ""
    if question:
        # the style sheet shows the note once any part of the question has changed
        note = (
            '<p class="lh-stale-note" role="status">'
            f"{escape(t(_('The question has changed: these are answers to the one before. Ask again.'), language))}"
            "</p>"
        )
        asked = (
            f'{note}<p class="lh-asked"><span class="lh-quiet">{escape(t(_("Asked:"), language))}</span> '
            f"{cell(question, 300)}</p>"
        )
    return f'{asked}<div class="lh-panes" aria-live="polite">{"".join(shown)}</div>'


def _pane_name(name: str, title: str, language: str) -> str:
    """The parts of a run's line on lines of their own, the id last; a published adapter by its repo."""
    if not title:
        return f"<bdi>{escape(name)}</bdi>"
    # Each part is isolated (`RunName.line`), because a part may itself contain the separator.
    parts = title.removeprefix("\u2068").removesuffix("\u2069")
    first, *rest = parts.split(f"\u2069{between(language)}\u2068")
    facts = between(language).join(f"<bdi>{escape(part)}</bdi>" for part in rest)
    return f'<bdi>{escape(first)}</bdi> <small class="lh-quiet">{facts}</small>'


def _pane(view: PaneAnswer, language: str, base: PaneAnswer | None, title: str, are_many: bool) -> str:
    is_base, answer = view.name == BASE, view.answer
    name = escape(t(_("Base, no adapter"), language)) if is_base else _pane_name(view.name, title, language)
    commit = f"<code>{escape(view.revision[:12])}</code>" if view.revision else ""
    body = f'<div class="lh-answer" dir="auto">{escape(answer.text)}{"" if answer.done else _CARET}</div>'
    if answer.done and not answer.text.strip():
        body = f'<div class="lh-answer lh-quiet">{escape(t(_("(an empty answer)"), language))}</div>'
    facts = [t(_("loading the base"), language)] if not answer.done and not answer.tokens else []
    if answer.tokens:
        facts.append(t(_("tokens: {count}"), language, count=number(answer.tokens, language)))
    if answer.seconds:
        facts.append(t(_("{count} s"), language, count=number(answer.seconds, language, 2)))
    if answer.done:
        facts.append(t(FINISH[answer.finish], language))
    verdict = judged(view.judgement, language) if answer.done and view.judgement else ""
    alarm = "" if is_base or not answer.done else _beside_base(view, base, language)
    put = ""
    if are_many and answer.done and view.task is not None:
        put = t(_("Asked as: {task}"), language, task=text_in(view.task.title, language))
        put = f'<p class="lh-quiet">{sentence(put)}</p>'
    css = "lh-pane lh-pane-base" if is_base else "lh-pane"
    return (
        f'<article class="{css}" data-pane="{escape(view.name)}"{"" if answer.done else " aria-busy=true"}>'
        f"<header><h4>{name}</h4>{commit}{verdict}</header>{put}{body}{chances(answer.probabilities, language)}"
        f'<footer class="lh-quiet">{escape(between(language).join(facts))}</footer>{alarm}</article>'
    )


_CARET = '<span class="lh-caret" aria-hidden="true"></span>'


def _beside_base(view: PaneAnswer, base: PaneAnswer | None, language: str) -> str:
    """How an answer differs from the base's: labels and their probabilities, or the tokens of a text. An adapter that
    changes nothing gets a warning. A base that was asked another task is not compared by label."""
    divergence, chances = view.divergence, view.answer.probabilities
    if divergence is not None and divergence.is_none:
        return card(
            "bad",
            escape(
                t(
                    _("Changes nothing: it finds each label as likely as the base does before the base is calibrated.")
                    if chances
                    else _("Changes nothing: on this input it answers exactly as the base does."),
                    language,
                )
            ),
        )
    if chances:
        said = ""
        if base is not None and base.answer.probabilities:
            asked_alike = {*chances} == {*base.answer.probabilities} and _question(view) == _question(base)
            said = (
                _labels_beside_base(view.answer, base.answer, language)
                if asked_alike
                else escape(
                    t(
                        _("The base was asked another task here: ask this adapter alone to see both on its own."),
                        language,
                    )
                )
            )
    else:
        said = (
            escape(
                t(
                    _("{changed} of the tokens differ from the base's choice"),
                    language,
                    changed=percent(100 * divergence.changed, language),
                )
            )
            if divergence is not None
            else ""
        )
    return f'<p class="lh-quiet">{said}</p>' if said else ""


def _question(view: PaneAnswer) -> Any:
    """The question of a pane, without its labels."""
    return (view.task.id, view.task.instruction) if view.task is not None else None


def _labels_beside_base(answer: Answer, base: Answer, language: str) -> str:
    """Whether both chose the same label, and how much more or less probable the adapter's choice is than for the
    base."""
    gain = 100 * (answer.confidence - base.probabilities.get(answer.text, 0.0))
    change = t(_("its probability is what the base gives it"), language)
    if abs(gain) >= 0.05:
        change = t(
            _("its probability is {points} points higher than the base gives it")
            if gain > 0
            else _("its probability is {points} points lower than the base gives it"),
            language,
            points=number(abs(gain), language, 1),
        )
    return filled(
        _("The base's label too; {change}.")
        if answer.text == base.text
        else _("Another label than the base's, {base}; {change}."),
        language,
        label=isolate(answer.text),
        base=isolate(base.text),
        change=escape(change),
    )
