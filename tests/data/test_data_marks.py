"""Turns that a conversation's author marked as not to be learned are not trained, however the mark is spelled. A tool
call's JSON text is learned exactly as it is."""

import json
from pathlib import Path
from typing import Any

import polars
import pytest

from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.schema import Mend
from lora_hub.data.chats.chat_marks import reading
from lora_hub.data.chats.convert import read_chat
from lora_hub.data.inspection import Inspection
from lora_hub.data.inspector import inspect_file
from lora_hub.data.prompts import prepare

CHAT = get_task("chat")


def turns(number: int, **marks: Any) -> list[dict]:
    """Two answers, the first of them marked."""
    return [
        {"role": "user", "content": f"Where is lamp {number}?"},
        {"role": "assistant", "content": "No idea.", **marks},
        {"role": "user", "content": "Look again."},
        {"role": "assistant", "content": f"In box {number}."},
    ]


def write(folder: Path, rows: list[dict], kind: str = "jsonl") -> Path:
    file = folder / f"rows.{kind}"
    if kind == "parquet":
        polars.DataFrame(rows).write_parquet(file)
    elif kind == "csv":
        polars.DataFrame(
            [
                {key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()}
                for row in rows
            ]
        ).write_csv(file)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def learnt(seen: Inspection) -> list[str]:
    return [example.answer for example in prepare.build_examples(seen.table, seen.task, seen.mapping)]


def told(seen: Inspection) -> dict[str, Any]:
    return {problem.code: problem for problem in seen.problems}


OFF = [
    {"weight": "0.00"},
    {"weight": "0"},
    {"weight": 0.0},
    {"weight": "۰"},
    {"weight": -1},
    {"learn": False},
    {"learnt": "no"},
    {"train": False},
    {"training": "False"},
    {"loss": 0},
    {"loss": "0"},
    {"loss_mask": 0},
    {"loss_mask": [0, 0, 0]},
    {"trainable": 0},
    {"loss_weight": "0,0"},
    {"mask": 1},
    {"mask": "true"},
    {"masked": True},
    {"no_loss": True},
    {"train_detail": [{"begin_offset": 0, "end_offset": 7, "train": False}]},
]


@pytest.mark.parametrize("mark", OFF, ids=str)
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_turn_that_is_not_to_be_learnt_is_not_learnt(tmp_path: Path, kind: str, mark: dict) -> None:
    seen = inspect_file(write(tmp_path, [{"messages": turns(n, **mark)} for n in range(12)], kind), CHAT)
    assert learnt(seen) == [f"In box {n}." for n in range(12)]
    assert told(seen)["context-only"].count == 12 and "unused-fields" not in told(seen)
    assert ("masked-answers" in told(seen)) == bool({"mask", "masked", "no_loss"} & set(mark))


@pytest.mark.parametrize(
    "mark",
    [
        {"weight": "1.00"},
        {"weight": 1},
        {"learn": True},
        {"mask": 0},
        {"masked": False},
        {"loss_mask": [1, 1]},
        {"train_detail": [{"begin_offset": 0, "end_offset": 7, "train": True}]},
    ],
    ids=str,
)
def test_a_turn_that_is_to_be_learnt_is_learnt(mark: dict) -> None:
    chat = read_chat(turns(1, **mark))
    assert [turn.is_learnt for turn in chat.turns] == [False, True, False, True] and not any(
        turn.unused for turn in chat.turns
    )


@pytest.mark.parametrize(
    "mark",
    [{"weight": 0.5}, {"weight": 2}, {"weight": "low"}, {"train": "some"}, {"mask": "User"}, {"quality": 0}],
    ids=str,
)
def test_a_mark_that_is_not_understood_is_told_as_unused(mark: dict) -> None:
    chat = read_chat(turns(1, **mark))
    assert chat.turns[1].is_learnt and chat.turns[1].unused == tuple(mark)


def test_of_an_answer_in_parts_nothing_is_learnt_and_that_is_told(tmp_path: Path) -> None:
    parts = [{"begin_offset": 0, "end_offset": 2, "train": True}, {"begin_offset": 3, "end_offset": 7, "train": False}]
    seen = inspect_file(
        write(tmp_path, [{"messages": turns(n, **({"train_detail": parts} if n < 3 else {}))} for n in range(12)]), CHAT
    )
    assert told(seen)["partly-marked"].rows == (1, 2, 3) and learnt(seen).count("No idea.") == 9


def test_a_mask_at_every_turn_that_is_one_at_answers_says_what_is_learnt() -> None:
    """Of a loss, and not of what is hidden: else nothing at all would be learnt."""
    rows = [{**turn, "mask": int(turn["role"] == "assistant")} for turn in turns(1)]
    assert [turn.is_learnt for turn in read_chat(rows).turns] == [False, True, False, True]
    hidden = [{**turn, "mask": int(turn["role"] == "user")} for turn in turns(1)]
    assert [turn.is_learnt for turn in read_chat(hidden).turns] == [False, True, False, True]


FIRST, LAST, BOTH, NEITHER = [True, False], [False, True], [True, True], [False, False]


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ({"train_on": "last"}, LAST),
        ({"train_on": "all"}, BOTH),
        ({"train_on": "assistant"}, BOTH),
        ({"train_on": ["assistant"]}, BOTH),
        ({"train_on": False}, NEITHER),
        ({"train_on": "none"}, NEITHER),
        ({"train_on": [0, 1, 0, 1]}, BOTH),
        ({"weights": [0, 1]}, LAST),
        ({"loss_mask": [0, 1, 0, 0]}, FIRST),
        ({"weight": "0.00"}, NEITHER),
        ({"train": "false"}, NEITHER),
        ({"learn": 0}, NEITHER),
        ({"loss": 0}, NEITHER),
        ({"mask": [0, 1, 0, 0]}, LAST),
        ({"mask": 1}, NEITHER),
        ({"weight": 1}, BOTH),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_marks_beside_a_conversation_are_of_its_turns(
    tmp_path: Path, kind: str, beside: dict, expected: list[bool]
) -> None:
    rows = [
        {"messages": turns(n), **(beside if n % 2 else dict.fromkeys(beside) if kind == "parquet" else {})}
        for n in range(12)
    ]
    if kind == "csv":
        rows = [{"messages": row["messages"], **{key: row.get(key, "") for key in beside}} for row in rows]
    seen = inspect_file(write(tmp_path, rows, kind), CHAT)
    by_row = [
        [f"In box {n}." if last else "No idea." for last, is_on in enumerate(expected if n % 2 else BOTH) if is_on]
        for n in range(12)
    ]
    assert learnt(seen) == [answer for answers in by_row for answer in answers]
    assert not {"unused-fields", "unused-columns"} & set(told(seen))


@pytest.mark.parametrize(
    "beside",
    [{"weight": 0.5}, {"train_on": "weekdays"}, {"loss_mask": [0, 1, 1]}, {"loss": 0.31}, {"mask": "User"}],
    ids=str,
)
def test_marks_beside_a_conversation_that_are_not_understood_are_named(tmp_path: Path, beside: dict) -> None:
    seen = inspect_file(write(tmp_path, [{"messages": turns(n), **beside} for n in range(12)]), CHAT)
    assert len(learnt(seen)) == 24
    assert any(
        next(iter(beside)) in problem.message
        for code, problem in told(seen).items()
        if code in ("unused-fields", "unused-columns")
    )


def test_of_weights_of_which_one_is_nothing_that_one_counts(tmp_path: Path) -> None:
    seen = inspect_file(
        write(tmp_path, [{"messages": turns(n), "weight": (0, 0.5, 1)[n % 3]} for n in range(12)]), CHAT
    )
    assert len(learnt(seen)) == 16 and told(seen)["unused-fields"].count == 4


def test_readings() -> None:
    assert [reading(value) for value in (0, "0.000", "False", "-1", "۰٫۰", "off")] == [False] * 6
    assert [reading(value) for value in (1, "1.0", True, "yes", "۱")] == [True] * 5
    assert [reading(value) for value in (0.5, 2, "", "nan", "low", None, [], {})] == [None] * 8


def calls(arguments: Any, **more: Any) -> list[dict]:
    return [
        {"role": "user", "content": "Order"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"type": "function", "function": {"name": "order", "arguments": arguments}, **more}],
        },
    ]


def arguments_of(messages: list[dict]) -> Any:
    return read_chat(messages).turns[1].message["tool_calls"][0]["function"]["arguments"]


def test_nulls_that_a_json_text_writes_stay(tmp_path: Path) -> None:
    written = '{"item": "lamp", "note": null, "place": {"row": null}}'
    assert arguments_of(calls(written)) == json.loads(written) and not read_chat(calls(written)).turns[1].nulls
    assert arguments_of(calls(json.loads(written))) == {"item": "lamp", "place": {}}
    whole = json.dumps([{"function": {"name": "order", "arguments": json.loads(written)}}])
    assert arguments_of(
        [{"role": "user", "content": "Order"}, {"role": "assistant", "content": "", "tool_calls": whole}]
    ) == json.loads(written)
    called = json.dumps({"name": "order", "arguments": json.loads(written)})
    assert arguments_of(
        [{"from": "human", "value": "Order"}, {"from": "function_call", "value": called}]
    ) == json.loads(written)
    for kind in ("jsonl", "parquet", "csv"):
        seen = inspect_file(write(tmp_path, [{"messages": calls(written)} for _ in range(12)], kind), CHAT)
        assert json.loads(learnt(seen)[0])["arguments"] == json.loads(written) and "null-arguments" not in told(seen)


def test_nulls_in_definitions_that_are_a_json_text_stay() -> None:
    definition = {
        "type": "function",
        "function": {
            "name": "order",
            "description": "orders",
            "parameters": {"properties": {"item": {"type": "string", "default": None}}},
        },
    }
    assert read_chat({"messages": turns(1), "tools": json.dumps([definition])}).tools == [definition]
    assert read_chat({"messages": turns(1), "tools": [json.dumps(definition)]}).tools == [definition]
    bare = read_chat({"messages": turns(1), "tools": [definition]}).tools[0]["function"]["parameters"]
    assert bare == {"properties": {"item": {"type": "string"}}}


@pytest.mark.parametrize("text", ['{"item": "lamp", "cou', "lamp", '{"item": lamp}'])
def test_arguments_that_are_no_json_are_told_and_can_be_left_out(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, [{"messages": calls(text if n in (2, 5) else '{"item": "lamp"}')} for n in range(12)])
    seen = inspect_file(file, CHAT)
    assert told(seen)["broken-calls"].rows == (3, 6) and len(learnt(seen)) == 12
    assert told(seen)["broken-calls"].mends == (Mend(kind="drop", values={"code": "broken-calls"}),)
    mended = inspect_file(file, CHAT, mends=told(seen)["broken-calls"].mends)
    assert len(learnt(mended)) == 10 and "broken-calls" not in told(mended)


def test_a_call_that_is_cut_off_as_a_whole_is_told() -> None:
    cut = '{"name": "order", "argum'
    assert read_chat([{"from": "human", "value": "Order"}, {"from": "function_call", "value": cut}]).turns[1].is_cut
    assert (
        read_chat(
            [{"role": "user", "content": "Order"}, {"role": "assistant", "content": "Yes", "tool_calls": "[" + cut}]
        )
        .turns[1]
        .is_cut
    )
    assert not read_chat(calls("{'item': 'lamp'}")).turns[1].is_cut and arguments_of(calls("{'item': 'lamp'}")) == {
        "item": "lamp"
    }
    assert arguments_of(calls("")) == {} and not read_chat(calls("")).turns[1].is_cut
    assert not read_chat(calls("free words", type="custom")).turns[1].is_cut


def table_with(folder: Path, column: str, values: list[Any]) -> Path:
    file = folder / "rows.csv"
    polars.DataFrame(
        [
            {"text": f"The lamp {n} is in a box", "label": ("good", "bad")[n % 2], column: values[n % len(values)]}
            for n in range(24)
        ]
    ).write_csv(file)
    return file


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("weight", ["0.0", "1", "0.5", "1"]),
        ("sample_weight", [0, 1, 1, 2]),
        ("loss_mask", [0, 1, 1, 1]),
        ("skip", [True, False, False, False]),
        ("include", ["no", "yes", "yes", "yes"]),
    ],
)
def test_rows_of_a_table_that_are_marked_are_told_and_can_be_left_out(
    tmp_path: Path, column: str, values: list[Any]
) -> None:
    file = table_with(tmp_path, column, values)
    seen = inspect_file(file, get_task("sentiment"))
    problem = told(seen)["unlearnt-rows"]
    assert problem.rows == (1, 5, 9, 13, 17, 21) and repr(column) in problem.message and seen.table.rows == 24
    mended = inspect_file(file, get_task("sentiment"), mends=problem.mends)
    assert mended.table.rows == 18 and "unlearnt-rows" not in told(mended)


@pytest.mark.parametrize(
    ("column", "values"),
    [("weight", [3, 1, 2]), ("weight", [0]), ("weight", ["0 kg", "1 kg"]), ("colour", [0, 1]), ("loss", [0, 0.4])],
)
def test_other_columns_of_a_table_mark_nothing(tmp_path: Path, column: str, values: list[Any]) -> None:
    assert "unlearnt-rows" not in told(inspect_file(table_with(tmp_path, column, values), get_task("sentiment")))
