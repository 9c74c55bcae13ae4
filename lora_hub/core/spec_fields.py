"""The settings of a training that a person may change: what each is called, what it means, and where it stands in a
`TrainSpec`."""

from dataclasses import dataclass
from typing import Any, Literal

from lora_hub.core.messages import Message, _
from lora_hub.core.schema import LoraSpec, Task, TrainSpec


@dataclass(frozen=True)
class Field:
    """A field of the form under *Advanced*, and a key of `--set`. `key`: dotted path into TrainSpec."""

    key: str
    kind: Literal["int", "float", "choice", "text", "bool"]
    title: Message
    help: Message
    choices: tuple[str, ...] = ()


FIELDS: tuple[Field, ...] = (
    Field("lora.r", "int", _("Rank (r)"), _("Size of the adapter: rank of its matrices.")),
    Field("lora.alpha", "float", _("Alpha"), _("The adapter's output is scaled by alpha / r.")),
    Field("lora.dropout", "float", _("Dropout"), _("Share of the adapter's inputs dropped while training.")),
    Field("lora.targets", "text", _("Target layers"), _("all-linear, or module names with commas between.")),
    Field("lora.rslora", "bool", _("rsLoRA scaling"), _("Scale by alpha / sqrt(r), for high ranks.")),
    Field("lr", "float", _("Learning rate"), _("Peak learning rate of AdamW.")),
    Field(
        "schedule",
        "choice",
        _("Schedule"),
        _("How the learning rate falls after the warm-up."),
        ("linear", "cosine", "constant"),
    ),
    Field("warmup", "float", _("Warm-up"), _("Share of the steps in which the rate rises.")),
    Field("weight_decay", "float", _("Weight decay"), _("AdamW's weight decay.")),
    Field("epochs", "float", _("Epochs"), _("Passes over the training rows.")),
    Field("steps", "int", _("Steps"), _("Exact number of steps; 0: the epochs decide.")),
    Field("batch", "int", _("Batch"), _("Rows a step.")),
    Field("micro_batch", "int", _("Micro-batch"), _("At most so many rows in memory at once; 0: the whole batch.")),
    Field("max_length", "int", _("Longest row"), _("Tokens; longer rows are left out and named.")),
    Field("packing", "choice", _("Packing"), _("Several short rows in one sequence."), ("auto", "on", "off")),
    Field(
        "precision",
        "choice",
        _("Precision"),
        _("auto: fp32 on a CPU, bf16 or fp16 on a GPU."),
        ("auto", "fp32", "bf16", "fp16"),
    ),
    Field("quantization", "choice", _("Quantization"), _("nf4 (QLoRA) holds the base in 4 bits."), ("none", "nf4")),
    Field(
        "gradient_checkpointing",
        "choice",
        _("Gradient checkpointing"),
        _("Less memory, more time; auto: only where memory needs it."),
        ("auto", "on", "off"),
    ),
    Field("held_out", "float", _("Held-out share"), _("Share of the rows never trained on.")),
    Field("max_held_out", "int", _("Most rows scored"), _("At most so many held-out rows are scored.")),
    Field("evaluations", "int", _("Evaluations"), _("How often the validation loss is measured.")),
    Field("patience", "int", _("Patience"), _("Evaluations without progress before it stops; 0: never.")),
    Field(
        "task.prompt_language",
        "choice",
        _("Instruction language"),
        _("In which language the task is put to the model."),
        ("en", "fa"),
    ),
    Field("seed", "int", _("Seed"), _("Fixes the split, the order and the start.")),
)

# Names that people know from TrainingArguments and LoraConfig.
SYNONYMS = {
    "learning_rate": "lr",
    "num_train_epochs": "epochs",
    "num_epochs": "epochs",
    "max_steps": "steps",
    "per_device_train_batch_size": "micro_batch",
    "batch_size": "batch",
    "max_seq_length": "max_length",
    "lora_alpha": "lora.alpha",
    "lora_dropout": "lora.dropout",
    "rank": "lora.r",
    "lora_r": "lora.r",
    "target_modules": "lora.targets",
    "use_rslora": "lora.rslora",
    "lr_scheduler_type": "schedule",
    "warmup_ratio": "warmup",
    "instruction_language": "task.prompt_language",
    "language": "task.prompt_language",
}


def value_of(spec: TrainSpec, key: str) -> Any:
    """The spec's value of a field's key."""
    head, _, tail = key.partition(".")
    return getattr(getattr(spec, head), tail) if tail else getattr(spec, head)


def value_of_default(key: str) -> Any:
    head, _, tail = key.partition(".")
    of = {"lora": LoraSpec, "task": Task}[head] if tail else TrainSpec
    return of.model_fields[tail or head].default


def shown(value: Any) -> str:
    """A setting's value as people read it: 0.0043, "q_proj, v_proj"."""
    if isinstance(value, float):
        return f"{value:.15g}" if value.is_integer() else f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
