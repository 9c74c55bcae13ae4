"""What each base of the list would take on this machine, and which one suits the data and the person's patience.

marks = [mark_base(base, job, machine) for base in bases.list_bases()]
propose(marks, ["en"])           the largest that speaks it, is in reach and is done within an effort's patience
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lora_hub.catalogue import bases
from lora_hub.catalogue.machine_speed import Pace, Speed
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import BaseModel, DatasetInfo, Task
from lora_hub.core.verdicts import tell_about
from lora_hub.training import recipe

# Seconds that a person waits for a training, by its effort.
PATIENCE = {"quick": 5 * 60.0, "balanced": 30 * 60.0, "thorough": 3 * 3600.0}


@dataclass(frozen=True)
class Job:
    """What would be trained. tokens_row: mean tokens of a row."""

    task: Task
    data: DatasetInfo
    effort: str
    tokens_row: float


@dataclass(frozen=True)
class Machine:
    """memory_bytes: that a base may take; speed: None where it was not measured; gpu_flops: 0 without a GPU."""

    memory_bytes: int
    speed: Speed | None = None
    gpu_flops: float = 0.0

    @property
    def is_known(self) -> bool:
        return self.speed is not None or self.gpu_flops > 0


@dataclass(frozen=True)
class BaseMark:
    """A base on this machine. id: as it is chosen. verdict: fits, slow (longer than the patience of the effort), large
    (more memory than there is) or unknown (of its size, or of the machine). seconds, answer_seconds: of a training, and
    of a question to base and adapter; 0 where nobody knows. memory_bytes, answer_bytes: of both, 0 where nobody knows.
    place: "here", "package" (a package index has it) or "hub". surpassed: never proposed."""

    id: str
    title: str
    parameters: int
    languages: tuple[str, ...]
    place: str
    gated: bool
    verdict: str
    seconds: float
    memory_bytes: int
    answer_seconds: float
    answer_bytes: int
    surpassed: bool = False

    def tell(self, memory_bytes: int) -> Message:
        """The mark in words. memory_bytes: what this machine has."""
        if self.verdict == "large":
            needed, have = (_("{count:,.0f} GB", count=one / 1e9) for one in (self.memory_bytes, memory_bytes))
            return _("does not fit: needs {needed} of {have}", needed=needed, have=have)
        if not self.seconds:
            return _("not known yet")
        if self.verdict == "slow":
            return _("slow here: trains in about {time}", time=tell_about(self.seconds))
        return _("trains in about {time} here", time=tell_about(self.seconds))


def mark_base(base: BaseModel, job: Job, machine: Machine, *, pace: Pace | None = None, place: str = "") -> BaseMark:
    """place: "" for here or the Hub, as the base's folder says. pace: of the base's runs on this machine."""
    found = recipe.make_spec(job.task, base, job.data, {}, effort=job.effort)
    told = recipe.estimate(
        found, tokens_row=job.tokens_row, gpu_flops=machine.gpu_flops, speed=machine.speed, pace=pace
    )
    on_cpu = not machine.gpu_flops
    answering = bases.memory_bytes(base, train=False, precision="fp32" if on_cpu else "bf16", with_process=on_cpu)
    seconds = told.seconds if machine.is_known and base.parameters else 0.0
    if not told.memory_bytes:
        verdict = "unknown"
    elif told.memory_bytes > recipe.FILLED * machine.memory_bytes:
        verdict = "large"
    elif not seconds:
        verdict = "unknown"
    else:
        verdict = "fits" if seconds <= PATIENCE[job.effort] else "slow"
    return BaseMark(
        id=base.id,
        title=base.title or base.id,
        parameters=base.parameters,
        languages=base.languages,
        place=place or ("hub" if bases.folder_of(base) is None else "here"),
        gated=base.gated,
        verdict=verdict,
        seconds=seconds,
        memory_bytes=told.memory_bytes,
        answer_seconds=recipe.answer_seconds(base, gpu_flops=machine.gpu_flops, speed=machine.speed),
        answer_bytes=answering,
        surpassed=bases.is_surpassed(base),
    )


def propose(marks: Sequence[BaseMark], languages: Sequence[str], *, hub_in_reach: bool = False) -> BaseMark | None:
    """The largest base that speaks all the languages, fits in memory and within the patience, and is in reach: here, in
    a package, or on the Hub where that is. Of equals the one that is here. None where none does."""
    places = ("here", "package", "hub") if hub_in_reach else ("here", "package")
    suited = [
        one
        for one in marks
        if one.verdict == "fits"
        and not one.surpassed
        and one.place in places
        and (one.place == "here" or not one.gated)
        and set(languages) <= set(one.languages)
    ]
    return max(suited, key=lambda one: (one.parameters, -places.index(one.place)), default=None)
