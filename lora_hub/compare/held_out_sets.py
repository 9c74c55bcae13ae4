"""Rows that models are held against: the held-out rows of a run on this machine, or those of a test file.

found = held_out_set(run_id)       HeldOutSet, or None where this machine has no such rows
file_set(Path("more.csv"), pane)   a file's rows, read as those of an adapter's task
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lora_hub import hub
from lora_hub.compare.panes import Pane
from lora_hub.core import store
from lora_hub.core.errors import AdapterError
from lora_hub.core.messages import _
from lora_hub.core.schema import BaseModel, Task, TrainSpec
from lora_hub.data.prompts.prepare import Example
from lora_hub.runs import refresh_run, run_rows


@dataclass(frozen=True)
class HeldOutSet:
    """name: where the rows are from, for people. task: whose rows they are. base: the run's. examples: the rows, in the
    run's order. shown: the examples that the run's exam showed to the base. calibrations: the exam's, by who answered.
    files: fingerprints of the files that they are of, on whose other rows one may be trained; none where they are of a
    test part. fingerprint: names these very rows."""

    name: str
    task: Task
    base: BaseModel
    examples: list[Example]
    shown: tuple[tuple[dict[str, Any], str], ...] = ()
    calibrations: Any = None
    files: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """Digest of task, inputs and right answers: 16 hex digits."""
        return fingerprint_rows(self.task, self.examples)

    @cached_property
    def clusters(self) -> Any:
        """As `cluster_examples`."""
        from lora_hub.data.prompts.split import cluster_examples

        return cluster_examples(self.examples)


def fingerprint_rows(task: Task, examples: list[Example]) -> str:
    """Names rows of a task, whatever file they came from: 16 hex digits of a sha256."""
    made = hashlib.sha256(task.id.encode())
    for one in examples:
        made.update(json.dumps([one.inputs, one.answer], ensure_ascii=False, sort_keys=True).encode() + b"\n")
    return made.hexdigest()[:16]


def held_out_set(run_id: str, most: int = 0) -> HeldOutSet | None:
    """The held-out rows of a run; None where it is not here, has no adapter, or its rows cannot be read. most: of the
    rows, the first; 0: all."""
    if run_id not in store.list_run_ids():
        return None
    run = refresh_run(run_id)
    folder = store.run_folder(run_id)
    record = hub.read_adapter_record(folder / run.adapter_folder) if run.adapter_folder else None
    if record is None:
        return None
    try:
        told = hub.parts_of(record, is_own=True)
    except ValueError:
        return None
    rows = run_rows.read_held_out(folder, expected=0, task=told.task).rows
    examples = [
        Example(row.row, row.inputs, row.reference if isinstance(row.reference, str) else row.reference[0])
        for row in (rows[:most] if most else rows)
    ]
    shown = run_rows.read_examples(folder, expected=record.get("examples_shown")).rows
    before = tuple((one["inputs"], one["answer"]) for one in shown)
    if not examples:
        return None
    return HeldOutSet(run_id, told.task, run.spec.base, examples, before, told.calibrations, _files_of(run.spec))


def _files_of(spec: TrainSpec) -> tuple[str, ...]:
    if spec.test_dataset is not None:
        return (spec.test_dataset.fingerprint,)
    return () if spec.dataset.test_rows else spec.dataset.fingerprints


def file_set(file: Path, pane: Pane, shown: tuple[tuple[dict[str, Any], str], ...] = ()) -> HeldOutSet:
    """The rows of a test file, read as those of an adapter's task. shown: examples for the base. Raises DataError,
    AdapterError (it does not say which task it is for)."""
    from lora_hub.answering import loading
    from lora_hub.data.columns import columns
    from lora_hub.data.inspector import inspect_file
    from lora_hub.data.mending.mends import for_test
    from lora_hub.data.prompts import prepare

    if pane.task is None:
        raise AdapterError(
            _("{name} does not say which task it is for."), _("Publish it from a run of LoRA Hub."), name=pane.name
        )
    kept = store.add_dataset(file)
    seen = inspect_file(kept, pane.task, None, mends=for_test(pane.mends), is_test=True)
    columns.check_mapping(seen.table, pane.task, seen.mapping)
    examples = prepare.build_examples(seen.table, pane.task, seen.mapping)
    examples = prepare.written(loading.load_tokenizer(pane.base), examples)
    is_test_part = any(problem.code == "test-part" for problem in seen.table.problems)
    files = () if is_test_part else (store.dataset_fingerprint(kept),)
    return HeldOutSet(file.name, pane.task, pane.base, examples, shown, pane.calibrations, files)
