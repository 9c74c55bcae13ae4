"""Pre-flight of a label task: the classes with their counts, one class only, classes too small, names that differ by a hair."""

import re
import unicodedata
from collections import defaultdict

import polars

from lora_hub.data.table import SHOWN_ROWS
from lora_hub.schema import Problem, Task

LISTED = 12


def check_labels(frame: polars.DataFrame, task: Task) -> list[Problem]:
    """`frame`: row and answer of the rows that can be trained on. Nothing for a task that writes text."""
    if task.output != "labels" or "answer" not in frame.columns:
        return []
    counts = dict(frame["answer"].value_counts(sort=True).rows())
    problems = [_listed(counts)]
    if len(counts) == 1:
        only = next(iter(counts))
        return [
            Problem(
                code="one-class", severity="error", count=frame.height,
                message=f"All {frame.height:,} rows have the same answer, {only[:60]!r}: there is nothing to tell apart.",
                hint="Add rows of the other classes, or take another column as the answer.",
            )
        ]  # fmt: skip
    free = _free_text(frame, counts)
    if free:
        return [free]
    for check in (_near_names, _unknown, _small, _imbalance, _numbers):
        problem = check(frame, task, counts)
        if problem:
            problems.append(problem)
    return problems


def _rows(frame: polars.DataFrame, labels: list[str]) -> tuple[int, ...]:
    return tuple(frame.filter(polars.col("answer").is_in(labels))["row"].head(SHOWN_ROWS).to_list())


def _shown(counts: dict[str, int]) -> str:
    shown = ", ".join(f"{label[:40]} {count:,}" for label, count in list(counts.items())[:LISTED])
    return shown + (f" and {len(counts) - LISTED} more" if len(counts) > LISTED else "")


def _listed(counts: dict[str, int]) -> Problem:
    return Problem(code="labels", severity="info", count=len(counts), message=f"{len(counts)} classes: {_shown(counts)}.")


def _free_text(frame: polars.DataFrame, counts: dict[str, int]) -> Problem | None:
    if len(counts) <= max(20, 0.5 * frame.height):
        return None
    return Problem(
        code="answers-not-labels", severity="error", count=len(counts),
        message=f"The answers are {len(counts):,} different texts in {frame.height:,} rows, not labels.",
        hint="Take another column as the answer, or a task that writes text.",
    )  # fmt: skip


def normal_label(label: str) -> str:
    """Labels that are the same for a person: case, spaces, marks, Arabic and Persian letter forms aside."""
    text = unicodedata.normalize("NFKC", label).casefold().replace("ي", "ی").replace("ك", "ک").replace("ى", "ی")
    text = re.sub(r"[\u200b-\u200f\u202a-\u202e\u0640\ufeff]", "", text)
    text = re.sub(r"[\s_\-.]+", " ", text).strip(" \"'")
    # A minus is a letter of the label where a number follows: -1 and 1 are two classes.
    return ("-" if re.fullmatch(r"-\s*[\d.]+", label.strip()) else "") + text


def near_labels(labels: list[str]) -> list[list[str]]:
    """Groups of two or more labels that differ in case, spaces or letter forms only, in order of first sight."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[normal_label(label)].append(label)
    return [group for group in groups.values() if len(group) > 1]


def _near_names(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Problem | None:
    groups = near_labels(list(counts))
    if not groups:
        return None
    shown = "; ".join(", ".join(f"{label!r} ({counts[label]:,})" for label in group) for group in groups[:4])
    rarer = [label for group in groups for label in group[1:]]
    return Problem(
        code="near-duplicate-labels", severity="warning", count=sum(counts[label] for label in rarer), rows=_rows(frame, rarer),
        message=f"Labels that look like the same one: {shown}.", hint="Write them alike, or they are learnt as different classes.",
    )  # fmt: skip


def _unknown(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Problem | None:
    """Labels that the task (of an adapter, or a person's own) does not have."""
    unknown = [label for label in counts if task.labels and label not in task.labels]
    if not unknown:
        return None
    return Problem(
        code="unknown-labels", severity="warning", count=sum(counts[label] for label in unknown), rows=_rows(frame, unknown),
        message=f"Labels that the task does not have: {', '.join(unknown[:5])}.", hint=f"It has: {', '.join(task.labels[:12])}.",
    )  # fmt: skip


def _small(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Problem | None:
    small = [label for label, count in counts.items() if count < 2]
    if not small:
        return None
    shown = ", ".join(small[:5]) + (f" and {len(small) - 5} more" if len(small) > 5 else "")
    return Problem(
        code="small-classes", severity="warning", count=len(small), rows=_rows(frame, small),
        message=f"{len(small)} class{'' if len(small) == 1 else 'es'} with one row only: {shown}.",
        hint="A class needs rows to learn from and one to be held out; add some, merge it, or correct a misspelling.",
    )  # fmt: skip


def _imbalance(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Problem | None:
    largest, count = next(iter(counts.items()))
    share = count / frame.height
    if share < max(0.7, 2 / len(counts)) and not (len(counts) == 2 and share >= 0.8):
        return None
    return Problem(
        code="imbalance", severity="warning" if share > 0.9 else "info", count=count,
        message=f"{share:.0%} of the rows are {largest[:40]!r}: always answering that would look {share:.0%} right.",
        hint="Look at balanced accuracy and macro F1, which are not taken in by it.",
    )  # fmt: skip


def _numbers(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Problem | None:
    if not all(re.fullmatch(r"-?\d+(\.\d+)?", label) for label in counts):
        return None
    return Problem(
        code="numeric-labels", severity="info", count=len(counts),
        message=f"The classes are numbers ({', '.join(list(counts)[:7])}), which say nothing to the model.",
        hint="Names such as positive and negative are learnt faster; a base knows what they mean.",
    )  # fmt: skip
