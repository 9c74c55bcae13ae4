"""Loss curves as one inline SVG: no plotting library on the page, right in both directions, readable without colours.

    loss_plot([(1, 3.2), ...], [(10, 2.9), ...], best_step=10, language="en")
"""

import math
from collections.abc import Sequence

from lora_hub.ui.render import escape
from lora_hub.ui.text import digits, number, t

Pairs = Sequence[tuple[int, float]]
WIDTH, HEIGHT = 720, 250
LEFT, RIGHT, TOP, BOTTOM = 48, 40, 12, 26
# More points than pixels only make the page heavier.
MOST_POINTS = 240


def thin(pairs: Pairs, most: int = MOST_POINTS) -> list[tuple[int, float]]:
    """At most `most` points: means over equal stretches, so that a curve keeps its shape; the last point stays."""
    kept = [(step, loss) for step, loss in pairs if math.isfinite(loss)]
    if len(kept) <= most:
        return kept
    size = len(kept) / (most - 1)
    thinned = []
    for place in range(most - 1):
        part = kept[int(place * size) : max(int(place * size) + 1, int((place + 1) * size))]
        thinned.append((part[-1][0], sum(loss for _, loss in part) / len(part)))
    return [*thinned, kept[-1]]


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers that cover low to high: steps of 1, 2 or 5 times a power of ten."""
    span = max(high - low, 1e-9)
    raw = span / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    first = math.ceil(low / step - 1e-9) * step
    return [first + i * step for i in range(int((high - first) / step + 1e-9) + 1)]


def loss_plot(train: Pairs, held_out: Pairs, *, best_step: int = 0, total: int = 0, language: str = "en") -> str:
    """The curves of training and held-out loss over the steps."""
    train, held_out = thin(train), thin(held_out)
    if not train and not held_out:
        return f'<div class="lh-empty lh-plot-empty">{escape(t("plot_waits", language))}</div>'
    losses = [loss for _, loss in [*train, *held_out]]
    low, high = min(losses), max(losses)
    margin = max((high - low) * 0.08, 0.01)
    low, high = max(0.0, low - margin), high + margin
    last = max([total, 1, *(step for step, _ in [*train, *held_out])])

    def x(step: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * step / last, 1)

    def y(loss: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - loss) / (high - low), 1)

    parts = []
    for value in ticks(low, high):
        decimals = 0 if high - low > 8 else 1 if high - low > 0.8 else 2 if high - low > 0.08 else 3
        parts.append(f'<line class="lh-grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value)}" y2="{y(value)}"/>')
        parts.append(f'<text class="lh-tick" x="{LEFT - 8}" y="{y(value) + 4}" text-anchor="end">{number(value, language, decimals)}</text>')
    for value in ticks(0, last, 6):
        parts.append(f'<text class="lh-tick" x="{x(value)}" y="{HEIGHT - 8}" text-anchor="middle">{digits(f"{value:.0f}", language)}</text>')
    parts.append(f'<text class="lh-tick" x="{WIDTH}" y="{HEIGHT - BOTTOM + 4}" text-anchor="end">{escape(t("step", language))}</text>')
    for css, pairs in (("lh-line-train", train), ("lh-line-held", held_out)):
        if len(pairs) > 1:
            points = " ".join(f"{x(step)},{y(loss)}" for step, loss in pairs)
            parts.append(f'<polyline class="{css}" points="{points}"/>')
    for step, loss in train if len(train) == 1 else []:
        parts.append(f'<circle class="lh-dot-train" cx="{x(step)}" cy="{y(loss)}" r="3"/>')
    for step, loss in held_out:
        best = best_step and step == best_step
        title = f"{t('step', language)} {step}: {loss:.4f}" + (f" ({t('best_here', language)})" if best else "")
        css = "lh-dot-held lh-best" if best else "lh-dot-held"
        parts.append(f'<circle class="{css}" cx="{x(step)}" cy="{y(loss)}" r="{6 if best else 4}"><title>{escape(title)}</title></circle>')
    legend = _legend(train, held_out, language)
    label = f"{t('loss', language)}: {t('loss_train', language)}, {t('loss_held_out', language)}"
    # Time runs left to right on a plot in either language; only the words follow the page.
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}" direction="ltr">{"".join(parts)}</svg>'
    return f'<figure class="lh-plot" id="lh-loss"><figcaption>{legend}</figcaption>{svg}</figure>'


def _legend(train: Pairs, held_out: Pairs, language: str) -> str:
    parts = [f"<b>{escape(t('loss', language))}</b>"]
    for css, key, pairs in (("lh-key-train", "loss_train", train), ("lh-key-held", "loss_held_out", held_out)):
        latest = f" {number(pairs[-1][1], language, 3)}" if pairs else ""
        parts.append(f'<span class="lh-key {css}">{escape(t(key, language))}{latest}</span>')
    return "".join(parts)
