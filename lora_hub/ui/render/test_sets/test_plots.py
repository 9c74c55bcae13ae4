"""Plots of a test as SVG that stands alone: it is the picture on the page, and the file that is saved.

    dots([("v2", [("v2", score)]), ...], "Accuracy", "fa")      a dot with its interval for each model of each group
    heat(confusion, "fa")                                       a confusion matrix
    curve(bins, "fa")                                           how sure, against how often right

Text is drawn by the browser, which joins and orders Persian letters; where a language reads from the right, so do the
plots. Colours and shapes differ, so that a plot can be read without colours. The browser turns the SVG into a PNG.
"""

from collections.abc import Sequence
from typing import Any

from lora_hub.core.languages import direction
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import Score
from lora_hub.ui.render.render import escape
from lora_hub.ui.render.runs.plot import ticks
from lora_hub.ui.render.text import number, percent, t

# Units of the drawing. Names are cut where they would leave no room.
WIDTH, LINE, NAMES, EDGE = 720, 24, 190, 24
MOST_NAME = 26
# One for each model, in turn; each is at least 3:1 against white and against the dark page.
COLOURS = ("#0d9488", "#b45309", "#7c3aed", "#db2777", "#2563eb", "#65a30d", "#dc2626", "#64748b")
SHAPES = ("circle", "square", "diamond", "triangle")
FONT = "system-ui, 'Segoe UI', Vazirmatn, 'Noto Sans', 'Noto Sans Arabic', Tahoma, sans-serif"

Marks = Sequence[tuple[str, Score]]


class Drawing:
    """An SVG in the making. Everything is placed from where the language begins to read."""

    def __init__(self, language: str, height: float) -> None:
        self.language, self.height = language, height
        self.mirrored = direction(language) == "rtl"
        self.parts: list[str] = []

    def x(self, value: float) -> float:
        return round(WIDTH - value if self.mirrored else value, 1)

    def text(
        self, x: float, y: float, said: str, *, end: bool = False, middle: bool = False, small: bool = False
    ) -> None:
        """end: the text ends there instead of beginning."""
        anchor = "middle" if middle else "end" if end != self.mirrored else "start"
        size = 11 if small else 13
        self.parts.append(
            f'<text x="{self.x(x)}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'style="unicode-bidi:plaintext">{escape(said)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        self.parts.append(f'<path d="M{self.x(x1)} {y1:.1f}L{self.x(x2)} {y2:.1f}" fill="none" {style}/>')

    def mark(self, x: float, y: float, which: int, said: str) -> None:
        x, r = self.x(x), 5
        shape = {
            "circle": f"M{x - r} {y}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0Z",
            "square": f"M{x - r} {y - r}h{2 * r}v{2 * r}h{-2 * r}Z",
            "diamond": f"M{x} {y - r - 1}l{r + 1} {r + 1}l{-r - 1} {r + 1}l{-r - 1} {-r - 1}Z",
            "triangle": f"M{x} {y - r - 1}l{r + 1} {2 * r + 1}h{-2 * r - 2}Z",
        }[SHAPES[which % len(SHAPES)]]
        colour = COLOURS[which % len(COLOURS)]
        self.parts.append(f'<path d="{shape}" fill="{colour}"><title>{escape(said)}</title></path>')

    def svg(self, label: str) -> str:
        """label: what the picture shows, for whoever cannot see it."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height:.0f}" role="img" '
            f'direction="ltr" aria-label="{escape(label)}" font-family="{FONT}" fill="currentColor">'
            f"{''.join(self.parts)}</svg>"
        )


def figure(svg: str, title: str, name: str, language: str) -> str:
    """The picture with its title and what saves it. name: of the file."""
    saving = escape(t(_("Save the picture"), language))
    buttons = "".join(
        f'<button type="button" class="lh-small" data-save="{kind}" data-name="{escape(name)}">{kind.upper()}</button>'
        for kind in ("svg", "png")
    )
    return (
        f'<figure class="lh-testplot"><figcaption><b>{escape(title)}</b>'
        f'<span class="lh-saves" role="group" aria-label="{saving}">{buttons}</span>'
        f'</figcaption><div class="lh-plotscroll" tabindex="0">{svg}</div></figure>'
    )


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
        drawing.text(x + 12, y, _cut(name), small=True)
    bottom = drawing.height - 30
    for value in ticks(low, high, 5):
        drawing.line(place(value), legend, place(value), bottom, 'stroke="currentColor" stroke-opacity=".16"')
        drawing.text(place(value), bottom + 18, number(value, language), middle=True, small=True)
    y, said = legend + LINE / 2 + 2.0, []
    for place_of, (name, marks) in enumerate(groups):
        drawing.text(NAMES - 14, y + 4 + LINE * (len(marks) - 1) / 2, _cut(name), end=True)
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
            NAMES + cell * (column + 0.5), 38 + 14 * (column % 2), _cut(name, int(cell / 3.6)), middle=True, small=True
        )
    for line, counts in enumerate(found.counts):
        y = 60 + cell * line
        drawing.text(NAMES - 14, y + cell / 2 + 4, _cut(names[line]), end=True)
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
            _("{sure} sure: {right} right, {rows} rows"),
            language,
            sure=percent(100 * one.sure, language, 0),
            right=percent(100 * one.right, language, 0),
            rows=number(one.rows, language),
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
    said: Message = _("{name}: {value} ({low} to {high}), {rows} rows")
    values = {key: number(getattr(score, key), language, 1) for key in ("value", "low", "high")}
    return t(said, language, name=name, rows=number(score.rows, language), **values)


def _cut(name: str, most: int = MOST_NAME) -> str:
    return name if len(name) <= most else f"{name[: max(1, most - 1)]}…"
