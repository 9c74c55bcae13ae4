"""The panes of Compare -> HTML: what each model answers beside the others.

panes(views, "en", "You won")                 all of them, below their question
live(view, "en", first, reference)            what of one pane changes while it answers

A pane is drawn once; while it answers the page is told its `live` part alone (`patches`, which compare.js puts in).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lora_hub.core.messages import _, text_in
from lora_hub.core.schema import BASE, BASE_EXAMPLES, Answer, PaneAnswer, Turn
from lora_hub.ui.render.compare.render_answers import chances, judged
from lora_hub.ui.render.compare.word_marks import changes, marked
from lora_hub.ui.render.render import card, cell, empty, escape, filled, isolate, sentence
from lora_hub.ui.render.text import between, number, percent, t

# How an answer ended.
FINISH = {
    "stop": _("done"),
    "length": _("cut at the longest answer"),
    "cancelled": _("stopped"),
    "skipped": _("not asked"),
}
# Of a pane, by its name; adapters are named by their repos and runs.
BASES = {BASE: _("Base, no adapter"), BASE_EXAMPLES: _("Base with examples in its prompt")}
_CARET = '<span class="lh-caret" aria-hidden="true"></span>'


def panes(
    views: Sequence[PaneAnswer],
    language: str,
    question: str = "",
    titles: Mapping[str, str] | None = None,
    *,
    asked: str = "",
    earlier: Mapping[str, Sequence[Turn]] | None = None,
    reference: str = "",
) -> str:
    """The answers side by side, below their question. titles: the title that people know a pane by, if it is not its
    name. asked: the name of the question, under which a pane is asked again. earlier: a chat's turns by pane.
    reference: the right answer, if it is known."""
    if not views:
        return empty(
            t(_("Choose adapters and ask. Base and adapters answer beside each other, in one pass."), language)
        )
    shown = []
    for view in views:
        name, title = view.name, (titles or {}).get(view.name, "")
        css = "lh-pane lh-pane-base" if name in BASES else "lh-pane"
        heading = escape(t(BASES[name], language)) if name in BASES else _pane_name(name, title, language)
        shown.append(
            f'<article class="{css}" data-pane="{escape(name)}" data-place="{view.pane}"'
            f"{'' if view.done else ' aria-busy=true'}><header><h4>{heading}</h4></header>"
            f"{_turns((earlier or {}).get(name, ()), language)}"
            f'<div class="lh-live">{live(view, language, views, reference=reference)}</div>'
            f"{_buttons(name, asked, language)}</article>"
        )
    put = ""
    if question:
        # the style sheet shows the note once any part of the question has changed
        note = (
            '<p class="lh-stale-note" role="status">'
            f"{escape(t(_('The question has changed: these are answers to the one before. Ask again.'), language))}"
            "</p>"
        )
        put = (
            f'{note}<p class="lh-asked"><span class="lh-quiet">{escape(t(_("Asked:"), language))}</span> '
            f"{cell(question, 300)}</p>"
        )
    return f'{put}<div class="lh-panes" data-asked="{escape(asked)}" aria-live="polite">{"".join(shown)}</div>'


def patches(
    changed: Iterable[PaneAnswer], views: Sequence[PaneAnswer], language: str, asked: str, reference: str = ""
) -> str:
    """The live parts of the panes that changed, for compare.js to put into the panes of the question of this name."""
    return "".join(
        f'<div data-asked="{escape(asked)}" data-to="{view.pane}"{"" if view.done else " data-busy"}>'
        f"{live(view, language, views, reference=reference)}</div>"
        for view in changed
    )


def live(view: PaneAnswer, language: str, views: Sequence[PaneAnswer], *, reference: str = "") -> str:
    """What changes of a pane while it answers. views: all panes, the first of which the words are compared with."""
    base = next((one for one in views if one.name == BASE and one.answer.done), None)
    # If the tasks differ, each pane shows its own question.
    are_many = len({one.task.id if one.task else "" for one in views if one.answer.done}) > 1
    first = views[0] if view.done and views[0].done and views[0].pane != view.pane else None
    verdict = judged(view.judgement, language) if view.answer.done and view.judgement else ""
    alarm = "" if view.name in BASES or not view.answer.done else _beside_base(view, base, language)
    put = ""
    if are_many and view.answer.done and view.task is not None:
        put = t(_("Asked as: {task}"), language, task=text_in(view.task.title, language))
        put = f'<p class="lh-quiet">{sentence(put)}</p>'
    note = f'<p class="lh-quiet">{sentence(t(view.note, language))}</p>' if view.note else ""
    said = "".join(
        _answer(one, first.answers[place] if first and place < len(first.answers) else None, language)
        for place, one in enumerate(view.answers)
        if view.answer.finish != "skipped"
    )
    # The right answer is of the first pane's task, as the judgement is.
    asked = min(views, key=lambda one: one.pane).task if views else None
    is_its = asked is None or view.task is None or asked.id == view.task.id
    is_wanted = reference and is_its and view.done and view.answer.text
    wanted = changes(view.answer.text, reference, language) if is_wanted else ""
    if wanted:
        title = escape(t(_("Beside the right answer"), language))
        wanted = f'<details class="lh-changes"><summary>{title}</summary><div dir="auto">{wanted}</div></details>'
    return (
        f'<header class="lh-which">{_which(view, views, language)}{verdict}</header>{put}{note}{said}'
        f"{chances(view.answer.probabilities, language)}{wanted}"
        f'<footer class="lh-quiet">{escape(between(language).join(_facts(view, language)))}</footer>{alarm}'
    )


def _which(view: PaneAnswer, views: Sequence[PaneAnswer], language: str) -> str:
    """Version, commit, strength, and the base where there are several."""
    commit = f"<code>{escape(view.revision[:12])}</code>" if view.revision else ""
    version = f"<bdi>{escape(view.version)}</bdi> " if view.version else ""
    base = (
        f' <span class="lh-quiet"><bdi>{escape(view.base)}</bdi></span>'
        if len({one.base for one in views if one.base}) > 1
        else ""
    )
    strength = ""
    if view.strength != 1:
        told = t(_("strength {strength}"), language, strength=number(view.strength, language, 2))
        strength = f' <span class="lh-quiet">{escape(told)}</span>'
    return f"{version}{commit}{base}{strength}"


def _answer(answer: Answer, first: Answer | None, language: str) -> str:
    if answer.done and not answer.text.strip():
        return f'<div class="lh-answer lh-quiet">{escape(t(_("(an empty answer)"), language))}</div>'
    is_marked = first is not None and first.text.strip() and not answer.probabilities
    text = marked(answer.text, first.text, language) if is_marked else escape(answer.text)
    # Without a letter "auto" is left-to-right: the caret of an answer to come stands where the page's lines begin.
    way = ' dir="auto"' if answer.text.strip() else ""
    return f'<div class="lh-answer"{way}>{text}{"" if answer.done else _CARET}</div>'


def _facts(view: PaneAnswer, language: str) -> list[str]:
    tokens = sum(one.tokens for one in view.answers)
    seconds = max(one.seconds for one in view.answers)
    facts = [t(_("loading the base"), language)] if not view.done and not tokens else []
    if tokens:
        facts.append(t(_("tokens: {count}"), language, count=number(tokens, language)))
    if seconds:
        facts.append(t(_("{count} s"), language, count=number(seconds, language, 2)))
    if view.done and not view.answer.probabilities and tokens:
        facts.append(t(_("{count} tokens a second"), language, count=number(view.tokens_per_second, language, 1)))
        facts.append(t(_("first text after {count} s"), language, count=number(view.first_seconds, language, 2)))
    if view.done:
        facts.append(t(FINISH[view.answer.finish], language))
    return facts


def _turns(turns: Sequence[Turn], language: str) -> str:
    """The turns of a chat before this one."""
    if not turns:
        return ""
    who = {"user": t(_("You"), language), "assistant": t(_("Answer"), language)}
    said = "".join(
        f'<li class="lh-turn-{turn.role}"><span class="lh-quiet">{escape(who[turn.role])}</span> '
        f'<span class="lh-text" dir="auto">{escape(turn.content)}</span></li>'
        for turn in turns
    )
    return f'<ol class="lh-turns">{said}</ol>'


def _buttons(name: str, asked: str, language: str) -> str:
    if not asked:
        return ""
    copied = escape(t(_("Copied"), language))
    return (
        f'<div class="lh-pane-buttons"><button type="button" class="lh-small" data-copy-answer="{copied}">'
        f'{escape(t(_("Copy"), language))}</button><button type="button" class="lh-small" data-again="{escape(name)}">'
        f"{escape(t(_('Answer again'), language))}</button></div>"
    )


def _pane_name(name: str, title: str, language: str) -> str:
    """The parts of a run's line on lines of their own, the id last; a published adapter by its repo."""
    if not title:
        return f"<bdi>{escape(name)}</bdi>"
    # Each part is isolated (`RunName.line`), because a part may itself contain the separator.
    parts = title.removeprefix("\u2068").removesuffix("\u2069")
    first, *rest = parts.split(f"\u2069{between(language)}\u2068")
    facts = between(language).join(f"<bdi>{escape(part)}</bdi>" for part in rest)
    return f'<bdi>{escape(first)}</bdi> <small class="lh-quiet">{facts}</small>'


def _beside_base(view: PaneAnswer, base: PaneAnswer | None, language: str) -> str:
    """How an answer differs from the base's: labels and their probabilities, or the tokens of a text. An adapter that
    changes nothing gets a warning. A base that was asked another task is not compared by label."""
    divergence, chances = view.divergence, view.answer.probabilities
    if view.strength == 0:
        return f'<p class="lh-quiet">{escape(t(_("At strength 0 it is the base."), language))}</p>'
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
                        _("The base was asked another task here: ask this adapter alone to see both on its task."),
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
