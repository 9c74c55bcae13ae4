"""What a training tells beside its losses, as small plots: learning rate, gradient norm, speed and memory.

measure_plots(run.measures, run.planned_steps, "en")
"""

import math
from collections.abc import Mapping, Sequence

from lora_hub.core.events import MEASURES
from lora_hub.core.messages import Message, _
from lora_hub.ui.render.render import escape
from lora_hub.ui.render.runs.plot import Pairs, Plane, at_step, thin
from lora_hub.ui.render.text import number, size_of, t

TITLES = {
    "lr": _("Learning rate"),
    "grad_norm": _("Gradient norm"),
    "tokens_second": _("Tokens per second"),
    "memory": _("Memory"),
}
HELP = {
    "lr": _("AdamW's, at each step: the schedule and its warm-up."),
    "grad_norm": _("Of the adapter's gradient, before it is clipped to 1."),
    "tokens_second": _("Prompt and answer tokens of the training rows, without padding; validation does not count."),
    "memory": _("Of a GPU: the most so far. Of a CPU: what the process takes, all tasks in it together."),
}
GB, MB = _("GB"), _("MB")


def measure_plots(measures: Mapping[str, Pairs], total: int, language: str) -> str:
    """A small plot for each that was told; empty for a run of an older version, which told none."""
    drawn = [_small(name, thin(measures[name]), total, language) for name in MEASURES if measures.get(name)]
    return f'<div class="lh-measures">{"".join(drawn)}</div>' if any(drawn) else ""


def unit_of(name: str, pairs: Pairs) -> tuple[float, Message | None]:
    """What values are divided by to be drawn, and the unit that they have then: memory is drawn in GB or MB."""
    if name != "memory":
        return 1.0, None
    return (1e9, GB) if max((value for _step, value in pairs), default=0.0) >= 1e9 else (1e6, MB)


def tell(name: str, value: float, language: str) -> str:
    """A value in words: "0.0021", "731.9 MB"."""
    if name == "memory":
        return size_of(value, language)
    return number(value, language, 0 if name == "tokens_second" else digits_after(value))


def digits_after(value: float) -> int:
    """Decimal places that show three digits of a value."""
    return min(9, max(0, 2 - math.floor(math.log10(abs(value))))) if value else 0


def title_of(name: str, unit: Message | None, language: str) -> str:
    title = t(TITLES[name], language)
    return t(_("{title} ({unit})"), language, title=title, unit=t(unit, language)) if unit else title


def _small(name: str, pairs: Sequence[tuple[int, float]], total: int, language: str) -> str:
    if not pairs:
        return ""
    size, unit = unit_of(name, pairs)
    drawn = [(step, value / size) for step, value in pairs]
    plane = Plane(
        [value for _step, value in drawn],
        max(total, 1, *(step for step, _value in drawn)),
        language,
        count=3,
        is_small=True,
    )
    points = " ".join(f"{plane.x(step)},{plane.y(value)}" for step, value in drawn)
    last = f"M{plane.x(drawn[-1][0])} {plane.y(drawn[-1][1])}h0"
    parts = [
        *plane.grid,
        f'<polyline class="lh-line-train" points="{points}"/>',
        f'<path class="lh-dot-train" d="{last}"/>',
    ]
    step, value = pairs[-1]
    now = tell(name, value, language)
    label = at_step(t(TITLES[name], language), now, step, language)
    return (
        f'<figure class="lh-plot lh-measure" title="{escape(t(HELP[name], language))}">'
        f"<figcaption><b>{escape(title_of(name, unit, language))}</b><bdi>{escape(now)}</bdi></figcaption>"
        f'<div class="lh-canvas" role="img" aria-label="{escape(label)}">{plane.drawn(parts)}</div></figure>'
    )
