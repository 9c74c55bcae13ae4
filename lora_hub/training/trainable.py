"""N adapters in training on one frozen base: each row of a batch goes through, and teaches, the adapter of its task.

The adapters' matrices lie side by side, for each layer A [n, r_max, in] and B^T [n, r_max, out] (smaller ranks and
layers that an adapter leaves alone are zeros), and so do their gradients. What the optimizer sees are ordinary
parameters, one pair a layer and adapter, whose data and gradients are views of these: one batched product serves all
rows, and every adapter still has a parameter group, a norm and a checkpoint of its own. Gradients of different adapters
never mix, because the base is frozen and rows do not see each other.

    stack = TrainableStack(model, [Start(...), Start(...)])
    with stack.rows([0, 0, 1]):                     # rows 0 and 1 belong to the first adapter
        loss = ...; loss.backward()
    stack.state(0)                                  # {"model.layers.0.self_attn.q_proj": (A [r, in], B [out, r]), ...}
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

Pairs = dict[str, tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Start:
    """An adapter before its first step. pairs: layer -> (A [r, in], B [out, r]) in float32; scale: factor on their
    product;
    dropout: share of the inputs of A that is dropped while training."""

    pairs: Pairs
    scale: float
    dropout: float = 0.0


@dataclass
class Layer:
    """One linear layer's stacked matrices. a: [n, r, in]; b: [n, r, out]; a_grad, b_grad: the same shapes."""

    a: torch.Tensor
    b: torch.Tensor
    a_grad: torch.Tensor
    b_grad: torch.Tensor
    # adapter -> its parameters, views of a and b
    parameters: dict[int, tuple[nn.Parameter, nn.Parameter]] = field(default_factory=dict)


@dataclass(frozen=True)
class Rows:
    """Which rows of the batch belong to whom, in order: (place in the stack, first row, row behind the last)."""

    segments: tuple[tuple[int, int, int], ...]
    even: bool


class TrainableStack:
    """Adapters in training on `model`, which stays frozen and gets its hooks taken off by `close`."""

    def __init__(self, model: nn.Module, starts: list[Start]) -> None:
        self.model = model
        self.scales = [start.scale for start in starts]
        self.dropouts = [start.dropout for start in starts]
        self.active = list(range(len(starts)))
        self._rows: Rows | None = None
        self.owners: list[int] = []  # of the rows of the batch, within `rows`
        modules = dict(model.named_modules())
        names = list(dict.fromkeys(name for start in starts for name in start.pairs))
        self.layers: dict[str, Layer] = {}
        # A backward through a first layer needs something that wants a gradient: its input comes from the frozen
        # embedding.
        self._anchor = torch.zeros((), device=next(model.parameters()).device, requires_grad=True)
        for name in names:
            self.layers[name] = _make_layer(name, starts, modules[name].weight.device)
        self._hooks = [modules[name].register_forward_hook(self._hook(name)) for name in names]
        self._factors = self._make_factors()

    def parameters(self, adapter: int) -> list[nn.Parameter]:
        """The adapter's own parameters, A and B by layer."""
        return [one for layer in self.layers.values() for one in layer.parameters.get(adapter, ())]

    def state(self, adapter: int) -> Pairs:
        """Copies of the adapter's matrices by layer, on the CPU: A [r, in], B [out, r]."""
        return {
            name: (a.detach().cpu().clone(), b.detach().t().contiguous().cpu().clone())
            for name, layer in self.layers.items()
            if adapter in layer.parameters
            for a, b in [layer.parameters[adapter]]
        }

    def load(self, adapter: int, pairs: Pairs) -> None:
        """Puts matrices in the adapter's place."""
        with torch.no_grad():
            for name, (a, b) in pairs.items():
                own_a, own_b = self.layers[name].parameters[adapter]
                own_a.copy_(a)
                own_b.copy_(b.t())

    def zero_grad(self) -> None:
        for layer in self.layers.values():
            layer.a_grad.zero_()
            layer.b_grad.zero_()

    def clip(self, adapter: int, most: float) -> torch.Tensor:
        """Scales the adapter's gradients so that their norm is at most `most`, as clip_grad_norm_ does for a model,
        and returns what it was."""
        return nn.utils.clip_grad_norm_(self.parameters(adapter), most)

    def retire(self, adapter: int) -> None:
        """Takes an adapter that has ended out of the batch; its parameters keep their values and get no gradient any
        more."""
        keep = [place for place, one in enumerate(self.active) if one != adapter]
        self.active = [self.active[place] for place in keep]
        with torch.no_grad():
            for layer in self.layers.values():
                for own in layer.parameters.get(adapter, ()):
                    own.data = own.data.clone()
                    own.grad = None
                if keep:
                    index = torch.tensor(keep, device=layer.a.device)
                    layer.a, layer.b = layer.a.index_select(0, index), layer.b.index_select(0, index)
                    # In the middle of a step the others' gradients are still to be used.
                    layer.a_grad, layer.b_grad = (
                        layer.a_grad.index_select(0, index),
                        layer.b_grad.index_select(0, index),
                    )
                    _point(layer, self.active)
        self._factors = self._make_factors()

    @contextmanager
    def rows(self, owners: list[int]) -> Iterator[None]:
        """Within it, row i of a batch belongs to the adapter owners[i]; rows of one adapter lie side by side. One such
        block may lie in another. Raises ValueError where they do not lie so."""
        places = [self.active.index(owner) for owner in owners]
        segments, start = [], 0
        for place, group in itertools.groupby(places):
            length = len(list(group))
            segments.append((place, start, start + length))
            start += length
        if len({place for place, _, _ in segments}) != len(segments):
            raise ValueError(f"the rows of an adapter are apart: {owners}")
        sizes = {end - first for _, first, end in segments}
        whole = [place for place, _, _ in segments] == list(range(len(self.active)))
        before = self._rows, self.owners
        self._rows, self.owners = Rows(tuple(segments), whole and len(sizes) == 1), owners
        try:
            yield
        finally:
            self._rows, self.owners = before

    def close(self) -> None:
        """Takes the hooks off the base, so that it is the base again."""
        for hook in self._hooks:
            hook.remove()

    def _make_factors(self) -> torch.Tensor:
        return torch.tensor([self.scales[adapter] for adapter in self.active], device=self._anchor.device).view(
            -1, 1, 1
        )

    def _hook(self, name: str) -> Any:
        def add(module: nn.Module, args: tuple[torch.Tensor, ...], out: torch.Tensor) -> torch.Tensor:
            if self._rows is None:
                return out
            x = args[0]
            dropout = max(self.dropouts)
            if dropout and module.training:
                x = self._drop(x)
            layer = self.layers[name]
            return _AddDelta.apply(
                x, out, self._anchor, layer.a, layer.b, layer.a_grad, layer.b_grad, self._factors, self._rows
            )

        return add

    def _drop(self, x: torch.Tensor) -> torch.Tensor:
        parts = []
        for place, start, end in self._rows.segments:
            parts.append(nn.functional.dropout(x[start:end], self.dropouts[self.active[place]]))
        return torch.cat(parts)


class _AddDelta(torch.autograd.Function):
    """out + scale * (x A^T) B for each row's adapter; gradients of A and B are added up in their stacked buffers.

    x: [rows, length, in]; out: [rows, length, out]. Saved for the backward: x and x A^T, nothing of the size of A or B.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        out: torch.Tensor,
        anchor: torch.Tensor,
        a: torch.Tensor,
        b: torch.Tensor,
        a_grad: torch.Tensor,
        b_grad: torch.Tensor,
        factors: torch.Tensor,
        rows: Rows,
    ) -> torch.Tensor:
        ctx.buffers, ctx.rows = (a, b, a_grad, b_grad, factors), rows
        # Computed in the layer's own precision, as autocast would; matrices and gradients stay in float32.
        kind = out.dtype
        if out.is_contiguous() and not out._is_view():
            whole = out  # a linear layer's backward does not need its output
            ctx.mark_dirty(out)
        else:
            whole = out.clone(memory_format=torch.contiguous_format)
        down = []
        for xs, target, at, bt, scale in _parts(x, whole, a, b, factors, rows):
            h = torch.matmul(xs.to(kind), at.to(kind).transpose(-1, -2))
            down.append(h)
            target.add_(torch.matmul(h * scale.to(kind), bt.to(kind)))
        ctx.save_for_backward(x, *down)
        return whole

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple:
        x, *down = ctx.saved_tensors
        a, b, a_grad, b_grad, factors = ctx.buffers
        grad = grad.contiguous()
        wants = ctx.needs_input_grad[0]
        dx = torch.empty_like(x, dtype=grad.dtype) if wants else None
        parts = zip(
            _parts(x, grad, a, b, factors, ctx.rows),
            _parts(dx if wants else x, grad, a_grad, b_grad, factors, ctx.rows),
            down,
            strict=True,
        )
        for (xs, g, at, bt, scale), (target, _, at_grad, bt_grad, _), h in parts:
            kind = g.dtype
            up = torch.matmul(g, bt.to(kind).transpose(-1, -2)) * scale.to(kind)
            bt_grad.add_(torch.matmul((h * scale.to(kind)).transpose(-1, -2), g))
            at_grad.add_(torch.matmul(up.transpose(-1, -2), xs.to(kind)))
            if wants:
                target.copy_(torch.matmul(up, at.to(kind)))
        return (dx.to(x.dtype) if wants else None, grad, None, None, None, None, None, None, None)


def _parts(
    x: torch.Tensor, out: torch.Tensor, a: torch.Tensor, b: torch.Tensor, factors: torch.Tensor, rows: Rows
) -> Iterator[tuple]:
    """(x, out, A, B, scale) of all adapters at once where they have as many rows each, else of one after another. All
    are
    views: [n, rows * length, ...] or [rows * length, ...]."""
    if rows.even:
        n = len(rows.segments)
        yield x.reshape(n, -1, x.shape[-1]), out.view(n, -1, out.shape[-1]), a, b, factors
        return
    for place, start, end in rows.segments:
        yield (
            x[start:end].reshape(-1, x.shape[-1]),
            out[start:end].view(-1, out.shape[-1]),
            a[place],
            b[place],
            factors[place],
        )


def _make_layer(name: str, starts: list[Start], device: torch.device) -> Layer:
    own = {adapter: start.pairs[name] for adapter, start in enumerate(starts) if name in start.pairs}
    rank = max(a.shape[0] for a, _ in own.values())
    first_a, first_b = next(iter(own.values()))
    a = torch.zeros(len(starts), rank, first_a.shape[1], device=device)
    b = torch.zeros(len(starts), rank, first_b.shape[0], device=device)
    layer = Layer(a, b, torch.zeros_like(a), torch.zeros_like(b))
    for adapter, (own_a, own_b) in own.items():
        r = own_a.shape[0]
        a[adapter, :r] = own_a
        b[adapter, :r] = own_b.t()
        layer.parameters[adapter] = (nn.Parameter(a[adapter, :r]), nn.Parameter(b[adapter, :r]))
    _point(layer, list(range(len(starts))))
    return layer


def _point(layer: Layer, active: list[int]) -> None:
    """Makes each active adapter's parameters, and their gradients, views of the stacked matrices."""
    for place, adapter in enumerate(active):
        if adapter in layer.parameters:
            own_a, own_b = layer.parameters[adapter]
            r = own_a.shape[0]
            own_a.data, own_b.data = layer.a[place, :r], layer.b[place, :r]
            own_a.grad, own_b.grad = layer.a_grad[place, :r], layer.b_grad[place, :r]
