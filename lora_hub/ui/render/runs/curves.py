"""Curves over the training steps as SVG that stands alone: several runs in one plot, and a run's plots as a file.

runs_svg([("Spam #1", [(1, 3.2), ...]), ...], "Validation loss", "en")
run_svg(run, "Spam #1", "en")             losses, learning rate, gradient norm, speed and memory, one below the other

Time runs left to right in every language.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lora_hub.core.events import MEASURES
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import Run
from lora_hub.ui.render.drawing import COLOURS, EDGE, LINE, WIDTH, Drawing, cut, ticks
from lora_hub.ui.render.runs.measure_plots import TITLES as MEASURE_TITLES
from lora_hub.ui.render.runs.measure_plots import digits_after, title_of, unit_of
from lora_hub.ui.render.runs.plot import TRAINING, VALIDATION, Pairs, at_step, decimals_of, thin
from lora_hub.ui.render.text import number, t

# What can be drawn of several runs.
CURVES: dict[str, Message] = {
    "eval_loss": _("Validation loss"),
    "loss": _("Training loss"),
    **MEASURE_TITLES,
}
LEFT, HIGH, LOW = 64, 300, 150
# Lines differ without colours, too.
DASHES = ("", "9 4", "3 3", "12 4 3 4", "6 2", "2 5", "14 6", "8 3 2 3")
LOSS = _("Loss")


@dataclass(frozen=True)
class Curve:
    """which: its colour, and its dashes among several. has_dots: each of its points is marked. is_alone: it has no
    dashes."""

    name: str
    pairs: Pairs
    which: int = 0
    has_dots: bool = False
    is_alone: bool = False

    def style(self, width: float) -> str:
        dashes = "" if self.is_alone else DASHES[self.which % len(DASHES)]
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        return f'stroke="{COLOURS[self.which % len(COLOURS)]}" stroke-width="{width}"{dashed}'


def pairs_of(run: Run, what: str) -> Pairs:
    """A run's curve of a name of `CURVES`."""
    if what == "loss":
        return run.train_losses
    return run.eval_losses if what == "eval_loss" else run.measures.get(what, ())


def runs_svg(named: Sequence[tuple[str, Pairs]], what: str, language: str) -> str:
    """One curve of several runs, in one plane. named: (a run's name, its pairs). what: a name of `CURVES`."""
    size, unit = unit_of(what, [pair for _name, pairs in named for pair in pairs])
    curves = [
        Curve(name, thin([(step, value / size) for step, value in pairs]), which, what == "eval_loss")
        for which, (name, pairs) in enumerate(named)
    ]
    legend = LINE * -(-len(curves) // 2)
    drawing = _Plot(language, HIGH + legend + 52)
    title = title_of(what, unit, language) if unit else t(CURVES[what], language)
    drawing.legend(curves, 8)
    drawing.panel(curves, legend + 12, HIGH, "", max((step for one in curves for step, _value in one.pairs), default=1))
    drawing.text(WIDTH / 2, drawing.height - 4, t(_("training steps"), language), middle=True, small=True)
    return drawing.svg(_in_words(title, curves, language))


def run_svg(run: Run, title: str, language: str) -> str:
    """All plots of one run, one below the other."""
    losses = [
        Curve(t(TRAINING, language), thin(run.train_losses), 1),
        Curve(t(VALIDATION, language), thin(run.eval_losses), 0, True),
    ]
    panels: list[tuple[str, list[Curve], float]] = [(t(LOSS, language), losses, HIGH)]
    for name in MEASURES:
        pairs = thin(run.measures.get(name, ()))
        size, unit = unit_of(name, pairs)
        if pairs:
            drawn = [(step, value / size) for step, value in pairs]
            panels.append((title_of(name, unit, language), [Curve("", drawn, 4, is_alone=True)], LOW))
    steps = [step for _title, curves, _high in panels for one in curves for step, _value in one.pairs]
    last = max([run.planned_steps, 1, *steps])
    drawing = _Plot(language, 30 + LINE + sum(high + 58 for _title, _curves, high in panels))
    drawing.text(WIDTH / 2, 18, cut(title, 70), middle=True)
    drawing.legend(losses, 40)
    top = 40.0 + LINE
    for words, curves, high in panels:
        drawing.panel(curves, top + 14, high, words, last)
        top += high + 58
    return drawing.svg(_in_words(f"{title}: {t(LOSS, language)}", losses, language))


class _Plot(Drawing):
    def legend(self, curves: Sequence[Curve], top: float) -> None:
        for place, one in enumerate(curves):
            x, y = LEFT + (place % 2) * (WIDTH - LEFT) / 2, top + LINE * (place // 2)
            self.line(x, y, x + 26, y, one.style(3))
            self.text(x + 34, y + 4, cut(one.name, 46), small=True)

    def panel(self, curves: Sequence[Curve], top: float, high: float, title: str, last: int) -> None:
        """One plane of curves. top: its upper edge; title: stands above it."""
        values = [value for one in curves for _step, value in one.pairs] or [0.0, 1.0]
        margin = 0.06 * (max(values) - min(values)) or max(1e-9, 0.1 * abs(values[0]))
        low, most = max(0.0, min(values) - margin), max(values) + margin
        room = WIDTH - LEFT - EDGE

        def x(step: float) -> float:
            return LEFT + room * step / last

        def y(value: float) -> float:
            return top + high * (most - value) / (most - low)

        if title:
            self.text(LEFT, top - 8, title)
        upright = ticks(low, most, 6 if high == HIGH else 4)
        for value in upright:
            self.line(LEFT, y(value), WIDTH - EDGE, y(value), 'stroke="currentColor" stroke-opacity=".16"')
            self.text(LEFT - 8, y(value) + 4, number(value, self.language, decimals_of(upright)), end=True, small=True)
        for step in ticks(0, last, 6):
            self.text(x(step), top + high + 18, number(step, self.language), middle=True, small=True)
        for one in curves:
            points = "L".join(f"{x(step):.1f} {y(value):.1f}" for step, value in one.pairs)
            if len(one.pairs) > 1:
                self.parts.append(f'<path d="M{points}" fill="none" stroke-linejoin="round" {one.style(2)}/>')
            for step, value in one.pairs if one.has_dots or len(one.pairs) == 1 else ():
                said = f"{one.name} {number(step, self.language)}: {number(value, self.language, digits_after(value))}"
                self.mark(x(step), y(value), one.which, said)


def _in_words(title: str, curves: Sequence[Curve], language: str) -> str:
    ends = [(one.name, *one.pairs[-1]) for one in curves if one.pairs]
    said = [at_step(name, number(value, language, digits_after(value)), step, language) for name, step, value in ends]
    return f"{title}: {t(_(', '), language).join(said)}"
