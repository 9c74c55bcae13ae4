"""Checks the labels of a classification task: classes and counts, a single class, classes too small, names that differ
only in spelling.

label_counts(frame)                  {"ham": 30, "spam": 12}, the commonest first
near_groups(counts)                  [("spam", ["Spam", "SPAM"])]: the commonest spelling and the others
suggest_names(["0", "1"], "label", "spam")    the names for classes that are numbers
"""

import re
from collections.abc import Iterable

import polars

from lora_hub.core.messages import NOTHING, Message, Names, _, _n, joined, several
from lora_hub.core.schema import Mend, Task
from lora_hub.data.checks.check_label_names import suggest_names
from lora_hub.data.checks.label_meanings import known_as, numbers_beside_names, same_meanings, same_numbers
from lora_hub.data.checks.rows import Check, inputs_of, key_of
from lora_hub.data.tables.findings import Finding, finding
from lora_hub.data.tables.label_forms import combinations, near_groups, nearest, one_line

__all__ = ["check_labels", "check_unseen_labels", "label_counts", "near_groups", "suggest_names"]

LISTED = 12
LEAST = 3  # different inputs a class needs: one to train on, one to choose the checkpoint, one to score
SELDOM = 100  # rows; the inputs of larger classes are not counted


def check_labels(frame: polars.DataFrame, task: Task) -> list[Finding]:
    """`frame`: row, inputs and answer of the rows that can be trained on. Returns nothing for a task with text
    answers."""
    if task.output != "labels" or "answer" not in frame.columns:
        return []
    counts = label_counts(frame)
    if len(counts) == 1:
        return [_one_class(frame, next(iter(counts)))]
    if len(counts) > max(20, 0.5 * frame.height):
        return [_free_text(frame, counts)]
    found = [_listed(counts)]
    found += [
        one
        for check in (
            _near_names,
            _same_numbers,
            _same_meanings,
            _mixed,
            _several,
            _several_lines,
            _unknown,
            _small,
            _imbalance,
            _numbers,
        )
        if (one := check(frame, task, counts))
    ]
    return found


def label_counts(frame: polars.DataFrame) -> dict[str, int]:
    """Number of rows for each label, the commonest first; empty answers are not counted. `frame` has the stripped
    answers."""
    counts = frame["answer"].value_counts(name="count").filter(polars.col("answer") != "")
    # Break ties by label, so that the result is always the same.
    return dict(counts.sort("count", "answer", descending=[True, False]).rows())


def _rows(frame: polars.DataFrame, labels: list[str]) -> polars.Series:
    return frame.filter(polars.col("answer").is_in(labels))["row"]


def _listed(counts: dict[str, int]) -> Finding:
    # Quote a label that contains a comma or a line break, so that the list stays unambiguous.
    marks = set(",،\n")
    shown = (
        _("{label!r} {count:,}", label=label[:40], count=count)
        if set(label) & marks
        else _("{label} {count:,}", label=label[:40], count=count)
        for label, count in counts.items()
    )
    return finding(
        "labels",
        "info",
        _("{count:,} classes: {labels}.", count=len(counts), labels=several(shown, most=LISTED)),
        count=len(counts),
    )


def _one_class(frame: polars.DataFrame, only: str) -> Finding:
    return finding(
        "one-class",
        "error",
        _n(
            "The one row has the answer {only!r}: there is nothing to tell apart.",
            "All {count:,} rows have the same answer, {only!r}: there is nothing to tell apart.",
            count=frame.height,
            only=only[:60],
        ),
        hint=_("Add rows of the other classes, or take another column as the answer."),
        count=frame.height,
    )


def _free_text(frame: polars.DataFrame, counts: dict[str, int]) -> Finding:
    return finding(
        "answers-not-labels",
        "error",
        _(
            "The answers are {count:,} different texts in {rows:,} rows, not labels.",
            count=len(counts),
            rows=frame.height,
        ),
        hint=_("Take another column as the answer, or a task that writes text."),
        count=len(counts),
    )


def _near_names(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    return _as_one(
        "near-duplicate-labels",
        frame,
        counts,
        near_groups(counts),
        _("Labels that look like the same one: {labels}."),
        hint=_("Write them alike, or they are learnt as different classes."),
    )


def _same_numbers(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    return _as_one(
        "same-number-labels",
        frame,
        counts,
        same_numbers(counts),
        _("Labels that are one number in different forms: {labels}. They are learnt as different classes."),
        hint=_(
            "That is right for versions and codes (1.1 and 1.10, 007 and 7). Where they are one value, write them "
            "alike."
        ),
    )


def _same_meanings(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    return _as_one(
        "same-meaning-labels",
        frame,
        counts,
        same_meanings(counts),
        _("Labels that seem to mean the same: {labels}. They are learnt as different classes."),
        hint=_("Give them one name, unless they mean different things."),
    )


def _mixed(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    _rest, numbers = numbers_beside_names(counts, task.id)
    if not numbers:
        return None
    shown, named = several(numbers, most=5), several([label for label in counts if label not in numbers], most=5)
    return finding(
        "mixed-labels",
        "warning",
        _("Some labels are numbers ({shown}) and others are names ({named}).", shown=shown, named=named),
        hint=_(
            "Where a number stands for one of the names, write the name; else they are learnt as different classes."
        ),
        rows=_rows(frame, numbers),
    )


def _as_one(
    code: str,
    frame: polars.DataFrame,
    counts: dict[str, int],
    groups: list[tuple[str, list[str]]],
    said: Message,
    *,
    hint: Message,
) -> Finding | None:
    """A warning about labels that may be the same; None if there are no groups. groups: (commonest, the others). said:
    a sentence with a placeholder `labels` for the first groups and their counts. The finding's rows are those whose
    label is not the commonest of its group."""
    if not groups:
        return None
    shown = [
        _("{labels}", labels=_with_counts({label: counts[label] for label in (common, *others)}, len(counts)))
        for common, others in groups[:4]
    ]
    hits = _rows(frame, [label for common, others in groups for label in others])
    return finding(code, "warning", said.filled({"labels": several(shown, ";")}), hint=hint, rows=hits)


def _with_counts(counts: dict[str, int], most: int) -> Names:
    """The first `most` labels, each with its number of rows."""
    return several((_("{label!r} ({count:,})", label=label, count=count) for label, count in counts.items()), most=most)


def _several(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    """Cells with more than one label, as check boxes produce them."""
    made = combinations(counts)
    if not made:
        return None
    hits = _rows(frame, list(made))
    said = _n(
        "{count:,} answer holds several labels at once: {labels}.",
        "{count:,} answers hold several labels at once: {labels}.",
        count=hits.len(),
        labels=_with_counts({label: counts[label] for label in made}, 4),
    )
    hint = _(
        "Each combination is learnt as a class of its own. Leave these rows out where a text should get one label."
    )
    return finding("several-labels", "warning", said, hint=hint, rows=hits)


def _several_lines(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    """Labels that contain a line break and are not several labels at once."""
    made = combinations(counts)
    broken = [label for label in counts if one_line(label) != label and label not in made]
    if not broken:
        return None
    said = _(
        "Labels that go over several lines: {labels}. "
        "They are listed, learnt and answered with the line's end in them.",
        labels=_with_counts({label: counts[label] for label in broken}, 4),
    )
    return finding(
        "labels-of-several-lines", "warning", said, hint=_("Write each on one line."), rows=_rows(frame, broken)
    )


def check_unseen_labels(known: Iterable[str], test: polars.DataFrame, task_id: str = "") -> list[Finding]:
    """Labels of a test part that no training row has, so that no answer to those rows can be right. `known`: the labels
    that are learnt; `test`: row and answer of the rows to score. An error if every row is affected."""
    known = set(known)
    counts = {label: count for label, count in label_counts(test).items() if label not in known}
    if not counts or not known:
        return []
    hits = _rows(test, list(counts))
    count, every = hits.len(), hits.len() == test.filter(polars.col("answer") != "").height
    near = known_as(counts, known, task_id)
    if len(counts) == 1:
        said = _n(
            "{count:,} test row has the label {only!r}, which no training row has.",
            "{count:,} test rows have the label {only!r}, which no training row has.",
            count=count,
            only=next(iter(counts))[:60],
        )
    else:
        said = _n(
            "{count:,} test row has labels that no training row has: {labels}.",
            "{count:,} test rows have labels that no training row has: {labels}.",
            count=count,
            labels=_with_counts(counts, 5),
        )
    # Another spelling is certainly the same label; another word, or a number for a name, only probably.
    sure = {label for label in near if nearest(label, known)}
    spelt = [
        _("{label!r} is {other!r}", label=label, other=other)
        if label in sure
        else _("{label!r} may be {other!r}", label=label, other=other)
        for label, other in near.items()
    ]
    hint = joined(
        _("In the training rows {spelt}: write them alike.", spelt=several(spelt, most=3)) if near else NOTHING,
        _(
            "No answer to them can be right. The labels learnt are: {labels}. Test rows: {rows}.",
            labels=several(sorted(known), most=LISTED),
            rows=several(hits, most=10),
        ),
    )
    # These are test rows, whose numbers do not refer to training rows.
    found = finding("unseen-labels", "error" if every else "warning", said, hint=hint, count=count)
    mends = (Mend(kind="relabel", values=near),) if near else ()
    return [Finding(found.problem.model_copy(update={"mends": mends}))]


def _unknown(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    """Labels that the task (of an adapter, or one that a person defined) does not have."""
    unknown = [label for label in counts if task.labels and label not in task.labels]
    if not unknown:
        return None
    shown, known = several(unknown, most=5), several(task.labels, most=LISTED)
    return finding(
        "unknown-labels",
        "warning",
        _("Labels that the task does not have: {shown}.", shown=shown),
        hint=_("It has: {known}.", known=known),
        rows=_rows(frame, unknown),
    )


def _small(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    """Classes too small to hold rows out of. Equal inputs are never split, so only different ones count."""
    roles = inputs_of(frame, task)
    if roles:
        # A class with many rows but only two inputs is reported as duplicates.
        seldom = frame.filter(polars.col("answer").is_in([label for label, count in counts.items() if count <= SELDOM]))
        different = seldom.select("answer", key=key_of(roles)).group_by("answer").agg(polars.col("key").n_unique())
        few = set(different.filter(polars.col("key") < LEAST)["answer"].to_list())
    else:
        few = {label for label, count in counts.items() if count < LEAST}
    small = [label for label in reversed(counts) if label in few]
    if not small:
        return None
    said = _n(
        "{count:,} class with fewer than {least} different inputs: {labels}.",
        "{count:,} classes with fewer than {least} different inputs: {labels}.",
        count=len(small),
        least=LEAST,
        labels=several(small, most=5),
    )
    hint = _(
        "A class needs one row to learn from, one to choose the checkpoint and one to be scored; add some, merge it, "
        "or correct a misspelling."
    )
    return finding("small-classes", "warning", said, hint=hint, rows=_rows(frame, small), count=len(small))


def _imbalance(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    largest, count = next(iter(counts.items()))
    share = count / frame.height
    if share < max(0.7, 2 / len(counts)) and not (len(counts) == 2 and share >= 0.8):
        return None
    return finding(
        "imbalance",
        "warning" if share > 0.9 else "info",
        _(
            "{share:.0%} of the rows are {label!r}: always answering that would look {share:.0%} right.",
            share=share,
            label=largest[:40],
        ),
        hint=_("Look at balanced accuracy and macro F1, which are not taken in by it."),
        count=count,
    )


def _numbers(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    if not all(re.fullmatch(r"-?\d+(\.\d+)?", label) for label in counts):
        return None
    shown = several(counts, most=7)
    return finding(
        "numeric-labels",
        "info",
        _("The classes are numbers ({shown}), which say nothing to the model.", shown=shown),
        hint=_("Names such as positive and negative are learnt faster; a base knows what they mean."),
        count=len(counts),
    )


CHECKS = (Check(20, "filled", lambda rows: check_labels(rows.filled, rows.task)),)
