"""What the Fine-tune page shows for a form: HTML pieces by place, and the spec to start. review.py fills it."""

from dataclasses import dataclass, field
from typing import Any

from lora_hub.core.errors import LoraHubError
from lora_hub.core.schema import DataPart, DatasetInfo, Hired, Task, TrainSpec
from lora_hub.training.recipe import Estimate


@dataclass
class View:
    """What the page shows for a form. roles: (role, its column, the reason). read_as: how the file was read, None if it
    was not. is_broken: the file could not be read. reason: why Train is disabled. doubt: the data speaks against
    the task, which does not disable Train. error: what was refused, in words. wanting: what a custom task still
    lacks. name: why the adapter's name is invalid. taken, seen: the task, and the file's Inspection for it; None if
    there is none. hired: the hardware that the run would be started on; None: this machine. tokens_row: mean tokens
    of its rows. estimate: of the run on this machine. bases: what each takes here, and which suits. measuring: this
    machine's speed is being measured, on which `bases` waits. wanted: what the button says that brings the base here;
    empty: it is here, or cannot be brought. parent: what is said of the adapter to go on from. begins_from: that
    adapter. parts: the files that are one dataset."""

    task: str = ""
    wanting: str = ""
    data: str = ""
    preview: str = ""
    roles: list[tuple[str, str, str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    read_as: DatasetInfo | None = None
    is_broken: bool = False
    problems: str = ""
    prompts: str = ""
    base: str = ""
    wanted: str = ""
    parent: str = ""
    bases: str = ""
    measuring: bool = False
    lengths: str = ""
    plan: str = ""
    settings: str = ""
    name: str = ""
    reason: str = ""
    doubt: str = ""
    ready: bool = False
    spec: TrainSpec | None = None
    hired: Hired | None = None
    tokens_row: float = 0.0
    estimate: Estimate | None = None
    error: LoraHubError | None = None
    taken: Task | None = None
    seen: Any = None
    begins_from: Any = None
    parts: tuple[DataPart, ...] = ()
