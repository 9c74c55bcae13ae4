"""A training setting that a person may change: its name, and the trainer's name for it."""

from dataclasses import dataclass

from lora_hub.core.messages import Message


@dataclass(frozen=True)
class Setting:
    """Marks a field of `TrainSpec`, `LoraSpec` or `Task` as a field of the form under *Advanced* and a key of `--set`.
    trainer: the trainer's arguments (PEFT's LoraConfig for `LoraSpec`) that take the value unchanged; none if something
    is derived from it. synonyms: other names that people use for it."""

    title: Message
    help: Message
    trainer: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
