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

L = "/lfs/{number}/{oid}"
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
    signed = hmac.compare_digest(call.query.get("sig", "").encode(), _sign(call, number, oid, size, until).encode())
    refuse(until < time.time() or not signed, 403, "This upload link is not valid, or not any more")
    call.repo, call.most = call.store.get_repo(int(number)), size


def _parts(size: int) -> range:
    return range(1, -(-size // PART_BYTES) + 1)


def _held(call: Call, oid: str, size: int) -> bool:
    return bool(call.store.one("SELECT 1 FROM objects WHERE (repo, sha256, size) = (?, ?, ?)", call.repo.id, oid, size))


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
        if not _held(call, oid, size):
            until, link = int(time.time()) + LINK_SECONDS, f"{call.base_url}/lfs/{call.repo.id}/{oid}"
            signature = f"size={size}&until={until}&sig={_sign(call, call.repo.id, oid, size, until)}"
            upload: dict = {"href": f"{link}/upload/whole?{signature}"}
            if size > PART_BYTES and "multipart" in (call.body.get("transfers") or []):
                transfer, links = "multipart", {str(n): f"{link}/upload/{n}?{signature}" for n in _parts(size)}
                upload = {"href": f"{link}/complete?{signature}", "header": {"chunk_size": str(PART_BYTES), **links}}
            item["actions"] = {"upload": upload, "verify": {"href": f"{link}/verify?{signature}"}}
        answer.append(item)
    return {"transfer": transfer, "objects": answer}


def read_pieces(file: Path, start: int = 0, length: int | None = None) -> Iterator[bytes]:
    with open(file, "rb") as stream:
        stream.seek(start)
        left = file.stat().st_size - start if length is None else length
        while left > 0 and (piece := stream.read(min(PIECE, left))):
            left -= len(piece)
            yield piece


def _take(call: Call, oid: str, files: list[Path]) -> None:
    """Checks size and sha256 of the bytes of `files` together, and keeps them as one blob of this repo."""
    digest, total = hashlib.sha256(), sum(file.stat().st_size for file in files)
    for piece in (piece for file in files if not call.sha256 for piece in read_pieces(file)):
        digest.update(piece)
    found = call.sha256 or digest.hexdigest()  # what came in one piece was hashed as it came
    refuse((total, found) != (call.most, oid), 400, f"{total} bytes with sha256 {found} came; {call.most} with {oid} were announced")
    with open(files[0], "ab") as whole:
        for file in files[1:]:
            whole.writelines(read_pieces(file))
            file.unlink()
    call.store.keep(files[0], oid)
    call.store.run("INSERT OR REPLACE INTO objects VALUES(?,?,?,?)", call.repo.id, oid, call.most, time.time())


def _part(call: Call, number: str, oid: str, part: object) -> Path:
    return call.store.incoming / f"{number}-{oid}-{part}"


@route("PUT", L + "/upload/{part}", _linked, "file")
def upload(call: Call, number: str, oid: str, part: str) -> None:
    if part == "whole":
        _take(call, oid, [call.body])
    elif part not in map(str, _parts(call.most)) or call.body.stat().st_size > PART_BYTES:
        raise HubFault(400, f"There is no part {part!r} of this upload, or it is too large")
    else:
        call.body.replace(_part(call, number, oid, part))
    call.headers["ETag"] = f'"{oid}-{part}"'


@route("POST", L + "/complete", _linked)
def complete(call: Call, number: str, oid: str) -> dict:
    files = [_part(call, number, oid, n) for n in _parts(call.most)]
    refuse(not all(file.exists() for file in files), 400, "Parts of the upload are missing")
    _take(call, oid, files)
    return {"success": True}


@route("POST", L + "/verify", _linked)
def verify(call: Call, number: str, oid: str) -> None:
    refuse(not _held(call, oid, call.most), 404, f"LFS object {oid} was not uploaded")
