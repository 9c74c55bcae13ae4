"""Nouns -> HTML: the pieces that every tab uses. Everything that a person, a file or a model wrote is escaped here.

    badge("fits", "good")          a small coloured word
    table(heads, rows)             cells are HTML already: give them through `cell` or `escape`
    error_card(error, language)    a LoraHubError in the page

Texts of unknown direction carry dir="auto", so that a Persian cell reads right to left inside an English page.
"""

import html
import re
from collections.abc import Iterable, Sequence

from lora_hub.errors import LoraHubError
from lora_hub.ui.text import LANGUAGES, digits, t

# A cell longer than this is cut on the page; the file itself is read whole.
LONGEST_CELL = 600


def escape(text: object) -> str:
    """Text as HTML, quotes included. Control characters that would reorder or hide what follows are shown as marks."""
    shown = "".join("\ufffd" if ch in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068" or (ch < " " and ch not in "\n\t\r") else ch for ch in str(text))
    return html.escape(shown, quote=True)


def filled(key: str, language: str, **pieces: str) -> str:
    """A sentence whose fields take HTML, such as a name in <bdi>."""
    return escape(t(key, language)).format(**pieces)


def sentence(text: str) -> str:
    """A sentence of ours with names of unknown direction in «» as HTML: each name keeps to itself, so that a Latin column's
    name does not turn a Persian sentence around."""
    return re.sub("«([^«»]*)»", r"«<bdi>\1</bdi>»", escape(text))


def isolated(text: str) -> str:
    """The same for a place that shows plain text: by the characters that isolate."""
    return re.sub("«([^«»]*)»", "«\u2068\\1\u2069»", text)


def cell(text: object, limit: int = LONGEST_CELL) -> str:
    """One value of unknown direction, cut where it is long."""
    text = "" if text is None else str(text)
    shown = text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
    return f'<bdi dir="auto" class="lh-text">{escape(shown)}</bdi>'


def both(key: str, tag: str = "span", css: str = "") -> str:
    """A sentence in both languages; the style sheet shows the one of the page."""
    attribute = f" {css}" if css else ""
    return "".join(
        f'<{tag} class="lh-{language}{attribute}" lang="{language}">{escape(t(key, language))}</{tag}>' for language in LANGUAGES
    )


def badge(word: str, kind: str = "plain") -> str:
    """kind: plain, good, warn, bad, live."""
    return f'<span class="lh-badge lh-{kind}">{escape(word)}</span>'


def heading(step: int, key: str) -> str:
    """The heading of a numbered step, in both languages."""
    number = "".join(f'<span class="lh-{language}">{digits(str(step), language)}</span>' for language in LANGUAGES)
    return (
        f'<div class="lh-step"><span class="lh-number" aria-hidden="true">{number}</span><div>'
        f"<h2>{both(key)}</h2><p>{both(key + '_why')}</p></div></div>"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], css: str = "", directions: Sequence[str] = ()) -> str:
    """A table that scrolls by itself where the screen is narrow. Heads are texts; cells are HTML. directions: an attribute for
    each head (`render_table.direction_of`); none: the page's."""
    given = [*directions, *[""] * (len(heads) - len(directions))]
    head = "".join(f'<th scope="col"{direction}>{escape(text)}</th>' for text, direction in zip(heads, given, strict=True))
    body = "".join("<tr>" + "".join(f"<td>{value}</td>" for value in row) + "</tr>" for row in rows)
    return f'<div class="lh-scroll" tabindex="0"><table class="lh-table {css}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def empty(title: str, why: str = "") -> str:
    """What a place says where there is nothing yet, and how to get the first one."""
    more = f"<p>{escape(why)}</p>" if why else ""
    return f'<div class="lh-empty"><strong>{escape(title)}</strong>{more}</div>'


def note(text: str, kind: str = "plain") -> str:
    return f'<p class="lh-note lh-{kind}">{escape(text)}</p>'


def link(url: str, words: str) -> str:
    """A link to http or https only; anything else is shown as words."""
    if not url.startswith(("http://", "https://")):
        return escape(words)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{escape(words)}</a>'


def error_card(error: LoraHubError, language: str) -> str:
    message, hint = error.in_language(language)
    return card("bad", sentence(message), sentence(hint))


def card(kind: str, title: str, body: str = "", label: str = "") -> str:
    """A coloured card. title and body are HTML."""
    word = f'<span class="lh-card-kind">{escape(label)}</span>' if label else ""
    more = f'<p dir="auto">{body}</p>' if body else ""
    role = ' role="alert"' if kind == "bad" else ""
    return f'<div class="lh-card lh-{kind}"{role}>{word}<strong dir="auto">{title}</strong>{more}</div>'
