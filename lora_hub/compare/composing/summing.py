"""The weighted sum of adapters of one base as one adapter, exactly: their A and B lie side by side, so that each
layer's change is the sum of theirs and its rank the sum of their ranks. Nothing is approximated.

    laid = lay_out([stack.adapter("spam").layers, stack.adapter("topic").layers])
    laid.weighted([0.5, 0.8])                            layers for a stack
    save_sum({Path("spam"): 0.5, Path("topic"): 0.8}, Path("made"))     an ordinary PEFT folder

delta = sum_i w_i s_i B_i A_i = [w_1 s_1 B_1, w_2 s_2 B_2, ...] [A_1; A_2; ...]: PEFT's `cat`. (Huang et al. 2023, arXiv
2307.13269, weight A and B apart, which changes the base otherwise than the sum of the changes.)
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.core import store
from lora_hub.hub.adapter_config import CONFIG_FILE, WEIGHTS_FILE


@dataclass(frozen=True)
class LaidLayer:
    """a: [ranks, in], of all adapters; b: [out, ranks], with their scales multiplied in; whose: [ranks], the place of
    each column's adapter."""

    a: Any
    b: Any
    whose: Any


@dataclass(frozen=True)
class LaidOut:
    """Adapters side by side, layer by layer; an adapter has no part in a layer that it leaves alone."""

    layers: dict[str, LaidLayer]

    def weighted(self, weights: Sequence[float]) -> dict[str, Any]:
        """The sum as `LayerWeights` by layer; A is shared by all sums."""
        import torch

        from lora_hub.answering.stack import LayerWeights

        made = {}
        for name, layer in self.layers.items():
            factors = torch.tensor(list(weights), dtype=layer.b.dtype, device=layer.b.device)[layer.whose]
            made[name] = LayerWeights(layer.a, layer.b * factors, 1.0)
        return made


def lay_out(adapters: Sequence[Mapping[str, Any]]) -> LaidOut:
    """adapters: `LayerWeights` by layer, all of one base, device and type."""
    import torch

    layers = {}
    for name in dict.fromkeys(name for adapter in adapters for name in adapter):
        there = [(place, adapter[name]) for place, adapter in enumerate(adapters) if name in adapter]
        ranks = torch.tensor([w.a.shape[0] for _place, w in there])
        layers[name] = LaidLayer(
            torch.cat([w.a for _place, w in there]),
            torch.cat([w.b * w.scale for _place, w in there], dim=1),
            torch.tensor([place for place, _w in there]).repeat_interleave(ranks).to(there[0][1].b.device),
        )
    return LaidOut(layers)


def save_sum(weights: Mapping[Path, float], made: Path) -> int:
    """Writes the sum of these PEFT folders, in single precision, and returns the largest rank of its layers. All fit
    one base (a stack has held them). Raises AdapterError where one cannot be read."""
    from safetensors.torch import save_file

    from lora_hub.answering.stack import LayerWeights, read_adapter

    saved = [read_adapter(folder) for folder in weights]
    adapters = [
        {name: LayerWeights(w.a.float(), w.b.float(), w.scale) for name, w in one.layers.items()} for one in saved
    ]
    summed = lay_out(adapters).weighted([*weights.values()])
    tensors = {}
    for name, w in summed.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = w.a.contiguous()
        tensors[f"base_model.model.{name}.lora_B.weight"] = w.b.contiguous()
    rank, others = _patterns({name: w.a.shape[0] for name, w in summed.items()})
    named = [one.config for one in saved]
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": next(
            (one["base_model_name_or_path"] for one in named if one.get("base_model_name_or_path")), None
        ),
        "r": rank,
        "lora_alpha": rank,  # alpha / rank = 1 in every layer: the scales are in B
        "rank_pattern": others,
        "alpha_pattern": others,
        "target_modules": sorted(summed),
        "bias": "none",
        "inference_mode": True,
        "lora_dropout": 0.0,
        "fan_in_fan_out": any(bool(one.get("fan_in_fan_out")) for one in named),
        "init_lora_weights": True,
    }
    made.mkdir(parents=True, exist_ok=True)
    save_file(tensors, made / WEIGHTS_FILE, {"format": "pt"})
    store.write_json(made / CONFIG_FILE, config)
    return max(w.a.shape[0] for w in summed.values())


def share_apart(made: Path, other: Path) -> float:
    """How far what two PEFT folders change is apart, as a share of the first one's size (Frobenius norm of all layers):
    0 where both change the same, in whatever order and at whatever rank; 1 where a value is no number. Raises
    AdapterError where one cannot be read."""
    from lora_hub.answering.stack import read_adapter

    ours, theirs = read_adapter(made).layers, read_adapter(other).layers
    apart = size = 0.0
    for name in ours.keys() | theirs.keys():
        there = [(sign, of[name]) for sign, of in ((1.0, ours), (-1.0, theirs)) if name in of]
        if len({(w.a.shape[1], w.b.shape[0]) for _sign, w in there}) > 1:
            return 1.0  # no layer of one base
        apart += _square_of(there)
        size += _square_of(there[:1]) if name in ours else 0.0
    if not math.isfinite(apart + size):
        return 1.0
    return (apart / size) ** 0.5 if size else float(apart > 0)


def _square_of(summed: Sequence[tuple[float, Any]]) -> float:
    """The squared Frobenius norm of sum_i f_i s_i B_i A_i, by its factors alone: the trace of (B^T B) (A A^T)."""
    import torch

    a = torch.cat([w.a.double() for _factor, w in summed])
    b = torch.cat([w.b.double() * (w.scale * factor) for factor, w in summed], dim=1)
    squared = float(((b.T @ b) * (a @ a.T)).sum())
    return squared if math.isnan(squared) else max(0.0, squared)


def _patterns(ranks: Mapping[str, int]) -> tuple[int, dict[str, int]]:
    """The commonest rank of the layers, and PEFT's patterns for the others: as few as will do, because every reader
    tries each of them on each layer. A name's last part stands for all layers that it ends, where their rank is one."""
    kinds: dict[str, set[int]] = defaultdict(set)
    for name, rank in ranks.items():
        kinds[name.rpartition(".")[2]].add(rank)
    counts: dict[int, int] = defaultdict(int)
    for rank in ranks.values():
        counts[rank] += 1
    commonest = max(counts, key=lambda rank: (counts[rank], rank))
    others: dict[str, int] = {}
    for name, rank in ranks.items():
        kind = name.rpartition(".")[2]
        if len(kinds[kind]) == 1 and rank != commonest:
            others[kind] = rank
        elif len(kinds[kind]) > 1 and rank != commonest:
            others[name.replace(".", r"\.")] = rank
    return commonest, others
