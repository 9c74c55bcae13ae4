"""Pages for people, because links in cards and in the app lead here: read-only, rendered here, no script at all.

Cards are strangers' markdown: raw HTML is shown as text, links of dangerous kinds are dropped by the parser, and the
policy in the headers forbids scripts whatever the page says.
"""

import json
import re
from html import escape
from typing import Any
from urllib.parse import quote

from starlette.responses import HTMLResponse, RedirectResponse, Response

from .app import Call
from .cards import split_card
from .faults import HubFault, entry_missing
from .store import TYPES, Commit, Entry, Repo, iso

MAX_RENDERED = 200_000
MAX_ROWS = 500
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: data:; form-action 'self'; base-uri 'none'"
STYLE = """body{font:16px/1.55 system-ui,sans-serif;margin:0;color:#1b1f27;background:#fff}header{background:#f3f4f7;padding:.7rem 1rem}
main{max-width:60rem;margin:auto;padding:1rem}a{color:#1849b8;text-decoration:none}a:hover{text-decoration:underline}nav a{margin-right:1rem}
table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.25rem .9rem .25rem 0;text-align:start;border-bottom:1px solid #e4e6eb;vertical-align:top}
pre{background:#f3f4f7;padding:.7rem;overflow:auto}code{font-size:.9em}img{max-width:100%}small,.dim{color:#5c6470}
.tag{display:inline-block;background:#eef1f6;border-radius:.6rem;padding:0 .55rem;margin:.1rem .2rem .1rem 0;font-size:.85em}
article>*,td,p{unicode-bidi:plaintext}@media(prefers-color-scheme:dark){body{background:#15181e;color:#e7e9ee}header,pre,.tag{background:#232833}a{color:#8fb2ff}}"""


def page(title: str, *body: str, status: int = 200) -> HTMLResponse:
    html = (f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{escape(title)}</title><style>{STYLE}</style><header><a href='/'>LoRA Hub, embedded</a></header><main>{''.join(body)}</main>")
    return HTMLResponse(html, status, {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"})


def table(rows: list[list[str]], heads: str = "") -> str:
    """Rows of cells that are HTML already."""
    head = "<tr>" + "".join(f"<th>{word}</th>" for word in heads.split()) + "</tr>" if heads else ""
    return f"<table>{head}" + "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows) + "</table>"


def link(path: str, text: str) -> str:
    return f'<a href="/{quote(path)}">{escape(text)}</a>'


def human(size: int) -> str:
    value, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def day(seconds: float) -> str:
    return iso(seconds)[:16].replace("T", " ")


def render_card(text: str, base: str) -> str:
    """Markdown to HTML without raw HTML; relative addresses lead to the files of the repo at `base`."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])
    tokens = parser.parse(re.sub(r"<!--.*?-->", "", text[:MAX_RENDERED], flags=re.DOTALL))
    for token in [inner for block in tokens for inner in (block.children or [])]:
        name = {"image": "src", "link_open": "href"}.get(token.type)
        target = str(token.attrGet(name) or "") if name else ""
        if name and target and not re.match(r"[a-zA-Z][\w+.-]*:|//|#|/", target):
            token.attrSet(name, f"/{quote(base)}/{target.removeprefix('./')}")
        if token.type == "link_open":
            token.attrSet("rel", "nofollow noopener noreferrer")
    return parser.renderer.render(tokens, parser.options, {})


def _heading(repo: Repo) -> str:
    word = "" if repo.type == "model" else f"<small>{repo.type}</small> "
    lock = " <small>private</small>" if repo.private else ""
    links = " ".join(link(f"{repo.path}{tail}", name) for tail, name in
                     (("", "Card"), ("/tree/main", "Files"), ("/commits/main", "Versions"), ("/discussions", "Discussions")))
    return f"<h1>{word}{link(repo.namespace, repo.namespace)}/{link(repo.path, repo.name)}{lock}</h1><nav>{links}</nav>"


def _repo_rows(repos: list[Repo]) -> str:
    return table([[link(repo.path, repo.full_name), " ".join(f"<span class=tag>{escape(t)}</span>" for t in json.loads(repo.facts).get("tags", [])[:6]),
                   day(repo.modified), f"{repo.downloads}"] for repo in repos], "Repository Tags Updated Downloads")


def _visible(call: Call, where: str = "1", *values: Any) -> list[Repo]:
    rows = call.store.db.execute(f"SELECT * FROM repos WHERE {where} ORDER BY modified DESC LIMIT {MAX_ROWS}", values)
    return [repo for repo in (Repo(**row) for row in rows) if call.accounts.can_read(call.user, repo)]


def home(call: Call) -> Response:
    orgs = " ".join(link(name, name) for name in (*call.accounts.orgs, *call.accounts.users))
    return page("LoRA Hub, embedded", f"<h1>On this Hub</h1><p>{orgs}</p>", _repo_rows(_visible(call)))


def namespace(call: Call, ns: str) -> Response:
    found = _visible(call, "namespace = ? COLLATE NOCASE", ns)
    name = call.accounts.find_namespace(ns) or (found[0].namespace if found else None)
    if name is None:
        raise HubFault(404, f"There is no user or organization {ns} on this Hub")
    groups = [f"<h2>{type.title()}s</h2>{_repo_rows(some)}" for type in TYPES if (some := [repo for repo in found if repo.type == type])]
    return page(name, f"<h1>{escape(name)}</h1>", *(groups or ["<p class=dim>Nothing here yet.</p>"]))


def repository(call: Call, kind: str, repo: str) -> Response:
    found = call.readable(kind, repo)
    commit = call.store.get_commit(found, "main")
    entry, facts = call.store.read_tree(commit.tree).get("README.md"), json.loads(found.facts)
    text = call.store.read_blob(entry.sha256, MAX_RENDERED).decode(errors="replace") if entry else ""
    card = render_card(split_card(text)[1], f"{found.path}/resolve/main") if text else "<p class=dim>There is no card.</p>"
    tags = "".join(f"<span class=tag>{escape(str(tag))}</span>" for tag in facts.get("tags", []))
    versions = call.store.db.execute("SELECT name, commit_id FROM refs WHERE repo = ? AND name LIKE 'refs/tags/%' ORDER BY name", (found.id,)).fetchall()
    rows = [link(f"{found.path}/tree/{quote(name[10:], safe='')}", name[10:]) + f" <code>{id[:7]}</code>" for name, id in versions]
    size = facts.get("safetensors") or {}
    about = " · ".join([f"updated {day(found.modified)}", f"{found.downloads} downloads"] + ([f"{size['total']:,} parameters"] if size else []))
    return page(found.full_name, _heading(found), f"<p>{tags}</p><p class=dim>{about}</p>", f"<p>Versions: {', '.join(rows)}</p>" if rows else "",
                f"<article>{card}</article>")


def files(call: Call, kind: str, repo: str, rev: str, path: str = "") -> Response:
    found = call.readable(kind, repo)
    commit = call.store.get_commit(found, rev)
    tree, prefix = call.store.read_tree(commit.tree), f"{path.strip('/')}/" if path.strip("/") else ""
    inside = {name[len(prefix):]: entry for name, entry in tree.items() if name.startswith(prefix)}
    if not inside:
        raise entry_missing(path, commit.id)
    where = f"{found.path}/{{}}/{quote(rev, safe='')}/{prefix}"
    rows = [[link(where.format("tree") + name, name + "/"), "", ""] for name in sorted({n.split("/")[0] for n in inside if "/" in n})]
    rows += [[link(where.format("resolve") + name, name), human(e.size) + (" LFS" if e.lfs else ""),
              f'<a href="/{quote(where.format("resolve") + name)}?download=true">download</a>'] for name, e in sorted(inside.items()) if "/" not in name]
    return page(f"{found.full_name} files", _heading(found), f"<p>Files at <b>{escape(rev)}</b> <code>{commit.id}</code></p>", table(rows[:5000]))


def blob(call: Call, kind: str, repo: str, rev: str, path: str) -> Response:
    found = call.readable(kind, repo)
    return RedirectResponse(f"/{quote(found.path)}/resolve/{quote(rev, safe='')}/{quote(path)}", 307)


def versions(call: Call, kind: str, repo: str, rev: str) -> Response:
    found = call.readable(kind, repo)
    names: dict[str, list[str]] = {}
    for name, id in call.store.db.execute("SELECT name, commit_id FROM refs WHERE repo = ?", (found.id,)):
        names.setdefault(id, []).append(name.split("/", 2)[2])
    rows: list[list[str]] = []
    for commit in call.store.walk(found, call.store.get_commit(found, rev)):
        marks = "".join(f"<span class=tag>{escape(name)}</span>" for name in names.get(commit.id, []))
        rows.append([link(f"{found.path}/commit/{commit.id}", commit.id[:7]), escape(commit.title) + " " + marks, escape(commit.author), day(commit.time / 1000)])
        if len(rows) == MAX_ROWS:
            break
    return page(f"{found.full_name} versions", _heading(found), table(rows, "Commit Message Author Date"))


def changes(call: Call, repo: Repo, commit: Commit) -> list[tuple[str, str]]:
    """(added, changed or deleted; path) against the first parent."""
    new = call.store.read_tree(commit.tree)
    old: dict[str, Entry] = call.store.read_tree(call.store.get_commit(repo, commit.parents[0]).tree) if commit.parents else {}
    return [("added" if p not in old else "deleted" if p not in new else "changed", p) for p in sorted(old.keys() | new.keys()) if old.get(p) != new.get(p)]


def one_commit(call: Call, kind: str, repo: str, rev: str) -> Response:
    found = call.readable(kind, repo)
    commit = call.store.get_commit(found, rev)
    rows = [[what, escape(path)] for what, path in changes(call, found, commit)[:5000]]
    return page(commit.title, _heading(found), f"<h2>{escape(commit.title)}</h2><p>{escape(commit.description)}</p>",
                f"<p class=dim>{escape(commit.author)}, {day(commit.time / 1000)}, {link(f'{found.path}/tree/{commit.id}', commit.id)}</p>", table(rows))


ROUTES = [
    ("GET", "/", home),
    ("GET", "/{kind}{repo}/tree/{rev}/{path}", files),
    ("GET", "/{kind}{repo}/tree/{rev}", files),
    ("GET", "/{kind}{repo}/blob/{rev}/{path}", blob),
    ("GET", "/{kind}{repo}/commits/{rev}", versions),
    ("GET", "/{kind}{repo}/commit/{rev}", one_commit),
    ("GET", "/{ns}", namespace),
    ("GET", "/{kind}{repo}", repository),
]
