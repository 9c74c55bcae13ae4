"""The work that an estimate assumes for the exam is the exam's real work: exactly its rows, and its tokens as the model
gets them."""

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lora_hub.answering import exam_work, loading, questions
from lora_hub.answering.stack import AdapterStack
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.schema import Task
from lora_hub.data.columns import columns
from lora_hub.data.planned_rows import with_labels
from lora_hub.data.prompts import prepare
from lora_hub.data.prompts.lengths import measure
from lora_hub.data.read import read
from lora_hub.evaluation import exam

BUILT_IN = bases.get_base("built-in")


@pytest.fixture(scope="module")
def base() -> tuple[AdapterStack, Any]:
    return AdapterStack(loading.load_base(BUILT_IN), BUILT_IN), loading.load_tokenizer(BUILT_IN)


@contextmanager
def counted(stack: AdapterStack) -> Iterator[Counter]:
    """Tokens that go through the model (padding too) and passes."""
    seen: Counter = Counter()

    def count(_: Any, arguments: tuple, options: dict) -> None:
        ids = options["input_ids"] if "input_ids" in options else arguments[0]
        seen["tokens"] += ids.numel()
        seen["passes"] += 1

    hook = stack.model.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield seen
    finally:
        hook.remove()


def sample(task_id: str) -> tuple[Task, list[prepare.Example]]:
    task = catalogue.get_task(task_id)
    table = read.read_table(catalogue.sample_file(task))
    mapping = columns.propose_mapping(table, task).mapping
    return with_labels(task, table, mapping), prepare.build_examples(table, task, mapping)


@pytest.mark.parametrize(
    ("task_id", "scored", "validation"),
    [("spam", 52, 28), ("topic", 40, 120), ("sentiment", 52, 28), ("question-answering", 12, 8)],
)
def test_the_exam_that_is_counted_on_is_the_one_that_is_held(
    base, task_id: str, scored: int, validation: int, monkeypatch
) -> None:
    stack, tokenizer = base
    task, examples = sample(task_id)
    parts = iter(examples)
    asked, held, trained = (list(itertools.islice(parts, count)) for count in (scored, validation, 200))
    tokens_row = measure(asked, task, BUILT_IN, 512).tokens_row
    planned = exam_work.plan_exam(
        task, scored=scored, validation=validation, trained=200, tokens_row=tokens_row, context=BUILT_IN.context
    )
    rows: list[int] = []
    put = questions.put
    monkeypatch.setattr(questions, "put", lambda *given, **more: (rows.append(len(given[2])), put(*given, **more))[1])
    with counted(stack) as seen:
        found = exam.hold_exam(stack, tokenizer, task, asked, "base", trained=trained, unscored=held)
    assert planned.rows == sum(rows), rows
    assert exam_work.examples_shown(task, scored, tokens_row, BUILT_IN.context) == len(found.shown)
    # how soon an answer in text ends is not known before: what is written lies between nothing and what was counted on
    assert 0.6 * planned.read < seen["tokens"] < 1.6 * (planned.read + planned.written), (seen, planned)
