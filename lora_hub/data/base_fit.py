"""What a base says to the rows of an inspection: how long they are in its tokens, and what its chat template makes of
them."""

from dataclasses import replace
from typing import Any

from lora_hub.core.errors import DataError
from lora_hub.core.schema import BaseModel, Lengths, Mend, Task
from lora_hub.data.inspection import Inspection, with_mends
from lora_hub.data.preview import missing_columns, preview_rows, with_labels
from lora_hub.data.tables.findings import Finding
from lora_hub.data.tables.table import Table

SAMPLED_ROWS = 2_000


def with_lengths(seen: Inspection, base: BaseModel, max_length: int = 0) -> Inspection:
    """The same with its rows' lengths in the base's tokens, and what they mean for training; unchanged where the base's
    tokenizer is not on this disk yet or a role has no column."""
    from lora_hub.data.prompts import lengths, prepare

    if missing_columns(seen.table, seen.task, seen.mapping):
        return seen
    sampled = sample_rows(seen.table, SAMPLED_ROWS)
    try:
        examples = prepare.build_examples(sampled, seen.task, seen.mapping)
    except DataError:
        return seen  # no row can be used; the checks have told why
    task = with_labels(seen.task, seen.table, seen.mapping)
    seen, examples = _with_template(seen, lengths.tokenizer_of(base), task, examples)
    limit = min(max_length or base.context, base.context)
    measured = lengths.measure(examples, task, base, limit, rows=seen.table.rows)
    if measured is None:
        return seen
    characters = [len(" ".join(map(str, example.inputs.values()))) + len(example.answer) for example in examples]
    found = [
        _with_length_mends(one, measured.lengths, characters, seen.task)
        for one in lengths.find_lengths(measured.lengths, measured)
    ]
    findings = sorted(
        [*seen.findings, *found], key=lambda one: ("error", "warning", "info").index(one.problem.severity)
    )
    info = seen.info.model_copy(
        update={"lengths": measured.lengths, "problems": tuple(one.problem for one in findings)}
    )
    return replace(seen, info=info, findings=findings, tokens_row=measured.tokens_row)


def _with_template(seen: Inspection, tokenizer: Any, task: Task, sampled: list[Any]) -> tuple[Inspection, list[Any]]:
    """What the base's chat template says to the rows, and those of the sample that it takes."""
    from lora_hub.data.checks.check_chat_template import MOST, find_template
    from lora_hub.data.prompts import prepare

    if tokenizer is None:
        return seen, sampled
    examples = sampled
    if task.is_chat and len({example.row for example in sampled}) < seen.table.rows:
        part = replace(seen.table, frame=seen.table.frame.head(MOST), row_numbers=seen.table.numbers().head(MOST))
        examples = prepare.build_examples(part, task, seen.mapping)
    found = [with_mends(one, seen.table, task, seen.mapping) for one in find_template(tokenizer, task, examples)]
    refused = {row for one in found if one.problem.code == "refused-chats" for row in one.rows.to_list()}
    findings = sorted(
        [*seen.findings, *found], key=lambda one: ("error", "warning", "info").index(one.problem.severity)
    )
    info = seen.info.model_copy(update={"problems": tuple(one.problem for one in findings)})
    preview = preview_rows(seen.table, task, seen.mapping, tokenizer) if task.is_chat else seen.preview
    return replace(seen, info=info, findings=findings, preview=preview), [
        example for example in sampled if example.row not in refused
    ]


def _with_length_mends(found: Finding, measured: Lengths, characters: list[int], task: Task) -> Finding:
    """Rows that are too long can lose the end of their input: so many characters as surely fit, going by the sample."""
    if found.problem.code != "too-long" or task.is_chat or not measured.total[3]:
        return found
    middle = sorted(characters)[len(characters) // 2]
    # Half as dense again as the middle row, so that what is left fits in nearly every case.
    fits = int(0.7 * (measured.max_length - min(measured.prompt)) * middle / max(1, measured.total[3]))
    offered = (Mend(kind="shorten", values={"characters": str(max(40, fits))}),)
    return Finding(found.problem.model_copy(update={"mends": offered}), found.rows)


def sample_rows(table: Table, most: int) -> Table:
    """At most `most` rows, spread evenly over the table."""
    if table.rows <= most:
        return table
    places = [round(number * (table.rows - 1) / (most - 1)) for number in range(most)]
    return Table(table.frame[places], table.format, row_numbers=table.numbers().gather(places))
