"""The web application: it passes each request to its handler and turns results and refusals into responses.

calls.py says how a handler is marked and what it is called with.
"""

import logging
import re
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from . import buckets, collection, commits, discussions, jobs, lfs, listing, oidc, pages, reading, repos, spaces, xet
from .accounts import Accounts
from .calls import Call, NotHeld, parse_json
from .faults import HubFault, refuse
from .patience import drain, pieces
from .store import Store, new_id

# The first handler that matches a request is used.
HANDLERS = (repos, oidc, spaces, buckets, jobs, collection, discussions, reading, commits, lfs, xet, listing, pages)


class Hub:
    """The ASGI application over one store."""

    def __init__(self, store: Store, accounts: Accounts, upstream: Any = None, jobs_on: bool = False):
        self.store, self.accounts, self.upstream, self.page, self.id = store, accounts, upstream, pages.page, new_id()
        self.codes, self.jobs = {}, {} if jobs_on else None  # state of oidc and jobs, lost when this process ends
        self.used, self.open_requests = time.monotonic(), 0  # when it was last used
        jobs.mark_lost(store)
        self.routes = [
            one for module in HANDLERS for value in vars(module).values() for one in getattr(value, "routes", ())
        ]

    @property
    def busy(self) -> bool:
        """Whether a request or a job is running."""
        return bool(self.open_requests or self.jobs)

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        self.open_requests += 1
        try:
            await self._serve(scope, receive, send)
        finally:
            self.open_requests -= 1
            self.used = time.monotonic()

    async def _serve(self, scope: dict, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except HubFault as fault:
            whole = fault.status != 408 and await drain(request)
            response = refusal(fault)
            if not whole:
                response.headers["Connection"] = "close"
        except ClientDisconnect:
            return
        except Exception as error:
            logging.exception("%s %s", scope["method"], scope["path"])
            full = re.search("No space left on device|disk is full", str(error))
            response = refusal(
                HubFault(507, "The disk is full")
                if full
                else HubFault(500, "The embedded Hub failed; its log says why")
            )
        if (status := response.status_code) >= 400 and "text/html" in request.headers.get("accept", ""):  # a browser
            response = self.page("error", "Not possible", status, words=response.headers.get("X-Error-Message", ""))
        response.headers.update(
            {"X-Request-Id": request.headers.get("x-amzn-trace-id") or new_id(), "Date": formatdate(usegmt=True)}
        )
        logging.info("%s %s %d", scope["method"], scope["path"], status)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        method, path = (
            "GET" if request.method == "HEAD" else request.method,
            request.scope["raw_path"].decode("latin-1"),
        )
        for wanted, match, *rest in self.routes:
            if wanted == method and (found := match(path)):
                who, body, handler = rest
                break
        else:
            raise HubFault(
                501 if path.startswith("/api/") else 404,
                f"This embedded Hub does not do {method} {path}; the public Hub does",
            )
        call, params = Call(self, request), {name: unquote(value) for name, value in found.groupdict("model").items()}
        refuse("\0" in "".join(params.values()), 400, "A path must not contain NUL")
        text = b"" if body == "file" else b"".join([chunk async for chunk in pieces(request, 8 * 1024**2)])
        try:
            params = await run_in_threadpool(call.enter, who, **params)
            if body == "file":
                call.body = self.store.incoming / new_id()
                with open(call.body, "wb") as file:
                    async for chunk in pieces(request, call.most):
                        await run_in_threadpool(file.write, chunk)
            else:
                call.body = parse_json(text) if body == "json" else parse_qsl(text.decode(errors="replace"))
            answer = await run_in_threadpool(handler, call, **params)
        except NotHeld:
            if self.upstream is None or who not in ("read", "open") or not re.match("/api/|.*/resolve/", path):
                raise
            if "/resolve/" in path:
                return await self.upstream.file(request, path)
            return await self.upstream.ask(request, path, text)
        finally:
            if isinstance(call.body, Path):
                call.body.unlink(missing_ok=True)
        return (
            answer
            if isinstance(answer, Response)
            else JSONResponse({} if answer is None else answer, headers=call.headers)
        )


def refusal(fault: HubFault) -> JSONResponse:
    """A refusal in the Hub's format. Characters that a header must not contain are removed from header values, and at
    the ends also those it must not begin or end with."""
    headers = {"X-Error-Message": fault.message[:500], "X-Error-Code": fault.code, **fault.headers}
    safe = {name: re.sub(r"[^\x20-\x7e]+", " ", value).strip() for name, value in headers.items()}
    return JSONResponse({"error": fault.message, **fault.body}, fault.status, safe)
