"""The web application: which request goes to which handler, who asks, and how a refusal looks.

A route is (method, pattern, handler, body). Patterns match the raw path, because `refs%2Fpr%2F1` is one segment:
`{type}` is models, datasets or spaces; `{kind}` the same as a prefix of page addresses, or nothing; `{repo}` one or two
segments; `{path}` the rest; any other name one segment. `body` says what the handler finds in `call.body`: "" nothing,
"json" the parsed JSON, "file" the path of a temporary file with the bytes. Handlers run in worker threads.
"""

import json
import logging
import re
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from .accounts import Account, Accounts
from .faults import HubFault
from .store import Repo, Store

MAX_JSON = 8 * 1024 * 1024
PARTS = {"type": "(?P<type>models|datasets|spaces)", "kind": "(?P<kind>(?:datasets/|spaces/)?)", "repo": "(?P<repo>(?!api/)[^/]+(?:/[^/]+)?)",
         "path": "(?P<path>.+)"}
log = logging.getLogger("lora_hub.local_hub")


@dataclass(frozen=True)
class Route:
    method: str
    pattern: str
    handler: Callable[..., Any]
    body: str = ""
    regex: re.Pattern = field(init=False)

    def __post_init__(self) -> None:
        regex = re.sub(r"\\{(\w+)\\}", lambda m: PARTS.get(m[1], f"(?P<{m[1]}>[^/]+)"), re.escape(self.pattern))
        object.__setattr__(self, "regex", re.compile(regex))


@dataclass
class Call:
    """One request as a handler sees it."""

    hub: "Hub"
    request: Request
    user: Account | None
    body: Any = None

    @property
    def store(self) -> Store:
        return self.hub.store

    @property
    def accounts(self) -> Accounts:
        return self.hub.accounts

    @property
    def query(self) -> Any:
        return self.request.query_params

    @property
    def base_url(self) -> str:
        return f"{self.request.url.scheme}://{self.request.url.netloc}"

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true")

    def readable(self, type: str, repo: str) -> Repo:
        """The repo of a path, if the caller may see it. `type` as in paths: models, datasets/, spaces, or nothing."""
        return self.accounts.check_read(self.user, self.store.find_repo(singular(type), repo))

    def writable(self, type: str, repo: str) -> Repo:
        return self.accounts.check_write(self.user, self.store.find_repo(singular(type), repo))

    def writable_or_pull(self, type: str, repo: str) -> Repo:
        """For uploads: who may read may open a pull request, so a user with a token may upload what it would hold."""
        self.need_user()
        return self.readable(type, repo)

    def check_gate(self, repo: Repo) -> None:
        """Raises GatedRepo where the files of a repo are not open to the caller."""
        if not repo.gated or self.accounts.can_write(self.user, repo):
            return
        if self.user is not None:
            row = self.store.db.execute("SELECT data FROM access WHERE repo = ? AND user = ?", (repo.id, self.user.name)).fetchone()
            if row and json.loads(row[0])["status"] == "accepted":
                return
        raise HubFault(403 if self.user else 401, f"Access to {repo.type} {repo.full_name} is restricted. Ask for access on its page", "GatedRepo")

    def need_user(self) -> Account:
        if self.user is None:
            raise HubFault(401, "Log in with a token first")
        return self.user

    def field(self, name: str, kind: type = str, default: Any = None) -> Any:
        """A value of the JSON body; HubFault 400 where it is of another kind."""
        value = self.body.get(name) if isinstance(self.body, dict) else None
        if value is None and default is not None:
            return default
        if not isinstance(value, kind):
            raise HubFault(400, f'"{name}" must be a {kind.__name__}')
        return value


def singular(type: str) -> str:
    return {"models": "model", "": "model"}.get(type) or type.strip("/").removesuffix("s")


class Hub:
    """The ASGI application over one store."""

    def __init__(self, store: Store, accounts: Accounts, hub_id: str, upstream: Any = None):
        from . import access, collection, commits, discussions, lfs, listing, pages, reading, repos

        self.store, self.accounts, self.hub_id, self.upstream = store, accounts, hub_id, upstream
        self.secret = secrets.token_bytes(32)  # signs upload links; links die with the process, uploads are retried
        modules = (repos, access, collection, reading, discussions, commits, lfs, listing, pages)
        self.passed_on = (reading.resolve, reading.tree, reading.paths_info, reading.history, repos.refs, listing.info)
        self.routes = [Route(*route) for module in modules for route in module.ROUTES]

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        started, request = time.perf_counter(), Request(scope, receive)
        try:
            response = await self._answer(request, scope["raw_path"].split(b"?")[0].decode("latin-1"))
        except HubFault as fault:
            response = refusal(fault)
        except ClientDisconnect:
            return
        except Exception:
            log.exception("%s %s", scope["method"], scope["path"])
            response = refusal(HubFault(500, "The embedded Hub failed on this request; its log says why"))
        response.headers["X-Request-Id"] = secrets.token_hex(8)
        log.info("%s %s %d %.0f ms", scope["method"], scope["path"].split("/upload/")[0], response.status_code,
                 1000 * (time.perf_counter() - started))
        await response(scope, receive, send)

    async def _answer(self, request: Request, path: str) -> Response:
        known = False
        method = "GET" if request.method == "HEAD" else request.method
        for route in self.routes:
            if (match := route.regex.fullmatch(path)) is None:
                continue
            known = True
            if route.method == method:
                user = await run_in_threadpool(self.accounts.identify, request.headers.get("authorization"))
                params = {name: unquote(value) for name, value in match.groupdict().items()}
                if any("\0" in value for value in params.values()):
                    raise HubFault(400, "A path must not contain NUL")
                return await self._call(route, Call(self, request, user), params)
        if known:
            raise HubFault(405, f"{request.method} is not allowed here")
        if path.startswith("/api/") and request.method != "OPTIONS":
            raise HubFault(501, f"This embedded Hub does not do {request.method} {path}; the public Hub does", "NotImplemented")
        raise HubFault(404, "Nothing here")

    async def _call(self, route: Route, call: Call, params: dict[str, str]) -> Response:
        spooled: Path | None = None
        try:
            if route.body == "json":
                call.body = parse_json(await read_limited(call.request))
            elif route.body == "file":
                call.body = spooled = self.store.new_incoming()
                await self.spool(call.request, spooled)
            try:
                answer = await run_in_threadpool(route.handler, call, **params)
            except HubFault as fault:
                return await self._fall_through(fault, route, call, params)
        except sqlite3.OperationalError as error:
            raise HubFault(507 if "full" in str(error) else 500, f"The embedded Hub's store cannot be used: {error}") from error
        except OSError as error:
            if error.errno == 28:
                raise HubFault(507, "The disk of the embedded Hub is full") from error
            raise
        finally:
            if spooled is not None:
                spooled.unlink(missing_ok=True)
        if hasattr(answer, "__await__"):
            answer = await answer
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    async def _fall_through(self, fault: HubFault, route: Route, call: Call, params: dict[str, str]) -> Response:
        """Asks the upstream for a repo that is not here; raises the fault again where it is none of the upstream's business."""
        type, name = singular(params.get("type", params.get("kind", ""))), params.get("repo", "")
        if (fault.code != "RepoNotFound" or self.upstream is None or route.handler not in self.passed_on
                or self.accounts.find_namespace(name.split("/")[0]) or self.store.find_repo(type, name)):
            raise fault
        path = call.request.scope["raw_path"].decode("latin-1")
        if "path" in params and "kind" in params:
            return await self.upstream.file(call.request, path)
        return await self.upstream.ask(call.request, path, call.body.read_bytes() if isinstance(call.body, Path) else b"")

    async def spool(self, request: Request, path: Path) -> None:
        """Writes a request's body to a file, 4 MiB at a time."""
        with open(path, "wb") as file:
            buffer = bytearray()
            async for chunk in request.stream():
                buffer += chunk
                if len(buffer) >= 4 * 1024 * 1024:
                    await run_in_threadpool(file.write, buffer)
                    buffer = bytearray()
            await run_in_threadpool(file.write, buffer)


async def read_limited(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON:
            raise HubFault(413, f"A request body may have at most {MAX_JSON} bytes")
    return bytes(body)


def parse_json(data: bytes) -> Any:
    try:
        return json.loads(data) if data else {}
    except (ValueError, RecursionError) as error:
        raise HubFault(400, "The request body is not JSON") from error


def refusal(fault: HubFault) -> JSONResponse:
    """A refusal in the Hub's form. Header values lose what a header must not hold."""
    message = re.sub(r"[^\x20-\x7e]+", " ", fault.message)[:500]
    headers = {"X-Error-Message": message} | {k: re.sub(r"[^\x20-\x7e]+", " ", v) for k, v in fault.headers.items()}
    if fault.code:
        headers["X-Error-Code"] = fault.code
    return JSONResponse({"error": fault.message, **fault.body}, fault.status, headers)
