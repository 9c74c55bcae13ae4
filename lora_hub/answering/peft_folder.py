"""What PEFT saved in a folder: reads `adapter_config.json` and `adapter_model.safetensors`, and knows what can be
stacked.

Plain LoRA (also rsLoRA, rank and alpha patterns, any target) is low-rank pairs A [r, in], B [out, r] and a scale per
layer, delta = scale * x A^T B^T (Hu et al. 2021, arXiv 2106.09685; rsLoRA: Kalajdzievski 2023, arXiv 2312.03732). Every
other method is refused by name: adding its A and B to the untouched base would give a wrong answer without a word.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from lora_hub.core.errors import AdapterError, reason_of
from lora_hub.core.messages import Message, _, _n
from lora_hub.core.schema import lora_scale
from lora_hub.hub.adapter_config import AGAIN as _AGAIN
from lora_hub.hub.adapter_config import CONFIG_FILE, read_config, weights_file
from lora_hub.hub.adapter_patterns import Patterns

_PREFIX = "base_model.model."
_TASKS = (None, "", "CAUSAL_LM")  # a head of another kind answers nothing
# PEFT's own where a setting is missing (LoraConfig of 0.21).
_DEFAULT_RANK, _DEFAULT_ALPHA = 8, 8

# Inits that leave the base as it is. All others (PiSSA, OLoRA, CorDA, LoRA-GA, LoftQ, MiCA, ...) subtract the initial
# adapter from the base or tie B to it; PEFT writes `true` here once it has converted such an adapter to plain LoRA.
_PLAIN_INITS = (True, False, None, "gaussian", "eva", "orthogonal")

# Settings that change what is computed, with the name a person knows them by. Refused when set.
_REFUSED: dict[str, Message | str] = {
    "use_dora": "DoRA",
    "use_qalora": "QALoRA",
    "use_bdlora": "BD-LoRA",
    "kasa_config": "KaSA",
    "velora_config": "VeLoRA",
    "monteclora_config": "MonteCLoRA",
    "arrow_config": _("Arrow routing"),
    "alora_invocation_tokens": _("activated LoRA (aLoRA)"),
    "lora_bias": _("a bias in its LoRA matrices (lora_bias)"),
    "modules_to_save": _("whole retrained modules (modules_to_save)"),
    "trainable_token_indices": _("retrained token embeddings (trainable_token_indices)"),
    "target_parameters": _("LoRA on bare parameters (target_parameters)"),
    "layer_replication": _("replicated layers (layer_replication)"),
}

# Settings that matter only while training or that the saved tensors already answer.
_HARMLESS = {
    *(
        "task_type",
        "peft_type",
        "auto_mapping",
        "peft_version",
        "base_model_name_or_path",
        "revision",
        "inference_mode",
    ),
    *("r", "target_modules", "exclude_modules", "lora_alpha", "lora_dropout", "fan_in_fan_out", "bias", "use_rslora"),
    *("init_lora_weights", "layers_to_transform", "layers_pattern", "rank_pattern", "alpha_pattern", "megatron_config"),
    *("megatron_core", "loftq_config", "eva_config", "corda_config", "lora_ga_config", "qalora_group_size"),
    *("runtime_config", "ensure_weight_tying"),
}


@dataclass(frozen=True)
class LayerWeights:
    """One layer's share of an adapter. a: [r, in]; b: [out, r]; scale: factor on the product."""

    a: torch.Tensor
    b: torch.Tensor
    scale: float


@dataclass(frozen=True)
class SavedAdapter:
    """An adapter as it lies on disk. layers: by module name within the base. others: tensors that are no LoRA pair
    (PEFT saves embeddings along when the head is a target), by parameter name within the base."""

    config: dict[str, Any]
    layers: dict[str, LayerWeights]
    others: dict[str, torch.Tensor]


def read_adapter(folder: Path) -> SavedAdapter:
    """Reads and checks an adapter folder. The tensors may still be mapped to the file: copy before keeping them.

    Raises AdapterError: no adapter, unreadable, or a kind that cannot be stacked (the message names it).
    """
    config = read_config(folder)
    refuse_unstackable(config, folder)
    path = weights_file(folder, _("The adapter in {folder}", folder=folder))
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, OSError) as error:
        raise AdapterError(
            _("The weights in {path} cannot be read: {reason}."), _AGAIN, path=path, reason=reason_of(error)
        ) from error
    return _sort_tensors(config, tensors, folder)


def refuse_unstackable(config: dict[str, Any], folder: Path) -> None:
    """Raises AdapterError, by name, for every kind of adapter that is more or other than plain low-rank pairs."""
    hint = _("Compare adapters of plain LoRA or rsLoRA; load this one with PEFT by itself.")
    kind = str(config.get("peft_type"))
    if kind != "LORA":
        raise AdapterError(
            _("The adapter in {folder} is of type {kind}, not LORA: it cannot be stacked on the base."),
            hint,
            folder=folder,
            kind=kind,
        )
    if config.get("task_type") not in _TASKS:
        raise AdapterError(
            _("The adapter in {folder} is for {task_type}, not for a language model that answers (CAUSAL_LM)."),
            hint,
            folder=folder,
            task_type=config["task_type"],
        )
    for key, name in _REFUSED.items():
        if config.get(key):
            raise AdapterError(
                _("The adapter in {folder} uses {name}: it cannot be stacked on the base."),
                hint,
                folder=folder,
                name=name,
            )
    if config.get("bias", "none") != "none":
        raise AdapterError(
            _("The adapter in {folder} retrained the base's biases (bias={bias!r}): it cannot be stacked on the base."),
            hint,
            folder=folder,
            bias=config["bias"],
        )
    init = config.get("init_lora_weights", True)
    if (init.lower() if isinstance(init, str) else init) not in _PLAIN_INITS:
        raise AdapterError(
            _(
                "The adapter in {folder} was started with init_lora_weights={init!r}, which changes the base it was "
                "trained on: it cannot be stacked on the untouched base."
            ),
            _("Save it as plain LoRA with PEFT's save_pretrained(..., path_initial_model_for_weight_conversion=...)."),
            folder=folder,
            init=init,
        )
    unknown = sorted(key for key, value in config.items() if value and key not in _HARMLESS and key not in _REFUSED)
    if unknown:
        raise AdapterError(
            _n(
                "The adapter in {folder} has a setting that is not known here: {settings}.",
                "The adapter in {folder} has settings that are not known here: {settings}.",
            ),
            hint,
            folder=folder,
            settings=unknown,
            count=len(unknown),
        )


def _sort_tensors(config: dict[str, Any], tensors: dict[str, torch.Tensor], folder: Path) -> SavedAdapter:
    pairs: dict[str, dict[str, torch.Tensor]] = {}
    others: dict[str, torch.Tensor] = {}
    for key, tensor in tensors.items():
        if not key.startswith(_PREFIX):
            raise AdapterError(
                _("The adapter in {folder} names its weights otherwise than PEFT does, which would not load {key!r}."),
                _("Convert it with the tool that it was made with, or save it again with PEFT's save_pretrained."),
                folder=folder,
                key=key,
            )
        name = key.removeprefix(_PREFIX)
        if found := re.fullmatch(r"(.+)\.lora_([AB])\.weight", name):
            pairs.setdefault(found[1], {})[found[2]] = tensor
        elif ".lora_" in name:
            raise AdapterError(
                _(
                    "The adapter in {folder} holds {key!r}, which is not a low-rank pair of a linear layer: it cannot "
                    "be stacked."
                ),
                _("Compare adapters of plain LoRA on linear layers."),
                folder=folder,
                key=key,
            )
        else:
            others[name.replace(".base_layer.", ".")] = tensor
    layers = {}
    patterns = Patterns(config, folder)
    for name, pair in pairs.items():
        if not patterns.targets(name):
            raise AdapterError(
                _(
                    "The adapter in {folder} has weights for {name}, which its {file} leaves out: PEFT would not use "
                    "them."
                ),
                _AGAIN,
                folder=folder,
                name=name,
                file=CONFIG_FILE,
            )
        if len(pair) != 2 or any(t.dim() != 2 for t in pair.values()) or pair["A"].shape[0] != pair["B"].shape[1]:
            shapes = ", ".join(f"{side} {list(t.shape)}" for side, t in sorted(pair.items()))
            raise AdapterError(
                _("The adapter in {folder} is damaged at {name}: it has {shapes}."),
                _AGAIN,
                folder=folder,
                name=name,
                shapes=shapes,
            )
        layers[name] = LayerWeights(pair["A"], pair["B"], _scale(config, patterns, name, pair["A"].shape[0], folder))
    if not layers:
        raise AdapterError(_("The adapter in {folder} holds no LoRA weights."), _AGAIN, folder=folder)
    return SavedAdapter(config, layers, others)


def _scale(config: dict[str, Any], patterns: Patterns, name: str, rank: int, folder: Path) -> float:
    """alpha / r, or alpha / sqrt(r) for rsLoRA, with PEFT's patterns: a key matches the end of a module's name."""
    said = patterns.value("rank_pattern", name, config.get("r", _DEFAULT_RANK))
    if said != rank:
        raise AdapterError(
            _("The adapter in {folder} has rank {rank} at {name}, but its {file} says {said}."),
            _AGAIN,
            folder=folder,
            rank=rank,
            name=name,
            file=CONFIG_FILE,
            said=said,
        )
    alpha = patterns.value("alpha_pattern", name, config.get("lora_alpha", _DEFAULT_ALPHA))
    return lora_scale(alpha, rank, rslora=bool(config.get("use_rslora")))
