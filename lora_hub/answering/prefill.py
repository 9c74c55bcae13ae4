"""Prompts into the stack: one forward for a batch of them, with what they have in common at their beginning read only
once.

The prompts of a task begin alike (the instruction, the list of labels, examples), so their first tokens are read once
for each adapter and their keys and values copied under every row. A row keeps its place: it is padded on the left as
ever, and the columns that lie before the last `longest rest` of the batch are filled from the copy. So positions, masks
and windows are those of a forward over the whole prompts, whatever the architecture does with them.
"""

import copy
import inspect
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from lora_hub.answering.attention import cpu_attention
from lora_hub.answering.kv_cache import can_join
from lora_hub.answering.label_tree import LabelTree, packed_mask
from lora_hub.answering.last_layer import only_asked
from lora_hub.answering.routing import Plan
from lora_hub.answering.stack import AdapterStack
from lora_hub.catalogue import memory
from lora_hub.core.errors import BaseError, DataError, TooLongError
from lora_hub.core.messages import Message, _

# A beginning shorter than this many tokens costs more to copy than to read again.
MIN_SHARED = 8
# Keys that a token looks at are filled up to a multiple of this, with columns that nobody sees: on a CPU attention over
# 61 keys takes twice as long as over 64.
_EVEN_KEYS = 16


@dataclass(frozen=True)
class SharedBeginnings:
    """lengths: tokens in common, by the adapter's serial. rows: the adapter's row in the cache, whose columns end with
    the beginning's last token."""

    lengths: dict[int, int]
    rows: dict[int, int]
    cache: Any


@dataclass
class ReadPrompts:
    """Prompts that were read, padded on the left. logits: [rows, vocabulary], float, of what comes next. mask: [rows,
    width], 1 where a token is. positions: [rows, 1], each row's last one. cache: None where none was asked for or the
    base keeps none."""

    logits: torch.Tensor
    mask: torch.Tensor
    positions: torch.Tensor
    cache: Any


def read_prompts(
    stack: AdapterStack,
    plan: Plan,
    prompts: list[list[int]],
    pad: int,
    *,
    use_cache: bool = True,
    shared: SharedBeginnings | None = None,
) -> ReadPrompts:
    """One forward over prompts (token ids, none empty), row i through the adapter that `plan` names for it."""
    device = stack.model.device
    width = max(map(len, prompts))
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts], device=device)
    positions = (mask.cumsum(-1) - 1).clamp_(min=0)
    known = _known_columns(plan, prompts, shared, width)
    padded = [[pad] * (width - len(ids)) + ids for ids in prompts]
    input_ids = torch.tensor([ids[known:] for ids in padded], device=device)
    cache = _copy_beginnings(shared, plan, prompts, known, width, device) if known else None
    options = {"attention_mask": mask, "past_key_values": cache, "use_cache": use_cache or cache is not None}
    if takes_positions(stack.model):
        options["position_ids"] = positions[:, known:]
    with torch.no_grad(), stack.use(plan), only_asked(stack.model, 1), cpu_attention():
        out = stack.model(input_ids=input_ids, **options, **keep_logits(stack.model, 1))
    return ReadPrompts(
        out.logits[:, -1].float(), mask, positions[:, -1:], getattr(out, "past_key_values", None) if use_cache else None
    )


def read_with_trees(
    stack: AdapterStack,
    plan: Plan,
    prompts: list[list[int]],
    trees: list[LabelTree],
    pad: int,
    shared: SharedBeginnings,
) -> torch.Tensor:
    """One forward over prompts and, behind each, the tree of its labels. Returns logits [rows, 1 + most nodes,
    vocabulary]: of what comes after the prompt, and after each node."""
    device = stack.model.device
    most = max(len(tree.tokens) for tree in trees)
    width = max(map(len, prompts))
    known = _known_columns(plan, prompts, shared, width)
    if known:
        more = -(width + most) % _EVEN_KEYS
        width, known = width + more, known + more
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts], device=device)
    ids = [
        [*([pad] * (width - len(ids)) + ids)[known:], *tree.tokens, *[pad] * (most - len(tree.tokens))]
        for ids, tree in zip(prompts, trees, strict=True)
    ]
    positions = (mask.cumsum(-1) - 1).clamp_(min=0)
    depths = torch.tensor([tree.depths + [0] * (most - len(tree.depths)) for tree in trees], device=device)
    options: dict[str, Any] = {
        "attention_mask": packed_mask(mask, trees, stack.model.dtype, known),
        "position_ids": torch.cat([positions[:, known:], positions[:, -1:] + 1 + depths], dim=1).clamp_(
            max=context_length(stack) - 1
        ),
        "past_key_values": _copy_beginnings(shared, plan, prompts, known, width, device) if known else None,
        "use_cache": bool(known),
    }
    with torch.no_grad(), stack.use(plan), only_asked(stack.model, 1 + most), cpu_attention():
        out = stack.model(input_ids=torch.tensor(ids, device=device), **options, **keep_logits(stack.model, 1 + most))
    return out.logits[:, -1 - most :]


def share_beginnings(stack: AdapterStack, plan: Plan, prompts: list[list[int]], pad: int) -> SharedBeginnings | None:
    """Reads, for each adapter of `plan`, the tokens with which all its prompts begin. None where that saves nothing, or
    where the base keeps another cache than plain keys and values of all tokens."""
    by_serial: dict[int, list[int]] = {}
    for row, serial in enumerate(plan.serials):
        by_serial.setdefault(serial, []).append(row)
    # The last token of a prompt is always read: what comes next is asked there.
    lengths = {
        serial: _common_length([prompts[row] for row in rows]) if len(rows) > 1 else 0
        for serial, rows in by_serial.items()
    }
    if min(lengths.values()) < MIN_SHARED:
        return None
    serials = sorted(lengths)
    firsts = [by_serial[serial][0] for serial in serials]
    read = read_prompts(
        stack,
        plan.select(firsts),
        [prompts[row][: lengths[serial]] for row, serial in zip(firsts, serials, strict=True)],
        pad,
    )
    return (
        SharedBeginnings(lengths, {serial: i for i, serial in enumerate(serials)}, read.cache)
        if can_join(read.cache)
        else None
    )


def context_length(stack: AdapterStack) -> int:
    """Tokens, prompt and answer together, that the base can read."""
    config = stack.model.config.get_text_config(decoder=True)
    return getattr(config, "max_position_embeddings", None) or stack.base.context


def check_prompts(stack: AdapterStack, prompts: list[list[int]]) -> None:
    """Raises DataError where a prompt is empty, leaves no room for an answer, or has tokens that the base doesn't
    know."""
    context, vocabulary = context_length(stack), stack.model.get_input_embeddings().weight.shape[0]
    for i, ids in enumerate(prompts):
        if not ids:
            raise DataError(_("Prompt {number} is empty."), _("Write something to answer."), number=i + 1)
        if len(ids) >= context:
            raise TooLongError(
                _("Prompt {number} is {count} tokens long, and {base!r} reads at most {context}, answer included."),
                _("Shorten it, or choose a base with a longer context."),
                number=i + 1,
                count=len(ids),
                base=stack.base.id,
                context=context,
            )
        if max(ids) >= vocabulary:
            raise unknown_token(stack, _("Prompt {number}", number=i + 1), max(ids), vocabulary)


def batch_budget(stack: AdapterStack) -> int:
    """Padded tokens that a batch may have on the stack's device."""
    return memory.BATCH_TOKENS.get(stack.model.device.type, memory.BATCH_TOKENS["cpu"])


def prompt_too_large(stack: AdapterStack, tokens: int) -> BaseError:
    """For a prompt that does not even fit alone."""
    return BaseError(
        _("A prompt of {count} tokens does not fit the GPU's memory beside {base!r}."),
        _("Shorten it, or load the base in nf4."),
        count=tokens,
        base=stack.base.id,
    )


def unknown_token(stack: AdapterStack, what: Message, token: int, vocabulary: int) -> DataError:
    """`what` has a token that the base, with so many of them, doesn't know."""
    return DataError(
        _("{what} has the token {token}, but {base!r} only knows tokens below {vocabulary}."),
        _(
            "The tokenizer it is asked with was given more tokens than the base has: use the base's own, or an "
            "adapter without added tokens."
        ),
        what=what,
        token=token,
        base=stack.base.id,
        vocabulary=vocabulary,
    )


def keep_logits(model: PreTrainedModel, places: int) -> dict[str, int]:
    """The argument by which a model computes the logits of the last `places` only; nothing where it has none."""
    return {"logits_to_keep": places} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}


def takes_positions(model: PreTrainedModel) -> bool:
    """Whether a model is told each token's position."""
    return "position_ids" in inspect.signature(model.forward).parameters


def _known_columns(plan: Plan, prompts: list[list[int]], shared: SharedBeginnings | None, width: int) -> int:
    """How many columns of a batch of this width hold, in every row, only padding and tokens of the row's beginning."""
    if shared is None:
        return 0
    rest = max(len(ids) - shared.lengths[serial] for ids, serial in zip(prompts, plan.serials, strict=True))
    known = width - rest
    return known if known >= MIN_SHARED else 0


def _copy_beginnings(
    shared: SharedBeginnings, plan: Plan, prompts: list[list[int]], known: int, width: int, device: torch.device
) -> Any:
    """A cache of `known` columns: each row's beginning where it lies in the padded batch, and anything where the mask
    is 0."""
    widest = max(shared.lengths.values())
    # column c of a row is its token c - (width - its length); token t of a beginning is column t + (widest - its
    # length)
    shifts = [
        widest - shared.lengths[serial] - (width - len(ids)) for ids, serial in zip(prompts, plan.serials, strict=True)
    ]
    columns = (torch.arange(known, device=device)[None] + torch.tensor(shifts, device=device)[:, None]).clamp_(min=0)
    rows = torch.tensor([shared.rows[serial] for serial in plan.serials], device=device)[:, None]
    copied = copy.copy(shared.cache)
    copied.layers = [copy.copy(layer) for layer in shared.cache.layers]
    for layer in copied.layers:
        layer.keys, layer.values = (
            kept.transpose(1, 2)[rows, columns].transpose(1, 2) for kept in (layer.keys, layer.values)
        )
    return copied


def _common_length(prompts: list[list[int]]) -> int:
    """How many tokens all prompts begin with, at most all but the last of the shortest."""
    first, last = min(prompts), max(prompts)  # what the first and the last in order have in common, all have
    most = min(len(ids) for ids in prompts) - 1
    return next((at for at in range(most) if first[at] != last[at]), most)
