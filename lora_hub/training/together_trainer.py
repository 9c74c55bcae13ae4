"""TRL's SFTTrainer over a batch whose rows each belong to a task: one frozen base, an adapter a task.

Each step takes a batch of every task that is still learning, sends its rows through its own adapter (trainable.py),
sums the mean losses that each task has over its own trained tokens, clips each adapter's gradient by its own norm and
moves each by its own learning rate and schedule. So every adapter learns what it would learn alone. A task that has
ended, has stopped early, was cancelled or has failed leaves the batch, and the others go faster. Started by
together.py.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from datasets import Dataset
from transformers import get_scheduler
from trl import SFTTrainer

from lora_hub.core.spec_fields import for_trainer
from lora_hub.data.prompts.prepare import Encoded
from lora_hub.training.even_labels import even_validation
from lora_hub.training.passes import rows_of_pass
from lora_hub.training.task_training import TaskTraining, read_checkpoint
from lora_hub.training.together_watch import Watch
from lora_hub.training.trainable import TrainableStack
from lora_hub.training.trainer_settings import (
    IGNORED,
    labelled,
    make_config,
    rows_looked_at,
    use_checkpointing,
    use_flat_batches,
)

# What a checkpoint keeps of a task's state.
KEPT = ("step", "steps", "best", "best_loss", "best_step", "losses")
LEAST_PROBED = 20  # steps; for fewer a probe would cost more than the better choice brings


class TogetherTrainer(SFTTrainer):
    """SFTTrainer whose batch holds rows of several tasks. Its model is the bare base; what is optimized are the stack's
    parameters."""

    def __init__(self, tasks: list[TaskTraining], stack: TrainableStack, model: Any, tokenizer: Any) -> None:
        self.tasks, self.stack = tasks, stack
        first = tasks[0].spec
        config = make_config(
            first,
            model,
            tasks[0].folder,
            steps=max(task.steps for task in tasks),
            flat=all(use_flat_batches(task.spec, model, task.train) for task in tasks),
            checkpointing=any(use_checkpointing(task.spec, model, task.train, together=len(tasks)) for task in tasks),
            max_grad_norm=0.0,  # clipped by adapter, in on_pre_optimizer_step
            eval_strategy="no",
            save_strategy="no",
            logging_strategy="no",
        )
        rows = Dataset.from_list(labelled(tasks[0].train))
        super().__init__(
            model=model, args=config, train_dataset=rows, processing_class=tokenizer, callbacks=[Watch(self)]
        )
        self.flat = config.padding_free
        self.validation = [
            self._loader(
                task,
                even_validation(task.spec, task.train, task.validation),
                rows_looked_at(task.spec),
                shuffled=False,
            )
            for task in tasks
        ]
        self.offsets = [0] * len(tasks)

    # --- what the trainer asks for ---

    def get_train_dataloader(self) -> Any:
        return _Steps(self)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """One AdamW with a group for each adapter."""
        if self.optimizer is None:
            kind, options = self.get_optimizer_cls_and_kwargs(self.args)
            groups = [
                {"params": self.stack.parameters(place), **self._optimized_by(task)}
                for place, task in enumerate(self.tasks)
            ]
            self.optimizer = kind(groups, **options)
            self._restore_optimizer()
        return self.optimizer

    def _optimized_by(self, task: TaskTraining) -> dict[str, Any]:
        """The optimizer's options that the task would have alone."""
        alone = copy.copy(self.args)
        for name, value in for_trainer(task.spec).items():
            setattr(alone, name, value)
        return {**self.get_optimizer_cls_and_kwargs(alone)[1], "weight_decay": alone.weight_decay}

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Each group by its own schedule: warm-up and length are its task's."""
        if self.lr_scheduler is None:
            optimizer = optimizer or self.optimizer
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                optimizer, [self._schedule(place) for place in range(len(self.tasks))]
            )
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _schedule(self, place: int) -> Callable[[int], float]:
        task = self.tasks[place]
        alone = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        factor = get_scheduler(
            task.spec.schedule,
            alone,
            num_warmup_steps=task.spec.warm_up_steps(task.steps),
            num_training_steps=task.steps,
        ).lr_lambdas[0]
        return lambda step: factor(step + self.offsets[place])

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """A step of all tasks: their micro-batches, one after another where they have several."""
        model.train()
        sums = torch.zeros(len(self.tasks), device=self.args.device)
        for micro in inputs["micros"]:
            # A layer that is computed again in the backward has to know its rows there, too.
            with self.stack.rows(micro["owners"]):
                with self.compute_loss_context_manager():
                    losses = self.compute_loss(model, self._prepare_inputs(micro))
                self.accelerator.backward(losses.sum())
            sums += losses.detach()
        for place, loss in enumerate(sums.tolist()):
            if place in self.stack.active:
                self.tasks[place].losses.append(loss)
        return sums.sum()

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """[tasks]: this micro-batch's share of each task's mean loss over the trained tokens of its step."""
        owners, counts = inputs.pop("owners"), inputs.pop("counts")
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        of_rows = -outputs.log_probs.float().sum(dim=-1)
        index = torch.tensor(owners, device=of_rows.device)
        losses = torch.zeros(len(self.tasks), device=of_rows.device).index_add(0, index, of_rows)
        losses = losses / torch.tensor(counts, device=of_rows.device, dtype=torch.float32).clamp(min=1)
        return (losses, outputs) if return_outputs else losses

    # --- data ---

    def _loader(self, task: TaskTraining, rows: Encoded, batch: int, *, shuffled: bool) -> Any:
        """The same loader that the task would have alone."""
        dataset = Dataset.from_list(labelled(rows_of_pass(task.spec, rows) if shuffled else rows))
        loader = self._get_dataloader(
            dataset,
            "Training" if shuffled else "Evaluation",
            batch,
            sampler_fn=self._get_train_sampler if shuffled else self._get_eval_sampler,
            is_training=shuffled,
        )
        sampler = getattr(getattr(loader, "batch_sampler", None), "sampler", None)
        if shuffled and hasattr(sampler, "initial_seed"):
            sampler.initial_seed = task.spec.seed
        return loader

    def steps_of(self, task: TaskTraining) -> Iterator[list[dict[str, torch.Tensor]]]:
        """The micro-batches of each of the task's steps, epoch after epoch, from where it stands."""
        loader = self._loader(task, task.train, task.spec.rows_at_once, shuffled=True)
        done = 0
        for epoch in range(10**9):
            loader.set_epoch(epoch)
            held: list[dict[str, torch.Tensor]] = []
            for batch in loader:
                held.append(batch)
                if len(held) == task.spec.passes:
                    done += 1
                    if done > task.step:
                        yield held
                    held = []
            if held:
                done += 1
                if done > task.step:
                    yield held

    def combine(self, parts: list[tuple[int, list[dict[str, torch.Tensor]]]]) -> list[dict[str, Any]]:
        """Micro-batches of several tasks -> batches of the rows of all, right-padded to the longest. parts: (place, its
        step)."""
        counts = [0] * len(self.tasks)
        for place, step in parts:
            counts[place] = sum(int((batch["labels"][:, 1:] != IGNORED).sum()) for batch in step)
        micros = []
        for number in range(max(len(step) for _, step in parts)):
            batches = [(place, step[number]) for place, step in parts if number < len(step)]
            longest = max(batch["input_ids"].shape[1] for _, batch in batches)
            joined = {
                "input_ids": _joined(
                    [batch["input_ids"] for _, batch in batches], longest, self.processing_class.pad_token_id or 0
                ),
                "labels": _joined([batch["labels"] for _, batch in batches], longest, IGNORED),
            }
            if self.flat:
                # What fills a row up is a sequence of its own, so that no token of the task sees it.
                joined["position_ids"] = torch.cat(
                    [
                        torch.cat(
                            [
                                batch["position_ids"],
                                torch.arange(longest - batch["position_ids"].shape[1])
                                .unsqueeze(0)
                                .to(batch["position_ids"]),
                            ],
                            dim=1,
                        )
                        for _, batch in batches
                    ]
                )
            else:
                joined["attention_mask"] = _joined([batch["attention_mask"] for _, batch in batches], longest, 0)
            owners = [place for place, batch in batches for _ in range(batch["input_ids"].shape[0])]
            micros.append({**joined, "owners": owners, "counts": counts})
        return micros

    def validation_loss(self, place: int) -> float:
        """Mean loss over the task's validation rows, batch by batch as Trainer.evaluate weighs them."""
        was = self.model.training
        self.model.eval()
        total = rows = 0.0
        with torch.no_grad():
            for batch in self.validation[place]:
                micro = self._prepare_inputs(self.combine([(place, [batch])])[0])
                # of rows that stand one after another, too
                weight = int((batch["position_ids"] == 0).sum()) if self.flat else len(micro["owners"])
                with self.stack.rows(micro["owners"]), self.compute_loss_context_manager():
                    total += weight * float(self.compute_loss(self.model, micro)[place])
                rows += weight
        self.model.train(was)
        return total / max(1.0, rows)

    def probe(self) -> tuple[float, float]:
        """(seconds of one step of all tasks, seconds of one step of each in turn): forward and backward on real rows,
        without an update. The best of two tries, so that other work on the machine counts less."""
        parts = [(place, next(self.steps_of(self.tasks[place]))) for place in self.stack.active]
        self._time_step(parts, 1)  # warms up
        return self._time_step(parts, 2), sum(self._time_step([part], 2) for part in parts)

    def _time_step(self, parts: list[tuple[int, list[dict[str, torch.Tensor]]]], attempts: int) -> float:
        best = math.inf
        for _ in range(attempts):
            began = time.perf_counter()
            for micro in self.combine(parts):
                with self.stack.rows(micro["owners"]):
                    with self.compute_loss_context_manager():
                        losses = self.compute_loss(self.model, self._prepare_inputs(micro))
                    losses.sum().backward()
            if self.args.device.type == "cuda":
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - began)
        self.stack.zero_grad()
        return best

    # --- checkpoints ---

    def save_checkpoint(self, place: int) -> None:
        """All that the task needs to go on, in one file that is replaced in one step."""
        task = self.tasks[place]
        states = [self.optimizer.state.get(one, {}) for one in self.stack.parameters(place)]
        task.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        temporary = task.checkpoint.with_suffix(".tmp")
        kept = {
            **{name: getattr(task, name) for name in KEPT},
            "watched": task.patience.best,
            "stale": task.patience.stale,
        }
        torch.save({"task": kept, "now": self.stack.state(place), "optimizer": states}, temporary)
        temporary.replace(task.checkpoint)

    def resume(self) -> None:
        """Goes on where the tasks' checkpoints stand; a task that has all its steps leaves the batch."""
        self._restored: dict[int, list[dict]] = {}
        for place, task in enumerate(self.tasks):
            kept = read_checkpoint(task, [*KEPT, "watched", "stale"], self.stack.state(place))
            if kept is not None:
                for name in KEPT:
                    setattr(task, name, kept["task"][name])
                task.patience.best, task.patience.stale = kept["task"]["watched"], kept["task"]["stale"]
                task.stopped = task.patience.why if task.step < task.steps else ""
                self.stack.load(place, kept["now"])
                self._restored[place] = kept["optimizer"]
                self.offsets[place] = task.step
        for place, task in enumerate(self.tasks):
            if task.best_step and (task.step >= task.steps or task.stopped):
                self.stack.retire(place)
                task.report("progress", phase="training", step=task.step, total=task.steps, eta=None)
        left = [task.steps - task.step for place, task in enumerate(self.tasks) if place in self.stack.active]
        self.args.max_steps = max(left, default=0)

    def _restore_optimizer(self) -> None:
        for place, states in self._restored.items():
            for parameter, state in zip(self.stack.parameters(place), states, strict=True):
                if state:
                    self.optimizer.state[parameter] = {
                        key: value.to(parameter.device) if value.dim() else value for key, value in state.items()
                    }


class _Steps:
    """The batches of one training: a step of every task that is still active, asked for one at a time."""

    def __init__(self, trainer: TogetherTrainer) -> None:
        self.trainer = trainer
        self.dataset = trainer.train_dataset

    def __len__(self) -> int:
        return self.trainer.args.max_steps

    def __iter__(self) -> Iterator[dict[str, Any]]:
        steps = {place: self.trainer.steps_of(self.trainer.tasks[place]) for place in self.trainer.stack.active}
        while self.trainer.stack.active:
            parts = [(place, next(steps[place])) for place in self.trainer.stack.active]
            for place, step in parts:
                self.trainer.tasks[place].tokens += sum(map(_tokens, step))
            yield {"micros": self.trainer.combine(parts)}


def _tokens(batch: dict[str, torch.Tensor]) -> int:
    """Tokens of a batch without padding; where rows lie in one sequence, there is none."""
    return int(batch["attention_mask"].sum()) if "attention_mask" in batch else batch["input_ids"].numel()


def _joined(tensors: list[torch.Tensor], length: int, filler: int) -> torch.Tensor:
    return torch.cat([torch.nn.functional.pad(one, (0, length - one.shape[1]), value=filler) for one in tensors])
