"""The checkpoints that a training alone (`alone.py`) left in its run's folder, and whether there is anything left to
train after them.

last = find_last(folder / "checkpoints")
last.step, last.best_step, last.best_loss
last.why_over(total, patience)      None where the training goes on from it
last.save_best(folder / "adapter")
"""

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from lora_hub.hub import adapter_config
from lora_hub.training.patience import Patience

STATE = "trainer_state.json"
# PEFT's files of an adapter.
ADAPTER_FILES = (adapter_config.CONFIG_FILE, adapter_config.WEIGHTS_FILE)


@dataclass(frozen=True)
class Checkpoint:
    """looks: (step, mean validation loss), each step once. best_step: the look whose adapter is kept; its checkpoint is
    there."""

    folder: Path
    step: int
    looks: tuple[tuple[int, float], ...]
    best_step: int
    best_loss: float

    def patience(self, patience: int) -> Patience:
        """The patience as it stood at this checkpoint."""
        found = Patience(patience)
        for step, loss in self.looks:
            found.look(step, loss)
        return found

    def why_over(self, total: int, patience: int) -> str | None:
        """Why nothing is left to train: "" where all `total` steps are done, "patience" or "learnt" where the training
        stopped early; None where it goes on. It goes on also after a loss that is no number, which the trainer then
        reports."""
        if self.looks and not math.isfinite(self.looks[-1][1]):
            return None
        if self.step >= total:
            return ""
        return (self.patience(patience).why if self.step else "") or None

    def save_best(self, folder: Path) -> None:
        """Puts the best adapter there, in PEFT's files."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ADAPTER_FILES:
            shutil.copyfile(self.folder.with_name(f"checkpoint-{self.best_step}") / name, folder / name)


def find_last(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint; one without the trainer's state was cut off while it was written."""
    found = [path for path in folder.glob("checkpoint-*") if (path / STATE).is_file()]
    if not found:
        return None
    return _read(max(found, key=lambda path: int(path.name.rpartition("-")[2])))


def _read(folder: Path) -> Checkpoint:
    from transformers import TrainerState

    state = TrainerState.load_from_json(str(folder / STATE))
    # One that goes on looks again at what was looked at before: the first look counts.
    looks = {entry["step"]: entry["eval_loss"] for entry in reversed(state.log_history) if "eval_loss" in entry}
    step, best = int(state.global_step), int(state.best_global_step or state.global_step)
    if not all((folder.with_name(f"checkpoint-{best}") / name).is_file() for name in ADAPTER_FILES):
        best = step
    return Checkpoint(folder, step, tuple(sorted(looks.items())), best, float(looks.get(best, math.nan)))
