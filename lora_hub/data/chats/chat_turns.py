"""Reads one turn of a conversation, in any common format, as one message.

    read_turn({"from": "gpt", "value": "Hello", "weight": 0}, 1)   [Turn({"role": "assistant", "content": "Hello"},
                                                                   learnt=False)]

A message has `role` (system, user, assistant, tool) and `content` (text). It may have `tool_calls` (in OpenAI's format,
arguments as an object), `tool_call_id`, and `name` (of the tool that answers). `Turn.unused` names the other fields of
a turn.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.data.chats.chat_marks import TURN_KEYS, turn_mark
from lora_hub.data.tables import strict_json
from lora_hub.data.tables.value_text import json_text, listed, value_text

ROLES = {
    "system": "system",
    "developer": "system",
    "سیستم": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "question": "user",
    "customer": "user",
    "usr": "user",
    "کاربر": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "chatgpt": "assistant",
    "ai": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "answer": "assistant",
    "agent": "assistant",
    "chatbot": "assistant",
    "claude": "assistant",
    "llm": "assistant",
    "function_call": "assistant",
    "tool_call": "assistant",
    "tool_calls": "assistant",
    "دستیار": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "tool_response": "tool",
    "tool_result": "tool",
    "ipython": "tool",
}
CALL_ROLES = ("function_call", "tool_call", "tool_calls")
ROLE_KEYS = ("role", "from", "speaker", "sender", "author")
CONTENT_KEYS = ("content", "value", "text", "message", "utterance", "parts")
CALL_KEYS = ("tool_calls", "function_call", "function_calls")
REASONING_KEYS = (
    "reasoning_content",
    "reasoning",
    "thinking",
    "thought",
    "thoughts",
    "reasoning_text",
    "thinking_content",
)
EXPECTED = _("Each turn is {{role, content}} or {{from, value}}.")
# Keys that identify a content part; a list of anything else is JSON.
_GEMINI = (
    "functionCall",
    "function_call",
    "functionResponse",
    "function_response",
    "inlineData",
    "inline_data",
    "fileData",
    "file_data",
)
_TYPES = (
    "text",
    "input_text",
    "output_text",
    "thinking",
    "reasoning",
    "tool_use",
    "tool_result",
    "refusal",
    "image",
    "image_url",
    "video",
    "audio",
    "input_audio",
    "file",
)
_PARTS = {"type", "text", *_GEMINI}


@dataclass
class Turn:
    """`learnt`: False if the data marks the turn as context only; `is_partly`: if it marks parts of it; `is_masked`: if
    a mask does. `reasoning`: the reasoning before the answer, which is not learnt. `unused`: names of its unused
    fields. `nulls`: whether null arguments of its calls were left out. `is_cut`: whether a call or its arguments are a
    text that is not valid JSON."""

    message: dict[str, Any]
    learnt: bool = True
    reasoning: str = ""
    unused: tuple[str, ...] = ()
    nulls: bool = False
    is_partly: bool = False
    is_masked: bool = False
    is_cut: bool = False

    @property
    def says(self) -> bool:
        """Whether it has any content: a text or a call."""
        return bool(self.message["content"].strip() or self.message.get("tool_calls"))

    @property
    def is_learnt(self) -> bool:
        """An assistant's turn with content that is not marked as context only."""
        return self.message["role"] == "assistant" and self.learnt and self.says


@dataclass
class _Content:
    """The parts of a turn's content. `results`: (id, text) of tool results."""

    text: str = ""
    reasoning: str = ""
    calls: list[dict] = field(default_factory=list)
    results: list[tuple[str, str]] = field(default_factory=list)
    nulls: bool = False
    is_cut: bool = False


def read_turn(turn: Any, number: int) -> list[Turn]:
    """The messages of a turn that names its role: one, or more if it holds several tool results. [] if the turn names
    no role. `number`: from 1, for the errors. Raises DataError for a turn that is not understood."""
    if not isinstance(turn, dict):
        raise DataError(_("Turn {number} is not an object: {turn}."), EXPECTED, number=number, turn=f"{turn!r:.40}")
    role_key = next((key for key in ROLE_KEYS if turn.get(key)), None)
    role = turn[role_key] if role_key else None
    if isinstance(role, dict):
        role = role.get("role")
    if role is None and str(turn.get("type", "")).lower() in ROLES:
        role, role_key = turn["type"], "type"
        turn = {**turn["data"], "type": role} if isinstance(turn.get("data"), dict) else turn
    if role is None:
        return []
    if not isinstance(role, str):
        raise no_role(number)
    name = role.strip().lower()
    known = ROLES.get(name)
    if known is None:
        raise DataError(
            _("Turn {number} has the unknown role {role!r}."),
            _("Roles: system, user, assistant, tool."),
            number=number,
            role=role[:40],
        )
    content_key = next((key for key in CONTENT_KEYS if turn.get(key) is not None), None)
    found = _content(turn[content_key] if content_key else None, number)
    used = {role_key, content_key, "type" if "data" in turn or turn.get("type") in (role, "message") else None}
    mark = turn_mark(turn)
    if known == "assistant":
        # A weight between 0 and 1 is reported as unused: an answer is learnt or not.
        used |= {*CALL_KEYS, *REASONING_KEYS, *mark.keys}
        _read_calls(turn, name, found)
        thoughts = [value_text(turn[key]) or "" for key in REASONING_KEYS if turn.get(key)]
        found.reasoning = "\n".join(text for text in (*thoughts, found.reasoning) if text.strip())
    message: dict[str, Any] = {"role": known, "content": found.text}
    if found.calls:
        message["tool_calls"] = found.calls
    if known == "tool":
        used |= {"name", "tool_call_id"}
        message |= {key: str(turn[key]) for key in ("name", "tool_call_id") if turn.get(key)}
    if known != "assistant":  # only answers are learnt, whatever the marks on other turns
        used |= set(TURN_KEYS)
    unused = tuple(key for key, value in turn.items() if key not in used and value not in (None, "", [], {}))
    turns = [
        Turn({"role": "tool", "content": text, **({"tool_call_id": id_} if id_ else {})}) for id_, text in found.results
    ]
    if message["content"] or found.calls or not turns:
        turns.append(
            Turn(
                message, mark.learnt, found.reasoning, unused, found.nulls, mark.is_partly, mark.is_masked, found.is_cut
            )
        )
    return turns


def role_of(turn: dict) -> str:
    """system, user, assistant or tool; "" if a turn names none of them."""
    return next((ROLES.get(str(turn[key]).strip().lower(), "") for key in ROLE_KEYS if turn.get(key)), "")


def no_role(number: int) -> DataError:
    return DataError(_("Turn {number} names no role."), EXPECTED, number=number)


def read_text(content: Any, number: int) -> str:
    """The text of a content, without reasoning."""
    return _content(content, number).text


def _content(content: Any, number: int) -> _Content:
    """Parses a text, a list of parts, nothing, or any other value, which becomes JSON text."""
    found = _Content()
    if isinstance(content, dict) and isinstance(content.get("parts"), (list, tuple)):
        content = content["parts"]
    if isinstance(content, dict) and (content.get("type") in _TYPES or set(content) == {"text"}):
        content = [content]
    if not isinstance(content, (list, tuple)):
        found.text = value_text(content) or ""
    elif not all(isinstance(part, str) or (isinstance(part, dict) and set(part) & _PARTS) for part in content):
        found.text = json_text(content)
    else:
        found.text = "".join(_part(part, number, found) for part in content)
    return found


def _part(part: Any, number: int, found: _Content) -> str:
    """The text of one content part. Reasoning, calls and tool results are added to `found`. Raises DataError for an
    image, a sound or a file."""
    if isinstance(part, str):
        return part
    kind = part.get("type") or next((key for key in _GEMINI if isinstance(part.get(key), dict)), None)
    if kind in _GEMINI:  # Gemini has a key for each type of part
        part = part[kind]
        kind = (
            "tool_use"
            if kind in ("functionCall", "function_call")
            else "tool_result"
            if kind in ("functionResponse", "function_response")
            else kind
        )
    if kind in ("thinking", "reasoning", "thought", "redacted_thinking"):
        thoughts = next(
            (part[key] for key in ("thinking", "reasoning", "thought", "text", "summary", "content") if part.get(key)),
            "",
        )
        found.reasoning = "\n".join(text for text in (found.reasoning, read_text(thoughts, number)) if text)
        return ""
    if kind in ("tool_use", "tool_call", "tool-call", "function_call"):
        function = part.get("function") if isinstance(part.get("function"), dict) else part
        arguments = next((function[key] for key in ("input", "arguments", "args") if function.get(key) is not None), {})
        _add_call(
            found, {"id": part.get("id"), "name": function.get("name") or part.get("toolName"), "arguments": arguments}
        )
        return ""
    if kind in ("tool_result", "tool-result"):
        said = next((part[key] for key in ("content", "result", "output", "response") if part.get(key) is not None), "")
        found.results.append((str(part.get("tool_use_id") or part.get("tool_call_id") or ""), read_text(said, number)))
        return ""
    if isinstance(part.get("text"), str):
        return part["text"]
    if kind == "refusal":
        return str(part.get("refusal") or "")
    if kind in (None, "text", "input_text", "output_text") and not any(
        value for key, value in part.items() if key not in ("type", "text")
    ):
        return ""
    raise DataError(
        _("Turn {number} holds a part that is not text ({kind})."),
        _("Only text can be trained on."),
        number=number,
        kind=kind,
    )


def _read_calls(turn: dict, role: str, found: _Content) -> None:
    """Reads tool calls beside the content, or inside it if the role marks it as a call (ShareGPT)."""
    for key in CALL_KEYS:
        given = turn.get(key)
        calls = _loaded(given)
        for call in calls if isinstance(calls, (list, tuple)) else [calls]:
            one = _loaded(call)
            if isinstance(one, dict):
                _add_call(found, one, is_text=isinstance(given, str) or isinstance(call, str))
            elif isinstance(one, str) and one.strip():  # cut off: the called tool is unknown
                found.is_cut = True
    if role in CALL_ROLES and found.text.strip():
        said = _loaded(found.text)
        calls = said if isinstance(said, list) else [said]
        if calls and all(isinstance(call, dict) and (call.get("name") or call.get("function")) for call in calls):
            found.text = ""
            for call in calls:
                _add_call(found, call, is_text=True)
        elif found.text.lstrip()[:1] in ("{", "["):
            found.is_cut |= isinstance(said, str)


def _add_call(found: _Content, call: dict, *, is_text: bool = False) -> None:
    """Adds a call in OpenAI's format. Table formats fill in the arguments of other calls as nulls (Arrow has one type
    for all rows), so nulls are removed, as TRL does. Nulls written in a JSON text stay; is_text: the call was such a
    text."""
    function = call["function"] if isinstance(call.get("function"), dict) else call
    arguments = next(
        (function[key] for key in ("arguments", "parameters", "args", "input") if function.get(key) is not None), {}
    )
    loaded = _loaded(arguments) if not isinstance(arguments, str) or arguments.strip() else {}
    if isinstance(loaded, str) and call.get("type") != "custom":
        found.is_cut |= not _is_json(loaded)
    given = json.loads(json_text(loaded))  # a Parquet file may hold dates and decimals, which templates cannot write
    arguments = given if is_text or isinstance(arguments, str) else without_nulls(given)
    made = {"type": "function", "function": {"name": str(function.get("name") or ""), "arguments": arguments}}
    found.calls.append({"id": str(call["id"]), **made} if call.get("id") else made)
    found.nulls |= arguments != given


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def without_nulls(value: Any) -> Any:
    """The value without its null keys."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, (list, tuple)) else value


def calls_text(calls: list[dict]) -> str:
    """Tool calls as JSON, one line each: {"name": ..., "arguments": ...}."""
    return "\n".join(
        json_text({"name": call["function"]["name"], "arguments": call["function"]["arguments"]}) for call in calls
    )


def read_tools(value: Any) -> list[dict]:
    """Tool definitions in OpenAI's format, from OpenAI's, bare functions (ShareGPT) or Anthropic's, as values or JSON
    text. Raises DataError if they are not definitions."""
    tools = _loaded(value)
    tools = [] if tools in (None, "", {}, "null", "None") else tools if isinstance(tools, (list, tuple)) else [tools]
    read = []
    for given in tools:
        tool = _loaded(given)
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not function.get("name"):
            raise DataError(
                _("The tools are no definitions: {tool!r}."),
                _("Each tool is {{type: function, function: {{name, description, parameters}}}}."),
                tool=value_text(tool)[:60],
            )
        function = json.loads(json_text(function))
        if not isinstance(value, str) and not isinstance(given, str):  # nulls in a JSON text are intended
            function = without_nulls(function)
        if "input_schema" in function and "parameters" not in function:
            function["parameters"] = function.pop("input_schema")
        read.append({"type": "function", "function": {key: item for key, item in function.items() if key != "type"}})
    return read


def _loaded(value: Any) -> Any:
    """The value of a text in JSON or Python's print format; any other value unchanged."""
    if not isinstance(value, str) or not re.match(r"\s*[\[{]", value):
        return value
    try:
        return strict_json.load(value)
    except (ValueError, RecursionError):
        read = listed(value)
        return value if read is None else read
