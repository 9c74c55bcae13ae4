"""Checks answers that are texts: the same one everywhere, a copy of the input, reasoning that is cut off."""

import re

import polars

from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Task
from lora_hub.data.checks.rows import Check, required_of
from lora_hub.data.prompts.chat_template import CLOSED, OPENED
from lora_hub.data.tables.findings import Finding, finding

SAME = 0.95  # of the rows
HALF_HINT = _("The adapter would learn to think and never to answer: complete the block, or leave these rows out.")


def check_answers(frame: polars.DataFrame, task: Task) -> list[Finding]:
    """`frame`: the rows that can be trained on. Returns nothing for a task whose answers are labels."""
    if task.output == "labels" or "answer" not in frame.columns:
        return []
    return [found for check in (_copied, _same, _half_thoughts) if (found := check(frame, task))]


def has_half_thoughts(text: str) -> bool:
    """Whether a reasoning block is opened and not closed, or closed and not opened."""
    return len(re.findall(OPENED, text)) != len(re.findall(CLOSED, text))


def _half_thoughts(frame: polars.DataFrame, task: Task) -> Finding | None:
    answer = polars.col("answer")
    hits = frame.filter(answer.str.count_matches(OPENED) != answer.str.count_matches(CLOSED))["row"]
    if not hits.len():
        return None
    said = _n(
        (
            "In {count:,} row the answer opens a block for thoughts (<think>) that it does not close, or closes one "
            "that "
            "it does not open. It is learnt as it stands."
        ),
        (
            "In {count:,} rows the answer opens a block for thoughts (<think>) that it does not close, or closes one "
            "that "
            "it does not open. It is learnt as it stands."
        ),
        count=hits.len(),
    )
    return finding("half-thoughts", "warning", said, hint=HALF_HINT, rows=hits)


def _copied(frame: polars.DataFrame, task: Task) -> Finding | None:
    roles = required_of(frame, task)
    if not roles:
        return None
    hits = frame.filter(polars.any_horizontal([polars.col(role) == polars.col("answer") for role in roles]))["row"]
    count = hits.len()
    if not count or (task.id == "grammar" and count < 0.8 * frame.height):  # a correct text needs no correction
        return None
    said = _n(
        "In {count:,} row the answer is the same text as the input.",
        "In {count:,} rows the answer is the same text as the input.",
        count=count,
    )
    return finding(
        "answer-is-input",
        "warning",
        said,
        hint=_("The adapter would learn to copy; see whether the right columns were taken."),
        rows=hits,
    )


def _same(frame: polars.DataFrame, task: Task) -> Finding | None:
    """One answer for nearly all rows: the adapter would learn that text and ignore the inputs."""
    # An answer in 95 % of the rows is also in most of the first few, so only the commonest of those is counted.
    first = frame["answer"].head(101).mode().sort()[0]
    hits = frame.filter(polars.col("answer") == first)["row"]
    if frame.height < 5 or hits.len() <= SAME * frame.height:
        return None
    share = hits.len() / frame.height
    shown = first if len(first) <= 60 else first[:59] + "…"
    return finding(
        "same-answers",
        "warning",
        _("{share:.0%} of the rows have the same answer, {answer!r}.", share=share, answer=shown),
        hint=_("The adapter would give that answer to anything; see whether the right column was taken."),
        rows=hits,
    )


CHECKS = (Check(40, "filled", lambda rows: check_answers(rows.filled, rows.task)),)
