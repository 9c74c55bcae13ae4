"""Several tasks on one base: trained in one pass, or one after another where a short probe says that this is faster.

outcome = train_tasks(tasks, model, tokenizer)
outcome.mode, outcome.why, outcome.results
"""

import contextlib
import logging
import time
import traceback
from dataclasses import dataclass
from typing import Any

import torch

from lora_hub.core import store
from lora_hub.core.crash import explain_crash
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import Message, _
from lora_hub.training.alone import Trained, train_adapter
from lora_hub.training.fast_layers import fast_layers
from lora_hub.training.shared_reading import read_together
from lora_hub.training.task_training import TaskTraining, save_adapter, start_of
from lora_hub.training.together_trainer import LEAST_PROBED, TogetherTrainer
from lora_hub.training.trainable import TrainableStack
from lora_hub.training.trainer_settings import head_on_trained_tokens
from lora_hub.training.unadapted import as_it_was

Result = Trained | LoraHubError
logger = logging.getLogger("lora_hub.training.together")

ASKED = _("it was asked for")
TOO_SHORT = _("there are too few steps for a probe to pay off")
MEMORY = _("together they need more memory than there is")
QUANTIZED = _("the base is quantized, and the trainer takes only one adapter there")
DIFFERENT = _("they ask for different bases or precisions")
UNFIT = _("none of them fits the base")
# Of several, where the others ended before.
ALONE = _("One task was left to train.")


@dataclass(frozen=True)
class Outcome:
    """mode: "together" or "in turn". why: a sentence for people. results: for each task what came of it, or why it
    failed."""

    mode: str
    why: Message
    results: list[Result]


def train_tasks(tasks: list[TaskTraining], model: Any, tokenizer: Any, *, mode: str = "auto") -> Outcome:
    """Trains every task's adapter and saves it in its folder/adapter. model: the loaded, frozen base; it comes back as
    it was.
    mode: auto (a probe decides), "together" or "in turn". Goes on from checkpoints where there are some. A task's
    failure is its result, and the others go on."""
    why = ASKED if mode == "in turn" else _obstacle(tasks, model)
    results: list[Result] | None = None
    if why is None:
        try:
            results, why = _train_together(tasks, model, tokenizer, probe=mode == "auto" and len(tasks) > 1)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            why = MEMORY
    if results is not None:
        said = ALONE if len(tasks) == 1 else _("{count} tasks were trained together: {why}.", count=len(tasks), why=why)
        return Outcome("together", said, results)
    said = (
        ALONE
        if len(tasks) == 1
        else _("{count} tasks were trained one after another: {why}.", count=len(tasks), why=why)
    )
    for task in tasks[1:]:
        task.report("progress", phase="waiting for the tasks before it", step=0, total=0, eta=None)
    return Outcome("in turn", said, [_train_alone(task, model, tokenizer) for task in tasks])


def _obstacle(tasks: list[TaskTraining], model: Any) -> Message | None:
    """Why these tasks cannot be trained in one pass; None where they can."""
    if getattr(model, "quantization_method", None) is not None:
        return QUANTIZED
    if len({(task.spec.precision, task.spec.base.id) for task in tasks}) > 1:
        return DIFFERENT
    return None


def _train_together(
    tasks: list[TaskTraining], model: Any, tokenizer: Any, *, probe: bool
) -> tuple[list[Result] | None, Message]:
    """(results, why), or (None, why) where the probe says that one after another is faster. Raises
    torch.OutOfMemoryError."""
    starts, unfit = {}, {}
    for task in tasks:
        task.plan()
        task.report("progress", phase="preparing the training", step=0, total=task.steps, eta=None)
        try:
            starts[id(task)] = start_of(task, model)
        except LoraHubError as error:
            unfit[id(task)] = error
    everybody, tasks = tasks, [task for task in tasks if id(task) in starts]
    if not tasks:
        return [unfit[id(task)] for task in everybody], UNFIT
    began = time.monotonic()
    with as_it_was(model), contextlib.closing(TrainableStack(model, list(starts.values()))) as stack:
        trainer = TogetherTrainer(tasks, stack, model, tokenizer)
        rows = [row["input_ids"] for row in tasks[0].train.rows[:2]]
        with head_on_trained_tokens(), fast_layers(model), read_together(model, rows, stack):
            why = TOO_SHORT if probe else ASKED
            if probe and max(task.steps for task in tasks) >= LEAST_PROBED:
                together, in_turn = trainer.probe()
                why = _(
                    "a step of all takes {together:.0f} ms, one of each in turn {in_turn:.0f} ms",
                    together=1000 * together,
                    in_turn=1000 * in_turn,
                )
                if together > in_turn:
                    return None, why
            trainer.resume()
            if stack.active:
                trainer.train()
    for task in tasks:
        if task.error is None and not task.was_cancelled:
            save_adapter(task)
    return [unfit.get(id(task)) or _result(task, time.monotonic() - began) for task in everybody], why


def _result(task: TaskTraining, seconds: float) -> Result:
    return task.error or Trained(
        task.folder / store.ADAPTER,
        task.best_step,
        task.best_loss,
        task.step,
        task.seconds or seconds,
        task.was_cancelled,
        task.stopped,
    )


def _train_alone(task: TaskTraining, model: Any, tokenizer: Any) -> Result:
    """One of several in turn; that it failed or was cancelled is said at once, before the next one's turn."""
    try:
        result = train_adapter(
            task.spec,
            model,
            tokenizer,
            task.train,
            task.validation,
            task.folder,
            report=task.report,
            cancelled=task.cancelled,
            parent=task.parent,
        )
    except Exception as error:
        if not isinstance(error, LoraHubError):
            logger.exception("the training of a task failed")
        task.error = explain_crash(error)
        _let_go(error)
        task.on_loss(task)
        return task.error
    if result.cancelled:
        task.was_cancelled = True
        task.on_loss(task)
    return result


def _let_go(error: BaseException | None) -> None:
    """Gives back what the failed training still held by its traceback: the next one needs the memory."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
