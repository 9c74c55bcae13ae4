"""Splits the rows: training set, validation set (chooses the checkpoint), test set (is scored).

No held-out row is ever trained on: held-out rows are set aside first, and equal rows stay on the same side.
`VALIDATION_SHARE` of the held-out rows (at most `MAX_VALIDATION` rows) choose the checkpoint. The scores come from the
rest, which chose nothing.
"""

import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Task
from lora_hub.data.prompts import template
from lora_hub.data.prompts.prepare import MIN_TRAIN_ROWS, Example

# The share of the held-out rows that chooses the checkpoint, and the maximum number of them.
VALIDATION_SHARE = 0.35


MAX_VALIDATION = 200


@dataclass(frozen=True)
class Split:
    """train: training rows; validation: rows that choose the checkpoint; test: rows to score. file_rows: rows in the
    files, used or not; 0: not counted."""

    train: list[Example]
    validation: list[Example]
    test: list[Example]
    file_rows: int = 0


def split_examples(
    examples: list[Example],
    task: Task,
    *,
    held_out: float,
    max_held_out: int,
    seed: int,
    part_of: Callable[[int], int] = lambda row: 0,
) -> Split:
    """Stratified by label and seeded; rows with the same inputs (ignoring case, spaces and Unicode form) stay together.

    held_out: maximum share of the rows that is never trained on. max_held_out: maximum number of rows to score. Every
    class with three different inputs is in every part, unless there are more such classes than rows in a part; then
    chance decides. part_of: the file that a row is of, where several are one dataset: rows are held out of each. Raises
    DataError if too few rows are left to train on.
    """
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        # Turns of one conversation overlap, so they stay together like equal inputs.
        key = f"row {example.row}" if task.is_chat else same_key(example.inputs)
        groups[key].append(example)
    strata: dict[str, list[list[Example]]] = defaultdict(list)
    for group in groups.values():
        part = part_of(group[0].row)
        strata[(group[0].answer if task.output == "labels" else "") + (f"\x1f{part}" if part else "")].append(group)
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
            # A group may slightly exceed its class's share, but no part may exceed its requested size.
            if room <= 0 or len(group) > room + 3 or len(part) + len(group) > wanted:
                train.append(group)
            elif part is test:
                test.extend(group)
                for_test -= len(group)
            else:
                validation.extend(group)
                for_validation -= len(group)
    # If every input has many rows (the aspects of a review), perhaps no group fits a class's small share.
    for part, wanted in ((test, wanted_test), (validation, wanted_validation)):
        if len(part) < max(1, wanted // 2):
            train.sort(key=len, reverse=True)
            while len(part) < max(1, wanted // 2) and sum(map(len, train[:-1])) >= MIN_TRAIN_ROWS:
                # Rows beyond the requested number are left out completely, because they may not be trained on.
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


def split_with_test(
    examples: list[Example],
    test: list[Example],
    task: Task,
    *,
    seed: int,
    test_name: str,
    part_of: Callable[[int], int] = lambda row: 0,
) -> tuple[Split, int]:
    """Scores all of the person's own test rows; validation comes from the training rows.

    Training rows that are also in the test file are left out of training. Returns (split, how many were left out).
    test_name: the name of the test file. Raises DataError if too few rows are left to train on.
    """
    tested = {same_key(example.inputs) for example in test}
    kept = [example for example in examples if same_key(example.inputs) not in tested]
    if len(kept) < MIN_TRAIN_ROWS <= len(examples):
        raise DataError(
            _n(
                "Of {all:,} rows to train on {count:,} is left: the others stand among the rows to score, in {name}, "
                "too.",
                "Of {all:,} rows to train on {count:,} are left: the others stand among the rows to score, in {name}, "
                "too.",
                count=len(kept),
                all=len(examples),
            ),
            _("Score on other rows than those to train on, or leave the test file out: then some are held out."),
            name=test_name,
        )
    share = _share_beside_test(len(kept))
    inner = split_examples(kept, task, held_out=share, max_held_out=MAX_VALIDATION, seed=seed, part_of=part_of)
    # The split's own test part is not scored, so it goes back to training.
    return Split(inner.train + inner.test, inner.validation, list(test)), len(examples) - len(kept)


def cluster_examples(examples: list[Example]) -> Any:
    """Which rows count as one for the uncertainty of a score: ints of (n,), equal for rows with nearly the same inputs
    and for the turns of one conversation."""
    import polars

    from lora_hub.data.tables.near_duplicates import cluster_texts

    texts = polars.Series([_plain_text(example.inputs) for example in examples], dtype=polars.String)
    is_chat = ["messages" in example.inputs for example in examples]
    return cluster_texts(
        texts, [e.row if chat else same_key(e.inputs) for e, chat in zip(examples, is_chat, strict=True)]
    )


def _plain_text(inputs: dict[str, Any]) -> str:
    if isinstance(inputs.get("messages"), list):
        return " ".join(str(message.get("content", "")) for message in inputs["messages"])
    return " ".join(template.as_text(inputs[role]) for role in sorted(inputs))


def held_out_share(rows: int) -> float:
    """The default held-out share of a dataset with that many rows."""
    return 0.2 if rows < 2000 else 0.1


def held_out_sizes(rows: int, held_out: float, max_held_out: int) -> tuple[int, int]:
    """How many rows to score, and how many choose the checkpoint."""
    wanted = max(2, round(rows * held_out))
    validation = min(MAX_VALIDATION, max(1, round(wanted * VALIDATION_SHARE)))
    return min(max_held_out, max(1, wanted - validation)), validation


def validation_beside_test(rows: int) -> int:
    """How many of that many rows choose the checkpoint if the person brought rows to score."""
    return held_out_sizes(rows, _share_beside_test(rows), MAX_VALIDATION)[1]


def _share_beside_test(rows: int) -> float:
    return min(0.2, 2 * MAX_VALIDATION / max(1, rows))


def _rooms(strata: dict[str, list[list[Example]]], wanted: int, seed: int) -> dict[str, int]:
    """How many of `wanted` rows each class gets in a part: proportional to its rows, by largest remainders. At least
    one if it has three different inputs and there are enough rows for all such classes."""
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


_SPACES = re.compile(r"\s+")


def same_key(inputs: dict[str, Any]) -> str:
    """The same for inputs that stay on one side of every split: case, spaces and Unicode form aside."""
    text = "\x1f".join(f"{role}={template.as_text(inputs[role])}" for role in sorted(inputs))
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text)).casefold().strip()
