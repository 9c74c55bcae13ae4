"""Converts conversations from any common format into one: messages, which of them are learnt, and the available tools.

    read_chat([{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]).messages
    to_messages(value)      the messages only

Supported: OpenAI (content as text, parts or null, tool calls, weights, tools), ShareGPT, lists of pairs ({input,
output}, {user, bot}, [question, answer]), alternating texts, prompt and completion turns, the JSON text of all these,
and texts with role markers (### Human:, <|im_start|>user, [INST]). `chat_turns` reads one turn; `chat_columns` joins
columns that are parts of one conversation.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, several
from lora_hub.data.chats.chat_marks import row_marks, turn_mark, with_plain_masks
from lora_hub.data.chats.chat_turns import ROLES, Turn, no_role, read_text, read_tools, read_turn, role_of
from lora_hub.data.tables import strict_json
from lora_hub.data.tables.value_text import listed

SYSTEM = ("system", "system_prompt", "system_message", "systeminstruction", "system_instruction")
TOOLS = ("tools", "functions")
LISTS = ("messages", "conversations", "conversation", "dialog", "dialogue", "turns", "chat", "contents", "mapping")
# The keys of question and answer in an object that holds both; an instruction may also have an input.
PAIRS = (
    ("instruction", "output"),
    ("instruction", "response"),
    ("user", "assistant"),
    ("human", "assistant"),
    ("user", "bot"),
    ("human", "bot"),
    ("human", "gpt"),
    ("input", "output"),
    ("question", "answer"),
    ("prompt", "response"),
    ("prompt", "completion"),
    ("query", "response"),
    ("q", "a"),
    ("request", "response"),
    ("پرسش", "پاسخ"),
    ("کاربر", "دستیار"),
)
_MARK = re.compile(
    r"(?:^|(?<=\W))#{2,3}\s*(?P<hash>Human|User|Assistant|System|Instruction|Response|Input)\s*:"
    r"|<\|im_start\|>\s*(?P<chatml>\w+)\s*\n"
    r"|(?:^|\n)(?P<plain>Human|Assistant|User|AI|Bot|System|کاربر|دستیار) ?: "
)
_SYSTEM = re.compile(r"\s*<<SYS>>(.*?)<</SYS>>", re.DOTALL)


@dataclass
class Chat:
    """`turns`: the messages in order, each with whether it is learnt. `tools`: definitions of the tools the assistant
    may call, in OpenAI's format. `unused`: names of unused fields beside the turns."""

    turns: list[Turn]
    tools: list[dict] = field(default_factory=list)
    unused: tuple[str, ...] = ()

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [turn.message for turn in self.turns]


def to_messages(value: Any) -> list[dict[str, Any]]:
    """The messages of one row; an empty list stays empty. Raises DataError naming the turn (from 1) that is not
    understood."""
    return read_chat(value).messages


def is_all_context(chat: Chat) -> bool:
    """Whether the assistant answers but every answer is marked as context only."""
    answers = [turn for turn in chat.turns if turn.message["role"] == "assistant" and turn.says]
    return bool(answers) and not any(turn.learnt for turn in answers)


def read_chat(value: Any) -> Chat:
    """The conversation of one row. Raises DataError naming the turn (from 1) that is not understood."""
    if isinstance(value, str):
        marked = _from_marks(value)
        if marked:
            return Chat(marked)
        loaded = _loaded(value)
        if loaded is None:
            raise DataError(
                _("This is not a conversation: {value!r}."),
                _("Messages are a list of {{role, content}} or {{from, value}}."),
                value=value[:40],
            )
        value = loaded
    if isinstance(value, dict):
        return _from_object(value)
    if value is None or not isinstance(value, (list, tuple)):
        raise DataError(
            _("A conversation is a list of turns, not {value}."),
            _("Each turn is {{role, content}}."),
            value=f"{value!r:.40}",
        )
    if value and all(isinstance(turn, str) for turn in value):
        return Chat(_alternating(list(value)))
    turns: list[Turn] = []
    for number, turn in enumerate(with_plain_masks(value, role_of), 1):
        turns += _turns(turn, number)
    return Chat(turns)


def _loaded(text: str) -> Any:
    """The value of a text in JSON or Python's print format (as pandas writes into a CSV); None if it is neither."""
    try:
        return strict_json.load(text)
    except (ValueError, RecursionError):
        return listed(text)


def _from_object(value: dict) -> Chat:
    """A conversation inside an object: under one key, in two halves (prompt, completion), or as one pair."""
    lower = {str(key).lower(): item for key, item in value.items()}
    used = {*SYSTEM, *TOOLS}
    system = _turn("system", next((lower[key] for key in SYSTEM if lower.get(key)), None))
    start = [system] if system.says else []
    tools = read_tools(next((lower[key] for key in TOOLS if lower.get(key)), None))
    inner = next((key for key in LISTS if lower.get(key) is not None), None)
    if inner is not None and not isinstance(lower[inner], dict):
        chat = read_chat(lower[inner])
        turns, tools, unused = chat.turns, tools or chat.tools, chat.unused
        used |= set(LISTS)
    elif isinstance(lower.get("prompt"), (list, tuple)) and lower.get("completion") is not None:
        answer = lower["completion"]
        turns = read_chat(lower["prompt"]).turns + (
            [_turn("assistant", answer)] if isinstance(answer, str) else read_chat(answer).turns
        )
        used, unused = used | {"prompt", "completion"}, ()
    else:
        history = lower.get("history") or []
        pair = _pair(lower)
        if pair is None:
            raise DataError(
                _("An object with the keys {keys} is not a conversation."),
                _("It needs the key messages."),
                keys=several(value, most=6),
            )
        turns, unused = (read_chat(history).turns if history else []) + pair[0], ()
        used |= {"history", *pair[1]}
    used |= set(row_marks(lower, turns))
    unused = (*unused, *(key for key, item in lower.items() if key not in used and item not in (None, "", [], {})))
    if turns and turns[0].message["role"] == "system" and start:  # the system text in the turns takes precedence
        unused = (
            unused
            if turns[0].message["content"].strip() == start[0].message["content"].strip()
            else (*unused, "system")
        )
        start = []
    return Chat(start + turns, tools, unused)


def _pair(turn: dict) -> tuple[list[Turn], tuple[str, ...]] | None:
    """Question and answer in one object, and the keys they had; either may be missing or empty."""
    for asked, answered in PAIRS:
        if (
            asked in turn
            and answered in turn
            and all(turn[key] is None or isinstance(turn[key], str) for key in (asked, answered))
        ):
            question, more = turn[asked] or "", turn.get("input")
            with_input = asked == "instruction" and isinstance(more, str)
            if with_input and more:
                question = f"{question}\n\n{more}"
            turns = [_turn("user", question), _turn("assistant", turn[answered] or "")]
            return turns, (asked, answered, *(["input"] if with_input else []))
    return None


def _alternating(texts: list[str]) -> list[Turn]:
    """Alternating texts, the user first; or each text preceded by its speaker ("User: hi")."""
    spoken = [re.match(r"\s*([\w ]{1,12}?)\s*:\s*(.*)", text, re.DOTALL) for text in texts]
    if all(found and found[1].lower() in ROLES for found in spoken):
        return [_turn(ROLES[found[1].lower()], found[2]) for found in spoken if found]
    return [_turn(("user", "assistant")[number % 2], text) for number, text in enumerate(texts)]


def _from_marks(text: str) -> list[Turn]:
    """Messages of a text with role markers; [] if there are none or no question has an answer."""
    turns: list[Turn] = []
    if "[INST]" in text:
        for part in text.split("[INST]")[1:]:
            asked, closed, answer = part.partition("[/INST]")
            if not closed:
                continue
            system = _SYSTEM.match(asked)
            turns += [_turn("system", system[1].strip())] if system and system[1].strip() else []
            question = asked[system.end() :] if system else asked
            turns += [_turn("user", question.strip()), _turn("assistant", re.split("</?s>", answer)[0].strip())]
        return turns
    marks = list(_MARK.finditer(text))
    if not marks or text[: marks[0].start()].strip(" \n<s>"):
        return []
    names = {"instruction": "user", "input": "user", "response": "assistant"}
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        said = text[mark.end() : following.start() if following else len(text)].strip()
        said = said.removesuffix("</s>").removesuffix("<|im_end|>").strip()
        name = next(found for found in mark.groups() if found).lower()
        turns.append(_turn(names.get(name) or ROLES.get(name, "user"), said))
    return turns if {"user", "assistant"} <= {turn.message["role"] for turn in turns} else []


def holds_marks(text: str) -> bool:
    """Whether a text is a conversation with role markers."""
    return bool(_from_marks(text))


def _turns(turn: Any, number: int) -> list[Turn]:
    """The messages of one turn: one, or two if it holds a question and its answer."""
    if isinstance(turn, (list, tuple)) and len(turn) == 2 and all(isinstance(text, str) for text in turn):
        return [_turn("user", turn[0]), _turn("assistant", turn[1])]
    read = read_turn(turn, number)
    if read:
        return read
    lower = {str(key).lower(): item for key, item in turn.items()}
    pair = _pair(lower)
    if pair is None:
        raise no_role(number)
    turns, used = pair
    system = lower.get("system")
    first = [_turn("system", system)] if isinstance(system, str) and system and number == 1 else []
    mark = turn_mark(lower)
    turns[1].learnt, turns[1].is_partly, turns[1].is_masked = mark.learnt, mark.is_partly, mark.is_masked
    turns[1].unused = tuple(
        key
        for key, item in lower.items()
        if key not in (*used, *mark.keys, *(["system"] if first else [])) and item not in (None, "", [], {})
    )
    return first + turns


def _turn(role: str, content: Any) -> Turn:
    return Turn({"role": role, "content": read_text(content, 1)})
