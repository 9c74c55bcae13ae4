"""The public functions as tools of an MCP server (Model Context Protocol, streamable HTTP) at /mcp, beside the page.

Tools have no uploads: data is given as text, or as a dataset of the Hub. A tool is called with the person whose token
the client sends (`Authorization: Bearer hf_...`), and may what they may on the page.
"""

import asyncio
import contextlib
import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, get_type_hints

import anyio
from mcp.server.fastmcp import Context, FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from lora_hub.api.arguments import Arguments
from lora_hub.api.endpoints import NAMES, Endpoints
from lora_hub.api.faults import in_words
from lora_hub.core.errors import LoraHubError
from lora_hub.people import Person

PATH = "/mcp"
MOST_BYTES = 16 << 20
GONE_SECONDS = 0.5  # between two looks whether a client that waits is still there
PURPOSE = (
    "Fine-tunes language models with LoRA: inspect data, plan and start a training, look at runs, publish adapters to "
    "the organization, and ask several adapters the same question."
)
_ARGUMENTS = {name: Arguments(getattr(Endpoints, name), without=("file",)) for name in NAMES}


class McpDoor:
    """ASGI middleware. who_asks: a request's scope -> the person, which may ask the Hub."""

    def __init__(self, app: Any, endpoints: Endpoints, who_asks: Callable[[dict[str, Any]], Person]) -> None:
        self.app = app
        # The page's own guard has checked the host already, and nothing is kept between two calls.
        self._server = _Server(
            "LoRA Hub",
            PURPOSE,
            stateless_http=True,
            json_response=True,
            streamable_http_path=PATH,
            max_request_body_size=MOST_BYTES,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            log_level="WARNING",
        )
        for name in NAMES:
            function = getattr(endpoints, name)
            self._server.add_tool(_as_tool(function, who_asks), name, description=inspect.getdoc(function))
        self._server.streamable_http_app()  # makes the session manager
        self._manager = self._server.session_manager

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            async with self._manager.run():
                await self.app(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].rstrip("/") == (scope.get("root_path") or "") + PATH:
            if scope["method"] != "POST":  # a stream that stays open, or the end of a session: there are none
                await Response(status_code=405, headers={"allow": "POST"})(scope, receive, send)
                return
            await self._manager.handle_request(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class _Server(FastMCP):
    """Refuses wrong arguments in our words."""

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> Any:
        if name in NAMES:
            read = self._tool_manager.get_tool(name).fn_metadata.pre_parse_json(arguments)
            try:
                arguments = _ARGUMENTS[name](read)
            except LoraHubError as error:
                raise ToolError(in_words(error)) from None
        return await super().call_tool(name, arguments)


async def _watch(request: Request, gone: threading.Event) -> None:
    """Says when the client has gone away: what nobody waits for any more is not worked out to its end."""
    while not await request.is_disconnected():
        await anyio.sleep(GONE_SECONDS)
    gone.set()


def _as_tool(function: Callable, who_asks: Callable[[dict[str, Any]], Person]) -> Callable:
    """The function as a tool: without the person and the upload; of a stream the last item."""
    hints = get_type_hints(function)
    signature = inspect.signature(function)
    asked = [
        one.replace(annotation=hints[name])
        for name, one in signature.parameters.items()
        if name not in ("person", "file")
    ]
    is_stream = inspect.isgeneratorfunction(function)

    def answer(scope: dict[str, Any], named: dict[str, Any], gone: threading.Event) -> Any:
        try:
            found = function(who_asks(scope), **named)
            if not is_stream:
                return found
            last: Any = {}
            with contextlib.closing(found):
                for last in found:  # noqa: B007  the last one is the whole answer
                    if gone.is_set():
                        break
            return last
        except Exception as error:
            raise ToolError(in_words(error)) from None

    async def tool(*, context: Context, **named: Any) -> dict[str, Any]:
        request, gone = context.request_context.request, threading.Event()
        answering = functools.partial(run_in_threadpool, answer, request.scope, named, gone)
        if not is_stream:
            return await answering()
        watching = asyncio.create_task(_watch(request, gone))  # no task group: it would wrap the error in its own
        try:
            return await answering()
        finally:
            watching.cancel()

    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=Context)
    tool.__signature__ = inspect.Signature([*asked, context], return_annotation=dict[str, Any])
    tool.__annotations__ = {one.name: one.annotation for one in asked} | {
        "context": Context,
        "return": dict[str, Any],
    }
    tool.__name__ = function.__name__
    return tool
