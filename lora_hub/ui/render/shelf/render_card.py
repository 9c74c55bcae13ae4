"""An adapter's card as HTML. Strangers write cards, so raw HTML is shown as text, images are replaced by their
alternative text (they would be loaded from any address the author chose), and links only lead to web pages."""

import re
from typing import Any
from urllib.parse import urljoin

from lora_hub.core.messages import _
from lora_hub.ui.render.render import escape
from lora_hub.ui.render.text import t

LONGEST = 60_000  # characters of a card that are shown; the parser takes a second for so many brackets
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\u200c\u200d]+(?: +[\u0590-\u08ff\u200c\u200d]+)*")


def card_html(text: str, home: str, language: str) -> str:
    """text: the card without its front matter. home: the address of the repo's page, for relative links."""
    from markdown_it import MarkdownIt

    body = text[:LONGEST].replace("\r\n", "\n")
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])
    parser.validateLink = lambda url: bool(re.match(r"https?://|[^:]*$|[#/]", url, re.IGNORECASE))
    parser.normalizeLink = lambda url: MarkdownIt.normalizeLink(
        parser, url if url.startswith("#") else urljoin(home.rstrip("/") + "/blob/main/", url)
    )
    copy, done = escape(t(_("Copy"), language)), escape(t(_("Copied"), language))
    button = f'<button type="button" class="lh-copy" data-copy="{done}">{copy}</button>'

    def link_open(tokens: Any, place: int, options: Any, env: Any) -> str:
        # Ids are not wanted either: the card is a part of our page.
        href = escape(str(tokens[place].attrGet("href") or ""))
        return f'<a href="{href}" target="_blank" rel="nofollow noopener noreferrer">'

    def image(tokens: Any, place: int, options: Any, env: Any) -> str:
        return escape(tokens[place].content)

    def code(tokens: Any, place: int, options: Any, env: Any) -> str:
        # A right-to-left word must not reorder the punctuation and words beside it.
        words = _RIGHT_TO_LEFT.sub(lambda found: f"<bdi>{found[0]}</bdi>", escape(tokens[place].content))
        shown = f'<pre tabindex="0"><code>{words}</code></pre>'
        return f'<div class="lh-code" dir="ltr">{button}{shown}</div>'

    parser.renderer.rules |= {"link_open": link_open, "image": image, "fence": code, "code_block": code}
    shown, *rest = body.split("<!--")  # comments are not shown
    shown += "".join(one.partition("-->")[2] for one in rest)
    return f'<div class="lh-text prose" dir="auto">{parser.render(shown)}</div>'
