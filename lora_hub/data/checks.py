"""Pre-flight: what is wrong with the data, told before a GPU second is spent.

Every check looks at all rows at once (polars) and gives at most one Problem: a code, a severity, a sentence, what to do, how
many rows and which (at most ten, counted from 1). An error stops a run; a warning and an info do not. What looks like a
secret is told by row and kind, never shown.

    check_table(table, task, mapping)          one table
    check_overlap(task, train, test, ...)      rows of the training table that are in the test table
"""

from collections.abc import Callable

import polars

from lora_hub.data.check_chats import check_chats
from lora_hub.data.check_labels import check_labels
from lora_hub.data.check_texts import check_characters, check_placeholders, check_secrets
from lora_hub.data.column_facts import SCRIPTS, script_of
from lora_hub.data.near_duplicates import check_near_duplicates
from lora_hub.data.table import SHOWN_ROWS, Table
from lora_hub.schema import Problem, Task

LONG = 20_000  # characters: longer than any base at hand reads at once
FEW = 50


def check_table(table: Table, task: Task, mapping: dict[str, str]) -> list[Problem]:
    """All findings, errors first. Roles that are not mapped are passed over."""
    usable = {role: column for role, column in mapping.items() if column in table.columns}
    if not usable:
        return []
    frame = rows_of(table, task, usable)
    problems: list[Problem] = []
    if task.is_chat:
        problems += check_chats(table.frame[usable["messages"]])
    else:
        for check in (_empty_answers, _empty_inputs, _nothing_left, _header_inside):
            problems += _one(check, frame, task, usable)
        filled = _filled(frame, task)
        if filled.height:
            problems += check_labels(filled, task)
            for check in (_conflicts, _copied_answers, _languages):
                problems += _one(check, filled, task, usable)
    problems += _duplicates(table, usable)
    for check in (_few_rows, _long_texts):
        problems += _one(check, frame, task, usable)
    texts = [role for role in (*task.inputs, *(["answer"] if task.output == "text" else [])) if role in frame.columns]
    for whole in (check_near_duplicates, check_placeholders, check_secrets, check_characters):
        problems += whole(frame, texts) if texts else []
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(problems, key=lambda problem: order[problem.severity])


def rows_of(table: Table, task: Task, mapping: dict[str, str]) -> polars.DataFrame:
    """`row` (from 1) and the text of every mapped role, white space around it aside; a missing value is an empty text."""
    columns = {role: table.texts(column).fill_null("").str.strip_chars() for role, column in mapping.items()}
    return polars.DataFrame(
        [polars.int_range(1, table.rows + 1, dtype=polars.UInt32, eager=True).alias("row")]
        + [series.alias(role) for role, series in columns.items()]
    )


def _one(check: Callable, frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> list[Problem]:
    problem = check(frame, task, mapping)
    return [problem] if problem else []


def _found(frame: polars.DataFrame, where: polars.Expr) -> tuple[int, tuple[int, ...]]:
    """How many rows a condition holds for, and the first of them."""
    hits = frame.filter(where)["row"]
    return hits.len(), tuple(hits.head(SHOWN_ROWS).to_list())


def _empty(role: str) -> polars.Expr:
    return polars.col(role) == ""


def _inputs(frame: polars.DataFrame, task: Task) -> list[str]:
    return [role for role in task.inputs if role in frame.columns]


def _required(frame: polars.DataFrame, task: Task) -> list[str]:
    return [role for role in _inputs(frame, task) if role not in task.optional_inputs]


def _filled(frame: polars.DataFrame, task: Task) -> polars.DataFrame:
    """Rows that can be trained on: no required text is empty."""
    roles = [*_required(frame, task), *(["answer"] if "answer" in frame.columns else [])]
    return frame.filter(~polars.any_horizontal([_empty(role) for role in roles])) if roles else frame


def _key(roles: list[str]) -> polars.Expr:
    """A 64-bit key of the texts of these roles: a million rows collide with a chance of 3e-8."""
    key = polars.col(roles[0]).fill_null("").hash(seed=0)
    for number, role in enumerate(roles[1:], 1):
        key = key ^ polars.col(role).fill_null("").hash(seed=number)
    return key


def _s(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _empty_answers(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Problem | None:
    if "answer" not in frame.columns:
        return None
    count, rows = _found(frame, _empty("answer"))
    if not count:
        return None
    return Problem(
        code="empty-answers", severity="warning", count=count, rows=rows,
        message=f"{_s(count, 'row')} without an answer in {mapping['answer']!r} will be left out.",
        hint="Fill them in, or take another column as the answer.",
    )  # fmt: skip


def _empty_inputs(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Problem | None:
    roles = _required(frame, task)
    if not roles:
        return None
    count, rows = _found(frame, polars.any_horizontal([_empty(role) for role in roles]))
    if not count:
        return None
    names = " or ".join(repr(mapping[role]) for role in roles)
    return Problem(
        code="empty-inputs", severity="warning", count=count, rows=rows,
        message=f"{_s(count, 'row')} with nothing in {names} will be left out.",
        hint="Fill them in, or take another column as the input.",
    )  # fmt: skip


def _nothing_left(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Problem | None:
    if "answer" not in frame.columns or not _required(frame, task) or _filled(frame, task).height:
        return None
    return Problem(
        code="nothing-left", severity="error", count=frame.height,
        message=f"No row has both an input and an answer (columns taken: {', '.join(map(repr, mapping.values()))}).",
        hint="Take other columns.",
    )  # fmt: skip


def _header_inside(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Problem | None:
    roles = [role for role in (*task.inputs, "answer") if role in frame.columns]
    if not roles:
        return None
    count, rows = _found(frame, polars.all_horizontal([polars.col(role) == mapping[role] for role in roles]))
    if not count:
        return None
    return Problem(
        code="header-inside", severity="warning", count=count, rows=rows,
        message=f"{_s(count, 'row')} repeat{'s' if count == 1 else ''} the header in the middle of the data.",
        hint="Remove them: files were probably put one behind the other.",
    )  # fmt: skip


def _duplicates(table: Table, mapping: dict[str, str]) -> list[Problem]:
    """The second and later copies of rows that are alike to the letter in inputs and answer."""
    roles = list(mapping)
    frame = polars.DataFrame([table.texts(column).alias(role) for role, column in mapping.items()])
    frame = frame.select(key=_key(roles), filled=polars.any_horizontal([polars.col(role) != "" for role in roles]))
    repeated = (~frame["key"].is_first_distinct() & frame["filled"].fill_null(False)).arg_true() + 1
    count, rows = repeated.len(), tuple(repeated.head(SHOWN_ROWS).to_list())
    if not count:
        return []
    return [
        Problem(
            code="duplicates", severity="warning", count=count, rows=rows,
            message=f"{_s(count, 'row')} repeat{'s' if count == 1 else ''} an earlier one, input and answer alike.",
            hint="Equal rows are kept on one side of the split; remove them so that they do not count twice.",
        )
    ]  # fmt: skip


def _conflicts(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Problem | None:
    """Inputs that have several answers: one label task's data cannot be right about both."""
    roles = _inputs(frame, task)
    if "answer" not in frame.columns or not roles:
        return None
    keyed = frame.select("row", key=_key(roles), answer=polars.col("answer").hash(seed=0))
    repeated = keyed.filter(polars.col("key").is_duplicated())
    several = repeated.group_by("key").agg(polars.col("answer").n_unique(), polars.col("row").min())
    several = several.filter(polars.col("answer") > 1).sort("row")
    if not several.height:
        return None
    rows = repeated.filter(polars.col("key").is_in(several["key"].head(SHOWN_ROWS).implode())).sort("row")["row"]
    wrong = task.output == "labels"
    return Problem(
        code="conflicting-answers", severity="warning" if wrong else "info", count=several.height,
        rows=tuple(rows.head(SHOWN_ROWS).to_list()),
        message=f"{_s(several.height, 'input')} {'has' if several.height == 1 else 'have'} more than one answer.",
        hint="Decide which answer is right." if wrong else "That is fine where several answers are right.",
    )  # fmt: skip


def _copied_answers(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Problem | None:
    roles = _required(frame, task)
    if task.output == "labels" or "answer" not in frame.columns or not roles:
        return None
    same = polars.any_horizontal([polars.col(role) == polars.col("answer") for role in roles])
    count, rows = _found(frame, same)
    if not count or (task.id == "grammar" and count < 0.8 * frame.height):  # a correct text is its own correction
        return None
    return Problem(
        code="answer-is-input", severity="warning", count=count, rows=rows,
        message=f"In {_s(count, 'row')} the answer is the same text as the input.",
        hint="The adapter would learn to copy; see whether the right columns were taken.",
    )  # fmt: skip


def _languages(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Problem | None:
    """Translation pairs whose source or target is in the other's script: swapped, or not translated."""
    if task.id != "translation" or not {"source", "answer"} <= set(frame.columns):
        return None
    sample = frame.head(2_000)
    usual = {role: script_of(" ".join(sample[role].to_list())[:200_000]) for role in ("source", "answer")}
    if not all(usual.values()) or usual["source"] == usual["answer"]:
        return None
    def other(role: str, against: str) -> polars.Expr:
        own, wrong = SCRIPTS[usual[role]].pattern, SCRIPTS[usual[against]].pattern
        return polars.col(role).str.count_matches(wrong) > 2 * polars.col(role).str.count_matches(own) + 2

    count, rows = _found(frame, other("source", "answer") | other("answer", "source"))
    if not count:
        return None
    swapped, _ = _found(frame, other("source", "answer") & other("answer", "source"))
    told = f", {swapped:,} of them with source and target swapped" if swapped else ""
    return Problem(
        code="wrong-language", severity="warning", count=count, rows=rows,
        message=f"{_s(count, 'pair')} {'is' if count == 1 else 'are'} not from {usual['source']} to {usual['answer']} script as the"
        f" others are{told}.",
        hint="Swap or remove these rows.",
    )  # fmt: skip


def _few_rows(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Problem | None:
    if frame.height >= FEW:
        return None
    return Problem(
        code="few-rows", severity="warning", count=frame.height,
        message=f"{_s(frame.height, 'row')} {'is' if frame.height == 1 else 'are'} very few to learn from and to measure with.",
        hint="A few hundred rows is where results begin to hold.",
    )  # fmt: skip


def _long_texts(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Problem | None:
    roles = [role for role in (*task.inputs, "answer") if role in frame.columns]
    lengths = frame.select("row", length=polars.sum_horizontal([polars.col(role).str.len_chars() for role in roles]))
    count, rows = _found(lengths, polars.col("length") > LONG)
    if not count:
        return None
    longest = int(lengths["length"].max())
    return Problem(
        code="long-texts", severity="warning", count=count, rows=rows,
        message=f"{_s(count, 'row')} {'is' if count == 1 else 'are'} longer than {LONG:,} characters, the longest {longest:,}.",
        hint="What is longer than the base's context is left out; shorten the texts or choose a base with a longer one.",
    )  # fmt: skip


def check_overlap(
    task: Task, train: Table, train_mapping: dict[str, str], test: Table, test_mapping: dict[str, str]
) -> list[Problem]:
    """Rows of the training table whose inputs are in the test table, too (case and spaces aside). `rows`: of the training
    table. With them the score would measure memory."""
    roles = [role for role in task.inputs if role in train_mapping and role in test_mapping]
    if not roles:
        return []

    def keys(table: Table, mapping: dict[str, str]) -> polars.DataFrame:
        frame = rows_of(table, task, {role: mapping[role] for role in roles})
        normal = [polars.col(role).str.to_lowercase().str.replace_all(r"\s+", " ") for role in roles]
        return frame.with_columns(normal).select("row", key=_key(roles))

    trained, tested = keys(train, train_mapping), keys(test, test_mapping)
    count, rows = _found(trained, polars.col("key").is_in(tested["key"].implode()))
    if not count:
        return []
    both = tested.filter(polars.col("key").is_in(trained["key"].implode())).height
    return [
        Problem(
            code="leakage", severity="warning", count=count, rows=rows,
            message=f"{_s(count, 'training row')} {'is' if count == 1 else 'are'} in the test file, too "
            f"({both:,} of its {test.rows:,} rows).",
            hint="They are not trained on, so that the score measures learning and not memory.",
        )
    ]  # fmt: skip
