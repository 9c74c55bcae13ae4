"""The Compare tab: the base and one to four adapters beside each other, on one prompt or one held-out example."""

import json
import random
import secrets
import threading
import time
from collections.abc import Sequence
from typing import Any

import gradio as gr

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import AdapterError, DataError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import RunState
from lora_hub.ui import page as shared
from lora_hub.ui import render, render_adapters
from lora_hub.ui.page import LIGHT, Page
from lora_hub.ui.render_adapters import PaneView
from lora_hub.ui.render_table import role_name
from lora_hub.ui.run_names import RunName, name_runs
from lora_hub.ui.text import number, t

MOST_ADAPTERS = 4
# Questions under way at once. Each keeps one of the server's threads (app.py's MOST_THREADS), most of the time waiting.
MOST_QUESTIONS = 32
ROLE_SLOTS = 6
# Marks the answers on the page as answers to another question than the one in the fields, and as those to this one.
STALE = "() => { document.getElementById('lh-answers')?.classList.add('lh-stale'); }"
FRESH = (
    "(names) => { document.getElementById('lh-answers')?.classList.remove('lh-stale'); window.loraHub.asked = "
    "JSON.stringify(names || []); }"
)
# The list of adapters tells of a change also where it only got new choices, which may come late: that is no other
# question.
OTHERS = (
    "(names) => { if (JSON.stringify(names || []) !== window.loraHub.asked) "
    "document.getElementById('lh-answers')?.classList.add('lh-stale'); }"
)
# The panes are drawn at most so often: faster than one reads, slower than a page chokes.
DRAW_SECONDS = 0.08


class Stops:
    """The questions under way and how each is told to stop. One object a page's app, built in app.py's `build`."""

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


def build(page: Page, tab: gr.Tab) -> None:
    """Draws the tab inside the current context and wires it."""
    words = page.words
    stops = Stops()
    asking = gr.Textbox("", visible="hidden")
    reference = gr.Textbox("", visible="hidden")
    asked_anew = gr.Textbox("", visible="hidden", elem_id="lh-asked-anew")
    with gr.Column(elem_classes="lh-page lh-wide"):
        with gr.Column(elem_classes="lh-section"):
            page.compare_names.render()
            with gr.Row():
                with_base = gr.Checkbox(True, label=words(_("Answer with the base, too")), elem_id="lh-with-base")
                free_text = gr.Checkbox(
                    False,
                    label=words(_("Free text")),
                    info=words(
                        _("Tasks with labels answer in their own words too, instead of with one of their labels.")
                    ),
                    elem_id="lh-free-text",
                )
            prompt = gr.Textbox(
                label=words(_("Prompt")),
                placeholder=words(_("Ask all of them the same")),
                lines=3,
                max_lines=12,
                elem_id="lh-prompt",
            )
            roles = [
                gr.Textbox(visible=False, lines=2, max_lines=12, elem_id=f"lh-input-{place}")
                for place in range(ROLE_SLOTS)
            ]
            roles_named = gr.Textbox("", visible="hidden")
            trouble_html = shared.html(elem_id="lh-trouble")
            example_html = shared.html(elem_id="lh-example-note")
            with gr.Row(elem_classes="lh-tight"):
                ask = gr.Button(words(_("Ask")), variant="primary", size="md", elem_id="lh-ask")
                stop = gr.Button(words(_("Stop")), variant="stop", size="md", visible=False, elem_id="lh-stop")
                example = gr.Button(words(_("Take an example")), size="md", elem_id="lh-example")
            with gr.Accordion(words(_("How they answer")), open=False):
                with gr.Row():
                    most = gr.Number(
                        0,
                        label=words(_("Longest answer, tokens")),
                        info=words(_("0: what the task says")),
                        precision=0,
                        minimum=0,
                        maximum=4096,
                        min_width=160,
                        elem_id="lh-most-tokens",
                    )
                    temperature = gr.Number(
                        0,
                        label=words(_("Temperature")),
                        info=words(_("0: the most likely answer, always the same")),
                        minimum=0,
                        maximum=5,
                        step=0.1,
                        min_width=160,
                        elem_id="lh-temperature",
                    )
                    seed = gr.Number(
                        0,
                        label=words(_("Seed")),
                        precision=0,
                        minimum=0,
                        maximum=2**31 - 1,
                        min_width=120,
                        elem_id="lh-seed",
                    )
        answers = shared.html(elem_id="lh-answers")

    @shared.told
    def list_names(language: str, names: list[str]) -> Any:
        # Without a value: what is chosen while this is on its way stays.
        return gr.Dropdown(choices=_choices(page, language, names or []))

    @shared.told
    def show_fields(language: str, names: list[str], roles_before: str, prompt_now: str, *roles_now: str) -> Any:
        """The fields of the first adapter's task; a chat, several kinds of task or a stranger's adapter: one prompt.
        What was typed into the ones goes over into the others.

        An adapter that cannot be used here says so at once, in the place of its answer, and stays until it is removed.
        """
        trouble, tasks = "", []
        try:
            tasks = [pane.task for pane in page.comparer.resolve((names or [])[:MOST_ADAPTERS])]
        except LoraHubError as error:
            trouble = render.error_card(error, language)
        task = tasks[0] if tasks and all(one is not None and one.inputs == tasks[0].inputs for one in tasks) else None
        named = list(task.inputs) if task and not task.is_chat and len(task.inputs) <= ROLE_SLOTS else []
        if "\n".join(named) == roles_before:
            return [trouble, *[gr.skip()] * (2 + ROLE_SLOTS)]
        fields = [gr.Textbox(visible=True, label=role_name(role, language)) for role in named] + [
            gr.Textbox(visible=False)
        ] * (ROLE_SLOTS - len(named))
        one_prompt = gr.Textbox(visible=not named)
        if named and not roles_before and (prompt_now or "").strip() and not any(roles_now):
            fields[0] = gr.Textbox(visible=True, label=role_name(named[0], language), value=prompt_now)
        elif not named and roles_before and not (prompt_now or "").strip():
            one_prompt = gr.Textbox(visible=True, value="\n".join(value for value in roles_now if value))
        return [trouble, "\n".join(named), one_prompt, *fields]

    @shared.told
    def take_example(language: str, names: list[str], roles_named: str) -> Any:
        if not names:
            raise AdapterError(
                t(_("Choose at least one adapter."), language),
                t(_("The list shows what the organization holds and your runs."), language),
            )
        named = _roles(roles_named)
        inputs, answer, origin = _example(page, names[0], language)
        note = (
            f'<p class="lh-quiet">{render.escape(origin)} · '
            f"{render.escape(t(_('Right answer of this example: {answer}'), language, answer=answer))}</p>"
        )
        if named:
            values = [str(inputs.get(role, "") or "") for role in named]
            return [note, keep_right(answer, names[0], values), gr.skip(), *values, *[""] * (ROLE_SLOTS - len(named))]
        turns = inputs.get("messages")
        text = str(turns[-1]["content"]) if turns else "\n".join(str(value) for value in inputs.values() if value)
        return [note, keep_right(answer, names[0], [text]), text, *[gr.skip()] * ROLE_SLOTS]

    def check_right(kept: str, names: list[str], roles_named: str, prompt: str, *values: str) -> Any:
        """Another question than the example's, or another adapter, has another right answer."""
        fits = not kept or right_answer(kept, names or [], asked_texts(roles_named, prompt, values))
        return [gr.skip(), gr.skip()] if fits else ["", ""]

    @shared.told_stream
    def answer(
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
    ) -> Any:
        idle = [gr.Button(visible=True), gr.Button(visible=False), ""]
        names = names or []
        if not names:
            raise AdapterError(
                t(_("Choose at least one adapter."), language),
                t(_("The list shows what the organization holds and your runs."), language),
            )
        if len(names) > MOST_ADAPTERS:
            raise AdapterError(
                t(_("{count} adapters are chosen; four fit beside each other."), language, count=len(names)),
                t(_("Remove some."), language),
            )
        named = _roles(roles_named)
        inputs = dict(zip(named, values, strict=False)) or None
        if not any(value.strip() for value in (inputs.values() if inputs else [prompt])):
            raise DataError(
                t(_("There is nothing to ask."), language), t(_("Fill in the input, or take an example."), language)
            )
        right = right_answer(kept_right, names, asked_texts(roles_named, prompt, values))
        known = _run_lines(names, language)
        views = [PaneView(name, title=known.get(name, "")) for name in (["base"] if with_base else []) + names]
        question = "\n".join(value for value in inputs.values() if value.strip()) if inputs else prompt
        asked, stopped = stops.start()
        yield [
            render_adapters.panes(views, language, question),
            gr.Button(visible=False),
            gr.Button(visible=True),
            asked,
        ]
        try:
            drawn = 0.0
            stream = page.comparer.stream(
                names,
                base=with_base,
                prompt=prompt,
                inputs=inputs,
                max_new_tokens=int(most or 0),
                temperature=float(temperature or 0),
                seed=int(seed or 0),
                free_text=free_text,
                reference=right,
                cancelled=stopped.is_set,
            )
            for event in stream:
                before = views[event.pane]
                views[event.pane] = PaneView(
                    before.name,
                    event.revision,
                    event.answer,
                    event.done,
                    event.divergence,
                    event.judgement,
                    title=before.title,
                )
                if event.done or time.monotonic() - drawn >= DRAW_SECONDS:
                    drawn = time.monotonic()
                    yield [render_adapters.panes(views, language, question), gr.skip(), gr.skip(), gr.skip()]
            yield [render_adapters.panes(views, language, question), *idle]
        except BaseException as error:
            # The buttons come back whatever happened; what was answered so far stays.
            said = [view for view in views if view.answer.text]
            shown = render_adapters.panes(said, language, question) if said else ""
            if isinstance(error, LoraHubError):
                yield [render.error_card(error, language) + shown, *idle]
                return
            if isinstance(error, Exception):
                yield [shown, *idle]
            raise
        finally:
            stops.end(asked)

    @shared.told
    def stop_asking(language: str, asked: str) -> None:
        stops.stop(asked)

    fields = [
        page.language,
        page.compare_names,
        with_base,
        free_text,
        prompt,
        most,
        temperature,
        seed,
        reference,
        roles_named,
        *roles,
    ]
    # Everybody's questions to a base are answered in one running batch. Past the limit they wait in Gradio's queue.
    asking_events = [ask.click, prompt.submit]
    gr.on(asking_events, None, page.compare_names, None, js=FRESH, queue=False, api_visibility="private")
    gr.on(
        asking_events,
        answer,
        fields,
        [answers, ask, stop, asking],
        concurrency_id="compare",
        concurrency_limit=MOST_QUESTIONS,
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="once",
    )
    stop.click(stop_asking, [page.language, asking], None, **{**LIGHT, "queue": False})
    example.click(
        take_example,
        [page.language, page.compare_names, roles_named],
        [example_html, reference, prompt, *roles],
        concurrency_id="hub",
        show_progress="hidden",
        api_visibility="private",
    )
    # What is judged is decided when it is asked (`right_answer`); the note goes as soon as something else is typed or
    # chosen.
    gr.on(
        [asked_anew.change, page.compare_names.change],
        check_right,
        [reference, page.compare_names, roles_named, prompt, *roles],
        [reference, example_html],
        **LIGHT,
    )
    # What was answered is an answer to what was asked then, and looks so as soon as anything that was asked is another.
    # What is written in the fields is heard by page.js.
    changed = [with_base.input, free_text.input, most.input, temperature.input, seed.input, example.click]
    gr.on(changed, None, None, None, js=STALE, queue=False, api_visibility="private")
    page.compare_names.change(None, page.compare_names, None, js=OTHERS, queue=False, api_visibility="private")
    tab.select(
        list_names,
        [page.language, page.compare_names],
        page.compare_names,
        concurrency_id="hub",
        show_progress="hidden",
        api_visibility="private",
    )
    page.compare_names.change(
        None,
        page.compare_names,
        None,
        js="(names) => { window.loraHub.address('adapters', (names || []).join(',')); }",
        api_visibility="private",
    )
    page.compare_names.change(
        show_fields,
        [page.language, page.compare_names, roles_named, prompt, *roles],
        [trouble_html, roles_named, prompt, *roles],
        concurrency_id="hub",
        show_progress="hidden",
        api_visibility="private",
    )


def keep_right(answer: str, adapter: str, asked: list[str]) -> str:
    """What the page keeps of an example: its right answer, with the question and the adapter that it is the answer
    for."""
    return json.dumps({"answer": answer, "adapter": adapter, "asked": asked}, ensure_ascii=False)


def _roles(roles_named: str) -> list[str]:
    """The roles of the fields that are shown; none where there is one prompt."""
    return roles_named.split("\n") if roles_named else []


def asked_texts(roles_named: str, prompt: str, values: Sequence[str]) -> list[str]:
    """What the fields ask: a text for each role, or the one prompt. values: of all fields, shown or not."""
    named = _roles(roles_named)
    return list(values[: len(named)]) if named else [prompt]


def right_answer(kept: str, names: list[str], asked: list[str]) -> str:
    """The example's right answer, where it is the example that is asked, and of its own adapter first; else none is
    known."""
    try:
        example = json.loads(kept or "{}")
    except ValueError:
        return ""  # a field of the browser: anything may be in it
    if (
        not isinstance(example, dict)
        or not names
        or example.get("adapter") != names[0]
        or not isinstance(example.get("asked"), list)
    ):
        return ""
    if [_plain(one) for one in example["asked"]] != [_plain(one) for one in asked]:
        return ""
    return str(example.get("answer", ""))


def _plain(text: Any) -> str:
    """A text as it comes back from a field of the browser, which writes line ends its own way."""
    return "\n".join(str(text or "").splitlines()).strip()


def _choices(page: Page, language: str, names: list[str]) -> list[tuple[str, str]]:
    """Adapters of the organization, then finished runs that are not published, then what was typed."""
    from lora_hub import hub, runs

    found = hub.list_adapters(org=page.organization)
    choices = [(ref.repo_id, ref.repo_id) for ref in found]
    named = name_runs(runs.list_runs(page.runs))
    choices += [
        (_run_line(name, language), run_id)
        for run_id, name in named.items()
        if name.run.adapter_folder and not name.run.adapter
    ]
    known = {value for _, value in choices}
    return choices + [(name, name) for name in names if name not in known]


def _run_line(name: RunName, language: str) -> str:
    damaged = f", {t(_('damaged'), language)}" if name.run.state is RunState.DAMAGED else ""
    return name.line(language) + damaged


def _run_lines(names: list[str], language: str) -> dict[str, str]:
    """Of those that are runs: what a person knows them by."""
    from lora_hub import runs

    wanted = {name.partition("@")[0] for name in names if "/" not in name}
    named = name_runs(runs.list_runs()) if wanted else {}
    return {run_id: named[run_id].line(language) for run_id in wanted if run_id in named}


def _example(page: Page, name: str, language: str) -> tuple[dict[str, Any], str, str]:
    """(inputs, right answer, where it is from): a held-out row of the adapter's run where that is here, else of the
    sample."""
    from lora_hub import runs

    for run in runs.list_runs(page.runs):
        if run.id == name or (run.adapter and run.adapter.repo_id == name.partition("@")[0]):
            rows = runs.read_held_out(run.id, page.runs).rows
            if rows:
                row = random.choice(rows)
                return (
                    row["inputs"],
                    str(row["reference"]),
                    t(_("held-out row {row} of run {run}"), language, row=number(row["row"], language), run=run.id),
                )
    task = page.comparer.resolve([name])[0].task
    known = task if task is None or task.id not in catalogue.ORDER else catalogue.get_task(task.id)
    file = catalogue.sample_file(known) if known else None
    if file is None:
        raise DataError(
            t(_("There is no held-out row and no sample for this one."), language),
            t(_("Type an input of your own."), language),
        )
    from lora_hub.data.columns import columns
    from lora_hub.data.prompts import prepare
    from lora_hub.data.read import read

    table = read.read_table(file)
    picked = random.choice(prepare.build_examples(table, known, columns.propose_mapping(table, known).mapping))
    return (
        picked.inputs,
        picked.answer,
        t(_("row {row} of the task's sample"), language, row=number(picked.row, language)),
    )
