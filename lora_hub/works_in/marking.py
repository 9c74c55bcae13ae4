"""The rules applied: one Mark for each place.

marks({"peft_type": "LORA", "r": 64, ...}, bases.get_base("HuggingFaceTB/SmolLM2-135M-Instruct"))
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lora_hub.core.messages import Message, _, joined
from lora_hub.core.schema import BaseModel, TrainSpec
from lora_hub.works_in.mark import PLACES, Mark
from lora_hub.works_in.of_base import base_facts, told_facts
from lora_hub.works_in.rules import RULES, facts

# The strongest first: what prevents it is said, and not what would be a condition besides.
STRENGTHS = ("no", "unknown", "if")


def marks(
    config: dict[str, Any],
    base: BaseModel | None,
    *,
    quantization: str = "none",
    on_hub: bool = False,
    told_base: Any = None,
) -> tuple[Mark, ...]:
    """Where an adapter works. config: its `adapter_config.json`, whoever wrote it; base: None if nobody knows it;
    quantization: what the base was held in while training, where a record says so; on_hub: the base is published, too,
    though it lies in a folder here; told_base: what its card says of the base (`tell_base`), which counts where its
    files are not here. Reads files of this machine only."""
    known = base_facts(base)
    if not known.family:
        said = told_facts(told_base)
        known = replace(
            known, family=said.family, tied=said.tied, split=said.split, is_local=known.is_local or said.is_local
        )
    told = facts(config, replace(known, is_local=False) if on_hub else known, quantization)
    made = []
    for place in PLACES:
        hit = [rule for rule in RULES if rule.place == place and rule.applies(told)]
        works = next((one for one in STRENGTHS if any(rule.works == one for rule in hit)), "yes")
        said = [rule for rule in hit if rule.works == works]
        made.append(
            Mark(
                place=place,
                works=works,
                reasons=tuple(rule.said(told) for rule in said),
                settings=tuple(dict.fromkeys(rule.setting for rule in hit if rule.setting)),
                sources=tuple(dict.fromkeys(rule.source for rule in said)),
            )
        )
    return tuple(made)


def marks_of_spec(spec: TrainSpec) -> tuple[Mark, ...]:
    """Where the adapter of a run will work, before it is trained."""
    return marks({"peft_type": "LORA", **shape_of(spec)}, spec.base, quantization=spec.quantization)


def shape_of(spec: TrainSpec) -> dict[str, Any]:
    """What of an adapter decides where it works, by PEFT's names, and what its base was held in while training."""
    targets = spec.lora.targets
    return {
        "r": spec.lora.r,
        "use_rslora": spec.lora.rslora,
        "target_modules": targets if isinstance(targets, str) else list(targets),
        "quantization": spec.quantization,
    }


def note(found: Sequence[Mark], setting: str) -> Message | None:
    """What a setting of the form changes about where the adapter works; None where it changes nothing."""
    hit = [mark for mark in found if setting in mark.settings]
    if not hit:
        return None
    return joined(*(_("{place}: {why}", place=mark.title, why=mark.why) for mark in hit))
