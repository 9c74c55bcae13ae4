"""Loss curves as one inline SVG: no plotting library on the page, correct in both reading directions, readable without
colours.

loss_plot([(1, 3.2), ...], [(10, 2.9), ...], best_step=10, language="en")
"""

import itertools
import math
from collections.abc import Sequence

from lora_hub.core.messages import _
from lora_hub.ui.render.drawing import ticks
from lora_hub.ui.render.render import escape
from lora_hub.ui.render.text import number, t

Pairs = Sequence[tuple[int, float]]
# The drawing's own units. It is stretched to the available space; the text beside it is HTML.
WIDTH, HEIGHT = 1000, 500
# The curves by their names.
TRAINING, VALIDATION = _("training"), _("validation")
# More points than pixels only make the page heavier.
MOST_POINTS = 240


def thin(pairs: Pairs, most: int = MOST_POINTS) -> list[tuple[int, float]]:
    """At most `most` points: means over equal intervals, so that the curve keeps its shape. The last point is kept."""
    kept = [(step, loss) for step, loss in pairs if math.isfinite(loss)]
    if len(kept) <= most:
        return kept
    size = len(kept) / (most - 1)
    thinned = []
    for place in range(most - 1):
        part = kept[int(place * size) : max(int(place * size) + 1, int((place + 1) * size))]
        thinned.append((part[-1][0], sum(loss for _, loss in part) / len(part)))
    return [*thinned, kept[-1]]


def decimals_of(values: Sequence[float]) -> int:
    """Decimal places with which ticks can be told apart."""
    step = min((later - earlier for earlier, later in itertools.pairwise(values)), default=1.0)
    return min(9, max(0, -math.floor(math.log10(step) + 1e-9)))


class Plane:
    """The plane that curves are drawn in: its scales, its grid and the words beside it. values: all that are drawn.
    last: the last step. count: ticks of the upright axis. is_small: without the words of the lower axis."""

    def __init__(
        self, values: Sequence[float], last: int, language: str, *, count: int = 4, is_small: bool = False
    ) -> None:
        low, high = min(values), max(values)
        margin = max((high - low) * 0.08, min(0.01, 0.1 * high))
        self.low, self.high, self.last, self.language = max(0.0, low - margin), high + (margin or 0.01), last, language
        self.ticks, self.is_small = ticks(self.low, self.high, count), is_small
        if len(self.ticks) < 2:  # one number is no scale
            self.ticks = ticks(self.low, self.high, 2 * count)

    def x(self, step: float) -> float:
        return round(WIDTH * step / self.last, 1)

    def y(self, loss: float) -> float:
        return round(HEIGHT * (self.high - loss) / (self.high - self.low), 1)

    @property
    def grid(self) -> list[str]:
        return [f'<path class="lh-grid" d="M0 {self.y(value)}H{WIDTH}"/>' for value in self.ticks]

    def drawn(self, parts: Sequence[str]) -> str:
        """The plane as HTML. Time runs left to right in every language; only the text follows the page's direction."""
        words, decimals = [], decimals_of(self.ticks)
        for value in self.ticks:
            place = f"top:{100 * self.y(value) / HEIGHT:.1f}%"
            words.append(
                f'<span class="lh-tick lh-tick-y" style="{place}">{number(value, self.language, decimals)}</span>'
            )
        for value in ticks(0, self.last, 2 if self.is_small else 5):
            place = f"left:{100 * self.x(value) / WIDTH:.1f}%"
            words.append(f'<span class="lh-tick lh-tick-x" style="{place}">{number(value, self.language)}</span>')
        svg = (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">{"".join(parts)}</svg>'
        )
        return f'<div class="lh-plane">{svg}{"".join(words)}</div>' + (
            "" if self.is_small else f'<span class="lh-axis">{escape(t(_("training steps"), self.language))}</span>'
        )


def loss_plot(train: Pairs, held_out: Pairs, *, best_step: int = 0, total: int = 0, language: str = "en") -> str:
    """The curves of training and validation loss over the steps."""
    train, held_out = thin(train), thin(held_out)
    if not train and not held_out:
        return (
            '<div class="lh-empty lh-plot-empty">'
            f"{escape(t(_('The curve begins with the first steps.'), language))}</div>"
        )
    every = [*train, *held_out]
    plane = Plane([loss for _, loss in every], max([total, 1, *(step for step, _ in every)]), language)
    x, y = plane.x, plane.y
    parts = plane.grid
    for css, pairs in (("lh-line-train", train), ("lh-line-held", held_out)):
        if len(pairs) > 1:
            points = " ".join(f"{x(step)},{y(loss)}" for step, loss in pairs)
            parts.append(f'<polyline class="{css}" points="{points}"/>')
    for step, loss in train if len(train) == 1 else []:
        parts.append(_dot(x(step), y(loss), "lh-dot-train"))
    for step, loss in held_out:
        best = bool(best_step) and step == best_step
        title = f"{t(_('step'), language)} {number(step, language)}: {number(loss, language, 4)}" + (
            f" ({t(_('best, kept'), language)})" if best else ""
        )
        parts.append(_dot(x(step), y(loss), "lh-dot-held lh-best" if best else "lh-dot-held", title))
    drawn = plane.drawn(parts)
    label = escape(_in_words(train, held_out, best_step, language))
    legend = _legend(train, held_out, language)
    said = _("The validation rows choose the best checkpoint; the result is of the test rows, which chose nothing.")
    return (
        f'<figure class="lh-plot" id="lh-loss"><figcaption>{legend}</figcaption>'
        f'<div class="lh-canvas" role="img" aria-label="{label}">{drawn}</div>'
        f'<p class="lh-quiet">{escape(t(said, language))}</p></figure>'
    )


def _dot(x: float, y: float, css: str, title: str = "") -> str:
    said = f"<title>{escape(title)}</title>" if title else ""
    return f'<path class="{css}" d="M{x} {y}h0">{said}</path>'


def at_step(curve: str, value: str, step: float, language: str) -> str:
    """A point of a curve in words. curve, value: as they are told."""
    return t(_("{curve} {loss} at step {step}"), language, curve=curve, loss=value, step=number(step, language))


def _in_words(train: Pairs, held_out: Pairs, best_step: int, language: str) -> str:
    """The plot as text for people who cannot see it: the last loss of each curve, and the best checkpoint."""
    said = []
    for name, pairs in ((TRAINING, train), (VALIDATION, held_out)):
        if pairs:
            step, loss = pairs[-1]
            said.append(at_step(t(name, language), number(loss, language, 3), step, language))
    if best_step:
        said.append(t(_("best checkpoint at step {step}"), language, step=number(best_step, language)))
    return f"{t(_('Loss'), language)}: {t(_(', '), language).join(said)}"


def _legend(train: Pairs, held_out: Pairs, language: str) -> str:
    parts = [f"<b>{escape(t(_('Loss'), language))}</b>"]
    for css, name, pairs in (("lh-key-train", TRAINING, train), ("lh-key-held", VALIDATION, held_out)):
        latest = f" {number(pairs[-1][1], language, 3)}" if pairs else ""
        parts.append(f'<span class="lh-key {css}">{escape(t(name, language))}{latest}</span>')
    return "".join(parts)
