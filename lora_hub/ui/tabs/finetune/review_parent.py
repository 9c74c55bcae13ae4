"""What a training begins with, in a review of the Fine-tune form: the adapter that it goes on from, and its file or
files."""

from pathlib import Path
from typing import Any

from lora_hub import use_cases
from lora_hub.core.errors import LoraHubError
from lora_hub.core.schema import Task
from lora_hub.people import Person
from lora_hub.ui.render import render, render_plan
from lora_hub.ui.tabs.finetune.asked import OWN, Asked
from lora_hub.ui.tabs.finetune.view import View


def look_at_parent(person: Person, asked: Asked, view: View, language: str, inspector: Any) -> Task | None:
    """The task to train: that of the adapter to go on from, where there is one; what is wrong with it is in the
    view."""
    name, task = asked.parent.strip(), view.taken
    if not name or task is None:
        return task
    try:
        found = inspector.find_parent(person, name, task if asked.task == OWN else task.id)
    except LoraHubError as error:
        view.parent, view.error = render.error_card(error, language), error
        view.wanting = render.told(error, language)[0]
        return None
    view.begins_from = found
    view.parent = render_plan.parent_note(found, language)
    return found.task


def chosen_file(
    person: Person, asked: Asked, task: Task | None, view: View, inspector: Any
) -> tuple[Path, dict[str, Any]]:
    """(the file to train on, how it is read): of several files, that which they are put together to, once the task is
    known; the view then has its parts. Raises LoraHubError."""
    if not asked.parts or task is None:
        return use_cases.open_dataset(person, asked.dataset), asked.reading()
    file, view.parts = inspector.combine(person, asked.parts, task)
    return file, {}
