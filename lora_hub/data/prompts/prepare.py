"""Turns a table into training rows: examples and their tokens.

table -> build_examples -> split.split_examples -> encode_examples
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _, _n, several
from lora_hub.core.schema import Task
from lora_hub.data.prompts import template

if TYPE_CHECKING:
    from lora_hub.data.read.read import Table

MIN_TRAIN_ROWS = 8


@dataclass(frozen=True)
class Example:
    """One training example. row: the file's data row it came from, counted from 1. turn: in a chat, the assistant's
    message if it calls tools. The base's template decides how it is written (`written`); until then `answer` is its
    JSON."""

    row: int
    inputs: dict[str, Any]
    answer: str
    turn: dict[str, Any] | None = None


@dataclass(frozen=True)
class Encoded:
    """Rows as token ids. completion_mask: 1 where a token is trained on. too_long: table rows left out. replayed: rows
    beside them that are nobody's data: the base's own answers, trained on as well."""

    rows: list[dict[str, list[int]]]
    examples: list[Example]
    too_long: list[int] = field(default_factory=list)
    replayed: list[dict[str, list[int]]] = field(default_factory=list)

    @property
    def trained_tokens(self) -> int:
        return sum(sum(row["completion_mask"]) for row in self.rows)

    @property
    def tokens(self) -> int:
        return sum(len(row["input_ids"]) for row in self.rows)


def build_examples(table: "Table", task: Task, mapping: dict[str, str]) -> list[Example]:
    """The table's rows as examples. Rows with an empty answer or a missing input are left out (the checks report them).

    A chat becomes one example for each assistant's turn that has something before it. Raises DataError naming the rows
    if none is left.
    """
    from lora_hub.data.columns.columns import check_mapping  # imports polars, which the first page should not wait for

    check_mapping(table, task, mapping)
    examples = examples_of(table, task, mapping)
    if not examples:
        raise none_usable(table, task, mapping)
    return examples


def examples_of(table: "Table", task: Task, mapping: dict[str, str]) -> list[Example]:
    """`build_examples` for columns that are known to exist; empty if no row can be used. Raises DataError naming a row
    whose conversation is not understood."""
    roles = [role for role in (*task.inputs, "answer") if role in mapping]
    columns = {role: table.frame.get_column(mapping[role]).to_list() for role in roles}
    numbers = table.numbers().to_list()
    examples: list[Example] = []
    if task.is_chat:
        for number, value in zip(numbers, columns["messages"], strict=True):
            examples.extend(_chat_examples(number, value))
        return examples
    needed = _needed(task)
    for index, number in enumerate(numbers):
        inputs = {role: template.as_text(columns[role][index]).strip() for role in task.inputs if role in columns}
        answer = template.as_text(columns["answer"][index]).strip()
        if answer and all(inputs.get(role) for role in needed):
            examples.append(Example(number, inputs, answer))
    return examples


def none_usable(table: "Table", task: Task, mapping: dict[str, str]) -> DataError:
    """The error that no row of the table can be trained on."""
    if task.is_chat:
        from lora_hub.data.chats import convert

        values = table.frame.get_column(mapping["messages"]).to_list()
        hidden = sum(convert.is_all_context(convert.read_chat(value)) for value in values if value not in (None, ""))
        if hidden:
            return DataError(
                _(
                    "There is nothing to learn: in {count:,} of {rows:,} conversations every answer is marked as "
                    "context only (weight 0, train false), and the others have none."
                )
                if hidden < len(values)
                else _n(
                    "There is nothing to learn: every answer of the one conversation is marked as context only (weight "
                    "0, train false).",
                    "There is nothing to learn: every answer of the {count:,} conversations is marked as context only "
                    "(weight 0, train false).",
                ),
                _("Mark the answers that are to be learnt with 1 (train: true), or take the marks away."),
                count=hidden,
                rows=len(values),
            )
    taken = [_("{role} = {column!r}", role=role, column=column) for role, column in mapping.items()]
    return DataError(
        _n(
            "The one row does not have both {roles} and an answer.",
            "None of the {count:,} rows has both {roles} and an answer.",
            count=table.frame.height,
        ),
        _("Columns taken: {columns}. Choose others."),
        roles=several(["messages"] if task.is_chat else _needed(task), "and"),
        columns=several(taken),
    )


def _needed(task: Task) -> list[str]:
    return [role for role in task.inputs if role not in task.optional_inputs]


def written(tokenizer: Any, examples: list[Example]) -> list[Example]:
    """The examples with their answers as the base's chat template writes them, for training and as the reference.
    Raises DataError if the template refuses messages."""
    traits = template.traits_of(tokenizer)
    answers = [
        template.written_answer(tokenizer, example.inputs, example.answer, example.turn, traits) for example in examples
    ]
    return [
        example if answer == example.answer else replace(example, answer=answer)
        for example, answer in zip(examples, answers, strict=True)
    ]


def find_refused(tokenizer: Any, task: Task, examples: Iterable[Example]) -> tuple[list[int], DataError | None]:
    """The rows whose messages the base's chat template refuses, and its first reason."""
    traits = template.traits_of(tokenizer)
    rows: dict[int, None] = {}
    reason = None
    for example in examples:
        try:
            template.prompt_text(tokenizer, task, example.inputs, traits=traits)
            template.written_answer(tokenizer, example.inputs, example.answer, example.turn, traits)
        except DataError as error:
            rows[example.row] = None
            reason = reason or error
    return list(rows), reason


def check_refused(tokenizer: Any, task: Task, examples: Iterable[Example]) -> None:
    """Raises DataError naming the rows of a test file whose messages the chat template refuses."""
    rows, reason = find_refused(tokenizer, task, examples)
    if reason is not None:
        raise _refused(rows, reason, _("Leave these rows out of the file, or mend their turns."))


def _refused(rows: list[int], reason: DataError, hint: Message) -> DataError:
    said = _n(
        "{reason}: row {rows}.",
        "{reason}: rows {rows}.",
        count=len(rows),
        reason=reason.said,
        rows=several(rows, most=8),
    )
    return DataError(said, hint)


def encode_examples(tokenizer: Any, task: Task, examples: list[Example], max_length: int) -> Encoded:
    """Prompt ids + answer ids of every example. Those longer than `max_length` tokens are left out and listed. Raises
    DataError naming the rows that the base's chat template refuses."""
    try:
        examples = written(tokenizer, examples)
        prompts = template.encode_prompts(tokenizer, task, [example.inputs for example in examples])
    except DataError as error:
        rows, reason = find_refused(tokenizer, task, examples)
        raise (
            _refused(rows, reason, _("Leave these rows out (the mend refused-chats), or choose another base."))
            if reason
            else error
        ) from error
    answers = template.encode_answers(tokenizer, [example.answer for example in examples])
    rows, kept, too_long = [], [], []
    for example, prompt, answer in zip(examples, prompts, answers, strict=True):
        if len(prompt) + len(answer) > max_length:
            too_long.append(example.row)
            continue
        rows.append({"input_ids": prompt + answer, "completion_mask": [0] * len(prompt) + [1] * len(answer)})
        kept.append(example)
    return Encoded(rows, kept, too_long)


def check_trainable(encoded: Encoded, total: int, max_length: int) -> None:
    """Refuses, before training, data whose answers would be cut off. `total`: rows before encoding."""
    if (
        encoded.rows
        and encoded.trained_tokens
        and len(encoded.rows) >= min(MIN_TRAIN_ROWS, total)
        and 2 * len(encoded.too_long) <= total
    ):
        return
    raise DataError(
        _n(
            "The one row is longer than max_length = {max_length} tokens, so that its answer would be cut away.",
            "{cut} of {count} rows are longer than max_length = {max_length} tokens, so that their answers would be "
            "cut away: rows {rows}.",
        ),
        _("Raise max_length, choose a base with a longer context, or shorten the texts."),
        cut=len(encoded.too_long),
        count=total,
        max_length=max_length,
        rows=several(encoded.too_long, most=8),
    )


def _chat_examples(row: int, value: Any) -> list[Example]:
    if value is None or value == "":
        return []
    from lora_hub.data.chats import convert

    try:
        chat = convert.read_chat(value)
    except DataError as error:
        raise DataError(_("Row {row}: {reason}", row=row, reason=error.said), error.advice) from error
    found, messages = [], chat.messages
    for index, turn in enumerate(chat.turns):
        before = messages[:index]
        if turn.is_learnt and any(message["role"] == "user" for message in before):
            inputs = {"messages": before, **({"tools": chat.tools} if chat.tools else {})}
            calls = turn.message.get("tool_calls")
            found.append(
                Example(row, inputs, template.whole_text(turn.message).strip(), turn.message if calls else None)
            )
    return found
