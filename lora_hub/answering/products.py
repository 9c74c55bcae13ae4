"""A linear layer's product on the CPU, by the faster of the two libraries that PyTorch brings.

PyTorch multiplies in float32 with MKL, which leaves half of the width of other makers' processors than Intel's unused:
on an AMD EPYC of 2024 it reaches 100 GFLOP/s a core where oneDNN reaches 210. Which is faster is measured once a
process.

    out = linear(x, weight, bias)               as torch.nn.functional.linear, up to rounding
    out = linear(x, pack(weight), bias)         laid out as the product reads it, once
"""

import time
from functools import cache

import torch

# Multiplications of one product from which on oneDNN's longer way to begin no longer counts.
_ENOUGH = 1 << 20
# Part of MKL's time that oneDNN may take at most; tokens, inputs and outputs of the product that is timed.
_FASTER = 0.85
_TIMED, _TURNS = (128, 512, 512), 8


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """x [..., in] times weight [out, in], which may be packed, plus bias [out]."""
    if weight.is_mkldnn:
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    features = weight.shape[1]
    small = x.numel() // features * weight.numel() < _ENOUGH
    wants_gradient = x.requires_grad and torch.is_grad_enabled()
    if small or not _suits(x) or wants_gradient or not onednn_is_faster():
        return torch.nn.functional.linear(x, weight, bias)
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


def pack(weight: torch.Tensor) -> torch.Tensor:
    """The weight as `linear` reads it fastest, no longer readable by anything else; or as it is, where that is best."""
    return torch.ops.mkldnn._reorder_linear_weight(weight, 64) if _suits(weight) and onednn_is_faster() else weight


@cache
def onednn_is_faster() -> bool:
    """Whether oneDNN multiplies floats clearly faster than what PyTorch takes by itself, on this machine. A few
    milliseconds, once a process."""
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    tokens, inputs, outputs = _TIMED
    x, weight = torch.ones(tokens, inputs), torch.ones(outputs, inputs)
    ways = (
        lambda: torch.nn.functional.linear(x, weight),
        lambda: torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], ""),
    )
    best = [float("inf")] * len(ways)
    # In turns, the best of each, and CPU time: others use the machine, too, and a run that is repeated has to take the
    # same way, or its weights differ in their last bits.
    for _turn in range(_TURNS):
        for way, multiply in enumerate(ways):
            start = time.thread_time()
            multiply()
            best[way] = min(best[way], time.thread_time() - start)
    return best[1] < _FASTER * best[0]


def _suits(tensor: torch.Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.device.type == "cpu"
