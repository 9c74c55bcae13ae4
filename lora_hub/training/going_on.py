"""Going on from an adapter: a training begins with its matrices instead of new ones; the optimizer begins anew.

    pairs = parent_pairs(folder, fresh)        its A and B by layer, in the place of those that were drawn
    shape_of(name, folder, before)             the LoraSpec that a run has to have which goes on from it
    begin_with(model, folder)                  the same for a model that PEFT has put a new adapter into

The files may be a stranger's: they are read and bounded as any adapter's (`peft_folder`), and have to have the very
layers, rank and scale of the adapter that they take the place of.
"""

from pathlib import Path
from typing import Any

from lora_hub.answering.stack import read_adapter
from lora_hub.core.errors import AdapterError
from lora_hub.core.messages import _
from lora_hub.core.schema import LoraSpec, lora_scale
from lora_hub.training.trainable import Pairs

# PEFT's names of an adapter's matrices.
PREFIX, A, B = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


def parent_pairs(folder: Path, fresh: Pairs, scale: float) -> Pairs:
    """The parent's matrices, in float32. fresh: those of a new adapter of this run's shape, layer -> (A, B). scale: of
    that adapter. Raises AdapterError where the parent is of another shape, or cannot be read."""
    saved = read_adapter(folder)
    if saved.others or saved.layers.keys() != fresh.keys():
        raise _other_shape()
    for name, layer in saved.layers.items():
        a, b = fresh[name]
        if (layer.a.shape, layer.b.shape) != (a.shape, b.shape) or abs(layer.scale - scale) > 1e-6 * scale:
            raise _other_shape()
    return {name: (layer.a.float().clone(), layer.b.float().clone()) for name, layer in saved.layers.items()}


def shape_of(name: str, folder: Path, before: LoraSpec) -> LoraSpec:
    """The shape that its files have; dropout and the names of the layers are those that it was trained with. Raises
    AdapterError where its layers are not all alike."""
    saved = read_adapter(folder)
    r, is_stabilized = next(iter(saved.layers.values())).a.shape[0], bool(saved.config.get("use_rslora"))
    alpha = float(saved.config.get("lora_alpha") or before.alpha)
    scale = lora_scale(alpha, r, rslora=is_stabilized)
    alike = all(of.a.shape[0] == r and abs(of.scale - scale) <= 1e-6 * scale for of in saved.layers.values())
    if saved.others or not alike or r > 1024:
        raise AdapterError(
            _(
                "{name} has layers of different ranks or scales, or trained more than low-rank pairs: no training "
                "goes on from it."
            ),
            _("Choose an adapter of one rank."),
            name=name,
        )
    return before.model_copy(update={"r": r, "alpha": alpha, "rslora": is_stabilized})


def begin_with(model: Any, folder: Path, scale: float) -> None:
    """Puts the parent's matrices into a model with a new adapter of PEFT's. Raises as `parent_pairs`."""
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    tensors = get_peft_model_state_dict(model)
    set_peft_model_state_dict(model, as_tensors(parent_pairs(folder, as_pairs(tensors), scale)))


def as_pairs(tensors: dict[str, Any]) -> Pairs:
    """PEFT's tensors as (A, B) by layer."""
    own = {key.removeprefix(PREFIX): value.detach().float().clone() for key, value in tensors.items()}
    return {key.removesuffix(A): (own[key], own[key.removesuffix(A) + B]) for key in own if key.endswith(A)}


def as_tensors(pairs: Pairs) -> dict[str, Any]:
    """The other way round."""
    return {
        f"{PREFIX}{name}{end}": matrix for name, pair in pairs.items() for end, matrix in zip((A, B), pair, strict=True)
    }


def _other_shape() -> AdapterError:
    return AdapterError(
        _("The adapter to go on from has other layers, another rank or another scale than this run's."),
        _("Leave its settings as they are, or train from the beginning."),
    )
