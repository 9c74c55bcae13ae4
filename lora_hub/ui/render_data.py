"""The Fine-tune tab's nouns -> HTML: task, file, the exact prompts, base, plan."""

from collections.abc import Sequence
from typing import Any

from lora_hub.schema import BaseModel, DatasetInfo, Task, TrainSpec
from lora_hub.ui.render import badge, cell, card, empty, escape, link, table
from lora_hub.ui.text import count_of, digits, duration, number, size_of, t

SHOWN_ROWS = 5
METRIC_TITLES = {
    "accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy", "macro_f1": "Macro F1", "bleu": "BLEU", "chrf": "chrF",
    "rougeL": "ROUGE-L", "exact_match": "Exact match", "token_f1": "Token F1",
}  # fmt: skip


def metric_title(name: str) -> str:
    return METRIC_TITLES.get(name, name)


def task_card(task: Task, language: str) -> str:
    """What the chosen task reads, answers and is scored by."""
    answers = t("answer_labels" if task.output == "labels" else "answer_text", language)
    optional = [f"{role}?" if role in task.optional_inputs else role for role in task.inputs]
    facts = [
        (t("task_reads", language), ", ".join(optional)),
        (t("task_answers", language), answers),
        (t("task_scored", language), ", ".join(metric_title(name) for name in task.metrics)),
    ]
    listed = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    words = task.instruction.in_language(language)
    return f'<div class="lh-taskcard"><blockquote dir="auto">{escape(words)}</blockquote><dl class="lh-facts">{listed}</dl></div>'


def file_summary(info: DatasetInfo, language: str) -> str:
    """One line about the file: name, rows, columns, format, encoding."""
    parts = [
        t("rows", language, count=number(info.rows, language)),
        t("columns", language, count=number(len(info.columns), language)),
        " ".join(part for part in (info.format.upper(), info.encoding) if part),
    ]
    return f'<p class="lh-file"><strong dir="auto">{escape(info.name)}</strong> {escape(" · ".join(part for part in parts if part))}</p>'


def first_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], mapping: dict[str, str], language: str) -> str:
    """The head of the table; a column that a role takes says so."""
    taken: dict[str, list[str]] = {}
    for role, column in mapping.items():
        taken.setdefault(column, []).append(t("role_answer", language) if role == "answer" else role)
    heads = "".join(
        f'<th scope="col"><bdi dir="auto">{escape(column)}</bdi>'
        + "".join(badge(role, "good" if role == t("role_answer", language) else "live") for role in taken.get(column, []))
        + "</th>"
        for column in columns
    )
    body = "".join("<tr>" + "".join(f"<td>{cell(value, 160)}</td>" for value in row) + "</tr>" for row in rows[:SHOWN_ROWS])
    return f'<div class="lh-scroll" tabindex="0"><table class="lh-table lh-head"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def prompts(preview: Sequence[dict[str, Any]], language: str) -> str:
    """The text of a few rows: what is read, then what is trained, marked. preview: prompt and completion, and where they
    were counted the tokens `read` and `trained`."""
    if not preview:
        return empty(t("no_prompt", language))
    legend = (
        f'<p class="lh-legend"><span class="lh-read">{escape(t("read_only_part", language))}</span>'
        f"<mark>{escape(t('trained_part', language))}</mark></p>"
    )
    blocks = []
    for place, row in enumerate(preview[:SHOWN_ROWS], start=1):
        prompt, completion = str(row["prompt"]), str(row["completion"])
        title = t("row_number", language, row=digits(str(place), language))
        if "read" in row:
            title += " · " + t("tokens_read_trained", language, read=number(row["read"], language), trained=number(row["trained"], language))
        text = f'<pre dir="auto">{escape(prompt)}</pre><pre dir="auto" class="lh-trained"><mark>{escape(completion)}</mark></pre>'
        blocks.append(f'<details class="lh-prompt"{" open" if place <= 2 else ""}><summary>{escape(title)}</summary>{text}</details>')
    return legend + "".join(blocks)


def base_card(base: BaseModel, fit: str, needed: int, have: int, language: str) -> str:
    """fit: fits, tight, large or unknown; needed and have in bytes."""
    words = {"fits": ("fits", "good"), "tight": ("tight", "warn"), "large": ("too_large_badge", "bad"), "unknown": ("size_unknown", "plain")}
    key, kind = words[fit]
    facts = []
    if base.parameters:
        facts.append(f"{count_of(base.parameters, language)} {t('parameters', language)}")
    facts.append(f"{t('context', language)} {number(base.context, language)} {t('tokens', language)}")
    facts.append(f"{t('licence', language)}: {base.licence}")
    if needed and have:
        facts.append(t("needs", language, needed=size_of(needed, language), have=size_of(have, language)))
    gated = badge(t("gated", language), "warn") if base.gated else ""
    name = base.title or base.id
    return (
        f'<div class="lh-base"><p><strong><bdi>{escape(name)}</bdi></strong> {badge(t(key, language), kind)}{gated}</p>'
        f'<p class="lh-quiet">{escape(" · ".join(facts))}</p></div>'
    )


def plan(steps: int, seconds: float, memory: int, language: str) -> str:
    """Three figures: time, steps, memory."""
    figures = [
        (t("time", language), t("estimate_time", language, time=duration(seconds, language))),
        (t("steps", language), number(steps, language)),
        (t("memory", language), size_of(memory, language)),
    ]
    return '<dl class="lh-figures">' + "".join(f"<div><dt>{escape(a)}</dt><dd>{escape(b)}</dd></div>" for a, b in figures) + "</dl>"


def settings_table(explained: Sequence[tuple[str, Any, str]], titles: dict[str, str], language: str) -> str:
    """Every setting with its value and why. explained: (key, value, why); titles: key -> title in the language."""
    rows = [
        (f"{escape(titles.get(key, key))} <code>{escape(key)}</code>", f"<b>{escape(_plain(value))}</b>", f'<span dir="auto">{escape(why)}</span>')
        for key, value, why in explained
    ]
    return table([t("setting", language), t("value", language), t("why", language)], rows, "lh-settings")


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def spec_line(spec: TrainSpec, language: str) -> str:
    """One line about what a run was asked: base, data, effort."""
    base = spec.base.title or spec.base.id
    parts = [base, spec.dataset.name, t("rows", language, count=number(spec.dataset.rows, language)), t(f"effort_{spec.effort}", language)]
    return " · ".join(f"<bdi>{escape(part)}</bdi>" for part in parts)


def published(name: str, url: str, language: str) -> str:
    return card("good", escape(t("published", language, name=name)), link(url, t("open_on_hub", language)))
