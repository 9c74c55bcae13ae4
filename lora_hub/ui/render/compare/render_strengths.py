"""A slider for each adapter of a comparison, from 0 (the base) to 1.2. compare.js keeps what was set."""

from collections.abc import Mapping, Sequence

from lora_hub.core.messages import _
from lora_hub.core.schema import MOST_STRENGTH
from lora_hub.ui.render.render import escape
from lora_hub.ui.render.text import in_digits, t


def sliders(names: Sequence[str], strengths: Mapping[str, float], language: str) -> str:
    """strengths: those that are not 1. The figure beside a slider is what its range holds."""
    rows = []
    for name in names:
        value = f"{strengths.get(name, 1.0):g}"
        shown = escape(in_digits(value, language))
        label = escape(t(_("Strength of {name}"), language, name=name))
        rows.append(
            f'<label class="lh-strength"><bdi>{escape(name)}</bdi><input type="range" min="0" max="{MOST_STRENGTH}" '
            f'step="0.05" value="{value}" data-strength="{escape(name)}" aria-label="{label}">'
            f'<output dir="ltr">{shown}</output></label>'
        )
    why = t(_("Strength: 0 is the base, 1 the adapter as it was trained. Nothing is trained again."), language)
    return f'<p class="lh-quiet">{escape(why)}</p>{"".join(rows)}' if rows else ""
