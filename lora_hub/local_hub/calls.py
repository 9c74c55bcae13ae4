"""What a handler stands on: how it is marked as the one of some requests, and the request as it sees it.

A handler is marked `@route(method, pattern, who[, body])`. A pattern is a regular expression that matches the raw path,
because `refs%2Fpr%2F1` is one segment. In it `{type}` is model, dataset or space; `{kind}` the same as pages' addresses
begin with it; `{repo}` one or two segments; any other `{name}` one segment, or what follows a colon. `who`: "any" needs
no repo, "user" a token, "read" a repo that the caller may see, "open" one whose gate is open to the caller too,
"join" a token and a repo to read, "write" the right to write; or a function that answers it itself. Nothing of a body
is kept on disk before `who` is answered.

A handler runs in a worker thread and finds the parsed JSON in `call.body`, with the body "form" the fields of a form,
with "file" the path of the bytes. What it returns is sent as JSON (nothing as {}) with `call.headers`, unless it is a
response already.
"""

import re
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request

from .accounts import Account
from .faults import HubFault, refuse
from .store import Commit, Repo, Tree

if TYPE_CHECKING:
    from .app import Hub

PARTS = {
    "{type}": "(?P<type>model|dataset|space)",
    "{kind}": "(?:(?P<type>dataset|space)s/)?",
    "{repo}": "(?P<repo>(?!api/)[^/]+(?:/[^/]+)?)",
}


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
    """One request as a handler sees it. `user`: the caller (Account, None for a stranger), `repo`: what the address
    names (Repo)."""

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
        """Lets the caller in by the route's `who`, with the repo that the address names; what the handler is still to
        be told."""
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
        refuse(
            who in ("join", "write") and not self.need_user().writes,
            403,
            "The app was not allowed to change anything in your name",
        )
        refuse(who == "write" and not writes, 403, f"You don't have the rights to write to {repo.full_name}")
        if who == "open" and repo.gated and not writes:
            asked = self.store.document(repo.id, "access", self.user.name if self.user else "")
            words = f"Access to {repo.type} {repo.full_name} is restricted and you are not in the authorized list"
            refuse(asked.get("status") != "accepted", 403 if self.user else 401, words, "GatedRepo")
        return repo


def parse_json(data: bytes) -> dict:
    """A JSON object; HubFault 400 for anything else, for NaN and for half of a surrogate pair, which could not be sent
    again."""
    try:
        return {**orjson.loads(data or b"{}")}
    except (ValueError, TypeError) as error:
        raise HubFault(400, "The request body is not a JSON object") from error
