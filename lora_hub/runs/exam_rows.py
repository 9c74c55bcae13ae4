"""The rows of a run's exam, drawn again from its files: which were trained on, which chose the checkpoint, which were
scored.

rows = read_exam_rows(spec, tokenizer)      rows.held_out: Examples; rows.counts, as a record tells them
"""

from dataclasses import dataclass
from typing import Any

from lora_hub.core.schema import Task, TrainSpec
from lora_hub.runs.run_data import count_rows, read_split


@dataclass(frozen=True)
class ExamRows:
    """task: with its labels frozen. train, validation, held_out: Examples that fit the spec's context. counts: what
    became of every row, as `run_data.count_rows` says."""

    task: Task
    train: list[Any]
    validation: list[Any]
    held_out: list[Any]
    counts: dict[str, int]


def read_exam_rows(spec: TrainSpec, tokenizer: Any) -> ExamRows:
    """tokenizer: the base's. Raises DataError."""
    from lora_hub.data.prompts import prepare

    task, split, _notes = read_split(spec)
    parts = [
        prepare.encode_examples(tokenizer, task, examples, spec.max_length)
        for examples in (split.train, split.validation, split.test)
    ]
    return ExamRows(task, *(part.examples for part in parts), count_rows(spec, task, split, *parts))
