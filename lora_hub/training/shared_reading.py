"""A batch in training on a CPU, read without its padding, and what its rows begin with only once: losses and gradients
stay as they are, up to rounding.

The rows of a task begin alike (chat template, instruction, list of labels). All rows of a step go through the same
weights, so that the states, keys and values of that beginning are the same for each of them: they are computed once,
and what comes back from the rows adds up. What is left of the rows is read in groups of similar length, as many as save
more padding than it costs to call the layers once more.

    with read_together(model, rows_of_the_data):
        trainer.train()                         # model(input_ids=..., attention_mask=...) as ever
"""

import inspect
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from lora_hub.answering.prefill import takes_positions
from lora_hub.training.trainable import TrainableStack

# Tokens that a common beginning has to save, beside those that another call of the layers costs.
LEAST_SAVED = 64
# Multiplications of weights that take as long as it does to call the operations of one layer, forward and back.
CALL = 60_000_000
# Tokens of the rows by which a base is tried, and how far off its states may be.
TRIED, TOLERANCE = 24, 1e-3


@contextmanager
def read_together(model: PreTrainedModel, rows: list[list[int]], stack: TrainableStack | None = None) -> Iterator[None]:
    """Within it, the layers of `model` read right-padded batches as said above, where that gives the same: on a CPU, in
    float32, with a cache of plain keys and values and without dropout. rows: token ids of some of the data, with which
    that is tried. stack: of adapters that rows belong to; their `Start` may not have dropout either."""
    backbone = model.base_model
    reader = _Reader(model, backbone.forward, stack)
    if stack is not None and any(stack.dropouts) or not _suits(model) or not reader.is_exact(rows):
        yield
        return
    own = vars(backbone).get("forward")
    backbone.forward = reader.read
    try:
        yield
    finally:
        del backbone.forward
        if own is not None:
            backbone.forward = own


def common_beginning(input_ids: torch.Tensor, lengths: torch.Tensor) -> int:
    """Tokens with which all rows begin; at least one is left of each. input_ids: [rows, width], padded on the right;
    lengths: [rows], without padding."""
    alike = (input_ids == input_ids[:1]).all(0).long().cumprod(0).sum()
    return max(0, int(torch.minimum(alike, lengths.min() - 1)))


def groups_by_length(lengths: list[int], call: float) -> list[list[int]]:
    """Rows in groups of similar length, those whose padded tokens and `call` tokens a group are fewest."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    best = [(0.0, 0)]  # of the first so many rows: what they cost, and where their last group begins
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        best.append(min((best[start][0] + (end - start) * longest + call, start) for start in range(end)))
    groups, end = [], len(order)
    while end:
        groups.append(sorted(order[best[end][1] : end]))
        end = best[end][1]
    return groups


def groups_of_adapters(lengths: list[int], firsts: list[int], counts: list[int], call: float) -> list[list[int]]:
    """`groups_by_length` of a batch. firsts, counts: where the rows of each adapter begin, and how many they are.
    Adapters with as many rows each share their products, so that a group has as many rows of each: their shortest, and
    so on."""
    if len(set(counts)) > 1:
        return [list(range(len(lengths)))]
    ranked = [sorted(range(one, one + counts[0]), key=lengths.__getitem__) for one in firsts]
    longest = [max(lengths[row] for row in rows) for rows in zip(*ranked, strict=True)]
    groups = groups_by_length(longest, call / len(firsts))
    return [sorted(rows[place] for rows in ranked for place in group) for group in groups]


def _suits(model: PreTrainedModel) -> bool:
    config = model.config.get_text_config()
    drops = any(isinstance(module, nn.Dropout) and module.p for module in model.modules())
    return (
        model.device.type == "cpu"
        and model.dtype == torch.float32
        and model.base_model is not model
        and takes_positions(model.base_model)
        and "past_key_values" in inspect.signature(model.base_model.forward).parameters
        and not (drops or getattr(config, "attention_dropout", 0))
    )


class _Reader:
    def __init__(self, model: PreTrainedModel, forward: Any, stack: TrainableStack | None) -> None:
        self._model, self._forward, self._stack = model, forward, stack
        weights = sum(m.weight.numel() for m in model.base_model.modules() if isinstance(m, nn.Linear))
        layers = getattr(model.config.get_text_config(), "num_hidden_layers", 1)
        self._call = CALL * layers / max(1, weights)  # in tokens

    def is_exact(self, rows: list[list[int]]) -> bool:
        """Whether the base gives the same states for rows whose beginning was read before as for whole ones."""
        if len(rows) < 2 or min(len(rows[0]), len(rows[1])) < 3:
            return False
        begin = rows[0][: min(TRIED, len(rows[0]) - 1)]
        ends = [rows[0][len(begin) :][:TRIED], rows[1][:TRIED]]
        shortest = min(map(len, ends))
        ids = torch.tensor([begin + end[:shortest] for end in ends])
        mask = torch.ones_like(ids)
        with torch.inference_mode():
            whole = self._forward(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
            first = self._begin(ids[:1], len(begin))
            if any(type(layer) is not DynamicLayer for layer in first.past_key_values.layers):
                return False
            end = self._end(first, torch.tensor([0, 0]), ids[:, len(begin) :], mask).last_hidden_state
        return bool((whole[:, len(begin) :] - end).abs().max() < TOLERANCE * whole.abs().max().clamp(min=1))

    def read(self, *args: Any, **kwargs: Any) -> Any:
        input_ids, mask = kwargs.get("input_ids"), kwargs.get("attention_mask")
        others = {name for name, value in kwargs.items() if value is not None} - {"input_ids", "attention_mask"}
        if (
            args
            or input_ids is None
            or mask is None
            or others - {"use_cache", "return_dict"}
            or kwargs.get("use_cache")
        ):
            return self._forward(*args, **kwargs)
        lengths = mask.sum(-1)
        owners = self._stack.owners if self._stack is not None else []
        rows, width = input_ids.shape
        padded_right = bool((mask == (torch.arange(width) < lengths[:, None])).all() and lengths.min())
        if rows < 2 or not padded_right or self._model.is_activation_checkpointing:
            return self._forward(*args, **kwargs)
        firsts = [row for row in range(rows) if not row or (owners and owners[row] != owners[row - 1])]
        counts = [end - one for one, end in zip(firsts, [*firsts[1:], rows], strict=True)]
        begin = min(
            common_beginning(input_ids[one : one + count], lengths[one : one + count])
            for one, count in zip(firsts, counts, strict=True)
        )
        if begin * (rows - len(firsts)) < LEAST_SAVED + self._call:
            begin = 0
        own = (lengths - begin).tolist()
        groups = groups_of_adapters(own, firsts, counts, self._call)
        if not begin and len(groups) == 1:
            return self._forward(*args, **kwargs)
        first, states = None, []
        source = torch.arange(len(firsts)).repeat_interleave(torch.tensor(counts))  # whose beginning is a row's
        if begin:
            with self._rows_of(owners, firsts):
                first = self._begin(input_ids[firsts], begin)
        for group in groups:
            end = begin + max(own[row] for row in group)
            with self._rows_of(owners, group):
                read = self._end(first, source[group], input_ids[group, begin:end], mask[group, :end])
            states.append(nn.functional.pad(read.last_hidden_state, (0, 0, 0, width - end)))
        order = torch.tensor([row for group in groups for row in group])
        whole = torch.cat(states)[order.argsort()]
        if first is not None:
            whole = torch.cat([first.last_hidden_state[source], whole], dim=1)
        return type(read)(last_hidden_state=whole)

    def _rows_of(self, owners: list[int], rows: list[int]) -> AbstractContextManager[None]:
        return self._stack.rows([owners[row] for row in rows]) if owners else nullcontext()

    def _begin(self, input_ids: torch.Tensor, begin: int) -> Any:
        cache = DynamicCache(config=self._model.config)
        return self._forward(input_ids=input_ids[:, :begin], past_key_values=cache, use_cache=True)

    def _end(self, first: Any, source: torch.Tensor, input_ids: torch.Tensor, mask: torch.Tensor) -> Any:
        """What follows the beginnings that were read: row i goes on from row source[i] of `first`."""
        if first is None:
            return self._forward(input_ids=input_ids, attention_mask=mask, use_cache=False)
        cache = DynamicCache()
        for number, layer in enumerate(first.past_key_values.layers):
            cache.update(_rows(layer.keys, source), _rows(layer.values, source), number)
        return self._forward(input_ids=input_ids, attention_mask=mask, past_key_values=cache, use_cache=True)


def _rows(tensor: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    return tensor.expand(len(source), -1, -1, -1) if tensor.shape[0] == 1 else tensor[source]
