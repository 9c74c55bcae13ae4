"""Large files: the LFS batch call, uploads whole or in parts, and verification of the received bytes.

An upload link is signed for one repo, one sha256, one size and one hour, because the client sends no token with it.
"""

import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from itsdangerous import BadSignature, URLSafeTimedSerializer

from .calls import Call, route
from .faults import HubFault, refuse
from .store import new_id, sha256_of

MAX_BYTES, PART_BYTES, PIECE, LINK_SECONDS = 50 * 1024**3, 256 * 1024**2, 1024**2, 3600
LINKS = URLSafeTimedSerializer(secrets.token_bytes(32))  # links expire with the process; clients retry uploads


def _parts(size: int) -> range:
    """The part numbers of a file; a small file is one part."""
    return range(1, max(1, -(-size // PART_BYTES)) + 1)


@route("POST", "/{kind}{repo}[.]git/info/lfs/objects/batch", "join")
def batch(call: Call) -> dict:
    """Which of the files have to be sent, and where to: whole, or in parts followed by a request that completes
    them."""
    objects, answer = call.field("objects", list), []
    for item in objects:
        oid, size = (item.get("oid"), item.get("size")) if isinstance(item, dict) else (item, None)
        good = (
            isinstance(oid, str)
            and re.fullmatch("[0-9a-f]{64}", oid)
            and isinstance(size, int)
            and 0 <= size <= MAX_BYTES
        )
        refuse(not good, 422, f"Invalid LFS object: {oid!r} of {size!r} bytes")
        item = {"oid": oid, "size": size}
        if held_size(call, oid) != size:
            # with an id, because the same file may be uploaded twice at once, and the uploads must not mix their parts
            link = "?link=" + LINKS.dumps(
                {"repo": [call.repo.id, call.repo.uid], "oid": oid, "size": size, "id": new_id()}
            )
            parts = {str(part): f"{call.base_url}/lfs/{part}{link}" for part in _parts(size)}
            whole = {"href": f"{call.base_url}/lfs{link}", "header": {"chunk_size": str(PART_BYTES), **parts}}
            item["actions"] = {"upload": whole if len(parts) > 1 else {"href": parts["1"]}}
        answer.append(item)
    return {"objects": answer}


def _linked(call: Call, part: str = "") -> dict:
    """Anybody with an upload link signed by this server may use it. The handlers get what the link says."""
    try:
        link = LINKS.loads(call.query.get("link", ""), LINK_SECONDS)
    except BadSignature as error:
        raise HubFault(403, "This upload link is not valid, or not any more") from error
    found = call.store.repos("(id, uid) = (?, ?)", *link.pop("repo"))
    refuse(not found, 404, "Repository not found", "RepoNotFound")
    call.repo, call.most = found[0], min(link["size"], PART_BYTES)
    return link


@route("PUT", "/lfs/{part}", _linked, "file")
def upload(call: Call, part: str, oid: str, size: int, id: str) -> None:
    """Receives a part; if there is only one, it is the whole file."""
    refuse(part not in map(str, _parts(size)), 400, f"There is no part {part!r}")
    if size <= PART_BYTES:
        keep(call, call.body, oid, size)
    else:
        call.body.replace(call.store.incoming / f"{id}-{part}")
    call.headers["ETag"] = f'"{oid}-{part}"'


@route("POST", "/lfs", _linked, "file")
def complete(call: Call, oid: str, size: int, id: str) -> None:
    """Joins the parts. The request's body is ignored, because it says nothing new."""
    parts = [call.store.incoming / f"{id}-{part}" for part in _parts(size)]
    refuse(not all(part.exists() for part in parts), 400, "Parts of the upload are missing")
    parts[0].replace(call.body)
    with open(call.body, "ab") as whole:
        for part in parts[1:]:
            whole.writelines(read_pieces(part))
            part.unlink()
    keep(call, call.body, oid, size)


def held_size(call: Call, oid: str) -> int | None:
    """The size of a file that was uploaded to the repo; None if it was not."""
    held = call.store.db.execute(
        "SELECT size FROM objects WHERE repo = ? AND sha256 = ?", (call.repo.id, oid)
    ).fetchone()
    return held and held[0]


def keep(call: Call, file: Path, oid: str, size: int) -> None:
    """Turns a file of `incoming/`, which nobody else writes to, into a blob of the repo, if it matches its announced
    hash and size."""
    found, came = sha256_of(file), file.stat().st_size
    refuse(
        (found, came) != (oid, size), 400, f"{came} bytes with sha256 {found} came; {size} with {oid} were announced"
    )
    call.store.keep({oid: file})
    call.store.run("INSERT OR REPLACE INTO objects VALUES(?,?,?,?)", call.repo.id, oid, size, time.time())


def read_pieces(file: Path, start: int = 0, left: int = MAX_BYTES) -> Iterator[bytes]:
    """A file's bytes from an offset on, at most `left`, one MiB at a time."""
    with open(file, "rb") as stream:
        stream.seek(start)
        while left > 0 and (piece := stream.read(min(PIECE, left))):
            left -= len(piece)
            yield piece
