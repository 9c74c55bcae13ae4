"""The web application: which request goes to which handler, who may, and how a refusal looks.

A route is (method, pattern, who, handler[, "file"]). Patterns match the raw path, because `refs%2Fpr%2F1` is one
segment: `{type}` is models, datasets or spaces; `{kind}` the same as a prefix of page addresses, or nothing; `{repo}`
one or two segments; `{path}` the rest; any other name one segment. `who`: "any" needs no repo, "user" a token, "read"
a repo that the caller may see, "open" one whose gate is open to the caller too, "join" a token and a repo to read,
"write" the right to write. A handler runs in a worker thread and finds the parsed JSON in `call.body`, with "file" the
path of the bytes, with "form" the fields of a form; who sends a form says inside it who they are. Nothing of a body is
kept before `who` is answered; `who` may be a function that answers it itself.
"""

import asyncio
import hashlib
import json
import logging
import re
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import formatdate
from errno import ENOSPC
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from .accounts import Account, Accounts
from .faults import HubFault, repo_missing
from .store import Repo, Store

MAX_JSON = 8 * 1024 * 1024
MAX_COMMIT = 2 * 1024**3
MAX_DRAINED = 64 * 1024 * 1024
BUFFER = 4 * 1024 * 1024
PARTS = {"type": "(?P<type>models|datasets|spaces)", "space": "(?P<type>spaces)", "kind": "(?P<kind>(?:datasets/|spaces/)?)",
         "repo": "(?P<repo>(?!api/)[^/]+(?:/[^/]+)?)", "path": "(?P<path>.+)"}
READS = re.compile("GET /api/.*|POST /api/.*/paths-info/.*|GET .*/resolve/.*")  # what an upstream may be asked
log = logging.getLogger("lora_hub.local_hub")


class Route:
    """One line of a module's ROUTES."""

    def __init__(self, method: str, pattern: str, who: Any, handler: Callable[..., Any], body: str = "json"):
        self.method, self.who, self.handler, self.body = method, who, handler, body if method != "GET" else ""
        regex = re.sub(r"\\{(\w+)\\}", lambda m: PARTS.get(m[1], f"(?P<{m[1]}>[^/]+)"), re.escape(pattern))
        self.match = re.compile(regex).fullmatch


class Call:
    """One request as a handler sees it."""

    repo: Repo
    body: Any = None
    sha256: str = ""  # of a body in a file
    most: int = MAX_COMMIT  # bytes that a body in a file may have

    def __init__(self, hub: "Hub", request: Request, user: Account | None):
        self.hub, self.request, self.user = hub, request, user
        self.store, self.accounts, self.query = hub.store, hub.accounts, request.query_params
        self.base_url = f"{request.url.scheme}://{request.url.netloc}"

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        """A number of the query; HubFault 400 for anything else."""
        if not (value := self.query.get(name) or str(default)).isdecimal() or len(value) > 15:
            raise HubFault(400, f'"{name}" must be a number')
        return int(value)

    def field(self, name: str, kind: type = str, default: Any = None) -> Any:
        """A value of the JSON body; HubFault 400 where it is of another kind."""
        value = self.body.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, kind):
            raise HubFault(400, f'"{name}" must be a {kind.__name__}')
        return value

    def need_user(self) -> Account:
        if self.user is None:
            raise HubFault(401, "Log in with a token first")
        return self.user

    def admit(self, who: str, type: str, name: str) -> Repo:
        """The repo of that name, if the caller may do with it what `who` says. What one may not see is not there."""
        repo = self.store.find_repo(singular(type), name)
        if repo is None or not self.accounts.can_read(self.user, repo):
            raise repo_missing()
        writes = self.accounts.can_write(self.user, repo)
        if who in ("join", "write") and not self.need_user().writes:
            raise HubFault(403, "The app was not allowed to change anything in your name")
        if who == "write" and not writes:
            raise HubFault(403, f"You don't have the rights to write to {repo.full_name}")
        if who == "open" and repo.gated and not writes:
            asked = self.store.documents(repo.id, "access").get(self.user.name if self.user else "")
            if asked is None or asked["status"] != "accepted":
                status = 403 if self.user else 401
                text = f"Access to {repo.type} {repo.full_name} is restricted and you are not in the authorized list"
                raise HubFault(status, text, "GatedRepo")
        return repo


def singular(type: str) -> str:
    """model, dataset or space, from what stands in a path: models, datasets/ or nothing."""
    return type.strip("/").removesuffix("s") or "model"


class Hub:
    """The ASGI application over one store."""

    def __init__(self, store: Store, accounts: Accounts, hub_id: str, upstream: Any = None, jobs_on: bool = False):
        from . import access, collection, commits, discussions, jobs, lfs, listing, oidc, pages, reading, repos, spaces

        self.store, self.accounts, self.hub_id, self.upstream = store, accounts, hub_id, upstream
        self.page = pages.page
        self.secret = secrets.token_bytes(32)  # signs upload links; they die with the process, and uploads are retried
        self.codes, self.keys, self.jobs = {}, {}, {} if jobs_on else None  # of oidc and jobs, while this process lives
        jobs.mark_lost(store)
        modules = (repos, oidc, spaces, jobs, access, collection, discussions, reading, commits, lfs, listing, pages)
        self.routes = [Route(*route) for module in modules for route in module.ROUTES]

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        started, request = time.perf_counter(), Request(scope, receive)
        try:
            response = await self._answer(request, scope["raw_path"].split(b"?")[0].decode("latin-1"))
        except HubFault as fault:
            await drain(request)
            response = refusal(fault)
        except ClientDisconnect:
            return
        except Exception as error:
            full = getattr(error, "errno", 0) == ENOSPC or str(error) == "database or disk is full"
            words = "The disk of the embedded Hub is full" if full else "The embedded Hub failed; its log says why"
            log.error("%s %s: %s", scope["method"], scope["path"], words, exc_info=not full)
            response = refusal(HubFault(507 if full else 500, words))
        if (status := response.status_code) >= 400 and "text/html" in request.headers.get("accept", ""):  # a browser
            words = escape(response.headers.get("X-Error-Message", ""))
            response = self.page("Not possible", f"<h1>{status}</h1><p>{words}</p>")
            response.status_code = status
        named = request.headers.get("x-request-id") or request.headers.get("x-amzn-trace-id")
        response.headers["X-Request-Id"], response.headers["Date"] = named or secrets.token_hex(8), formatdate(usegmt=True)
        if scope["path"] != "/health":
            taken = 1000 * (time.perf_counter() - started)
            log.info("%s %s %d %.0f ms", scope["method"], scope["path"], response.status_code, taken)
        await response(scope, receive, send)

    async def _answer(self, request: Request, path: str) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        for route in self.routes:
            if route.method == method and (match := route.match(path)):
                who = None if route.body == "form" else request.headers.get("authorization")
                user = await run_in_threadpool(self.accounts.identify, who)
                params = {name: unquote(value) for name, value in match.groupdict().items()}
                return await self._call(route, Call(self, request, user), params)
        if path.startswith("/api/"):
            raise HubFault(501, f"This embedded Hub does not do {method} {path}; the public Hub does", "NotImplemented")
        raise HubFault(404, "Nothing here")

    async def _call(self, route: Route, call: Call, params: dict[str, str]) -> Response:
        if any("\0" in value for value in params.values()):
            raise HubFault(400, "A path must not contain NUL")
        type, name = params.get("kind") or params.get("type", ""), params.get("repo", "")
        if name:  # the repo is looked up here; its handler is told the rest
            params = {key: value for key, value in params.items() if key not in ("kind", "type", "repo")}

        def enter() -> None:
            if callable(route.who):
                route.who(call, **params)
            elif route.who == "user":
                call.need_user()
            elif route.who != "any":
                call.repo = call.admit(route.who, type, name)

        try:
            await run_in_threadpool(enter)
            if route.body == "json":
                call.body = parse_json(await read_limited(call.request))
            elif route.body == "form":
                call.body = dict(parse_qsl((await read_limited(call.request)).decode(errors="replace")))
            elif route.body == "file":
                call.body = self.store.new_incoming()
                call.sha256 = await spool(call.request, call.body, call.most if route.who != "read" else MAX_JSON)
            answer = await run_in_threadpool(route.handler, call, **params)
        except HubFault as fault:
            path = call.request.scope["raw_path"].decode("latin-1")
            here = self.accounts.find_namespace(name.split("/")[0]) or self.store.find_repo(singular(type), name)
            asks = self.upstream is not None and not here and READS.fullmatch(f"{route.method} {path}")
            if fault.code != "RepoNotFound" or not asks:
                raise
            if "/resolve/" in path:
                return await self.upstream.file(call.request, path)
            return await self.upstream.ask(call.request, path, await read_limited(call.request))
        finally:
            if isinstance(call.body, Path):
                call.body.unlink(missing_ok=True)
        return answer if isinstance(answer, Response) else JSONResponse(answer)


async def spool(request: Request, path: Path, most: int) -> str:
    """Writes a request's body to a file, a few MiB in a thread while the next ones arrive; its sha256."""
    digest, buffer = hashlib.sha256(), bytearray()
    with open(path, "wb") as file, ThreadPoolExecutor(1) as thread:

        def write(piece: bytearray) -> None:
            digest.update(piece)
            file.write(piece)

        writing = asyncio.wrap_future(thread.submit(write, b""))
        async for chunk in request.stream():
            buffer += chunk
            if (most := most - len(chunk)) < 0:
                raise HubFault(400, "The request body is longer than it may be here")
            if len(buffer) >= BUFFER:
                await writing
                writing, buffer = asyncio.wrap_future(thread.submit(write, buffer)), bytearray()
        await writing
        await run_in_threadpool(write, buffer)
    return digest.hexdigest()


async def drain(request: Request) -> None:
    """Takes in the rest of a refused body, because clients read an answer when they have sent everything."""
    left = MAX_DRAINED
    with suppress(RuntimeError, ClientDisconnect):  # it was read to its end, or nobody waits for the answer
        async for chunk in request.stream():
            if (left := left - len(chunk)) < 0:
                break


async def read_limited(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON:
            raise HubFault(413, f"A request body may have at most {MAX_JSON} bytes")
    return bytes(body)


def parse_json(data: bytes) -> dict:
    try:
        value = json.loads(data or b"{}")
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair could be kept, but never sent
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise HubFault(400, "The request body is not a JSON object")
    return value


def refusal(fault: HubFault) -> JSONResponse:
    """A refusal in the Hub's form. Header values lose what a header must not hold, and begin or end with."""
    headers = {"X-Error-Message": fault.message[:500], **fault.headers}
    headers |= {"X-Error-Code": fault.code} if fault.code else {}
    safe = {name: re.sub(r"[^\x20-\x7e]+", " ", value).strip() for name, value in headers.items()}
    return JSONResponse({"error": fault.message, **fault.body}, fault.status, safe)
