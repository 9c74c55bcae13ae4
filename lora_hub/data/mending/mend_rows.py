"""What each kind of mend does to a table: (table, task, mapping, values) -> table. The given table never changes.

`mends` lists the kinds, their names and when they are offered.
"""

import difflib
from dataclasses import replace

import polars

from lora_hub.core.schema import Task
from lora_hub.data.checks import checks
from lora_hub.data.checks.check_blanks import filled_down, says_it_once
from lora_hub.data.checks.check_secrets import mask_series
from lora_hub.data.checks.check_texts import SUSPECT
from lora_hub.data.checks.check_texts import mend_letters as undo_mojibake
from lora_hub.data.checks.label_meanings import known_as
from lora_hub.data.checks.rows import rows_of
from lora_hub.data.tables.findings import NO_ROWS
from lora_hub.data.tables.overflow import goes_on, overflow_columns
from lora_hub.data.tables.table import Table

MOST_LABELS = 1_000  # candidates for a mistyped label


def keep_rows(table: Table, keep: polars.Series) -> Table:
    """The rows for which `keep` (Boolean) is true, with their numbers in the file."""
    return replace(table, frame=table.frame.filter(keep), row_numbers=table.numbers().filter(keep))


def drop(table: Table, task: Task, mapping: dict[str, str], values: dict[str, str]) -> Table:
    return keep_rows(table, ~_found(table, task, mapping, values.get("code", "")))


def leave_out(table: Table, task: Task, mapping: dict[str, str], values: dict[str, str]) -> Table:
    """The table without the rows with these numbers in the file. Used when the check that refuses them may not be
    available (a base's template)."""
    named = [int(number) for number in values.get("rows", "").split(",") if number.strip().isdigit()]
    return keep_rows(table, ~table.numbers().is_in(named))


def _found(table: Table, task: Task, mapping: dict[str, str], code: str) -> polars.Series:
    """Boolean: the rows that the check with this code finds now."""
    rows = next((found.rows for found in checks.find(table, task, mapping) if found.problem.code == code), NO_ROWS)
    return table.numbers().is_in(rows.implode())


def keep_commonest(table: Table, task: Task, mapping: dict[str, str], values: dict[str, str]) -> Table:
    """For an input with several answers, keeps the rows with the commonest one; on a tie, keeps none."""
    roles = [role for role in task.inputs if role in mapping]
    frame = rows_of(table, task, {role: mapping[role] for role in (*roles, "answer")})
    counted = frame.group_by(*roles, "answer").len()
    counted = counted.with_columns(most=polars.col("len").max().over(roles), answers=polars.len().over(roles))
    best = counted.filter(polars.col("len") == polars.col("most")).with_columns(ties=polars.len().over(roles))
    good = best.filter((polars.col("ties") == 1) | (polars.col("answers") == 1)).select(*roles, "answer", kept=True)
    # Rows without an answer contradict nothing; another check reports them.
    kept = frame.join(good, on=[*roles, "answer"], how="left", maintain_order="left")["kept"].fill_null(False)
    return keep_rows(table, kept | (frame["answer"] == ""))


def relabel(table: Table, task: Task, mapping: dict[str, str], values: dict[str, str]) -> Table:
    column = mapping.get("answer", "")
    if column not in table.columns or table.is_nested(column):
        return table
    old = table.texts(column)
    new = old.str.strip_chars().replace(values)
    return _with(
        table, {column: polars.select(polars.when(new != old.str.strip_chars()).then(new).otherwise(old)).to_series()}
    )


def missed_labels(table: Table, task: Task | None, mapping: dict[str, str], values: dict[str, str]) -> dict[str, str]:
    """Labels for `relabel` that neither a row nor a test part has: label -> the nearest existing one, "" if none is
    near."""
    column = mapping.get("answer", "")
    there = {
        label: None
        for part in (table, table.test)
        if part is not None and column in part.columns
        for label in part.texts(column).drop_nulls().str.strip_chars().unique(maintain_order=True).to_list()
    }
    missed = [label for label in values if label not in there]
    if not missed:
        return {}
    near = known_as(missed, list(there)[:MOST_LABELS], task.id if task is not None else "")
    return {
        label: near.get(label) or next(iter(difflib.get_close_matches(label, list(there)[:MOST_LABELS], n=1)), "")
        for label in missed
    }


def fill_down(table: Table, task: Task, mapping: dict[str, str], values: dict[str, str]) -> Table:
    """Repeats each value in the empty cells below it. Does nothing if a column (of a test file, for instance) does not
    have that form."""
    column = values.get("column", "")
    if column not in table.columns or table.is_nested(column) or not says_it_once(table.frame[column]):
        return table
    return _with(table, {column: filled_down(table.frame[column])})


def shorten(table: Table, task: Task, mapping: dict[str, str], values: dict[str, str]) -> Table:
    """Cuts the end of the longest input of each row that is too long, at a space if possible; answers stay whole."""
    most = int(values.get("characters", "0") or 0)
    roles = [role for role in task.inputs if role in mapping and not table.is_nested(mapping[role])]
    if most <= 0 or not roles:
        return table
    frame = rows_of(table, task, {role: mapping[role] for role in roles + (["answer"] if "answer" in mapping else [])})
    lengths = frame.select(
        polars.col(name).str.len_chars().cast(polars.Int64) for name in frame.columns if name != "row"
    )
    over = (lengths.select(polars.sum_horizontal(polars.all())).to_series() - most).clip(lower_bound=0)
    longest = lengths.select(polars.max_horizontal(roles)).to_series()
    changed, spent = {}, polars.Series([False] * table.rows)
    for role in roles:
        here = (over > 0) & (lengths[role] == longest) & ~spent
        spent = spent | here
        room = (lengths[role] - over).clip(lower_bound=0)
        cut = (
            polars.DataFrame({"text": frame[role], "room": room})
            .select(polars.col("text").str.slice(0, polars.col("room")))
            .to_series()
        )
        cut = cut.str.replace(r"(\S)\s+\S*$", "$1")
        text = table.texts(mapping[role])
        changed[mapping[role]] = (
            polars.DataFrame({"here": here, "cut": cut, "text": text})
            .select(polars.when("here").then("cut").otherwise("text"))
            .to_series()
        )
    return _with(table, changed)


def swap(table: Table, task: Task, mapping: dict[str, str], values: dict[str, str]) -> Table:
    here = _found(table, task, mapping, "swapped-pairs")
    if not here.any():
        return table  # perhaps another task, without a source
    first, second = mapping["source"], mapping["answer"]
    both = polars.DataFrame({"here": here, "a": table.texts(first), "b": table.texts(second)})
    return _with(
        table,
        {
            first: both.select(polars.when("here").then("b").otherwise("a")).to_series(),
            second: both.select(polars.when("here").then("a").otherwise("b")).to_series(),
        },
    )


def _texts(table: Table, task: Task, mapping: dict[str, str]) -> list[str]:
    """The columns that hold texts: those of every role except a label's."""
    roles = [role for role in mapping if role != "answer" or task.output == "text"]
    return [mapping[role] for role in roles if mapping[role] in table.columns]


def mask(table: Table, task: Task, mapping: dict[str, str], values: dict[str, str]) -> Table:
    # A conversation becomes JSON text, which can be read as a conversation again.
    return _with(table, {column: mask_series(table.texts(column)) for column in _texts(table, task, mapping)})


def mend_letters(table: Table, task: Task, mapping: dict[str, str], values: dict[str, str]) -> Table:
    changed = {}
    for column in _texts(table, task, mapping):
        if not table.is_nested(column):
            text = table.texts(column)
            odd = text.str.contains(SUSPECT).fill_null(False)
            mended = [
                undo_mojibake(value) if other else value
                for value, other in zip(text.to_list(), odd.to_list(), strict=True)
            ]
            changed[column] = polars.Series(column, mended, dtype=polars.String)
    return _with(table, changed)


def plain_text(table: Table, task: Task, mapping: dict[str, str], values: dict[str, str]) -> Table:
    """Replaces <br> and <p> with line breaks, removes other tags, and decodes entities such as &amp;."""
    import html

    changed = {}
    for column in _texts(table, task, mapping):
        text = table.texts(column)
        if not table.is_nested(column):
            marked = text.str.contains(r"<[a-zA-Z/!]|&[a-zA-Z#]").fill_null(False)
            bare = text.str.replace_all(r"(?i)<br\s*/?>|</p>|</div>|</li>", "\n").str.replace_all(
                r"</?[a-zA-Z][^<>]{0,500}>|<!--.*?-->", ""
            )
            plain = [
                html.unescape(new).strip() if here else old
                for old, new, here in zip(text.to_list(), bare.to_list(), marked.to_list(), strict=True)
            ]
            changed[column] = polars.Series(column, plain, dtype=polars.String)
    return _with(table, changed)


def join_overflow(table: Table, task: Task, mapping: dict[str, str], values: dict[str, str]) -> Table:
    """Appends the text in unnamed columns to the text it was cut from, with the delimiter in between."""
    into, unnamed = overflow_columns(table)
    into = values.get("into") or into
    if into not in table.columns or not unnamed or table.is_nested(into):
        return table
    parts = table.frame.select(into, *unnamed)
    # Empty cells after the last filled one are not part of the text; earlier ones were delimiters in it.
    joined = parts.select(polars.concat_str(polars.all().fill_null(""), separator=table.delimiter or ",")).to_series()
    joined = joined.str.strip_chars_end(table.delimiter or ",")
    text = polars.DataFrame({"here": goes_on(table, unnamed), "new": joined, "old": table.texts(into)}).select(
        polars.when("here").then("new").otherwise("old")
    )
    empty = {name: polars.Series(name, [""] * table.rows, dtype=polars.String) for name in unnamed}
    return _with(table, {into: text.to_series(), **empty})


def _with(table: Table, columns: dict[str, polars.Series]) -> Table:
    return (
        replace(table, frame=table.frame.with_columns([series.alias(name) for name, series in columns.items()]))
        if columns
        else table
    )
