"""Conversations are used as their authors intend, or a finding says why not: weights, tools, calls, thoughts, system
texts, and whatever else a turn or a row may contain. The trained ids are those of the later prompt, for every
template."""

import json
from pathlib import Path
from typing import Any

import polars
import pytest
import transformers
from tiny_bases import byte_tokenizer

from lora_hub.answering import loading
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.errors import DataError
from lora_hub.data.chats.convert import read_chat, to_messages
from lora_hub.data.checks.check_chat_template import find_template
from lora_hub.data.inspection import Inspection
from lora_hub.data.inspector import inspect_file
from lora_hub.data.mending.mends import apply_mends
from lora_hub.data.prompts import chat_template, prepare, template
from lora_hub.data.prompts.chat_template import traits_of
from lora_hub.data.prompts.light_tokenizer import LightTokenizer
from lora_hub.data.prompts.template import encode_prompt
from lora_hub.hub import snippet

CHAT, INSTRUCTION = get_task("chat"), get_task("instruction")
QWEN = Path(__file__).parents[3] / "shared" / "data" / "models" / "Qwen2.5-tokenizer"
MARKS = ("<|im_start|>", "<|im_end|>", "<think>", "</think>")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# The generation prompt opens a block for thoughts, whatever it is asked.
OPENS = CHATML.replace("<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\n<think>\n{% endif %}")
STRICT = (
    "{% for m in messages %}{% if (m['role']=='user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation "
    "roles must alternate') }}{% endif %}"
    "{% if m['role']=='user' %}[INST] {{ m['content'] }} [/INST]{% else %} {{ m['content'] }}<end>{% endif %}{% "
    "endfor %}"
)
# Definitions and calls as Qwen2.5 writes them.
TOOLS = (
    "{% if tools %}<|im_start|>system\nTools:{% for t in tools %} {{ t | tojson }}{% endfor %}<|im_end|>\n{% endif %}"
    "{% for m in messages %}{% if m.role == 'tool' %}<|im_start|>user\n<tool_response>\n{{ m.content "
    "}}\n</tool_response><|im_end|>\n"
    "{% else %}<|im_start|>{{ m.role }}{% if m.content %}\n{{ m.content }}{% endif %}{% if m.tool_calls %}{% for c in "
    "m.tool_calls %}\n<tool_call>\n"
    '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}\n</tool_call>{% endfor %}{% '
    "endif %}<|im_end|>\n"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# A channel is named before every answer and not in the generation prompt, as gpt-oss does.
CHANNEL = (
    "{% for m in messages %}<|im_start|>{{ m.role }}{% if m.role == 'assistant' %}<|channel|>final{% endif "
    "%}<|message|>{{ m.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"
)
DEFINITION = {
    "type": "function",
    "function": {
        "name": "order",
        "description": "orders",
        "parameters": {"type": "object", "properties": {"item": {"type": "string"}}},
    },
}


def chatty(chat_template: str) -> Any:
    return byte_tokenizer(chat_template, (*MARKS, "<|channel|>", "<|message|>", "<end>"))


def write(folder: Path, rows: list[dict], kind: str = "jsonl") -> Path:
    file = folder / f"rows.{kind}"
    if kind == "jsonl":
        file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    elif kind == "json":
        file.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    elif kind == "csv":
        flat = [
            {key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()} for row in rows
        ]
        polars.DataFrame(flat).write_csv(file)
    else:
        polars.DataFrame(rows).write_parquet(file)
    return file


def examples_of(seen: Inspection) -> list[prepare.Example]:
    return prepare.build_examples(seen.table, seen.task, seen.mapping)


def told(seen: Inspection) -> dict[str, Any]:
    return {problem.code: problem for problem in seen.problems}


def pair(number: int, **more: Any) -> list[dict]:
    return [
        {"role": "user", "content": f"How many lamps are in box {number}?"},
        {"role": "assistant", "content": f"There are {number}.", **more},
    ]


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet", "csv"])
@pytest.mark.parametrize(
    ("key", "off", "on"),
    [
        ("weight", 0, 1),
        ("weight", 0.0, 1.0),
        ("train", False, True),
        ("training", False, True),
        ("loss", False, True),
        ("loss_mask", 0, 1),
        ("weight", "0", "1"),
    ],
)
def test_a_turn_marked_as_context_is_read_and_not_learnt(
    tmp_path: Path, kind: str, key: str, off: object, on: object
) -> None:
    rows = [
        {
            "messages": [
                *pair(i, **{key: off}),
                {"role": "user", "content": "Count again.", key: on},
                {"role": "assistant", "content": f"{i + 1}.", key: on},
            ]
        }
        for i in range(20)
    ]
    seen = inspect_file(write(tmp_path, rows, kind), CHAT)
    found = examples_of(seen)
    assert [example.answer for example in found] == [f"{i + 1}." for i in range(20)]
    assert [message["content"] for message in found[3].inputs["messages"]] == [
        "How many lamps are in box 3?",
        "There are 3.",
        "Count again.",
    ]
    assert told(seen)["context-only"].count == 20 and "unused-fields" not in told(seen)


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "csv"])
def test_a_conversation_of_weight_nothing_is_not_learnt(tmp_path: Path, kind: str) -> None:
    rows = [{"messages": pair(i), "weight": i % 2} for i in range(20)]
    seen = inspect_file(write(tmp_path, rows, kind), CHAT)
    assert [example.row for example in examples_of(seen)] == [row for row in range(1, 21) if row % 2 == 0]
    assert told(seen)["chats-not-learnt"].count == 10 and "context-only" not in told(seen)


def toolcalls(**arguments: Any) -> list[dict]:
    return [
        {"role": "user", "content": "Order a lamp"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c0", "type": "function", "function": {"name": "order", "arguments": arguments}}],
        },
        {"role": "tool", "tool_call_id": "c0", "content": '{"ok": true}'},
        {"role": "assistant", "content": "Ordered."},
    ]


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet"])
def test_tools_and_calls_go_through_the_template(tmp_path: Path, kind: str) -> None:
    rows = [{"messages": toolcalls(item=f"lamp {i}"), "tools": [DEFINITION]} for i in range(12)]
    seen = inspect_file(write(tmp_path, rows, kind), CHAT)
    assert (
        "orders" in seen.preview[0]["prompt"]
        and seen.preview[0]["completion"] == '{"name": "order", "arguments": {"item": "lamp 0"}}'
    )
    tokenizer = chatty(TOOLS)
    encoded = prepare.encode_examples(tokenizer, CHAT, examples_of(seen), 4096)
    first, second = encoded.examples[:2]
    asked = tokenizer.decode(encode_prompt(tokenizer, CHAT, first.inputs))
    assert asked.startswith("<|im_start|>system\nTools: " + json.dumps(DEFINITION)) and asked.endswith(
        "<|im_start|>assistant\n"
    )
    assert first.answer == '<tool_call>\n{"name": "order", "arguments": {"item": "lamp 0"}}\n</tool_call>'
    assert second.answer == "Ordered." and first.answer in tokenizer.decode(
        encode_prompt(tokenizer, CHAT, second.inputs)
    )
    assert not {one.problem.code for one in find_template(tokenizer, CHAT, examples_of(seen))}
    bare = {one.problem.code: one.problem.count for one in find_template(chatty(CHATML), CHAT, examples_of(seen))}
    assert bare == {"no-place-for-tools": 12, "calls-as-text": 12}
    assert (
        prepare.encode_examples(chatty(CHATML), CHAT, examples_of(seen), 4096).examples[0].answer
        == '{"name": "order", "arguments": {"item": "lamp 0"}}'
    )


@pytest.mark.skipif(not QWEN.is_dir(), reason="the tokenizer is not here")
def test_qwens_own_template_writes_definitions_and_calls() -> None:
    from lora_hub.data.prompts.light_tokenizer import read_tokenizer

    for tokenizer in (transformers.AutoTokenizer.from_pretrained(QWEN), read_tokenizer(QWEN)):
        traits = traits_of(tokenizer)
        assert traits.tools and traits.calls and traits.results and traits.system and not traits.opening
        chat = read_chat(
            {"messages": toolcalls(item="lamp", when=1690876800), "tools": json.dumps([DEFINITION["function"]])}
        )
        prompt = template.prompt_text(tokenizer, CHAT, {"messages": chat.messages[:1], "tools": chat.tools})
        assert json.dumps(DEFINITION) in prompt
        answer = template.written_answer(
            tokenizer, {"messages": chat.messages[:1], "tools": chat.tools}, "", chat.messages[1]
        )
        assert (
            answer == '<tool_call>\n{"name": "order", "arguments": {"item": "lamp", "when": 1690876800}}\n</tool_call>'
        )


@pytest.mark.parametrize(
    "tools",
    [
        [DEFINITION],
        json.dumps([DEFINITION]),
        [json.dumps(DEFINITION)],
        [DEFINITION["function"]],
        DEFINITION,
        [{"type": "function", **DEFINITION["function"]}],
        [{"name": "order", "description": "orders", "input_schema": DEFINITION["function"]["parameters"]}],
        [{"type": "function", "function": {**DEFINITION["function"], "strict": None}}],
    ],
)
def test_definitions_have_one_form(tools: Any) -> None:
    assert read_chat({"messages": pair(1), "tools": tools}).tools == [DEFINITION]
    assert read_chat({"messages": pair(1), "functions": tools}).tools == [DEFINITION]


@pytest.mark.parametrize("tools", [None, [], "", "[]", "null"])
def test_no_tools_are_none(tools: Any) -> None:
    assert read_chat({"messages": pair(1), "tools": tools}).tools == []


def test_arguments_that_a_table_filled_in_are_left_out_and_told(tmp_path: Path) -> None:
    rows = [{"messages": toolcalls(**({"item": "lamp"} if i % 2 else {"place": {"city": "Yazd"}}))} for i in range(10)]
    for kind in ("parquet", "jsonl"):
        seen = inspect_file(write(tmp_path, rows, kind), CHAT)
        calls = [
            example.turn["tool_calls"][0]["function"]["arguments"] for example in examples_of(seen) if example.turn
        ]
        assert calls == [{"item": "lamp"} if i % 2 else {"place": {"city": "Yazd"}} for i in range(10)]
        assert ("null-arguments" in told(seen)) == (kind == "parquet")


def test_whatever_lies_in_a_conversation_is_read_or_refused_in_words() -> None:
    """Random nestings of the keys and values that conversations have: messages of text and JSON, or a DataError."""
    import datetime
    import decimal
    import random

    draw = random.Random(1)
    keys = (
        "role content from value type data text tool_calls function_call name arguments weight parts thinking "
        "system tools messages history prompt"
    ).split()
    values = [
        "user",
        "assistant",
        "tool",
        "hi",
        "",
        None,
        0,
        True,
        float("nan"),
        "[1]",
        "{",
        '{"name":"x"}',
        b"x\xff",
        datetime.date(2020, 1, 1),
        decimal.Decimal("1.5"),
        "tool_use",
    ]

    def make(depth: int) -> Any:
        kind = draw.random() if depth else 0
        if kind < 0.35:
            return draw.choice(values)
        return (
            [make(depth - 1) for _ in range(draw.randint(0, 3))]
            if kind < 0.65
            else {draw.choice(keys): make(depth - 1) for _ in range(draw.randint(0, 4))}
        )

    read = 0
    for _ in range(6_000):
        turns = [
            {"role": draw.choice(["user", "assistant", "tool"]), **{draw.choice(keys[1:]): make(3) for _ in range(3)}}
            for _ in range(2)
        ]
        try:
            chat = read_chat(turns)
        except DataError as error:
            assert error.message and error.said.fa
            continue
        read += 1
        assert all(isinstance(message["content"], str) for message in chat.messages)
        json.dumps([chat.messages, chat.tools])
    assert read > 2_000


@pytest.mark.parametrize(
    "turn",
    [
        {"content": "1", "reasoning_content": "I add."},
        {"content": "1", "thinking": "I add."},
        {"content": "1", "reasoning": "I add."},
        {"content": [{"type": "thinking", "thinking": "I add."}, {"type": "text", "text": "1"}]},
        {"content": [{"type": "reasoning", "text": "I add."}, {"type": "text", "text": "1"}]},
        {
            "content": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "I add."}]},
                {"type": "output_text", "text": "1"},
            ]
        },
    ],
)
def test_reasoning_is_told(tmp_path: Path, turn: dict) -> None:
    rows = [{"messages": [{"role": "user", "content": f"{i}+1?"}, {"role": "assistant", **turn}]} for i in range(12)]
    seen = inspect_file(write(tmp_path, rows), CHAT)
    assert {example.answer for example in examples_of(seen)} == {"1"}
    assert told(seen)["unlearnt-reasoning"].message == "12 conversations have reasoning that is not learnt."
    assert "unused-fields" not in told(seen) and "empty-turns" not in told(seen)


def test_thoughts_inside_an_answer_are_text_where_the_template_has_no_place_for_them() -> None:
    found = prepare.build_examples(
        table([pair(1)[:1] + [{"role": "assistant", "content": "<think>\nI add.\n</think>\n\n1"}]] * 9),
        CHAT,
        {"messages": "messages"},
    )
    assert prepare.written(chatty(CHATML), found)[0].answer.startswith("<think>")
    assert prepare.written(chatty(OPENS), found)[0].answer == "1"
    assert "thoughts-in-answers" in {one.problem.code for one in find_template(chatty(OPENS), CHAT, found)}


HALVES = [
    "<think>\nI add one",
    "I add one.\n</think>\n\n2",
    "Well, <thinking>one and",
    "[THINK]one",
    "<think>\nI see.\n</think>\n\n<think>And",
]


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("task", ["chat", "instruction"])
def test_a_block_for_thoughts_that_is_cut_off_is_told_with_its_rows(tmp_path: Path, task: str, half: str) -> None:
    answers = ["<think>\nI add.\n</think>\n\n1" if n % 2 else "Two <b>lamps</b>" for n in range(24)]
    answers[4] = answers[11] = half
    rows = [
        {"messages": [*pair(n)[:1], {"role": "assistant", "content": answer}]}
        if task == "chat"
        else {"instruction": f"How many? {n}", "output": answer}
        for n, answer in enumerate(answers)
    ]
    file = write(tmp_path, rows)
    seen = inspect_file(file, get_task(task))
    found = told(seen)["half-thoughts"]
    assert found.rows == (5, 12) and found.severity == "warning" and "learnt as" in found.message and found.said.fa
    # It is what the finding says: trained as it stands, unless the rows are left out.
    assert half in {example.answer for example in examples_of(seen)}
    left = inspect_file(file, get_task(task), mends=found.mends)
    assert left.table.rows == 22 and "half-thoughts" not in told(left)


def test_an_answer_for_context_may_hold_half_a_thought(tmp_path: Path) -> None:
    rows = [
        {"messages": [*pair(n)[:1], {"role": "assistant", "content": "<think>hm", "weight": 0}, *pair(n)]}
        for n in range(12)
    ]
    assert "half-thoughts" not in told(inspect_file(write(tmp_path, rows), CHAT))


def table(values: list) -> Any:
    from lora_hub.data.tables.table import Table

    return Table(polars.DataFrame([polars.Series("messages", values, dtype=polars.Object)]), "jsonl")


@pytest.mark.parametrize("task", ["sentiment", "grammar", "chat", "instruction"])
@pytest.mark.parametrize(
    ("name", "opening"), [("opens", "\n</think>\n\n"), ("channel", "<|channel|>final<|message|>"), ("chatml", "")]
)
def test_what_a_template_writes_before_every_answer_is_in_the_prompt(task: str, name: str, opening: str) -> None:
    tokenizer = chatty({"opens": OPENS, "channel": CHANNEL, "chatml": CHATML}[name])
    chosen = get_task(task)
    chosen = chosen.model_copy(update={"labels": ("good", "bad")}) if chosen.output == "labels" else chosen
    inputs = dict.fromkeys(chosen.inputs, "x") if task != "chat" else {"messages": [{"role": "user", "content": "x"}]}
    row = prepare.encode_examples(tokenizer, chosen, [prepare.Example(1, inputs, "good")], 4096).rows[0]
    asked = template.encode_prompt(tokenizer, chosen, inputs)
    text = tokenizer.decode(asked)
    assert row["input_ids"][: len(asked)] == asked and text.endswith(opening or "<|im_start|>assistant\n")
    assert text.count("<think>") == text.count("</think>") == (1 if name == "opens" else 0)
    told_ = {one.problem.code for one in find_template(tokenizer, chosen, [prepare.Example(1, inputs, "good")])}
    assert ("thinking-closed" in told_) == (name == "opens")
    assert template.asking(tokenizer) == {
        "opening": opening,
        "space": "",
        "system_turn": True,
        "end_token": "<|im_end|>",
    }


@pytest.mark.parametrize("name", ["opens", "strict", "chatml", "plain"])
def test_the_cards_code_asks_the_same(name: str) -> None:
    tokenizer = chatty({"opens": OPENS, "strict": STRICT, "chatml": CHATML, "plain": ""}[name])
    known = template.asking(tokenizer)
    code = snippet.write(INSTRUCTION, repo_id="a/b", base="c", chat_template=bool(tokenizer.chat_template), **known)
    code = (
        code[code.index("inputs = ") : code.index("output = model")]
        .replace(', return_tensors="pt"', "")
        .replace("ids[0, -1]", "ids[-1]")
        .replace("ids[:, :-1]", "ids[:-1]")
    )
    for system in ("Talk like a knight.", " "):
        inputs = {"instruction": "Say it.", "input": "now", "system": system}
        names: dict[str, Any] = {"tokenizer": tokenizer}
        exec(code.replace(code.split("\n", 1)[0], f"inputs = {inputs!r}"), names)
        assert list(names["ids"]) == template.encode_prompt(tokenizer, INSTRUCTION, inputs)


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet"])
def test_a_system_column_beside_instructions_is_the_system_turn(tmp_path: Path, kind: str) -> None:
    rows = [
        {
            "instruction": f"Describe lamp {i}.",
            "input": "",
            "output": f"It is grand {i}.",
            "system": ("Talk like a knight.", "Talk like a pirate.")[i % 2],
        }
        for i in range(24)
    ]
    seen = inspect_file(write(tmp_path, rows, kind), INSTRUCTION)
    assert seen.mapping["system"] == "system"
    first = examples_of(seen)[0]
    assert template.prompt_text(chatty(CHATML), INSTRUCTION, first.inputs) == (
        "<|im_start|>system\nTalk like a knight.<|im_end|>\n<|im_start|>user\nDescribe lamp "
        "0.<|im_end|>\n<|im_start|>assistant\n"
    )
    assert (
        template.prompt_text(chatty(STRICT), INSTRUCTION, first.inputs)
        == "[INST] Talk like a knight.\n\nDescribe lamp 0. [/INST]"
    )
    assert (
        template.prompt_text(chatty(""), INSTRUCTION, first.inputs)
        == "Talk like a knight.\n\nDescribe lamp 0.\nResponse:"
    )
    assert "no-system-turn" in {
        one.problem.code for one in find_template(chatty(STRICT), INSTRUCTION, examples_of(seen))
    }


def strict_base(folder: Path) -> Path:
    """The built-in base under a template that takes only turns by turns."""
    import shutil

    for file in bases.built_in_folder().iterdir():
        if file.suffix in (".json", ".safetensors"):
            shutil.copy(file, folder / file.name)
    (folder / "chat_template.jinja").write_text(STRICT.replace("<end>", "{{ eos_token }}"), encoding="utf-8")
    return folder


def test_conversations_that_the_template_refuses_are_named_and_can_be_left_out(tmp_path: Path) -> None:
    rows = [{"messages": pair(i)} for i in range(40)]
    rows[17]["messages"].insert(0, {"role": "user", "content": "Hello"})
    rows[25]["messages"].insert(0, {"role": "assistant", "content": "Welcome"})
    (tmp_path / "base").mkdir()
    base = bases.get_base(str(strict_base(tmp_path / "base")))
    seen = inspect_file(write(tmp_path, rows), CHAT, base=base)
    refused = told(seen)["refused-chats"]
    assert (
        refused.rows == (18, 26)
        and refused.severity == "error"
        and "rows 18, 26" in refused.message
        and "must alternate" in refused.message
    )
    assert seen.lengths is not None and seen.preview[0]["prompt"] == "[INST] How many lamps are in box 0? [/INST]"
    left, done = apply_mends(seen.table, CHAT, seen.mapping, refused.mends)
    assert left.rows == 38 and done[0].rows == 2 and "18, 26" in done[0].to_json()["said"]
    again = inspect_file(write(tmp_path, rows), CHAT, base=base, mends=refused.mends)
    assert "refused-chats" not in told(again)
    with pytest.raises(DataError, match="must alternate.*rows 18, 26"):
        prepare.encode_examples(chatty(STRICT), CHAT, examples_of(inspect_file(write(tmp_path, rows), CHAT)), 4096)


def test_a_template_that_cannot_be_rendered_is_an_error_in_words() -> None:
    for broken in ("{{ messages[0]['content'] + none }}", "{% if %}", "{{ raise_exception('no') }}"):
        with pytest.raises(DataError, match="chat template refuses"):
            template.prompt_text(chatty(broken), CHAT, {"messages": [{"role": "user", "content": "x"}]})


# Fields that turns and rows of the dialects have: what becomes of each. "used": in the examples; "named": in a finding;
# "refused".
TURN_FIELDS = {
    "name": "named",
    "id": "named",
    "mask": "named",
    "train_detail": "named",
    "prefix": "named",
    "metadata": "named",
    "audio": "named",
    "images": "named",
    "timestamp": "named",
    "annotations": "named",
    "score": "named",
    "weight": "used",
    "train": "used",
    "loss": "used",
    "reasoning_content": "named",
    "tool_calls": "used",
    "function_call": "used",
    "thoughts": "named",
}
VALUES = {
    "tool_calls": [{"type": "function", "function": {"name": "get", "arguments": "{}"}}],
    "function_call": {"name": "get", "arguments": "{}"},
    "weight": 0,
    "train": False,
    "loss": False,
    "images": ["a.png"],
    "metadata": {"a": 1},
    "annotations": [{"a": 1}],
    "score": 0.5,
}
SPEAKERS = {
    "openai": ("role", "content", "user", "assistant"),
    "sharegpt": ("from", "value", "human", "gpt"),
    "trl": ("role", "content", "user", "assistant"),
}


@pytest.mark.parametrize("dialect", SPEAKERS)
@pytest.mark.parametrize("field", TURN_FIELDS)
def test_every_field_of_a_turn_is_used_or_named(tmp_path: Path, dialect: str, field: str) -> None:
    role, text, user, assistant = SPEAKERS[dialect]

    def row(number: int, **more: Any) -> dict:
        turns = [
            {role: user, text: f"How {number}?"},
            {role: assistant, text: f"So {number}.", **more},
            {role: user, text: "And?"},
            {role: assistant, text: "Yes."},
        ]
        return (
            {"prompt": turns[:3], "completion": turns[3:]}
            if dialect == "trl"
            else {"conversations" if dialect == "sharegpt" else "messages": turns}
        )

    plain = inspect_file(write(tmp_path, [row(i) for i in range(12)]), CHAT)
    seen = inspect_file(write(tmp_path, [row(i, **{field: VALUES.get(field, "something")}) for i in range(12)]), CHAT)
    is_used = [(one.inputs, one.answer) for one in examples_of(seen)] != [
        (one.inputs, one.answer) for one in examples_of(plain)
    ]
    is_named = any(
        field in problem.message for problem in seen.problems if problem.code == "unused-fields"
    ) or "unlearnt-reasoning" in told(seen)
    assert (is_used, is_named) == (TURN_FIELDS[field] == "used", TURN_FIELDS[field] == "named")


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet", "csv"])
@pytest.mark.parametrize(
    ("rows", "task", "used"),
    [
        ({"messages": lambda i: pair(i), "id": str, "source": lambda i: "web"}, "chat", {"messages"}),
        (
            {
                "messages": lambda i: pair(i),
                "tools": lambda i: [DEFINITION],
                "system": lambda i: "Be kind.",
                "images": lambda i: [f"{i}.png"],
            },
            "chat",
            {"messages", "tools", "system"},
        ),
        (
            {"conversations": lambda i: pair(i), "system": lambda i: "Be kind.", "lang": lambda i: "en"},
            "chat",
            {"conversations", "system"},
        ),
        (
            {
                "prompt": lambda i: pair(i)[:1],
                "completion": lambda i: pair(i)[1:],
                "tools": lambda i: [DEFINITION],
                "source": lambda i: "web",
            },
            "chat",
            {"prompt", "completion", "tools"},
        ),
        (
            {
                "instruction": lambda i: f"do {i} things",
                "input": lambda i: "quickly",
                "output": lambda i: f"done {i}",
                "system": lambda i: "Be.",
                "template": lambda i: "t",
            },
            "instruction",
            {"instruction", "input", "output", "system"},
        ),
        (
            {
                "instruction": lambda i: f"do {i} things",
                "input": lambda i: "",
                "output": lambda i: f"done {i}",
                "history": lambda i: [["hi", "hello"]],
                "note": lambda i: "n",
            },
            "chat",
            {"instruction", "input", "output", "history"},
        ),
        (
            {
                "text": lambda i: f"the lamp {i} shines",
                "label": lambda i: ("good", "bad")[i % 2],
                "annotator": lambda i: "ann",
                "meta": lambda i: {"a": i},
            },
            "sentiment",
            {"text", "label"},
        ),
    ],
)
def test_every_column_is_used_or_named(tmp_path: Path, kind: str, rows: dict, task: str, used: set[str]) -> None:
    seen = inspect_file(
        write(tmp_path, [{name: make(i) for name, make in rows.items()} for i in range(12)], kind), get_task(task)
    )
    named = (
        told(seen)["unused-columns"].message.removeprefix("Not used: ").rstrip(".").split(", ")
        if "unused-columns" in told(seen)
        else []
    )
    empty = {name for name, make in rows.items() if make(0) == ""}
    assert set(named) == set(rows) - used - empty
    text = json.dumps([(one.inputs, one.answer) for one in examples_of(seen)], default=str)
    for name in used - empty:
        value = rows[name](0)
        words = (
            value
            if isinstance(value, str)
            else "orders"
            if name == "tools"
            else "hello"
            if name == "history"
            else "How many lamps"
            if name != "completion"
            else "There are"
        )
        assert words in text, name


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "image"},
        {"type": "input_audio", "input_audio": {}},
        {"type": "file", "file": {}},
        {"type": "video"},
    ],
)
def test_parts_that_are_no_text_are_refused_by_kind_and_row(tmp_path: Path, part: dict) -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": [part, {"type": "text", "text": "what?"}] if i == 4 else "what?"},
                {"role": "assistant", "content": "x"},
            ]
        }
        for i in range(12)
    ]
    seen = inspect_file(write(tmp_path, rows), CHAT)
    unread = told(seen)["unreadable-chats"]
    assert unread.rows == (5,) and part["type"] in unread.message and [mend.kind for mend in unread.mends] == ["drop"]


def test_turns_whose_content_is_no_text_are_json() -> None:
    turns = [
        {"role": "user", "content": {"city": "Yazd"}},
        {"role": "assistant", "content": [{"t": 22, "rain": None}]},
        {"role": "tool", "name": "get", "content": 5},
    ]
    assert to_messages(turns) == [
        {"role": "user", "content": '{"city": "Yazd"}'},
        {"role": "assistant", "content": '[{"t": 22, "rain": null}]'},
        {"role": "tool", "content": "5", "name": "get"},
    ]


def test_the_light_tokenizer_shows_the_same_place_for_everything() -> None:
    for written in (CHATML, OPENS, TOOLS, STRICT, CHANNEL):
        full = chatty(written)
        light = LightTokenizer(full.backend_tokenizer, {"bos_token": "<bos>", "eos_token": "<end>"}, written)
        assert traits_of(light) == traits_of(full)


def test_a_weight_between_is_told(tmp_path: Path) -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"q {i}"},
                {"role": "assistant", "content": f"a {i}", "weight": 0.5 if i < 4 else 1},
            ]
        }
        for i in range(20)
    ]
    found = [
        problem
        for problem in inspect_file(write(tmp_path, rows), CHAT).problems
        if "not used: weight" in problem.message
    ]
    assert len(found) == 1 and found[0].message.startswith("4 conversations")


def test_a_template_is_tried_once_and_again_when_it_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = loading.load_tokenizer(bases.get_base("built-in"))
    rendered = []
    render = chat_template.render
    monkeypatch.setattr(chat_template, "render", lambda *given, **named: rendered.append(1) or render(*given, **named))
    first = traits_of(tokenizer)
    count = len(rendered)
    assert count and traits_of(tokenizer) is first and len(rendered) == count
    tokenizer.chat_template = tokenizer.chat_template + " "
    traits_of(tokenizer)
    assert len(rendered) == 2 * count
