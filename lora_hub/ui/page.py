"""What the tabs share: the parts of the page that more than one of them touches, and how a handler tells an error.

A handler takes the page's language first, then values by name; it makes a noun, calls one use case and renders. `told`
shows a LoraHubError as a message and leaves everything on the page as it was; anything else is a bug and logged whole.
"""

import functools
import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import Message, _
from lora_hub.core.noun import Text2
from lora_hub.core.run_reader import RunReader
from lora_hub.ui.render import escape, sentence
from lora_hub.ui.render import told as told_in_words
from lora_hub.ui.text import LANGUAGES, t

logger = logging.getLogger("lora_hub.ui")

# Gradio's arguments of an event that only looks: as many at once as there are pages, no spinner, no public endpoint.
LIGHT = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}


class Labels:
    """The labels of components, which the browser translates: `labels(_("Train"))`. What has been asked for is in
    `i18n`, which goes to the browser with the page."""

    def __init__(self) -> None:
        self.i18n = gr.I18n(**{language: {} for language in LANGUAGES})

    def __call__(self, said: Message | Text2) -> Any:
        # Gradio's own words live in the same table and a dot means a level there, so ours get names of their own.
        name = "lora_hub_" + hashlib.sha256(said.in_language("en").encode()).hexdigest()[:16]
        for language in LANGUAGES:
            self.i18n.translations[language][name] = said.in_language(language)
        return self.i18n(name)


@dataclass
class Page:
    """Components that several tabs read or write. Ids live in hidden fields of the browser, so that they outlive the
    app; page.js writes those of the run and the adapter that were clicked."""

    words: Labels
    language: gr.Textbox
    run_id: gr.Textbox
    adapter_id: gr.Textbox
    compare_names: gr.Dropdown
    tabs: gr.Tabs
    organization: str
    comparer: Any
    looker: Any
    runs: RunReader = field(default_factory=RunReader)  # one for all visitors: what was read for one, is not read again


def html(value: str = "", **arguments: Any) -> gr.HTML:
    """A place for rendered HTML."""
    return gr.HTML(value, apply_default_css=False, js_on_load=arguments.pop("js_on_load", None), **arguments)


def warn(error: LoraHubError, language: str) -> None:
    """Shows what went wrong and what to do next, for a while, above the page."""
    message, hint = told_in_words(error, language)
    gr.Warning(f"<b>{sentence(message)}</b><br>{sentence(hint)}", duration=12, title=t(_("Note"), language))


def warn_bug(error: Exception, language: str) -> None:
    logger.error("a handler of the page failed", exc_info=error)
    gr.Warning(
        escape(
            t(
                _(
                    "That should not have happened, and it is our mistake. What you typed is still here; the details "
                    "are in the app's log."
                ),
                language,
            )
        ),
        duration=12,
        title=t(_("Note"), language),
    )


def told(handler: Callable) -> Callable:
    """handler(language, ...) with its errors shown; the page stays as it was."""

    @functools.wraps(handler)
    def safe(language: str, *values: Any) -> Any:
        language = language or "en"
        try:
            return handler(language, *values)
        except LoraHubError as error:
            warn(error, language)
        except Exception as error:
            warn_bug(error, language)
        return gr.skip()

    return safe


def told_stream(handler: Callable) -> Callable:
    """The same for a handler that yields."""

    @functools.wraps(handler)
    def safe(language: str, *values: Any) -> Iterator[Any]:
        language = language or "en"
        try:
            yield from handler(language, *values)
        except LoraHubError as error:
            warn(error, language)
            yield gr.skip()
        except Exception as error:
            warn_bug(error, language)
            yield gr.skip()

    return safe
