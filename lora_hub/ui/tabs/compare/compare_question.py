"""The question in Compare: the texts of the fields, the adapters to choose from, an example and its reference answer.

    kept = keep_right("spam", "lora-hub/spam", {"text": "Win a prize"})      what the page stores of an example
    right_answer(kept, ["lora-hub/spam"], "text", ["Win a prize"])           "spam"; "" for any other question

Knows no gradio.
"""

import json
import math
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from lora_hub import use_cases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.compare import read_typed
from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.core.schema import (
    ADAPTER,
    AUTO,
    BASE,
    BASE_EXAMPLES,
    MOST_ADAPTERS,
    MOST_STRENGTH,
    HeldOutRow,
    Question,
    RunState,
    ShownExample,
    Turn,
    ask_question,
)
from lora_hub.people import Person
from lora_hub.ui.frame.page import Page
from lora_hub.ui.render.runs.run_names import RunName, name_runs
from lora_hub.ui.render.text import number, t


def keep_right(answer: str, adapter: str, inputs: dict[str, Any], row: int = 0) -> str:
    """What the page stores of an example: its reference answer, the adapter it belongs to, and the question by roles
    and as one prompt; row: its number among the held-out ones. Every result is different, so that the page notices a
    new example."""
    turns = inputs.get("messages")
    texts = {role: str(value or "") for role, value in inputs.items()} if not turns else {}
    prompt = str(turns[-1]["content"]) if turns else "\n".join(text for text in texts.values() if text)
    kept = {
        "answer": answer,
        "adapter": adapter,
        "inputs": texts,
        "prompt": prompt,
        "taken": secrets.token_hex(4),
        "row": row,
    }
    return json.dumps(kept, ensure_ascii=False)


def roles_of(roles_named: str) -> list[str]:
    """The roles of the visible fields; empty if there is one prompt."""
    return roles_named.split("\n") if roles_named else []


def asked_texts(roles_named: str, prompt: str, values: Sequence[str]) -> list[str]:
    """The texts that are asked: one per role, or the one prompt. values: of all fields, visible or not."""
    named = roles_of(roles_named)
    return list(values[: len(named)]) if named else [prompt]


def right_answer(kept: str, names: list[str], roles_named: str, asked: list[str]) -> str:
    """The example's reference answer if the question is that example, asked of its own adapter first; else empty."""
    example = _example(kept)
    if not names or example.get("adapter") != names[0]:
        return ""
    inputs = example.get("inputs") if isinstance(example.get("inputs"), dict) else {}
    named = roles_of(roles_named)
    texts = [inputs.get(role) for role in named] if named else [example.get("prompt")]
    if None in texts or [_plain(one) for one in texts] != [_plain(one) for one in asked]:
        return ""
    return str(example.get("answer", ""))


def _plain(text: Any) -> str:
    """A text normalized to match what a browser's field returns, which changes line endings."""
    return "\n".join(str(text or "").splitlines()).strip()


def choices(person: Person, page: Page, language: str, names: list[str]) -> list[tuple[str, str]]:
    """The router, then `adapters`."""
    routed = (t(_("Auto: the adapter that the question is for"), language), AUTO)
    return [routed, *adapters(person, page, language, [name for name in names if name != AUTO])]


def adapters(person: Person, page: Page, language: str, names: list[str]) -> list[tuple[str, str]]:
    """Adapters of the organization, then finished unpublished runs, then names that were typed."""
    found = use_cases.list_adapters(person, org=page.organization)
    offered = [(ref.repo_id, ref.repo_id) for ref in found]
    named = name_runs(use_cases.list_runs(person, page.runs))
    offered += [
        (_run_line(name, language), run_id)
        for run_id, name in named.items()
        if name.run.adapter_folder and not name.run.adapter
    ]
    known = {value for _, value in offered}
    return offered + [(name, name) for name in names if name not in known]


def _run_line(name: RunName, language: str) -> str:
    damaged = f", {t(_('damaged'), language)}" if name.run.state is RunState.DAMAGED else ""
    return name.line(language) + damaged


def run_lines(person: Person, names: list[str], language: str) -> dict[str, str]:
    """For names that are runs: the line that people recognize the run by."""
    wanted = {name.partition("@")[0] for name in names if "/" not in name and name != AUTO}
    named = name_runs(use_cases.list_runs(person)) if wanted else {}
    return {run_id: named[run_id].line(language) for run_id in wanted if run_id in named}


def take_example(
    person: Person, page: Page, name: str, language: str, *, kept: str = "", step: int = 0, apart: bool = False
) -> tuple[dict[str, Any], str, str, int]:
    """(inputs, reference answer, source, row): a held-out row of the adapter's run if that is here, else a row of the
    sample. kept: the example before it. step: 1: the next one, -1: the one before, 0: any. apart: only where base and
    adapter disagree. Raises DataError where there is none."""
    for run in use_cases.list_runs(person, page.runs):
        if run.id == name or (run.adapter and run.adapter.repo_id == name.partition("@")[0]):
            rows = use_cases.read_held_out(person, run.id, page.runs).rows
            if apart:
                rows = [row for row in rows if _disagree(row)]
                if not rows:
                    raise DataError(
                        t(_("Base and adapter answer every held-out row alike."), language),
                        t(_("Take any example."), language),
                    )
            if rows:
                row = _stepped(rows, kept, name, step)
                return (
                    row.inputs,
                    str(row.reference),
                    t(_("held-out row {row} of run {run}"), language, row=number(row.row, language), run=run.id),
                    row.row,
                )
    task = use_cases.resolve(person, page.comparer, [name])[0].task
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
    rows = prepare.build_examples(table, known, columns.propose_mapping(table, known).mapping)
    picked = _stepped(rows, kept, name, step)
    return (
        picked.inputs,
        picked.answer,
        t(_("row {row} of the task's sample"), language, row=number(picked.row, language)),
        picked.row,
    )


def _disagree(row: HeldOutRow) -> bool:
    return ADAPTER in row.answers and BASE in row.answers and row.answers[ADAPTER].text != row.answers[BASE].text


def _stepped(rows: list[Any], kept: str, name: str, step: int) -> Any:
    """The row after (1) or before (-1) the example that is kept, round and round; any row for 0. rows: have a `row`."""
    rows = sorted(rows, key=lambda one: one.row)
    if not step:
        return random.choice(rows)
    now = _example(kept)
    place = now.get("row") if now.get("adapter") == name and isinstance(now.get("row"), int) else 0
    after, before = [one for one in rows if one.row > place], [one for one in rows if one.row < place]
    return (after or rows)[0] if step > 0 else (before or rows)[-1]


def _example(kept: str) -> dict[str, Any]:
    """The example that the page keeps. It comes from the browser, so it may be anything."""
    try:
        example = json.loads(kept or "{}")
    except (ValueError, RecursionError):
        return {}
    return example if isinstance(example, dict) else {}


def read_strengths(kept: str) -> dict[str, float]:
    """The strengths that were set, by adapter. They come from the browser, so they may be anything."""
    return {
        name: float(value)
        for name, value in [*_example(kept).items()][: 2 * MOST_ADAPTERS]
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_STRENGTH
    }


def _count(value: float, empty: int = 0) -> int:
    """A field's whole number; -1, which is none, for what has none."""
    value = value or empty
    return int(value) if math.isfinite(value) else -1


@dataclass(frozen=True)
class Typed:
    """The fields of the tab as they stand when a question is asked: what widgets and hidden fields of the browser
    sent. A field that the page has never drawn (the prompt of a task with fields) sends nothing, which is empty."""

    names: list[str]
    base: bool
    free_text: bool
    prompt: str
    values: Sequence[str]
    roles: str
    most: float
    temperature: float
    seed: float
    top_p: float
    samples: float
    examples: float
    typed_examples: str
    strengths: str
    goes_on: bool
    system: str
    chat: str
    kept_right: str

    def __post_init__(self) -> None:
        for one in fields(self):
            if one.type in (str, "str") and getattr(self, one.name) is None:
                object.__setattr__(self, one.name, "")
        object.__setattr__(self, "values", [value or "" for value in self.values])

    @property
    def inputs(self) -> dict[str, str] | None:
        """By role; None: there is one prompt."""
        return dict(zip(roles_of(self.roles), self.values, strict=False)) or None

    @property
    def text(self) -> str:
        """What is asked, as one text."""
        inputs = self.inputs
        return "\n".join(value for value in inputs.values() if value.strip()) if inputs else self.prompt

    def question(self) -> Question:
        """Raises SpecError, DataError."""
        inputs, examples = self.inputs, _count(self.examples)
        strengths = read_strengths(self.strengths)
        is_chat = self.goes_on or bool(self.system.strip())
        return ask_question(
            base=self.base,
            examples=examples,
            shown=self._shown() if examples else (),
            # the router reads one text, also where fields of a task are still shown
            prompt=self.text if is_chat or AUTO in self.names else self.prompt,
            inputs=None if is_chat or AUTO in self.names else inputs,
            system=self.system,
            earlier=self._earlier() if self.goes_on else {},
            max_new_tokens=_count(self.most),
            temperature=float(self.temperature or 0),
            top_p=float(self.top_p or 1),
            samples=_count(self.samples, 1),
            seed=_count(self.seed),
            free_text=self.free_text,
            reference=""
            if is_chat
            else right_answer(
                self.kept_right, self.names, self.roles, asked_texts(self.roles, self.prompt, self.values)
            ),
            strengths={name: value for name, value in strengths.items() if name in self.names and value != 1},
        )

    def _shown(self) -> tuple[ShownExample, ...]:
        """Of the fields' inputs; where there is one prompt, of one text."""
        return read_typed(self.typed_examples, roles_of(self.roles) or ["text"])

    def _earlier(self) -> dict[str, tuple[Turn, ...]]:
        """The turns so far of each pane that is asked again."""
        panes = {BASE, BASE_EXAMPLES, *self.names}
        turns: dict[str, tuple[Turn, ...]] = {}
        kept = [*_example(self.chat).items()][: MOST_ADAPTERS + 2]
        if AUTO in self.names:  # a chat goes on with the adapter that was chosen when it began
            panes |= {name for name, _pairs in kept}
        for name, pairs in kept:
            said = [
                str(text)
                for pair in (pairs if isinstance(pairs, list) else [])
                if isinstance(pair, list)
                for text in pair
            ]
            if name in panes and said:
                turns[name] = tuple(
                    Turn(role="assistant" if place % 2 else "user", content=text) for place, text in enumerate(said)
                )
        return turns or {self.names[0]: ()}  # the first turn of a chat is one, too
