"""The part of a review that helps to choose a base: what each would take here for these rows, and which one suits."""

from typing import Any

from lora_hub import runs, use_cases
from lora_hub.core.errors import LoraHubError
from lora_hub.core.schema import BaseModel, Task
from lora_hub.people import Person
from lora_hub.ui.render import render, render_bases, render_plan
from lora_hub.ui.tabs.finetune.asked import Asked

# A base that needs more than this share of the memory leaves little for other programs.
TIGHT_SHARE = 0.6


def mark_bases(
    person: Person, asked: Asked, task: Task | None, inspection: Any, plan: runs.Plan | None, language: str, only: str
) -> str:
    """What each base would take for these rows, and which one suits; for a few hundred where there are none yet. only:
    the one that can be chosen; "": any."""
    spoken = inspection.info.language if inspection is not None else ""
    known: dict[str, Any] = {"data": inspection.info} if inspection is not None else {}
    if plan is not None:
        known |= {"data": plan.spec.dataset, "tokens_row": plan.estimate.tokens_row}
    found = use_cases.mark_bases(person, task=task, effort=asked.effort, languages=[spoken] if spoken else [], **known)
    return render_bases.suited(found, asked.base.strip(), language, only=only)


def base_card(base: BaseModel, needed: int, doubt: LoraHubError | None, language: str) -> tuple[str, bool]:
    """What is told of a base, and whether it fits this machine. needed: bytes to train it; 0: unknown."""
    have = runs.machine_memory()
    fit = "unknown" if not needed else "large" if needed > have else "tight" if needed > TIGHT_SHARE * have else "fits"
    card = render_plan.base_card(base, fit, needed, have, language)
    return card + (render.error_card(doubt, language) if doubt else ""), fit != "large"
