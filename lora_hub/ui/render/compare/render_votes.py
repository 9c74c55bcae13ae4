"""Blind panes, the row of votes below them, and the boards that follow from votes -> HTML.

Blind panes say nothing but the answers: no name, commit, time or token count, no order but that of the page, and all of
them at one pace. What a vote sends is its place on the page.
"""

from collections.abc import Sequence
from typing import Any

from lora_hub.compare import votes
from lora_hub.core.messages import Message, _, _n, several
from lora_hub.core.schema import BASE, BASE_EXAMPLES, Comparison, PaneAnswer, Vote
from lora_hub.ui.render.render import badge, card, cell, escape, sentence, table
from lora_hub.ui.render.text import number, t

_CARET = '<span class="lh-caret" aria-hidden="true"></span>'
_AUTO = ' dir="auto"'  # without a letter it is left-to-right, and the caret would stand on the wrong side
NAMES = {BASE: _("Base, no adapter"), BASE_EXAMPLES: _("Base with examples in its prompt")}


def blind_panes(placed: Sequence[PaneAnswer], language: str, question: str, shown: int | None = None) -> str:
    """placed: the answers in the order of the page. shown: how many characters of each are shown while they are
    written; None: all of each, and nobody writes any more."""
    panes = []
    for place, view in enumerate(placed, 1):
        texts, caret = _cut([one.text for one in view.answers], shown), _CARET if shown is not None else ""
        said = "".join(
            f'<div class="lh-answer"{_AUTO if text.strip() else ""}>{escape(text)}{caret}</div>'
            if text.strip() or shown is not None
            else f'<div class="lh-answer lh-quiet">{escape(t(_("(an empty answer)"), language))}</div>'
            for text in texts
        )
        title = escape(t(_("Answer {number}"), language, number=number(place, language)))
        panes.append(
            f'<article class="lh-pane lh-blind"{" aria-busy=true" if shown is not None else ""}>'
            f"<header><h4>{title}</h4></header>{said}</article>"
        )
    said = f'<span class="lh-quiet">{escape(t(_("Asked:"), language))}</span> {cell(question, 300)}'
    return f'<p class="lh-asked">{said}</p><div class="lh-panes">{"".join(panes)}</div>'


def _cut(texts: Sequence[str], shown: int | None) -> list[str]:
    """The answers of one pane, together no longer than so many characters."""
    if shown is None:
        return list(texts)
    left, cut = shown, []
    for text in texts:
        cut.append(text[: max(0, left)])
        left -= len(text)
    return cut


def length_of(view: PaneAnswer) -> int:
    """Characters of all answers of a pane."""
    return sum(len(one.text) for one in view.answers)


def vote_row(one: Comparison, vote: Vote | None, language: str) -> str:
    """The buttons that vote, one for each place and its key, a tie and none; after a vote also the one that shows the
    names."""
    choices = [
        (t(_("Answer {number}"), language, number=number(place + 1, language)), f"one {place}", str(place + 1))
        for place in range(len(one.answers))
    ]
    choices += [(t(_("A tie"), language), "tie", ""), (t(_("None is good"), language), "bad", "")]
    chosen = "" if vote is None else f"one {vote.place}" if vote.choice == "one" else vote.choice
    buttons = []
    for words, value, key in choices:
        is_chosen = value == chosen
        keyed = f' data-vote-key="{key}" aria-keyshortcuts="{key}"' if key and int(key) <= 9 else ""
        buttons.append(
            f'<button type="button" class="lh-small{" lh-first" if is_chosen else ""}" data-put="lh-vote" '
            f'data-value="{one.id} {value}" aria-pressed="{"true" if is_chosen else "false"}"{keyed}>{escape(words)}'
            "</button>"
        )
    words = t(_("Show the names"), language)
    reveal = (
        f'<button type="button" class="lh-small{" lh-first" if vote else ""}" data-put="lh-vote" '
        f'data-value="{one.id} reveal">{escape(words)}</button>'
    )
    said = (
        _("Which answer is the best? Keys 1 to 9 vote, too.")
        if vote is None
        else _("Your vote is kept. You may change it until you see the names.")
    )
    return (
        f'<section class="lh-votes" aria-label="{escape(t(_("Vote"), language))}"><p role="status">'
        f'{sentence(t(said, language))}</p><div class="lh-vote-row">{"".join(buttons)}</div>{reveal}</section>'
    )


def verdict(one: Comparison, vote: Vote | None, titles: dict[str, str], language: str) -> str:
    """What the voter chose, above the revealed panes, whose places on the page are told."""
    if vote is None:
        said = t(_("You saw the names before you voted, so no vote counts on this comparison any more."), language)
        return card("plain", sentence(said))
    if vote.choice == "one":
        view = one.placed[vote.place or 0]
        name = t(NAMES[view.name], language) if view.name in NAMES else titles.get(view.name) or view.name
        said = t(
            _("You voted for answer {number}: {name}."),
            language,
            number=number((vote.place or 0) + 1, language),
            name=name,
        )
    else:
        said = t(_("You voted for a tie.") if vote.choice == "tie" else _("You voted that none is good."), language)
    return card("good", sentence(said))


# --- boards ---


def boards(found: Any, titles: dict[str, str], language: str) -> str:
    """found: a `use_cases.Boards`. titles: of tasks, by their ids."""
    told = []
    if found.trouble is not None:
        told.append(
            card("plain", sentence(t(_("Only this app's votes count here: {why}", why=found.trouble), language)))
        )
    if found.waiting:
        told.append(card("plain", sentence(t(votes.describe_waiting(found.waiting), language))))
    if not found.boards and found.waiting:  # who has voted is not told that nobody has
        return "".join(told)
    if not found.boards:
        said = t(_("No votes yet. Compare with Blind turned on, and vote."), language)
        return "".join(told) + card("plain", sentence(said))
    counted = t(
        _("{votes} of {people}."),
        language,
        votes=_n("{count:,} vote", "{count:,} votes", count=found.votes).in_language(language),
        people=_n("{count:,} person", "{count:,} people", count=found.people).in_language(language),
    )
    told.append(f'<p class="lh-quiet">{sentence(counted)}</p>')
    told += [_board(titles.get(task, task), board, language) for task, board in found.boards.items()]
    how = t(
        _(
            "Strength: Bradley-Terry on Elo's scale, 400 points are odds of ten to one. The intervals (95 %) hold at "
            "every moment, however often somebody looks."
        ),
        language,
    )
    return "".join(told) + f'<p class="lh-quiet">{sentence(how)}</p>'


def _board(title: str, board: Any, language: str) -> str:
    heads = [
        t(said, language)
        for said in (_("Rank"), _("Model"), _("Strength"), _("Interval"), _("Votes"), _("Won"), _("How sure"))
    ]
    rows = []
    for one in board.rows:
        rank = number(one.best, language)
        if one.worst != one.best:
            rank = t(_("{first} to {last}"), language, first=rank, last=number(one.worst, language))
        others = several((_named(model) for model in one.unclear), most=3)
        unclear = t(_("not separable yet from {models}", models=others), language)
        rows.append(
            [
                escape(rank),
                _model(one.model, language),
                _points(one.points, language),
                _interval(one, board.against, language),
                escape(number(one.votes, language)),
                escape(number(one.won, language)),
                sentence(unclear) if one.unclear else badge(t(_("separable"), language), "good"),
            ]
        )
    name = escape(title or t(_("No task"), language))
    told = [f"<h4><bdi>{name}</bdi></h4>", table(heads, rows, "lh-board", stacked=True)]
    if board.side is not None:
        side = votes.describe_side(board.side.share, board.side.low, board.side.high)
        told.append(f'<p class="lh-quiet">{sentence(t(side, language))}</p>')
    if not board.fits:
        told.append(card("plain", sentence(t(votes.describe_circle(), language))))
    return "".join(told)


def _split(model: str) -> tuple[Message | None, str]:
    """A base's name in words and its id (`Comparison.model_of`); None and the whole for an adapter."""
    way, _colon, base = model.partition(":")
    return (NAMES[way], base) if way in NAMES else (None, model)


def _model(model: str, language: str) -> str:
    words, name = _split(model)
    if words is None:
        return f"<bdi>{escape(name)}</bdi>"
    of = f' <small class="lh-quiet"><bdi>{escape(name)}</bdi></small>' if name else ""
    return f"<bdi>{escape(t(words, language))}</bdi>{of}"


def _named(model: str) -> Message | str:
    """A model inside a sentence."""
    words, name = _split(model)
    return name if words is None else _("{name} ({base})", name=words, base=name) if name else words


def _interval(one: Any, against: str, language: str) -> str:
    if one.model == against:
        return escape(t(_("the others are measured against it"), language))
    if one.low is None and one.high is None:
        return escape(t(_("not known yet"), language))
    if one.high is None:
        return escape(t(_("at least {points}"), language, points=number(one.low, language)))
    if one.low is None:
        return escape(t(_("at most {points}"), language, points=number(one.high, language)))
    said = t(_("{first} to {last}"), language, first=number(one.low, language), last=number(one.high, language))
    return escape(said)


def _points(points: float, language: str) -> str:
    return f'<b><bdi dir="ltr">{escape(number(round(points) or 0, language))}</bdi></b>'
