"""The web application: which request goes to which handler, who may, and how a refusal looks.

A handler is marked `@route(method, pattern, who[, body])`. A pattern is a regular expression that matches the raw path,
because `refs%2Fpr%2F1` is one segment. In it `{type}` is model, dataset or space; `{kind}` the same as pages' addresses
begin with it; `{repo}` one or two segments; any other `{name}` one segment, or what follows a colon. `who`: "any" needs no
repo, "user" a token, "read" a repo that the caller may see, "open" one whose gate is open to the caller too,
"join" a token and a repo to read, "write" the right to write; or a function that answers it itself. Nothing of a body is
kept on disk before `who` is answered.

A handler runs in a worker thread and finds the parsed JSON in `call.body`, with the body "form" the fields of a form,
with "file" the path of the bytes. What it returns is sent as JSON (nothing as {}) with `call.headers`, unless it is a
response already.
"""

import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from email.utils import formatdate
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from .accounts import Account, Accounts
from .faults import HubFault, refuse
from .store import Commit, Repo, Store, Tree, new_id

PARTS = {"{type}": "(?P<type>model|dataset|space)", "{kind}": "(?:(?P<type>dataset|space)s/)?",
         "{repo}": "(?P<repo>(?!api/)[^/]+(?:/[^/]+)?)"}


def route(method: str, pattern: str, who: Any, body: str = "json") -> Callable[[Callable], Callable]:
    """Marks a handler as the one of these requests; see above. The first of a module that matches is taken."""

    def part(found: re.Match) -> str:
        return PARTS.get(found[0]) or f"(?P<{found[1]}>{found[2] or '[^/]+'})"

    def mark(handler: Callable) -> Callable:
        handler.routes = [*getattr(handler, "routes", ()), (method, match, who, body, handler)]
        return handler

    match = re.compile(re.sub(r"{(\w+):?(.*?)}", part, pattern)).fullmatch
    return mark


class NotHeld(HubFault):
    """No such repo, and its namespace is nobody's here: an upstream Hub may have it."""


class Call:
    """One request as a handler sees it. `user`: the caller (Account, None for a stranger), `repo`: what the address names (Repo)."""

    def __init__(self, hub: "Hub", request: Request):
        self.hub, self.store, self.accounts = hub, hub.store, hub.accounts
        self.body, self.most = None, 2 * 1024**3  # bytes that a body in a file may have
        self.request, self.query, self.headers = request, request.query_params, {}  # these headers are the answer's
        self.base_url = str(request.base_url)[:-1]  # which ends in a slash

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        """A number of the query; HubFault 400 for anything else."""
        refuse(not re.fullmatch("[0-9]{0,15}", value := self.query.get(name, "")), 400, f'"{name}" must be a number')
        return int(value or default)

    def field(self, name: str, kind: type = str, default: Any = None) -> Any:
        """A value of the JSON body; HubFault 400 where it is of another kind."""
        value = default if self.body.get(name) is None else self.body[name]
        refuse(not isinstance(value, kind), 400, f'"{name}" must be a {kind.__name__}')
        return value

    def tree(self, rev: str) -> tuple[Commit, Tree]:
        """The commit that a revision of the repo leads to, and its files."""
        commit = self.store.get_commit(self.repo, rev)
        return commit, self.store.read_tree(commit.tree)

    def paged(self, items: list, most: int) -> list:
        """A slice of a list, with the address of the next one in the header Link."""
        start, size = self.number("cursor", 0), max(1, min(self.number("limit", most), most))
        if (end := start + size) < len(items):
            self.headers["Link"] = f'<{self.request.url.include_query_params(cursor=end)}>; rel="next"'
        return items[start:end]

    def need_user(self) -> Account:
        refuse(self.user is None, 401, "Log in with a token first")
        return self.user

    @cached_property
    def user(self) -> Account | None:
        """Whose token the request has. Looked at before anything else, but where the route has tokens of its own."""
        return self.accounts.identify(self.request.headers.get("authorization", ""))

    def enter(self, who: Any, **params: str) -> dict[str, str]:
        """Lets the caller in by the route's `who`, with the repo that the address names; what the handler is still to be told."""
        if callable(who):
            return params | (who(self, **params) or {})
        self.user  # noqa: B018, a token that nobody has is refused even where none is needed
        if "repo" in params:
            self.repo = self.admit(who, params.pop("type"), params.pop("repo"))
        elif who == "user":
            self.need_user()
        return params

    def admit(self, who: str, type: str, name: str) -> Repo:
        """The repo of that name, if the caller may do with it what `who` says. What one may not see is not there."""
        repo = self.store.find_repo(type, name)
        if repo is None or not self.accounts.can_read(self.user, repo):
            ours = repo or self.accounts.find_namespace(name.split("/")[0])
            raise (HubFault if ours else NotHeld)(404, "Repository not found", "RepoNotFound")
        writes = self.accounts.can_write(self.user, repo)
        refuse(who in ("join", "write") and not self.need_user().writes, 403, "The app was not allowed to change anything in your name")
        refuse(who == "write" and not writes, 403, f"You don't have the rights to write to {repo.full_name}")
        if who == "open" and repo.gated and not writes:
            asked = self.store.document(repo.id, "access", self.user.name if self.user else "")
            words = f"Access to {repo.type} {repo.full_name} is restricted and you are not in the authorized list"
            refuse(asked.get("status") != "accepted", 403 if self.user else 401, words, "GatedRepo")
        return repo


class Hub:
    """The ASGI application over one store."""

    def __init__(self, store: Store, accounts: Accounts, upstream: Any = None, jobs_on: bool = False):
        from . import collection, commits, discussions, jobs, lfs, listing, oidc, pages, reading, repos, spaces, xet

        self.store, self.accounts, self.upstream, self.page, self.id = store, accounts, upstream, pages.page, new_id()
        self.codes, self.jobs = {}, {} if jobs_on else None  # of oidc and jobs, while this process lives
        self.used, self.open_requests = time.monotonic(), 0  # when it was last used
        jobs.mark_lost(store)
        modules = (repos, oidc, spaces, jobs, collection, discussions, reading, commits, lfs, xet, listing, pages)
        self.routes = [one for module in modules for value in vars(module).values() for one in getattr(value, "routes", ())]

    @property
    def busy(self) -> bool:
        """Whether somebody is being answered, or a job runs."""
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
            await drain(request)
            response = refusal(fault)
        except ClientDisconnect:
            return
        except Exception as error:
            logging.exception("%s %s", scope["method"], scope["path"])
            full = re.search("No space left on device|disk is full", str(error))
            response = refusal(HubFault(507, "The disk is full") if full else HubFault(500, "The embedded Hub failed; its log says why"))
        if (status := response.status_code) >= 400 and "text/html" in request.headers.get("accept", ""):  # a browser
            response = self.page("error", "Not possible", status, words=response.headers.get("X-Error-Message", ""))
        response.headers.update({"X-Request-Id": request.headers.get("x-amzn-trace-id") or new_id(), "Date": formatdate(usegmt=True)})
        logging.info("%s %s %d", scope["method"], scope["path"], status)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        method, path = "GET" if request.method == "HEAD" else request.method, request.scope["raw_path"].decode("latin-1")
        for wanted, match, who, body, handler in self.routes:
            if wanted == method and (found := match(path)):
                break
        else:
            raise HubFault(501 if path.startswith("/api/") else 404, f"This embedded Hub does not do {method} {path}; the public Hub does")
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
        return answer if isinstance(answer, Response) else JSONResponse({} if answer is None else answer, headers=call.headers)


async def pieces(request: Request, most: int) -> AsyncIterator[bytes]:
    """A request's body, of at most so many bytes; HubFault 413 where it has more."""
    async for chunk in request.stream():
        refuse((most := most - len(chunk)) < 0, 413, "The request body is longer than it may be here")
        yield chunk


async def drain(request: Request) -> None:
    """Takes in the rest of a refused body, because clients read an answer when they have sent everything."""
    with suppress(RuntimeError, ClientDisconnect):  # it was read to its end, or nobody waits for the answer
        async for _ in request.stream():
            pass


def parse_json(data: bytes) -> dict:
    """A JSON object; HubFault 400 for anything else, for NaN and for half of a surrogate pair, which could not be sent again."""
    try:
        return {**orjson.loads(data or b"{}")}
    except (ValueError, TypeError) as error:
        raise HubFault(400, "The request body is not a JSON object") from error


def refusal(fault: HubFault) -> JSONResponse:
    """A refusal in the Hub's form. Header values lose what a header must not hold, and begin or end with."""
    headers = {"X-Error-Message": fault.message[:500], "X-Error-Code": fault.code, **fault.headers}
    safe = {name: re.sub(r"[^\x20-\x7e]+", " ", value).strip() for name, value in headers.items()}
    return JSONResponse({"error": fault.message, **fault.body}, fault.status, safe)
