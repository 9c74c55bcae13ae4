"""Chats in every dialect become messages; data that is not for supervised fine-tuning is refused with the reason."""

import json

import polars
import pytest

from lora_hub.core.errors import DataError
from lora_hub.data.chats.convert import holds_marks, read_chat, to_messages
from lora_hub.data.columns.chat_columns import as_chats
from lora_hub.data.columns.check_kinds import (
    refuse_text_with_bookkeeping,
    refuse_text_without_answer,
    refuse_what_is_not_for_training,
)
from lora_hub.data.tables.table import Table

PLAIN = [{"role": "user", "content": "سلام"}, {"role": "assistant", "content": "درود"}]


@pytest.mark.parametrize(
    "value",
    [
        PLAIN,
        json.dumps(PLAIN),
        {"messages": PLAIN},
        [{"from": "human", "value": "سلام"}, {"from": "gpt", "value": "درود"}],
        {"conversations": [{"from": "human", "value": "سلام"}, {"from": "gpt", "value": "درود"}]},
        [
            {"role": "User", "content": [{"type": "text", "text": "سلا"}, {"type": "text", "text": "م"}]},
            {"role": "model", "content": "درود"},
        ],
        [
            {"role": "user", "content": "سلام", "tool_calls": None, "name": None},
            {"role": "assistant", "content": "درود", "value": None},
        ],
        [
            {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["سلام"]}},
            {"sender": "bot", "text": "درود"},
        ],
        [{"type": "human", "data": {"content": "سلام"}}, {"type": "ai", "data": {"content": "درود"}}],
        [{"input": "سلام", "output": "درود"}],
        [{"human": "سلام", "assistant": "درود"}],
        [{"user": "سلام", "bot": "درود"}],
        [{"Question": "سلام", "Answer": "درود"}],
        [["سلام", "درود"]],
        ["سلام", "درود"],
        ["User: سلام", "Assistant: درود"],
        {"dialog": ["سلام", "درود"]},
        {"prompt": [PLAIN[0]], "completion": [PLAIN[1]]},
        {"prompt": [PLAIN[0]], "completion": "درود"},
        "### Human: سلام\n### Assistant: درود",
        "<|im_start|>user\nسلام<|im_end|>\n<|im_start|>assistant\nدرود<|im_end|>",
        "<s>[INST] سلام [/INST] درود </s>",
        "کاربر: سلام\nدستیار: درود",
    ],
)
def test_one_conversation_in_many_dialects(value: object) -> None:
    assert to_messages(value) == PLAIN


def call(name: str, arguments: object, **more: str) -> dict:
    return {**more, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_gemini_and_anthropic_as_they_write_it() -> None:
    gemini = {
        "systemInstruction": {"role": "system", "parts": [{"text": "be kind"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "weather?"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "get", "args": {"city": "Yazd"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "get", "response": {"t": 22}}}]},
            {"role": "model", "parts": [{"text": "22"}]},
        ],
    }
    assert to_messages(gemini) == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": "", "tool_calls": [call("get", {"city": "Yazd"})]},
        {"role": "tool", "content": '{"t": 22}'},
        {"role": "assistant", "content": "22"},
    ]
    assert to_messages({"system": [{"type": "text", "text": "be kind"}], "messages": PLAIN}) == [
        {"role": "system", "content": "be kind"},
        *PLAIN,
    ]
    both = read_chat({"system": "be kind", "messages": [{"role": "system", "content": "be exact"}, *PLAIN]})
    assert both.messages[0]["content"] == "be exact" and both.unused == ("system",)


def test_tool_calls_have_one_form() -> None:
    openai = [
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "get", "arguments": '{"city": "Tehran"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "22"},
    ]
    messages = to_messages(openai)
    assert messages[1:] == [
        {"role": "assistant", "content": "", "tool_calls": [call("get", {"city": "Tehran"}, id="1")]},
        {"role": "tool", "content": "22", "tool_call_id": "1"},
    ]
    sharegpt = [
        {"from": "human", "value": "w"},
        {"from": "function_call", "value": '{"name": "get", "arguments": {"a": 1}}'},
        {"from": "observation", "value": "22"},
    ]
    assert [message["role"] for message in to_messages(sharegpt)] == ["user", "assistant", "tool"]
    assert to_messages(sharegpt)[1] == {"role": "assistant", "content": "", "tool_calls": [call("get", {"a": 1})]}
    assert to_messages([{"from": "function_call", "value": "{}"}]) == [{"role": "assistant", "content": "{}"}]


def test_a_system_text_beside_the_turns_comes_first() -> None:
    assert to_messages({"system": "be kind", "conversations": PLAIN})[0] == {"role": "system", "content": "be kind"}


def test_parts_and_tools_of_other_makers_are_text() -> None:
    turns = [
        {"role": "user", "content": [{"type": "input_text", "text": "weather?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm"},
                {"type": "tool_use", "name": "get", "input": {"city": "Yazd"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "content": "22"}]},
        {"role": "assistant", "content": None},
    ]
    told = to_messages(turns)
    assert told[0]["content"] == "weather?" and told[1]["tool_calls"] == [call("get", {"city": "Yazd"})]
    assert told[2:] == [{"role": "tool", "content": "22"}, {"role": "assistant", "content": ""}]
    old = {"role": "assistant", "content": "", "function_call": {"name": "get", "arguments": "not json"}}
    assert to_messages([old])[0]["tool_calls"] == [call("get", "not json")]


def test_an_instruction_with_its_history() -> None:
    messages = to_messages(
        {"instruction": "and then?", "input": "the cat", "output": "it slept", "history": [["what?", "a cat ate"]]}
    )
    assert [message["content"] for message in messages] == ["what?", "a cat ate", "and then?\n\nthe cat", "it slept"]
    assert [message["role"] for message in messages] == ["user", "assistant"] * 2


def test_columns_that_are_one_conversation_become_one() -> None:
    def frame(**columns: list) -> polars.DataFrame:
        return polars.DataFrame(
            [
                polars.Series(name, values, dtype=polars.Object if not isinstance(values[0], str) else None)
                for name, values in columns.items()
            ]
        )

    def chats(joined: polars.DataFrame) -> list:
        return [to_messages(value) for value in joined["messages"].to_list()]

    halves = as_chats(frame(id=["7"], prompt=[[PLAIN[0]]], completion=[[PLAIN[1]]]))
    assert halves.columns == ["id", "messages"] and chats(halves) == [PLAIN]
    beside = as_chats(frame(system=["be kind", ""], conversations=[PLAIN, PLAIN]))
    assert [to_messages(value) for value in beside["conversations"].to_list()] == [
        [{"role": "system", "content": "be kind"}, *PLAIN],
        PLAIN,
    ]
    past = as_chats(frame(instruction=["d"], input=[""], output=["e"], history=[[["b", "c"]]]))
    assert [message["content"] for message in chats(past)[0]] == ["b", "c", "d", "e"]
    plain = polars.DataFrame({"prompt": ["a"], "completion": ["b"], "system": ["c"]})
    assert as_chats(plain) is plain
    odd = as_chats(frame(prompt=[[{"role": "wizard", "content": "x"}]], completion=["y"]))
    with pytest.raises(DataError, match="wizard"):
        to_messages(odd["messages"].to_list()[0])


def test_a_text_that_mentions_a_human_is_no_conversation() -> None:
    assert holds_marks("### Human: a\n### Assistant: b")
    for text in (
        "The User: a study of people",
        "Summary of the talk. Human: a\nAssistant: b",
        "Human: who is there?",
        "plain",
        "",
    ):
        assert not holds_marks(text)


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


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"prompt": ["p"], "chosen": ["a"], "rejected": ["b"]}, "preference pairs .*chosen and rejected"),
        (
            {"prompt": ["p"], "chosen_response": ["a"], "rejected_response": ["b"], "score_chosen": ["1"]},
            "chosen_response and rejected_response",
        ),
        ({"q": ["p"], "response_chosen": ["a"], "response_rejected": ["b"]}, "response_chosen and response_rejected"),
        ({"q": ["p"], "preferred": ["a"], "dispreferred": ["b"]}, "preferred and dispreferred"),
        (
            {"prompt": ["p"], "response_a": ["a"], "response_b": ["b"], "winner": ["a"]},
            "compared in pairs .*response_a, response_b and winner",
        ),
        (
            {"prompt": ["p"], "response_0": ["a"], "response_1": ["b"], "better_response_id": ["0"]},
            "response_0, response_1 and better",
        ),
        (
            {"prompt": ["p"], "output_1": ["a"], "output_2": ["b"], "preference": ["1"]},
            "output_1, output_2 and preference",
        ),
        (
            {"prompt": ["p", "q"], "completion": ["a", "b"], "label": ["true", "false"]},
            "marked as good or bad .*completion and label",
        ),
        (
            {"query": ["p"], "response": ["a"], "rejected_response": ["b"]},
            "preference pairs .*response and rejected_response",
        ),
        (
            {"input": ["p"], "preferred_output": ["a"], "non_preferred_output": ["b"]},
            "preferred_output and non_preferred_output",
        ),
        (
            {"instruction": ["p", "q"], "output": ["a", "b"], "kto_tag": ["true", "false"]},
            "marked as good or bad .*output and kto_tag",
        ),
        (
            {"prompt": ["p"], "responses": [["a", "b"]], "scores": [[1, 2]]},
            "several answers to one prompt ranked by scores",
        ),
        (
            {"instruction": ["p"], "completions": [[{"response": "a", "overall_score": 3}]]},
            "several answers .*with their scores",
        ),
    ],
)
def test_preferences_are_refused_in_every_shape(columns: dict, words: str) -> None:
    with pytest.raises(DataError, match=words) as refusal:
        refuse_what_is_not_for_training(Table(polars.DataFrame(columns), "json"))
    assert refusal.value.hint


@pytest.mark.parametrize(
    "columns",
    [
        {"prompt": ["p"], "chosen": ["a"]},
        {"prompt": ["p"], "completion": ["a"], "label": ["greeting"]},
        {"text_a": ["p"], "text_b": ["a"], "label": ["1"]},
        {"question": ["p"], "answer": ["a"], "score": ["1"]},
        {"context": ["p"], "question": ["q"], "answers": [["a", "b"]]},
        {"score_chosen": ["1"], "score_rejected": ["0"], "text": ["x"]},
    ],
)
def test_what_only_looks_like_preferences_is_not_refused(columns: dict) -> None:
    refuse_what_is_not_for_training(Table(polars.DataFrame(columns), "json"))


def test_text_without_an_answer_is_refused() -> None:
    with pytest.raises(DataError, match="text without an answer"):
        refuse_text_without_answer(Table(polars.DataFrame({"text": ["once upon a time"]}), "jsonl"))
    refuse_text_without_answer(Table(polars.DataFrame({"text": ["a"], "label": ["b"]}), "jsonl"))
    with pytest.raises(DataError, match="only url, timestamp: text without an answer"):
        refuse_text_with_bookkeeping(
            Table(polars.DataFrame({"text": ["a"], "url": ["b"], "timestamp": ["c"]}), "jsonl")
        )
    refuse_text_with_bookkeeping(Table(polars.DataFrame({"text": ["a"], "url": ["b"], "tone": ["c"]}), "jsonl"))
