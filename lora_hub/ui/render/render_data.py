"""The Fine-tune tab's nouns -> HTML: the task, the exact prompts, a run in one line."""

from collections.abc import Sequence
from typing import Any

from lora_hub.core.languages import isolated
from lora_hub.core.messages import _, _n
from lora_hub.core.schema import ADAPTER, BASE, BASE_EXAMPLES, PARENT, AdapterRef, Task, TrainSpec
from lora_hub.evaluation import metrics
from lora_hub.ui.render.render import card, empty, escape, link
from lora_hub.ui.render.render_table import role_name
from lora_hub.ui.render.text import between, digits, number, t

SHOWN_ROWS = 5
# Who answered, by the keys of a run's metrics.
WHO = {
    BASE: _("Base"),
    BASE_EXAMPLES: _("Base with examples"),
    PARENT: _("Adapter before"),
    ADAPTER: _("Adapter"),
}
EFFORT_TITLES = {"quick": _("Quick"), "balanced": _("Balanced"), "thorough": _("Thorough")}


def metric_title(name: str, language: str) -> str:
    return t(metrics.title_of(name), language)


def task_card(task: Task, language: str) -> str:
    """The chosen task's inputs, answer and metrics."""
    answers = t(_("one of the labels in your data") if task.output == "labels" else _("free text"), language)
    named = [
        t(_("{role} (optional)"), language, role=role_name(role, language))
        if role in task.optional_inputs
        else role_name(role, language)
        for role in task.inputs
    ]
    facts = [
        (t(_("Reads"), language), t(_(", "), language).join(isolated(name, language) for name in named)),
        (t(_("Answers with"), language), answers),
        (t(_("Scored by"), language), t(_(", "), language).join(metric_title(name, language) for name in task.metrics)),
    ]
    listed = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    words = task.instruction.in_language(language)
    return (
        f'<div class="lh-taskcard"><blockquote dir="auto">{escape(words)}</blockquote>'
        f'<dl class="lh-facts">{listed}</dl></div>'
    )


def prompts(preview: Sequence[dict[str, Any]], language: str) -> str:
    """The text of a few rows, with the part that is read and the part that is trained marked. preview: prompt and
    completion and, if counted, the numbers of tokens `read` and `trained`."""
    if not preview:
        return empty(t(_("Here you will read the exact text of a few rows, with the trained part marked."), language))
    legend = (
        f'<p class="lh-legend"><span class="lh-read">{escape(t(_("read, not trained"), language))}</span>'
        f"<mark>{escape(t(_('trained'), language))}</mark></p>"
    )
    blocks = []
    for place, row in enumerate(preview[:SHOWN_ROWS], start=1):
        prompt, completion = str(row["prompt"]), str(row["completion"])
        title = t(_("Row {row}"), language, row=digits(str(place), language))
        if "read" in row:
            title += between(language) + t(
                _("{read} tokens read, {trained} trained"),
                language,
                read=number(row["read"], language),
                trained=number(row["trained"], language),
            )
        text = (
            f'<pre dir="auto">{escape(prompt)}</pre><pre dir="auto" class="lh-trained">'
            f"<mark>{escape(completion)}</mark></pre>"
        )
        blocks.append(
            f'<details class="lh-prompt"{" open" if place <= 2 else ""}><summary>{escape(title)}</summary>{text}'
            f"</details>"
        )
    return legend + "".join(blocks)


def spec_line(spec: TrainSpec, language: str) -> str:
    """One line about a run's spec: base, data, effort."""
    base = spec.base.title or spec.base.id
    parts = [
        base,
        spec.dataset.name,
        t(_n("{count:,} row", "{count:,} rows", count=spec.dataset.rows), language),
        t(EFFORT_TITLES[spec.effort], language),
    ]
    return between(language).join(f"<bdi>{escape(part)}</bdi>" for part in parts)


def published(ref: AdapterRef, language: str) -> str:
    said = _("Proposed for {name}: a pull request") if ref.pull_request else _("Published as {name}")
    return card("good", escape(t(said, language, name=ref.repo_id)), link(ref.url, t(_("Open on the Hub"), language)))
