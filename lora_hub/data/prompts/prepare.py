"""From a table to rows that can be trained on: examples, the split, the tokens.

    table -> build_examples -> split_examples -> encode_examples

Nothing held out is ever trained on: the held-out rows are set apart first, and rows that say the same thing stay on the
same side. `VALIDATION_SHARE` of what is held out (at most `MAX_VALIDATION` rows) chooses the checkpoint; the scores
come from the rest, which chose nothing.
"""

import random
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _, _n, several
from lora_hub.core.schema import Task
from lora_hub.data.prompts import template

if TYPE_CHECKING:
    from lora_hub.data.read.read import Table

# Of the rows held out, the share that chooses the checkpoint, and the most rows that do.
VALIDATION_SHARE = 0.35
MAX_VALIDATION = 200
MIN_TRAIN_ROWS = 8


@dataclass(frozen=True)
class Example:
    """One thing to learn. row: the file's data row it came from, counted from 1. turn: of a chat, the assistant's
    message where it calls tools; how it is written is the base's template's (`written`), and `answer` is its JSON until
    then."""

    row: int
    inputs: dict[str, Any]
    answer: str
    turn: dict[str, Any] | None = None


@dataclass(frozen=True)
class Split:
    """train is trained on, validation chooses the checkpoint, test is scored. file_rows: of the files, used or not; 0:
    not counted."""

    train: list[Example]
    validation: list[Example]
    test: list[Example]
    file_rows: int = 0


@dataclass(frozen=True)
class Encoded:
    """Rows as token ids. completion_mask: 1 where a token is trained on. too_long: table rows left out."""

    rows: list[dict[str, list[int]]]
    examples: list[Example]
    too_long: list[int] = field(default_factory=list)

    @property
    def trained_tokens(self) -> int:
        return sum(sum(row["completion_mask"]) for row in self.rows)

    @property
    def tokens(self) -> int:
        return sum(len(row["input_ids"]) for row in self.rows)


def build_examples(table: "Table", task: Task, mapping: dict[str, str]) -> list[Example]:
    """The table's rows as examples; rows with an empty answer or a missing input are left out (the checks report them).

    A chat becomes one example for each turn of the assistant that has something before it. Raises DataError naming the
    rows where nothing is left.
    """
    from lora_hub.data.columns.columns import check_mapping  # polars: not when the first page does

    check_mapping(table, task, mapping)
    roles = [role for role in (*task.inputs, "answer") if role in mapping]
    columns = {role: table.frame.get_column(mapping[role]).to_list() for role in roles}
    numbers = table.numbers().to_list()
    examples: list[Example] = []
    if task.is_chat:
        for number, value in zip(numbers, columns["messages"], strict=True):
            examples.extend(_chat_examples(number, value))
    else:
        needed = [role for role in task.inputs if role not in task.optional_inputs]
        for index, number in enumerate(numbers):
            inputs = {role: template.as_text(columns[role][index]).strip() for role in task.inputs if role in columns}
            answer = template.as_text(columns["answer"][index]).strip()
            if answer and all(inputs.get(role) for role in needed):
                examples.append(Example(number, inputs, answer))
    if not examples:
        roles = ["messages"] if task.is_chat else needed
        taken = [_("{role} = {column!r}", role=role, column=column) for role, column in mapping.items()]
        raise DataError(
            _n(
                "The one row does not have both {roles} and an answer.",
                "None of the {count:,} rows has both {roles} and an answer.",
                count=table.frame.height,
            ),
            _("Columns taken: {columns}. Choose others."),
            roles=several(roles, "and"),
            columns=several(taken),
        )
    return examples


def labels_of(examples: list[Example]) -> tuple[str, ...]:
    """The distinct answers, in a stable order. Raises DataError where there is only one: nothing can be told apart."""
    counts = Counter(example.answer for example in examples)
    if len(counts) < 2:
        only = next(iter(counts))
        raise DataError(
            _n("The one row has the answer {only!r}.", "All {count:,} rows have the same answer, {only!r}."),
            _("Add rows of the other class, or check which column is the answer."),
            count=len(examples),
            only=only[:60],
        )
    return tuple(sorted(counts))


def split_examples(examples: list[Example], task: Task, *, held_out: float, max_held_out: int, seed: int) -> Split:
    """Stratified by label, seeded; rows with the same inputs (case, spaces and Unicode form aside) stay together.

    held_out: share of the rows that is never trained on, at most. max_held_out: at most so many rows are scored. Every
    class with three different inputs is in every part, unless there are more such classes than rows in a part; then
    chance decides which are in it. Raises DataError where too few rows are left to train on.
    """
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        # Turns of one conversation overlap, so they belong together as equal inputs do.
        key = f"row {example.row}" if task.is_chat else _same_key(example.inputs)
        groups[key].append(example)
    strata: dict[str, list[list[Example]]] = defaultdict(list)
    for group in groups.values():
        strata[group[0].answer if task.output == "labels" else ""].append(group)
    shuffler = random.Random(seed)
    train: list[list[Example]] = []
    validation: list[Example] = []
    test: list[Example] = []
    wanted_test, wanted_validation = held_out_sizes(len(examples), held_out, max_held_out)
    test_rooms, validation_rooms = (_rooms(strata, wanted, seed) for wanted in (wanted_test, wanted_validation))
    for label in sorted(strata):
        stratum = strata[label]
        shuffler.shuffle(stratum)
        for_test, for_validation = test_rooms[label], validation_rooms[label]
        for group in stratum:
            part, room, wanted = (
                (test, for_test, wanted_test) if for_test > 0 else (validation, for_validation, wanted_validation)
            )
            # A group may be a little larger than its class's share, but no part larger than it was asked to be.
            if room <= 0 or len(group) > room + 3 or len(part) + len(group) > wanted:
                train.append(group)
            elif part is test:
                test.extend(group)
                for_test -= len(group)
            else:
                validation.extend(group)
                for_validation -= len(group)
    # Where every input has many rows (the aspects of a review), no group may have fitted a class's small share.
    for part, wanted in ((test, wanted_test), (validation, wanted_validation)):
        if len(part) < max(1, wanted // 2):
            train.sort(key=len, reverse=True)
            while len(part) < max(1, wanted // 2) and sum(map(len, train[:-1])) >= MIN_TRAIN_ROWS:
                # What is over the number asked for is left out altogether: it may not be trained on.
                part.extend(train.pop()[: wanted - len(part)])
    trained = [example for group in train for example in group]
    for part in (trained, validation, test):
        shuffler.shuffle(part)
    if len(trained) < MIN_TRAIN_ROWS or not test or not validation:
        raise DataError(
            _n(
                (
                    "{count:,} usable row is too few: {train} to train on, {validation} to choose the checkpoint, "
                    "{test} "
                    "to score."
                ),
                (
                    "{count:,} usable rows with {inputs} are too few: {train} to train on, {validation} to choose the "
                    "checkpoint, {test} to score."
                ),
                count=len(examples),
                inputs=_n("{count:,} different input", "{count:,} different inputs", count=len(groups)),
            ),
            _("Bring at least {least} rows with different inputs."),
            train=len(trained),
            validation=len(validation),
            test=len(test),
            least=MIN_TRAIN_ROWS * 2,
        )
    return Split(trained, validation, test)


def split_with_test(examples: list[Example], test: list[Example], task: Task, *, seed: int) -> tuple[Split, int]:
    """The person's own test rows are what is scored, all of them; validation comes from the training rows.

    Training rows that stand in the test file too are left out of training; returns (split, how many were left out).
    """
    tested = {_same_key(example.inputs) for example in test}
    kept = [example for example in examples if _same_key(example.inputs) not in tested]
    inner = split_examples(kept, task, held_out=_share_beside_test(len(kept)), max_held_out=MAX_VALIDATION, seed=seed)
    # No row is to be scored in the split's own test part: it goes back to training.
    return Split(inner.train + inner.test, inner.validation, list(test)), len(examples) - len(kept)


def cluster_examples(examples: list[Example]) -> Any:
    """Which rows count as one where it is asked how sure a score is: ints of (n,), alike for rows that are nearly the
    same in their inputs, and for the turns of one conversation."""
    import polars

    from lora_hub.data.tables.near_duplicates import cluster_texts

    texts = polars.Series([_plain_text(example.inputs) for example in examples], dtype=polars.String)
    is_chat = ["messages" in example.inputs for example in examples]
    return cluster_texts(
        texts, [e.row if chat else _same_key(e.inputs) for e, chat in zip(examples, is_chat, strict=True)]
    )


def _plain_text(inputs: dict[str, Any]) -> str:
    if isinstance(inputs.get("messages"), list):
        return " ".join(str(message.get("content", "")) for message in inputs["messages"])
    return " ".join(template.as_text(inputs[role]) for role in sorted(inputs))


def written(tokenizer: Any, examples: list[Example]) -> list[Example]:
    """The examples with their answers as the base's chat template writes them: what is trained, and what an answer is
    compared to. Raises DataError where the template refuses messages."""
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
    """Raises DataError naming the rows of a file to score on whose messages the chat template refuses."""
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
    """Prompt ids + answer ids of every example; those longer than `max_length` tokens are left out and named. Raises
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
    """Refuses, before anything is trained, data whose answers would be cut away. `total`: rows before encoding."""
    if (
        encoded.rows
        and encoded.trained_tokens
        and len(encoded.rows) >= min(MIN_TRAIN_ROWS, total)
        and 2 * len(encoded.too_long) <= total
    ):
        return
    raise DataError(
        _(
            "{count} of {total} rows are longer than max_length = {max_length} tokens, so that their answers would be "
            "cut away: rows {rows}."
        ),
        _("Raise max_length, choose a base with a longer context, or shorten the texts."),
        count=len(encoded.too_long),
        total=total,
        max_length=max_length,
        rows=several(encoded.too_long, most=8),
    )


def held_out_share(rows: int) -> float:
    """The share of a dataset of so many rows that is held out where nobody says otherwise."""
    return 0.2 if rows < 2000 else 0.1


def held_out_sizes(rows: int, held_out: float, max_held_out: int) -> tuple[int, int]:
    """How many rows to score and how many choose the checkpoint."""
    wanted = max(2, round(rows * held_out))
    validation = min(MAX_VALIDATION, max(1, round(wanted * VALIDATION_SHARE)))
    return min(max_held_out, max(1, wanted - validation)), validation


def validation_beside_test(rows: int) -> int:
    """How many of so many rows choose the checkpoint where the person brought rows to score."""
    return held_out_sizes(rows, _share_beside_test(rows), MAX_VALIDATION)[1]


def _share_beside_test(rows: int) -> float:
    return min(0.2, 2 * MAX_VALIDATION / max(1, rows))


def _rooms(strata: dict[str, list[list[Example]]], wanted: int, seed: int) -> dict[str, int]:
    """How many of `wanted` rows each class has in a part: in proportion to its rows by largest remainders, and one at
    least where it has three different inputs and there are rows enough for all such classes."""
    sizes = {label: sum(map(len, groups)) for label, groups in strata.items()}
    quotas = {label: wanted * size / sum(sizes.values()) for label, size in sizes.items()}
    rooms = {label: int(quota) for label, quota in quotas.items()}
    rare = [label for label, groups in strata.items() if len(groups) >= 3]
    if len(rare) <= wanted:
        rooms |= {label: max(1, rooms[label]) for label in rare}
    order = sorted(strata)
    random.Random(seed).shuffle(order)  # which of equal classes comes first
    for label in sorted(order, key=lambda label: rooms[label] - quotas[label]):
        if sum(rooms.values()) < wanted:
            rooms[label] += 1
    while sum(rooms.values()) > wanted:
        rooms[max(order, key=rooms.__getitem__)] -= 1
    return rooms


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


_SPACES = re.compile(r"\s+")


def _same_key(inputs: dict[str, Any]) -> str:
    text = "\x1f".join(f"{role}={template.as_text(inputs[role])}" for role in sorted(inputs))
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text)).casefold().strip()
