"""The rows of a run: read from the kept files as the spec says, mended, split, and counted to the last one."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lora_hub.core import store
from lora_hub.core.messages import Message, _, _n, numbers
from lora_hub.core.schema import Task, TrainSpec

if TYPE_CHECKING:
    from lora_hub.data.prompts.prepare import Encoded


def read_split(spec: TrainSpec) -> tuple[Any, Any, list[Message]]:
    """(task with its labels frozen, split, notes) of a spec's data. Raises DataError.

    What is scored is the person's own test file, else the test half of an archive, else held-out rows of the file.
    """
    from lora_hub.data.mending import mends
    from lora_hub.data.planned_rows import with_labels
    from lora_hub.data.prompts import prepare
    from lora_hub.data.read import read

    notes: list[Message] = []
    mended: dict[
        str, tuple[Any, int]
    ] = {}  # what each mend did, to the rows to train on and to those of a test file together
    rows = aside = 0

    def read_kept(info: Any, mapping: dict[str, str], is_test: bool = False) -> Any:
        nonlocal rows, aside
        table = read.read_table(
            store.dataset_file(info),
            encoding=info.encoding,
            delimiter=info.delimiter,
            sheet=info.sheet,
            skip_broken=True,
            is_test=is_test,
        ).fitted(mapping)
        rows += table.frame.height + (table.test.frame.height if table.test is not None else 0)
        aside += table.split.rows_aside
        table, done = mends.apply_mends(table, spec.task, mapping, info.mends)
        for one in done:
            key = one.mend.model_dump_json()
            mended[key] = one.mend, one.rows + mended.get(key, (None, 0))[1]
        return table

    table = read_kept(spec.dataset, spec.mapping)
    examples = prepare.build_examples(table, spec.task, spec.mapping)
    task = with_labels(spec.task, table, spec.mapping)
    left_out = table.frame.height - len({example.row for example in examples})
    if left_out > 0:
        notes.append(
            _n(
                "{count:,} row without an answer or an input was left out.",
                "{count:,} rows without an answer or an input were left out.",
                count=left_out,
            )
        )
    test_table = read_kept(spec.test_dataset, spec.test_mapping, is_test=True) if spec.test_dataset else table.test
    test = None
    if test_table is not None:
        test = prepare.build_examples(test_table, spec.task, spec.test_mapping or spec.mapping)
    split, leaked = split_rows(spec, task, examples, test)
    if test is not None:
        if leaked:
            notes.append(
                _n(
                    "{count:,} training row stands in the test file too and was not trained on.",
                    "{count:,} training rows stand in the test file too and were not trained on.",
                    count=leaked,
                )
            )
        unseen = [example for example in split.test if task.labels and example.answer not in task.labels]
        if unseen:
            notes.append(
                _n(
                    (
                        "{count:,} of {rows:,} test rows has a label that was not trained (such as {label!r}): no "
                        "answer "
                        "to it can be right."
                    ),
                    (
                        "{count:,} of {rows:,} test rows have a label that was not trained (such as {label!r}): no "
                        "answer "
                        "to them can be right."
                    ),
                    count=len(unseen),
                    rows=len(split.test),
                    label=unseen[0].answer[:40],
                )
            )
    if task.is_chat and (made := len(split.train) + len(split.validation) + len(split.test)) > rows - max(0, left_out):
        notes.append(
            _n(
                "Each answer in a conversation is a row of its own: {count:,} conversation makes {made:,} rows.",
                "Each answer in a conversation is a row of its own: {count:,} conversations make {made:,} rows.",
                count=rows,
                made=made,
            )
        )
    if aside:
        notes.append(
            _n(
                "{count:,} row that the file's split column sets aside was left out.",
                "{count:,} rows that the file's split column sets aside were left out.",
                count=aside,
            )
        )
    said = [
        _("{mend} ({rows}).", mend=mends.describe(mend), rows=_n("{count:,} row", "{count:,} rows", count=count))
        for mend, count in mended.values()
    ]
    notes = [*said, *notes]
    return task, replace(split, file_rows=rows + aside), notes


def split_rows(spec: TrainSpec, task: Task, examples: list[Any], test: list[Any] | None) -> tuple[Any, int]:
    """(the split of a spec's examples, how many of them stand in the test file too and are not trained on). task: with
    its labels frozen. test: the examples to score, None where they are held out of the others. Raises DataError where
    there are too few."""
    from lora_hub.data.prompts.split import split_examples, split_with_test

    if test is None:
        held_out, most = spec.held_out, spec.max_held_out
        found = split_examples(
            examples, task, held_out=held_out, max_held_out=most, seed=spec.seed, part_of=spec.dataset.part_of
        )
        return found, 0
    name = (spec.test_dataset or spec.dataset).name
    return split_with_test(examples, test, task, seed=spec.seed, test_name=name, part_of=spec.dataset.part_of)


def trained_inputs(spec: TrainSpec) -> frozenset[str]:
    """The inputs (as `split.same_key`) that a training learns from or chooses its checkpoint by, drawn again from the
    kept files. Raises DataError where a file is gone."""
    from lora_hub.data.prompts.split import same_key

    _task, split, _notes = read_split(spec)
    return frozenset(same_key(example.inputs) for example in (*split.train, *split.validation))


def count_rows(
    spec: TrainSpec, task: Task, split: Any, train: "Encoded", validation: "Encoded", held_out: "Encoded"
) -> dict[str, int]:
    """What became of every row that was given: file_rows = train_rows + validation_rows + eval_rows + left_out. Of a
    chat each answer counts as a row. Of a file with a weight below 1 the rows that no pass has are left out."""
    used = {
        "train_rows": sum(spec.dataset.count_seen(example.row for example in train.examples)),
        "validation_rows": len(validation.examples),
        "eval_rows": len(held_out.examples),
    }
    file_rows = split.file_rows
    if task.is_chat:
        made = split.train + split.validation + split.test
        # Test rows may be of another file and have the same numbers.
        file_rows += (
            len(made)
            - len({example.row for example in split.train + split.validation})
            - len({example.row for example in split.test})
        )
    return {"file_rows": file_rows, **used, "left_out": file_rows - sum(used.values())}


def too_long_note(part: str, rows: list[int], max_length: int) -> Message:
    """That rows of a part ("training", "validation", "held-out") were left out."""
    values = {"count": len(rows), "max_length": max_length, "rows": numbers(rows, 5)}
    if part == "training":
        return _n(
            "{count:,} training row is longer than {max_length} tokens and was left out: row {rows}.",
            "{count:,} training rows are longer than {max_length} tokens and were left out: rows {rows}.",
            **values,
        )
    if part == "validation":
        return _n(
            "{count:,} validation row is longer than {max_length} tokens and was left out: row {rows}.",
            "{count:,} validation rows are longer than {max_length} tokens and were left out: rows {rows}.",
            **values,
        )
    return _n(
        "{count:,} held-out row is longer than {max_length} tokens and was left out: row {rows}.",
        "{count:,} held-out rows are longer than {max_length} tokens and were left out: rows {rows}.",
        **values,
    )
