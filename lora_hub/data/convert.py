"""Chat rows in the dialects people have, as one list of {"role", "content"}.

    to_messages([{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}])
    as_chats(frame)      a frame whose conversations are spread over columns gets them as one column, `messages`

Understood: OpenAI (content as text, parts or null, tool calls), ShareGPT, lists of pairs ({input, output}, {user, bot},
[question, answer]), alternating texts, a prompt's turns and its completion's, the JSON text of all these, and texts with
marks (### Human:, <|im_start|>user, [INST]). Roles are system, user, assistant and tool. A tool call becomes the
assistant's text (its JSON), so that nothing that is to be learnt is lost.
"""

import json
import re
from typing import TYPE_CHECKING, Any

from lora_hub.errors import DataError, names_fa

if TYPE_CHECKING:
    import polars

ROLES = {
    "system": "system", "developer": "system", "سیستم": "system",
    "user": "user", "human": "user", "prompter": "user", "question": "user", "customer": "user", "usr": "user", "کاربر": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant",
    "ai": "assistant", "bing": "assistant", "bard": "assistant", "answer": "assistant", "agent": "assistant", "chatbot": "assistant",
    "claude": "assistant", "llm": "assistant",
    "function_call": "assistant", "tool_call": "assistant", "tool_calls": "assistant", "دستیار": "assistant",
    "tool": "tool", "function": "tool", "observation": "tool", "tool_response": "tool", "tool_result": "tool", "ipython": "tool",
}  # fmt: skip
LISTS = ("messages", "conversations", "conversation", "dialog", "dialogue", "turns", "chat", "mapping")
# What is asked and what is answered, where one object holds both; an instruction may have an input of its own.
PAIRS = (
    ("instruction", "output"), ("instruction", "response"), ("user", "assistant"), ("human", "assistant"), ("user", "bot"),
    ("human", "bot"), ("human", "gpt"), ("input", "output"), ("question", "answer"), ("prompt", "response"), ("prompt", "completion"),
    ("query", "response"), ("q", "a"), ("request", "response"), ("پرسش", "پاسخ"), ("کاربر", "دستیار"),
)  # fmt: skip
_EXPECTED = "Each turn is {role, content} or {from, value}."
_EXPECTED_FA = "هر نوبت شیئی است با «role» و «content»، یا با «from» و «value»."
_MARK = re.compile(
    r"(?:^|\n|(?<=[^\w]))\s*#{2,3}\s*(?P<hash>Human|User|Assistant|System|Instruction|Response|Input)\s*:"
    r"|<\|im_start\|>\s*(?P<chatml>\w+)\s*\n"
    r"|(?:^|\n)(?P<plain>Human|Assistant|User|AI|Bot|System|کاربر|دستیار) ?: "
)
_INST = re.compile(r"(?:<s>)?\s*\[INST\](?:\s*<<SYS>>(.*?)<</SYS>>)?(.*?)\[/INST\](.*?)(?=</s>|<s>|\[INST\]|$)", re.DOTALL)


def to_messages(value: Any) -> list[dict[str, str]]:
    """Messages of one row. Raises DataError naming the turn (from 1) that is not understood. An empty list stays empty."""
    if isinstance(value, str):
        marked = _from_marks(value)
        if marked:
            return marked
        try:
            value = json.loads(value)
        except ValueError:
            raise DataError(
                f"This is not a conversation: {value[:40]!r}.", "Messages are a list of {role, content} or {from, value}.",
                message_fa=f"این گفت‌وگو نیست: «{value[:40]}».", hint_fa=_EXPECTED_FA,
            ) from None  # fmt: skip
    if isinstance(value, dict):
        return _from_object(value)
    if value is None or not isinstance(value, (list, tuple)):
        raise DataError(
            f"A conversation is a list of turns, not {value!r:.40}.", "Each turn is {role, content}.",
            message_fa=f"گفت‌وگو فهرستی از نوبت‌هاست، نه «{value!r:.40}».", hint_fa=_EXPECTED_FA,
        )  # fmt: skip
    if value and all(isinstance(turn, str) for turn in value):
        return _alternating(list(value))
    messages: list[dict[str, str]] = []
    for number, turn in enumerate(value, 1):
        messages += _turns(turn, number)
    return messages


def _from_object(value: dict) -> list[dict[str, str]]:
    """A conversation inside an object: under a key of its own, in two halves (prompt, completion), or one pair."""
    lower = {str(key).lower(): item for key, item in value.items()}
    system = lower.get("system") or lower.get("system_prompt")
    start = [_message("system", system)] if isinstance(system, str) and system else []
    inner = next((lower[key] for key in LISTS if lower.get(key) is not None), None)
    if inner is not None and not isinstance(inner, dict):
        turns = to_messages(inner)
    elif isinstance(lower.get("prompt"), (list, tuple)) and lower.get("completion") is not None:
        answer = lower["completion"]
        turns = to_messages(lower["prompt"]) + ([_message("assistant", answer)] if isinstance(answer, str) else to_messages(answer))
    else:
        history = lower.get("history") or []
        pair = _pair(lower)
        if pair is None:
            keys = ", ".join(map(str, list(value)[:6]))
            raise DataError(
                f"An object with the keys {keys} is not a conversation.", "It needs the key messages.",
                message_fa=f"شیئی که کلیدهایش {names_fa(value, 6)} است گفت‌وگو نیست.", hint_fa="کلید «messages» را لازم دارد.",
            )  # fmt: skip
        turns = (to_messages(history) if history else []) + pair
    return turns if turns and turns[0]["role"] == "system" else start + turns


def _pair(turn: dict) -> list[dict[str, str]] | None:
    """A question and its answer in one object; either may be missing or empty."""
    for asked, answered in PAIRS:
        if asked in turn and answered in turn and all(turn[key] is None or isinstance(turn[key], str) for key in (asked, answered)):
            question, more = turn[asked] or "", turn.get("input")
            if asked == "instruction" and isinstance(more, str) and more:
                question = f"{question}\n\n{more}"
            return [_message("user", question), _message("assistant", turn[answered] or "")]
    return None


def _alternating(texts: list[str]) -> list[dict[str, str]]:
    """Texts by turns, the user first; or each with its speaker before it ("User: hi")."""
    spoken = [re.match(r"\s*([\w ]{1,12}?)\s*:\s*(.*)", text, re.DOTALL) for text in texts]
    if all(found and found[1].lower() in ROLES for found in spoken):
        return [_message(ROLES[found[1].lower()], found[2]) for found in spoken if found]
    return [_message(("user", "assistant")[number % 2], text) for number, text in enumerate(texts)]


def _from_marks(text: str) -> list[dict[str, str]]:
    """Messages of a text in which marks tell who speaks; [] where there are none, or nobody is answered."""
    messages: list[dict[str, str]] = []
    if "[INST]" in text:
        for system, question, answer in _INST.findall(text):
            messages += [_message("system", system.strip())] if system.strip() else []
            messages += [_message("user", question.strip()), _message("assistant", answer.strip())]
        return messages
    marks = list(_MARK.finditer(text))
    if not marks or text[: marks[0].start()].strip(" \n<s>"):
        return []
    names = {"instruction": "user", "input": "user", "response": "assistant"}
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        said = text[mark.end() : following.start() if following else len(text)].strip()
        said = said.removesuffix("</s>").removesuffix("<|im_end|>").strip()
        name = next(found for found in mark.groups() if found).lower()
        messages.append(_message(names.get(name) or ROLES.get(name, "user"), said))
    return messages if {"user", "assistant"} <= {message["role"] for message in messages} else []


def holds_marks(text: str) -> bool:
    """Whether a text is a conversation with marks that tell who speaks."""
    return bool(_from_marks(text))


def _turns(turn: Any, number: int) -> list[dict[str, str]]:
    """The messages of one turn: one, or two where it holds a question and its answer."""
    if isinstance(turn, (list, tuple)) and len(turn) == 2 and all(isinstance(text, str) for text in turn):
        return [_message("user", turn[0]), _message("assistant", turn[1])]
    if not isinstance(turn, dict):
        raise DataError(
            f"Turn {number} is not an object: {turn!r:.40}.", _EXPECTED,
            message_fa=f"نوبت {number} شیء نیست: «{turn!r:.40}».", hint_fa=_EXPECTED_FA,
        )  # fmt: skip
    role = next((turn[key] for key in ("role", "from", "speaker", "sender", "author") if turn.get(key)), None)
    if isinstance(role, dict):
        role = role.get("role")
    if role is None and str(turn.get("type", "")).lower() in ROLES:
        role = turn["type"]
        turn = turn["data"] if isinstance(turn.get("data"), dict) else turn
    if role is None:
        pair = _pair({str(key).lower(): item for key, item in turn.items()})
        if pair is not None:
            system = turn.get("system")
            return [_message("system", system), *pair] if isinstance(system, str) and system and number == 1 else pair
    if not isinstance(role, str):
        raise DataError(
            f"Turn {number} names no role.", _EXPECTED,
            message_fa=f"نوبت {number} نقشی ندارد.", hint_fa=_EXPECTED_FA,
        )  # fmt: skip
    known = ROLES.get(role.strip().lower())
    if known is None:
        raise DataError(
            f"Turn {number} has the unknown role {role!r:.40}.", "Roles: system, user, assistant, tool.",
            message_fa=f"نقش نوبت {number} شناخته نیست: «{role:.40}».", hint_fa="نقش‌ها: «system»، «user»، «assistant» و «tool».",
        )  # fmt: skip
    content = next((turn[key] for key in ("content", "value", "text", "message", "utterance") if turn.get(key) is not None), None)
    text = _text(content, number)
    calls = turn.get("tool_calls") or turn.get("function_call")
    if calls:
        text = "\n".join(part for part in (text, _calls(calls)) if part)
    return [_message(known, text)]


def _text(content: Any, number: int) -> str:
    """Content as text, from a text, a list of parts, or nothing."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        content = content["parts"] if isinstance(content.get("parts"), (list, tuple)) else [content]
    if isinstance(content, (list, tuple)):
        return "".join(_part(part, number) for part in content)
    return str(content)


def _part(part: Any, number: int) -> str:
    """One part of a turn's content. Raises DataError for an image, a sound or a file."""
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    if isinstance(part.get("text"), str):
        return part["text"]
    kind = part.get("type")
    if kind == "tool_use":
        return _calls([{"name": part.get("name"), "arguments": part.get("input")}])
    if kind in ("tool_result", "refusal"):
        return _text(part.get("content") or part.get("refusal"), number)
    if kind in (None, "text", "thinking"):
        return ""
    raise DataError(
        f"Turn {number} holds a part that is not text ({kind}).", "Only text can be trained on.",
        message_fa=f"نوبت {number} بخشی دارد که متن نیست ({kind}).", hint_fa="فقط متن آموختنی است.",
    )  # fmt: skip


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


def as_chats(frame: "polars.DataFrame") -> "polars.DataFrame":
    """The frame with one column `messages` in place of columns that are parts of one conversation: a prompt's turns and its
    completion, a system text beside the turns, an instruction with its history. Any other frame as it is."""
    import polars

    from lora_hub.data.table import is_nested

    def nested(name: str | None) -> bool:
        return name is not None and is_nested(frame.schema[name])

    names = {name.lower(): name for name in frame.columns}
    prompt, completion = names.get("prompt"), names.get("completion")
    history, turns = names.get("history"), next((names[key] for key in LISTS if key in names and nested(names[key])), None)
    system = next((names[key] for key in ("system", "system_prompt") if key in names and not nested(names[key])), None)
    asked = next((pair for pair in PAIRS if pair[0] in names and pair[1] in names), None)
    if nested(prompt) and completion is not None:
        used = [prompt, completion]
    elif turns is not None and system is not None:
        used = [turns, system]
    elif nested(history) and asked is not None:
        used = [names[key] for key in dict.fromkeys((*asked, "input", "history", "system")) if key in names]
    else:
        return frame
    rows = zip(*(frame[name].to_list() for name in used), strict=True)
    keys = ["messages" if name == turns else name.lower() for name in used]
    values = [_joined(dict(zip(keys, row, strict=True))) for row in rows]
    return frame.drop(used).with_columns(polars.Series("messages", values, dtype=polars.Object))


def _joined(row: dict) -> Any:
    """The parts' conversation; where they are not understood the parts themselves, so that the checks can tell of it."""
    try:
        return _from_object(row)
    except DataError:
        return row
