"""Which base to train on: what each would take on this machine, and the one that suits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lora_hub import runs
from lora_hub.catalogue import bases, machine_speed
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import settings
from lora_hub.core.schema import BaseModel, DatasetInfo, Task
from lora_hub.hub import endpoint
from lora_hub.people import Person
from lora_hub.people.rules import Action
from lora_hub.use_cases.base_marks import BaseMark, Job, Machine, mark_base, propose
from lora_hub.use_cases.bringing import list_packages
from lora_hub.use_cases.case import use_case

# What is counted with where there is no data yet.
ROWS, TOKENS_ROW = 400, 60.0


@dataclass(frozen=True)
class BaseChoice:
    """marks: in the order of the list. proposed: None where none suits, or nothing was measured yet. is_measured: the
    machine's speed is known, and with it the times. beyond: a larger one that would suit, could the Hub be reached.
    rows, effort: what they are for; memory_bytes: what there is."""

    marks: tuple[BaseMark, ...]
    proposed: BaseMark | None
    beyond: BaseMark | None
    is_measured: bool
    rows: int
    effort: str
    memory_bytes: int


@use_case(Action.BROWSE)
def mark_bases(
    person: Person,
    *,
    data: DatasetInfo | None = None,
    task: Task | None = None,
    rows: int = ROWS,
    effort: str = "balanced",
    tokens_row: float = TOKENS_ROW,
    languages: Sequence[str] = (),
    wait: float = 0.0,
) -> BaseChoice:
    """The bases of the list that this person may use, marked for training on this data, or on so many rows. languages:
    of the rows; none: whatever a base speaks. wait: seconds for which it is waited where this machine is still to be
    measured, which is then begun."""
    flops = runs.gpu_flops()
    speed = None if flops else runs.measured_speed(wait)
    machine = Machine(runs.machine_memory(), speed, flops)
    data = data or DatasetInfo(fingerprint="", name="", rows=rows, columns=(), format="")
    job = Job(task or catalogue.get_task("sentiment"), data, effort, tokens_row)
    marks = [
        replace(mark_base(base, job, machine, pace=machine_speed.read_pace(base), place=place), id=name)
        for name, base, place in _listed(person)
    ]
    # Whether this machine's own Hub reaches the other is not known before it is asked.
    in_reach = endpoint.wanted_kind() != "embedded"
    proposed, beyond = propose(marks, languages, hub_in_reach=in_reach), propose(marks, languages, hub_in_reach=True)
    further = beyond if beyond and beyond.parameters > (proposed.parameters if proposed else 0) else None
    return BaseChoice(tuple(marks), proposed, further, machine.is_known, data.rows, effort, machine.memory_bytes)


def _listed(person: Person) -> list[tuple[str, BaseModel, str]]:
    """(id to choose it by, base, place): those of the list, and behind those that are here what a package brings, with
    the figures of the Hub's."""
    listed = bases.list_bases()
    here = [(base.id, base, "") for base in listed if bases.folder_of(base) is not None]
    brought = [
        (one.name, bases.get_base(one.hub_id, folders=False), "package")
        for one in ([] if settings.signs_in() else list_packages(person))
    ]
    there = [(base.id, base, "") for base in listed if bases.folder_of(base) is None]
    return [*here, *brought, *there]
