"""The examples of a file that an adapter is composed from or judged on.

read = read_examples(Path("few.csv"), get_task("spam"))        read.task has its labels; read.examples
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.compare.composing.splitting import check_count
from lora_hub.core import store
from lora_hub.core.errors import DataError
from lora_hub.core.schema import DatasetInfo, Task


@dataclass(frozen=True)
class FewExamples:
    """task: with the labels of the file. info: the file. mapping: its columns by role."""

    task: Task
    examples: list[Any]
    info: DatasetInfo
    mapping: dict[str, str]


def read_examples(
    file: Path, task: Task, mapping: Mapping[str, str] | None = None, *, is_test: bool = False, owner: str = ""
) -> FewExamples:
    """Reads a file as training would, and checks it. is_test: it only judges. owner: whose file it is. Raises
    DataError, also for too few or too many examples, and for what cannot be trained on."""
    from lora_hub.data.columns import columns
    from lora_hub.data.inspector import inspect_file

    seen = inspect_file(store.add_dataset(file, owner=owner), task, dict(mapping or {}), is_test=is_test)
    columns.check_mapping(seen.table, seen.task, seen.mapping)
    wrong = next((one for one in seen.problems if one.severity == "error"), None)
    if wrong is not None and not is_test:
        raise DataError(wrong.said, wrong.advice)
    examples = seen.planned.all_examples()
    if not is_test:
        check_count(len(examples))
    return FewExamples(seen.planned.task, examples, seen.info, seen.mapping)
