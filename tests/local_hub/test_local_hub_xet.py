"""Xet uploads: what a client really sends is accepted; imitations are refused, and leave nothing behind."""

import hashlib
import json
import os
import struct
import uuid
from collections.abc import Callable

import pytest
from test_local_hub import TOKENS, Server, _client, new_repo, server, start_server  # noqa: F401

XORB = "0" * 63 + "1"


def token(server: Server, repo: str, user: str = "alice") -> tuple[str, str]:  # noqa: F811
    status, headers, body = server.fetch(f"/api/models/{repo}/xet-write-token/main", token=TOKENS[user])
    assert status == 200, body
    told = json.loads(body)
    assert headers["x-xet-cas-url"] == told["casUrl"] and headers["x-xet-access-token"] == told["accessToken"]
    return told["casUrl"].removeprefix(server.url), told["accessToken"]


def raw(hash: str) -> bytes:
    """The bytes of a hash as the protocol writes it."""
    return struct.pack("<4Q", *(int(hash[at : at + 16], 16) for at in range(0, 64, 16)))


def xorb(*chunks: bytes, kind: int = 0, claim: int | None = None) -> bytes:
    parts = []
    for chunk in chunks:
        size = len(chunk) if claim is None else claim
        parts.append(b"\0" + len(chunk).to_bytes(3, "little") + bytes([kind]) + size.to_bytes(3, "little") + chunk)
    return b"".join(parts)


def shard(sha256: str, *terms: tuple[str, int, int, int], flags: int = 3 << 30, version: int = 2) -> bytes:
    tag = b"HFRepoMetaData".ljust(32, b"\0")
    head = tag + struct.pack("<QQ", version, 0)
    body = raw("1" * 64) + struct.pack("<IIQ", flags, len(terms), 0)
    body += b"".join(raw(name) + struct.pack("<IIII", 0, size, first, end) for name, size, first, end in terms)
    body += bytes(48) * len(terms) + raw(sha256) + bytes(16)
    return head + body + (b"\xff" * 32 + bytes(16)) * 2


def send(server: Server, place: str, key: str, what: str, body: bytes) -> int:  # noqa: F811
    return server.fetch(f"{place}/v1/{what}", method="POST", body=body, Authorization=f"Bearer {key}")[0]


def test_what_the_client_sends_unasked(
    server: Server, new_repo: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:  # noqa: F811
    """In this process, several files at once, with what the compressions are for: noise, zeros, and floats that differ
    little."""
    from huggingface_hub import CommitOperationAdd, constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    repo = new_repo()
    floats = struct.pack("<60000f", *(1 + n / 1e6 for n in range(60_000)))
    files = {"noise.bin": os.urandom(300_001), "zeros.bin": bytes(1_000_003), "floats.bin": floats, "small.bin": b"x"}
    mixed = files | {
        "mixed.bin": files["noise.bin"] + floats + bytes(5) + files["noise.bin"],
        "twice.bin": files["noise.bin"],
    }
    server.api().create_commit(
        repo, [CommitOperationAdd(name, data) for name, data in mixed.items()], commit_message="by Xet"
    )
    for name, data in mixed.items():
        status, headers, body = server.fetch(f"/{repo}/resolve/main/{name}")
        assert (status, body) == (200, data) and "x-xet-hash" not in headers
    assert "/v1/shards 200" in server.log and list((server.folder / "incoming").glob("xet-*")) == []
    info = server.api().model_info(repo, files_metadata=True)
    assert {one.rfilename: one.lfs.sha256 for one in info.siblings if one.lfs} == {
        name: hashlib.sha256(data).hexdigest() for name, data in mixed.items()
    }
    other = new_repo()  # the same again elsewhere: nothing of the first upload is taken as still there
    server.api().create_commit(other, [CommitOperationAdd("mixed.bin", mixed["mixed.bin"])], commit_message="again")
    assert server.fetch(f"/{other}/resolve/main/mixed.bin")[2] == mixed["mixed.bin"]


def test_files_by_hand(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    """The second kind of chunks is LZ4's frames; the third one has bytes of a group apart before that."""
    import pyarrow

    repo = new_repo()
    data = bytes(range(256)) * 40 + b"odd"
    packed = pyarrow.compress(data, codec="lz4", asbytes=True)
    grouped = pyarrow.compress(b"".join(data[n::4] for n in range(4)), codec="lz4", asbytes=True)
    for kind, body in ((0, data), (1, packed), (2, grouped)):
        place, key = token(server, repo)
        whole = data + bytes([kind])
        parts = xorb(body, kind=kind, claim=len(data)) + xorb(bytes([kind]))
        assert send(server, place, key, f"xorbs/default/{XORB}", parts) == 200
        made = shard(hashlib.sha256(whole).hexdigest(), (XORB, len(data), 0, 1), (XORB, 1, 1, 2))
        assert send(server, place, key, "shards", made) == 200
        assert send(server, place, key, "shards", made) == 200, "sent twice, as after an answer that was lost"
        name = f"{kind}.bin"
        line = {
            "key": "lfsFile",
            "value": {"path": name, "algo": "sha256", "oid": hashlib.sha256(whole).hexdigest(), "size": len(whole)},
        }
        lines = json.dumps({"key": "header", "value": {"summary": "x"}}) + "\n" + json.dumps(line)
        assert (
            server.fetch(f"/api/models/{repo}/commit/main", method="POST", body=lines.encode(), token=TOKENS["alice"])[
                0
            ]
            == 200
        )
        assert server.fetch(f"/{repo}/resolve/main/{name}")[2] == whole


def test_who_may_not(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo, hidden = new_repo(), new_repo(private=True)
    path = f"/api/models/{repo}/xet-write-token/main"
    assert server.fetch(path)[0] == 401 and server.fetch(path, token="hf_wrong")[0] == 401
    assert server.fetch(f"/api/models/{hidden}/xet-write-token/main", token=TOKENS["carol"])[0] == 404
    place, key = token(server, repo)
    elsewhere = token(server, repo)[0]
    made = shard(hashlib.sha256(b"x").hexdigest(), (XORB, 1, 0, 1))
    for at, bearer in ((place, "wrong"), (place, ""), (place, TOKENS["alice"]), (elsewhere, key), (place + "x", key)):
        assert send(server, at, bearer, f"xorbs/default/{XORB}", xorb(b"x")) in (401, 403), (at, bearer)
        assert send(server, at, bearer, "shards", made) in (401, 403)
    for name in ("x" * 64, "0" * 63, "..%2f" + "0" * 59):
        assert send(server, place, key, f"xorbs/default/{name}", xorb(b"x")) in (400, 404)
    server.api().delete_repo(repo)
    assert send(server, place, key, "shards", made) == 404
    assert key not in server.log
    assert list((server.folder / "incoming").iterdir()) == []


ONE = hashlib.sha256(b"abcd").hexdigest()


@pytest.mark.parametrize(
    ("sent", "made"),
    [
        (xorb(b"abcd"), b""),
        (xorb(b"abcd"), b"no shard at all " * 10),
        (xorb(b"abcd"), shard(ONE, (XORB, 4, 0, 1))[:100]),
        (xorb(b"abcd"), shard(ONE, (XORB, 4, 0, 1))[:-96]),
        (xorb(b"abcd"), shard(ONE, (XORB, 4, 0, 1), version=9)),
        (xorb(b"abcd"), shard(ONE, (XORB, 4, 0, 1), flags=1 << 31)),
        (xorb(b"abcd"), shard(ONE, (XORB, 4, 0, 2))),
        (xorb(b"abcd"), shard(ONE, (XORB, 4, 1, 1))),
        (xorb(b"abcd"), shard(ONE, (XORB, 5, 0, 1))),
        (xorb(b"abcd"), shard(ONE, ("0" * 64, 4, 0, 1))),
        (xorb(b"abcx"), shard(ONE, (XORB, 4, 0, 1))),
        (xorb(b"abcd", kind=9), shard(ONE, (XORB, 4, 0, 1))),
        (xorb(b"abcd", kind=1), shard(ONE, (XORB, 4, 0, 1))),
        (xorb(b"abcd", kind=2), shard(ONE, (XORB, 4, 0, 1))),
        (xorb(b"abcd", claim=16_000_000), shard(ONE, (XORB, 16_000_000, 0, 1))),
        (xorb(b"abcd")[:-2], shard(ONE, (XORB, 4, 0, 1))),
        (b"", shard(ONE, (XORB, 4, 0, 1))),
        (b"\0", shard(ONE, (XORB, 4, 0, 1))),
        (xorb(b"abcd"), shard(ONE, *[(XORB, 4_000_000_000, 0, 1)] * 20)),
        (xorb(b"abcd"), shard(ONE, (XORB, 4, 0, 1))[:84] + b"\xff" * 4 + shard(ONE, (XORB, 4, 0, 1))[88:]),
    ],
    ids=range(20),
)
def test_what_only_looks_like_it(server: Server, new_repo: Callable[..., str], sent: bytes, made: bytes) -> None:  # noqa: F811
    repo = new_repo()
    place, key = token(server, repo)
    assert send(server, place, key, f"xorbs/default/{XORB}", sent) == 200
    assert send(server, place, key, "shards", made) in (400, 413)
    assert [file for file in (server.folder / "incoming").iterdir() if not file.name.startswith("xet-")] == []
    line = {"key": "lfsFile", "value": {"path": "a.bin", "algo": "sha256", "oid": ONE, "size": 4}}
    lines = json.dumps({"key": "header", "value": {"summary": "x"}}) + "\n" + json.dumps(line)
    answer = server.fetch(f"/api/models/{repo}/commit/main", method="POST", body=lines.encode(), token=TOKENS["alice"])
    assert answer[0] == 400, "nothing came of it"


def test_what_was_never_finished_goes(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    place, key = token(server, new_repo())
    name = uuid.uuid4().hex * 2
    assert send(server, place, key, f"xorbs/default/{name}", xorb(b"abcd")) == 200
    file = next((server.folder / "incoming").glob(f"xet-*-{name}"))
    token(server, new_repo())
    assert file.exists(), "it may still go on"
    os.utime(file, (1, 1))
    token(server, new_repo())
    assert not file.exists()
