"""What else a run's result says beside base and adapter: how it stands to the adapter that it goes on from, and what
was forgotten -> HTML."""

from lora_hub.core import verdicts
from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Run, Score
from lora_hub.ui.render.render import escape, filled, sentence, table
from lora_hub.ui.render.render_data import metric_title
from lora_hub.ui.render.text import number, percent, t


def also_tested(run: Run, language: str) -> str:
    """Paragraphs below the scores; empty where there is nothing to say."""
    parts = []
    if run.spec.parent is not None and run.parent_comparison is not None:
        parts.append(
            filled(
                _("Against {name}, from which it goes on: {found}"),
                language,
                name=f"<bdi>{escape(run.spec.parent.name)}</bdi>",
                found=escape(verdicts.describe(run.parent_comparison).in_language(language)),
            )
        )
    if run.general is not None:
        parts.append(
            f"<b>{escape(t(_('What was forgotten'), language))}</b> "
            + sentence(verdicts.told_forgotten(run.general).in_language(language))
        )
    return "".join(f'<p class="lh-note">{one}</p>' for one in parts) + _by_file(run, language)


def _by_file(run: Run, language: str) -> str:
    """The scores on the held-out rows of each file, where several are one dataset."""
    if not run.parts:
        return ""

    def score(of: Score | None) -> str:
        if of is None:
            return "–"
        rows = t(_n("({count:,} row)", "({count:,} rows)", count=of.rows), language)
        return f'<b>{escape(percent(of.value, language))}</b> <span class="lh-quiet">{escape(rows)}</span>'

    rows = [
        [
            f"<bdi>{escape(part.name)}</bdi>",
            escape(number(part.weight, language, 2 if part.weight % 1 else 0)),
            escape(number(part.trained, language)),
            score(part.base),
            score(part.adapter),
        ]
        for part in run.parts
    ]
    heads = [t(said, language) for said in (_("File"), _("Weight"), _("Rows trained on"), _("Base"), _("Adapter"))]
    metric = escape(metric_title(run.parts[0].metric, language))
    title = filled(_("{metric} by file"), language, metric=metric)
    return f'<p class="lh-quiet">{title}</p>{table(heads, rows, "lh-scores", stacked=True)}'
