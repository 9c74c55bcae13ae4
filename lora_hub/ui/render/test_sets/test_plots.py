"""Plots of a test as Plotly figures, which Gradio's Plot shows and the browser saves as SVG or PNG.

    dots([("v2", [("v2", score)]), ...], "fa")      a dot with its interval for each model of each group
    heat(confusion, "fa")                           a confusion matrix
    curve(bins, "fa")                               how sure, against how often right
    picture(figure)                                 what Gradio's Plot takes
    in_words(figure, "fa")                          the same for whoever cannot see it

Where a language reads from the right, so do the plots. Colours and shapes differ, so that a plot can be read without
colours. Plotly reads a little HTML in its texts, so that people's words are escaped; each text is isolated (Unicode's
FSI and PDI): it is ordered by its own first letter, in the picture that is saved, too.
"""

import json
from collections.abc import Sequence
from html import escape, unescape
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

from gradio.components.plot import PlotData

from lora_hub.core.languages import direction
from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Score
from lora_hub.ui.render.drawing import COLOURS, FONT, cut, ticks
from lora_hub.ui.render.render import unhidden
from lora_hub.ui.render.text import number, percent, t

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Marks = Sequence[tuple[str, Score]]
# Plotly's names of the marks, and the characters that stand for them in a legend.
SHAPES = {"circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲"}
# Pixels: of a line of a plot, of a cell of a matrix.
LINE, CELL = 26, 46
LETTER, WIDE = 7.3, 14
# Characters of a name beside a plot, and where a mark is pointed at.
MOST_NAME, MOST_TOLD = 22, 80
# Read on a light page and on a dark one. The page draws its own colour over INK; a saved picture keeps it.
GRID, INK = "rgba(128, 128, 128, 0.25)", "#1e293b"
# Of a matrix: INK is read on each of its colours.
SCALE = [[0, "#eef8f6"], [1, "#4fb3a5"]]
# Of the labels of a matrix, more than this many stand aslant.
MOST_UPRIGHT, MOST_NUMBERED = 5, 16
# Of a line of a legend, in pixels, which a phone has; and between two names.
LEGEND_WIDTH, GAP = 300, "\u2003"


def dots(groups: Sequence[tuple[str, Marks]], language: str, *, names: Sequence[str] = ()) -> "Figure":
    """A line for each mark of each group, with its interval, in per cent. names: of the models, for the legend; empty:
    each group is one model."""
    scores = [score for _name, marks in groups for _who, score in marks]
    low = max(0.0, min((one.low for one in scores), default=0.0) - 3)
    high = min(100.0, max((one.high for one in scores), default=100.0) + 3)
    drawn: dict[int, list[tuple[float, Score, str]]] = {}
    places, line = [], 0.0
    for group, (name, marks) in enumerate(groups):
        places.append(line + (len(marks) - 1) / 2)
        for who, score in marks:
            which = names.index(who) if names else group
            words = _score_words(name if who == name else f"{name}, {who}", score, language)
            drawn.setdefault(which, []).append((line, score, words))
            line += 1
        line += 0.5 if names else 0.0
    named = [_short(name) for name, _marks in groups]
    figure = _figure(language, LINE * line, named, below=30)
    for which, marks_of in sorted(drawn.items()):
        lines, of, words = zip(*marks_of, strict=True)
        colour = COLOURS[which % len(COLOURS)]
        bars = {
            "array": [one.high - one.value for one in of],
            "arrayminus": [one.value - one.low for one in of],
            "symmetric": False,
            "color": colour,
            "thickness": 2.5,
            "width": 0,
        }
        figure.add_scatter(
            x=[one.value for one in of],
            y=lines,
            error_x=bars,
            mode="markers",
            marker={"color": colour, "size": 11, "symbol": [*SHAPES][which % len(SHAPES)]},
            **_told(words),
        )
    at = ticks(low, high, 5)
    figure.update_xaxes(**_across(language, low - 2, high + 2, at, [number(one, language) for one in at]))
    figure.update_yaxes(**_upright(language, line - 0.2, -0.8, places, named), showgrid=False)
    if names:
        _add_legend(figure, names, language)
    return figure


def heat(found: Any, language: str) -> "Figure":
    """A `figures.Confusion`: a line for each right label, a column for each answer."""
    size = len(found.labels)
    names = [word(label) or t(_("another answer"), language) for label in found.labels]
    told = [
        [
            t(
                _("{right} answered as {answer}: {count}"),
                language,
                right=right,
                answer=answer,
                count=number(count, language),
            )
            for answer, count in zip(names, counts, strict=True)
        ]
        for right, counts in zip(names, found.counts, strict=True)
    ]
    ticked = [_short(name) for name in names]
    is_aslant = size > MOST_UPRIGHT
    above = 32 + (0.7 * _width(ticked) if is_aslant else 30)
    figure = _figure(language, CELL * max(2, 0.7 * size if is_aslant else size), ticked, above=above, has_title=True)
    numbers = [[number(count, language) for count in counts] for counts in found.counts]
    figure.add_heatmap(
        z=found.counts,
        text=numbers,
        texttemplate="%{text}" if size <= MOST_NUMBERED else None,
        textfont={"color": INK},
        colorscale=SCALE,
        showscale=False,
        xgap=3,
        ygap=3,
        hovertext=[[_text(one) for one in line] for line in told],
        hoverinfo="text",
    )
    across = _across(language, -0.5, size - 0.5, range(size), ticked, t(_("answered"), language))
    figure.update_xaxes(**across, showgrid=False, side="top")
    upright = _upright(language, size - 0.5, -0.5, range(size), ticked, t(_("right"), language))
    figure.update_yaxes(**upright, showgrid=False)
    if is_aslant:
        figure.update_xaxes(tickangle=40 if direction(language) == "rtl" else -40)
    return figure


def curve(bins: Sequence[Any], language: str) -> "Figure":
    """`figures.Bin`s: below the dashed line a model is right less often than it says."""
    at = [0.0, 0.25, 0.5, 0.75, 1.0]
    said = [percent(100 * value, language, 0) for value in at]
    figure = _figure(language, 360, said, below=56, has_title=True)
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": "#808080", "dash": "dash", "width": 1}, hoverinfo="skip"
    )
    words = [
        t(
            _("{sure} sure: {right} right, {rows}"),
            language,
            sure=percent(100 * one.sure, language, 0),
            right=percent(100 * one.right, language, 0),
            rows=_n("{count:,} row", "{count:,} rows", count=one.rows),
        )
        for one in bins
    ]
    bars = {
        "array": [one.high - one.right for one in bins],
        "arrayminus": [one.right - one.low for one in bins],
        "symmetric": False,
        "width": 0,
        "thickness": 2,
    }
    figure.add_scatter(
        x=[one.sure for one in bins],
        y=[one.right for one in bins],
        error_y=bars,
        mode="lines+markers",
        marker={"color": COLOURS[0], "size": 10},
        line={"color": COLOURS[0], "width": 2},
        **_told(words),
    )
    figure.update_xaxes(**_across(language, -0.03, 1.03, at, said, t(_("how sure the model is"), language)))
    figure.update_yaxes(**_upright(language, -0.03, 1.03, at, said, t(_("how often it is right"), language)))
    return figure


def picture(figure: "Figure") -> PlotData:
    """What Gradio's Plot shows. The page scrolls over it; what saves it stands beside it."""
    told = json.loads(figure.to_json())
    told["config"] = {"displayModeBar": False, "showTips": False, "doubleClick": False}
    return PlotData(type="plotly", plot=json.dumps(told))


def in_words(figure: "Figure", language: str) -> str:
    """Every mark of a figure, as HTML without tags."""
    said: list[str] = []
    for trace in figure.data:
        for one in trace.hovertext or ():
            said += [one] if isinstance(one, str) else one
    return t(_(", "), language).join(said)


def _figure(
    language: str,
    height: float,
    beside: Sequence[str],
    *,
    above: float = 12,
    below: float = 12,
    has_title: bool = False,
) -> "Figure":
    """height: of the plane, in pixels, without what stands above and below. beside: the words at the upright axis.
    has_title: so has that axis. Plotly would find the room itself, but not always at the right."""
    from plotly.graph_objects import Figure

    clear, room = "rgba(0, 0, 0, 0)", 20 + _width(beside) + (26 if has_title else 0)
    is_mirrored = direction(language) == "rtl"
    return Figure(
        layout={
            "template": "none",
            "height": round(height + above + below),
            "paper_bgcolor": clear,
            "plot_bgcolor": clear,
            "font": {"family": FONT, "size": 13, "color": INK},
            "margin": {"l": 16, "r": 16, "t": above, "b": below} | {"r" if is_mirrored else "l": room},
            "showlegend": False,
            "dragmode": False,
            "hoverlabel": {"align": "right" if is_mirrored else "left"},
        }
    )


def _width(said: Sequence[str]) -> float:
    """Of the longest, in pixels, about: a letter of Chinese is as wide as two of others. said: HTML."""
    widths = (sum(WIDE if east_asian_width(one) in "WF" else LETTER for one in unescape(text)) for text in said)
    return max(widths, default=0.0)


def _across(
    language: str, first: float, last: float, at: Sequence[float], said: Sequence[str], title: str = ""
) -> dict[str, Any]:
    """The axis along which a plot is read: from `first`, where the language begins to read, to `last`."""
    ends = [last, first] if direction(language) == "rtl" else [first, last]
    titled = {"title": _title(title)} if title else {}
    return {"range": ends, "ticklabelstandoff": 4, **_ticks(at, said), **titled}


def _upright(
    language: str, low: float, high: float, at: Sequence[float], said: Sequence[str], title: str = ""
) -> dict[str, Any]:
    """The axis from below to above, which stands where the language begins to read."""
    side = "right" if direction(language) == "rtl" else "left"
    # Plotly puts a title beyond the words at an axis on the left, but on the right into them.
    over = _width(said) if side == "right" else 0
    titled = {"title": _title(title, over)} if title else {}
    return {"range": [low, high], "side": side, "ticklabelstandoff": 8, **_ticks(at, said), **titled}


def _ticks(at: Sequence[float], said: Sequence[str]) -> dict[str, Any]:
    """said: our words at each of them, with the language's digits."""
    plain = {"tickangle": 0, "fixedrange": True, "zeroline": False, "ticks": ""}
    return {"tickvals": [*at], "ticktext": [*said], "gridcolor": GRID, **plain}


def _told(words: Sequence[str]) -> dict[str, Any]:
    """What a mark says when it is pointed at."""
    return {"hovertext": [_text(one) for one in words], "hoverinfo": "text", "cliponaxis": False}


def _title(said: str, over: float = 0) -> dict[str, Any]:
    """over: what the title has to stand beyond, in pixels, besides what Plotly knows of."""
    return {"text": _text(said), "font": {"size": 12}, "standoff": 10 + over}


def word(said: str) -> str:
    """Words of a file as a sentence on a plot has them: not longer than it can show, nothing hidden in them, and
    nothing that the picture's file may not hold."""
    return unhidden(cut(said, MOST_TOLD))


def _short(name: str) -> str:
    """A name beside a plot: on a phone there is room for so many narrow letters."""
    kept = cut(name, MOST_NAME)
    while len(kept) > 1 and _width([escape(kept)]) > (MOST_NAME + 1) * LETTER:
        kept = cut(kept, len(kept) - 1)
    return _text(kept)


def _text(said: str) -> str:
    return f"\u2068{escape(said)}\u2069"


def _add_legend(figure: "Figure", names: Sequence[str], language: str) -> None:
    """Plotly's own legend reads from the left in every language; a line of text is ordered by the browser."""
    items = [
        f'<span style="color:{COLOURS[which % len(COLOURS)]}">{[*SHAPES.values()][which % len(SHAPES)]}</span> '
        f"{_short(name)}"
        for which, name in enumerate(names)
    ]
    lines, left = [], 0.0
    for item, name in zip(items, names, strict=True):
        wide = _width([_short(name)]) + 4 * LETTER  # with its mark and the gap
        if wide > left:
            lines.append([])
            left = LEGEND_WIDTH
        lines[-1].append(item)
        left -= wide
    told, is_mirrored, edges = [GAP.join(line) for line in lines], direction(language) == "rtl", figure.layout.margin
    if is_mirrored:
        told = [f"\u2067{one}\u2069" for one in told]
    side = "right" if is_mirrored else "left"
    figure.add_annotation(
        text="<br>".join(told),
        showarrow=False,
        xref="paper",
        yref="paper",
        # Above the names, too: the plane beside them is narrow on a phone.
        x=1 if is_mirrored else 0,
        xanchor=side,
        xshift=edges.r - 8 if is_mirrored else 8 - edges.l,
        y=1,
        yanchor="bottom",
        align=side,
    )
    above = 16 + LINE * len(lines)
    figure.update_layout(margin_t=above, height=figure.layout.height + above - figure.layout.margin.t)


def _score_words(name: str, score: Score, language: str) -> str:
    rows = _n("{count:,} row", "{count:,} rows", count=score.rows)
    values = {key: number(getattr(score, key), language, 1) for key in ("value", "low", "high")}
    return t(_("{name}: {value} ({low} to {high}), {rows}"), language, name=name, rows=rows, **values)
