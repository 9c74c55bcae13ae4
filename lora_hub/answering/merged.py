"""Weights of the base with an adapter's share added, for as long as many tokens go through that adapter.

An adapter's two narrow products take a third of a forward's time on a CPU, though they are a twentieth of its
multiplications. W + s B A takes as long as the products of a few dozen tokens, and then the adapter costs nothing. So
what is answered in bulk, adapter by adapter, is multiplied by merged weights; panes and visitors, with a row or two an
adapter, are not. Only for floats on the CPU, whose rounding is that of the separate products, and for small bases: the
merged weights are a copy of the base's.

    merged = MergedWeights({"model.layers.0.mlp.up_proj": module, ...})
    weights = merged.of(adapter, tokens)       {layer: weight}, or None: too few tokens, or too large
"""

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import nn

from lora_hub.answering.peft_folder import LayerWeights
from lora_hub.answering.products import pack
from lora_hub.answering.routing import Attached
from lora_hub.catalogue import memory

# Tokens of an adapter in one forward from which on its weights are merged; and how many adapters are kept (a running
# batch is of two while the rows of one end and those of the next join).
WORTH_TOKENS = 256
_KEPT = 2


class MergedWeights:
    """Of the adapters that were asked most lately. modules: the base's layers that can be merged."""

    def __init__(self, modules: Mapping[str, nn.Linear], most_bytes: int = memory.MERGED_BYTES) -> None:
        self._modules = modules
        self._most_bytes = most_bytes
        self._kept: OrderedDict[int, tuple[dict[str, torch.Tensor], int]] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Bytes of all that is kept."""
        return sum(size for _, size in list(self._kept.values()))

    def of(self, adapter: Attached, tokens: int) -> dict[str, torch.Tensor] | None:
        """The merged weights [out, in] of the layers that the adapter touches, made now where so many tokens are worth
        it; None where they are not, or where the layers can't be merged or take more than the memory given for it."""
        known = self._kept.get(adapter.serial)
        if known is not None:
            self._kept.move_to_end(adapter.serial)
            return known[0]
        if (
            tokens < WORTH_TOKENS
            or not adapter.layers
            or not all(self._can_merge(*one) for one in adapter.layers.items())
        ):
            return None
        size = sum(self._modules[layer].weight.nbytes for layer in adapter.layers)
        if size > self._most_bytes:
            return None
        while self._kept and (len(self._kept) >= _KEPT or self.nbytes + size > self._most_bytes):
            self._kept.popitem(last=False)
        with torch.no_grad():
            made = {
                layer: pack(torch.addmm(self._modules[layer].weight, w.b, w.a, alpha=w.scale))
                for layer, w in adapter.layers.items()
            }
        self._kept[adapter.serial] = (made, size)
        return made

    def keep_only(self, serials: set[int]) -> None:
        """Forgets those of all other adapters."""
        for serial in [serial for serial in list(self._kept) if serial not in serials]:
            self._kept.pop(serial, None)

    def _can_merge(self, layer: str, w: LayerWeights) -> bool:
        return layer in self._modules and w.a.dtype == w.b.dtype == torch.float32


def mergeable(module: nn.Module) -> bool:
    """Whether it is a plain linear layer of floats on the CPU."""
    return type(module) is nn.Linear and module.weight.dtype == torch.float32 and module.weight.device.type == "cpu"
