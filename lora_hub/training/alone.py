"""TrainSpec -> adapter folder. Reads from top to bottom like a script; the trainer is TRL's SFTTrainer with PEFT LoRA.

How a spec's fields become the trainer's is in `trainer_settings`. The rows come in
as token ids (data/prompts/prepare.py), so that only the answer's tokens are trained on and no second tokenization can
differ. Used by worker.py; to try it alone: `python -m lora_hub train FILE --task T`.
"""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.core import store
from lora_hub.core.errors import BaseError
from lora_hub.core.messages import _, _n
from lora_hub.core.schema import TrainSpec
from lora_hub.data.prompts.prepare import Encoded
from lora_hub.training import checkpoints
from lora_hub.training.even_labels import even_validation
from lora_hub.training.going_on import begin_with
from lora_hub.training.meter import Meter, norm_told
from lora_hub.training.passes import count_rows, rows_of_pass
from lora_hub.training.patience import Patience, can_choose
from lora_hub.training.remaining import Remaining
from lora_hub.training.trainer_settings import (
    MAX_GRAD_NORM,
    head_on_trained_tokens,
    labelled,
    make_config,
    make_lora_config,
    missing_layers_told,
    no_number,
    tell_loss_every,
    use_checkpointing,
    use_flat_batches,
)
from lora_hub.training.unadapted import as_it_was

TELL_SECONDS = 0.5  # a page looks every two seconds; what is told more often only makes the run's file longer


@dataclass(frozen=True)
class Trained:
    """What came of it. folder: PEFT's files of the best checkpoint. best_step: its step. cancelled: ended by a person.
    stopped: why it ended before its last step ("patience", "learnt"), or ""."""

    folder: Path
    best_step: int
    best_loss: float
    steps: int
    seconds: float
    cancelled: bool
    stopped: str = ""


Report = Callable[..., Any]  # report(kind, **data): appends an event


def train_adapter(
    spec: TrainSpec,
    model: Any,
    tokenizer: Any,
    train: Encoded,
    validation: Encoded,
    folder: Path,
    *,
    report: Report,
    cancelled: Callable[[], bool] = lambda: False,
    parent: Path | None = None,
) -> Trained:
    """Trains the adapter of a run and saves its best checkpoint in `folder`/adapter, or the last where too few
    validation rows could choose.

    model: the loaded, frozen base; it comes back as it was, also where this raises. folder: the run's; checkpoints lie
    in `folder`/checkpoints, and where there are some from before, training goes on from the last. Where that one is the
    end, nothing more is trained. parent: the folder of the adapter that it goes on from. Raises BaseError where memory
    runs out, SpecError where the targets don't fit the base or the loss is not a number, AdapterError where the parent
    is of another shape.
    """
    import torch
    from datasets import Dataset
    from transformers import set_seed
    from trl import SFTTrainer

    from lora_hub.training.fast_layers import fast_layers
    from lora_hub.training.shared_reading import read_together

    total = spec.count_steps(count_rows(spec, train))
    last = checkpoints.find_last(folder / store.CHECKPOINTS)
    if last is not None and (over := last.why_over(total, spec.patience)) is not None:
        return _as_it_ended(last, total, over, folder, report, cancelled)
    every = spec.look_every(total)
    chooses = can_choose(len(validation.rows))
    config = make_config(
        spec,
        model,
        folder,
        steps=total,
        flat=use_flat_batches(spec, model, train),
        checkpointing=use_checkpointing(spec, model, train),
        warmup_steps=spec.warm_up_steps(total),
        max_grad_norm=MAX_GRAD_NORM,
        gradient_accumulation_steps=spec.passes,
        eval_strategy="steps",
        eval_steps=every,
        eval_on_start=True,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=chooses,
        metric_for_best_model="eval_loss" if chooses else None,
        greater_is_better=False if chooses else None,
        logging_steps=tell_loss_every(total),
        logging_first_step=True,
        logging_nan_inf_filter=False,  # a loss that is no number has to be seen, not averaged away
    )
    patience = last.patience(spec.patience) if last else Patience(spec.patience)
    watch = _make_watch(spec, total, report, cancelled, patience, Meter(model.device))
    began = time.monotonic()
    report("progress", phase="preparing the training", step=last.step if last else 0, total=total, eta=None)
    set_seed(spec.seed)  # the adapter's first values are drawn before the trainer sets its seed
    with as_it_was(model), missing_layers_told(spec):
        try:
            trainer = SFTTrainer(
                model=model,
                args=config,
                train_dataset=Dataset.from_list(labelled(rows_of_pass(spec, train))),
                eval_dataset=Dataset.from_list(labelled(even_validation(spec, train, validation))),
                processing_class=tokenizer,
                peft_config=make_lora_config(spec),
                callbacks=[watch],
            )
            if parent is not None and last is None:
                begin_with(trainer.model, parent, spec.lora.scale)
            with ExitStack() as held:
                held.enter_context(head_on_trained_tokens())
                held.enter_context(fast_layers(trainer.model))
                if not spec.lora.dropout:
                    held.enter_context(read_together(model, [row["input_ids"] for row in train.rows[:2]]))
                trainer.train(resume_from_checkpoint=str(last.folder) if last else None)
        except torch.OutOfMemoryError as error:
            raise BaseError(
                _n(
                    "The GPU's memory ran out with {count} row of up to {max_length} tokens at once on {base}.",
                    "The GPU's memory ran out with {count} rows of up to {max_length} tokens at once on {base}.",
                ),
                _(
                    "Set a smaller micro_batch or max_length, quantization = nf4, gradient_checkpointing = on, or "
                    "choose a smaller base."
                ),
                count=spec.rows_at_once,
                max_length=spec.max_length,
                base=spec.base.id,
            ) from error
        if watch.not_a_number:
            raise no_number(spec, watch.not_a_number, watch.step)
        stopped = cancelled()
        if not stopped:
            trainer.model.save_pretrained(folder / store.ADAPTER)
    best = trainer.state.best_metric if chooses else watch.last_loss
    best_step = int(trainer.state.best_global_step or trainer.state.global_step)
    reason = watch.stopped if trainer.state.global_step < total else ""
    return Trained(
        folder / store.ADAPTER,
        best_step,
        best if best is not None else float("nan"),
        trainer.state.global_step,
        time.monotonic() - began,
        stopped,
        reason,
    )


def _as_it_ended(
    last: checkpoints.Checkpoint, total: int, over: str, folder: Path, report: Report, cancelled: Callable[[], bool]
) -> Trained:
    """The result of a training whose last step was done before its process ended; the trainer would do one more."""
    report("progress", phase="training", step=last.step, total=total, eta=None)
    stopped = cancelled()
    if not stopped:
        last.save_best(folder / store.ADAPTER)
    return Trained(folder / store.ADAPTER, last.best_step, last.best_loss, last.step, 0.0, stopped, over)


def _make_watch(
    spec: TrainSpec, total: int, report: Report, cancelled: Callable[[], bool], patience: Patience, meter: Meter
) -> Any:
    """The callback that reports progress and losses, and stops the training on cancel, on a loss that is no number, and
    early. patience: as it stood where the training goes on."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        def __init__(self) -> None:
            self.remaining = Remaining(0)
            self.first = 0
            self.reported = 0.0
            self.reported_step = 0
            self.step = 0
            self.patience = patience
            self.stopped = ""
            self.not_a_number = ""
            self.last_loss: float | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.remaining, self.first = Remaining(state.global_step), state.global_step
            self.step = self.reported_step = self.first
            best = Path(args.output_dir) / f"checkpoint-{state.best_global_step}"
            if best.is_dir():  # by the path it had when it was written; the run's folder may have been moved since
                state.best_model_checkpoint = str(best)
            report("progress", phase="first look at the validation rows", step=self.first, total=total, eta=None)

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == self.first:
                report("progress", phase="training", step=self.first, total=total, eta=None)
            meter.begin()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            meter.end()
            self.step = state.global_step
            now = time.monotonic()
            if now - self.reported >= TELL_SECONDS or state.global_step == total:
                self.tell(now)
            if cancelled() or self.stopped:
                control.should_training_stop = True

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if self.step != self.reported_step:
                self.tell(time.monotonic())  # it ended between two words

        def tell(self, now: float) -> None:
            self.reported, self.reported_step = now, self.step
            eta = self.remaining.seconds_step(self.step) * (total - self.step)
            report("progress", phase="training", step=self.step, total=total, eta=round(eta, 1))

        def on_log(self, args: Any, state: Any, control: Any, logs: dict | None = None, **_: Any) -> None:
            loss = (logs or {}).get("loss")
            if loss is None:
                return
            if not math.isfinite(loss):
                self.not_a_number = str(loss)
                control.should_training_stop = True
                return
            told = {**norm_told(logs.get("grad_norm")), **meter.read(logs.get("num_tokens"))}
            report("metric", step=state.global_step, loss=round(loss, 5), lr=logs.get("learning_rate"), **told)

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict | None = None, **_: Any) -> None:
            loss = (metrics or {}).get("eval_loss")
            if loss is None:
                return
            if not math.isfinite(loss):
                self.not_a_number, self.step = str(loss), state.global_step
                control.should_training_stop = True
                return
            self.last_loss = loss
            report("metric", step=state.global_step, eval_loss=round(loss, 5))
            if state.global_step == self.first and state.global_step:
                return  # one that goes on looks again at what was looked at before
            self.stopped = self.patience.look(state.global_step, loss)
            if self.stopped:
                control.should_training_stop = True

    return Watch()
