"""Repositories by author, search, tags and order; and everything about one of them."""

import json
from typing import Any

from starlette.responses import JSONResponse

from .app import Call, singular
from .cards import read_facts
from .faults import HubFault
from .store import Repo, iso

PAGE = 1000
SORTS = {"lastModified": "modified", "createdAt": "created", "downloads": "downloads"}
SORTS |= {"likes": "id", "trendingScore": "id"}  # nobody likes anything here
BRIEF = {"model": "likes private downloads tags pipeline_tag library_name createdAt",
         "dataset": "author sha lastModified private gated disabled downloads likes tags createdAt",
         "space": "author sha lastModified private likes tags createdAt sdk"}
FULL = "author gated lastModified sha siblings disabled"
OF_TREE = {"siblings", "usedStorage", "mainSize"}
TAGGED = ("task_categories", "size_categories", "license", "base_model", "dataset")


def describe(call: Call, repo: Repo, names: set[str], *, revision: str = "main", blobs: bool = False) -> dict:
    """The info of a repo at a revision; only `names` of it where there are any."""
    facts, sha, modified = json.loads(repo.facts), repo.head, repo.modified
    if revision != "main":
        commit = call.store.get_commit(repo, revision)
        sha, modified = commit.id, commit.time / 1000
        if sha != repo.head:
            facts = read_facts(call.store, repo.type, call.store.read_tree(commit.tree), repo.sdk)
    facts |= {"cardData": facts.get("cardData") or None, "modelId": repo.full_name if repo.type == "model" else None}
    info: dict[str, Any] = {
        "_id": repo.uid, "id": repo.full_name, "author": repo.namespace, "sha": sha, "lastModified": iso(modified),
        "createdAt": iso(repo.created), "private": bool(repo.private), "gated": repo.gated or False, "disabled": False,
        "downloads": repo.downloads, "downloadsAllTime": repo.downloads, "likes": 0, "trendingScore": 0,
        **{name: value for name, value in facts.items() if value is not None}}
    if not names or OF_TREE & names:
        tree = call.store.read_tree(call.store.get_commit(repo, sha).tree)
        info["siblings"] = [entry.json(rfilename=path, blobId=entry.oid) if blobs else {"rfilename": path}
                            for path, entry in sorted(tree.items())]
        info["usedStorage"] = info["mainSize"] = sum(entry.size for entry in tree.values())
    return {name: value for name, value in info.items() if not names or name in names | {"_id", "id", "modelId"}}


def info(call: Call, rev: str = "main") -> dict:
    call.store.get_commit(call.repo, rev)
    return describe(call, call.repo, _expanded(call), revision=rev, blobs=call.flag("blobs"))


def _expanded(call: Call) -> set[str]:
    return set(call.query.getlist("expand") + call.query.getlist("expand[]"))


def _conditions(call: Call, type: str) -> tuple[str, list[Any]]:
    where, values = ["type = ?"], [type]
    if author := call.query.get("author"):
        where.append("namespace = ? COLLATE NOCASE")
        values.append(author)
    for word in (call.query.get("search") or "").lower().split():
        where.append("instr(lower(namespace || '/' || name), ?) > 0")
        values.append(word)
    tags = [tag for value in call.query.getlist("filter") for tag in value.split(",")]
    tags += [value for name in ("pipeline_tag", "library", "language") for value in call.query.getlist(name)]
    for tag in tags + [f"{name}:{value}" for name in TAGGED for value in call.query.getlist(name)]:
        where.append("EXISTS (SELECT 1 FROM repo_tags WHERE tag = ? AND repo = repos.id)")
        values.append(tag.strip().lower())
    if "gated" in call.query:
        where.append("gated != ''" if call.flag("gated") else "gated = ''")
    if call.user is None or call.accounts.file is not None:  # without an accounts file the local user sees all
        mine = [name for name in (*call.accounts.users, *call.accounts.orgs) if call.accounts.role(call.user, name)]
        where.append(f"(private = 0 OR namespace IN ({','.join('?' * len(mine))}))")
        values += mine
    return " AND ".join(where), values


def listing(call: Call, type: str) -> JSONResponse:
    kind, names = singular(type), _expanded(call)
    if not names:
        names = set(BRIEF[kind].split()) | (set(FULL.split()) if call.flag("full") else set())
        names |= {"cardData"} if call.flag("cardData") or call.flag("full") and kind != "model" else set()
        names |= {"config"} if call.flag("config") else set()
    column = SORTS.get(call.query.get("sort") or "lastModified")
    if column is None:
        raise HubFault(400, f"Cannot sort by {call.query['sort']!r}")
    where, values = _conditions(call, kind)
    limit, offset = max(1, min(call.number("limit", PAGE), PAGE)), call.number("cursor", 0)
    order = f"{column} ASC, id ASC" if call.query.get("direction") == "1" else f"{column} DESC, id DESC"
    # the ids come from the index alone; whole rows, which hold the cards, are read for the page only
    query = f"SELECT * FROM repos WHERE id IN (SELECT id FROM repos WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?) ORDER BY {order}"
    rows = call.store.db.execute(query, (*values, limit + 1, offset)).fetchall()
    link = {"Link": f'<{call.request.url.include_query_params(cursor=offset + limit)}>; rel="next"'}
    items = [describe(call, Repo(**row), names) for row in rows[:limit]]
    return JSONResponse(items, headers=link if len(rows) > limit else None)


ROUTES = [
    ("GET", "/api/{type}", "any", listing),
    ("GET", "/api/{type}/{repo}/revision/{rev}", "read", info),
    ("GET", "/api/{type}/{repo}", "read", info),
]
