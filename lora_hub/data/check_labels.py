"""Pre-flight of a label task: the classes with their counts, one class only, classes too small, names that differ by a hair.

    label_counts(frame)                  {"ham": 30, "spam": 12}, the commonest first
    near_groups(counts)                  [("spam", ["Spam", "SPAM"])]: the commonest spelling and the others
    suggest_names(["0", "1"], "label", "spam")    the names for classes that are numbers
"""

import re
from collections.abc import Iterable

import polars

from lora_hub.core.schema import Mend, Task, Text2
from lora_hub.data.check_label_names import suggest_names
from lora_hub.data.check_rows import inputs_of, key_of
from lora_hub.data.check_words import counted, number_fa, percent_fa, some
from lora_hub.data.findings import Finding, finding
from lora_hub.data.label_forms import combinations, near_groups, nearest, one_line
from lora_hub.data.label_meanings import known_as, numbers_beside_names, same_meanings, same_numbers

__all__ = ["check_labels", "check_unseen_labels", "label_counts", "near_groups", "suggest_names"]

LISTED = 12
LEAST = 3  # different inputs of a class: one to learn from, one that chooses the checkpoint, one that is scored
SELDOM = 100  # rows: larger classes are not counted by their inputs


def check_labels(frame: polars.DataFrame, task: Task) -> list[Finding]:
    """`frame`: row, inputs and answer of the rows that can be trained on. Nothing for a task that writes text."""
    if task.output != "labels" or "answer" not in frame.columns:
        return []
    counts = label_counts(frame)
    if len(counts) == 1:
        return [_one_class(frame, next(iter(counts)))]
    if len(counts) > max(20, 0.5 * frame.height):
        return [_free_text(frame, counts)]
    found = [_listed(counts)]
    found += [one for check in (_near_names, _same_numbers, _same_meanings, _mixed, _several, _several_lines, _unknown, _small, _imbalance, _numbers) if (one := check(frame, task, counts))]
    return found


def label_counts(frame: polars.DataFrame) -> dict[str, int]:
    """How many rows each label has, the commonest first; `frame` has the stripped answers. Empty ones are not counted."""
    counts = frame["answer"].value_counts(name="count").filter(polars.col("answer") != "")
    # Equal counts in the labels' order, so that a file always reads the same.
    return dict(counts.sort("count", "answer", descending=[True, False]).rows())


def _rows(frame: polars.DataFrame, labels: list[str]) -> polars.Series:
    return frame.filter(polars.col("answer").is_in(labels))["row"]


def _listed(counts: dict[str, int]) -> Finding:
    # A label with a comma or a line's end in it stands in quotation marks, or the list would read as another one.
    marks = set(",،\n")
    shown = some([f"{repr(label[:40]) if set(label) & marks else label[:40]} {count:,}" for label, count in counts.items()], LISTED).en
    shown_fa = some([f"{f'«{label[:40]}»' if set(label) & marks else label[:40]} {number_fa(count)}" for label, count in counts.items()], LISTED).fa
    return finding("labels", "info", f"{len(counts)} classes: {shown}.", f"{number_fa(len(counts))} برچسب: {shown_fa}.", count=len(counts))


def _one_class(frame: polars.DataFrame, only: str) -> Finding:
    return finding(
        "one-class", "error", f"All {frame.height:,} rows have the same answer, {only[:60]!r}: there is nothing to tell apart.",
        f"هر {number_fa(frame.height)} سطر یک پاسخ دارد، «{only[:60]}»: چیزی برای بازشناختن نیست.",
        hint="Add rows of the other classes, or take another column as the answer.",
        hint_fa="سطرهایی با برچسب‌های دیگر بیفزایید یا ستون دیگری را پاسخ بگیرید.", count=frame.height,
    )  # fmt: skip


def _free_text(frame: polars.DataFrame, counts: dict[str, int]) -> Finding:
    return finding(
        "answers-not-labels", "error", f"The answers are {len(counts):,} different texts in {frame.height:,} rows, not labels.",
        f"پاسخ‌ها {number_fa(len(counts))} متن گوناگون در {number_fa(frame.height)} سطر است، نه برچسب.",
        hint="Take another column as the answer, or a task that writes text.",
        hint_fa="ستون دیگری را پاسخ بگیرید یا کاری برگزینید که متن می‌نویسد.", count=len(counts),
    )  # fmt: skip


def _near_names(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    return _as_one(
        "near-duplicate-labels", frame, counts, near_groups(counts), Text2(en="Labels that look like the same one: {labels}.", fa="برچسب‌هایی که یکی به نظر می‌رسند: {labels}."),
        hint="Write them alike, or they are learnt as different classes.", hint_fa="یکسان بنویسیدشان، وگرنه برچسب‌هایی جدا آموخته می‌شوند.",
    )  # fmt: skip


def _same_numbers(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    return _as_one(
        "same-number-labels", frame, counts, same_numbers(counts), Text2(
            en="Labels that are one number in different forms: {labels}. They are learnt as different classes.",
            fa="برچسب‌هایی که یک عدد به شکل‌های متفاوت‌اند: {labels}. هر کدام برچسبی جدا یاد گرفته می‌شود.",
        ),
        hint="That is right for versions and codes (1.1 and 1.10, 007 and 7). Where they are one value, write them alike.",
        hint_fa="برای نسخه‌ها و کدها درست است (1.1 و 1.10، یا 007 و 7). اگر یک مقدارند، یکسان بنویسیدشان.",
    )  # fmt: skip


def _same_meanings(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    return _as_one(
        "same-meaning-labels", frame, counts, same_meanings(counts), Text2(
            en="Labels that seem to mean the same: {labels}. They are learnt as different classes.",
            fa="برچسب‌هایی که گویا یک معنا دارند: {labels}. هر کدام برچسبی جدا یاد گرفته می‌شود.",
        ),
        hint="Give them one name, unless they mean different things.", hint_fa="یک نام به آن‌ها بدهید، مگر آنکه معنایشان فرق کند.",
    )  # fmt: skip


def _mixed(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    _, numbers = numbers_beside_names(counts, task.id)
    if not numbers:
        return None
    shown, named = some(numbers, 5), some([label for label in counts if label not in numbers], 5)
    return finding(
        "mixed-labels", "warning", f"Some labels are numbers ({shown.en}) and others are names ({named.en}).",
        f"بعضی از برچسب‌ها عددند ({shown.fa}) و بعضی نام ({named.fa}).",
        hint="Where a number stands for one of the names, write the name; else they are learnt as different classes.",
        hint_fa="اگر عددی به‌جای یکی از نام‌ها آمده، نام را بنویسید؛ وگرنه برچسب‌هایی جدا یاد گرفته می‌شود.", rows=_rows(frame, numbers),
    )  # fmt: skip


def _as_one(
    code: str, frame: polars.DataFrame, counts: dict[str, int], groups: list[tuple[str, list[str]]], said: Text2, *, hint: str, hint_fa: str
) -> Finding | None:
    """A warning of labels that may be one; nothing where there are none. groups: (commonest, the others). said: with a place for the first
    groups and their counts. Its rows are those whose label is not its group's commonest."""
    if not groups:
        return None
    shown = [(common, *others) for common, others in groups[:4]]
    labels = "; ".join(", ".join(f"{label!r} ({counts[label]:,})" for label in group) for group in shown)
    labels_fa = "؛ ".join("، ".join(f"«{label}» ({number_fa(counts[label])})" for label in group) for group in shown)
    hits = _rows(frame, [label for _, others in groups for label in others])
    return finding(code, "warning", said.en.format(labels=labels), said.fa.format(labels=labels_fa), hint=hint, hint_fa=hint_fa, rows=hits)


def _several(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    """Cells with more than one of the labels, as tick boxes write them."""
    made = combinations(counts)
    if not made:
        return None
    shown = some([f"{label!r} ({counts[label]:,})" for label in made], 4).en
    shown_fa = some([f"«{label}» ({number_fa(counts[label])})" for label in made], 4).fa
    hits = _rows(frame, list(made))
    count = hits.len()
    return finding(
        "several-labels", "warning", f"{counted(count, 'answer')} hold{'s' if count == 1 else ''} several labels at once: {shown}.",
        f"{number_fa(count)} پاسخ چند برچسب را با هم دارد: {shown_fa}.",
        hint="Each combination is learnt as a class of its own. Leave these rows out where a text should get one label.",
        hint_fa="هر ترکیب برچسبی جدا شمرده می‌شود. اگر هر متن باید یک برچسب بگیرد، این سطرها را کنار بگذارید.", rows=hits,
    )  # fmt: skip


def _several_lines(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    """Labels with a line's end in them, that are not several labels at once."""
    made = combinations(counts)
    broken = [label for label in counts if one_line(label) != label and label not in made]
    if not broken:
        return None
    shown = some([f"{label!r} ({counts[label]:,})" for label in broken], 4).en
    shown_fa = some([f"«{one_line(label)}» ({number_fa(counts[label])})" for label in broken], 4).fa
    return finding(
        "labels-of-several-lines", "warning", f"Labels that go over several lines: {shown}. They are listed, learnt and answered with the line's end in them.",
        f"برچسب‌هایی که چند خط دارند: {shown_fa}. با همین شکستگی خط فهرست و یاد گرفته می‌شود.",
        hint="Write each on one line.", hint_fa="هر کدام را در یک خط بنویسید.", rows=_rows(frame, broken),
    )  # fmt: skip


def check_unseen_labels(known: Iterable[str], test: polars.DataFrame, task_id: str = "") -> list[Finding]:
    """Labels of a test part that no training row has, so that no answer to their rows can be right. `known`: the labels that are
    learnt; `test`: row and answer of the rows that are scored. Where every row is of that kind it is an error."""
    known = set(known)
    counts = {label: count for label, count in label_counts(test).items() if label not in known}
    if not counts or not known:
        return []
    hits = _rows(test, list(counts))
    count, every = hits.len(), hits.len() == test.filter(polars.col("answer") != "").height
    near = known_as(counts, known, task_id)
    have, which = "have" if count > 1 else "has", some([str(row) for row in hits], 10)
    if len(counts) == 1:
        only = next(iter(counts))
        told = f"{counted(count, 'test row')} {have} the label {only[:60]!r}, which no training row has."
        told_fa = f"{number_fa(count)} سطر آزمون برچسب «{only[:60]}» را دارد که در هیچ سطر آموزش نیست."
    else:
        shown = some([f"{label!r} ({number:,})" for label, number in counts.items()], 5).en
        shown_fa = some([f"«{label}» ({number_fa(number)})" for label, number in counts.items()], 5).fa
        told = f"{counted(count, 'test row')} {have} labels that no training row has: {shown}."
        told_fa = f"{number_fa(count)} سطر آزمون برچسب‌هایی دارد که در هیچ سطر آموزش نیست: {shown_fa}."
    # Another spelling is surely the same; another word or a number for a name probably.
    sure = {label for label in near if nearest(label, known)}
    spelt = some([f"{label!r} {'is' if label in sure else 'may be'} {other!r}" for label, other in near.items()], 3).en
    spelt_fa = some([f"«{label}» {'همان' if label in sure else 'شاید همان'} «{other}»" for label, other in near.items()], 3).fa
    learnt = some(sorted(known), LISTED)
    hint = f"No answer to them can be right. Learnt are: {learnt.en}. Test rows: {which.en}."
    hint_fa = f"هیچ پاسخی به آن‌ها درست شمرده نمی‌شود. برچسب‌های آموزش: {learnt.fa}. سطرهای آزمون: {which.fa}."
    if near:
        hint, hint_fa = f"In the training rows {spelt}: write them alike. {hint}", f"در سطرهای آموزش {spelt_fa} است: یکسان بنویسیدشان. {hint_fa}"
    # The rows are the test's, which nobody can look up by number among the training rows.
    found = finding("unseen-labels", "error" if every else "warning", told, told_fa, hint=hint, hint_fa=hint_fa, count=count)
    mends = (Mend(kind="relabel", values=near),) if near else ()
    return [Finding(found.problem.model_copy(update={"mends": mends}))]


def _unknown(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    """Labels that the task (of an adapter, or a person's own) does not have."""
    unknown = [label for label in counts if task.labels and label not in task.labels]
    if not unknown:
        return None
    shown, known = some(unknown, 5), some(task.labels, LISTED)
    return finding(
        "unknown-labels", "warning", f"Labels that the task does not have: {shown.en}.", f"برچسب‌هایی که این کار ندارد: {shown.fa}.",
        hint=f"It has: {known.en}.", hint_fa=f"برچسب‌های کار: {known.fa}.", rows=_rows(frame, unknown),
    )  # fmt: skip


def _small(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    """Classes that cannot be held out: equal inputs are never parted, so it is different ones that count."""
    roles = inputs_of(frame, task)
    if roles:
        # A class of many rows that has but two inputs is told of as duplicates.
        seldom = frame.filter(polars.col("answer").is_in([label for label, count in counts.items() if count <= SELDOM]))
        different = seldom.select("answer", key=key_of(roles)).group_by("answer").agg(polars.col("key").n_unique())
        few = set(different.filter(polars.col("key") < LEAST)["answer"].to_list())
    else:
        few = {label for label, count in counts.items() if count < LEAST}
    small = [label for label in reversed(counts) if label in few]
    if not small:
        return None
    shown = some(small, 5)
    return finding(
        "small-classes", "warning",
        f"{counted(len(small), 'class', 'classes')} with fewer than {LEAST} different inputs: {shown.en}.",
        f"{number_fa(len(small))} برچسب کمتر از {number_fa(LEAST)} ورودیِ متفاوت دارد: {shown.fa}.",
        hint="A class needs one row to learn from, one to choose the checkpoint and one to be scored; add some, merge it, or correct"
        " a misspelling.",
        hint_fa="هر برچسب دست‌کم یک سطر برای آموزش، یکی برای اعتبارسنجی و یکی برای آزمون می‌خواهد؛ سطر بیفزایید، برچسب را با دیگری یکی کنید"
        " یا غلط املایی را درست کنید.",
        rows=_rows(frame, small), count=len(small),
    )  # fmt: skip


def _imbalance(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    largest, count = next(iter(counts.items()))
    share = count / frame.height
    if share < max(0.7, 2 / len(counts)) and not (len(counts) == 2 and share >= 0.8):
        return None
    return finding(
        "imbalance", "warning" if share > 0.9 else "info",
        f"{share:.0%} of the rows are {largest[:40]!r}: always answering that would look {share:.0%} right.",
        f"{percent_fa(share)} سطرها «{largest[:40]}» است: کسی که همیشه همین را بگوید {percent_fa(share)} درست به نظر می‌رسد.",
        hint="Look at balanced accuracy and macro F1, which are not taken in by it.",
        hint_fa="به دقتِ متوازن و F1 کلان نگاه کنید که فریب این را نمی‌خورند.", count=count,
    )  # fmt: skip


def _numbers(frame: polars.DataFrame, task: Task, counts: dict[str, int]) -> Finding | None:
    if not all(re.fullmatch(r"-?\d+(\.\d+)?", label) for label in counts):
        return None
    shown = some(list(counts), 7)
    return finding(
        "numeric-labels", "info", f"The classes are numbers ({shown.en}), which say nothing to the model.",
        f"برچسب‌ها عددند ({shown.fa}) و به مدل چیزی نمی‌گویند.",
        hint="Names such as positive and negative are learnt faster; a base knows what they mean.",
        hint_fa="نام‌هایی مانند «مثبت» و «منفی» زودتر آموخته می‌شوند؛ مدل پایه معنایشان را می‌داند.", count=len(counts),
    )  # fmt: skip
