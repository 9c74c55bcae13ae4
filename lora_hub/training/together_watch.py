"""What is watched while several tasks are trained together: losses, looks at the validation rows, who leaves."""

import math
import time
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from lora_hub.training.alone import TELL_SECONDS
from lora_hub.training.meter import Meter, norm_told
from lora_hub.training.patience import can_choose
from lora_hub.training.remaining import Remaining
from lora_hub.training.task_training import TaskTraining
from lora_hub.training.trainer_settings import MAX_GRAD_NORM, no_number, tell_loss_every

if TYPE_CHECKING:
    from lora_hub.training.together_trainer import TogetherTrainer


class Watch(TrainerCallback):
    """Clips by adapter, and after each step reports, looks at validation rows, and lets go of tasks that have ended."""

    def __init__(self, trainer: "TogetherTrainer") -> None:
        self.trainer = trainer
        self.began, self.remaining = time.monotonic(), Remaining(0)
        self.done = 0
        self.meters: list[Meter] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.began, self.remaining = time.monotonic(), Remaining(0)
        self.meters = [Meter(args.device) for _task in self.trainer.tasks]
        for place in list(self.trainer.stack.active):
            task = self.trainer.tasks[place]
            task.report(
                "progress", phase="first look at the validation rows", step=task.step, total=task.steps, eta=None
            )
            if not task.step and task.first_look:
                self._look(place)
        for place in list(self.trainer.stack.active):
            task = self.trainer.tasks[place]
            task.report("progress", phase="training", step=task.step, total=task.steps, eta=None)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        for meter in self.meters:
            meter.begin()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if args.fp16:
            self.trainer.accelerator.unscale_gradients()
        for place in list(self.trainer.stack.active):
            task = self.trainer.tasks[place]
            if not math.isfinite(task.losses[-1]):
                self._fail(place, task.losses[-1], task.step + 1)
            else:
                task.grad_norm = self.trainer.stack.clip(place, MAX_GRAD_NORM)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        stack = self.trainer.stack
        stack.zero_grad()
        for meter in self.meters:
            meter.end()
        self.done += 1
        seconds_step = self.remaining.seconds_step(self.done)
        rates = self.trainer.lr_scheduler.get_last_lr()
        for place in list(stack.active):
            task = self.trainer.tasks[place]
            task.step += 1
            self._report(task, seconds_step, rates[place], self.meters[place])
            if task.is_look(task.step):
                self._look(place)
                if task.error:
                    continue
            if task.cancelled():
                task.was_cancelled = True
            if task.was_cancelled or task.step >= task.steps or task.stopped:
                self._retire(place)
                if task.was_cancelled:
                    task.on_loss(task)
        if not stack.active:
            control.should_training_stop = True

    def _report(self, task: TaskTraining, seconds_step: float, rate: float, meter: Meter) -> None:
        now = time.monotonic()
        if now - task.reported >= TELL_SECONDS or task.step == task.steps:
            task.reported, task.reported_step = now, task.step
            task.report(
                "progress",
                phase="training",
                step=task.step,
                total=task.steps,
                eta=round(seconds_step * (task.steps - task.step), 1),
            )
        if task.step == 1 or task.step % tell_loss_every(task.steps) == 0:
            told = {**norm_told(task.grad_norm), **meter.read(task.tokens)}
            loss = round(sum(task.losses) / len(task.losses), 5)
            task.report("metric", step=task.step, loss=loss, lr=rate, **told)
            task.losses.clear()

    def _look(self, place: int) -> None:
        """Measures a task's validation loss, keeps its best matrices, decides on stopping early and writes a
        checkpoint."""
        task = self.trainer.tasks[place]
        loss = self.trainer.validation_loss(place)
        if not math.isfinite(loss):
            self._fail(place, loss, task.step)
            return
        task.report("metric", step=task.step, eval_loss=round(loss, 5))
        if task.step and (loss < task.best_loss or not can_choose(len(task.validation.rows))):
            task.best_loss, task.best_step, task.best = loss, task.step, self.trainer.stack.state(place)
        task.stopped = task.patience.look(task.step, loss) if task.step < task.steps else ""
        if task.step:
            self.trainer.save_checkpoint(place)

    def _fail(self, place: int, loss: float, step: int) -> None:
        task = self.trainer.tasks[place]
        task.error = no_number(task.spec, loss, step)
        self._retire(place)
        task.on_loss(task)

    def _retire(self, place: int) -> None:
        """Takes the task out of the batch and reports its last step where that was not reported yet."""
        task = self.trainer.tasks[place]
        task.seconds = time.monotonic() - self.began
        self.trainer.stack.retire(place)
        if task.step != task.reported_step:
            task.reported_step = task.step
            task.report("progress", phase="training", step=task.step, total=task.steps, eta=None)
