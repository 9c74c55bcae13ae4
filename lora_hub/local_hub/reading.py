"""Reading: files with ranges and conditions, trees, paths, history."""

import hashlib
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.responses import JSONResponse, Response, StreamingResponse

from .app import Call
from .commits import folders_of
from .faults import HubFault, entry_missing
from .lfs import read_pieces
from .store import Commit, Tree, iso

PAGE = 1000
EXPANDED_PAGE = 50
TEXT = set("md txt json jsonl yaml yml csv tsv py html xml toml cfg gitattributes gitignore log".split())
IMAGES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
POLICY = "default-src 'none'; sandbox"  # whatever a stranger's file says, it does nothing on this server's pages
SAFE = {"Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": POLICY}
COUNTED = {"model": ("config.json", "adapter_config.json"), "dataset": ("README.md",), "space": ("README.md",)}


def media_type(path: str) -> str:
    """Never one that a browser would run as a page of this server."""
    end = path.rsplit(".", 1)[-1].lower()
    return IMAGES.get(end) or ("text/plain; charset=utf-8" if end in TEXT else "application/octet-stream")


def parse_range(value: str, size: int) -> tuple[int, int] | None:
    """(first, last) byte of a Range header; None where the whole file is to be sent. Raises HubFault 416."""
    match = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", value.replace(" ", ""))
    if not match or match[1] == match[2] == "":
        return None
    first = int(match[1]) if match[1] else max(0, size - int(match[2]))
    last = min(int(match[2]), size - 1) if match[1] and match[2] else size - 1
    if first > last:
        raise HubFault(416, f"The file has {size} bytes", Content_Range=f"bytes */{size}")
    return first, last


def resolve(call: Call, rev: str, path: str) -> Response:
    """A file of a revision: HEAD, GET, ranges, conditions."""
    commit, asked = call.store.get_commit(call.repo, rev), call.request.headers
    if (entry := call.store.read_tree(commit.tree).get(path)) is None:
        raise entry_missing(path, commit.id)
    etag, name = entry.sha256 if entry.lfs else entry.oid, quote(path.rsplit("/", 1)[-1], safe="")
    shown = "attachment" if call.query.get("download") else "inline"
    headers = SAFE | {"X-Repo-Commit": commit.id, "ETag": f'"{etag}"', "Content-Type": media_type(path),
                      "Content-Disposition": f"{shown}; filename*=UTF-8''{name}"}
    headers |= {"X-Linked-ETag": f'"{etag}"', "X-Linked-Size": str(entry.size)} if entry.lfs else {}
    if {etag, "*"} & {tag.strip().removeprefix("W/").strip('"') for tag in asked.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers=headers)
    span = parse_range(asked.get("range", ""), entry.size) if asked.get("if-range", etag).strip('"') == etag else None
    first, last = span or (0, entry.size - 1)
    headers |= {"Content-Range": f"bytes {first}-{last}/{entry.size}"} if span else {}
    headers["Content-Length"] = str(last - first + 1)
    if call.request.method == "HEAD":
        return Response(status_code=206 if span else 200, headers=headers)
    if path in COUNTED[call.repo.type]:
        with call.store.write() as db:
            db.execute("UPDATE repos SET downloads = downloads + 1 WHERE id = ?", (call.repo.id,))
    pieces = read_pieces(call.store.blob_path(entry.sha256), first, last - first + 1)
    return StreamingResponse(pieces, 206 if span else 200, headers)


def describe_path(tree: Tree, path: str) -> dict:
    """A file or a folder of a tree, as the client reads it."""
    if path in tree:
        return tree[path].json(type="file", path=path, oid=tree[path].oid)
    inside = "".join(f"{name}\0{entry.oid}\n" for name, entry in tree.items() if name.startswith(f"{path}/"))
    return {"type": "directory", "path": path, "oid": hashlib.sha1(inside.encode()).hexdigest(), "size": 0}


def add_last_commits(call: Call, commit: Commit, items: list[dict]) -> list[dict]:
    """Walks back to where each item was last changed."""
    waiting = {item["path"]: item for item in items}
    history = list(call.store.walk(call.repo, commit))
    for newer, older in zip(history, [*history[1:], None], strict=True):
        there = call.store.read_tree(older.tree) if older else {}
        for path in [path for path, item in waiting.items() if describe_path(there, path)["oid"] != item["oid"]]:
            waiting.pop(path)["lastCommit"] = {"id": newer.id, "title": newer.title, "date": iso(newer.time / 1000)}
        if not waiting:
            break
    return items


def paged(call: Call, items: list[Any], most: int, show: Callable[[list], list] = list) -> JSONResponse:
    """A slice of a list as `show` turns it out, with the address of the next one in the header Link."""
    start, size = call.number("cursor", 0), max(1, min(call.number("limit", most), most))
    link = f'<{call.request.url.include_query_params(cursor=start + size)}>; rel="next"'
    return JSONResponse(show(items[start:start + size]), headers={"Link": link} if start + size < len(items) else None)


def tree(call: Call, rev: str, path: str = "") -> JSONResponse:
    commit, folder = call.store.get_commit(call.repo, rev), path.strip("/")
    whole, prefix = call.store.read_tree(commit.tree), f"{folder}/" if folder else ""
    names = sorted(name for name in whole.keys() | folders_of(whole) if name.startswith(prefix))
    if folder and not names:
        raise entry_missing(folder, commit.id)
    if not call.flag("recursive"):
        names = [name for name in names if "/" not in name[len(prefix):]]

    def show(names: list[str]) -> list[dict]:
        rows = [describe_path(whole, name) for name in names]
        return add_last_commits(call, commit, rows) if call.flag("expand") else rows

    return paged(call, names, EXPANDED_PAGE if call.flag("expand") else PAGE, show)


def paths_info(call: Call, rev: str) -> list[dict]:
    commit, form = call.store.get_commit(call.repo, rev), parse_qs(call.body.read_bytes().decode(errors="replace"))
    whole = call.store.read_tree(commit.tree)
    known = whole.keys() | folders_of(whole)
    rows = [describe_path(whole, path) for path in dict.fromkeys(path.strip("/") for path in form.get("paths", [])) if path in known]
    return add_last_commits(call, commit, rows) if form.get("expand", [""])[0].lower() in ("1", "true") else rows


def history(call: Call, rev: str) -> JSONResponse:
    formatted = any(name.startswith("expand") for name in call.query)

    def show(commits: list[Commit]) -> list[dict]:
        words = [{"title": c.title, "message": c.description} for c in commits]
        return [{"id": c.id, "date": iso(c.time / 1000), "authors": [{"user": c.author}], **text,
                 **({"formatted": text} if formatted else {})} for c, text in zip(commits, words, strict=True)]

    return paged(call, list(call.store.walk(call.repo, call.store.get_commit(call.repo, rev))), EXPANDED_PAGE, show)


R = "/api/{type}/{repo}"
ROUTES = [
    ("GET", "/{kind}{repo}/resolve/{rev}/{path}", "open", resolve),
    ("GET", R + "/tree/{rev}/{path}", "read", tree),
    ("GET", R + "/tree/{rev}", "read", tree),
    ("POST", R + "/paths-info/{rev}", "read", paths_info, "file"),
    ("GET", R + "/commits/{rev}", "open", history),
]
