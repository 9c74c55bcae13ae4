"""The training settings that a person may change, as declared on the fields of `TrainSpec` and its parts: name, meaning
and position of each."""

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from lora_hub.core.messages import Message
from lora_hub.core.noun import Noun
from lora_hub.core.schema import TrainSpec
from lora_hub.core.setting import Setting

KINDS = {bool: "bool", int: "int", float: "float"}


@dataclass(frozen=True)
class Field:
    """A field of the form under *Advanced*, and a key of `--set`. `key`: dotted path into TrainSpec. trainer, synonyms:
    as in `Setting`."""

    key: str
    kind: Literal["int", "float", "choice", "text", "bool"]
    title: Message
    help: Message
    choices: tuple[str, ...] = ()
    trainer: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()


def fields_of(spec: type[Noun], path: str = "") -> Iterator[Field]:
    """The fields of a noun, and of the nouns in it, that a person may change."""
    for name, field in spec.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) and issubclass(kind, Noun):
            yield from fields_of(kind, f"{path}{name}.")
        for setting in field.metadata:
            if isinstance(setting, Setting):
                choices = typing.get_args(kind) if typing.get_origin(kind) is Literal else ()
                yield Field(
                    f"{path}{name}",
                    "choice" if choices else KINDS.get(kind, "text"),
                    setting.title,
                    setting.help,
                    choices,
                    setting.trainer,
                    setting.synonyms,
                )


# In the order of the spec; those of the task, and the seed, come last.
FIELDS: tuple[Field, ...] = tuple(
    sorted(fields_of(TrainSpec), key=lambda field: (field.key == "seed", field.key.startswith("task.")))
)
SYNONYMS = {synonym: field.key for field in FIELDS for synonym in field.synonyms}


def value_of(spec: TrainSpec, key: str) -> Any:
    """The spec's value for a field's key."""
    head, _, tail = key.partition(".")
    return getattr(getattr(spec, head), tail) if tail else getattr(spec, head)


def value_of_default(key: str) -> Any:
    head, _, tail = key.partition(".")
    of = TrainSpec.model_fields[head].annotation if tail else TrainSpec
    return of.model_fields[tail or head].default


def for_trainer(spec: Any, path: str = "") -> dict[str, Any]:
    """The trainer's arguments that take a setting unchanged. path: "lora." for PEFT's."""
    return {
        name: value_of(spec, field.key)
        for field in FIELDS
        if field.key.startswith(path)
        if "." not in field.key.removeprefix(path)
        for name in field.trainer
    }


def shown(value: Any) -> str:
    """A setting's value for display: 0.0043, "q_proj, v_proj"."""
    if isinstance(value, float):
        return f"{value:.15g}" if value.is_integer() else f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
