"""Pages for people, because links in cards and in the app lead here: read-only, rendered here, no script at all.

Cards are strangers' markdown: raw HTML is shown as text, links of dangerous kinds are dropped by the parser, and the
policy in the headers forbids scripts whatever the page says. The HTML is in templates/, which escape what they are given.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import HTMLResponse, RedirectResponse, Response

from .app import Call, refuse, refuse_entry, route
from .cards import split_card
from .store import TYPES, Repo, iso

MAX_RENDERED = 100_000
MAX_ROWS = 500
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: data:; base-uri 'none'; frame-ancestors 'none'"
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Security-Policy": POLICY}
P = "/{kind}{repo}"


@cache
def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader  # here, because a server that shows nobody a page starts sooner

    found = Environment(loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True, trim_blocks=True)
    found.filters["day"] = lambda seconds: iso(seconds)[:16].replace("T", " ")
    return found


def page(template: str, title: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(_templates().get_template(f"{template}.html").render(title=title, status=status, **values), status, HEADERS)


def render_card(text: str, base: str) -> str:
    """Markdown to HTML without raw HTML; relative addresses lead to the files of the repo at `base`."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])
    shown, *rest = text[:MAX_RENDERED].split("<!--")  # comments are not shown; no pattern, which a million of "<!--" would keep busy
    tokens = parser.parse(shown + "".join(piece.partition("-->")[2] for piece in rest))
    for token in [inner for block in tokens for inner in (block.children or [])]:
        name = {"image": "src", "link_open": "href"}.get(token.type, "")
        target = str(token.attrGet(name) or "")
        if target and not re.match(r"[a-zA-Z][\w+.-]*:|#|/", target):
            token.attrSet(name, f"/{quote(base)}/{target.removeprefix('./')}")
    return parser.renderer.render(tokens, parser.options, {})


def _repos(call: Call, where: str = "1", *values: Any) -> list[Repo]:
    found = call.store.repos(f"{where} ORDER BY modified DESC LIMIT {MAX_ROWS}", *values)
    return [repo for repo in found if call.accounts.can_read(call.user, repo)]


@route("GET", "/", "any")
def home(call: Call) -> Response:
    names = [*call.accounts.orgs, *call.accounts.users]
    return page("repos", "LoRA Hub, embedded", heading="On this Hub", names=names, groups={"": _repos(call)})


@route("GET", P + "/tree/{rev}{below}", "read")
def files(call: Call, rev: str, path: str = "") -> Response:
    (commit, tree), prefix = call.tree(rev), f"{path.strip('/')}/" if path.strip("/") else ""
    inside = {name[len(prefix):]: entry for name, entry in sorted(tree.items()) if name.startswith(prefix)}
    refuse_entry(not inside, path, commit.id)
    folders = sorted({name.split("/")[0] for name in inside if "/" in name})
    here = {name: entry for name, entry in inside.items() if "/" not in name}
    return page("files", call.repo.full_name, repo=call.repo, rev=rev, commit=commit, prefix=prefix, folders=folders, files=here)


@route("GET", P + "/blob/{rev}/{path}", "read")
def blob(call: Call, rev: str, path: str) -> Response:
    return RedirectResponse(f"/{quote(call.repo.path)}/resolve/{quote(rev, safe='')}/{quote(path)}")


@route("GET", P + "/commits/{rev}", "read")
def versions(call: Call, rev: str) -> Response:
    refs, walk = call.store.refs(call.repo), call.store.walk(call.repo, call.store.get_commit(call.repo, rev))
    commits = [(commit, [ref.split("/", 2)[2] for ref, id in refs.items() if id == commit.id])
               for _, commit in zip(range(MAX_ROWS), walk, strict=False)]
    return page("versions", f"{call.repo.full_name} versions", repo=call.repo, commits=commits)


@route("GET", P + "/commit/{rev}", "read")
def commit(call: Call, rev: str) -> Response:
    shown, new = call.tree(rev)
    old = call.tree(shown.parents[0])[1] if shown.parents else {}
    changed = [path for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)]
    return page("commit", shown.title, repo=call.repo, commit=shown, old=old, new=new, changed=changed)


@route("GET", "/{ns}", "any")
def namespace(call: Call, ns: str) -> Response:
    found = _repos(call, "namespace = ? COLLATE NOCASE", ns)
    name = call.accounts.find_namespace(ns) or (found[0].namespace if found else None)
    refuse(name is None, 404, f"There is no user or organization {ns} on this Hub")
    groups = {type.title(): [repo for repo in found if repo.type == type] for type in TYPES}
    return page("repos", name, heading=name, groups=groups)


@route("GET", P, "read")
def repository(call: Call) -> Response:
    repo, entry = call.repo, call.tree("main")[1].get("README.md")
    text = call.store.read_blob(entry.sha256, MAX_RENDERED).decode(errors="replace") if entry else "There is no card."
    tags = [(ref.removeprefix("refs/tags/"), id) for ref, id in call.store.refs(repo).items() if ref.startswith("refs/tags/")]
    card = render_card(split_card(text)[1], f"{repo.path}/resolve/main")
    return page("card", repo.full_name, repo=repo, tags=tags, card=card)
