"""The linear layers of a base in training on a CPU: forward and backward by the faster library (`answering.products`),
and a layer's adapter in one piece with it.

PEFT adds an adapter's part to a layer's output by passes of their own over tensors of that size, and PyTorch keeps what
each needs. Here a layer and its adapter are one step of the gradient's graph: the delta is added to the output in
place, and kept are the input (which the layers that share it share) and the few numbers a token between A and B. What
comes out is the same up to rounding.

    with fast_layers(peft_model):
        trainer.train()
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from peft.tuners.lora.layer import Linear as Adapted
from torch import nn

from lora_hub.answering.products import linear, onednn_is_faster


@contextmanager
def fast_layers(model: nn.Module) -> Iterator[None]:
    """Within it, the model's frozen linear layers, and those with one plain adapter of PEFT's, compute as said above
    where they are in float32 on a CPU; all others as ever."""
    changed: list[nn.Module] = []
    try:
        if onednn_is_faster():
            for module in model.modules():
                if "forward" in vars(module):
                    continue
                if type(module) is Adapted and _frozen(module.base_layer):
                    module.forward = partial(_adapted, module)
                elif _frozen(module):
                    module.forward = partial(frozen, module)
                else:
                    continue
                changed.append(module)
        yield
    finally:
        for module in changed:
            vars(module).pop("forward", None)


def frozen(module: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    """What the frozen layer gives for x [..., in]; where x has a gradient, it gets its own."""
    if torch.is_autocast_enabled("cpu") or x.dtype != torch.float32:
        return nn.functional.linear(x, module.weight, module.bias)
    if x.requires_grad and torch.is_grad_enabled():
        return _Frozen.apply(x, module.weight, module.bias)
    return linear(x, module.weight, module.bias)


def _frozen(module: nn.Module) -> bool:
    return (
        type(module) is nn.Linear
        and module.weight.dtype == torch.float32
        and module.weight.device.type == "cpu"
        and not module.weight.requires_grad
        and (module.bias is None or not module.bias.requires_grad)
    )


def _adapted(module: Adapted, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    active = [name for name in module.active_adapters if name in module.lora_A]
    plain = (
        len(active) == 1
        and not (args or kwargs or module.disable_adapters or module.merged or module.lora_variant)
        and x.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
    )
    if plain:
        name = active[0]
        a, b = module.lora_A[name], module.lora_B[name]
        plain = a.weight.dtype == torch.float32 and a.bias is None and b.bias is None
        plain = plain and (not module.training or isinstance(module.lora_dropout[name], nn.Identity))
    if not plain:
        return type(module).forward(module, x, *args, **kwargs)
    base = module.base_layer
    return _WithAdapter.apply(x, base.weight, base.bias, a.weight, b.weight, module.scaling[name])


class _Frozen(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(weight)
        return linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple:
        (weight,) = ctx.saved_tensors
        return linear(grad, weight.t()), None, None


class _WithAdapter(torch.autograd.Function):
    """x weight^T + bias + scale (x A^T) B^T. x: [..., in]; weight: [out, in], frozen; A: [r, in]; B: [out, r]."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])
        out = linear(rows, weight, bias)
        down = linear(rows, a)
        out.addmm_(down, b.t(), alpha=scale)
        ctx.save_for_backward(rows, down, weight, a, b)
        ctx.scale = scale
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple:
        rows, down, weight, a, b = ctx.saved_tensors
        wants_x, _, _, wants_a, wants_b, _ = ctx.needs_input_grad
        shape = grad.shape
        grad = grad.reshape(-1, shape[-1])
        up = linear(grad, b.t()).mul_(ctx.scale)
        of_x = of_a = of_b = None
        if wants_a:
            of_a = linear(up.t(), rows.t())
        if wants_b:
            of_b = linear(down.t(), grad.t()).mul_(ctx.scale).t()
        if wants_x:
            of_x = linear(grad, weight.t()).addmm_(up, a).view(*shape[:-1], -1)
        return of_x, None, None, of_a, of_b, None
