"""Puts our scripts and style sheets at the head of the page, before Gradio's scripts: those read the browser's language
once, at start.

Gradio's own `head=` and `css=` come too late for that (they are added after the page has been drawn, and its style
rules are rewritten). A few bytes are written into the one HTML answer; everything else passes through untouched,
streams included.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from lora_hub.core.languages import direction, tag
from lora_hub.core.messages import _

FOLDER = Path(__file__).parents[1] / "assets"
SCRIPTS = ("page.js", "accessible.js", "compare.js")
STYLES = ("style.css", "style_data.css", "style_runs.css", "style_phone.css")


def head(languages: Sequence[str]) -> str:
    """What goes right behind <head>: the languages there are, the scripts and the style sheets."""
    scripts, styles = (
        "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names) for names in (SCRIPTS, STYLES)
    )
    known = json.dumps({language: direction(language) for language in languages})
    return (
        f"<script>window.loraHubLanguages = {known};\n{scripts}</script>"
        f"<style>{styles}\n{''.join(map(style_of, languages))}</style>"
    )


def style_of(language: str) -> str:
    """What a page in this language shows of what is there in each, which button is pressed, and how notes above the
    page are called, for which Gradio has its own English words."""
    root = f'html[lang="{tag(language)}"]'
    rules = [
        f'{root} .lh-said:not([lang="{tag(language)}"]) {{ display: none !important; }}',
        f'{root} .lh-languages [data-language="{language}"] '
        "{ background: var(--color-accent) !important; color: var(--lh-on-accent) !important; }",
    ]
    titles = {"": _("Note"), ".warning": _("Warning"), ".error": _("Error")}
    rules.append(f"{root} .toast-title {{ font-size: 0 !important; }}")
    for kind, title in titles.items():
        said = _css_text(title.in_language(language))
        rules.append(f"{root} .toast-title{kind}::after {{ content: {said}; font-size: 15px; }}")
    return "\n".join(rules) + "\n"


def _css_text(text: str) -> str:
    """A text as a string of CSS, with nothing in it that could end the style sheet."""
    return '"' + re.sub(r'["\\<>\n]', lambda found: f"\\{ord(found[0]):x} ", text) + '"'


class EarlyHead:
    """ASGI middleware. head: HTML for the beginning of each page's head. of_request: of a request's scope more of it,
    to stand before that; it may take a while. after: called once, behind the first page; it must not take long."""

    def __init__(
        self,
        app: Any,
        head: str,
        after: Callable[[], Any] | None = None,
        of_request: Callable[[dict[str, Any]], str] | None = None,
    ) -> None:
        self.app = app
        self.head = head.encode()
        self.after, self.of_request = after, of_request

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        start: dict | None = None
        was_page = False

        async def relay(message: dict) -> None:
            nonlocal start, was_page
            if message["type"] == "http.response.start" and _is_page(message):
                start = message
                return
            if message["type"] == "http.response.body" and start is not None:
                body = message.get("body", b"")
                more = "" if self.of_request is None else await run_in_threadpool(self.of_request, scope)
                grown = body.replace(b"<head>", b"<head>" + more.encode() + self.head, 1)
                longer = len(grown) - len(body)
                headers = [
                    (name, str(int(value) + longer).encode() if name.lower() == b"content-length" else value)
                    for name, value in start["headers"]
                ]
                await send({**start, "headers": headers})
                start, was_page = None, True
                message = {**message, "body": grown}
            await send(message)
            if was_page and self.after is not None:
                after, self.after = self.after, None
                after()

        await self.app(scope, receive, relay)


def _is_page(message: dict) -> bool:
    headers = {name.lower(): value for name, value in message["headers"]}
    return headers.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in headers
