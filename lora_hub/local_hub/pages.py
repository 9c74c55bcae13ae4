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
from .store import TYPES, Repo, iso

MAX_RENDERED = 100_000
MAX_ROWS = 500
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: data:; base-uri 'none'; frame-ancestors 'none'"
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Security-Policy": POLICY}
STYLE = """:root{color-scheme:light dark}body{font:16px/1.55 system-ui,sans-serif;margin:0}
pre,header,.tag{background:#8882}header,pre{padding:.7rem 1rem}
main{max-width:60rem;margin:auto;padding:1rem}nav a{margin-inline-end:1rem}
table{border-collapse:collapse}td,th{padding:.25rem .9rem .25rem 0;text-align:start;border-bottom:1px solid #8883}
pre{overflow:auto}code{font-size:.9em}img{max-width:100%}article>*,td,p{unicode-bidi:plaintext}small,.dim{opacity:.7}
.tag{display:inline-block;border-radius:.6rem;padding:0 .55rem;margin:.1rem .2rem .1rem 0;font-size:.85em}"""


def page(title: str, *body: str) -> HTMLResponse:
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    top = f'<title>{escape(title)}</title><style>{STYLE}</style><header><a href="/">LoRA Hub, embedded</a></header>'
    return HTMLResponse(f"{head}{top}<main>{''.join(body)}</main>", 200, HEADERS)


def table(heads: str, rows: list[list[str]]) -> str:
    """Rows of cells that are HTML already."""
    lines = [[f"<th>{word}</th>" for word in heads.split()], *([f"<td>{cell}</td>" for cell in row] for row in rows)]
    return f"<table>{''.join('<tr>' + ''.join(line) + '</tr>' for line in lines)}</table>"


def link(path: str, text: str) -> str:
    return f'<a href="/{quote(path)}">{escape(text)}</a>'


def marks(tags: list[str]) -> str:
    return "".join(f"<span class=tag>{escape(str(tag))}</span>" for tag in tags)


def day(seconds: float) -> str:
    return iso(seconds)[:16].replace("T", " ")


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


def _heading(repo: Repo) -> str:
    tabs = {"Card": "", "Files": "/tree/main", "Versions": "/commits/main"}
    links = " ".join(link(repo.path + tail, name) for name, tail in tabs.items())
    kind = "" if repo.type == "model" else f" <small>{repo.type}</small>"
    return f"<h1>{link(repo.namespace, repo.namespace)}/{link(repo.path, repo.name)}{kind}</h1><nav>{links}</nav>"


def _repos(call: Call, where: str = "1", *values: Any) -> list[Repo]:
    rows = call.store.db.execute(f"SELECT * FROM repos WHERE {where} ORDER BY modified DESC LIMIT {MAX_ROWS}", values)
    return [repo for repo in (Repo(**row) for row in rows) if call.accounts.can_read(call.user, repo)]


def _listed(repos: list[Repo]) -> str:
    rows = [[link(repo.path, repo.full_name), marks(json.loads(repo.facts).get("tags", [])[:6]), day(repo.modified),
             str(repo.downloads)] for repo in repos]
    return table("Repository Tags Updated Downloads", rows)


def home(call: Call) -> Response:
    names = " ".join(link(name, name) for name in (*call.accounts.orgs, *call.accounts.users))
    return page("LoRA Hub, embedded", f"<h1>On this Hub</h1><p>{names}</p>", _listed(_repos(call)))


def namespace(call: Call, ns: str) -> Response:
    found = _repos(call, "namespace = ? COLLATE NOCASE", ns)
    name = call.accounts.find_namespace(ns) or (found[0].namespace if found else None)
    if name is None:
        raise HubFault(404, f"There is no user or organization {ns} on this Hub")
    groups = {type: [repo for repo in found if repo.type == type] for type in TYPES}
    lists = [f"<h2>{type.title()}s</h2>{_listed(some)}" for type, some in groups.items() if some]
    return page(name, f"<h1>{escape(name)}</h1>", *(lists or ["<p class=dim>Nothing here yet.</p>"]))


def repository(call: Call) -> Response:
    repo, facts = call.repo, json.loads(call.repo.facts)
    entry = call.store.read_tree(call.store.get_commit(repo, "main").tree).get("README.md")
    text = call.store.read_blob(entry.sha256, MAX_RENDERED).decode(errors="replace") if entry else "There is no card."
    versions = ", ".join(f"{link(f'{repo.path}/tree/{id}', ref[10:])} <code>{id[:7]}</code>"
                         for ref, id in call.store.refs(repo).items() if ref.startswith("refs/tags/"))
    size = f" · {facts['safetensors']['total']:,} parameters" if facts.get("safetensors") else ""
    about = f"<p class=dim>updated {day(repo.modified)} · {repo.downloads} downloads{size}</p>"
    card = render_card(split_card(text)[1], f"{repo.path}/resolve/main")
    return page(repo.full_name, _heading(repo), f"<p>{marks(facts.get('tags', []))}</p>", about,
                f"<p>Versions: {versions or 'none'}</p><article>{card}</article>")


def files(call: Call, rev: str, path: str = "") -> Response:
    commit, prefix = call.store.get_commit(call.repo, rev), f"{path.strip('/')}/" if path.strip("/") else ""
    tree = call.store.read_tree(commit.tree)
    inside = {name[len(prefix):]: entry for name, entry in sorted(tree.items()) if name.startswith(prefix)}
    if not inside:
        raise entry_missing(path, commit.id)
    where = f"{call.repo.path}/{{}}/{commit.id}/{prefix}{{}}"
    folders = sorted({name.split("/")[0] for name in inside if "/" in name})
    rows = [[link(where.format("tree", name), name + "/"), "", ""] for name in folders]
    for name, entry in inside.items():
        if "/" not in name:
            address = where.format("resolve", name)
            rows.append([link(address, name), f"{entry.size:,} bytes{' in LFS' if entry.lfs else ''}",
                         f'<a href="/{quote(address)}?download=true">download</a>'])
    at = f"<p>Files at <b>{escape(rev)}</b> <code>{commit.id}</code></p>"
    return page(call.repo.full_name, _heading(call.repo), at, table("File Size", rows))


def blob(call: Call, rev: str, path: str) -> Response:
    return RedirectResponse(f"/{quote(call.repo.path)}/resolve/{quote(rev, safe='')}/{quote(path)}")


def versions(call: Call, rev: str) -> Response:
    refs, rows = call.store.refs(call.repo), []
    for _, c in zip(range(MAX_ROWS), call.store.walk(call.repo, call.store.get_commit(call.repo, rev)), strict=False):
        names = marks([ref.split("/", 2)[2] for ref, id in refs.items() if id == c.id])
        rows.append([link(f"{call.repo.path}/commit/{c.id}", c.id[:7]), f"{escape(c.title)} {names}", escape(c.author),
                     day(c.time / 1000)])
    return page(f"{call.repo.full_name} versions", _heading(call.repo), table("Commit Message Author Date", rows))


def commit(call: Call, rev: str) -> Response:
    c = call.store.get_commit(call.repo, rev)
    new = call.store.read_tree(c.tree)
    old = call.store.read_tree(call.store.get_commit(call.repo, c.parents[0]).tree) if c.parents else {}
    changed = [path for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)]
    rows = [["added" if path not in old else "changed" if path in new else "deleted", escape(path)] for path in changed]
    about = f"{escape(c.author)}, {day(c.time / 1000)}, {link(f'{call.repo.path}/tree/{c.id}', c.id)}"
    return page(c.title, _heading(call.repo), f"<h2>{escape(c.title)}</h2><p>{escape(c.description)}</p>",
                f"<p class=dim>{about}</p>", table("What File", rows))


ROUTES = [
    ("GET", "/", "any", home),
    ("GET", "/{kind}{repo}/tree/{rev}/{path}", "read", files),
    ("GET", "/{kind}{repo}/tree/{rev}", "read", files),
    ("GET", "/{kind}{repo}/blob/{rev}/{path}", "read", blob),
    ("GET", "/{kind}{repo}/commits/{rev}", "read", versions),
    ("GET", "/{kind}{repo}/commit/{rev}", "read", commit),
    ("GET", "/{ns}", "any", namespace),
    ("GET", "/{kind}{repo}", "read", repository),
]
