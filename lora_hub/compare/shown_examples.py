"""The examples that the base with examples is shown, and where they are from in words.

found = find_examples(question, pane, task, inputs, tokenizer, context)
found.rows        (inputs, answer) each; empty: there are none, and `found.note` says why

The first that there are: typed ones, those that the exam of the adapter's run showed, rows of the sample of its task.
"""

from dataclasses import dataclass
from typing import Any

from lora_hub.catalogue.tasks import catalogue
from lora_hub.compare.panes import Pane
from lora_hub.core.errors import DataError, SpecError
from lora_hub.core.messages import Message, _, _n
from lora_hub.core.schema import Question, Task
from lora_hub.data.prompts import template
from lora_hub.evaluation import examples

Rows = tuple[tuple[dict[str, Any], str], ...]
# Rows of a sample that are looked at.
MOST_SAMPLE_ROWS = 500


@dataclass(frozen=True)
class ShownExamples:
    """rows: what stands before the question. note: how many and from where, or why there are none. is_exams: they are
    those of the exam, so that its calibration is right for them."""

    rows: Rows
    note: Message
    is_exams: bool = False


def find_examples(
    question: Question, pane: Pane, task: Task | None, inputs: dict[str, Any], tokenizer: Any, context: int
) -> ShownExamples:
    """At most `question.examples` of them, and no more than the base's context (tokens) holds beside the question.

    pane: the base's, with the first adapter's task and examples. task, inputs: as the question is put."""
    if task is None:
        return ShownExamples((), _("No examples: without a task, nobody knows what one looks like."))
    if question.shown:
        rows = tuple((one.inputs, one.answer) for one in question.shown[: question.examples])
        kept = _fitting(rows, task, inputs, tokenizer, context)
        return _told(kept, _n("{count} example, as typed", "{count} examples, as typed", count=len(kept)))
    if pane.shown and pane.task == task:
        kept = _fitting(pane.shown[: question.examples], task, inputs, tokenizer, context)
        said = _n(
            "{count} example from the training rows, as in the exam",
            "{count} examples from the training rows, as in the exam",
            count=len(kept),
        )
        return _told(kept, said, is_exams=kept == pane.shown)
    sample = _sample_rows(task)
    if not sample:
        return ShownExamples((), pane.missing or _("No examples: the adapter's training rows are not here; type some."))
    chosen = examples.choose_examples(tokenizer, task, sample, [inputs], context=context, seed=question.seed)
    kept = _fitting(chosen[: question.examples], task, inputs, tokenizer, context)
    return _told(
        kept, _n("{count} example of the task's sample", "{count} examples of the task's sample", count=len(kept))
    )


def _told(rows: Rows, said: Message, is_exams: bool = False) -> ShownExamples:
    if not rows:
        return ShownExamples((), _("No examples: the base's context has no room for one beside the question."))
    return ShownExamples(rows, said, is_exams)


def _fitting(rows: Rows, task: Task, inputs: dict[str, Any], tokenizer: Any, context: int) -> Rows:
    """The first of these rows that fit before the question. Raises SpecError where one lacks an input of the task."""
    answer = task.max_new_tokens
    if task.output == "labels" and task.labels:
        answer = max(map(len, template.encode_answers(tokenizer, list(task.labels))))
    while rows:
        try:
            (ids,) = template.encode_prompts(tokenizer, task, [inputs], rows)
        except (DataError, KeyError, IndexError) as error:
            raise SpecError(
                _(
                    "An example does not have the inputs of the task {task}: {inputs}.",
                    task=task.id,
                    inputs=task.inputs,
                ),
                _("Give each example all of them, and an answer."),
            ) from error
        if len(ids) + min(answer, context // 4) <= context:
            break
        rows = rows[:-1]
    return rows


def _sample_rows(task: Task) -> list[Any]:
    """The rows of the sample of a catalogue task, where its labels are the adapter's."""
    known = catalogue.get_task(task.id) if task.id in catalogue.ORDER else None
    file = catalogue.sample_file(known) if known is not None and known.inputs == task.inputs else None
    if file is None:
        return []
    from lora_hub.data.columns import columns
    from lora_hub.data.prompts import prepare
    from lora_hub.data.read import read

    table = read.read_table(file)
    rows = prepare.build_examples(table, known, columns.propose_mapping(table, known).mapping)[:MOST_SAMPLE_ROWS]
    return rows if not task.labels or {row.answer for row in rows} <= {*task.labels} else []
