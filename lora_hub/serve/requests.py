"""What a program sends, checked against limits before anything is done with it.

    asked = read_request(ChatRequest, body)          raises ParameterError, which names the parameter
    asked.wanted()                                   models.Wanted

A parameter that is not known here is refused by its name, unless it says what is done anyway (`NEUTRAL`): whoever asks
for a penalty or a schema and is answered without one would not know.
"""

from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lora_hub.core.errors import DataError, refused
from lora_hub.core.messages import _, several
from lora_hub.data.prompts.chat_template import read_tools, read_turn
from lora_hub.models import ParameterError, Put, Wanted

# Bytes of a request, and how deeply it may be nested.
MOST_BYTES, MOST_DEPTH = 1 << 20, 32
MOST_MESSAGES, MOST_PARTS, MOST_TOOLS, MOST_QUESTIONS, MOST_SAMPLES = 256, 64, 64, 64, 8
MOST_STOPS, LONGEST_STOP = 4, 128
MOST_TOKENS = 32_768
# Parameters of OpenAI's that change nothing here, and the values with which they say so. None is one for any parameter:
# clients send it where nothing was chosen.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "echo": (False,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "suffix": ("",),
}
# They tell OpenAI who asks, and nobody here.
IGNORED = ("metadata", "prompt_cache_key", "safety_identifier", "user")

Text = Annotated[str, Field(max_length=MOST_BYTES)]
Name = Annotated[str, Field(min_length=1, max_length=512)]
Fields = Annotated[dict[Annotated[str, Field(max_length=100)], Text | int | float | None], Field(max_length=64)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Part(Strict):
    type: Literal["text"]
    text: Text


class Function(Strict):
    name: Annotated[str, Field(max_length=200)]
    arguments: Text


class ToolCall(Strict):
    id: Annotated[str, Field(max_length=200)]
    type: Literal["function"] = "function"
    function: Function


class Message(Strict):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Text | Annotated[list[Part], Field(max_length=MOST_PARTS)] | None = None
    name: Annotated[str, Field(max_length=200)] | None = None
    refusal: None = None
    tool_calls: Annotated[list[ToolCall], Field(max_length=MOST_TOOLS)] | None = None
    tool_call_id: Annotated[str, Field(max_length=200)] | None = None

    def read(self, number: int) -> dict[str, Any]:
        """As the templates take it. number: from 1."""
        content = self.content if not isinstance(self.content, list) else "\n".join(part.text for part in self.content)
        given = self.model_dump(exclude_none=True, exclude={"content", "name"}) | {"content": content or ""}
        if self.role == "tool" and self.name:
            given["name"] = self.name
        return read_turn(given, number)[0].message


class StreamOptions(Strict):
    include_usage: bool = False
    include_obfuscation: bool | None = None


class Request(Strict):
    """What all questions have."""

    model: Name


class Asking(Request):
    """What chats and completions have."""

    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: int | None = None
    n: Annotated[int, Field(ge=1, le=MOST_SAMPLES)] | None = None
    stop: (
        Annotated[str, Field(min_length=1, max_length=LONGEST_STOP)]
        | Annotated[list[Annotated[str, Field(min_length=1, max_length=LONGEST_STOP)]], Field(max_length=MOST_STOPS)]
        | None
    ) = None
    max_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] | None = None

    @property
    def with_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    def _sampling(self, most: int | None = None) -> dict[str, Any]:
        return {
            "samples": self.n or 1,
            "most_tokens": most or self.max_tokens or 0,
            "temperature": self.temperature or 0.0,
            "top_p": self.top_p or 1.0,
            "seed": self.seed,
            "stop": (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ()),
        }


class ChatRequest(Asking):
    """POST /v1/chat/completions. inputs: ours, a task's fields by name in the place of messages."""

    messages: Annotated[list[Message], Field(max_length=MOST_MESSAGES)] = []
    inputs: Fields | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: Annotated[list[dict[str, Any]], Field(max_length=MOST_TOOLS)] | None = None
    tool_choice: Literal["auto", "none"] | None = None

    @property
    def offered(self) -> list[dict[str, Any]]:
        """The tools that may be called."""
        return _tools(self.tools) if self.tools and self.tool_choice != "none" else []

    def wanted(self) -> Wanted:
        if not self.messages and self.inputs is None:
            raise ParameterError("messages", _("There are no messages."), _("Send at least one."))
        try:
            messages = tuple(message.read(number) for number, message in enumerate(self.messages, 1))
        except DataError as error:
            raise ParameterError("messages", error.said, error.advice) from error
        asked = Put(messages, tuple(self.offered), self.inputs)
        logprobs = bool(self.logprobs)
        if self.top_logprobs and not logprobs:
            raise ParameterError("top_logprobs", _("{param} needs logprobs."), _("Set logprobs to true."))
        return Wanted(self.model, (asked,), logprobs=logprobs, **self._sampling(self.max_completion_tokens))


class CompletionRequest(Asking):
    """POST /v1/completions."""

    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_QUESTIONS)]

    def wanted(self) -> Wanted:
        prompts = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        if not all(prompts):
            raise ParameterError("prompt", _("The prompt is empty."), _("Type what is to be answered."))
        return Wanted(self.model, tuple(Put(text=prompt) for prompt in prompts), **self._sampling())


class ClassifyRequest(Request):
    """POST /v1/classify: one question or several, each a text or a task's fields by name."""

    input: Text | Fields | Annotated[list[Text | Fields], Field(min_length=1, max_length=MOST_QUESTIONS)]

    def wanted(self) -> Wanted:
        given = self.input if isinstance(self.input, list) else [self.input]
        asked = tuple(Put(text=one) if isinstance(one, str) else Put(inputs=one) for one in given)
        return Wanted(self.model, asked, only_labels=True)


Kind = TypeVar("Kind", bound=Request)


def read_request(kind: type[Kind], body: bytes) -> Kind:
    """A request from its body. Raises ParameterError."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParameterError(
            "",
            _("The body is no JSON: line {line}, column {column}."),
            _("Send one JSON object in UTF-8."),
            line=error.lineno,
            column=error.colno,
        ) from None
    if not isinstance(given, dict):
        raise ParameterError("", _("The body is no JSON object."), _("Send one JSON object in UTF-8."))
    _check_depth(given)
    fields = kind.model_fields
    others = {name: value for name, value in given.items() if name not in fields and not _is_neutral(name, value)}
    if others:
        names = [name[:100] for name in others][:20]
        raise ParameterError(
            names[0],
            _("Not supported here: {names}."),
            _("Leave it out. Supported: {known}."),
            names=several(names),
            known=several(sorted(fields)),
        )
    try:
        return kind.model_validate({name: value for name, value in given.items() if name in fields})
    except ValidationError as error:
        told = error.errors(include_url=False)
        # of a union: what is wrong with the kind that was given, and not that it is another kind
        first = next((one for one in told if not one["type"].endswith("_type")), told[0])
        # names of fields and places; not those of the kinds that a union has
        path = [part for part in first["loc"] if isinstance(part, int) or part in _NAMES]
        where = ".".join(map(str, path)) or str(first["loc"][0])[:100]
        raise ParameterError(
            where, _("{param} will not do: {reason}."), _("Change it and ask again."), reason=refused(first)
        ) from None


def _is_neutral(name: str, value: Any) -> bool:
    return value is None or name in IGNORED or (name in NEUTRAL and value in NEUTRAL[name])


def _check_depth(given: Any) -> None:
    """Raises ParameterError where something is nested so deeply that reading it again could take the process down."""
    layer, depth = [given], 0
    while layer:
        depth += 1
        if depth > MOST_DEPTH:
            raise ParameterError(
                "", _("The body is nested more than {most} levels deep."), _("Send less."), most=MOST_DEPTH
            )
        layer = [
            inner
            for one in layer
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]


def _tools(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    try:
        return read_tools(tools)
    except DataError as error:
        raise ParameterError("tools", error.said, error.advice) from error


def _names_in(kind: type[BaseModel]) -> set[str]:
    return set(kind.model_fields)


_NAMES = set().union(
    *map(
        _names_in,
        (ChatRequest, CompletionRequest, ClassifyRequest, Message, Part, ToolCall, Function, StreamOptions),
    )
)
