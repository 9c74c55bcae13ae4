"""Puts our scripts and style sheets into the page's <head> before Gradio's scripts, which read the browser's language
once, when they start.

Gradio's own `head=` and `css=` come too late for that: they are added after the page has been drawn, and the style
rules are rewritten. Here a few bytes are inserted into the one HTML response; everything else, streams included, passes
through untouched.
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
SCRIPTS = ("page.js", "accessible.js", "compare.js", "tests.js", "votes.js", "notices.js")
STYLES = ("style.css", "style_data.css", "style_runs.css", "style_matrix.css", "style_phone.css")

# What Gradio calls its own buttons -> what they are called.
LABELS = {
    "common.upload": _("Add a file"),
    "Click to upload or drop files": _("Click to upload or drop files"),
    "Remove this file": _("Remove this file"),
    "More tabs": _("More tabs"),
    "Gradio footer navigation": _("Gradio's own links"),
}


def head(languages: Sequence[str]) -> str:
    """What follows <head>: the available languages, words for Gradio's own buttons, the scripts and the style
    sheets."""
    scripts, styles = (
        "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names) for names in (SCRIPTS, STYLES)
    )
    known = json.dumps({language: direction(language) for language in languages})
    words = json.dumps(
        {tag(one): {label: said.in_language(one) for label, said in LABELS.items()} for one in languages}
    )
    return (
        f"<script>window.loraHubLanguages = {known};\nwindow.loraHubWords = {words};\n{scripts}</script>"
        f"<style>{styles}\n{''.join(map(style_of, languages))}</style>"
    )


def style_of(language: str) -> str:
    """CSS for a page in this language. It shows only this language's version of each text, marks the language's button
    as pressed, and gives notifications a translated title, because Gradio has only English ones."""
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
    """A text as a CSS string, escaped so that it cannot end the style sheet."""
    return '"' + re.sub(r'["\\<>\n]', lambda found: f"\\{ord(found[0]):x} ", text) + '"'


class EarlyHead:
    """ASGI middleware.

    head: HTML for the beginning of each page's head. of_request: request scope -> HTML that goes before `head`; it may
    take a while. after: called once, after the first page was sent; it must return quickly.
    """

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
