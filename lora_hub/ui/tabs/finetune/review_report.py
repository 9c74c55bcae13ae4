"""Step 3's data report for the current form: the mends applied, the findings with a page of their rows, and the
labels."""

from typing import Any

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.messages import _, text_in
from lora_hub.core.schema import Problem, Task
from lora_hub.ui.render import render_problems, render_table
from lora_hub.ui.render.text import page_number, t
from lora_hub.ui.tabs.finetune.asked import Asked


def report(asked: Asked, task: Task, inspection: Any, problems: Any, opened: str, language: str) -> str:
    """The mends applied, the problems as cards, and the labels."""
    labels = render_problems.NO_LABELS
    if task.output == "labels" and "answer" in inspection.mapping:
        labels = _labels(inspection, task, problems, language)
    code, _at, place = opened.partition("@")
    page = page_number(place)
    shown = next((problem for problem in problems if problem.code == code), None)
    rows = _rows_of(inspection, shown, page) if shown else []
    return render_problems.report(
        problems, inspection.done, code if shown else "", rows, labels, asked.dataset, language, page
    )


def _labels(inspection: Any, task: Task, problems: Any, language: str) -> render_problems.Labels:
    """The classes with their counts, and suggested names for numeric ones."""
    from lora_hub.data.checks.check_label_names import suggest_names

    column = inspection.mapping["answer"]
    if inspection.table.is_nested(column) or any(problem.code == "answers-not-labels" for problem in problems):
        return render_problems.NO_LABELS
    texts = inspection.table.texts(column).fill_null("").str.strip_chars()
    counts = dict(texts.filter(texts != "").value_counts(sort=True).rows())
    return render_problems.Labels(counts, suggest_names(sorted(counts), column, task.id, language))


def _rows_of(inspection: Any, problem: Problem, page: int) -> list[tuple[int, dict[str, str]]]:
    """The rows of a page; pages count from 1."""
    size = render_table.PAGE_ROWS
    rows = inspection.rows_of(problem.code, size * page)
    if rows or not problem.rows:
        return rows[size * (page - 1) :]
    # Findings of a reader, or of a comparison of two files, have only their example rows.
    return inspection.texts_of(problem.rows)


def doubt_of(problems: Any, language: str) -> str:
    """What is said beside Train where the data looks like another task's; else empty."""
    other = next((problem.task for problem in problems if problem.task), "")
    return (
        t(
            _("It can be trained, but the data looks like “{task}”: see the warning in step 3."),
            language,
            task=text_in(catalogue.get_task(other).title, language),
        )
        if other
        else ""
    )
