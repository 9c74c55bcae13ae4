"""Checks whole rows: empty ones, a repeated header, duplicates, one input with several answers, too few rows."""

import polars

from lora_hub.core.messages import _, _n, several
from lora_hub.core.schema import Task
from lora_hub.data.checks.rows import Check, empty, filled_rows, inputs_of, key_of, required_of
from lora_hub.data.tables.findings import Finding, finding
from lora_hub.data.tables.table import Table

LONG = 20_000  # characters; longer than the context of most available bases
# Rows. A small trained model passes a large general one at about a hundred labelled rows (arXiv 2402.12819).
FEW = 60
# What people and programs write for a missing value. "none", "no" and "unknown" may be answers, so they do not count;
# among labels, marks such as - and ? do not count either.
NOTHING = r"(?i)^(?:n/?a|nan|nat|null|nil|undefined|tbd|todo|#(?:n/a|ref!|value!|name\?|div/0!|null!|num!))$"
MARKS = r"^[-–—_?؟.…/\\]+$"


def check_rows(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> list[Finding]:
    """`frame`: row and the stripped text of each role. Finds what is empty or not data."""
    checks = (_empty_answers, _empty_inputs, _nothing_left, _header_inside, _words_for_nothing)
    return [found for check in checks if (found := check(frame, task, mapping))]


def check_size(frame: polars.DataFrame, task: Task) -> list[Finding]:
    """Finds too few rows, and texts longer than any base's context."""
    return [found for check in (_few_rows, _long_texts) if (found := check(frame, task))]


def _empty_answers(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Finding | None:
    if "answer" not in frame.columns:
        return None
    hits = frame.filter(empty("answer"))["row"]
    if not hits.len():
        return None
    said = _n(
        "{count:,} row without an answer in {column!r} will be left out.",
        "{count:,} rows without an answer in {column!r} will be left out.",
        count=hits.len(),
        column=mapping["answer"],
    )
    return finding(
        "empty-answers", "warning", said, hint=_("Fill them in, or take another column as the answer."), rows=hits
    )


def _empty_inputs(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Finding | None:
    roles = required_of(frame, task)
    if not roles:
        return None
    hits = frame.filter(polars.any_horizontal([empty(role) for role in roles]))["row"]
    if not hits.len():
        return None
    said = _n(
        "{count:,} row with nothing in {columns} will be left out.",
        "{count:,} rows with nothing in {columns} will be left out.",
        count=hits.len(),
        columns=several([mapping[role] for role in roles], "or", quoted=True),
    )
    return finding(
        "empty-inputs", "warning", said, hint=_("Fill them in, or take another column as the input."), rows=hits
    )


def _nothing_left(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Finding | None:
    if "answer" not in frame.columns or not required_of(frame, task) or filled_rows(frame, task).height:
        return None
    taken = list(mapping.values())
    return finding(
        "nothing-left",
        "error",
        _("No row has both an input and an answer (columns taken: {taken}).", taken=several(taken, quoted=True)),
        hint=_("Take other columns."),
        count=frame.height,
    )


def _header_inside(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Finding | None:
    roles = [role for role in (*task.inputs, "answer") if role in frame.columns]
    if not roles:
        return None
    hits = frame.filter(polars.all_horizontal([polars.col(role) == mapping[role] for role in roles]))["row"]
    if not hits.len():
        return None
    said = _n(
        "{count:,} row repeats the header in the middle of the data.",
        "{count:,} rows repeat the header in the middle of the data.",
        count=hits.len(),
    )
    return finding(
        "header-inside",
        "warning",
        said,
        hint=_("Remove them: files were probably put one behind the other."),
        rows=hits,
    )


def _words_for_nothing(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Finding | None:
    """Answers such as N/A and null. If many rows of a classification task have one, it is a class and not a gap."""
    if "answer" not in frame.columns:
        return None
    answer = polars.col("answer")
    said = (
        answer.str.contains(NOTHING)
        if task.output == "labels"
        else answer.str.contains(NOTHING) | answer.str.contains(MARKS)
    )
    found = frame.filter(answer.str.len_bytes().is_between(1, 20)).filter(said)
    if not found.height or found.height > 0.5 * frame.height:
        return None
    said = _n(
        "In {count:,} row the answer only says that there is none ({words}).",
        "In {count:,} rows the answer only says that there is none ({words}).",
        count=found.height,
        words=several(found["answer"].unique(maintain_order=True).to_list(), most=4),
    )
    return finding(
        "missing-words",
        "warning",
        said,
        hint=_("Leave them out, or the adapter learns to write that."),
        rows=found["row"],
    )


def check_duplicates(table: Table, mapping: dict[str, str]) -> list[Finding]:
    """The second and later copies of rows whose inputs and answer are exactly the same."""
    roles = list(mapping)
    frame = polars.DataFrame([table.texts(column).alias(role) for role, column in mapping.items()])
    frame = frame.select(key=key_of(roles), filled=polars.any_horizontal([polars.col(role) != "" for role in roles]))
    hits = table.numbers().filter(~frame["key"].is_first_distinct() & frame["filled"].fill_null(False))
    if not hits.len():
        return []
    said = _n(
        "{count:,} row repeats an earlier one, input and answer alike.",
        "{count:,} rows repeat an earlier one, input and answer alike.",
        count=hits.len(),
    )
    hint = _("Equal rows are kept on one side of the split; remove them so that they do not count twice.")
    return [finding("duplicates", "warning", said, hint=hint, rows=hits)]


def check_conflicts(frame: polars.DataFrame, task: Task) -> list[Finding]:
    """Inputs with several answers: in a classification task, not all can be right. `rows`: all rows involved."""
    roles = inputs_of(frame, task)
    if "answer" not in frame.columns or not roles:
        return []
    key = frame.select(key=key_of(roles)).to_series()
    again = key.is_duplicated()
    repeated = (
        frame.select("row", "answer").filter(again).with_columns(key.filter(again), polars.col("answer").hash(seed=0))
    )
    repeating = repeated.group_by("key").agg(polars.col("answer").n_unique()).filter(polars.col("answer") > 1)["key"]
    if not repeating.len():
        return []
    hits = repeated.filter(polars.col("key").is_in(repeating.implode()))["row"].sort()
    wrong = task.output == "labels"
    count = repeating.len()
    said = _n("{count:,} input has more than one answer.", "{count:,} inputs have more than one answer.", count=count)
    hint = _("Decide which answer is right.") if wrong else _("That is fine where several answers are right.")
    return [finding("conflicting-answers", "warning" if wrong else "info", said, hint=hint, rows=hits, count=count)]


def _few_rows(frame: polars.DataFrame, task: Task) -> Finding | None:
    if frame.height >= FEW:
        return None
    said = _n(
        "{count:,} row is very few to learn from.", "{count:,} rows are very few to learn from.", count=frame.height
    )
    hint = _(
        "A few hundred rows is where results begin to hold. Of so few, the base may learn as much from examples in its "
        "prompt, without a training: the run compares both, and says at the end which was better."
    )
    return finding("few-rows", "warning", said, hint=hint, count=frame.height)


def _long_texts(frame: polars.DataFrame, task: Task) -> Finding | None:
    roles = [role for role in (*task.inputs, "answer") if role in frame.columns]
    # A text never has more characters than bytes, and its bytes are known without decoding.
    long = frame.filter(polars.sum_horizontal([polars.col(role).str.len_bytes() for role in roles]) > LONG)
    lengths = long.select("row", length=polars.sum_horizontal([polars.col(role).str.len_chars() for role in roles]))
    lengths = lengths.filter(polars.col("length") > LONG)
    if not lengths.height:
        return None
    count, longest = lengths.height, int(lengths["length"].max())
    said = _n(
        "{count:,} row is longer than {long:,} characters, the longest {longest:,}.",
        "{count:,} rows are longer than {long:,} characters, the longest {longest:,}.",
        count=count,
        long=LONG,
        longest=longest,
    )
    hint = _(
        "What is longer than the base's context is left out; shorten the texts or choose a base with a longer one."
    )
    return finding("long-texts", "warning", said, hint=hint, rows=lengths["row"])


CHECKS = (
    Check(10, "rows", lambda rows: check_rows(rows.frame, rows.task, rows.mapping)),
    Check(30, "filled", lambda rows: check_conflicts(rows.filled, rows.task)),
    Check(80, "all", lambda rows: check_duplicates(rows.table, rows.mapping)),
    Check(90, "all", lambda rows: check_size(rows.frame, rows.task)),
)
