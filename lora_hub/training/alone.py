"""TrainSpec -> adapter folder. Reads from top to bottom like a script; the trainer is TRL's SFTTrainer with PEFT LoRA.

Owns how a spec's fields become SFTConfig and LoraConfig, and what is watched while training goes on. The rows come in
as token ids (data/prompts/prepare.py), so that only the answer's tokens are trained on and no second tokenization can
differ. Used by worker.py; to try it alone: `python -m lora_hub train FILE --task T`.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.answering import loading
from lora_hub.answering.unadapted import as_it_was
from lora_hub.core.errors import BaseError, SpecError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import TrainSpec
from lora_hub.data.prompts.prepare import Encoded
from lora_hub.training import checkpoints
from lora_hub.training.patience import Patience

IGNORED = -100  # label of a token that is not trained on (torch's CrossEntropyLoss)
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
) -> Trained:
    """Trains the adapter of a run and saves its best checkpoint in `folder`/adapter.

    model: the loaded, frozen base; it comes back as it was, also where this raises. folder: the run's; checkpoints lie
    in `folder`/checkpoints, and where there are some from before, training goes on from the last. Where that one is the
    end, nothing more is trained. Raises BaseError where memory runs out, SpecError where the targets don't fit the base
    or the loss is not a number.
    """
    import torch
    from datasets import Dataset
    from transformers import set_seed
    from trl import SFTConfig, SFTTrainer

    on_gpu = torch.cuda.is_available() and model.device.type == "cuda"
    precision = loading.pick_precision(model.device, spec.precision)
    micro = spec.rows_at_once
    total = spec.count_steps(len(train.rows))
    last = checkpoints.find_last(folder / "checkpoints")
    if last is not None and (over := last.why_over(total, spec.patience)) is not None:
        return _as_it_ended(last, total, over, folder, report, cancelled)
    every = max(1, math.ceil(total / spec.evaluations))
    flat = use_flat_batches(spec, model, train, micro)
    checkpointing = use_checkpointing(spec, model, train, micro, on_gpu)

    config = SFTConfig(
        output_dir=str(folder / "checkpoints"),
        max_steps=total,
        learning_rate=spec.lr,
        lr_scheduler_type=spec.schedule,
        warmup_steps=round(spec.warmup * total),
        weight_decay=spec.weight_decay,
        max_grad_norm=1.0,
        per_device_train_batch_size=micro,
        per_device_eval_batch_size=min(64, max(micro, 8)),
        gradient_accumulation_steps=spec.passes,
        gradient_checkpointing=checkpointing,
        max_length=None,  # too long rows were left out and named already
        padding_free=flat,
        completion_only_loss=True,
        dataset_kwargs={"skip_prepare_dataset": True},
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=not on_gpu,
        eval_strategy="steps",
        eval_steps=every,
        eval_on_start=True,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=max(1, total // 150),
        logging_first_step=True,
        logging_nan_inf_filter=False,  # a loss that is no number has to be seen, not averaged away
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=on_gpu,
        seed=spec.seed,
        data_seed=spec.seed,
    )
    one_gpu(config)
    watch = _make_watch(
        spec, total, report, cancelled, last.patience(spec.patience) if last else Patience(spec.patience)
    )
    began = time.monotonic()
    report("progress", phase="preparing the training", step=last.step if last else 0, total=total, eta=None)
    set_seed(spec.seed)  # the adapter's first values are drawn before the trainer sets its seed
    with as_it_was(model):
        try:
            trainer = SFTTrainer(
                model=model,
                args=config,
                train_dataset=Dataset.from_list(labelled(train)),
                eval_dataset=Dataset.from_list(labelled(validation)),
                processing_class=tokenizer,
                peft_config=make_lora_config(spec),
                callbacks=[watch],
            )
            with head_on_trained_tokens():
                trainer.train(resume_from_checkpoint=str(last.folder) if last else None)
        except torch.OutOfMemoryError as error:
            raise BaseError(
                _("The GPU's memory ran out with {rows} rows of up to {max_length} tokens at once on {base}."),
                _(
                    "Set a smaller micro_batch or max_length, quantization = nf4, gradient_checkpointing = on, or "
                    "choose a smaller base."
                ),
                rows=micro,
                max_length=spec.max_length,
                base=spec.base.id,
            ) from error
        except ValueError as error:
            if "target modules" in str(error).lower():
                raise no_such_layers(spec) from error
            raise
        if watch.not_a_number:
            raise no_number(spec, watch.not_a_number, watch.step)
        stopped = cancelled()
        if not stopped:
            trainer.model.save_pretrained(folder / "adapter")
    best = trainer.state.best_metric
    best_step = int(trainer.state.best_global_step or trainer.state.global_step)
    reason = watch.stopped if trainer.state.global_step < total else ""
    return Trained(
        folder / "adapter",
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
    """What came of a training whose last step was done before its process ended: the trainer would do one more."""
    report("progress", phase="training", step=last.step, total=total, eta=None)
    stopped = cancelled()
    if not stopped:
        last.save_best(folder / "adapter")
    return Trained(folder / "adapter", last.best_step, last.best_loss, last.step, 0.0, stopped, over)


def one_gpu(config: Any) -> None:
    """A run trains on one GPU. On a machine with several the trainer would take `per_device_train_batch_size` rows on
    each, so that a step were two or more times as many rows as the spec says."""
    if config.n_gpu > 1:
        config._n_gpu = 1


def no_such_layers(spec: TrainSpec) -> SpecError:
    return SpecError(
        _("The base {base} has no layers {targets!r}."),
        _("Set lora.targets = all-linear."),
        base=spec.base.id,
        targets=spec.lora.targets if isinstance(spec.lora.targets, str) else several(spec.lora.targets, quoted=True),
    )


def no_number(spec: TrainSpec, loss: float, step: int) -> SpecError:
    """For a training whose loss is infinite or no number."""
    return SpecError(
        _("The loss became {loss} at step {step} with {setting}."),
        _("Set a learning rate a third as high, and start again."),
        loss=str(loss),
        step=step,
        setting=f"lr = {spec.lr:g}",
    )


def make_lora_config(spec: TrainSpec) -> Any:
    """PEFT's configuration of the spec's adapter."""
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=spec.lora.r,
        lora_alpha=spec.lora.alpha,
        lora_dropout=spec.lora.dropout,
        target_modules=spec.lora.targets if isinstance(spec.lora.targets, str) else list(spec.lora.targets),
        use_rslora=spec.lora.rslora,
    )


@contextmanager
def head_on_trained_tokens() -> Iterator[None]:
    """Puts only the tokens that are trained on through the base's output head.

    TRL 1.16 does so where its Triton kernel runs; elsewhere it sends every position through and masks the losses after,
    to spare compilers that want fixed shapes. A CPU has none, and with short answers behind long prompts that head is
    half of a small base's step. The losses are the same: the other positions count as zero either way.
    """
    from trl.trainer import utils

    ask_triton = utils._use_triton
    utils._use_triton = lambda device: device.type == "cpu" or ask_triton(device)
    try:
        yield
    finally:
        utils._use_triton = ask_triton


def labelled(encoded: Encoded) -> list[dict[str, list[int]]]:
    """Rows as SFTTrainer takes them: input_ids, and labels that are IGNORED where nothing is trained."""
    return [
        {
            "input_ids": row["input_ids"],
            "labels": [
                token if trained else IGNORED
                for token, trained in zip(row["input_ids"], row["completion_mask"], strict=True)
            ],
        }
        for row in encoded.rows
    ]


def use_flat_batches(spec: TrainSpec, model: Any, train: Encoded, micro: int) -> bool:
    """Whether rows lie one behind the other in one sequence instead of being padded to the longest (TRL's
    padding_free).

    "auto": where attention has a kernel for sequences of several lengths. Without one it goes through a dense mask of
    the sequence's length squared: on a CPU a step of the samples took 1.2 to 1.9 times as long as with padding.
    """
    if spec.packing == "off" or (
        spec.packing == "auto" and not str(model.config._attn_implementation).startswith("flash")
    ):
        return False
    exact = _flat_is_exact(model, [row["input_ids"][:64] for row in train.rows[:2]])
    if spec.packing == "on":
        if not exact:
            raise SpecError(
                _("The base {base} mixes rows that are packed together."),
                _("Set packing = auto."),
                base=spec.base.id,
            )
        return True
    return exact and micro > 1


def _flat_is_exact(model: Any, rows: list[list[int]]) -> bool:
    """Whether two rows in one sequence, told apart by their position ids, give the logits that they give alone."""
    import torch

    with torch.inference_mode():
        alone = [model(input_ids=torch.tensor([row], device=model.device), use_cache=False).logits[0] for row in rows]
        positions = [position for row in rows for position in range(len(row))]
        together = model(
            input_ids=torch.tensor([[token for row in rows for token in row]], device=model.device),
            position_ids=torch.tensor([positions], device=model.device),
            use_cache=False,
        ).logits[0]
    tolerance = 1e-3 if together.dtype == torch.float32 else 0.25
    return bool((torch.cat(alone) - together).abs().max() < tolerance)


def use_checkpointing(spec: TrainSpec, model: Any, train: Encoded, micro: int, on_gpu: bool) -> bool:
    """Recomputing activations costs about a third more time: only where they would not fit."""
    if spec.gradient_checkpointing != "auto":
        return spec.gradient_checkpointing == "on"
    if not on_gpu:
        return False
    import torch

    config = model.config.get_text_config()
    longest = max(len(row["input_ids"]) for row in train.rows)
    # About 34 bytes a token and hidden unit in each layer at 16 bits (Korthikanti et al. 2022, "Reducing Activation
    # Recomputation in Large Transformer Models", without the attention matrix, which SDPA does not keep).
    needed = 34 * micro * longest * config.hidden_size * config.num_hidden_layers
    free, _ = torch.cuda.mem_get_info()
    return needed > 0.7 * free


def _make_watch(spec: TrainSpec, total: int, report: Report, cancelled: Callable[[], bool], patience: Patience) -> Any:
    """The callback that reports progress and losses, stops on cancel, on a loss that is no number, and early. patience:
    as it stands."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        def __init__(self) -> None:
            self.began = time.monotonic()
            self.first = 0
            self.reported = 0.0
            self.reported_step = 0
            self.step = 0
            self.patience = patience
            self.stopped = ""
            self.not_a_number = ""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.began, self.first = time.monotonic(), state.global_step
            self.step = self.reported_step = self.first
            best = Path(args.output_dir) / f"checkpoint-{state.best_global_step}"
            if best.is_dir():  # by the path it had when it was written; the run's folder may have been moved since
                state.best_model_checkpoint = str(best)
            report("progress", phase="first look at the validation rows", step=self.first, total=total, eta=None)

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == self.first:
                report("progress", phase="training", step=self.first, total=total, eta=None)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
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
            eta = (now - self.began) / max(1, self.step - self.first) * (total - self.step)
            report("progress", phase="training", step=self.step, total=total, eta=round(eta, 1))

        def on_log(self, args: Any, state: Any, control: Any, logs: dict | None = None, **_: Any) -> None:
            loss = (logs or {}).get("loss")
            if loss is None:
                return
            if not math.isfinite(loss):
                self.not_a_number = str(loss)
                control.should_training_stop = True
                return
            report("metric", step=state.global_step, loss=round(loss, 5), lr=logs.get("learning_rate"))

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict | None = None, **_: Any) -> None:
            loss = (metrics or {}).get("eval_loss")
            if loss is None:
                return
            if not math.isfinite(loss):
                self.not_a_number, self.step = str(loss), state.global_step
                control.should_training_stop = True
                return
            report("metric", step=state.global_step, eval_loss=round(loss, 5))
            if state.global_step == self.first and state.global_step:
                return  # one that goes on looks again at what was looked at before
            self.stopped = self.patience.look(state.global_step, loss)
            if self.stopped:
                control.should_training_stop = True

    return Watch()
