"""An adapter's card as HTML. Strangers write cards, so raw HTML is shown as text, images are replaced by their
alternative text (they would be loaded from any address the author chose) unless the page has read them itself, and
links only lead to web pages. A part in a language that is written from the right has its direction, and stands first
for those who read the page in one."""

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from lora_hub.core.languages import direction
from lora_hub.core.messages import _
from lora_hub.ui.render.render import escape
from lora_hub.ui.render.text import t

LONGEST = 60_000  # characters of a card that are shown; the parser takes a second for so many brackets
# On a line of its own, as our cards write it and the public Hub shows it; so many parts have a direction of their own.
RIGHT_TO_LEFT, MOST_PARTS = '<div dir="rtl">', 4
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\u200c\u200d]+(?: +[\u0590-\u08ff\u200c\u200d]+)*")


def card_html(text: str, home: str, language: str, figures: Mapping[str, bytes] | None = None) -> str:
    """text: the card without its front matter. home: the address of the repo's page, for relative links. figures: the
    repo's pictures by their file's name, as `hub.read_figures` checked them."""
    from markdown_it import MarkdownIt

    body = text[:LONGEST].replace("\r\n", "\n")
    files = f"{home.rstrip('/')}/blob/main/"
    drawn = {files + name: svg for name, svg in (figures or {}).items()}
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])
    parser.validateLink = lambda url: bool(re.match(r"https?://|[^:]*$|[#/]", url, re.IGNORECASE))
    parser.normalizeLink = lambda url: MarkdownIt.normalizeLink(
        parser, url if url.startswith("#") else urljoin(files, url)
    )
    copy, done = escape(t(_("Copy"), language)), escape(t(_("Copied"), language))
    button = f'<button type="button" class="lh-copy" data-copy="{done}">{copy}</button>'

    def link_open(tokens: Any, place: int, options: Any, env: Any) -> str:
        # Ids are not wanted either: the card is a part of our page.
        href = escape(str(tokens[place].attrGet("href") or ""))
        return f'<a href="{href}" target="_blank" rel="nofollow noopener noreferrer">'

    def image(tokens: Any, place: int, options: Any, env: Any) -> str:
        about = escape(tokens[place].content)
        svg = drawn.get(str(tokens[place].attrGet("src") or ""))
        if svg is None:
            return about
        # As an image nothing in it runs, and nothing is fetched by it.
        data = base64.b64encode(svg).decode()
        return f'<img class="lh-figure" alt="{about}" src="data:image/svg+xml;base64,{data}">'

    def code(tokens: Any, place: int, options: Any, env: Any) -> str:
        # A right-to-left word must not reorder the punctuation and words beside it.
        words = _RIGHT_TO_LEFT.sub(lambda found: f"<bdi>{found[0]}</bdi>", escape(tokens[place].content))
        shown = f'<pre tabindex="0"><code>{words}</code></pre>'
        return f'<div class="lh-code" dir="ltr">{button}{shown}</div>'

    parser.renderer.rules |= {"link_open": link_open, "image": image, "fence": code, "code_block": code}
    shown, *rest = body.split("<!--")  # comments are not shown
    shown += "".join(one.partition("-->")[2] for one in rest)
    first, *others = shown.split(f"\n{RIGHT_TO_LEFT}\n")
    parts = [f'<div dir="auto">{parser.render(first)}</div>']
    for other in others[:MOST_PARTS]:
        inside, _end, behind = other.partition("\n</div>")
        parts += [f'<div dir="rtl">{parser.render(inside)}</div>', f'<div dir="auto">{parser.render(behind)}</div>']
    if len(parts) > 1 and direction(language) == "rtl":
        parts[:2] = [parts[1], "<hr>", parts[0]]
    return f'<div class="lh-text prose" dir="auto">{"".join(parts)}</div>'
