"""Which row of a batch goes through which adapter, and the arithmetic of it.

A `Plan` is made by `AdapterStack.plan` and used by its hooks; it holds the tensors of the adapters it names, so that
nothing which is attached or detached later can change an answer under way.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from lora_hub.answering import products
from lora_hub.answering.gated import LAYERS
from lora_hub.answering.peft_folder import LayerWeights
from lora_hub.core.errors import AdapterError
from lora_hub.core.messages import _
from lora_hub.core.schema import BASE


@dataclass(frozen=True, eq=False)
class Attached:
    """An adapter in its slot. layers: by module name within the base. serial: never used twice, unlike the slot.
    nbytes: of its
    tensors, counted once: the stack asks at every attach. Two are the same only where they are one object."""

    name: str
    slot: int
    serial: int
    layers: dict[str, LayerWeights]
    nbytes: int


THE_BASE = Attached(BASE, 0, 0, {}, 0)  # a row that no adapter touches


# Of adapters with more rows than this each, one after another is as fast as all side by side, which has to be copied.
_FEW_ROWS = 8
# Layers of a block that are called one after another with the very same input: their A are one product.
_SAME_INPUT = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))


# The merged weights of an adapter, by layer, of which so many tokens come; or None.
Merger = Callable[[Attached, int], dict[str, torch.Tensor] | None]


@dataclass(frozen=True, eq=False)
class StackedLayer:
    """n adapters on one layer. a: [n, in, r_max]; b: [n, r_max, out], the adapters' scales multiplied in. shared: A of
    all layers with this one's input, [n, in, ranks], of which `a` is the columns `start` to `end`; last: of these
    layers."""

    a: torch.Tensor
    b: torch.Tensor
    shared: torch.Tensor | None = None
    start: int = 0
    end: int = 0
    last: bool = False


class Plan:
    """Which adapter each row of a batch goes through, and the tensors that takes. Made by `AdapterStack.plan`.

    Rows are worked on in the order of their adapters. Where every adapter has as many rows as the next one, and few,
    all of them go through one batched product; else adapter by adapter, each with all its rows at once, and those of
    many tokens through weights that the adapter is merged into (`merger`).
    """

    def __init__(
        self,
        adapters: list[Attached],
        stacker: Callable[[list[Attached]], dict[str, StackedLayer] | None],
        merger: Merger | None = None,
    ) -> None:
        self._adapters = list(adapters)
        self._stacker, self._merger = stacker, merger
        # which adapter each row goes through; 0 is the base
        self.serials = serials = [adapter.serial for adapter in adapters]
        order = sorted(range(len(serials)), key=serials.__getitem__)  # stable: rows of an adapter keep their order
        used = sorted({adapter for adapter in adapters if adapter is not THE_BASE}, key=lambda adapter: adapter.serial)
        counts = [serials.count(adapter.serial) for adapter in used]
        self._base_rows = serials.count(THE_BASE.serial)
        self._order = None if order == list(range(len(serials))) else torch.tensor(order[self._base_rows :])
        ends = list(itertools.accumulate(counts))
        self._segments = [(adapter, end - n, end) for adapter, n, end in zip(used, counts, ends, strict=True)]
        # of plans that are only selected from and joined, nothing is stacked
        even = len(counts) > 1 and len(set(counts)) == 1 and counts[0] <= _FEW_ROWS
        self._even = used if even else []
        self._side_by_side: dict[str, StackedLayer] | None = None
        # the last input that several layers share, those layers' A, and the product of both
        self._known: tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None] = (None, None, None)
        self._touched = {layer for adapter in used for layer in adapter.layers}
        # of each segment the merged weights, in the forward under way; layers whose merged product has been made
        self._merged: list[dict[str, torch.Tensor] | None] = []
        self._multiplied: set[str] = set()
        # rows of the base keep their product bit for bit, so a batch with any of them is multiplied as a whole
        self._may_merge = merger is not None and not even and self._order is None and not self._base_rows
        self._length = 0

    @property
    def rows(self) -> int:
        return len(self._adapters)

    def select(self, rows: list[int]) -> "Plan":
        """The plan of some of the rows, with the same tensors, whatever has been detached since."""
        return Plan([self._adapters[row] for row in rows], self._stacker, self._merger)

    def join(self, other: "Plan", order: list[int]) -> "Plan":
        """The plan of these rows and another's, taken in `order`. Both keep their own tensors, whatever was attached
        between."""
        adapters = self._adapters + other._adapters
        return Plan([adapters[row] for row in order], self._stacker, self._merger)

    def expect(self, rows: int, length: int) -> None:
        """Notes the shape of the batch that comes. Raises AdapterError where it isn't the plan's."""
        if rows != self.rows:
            raise AdapterError(
                _("The batch has {rows} rows, but slots were given for {slots}."),
                _("Give one slot for each row, beams included."),
                rows=rows,
                slots=self.rows,
            )
        self._length, self._known = length, (None, None, None)
        if self._even:
            self._side_by_side = self._stacker(self._even)
            self._even = []
        self._merged, self._multiplied = [], set()
        if self._may_merge:
            merged = [self._merger(adapter, (end - start) * length) for adapter, start, end in self._segments]
            self._merged = merged if any(merged) else []

    def product(self, layer: str, module: nn.Linear, x: torch.Tensor) -> torch.Tensor:
        """What the layer gives, before `add_delta`: of segments that are merged, with their delta. x: as there."""
        flat = x.dim() == 2 and x.shape[0] == self.rows * self._length
        if not self._merged or layer not in self._touched or not (flat or (x.shape[0] == self.rows and x.dim() > 2)):
            return products.linear(x, module.weight, module.bias)
        self._multiplied.add(layer)
        weights = [module.weight if one is None else one.get(layer, module.weight) for one in self._merged]
        if len(weights) == 1:
            return products.linear(x, weights[0], module.bias)
        step = self._length if flat else 1
        parts = zip(self._segments, weights, strict=True)
        return torch.cat(
            [products.linear(x[start * step : end * step], w, module.bias) for (_, start, end), w in parts]
        )

    def gated_weights(self, block: str, module: nn.Module) -> list[torch.Tensor] | None:
        """The weights of a block's three layers (`gated`), where one adapter that is merged answers all rows; None
        elsewhere."""
        if len(self._merged) != 1:
            return None
        return [self._merged[0].get(f"{block}.{name}", getattr(module, name).weight) for name in LAYERS]

    def add_delta(self, layer: str, x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """Adds the adapters' share to a linear layer's output. x: [rows, length, in]; out: [rows, length, out]; or both
        flattened over rows and length. Changes `out` in place, only rows with a slot above 0. Raises AdapterError."""
        done = layer in self._multiplied
        self._multiplied.discard(layer)
        if layer not in self._touched or (done and all(self._merged)):
            return out
        given = x
        if x.shape[0] != self.rows or x.dim() < 3:
            if x.dim() != 2 or x.shape[0] != self.rows * self._length:
                raise AdapterError(
                    _(
                        "The layer {layer} saw {shape} in a batch of {rows} x {length}: this base sends tokens "
                        "different ways, and adapters cannot be told apart there."
                    ),
                    _("Use adapters that leave this layer alone."),
                    layer=layer,
                    shape=str(list(x.shape)),
                    rows=self.rows,
                    length=self._length,
                )
            x = x.view(self.rows, self._length, -1)
        whole = out.contiguous()
        rows = whole.view(*x.shape[:-1], -1)
        if self._order is None:
            mine = (x[self._base_rows :], rows[self._base_rows :]) if self._base_rows else (x, rows)
            self._add(layer, given, *mine, done)
        else:
            index = self._order.to(x.device)
            picked = rows.index_select(0, index)
            self._add(layer, given, x.index_select(0, index), picked)
            rows.index_copy_(0, index, picked)
        return whole

    def _add(self, layer: str, given: torch.Tensor, x: torch.Tensor, out: torch.Tensor, done: bool = False) -> None:
        """x and out: the adapters' rows only, in the order of the segments. given: what the layer itself was given.
        done: merged segments have their share. Changes `out`."""
        if self._side_by_side is not None:
            w, n = self._side_by_side[layer], len(self._segments)
            h = self._through_a(w, given, x, n)
            target = out.view(n, -1, out.shape[-1])
            if target.dtype == w.b.dtype:
                target.baddbmm_(h, w.b)
            else:
                target.add_(torch.bmm(h, w.b))
            return
        for place, (adapter, start, end) in enumerate(self._segments):
            w = adapter.layers.get(layer)
            if w is not None and not (done and self._merged[place]):
                h = nn.functional.linear(x[start:end].to(w.a.dtype), w.a)
                target = out[start:end]
                if target.dtype == w.b.dtype:
                    target.view(-1, target.shape[-1]).addmm_(h.view(-1, h.shape[-1]), w.b.t(), alpha=w.scale)
                else:
                    target.add_(nn.functional.linear(h.mul_(w.scale), w.b))

    def _through_a(self, w: StackedLayer, given: torch.Tensor, x: torch.Tensor, n: int) -> torch.Tensor:
        """x through the adapters' A, [n, rows and tokens, r_max]; of layers that share their input, once for all."""
        shared = w.a if w.shared is None else w.shared
        known_for, known_a, h = self._known
        if known_for is not given or known_a is not shared:
            h = torch.bmm(x.reshape(n, -1, x.shape[-1]).to(shared.dtype), shared)
        if w.shared is None:
            return h
        self._known = (None, None, None) if w.last else (given, shared, h)
        return h[:, :, w.start : w.end]


def stack_layers(adapters: list[Attached]) -> dict[str, StackedLayer]:
    """The adapters side by side, layer by layer. A layer that an adapter leaves alone is zeros, and so is missing
    rank."""
    ranks: dict[str, int] = {}
    some: dict[str, LayerWeights] = {}
    for adapter in adapters:
        for layer, w in adapter.layers.items():
            ranks[layer], some[layer] = max(ranks.get(layer, 0), w.a.shape[0]), w
    stacked = {}
    for group in _same_input(some):
        total = sum(ranks[layer] for layer in group)
        first = some[group[0]].a
        # A is laid out as the product reads it, in first: of a row or two it is a third faster
        shared, end = first.new_zeros(len(adapters), first.shape[1], total), 0
        for layer in group:
            start, end = end, end + ranks[layer]
            b = some[layer].b.new_zeros(len(adapters), some[layer].b.shape[0], ranks[layer])
            for i, adapter in enumerate(adapters):
                w = adapter.layers.get(layer)
                if w is not None:
                    shared[i, :, start : start + w.a.shape[0]] = w.a.t()
                    torch.mul(w.b, w.scale, out=b[i, :, : w.b.shape[1]])
            stacked[layer] = StackedLayer(
                shared[:, :, start:end],
                b.transpose(1, 2),
                shared if len(group) > 1 else None,
                start,
                end,
                layer == group[-1],
            )
    return stacked


def _same_input(layers: dict[str, LayerWeights]) -> list[list[str]]:
    """The layers in groups: those that are called one after another with the very same input, and each other alone."""
    groups, left = [], dict.fromkeys(layers)
    for layer in layers:
        block, _, name = layer.rpartition(".")
        for names in _SAME_INPUT:
            group = [f"{block}.{one}" for one in names if f"{block}.{one}" in left]
            if name in names and layer in left and len(group) > 1:
                alike = [one for one in group if layers[one].a.shape[1:] == layers[layer].a.shape[1:]]
                groups.append(alike)
                for one in alike:
                    del left[one]
    return groups + [[layer] for layer in left]


def stacked_bytes(adapters: list[Attached]) -> int:
    """Bytes of `stack_layers` of them: of adapters whose ranks differ widely, nearly all of it zeros."""
    total = 0
    for layer in {layer for adapter in adapters for layer in adapter.layers}:
        total += len(adapters) * max(
            w.a.nbytes + w.b.nbytes for adapter in adapters if (w := adapter.layers.get(layer)) is not None
        )
    return total
