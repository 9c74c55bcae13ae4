"""The first rows of a table as the model receives them: the prompt, and the part that is trained."""

from typing import Any

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import Problem, Task
from lora_hub.data.columns import columns
from lora_hub.data.planned_rows import PlannedRows
from lora_hub.data.prompts import prepare, template
from lora_hub.data.tables.findings import Finding
from lora_hub.data.tables.table import Table
from lora_hub.data.tables.value_text import json_text

PREVIEW_ROWS = 5
PREVIEW_CHARACTERS = 4_000


def missing_columns(table: Table, task: Task, mapping: dict[str, str], chosen: dict[str, str]) -> list[Finding]:
    """One error if a required role has no column yet. chosen: what a person chose, "" for no column."""
    declined = [role for role in columns.roles_of(task) if chosen.get(role) == "" and role not in task.optional_inputs]
    if declined:
        said = _(
            "{missing} was given no column, and the task {task} needs one.",
            missing=several(declined, "and"),
            task=task.id,
        )
        advice = _("Choose with --map {role}=COLUMN or in the page.", role=declined[0])
        return [Finding(Problem(code="missing-column", severity="error", said=said, advice=advice))]
    try:
        columns.check_mapping(table, task, mapping)
    except DataError as error:
        return [Finding(Problem(code="missing-column", severity="error", said=error.said, advice=error.advice))]
    return []


def preview_rows(planned: PlannedRows, tokenizer: Any = None) -> list[dict[str, str]]:
    """The first rows as prompt and trained part. A chat is formatted by the base's chat template if its tokenizer is
    known. Empty if no row can be used."""
    try:
        examples = planned.first
    except DataError:
        return []  # the checks have reported why
    task = planned.task
    if task.is_chat and tokenizer is not None:
        refused = set(prepare.find_refused(tokenizer, task, examples)[0])
        examples = prepare.written(
            tokenizer, [example for example in examples if example.row not in refused][:PREVIEW_ROWS]
        )
    shown = []
    for example in examples[:PREVIEW_ROWS]:
        if not task.is_chat:
            prompt = "\n\n".join(message["content"] for message in template.asked_turns(task, example.inputs))
        elif tokenizer is not None:
            prompt = template.prompt_text(tokenizer, task, example.inputs)
        else:
            tools = [f"tools: {json_text(example.inputs['tools'])}"] if example.inputs.get("tools") else []
            prompt = "\n".join(
                [*tools, *(f"{turn['role']}: {template.whole_text(turn)}" for turn in example.inputs["messages"])]
            )
        shown.append({"prompt": _cut(prompt), "completion": _cut(example.answer)})
    return shown


def _cut(text: str) -> str:
    return text if len(text) <= PREVIEW_CHARACTERS else text[:PREVIEW_CHARACTERS] + " [...]"
