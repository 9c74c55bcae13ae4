"""What stands before the page where others look after it: its path behind a proxy, and an address that says whether
it is well.

    LORA_HUB_ROOT_PATH=/lora      the page is at /lora/, whether the proxy takes /lora off or leaves it
    GET /health                   200 {"status": "ok", "version": "0.1.0", "hub": {"kind": "public", "reachable": true}}

The health address needs neither sign-in nor one of our host names, since those who look know neither. It asks the Hub
at most once in a while, and says nothing that a stranger may not know.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, RedirectResponse

from lora_hub import __version__

HEALTH = "/health"
# What the Hub answered is believed for so long.
HUB_SECONDS = 15.0


def inner_path(scope: dict[str, Any]) -> str:
    """The path of a request below the page's own."""
    return scope["path"].removeprefix(scope.get("root_path") or "")


class Outside:
    """ASGI middleware; the first of all. root_path: "" or "/lora". hub_kind: "embedded", "public" or "other".
    reaches_hub: asks whether the Hub answers; it may take seconds."""

    def __init__(self, app: Any, root_path: str, hub_kind: str, reaches_hub: Callable[[], bool]) -> None:
        self.app, self.root_path, self.hub_kind = app, root_path, hub_kind
        self._reaches_hub, self._lock = reaches_hub, threading.Lock()
        self._reached, self._until = False, 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        scope = self._placed(scope)
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            if inner_path(scope) == HEALTH:
                told = {"kind": self.hub_kind, "reachable": await run_in_threadpool(self._hub_is_reached)}
                answer = JSONResponse({"status": "ok", "version": __version__, "hub": told})
                answer.headers["cache-control"] = "no-store"
                await answer(scope, receive, send)
                return
            if self.root_path and scope["path"] == self.root_path:
                # The page names its files from where it is, so its own address ends with a slash.
                query = scope.get("query_string", b"").decode("latin-1")
                await RedirectResponse(f"{self.root_path}/{'?' * bool(query)}{query}", 307)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _placed(self, scope: Any) -> Any:
        """The scope as ASGI has it for an app below a path: `path` begins with `root_path`."""
        path = scope["path"]
        if not self.root_path or path == self.root_path or path.startswith(f"{self.root_path}/"):
            return {**scope, "root_path": self.root_path}
        return {**scope, "root_path": self.root_path, "path": self.root_path + path}

    def _hub_is_reached(self) -> bool:
        with self._lock:
            if time.monotonic() >= self._until:
                self._reached = self._reaches_hub()
                self._until = time.monotonic() + HUB_SECONDS
            return self._reached
