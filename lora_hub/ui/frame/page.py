"""What the tabs share: components that more than one of them touches, and how a handler's errors are shown.

A handler takes the page's language first, then values by name, and `person` if it needs the signed-in person. It makes
a noun, calls one use case and renders. `told` shows a LoraHubError as a message and leaves the page as it was. Any
other exception is a bug and is logged in full.
"""

import functools
import hashlib
import inspect
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import gradio as gr

from lora_hub.compare.test_sets import TestReader
from lora_hub.core.errors import AccessError, LoraHubError, SpecError
from lora_hub.core.languages import ENGLISH, tag
from lora_hub.core.languages import languages as find_languages
from lora_hub.core.messages import Message, _, text_in
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import Text2, whole_text
from lora_hub.people import Person
from lora_hub.ui.frame.asking import asked_by, who_asks
from lora_hub.ui.render.render import escape, sentence
from lora_hub.ui.render.render import told as told_in_words
from lora_hub.ui.render.text import digits, t

logger = logging.getLogger("lora_hub.ui")

# Gradio's arguments for an event that only reads: no concurrency limit, no spinner, no public endpoint.
LIGHT = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}


class Labels:
    """Sentences that the page shows before anybody's language is known.

    `labels(_("Train"))` is a component's label, which the browser translates; every sentence requested this way is in
    `i18n`, which is sent with the page. `labels.both(_("Train"))` is HTML in every language; the style sheet shows only
    the reader's.
    """

    def __init__(self, languages: Sequence[str] | None = None) -> None:
        """languages: by default English and every language that has a catalogue."""
        self.languages = tuple(languages or find_languages())
        self.i18n = gr.I18n(**{tag(language): {} for language in self.languages})

    def __call__(self, said: Message | Text2) -> Any:
        # Gradio keeps its own words in the same table, where a dot separates levels, so ours get dotless keys.
        name = "lora_hub_" + hashlib.sha256(_told(said, ENGLISH).encode()).hexdigest()[:16]
        for language in self.languages:
            self.i18n.translations[tag(language)][name] = _told(said, language)
        return self.i18n(name)

    def both(self, said: Message, **values: Callable[[str], str]) -> str:
        """A sentence in every language. values: functions from a language to the value in it."""
        return self._in_each(
            lambda language: t(said, language, **{name: tell(language) for name, tell in values.items()})
        )

    def heading(self, step: int, title: Message, why: Message) -> str:
        """The heading of a numbered step."""
        number = self._in_each(lambda language: digits(str(step), language))
        return (
            f'<div class="lh-step"><span class="lh-number" aria-hidden="true">{number}</span><div>'
            f"<h2>{self.both(title)}</h2><p>{self.both(why)}</p></div></div>"
        )

    def _in_each(self, tell: Callable[[str], str]) -> str:
        return "".join(
            f'<span class="lh-said" lang="{tag(language)}">{sentence(tell(language))}</span>'
            for language in self.languages
        )


def _told(said: Message | Text2, language: str) -> str:
    return said.in_language(language) if isinstance(said, Message) else text_in(said, language)


@dataclass
class Page:
    """Components that several tabs read or write. Ids live in hidden fields of the browser, so that they survive a
    restart of the app. page.js writes the ids of the run and the adapter that were clicked."""

    words: Labels
    language: gr.Textbox
    run_id: gr.Textbox
    adapter_id: gr.Textbox
    compare_names: gr.Dropdown
    tabs: gr.Tabs
    blocks: gr.Blocks
    timer: gr.Timer  # ticks while the Runs tab is open
    organization: str
    comparer: Any
    looker: Any
    room: Any = None  # where runs wait without a process; None without sign-in
    # The run whose settings go into the form of Fine-tune, "id" or "".
    start_from: Any = None
    # Radios, checkboxes and dropdowns that keep their values through a reload and Back.
    choices: list[Any] = field(default_factory=list)
    # Shared by all visitors, so that nothing is read twice.
    runs: RunReader = field(default_factory=RunReader)
    tests: TestReader = field(default_factory=TestReader)


def setting_field(title: Any, why: Any, choices: Sequence[tuple[Any, str]], elem_id: str) -> Any:
    """A field of a form of settings: one of its choices, or a value that is checked when the form is read."""
    if choices:
        # The value of a form that was not filled in; a Dropdown would take the first choice for it.
        value = {"value": ""} if choices[0][1] == "" else {}
        return gr.Dropdown(list(choices), label=title, info=why, min_width=180, elem_id=elem_id, **value)
    return gr.Textbox(label=title, info=why, max_lines=1, min_width=180, elem_id=elem_id)


def number_field(
    title: Any,
    elem_id: str,
    value: float = 0,
    *,
    why: Any = None,
    least: float = 0,
    most: float | None = None,
    step: float | None = None,
    is_whole: bool = False,
    width: int = 130,
) -> gr.Number:
    """A field for a number. title, why: labels. least, most: what it may hold. is_whole: no fractions. width: pixels
    below which a row of fields is broken."""
    return gr.Number(
        value,
        label=title,
        info=why,
        minimum=least,
        maximum=most,
        step=step,
        precision=0 if is_whole else None,
        min_width=width,
        elem_id=elem_id,
    )


# A button that deletes asks once. What it says and the hidden field that holds what it was pressed for are always
# written together: a button that says "Delete" never deletes at its next press. One that asks to be pressed again asks
# for what is chosen now (`ask_only_for`).


def asks_again(language: str, pressed_for: str) -> tuple[Any, str]:
    """Such a button after its first press, and what it was pressed for."""
    return gr.Button(t(_("Delete for good: press again"), language), variant="stop"), pressed_for


def not_pressed(said: Message, language: str, visible: bool = True) -> tuple[Any, str]:
    """Such a button before its first press, and nothing."""
    return gr.Button(t(said, language), variant="secondary", visible=visible), ""


def ask_only_for(
    pressing: Any,
    asked_for: Callable[..., str],
    chosen: list[Any],
    language: gr.Textbox,
    button: gr.Button,
    pressed_for: gr.Textbox,
    said: Message,
    going: gr.HTML | None = None,
) -> None:
    """Takes a question back whose answer came after something else was chosen: else the button asks to be pressed
    again, and when it is, asks once more.

    pressing: the button's event. asked_for: from the values of `chosen` to what a press would be for now. going: what
    says beside the button what would be deleted.
    """

    def check(language: str, *values: Any) -> Any:
        *now, pressed = values
        is_asked = not pressed or pressed == asked_for(*now)
        # Whether the button is there is not for this to say.
        unpressed = (gr.Button(t(said, language), variant="secondary"), "") if not is_asked else (gr.skip(), gr.skip())
        return unpressed if going is None else (*unpressed, gr.skip() if is_asked else "")

    outputs = [button, pressed_for] if going is None else [button, pressed_for, going]
    pressing.then(told(check), [language, *chosen, pressed_for], outputs, **LIGHT)


def html(value: str = "", **arguments: Any) -> gr.HTML:
    """A placeholder for rendered HTML."""
    return gr.HTML(value, apply_default_css=False, js_on_load=arguments.pop("js_on_load", None), **arguments)


def reading(words: Labels, **arguments: Any) -> gr.HTML:
    """The same for a list that is read when its tab is opened: until then it says that it waits."""
    said = words.both(_("One moment: this is being read."))
    return html(f'<div class="lh-waiting"><p>{said}</p><span class="lh-bar lh-unsure"></span></div>', **arguments)


def inform(said: str, language: str, seconds: float = 4) -> None:
    """Shows a notification above the page for a while. said: HTML."""
    gr.Info(said, duration=seconds, title=t(_("Note"), language))


def alert(said: str, language: str, seconds: float = 12) -> None:
    """The same, as a warning."""
    gr.Warning(said, duration=seconds, title=t(_("Warning"), language))


def warn(error: LoraHubError, language: str, sign: str = "") -> None:
    """Shows for a while above the page what went wrong and what to do next. sign: HTML for the page's scripts."""
    message, hint = told_in_words(error, language)
    alert(f"<b>{sentence(message)}</b><br>{sentence(hint)}{sign}", language)


def _warn_person(error: LoraHubError, person: Person | None, language: str) -> None:
    """Somebody who may not do a thing may have another role, or none, since their page was loaded: it is told."""
    warn(error, language, asked_by(person) if person is not None and isinstance(error, AccessError) else "")


def warn_bug(error: Exception, language: str) -> None:
    logger.error("a handler of the page failed", exc_info=error)
    said = _(
        "That should not have happened, and it is our mistake. What you typed is still here; the details are in the "
        "app's log."
    )
    alert(escape(t(said, language)), language)


def _warn_of(error: Exception, signature: inspect.Signature, values: tuple[Any, ...], language: str) -> None:
    """Anybody can call a handler with any arguments. Values that no widget sends are not a bug of ours."""
    kinds = [one.annotation for one in signature.parameters.values() if one.kind is not one.VAR_POSITIONAL][1:]
    if all(map(_fits, values, kinds)):
        warn_bug(error, language)
    else:
        warn(SpecError(_("What this page sent cannot be read."), _("Load the page again.")), language)


def _fits(value: Any, kind: Any) -> bool:
    """Whether the widget that a handler's parameter is annotated with could send such a value."""
    if isinstance(value, gr.EventData):
        return isinstance(value._data, dict)
    if kind in (int, float):
        return isinstance(value, int | float) and math.isfinite(value)
    if kind in (str, bool, list, dict):
        return isinstance(value, kind)
    if get_origin(kind) is list:
        return isinstance(value, list) and all(_fits(one, *get_args(kind)) for one in value)
    if get_origin(kind) in (Union, UnionType):
        return any(value is None if one is NoneType else _fits(value, one) for one in get_args(kind))
    return True


def _known(language: str) -> str:
    """The page's language. It comes from a field of the browser, so it may be anything."""
    return language if isinstance(language, str) and language in find_languages() else ENGLISH


def _asked_by(handler: Callable) -> tuple[inspect.Signature, bool]:
    """The handler's signature as Gradio sees it, without `person`; and whether the handler takes `person`."""
    signature = inspect.signature(handler)
    others = [one for name, one in signature.parameters.items() if name != "person"]
    return signature.replace(parameters=others), len(others) < len(signature.parameters)


def told(handler: Callable) -> Callable:
    """handler(language, ..., person=) with its errors shown; the page stays as it was."""
    signature, wants_person = _asked_by(handler)

    @functools.wraps(handler)
    def safe(language: str, *values: Any) -> Any:
        language = _known(language)
        person = None
        try:
            person = who_asks() if wants_person else None
            values = tuple(map(whole_text, values))
            return handler(language, *values, **({"person": person} if wants_person else {}))
        except LoraHubError as error:
            _warn_person(error, person, language)
        except Exception as error:
            _warn_of(error, signature, values, language)
        return gr.skip()

    safe.__signature__ = signature
    return safe


def told_stream(handler: Callable) -> Callable:
    """The same for a handler that yields."""
    signature, wants_person = _asked_by(handler)

    @functools.wraps(handler)
    def safe(language: str, *values: Any) -> Iterator[Any]:
        language = _known(language)
        person = None
        try:
            person = who_asks() if wants_person else None
            values = tuple(map(whole_text, values))
            yield from handler(language, *values, **({"person": person} if wants_person else {}))
        except LoraHubError as error:
            _warn_person(error, person, language)
            yield gr.skip()
        except Exception as error:
            _warn_of(error, signature, values, language)
            yield gr.skip()

    safe.__signature__ = signature
    return safe
