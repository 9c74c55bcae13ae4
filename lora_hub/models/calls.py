"""Tool calls in an answer, as the chat templates of most bases write them.

read_calls('<tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call>', tools)
    -> ("", [{"name": "weather", "arguments": {"city": "Rome"}}])

Known are blocks between <tool_call> and </tool_call> (Hermes, Qwen), and an answer that is JSON and nothing else: a
call, a list of calls, or one on each line (Llama, Mistral, and bases whose templates write none themselves).
"""

import re
from collections.abc import Sequence
from typing import Any

from lora_hub.core.errors import LoraHubError
from lora_hub.data.prompts.chat_template import read_turn

_BLOCK = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)


def read_calls(text: str, tools: Sequence[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """The text beside the calls, and the calls: name and arguments. What calls none of these tools is text."""
    names = {one["function"]["name"] for one in tools}
    blocks = _BLOCK.findall(text)
    if blocks:
        found = [call for block in blocks for call in _calls(block)]
        rest = _BLOCK.sub("", text).strip()
    else:
        lines = [line for line in text.splitlines() if line.strip()]
        whole, rest = _calls(text), ""
        found = whole or [call for line in lines for call in _calls(line)]
        if not whole and len(found) < len(lines):
            return text, []
    if not found or any(call["name"] not in names for call in found):
        return text, []
    return rest, found


def _calls(text: str) -> list[dict[str, Any]]:
    """The calls of a JSON text; none where it is none."""
    text = text.strip()
    if not text.startswith(("{", "[")):
        return []
    try:
        (turn,) = read_turn({"role": "tool_call", "content": text}, 1)
    except (LoraHubError, ValueError, RecursionError):
        return []
    if turn.message["content"]:
        return []
    return [one["function"] for one in turn.message.get("tool_calls", ())]
