"""The noun of a training: everything a run needs; `schema` exports it too."""

import math
from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field

from lora_hub.core.messages import _
from lora_hub.core.noun import Noun
from lora_hub.core.parent_noun import Parent
from lora_hub.core.setting import Setting
from lora_hub.core.task_nouns import BaseModel, DatasetInfo, Task

SPEC_VERSION = 1
# A base with fewer parameters answers the general questions in a second or two on a CPU.
QUICKLY_ASKED = 20_000_000
Effort = Literal["quick", "balanced", "thorough"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)


def lora_scale(alpha: float, r: int, *, rslora: bool) -> float:
    """The factor on an adapter's product B A: alpha / r, or alpha / sqrt(r) for rsLoRA (Kalajdzievski 2023,
    arXiv 2312.03732)."""
    return alpha / (math.sqrt(r) if rslora else r)


class LoraSpec(Noun):
    """The adapter's shape. `targets`: "all-linear" or module names."""

    model_config = ConfigDict(allow_inf_nan=False)

    r: Annotated[
        int,
        Field(ge=1, le=1024),
        Setting(
            _("Rank (r)"), _("Size of the adapter: rank of its matrices."), trainer=("r",), synonyms=("rank", "lora_r")
        ),
    ] = 16
    alpha: Annotated[
        float,
        Field(gt=0, le=65536),
        Setting(
            _("Alpha"),
            _("The adapter's output is scaled by alpha / r."),
            trainer=("lora_alpha",),
            synonyms=("lora_alpha",),
        ),
    ] = 32
    dropout: Annotated[
        float,
        Field(ge=0, lt=1),
        Setting(
            _("Dropout"),
            _("Share of the adapter's inputs dropped while training."),
            trainer=("lora_dropout",),
            synonyms=("lora_dropout",),
        ),
    ] = 0.0
    targets: Annotated[
        str | tuple[str, ...],
        Setting(
            _("Target layers"),
            _("all-linear, or module names with commas between."),
            trainer=("target_modules",),
            synonyms=("target_modules",),
        ),
    ] = "all-linear"
    rslora: Annotated[
        bool,
        Setting(
            _("rsLoRA scaling"),
            _("Scale by alpha / sqrt(r), for high ranks."),
            trainer=("use_rslora",),
            synonyms=("use_rslora",),
        ),
    ] = False

    @property
    def scale(self) -> float:
        return lora_scale(self.alpha, self.r, rslora=self.rslora)


class TrainSpec(Noun):
    """Everything a run needs, written once as `spec.json`. No secrets: tokens travel in the worker's environment.

    lr: peak learning rate of AdamW. batch: rows a step. micro_batch: at most so many rows in memory at once; 0: the
    whole batch. max_length: tokens a row, prompt and answer together. steps: 0 means `epochs` decide. patience:
    evaluations without a better loss before the run stops; 0 never stops. packing "auto": on if it is exact and saves
    time. precision "auto": fp32 on CPU, bf16 on a GPU that supports it, else fp16. minimum: {metric, or metric +
    ".low": per cent} that the adapter must reach to be published. parent: the adapter that the training goes on from,
    with its weights, shape and task; None: from the beginning.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    version: Literal[1] = SPEC_VERSION
    task: Task
    base: BaseModel
    dataset: DatasetInfo
    mapping: dict[str, str]
    test_dataset: DatasetInfo | None = None
    test_mapping: dict[str, str] = {}
    name: str = ""
    effort: Effort = "balanced"
    lora: LoraSpec = LoraSpec()
    lr: Annotated[
        float,
        Field(gt=0, le=1),
        Setting(
            _("Learning rate"),
            _("Peak learning rate of AdamW."),
            trainer=("learning_rate",),
            synonyms=("learning_rate",),
        ),
    ] = 2e-4
    schedule: Annotated[
        Literal["linear", "cosine", "constant"],
        Setting(
            _("Schedule"),
            _("How the learning rate falls after the warm-up."),
            trainer=("lr_scheduler_type",),
            synonyms=("lr_scheduler_type",),
        ),
    ] = "linear"
    warmup: Annotated[
        float,
        Field(ge=0, lt=1),
        Setting(_("Warm-up"), _("Share of the steps in which the rate rises."), synonyms=("warmup_ratio",)),
    ] = 0.05
    weight_decay: Annotated[
        float, Field(ge=0, le=10), Setting(_("Weight decay"), _("AdamW's weight decay."), trainer=("weight_decay",))
    ] = 0.0
    epochs: Annotated[
        float,
        Field(gt=0, le=1000),
        Setting(_("Epochs"), _("Passes over the training rows."), synonyms=("num_train_epochs", "num_epochs")),
    ] = 3
    steps: Annotated[
        int,
        Field(ge=0, le=10_000_000),
        Setting(_("Steps"), _("Exact number of steps; 0: the epochs decide."), synonyms=("max_steps",)),
    ] = 0
    batch: Annotated[int, Field(ge=1, le=4096), Setting(_("Batch"), _("Rows per step."), synonyms=("batch_size",))] = 16
    micro_batch: Annotated[
        int,
        Field(ge=0, le=4096),
        Setting(
            _("Micro-batch"),
            _("At most so many rows in memory at once; 0: the whole batch."),
            synonyms=("per_device_train_batch_size",),
        ),
    ] = 0
    max_length: Annotated[
        int,
        Field(ge=8, le=1048576),
        Setting(_("Longest row"), _("Tokens; longer rows are left out and named."), synonyms=("max_seq_length",)),
    ] = 1024
    packing: Annotated[
        Literal["auto", "on", "off"], Setting(_("Packing"), _("Several short rows in one sequence."))
    ] = "auto"
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"],
        Setting(_("Precision"), _("auto: fp32 on a CPU, bf16 or fp16 on a GPU.")),
    ] = "auto"
    quantization: Annotated[
        Literal["none", "nf4"], Setting(_("Quantization"), _("nf4 (QLoRA) holds the base in 4 bits."))
    ] = "none"
    gradient_checkpointing: Annotated[
        Literal["auto", "on", "off"],
        Setting(_("Gradient checkpointing"), _("Less memory, more time; auto: only where memory needs it.")),
    ] = "auto"
    even_labels: Annotated[
        Literal["auto", "on", "off"],
        Setting(
            _("Even out labels"),
            _("Rows of rare labels are trained on more often; auto: where a label is much rarer than the others."),
        ),
    ] = "off"
    replay: Annotated[
        int,
        Field(ge=0, le=100),
        Setting(
            _("Keep what it knows"),
            _("This many of the base's own answers are mixed into the rows, so that it forgets less; 0: none."),
        ),
    ] = 0
    general: Annotated[
        Literal["auto", "on", "off"],
        Setting(
            _("What was forgotten"),
            _("Base and adapter answer 80 general questions after the training; auto: where that takes seconds."),
        ),
    ] = "auto"
    held_out: Annotated[
        float, Field(gt=0, lt=0.9), Setting(_("Held-out share"), _("Share of the rows never trained on."))
    ] = 0.2
    max_held_out: Annotated[
        int, Field(ge=1, le=1_000_000), Setting(_("Most rows scored"), _("At most so many held-out rows are scored."))
    ] = 500
    evaluations: Annotated[
        int, Field(ge=1, le=1000), Setting(_("Evaluations"), _("How often the validation loss is measured."))
    ] = 6
    patience: Annotated[
        int, Field(ge=0, le=1000), Setting(_("Patience"), _("Evaluations without progress before it stops; 0: never."))
    ] = 3
    seed: Annotated[
        int,
        Field(ge=0, lt=2**31),
        Setting(_("Seed"), _("Fixes the split, the order and the start."), trainer=("seed", "data_seed")),
    ] = 42
    sweep: Annotated[
        int,
        Field(ge=0, le=8),
        Setting(
            _("Find settings"),
            _("Trains 2 to 8 settings at once on the same rows and keeps the best by validation loss; 0: off."),
        ),
    ] = 0
    parent: Parent | None = None
    share_rows: bool = False
    publish_to: str = ""
    publish_private: bool = False
    minimum: dict[str, float] = {}

    @property
    def rows_at_once(self) -> int:
        """Rows of one pass: the largest number that `micro_batch` allows and that divides `batch` exactly."""
        most = min(self.micro_batch or self.batch, self.batch)
        return next(rows for rows in range(most, 0, -1) if self.batch % rows == 0)

    @property
    def passes(self) -> int:
        """Passes whose gradients are accumulated into one step."""
        return self.batch // self.rows_at_once

    @property
    def test_rows(self) -> int:
        """Rows that came to be scored and are never trained on: those of a test file, or of the data's own test part. 0
        if part of the rows is held out instead."""
        return self.test_dataset.rows if self.test_dataset else self.dataset.test_rows

    def count_steps(self, rows: int) -> int:
        """Steps of a training on that many rows; the last step of an epoch takes the remainder."""
        return self.steps or max(1, round(self.epochs * math.ceil(rows / self.batch)))

    @property
    def asks_general(self) -> bool:
        """Whether base and adapter answer the general questions after the training."""
        return self.general == "on" or (self.general == "auto" and 0 < self.base.parameters < QUICKLY_ASKED)

    def look_every(self, steps: int) -> int:
        """Steps between two validations, in a training of that many steps."""
        return max(1, math.ceil(steps / self.evaluations))

    def warm_up_steps(self, steps: int) -> int:
        """Warm-up steps, in which the learning rate rises, in a training of that many steps."""
        return round(self.warmup * steps)
