"""What a person may set of a training: how it is called, and what the trainer calls it."""

from dataclasses import dataclass

from lora_hub.core.messages import Message


@dataclass(frozen=True)
class Setting:
    """Written at a field of `TrainSpec`, `LoraSpec` or `Task`, it makes that a field of the form under *Advanced* and
    a key of `--set`. trainer: the arguments of the trainer (of PEFT's LoraConfig, for `LoraSpec`) that take the value
    as it is; none: something is derived from it. synonyms: names that people know it by."""

    title: Message
    help: Message
    trainer: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
