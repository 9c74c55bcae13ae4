"""The part of a review that helps to choose a base: what each would take here for these rows, and which one suits."""

from typing import Any

from lora_hub import runs, use_cases
from lora_hub.core.schema import Task
from lora_hub.people import Person
from lora_hub.ui.render import render_bases
from lora_hub.ui.tabs.finetune.asked import Asked


def mark_bases(
    person: Person, asked: Asked, task: Task | None, inspection: Any, plan: runs.Plan | None, language: str
) -> str:
    """What each base would take for these rows, and which one suits; for a few hundred where there are none yet."""
    spoken = inspection.info.language if inspection is not None else ""
    known: dict[str, Any] = {"data": inspection.info} if inspection is not None else {}
    if plan is not None:
        known |= {"data": plan.spec.dataset, "tokens_row": plan.estimate.tokens_row}
    found = use_cases.mark_bases(person, task=task, effort=asked.effort, languages=[spoken] if spoken else [], **known)
    return render_bases.suited(found, asked.base.strip(), language)
