"""The nouns of the project: frozen data, to and from JSON. It exports the nouns of the other files too.

Every noun is a frozen pydantic model that refuses unknown fields where a person or a file can write them, so that a
misspelt key is an error and never a setting silently ignored.
"""

import math
from enum import StrEnum
from typing import Any, Literal

from lora_hub.core.answer_nouns import (
    ADAPTER,
    AUTO,
    BASE,
    BASE_EXAMPLES,
    PARENT,
    Answer,
    Calibration,
    Divergence,
    HeldOutRow,
    Judgement,
    PaneAnswer,
)
from lora_hub.core.comparison_nouns import (
    MOST_ADAPTERS,
    MOST_EXAMPLES,
    MOST_SAMPLES,
    MOST_STRENGTH,
    Question,
    ShownExample,
    Turn,
    ask_question,
    whole_text,
)
from lora_hub.core.finding_nouns import Mend, Problem
from lora_hub.core.kept_nouns import COMPARISON_ID, Comparison, Vote
from lora_hub.core.messages import NOTHING, Message
from lora_hub.core.noun import Noun, Text2
from lora_hub.core.parent_noun import MOST_FILES, Parent
from lora_hub.core.score_nouns import PairedComparison, PartScore, Score, Scores, scores_json
from lora_hub.core.setting import Setting
from lora_hub.core.sweep_nouns import Candidate, Sweep
from lora_hub.core.task_nouns import MOST_PARTS, MOST_WEIGHT, BaseModel, DataPart, DatasetInfo, Lengths, Origin, Task
from lora_hub.core.train_spec import EFFORTS, SPEC_VERSION, LoraSpec, TrainSpec, lora_scale

__all__ = [
    "ADAPTER",
    "AUTO",
    "BASE",
    "BASE_EXAMPLES",
    "Answer",
    "BaseModel",
    "Candidate",
    "COMPARISON_ID",
    "Calibration",
    "Comparison",
    "DataPart",
    "DatasetInfo",
    "Divergence",
    "EFFORTS",
    "HeldOutRow",
    "Judgement",
    "Lengths",
    "LoraSpec",
    "MOST_ADAPTERS",
    "MOST_EXAMPLES",
    "MOST_FILES",
    "MOST_PARTS",
    "MOST_SAMPLES",
    "MOST_STRENGTH",
    "MOST_WEIGHT",
    "Mend",
    "Noun",
    "Origin",
    "PARENT",
    "PairedComparison",
    "PaneAnswer",
    "Parent",
    "PartScore",
    "Problem",
    "Question",
    "SPEC_VERSION",
    "Score",
    "Scores",
    "Setting",
    "ShownExample",
    "Sweep",
    "Task",
    "Text2",
    "TrainSpec",
    "Turn",
    "Vote",
    "ask_question",
    "whole_text",
    "lora_scale",
    "scores_json",
]  # defined in other files, exported here too


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PUBLISHING = "publishing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    DAMAGED = "damaged"  # its folder cannot be read; no event has this state

    @property
    def is_final(self) -> bool:
        return self not in (RunState.QUEUED, RunState.RUNNING, RunState.PUBLISHING)


EventKind = Literal[
    "submitted",
    "shared",
    "state",
    "handle",
    "hired",
    "progress",
    "metric",
    "exam",
    "error",
    "adapter",
    "sweep",
    "renamed",
    "tagged",
]
# Who may view a run: its owner and the organization's admins; also its members; everybody who may view anything.
Visibility = Literal["private", "organization", "public"]


class Event(Noun):
    """One line of `events.jsonl`. `source`: its writer (app, worker-PID); `seq` counts up per source; `at`: UTC
    seconds."""

    source: str
    seq: int
    at: float
    kind: EventKind
    data: dict[str, Any] = {}


class AdapterRef(Noun):
    """An adapter on a Hub. `revision`: commit. `versions`: its tags (`v1`, `v2`, ...; `production` if promoted).
    `pull_request`: the address of the pull request if the adapter was only proposed. `languages`: ISO codes of its
    data, as its card names them. `size`: bytes of its weights; 0: unknown. `owner`: the account that published it
    first, as its card says. `unpublished`: it was taken off the shelf (`hub.unpublish_adapter`). `lora`: its shape, as
    its card says: part of its `adapter_config.json`, and what the base was held in while training (`quantization`)."""

    repo_id: str
    revision: str = ""
    base: str = ""
    task: str = ""
    title: str = ""
    metrics: dict[str, Scores] = {}
    versions: tuple[str, ...] = ()
    updated: str = ""
    downloads: int = 0
    private: bool = False
    url: str = ""
    pull_request: str = ""
    languages: tuple[str, ...] = ()
    size: int = 0
    owner: str = ""
    unpublished: bool = False
    lora: dict[str, Any] = {}


class Wait(Noun):
    """A run's position in the queue for training on a machine: 1 is next. `before`: the runs before it, those in
    training first; "" where it may not be told which. `slots`: how many may train at once."""

    place: int
    before: tuple[str, ...] = ()
    slots: int = 1


class Hired(Noun):
    """Hired hardware that a run trains on. flavor: its name at the Hub (`t4-small`). hourly: US dollars an hour.
    expected_seconds, expected_dollars: as estimated before the start; 0: nobody knows. most_seconds: the Hub ends a job
    after so long. namespace: whose account pays. repo: the private repo that carries the run there and back; empty
    while there is none. job, url: the last job and its page. jobs: seconds of each job that has ended, by its id.
    shared_by: how many runs the job trains; estimate and cost are those of all. setup_seconds: of expected_seconds,
    what passes before the first of them begins."""

    flavor: str
    hourly: float = 0.0
    expected_seconds: float = 0.0
    expected_dollars: float = 0.0
    most_seconds: float = 0.0
    namespace: str = ""
    repo: str = ""
    job: str = ""
    url: str = ""
    jobs: dict[str, float] = {}
    shared_by: int = 1
    setup_seconds: float = 0.0

    @property
    def is_under_way(self) -> bool:
        """Whether a job was started of which nobody has seen the end."""
        return bool(self.job) and self.job not in self.jobs

    @property
    def seconds(self) -> float:
        """What all jobs took that have ended."""
        return sum(self.jobs.values())

    @property
    def dollars(self) -> float:
        """What they cost, US dollars: each minute begun is paid."""
        return sum(math.ceil(seconds / 60) for seconds in self.jobs.values()) / 60 * self.hourly


class Failure(Noun):
    """What went wrong with a run. `said`: what, with which value; `advice`: what to do next. `message`, `hint`: the
    same in English, for logs and programs."""

    said: Message
    advice: Message = NOTHING

    @property
    def message(self) -> str:
        return self.said.en

    @property
    def hint(self) -> str:
        return self.advice.en

    def to_json(self) -> dict[str, str]:
        return {"message": self.message, "hint": self.hint}


class Run(Noun):
    """The state of a run, computed from its events.

    `seconds`: of work, in all attempts. train_losses, eval_losses: (step, loss) pairs, training and validation.
    name, tags: that a person gave it. measures: the same of what is told beside the losses, by name
    (`events.MEASURES`). `mode`: how it was trained beside other runs: together or in turn; empty if it was alone.
    attempt: 1, and one more for each resume. worked: seconds of the earlier attempts. waits: its position while it
    is queued behind others. cancelling: a person cancelled it, at cancel_asked (UTC seconds), and it has not
    confirmed that yet. stopped: why it ended before its last step: "patience", "learnt", or "". comparison: adapter
    against base on the same rows; None before the evaluation, and for runs from before comparisons existed.
    parent_comparison: the same against the adapter that it goes on from. general: adapter against base on
    the general set, below zero what it forgot. parts: scores by file, where several are one dataset.
    file_rows = train_rows + validation_rows + eval_rows + left_out, if no test file is scored. logs: the runs whose
    folders hold its log ("": its own). last_event: time of the last event, UTC seconds. most_seconds: the limit of
    training time in an attempt; 0: none. end_unread: the last line of its history cannot be read. is_newer: damaged
    only for this version, because a newer one wrote its spec. hired: the hardware it is trained on elsewhere; None:
    this machine. sweep: the settings that it tries, if several.
    """

    id: str
    owner: str = "local"
    visibility: Visibility = "private"
    name: str = ""
    tags: tuple[str, ...] = ()
    most_seconds: float = 0.0
    spec: TrainSpec
    runner: str = "local"
    hired: Hired | None = None
    handle: dict[str, Any] = {}
    state: RunState = RunState.QUEUED
    created: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    step: int = 0
    total_steps: int = 0
    phase: str = ""
    eta: float | None = None
    attempt: int = 1
    worked: float = 0.0
    last_event: float = 0.0
    end_unread: bool = False
    is_newer: bool = False
    waits: Wait | None = None
    cancelling: bool = False
    cancel_asked: float = 0.0
    stopped: str = ""
    logs: tuple[str, ...] = ()
    train_losses: tuple[tuple[int, float], ...] = ()
    eval_losses: tuple[tuple[int, float], ...] = ()
    measures: dict[str, tuple[tuple[int, float], ...]] = {}
    file_rows: int = 0
    train_rows: int = 0
    validation_rows: int = 0
    eval_rows: int = 0
    left_out: int = 0
    metrics: dict[str, Scores] = {}
    comparison: PairedComparison | None = None
    parent_comparison: PairedComparison | None = None
    general: PairedComparison | None = None
    parts: tuple[PartScore, ...] = ()
    best_step: int = 0
    notes: tuple[Message, ...] = ()
    mode: str = ""
    sweep: Sweep | None = None
    error: Failure | None = None
    adapter: AdapterRef | None = None
    adapter_folder: str = ""

    @property
    def planned_steps(self) -> int:
        """Its last step as a plot needs it: of a run that has ended, none is to come."""
        return self.step if self.state.is_final else self.total_steps

    @property
    def last_look(self) -> int:
        """The step of the last validation, each of which saves a checkpoint; 0: none yet."""
        tried = self.sweep.candidates if self.sweep else ()
        looked = [*self.eval_losses, *(look for one in tried for look in one.losses)]
        return max((step for step, _loss in looked), default=0)

    @property
    def seconds(self) -> float:
        return self.worked + (max(0.0, (self.ended or self.started) - self.started) if self.started else 0.0)
