"""How a spec becomes the settings of the trainer and of PEFT, and its rows what the trainer takes: the same for a task
that is trained alone and for several that are trained together."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_hub.answering import loading
from lora_hub.core import store
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import TrainSpec
from lora_hub.core.spec_fields import for_trainer
from lora_hub.data.prompts.prepare import Encoded

if TYPE_CHECKING:
    from trl import SFTConfig

IGNORED = -100  # label of a token that is not trained on (torch's CrossEntropyLoss)
MAX_GRAD_NORM = 1.0  # of one adapter's gradient
# Training losses that are told of a run at most: a page draws no more points.
MOST_LOSSES = 150


def make_config(
    spec: TrainSpec, model: Any, folder: Path, *, steps: int, flat: bool, checkpointing: bool, **own: Any
) -> "SFTConfig":
    """The SFTConfig of a training in this run's folder. flat, checkpointing: as `use_flat_batches` and
    `use_checkpointing` say. own: settings of a training alone, or of one together, that the other does not share."""
    import torch
    from trl import SFTConfig

    on_gpu = torch.cuda.is_available() and model.device.type == "cuda"
    precision = loading.pick_precision(model.device, spec.precision)
    config = SFTConfig(
        output_dir=str(folder / store.CHECKPOINTS),
        max_steps=steps,
        per_device_train_batch_size=spec.rows_at_once,
        per_device_eval_batch_size=rows_looked_at(spec),
        activation_checkpointing=checkpointing,
        max_length=None,  # too long rows were left out and named already
        padding_free=flat,
        completion_only_loss=True,
        dataset_kwargs={"skip_prepare_dataset": True},
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=not on_gpu,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=on_gpu,
        **for_trainer(spec),
        **own,
    )
    one_gpu(config)
    return config


def one_gpu(config: Any) -> None:
    """A run trains on one GPU. On a machine with several the trainer would take `per_device_train_batch_size` rows on
    each, so that a step were two or more times as many rows as the spec says."""
    if config.n_gpu > 1:
        config._n_gpu = 1


def rows_looked_at(spec: TrainSpec) -> int:
    """Validation rows of one pass; without gradients more of them fit than are trained on at once."""
    return min(64, max(spec.rows_at_once, 8))


def tell_loss_every(steps: int) -> int:
    """Steps between two training losses that are reported, in a training of so many."""
    return max(1, steps // MOST_LOSSES)


def make_lora_config(spec: TrainSpec) -> Any:
    """PEFT's configuration of the spec's adapter."""
    from peft import LoraConfig

    named = {
        name: list(value) if isinstance(value, tuple) else value for name, value in for_trainer(spec, "lora.").items()
    }
    return LoraConfig(task_type="CAUSAL_LM", **named)


def use_flat_batches(spec: TrainSpec, model: Any, train: Encoded) -> bool:
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
    return exact and spec.rows_at_once > 1


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


def use_checkpointing(spec: TrainSpec, model: Any, train: Encoded, *, together: int = 1) -> bool:
    """Recomputing activations costs about a third more time: only where they would not fit. together: tasks whose rows
    are in one batch."""
    if spec.gradient_checkpointing != "auto":
        return spec.gradient_checkpointing == "on"
    if model.device.type != "cuda":
        return False
    import torch

    config = model.config.get_text_config()
    longest = max(len(row["input_ids"]) for row in train.rows)
    # About 34 bytes a token and hidden unit in each layer at 16 bits (Korthikanti et al. 2022, "Reducing Activation
    # Recomputation in Large Transformer Models", without the attention matrix, which SDPA does not keep).
    needed = 34 * spec.rows_at_once * together * longest * config.hidden_size * config.num_hidden_layers
    free, _ = torch.cuda.mem_get_info()
    return needed > 0.7 * free


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


@contextmanager
def missing_layers_told(spec: TrainSpec) -> Iterator[None]:
    """Turns PEFT's ValueError about target modules that the base does not have into a SpecError."""
    try:
        yield
    except ValueError as error:
        if "target modules" not in str(error).lower():
            raise
        targets = spec.lora.targets
        raise SpecError(
            _("The base {base} has no layers {targets!r}."),
            _("Set lora.targets = all-linear."),
            base=spec.base.id,
            targets=targets if isinstance(targets, str) else several(targets, quoted=True),
        ) from error


def no_number(spec: TrainSpec, loss: float, step: int) -> SpecError:
    """The error for a training whose loss is infinite or not a number."""
    return SpecError(
        _("The loss became {loss} at step {step} with {setting}."),
        _("Set a learning rate a third as high, and start again."),
        loss=str(loss),
        step=step,
        setting=_("{key} = {value}", key="lr", value=f"{spec.lr:g}"),
    )
