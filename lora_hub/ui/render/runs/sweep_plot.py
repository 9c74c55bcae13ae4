"""The settings that a run tries at once: their validation losses over the steps, and a table of them."""

import math

from lora_hub.core.messages import _
from lora_hub.core.schema import Sweep
from lora_hub.ui.render.render import badge, escape, table
from lora_hub.ui.render.runs.plot import Plane, thin
from lora_hub.ui.render.text import number, t


def sweep_plot(sweep: Sweep | None, total: int, language: str) -> str:
    """Empty where only one is tried. total: steps of each."""
    if sweep is None:
        return ""
    title = escape(t(_("Settings tried at once, on the same rows"), language))
    said = _("The lowest validation loss is kept. The test rows, which the result is of, choose nothing.")
    return (
        f'<figure class="lh-plot" id="lh-sweep"><figcaption><b>{title}</b></figcaption>'
        f"{_curves(sweep, total, language)}{_table(sweep, language)}"
        f'<p class="lh-quiet">{escape(t(said, language))}</p></figure>'
    )


def _curves(sweep: Sweep, total: int, language: str) -> str:
    curves = [thin([pair for pair in one.losses if pair[0]]) for one in sweep.candidates]
    every = [pair for curve in curves for pair in curve]
    if not every:
        return ""
    plane = Plane([loss for _, loss in every], max(total, 1, *(step for step, _ in every)), language)
    parts = plane.grid
    for place, curve in enumerate(curves):
        points = " ".join(f"{plane.x(step)},{plane.y(loss)}" for step, loss in curve)
        kept = " lh-sweep-kept" if place == sweep.chosen else ""
        parts.append(f'<polyline class="lh-sweep lh-sweep-{place}{kept}" points="{points}"/>')
        dots = "".join(f"M{plane.x(step)} {plane.y(loss)}h0" for step, loss in curve)
        parts.append(f'<path class="lh-sweep lh-sweep-{place} lh-sweep-dots" d="{dots}"/>')
    label = t(_("Validation loss of each setting over the steps; the table has the lowest of each."), language)
    return f'<div class="lh-canvas" role="img" aria-label="{escape(label)}">{plane.drawn(parts)}</div>'


def _table(sweep: Sweep, language: str) -> str:
    rows = []
    for place, one in enumerate(sweep.candidates):
        state = badge(t(_("kept"), language), "good") if place == sweep.chosen else ""
        if one.dropped:
            state = escape(t(_("behind after step {step}, ended"), language, step=number(one.dropped, language)))
        rows.append(
            [
                f'<span class="lh-key lh-sweep-{place}">{number(place + 1, language)}</span>',
                number(one.lr, language, max(0, 1 - math.floor(math.log10(one.lr)))),  # two digits of it
                number(one.r, language),
                number(one.best_loss, language, 4) if math.isfinite(one.best_loss) else "–",
                escape(t(one.failed, language)) if one.failed else state,
            ]
        )
    heads = [
        t(_("Setting"), language),
        t(_("Learning rate"), language),
        t(_("Rank (r)"), language),
        t(_("Lowest validation loss"), language),
        "",
    ]
    return table(heads, rows, stacked=True)
