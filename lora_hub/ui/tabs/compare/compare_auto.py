"""Auto in Compare: the router chooses the adapter before the panes are drawn, once for a question.

chosen = yield from choose(asking, names, question, is_blind, language, person)
"""

from collections.abc import Generator
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.compare import votes
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import Question
from lora_hub.people import Person
from lora_hub.ui.render import render
from lora_hub.ui.render.compare import render_panes
from lora_hub.ui.render.text import t


def choose(
    asking: Any, names: list[str], question: Question, is_blind: bool, language: str, person: Person
) -> Generator[list[Any], None, use_cases.Chosen | None]:
    """Yields as `Asking.answer` while the router looks, and returns whom it chose; None where it was stopped or nobody
    can be asked, which the panes' place says. asking: of `compare_asking.Asking`."""
    name, stopped = asking.stops.start()
    idle = [gr.Button(visible=True), gr.Button(visible=False), "", gr.skip(), ""]
    looking = render.waiting(t(_("Looking for the adapter that the question is for..."), language))
    try:
        yield [looking, gr.Button(visible=False), gr.Button(visible=True), name, gr.skip(), ""]
        chosen = use_cases.choose_adapter(person, asking.page.comparer, [*names], question, cancelled=stopped.is_set)
        if chosen is None:
            yield [render_panes.panes([], language), *idle]
        elif is_blind:
            panes = chosen.question.pane_names(chosen.names)
            votes.draw_order(len(panes), chosen.question)  # raises where nothing could be blind
        return chosen
    except BaseException as error:
        if isinstance(error, LoraHubError):
            yield [render.error_card(error, language), *idle]
            return None
        if isinstance(error, Exception):
            yield [gr.skip(), *idle]
        raise
    finally:
        asking.stops.end(name)
