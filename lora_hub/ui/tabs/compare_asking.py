"""The handlers of Compare: which fields are shown, an example for them, and the answers as they come."""

import secrets
import threading
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.core.errors import AdapterError, DataError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import BASE, MOST_ADAPTERS, PaneAnswer, ask_question
from lora_hub.people import Person
from lora_hub.ui.frame.page import Page
from lora_hub.ui.render import render, render_adapters
from lora_hub.ui.render.render_table import role_name
from lora_hub.ui.render.text import between, t
from lora_hub.ui.tabs import compare_question
from lora_hub.ui.tabs.compare_question import asked_texts, keep_right, right_answer, roles_of

ROLE_SLOTS = 6
# How often the panes are redrawn: faster than people read, slower than what overloads the page.
DRAW_SECONDS = 0.08


class Stops:
    """The running questions and how to stop each one. One object per app, created by `build` in app.py."""

    def __init__(self) -> None:
        self._running: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def start(self) -> tuple[str, threading.Event]:
        name, event = secrets.token_hex(8), threading.Event()
        with self._lock:
            self._running[name] = event
        return name, event

    def stop(self, name: str) -> None:
        with self._lock:
            if name in self._running:
                self._running[name].set()

    def end(self, name: str) -> None:
        with self._lock:
            self._running.pop(name, None)


class Asking:
    """The handlers for one page, and the questions running on it."""

    def __init__(self, page: Page) -> None:
        self.page, self.stops = page, Stops()

    def list_names(self, language: str, names: list[str], *, person: Person) -> Any:
        # No value is sent, so that a choice made in the meantime stays.
        return gr.Dropdown(choices=compare_question.choices(person, self.page, language, names or []))

    def show_fields(self, language: str, names: list[str], roles_before: str, *, person: Person) -> list[Any]:
        """The fields of the first adapter's task. For a chat, several kinds of task or an adapter made elsewhere: one
        prompt. Field contents are never sent, because they may have changed before the response arrives; compare.js
        carries them over.

        An adapter that cannot be used here says so at once in its pane, and stays until it is removed.
        """
        trouble, tasks = "", []
        try:
            panes = use_cases.resolve(person, self.page.comparer, (names or [])[:MOST_ADAPTERS])
            tasks = [pane.task for pane in panes]
        except LoraHubError as error:
            trouble = render.error_card(error, language)
        task = tasks[0] if tasks and all(one is not None and one.inputs == tasks[0].inputs for one in tasks) else None
        named = list(task.inputs) if task and not task.is_chat and len(task.inputs) <= ROLE_SLOTS else []
        if "\n".join(named) == roles_before:
            return [trouble, *[gr.skip()] * (2 + ROLE_SLOTS)]
        hidden = [gr.Textbox(visible=False)] * (ROLE_SLOTS - len(named))
        fields = [gr.Textbox(visible=True, label=role_name(role, language)) for role in named] + hidden
        return [trouble, "\n".join(named), gr.Textbox(visible=not named), *fields]

    def take_example(self, language: str, names: list[str], *, person: Person) -> list[str]:
        """[note, stored example]. compare.js puts the example into the fields that are shown when it arrives."""
        _check_chosen(names, language)
        inputs, answer, origin = compare_question.take_example(person, self.page, names[0], language)
        said = t(_("Right answer of this example: {answer}"), language, answer=answer)
        note = f'<p class="lh-quiet">{render.escape(origin)}{between(language)}{render.escape(said)}</p>'
        return [note, keep_right(answer, names[0], inputs)]

    def answer(
        self,
        language: str,
        names: list[str],
        with_base: bool,
        free_text: bool,
        prompt: str,
        most: float,
        temperature: float,
        seed: float,
        kept_right: str,
        roles_named: str,
        *values: str,
        person: Person,
    ) -> Iterator[list[Any]]:
        """Yields [panes, Ask, Stop, the question's name for Stop] repeatedly while the models answer."""
        names = names or []
        _check_chosen(names, language)
        named = roles_of(roles_named)
        inputs = dict(zip(named, values, strict=False)) or None
        if not any(value.strip() for value in (inputs.values() if inputs else [prompt])):
            raise DataError(
                t(_("There is nothing to ask."), language), t(_("Fill in the input, or take an example."), language)
            )
        known = compare_question.run_lines(person, names, language)
        views = [PaneAnswer(pane=place, name=name) for place, name in enumerate(([BASE] if with_base else []) + names)]
        question = "\n".join(value for value in inputs.values() if value.strip()) if inputs else prompt
        asked, stopped = self.stops.start()
        yield [
            render_adapters.panes(views, language, question, known),
            gr.Button(visible=False),
            gr.Button(visible=True),
            asked,
        ]
        idle = [gr.Button(visible=True), gr.Button(visible=False), ""]
        try:
            stream = use_cases.ask(
                person,
                self.page.comparer,
                names,
                ask_question(
                    base=with_base,
                    prompt=prompt,
                    inputs=inputs,
                    max_new_tokens=int(most or 0),
                    temperature=float(temperature or 0),
                    seed=int(seed or 0),
                    free_text=free_text,
                    reference=right_answer(kept_right, names, roles_named, asked_texts(roles_named, prompt, values)),
                ),
                cancelled=stopped.is_set,
            )
            for shown in _drawn(stream, views, language, question, known):
                yield [shown, gr.skip(), gr.skip(), gr.skip()]
            yield [render_adapters.panes(views, language, question, known), *idle]
        except BaseException as error:
            # The buttons are always restored, and what was answered so far stays.
            said = [view for view in views if view.answer.text]
            shown = render_adapters.panes(said, language, question, known) if said else ""
            if isinstance(error, LoraHubError):
                yield [render.error_card(error, language) + shown, *idle]
                return
            if isinstance(error, Exception):
                yield [shown, *idle]
            raise
        finally:
            self.stops.end(asked)

    def stop(self, language: str, asked: str) -> None:
        self.stops.stop(asked)


def _drawn(
    stream: Iterator[PaneAnswer], views: list[PaneAnswer], language: str, question: str, titles: dict[str, str]
) -> Iterator[str]:
    """Yields the panes whenever they are worth redrawing; keeps `views` up to date."""
    drawn = 0.0
    for event in stream:
        # a pane keeps the name it was chosen by
        views[event.pane] = event.model_copy(update={"name": views[event.pane].name})
        if event.done or time.monotonic() - drawn >= DRAW_SECONDS:
            drawn = time.monotonic()
            yield render_adapters.panes(views, language, question, titles)


def _check_chosen(names: list[str], language: str) -> None:
    """Raises AdapterError if no adapter is chosen, or too many."""
    if not names:
        raise AdapterError(
            t(_("Choose at least one adapter."), language),
            t(_("The list shows what the organization holds and your runs."), language),
        )
    if len(names) > MOST_ADAPTERS:
        raise AdapterError(
            t(
                _("{count} adapters are chosen; {most} fit beside each other."),
                language,
                count=len(names),
                most=MOST_ADAPTERS,
            ),
            t(_("Remove some."), language),
        )
