"""Nouns -> HTML: the pieces that every tab uses. Everything written by a person, a file or a model is escaped here.

    badge("fits", "good")          a small coloured word
    table(heads, rows)             cells are HTML already: make them with `cell` or `escape`
    error_card(error, language)    a LoraHubError in the page

Texts of unknown direction get dir="auto", so that a Persian cell reads right to left inside an English page.
"""

import html
import re
from collections.abc import Iterable, Sequence

from lora_hub.core import settings
from lora_hub.core.disk import without_places
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import Message, _
from lora_hub.ui.render.page_words import in_page_words
from lora_hub.ui.render.text import RIGHT_TO_LEFT, direction, number, own_digits, t

_LATIN_WORD = r"[-\w./\\:=@#+~%&?]*[A-Za-z][-\w./\\:=@#+~%&?]*"
# Latin words with what belongs to them, without the mark that ends the sentence.
# A run ends before what lies between two names, such as a comma: they keep to themselves.
_RIGHT_RUN = re.compile(f"([{RIGHT_TO_LEFT}](?:[{RIGHT_TO_LEFT}\u200c ]*[{RIGHT_TO_LEFT}])?)")
_LATIN_RUN = re.compile(rf"((?<!\w)(?a:{_LATIN_WORD}(?: (?:{_LATIN_WORD}|\d[\w.]*))*)(?<![.:?]))", re.UNICODE)
# A number keeps its sign on its left, where Persian has it, too; between right-to-left words it would go to the right.
_SIGNED = re.compile(r"(?<![\w\u200c.,\u066b\u066c&#;])([+\u2212-][\u06f0-\u06f9][\u06f0-\u06f9\u066b\u066c]*\u066a?)")
# Characters that would reorder or hide the text after them, or that no XML may have.
_HIDING = re.compile("[\u202a\u202b\u202d\u202e\u2066-\u2068\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# A cell longer than this is cut on the page; the file itself is read whole.
LONGEST_CELL = 600


def escape(text: object) -> str:
    """Text as HTML, quotes included, with nothing hidden in it."""
    return html.escape(unhidden(str(text)), quote=True)


def unhidden(text: str) -> str:
    """Control characters that would reorder or hide the following text are made visible. Paired isolates (FSI and PDI)
    do neither and stay."""
    if not _HIDING.search(text):
        return text
    parts = re.split("(\u2068[^\u2066-\u2069\u202a-\u202e]*\u2069)", text)
    return "".join(part if place % 2 else _HIDING.sub("\ufffd", part) for place, part in enumerate(parts))


def filled(said: Message, language: str, **pieces: str) -> str:
    """A sentence whose fields are filled with HTML, such as a name in <bdi>."""
    return escape(t(said, language)).format(**pieces)


def sentence(text: str) -> str:
    """One of our sentences as HTML, with names of unknown direction isolated, so that no name turns the sentence around
    or moves its punctuation.

    Isolated are names in «»; in a right-to-left sentence also each run of Latin words with the numbers beside it; in a
    left-to-right sentence each run of right-to-left words.
    """
    parts = re.split("(«[^«»]*»|\u2068[^\u2068\u2069]*\u2069)", text)
    is_right_to_left = direction(text) == "rtl"
    shown = []
    for place, part in enumerate(parts):
        if place % 2:
            name = f"<bdi>{escape(part[1:-1])}</bdi>"
            shown.append(f"«{name}»" if part[0] == "«" else name)
        else:
            runs = (_LATIN_RUN if is_right_to_left else _RIGHT_RUN).split(part)
            shown.append(
                "".join(
                    f"<bdi>{escape(one)}</bdi>" if inner % 2 else _SIGNED.sub(r'<bdi dir="ltr">\1</bdi>', escape(one))
                    for inner, one in enumerate(runs)
                )
            )
    return "".join(shown)


def isolated(text: str) -> str:
    """The same for plain text, with Unicode's isolating characters."""
    return re.sub("«([^«»]*)»", "«\u2068\\1\u2069»", text)


def as_hint(text: str) -> str:
    """The same for the hint below a field's label, in which Gradio escapes HTML and then looks for a little Markdown:
    links, code and emphasis. It has no way to quote a mark, so a mark that would count becomes a sign that looks like
    it. Words from a file stay plain words there and lead nowhere."""
    shown = isolated(unhidden(text)).replace("](", "]\u2060(").replace("`", "ˋ").replace("*", "∗")
    return re.sub(r"(?<!\w)_|_(?!\w)|_(?=_)|(?<=_)_", "ˍ", shown)


def isolate(text: object) -> str:
    """A name, path, version or value inside a sentence, isolated from the sentence's direction."""
    return f"<bdi>{escape(text)}</bdi>"


def cell(text: object, limit: int = LONGEST_CELL) -> str:
    """One value of unknown direction, shortened if it is long."""
    text = "" if text is None else str(text)
    shown = text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
    # Words are not broken; compound names may break at their separators.
    broken = re.sub(r"([_/]+)(?=[^_/])", r"\1<wbr>", escape(shown))
    return f'<bdi dir="auto" class="lh-text">{broken}</bdi>'


def badge(word: str, kind: str = "plain") -> str:
    """kind: plain, good, warn, bad, live."""
    return f'<span class="lh-badge lh-{kind}">{escape(word)}</span>'


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    css: str = "",
    directions: Sequence[str] = (),
    *,
    stacked: bool = False,
) -> str:
    """A table that scrolls horizontally on a narrow screen. heads: texts. rows: cells as HTML. directions: an attribute
    per head (`render_table.direction_of`); empty: the page's. stacked: on a phone each row becomes a card whose lines
    start with their heads, for tables whose last columns matter."""
    given = [*directions, *[""] * (len(heads) - len(directions))]
    head = "".join(
        f'<th scope="col"{direction}>{escape(text)}</th>' for text, direction in zip(heads, given, strict=True)
    )
    if stacked:  # explicit roles: screen readers do not see a table laid out as blocks as one
        row_tag, cells = '<tr role="row">', [f'<td role="cell" data-head="{escape(text)}">' for text in heads]
    else:
        row_tag, cells = "<tr>", ["<td>"] * len(heads)
    body = "".join(
        row_tag + "".join(f"{tag}{value}</td>" for tag, value in zip(cells, row, strict=True)) + "</tr>" for row in rows
    )
    kind = f'role="table" class="lh-table lh-stacked {css}"' if stacked else f'class="lh-table {css}"'
    return (
        f'<div class="lh-scroll" tabindex="0"><table {kind}><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def empty(title: str, why: str = "", go: tuple[str, str] | None = None) -> str:
    """What an empty place shows, and how to get the first item. go: the tab where that is done (its name in the
    address), and what the button to it says."""
    more = f"<p>{sentence(why)}</p>" if why else ""
    if go:
        more += f'<button type="button" class="lh-small" data-go="{escape(go[0])}">{escape(go[1])}</button>'
    return f'<div class="lh-empty"><strong>{sentence(title)}</strong>{more}</div>'


def waiting(said: str) -> str:
    """What stands where something takes a while of which nobody knows how long."""
    return f'<div class="lh-waiting"><p role="status">{sentence(said)}</p><span class="lh-bar lh-unsure"></span></div>'


def note(text: str, kind: str = "plain") -> str:
    return f'<p class="lh-note lh-{kind}">{sentence(text)}</p>'


def link(url: str, words: str) -> str:
    """A link, only to http or https; anything else is shown as text."""
    if not url.startswith(("http://", "https://")):
        return escape(words)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{escape(words)}</a>'


def told(error: LoraHubError, language: str) -> tuple[str, str]:
    """(message, hint) of an error for the page: in its language, digits and wording, and without the machine's paths
    for visitors."""
    said = (for_visitors(in_page_words(part).in_language(language)) for part in (error.said, error.advice))
    message, hint = (own_digits(part, language) for part in said)
    return message, hint


def for_visitors(text: str) -> str:
    """A text that may quote this machine. Only a person at the machine sees its paths."""
    return without_places(text) if settings.signs_in() else text


def error_card(error: LoraHubError, language: str) -> str:
    message, hint = told(error, language)
    return card("bad", sentence(message), sentence(hint))


def pager(where: str, page: int, size: int, total: int, language: str) -> str:
    """Buttons to the other pages of a long table. page: counts from 1. where: what a click writes before the page
    number into the page's hidden field (page.js)."""
    pages = max(1, -(-total // size))
    first, last = size * (page - 1) + 1, min(total, size * page)
    said = t(
        _("{first} to {last} of {total}"),
        language,
        first=number(first, language),
        last=number(last, language),
        total=number(total, language),
    )
    buttons = [
        (
            f'<button type="button" class="lh-small" '
            f"{where.format(page=to)}{' disabled' if not 1 <= to <= pages else ''}>"
            f"{escape(t(words, language))}</button>"
        )
        for to, words in ((page - 1, _("Previous rows")), (page + 1, _("Next rows")))
    ]
    return (
        f'<nav class="lh-pager" aria-label="{escape(t(_("Pages of the table"), language))}">{buttons[0]}'
        f'<span class="lh-quiet" role="status">{escape(said)}</span>{buttons[1]}</nav>'
    )


def card(kind: str, title: str, body: str = "", label: str = "") -> str:
    """A coloured card. title and body are HTML."""
    word = f'<span class="lh-card-kind">{escape(label)}</span>' if label else ""
    more = f'<p dir="{direction(body)}">{body}</p>' if body else ""
    role = ' role="alert"' if kind == "bad" else ""
    return f'<div class="lh-card lh-{kind}"{role}>{word}<strong dir="{direction(title)}">{title}</strong>{more}</div>'
