"""What a program asks one model, and the answer as it grows.

Wanted("spam", (Put(messages=({"role": "user", "content": "You won!"},)),), most_tokens=64)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lora_hub.core.errors import SpecError
from lora_hub.core.messages import Message
from lora_hub.core.schema import Task

# Of an answer whose length nobody says.
MOST_NEW_TOKENS = 128


class ParameterError(SpecError):
    """One parameter of a request will not do. param: its name, as the program sent it."""

    def __init__(self, param: str, message: Message | str, hint: Message | str = "", **values: Any) -> None:
        super().__init__(message, hint, param=param, **values)
        self.param = param


@dataclass(frozen=True)
class Put:
    """One question, in one of three ways. messages: a conversation, each with `role` and `content`; tools: that it may
    call. inputs: a task's fields by name. text: the bare text."""

    messages: tuple[dict[str, Any], ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    inputs: dict[str, Any] | None = None
    text: str | None = None

    @property
    def texts(self) -> Iterator[str]:
        """All that the model will read."""
        yield from (str(one.get("content") or "") for one in self.messages)
        yield from (str(one["tool_calls"]) for one in self.messages if one.get("tool_calls"))
        yield from (str(one) for one in self.tools)
        yield from (str(one or "") for one in (self.inputs or {}).values())
        yield self.text or ""


@dataclass(frozen=True)
class Wanted:
    """Questions to one model. only_labels: it must answer with a label. samples: answers of each question. most_tokens:
    of an answer; 0: what the task says. seed: None: other draws each time. stop: texts before which an answer ends.
    logprobs: whether the labels' chances are asked for."""

    model: str
    asked: tuple[Put, ...]
    only_labels: bool = False
    samples: int = 1
    most_tokens: int = 0
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False

    def tokens_for(self, task: Task | None, most: int = 0) -> int:
        """The longest answer. most: that is allowed; 0: any."""
        tokens = self.most_tokens or (task.max_new_tokens if task is not None else MOST_NEW_TOKENS)
        return min(tokens, most or tokens)


@dataclass(frozen=True)
class Piece:
    """An answer so far. place: of its question. sample: which of that question's answers. text: all of it. finish:
    "stop", "length" or "cancelled" once it is complete. tokens: of the answer; prompt_tokens: of the question.
    probabilities: of each label. model: who answers."""

    place: int
    sample: int
    text: str
    finish: str = ""
    tokens: int = 0
    prompt_tokens: int = 0
    probabilities: dict[str, float] = field(default_factory=dict)
    model: str = ""
