"""Chats in every dialect become messages; what is not for supervised fine-tuning is refused with the reason."""

import json

import polars
import pytest

from lora_hub.data.convert import refuse_text_without_answer, refuse_what_is_not_for_training, to_messages
from lora_hub.data.table import Table
from lora_hub.errors import DataError

PLAIN = [{"role": "user", "content": "سلام"}, {"role": "assistant", "content": "درود"}]


@pytest.mark.parametrize(
    "value",
    [
        PLAIN,
        json.dumps(PLAIN),
        {"messages": PLAIN},
        [{"from": "human", "value": "سلام"}, {"from": "gpt", "value": "درود"}],
        {"conversations": [{"from": "human", "value": "سلام"}, {"from": "gpt", "value": "درود"}]},
        [{"role": "User", "content": [{"type": "text", "text": "سلا"}, {"type": "text", "text": "م"}]}, {"role": "model", "content": "درود"}],
        [{"role": "user", "content": "سلام", "tool_calls": None, "name": None}, {"role": "assistant", "content": "درود", "value": None}],
    ],
)  # fmt: skip
def test_one_conversation_in_many_dialects(value: object) -> None:
    assert to_messages(value) == PLAIN


def test_tools_stay_as_text() -> None:
    openai = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "get", "arguments": '{"city": "Tehran"}'}}]},
        {"role": "tool", "tool_call_id": "1", "content": "22"},
    ]  # fmt: skip
    messages = to_messages(openai)
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert json.loads(messages[1]["content"]) == {"name": "get", "arguments": {"city": "Tehran"}}
    sharegpt = [{"from": "human", "value": "w"}, {"from": "function_call", "value": "{}"}, {"from": "observation", "value": "22"}]
    assert [message["role"] for message in to_messages(sharegpt)] == ["user", "assistant", "tool"]


def test_a_system_text_beside_the_turns_comes_first() -> None:
    assert to_messages({"system": "be kind", "conversations": PLAIN})[0] == {"role": "system", "content": "be kind"}


def test_empty_conversations_stay_empty() -> None:
    assert to_messages([]) == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([{"role": "wizard", "content": "x"}], "Turn 1 has the unknown role 'wizard'"),
        ([PLAIN[0], "text"], "Turn 2 is not an object"),
        ([{"content": "x"}], "Turn 1 names no role"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}], "not text"),
        ("no json", "not a conversation"),
        ({"text": "x"}, "keys text"),
        (5, "list of turns"),
        (None, "list of turns"),
    ],
)
def test_what_is_not_understood_is_named(value: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        to_messages(value)


def test_preference_pairs_are_refused() -> None:
    table = Table(polars.DataFrame({"prompt": ["p"], "chosen": ["a"], "rejected": ["b"]}), "json")
    with pytest.raises(DataError, match="preference pairs .*chosen and rejected") as refusal:
        refuse_what_is_not_for_training(table)
    assert "DPO" in refusal.value.hint
    refuse_what_is_not_for_training(Table(polars.DataFrame({"prompt": ["p"], "chosen": ["a"]}), "json"))


def test_text_without_an_answer_is_refused() -> None:
    with pytest.raises(DataError, match="text without an answer"):
        refuse_text_without_answer(Table(polars.DataFrame({"text": ["once upon a time"]}), "jsonl"))
    refuse_text_without_answer(Table(polars.DataFrame({"text": ["a"], "label": ["b"]}), "jsonl"))
