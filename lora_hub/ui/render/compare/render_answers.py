"""The parts of an answer -> HTML: its labels with their probabilities, and its score. The same in Runs and Compare."""

from collections.abc import Mapping

from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Judgement
from lora_hub.ui.render.render import badge, escape
from lora_hub.ui.render.render_data import metric_title
from lora_hub.ui.render.text import number, percent, t

# How many labels are shown, the most likely first.
SHOWN_LABELS = 5


def chances(probabilities: Mapping[str, float], language: str) -> str:
    """A bar per label, the most likely first; empty for a free-text answer."""
    if not probabilities:
        return ""
    likely = sorted(probabilities.items(), key=lambda one: -one[1])
    bars = "".join(
        f'<li><bdi>{escape(label)}</bdi><span class="lh-chance" aria-hidden="true">'
        f'<i style="inline-size:{100 * share:.1f}%"></i></span><b>{escape(percent(100 * share, language))}</b></li>'
        for label, share in likely[:SHOWN_LABELS]
    )
    more = len(likely) - SHOWN_LABELS
    rest = (
        (
            f'<li class="lh-quiet">'
            f"{escape(t(_n('and {count:,} more label', 'and {count:,} more labels', count=more), language))}</li>"
        )
        if more > 0
        else ""
    )
    return (
        f'<ul class="lh-chances" aria-label="{escape(t(_("Probability of each label"), language))}">{bars}{rest}</ul>'
    )


def judged(judgement: Judgement, language: str) -> str:
    """Right or wrong if the metric decides that for a single answer; else the answer's own score."""
    if judgement.right is None:
        return badge(f"{metric_title(judgement.metric, language)} {number(judgement.score, language, 1)}", "plain")
    return badge(
        t(_("right") if judgement.right else _("not the right answer"), language), "good" if judgement.right else "warn"
    )
