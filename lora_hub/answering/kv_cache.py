"""Keys and values of a running batch, in buffers with room for the tokens to come: a step writes its own in place.

The cache that a model makes for itself is copied whole at every step (`torch.cat`), which takes a sixth of the time of
a small base. Here a buffer is copied when it is full, and the next one is larger by a part of its length, so that a
token is copied a few times however many follow. On a CPU keys lie with their tokens side by side (seen as [rows, heads,
tokens, values] all the same): `attention` multiplies them so in half the time.

    cache = growing(cache)          the same keys and values; the model goes on with it as with its own
"""

import bisect
import copy
import itertools
from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

# Columns of room in a new buffer: so many, and this share of those that are taken.
_ROOM, _ROOM_SHARE = 24, 0.25


class GrowingLayer(DynamicLayer):
    """Keys and values [rows, heads, tokens, values] of one layer: views of the buffers' columns `_start` to `_end`.
    Whoever gives it other tensors (keys, values) leaves the buffers to be made anew with the next token."""

    _buffers: tuple[torch.Tensor, torch.Tensor] | None = None
    _start = _end = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Writes the tokens' keys and values behind those that are there; returns all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        more = key_states.shape[2]
        if self._buffers is None or self.keys is not self._shown[0] or self.values is not self._shown[1]:
            self._move(more)
        elif self._end + more > self._buffers[0].shape[2]:
            self._move(more)
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer.narrow(2, self._end, more).copy_(states)
        self._show(self._start, self._end + more)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keeps these rows, each as often as it is named, in buffers of their own."""
        self.keys, self.values = self.keys.index_select(0, indices), self.values.index_select(0, indices)
        self._buffers = None

    def drop(self, columns: int) -> None:
        """Forgets the first columns. Nothing is copied."""
        if self._buffers is not None and self.keys is self._shown[0] and self.values is self._shown[1]:
            self._show(self._start + columns, self._end)
        else:
            self.keys, self.values = self.keys[:, :, columns:], self.values[:, :, columns:]

    def _move(self, more: int) -> None:
        taken = self.keys.shape[2]
        self._buffers = _roomy(self.keys, taken + more, turned=True), _roomy(self.values, taken + more)
        for buffer, tensor in zip(self._buffers, (self.keys, self.values), strict=True):
            buffer.narrow(2, 0, taken).copy_(tensor)
        self._show(0, taken)

    def _show(self, start: int, end: int) -> None:
        self._start, self._end = start, end
        self.keys, self.values = self._shown = tuple(buffer.narrow(2, start, end - start) for buffer in self._buffers)


def growing(cache: Any) -> Any:
    """The same cache with layers that grow, where it is one of plain keys and values (`can_join`); else as it is."""
    if not can_join(cache):
        return cache
    grown = copy.copy(cache)
    grown.layers = [_taken_over(layer) for layer in cache.layers]
    return grown


def can_join(cache: Any) -> bool:
    """Whether rows can be put into this cache: plain keys and values of all tokens (no sliding window, no recurrent
    state)."""
    return type(cache) is DynamicCache and all(
        type(layer) in (DynamicLayer, GrowingLayer) and layer.is_initialized for layer in cache.layers
    )


def join_rows(caches: Sequence[Any], places: Sequence[int], width: int) -> Any:
    """A cache of its own with rows of several: `places` counts those of the first, behind them those of the second, and
    so on. width: columns of the new one; padding is on the left, so that is where rows are cut or widened. All stay as
    they are."""
    joined = copy.copy(caches[0])
    joined.layers = [_joined(layers, places, width) for layers in zip(*(cache.layers for cache in caches), strict=True)]
    return joined


def copy_cache(cache: Any, rows: torch.Tensor) -> Any:
    """A cache of its own with some rows of this one, each as often as it is named; the original stays as it is."""
    copied = copy.copy(cache)
    copied.layers = [copy.copy(layer) for layer in cache.layers]
    copied.batch_select_indices(rows)
    return copied


def _taken_over(layer: DynamicLayer) -> GrowingLayer:
    if type(layer) is GrowingLayer:
        return layer
    grown = GrowingLayer()
    grown.lazy_initialization(layer.keys, layer.values)
    grown.keys, grown.values = layer.keys, layer.values
    return grown


def _roomy(like: torch.Tensor, columns: int, rows: int | None = None, *, turned: bool = False) -> torch.Tensor:
    """A buffer for so many columns and more to come. turned: tokens lie side by side, on a CPU."""
    room = columns + _ROOM + int(columns * _ROOM_SHARE)
    rows, heads, values = like.shape[0] if rows is None else rows, like.shape[1], like.shape[3]
    if turned and like.device.type == "cpu":
        return like.new_empty(rows, heads, values, room).transpose(2, 3)
    return like.new_empty(rows, heads, room, values)


def _joined(layers: Sequence[DynamicLayer], places: Sequence[int], width: int) -> GrowingLayer:
    layer = GrowingLayer()
    layer.lazy_initialization(layers[0].keys, layers[0].values)
    ends = list(itertools.accumulate(one.keys.shape[0] for one in layers))
    whose = [bisect.bisect_right(ends, place) for place in places]
    sides = [
        (
            torch.tensor([at for at, one in enumerate(whose) if one == part], device=layer.device, dtype=torch.long),
            torch.tensor(
                [place - end + given.keys.shape[0] for place, one in zip(places, whose, strict=True) if one == part],
                device=layer.device,
                dtype=torch.long,
            ),
            given,
        )
        for part, (given, end) in enumerate(zip(layers, ends, strict=True))
    ]
    buffers = []
    for name in ("keys", "values"):
        buffer = _roomy(getattr(layers[0], name), width, len(places), turned=name == "keys")
        for to, rows, given in sides:
            tensor = getattr(given, name)
            missing = width - tensor.shape[2]
            if missing > 0:  # attention multiplies what it may not see with zero: it has to be a number
                buffer[to, :, :missing] = 0
            buffer[to, :, max(0, missing) : width] = tensor[rows, :, max(0, -missing) :]
        buffers.append(buffer)
    layer._buffers = tuple(buffers)
    layer._show(0, width)
    return layer
