"""Reading: files with ranges and conditions, trees, paths, history."""

import hashlib
import re
from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, Response, StreamingResponse

from .app import Call
from .faults import HubFault, entry_missing
from .lfs import read_pieces
from .store import Commit, Entry, Repo, Tree, iso

PAGE = 1000
TEXT = (".md", ".txt", ".json", ".jsonl", ".yaml", ".yml", ".csv", ".tsv", ".py", ".html", ".xml", ".toml", ".cfg", ".gitattributes", ".gitignore", ".log")
IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}
COUNTED = ("config.json", "adapter_config.json", "README.md")


def media_type(path: str) -> str:
    """Never one that a browser would run as a page of this server."""
    end = "." + path.rsplit(".", 1)[-1].lower()
    return IMAGES.get(end) or ("text/plain; charset=utf-8" if end in TEXT else "application/octet-stream")


def parse_range(value: str, size: int) -> tuple[int, int] | None:
    """(first, last) byte of a Range header; None where the whole file is to be sent. Raises HubFault 416."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", value.replace(" ", ""))
    if not match or match[1] == match[2] == "":
        return None
    first = int(match[1]) if match[1] else max(0, size - int(match[2]))
    last = min(int(match[2]), size - 1) if match[1] and match[2] else size - 1
    if first >= size or first > last:
        raise HubFault(416, f"The file has {size} bytes", headers={"Content-Range": f"bytes */{size}"})
    return first, last


def resolve(call: Call, kind: str, repo: str, rev: str, path: str) -> Response:
    """A file of a revision: HEAD, GET, ranges, conditions."""
    found = call.readable(kind, repo)
    call.check_gate(found)
    commit = call.store.get_commit(found, rev)
    entry = call.store.read_tree(commit.tree).get(path)
    if entry is None:
        raise entry_missing(path, commit.id)
    etag = entry.sha256 if entry.lfs else entry.oid
    name = path.rsplit("/", 1)[-1]
    headers = {"X-Repo-Commit": commit.id, "ETag": f'"{etag}"', "Accept-Ranges": "bytes", "Content-Type": media_type(path),
               "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox",
               "Content-Disposition": f"{'attachment' if call.query.get('download') else 'inline'}; filename*=UTF-8''{quote(name, safe='')}"}
    if entry.lfs:
        headers |= {"X-Linked-ETag": f'"{etag}"', "X-Linked-Size": str(entry.size)}
    asked = call.request.headers
    if any(tag.strip().removeprefix("W/").strip('"') in (etag, "*") for tag in asked.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    span = None
    if "range" in asked and asked.get("if-range", f'"{etag}"').strip('"') == etag:
        span = parse_range(asked["range"], entry.size)
    first, last = span or (0, entry.size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if span:
        headers["Content-Range"] = f"bytes {first}-{last}/{entry.size}"
    status = 206 if span else 200
    if call.request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    if path in COUNTED[:2] or (path == COUNTED[2] and found.type != "model"):
        with call.store.write() as db:
            db.execute("UPDATE repos SET downloads = downloads + 1 WHERE id = ?", (found.id,))
    return StreamingResponse(read_pieces(call.store.blob_path(entry.sha256), first, last - first + 1), status, headers)


def entry_json(path: str, entry: Entry) -> dict:
    return {"type": "file", "path": path, "oid": entry.oid, "size": entry.size, **({"lfs": entry.lfs_json} if entry.lfs else {})}


def _folder_json(tree: Tree, folder: str) -> dict:
    inside = "".join(f"{path}\0{entry.oid}\n" for path, entry in sorted(tree.items()) if path.startswith(folder + "/"))
    return {"type": "directory", "path": folder, "oid": hashlib.sha1(inside.encode()).hexdigest(), "size": 0}


def _folders(tree: Tree) -> set[str]:
    return {"/".join(parts[:n]) for parts in (path.split("/") for path in tree) for n in range(1, len(parts))}


def add_last_commits(call: Call, repo: Repo, commit: Commit, items: list[dict]) -> None:
    """Walks back to where each item was last changed."""
    def oids(tree: Tree) -> dict[str, str | None]:
        return {i["path"]: (e.oid if (e := tree.get(i["path"])) else None) if i["type"] == "file" else _folder_json(tree, i["path"])["oid"]
                for i in items}

    waiting, newer, newest = {item["path"]: item for item in items}, commit, oids(call.store.read_tree(commit.tree))
    for older in [*list(call.store.walk(repo, commit))[1:], None]:
        there = oids(call.store.read_tree(older.tree)) if older else {}
        for path in [path for path in waiting if newest[path] != there.get(path)]:
            waiting.pop(path)["lastCommit"] = {"id": newer.id, "title": newer.title, "date": iso(newer.time / 1000)}
        if older is None or not waiting:
            break
        newer = older
    for item in items:
        if item["type"] == "file":
            item["securityFileStatus"] = None


def paged(call: Call, items: list[Any], default: int = PAGE) -> JSONResponse:
    """A slice of a list, with the address of the next one in the header Link."""
    try:
        start, size = int(call.query.get("cursor") or 0), int(call.query.get("limit") or default)
    except ValueError as error:
        raise HubFault(400, '"limit" and "cursor" must be numbers') from error
    size = max(1, min(size, default))
    headers = {}
    if start + size < len(items):
        headers["Link"] = f'<{call.request.url.include_query_params(cursor=start + size)}>; rel="next"'
    return JSONResponse(items[start:start + size], headers=headers)


def tree(call: Call, type: str, repo: str, rev: str, path: str = "") -> JSONResponse:
    found = call.readable(type, repo)
    commit = call.store.get_commit(found, rev)
    whole, folder = call.store.read_tree(commit.tree), path.strip("/")
    prefix = f"{folder}/" if folder else ""
    files = [name for name in whole if name.startswith(prefix)]
    if folder and not files:
        raise entry_missing(folder, commit.id)
    folders = [name for name in _folders(whole) if name.startswith(prefix)]
    if not call.flag("recursive"):
        files, folders = ([name for name in names if "/" not in name[len(prefix):]] for names in (files, folders))
    items = [(name, True) for name in folders] + [(name, False) for name in files]
    page = paged(call, sorted(items), 50 if call.flag("expand") else PAGE)
    start = int(call.query.get("cursor") or 0)
    size = max(1, min(int(call.query.get("limit") or PAGE), 50 if call.flag("expand") else PAGE))
    rows = [_folder_json(whole, name) if is_folder else entry_json(name, whole[name]) for name, is_folder in sorted(items)[start:start + size]]
    if call.flag("expand"):
        add_last_commits(call, found, commit, rows)
    return JSONResponse(rows, headers={"Link": page.headers["Link"]} if "Link" in page.headers else None)


def paths_info(call: Call, type: str, repo: str, rev: str) -> list[dict]:
    from urllib.parse import parse_qs

    found = call.readable(type, repo)
    commit = call.store.get_commit(found, rev)
    raw = call.body.read_bytes()
    if call.request.headers.get("content-type", "").startswith("application/json"):
        from .app import parse_json

        form = parse_json(raw)
        wanted, expand = form.get("paths") or [], bool(form.get("expand"))
    else:
        form = parse_qs(raw.decode(errors="replace"), keep_blank_values=True)
        wanted, expand = form.get("paths", []), form.get("expand", [""])[0].lower() in ("1", "true")
    whole = call.store.read_tree(commit.tree)
    folders, rows = _folders(whole), []
    for path in [wanted] if isinstance(wanted, str) else wanted:
        path = str(path).strip("/")
        if path in whole:
            rows.append(entry_json(path, whole[path]))
        elif path in folders:
            rows.append(_folder_json(whole, path))
    if expand:
        add_last_commits(call, found, commit, rows)
    return rows


def history(call: Call, type: str, repo: str, rev: str) -> JSONResponse:
    found = call.readable(type, repo)
    call.check_gate(found)
    rows = [{"id": c.id, "title": c.title, "message": c.description, "authors": [{"user": c.author, "avatar": ""}], "date": iso(c.time / 1000),
             **({"formatted": {"title": c.title, "message": c.description}} if call.query.getlist("expand[]") or call.query.get("expand") else {})}
            for c in call.store.walk(found, call.store.get_commit(found, rev))]
    return paged(call, rows, 50)


R = "/api/{type}/{repo}"
ROUTES = [
    ("GET", "/{kind}{repo}/resolve/{rev}/{path}", resolve),
    ("GET", R + "/tree/{rev}/{path}", tree),
    ("GET", R + "/tree/{rev}", tree),
    ("POST", R + "/paths-info/{rev}", paths_info, "file"),
    ("GET", R + "/commits/{rev}", history),
]
