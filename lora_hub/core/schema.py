"""The nouns of the house: frozen data, to and from JSON. Imports only what a noun is, and those of answering.

Every noun is a frozen pydantic model that refuses unknown fields where a person or a file can write them, so that a
misspelt key is an error and never a setting silently ignored.
"""

import math
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lora_hub.core.answer_nouns import Answer, Calibration, Divergence, Judgement
from lora_hub.core.finding_nouns import Mend, Problem
from lora_hub.core.messages import NOTHING, Message, _, several
from lora_hub.core.noun import Noun, Text2
from lora_hub.core.score_nouns import PairedComparison, Score, Scores

__all__ = [
    "Answer",
    "Calibration",
    "Divergence",
    "Judgement",
    "Mend",
    "Noun",
    "PairedComparison",
    "Problem",
    "Score",
    "Scores",
    "Text2",
]  # of other files, to be had here with the rest
SPEC_VERSION = 1


class Task(Noun):
    """What an adapter does: the inputs it reads, how they are put to the model, and what counts as right.

    `template` is the user's turn with `{role}` for each input and, where the task has labels, `{labels}`. `chat` tasks
    have the one input `messages` (a list of {role, content}) and no template. `prompt_language` says which instruction
    fills `{instruction}`; it is frozen with the task, so an adapter is always asked as it was trained, and so is what
    stands
    between the labels in the prompt: something that none of them holds.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
    title: Text2
    instruction: Text2
    inputs: tuple[str, ...] = ("text",)
    optional_inputs: tuple[str, ...] = ()
    output: Literal["labels", "text"] = "text"
    answer: Text2 = Text2(en="answer", fa="پاسخ")
    template: str = ""
    prompt_language: Literal["en", "fa"] = "en"
    labels: tuple[str, ...] = ()
    label_separator: str = ", "
    metrics: tuple[str, ...] = ("chrf",)
    max_new_tokens: Annotated[int, Field(ge=1, le=4096)] = 128
    sample: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> "Task":
        if not self.inputs:
            raise ValueError(_("a task needs at least one input"))
        if "answer" in self.inputs:
            raise ValueError(_("'answer' is the output and cannot be an input"))
        unknown = set(self.optional_inputs) - set(self.inputs)
        if unknown:
            raise ValueError(_("optional_inputs names what inputs lacks: {unknown}", unknown=several(sorted(unknown))))
        return self

    @property
    def is_chat(self) -> bool:
        return self.inputs == ("messages",)


class BaseModel(Noun):
    """A base model. Parameters 0 means unknown; `bases.memory_bytes` tells what it takes in memory.

    `fingerprint`: sha256 over the weights files of a local base; a Hub base is named by its revision instead.
    """

    id: str
    revision: str = ""
    fingerprint: str = ""
    title: str = ""
    parameters: int = 0
    hidden_size: int = 0
    context: int = 2048
    licence: str = "unknown"
    gated: bool = False
    has_chat_template: bool = True
    default_lr: float = 2e-4
    folder: str = ""
    languages: tuple[str, ...] = ("en",)


class Lengths(Noun):
    """How long the rows are in a base's tokens, of a sample of `sampled` of `rows` rows.

    prompt, answer, total: quantiles (0, 5, 25, 50, 75, 95, 99 and 100 %) in tokens. too_long: rows of the sample longer
    than `max_length`, which training leaves out. answers_cut: those whose answer would end behind `max_length` if rows
    were cut there. over_context: rows longer than the base's context. trained_share: trained tokens of all tokens (0 to
    1).
    """

    base: str
    rows: int
    sampled: int
    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    total: tuple[int, ...]
    max_length: int
    context: int
    too_long: int
    answers_cut: int
    over_context: int
    trained_share: float


class DatasetInfo(Noun):
    """A dataset in our store. `fingerprint`: first 16 hex digits of the sha256 of the uploaded bytes. `sheets`: the
    sheets of a workbook or the files of an archive, of which `sheet` was read. `mends`: done after reading, in this
    order. `language`: of what goes in, such as "fa"; empty where it was not told. `test_rows`: of its own test part,
    where that is what a run scores."""

    fingerprint: str
    name: str
    rows: int
    columns: tuple[str, ...]
    format: str
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    skip_broken: bool = False
    source: str = "upload"
    mends: tuple[Mend, ...] = ()
    problems: tuple[Problem, ...] = ()
    lengths: Lengths | None = None
    language: str = ""
    test_rows: int = 0


class LoraSpec(Noun):
    """The adapter's shape. `targets`: "all-linear" or module names."""

    r: Annotated[int, Field(ge=1, le=1024)] = 16
    alpha: Annotated[float, Field(gt=0, le=65536)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: str | tuple[str, ...] = "all-linear"
    rslora: bool = False


class TrainSpec(Noun):
    """Everything a run needs, written once as `spec.json`. No secrets: tokens travel in the worker's environment.

    lr: peak learning rate of AdamW. batch: rows a step. micro_batch: at most so many rows in memory at once; 0: the
    whole batch.
    max_length: tokens a row, prompt and answer together.
    steps: 0 means `epochs` decide. patience: evaluations without a better loss before the run stops; 0 never stops.
    packing "auto": on where it is exact and pays. precision "auto": fp32 on CPU, bf16 on a GPU that has it, else fp16.
    minimum: {metric, or metric + ".low": per cent} that the adapter has to reach to be published.
    """

    version: Literal[1] = SPEC_VERSION
    task: Task
    base: BaseModel
    dataset: DatasetInfo
    mapping: dict[str, str]
    test_dataset: DatasetInfo | None = None
    test_mapping: dict[str, str] = {}
    name: str = ""
    effort: Literal["quick", "balanced", "thorough"] = "balanced"
    lora: LoraSpec = LoraSpec()
    lr: Annotated[float, Field(gt=0, le=1)] = 2e-4
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.0
    epochs: Annotated[float, Field(gt=0, le=1000)] = 3
    steps: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    batch: Annotated[int, Field(ge=1, le=4096)] = 16
    micro_batch: Annotated[int, Field(ge=0, le=4096)] = 0
    max_length: Annotated[int, Field(ge=8, le=1048576)] = 1024
    packing: Literal["auto", "on", "off"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    quantization: Literal["none", "nf4"] = "none"
    gradient_checkpointing: Literal["auto", "on", "off"] = "auto"
    held_out: Annotated[float, Field(gt=0, lt=0.9)] = 0.2
    max_held_out: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    evaluations: Annotated[int, Field(ge=1, le=1000)] = 6
    patience: Annotated[int, Field(ge=0, le=1000)] = 3
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    share_rows: bool = False
    publish_to: str = ""
    publish_private: bool = False
    minimum: dict[str, float] = {}

    @property
    def rows_at_once(self) -> int:
        """Rows of one pass: the most that `micro_batch` allows and that make up a step of exactly `batch` rows."""
        most = min(self.micro_batch or self.batch, self.batch)
        return next(rows for rows in range(most, 0, -1) if self.batch % rows == 0)

    @property
    def passes(self) -> int:
        """Passes whose gradients add up to one step."""
        return self.batch // self.rows_at_once

    @property
    def test_rows(self) -> int:
        """Rows that came to be scored and are never trained on: a test file's, or those of the data's own test part.
        0 where a part of the rows is held out instead."""
        return self.test_dataset.rows if self.test_dataset else self.dataset.test_rows

    def count_steps(self, rows: int) -> int:
        """Steps of a training on so many rows; the last step of an epoch takes what is left."""
        return self.steps or max(1, round(self.epochs * math.ceil(rows / self.batch)))


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PUBLISHING = "publishing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    DAMAGED = "damaged"  # its folder cannot be read; no event says so

    @property
    def is_final(self) -> bool:
        return self not in (RunState.QUEUED, RunState.RUNNING, RunState.PUBLISHING)


EventKind = Literal["submitted", "state", "handle", "progress", "metric", "exam", "error", "adapter"]


class Event(Noun):
    """One line of `events.jsonl`. `source`: who wrote it (app, worker-PID); `seq` counts up per source; `at`: UTC
    seconds."""

    source: str
    seq: int
    at: float
    kind: EventKind
    data: dict[str, Any] = {}


class AdapterRef(Noun):
    """An adapter on a Hub. `revision`: commit. `versions`: its tags (`v1`, `v2`, ...; `production` where promoted)."""

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


class Wait(Noun):
    """A run's place in the line of those that want to train on a machine: 1 is next. `before`: the runs before it,
    those that train now first. `slots`: how many may train at once."""

    place: int
    before: tuple[str, ...] = ()
    slots: int = 1


class Failure(Noun):
    """What went wrong with a run. `said`: what and with which value; `advice`: what to do next. `message`, `hint`: the
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
    """A run as folded from its events. `seconds`: of work, in all attempts. `losses`: (step, loss) pairs, train and
    validation.
    `mode`: how it was trained beside others: together, in turn; empty where it was alone.

    attempt: 1, and one more for each resume; worked: seconds of the earlier ones. waits: while it is queued behind
    others.
    cancelling: a person has ended it, at cancel_asked (UTC seconds), and it has not said so yet. stopped: why it ended
    before its last step: "patience", "learnt", or "". comparison: adapter against base on the same rows; None before
    the exam and for runs from before there was one. file_rows = train_rows + validation_rows + eval_rows + left_out,
    where no test file is scored. logs: whose folders hold its log ("": its own). last_event: when something was last
    told, UTC seconds. end_unread: what stands last in its history cannot be read. is_newer: damaged only for this
    version, because a newer one wrote its spec.
    """

    id: str
    owner: str = "local"
    spec: TrainSpec
    runner: str = "local"
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
    file_rows: int = 0
    train_rows: int = 0
    validation_rows: int = 0
    eval_rows: int = 0
    left_out: int = 0
    metrics: dict[str, Scores] = {}
    comparison: PairedComparison | None = None
    best_step: int = 0
    notes: tuple[Message, ...] = ()
    mode: str = ""
    error: Failure | None = None
    adapter: AdapterRef | None = None
    adapter_folder: str = ""

    @property
    def seconds(self) -> float:
        return self.worked + (max(0.0, (self.ended or self.started) - self.started) if self.started else 0.0)
