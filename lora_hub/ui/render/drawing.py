"""An SVG that stands alone: it is a picture on the page, and the file that is saved.

    drawing = Drawing("fa", 300)
    drawing.line(0, 10, 100, 10, 'stroke="currentColor"')
    figure(drawing.svg("What it shows"), "Accuracy", "my-test", "fa")

Text is drawn by the browser, which joins and orders Persian letters. Colours and shapes differ, so that a plot can be
read without colours. The browser turns the SVG into a PNG.
"""

import math

from lora_hub.core.messages import _
from lora_hub.ui.render.render import escape
from lora_hub.ui.render.text import t

# Units of the drawing.
WIDTH, LINE, EDGE = 720, 24, 24
# One for each model, in turn; each is at least 3:1 against white and against the dark page.
COLOURS = ("#0d9488", "#b45309", "#7c3aed", "#db2777", "#2563eb", "#65a30d", "#dc2626", "#64748b")
SHAPES = ("circle", "square", "diamond", "triangle")
FONT = "system-ui, 'Segoe UI', Vazirmatn, 'Noto Sans', 'Noto Sans Arabic', Tahoma, sans-serif"


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers that cover low to high: steps of 1, 2 or 5 times a power of ten."""
    span = max(high - low, 1e-9)
    raw = span / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    first = math.ceil(low / step - 1e-9) * step
    return [first + i * step for i in range(int((high - first) / step + 1e-9) + 1)]


class Drawing:
    """An SVG in the making. Time runs from left to right in every language; each text is ordered by its own letters."""

    def __init__(self, language: str, height: float) -> None:
        self.language, self.height = language, height
        self.parts: list[str] = []

    def text(
        self, x: float, y: float, said: str, *, end: bool = False, middle: bool = False, small: bool = False
    ) -> None:
        """end: the text ends there instead of beginning."""
        anchor = "middle" if middle else "end" if end else "start"
        size = 11 if small else 13
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'style="unicode-bidi:plaintext">{escape(said)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        self.parts.append(f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" fill="none" {style}/>')

    def mark(self, x: float, y: float, which: int, said: str) -> None:
        x, r = round(x, 1), 5
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
    head = plot_head(title, name, language)
    return (
        f'<figure class="lh-testplot"><figcaption class="lh-plothead">{head}</figcaption>'
        f'<div class="lh-plotscroll" tabindex="0">{svg}</div></figure>'
    )


def plot_head(title: str, name: str, language: str, plot: str = "") -> str:
    """The title of a picture, and what saves it. name: of the file. plot: the id of the Plot that is saved; empty: the
    SVG of the figure around it."""
    saving = escape(t(_("Save the picture"), language))
    saved = f' data-plot="{plot}"' if plot else ""
    buttons = "".join(
        f'<button type="button" class="lh-small" data-save="{kind}" data-name="{escape(name)}"{saved}>{kind.upper()}'
        "</button>"
        for kind in ("svg", "png")
    )
    return f'<b>{escape(title)}</b><span class="lh-saves" role="group" aria-label="{saving}">{buttons}</span>'


def cut(name: str, most: int) -> str:
    """A name that is not longer than so many characters. It keeps both ends: versions differ in the last letter."""
    kept = max(2, most - 1)
    return name if len(name) <= most else f"{name[: kept // 2].rstrip()}…{name[kept // 2 - kept :].lstrip()}"
