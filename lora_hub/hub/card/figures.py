"""The picture of a card: what the adapter scored, as an SVG file beside README.md.

    draw(task, rows, scores, "en")        bytes of the file; b"" where there is nothing to draw
    numbers_in(svg)                       its counts or scores, as words
    is_plain(text)                        whether an SVG that anybody may have written is only shapes and words

Of a task with labels it is a confusion matrix of the held-out rows, else base and adapter with their intervals. It
holds counts, never rows. People's words in it are cut, and escaped as XML; it brings its own background, so that it can
be read on a light page and on a dark one.
"""

import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from lora_hub.core.languages import in_digits
from lora_hub.core.messages import Message, _, _n
from lora_hub.core.schema import ADAPTER, HeldOutRow, Scores, Task
from lora_hub.evaluation import metrics
from lora_hub.hub.card.markdown import plain
from lora_hub.hub.card.words import WHO

FIGURE = "results.svg"
# Labels that get a line of their own; the rarer ones share one. Characters of a label.
MOST_LABELS, LONGEST_LABEL = 15, 22
MOST_METRICS = 6
# An SVG that a page shows: of so many bytes and elements at most, and these elements.
MOST_BYTES, MOST_ELEMENTS = 200_000, 3_000
ELEMENTS = {"svg", "title", "g", "rect", "line", "circle", "text"}
ATTRIBUTES = set(
    "xmlns viewBox width height role x y x1 y1 x2 y2 cx cy r rx fill stroke stroke-width font-size font-family "
    "font-weight text-anchor".split()
)
INK, FAINT, PAPER, STRONG, WEAK = "#1f2933", "#52606d", "#ffffff", "#1d5fb8", "#8a97a6"
OTHERS, NEITHER = _("other labels"), _("none of them")


def figure_name(language: str) -> str:
    """The file of a language's picture in the repo."""
    return FIGURE if language == "en" else FIGURE.replace(".", f".{language}.", 1)


def draw(task: Task, rows: Sequence[HeldOutRow], scores: Mapping[str, Scores], language: str = "en") -> bytes:
    """rows: held out, with the adapter's answers. scores: by who answered, per cent."""
    rows = [row for row in rows if ADAPTER in row.answers and isinstance(row.reference, str)]
    if task.output == "labels" and rows:
        return _confusion(task, rows, language).encode()
    return _intervals(scores, language).encode() if scores.get(ADAPTER) else b""


def is_plain(svg: bytes) -> bool:
    """Whether an SVG is only shapes and words of the kind that `draw` makes: nothing that moves, is fetched, is
    repeated by reference, or runs."""
    if len(svg) > MOST_BYTES or b"<!" in svg or b"<?" in svg:
        return False
    try:
        found = list(ElementTree.fromstring(svg.decode()).iter())
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError, RecursionError):
        return False
    names = {str(one.tag).removeprefix("{http://www.w3.org/2000/svg}") for one in found}
    attributes = [item for one in found for item in one.attrib.items()]
    return (
        len(found) <= MOST_ELEMENTS
        and names <= ELEMENTS
        and all(name in ATTRIBUTES and "(" not in value and len(value) < 100 for name, value in attributes)
    )


def numbers_in(svg: bytes) -> list[str]:
    """What a picture that `is_plain` says in words with a number, in its order; [] for any other."""
    if not is_plain(svg):
        return []
    found = (one for one in ElementTree.fromstring(svg.decode()).iter() if str(one.tag).endswith("text"))
    words = ("".join(one.itertext()) for one in found)  # also what stands behind something in it
    return [word for word in words if any(map(str.isdigit, word))]


def count_answers(task: Task, rows: Sequence[HeldOutRow]) -> tuple[list[str], list[list[int]]]:
    """(labels, counts[right][answered]): the most frequent `MOST_LABELS` of the right labels in the task's order, then,
    as empty names, a line and column of the others and a column of answers that are no label; the latter two only where
    they hold a row."""
    known = [*dict.fromkeys((*task.labels, *(str(row.reference) for row in rows)))]
    place = {metrics.normalize_label(label): number for number, label in enumerate(known)}
    pairs = Counter(
        (
            place[metrics.normalize_label(str(row.reference))],
            place.get(metrics.normalize_label(row.answers[ADAPTER].text)),
        )
        for row in rows
    )
    often = Counter(place[metrics.normalize_label(str(row.reference))] for row in rows)
    kept = sorted(sorted(range(len(known)), key=lambda one: (-often[one], one))[:MOST_LABELS])
    column = {one: number for number, one in enumerate(kept)}
    counts = [[0] * (len(kept) + 2) for _line in range(len(kept) + 1)]
    for (right, answered), count in pairs.items():
        there = len(kept) + 1 if answered is None else column.get(answered, len(kept))
        counts[column.get(right, len(kept))][there] += count
    return [known[one] for one in kept], counts


def _confusion(task: Task, rows: Sequence[HeldOutRow], language: str) -> str:
    labels, counts = count_answers(task, rows)
    lines = [(plain(label, LONGEST_LABEL), number) for number, label in enumerate(labels)]
    columns = list(lines)
    if any(counts[-1]) or any(line[-2] for line in counts):
        others = (OTHERS.in_language(language), len(labels))
        lines, columns = [*lines, others], [*columns, others]
    if any(line[-1] for line in counts):
        columns.append((NEITHER.in_language(language), len(labels) + 1))
    # The names of the lines stand beside them with their numbers, by which the columns are called: so it is narrow
    # enough for a phone.
    names = [f"{name} ({in_digits(str(number), language)})" for number, (name, _place) in enumerate(lines, 1)]
    cell, top = (40 if len(columns) > 6 else 64), 76
    left = 24 + 8 * max(map(len, names))
    width, height = left + cell * len(columns) + 20, top + cell * len(lines) + 20 + 22 * (len(columns) - len(lines))
    rows_said = _n("{count:,} held-out row", "{count:,} held-out rows", count=len(rows))
    shapes = [
        _text(16, 24, _("Lines: the right label, {rows}", rows=rows_said), language, anchor="start", size=13),
        _text(16, 44, _("Columns: what the adapter answered"), language, anchor="start", size=13),
    ]
    for number, (label, _place) in enumerate(columns):
        called = in_digits(str(number + 1), language)
        shapes.append(_text(left + cell * (number + 0.5), top - 8, called, language, fill=FAINT, size=12))
        if number >= len(lines):
            shapes.append(_text(16, height - 14, f"{label} ({called})", language, anchor="start", fill=FAINT, size=12))
    for down, (name, place) in enumerate(zip(names, (place for _name, place in lines), strict=True)):
        total = sum(counts[place])
        middle = top + cell * (down + 0.5) + 5
        shapes.append(_text(left - 10, middle, name, language, anchor="end", size=13))
        for across, (_name, other) in enumerate(columns):
            count = counts[place][other]
            share = count / total if total else 0.0
            x, y = left + cell * across, top + cell * down
            shapes.append(
                f'<rect x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}" rx="3" fill="{_shade(share)}"/>'
            )
            if count:
                ink = PAPER if share > 0.5 else INK
                shapes.append(_text(x + cell / 2 - 1, middle, _("{count:,}", count=count), language, fill=ink, size=13))
    return _svg(max(width, 330), height, shapes, _("Confusion matrix of the held-out rows"), language)


def _intervals(scores: Mapping[str, Scores], language: str) -> str:
    """Each metric of the adapter with its interval, and the base's below it."""
    names = list(scores[ADAPTER])[:MOST_METRICS]
    asked = [who for who in WHO if scores.get(who)]
    left, width, y = 16, 300, 28
    shapes = [_text(left, y, _("Held-out rows, per cent, 95 % intervals"), language, anchor="start")]
    for name in names:
        y += 32
        shapes.append(_text(left, y, metrics.title_of(name), language, anchor="start", size=13, weight="bold"))
        for who in asked:
            score = scores[who].get(name)
            if score is None:
                continue
            fill = STRONG if who == ADAPTER else WEAK
            low, value, high = (
                left + width * max(0.0, min(100.0, one)) / 100 for one in (score.low, score.value, score.high)
            )
            y += 38
            shapes += [
                _text(left, y - 14, WHO[who], language, anchor="start", size=12),
                f'<line x1="{left}" y1="{y}" x2="{left + width}" y2="{y}" stroke="#e4e7eb" stroke-width="1"/>',
                f'<line x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}" stroke="{fill}" stroke-width="3"/>',
                f'<circle cx="{value:.1f}" cy="{y}" r="5" fill="{fill}"/>',
                _text(left + width + 12, y + 4, _("{value:.1f}", value=score.value), language, anchor="start", size=12),
            ]
    for tick in (0, 50, 100):
        number = _("{value:.0f}", value=float(tick))
        shapes.append(_text(left + width * tick / 100, y + 20, number, language, fill=FAINT, size=11))
    return _svg(left + width + 60, y + 34, shapes, _("Scores on the held-out rows"), language)


def _shade(share: float) -> str:
    """White to the strong colour."""
    ends = [(int(PAPER[at : at + 2], 16), int(STRONG[at : at + 2], 16)) for at in (1, 3, 5)]
    low = 0.06  # an empty cell is seen, too
    part = low + (1 - low) * share
    return "#" + "".join(f"{round(first + (last - first) * part):02x}" for first, last in ends)


def _text(
    x: float,
    y: float,
    words: Message | str,
    language: str,
    *,
    anchor: str = "middle",
    fill: str = INK,
    size: int = 14,
    weight: str = "normal",
) -> str:
    said = plain(words.in_language(language) if isinstance(words, Message) else words, 120)
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{fill}" font-size="{size}" font-weight="{weight}">'
        f"{escape(said)}</text>"
    )


def _svg(width: float, height: float, shapes: Sequence[str], title: Message, language: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" font-family={quoteattr("system-ui, Vazirmatn, sans-serif")}>\n'
        f"<title>{escape(plain(title.in_language(language)))}</title>\n"
        f'<rect x="0" y="0" width="{width:g}" height="{height:g}" rx="8" fill="{PAPER}"/>\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )
