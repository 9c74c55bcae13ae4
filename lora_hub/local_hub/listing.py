"""Repositories by author, search, tags and order; and everything about one of them."""

import json
from typing import Any

from .app import Call, refuse, route, singular
from .cards import read_facts
from .spaces import state
from .store import Repo, iso

PAGE = 1000
SORTS = {"lastModified": "modified", "createdAt": "created", "downloads": "downloads"}
SORTS |= {"likes": "id", "trendingScore": "id"}  # nobody likes anything here
BRIEF = {"model": "likes private downloads tags pipeline_tag library_name createdAt",
         "dataset": "author sha lastModified private gated disabled downloads likes tags createdAt",
         "space": "author sha lastModified private likes tags createdAt sdk"}
FULL = "author gated lastModified sha siblings disabled"
OF_TREE = {"siblings", "usedStorage", "mainSize"}


def describe(call: Call, repo: Repo, names: set[str], *, revision: str = "main", blobs: bool = False) -> dict:
    """The info of a repo at a revision; only `names` of it where there are any."""
    facts, sha, modified = repo.known, repo.head, repo.modified
    if revision != "main":
        commit = call.store.get_commit(repo, revision)
        sha, modified = commit.id, commit.time / 1000
        if sha != repo.head:
            facts = read_facts(call.store, repo.type, call.store.read_tree(commit.tree), repo.sdk)
    facts |= {"cardData": facts.get("cardData") or None, "modelId": repo.full_name if repo.type == "model" else None}
    info: dict[str, Any] = {"_id": repo.uid, "id": repo.full_name, "author": repo.namespace, "sha": sha, "lastModified": iso(modified),
                            "createdAt": iso(repo.created), "private": bool(repo.private), "gated": repo.gated or False, "disabled": False,
                            "downloads": repo.downloads, "downloadsAllTime": repo.downloads, "likes": 0, "trendingScore": 0,
                            **{name: value for name, value in facts.items() if value is not None}}
    if repo.type == "space" and (not names or "runtime" in names):
        info["runtime"] = state(call, repo)
    if not names or OF_TREE & names:
        tree = call.store.read_tree(call.store.get_commit(repo, sha).tree)
        info["siblings"] = [entry.json(rfilename=path, blobId=entry.oid) if blobs else {"rfilename": path}
                            for path, entry in sorted(tree.items())]
        info["usedStorage"] = info["mainSize"] = sum(entry.size for entry in tree.values())
    return {name: value for name, value in info.items() if not names or name in names | {"_id", "id", "modelId"}}


@route("GET", "/api/{type}/{repo}/revision/{rev}", "read")
@route("GET", "/api/{type}/{repo}", "read")
def info(call: Call, rev: str = "main") -> dict:
    return describe(call, call.repo, set(call.query.getlist("expand")), revision=rev, blobs=call.flag("blobs"))


def _conditions(call: Call, type: str) -> list[tuple[str, Any]]:
    """What a listed repo has to meet, as SQL with one value each."""
    asked, known = call.query.getlist, call.accounts
    mine = [name for name in (*known.users, *known.orgs) if known.role(call.user, name)]
    table = {
        "type = ?": [type],
        "namespace = ? COLLATE NOCASE": filter(None, asked("author")),
        "instr(lower(namespace || '/' || name), ?) > 0": " ".join(asked("search")).lower().split(),
        "EXISTS (SELECT 1 FROM repo_tags WHERE tag = ? AND repo = repos.id)": [
            tag.strip().lower() for value in asked("filter") + asked("pipeline_tag") for tag in value.split(",")],
        "(gated != '') = ?": [call.flag("gated")] if "gated" in call.query else [],
        # without an accounts file the local user sees all
        "(private = 0 OR namespace IN (SELECT value FROM json_each(?)))": [json.dumps(mine)] if call.user is None or known.file else [],
    }
    return [(text, value) for text, values in table.items() for value in values]


@route("GET", "/api/{type}", "any")
def listing(call: Call, type: str) -> list[dict]:
    kind, names = singular(type), set(call.query.getlist("expand"))
    if not names:
        full = FULL if kind == "model" else f"{FULL} cardData"
        names = set(BRIEF[kind].split()).union(full.split() if call.flag("full") else [])
        names |= {name for name in ("cardData", "config") if call.flag(name)}
    column = SORTS.get(sort := call.query.get("sort") or "lastModified")
    refuse(column is None, 400, f"Cannot sort by {sort!r}")
    texts, values = zip(*_conditions(call, kind), strict=True)
    limit, offset = max(1, min(call.number("limit", PAGE), PAGE)), call.number("cursor", 0)
    order = f"ORDER BY {column} DESC, id DESC"
    # the ids come from the index alone; whole rows, which hold the cards, are read for the page only
    listed = f"id IN (SELECT id FROM repos WHERE {' AND '.join(texts)} {order} LIMIT ? OFFSET ?) {order}"
    found = call.store.repos(listed, *values, limit + 1, offset)
    if len(found) > limit:
        call.next_page(offset + limit)
    return [describe(call, repo, names) for repo in found[:limit]]
