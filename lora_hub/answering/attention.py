"""Attention on the CPU, in the two cases in which transformers and PyTorch take much longer than they have to.

A prompt that is read by a base whose queries share keys (Llama 3, Qwen, Mistral: several heads to one of keys):
transformers repeats keys and values for each head before it asks PyTorch, as other devices need it where there is a
mask. PyTorch's kernel for the CPU reads them as they are: a sixth of attention's time less, and no copy.

One token a row, as every step of an answer has it: PyTorch's kernel works row by row and head by head, and begins anew
for each. Two batched products over all of them take 0.8 of its time (128 rows, 68 keys of 8 heads), where keys lie as
`kv_cache` lays them; a quarter of a step at 30M parameters is attention.

    with cpu_attention():
        model(input_ids=ids, attention_mask=mask)
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

_local = threading.local()


@contextmanager
def cpu_attention() -> Iterator[None]:
    """Within it, this thread's "sdpa" attention goes these ways, where it can; all else is as ever."""
    AttentionInterface.register("sdpa", _attend)
    before = getattr(_local, "inside", False)
    _local.inside = True
    try:
        yield
    finally:
        _local.inside = before


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """As `sdpa_attention_forward`. query: [rows, heads, tokens, values]; key, value: [rows, heads of keys, ...]."""
    suits = (
        getattr(_local, "inside", False)
        and query.device.type == "cpu"
        and not dropout
        and not any(more.get(name) is not None for name in ("softcap", "position_bias", "cache"))
        and not more.get("output_attentions")
    )
    one = query.shape[2] == 1 and query.dtype == torch.float32
    if suits and one and (attention_mask is None or attention_mask.shape[1] == 1):
        return _attend_one(query, key, value, attention_mask, scaling), None
    if not suits or query.shape[2] == 1 or attention_mask is None or query.shape[1] == key.shape[1]:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **more)
    out = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attention_mask, scale=scaling, enable_gqa=True
    )
    return out.transpose(1, 2).contiguous(), None


def _attend_one(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float | None
) -> torch.Tensor:
    """Of one token a row. mask: [rows or 1, 1, 1, keys], False or very low where a key may not be seen. Returns [rows,
    1, heads, values]. Heads that share keys are taken as tokens of one head."""
    rows, heads, _, size = query.shape
    shared = query.reshape(rows, key.shape[1], heads // key.shape[1], size)
    scores = (shared * (size**-0.5 if scaling is None else scaling)) @ key.transpose(2, 3)
    if mask is not None:
        if mask.dtype == torch.bool:
            scores.masked_fill_(~mask, torch.finfo(scores.dtype).min)
        else:
            scores += mask
    return (scores.softmax(-1) @ value).view(rows, 1, heads, value.shape[-1])
