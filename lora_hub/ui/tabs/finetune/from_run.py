"""The settings of a run, or of a published adapter, as the form of Fine-tune has them: *Start from this run*,
*Fine-tune with these settings*.

asked, missing = asked_of(person, run)
asked, missing = asked_of_adapter(person, "lora-hub/spam@v2")
"""

from dataclasses import replace

from lora_hub import runs, use_cases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import DatasetInfo, Run, Task, TrainSpec
from lora_hub.people import Person
from lora_hub.ui.tabs.finetune.asked import MAX_FILES, OWN, Asked, read_task


def asked_of(person: Person, run: Run) -> tuple[Asked, list[Message]]:
    """The form of a run, and what of it is not there any more or cannot be in a form. The name of its adapter is left
    out: another training is not to be published over it unasked."""
    return _asked_of(person, run.spec, run.hired.flavor if run.hired else "")


def asked_of_adapter(person: Person, name: str) -> tuple[Asked, list[Message]]:
    """The same of an adapter on the Hub, from its record, which may be a stranger's. Raises AdapterError, HubError."""
    spec, is_known = use_cases.read_settings(person, name)
    asked, missing = _asked_of(person, spec, "")
    if not is_known:
        missing.append(_("The base of {name} is not among those here: choose one in step 4.", name=name))
    return asked, missing


def _asked_of(person: Person, spec: TrainSpec, flavor: str) -> tuple[Asked, list[Message]]:
    missing = []
    own = _own_fields(spec.task) if not catalogue.has_task(spec.task) else {}
    asked = Asked(
        task=OWN if own else spec.task.id,
        own=own,
        base=spec.base.id,
        effort=spec.effort,
        hardware=flavor,
        overrides=runs.changed_settings(spec),
        parent=spec.parent.name if spec.parent else "",
    )
    if own and not _is_whole(asked, spec.task):
        missing.append(
            _(
                "The task of this run has a template or metrics of its own, which the form cannot hold; its settings "
                "file (YAML) can."
            )
        )
    parts, lost = _find_parts(person, spec)
    missing += lost
    data, test = _find(person, spec.dataset), spec.test_dataset and _find(person, spec.test_dataset)
    mends = [mend.model_dump(mode="json") for mend in spec.dataset.mends]
    if parts:
        data = parts[0]["dataset"]
        asked = replace(asked, dataset=data, parts=parts, mends=mends)
    elif data:
        reading = {key: str(value) for key, value in runs.reading_of(spec.dataset).items() if key != "skip_broken"}
        columns = {**dict.fromkeys(spec.task.optional_inputs, ""), **spec.mapping}
        asked = replace(
            asked, dataset=data, columns=columns, mends=mends, skip_broken=spec.dataset.skip_broken, **reading
        )
    gone = [info for info, found in ((spec.dataset, data), (spec.test_dataset, test)) if info and not found]
    missing += [
        _("The file {name} is not among yours here any more: add it in step 2.", name=info.name) for info in gone
    ]
    return replace(asked, test=test or ""), missing


def _find_parts(person: Person, spec: TrainSpec) -> tuple[list[dict], list[Message]]:
    """The files that a run's data was put together from, as the form has them; none where one of them is gone, and what
    is lost then."""
    found = []
    for part in spec.dataset.parts:
        info = spec.dataset.model_copy(update={"fingerprint": part.fingerprint, "name": part.name})
        file = _find(person, info)
        if not file:
            said = _("{name} is not among your files here any more: each file counts once, without weights.")
            return [], [said.filled({"name": part.name})]
        if len(spec.dataset.parts) > MAX_FILES:
            return [], [_("The form holds {most} files: each file counts once, without weights.", most=MAX_FILES)]
        mapping = {**dict.fromkeys(spec.task.optional_inputs, ""), **part.mapping}
        found.append({"dataset": file, "weight": part.weight, "map": mapping, "reading": runs.reading_of(part)})
    return found, []


def _find(person: Person, info: DatasetInfo) -> str:
    """The id of a file, if it is still here and this person's own; "" if not."""
    try:
        file = use_cases.open_dataset(person, f"{info.fingerprint}/{info.name}")
    except LoraHubError:
        return ""
    return f"{info.fingerprint}/{file.name}"


def _own_fields(task: Task) -> dict[str, str]:
    language = task.prompt_language
    return {
        "title": task.title.en,
        "inputs": ", ".join(task.inputs),
        "answer": "" if task.answer == Task.model_fields["answer"].default else task.answer.en,
        "output": task.output,
        "instruction": getattr(task.instruction, language) or task.instruction.en,
    }


def _is_whole(asked: Asked, task: Task) -> bool:
    """Whether the form's fields make the same task again."""
    made = read_task(asked)
    if made is None:
        return False
    made = catalogue.in_language(made, task.prompt_language)
    return (made.template, made.metrics, made.inputs) == (task.template, task.metrics, task.inputs)
