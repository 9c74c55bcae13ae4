"""How the rows of an inspection suit a base: their length in its tokens, and whether its chat template accepts them."""

from dataclasses import replace
from typing import Any

from lora_hub.core.errors import DataError
from lora_hub.core.schema import BaseModel, Lengths, Mend, Task
from lora_hub.data.inspection import Inspection, with_mends
from lora_hub.data.preview import preview_rows
from lora_hub.data.prompts.prepare import Example
from lora_hub.data.tables.findings import Finding, worst_first


def with_lengths(seen: Inspection, base: BaseModel, max_length: int = 0) -> Inspection:
    """The inspection with its rows' lengths in the base's tokens, and what they mean for training. Unchanged if the
    base's tokenizer is not on this disk yet or a role has no column."""
    from lora_hub.data.prompts import lengths

    try:
        examples = seen.planned.examples
    except DataError:
        return seen  # the checks have reported why
    tokenizer = lengths.tokenizer_of(base)
    if tokenizer is None:
        return seen
    task = seen.planned.task
    seen, examples = _with_template(seen, tokenizer, task, examples)
    limit = min(max_length or base.context, base.context)
    measured = lengths.measure(examples, task, base, limit, rows=seen.table.rows, tokenizer=tokenizer)
    if measured is None:
        return seen
    found = [
        _with_length_mends(one, measured.lengths, examples, seen.task)
        for one in lengths.find_lengths(measured.lengths, measured)
    ]
    findings = worst_first([*seen.findings, *found])
    info = seen.info.model_copy(
        update={"lengths": measured.lengths, "problems": tuple(one.problem for one in findings)}
    )
    return replace(seen, info=info, findings=findings, tokens_row=measured.tokens_row)


def _with_template(
    seen: Inspection, tokenizer: Any, task: Task, examples: list[Example]
) -> tuple[Inspection, list[Example]]:
    """The inspection with the findings of the base's chat template, and the examples that the template accepts."""
    from lora_hub.data.checks.check_chat_template import find_template

    found = [with_mends(one, seen.table, task, seen.mapping) for one in find_template(tokenizer, task, examples)]
    refused = {row for one in found if one.problem.code == "refused-chats" for row in one.rows.to_list()}
    findings = worst_first([*seen.findings, *found])
    info = seen.info.model_copy(update={"problems": tuple(one.problem for one in findings)})
    preview = preview_rows(seen.planned, tokenizer) if task.is_chat else seen.preview
    return replace(seen, info=info, findings=findings, preview=preview), [
        example for example in examples if example.row not in refused
    ]


def _with_length_mends(found: Finding, measured: Lengths, examples: list[Example], task: Task) -> Finding:
    """Offers to shorten the inputs of rows that are too long, to a number of characters that the sample shows will
    fit."""
    if found.problem.code != "too-long" or task.is_chat or not measured.total[3]:
        return found
    characters = [len(" ".join(map(str, example.inputs.values()))) + len(example.answer) for example in examples]
    middle = sorted(characters)[len(characters) // 2]
    # Assumes text half as dense again as in the median row, so that the rest fits in nearly every case.
    fits = int(0.7 * (measured.max_length - min(measured.prompt)) * middle / max(1, measured.total[3]))
    offered = (Mend(kind="shorten", values={"characters": str(max(40, fits))}),)
    return Finding(found.problem.model_copy(update={"mends": offered}), found.rows)
