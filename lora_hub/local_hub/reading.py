"""Reading: files with ranges and conditions, trees, paths, history."""

import hashlib
import re
from itertools import chain, pairwise
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .calls import Call, route
from .commits import folders_of
from .faults import refuse
from .lfs import read_pieces
from .store import Commit, Tree, iso

PAGE, EXPANDED_PAGE = 1000, 50
POLICY = "default-src 'none'; sandbox"  # a stranger's file cannot run anything on this server's pages
IMAGES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
IMAGES["svg"] = "image/svg+xml"  # of which nothing runs or is fetched by that policy, where it is opened as a page, too
SAFE = {"Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": POLICY}
COUNTED = {"model": ("config.json", "adapter_config.json"), "dataset": ("README.md",), "space": ("README.md",)}


def refuse_entry(when: object, path: str, commit: Commit) -> None:
    refuse(when, 404, f"Entry not found: {path}", "EntryNotFound", headers={"X-Repo-Commit": commit.id})


def send_file(request: Request, file: Path, etag: str, size: int, headers: dict[str, str]) -> Response:
    """A file as requested: HEAD, conditions, one range (the whole file for several). Raises HubFault 416."""
    headers = SAFE | {"ETag": f'"{etag}"'} | headers
    if {etag, "*"} & {
        tag.strip().removeprefix("W/").strip('"') for tag in request.headers.get("if-none-match", "").split(",")
    }:
        return Response(status_code=304, headers=headers)
    status, first, end = 200, 0, size
    span = re.fullmatch("bytes=(?!-$)([0-9]{0,18})-([0-9]{0,18})", request.headers.get("range", ""))
    if span and request.headers.get("if-range", etag).strip('"') == etag:
        first = int(span[1]) if span[1] else max(0, size - int(span[2]))
        end = min(int(span[2]) + 1, size) if span[1] and span[2] else size
        refuse(first >= end, 416, f"The file has {size} bytes", headers={"Content-Range": f"bytes */{size}"})
        status, headers["Content-Range"] = 206, f"bytes {first}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - first)
    return StreamingResponse(read_pieces(file, first, end - first) if request.method == "GET" else (), status, headers)


@route("GET", "/{kind}{repo}/blob/{rev}/{path:.+}", "open")
@route("GET", "/{kind}{repo}/resolve/{rev}/{path:.+}", "open")
def resolve(call: Call, rev: str, path: str) -> Response:
    commit, tree = call.tree(rev)
    refuse_entry((entry := tree.get(path)) is None, path, commit)
    etag, name = entry.sha256 if entry.lfs else entry.oid, path.rsplit("/", 1)[-1]
    # never a content type that a browser would run as a page of this server
    kind = IMAGES.get(name.rsplit(".", 1)[-1].lower()) or (
        "application/octet-stream" if entry.lfs else "text/plain; charset=utf-8"
    )
    shown = f"{'attachment' if call.query.get('download') else 'inline'}; filename*=UTF-8''{quote(name, safe='')}"
    headers = {"X-Repo-Commit": commit.id, "Content-Type": kind, "Content-Disposition": shown}
    headers |= {"X-Linked-ETag": f'"{etag}"', "X-Linked-Size": str(entry.size)} if entry.lfs else {}
    answer = send_file(call.request, call.store.blob_path(entry.sha256), etag, entry.size, headers)
    if path in COUNTED[call.repo.type] and call.request.method == "GET":
        call.store.run("UPDATE repos SET downloads = downloads + 1 WHERE id = ?", call.repo.id)
    return answer


def describe_path(tree: Tree, path: str) -> dict:
    """A file or a folder of a tree, in the client's format."""
    if path in tree:
        return tree[path].json(type="file", path=path, oid=tree[path].oid)
    inside = "".join(f"{name}\0{entry.oid}\n" for name, entry in tree.items() if name.startswith(f"{path}/"))
    return {"type": "directory", "path": path, "oid": hashlib.sha1(inside.encode()).hexdigest(), "size": 0}


def describe_paths(call: Call, commit: Commit, tree: Tree, paths: list[str], expand: bool) -> list[dict]:
    """Files and folders of a commit; `expand`: with the commit that last changed each, found by walking back."""
    rows = [describe_path(tree, path) for path in paths]
    waiting = {row["path"]: row for row in rows if expand}
    steps = pairwise(chain(call.store.walk(call.repo, commit), [None]))
    while waiting:
        newer, older = next(steps)
        there = call.store.read_tree(older.tree) if older else {}
        for path in [path for path, row in waiting.items() if describe_path(there, path)["oid"] != row["oid"]]:
            waiting.pop(path)["lastCommit"] = {"id": newer.id, "title": newer.title, "date": iso(newer.time / 1000)}
    return rows


def list_folder(call: Call, rev: str, path: str, deep: bool = False) -> tuple[Commit, Tree, list[str]]:
    """A commit, its files, and the contents of one folder: its files and folders and, with `deep`, everything below
    them."""
    (commit, tree), start = call.tree(rev), f"{path.strip('/')}/".lstrip("/")
    below = [
        name
        for name in tree.keys() | folders_of(tree)
        if name.startswith(start) and (deep or "/" not in name[len(start) :])
    ]
    refuse_entry(start and not below, path, commit)
    return commit, tree, sorted(below)


@route("GET", "/api/{type}s/{repo}/tree/{rev}{path:.*}", "read")
def tree(call: Call, rev: str, path: str) -> list[dict]:
    expand, (commit, whole, below) = call.flag("expand"), list_folder(call, rev, path, call.flag("recursive"))
    return describe_paths(call, commit, whole, call.paged(below, EXPANDED_PAGE if expand else PAGE), expand)


@route("POST", "/api/{type}s/{repo}/paths-info/{rev}", "read", "form")
def paths_info(call: Call, rev: str) -> list[dict]:
    asked, expand = (
        {value.strip("/") for name, value in call.body if name == "paths"},
        dict(call.body).get("expand", ""),
    )
    commit, whole, known = list_folder(call, rev, "", deep=True)
    return describe_paths(
        call, commit, whole, [path for path in known if path in asked], expand.lower() in ("1", "true")
    )


@route("GET", "/api/{type}s/{repo}/commits/{rev}", "open")
def history(call: Call, rev: str) -> list[dict]:
    shown = call.paged(list(call.store.walk(call.repo, call.store.get_commit(call.repo, rev))), EXPANDED_PAGE)
    rows = [
        {
            "id": commit.id,
            "title": commit.title,
            "message": commit.description,
            "date": iso(commit.time / 1000),
            "authors": [{"user": commit.author}],
        }
        for commit in shown
    ]
    return [row | {"formatted": row} for row in rows] if "expand[]" in call.query else rows
