"""Pre-flight of answers that are texts: the same one everywhere, a copy of the input, thoughts that are cut off."""

import re

import polars

from lora_hub.core.schema import Task
from lora_hub.data.chat_template import CLOSED, OPENED
from lora_hub.data.check_rows import required_of
from lora_hub.data.check_words import number_fa, percent_fa, rows
from lora_hub.data.findings import Finding, finding

SAME = 0.95  # of the rows
HALF_HINT = "The adapter would learn to think and never to answer: complete the block, or leave these rows out."
HALF_HINT_FA = "آداپتور یاد می‌گیرد استدلال کند و هرگز پاسخ ندهد: بخش را کامل کنید، یا این سطرها را کنار بگذارید."


def check_answers(frame: polars.DataFrame, task: Task) -> list[Finding]:
    """`frame`: the rows that can be trained on. Nothing for a task whose answers are labels."""
    if task.output == "labels" or "answer" not in frame.columns:
        return []
    return [found for check in (_copied, _same, _half_thoughts) if (found := check(frame, task))]


def has_half_thoughts(text: str) -> bool:
    """Whether a block for thoughts is opened and not closed, or the other way round."""
    return len(re.findall(OPENED, text)) != len(re.findall(CLOSED, text))


def _half_thoughts(frame: polars.DataFrame, task: Task) -> Finding | None:
    answer = polars.col("answer")
    hits = frame.filter(answer.str.count_matches(OPENED) != answer.str.count_matches(CLOSED))["row"]
    return None if not hits.len() else finding(
        "half-thoughts", "warning",
        f"In {rows(hits.len())} the answer opens a block for thoughts (<think>) that it does not close, or closes one that it does not open. It is learnt as it stands.",
        f"در {number_fa(hits.len())} سطر پاسخ بخش استدلال («<think>») را باز می‌کند و نمی‌بندد، یا بدون باز کردن می‌بندد. پاسخ همان‌طور که هست یاد گرفته می‌شود.",
        hint=HALF_HINT, hint_fa=HALF_HINT_FA, rows=hits,
    )  # fmt: skip


def _copied(frame: polars.DataFrame, task: Task) -> Finding | None:
    roles = required_of(frame, task)
    if not roles:
        return None
    hits = frame.filter(polars.any_horizontal([polars.col(role) == polars.col("answer") for role in roles]))["row"]
    count = hits.len()
    if not count or (task.id == "grammar" and count < 0.8 * frame.height):  # a correct text is its own correction
        return None
    return finding(
        "answer-is-input", "warning", f"In {rows(count)} the answer is the same text as the input.",
        f"در {number_fa(count)} سطر پاسخ همان متنِ ورودی است.",
        hint="The adapter would learn to copy; see whether the right columns were taken.",
        hint_fa="آداپتور رونویسی یاد می‌گیرد؛ ببینید ستون‌ها درست گرفته شده‌اند یا نه.", rows=hits,
    )  # fmt: skip


def _same(frame: polars.DataFrame, task: Task) -> Finding | None:
    """One answer for nearly all rows: the adapter would learn that text and nothing of the inputs."""
    # Whatever stands in 95 % of the rows stands in most of the first few: nothing is counted where it does not.
    first = frame["answer"].head(101).mode().sort()[0]
    hits = frame.filter(polars.col("answer") == first)["row"]
    if frame.height < 5 or hits.len() <= SAME * frame.height:
        return None
    share = hits.len() / frame.height
    shown = first if len(first) <= 60 else first[:59] + "…"
    return finding(
        "same-answers", "warning", f"{share:.0%} of the rows have the same answer, {shown!r}.",
        f"پاسخِ {percent_fa(share)} سطرها یکی است: «{shown}».",
        hint="The adapter would give that answer to anything; see whether the right column was taken.",
        hint_fa="آداپتور به هر چیزی همین پاسخ را می‌دهد؛ ببینید ستون پاسخ درست گرفته شده یا نه.", rows=hits,
    )  # fmt: skip
