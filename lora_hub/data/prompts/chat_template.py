"""How a base's chat template formats messages, and what it does not support.

    traits = traits_of(tokenizer)                       what the template supports, found by rendering it
    prompt = write_prompt(tokenizer, messages, tools)   up to where the answer begins
    answer = write_answer(tokenizer, messages, tools, turn)

The template is rendered with a marker text, and the output is searched for it, since nothing else says what a template
supports. Unsupported parts are expressed differently (`as_taken`): a system text goes before the first question, tool
calls become JSON text of the assistant, a tool's result becomes a user's turn. Training and inference both use this
module, so they do the same.

Answers are trained and generated without reasoning before them. If a template opens a reasoning block, it is closed
before the answer, as Qwen3's and similar templates do themselves with `enable_thinking=False`.
"""

import re
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.data.chats.chat_turns import calls_text
from lora_hub.data.chats.chat_turns import read_tools as read_tools  # as whoever asks a template gives them
from lora_hub.data.chats.chat_turns import read_turn as read_turn

# A chat template that prints today's date would make a different prompt tomorrow than in training. Templates that
# reason by default are told not to. Templates without these variables ignore them.
TEMPLATE_VARIABLES = {"enable_thinking": False, "date_string": "01 Jan 2025"}

# A marker text, for renderings that only show what a template writes around it.
MARK = "\u241e"
MARKED_TURNS = [{"role": "user", "content": "."}, {"role": "assistant", "content": MARK}]
PROBE = "probe_mark"
TOOL = {
    "type": "function",
    "function": {"name": PROBE, "description": "d", "parameters": {"type": "object", "properties": {}}},
}
# Mistral's templates require ids of nine characters.
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": PROBE, "arguments": {"a": MARK}}}],
}
# The opening and closing tags of reasoning blocks, in the bases that have them.
_TAGS = "think|thinking|thought|thoughts|reasoning|seed:think"
OPENED = rf"<(?:{_TAGS})>|\[THINK\]|◁think▷"
CLOSED = rf"</(?:{_TAGS})>|\[/THINK\]|◁/think▷"
_OPEN = re.compile(rf"<({_TAGS})>\s*\Z|(\[THINK\]|◁think▷)\s*\Z")
_CLOSE = {"[THINK]": "[/THINK]", "◁think▷": "◁/think▷"}
_THOUGHTS = re.compile(rf"\A\s*<({_TAGS})>(.*?)</\1>\s*", re.DOTALL)


@dataclass(frozen=True)
class Traits:
    """What a template supports: a system turn, tool definitions, tool calls, tool results. opening: the text between
    its generation prompt and the answer. thinks: whether that closes a reasoning block. space: the white space it
    writes before an answer, which is part of the answer's tokens."""

    system: bool = True
    tools: bool = True
    calls: bool = True
    results: bool = True
    opening: str = ""
    thinks: bool = False
    space: str = ""


# Found by rendering a template nine times, and asked for with every question: kept as long as its tokenizer.
_FOUND: WeakKeyDictionary[Any, tuple[Any, Traits]] = WeakKeyDictionary()


def traits_of(tokenizer: Any) -> Traits:
    """A tokenizer without a chat template (plain text) supports everything except definitions and calls. Raises
    DataError if the template refuses a question with its answer."""
    if not tokenizer.chat_template:
        return Traits(tools=False, calls=False, space=" ")
    found = _FOUND.get(tokenizer)
    if found is None or found[0] != tokenizer.chat_template:
        found = _FOUND[tokenizer] = (tokenizer.chat_template, _find_traits(tokenizer))
    return found[1]


def _find_traits(tokenizer: Any) -> Traits:
    user, call = {"role": "user", "content": "."}, CALL
    whole = render(tokenizer, MARKED_TURNS)
    asked = render(tokenizer, MARKED_TURNS[:1], add_generation_prompt=True)
    before = whole[len(asked) :].partition(MARK)[0] if whole.startswith(asked) and MARK in whole else ""
    opened = _OPEN.search(asked)
    if opened:
        opening, space = f"{'' if asked.endswith(chr(10)) else chr(10)}\n{_closing(opened)}\n\n", ""
    elif before.isspace():
        opening, space = "", before
    # a channel, or a speaker missing from its generation prompt; a final space belongs to the answer's tokens
    else:
        opening = before.rstrip(" ")
        space = before[len(opening) :]
    thinks = bool(opened) or bool(re.search(rf"</(?:{_TAGS})>", asked[-80:] + opening))
    traits = Traits(
        system=_writes(tokenizer, [{"role": "system", "content": MARK}, *MARKED_TURNS], MARK, times=2),
        tools=_writes(tokenizer, MARKED_TURNS[:1], PROBE, tools=[TOOL]),
        opening=opening,
        thinks=thinks,
        space=space,
    )
    calls = _writes(tokenizer, [user, call], PROBE) and _written_call(tokenizer, traits) is not None
    result = {"role": "tool", "content": MARK, "tool_call_id": "abcdefghi", "name": PROBE}
    before_result = call if calls else {"role": "assistant", "content": "."}
    results = _writes(
        tokenizer, [user, before_result, result], MARK, times=2 if calls else 1, add_generation_prompt=True
    )
    return Traits(traits.system, traits.tools, calls, results, traits.opening, traits.thinks, traits.space)


def _closing(opened: re.Match) -> str:
    return f"</{opened[1]}>" if opened[1] else _CLOSE[opened[2]]


def _writes(
    tokenizer: Any,
    messages: list[dict],
    mark: str,
    *,
    tools: list[dict] | None = None,
    times: int = 1,
    add_generation_prompt: bool = False,
) -> bool:
    try:
        return (
            render(tokenizer, messages, tools=tools, add_generation_prompt=add_generation_prompt).count(mark) >= times
        )
    except DataError:
        return False


def _written_call(tokenizer: Any, traits: Traits) -> str | None:
    return _answer_in(tokenizer, [{"role": "user", "content": "."}], [], CALL, traits)


def as_taken(messages: list[dict[str, Any]], traits: Traits) -> list[dict[str, Any]]:
    """The messages in a form that the template supports."""
    taken: list[dict[str, Any]] = []
    system = []
    for message in messages:
        if message["role"] == "system" and not traits.system:
            system.append(message["content"])
            continue
        if message.get("tool_calls") and not traits.calls:
            message = {"role": "assistant", "content": whole_text(message)}
        if message["role"] == "tool" and not traits.results:
            if taken and taken[-1].get("of_tools"):
                taken[-1]["content"] += "\n" + message["content"]
                continue
            message = {"role": "user", "content": message["content"], "of_tools": True}
        if system and message["role"] == "user":
            message = {**message, "content": "\n\n".join([*system, message["content"]])}
            system = []
        taken.append(message)
    taken = [{"role": "user", "content": "\n\n".join(system)}, *taken] if system else taken
    return [{key: value for key, value in message.items() if key != "of_tools"} for message in taken]


def whole_text(message: dict[str, Any]) -> str:
    """The text of an assistant's turn: its content, and its calls as JSON lines."""
    return "\n".join(text for text in (message["content"], calls_text(message.get("tool_calls") or [])) if text)


def write_prompt(
    tokenizer: Any, messages: list[dict[str, Any]], tools: list[dict] | None = None, traits: Traits | None = None
) -> str:
    """The prompt, up to where the answer begins. Raises DataError if the template refuses the messages."""
    traits = traits or traits_of(tokenizer)
    return (
        render(tokenizer, as_taken(messages, traits), tools=tools if traits.tools else None, add_generation_prompt=True)
        + traits.opening
    )


def write_answer(
    tokenizer: Any,
    messages: list[dict[str, Any]],
    tools: list[dict] | None,
    turn: dict[str, Any],
    traits: Traits | None = None,
) -> str:
    """An assistant's turn as the template writes it after the prompt, without its end. Raises DataError."""
    traits = traits or traits_of(tokenizer)
    turn = {**turn, "content": without_thoughts(turn["content"], traits)}
    if not turn.get("tool_calls"):
        return turn["content"].strip()
    written = (
        _answer_in(tokenizer, as_taken(messages, traits), tools if traits.tools else None, turn, traits)
        if traits.calls
        else None
    )
    return whole_text(turn).strip() if written is None else written


def without_thoughts(text: str, traits: Traits) -> str:
    """An answer without the reasoning in front of it, if the template closes its own reasoning block before the
    answer."""
    return _THOUGHTS.sub("", text, count=1) if traits.thinks else text


def _answer_in(
    tokenizer: Any, messages: list[dict], tools: list[dict] | None, turn: dict, traits: Traits
) -> str | None:
    """The text the template writes for a turn, without its end; None if it writes the preceding conversation
    differently than in the prompt."""
    whole = render(tokenizer, [*messages, turn], tools=tools)
    asked = render(tokenizer, messages, tools=tools, add_generation_prompt=True)
    for start in (asked + traits.opening, asked, _OPEN.sub("", asked), asked.rstrip()):
        if whole.startswith(start):
            text = whole[len(start) :]
            return _without_end(tokenizer, text.removeprefix(traits.opening).strip()) or None
    return None


def _without_end(tokenizer: Any, text: str) -> str:
    """The text without the special token that closes a turn."""
    named = [
        str(token)
        for token in getattr(tokenizer, "added_tokens_decoder", {}).values()
        if getattr(token, "special", True)
    ]
    ends = sorted({*named, render(tokenizer, MARKED_TURNS).rpartition(MARK)[2].strip()} - {""}, key=len, reverse=True)
    changed = True
    while changed:
        changed = False
        for end in ends:
            if text.endswith(end):
                text, changed = text.removesuffix(end).rstrip(), True
    return text


def render(
    tokenizer: Any,
    messages: list[dict[str, Any]],
    *,
    tools: list[dict] | None = None,
    add_generation_prompt: bool = False,
) -> str:
    """The rendered template. Raises DataError with the template's own message if it refuses the messages."""
    from jinja2 import TemplateError

    more = {"tools": tools} if tools else {}
    try:
        return tokenizer.apply_chat_template(
            messages, add_generation_prompt=add_generation_prompt, tokenize=False, **more, **TEMPLATE_VARIABLES
        )
    # a template that adds texts to what is none; a call's arguments nested deeper than it can go
    except (TemplateError, TypeError, KeyError, ValueError, RecursionError) as error:
        raise DataError(
            _("The base's chat template refuses these messages: {reason}."),
            _("Choose another base, or change the order of the turns."),
            reason=error,
        ) from error
