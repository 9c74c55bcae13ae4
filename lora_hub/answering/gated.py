"""The gated part of a layer, down(silu(gate x) * up x), of many tokens on the CPU: in pieces that stay in the
processor's cache, and without a pass of its own for the activation and the product.

Of thousands of tokens, what stands between is megabytes that are written, read and given back three times over: of a
small base that takes as long as the products do. oneDNN applies both to what it has just multiplied.

    out = multiply(gate, up, down, x)           up to rounding as the module gives it
"""

import torch
from torch import nn

from lora_hub.answering.products import onednn_is_faster

# Floats that stand between the products at once.
_AT_ONCE = 1 << 18
# What its layers are called, in the order in which `multiply` takes their weights.
LAYERS = ("gate_proj", "up_proj", "down_proj")


def is_gated(module: nn.Module) -> bool:
    """Whether it is what Llama and those after it have: three linear layers without bias and SiLU, no more."""
    return (
        type(module).__name__ in ("LlamaMLP", "MistralMLP", "Qwen2MLP", "Qwen3MLP", "SmolLM3MLP")
        and all(
            type(getattr(module, name, None)) is nn.Linear and getattr(module, name).bias is None for name in LAYERS
        )
        and type(getattr(module, "act_fn", None)).__name__ in ("SiLU", "SiLUActivation")
    )


def multiply(gate: torch.Tensor, up: torch.Tensor, down: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """gate, up: [between, in]; down: [in, between]; each as it is or packed (`products.pack`). x: [..., in], floats on
    the CPU. Returns [..., in]."""
    operator = torch.ops.mkldnn._linear_pointwise
    flat = x.reshape(-1, x.shape[-1])
    size = max(64, _AT_ONCE // gate.shape[0])
    out = torch.empty_like(flat)
    for start in range(0, flat.shape[0], size):
        piece = flat[start : start + size]
        opened = operator(piece, gate, None, "swish", [], "")
        between = operator.binary(piece, opened, up, None, "mul")
        out[start : start + size] = operator(between, down, None, "none", [], "")
    return out.view(x.shape)


def can_multiply(x: torch.Tensor) -> bool:
    """Whether `multiply` takes it, and gains by it."""
    return x.dtype == torch.float32 and x.device.type == "cpu" and not x.requires_grad and onednn_is_faster()
