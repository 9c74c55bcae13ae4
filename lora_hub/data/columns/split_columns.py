"""A column that assigns each row to training or testing (split: train, test, validation; is_test: 0, 1).

    table = split_by_column(table)   its test rows as `table.test`, like those of an archive's test file
    find_split(table)                the finding about it

As with an archive's files, validation rows are scored if there are no test rows, and left out otherwise.
"""

import re
from dataclasses import replace

import polars

from lora_hub.core.messages import _, _n, joined, several
from lora_hub.data.chats.chat_marks import reading
from lora_hub.data.columns.column_names import LABEL, plain, squeezed
from lora_hub.data.tables.findings import Finding, finding
from lora_hub.data.tables.table import SplitColumn, Table, is_nested, row_problem

NAMED = {
    "split",
    "splits",
    "datasplit",
    "datasetsplit",
    "subset",
    "set",
    "fold",
    "partition",
    "usage",
    "phase",
    "traintest",
    "trainortest",
    "trainvaltest",
    "dataset",
}
_KINDS = {
    "train": "train training trn tr learn learning آموزش آموزشی یادگیری",
    "test": "test testing tst te eval evaluation holdout heldout آزمون آزمایش آزمایشی تست",
    "validation": "valid validation val va dev devel development اعتبارسنجی ارزیابی",
}
WORDS = {word: kind for kind, words in _KINDS.items() for word in words.split()}
# Words that may accompany those without changing the meaning: PublicTest, train_extra, "test set".
BESIDE = set(
    "set split data part extra public private only fold mode hold held out in out official داده داده‌های مجموعه".split()
)
# Columns of marks: the part of a row with the mark on, and with the mark off; "": neither trained nor scored.
FLAGS = {
    **dict.fromkeys(
        ("istest", "intest", "testset", "isheldout", "heldout", "isholdout", "holdout", "iseval", "test"),
        ("test", "train"),
    ),
    **dict.fromkeys(("isvalidation", "isval", "isdev"), ("validation", "train")),
    **dict.fromkeys(("istrain", "intrain", "trainset", "istraining", "intraining"), ("train", "test")),
    **dict.fromkeys(("train", "training", "trainable", "usefortraining", "learn"), ("train", "")),
}
WORDS_OF_THINGS = {"test", "train", "training", "learn"}  # which may be the subject of a label
LOOKED_AT = 1_000


def part_of(value: str) -> str:
    """train, test or validation for a cell's text; "" for anything else."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", value)
    words = [word for word in re.split(r"[^\w\u200c]+|_|\d+", spaced.lower().replace("ي", "ی")) if word]
    kinds = {WORDS[word] for word in words if word in WORDS}
    if "".join(words) in ("heldout", "holdout"):
        return "test"
    return next(iter(kinds)) if len(kinds) == 1 and all(word in WORDS or word in BESIDE for word in words) else ""


def split_by_column(table: Table, *, is_test: bool = False) -> Table:
    """The table without the rows that a split column excludes from training. Unchanged if there is no such column.
    is_test: the file will be scored, so missing training rows are no problem."""
    found = next(filter(None, (_parts(table, name) for name in table.columns)), None)
    if found is None:
        return table
    column, parts = found
    return _split(table, column, parts, is_test=is_test)


def _parts(table: Table, name: str) -> tuple[str, polars.Series] | None:
    """The column with the part of each row (train, test, validation, "" for one that is left out); None if it does not
    define a split."""
    series = table.frame[name]
    if is_nested(series.dtype) or not table.rows:
        return None
    sample = {value for value in series.head(LOOKED_AT).drop_nulls().unique().to_list() if value.strip()}
    key = squeezed(name)
    is_flag = key in FLAGS and all(reading(value) is not None for value in sample)
    is_named = key in NAMED or "split" in plain(name).split("_")
    if not sample or not is_flag and not (is_named and len(sample) <= 50 or all(map(part_of, sample))):
        return None
    values = [value for value in series.drop_nulls().unique().to_list() if value.strip()]
    if is_flag:
        if (
            not all(reading(value) is not None for value in values)
            or key in WORDS_OF_THINGS
            and not _stands_alone(table, name)
        ):
            return None
        on, off = FLAGS[key]
        meanings = {value: on if reading(value) else off for value in values}
        parts = series.replace_strict(meanings, default="train", return_dtype=polars.String)
        # A column that says whether a test was made may be true for most rows; a test set is a small part.
        if set(meanings.values()) != {on, off} or key in WORDS_OF_THINGS and 2 * (parts != "train").sum() > table.rows:
            return None
        return name, parts
    meanings = {value: part_of(value) for value in values}
    kinds = set(meanings.values())
    if (
        not kinds & {"test", "validation"}
        or not is_named
        and ("" in kinds or "train" not in kinds or key in {squeezed(label) for label in LABEL})
    ):
        return None
    # Rows with another value (extra, unsupervised) or none stay in training.
    return name, series.replace_strict(
        {value: kind or "train" for value, kind in meanings.items()}, default="train", return_dtype=polars.String
    )


def _stands_alone(table: Table, name: str) -> bool:
    """Whether no other column but a label's is marks as well, and two more are left to learn from: (text, bus, train)
    has a label in each."""
    labels = {squeezed(label) for label in LABEL}
    others = [
        table.frame[other]
        for other in table.columns
        if other != name and squeezed(other) not in labels and not is_nested(table.frame.schema[other])
    ]
    cells = [
        [value for value in series.head(LOOKED_AT).drop_nulls().unique().to_list() if value.strip()]
        for series in others
    ]
    return table.frame.width > 2 and not any(
        values and all(reading(value) is not None for value in values) for values in cells
    )


def _split(table: Table, column: str, parts: polars.Series, *, is_test: bool) -> Table:
    numbers = table.numbers()
    places = {kind: parts == kind for kind in ("train", "test", "validation", "")}
    counts = {kind: int(place.sum()) for kind, place in places.items()}
    scored = "test" if counts["test"] else "validation"
    problems = list(table.problems)
    if not counts["train"] and is_test:
        return replace(table, split=SplitColumn(column))
    if not counts["train"]:
        count = table.rows
        said = _(
            "The column {column!r} says of every row that it is there to test or validate with, and of none that it "
            "is there to train on:"
            " all {count:,} are trained on if you go on.",
            column=column,
            count=count,
        )
        hint = _("Upload the rows to train on, and give this file as the test file.")
        problems.append(row_problem("no-training-rows", "warning", said, [], count=count, hint=hint))
        return replace(table, problems=problems, split=SplitColumn(column))
    test = None
    if counts[scored] and table.test is None:
        test = Table(
            table.frame.filter(places[scored]),
            table.format,
            table.encoding,
            table.delimiter,
            row_numbers=numbers.filter(places[scored]),
            split=SplitColumn(column),
            marks=table.marks,
        )
    aside = [kind for kind in ("test", "validation", "") if counts[kind] and (kind != scored or test is None)]
    return replace(
        table,
        frame=table.frame.filter(places["train"]),
        row_numbers=numbers.filter(places["train"]),
        test=test if test is not None else table.test,
        split=SplitColumn(
            column,
            scored if test is not None else "",
            {kind: numbers.filter(places[kind]).to_list() for kind in aside},
        ),
    )


def find_split(table: Table) -> list[Finding]:
    """How the split column divided the rows, counted after the mends."""
    split = table.split
    if not split.scored and not split.aside:
        return []
    uses = [_n("{count:,} row is trained on", "{count:,} rows are trained on", count=table.rows)]
    if split.scored:
        uses.append(
            _n(
                "{count:,} ({kind}) is scored and not trained on",
                "{count:,} ({kind}) are scored and not trained on",
                count=table.test.rows if table.test is not None else 0,
                kind=_KIND_NAMES[split.scored],
            )
        )
    if split.aside:
        uses.append(
            _n(
                "{count:,} row ({kinds}) is left out",
                "{count:,} rows ({kinds}) are left out",
                count=split.rows_aside,
                kinds=several([_KIND_NAMES[kind] for kind in split.aside]),
            )
        )
    said = _("The column {column!r} says which rows are for what: {uses}.", column=split.name, uses=several(uses))
    if "validation" in split.aside:
        said = joined(said, _("The rows that choose the checkpoint are drawn from those to train on, not from these."))
    hint = _("Without that column, or under another name, rows to score are drawn by chance.")
    count = table.test.rows if split.scored and table.test is not None else split.rows_aside
    rows = sorted(row for rows in split.aside.values() for row in rows)
    return [finding("split-column", "info", said, hint=hint, rows=rows, count=count)]


_KIND_NAMES = {"test": _("test"), "validation": _("validation"), "": _("not to be trained")}
