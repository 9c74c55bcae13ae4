"""Mends: fixes, applied with a click, for problems that the pre-flight found.

A mend never changes the file. It is a short note (`schema.Mend`) stored with the dataset's other facts. A run reads the
file and its mends together, so the page, the shell and the worker see the same rows, and removing a mend undoes it.
Rows keep their numbers in the file.

    apply_mends(table, task, mapping, mends)        the table afterwards, with what each of them did

`offers` decides which mends a finding shows; `mend_arguments` defines their text form.

A mend that leaves rows out finds them again with the same check. In a test part, mends change only what they would
change in an adapter's later input (labels joined, letters repaired); they never leave out a test row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import polars

from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _, as_message, several
from lora_hub.core.schema import Mend, Task
from lora_hub.data.mending import mend_rows
from lora_hub.data.tables.nested_cells import plain_cells
from lora_hub.data.tables.table import Table

# Names of rows that can be left out, by the code of the finding that reports them.
DROPPED: dict[str, Message] = {
    "duplicates": _("repeated rows"),
    "near-duplicates": _("rows nearly like an earlier one"),
    "conflicting-answers": _("rows whose input has several answers"),
    "empty-answers": _("rows without an answer"),
    "empty-inputs": _("rows without an input"),
    "header-inside": _("repeated headers"),
    "small-classes": _("classes with too few rows"),
    "several-labels": _("rows with several labels"),
    "unknown-labels": _("rows with an unknown label"),
    "placeholders": _("rows with a placeholder left in"),
    "secrets": _("rows with what looks like a secret"),
    "personal-data": _("rows with what looks like personal data"),
    "damaged-letters": _("rows with damaged letters"),
    "wrong-language": _("pairs in another language"),
    "third-language": _("pairs in a third language"),
    "swapped-pairs": _("swapped pairs"),
    "answer-is-input": _("rows whose answer is their input"),
    "long-texts": _("very long rows"),
    "unreadable-chats": _("conversations that are not understood"),
    "empty-chats": _("empty conversations"),
    "chats-without-answer": _("conversations without an answer"),
    "chats-not-learnt": _("conversations whose answers are all context only"),
    "assistant-first": _("conversations that begin with the assistant"),
    "missing-words": _("rows with a word for a missing value"),
    "system-only": _("conversations that have only a system turn"),
    "broken-calls": _("conversations with broken tool calls"),
    "half-thoughts": _("rows with thoughts that are cut off"),
    "repeating-text": _("texts that repeat themselves"),
}


@dataclass(frozen=True)
class Kind:
    """A kind of mend. do: (table, task, mapping, values) -> table. short: the button's text. done: its text in the list
    of what was done. for_test: whether it also changes a test part. fills_columns: it changes the content of columns,
    whatever their role, and so the proposed roles; its `do` ignores task and mapping."""

    do: Callable[[Table, Task | None, dict[str, str], dict[str, str]], Table]
    short: Message
    done: Message
    for_test: bool = False
    fills_columns: bool = False


@dataclass(frozen=True)
class Done:
    """An applied mend. rows: how many it left out or changed. missed: the labels it should rename that no row has, each
    with the nearest existing one."""

    mend: Mend
    rows: int
    missed: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict:
        return {**self.mend.model_dump(mode="json"), "rows": self.rows, "said": describe(self.mend).en}


def apply_mends(table: Table, task: Task, mapping: dict[str, str], mends: Sequence[Mend]) -> tuple[Table, list[Done]]:
    """The table with the task's columns as text (`nested_cells`), after `mends` in order; `table` itself does not
    change. Raises DataError for an unknown mend."""
    done = []
    table = plain_cells(table, task, mapping)
    for mend in mends:
        kind = kind_of(mend)
        mended = kind.do(table, task, mapping, mend.values)
        if kind.for_test and table.test is not None:
            mended = replace(mended, test=kind.do(table.test, task, mapping, mend.values))
        missed = mend_rows.missed_labels(table, task, mapping, mend.values) if mend.kind == "relabel" else {}
        done.append(Done(mend, _difference(table, mended), missed))
        table = mended
    return table, done


def with_filled_columns(table: Table, mends: Sequence[Mend]) -> Table:
    """The table after the mends that fill columns; task and columns are proposed from it. Raises DataError for an
    unknown mend."""
    for mend in mends:
        kind = kind_of(mend)
        table = kind.do(table, None, {}, mend.values) if kind.fills_columns else table
    return table


def for_test(mends: Sequence[Mend]) -> tuple[Mend, ...]:
    """The mends that also apply to a separate test file. Raises DataError for an unknown mend."""
    return tuple(mend for mend in mends if kind_of(mend).for_test)


def button(mend: Mend) -> Message:
    """The text of a mend's button."""
    return kind_of(mend).short


def describe(mend: Mend) -> Message:
    """What a mend that was applied did, such as "Left out: repeated rows"."""
    values = {key: value for key, value in mend.values.items() if key in ("into", "column")}
    if "code" in mend.values:
        values["what"] = DROPPED.get(mend.values["code"], as_message(mend.values["code"]))
    if mend.kind == "relabel":
        values["pairs"] = several([_("{old} → {new}", old=old, new=new) for old, new in mend.values.items()], most=6)
    if "rows" in mend.values:
        values["rows"] = several(
            [int(row) if row.isdecimal() else row for row in mend.values["rows"].split(",")], most=8
        )
    if "characters" in mend.values:
        values["characters"] = (
            int(mend.values["characters"]) if mend.values["characters"].isdecimal() else mend.values["characters"]
        )
    return kind_of(mend).done.filled(values)


def kind_of(mend: Mend) -> Kind:
    """Raises DataError for an unknown mend: from a file of another version, or mistyped."""
    if mend.kind not in MENDS:
        raise DataError(
            _("There is no mend {kind!r}."), _("It is one of: {codes}."), kind=mend.kind, codes=several(MENDS)
        )
    if mend.kind == "drop" and mend.values.get("code") not in DROPPED:
        raise DataError(
            _("Rows cannot be left out by {code!r}."),
            _("It is one of: {codes}."),
            code=mend.values.get("code"),
            codes=several(DROPPED),
        )
    return MENDS[mend.kind]


def _difference(before: Table, after: Table) -> int:
    """How many rows were left out, or else changed, including those of the test part."""
    tested = (
        _difference(before.test, after.test)
        if before.test is not None and after.test is not None and before.test is not after.test
        else 0
    )
    if before.rows != after.rows:
        return before.rows - after.rows + tested
    columns = [name for name in after.columns if not before.frame[name].equals(after.frame[name], null_equal=True)]
    if not columns:
        return tested
    changed = polars.DataFrame([before.texts(name).ne_missing(after.texts(name)).alias(name) for name in columns])
    return int(changed.select(polars.any_horizontal(polars.all()).sum()).item()) + tested


MENDS: dict[str, Kind] = {
    "drop": Kind(mend_rows.drop, _("Leave these rows out"), _("Left out: {what}")),
    "leave-out": Kind(
        mend_rows.leave_out,
        _("Leave these rows out"),
        _("Left out: rows {rows}"),
    ),
    "keep-commonest": Kind(
        mend_rows.keep_commonest,
        _("Keep the commonest answer"),
        _("Of several answers the commonest was kept"),
    ),
    "relabel": Kind(mend_rows.relabel, _("Rename labels"), _("Labels renamed: {pairs}"), for_test=True),
    "fill-down": Kind(
        mend_rows.fill_down,
        _("Fill it down"),
        _("Empty cells in {column} filled with the value above them"),
        for_test=True,
        fills_columns=True,
    ),
    "mask": Kind(
        mend_rows.mask,
        _("Put a mark in their place"),
        _("Secrets and personal data replaced by marks such as [e-mail]"),
        for_test=True,
    ),
    "mend-letters": Kind(
        mend_rows.mend_letters,
        _("Mend the letters"),
        _("Damaged letters mended"),
        for_test=True,
    ),
    "plain-text": Kind(
        mend_rows.plain_text,
        _("Make it plain text"),
        _("HTML tags taken out and entities such as &amp; written as letters"),
        for_test=True,
    ),
    "swap": Kind(mend_rows.swap, _("Swap them back"), _("Swapped pairs put right")),
    "shorten": Kind(
        mend_rows.shorten,
        _("Shorten their input"),
        _("Inputs shortened so that a row has at most {characters} characters"),
        for_test=True,
    ),
    "join-overflow": Kind(
        mend_rows.join_overflow,
        _("Put the pieces back together"),
        _("Texts that were cut at a delimiter joined again in {into}"),
        for_test=True,
        fills_columns=True,
    ),
}
