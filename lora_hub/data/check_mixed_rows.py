"""Pre-flight of texts beside each other: summaries that are longer than what they sum up, rows in two scripts under one task."""

import polars

from lora_hub.core.schema import Task
from lora_hub.data.check_rows import required_of
from lora_hub.data.check_words import counted, number_fa, percent_fa, rows
from lora_hub.data.column_facts import SCRIPTS
from lora_hub.data.column_names import SCRIPTS_FA
from lora_hub.data.findings import Finding, finding
from lora_hub.data.row_language import MORE_FA, NAMES_FA, language_of_texts

NEARLY_ALL = 0.9  # of the rows
LEAST_SHARE, LEAST_ROWS = 0.1, 5  # of a second script, from which on it is no stray row
LOOKED_AT = 1_000
LETTERS = 300  # of each text that are looked at


def check_mixed_rows(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> list[Finding]:
    """`frame`: the rows that can be trained on."""
    return [found for found in (_longer(frame, task, mapping), _scripts(frame, task)) if found]


def _longer(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> Finding | None:
    """Summaries longer than their texts: of nearly all rows the columns have changed places."""
    if task.id != "summarization" or not {"text", "answer"} <= set(frame.columns) or not frame.height:
        return None
    hits = frame.filter(polars.col("answer").str.len_chars() > polars.col("text").str.len_chars())["row"]
    if not hits.len():
        return None
    text, summary = mapping.get("text", "text"), mapping.get("answer", "answer")
    if hits.len() >= NEARLY_ALL * frame.height:
        return finding(
            "swapped-columns", "warning", f"In {rows(hits.len())} of {frame.height:,} the summary ({summary!r}) is longer than the text ({text!r}): the two columns seem to have changed places.",
            f"در {number_fa(hits.len())} سطر از {number_fa(frame.height)} سطر خلاصه («{summary}») از متن («{text}») بلندتر است: گویا جای دو ستون عوض شده است.",
            hint=f"Take {summary!r} as the text and {text!r} as the summary, or the adapter learns to draw texts out.",
            hint_fa=f"ستون «{summary}» را متن و «{text}» را خلاصه بگیرید، وگرنه آداپتور یاد می‌گیرد متن را طولانی کند.", rows=hits,
        )  # fmt: skip
    return finding(
        "longer-summaries", "info", f"In {rows(hits.len())} the summary is longer than its text.", f"در {number_fa(hits.len())} سطر خلاصه از متنش بلندتر است.",
        hint="See whether the two have changed places there.", hint_fa="ببینید جای آن دو عوض نشده باشد.", rows=hits,
    )  # fmt: skip


def _scripts(frame: polars.DataFrame, task: Task) -> Finding | None:
    """Rows whose inputs are in one script and rows whose inputs are in another. Pairs of a translation have a check of their own."""
    roles = required_of(frame, task)
    if not roles or task.id == "translation":
        return None
    joined = frame.select(polars.concat_str([polars.col(role).str.slice(0, LETTERS) for role in roles], separator=" ")).to_series()
    if not (joined.str.len_bytes() != joined.str.len_chars()).any():
        return None  # ASCII throughout is one script
    text = joined.str
    counts = polars.DataFrame([text.count_matches(pattern.pattern).cast(polars.Int64).alias(script) for script, pattern in SCRIPTS.items()])
    letters = counts.select(polars.sum_horizontal(polars.all())).to_series()
    # Of a row that has its letters half and half nothing is said.
    of_rows = {script: (counts[script] > 0.6 * letters) & (letters > 3) for script in SCRIPTS}
    sizes = {script: int(here.sum()) for script, here in of_rows.items() if here.any()}
    large = sorted((script for script, size in sizes.items() if size >= max(LEAST_ROWS, LEAST_SHARE * frame.height)), key=lambda script: -sizes[script])
    if len(large) < 2:
        return None
    names = {}
    for script in large:
        texts = frame.filter(of_rows[script])[roles[0]]
        names[script] = language_of_texts(texts.gather_every(max(1, texts.len() // LOOKED_AT)).head(LOOKED_AT))
    shown = [f"{sizes[script]:,} in {names[script] or f'{script.capitalize()} script'}" for script in large]
    shown_fa = [f"{number_fa(sizes[script])} سطر به {f'زبان {_name_fa(names[script])}' if names[script] else f'خط {SCRIPTS_FA[script]}'}" for script in large]
    fewer = polars.concat([frame["row"].filter(of_rows[script]) for script in large[1:]]).sort()
    asked_itself = "instruction" in task.inputs
    share = fewer.len() / frame.height
    return finding(
        "mixed-languages", "info" if asked_itself else "warning", f"The rows are in {counted(len(large), 'language')}: {' and '.join(shown)} ({share:.0%} of all rows are not in the commonest).",
        f"سطرها به {number_fa(len(large))} زبان است: {' و '.join(shown_fa)} ({percent_fa(share)} همهٔ سطرها به زبانی جز پرتکرارترین است).",
        hint="" if asked_itself else "All are asked with one instruction in one language, and one score is given for all. A task for each language tells them apart; go on where one adapter is to do both.",
        hint_fa="" if asked_itself else "همه با یک دستور به یک زبان پرسیده می‌شود و یک امتیاز برای همه داده می‌شود. با یک وظیفه برای هر زبان جدا می‌شود؛ اگر یک آداپتور باید هر دو را انجام دهد ادامه دهید.",
        rows=fewer,
    )  # fmt: skip


def _name_fa(language: str) -> str:
    return NAMES_FA.get(language) or MORE_FA.get(language, language)
