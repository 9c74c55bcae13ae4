"""Repositories by author, search, tags and order; and everything about one of them."""

import json
import re
import sqlite3
from typing import Any

from starlette.responses import JSONResponse

from .app import Call, singular
from .cards import read_facts
from .faults import HubFault
from .store import Repo, iso

PAGE = 1000
SORTS = {"lastModified": "modified", "createdAt": "created", "downloads": "downloads", "likes": "id", "trendingScore": "downloads",
         "last_modified": "modified", "created_at": "created", "trending_score": "downloads", "mainSize": "id"}
BRIEF = {"model": ("likes", "private", "downloads", "tags", "pipeline_tag", "library_name", "createdAt", "trendingScore"),
         "dataset": ("author", "sha", "lastModified", "private", "gated", "disabled", "downloads", "likes", "tags", "createdAt", "trendingScore"),
         "space": ("author", "sha", "lastModified", "private", "likes", "tags", "createdAt", "sdk", "trendingScore")}
FULL = ("author", "gated", "lastModified", "sha", "siblings", "disabled", "library_name")


def describe(call: Call, repo: Repo, *, revision: str = "", blobs: bool = False, names: tuple[str, ...] | None = None) -> dict:
    """The info of a repo at a revision; only `names` of it where given."""
    facts, sha, modified = json.loads(repo.facts), repo.head, repo.modified
    if revision and revision != "main":
        commit = call.store.get_commit(repo, revision)
        sha, modified = commit.id, commit.time / 1000
        if sha != repo.head:
            facts = read_facts(call.store, repo.type, call.store.read_tree(commit.tree), repo.sdk)
    info: dict[str, Any] = {
        "_id": repo.uid, "id": repo.full_name, "author": repo.namespace, "sha": sha, "lastModified": iso(modified), "createdAt": iso(repo.created),
        "private": repo.private == 1, "gated": repo.gated or False, "disabled": False, "downloads": repo.downloads, "downloadsAllTime": repo.downloads,
        "likes": 0, "trendingScore": 0, "tags": facts.get("tags", []), "cardData": facts.get("cardData") or None}
    if repo.type == "model":
        info["modelId"] = repo.full_name
        info |= {name: facts.get(name) for name in ("pipeline_tag", "library_name", "config", "safetensors", "baseModels", "model-index")}
        info["childrenModelCount"] = 0
        if facts.get("library_name") == "transformers":
            info["transformersInfo"] = {"auto_model": "AutoModel", "pipeline_tag": facts.get("pipeline_tag")}
    elif repo.type == "dataset":
        info["description"] = (facts.get("cardData") or {}).get("pretty_name")
    else:
        info |= {"sdk": facts.get("sdk"), "host": "", "subdomain": repo.full_name.replace("/", "-"), "runtime": {"stage": "NO_APP_FILE", "hardware": {}}}
    if names is None or {"siblings", "usedStorage", "mainSize"} & set(names):
        tree = call.store.read_tree(call.store.get_commit(repo, sha).tree)
        info["siblings"] = [{"rfilename": path, **({"size": e.size, "blobId": e.oid, **({"lfs": e.lfs_json} if e.lfs else {})} if blobs else {})}
                            for path, e in sorted(tree.items())]
        info["usedStorage"] = info["mainSize"] = sum(e.size for e in tree.values())
    if names is not None:
        keep = {"_id", "id", *names, *(("modelId",) if repo.type == "model" else ())}
        info = {key: value for key, value in info.items() if key in keep}
    return {key: value for key, value in info.items() if value is not None or names is not None}


def info(call: Call, type: str, repo: str, rev: str = "") -> dict:
    names = _expanded(call)
    found = call.readable(type, repo)
    if rev:
        call.store.get_commit(found, rev)
    answer = describe(call, found, revision=rev, blobs=call.flag("blobs"), names=names)
    if call.flag("securityStatus"):
        answer["securityRepoStatus"] = {"scansDone": False, "filesWithIssues": []}
    return answer


def _expanded(call: Call) -> tuple[str, ...] | None:
    return tuple(call.query.getlist("expand") + call.query.getlist("expand[]")) or None


def _conditions(call: Call, type: str) -> tuple[list[str], list[Any]]:
    where, values = ["type = ?"], [type]
    if author := call.query.get("author"):
        where.append("namespace = ? COLLATE NOCASE")
        values.append(author)
    for word in (call.query.get("search") or "").split():
        where.append("instr(lower(namespace || '/' || name), ?) > 0")
        values.append(word.lower())
    wanted = [tag for value in call.query.getlist("filter") for tag in value.split(",")]
    wanted += [value for name in ("pipeline_tag", "library", "language") for value in call.query.getlist(name)]
    for name in ("task_categories", "size_categories", "license", "base_model", "dataset"):
        wanted += [value if ":" in value else f"{name}:{value}" for value in call.query.getlist(name)]
    for tag in wanted:
        where.append("EXISTS (SELECT 1 FROM repo_tags WHERE tag = ? AND repo = repos.id)")
        values.append(tag.strip().lower())
    if (gated := call.query.get("gated")) is not None:
        where.append("gated != ''" if gated.lower() in ("1", "true") else "gated = ''")
    if call.accounts.file is not None or call.user is None:  # without an accounts file the local user sees all
        mine = [call.user.name, *(org for org in call.accounts.orgs if call.accounts.role(call.user, org))] if call.user else []
        where.append(f"(private = 0 OR namespace IN ({','.join('?' * len(mine))}))")
        values += mine
    return where, values


def listing(call: Call, type: str) -> JSONResponse:
    kind, names = singular(type), _expanded(call)
    if names is None:
        names = BRIEF[kind]
        if call.flag("full"):
            names += FULL
        if call.flag("cardData") or call.flag("full") and kind != "model":
            names += ("cardData",)
        if call.flag("config"):
            names += ("config",)
    where, values = _conditions(call, kind)
    sort = call.query.get("sort") or "lastModified"
    if sort not in SORTS:
        raise HubFault(400, f"Cannot sort by {sort!r}")
    try:
        limit, offset = int(call.query.get("limit") or PAGE), int(call.query.get("cursor") or 0)
    except ValueError as error:
        raise HubFault(400, '"limit" and "cursor" must be numbers') from error
    limit = max(1, min(limit, PAGE))
    direction = "ASC" if call.query.get("direction") == "1" else "DESC"
    rows: list[sqlite3.Row] = call.store.db.execute(
        f"SELECT * FROM repos WHERE {' AND '.join(where)} ORDER BY {SORTS[sort]} {direction}, id {direction} LIMIT ? OFFSET ?",
        (*values, limit + 1, offset)).fetchall()
    headers = {}
    if len(rows) > limit:
        headers["Link"] = f'<{call.request.url.include_query_params(cursor=offset + limit)}>; rel="next"'
    return JSONResponse([describe(call, Repo(**row), names=names, blobs=False) for row in rows[:limit]], headers=headers)


def tags_by_type(call: Call, type: str) -> dict:
    """All tags in use, in the groups of the public Hub."""
    prefixes = {"license": "license", "dataset": "dataset", "language": "language", "region": "region", "base_model": "other"}
    groups: dict[str, list[dict]] = {}
    where, values = _conditions(call, singular(type))
    for (tag,) in call.store.db.execute(f"SELECT DISTINCT tag FROM repo_tags JOIN repos ON repos.id = repo WHERE {' AND '.join(where)} ORDER BY tag", values):
        group = prefixes.get(tag.partition(":")[0]) or ("language" if re.fullmatch("[a-z]{2}", tag) else "other")
        groups.setdefault(group, []).append({"id": tag, "label": tag.partition(":")[2] or tag, "type": group})
    return groups


ROUTES = [
    ("GET", "/api/{type}", listing),
    ("GET", "/api/{type}-tags-by-type", tags_by_type),
    ("GET", "/api/{type}/{repo}/revision/{rev}", info),
    ("GET", "/api/{type}/{repo}", info),
]
