"""The last layer of a base, only where its output is asked for.

Of a prompt that is read, the last layer is asked for what comes next, behind its last token: of all others it has to
give keys and values, which answers go on from, but neither their queries nor what the layer makes of them. That is most
of a layer: a quarter of the time of a base of four layers.

    with only_asked(model, 1), stack.use(plan):
        model(input_ids=ids, logits_to_keep=1)
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from lora_hub.answering.kv_cache import GrowingLayer

# Whose attention is rotary, with keys and values of its own products, and as `_keep_keys` says; each has been held
# against a forward of the whole layer (test_last_layer.py).
_KNOWN = ("llama", "mistral", "qwen2", "qwen3")


@contextmanager
def only_asked(model: PreTrainedModel, places: int) -> Iterator[None]:
    """Within it, this thread's forwards give what comes after the last `places` tokens of each row, and no more: as
    many places has the model's output. Nothing changes for a base that isn't known well enough."""
    layer = _last_layer(model)
    if layer is None or "forward" in vars(layer):
        yield
        return
    layer.forward = partial(_forward, layer, places, threading.get_ident())
    try:
        yield
    finally:
        vars(layer).pop("forward", None)


def _last_layer(model: PreTrainedModel) -> nn.Module | None:
    layers = getattr(getattr(model, "model", None), "layers", None)
    return layers[-1] if model.config.model_type in _KNOWN and layers else None


def _forward(layer: nn.Module, places: int, thread: int, hidden_states: torch.Tensor, **given: Any) -> torch.Tensor:
    whole: Callable[..., torch.Tensor] = partial(type(layer).forward, layer)
    mask, cache = given.get("attention_mask"), given.get("past_key_values")
    suits = (
        threading.get_ident() == thread
        and hidden_states.shape[1] > places
        # without a mask a row of several tokens would look at the first keys instead of all before it
        and (places == 1 if mask is None else _by_pairs(mask, hidden_states.shape[1]))
        and (cache is None or _plain(cache, layer.self_attn.layer_idx))
    )
    if not suits:
        return whole(hidden_states, **given)
    if cache is None:
        cache = DynamicCache()
    cos, sin = given["position_embeddings"]
    _keep_keys(layer, hidden_states[:, :-places], cos[:, :-places], sin[:, :-places], cache)
    given |= {
        "attention_mask": None if mask is None else mask[:, :, -places:],
        "position_embeddings": (cos[:, -places:], sin[:, -places:]),
        "past_key_values": cache,
    }
    if given.get("position_ids") is not None:
        given["position_ids"] = given["position_ids"][:, -places:]
    return whole(hidden_states[:, -places:], **given)


def _by_pairs(mask: Any, tokens: int) -> bool:
    """Whether it says of each of so many tokens which ones it may look at."""
    return isinstance(mask, torch.Tensor) and mask.dim() == 4 and mask.shape[2] == tokens


def _plain(cache: Any, layer: int) -> bool:
    """Whether the layer's keys and values are kept of all tokens, one after another."""
    layers = getattr(cache, "layers", None)
    if type(cache) is not DynamicCache or layers is None:
        return False
    return len(layers) <= layer or type(layers[layer]) in (DynamicLayer, GrowingLayer)


def _keep_keys(layer: nn.Module, hidden: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, cache: Any) -> None:
    """Puts the keys and values of some tokens into the cache, as the layer's attention does."""
    attention = layer.self_attn
    normed = layer.input_layernorm(hidden)
    shape = (*normed.shape[:-1], -1, attention.head_dim)
    keys, values = attention.k_proj(normed).view(shape), attention.v_proj(normed).view(shape)
    if hasattr(attention, "k_norm"):
        keys = attention.k_norm(keys)
    rotate = sys.modules[type(attention).__module__].apply_rotary_pos_emb
    keys, values = keys.transpose(1, 2), values.transpose(1, 2)
    _, keys = rotate(keys[:, :0], keys, cos, sin)
    cache.update(keys, values, attention.layer_idx)
