"""The question in Compare: the texts of the fields, the adapters to choose from, an example and its reference answer.

    kept = keep_right("spam", "lora-hub/spam", {"text": "Win a prize"})      what the page stores of an example
    right_answer(kept, ["lora-hub/spam"], "text", ["Win a prize"])           "spam"; "" for any other question

Knows no gradio.
"""

import json
import random
import secrets
from collections.abc import Sequence
from typing import Any

from lora_hub import use_cases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.core.schema import RunState
from lora_hub.people import Person
from lora_hub.ui.frame.page import Page
from lora_hub.ui.render.run_names import RunName, name_runs
from lora_hub.ui.render.text import number, t


def keep_right(answer: str, adapter: str, inputs: dict[str, Any]) -> str:
    """What the page stores of an example: its reference answer, the adapter it belongs to, and the question by roles
    and as one prompt. Every result is different, so that the page notices a new example."""
    turns = inputs.get("messages")
    texts = {role: str(value or "") for role, value in inputs.items()} if not turns else {}
    prompt = str(turns[-1]["content"]) if turns else "\n".join(text for text in texts.values() if text)
    kept = {"answer": answer, "adapter": adapter, "inputs": texts, "prompt": prompt, "taken": secrets.token_hex(4)}
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
    try:
        example = json.loads(kept or "{}")
    except ValueError:
        return ""  # it comes from the browser, so it may be anything
    if not isinstance(example, dict) or not names or example.get("adapter") != names[0]:
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
    wanted = {name.partition("@")[0] for name in names if "/" not in name}
    named = name_runs(use_cases.list_runs(person)) if wanted else {}
    return {run_id: named[run_id].line(language) for run_id in wanted if run_id in named}


def take_example(person: Person, page: Page, name: str, language: str) -> tuple[dict[str, Any], str, str]:
    """(inputs, reference answer, source): a held-out row of the adapter's run if that is here, else a row of the
    sample."""
    for run in use_cases.list_runs(person, page.runs):
        if run.id == name or (run.adapter and run.adapter.repo_id == name.partition("@")[0]):
            rows = use_cases.read_held_out(person, run.id, page.runs).rows
            if rows:
                row = random.choice(rows)
                return (
                    row.inputs,
                    str(row.reference),
                    t(_("held-out row {row} of run {run}"), language, row=number(row.row, language), run=run.id),
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
    picked = random.choice(prepare.build_examples(table, known, columns.propose_mapping(table, known).mapping))
    return (
        picked.inputs,
        picked.answer,
        t(_("row {row} of the task's sample"), language, row=number(picked.row, language)),
    )
