"""The web application: which request goes to which handler, who may, and how a refusal looks.

A handler is marked `@route(method, pattern, who[, body])`. Patterns match the raw path, because `refs%2Fpr%2F1` is one
segment: `{type}` is models, datasets or spaces; `{kind}` the same as a prefix of page addresses, or nothing; `{repo}`
one or two segments; `{path}` the rest, and `{below}` a slash and the rest, or nothing, also called path; any other name
one segment, or one of those after a colon. `who`: "any" needs no repo, "user" a token, "read" a repo that the caller may
see, "open" one whose gate is open to the caller too, "join" a token and a repo to read, "write" the right to write; or a
function that answers it itself. Nothing of a body is kept before `who` is answered.

A handler runs in a worker thread and finds the parsed JSON in `call.body`, with the body "file" the path of the bytes,
with "form" the fields of a form, with "login" too: that form says inside who sends it. What it returns is sent as JSON
(nothing as {}) with `call.headers`, unless it is a response already.
"""

import logging
import re
import secrets
import time
from collections import namedtuple
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from email.utils import formatdate
from errno import ENOSPC
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from .accounts import Account, Accounts
from .faults import HubFault, refuse, refuse_entry, refuse_revision  # noqa: F401, for the handlers
from .store import Commit, Repo, Store, Tree

MAX_JSON = 8 * 1024 * 1024
MAX_COMMIT = 2 * 1024**3
MAX_DRAINED = 64 * 1024 * 1024
BUFFER = 4 * 1024 * 1024
PARTS = {"type": "(?P<type>models|datasets|spaces)", "kind": "(?P<kind>(?:datasets/|spaces/)?)",
         "repo": "(?P<repo>(?!api/)[^/]+(?:/[^/]+)?)", "path": "(?P<path>.+)", "below": "(?:/(?P<path>.*))?"}
READS = re.compile("GET /api/.*|POST /api/.*/paths-info/.*|GET .*/resolve/.*")  # what an upstream may be asked
Route = namedtuple("Route", "method match who handler body")
log = logging.getLogger("lora_hub.local_hub")


def route(method: str, pattern: str, who: Any, body: str = "json") -> Callable[[Callable], Callable]:
    """Marks a handler as the one of these requests; see above. The first of a module that matches is taken."""

    def meaning(piece: str) -> str:
        name, _, values = piece.strip("{}").partition(":")
        return re.escape(piece) if piece[:1] != "{" else PARTS.get(piece[1:-1]) or f"(?P<{name}>{values or '[^/]+'})"

    match = re.compile("".join(map(meaning, re.split("({.+?})", pattern)))).fullmatch

    def mark(handler: Callable) -> Callable:
        there = Route(method, match, who, handler, body if method != "GET" else "")
        handler.routes = [*getattr(handler, "routes", ()), there]
        return handler

    return mark


class NotHeld(HubFault):
    """No such repo, and its namespace is nobody's here: an upstream Hub may have it."""


class Call:
    """One request as a handler sees it."""

    repo: Repo
    body: Any = None
    most: int = MAX_COMMIT  # bytes that a body in a file may have

    def __init__(self, hub: "Hub", request: Request, user: Account | None):
        self.hub, self.request, self.user = hub, request, user
        self.store, self.accounts, self.query = hub.store, hub.accounts, request.query_params
        self.headers: dict[str, str] = {}  # of the answer
        self.base_url = f"{request.url.scheme}://{request.url.netloc}"

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        """A number of the query; HubFault 400 for anything else."""
        refuse(not (value := self.query.get(name) or str(default)).isdecimal() or len(value) > 15, 400, f'"{name}" must be a number')
        return int(value)

    def field(self, name: str, kind: type = str, default: Any = None) -> Any:
        """A value of the JSON body; HubFault 400 where it is of another kind."""
        value = default if self.body.get(name) is None else self.body[name]
        refuse(not isinstance(value, kind), 400, f'"{name}" must be a {kind.__name__}')
        return value

    def text(self, name: str) -> str:
        """A text of the JSON body that may be missing."""
        return str(self.body.get(name) or "")

    def tree(self, rev: str) -> tuple[Commit, Tree]:
        """The commit that a revision of the repo leads to, and its files."""
        commit = self.store.get_commit(self.repo, rev)
        return commit, self.store.read_tree(commit.tree)

    def paged(self, items: list, most: int) -> list:
        """A slice of a list, with the address of the next one in the header Link."""
        start, size = self.number("cursor", 0), max(1, min(self.number("limit", most), most))
        if start + size < len(items):
            self.next_page(start + size)
        return items[start:start + size]

    def next_page(self, cursor: int) -> None:
        self.headers["Link"] = f'<{self.request.url.include_query_params(cursor=cursor)}>; rel="next"'

    def need_user(self) -> Account:
        refuse(self.user is None, 401, "Log in with a token first")
        return self.user

    def enter(self, who: Any, **params: str) -> dict[str, str]:
        """Lets the caller in by the route's `who`, with the repo that the address names; what the handler is still to be told."""
        if callable(who):
            who(self, **params)
        elif "repo" in params:
            self.repo = self.admit(who, params.pop("kind", None) or params.pop("type", ""), params.pop("repo"))
        elif who == "user":
            self.need_user()
        return params

    def admit(self, who: str, type: str, name: str) -> Repo:
        """The repo of that name, if the caller may do with it what `who` says. What one may not see is not there."""
        repo = self.store.find_repo(singular(type), name)
        if repo is None or not self.accounts.can_read(self.user, repo):
            ours = repo or self.accounts.find_namespace(name.split("/")[0])
            raise (HubFault if ours else NotHeld)(404, "Repository not found", "RepoNotFound")
        writes = self.accounts.can_write(self.user, repo)
        refuse(who in ("join", "write") and not self.need_user().writes, 403, "The app was not allowed to change anything in your name")
        refuse(who == "write" and not writes, 403, f"You don't have the rights to write to {repo.full_name}")
        if who == "open" and repo.gated and not writes:
            asked = self.store.document(repo.id, "access", self.user.name if self.user else "")
            text = f"Access to {repo.type} {repo.full_name} is restricted and you are not in the authorized list"
            refuse(asked.get("status") != "accepted", 403 if self.user else 401, text, "GatedRepo")
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
        self.codes, self.jobs = {}, {} if jobs_on else None  # of oidc and jobs, while this process lives
        jobs.mark_lost(store)
        modules = (repos, oidc, spaces, jobs, access, collection, discussions, reading, commits, lfs, listing, pages)
        self.routes = [one for module in modules for value in vars(module).values() for one in getattr(value, "routes", ())]

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
            response = self.page("error", "Not possible", status, words=response.headers.get("X-Error-Message", ""))
        named = request.headers.get("x-request-id") or request.headers.get("x-amzn-trace-id")
        response.headers["X-Request-Id"], response.headers["Date"] = named or secrets.token_hex(8), formatdate(usegmt=True)
        if scope["path"] != "/health":
            log.info("%s %s %d %.0f ms", scope["method"], scope["path"], status, 1000 * (time.perf_counter() - started))
        await response(scope, receive, send)

    async def _answer(self, request: Request, path: str) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        for route in self.routes:
            if route.method == method and (match := route.match(path)):
                who = None if route.body == "login" else request.headers.get("authorization")
                call = Call(self, request, await run_in_threadpool(self.accounts.identify, who))
                params = {name: unquote(value) for name, value in match.groupdict().items() if value is not None}
                return await self._call(route, call, params)
        refuse(path.startswith("/api/"), 501, f"This embedded Hub does not do {method} {path}; the public Hub does", "NotImplemented")
        raise HubFault(404, "Nothing here")

    async def _call(self, route: Route, call: Call, params: dict[str, str]) -> Response:
        refuse(any("\0" in value for value in params.values()), 400, "A path must not contain NUL")
        try:
            params = await run_in_threadpool(call.enter, route.who, **params)
            if route.body == "json":
                call.body = parse_json(await read_limited(call.request))
            elif route.body in ("form", "login"):
                call.body = parse_qsl((await read_limited(call.request)).decode(errors="replace"))
            elif route.body == "file":
                call.body = self.store.incoming / secrets.token_hex(16)
                await spool(call.request, call.body, call.most)
            answer = await run_in_threadpool(route.handler, call, **params)
        except NotHeld:
            path = call.request.scope["raw_path"].decode("latin-1")
            if self.upstream is None or not READS.fullmatch(f"{route.method} {path}"):
                raise
            if "/resolve/" in path:
                return await self.upstream.file(call.request, path)
            return await self.upstream.ask(call.request, path, await read_limited(call.request))
        finally:
            if isinstance(call.body, Path):
                call.body.unlink(missing_ok=True)
        return answer if isinstance(answer, Response) else JSONResponse({} if answer is None else answer, headers=call.headers)


async def pieces(request: Request, most: int, status: int) -> AsyncIterator[bytes]:
    """A request's body, of at most so many bytes; HubFault with that status where it has more."""
    async for chunk in request.stream():
        refuse((most := most - len(chunk)) < 0, status, "The request body is longer than it may be here")
        yield chunk


async def spool(request: Request, path: Path, most: int) -> None:
    """Writes a request's body to a file, a few MiB at a time in a thread."""
    buffer = bytearray()
    with open(path, "wb") as file:
        async for chunk in pieces(request, most, 400):
            buffer += chunk
            if len(buffer) >= BUFFER:
                await run_in_threadpool(file.write, buffer)
                buffer = bytearray()
        await run_in_threadpool(file.write, buffer)


async def drain(request: Request) -> None:
    """Takes in the rest of a refused body, because clients read an answer when they have sent everything."""
    with suppress(RuntimeError, ClientDisconnect, HubFault):  # it was read to its end, or nobody waits for the answer
        async for _ in pieces(request, MAX_DRAINED, 413):
            pass


async def read_limited(request: Request) -> bytes:
    return b"".join([chunk async for chunk in pieces(request, MAX_JSON, 413)])


def parse_json(data: bytes) -> dict:
    """A JSON object; HubFault 400 for anything else, for NaN and for half of a surrogate pair, which could not be sent again."""
    try:
        value = orjson.loads(data or b"{}")
    except ValueError:
        value = None
    refuse(not isinstance(value, dict), 400, "The request body is not a JSON object")
    return value


def refusal(fault: HubFault) -> JSONResponse:
    """A refusal in the Hub's form. Header values lose what a header must not hold, and begin or end with."""
    headers = {"X-Error-Message": fault.message[:500], **fault.headers}
    headers |= {"X-Error-Code": fault.code} if fault.code else {}
    safe = {name: re.sub(r"[^\x20-\x7e]+", " ", value).strip() for name, value in headers.items()}
    return JSONResponse({"error": fault.message, **fault.body}, fault.status, safe)
