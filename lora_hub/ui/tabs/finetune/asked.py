"""The Fine-tune form by field names, as a person filled it in and as the browser stores it.

    asked = Asked.from_json(kept)              unknown fields and values of the wrong type are dropped
    asked.reading()                            how the file is read: encoding, delimiter, sheet, skip_broken

Knows no gradio and no HTML. Tokens are never a part of it.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import MOST_WEIGHT, Mend, Task

OWN = "own"
MAX_INPUTS = 6
# Files that can be dropped as one dataset.
MAX_FILES = 8


@dataclass(frozen=True)
class Asked:
    """proposed: the task that the page derived from a file's columns; while the form still has it, nobody has chosen
    one. dataset, test: "fingerprint/name" in our store, empty if there is none. columns: role -> column, for roles
    whose column a person chose ("": no column); the others are proposed. parent: the adapter to
    go on from, by its name. parts: {dataset, weight} of each of several files that are one dataset, and where it is a
    run's, {map, reading} with which it was read; empty for one file."""

    task: str = ""
    proposed: str = ""
    own: dict[str, str] = field(default_factory=dict)
    dataset: str = ""
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    skip_broken: bool = False
    test: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    mends: list[dict] = field(default_factory=list)
    parts: list[dict] = field(default_factory=list)
    base: str = bases.BUILT_IN
    effort: str = "balanced"
    name: str = ""
    hardware: str = ""
    parent: str = ""
    overrides: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: Any) -> "Asked":
        """The form as the browser stored it. Unknown fields and values of the wrong type are dropped."""
        defaults = asdict(Asked())
        kept = {
            key: value
            for key, value in (data if isinstance(data, dict) else {}).items()
            if type(value) is type(defaults.get(key))
        }
        for key in ("own", "columns", "overrides"):
            if key in kept:
                kept[key] = {
                    name: value for name, value in kept[key].items() if isinstance(name, str) and isinstance(value, str)
                }
        for key, read in (("mends", read_mends), ("parts", read_parts)):
            if key in kept:
                kept[key] = read(kept[key])
        return Asked(**kept)

    def reading(self) -> dict[str, Any]:
        return {
            "encoding": self.encoding.strip(),
            "delimiter": self.delimiter,
            "sheet": self.sheet,
            "skip_broken": self.skip_broken,
        }

    def settings(self) -> dict[str, str]:
        """The settings that a person changed, by key."""
        return {key: value.strip() for key, value in self.overrides.items() if value.strip()}

    def mends_to_do(self) -> tuple[Mend, ...]:
        return tuple(Mend.model_validate(mend) for mend in read_mends(self.mends))


def read_mends(data: Any) -> list[dict]:
    """Mends as JSON from what the page sent or the browser stored. Invalid ones are dropped."""
    found = []
    for one in data if isinstance(data, list) else []:
        try:
            found.append(Mend.model_validate(one).model_dump(mode="json"))
        except ValidationError:
            continue  # from an older version, or made up
    return found


def read_parts(data: Any) -> list[dict]:
    """The files of a dataset from what the page sent or the browser stored; none where it is not of several."""
    found = [part for one in (data if isinstance(data, list) else []) if (part := read_part(one)) is not None]
    return found if 1 < len(found) <= MAX_FILES else []


def read_part(one: Any) -> dict | None:
    """One of these files; None for what is none. A weight that is none is 1."""
    if not isinstance(one, dict) or not isinstance(one.get("dataset"), str):
        return None
    weight = one.get("weight")
    is_weight = type(weight) in (int, float) and 0 < weight <= MOST_WEIGHT
    return {"dataset": one["dataset"], "weight": float(weight) if is_weight else 1.0, **_way(one)}


def _way(part: dict) -> dict[str, dict]:
    """How one of several files is read, where that is said."""
    mapping, reading = part.get("map"), part.get("reading")
    found = {}
    if isinstance(mapping, dict) and all(isinstance(word, str) for pair in mapping.items() for word in pair):
        found["map"] = mapping
    if isinstance(reading, dict):
        kinds = {"encoding": str, "delimiter": str, "sheet": str, "skip_broken": bool}
        found["reading"] = {key: reading[key] for key, kind in kinds.items() if type(reading.get(key)) is kind}
    return found


def read_task(asked: Asked) -> Task | None:
    """The chosen task, or None before the choice. Raises SpecError if a custom task is incomplete."""
    if asked.task == OWN:
        given = {key: value.strip() for key, value in asked.own.items() if value.strip()}
        # The labels of a custom task come from the data, as those of the catalogue's tasks do.
        task = catalogue.task_from_dict(given)
        if len(task.inputs) > MAX_INPUTS:
            raise SpecError(
                _("The task has {count} inputs; the page shows {max_inputs}."),
                _("Name {max_inputs} inputs at most in step 1."),
                count=len(task.inputs),
                max_inputs=MAX_INPUTS,
            )
        return task
    if asked.task and asked.task not in catalogue.ORDER:  # from the browser: it might name a file of this machine
        raise SpecError(_("There is no task {task!r}."), _("Choose one of step 1."), task=asked.task[:100])
    return catalogue.get_task(asked.task) if asked.task else None


def own_wanting(asked: Asked) -> list[str]:
    """The required fields of a custom task that are still empty."""
    if asked.task != OWN:
        return []
    return [key for key in ("title", "instruction") if not asked.own.get(key, "").strip()]


def roles_of(task: Task | None) -> list[str]:
    """The roles that need a column. In a conversation the answer is not a column of its own."""
    if task is None:
        return []
    return list(task.inputs) if task.is_chat else [*task.inputs, "answer"]


def setting_field(key: str) -> str:
    """The id of a setting's field under Advanced."""
    return "lh-set-" + key.replace(".", "-")


def dataset_id(file: Path) -> str:
    """The name that the page has for a stored file."""
    return f"{file.parent.name}/{file.name}"
