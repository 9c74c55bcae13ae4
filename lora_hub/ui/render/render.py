"""Nouns -> HTML: the pieces that every tab uses. Everything that a person, a file or a model wrote is escaped here.

    badge("fits", "good")          a small coloured word
    table(heads, rows)             cells are HTML already: give them through `cell` or `escape`
    error_card(error, language)    a LoraHubError in the page

Texts of unknown direction carry dir="auto", so that a Persian cell reads right to left inside an English page.
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
# What would reorder or hide what follows it.
_HIDING = re.compile("[\u202a\u202b\u202d\u202e\u2066-\u2068\x00-\x08\x0b\x0c\x0e-\x1f]")
# A cell longer than this is cut on the page; the file itself is read whole.
LONGEST_CELL = 600


def escape(text: object) -> str:
    """Text as HTML, quotes included. Control characters that would reorder or hide what follows are shown as marks; a
    pair that isolates what is between (FSI and PDI) does neither, and stays."""
    shown = str(text)
    if _HIDING.search(shown):
        parts = re.split("(\u2068[^\u2066-\u2069\u202a-\u202e]*\u2069)", shown)
        shown = "".join(part if place % 2 else _HIDING.sub("\ufffd", part) for place, part in enumerate(parts))
    return html.escape(shown, quote=True)


def filled(said: Message, language: str, **pieces: str) -> str:
    """A sentence whose fields take HTML, such as a name in <bdi>."""
    return escape(t(said, language)).format(**pieces)


def sentence(text: str) -> str:
    """A sentence of ours as HTML, names of unknown direction in it isolated: those in «», in a sentence that reads from
    right to left every run of Latin words, numbers beside them included, and in another every run of Persian words and
    their kin. So no name turns the sentence around or sends its dashes to the other end."""
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
                "".join(f"<bdi>{escape(one)}</bdi>" if inner % 2 else escape(one) for inner, one in enumerate(runs))
            )
    return "".join(shown)


def isolated(text: str) -> str:
    """The same for a place that shows plain text: by the characters that isolate."""
    return re.sub("«([^«»]*)»", "«\u2068\\1\u2069»", text)


def as_markdown(text: str) -> str:
    """The same for a place that Gradio reads as Markdown with HTML in it, such as what stands below a field's label: a
    file's own words are words there, and load nothing."""
    return re.sub(r"([\\`*_{}\[\]()#+!|~$])", r"\\\1", escape(isolated(text)))


def isolate(text: object) -> str:
    """A name, a path, a version or a value inside a sentence: it keeps to itself, whichever way the sentence reads."""
    return f"<bdi>{escape(text)}</bdi>"


def cell(text: object, limit: int = LONGEST_CELL) -> str:
    """One value of unknown direction, cut where it is long."""
    text = "" if text is None else str(text)
    shown = text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
    # Words stay whole; names that are put together may break where they are.
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
    """A table that scrolls by itself where the screen is narrow. Heads are texts; cells are HTML. directions: an
    attribute for each head (`render_table.direction_of`); none: the page's. stacked: on a phone each row becomes a card
    whose lines begin with their heads, for tables whose last columns matter."""
    given = [*directions, *[""] * (len(heads) - len(directions))]
    head = "".join(
        f'<th scope="col"{direction}>{escape(text)}</th>' for text, direction in zip(heads, given, strict=True)
    )
    if stacked:  # the roles, because a table that is laid out as blocks is none to a screen reader
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


def empty(title: str, why: str = "") -> str:
    """What a place says where there is nothing yet, and how to get the first one."""
    more = f"<p>{sentence(why)}</p>" if why else ""
    return f'<div class="lh-empty"><strong>{sentence(title)}</strong>{more}</div>'


def note(text: str, kind: str = "plain") -> str:
    return f'<p class="lh-note lh-{kind}">{sentence(text)}</p>'


def link(url: str, words: str) -> str:
    """A link to http or https only; anything else is shown as words."""
    if not url.startswith(("http://", "https://")):
        return escape(words)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{escape(words)}</a>'


def told(error: LoraHubError, language: str) -> tuple[str, str]:
    """(message, hint) of an error as the page says it: in its language, its digits and its words, and to visitors
    without the machine's paths."""
    said = (for_visitors(in_page_words(part).in_language(language)) for part in (error.said, error.advice))
    message, hint = (own_digits(part, language) for part in said)
    return message, hint


def for_visitors(text: str) -> str:
    """A text that may quote this machine, as it is told here: whoever sits at it may see where things lie."""
    return without_places(text) if settings.signs_in() else text


def error_card(error: LoraHubError, language: str) -> str:
    message, hint = told(error, language)
    return card("bad", sentence(message), sentence(hint))


def pager(where: str, page: int, size: int, total: int, language: str) -> str:
    """A way to the other rows of a long table: page counts from 1. where: what a click writes in front of the page's
    number into the page's field for it (page.js)."""
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
