"""Checks texts against each other: summaries longer than their texts, rows in two languages under one task."""

import polars

from lora_hub.core.messages import _, _n, several
from lora_hub.core.schema import Task
from lora_hub.data.checks.row_language import language_of_texts
from lora_hub.data.checks.rows import Check, required_of
from lora_hub.data.columns.column_facts import SCRIPTS
from lora_hub.data.tables.check_words import language, script
from lora_hub.data.tables.findings import Finding, finding

NEARLY_ALL = 0.9  # of the rows
LEAST_SHARE, LEAST_ROWS = 0.1, 5  # from here on, rows in a second script are not just stray rows
LOOKED_AT = 1_000
LETTERS = 300  # of each text that are checked


def check_mixed_rows(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> list[Finding]:
    """`frame`: the rows that can be trained on."""
    return [found for found in (_longer(frame, task, mapping), _scripts(frame, task)) if found]


def _longer(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Finding | None:
    """Summaries longer than their texts; if nearly all rows are affected, the columns are swapped."""
    if task.id != "summarization" or not {"text", "answer"} <= set(frame.columns) or not frame.height:
        return None
    hits = frame.filter(polars.col("answer").str.len_chars() > polars.col("text").str.len_chars())["row"]
    if not hits.len():
        return None
    text, summary = mapping.get("text", "text"), mapping.get("answer", "answer")
    if hits.len() >= NEARLY_ALL * frame.height:
        said = _n(
            (
                "In {count:,} row of {all:,} the summary ({summary!r}) is longer than the text ({text!r}): the two "
                "columns seem to have changed places."
            ),
            (
                "In {count:,} rows of {all:,} the summary ({summary!r}) is longer than the text ({text!r}): the two "
                "columns seem to have changed places."
            ),
            count=hits.len(),
            all=frame.height,
            summary=summary,
            text=text,
        )
        hint = _(
            "Take {summary!r} as the text and {text!r} as the summary, or the adapter learns to draw texts out.",
            summary=summary,
            text=text,
        )
        return finding("swapped-columns", "warning", said, hint=hint, rows=hits)
    said = _n(
        "In {count:,} row the summary is longer than its text.",
        "In {count:,} rows the summary is longer than its text.",
        count=hits.len(),
    )
    return finding(
        "longer-summaries", "info", said, hint=_("See whether the two have changed places there."), rows=hits
    )


def _scripts(frame: polars.DataFrame, task: Task) -> Finding | None:
    """Translation pairs have their own check."""
    roles = required_of(frame, task)
    if not roles or task.id == "translation":
        return None
    joined = frame.select(
        polars.concat_str([polars.col(role).str.slice(0, LETTERS) for role in roles], separator=" ")
    ).to_series()
    return find_languages(frame["row"], joined, is_free="instruction" in task.inputs)


def find_languages(rows: polars.Series, joined: polars.Series, *, is_free: bool) -> Finding | None:
    """Rows in one script beside rows in another. `joined`: the inputs of each row. `is_free`: each row brings its own
    instruction, so that several languages are not a problem."""
    if not (joined.str.len_bytes() != joined.str.len_chars()).any():
        return None  # ASCII only is one script
    text = joined.str
    counts = polars.DataFrame(
        [text.count_matches(pattern.pattern).cast(polars.Int64).alias(one) for one, pattern in SCRIPTS.items()]
    )
    letters = counts.select(polars.sum_horizontal(polars.all())).to_series()
    # A row with letters of both scripts in equal parts counts as neither.
    of_rows = {one: (counts[one] > 0.6 * letters) & (letters > 3) for one in SCRIPTS}
    sizes = {one: int(here.sum()) for one, here in of_rows.items() if here.any()}
    large = sorted(
        (one for one, size in sizes.items() if size >= max(LEAST_ROWS, LEAST_SHARE * rows.len())),
        key=lambda one: -sizes[one],
    )
    if len(large) < 2:
        return None
    names = {}
    for one in large:
        texts = joined.filter(of_rows[one])
        names[one] = language_of_texts(texts.gather_every(max(1, texts.len() // LOOKED_AT)).head(LOOKED_AT))
    shown = [
        _("{count:,} in {language}", count=sizes[one], language=language(names[one]))
        if names[one]
        else _("{count:,} in {script} script", count=sizes[one], script=script(one))
        for one in large
    ]
    fewer = polars.concat([rows.filter(of_rows[one]) for one in large[1:]]).sort()
    said = _(
        "The rows are in {count} languages: {languages} ({share:.0%} of all rows are not in the commonest).",
        count=len(large),
        languages=several(shown, "and"),
        share=fewer.len() / rows.len(),
    )
    if is_free:
        return finding("mixed-languages", "info", said, rows=fewer)
    hint = _(
        "All are asked with one instruction in one language, and one score is given for all. A task for each language "
        "tells them apart; go on where one adapter is to do both."
    )
    return finding("mixed-languages", "warning", said, hint=hint, rows=fewer)


CHECKS = (Check(70, "filled", lambda rows: check_mixed_rows(rows.filled, rows.task, rows.mapping)),)
