"""One of several tasks in training at once: its rows, where it stands, its adapter's first values and its file.

Used by together_trainer.py, which moves it, and together.py, which starts it.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lora_hub.core import store
from lora_hub.core.errors import LoraHubError
from lora_hub.core.schema import TrainSpec
from lora_hub.data.prompts.prepare import Encoded
from lora_hub.hub import adapter_config
from lora_hub.training.going_on import as_pairs, as_tensors, parent_pairs
from lora_hub.training.passes import count_rows
from lora_hub.training.patience import Patience
from lora_hub.training.trainable import Pairs, Start
from lora_hub.training.trainer_settings import make_lora_config, missing_layers_told

Report = Callable[..., Any]
logger = logging.getLogger("lora_hub.training.together")


@dataclass
class TaskTraining:
    """One task on its way. folder: its run's. report, cancelled: as in train.train_adapter. on_loss: told when it
    fails or is cancelled while the others go on. The rest is its state.

    parent: the folder of the adapter that it goes on from. early_looks: steps after which the validation rows are
    looked at beside the spec's. first_look: whether they are before the first step. config: PEFT's. best: the matrices
    of the best look at the validation rows. grad_norm: of the last step, before it was clipped. tokens: read in this
    process, without padding.
    """

    spec: TrainSpec
    train: Encoded
    validation: Encoded
    folder: Path
    report: Report
    cancelled: Callable[[], bool] = lambda: False
    on_loss: Callable[["TaskTraining"], None] = lambda task: None
    parent: Path | None = None
    early_looks: tuple[int, ...] = ()
    first_look: bool = True
    config: Any = None
    steps: int = 0
    step: int = 0
    best: Pairs = field(default_factory=dict)
    best_loss: float = math.inf
    best_step: int = 0
    patience: Patience = field(default_factory=lambda: Patience(0))
    stopped: str = ""
    losses: list[float] = field(default_factory=list)
    grad_norm: Any = None
    tokens: int = 0
    reported: float = 0.0
    reported_step: int = 0
    error: LoraHubError | None = None
    was_cancelled: bool = False
    seconds: float = 0.0

    @property
    def every(self) -> int:
        """Steps between two looks at the validation rows."""
        return self.spec.look_every(self.steps)

    @property
    def checkpoint(self) -> Path:
        return self.folder / store.CHECKPOINTS / store.TOGETHER

    def is_look(self, step: int) -> bool:
        """Whether the validation rows are looked at after a step. The last is looked at, too, as the trainer does
        alone: it may be the best."""
        return step in self.early_looks or step % self.every == 0 or step >= self.steps

    def plan(self) -> None:
        """Derives the number of steps, as train.train_adapter does."""
        self.steps = self.spec.count_steps(count_rows(self.spec, self.train))
        self.patience = Patience(self.spec.patience)


def start_of(task: TaskTraining, model: Any) -> Start:
    """The adapter before its first step, drawn by PEFT from the spec's seed as when it is trained alone, or the one
    that it goes on from. Raises SpecError where the targets don't fit the base, AdapterError where the parent
    doesn't."""
    from peft import get_peft_model, get_peft_model_state_dict
    from transformers import set_seed

    set_seed(task.spec.seed)
    with missing_layers_told(task.spec):
        made = get_peft_model(model, make_lora_config(task.spec))
    task.config = made.peft_config["default"]
    pairs = as_pairs(get_peft_model_state_dict(made))
    made.unload()
    if task.parent is not None:
        pairs = parent_pairs(task.parent, pairs, task.spec.lora.scale)
    return Start(pairs, task.spec.lora.scale, task.spec.lora.dropout)


def read_checkpoint(task: TaskTraining, names: Sequence[str], like: Pairs) -> dict[str, Any] | None:
    """What a task's checkpoint holds; None where there is none, or one that nobody can go on from: it was cut off, or
    came from elsewhere. The task begins anew then. names: of what it tells of the task. like: matrices of its adapter's
    shapes."""
    import torch

    if not task.checkpoint.is_file():
        return None
    try:
        kept = torch.load(task.checkpoint, map_location="cpu", weights_only=True)
        told, states = {name: kept["task"][name] for name in names}, kept["optimizer"]
        _check_pairs(kept["now"], like)
        if told["best"] or told["best_step"]:
            _check_pairs(told["best"], like)
        if not all(isinstance(told[name], int) for name in ("step", "steps", "best_step", "stale")):
            raise ValueError("a count is no number")
        if not 0 <= told["best_step"] <= told["step"] <= told["steps"] == task.steps or len(states) != 2 * len(like):
            raise ValueError("it is of another training")
        return kept
    except Exception as error:  # whatever pickle says of bytes that are none
        logger.warning("the checkpoint %s cannot be read, and its training begins anew: %s", task.checkpoint, error)
        task.checkpoint.unlink()
        return None


def _check_pairs(pairs: Pairs, like: Pairs) -> None:
    """Raises ValueError for matrices of other layers or shapes, or that are no numbers."""
    if pairs.keys() != like.keys():
        raise ValueError("it has other layers")
    for name, own in like.items():
        for one, matrix in zip(pairs[name], own, strict=True):
            if one.shape != matrix.shape or not one.isfinite().all():
                raise ValueError(f"{name} is of another shape, or holds values that are not numbers")


def save_adapter(task: TaskTraining) -> None:
    """Writes the best matrices as PEFT does: its configuration and the weights."""
    from safetensors.torch import save_file

    folder = task.folder / store.ADAPTER
    folder.mkdir(parents=True, exist_ok=True)
    task.config.inference_mode = True
    task.config.save_pretrained(folder)
    save_file(as_tensors(task.best), folder / adapter_config.WEIGHTS_FILE, metadata={"format": "pt"})
