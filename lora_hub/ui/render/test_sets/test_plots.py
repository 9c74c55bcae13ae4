"""Plots of a test as SVG that stands alone: it is the picture on the page, and the file that is saved.

    dots([("v2", [("v2", score)]), ...], "Accuracy", "fa")      a dot with its interval for each model of each group
    heat(confusion, "fa")                                       a confusion matrix
    curve(bins, "fa")                                           how sure, against how often right

Where a language reads from the right, so do the plots.
"""

from collections.abc import Sequence
from typing import Any

from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Score
from lora_hub.ui.render.drawing import COLOURS, EDGE, LINE, NAMES, WIDTH, Drawing, cut, ticks
from lora_hub.ui.render.render import escape
from lora_hub.ui.render.text import number, percent, t

Marks = Sequence[tuple[str, Score]]


def dots(groups: Sequence[tuple[str, Marks]], title: str, language: str, *, names: Sequence[str] = ()) -> str:
    """A line for each mark of each group, with its interval. names: of the models, for the legend; empty: each group is
    one model."""
    scores = [score for _name, marks in groups for _who, score in marks]
    low = max(0.0, min((one.low for one in scores), default=0.0) - 3)
    high = min(100.0, max((one.high for one in scores), default=100.0) + 3)
    legend = LINE * -(-len(names) // 3) if names else 0
    lines = sum(max(1, len(marks)) for _name, marks in groups)
    gap = 8 if names else 2
    drawing = Drawing(language, legend + lines * LINE + gap * len(groups) + 34)
    room = WIDTH - NAMES - EDGE

    def place(value: float) -> float:
        return NAMES + room * (value - low) / max(high - low, 1e-9)

    for which, name in enumerate(names):
        x, y = NAMES + (which % 3) * room / 3, 14 + LINE * (which // 3)
        drawing.mark(x, y - 4, which, name)
        drawing.text(x + 12, y, cut(name), small=True)
    bottom = drawing.height - 30
    for value in ticks(low, high, 5):
        drawing.line(place(value), legend, place(value), bottom, 'stroke="currentColor" stroke-opacity=".16"')
        drawing.text(place(value), bottom + 18, number(value, language), middle=True, small=True)
    y, said = legend + LINE / 2 + 2.0, []
    for place_of, (name, marks) in enumerate(groups):
        drawing.text(NAMES - 14, y + 4 + LINE * (len(marks) - 1) / 2, cut(name), end=True)
        for who, score in marks:
            which = names.index(who) if names else place_of
            colour = COLOURS[which % len(COLOURS)]
            words = _score_words(name if who == name else f"{name}, {who}", score, language)
            drawing.line(place(score.low), y, place(score.high), y, f'stroke="{colour}" stroke-width="2.5"')
            drawing.mark(place(score.value), y, which, words)
            said.append(words)
            y += LINE
        y += gap
    return drawing.svg(f"{title}: {t(_(', '), language).join(said)}")


def heat(found: Any, language: str) -> str:
    """A `figures.Confusion`: a line for each right label, a column for each answer."""
    size = len(found.labels)
    cell = min(64.0, (WIDTH - NAMES - EDGE) / max(1, size))
    drawing = Drawing(language, 64 + cell * size + 8)
    most = max((count for line in found.counts for count in line), default=0) or 1
    names = [label or t(_("another answer"), language) for label in found.labels]
    drawing.text(NAMES, 16, t(_("answered"), language), small=True)
    drawing.text(NAMES - 14, 16, t(_("right"), language), end=True, small=True)
    said = []
    for column, name in enumerate(names):
        drawing.text(
            NAMES + cell * (column + 0.5), 38 + 14 * (column % 2), cut(name, int(cell / 3.6)), middle=True, small=True
        )
    for line, counts in enumerate(found.counts):
        y = 60 + cell * line
        drawing.text(NAMES - 14, y + cell / 2 + 4, cut(names[line]), end=True)
        for column, count in enumerate(counts):
            left = NAMES + cell * (column + (1 if drawing.mirrored else 0))
            words = t(
                _("{right} answered as {answer}: {count}"),
                language,
                right=names[line],
                answer=names[column],
                count=number(count, language),
            )
            strength = count / most
            drawing.parts.append(
                f'<rect x="{drawing.x(left)}" y="{y:.1f}" width="{cell - 2:.1f}" height="{cell - 2:.1f}" rx="3" '
                f'fill="{COLOURS[0]}" fill-opacity="{0.08 + 0.6 * strength:.2f}"><title>{escape(words)}</title></rect>'
            )
            if count:
                said.append(words)
            if cell >= 18:
                drawing.text(
                    NAMES + cell * (column + 0.5) - 1,
                    y + cell / 2 + 4,
                    number(count, language),
                    middle=True,
                    small=cell < 34,
                )
    return drawing.svg(t(_(", "), language).join(said))


def curve(bins: Sequence[Any], language: str) -> str:
    """`figures.Bin`s: below the dashed line a model is right less often than it says."""
    side, top = 420.0, 12.0
    drawing = Drawing(language, side + 60)
    left = (WIDTH - side) / 2

    def x(value: float) -> float:
        return left + side * value

    def y(value: float) -> float:
        return top + side * (1 - value)

    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        faint = 'stroke="currentColor" stroke-opacity=".16"'
        drawing.line(x(value), y(0), x(value), y(1), faint)
        drawing.line(x(0), y(value), x(1), y(value), faint)
        drawing.text(x(value), y(0) + 16, percent(100 * value, language, 0), middle=True, small=True)
        drawing.text(x(0) - 8, y(value) + 4, percent(100 * value, language, 0), end=True, small=True)
    drawing.line(x(0), y(0), x(1), y(1), 'stroke="currentColor" stroke-opacity=".5" stroke-dasharray="5 5"')
    drawing.text(x(0.5), y(0) + 38, t(_("how sure the model is"), language), middle=True)
    drawing.text(x(0), top - 1, t(_("how often it is right"), language), small=True)
    said, points = [], []
    for one in bins:
        words = t(
            _("{sure} sure: {right} right, {rows}"),
            language,
            sure=percent(100 * one.sure, language, 0),
            right=percent(100 * one.right, language, 0),
            rows=_n("{count:,} row", "{count:,} rows", count=one.rows),
        )
        said.append(words)
        drawing.line(x(one.sure), y(one.low), x(one.sure), y(one.high), f'stroke="{COLOURS[0]}" stroke-width="2"')
        points.append(f"{drawing.x(x(one.sure))} {y(one.right):.1f}")
    if len(points) > 1:
        drawing.parts.append(f'<path d="M{"L".join(points)}" fill="none" stroke="{COLOURS[0]}" stroke-width="2"/>')
    for one, words in zip(bins, said, strict=True):
        drawing.mark(x(one.sure), y(one.right), 0, words)
    return drawing.svg(t(_(", "), language).join(said))


def _score_words(name: str, score: Score, language: str) -> str:
    rows = _n("{count:,} row", "{count:,} rows", count=score.rows)
    values = {key: number(getattr(score, key), language, 1) for key in ("value", "low", "high")}
    return t(_("{name}: {value} ({low} to {high}), {rows}"), language, name=name, rows=rows, **values)
