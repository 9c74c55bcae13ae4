"""Blind comparison in Compare: panes without names at one pace, the vote, and the names after it.

order = votes.draw_order(len(views), question)     which pane stands at which place; it stays on the server
for shown in blind_stream(stream, views, order, ...)
sent = wire(page, answers)                         the hidden field through which the page votes
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr
from gradio.events import Dependency

from lora_hub import use_cases
from lora_hub.compare import votes
from lora_hub.core.errors import HubUnreachableError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import PaneAnswer, Question
from lora_hub.people import Person
from lora_hub.ui.frame.page import LIGHT, Page, told, warn
from lora_hub.ui.render import render
from lora_hub.ui.render.compare import render_history, render_panes, render_votes
from lora_hub.ui.render.text import t
from lora_hub.ui.tabs.compare import compare_question
from lora_hub.use_cases import OpenedComparison

# How often blind panes are redrawn, all of them.
DRAW_SECONDS = 0.15


def blind_stream(
    stream: Iterator[PaneAnswer], views: list[PaneAnswer], order: Sequence[int], language: str, question: str
) -> Iterator[str]:
    """Yields the panes while they are written; keeps `views` up to date. All of them show as many characters as the
    slowest has written, so nobody sees which is fast."""

    def placed() -> list[PaneAnswer]:
        return [views[pane] for pane in order]

    shown, drawn = 0, 0.0
    yield render_votes.blind_panes(placed(), language, question, 0)
    for event in stream:
        views[event.pane] = event.model_copy(update={"name": views[event.pane].name})
        lengths = [render_votes.length_of(one) for one in views if not one.done]
        reached = min(lengths, default=shown)
        if reached > shown and time.monotonic() - drawn >= DRAW_SECONDS:
            shown, drawn = reached, time.monotonic()
            yield render_votes.blind_panes(placed(), language, question, shown)


def answered(asking: Any, once: Any, language: str, person: Person) -> Iterator[list[Any]]:
    """As `Asking.answer`, blind. asking, once: of `compare_asking.Asking` and `compare_kept.AskedOnce`. What the page
    keeps of a chat names the panes, so nothing of it is told."""
    views = once.views
    order = votes.draw_order(len(views), once.question)
    name, stopped = asking.stops.start()
    idle = [gr.Button(visible=True), gr.Button(visible=False), "", gr.skip(), ""]
    try:
        stream = use_cases.ask(person, asking.page.comparer, once.names, once.question, cancelled=stopped.is_set)
        for shown in blind_stream(stream, views, order, language, once.text):
            yield [shown, gr.Button(visible=False), gr.Button(visible=True), name, gr.skip(), ""]
        yield [end_blind(person, once.question, views, order, language, once.text, once.titles), *idle]
    except BaseException as error:
        if isinstance(error, LoraHubError):
            yield [render.error_card(error, language), *idle]
            return
        if isinstance(error, Exception):
            yield [gr.skip(), *idle]
        raise
    finally:
        asking.stops.end(name)


def end_blind(
    person: Person,
    question: Question,
    views: list[PaneAnswer],
    order: Sequence[int],
    language: str,
    text: str,
    titles: dict[str, str],
) -> str:
    """The panes when all have answered, with the row of votes. Where nothing is kept, for people who are no members and
    where there is no room, nobody can vote, and the names are shown."""
    placed = [views[pane] for pane in order]
    try:
        one = use_cases.keep_comparison(person, question, views, order)
    except LoraHubError as error:
        return render.error_card(error, language) + render_panes.panes(placed, language, text, titles)
    if one is None:
        said = t(_("Only members vote; here are the names."), language)
        return f'<p class="lh-quiet">{render.sentence(said)}</p>' + render_panes.panes(placed, language, text, titles)
    return render_votes.blind_panes(placed, language, text) + render_votes.vote_row(one, None, language)


def show_opened(opened: OpenedComparison, person: Person, language: str) -> str:
    """A kept comparison as its reader may see it: the panes with their names, below what can be done with it, or blind
    with the row of votes."""
    one = opened.comparison
    if opened.is_hidden:
        panes = render_votes.blind_panes(one.placed, language, one.asked)
        return panes + render_votes.vote_row(one, opened.vote, language)
    names = [view.name for view in one.answers]
    titles = compare_question.run_lines(person, names, language)
    said = render_votes.verdict(one, opened.vote, titles, language) if opened.is_own and one.is_blind else ""
    heading = render_history.heading(one, language, opened.is_own)
    shown = render_panes.panes(one.placed, language, one.asked, titles, reference=one.question.reference)
    return heading + said + shown


def wire(page: Page, answers: gr.HTML) -> Dependency:
    """Draws the hidden field through which the page votes, and wires it. Returns what ends once a vote, or that names
    were shown, was sent to the organization's repo or waits for it."""
    cast = gr.Textbox("", visible="hidden", elem_id="lh-vote")

    def vote(language: str, asked: str, *, person: Person) -> str:
        """asked: the comparison's id and what was pressed: "one PLACE", "tie", "bad" or "reveal"."""
        name, choice, place, *_rest = [*asked[:200].split(), "", "", ""]
        if not name:
            return gr.skip()
        if choice == "reveal":
            return show_opened(use_cases.reveal_names(person, name), person, language)
        number = int(place) if choice == "one" and place.isdecimal() else None
        return show_opened(use_cases.cast_vote(person, name, choice, number), person, language)

    def send(language: str, *, person: Person) -> None:
        """The vote counts here already; where it cannot be written to the organization's repo now, that is tried again
        by itself."""
        try:
            use_cases.send_votes(person)
        except HubUnreachableError as error:
            advice = _("Your vote counts here, and is sent by itself once the Hub answers.")
            warn(LoraHubError(error.said, advice), language)
        except LoraHubError as error:
            warn(error, language)

    voted = cast.change(told(vote), [page.language, cast], answers, **LIGHT, trigger_mode="always_last")
    hub: dict[str, Any] = {"concurrency_id": "hub", "show_progress": "hidden", "api_visibility": "private"}
    return voted.success(told(send), page.language, None, **hub)
