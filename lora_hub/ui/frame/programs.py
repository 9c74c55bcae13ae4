"""The public functions (`api.Endpoints`) as endpoints of the page's server, for `gradio_client`, curl and any language
that speaks HTTP; and which calls are a program's.

A program may call the public functions and nothing else. What the page itself calls is its plumbing: it changes from
version to version, so the server only answers it for the page, whose script says so in a header (page.js).
"""

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import gradio as gr
from gradio.context import get_blocks_context
from gradio.data_classes import FileData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lora_hub.api import NAMES, Arguments, Endpoints, in_words
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _
from lora_hub.ui.frame.asking import has_sent, who_asks
from lora_hub.ui.frame.guard import CALL

# The header by which the page's own script is known. A program that sends it is on its own.
PAGE_HEADER = "x-lora-hub-page"
# A line of a docstring that describes an argument.
_ARGUMENT = re.compile(r"^ +(\w+): (.+)$", re.M)


def add_endpoints(endpoints: Endpoints) -> None:
    """Adds every public function to the page that is being built."""
    for name in NAMES:
        function = getattr(endpoints, name)
        made = gr.api(_as_endpoint(function), api_name=name, concurrency_limit=None)
        _describe(get_blocks_context().fns[made["id"]].inputs, inspect.getdoc(function) or "")


def _describe(inputs: list[Any], doc: str) -> None:
    """Gives each parameter its own description on the page of the functions; Gradio says "1st", "2nd"."""
    told = dict(_ARGUMENT.findall(doc.partition("Args:")[2]))
    for one, (name, said) in zip(inputs, told.items(), strict=True):
        one.label = name
        one._api_info = {**one._api_info, "additional_description": said}


def _as_endpoint(function: Callable) -> Callable:
    """The function as Gradio wants it: without the person, who is known from the request, and with an upload in the
    place of a path."""
    hints = get_type_hints(function)
    signature, arguments = inspect.signature(function), Arguments(function)
    asked = [one for name, one in signature.parameters.items() if name != "person"]
    shown = [
        one.replace(annotation=FileData | None if one.annotation == Path | None else hints[one.name]) for one in asked
    ]

    def values(given: tuple[Any, ...]) -> dict[str, Any]:
        named = dict(zip((one.name for one in asked), given, strict=False))
        person = who_asks()
        if "file" in named:
            named["file"] = _sent(person, named["file"])
        # A program may leave out what has a default: Gradio then sends nothing.
        return {"person": person} | arguments(named)

    if inspect.isgeneratorfunction(function):

        def call(*given: Any) -> Iterator[Any]:
            try:
                yield from function(**values(given))
            except Exception as error:
                raise gr.Error(in_words(error), print_exception=False) from None

    else:

        def call(*given: Any) -> Any:
            try:
                return function(**values(given))
            except Exception as error:
                raise gr.Error(in_words(error), print_exception=False) from None

    functools.update_wrapper(call, function, assigned=("__name__", "__doc__"), updated=())
    del call.__wrapped__
    call.__signature__ = signature.replace(parameters=shown)
    call.__annotations__ = {one.name: one.annotation for one in shown} | {"return": hints["return"]}
    return call


async def tell_misnamed(request: Request, error: Exception) -> Response:
    """Answers a call by HTTP that lacks an argument or has one too many, which to Gradio is a bug of its own. Raises
    any other error again."""
    called = CALL.search(request.url.path)
    if called is None or called[1] not in NAMES or "argument" not in str(error):
        raise error
    return JSONResponse({"detail": in_words(takes(called[1]))}, 400)


async def tell_malformed(_request: Request, error: Exception) -> Response:
    """Answers a request whose body is not of the form that it should have, without repeating what came."""
    where = ".".join(str(part)[:100] for part in error.errors()[0]["loc"])
    return JSONResponse({"detail": f"This request cannot be read: {where} is missing or of another kind."}, 422)


def takes(name: str) -> LoraHubError:
    """What is said of a public function that was called with too few arguments, or too many."""
    return Arguments(getattr(Endpoints, name)).misnamed()


def _sent(person: Any, file: Any) -> Path | None:
    """The upload that a call names. Raises LoraHubError if it is not this person's."""
    if file is None:
        return None
    path = file.get("path") if isinstance(file, dict) else getattr(file, "path", None)
    if not isinstance(path, str) or not path or not has_sent(person, path):
        raise LoraHubError(_("This is no file of yours."), _("Upload it again."))
    return Path(path)
