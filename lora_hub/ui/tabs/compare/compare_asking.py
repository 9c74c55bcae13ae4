"""The handlers of Compare: which fields are shown, an example for them, and the answers as they come."""

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.core.errors import AdapterError, DataError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import AUTO, MOST_ADAPTERS, PaneAnswer
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame.page import Page
from lora_hub.ui.frame.stops import Stops
from lora_hub.ui.render import render
from lora_hub.ui.render.compare import render_panes, render_strengths
from lora_hub.ui.render.render_table import role_label
from lora_hub.ui.render.text import between, t
from lora_hub.ui.tabs.compare import compare_auto, compare_blind, compare_history, compare_question
from lora_hub.ui.tabs.compare.compare_kept import AskedOnce, Chats
from lora_hub.ui.tabs.compare.compare_question import Typed, keep_right

ROLE_SLOTS = 6
# How often the panes are redrawn: faster than people read, slower than what overloads the page.
DRAW_SECONDS = 0.08


class Asking:
    """The handlers for one page, and the questions running on it."""

    def __init__(self, page: Page) -> None:
        self.page, self.stops, self.asked = page, Stops(), Chats()

    def list_names(self, language: str, names: list[str], *, person: Person) -> list[Any]:
        """[the list, what is said where there is nothing in it]"""
        found = compare_question.choices(person, self.page, language, names or [])
        nothing = ""
        if all(value == AUTO for _title, value in found):
            may_train = rules.may(person, Action.TRAIN)
            own = _("Published adapters and finished runs are listed above. Train one (the sample takes a minute).")
            nothing = render.empty(
                t(_("There is no adapter to compare yet"), language),
                t(own if may_train else _("Adapters that members publish appear here."), language),
                ("finetune", t(_("Go to Fine-tune"), language)) if may_train else None,
            )
        # No value is sent, so that a choice made in the meantime stays.
        return [gr.Dropdown(choices=found), nothing]

    def show_fields(
        self, language: str, names: list[str], roles_before: str, strengths: str, *, person: Person
    ) -> list[Any]:
        """[trouble, a slider of strength for each adapter, the roles with a field, the fields]: the fields of the first
        adapter's task. For a chat, several kinds of task or an adapter made elsewhere: one
        prompt. Field contents are never sent, because they may have changed before the response arrives; compare.js
        carries them over.

        An adapter that cannot be used here says so at once in its pane, and stays until it is removed.
        """
        trouble, tasks = "", []
        try:
            named = [name for name in (names or [])[:MOST_ADAPTERS] if name != AUTO]
            panes = use_cases.resolve(person, self.page.comparer, named)
            # which task the router will choose, nobody knows before the question: it is one prompt
            tasks = [pane.task for pane in panes] if len(named) == len((names or [])[:MOST_ADAPTERS]) else []
        except LoraHubError as error:
            trouble = render.error_card(error, language)
        task = tasks[0] if tasks and all(one is not None and one.inputs == tasks[0].inputs for one in tasks) else None
        named = list(task.inputs) if task and not task.is_chat and len(task.inputs) <= ROLE_SLOTS else []
        sliders = render_strengths.sliders(
            (names or [])[:MOST_ADAPTERS], compare_question.read_strengths(strengths), language
        )
        if "\n".join(named) == roles_before:
            return [trouble, sliders, *[gr.skip()] * (2 + ROLE_SLOTS)]
        hidden = [gr.Textbox(visible=False)] * (ROLE_SLOTS - len(named))
        fields = [gr.Textbox(visible=True, label=role_label(role, language)) for role in named] + hidden
        return [trouble, sliders, "\n".join(named), gr.Textbox(visible=not named), *fields]

    def take_example(self, language: str, names: list[str], kept: str, apart: bool, *, person: Person) -> list[str]:
        """[note, stored example]: any held-out row. compare.js puts it into the fields that are shown when it
        arrives. kept: the example before it. apart: only rows on which base and adapter disagree."""
        return self._example(language, names, kept, apart, 0, person)

    def next_example(self, language: str, names: list[str], kept: str, apart: bool, *, person: Person) -> list[str]:
        return self._example(language, names, kept, apart, 1, person)

    def last_example(self, language: str, names: list[str], kept: str, apart: bool, *, person: Person) -> list[str]:
        return self._example(language, names, kept, apart, -1, person)

    def _example(self, language: str, names: list[str], kept: str, apart: bool, step: int, person: Person) -> list[str]:
        _check_chosen(names, language)
        names = [name for name in names if name != AUTO]
        if not names:
            raise DataError(
                t(_("Examples are an adapter's, and none was chosen."), language),
                t(_("Choose one by its name, or type a question."), language),
            )
        inputs, answer, origin, row = compare_question.take_example(
            person, self.page, names[0], language, kept=kept, step=step, apart=apart
        )
        said = t(_("Right answer of this example: {answer}"), language, answer=answer)
        note = f'<p class="lh-quiet">{render.escape(origin)}{between(language)}{render.escape(said)}</p>'
        return [note, keep_right(answer, names[0], inputs, row)]

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
        top_p: float,
        samples: float,
        examples: float,
        typed_examples: str,
        strengths: str,
        goes_on: bool,
        system: str,
        chat: str,
        is_blind: bool,
        kept_right: str,
        roles_named: str,
        *values: str,
        person: Person,
    ) -> Iterator[list[Any]]:
        """Yields [panes, Ask, Stop, the question's name for Stop, the chat so far, what changed of the panes]
        repeatedly while the models answer. The panes are told once before and once after it."""
        names = names or []
        _check_chosen(names, language)
        typed = Typed(
            names=names,
            base=with_base,
            free_text=free_text,
            prompt=prompt,
            values=values,
            roles=roles_named,
            most=most,
            temperature=temperature,
            seed=seed,
            top_p=top_p,
            samples=samples,
            examples=examples,
            typed_examples=typed_examples,
            strengths=strengths,
            goes_on=goes_on,
            system=system,
            chat=chat,
            kept_right=kept_right,
        )
        question = typed.question()
        if not typed.text.strip():
            raise DataError(
                t(_("There is nothing to ask."), language), t(_("Fill in the input, or take an example."), language)
            )
        titles, adapters = compare_question.run_lines(person, names, language), names
        if AUTO in names:
            chosen = yield from compare_auto.choose(self, names, question, is_blind, language, person)
            if chosen is None:
                return
            adapters, question, names = chosen.adapters, chosen.question, chosen.names
        views = [PaneAnswer(pane=place, name=name) for place, name in enumerate(question.pane_names(names))]
        once = AskedOnce(person.id, adapters, question, typed.text, titles, views)
        if is_blind:
            yield from compare_blind.answered(self, once, language, person)
        else:
            yield from self._answered(once, language, person, "")

    def answer_again(self, language: str, which: str, *, person: Person) -> Iterator[list[Any]]:
        """The same for one pane of a question that was asked: which says the question's name, the pane's, and when it
        was pressed. A drawn answer is drawn with other seeds."""
        name, pane, *_rest = [*which.split("\n"), "", ""]
        once = self.asked.find(name, person.id)
        if once is None or pane not in [view.name for view in once.views]:
            raise DataError(
                t(_("That question is not remembered any more."), language), t(_("Ask it again."), language)
            )
        yield from self._answered(once.again(pane), language, person, pane)

    def _answered(self, once: AskedOnce, language: str, person: Person, only: str) -> Iterator[list[Any]]:
        question, views = once.question, once.views
        name, stopped = self.stops.start()
        shown_as = once.name or name  # a pane that is asked again stays in its question's panes

        def all_panes(some: list[PaneAnswer]) -> str:
            return render_panes.panes(
                some,
                language,
                once.text,
                once.titles,
                asked=shown_as,
                earlier=question.earlier,
                reference=question.reference,
            )

        def told(changed: list[PaneAnswer]) -> str:
            return render_panes.patches(changed, views, language, shown_as, question.reference)

        first = gr.skip() if only else all_panes(views)
        at_first = told([view for view in views if view.name == only]) if only else ""
        yield [first, gr.Button(visible=False), gr.Button(visible=True), name, gr.skip(), at_first]
        idle = [gr.Button(visible=True), gr.Button(visible=False), ""]
        try:
            stream = use_cases.ask(
                person, self.page.comparer, once.names, question, only=only, cancelled=stopped.is_set
            )
            for changed in _drawn(stream, views):
                yield [gr.skip(), gr.skip(), gr.skip(), gr.skip(), gr.skip(), told(changed)]
            self.asked.keep(shown_as, once)
            chat = once.chat_after() if question.is_chat else gr.skip()
            # what was compared with the first answer before that was there
            whole = "" if only else all_panes(views) + compare_history.keep(person, question, views, language)
            yield [whole or gr.skip(), *idle, chat, told(views) if only else ""]
        except BaseException as error:
            # The buttons are always restored, and what was answered so far stays.
            some = [view for view in views if view.answer.text]
            shown = gr.skip() if only else all_panes(some) if some else ""
            if isinstance(error, LoraHubError):
                card = render.error_card(error, language)
                yield [card if only else card + shown, *idle, gr.skip(), ""]
                return
            if isinstance(error, Exception):
                yield [shown, *idle, gr.skip(), ""]
            raise
        finally:
            self.stops.end(name)

    def stop(self, language: str, asked: str) -> None:
        self.stops.stop(asked)


def _drawn(stream: Iterator[PaneAnswer], views: list[PaneAnswer]) -> Iterator[list[PaneAnswer]]:
    """Yields the panes that changed whenever they are worth redrawing; keeps `views` up to date."""
    drawn, changed = 0.0, set()
    for event in stream:
        # a pane keeps the name it was chosen by
        views[event.pane] = event.model_copy(update={"name": views[event.pane].name})
        changed.add(event.pane)
        if time.monotonic() - drawn >= DRAW_SECONDS:
            drawn = time.monotonic()
            yield [views[place] for place in sorted(changed)]
            changed.clear()


def _check_chosen(names: list[str], language: str) -> None:
    """Raises AdapterError if no adapter is chosen, or too many."""
    if not names:
        raise AdapterError(
            t(_("Choose at least one adapter."), language),
            t(_("The field Adapters lists what the organization has published, and your finished runs."), language),
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
