"""The arguments that every function about a training takes, once: their names, types, defaults and what programs read
of them.

    @takes_training
    def plan(self, person, asked: TrainingAsked) -> Json: ...        programs call plan(dataset=..., task=..., ...)
"""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from lora_hub.api.arguments import Columns, Fields, Mends, Name

# A line of a docstring that describes an argument.
_LINE = re.compile(r"^    (\w+): (.+)$", re.M)


def _told(said: str, **default: Any) -> Any:
    return field(metadata={"said": said}, **default)


@dataclass(frozen=True)
class TrainingAsked:
    """What a program asks a training for. A function's own arguments stand before `hardware`."""

    dataset: Name = _told("the data's id from `inspect`, or owner/name of a dataset on the Hub.")
    task: Name = _told("a task's id, such as spam; empty: proposed from the columns.", default="")
    own_task: Fields | None = _told(
        "a task of your own as its fields: title, instruction, inputs, output, labels.", default=None
    )
    columns: Columns | None = _told("role -> column; the others are proposed.", default=None)
    mends: Mends | None = _told("what is to be mended in the data, as `inspect` offers it.", default=None)
    base: Name = _told("the base model: built-in, or a Hub id.", default="built-in")
    effort: Name = _told("quick, balanced or thorough.", default="balanced")
    overrides: Fields | None = _told('settings to choose yourself, such as {"epochs": 3, "lora.r": 16}.', default=None)
    test_dataset: Name = _told("the id of data to score on; empty: a part of the data is held out.", default="")
    hardware: Name = _told("the hardware of a job of the Hub, such as t4-small.", default="")


def takes_training(function: Callable) -> Callable:
    """Decorator of a method whose argument `asked` stands for the fields of `TrainingAsked`: it is called with those,
    and its signature, annotations and docstring name them. What its own docstring says of one of them holds."""
    own = inspect.signature(function)
    first, others = [], []
    for name, one in own.parameters.items():
        if name != "asked":
            (first if name in ("self", "person") else others).append(one)
    shared = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty if one.default is MISSING else one.default,
            annotation=one.type,
        )
        for one in fields(TrainingAsked)
    ]
    signature = own.replace(parameters=[*first, *shared[:-1], *others, shared[-1]])

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        given = signature.bind(*arguments, **named)
        values = given.arguments
        asked = TrainingAsked(**{one.name: values.pop(one.name) for one in shared if one.name in values})
        return function(**values, asked=asked)

    del call.__wrapped__
    call.__signature__ = signature
    call.__annotations__ = {
        one.name: one.annotation for one in signature.parameters.values() if one.annotation is not one.empty
    } | {"return": own.return_annotation}
    call.__doc__ = _describe(inspect.getdoc(function) or "", signature)
    return call


def _describe(doc: str, signature: inspect.Signature) -> str:
    head, _args, own = doc.partition("\n\nArgs:\n")
    said = {one.name: one.metadata["said"] for one in fields(TrainingAsked)} | dict(_LINE.findall(own))
    lines = [f"    {name}: {said[name]}" for name in signature.parameters if name in said]
    return "\n".join([head, "", "Args:", *lines])
