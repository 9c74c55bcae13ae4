"""The basis of every handler: the decorator that assigns it requests, and the request as it sees it.

A handler is marked `@route(method, pattern, who[, body])`. A pattern is a regular expression for the raw path, because
`refs%2Fpr%2F1` is one segment. In it `{type}` is model, dataset or space; `{kind}` the same as a prefix of page
addresses; `{repo}` one or two segments; any other `{name}` one segment, or what follows a colon.

`who` is the required right: "any": no repo needed; "user": a token; "read": a repo that the caller may see; "open": one
whose gate is also open to the caller; "join": a token and a repo to read; "write": the right to write; or a function
that decides it itself. Nothing of a body is stored on disk before `who` is checked.

A handler runs in a worker thread and finds the parsed JSON in `call.body`; with the body "form" the fields of a form,
with "file" the path of the received bytes. Its result is sent as JSON (None as {}) with `call.headers`, unless it is a
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
    """Assigns requests to a handler; see above. The first match of a module is used."""

    def part(found: re.Match) -> str:
        return PARTS.get(found[0]) or f"(?P<{found[1]}>{found[2] or '[^/]+'})"

    def mark(handler: Callable) -> Callable:
        handler.routes = [*getattr(handler, "routes", ()), (method, match, who, body, handler)]
        return handler

    match = re.compile(re.sub(r"{(\w+):?(.*?)}", part, pattern)).fullmatch
    return mark


class NotHeld(HubFault):
    """There is no such repo, and its namespace is not one of ours, so an upstream Hub may have it."""


class Call:
    """One request as a handler sees it. `user`: the caller (Account, None for a stranger), `repo`: the repo in the
    address (Repo)."""

    def __init__(self, hub: "Hub", request: Request):
        self.hub, self.store, self.accounts = hub, hub.store, hub.accounts
        self.body, self.most = None, 2 * 1024**3  # the most bytes of a body that is stored as a file
        self.request, self.query, self.headers = request, request.query_params, {}  # `headers` are the response's
        self.base_url = str(request.base_url)[:-1]  # which ends in a slash

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        """A number of the query; raises HubFault 400 for anything else."""
        refuse(not re.fullmatch("[0-9]{0,15}", value := self.query.get(name, "")), 400, f'"{name}" must be a number')
        return int(value or default)

    def field(self, name: str, kind: type = str, default: Any = None) -> Any:
        """A value of the JSON body; raises HubFault 400 if it has another type."""
        value = default if self.body.get(name) is None else self.body[name]
        refuse(not isinstance(value, kind), 400, f'"{name}" must be a {kind.__name__}')
        return value

    def tree(self, rev: str) -> tuple[Commit, Tree]:
        """The commit of a revision of the repo, and its files."""
        commit = self.store.get_commit(self.repo, rev)
        return commit, self.store.read_tree(commit.tree)

    def paged(self, items: list, most: int) -> list:
        """A slice of a list. The header Link gets the address of the next one."""
        start, size = self.number("cursor", 0), max(1, min(self.number("limit", most), most))
        if (end := start + size) < len(items):
            self.headers["Link"] = f'<{self.request.url.include_query_params(cursor=end)}>; rel="next"'
        return items[start:end]

    def need_user(self) -> Account:
        refuse(self.user is None, 401, "Log in with a token first")
        return self.user

    @cached_property
    def user(self) -> Account | None:
        """The owner of the request's token. Checked before anything else, except on routes with tokens of their own."""
        return self.accounts.identify(self.request.headers.get("authorization", ""))

    def enter(self, who: Any, **params: str) -> dict[str, str]:
        """Checks the route's `who` and finds the repo in the address. Returns the remaining parameters of the
        handler."""
        if callable(who):
            return params | (who(self, **params) or {})
        self.user  # noqa: B018, an unknown token is refused even on routes that need none
        if "repo" in params:
            self.repo = self.admit(who, params.pop("type"), params.pop("repo"))
        elif who == "user":
            self.need_user()
        return params

    def admit(self, who: str, type: str, name: str) -> Repo:
        """The repo of that name, if the caller has the right `who`. A repo that they may not see is reported as not
        found."""
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
    """A JSON object. Raises HubFault 400 for anything else, for NaN, and for an unpaired surrogate, which could not be
    sent again."""
    try:
        return {**orjson.loads(data or b"{}")}
    except (ValueError, TypeError) as error:
        raise HubFault(400, "The request body is not a JSON object") from error
