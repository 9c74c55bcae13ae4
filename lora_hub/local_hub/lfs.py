"""Large files: the LFS batch call, uploads whole or in parts, and the check that the bytes are those they claim to be.

An upload link is signed for one repo, one sha256, one size and one hour, because the client sends no token with it.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Iterator
from pathlib import Path

from .app import Call
from .faults import HubFault
from .store import Repo

MAX_OBJECTS = 1000
PART_BYTES = 256 * 1024 * 1024
LINK_SECONDS = 3600.0
PIECE = 1024 * 1024


def _sign(call: Call, repo: int, oid: str, size: int, until: int) -> str:
    return hmac.new(call.hub.secret, f"{repo}:{oid}:{size}:{until}".encode(), hashlib.sha256).hexdigest()


def _check_link(call: Call, repo: str, oid: str) -> tuple[Repo, int]:
    """(repo, size) of an upload link that this server signed. Raises HubFault 403."""
    try:
        number, size, until = int(repo), int(call.query.get("size", "")), int(call.query.get("until", ""))
    except ValueError as error:
        raise HubFault(403, "This upload link is incomplete") from error
    if until < time.time() or not hmac.compare_digest(call.query.get("sig", ""), _sign(call, number, oid, size, until)):
        raise HubFault(403, "This upload link is not valid, or not any more")
    return call.store.get_repo(number), size


def batch(call: Call, kind: str, repo: str) -> dict:
    operation = call.field("operation", str, "upload")
    found = call.readable(kind, repo) if operation == "download" else call.writable_or_pull(kind, repo)
    objects = call.field("objects", list)
    if len(objects) > MAX_OBJECTS:
        raise HubFault(413, f"At most {MAX_OBJECTS} objects a call")
    answer, transfer = [], "basic"
    for item in objects:
        oid, size = item.get("oid"), item.get("size")
        if not isinstance(oid, str) or not re.fullmatch("[0-9a-f]{64}", oid) or not isinstance(size, int) or size < 0:
            raise HubFault(422, f"Invalid LFS object: {oid!r} of {size!r} bytes")
        held = call.store.db.execute("SELECT size FROM objects WHERE repo = ? AND sha256 = ?", (found.id, oid)).fetchone()
        if held and held[0] == size:
            answer.append({"oid": oid, "size": size})
            continue
        if operation == "download":
            answer.append({"oid": oid, "size": size, "error": {"code": 404, "message": "Object not found"}})
            continue
        until = int(time.time() + LINK_SECONDS)
        link = f"{call.base_url}/lfs/{found.id}/{oid}"
        signature = f"size={size}&until={until}&sig={_sign(call, found.id, oid, size, until)}"
        upload: dict = {"href": f"{link}/upload/whole?{signature}"}
        if size > PART_BYTES and "multipart" in (call.body.get("transfers") or []):
            transfer, parts = "multipart", -(-size // PART_BYTES)
            header = {str(n): f"{link}/upload/{n}?{signature}" for n in range(1, parts + 1)}
            upload = {"href": f"{link}/complete?{signature}", "header": {"chunk_size": str(PART_BYTES), **header}}
        answer.append({"oid": oid, "size": size, "authenticated": True,
                       "actions": {"upload": upload, "verify": {"href": f"{link}/verify?{signature}"}}})
    return {"transfer": transfer, "objects": answer}


def _take(call: Call, repo: Repo, oid: str, size: int, files: list[Path]) -> None:
    """Checks size and sha256 of the bytes of `files` together, and keeps them as one blob of this repo."""
    digest, total = hashlib.sha256(), 0
    for file in files:
        for piece in read_pieces(file):
            digest.update(piece)
            total += len(piece)
    if total != size or digest.hexdigest() != oid:
        raise HubFault(400, f"The upload has {total} bytes with sha256 {digest.hexdigest()}; {size} bytes with {oid} were announced")
    if len(files) > 1:
        with open(files[0], "ab") as whole:
            for file in files[1:]:
                for piece in read_pieces(file):
                    whole.write(piece)
                file.unlink()
    call.store.keep(files[0], oid)
    with call.store.write() as db:
        db.execute("INSERT OR REPLACE INTO objects VALUES(?,?,?,?)", (repo.id, oid, size, time.time()))


def read_pieces(file: Path, start: int = 0, length: int | None = None) -> Iterator[bytes]:
    with open(file, "rb") as stream:
        stream.seek(start)
        left = file.stat().st_size - start if length is None else length
        while left > 0 and (piece := stream.read(min(PIECE, left))):
            left -= len(piece)
            yield piece


def _part(call: Call, repo: Repo, oid: str, part: str) -> Path:
    return call.store.incoming / f"{repo.id}-{oid}-{part}"


def upload(call: Call, repo: str, oid: str, part: str) -> dict | object:
    from starlette.responses import JSONResponse

    found, size = _check_link(call, repo, oid)
    if part == "whole":
        _take(call, found, oid, size, [call.body])
    elif part.isdigit() and 1 <= int(part) <= -(-size // PART_BYTES):
        if call.body.stat().st_size > PART_BYTES:
            raise HubFault(413, f"A part may have at most {PART_BYTES} bytes")
        call.body.replace(_part(call, found, oid, part))
    else:
        raise HubFault(404, f"There is no part {part!r} of this upload")
    return JSONResponse({}, headers={"ETag": f'"{oid}-{part}"'})


def complete(call: Call, repo: str, oid: str) -> dict:
    found, size = _check_link(call, repo, oid)
    files = [_part(call, found, oid, str(n)) for n in range(1, -(-size // PART_BYTES) + 1)]
    if missing := [file.name.rpartition("-")[2] for file in files if not file.exists()]:
        raise HubFault(400, f"Parts {', '.join(missing)} of the upload are missing")
    _take(call, found, oid, size, files)
    return {"success": True}


def verify(call: Call, repo: str, oid: str) -> dict:
    found, size = _check_link(call, repo, oid)
    held = call.store.db.execute("SELECT size FROM objects WHERE repo = ? AND sha256 = ?", (found.id, oid)).fetchone()
    if held is None or held[0] != size or call.store.blob_path(oid).stat().st_size != size:
        raise HubFault(404, f"LFS object {oid} was not uploaded")
    return {}


ROUTES = [
    ("POST", "/{kind}{repo}.git/info/lfs/objects/batch", batch, "json"),
    ("PUT", "/lfs/{repo}/{oid}/upload/{part}", upload, "file"),
    ("POST", "/lfs/{repo}/{oid}/complete", complete, "json"),
    ("POST", "/lfs/{repo}/{oid}/verify", verify, "json"),
]
