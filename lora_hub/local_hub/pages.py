"""Pages for people, because links in cards and in the app lead here. Read-only, rendered on the server, no scripts.

Cards are strangers' markdown: raw HTML is shown as text, the parser drops dangerous links, and the content security
policy forbids scripts whatever a page contains. The HTML is in templates/, which escape their values.
"""

import re
from itertools import islice
from urllib.parse import quote

from jinja2 import Environment, PackageLoader
from markdown_it import MarkdownIt
from starlette.responses import HTMLResponse, Response

from .calls import Call, route
from .cards import split_card
from .faults import refuse
from .reading import list_folder
from .store import TYPES, iso

MAX_RENDERED, MAX_ROWS = 100_000, 500
RIGHT_TO_LEFT = '<div dir="rtl">'  # on a line of its own, as our cards write it and the public Hub shows it
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: data:; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Security-Policy": POLICY}
TEMPLATES = Environment(loader=PackageLoader(__package__), autoescape=True, trim_blocks=True)


def page(template: str, title: str, status: int = 200, **values: object) -> HTMLResponse:
    return HTMLResponse(
        TEMPLATES.get_template(f"{template}.html").render(title=title, status=status, iso=iso, **values),
        status,
        HEADERS,
    )


def render_card(text: str, base: str) -> str:
    """Markdown to HTML without raw HTML, except that a part may be written from the right (`RIGHT_TO_LEFT`); relative
    links are resolved below `base`."""
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])

    def place(url: str) -> str:
        return MarkdownIt.normalizeLink(parser, url if re.match(r"[a-zA-Z][\w+.-]*:|[#/]", url) else base + url)

    parser.normalizeLink = place
    shown, *rest = text.split(
        "<!--"
    )  # hides comments; no regular expression, because a million of "<!--" would make it slow
    shown += "".join(piece.partition("-->")[2] for piece in rest)
    first, *parts = shown.split(f"\n{RIGHT_TO_LEFT}\n")
    rendered = [parser.render(first)]
    for part in parts:
        inside, _end, behind = part.partition("\n</div>")
        rendered += [RIGHT_TO_LEFT, parser.render(inside), "</div>", parser.render(behind)]
    return "".join(rendered)


@route("GET", "/", "any")
@route("GET", "/{ns}", "any")
def repositories(call: Call, ns: str = "") -> Response:
    """The repositories of a user or an organization, or all of them, with the names of possible owners."""
    newest = call.store.repos(f"?1 IN ('', lower(namespace)) ORDER BY modified DESC LIMIT {MAX_ROWS}", ns.lower())
    found = [repo for repo in newest if call.accounts.can_read(call.user, repo)]
    owner = call.accounts.find_namespace(ns) or next((repo.namespace for repo in found), "")
    refuse(ns and not owner, 404, f"There is no user or organization {ns} on this Hub")
    groups = {type.title(): [repo for repo in found if repo.type == type] for type in TYPES}
    return page(
        "repos",
        owner if ns else "On this Hub",
        names=[] if ns else [*call.accounts.orgs, *call.accounts.users],
        groups=groups,
    )


@route("GET", "/{kind}{repo}/commit/{rev}", "read")
@route("GET", "/{kind}{repo}/tree/{rev}{path:.*}", "read")
def files(call: Call, rev: str, path: str = "") -> Response:
    """A commit's message and details, and a folder at that commit."""
    commit, tree, below = list_folder(call, rev, path)
    return page(
        "files",
        call.repo.full_name,
        repo=call.repo,
        rev=rev,
        commit=commit,
        files={name: tree.get(name) for name in below},
    )


@route("GET", "/{kind}{repo}/commits/{rev}", "read")
def versions(call: Call, rev: str) -> Response:
    refs, walk = call.store.refs(call.repo), call.store.walk(call.repo, call.store.get_commit(call.repo, rev))
    commits = [
        (commit, [ref.split("/", 2)[2] for ref, id in refs.items() if id == commit.id])
        for commit in islice(walk, MAX_ROWS)
    ]
    return page("versions", f"{call.repo.full_name} versions", repo=call.repo, commits=commits)


@route("GET", "/{kind}{repo}", "read")
def repository(call: Call) -> Response:
    repo, entry = call.repo, call.tree("main")[1].get("README.md")
    text = call.store.read_blob(entry.sha256, MAX_RENDERED).decode(errors="replace") if entry else "There is no card."
    tags = [
        (ref.removeprefix("refs/tags/"), id)
        for ref, id in call.store.refs(repo).items()
        if ref.startswith("refs/tags/")
    ]
    card = render_card(split_card(text)[1], f"/{quote(repo.path)}/resolve/main/")
    return page("card", repo.full_name, repo=repo, tags=tags, card=card)
