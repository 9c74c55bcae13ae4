"""Xet uploads, because the unmodified client sends every large file this way and has no fallback.

An upload becomes an ordinary blob: this Hub stores whole files and serves none by Xet, so nothing of Xet outlives an
upload. The protocol is https://huggingface.co/docs/xet: a client asks for a token and an address, sends compressed
chunks of files in "xorbs", and then a "shard" that says which chunks of which xorbs make up a file of which sha256.

Each token comes with a new address. A client assumes that whatever it once sent to an address is still there, but by
the time it sends similar data again, the xorbs here are gone.
"""

import re
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from itsdangerous import BadSignature

from .calls import Call, route
from .faults import HubFault, refuse
from .lfs import LINKS, MAX_BYTES, held_size, keep
from .store import new_id

TOKEN_SECONDS = 24 * 3600
MAX_XORB, MAX_SHARD = 80 * 1024**2, 80 * 1024**2  # the protocol's limit is 64 MiB each
LARGE_SHARD = 32 * 1024**2  # a client merges smaller shards, so one of this size may be followed by another
SHARD_TAG, SHARD_VERSION, ENTRY = b"HFRepoMetaData", 2, 48
HAS_VERIFICATION, HAS_METADATA = 1 << 31, 1 << 30
END = b"\xff" * 32
PLAIN, LZ4, GROUPED_LZ4 = 0, 1, 2


class Term(NamedTuple):
    """A part of a file: chunks `first` to `end` (exclusive) of a xorb, together `size` bytes."""

    xorb: str
    size: int
    first: int
    end: int


@route("GET", "/api/{type}s/{repo}/xet-write-token/{rev}", "join")
def write_token(call: Call, rev: str) -> dict:
    """The upload address and its token. The token identifies the repo; the address is new each time."""
    _sweep(call.store.incoming)
    id, now = new_id(), int(time.time())
    token = LINKS.dumps({"repo": [call.repo.id, call.repo.uid], "id": id})
    answer = {"casUrl": f"{call.base_url}/xet/{id}", "exp": now + TOKEN_SECONDS, "accessToken": token}
    names = ("X-Xet-Cas-Url", "X-Xet-Token-Expiration", "X-Xet-Access-Token")
    call.headers |= {name: str(value) for name, value in zip(names, answer.values(), strict=True)}
    return answer


def _sweep(incoming: Path) -> None:
    """Removes data of uploads that were never completed."""
    for file in incoming.glob("xet-*"):
        if file.stat().st_mtime < time.time() - TOKEN_SECONDS:
            file.unlink(missing_ok=True)


def _entitled(call: Call, id: str, **params: str) -> dict[str, str]:
    """Anybody with a token of this address may use it; the token identifies the repo."""
    try:
        token = LINKS.loads(call.request.headers.get("authorization", "").removeprefix("Bearer "), TOKEN_SECONDS)
    except BadSignature as error:
        raise HubFault(401, "This upload token is not valid, or not any more") from error
    refuse(token.get("id") != id, 403, "This upload token is another address's")
    refuse(
        not re.fullmatch("[0-9a-f]{64}", params.get("xorb", "0" * 64)), 400, "A xorb is named by 64 hexadecimal digits"
    )
    found = call.store.repos("(id, uid) = (?, ?)", *token["repo"])
    refuse(not found, 404, "Repository not found", "RepoNotFound")
    call.repo, call.most = found[0], MAX_XORB if "xorb" in params else MAX_SHARD
    return {"id": id, **params}


@route("POST", "/xet/{id}/v1/xorbs/default/{xorb}", _entitled, "file")
def add_xorb(call: Call, id: str, xorb: str) -> dict:
    """Stores a xorb until its shard arrives. Whether it matches its name is not checked, because the sha256 of the
    files is."""
    call.body.replace(_place(call, id, xorb))
    return {"was_inserted": True}


@route("POST", "/xet/{id}/v1/shards", _entitled, "file")
def add_shard(call: Call, id: str) -> dict:
    """Assembles the shard's files. Each then is a blob of the repo, as if uploaded by LFS."""
    shard, spans, used = call.body.read_bytes(), {}, set()
    for sha256, terms in list(_files(shard)):  # parsed to its end first, so that nothing of a truncated shard is used
        size = sum(term.size for term in terms)
        refuse(size > MAX_BYTES, 413, f"A file of {size} bytes is longer than it may be here")
        used |= {_place(call, id, term.xorb) for term in terms}
        if held_size(call, sha256) == size:
            continue  # sent twice, or already stored
        whole = call.store.incoming / new_id()
        try:
            with open(whole, "wb") as file:
                for term in terms:
                    place = _place(call, id, term.xorb)
                    if place not in spans:
                        spans[place] = _spans(place)
                    file.writelines(_chunks(place, spans[place], term))
            keep(call, whole, sha256, size)
        finally:
            whole.unlink(missing_ok=True)
    if len(shard) < LARGE_SHARD:
        for place in used:
            place.unlink(missing_ok=True)
    return {"result": 1}


def _place(call: Call, id: str, xorb: str) -> Path:
    return call.store.incoming / f"xet-{id}-{xorb}"


def _hex(hash: bytes) -> str:
    """A hash as the protocol writes it: four little-endian numbers of 64 bits."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", hash))


def _files(shard: bytes) -> Iterator[tuple[str, list[Term]]]:
    """(sha256, terms) of each file in a shard. Raises HubFault 400 if it is not a valid shard."""
    good = (
        len(shard) >= ENTRY and shard.startswith(SHARD_TAG) and struct.unpack_from("<Q", shard, 32)[0] == SHARD_VERSION
    )
    refuse(not good, 400, "This is no Xet shard of version 2")
    try:
        at = ENTRY
        while (hash := shard[at : at + 32]) != END:
            flags, count = struct.unpack_from("<II", shard, at + 32)
            at += ENTRY
            terms = []
            for start in range(at, at + count * ENTRY, ENTRY):
                size, first, end = struct.unpack_from("<III", shard, start + 36)
                terms.append(Term(_hex(shard[start : start + 32]), size, first, end))
            at += count * ENTRY * (2 if flags & HAS_VERIFICATION else 1)
            refuse(not flags & HAS_METADATA or not hash, 400, "A file of the shard has no sha256")
            yield _hex(shard[at : at + 32]), terms
            at += ENTRY
    except struct.error as error:
        raise HubFault(400, "The Xet shard ends in the middle") from error


def _spans(place: Path) -> list[tuple[int, int, int, int]]:
    """(compression type, offset, length, uncompressed length) of each chunk of a xorb. Raises HubFault 400."""
    refuse(not place.exists(), 400, f"The xorb {place.name.rpartition('-')[2]} was not sent")
    found, at, size = [], 0, place.stat().st_size
    with open(place, "rb") as file:
        while at + 8 <= size:
            head = file.read(8)
            if head[0] != 0:  # the optional table at the end
                break
            length, kind, unpacked = int.from_bytes(head[1:4], "little"), head[4], int.from_bytes(head[5:8], "little")
            found.append((kind, at + 8, length, unpacked))
            at = file.seek(at + 8 + length)
    return found


def _chunks(place: Path, spans: list[tuple[int, int, int, int]], term: Term) -> Iterator[bytes]:
    """The bytes of a term. Raises HubFault 400 if the xorb's differ from what the shard says."""
    refuse(
        not 0 <= term.first < term.end <= len(spans),
        400,
        f"The xorb {term.xorb} has {len(spans)} chunks, not {term.end}",
    )
    refuse(
        sum(span[3] for span in spans[term.first : term.end]) != term.size,
        400,
        f"Chunks of the xorb {term.xorb} have another size",
    )
    with open(place, "rb") as file:
        for kind, at, length, unpacked in spans[term.first : term.end]:
            file.seek(at)
            yield _unpack(kind, file.read(length), unpacked)


def _unpack(kind: int, data: bytes, size: int) -> bytes:
    """An uncompressed chunk. The third compression type groups bytes by four: first all first bytes, then all second
    ones, and so on."""
    import pyarrow  # which reads LZ4 frames, and comes with `datasets`; here, because few servers are sent any

    refuse(kind not in (PLAIN, LZ4, GROUPED_LZ4), 400, f"Chunks of kind {kind} are not known here")
    try:
        plain = data if kind == PLAIN else pyarrow.decompress(data, size, codec="lz4", asbytes=True)
    except (OSError, ValueError) as error:
        raise HubFault(400, "A chunk cannot be unpacked") from error
    refuse(len(plain) != size, 400, "A chunk has another size than it says")
    if kind != GROUPED_LZ4:
        return plain
    whole, at = bytearray(size), 0
    for byte in range(4):
        count = len(range(byte, size, 4))
        whole[byte::4] = plain[at : at + count]
        at += count
    return bytes(whole)
