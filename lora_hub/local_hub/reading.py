"""Reading: files with ranges and conditions, trees, paths, history."""

import hashlib
import re
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .app import Call, refuse, refuse_entry, route
from .commits import folders_of
from .lfs import read_pieces
from .store import Commit, Tree, iso

PAGE = 1000
EXPANDED_PAGE = 50
TEXT = set("md txt json jsonl yaml yml csv tsv py html xml toml cfg gitattributes gitignore log".split())
IMAGES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
POLICY = "default-src 'none'; sandbox"  # whatever a stranger's file says, it does nothing on this server's pages
SAFE = {"Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": POLICY}
R = "/api/{type}/{repo}"
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
    refuse(first > last, 416, f"The file has {size} bytes", Content_Range=f"bytes */{size}")
    return first, last


def send_file(request: Request, file: Path, etag: str, size: int, headers: dict[str, str]) -> Response:
    """A file as it was asked for: HEAD, ranges, conditions."""
    headers = SAFE | {"ETag": f'"{etag}"'} | headers
    if {etag, "*"} & {tag.strip().removeprefix("W/").strip('"') for tag in request.headers.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers=headers)
    unchanged = request.headers.get("if-range", etag).strip('"') == etag
    span = parse_range(request.headers.get("range", ""), size) if unchanged else None
    first, last = span or (0, size - 1)
    headers |= {"Content-Length": str(last - first + 1)} | ({"Content-Range": f"bytes {first}-{last}/{size}"} if span else {})
    if request.method == "HEAD":
        return Response(status_code=206 if span else 200, headers=headers)
    return StreamingResponse(read_pieces(file, first, last - first + 1), 206 if span else 200, headers)


@route("GET", "/{kind}{repo}/resolve/{rev}/{path}", "open")
def resolve(call: Call, rev: str, path: str) -> Response:
    commit, tree = call.tree(rev)
    refuse_entry((entry := tree.get(path)) is None, path, commit.id)
    etag, name = entry.sha256 if entry.lfs else entry.oid, quote(path.rsplit("/", 1)[-1], safe="")
    shown = "attachment" if call.query.get("download") else "inline"
    headers = {"X-Repo-Commit": commit.id, "Content-Type": media_type(path), "Content-Disposition": f"{shown}; filename*=UTF-8''{name}"}
    headers |= {"X-Linked-ETag": f'"{etag}"', "X-Linked-Size": str(entry.size)} if entry.lfs else {}
    answer = send_file(call.request, call.store.blob_path(entry.sha256), etag, entry.size, headers)
    if path in COUNTED[call.repo.type] and isinstance(answer, StreamingResponse):
        call.store.run("UPDATE repos SET downloads = downloads + 1 WHERE id = ?", call.repo.id)
    return answer


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


@route("GET", R + "/tree/{rev}{below}", "read")
def tree(call: Call, rev: str, path: str = "") -> list[dict]:
    (commit, whole), folder, expand = call.tree(rev), path.strip("/"), call.flag("expand")
    prefix = f"{folder}/" if folder else ""
    names = sorted(name for name in whole.keys() | folders_of(whole) if name.startswith(prefix))
    refuse_entry(folder and not names, folder, commit.id)
    if not call.flag("recursive"):
        names = [name for name in names if "/" not in name[len(prefix):]]
    rows = [describe_path(whole, name) for name in call.paged(names, EXPANDED_PAGE if expand else PAGE)]
    return add_last_commits(call, commit, rows) if expand else rows


@route("POST", R + "/paths-info/{rev}", "read", "form")
def paths_info(call: Call, rev: str) -> list[dict]:
    (commit, whole), paths = call.tree(rev), dict.fromkeys(value.strip("/") for name, value in call.body if name == "paths")
    known = whole.keys() | folders_of(whole)
    rows = [describe_path(whole, path) for path in paths if path in known]
    return add_last_commits(call, commit, rows) if dict(call.body).get("expand", "").lower() in ("1", "true") else rows


@route("GET", R + "/commits/{rev}", "open")
def history(call: Call, rev: str) -> list[dict]:
    shown = call.paged(list(call.store.walk(call.repo, call.store.get_commit(call.repo, rev))), EXPANDED_PAGE)
    kinds = ("formatted",) if any(name.startswith("expand") for name in call.query) else ()
    words = [{"title": c.title, "message": c.description} for c in shown]
    return [{"id": c.id, "date": iso(c.time / 1000), "authors": [{"user": c.author}], **text, **dict.fromkeys(kinds, text)}
            for c, text in zip(shown, words, strict=True)]
