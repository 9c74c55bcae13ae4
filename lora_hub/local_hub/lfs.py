"""Large files: the LFS batch call, uploads whole or in parts, and the check that the bytes are those they claim to be.

An upload link is signed for one repo, one sha256, one size and one hour, because the client sends no token with it.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Iterator
from pathlib import Path

from .app import Call, HubFault, refuse, route
from .store import new_id

L = "/lfs/{number}/{oid}"  # the repo's number, the file's sha256
MAX_OBJECTS = 1000
PART_BYTES = 256 * 1024 * 1024
LINK_SECONDS = 3600
MAX_BYTES = 50 * 1024**3
PIECE = 1024 * 1024


def _sign(call: Call, *words: object) -> str:
    return hmac.new(call.hub.secret, ":".join(map(str, words)).encode(), hashlib.sha256).hexdigest()


def _linked(call: Call, number: str, oid: str, part: str = "") -> None:
    """Who has an upload link that this server signed may use it. Raises HubFault 403."""
    size, until = call.number("size", 0), call.number("until", 0)
    signature = _sign(call, number, oid, size, until, call.query.get("id"))
    signed = hmac.compare_digest(call.query.get("sig", "").encode(), signature.encode())
    refuse(until < time.time() or not signed, 403, "This upload link is not valid, or not any more")
    call.repo, call.most = call.store.get_repo(int(number)), size


def _parts(size: int) -> range:
    """The numbers of the parts of a file; a small one is one part."""
    return range(1, max(1, -(-size // PART_BYTES)) + 1)


@route("POST", "/{kind}{repo}.git/info/lfs/objects/batch", "join")
def batch(call: Call) -> dict:
    objects, answer, transfer = call.field("objects", list), [], "basic"
    refuse(call.field("operation", str, "upload") != "upload", 501, "Downloads go to /resolve/ here, not to LFS", "NotImplemented")
    refuse(len(objects) > MAX_OBJECTS, 413, f"At most {MAX_OBJECTS} objects a call")
    for item in objects:
        oid, size = (item.get("oid"), item.get("size")) if isinstance(item, dict) else (item, None)
        good = isinstance(oid, str) and re.fullmatch("[0-9a-f]{64}", oid) and isinstance(size, int)
        refuse(not good or not 0 <= size <= MAX_BYTES, 422, f"Invalid LFS object: {oid!r} of {size!r} bytes")
        item = {"oid": oid, "size": size}
        if not call.store.one("SELECT 1 FROM objects WHERE (repo, sha256, size) = (?, ?, ?)", call.repo.id, oid, size):
            until, link = int(time.time()) + LINK_SECONDS, f"{call.base_url}/lfs/{call.repo.id}/{oid}"
            id = new_id()  # of this upload: the same file may come twice at once, and neither touches the other's parts
            signature = f"size={size}&until={until}&id={id}&sig={_sign(call, call.repo.id, oid, size, until, id)}"
            upload: dict = {"href": f"{link}/1?{signature}"}
            if size > PART_BYTES:
                transfer, links = "multipart", {str(n): f"{link}/{n}?{signature}" for n in _parts(size)}
                upload = {"href": f"{link}?{signature}", "header": {"chunk_size": str(PART_BYTES), **links}}
            item["actions"] = {"upload": upload}
        answer.append(item)
    return {"transfer": transfer, "objects": answer}


def read_pieces(file: Path, start: int = 0, length: int | None = None) -> Iterator[bytes]:
    with open(file, "rb") as stream:
        stream.seek(start)
        left = file.stat().st_size - start if length is None else length
        while left > 0 and (piece := stream.read(min(PIECE, left))):
            left -= len(piece)
            yield piece


@route("PUT", L + "/{part}", _linked, "file")
def upload(call: Call, number: str, oid: str, part: str) -> None:
    """Takes a part; where there is only one, that is the file."""
    parts = _parts(call.most)
    refuse(part not in map(str, parts) or call.body.stat().st_size > PART_BYTES, 400, f"There is no part {part!r}, or it is too large")
    if len(parts) == 1:
        _keep(call, oid, call.body)
    else:
        call.body.replace(call.store.incoming / f"{call.query['id']}-{part}")
    call.headers["ETag"] = f'"{oid}-{part}"'


@route("POST", L, _linked)
def complete(call: Call, number: str, oid: str) -> dict:
    """Puts the parts together."""
    files = [call.store.incoming / f"{call.query['id']}-{part}" for part in _parts(call.most)]
    refuse(not all(file.exists() for file in files), 400, "Parts of the upload are missing")
    whole = files[0].rename(call.store.incoming / new_id())
    with open(whole, "ab") as file:
        for part in files[1:]:
            file.writelines(read_pieces(part))
            part.unlink()
    _keep(call, oid, whole)
    return {"success": True}


def _keep(call: Call, oid: str, whole: Path) -> None:
    """Makes a file that nobody else writes to a blob of the repo, if it is what was announced."""
    with open(whole, "rb") as file:
        found, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    if (found, size) != (oid, call.most):
        whole.unlink()
        raise HubFault(400, f"{size} bytes with sha256 {found} came; {call.most} with {oid} were announced")
    call.store.keep(whole, oid)
    call.store.run("INSERT OR REPLACE INTO objects VALUES(?,?,?,?)", call.repo.id, oid, size, time.time())
