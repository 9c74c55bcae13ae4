"""Chat rows in the dialects people have, as one list of {"role", "content"}.

    to_messages([{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}])

Roles are system, user, assistant and tool. A tool call becomes the assistant's text (its JSON), so that nothing that is to
be learnt is lost. Not data for supervised fine-tuning, and said so: preference pairs, and text without an answer.
"""

import json
from typing import TYPE_CHECKING, Any

from lora_hub.errors import DataError

if TYPE_CHECKING:
    from lora_hub.data.table import Table

ROLES = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "prompter": "user", "question": "user", "customer": "user", "کاربر": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant",
    "ai": "assistant", "bing": "assistant", "bard": "assistant", "answer": "assistant", "agent": "assistant",
    "function_call": "assistant", "tool_call": "assistant", "tool_calls": "assistant", "دستیار": "assistant",
    "tool": "tool", "function": "tool", "observation": "tool", "tool_response": "tool", "ipython": "tool",
}  # fmt: skip
PREFERENCE = ({"chosen", "rejected"}, {"response_chosen", "response_rejected"}, {"preferred", "dispreferred"})


def to_messages(value: Any) -> list[dict[str, str]]:
    """Messages of one row: a list of OpenAI or ShareGPT turns, an object that holds one, or the JSON text of these.
    Raises DataError naming the turn (from 1) that is not understood. An empty list stays empty."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise DataError(
                f"This is not a conversation: {value[:40]!r}.", "Messages are a list of {role, content} or {from, value}."
            ) from None
    if isinstance(value, dict):
        inner = next((value[key] for key in ("messages", "conversations", "conversation") if value.get(key) is not None), None)
        if inner is None:
            raise DataError(
                f"An object with the keys {', '.join(list(value)[:6])} is not a conversation.", "It needs the key messages."
            )
        system = value.get("system")
        turns = to_messages(inner)
        starts_with_system = bool(turns) and turns[0]["role"] == "system"
        return turns if not isinstance(system, str) or not system or starts_with_system else [_message("system", system), *turns]
    if value is None or not isinstance(value, (list, tuple)):
        raise DataError(f"A conversation is a list of turns, not {value!r:.40}.", "Each turn is {role, content}.")
    return [_turn(turn, number) for number, turn in enumerate(value, 1)]


def _turn(turn: Any, number: int) -> dict[str, str]:
    if not isinstance(turn, dict):
        raise DataError(f"Turn {number} is not an object: {turn!r:.40}.", "Each turn is {role, content} or {from, value}.")
    role = turn.get("role") or turn.get("from") or turn.get("speaker")
    if not isinstance(role, str):
        raise DataError(f"Turn {number} names no role.", "Each turn is {role, content} or {from, value}.")
    known = ROLES.get(role.strip().lower())
    if known is None:
        raise DataError(f"Turn {number} has the unknown role {role!r:.40}.", "Roles: system, user, assistant, tool.")
    content = next((turn[key] for key in ("content", "value", "text", "message") if turn.get(key) is not None), None)
    text = _text(content, number)
    calls = turn.get("tool_calls") or turn.get("function_call")
    if calls:
        text = "\n".join(part for part in (text, _calls(calls)) if part)
    return _message(known, text)


def _text(content: Any, number: int) -> str:
    """Content as text, from a text, a list of parts, or nothing."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        content = [content]
    if isinstance(content, (list, tuple)):
        parts = []
        for part in content:
            if isinstance(part, str):
                parts.append(part)
            elif isinstance(part, dict) and isinstance(part.get("text"), str):
                parts.append(part["text"])
            elif isinstance(part, dict) and part.get("type") not in (None, "text"):
                raise DataError(f"Turn {number} holds a part that is not text ({part['type']}).", "Only text can be trained on.")
        return "".join(parts)
    return str(content)


def _calls(calls: Any) -> str:
    """Tool calls as JSON, a line each: {"name": ..., "arguments": ...}."""
    lines = []
    for call in calls if isinstance(calls, (list, tuple)) else [calls]:
        function = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(function, dict):
            continue
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments)
            except ValueError:
                pass  # kept as the text that it is
        lines.append(json.dumps({"name": function.get("name"), "arguments": arguments}, ensure_ascii=False))
    return "\n".join(lines)


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def refuse_what_is_not_for_training(table: "Table") -> None:
    """Raises DataError where the table is of a kind that supervised fine-tuning has no use for: preference pairs."""
    names = {name.lower() for name in table.columns}
    for pair in PREFERENCE:
        if pair <= names:
            better, worse = sorted(pair, key=lambda name: "reject" in name or "disp" in name)
            raise DataError(
                f"These are preference pairs (columns {better} and {worse}), not examples with one right answer.",
                f"They train DPO, not supervised fine-tuning. To train on the better answers, keep {better} and drop {worse}.",
            )


def refuse_text_without_answer(table: "Table") -> None:
    """Raises DataError where there is one column of text and nothing that could be its answer."""
    if table.frame.width == 1 and not table.is_nested(table.columns[0]):
        raise DataError(
            f"The file has one column, {table.columns[0]!r}: text without an answer.",
            "Training needs what goes in and what should come out; add a column with the answers or labels.",
        )
