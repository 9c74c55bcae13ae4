"""Hostile input to the embedded Hub: each is refused in the Hub's own format, or does no harm."""

import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote

import pytest
from itsdangerous import URLSafeTimedSerializer
from test_local_hub import TOKENS, Server, _client, new_repo, safetensors, server  # noqa: F401
from test_local_hub_store import add, post_lines

ALICE = TOKENS["alice"]
HOSTS = b"Host: x\r\n"


def refused(answer: tuple[int, dict, bytes], *statuses: int) -> str:
    """The sentence of a refusal, which must be one in the Hub's own form."""
    status, headers, body = answer
    words = json.loads(body)["error"]
    assert status in statuses, (status, words)
    assert words and headers["x-error-message"].isprintable() and headers["x-request-id"]
    return words


def post(server: Server, path: str, value: object, token: str = ALICE, **headers: str) -> tuple[int, dict, bytes]:  # noqa: F811
    return server.fetch(path, method="POST", body=json.dumps(value).encode(), token=token, **headers)


def raw(server: Server, data: bytes, *, whole: bool = True) -> bytes:  # noqa: F811
    """What the server answers to these very bytes; without `whole` nothing follows them."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(data)
        if not whole:
            connection.shutdown(socket.SHUT_WR)
        pieces = []
        with suppress(ConnectionResetError):  # it may close before it has read everything
            while piece := connection.recv(65536):
                pieces.append(piece)
        return b"".join(pieces)


def lfs_link(server: Server, repo: str, data: bytes, token: str = ALICE) -> str:  # noqa: F811
    body = {
        "operation": "upload",
        "transfers": ["basic"],
        "objects": [{"oid": hashlib.sha256(data).hexdigest(), "size": len(data)}],
    }
    answer = json.loads(post(server, f"/{repo}.git/info/lfs/objects/batch", body, token)[2])
    return answer["objects"][0]["actions"]["upload"]["href"].removeprefix(server.url)


# ---- names and paths


@pytest.mark.parametrize(
    "path", ["CON", "a/nul", "AUX/x", ".gitmodules", "a/.Git/config", "..", ".", "a/", "é" * 200, "a\ud800b", "a\x7fb"]
)
def test_reserved_names_are_refused(server: Server, new_repo: Callable[..., str], path: str) -> None:  # noqa: F811
    repo = new_repo()
    refused(post_lines(server, repo, add(path)), 400, 422)
    refused(post(server, f"/api/models/{repo}/preupload/main", {"files": [{"path": path, "size": 1}]}), 400, 422)
    assert server.api().list_repo_files(repo) == [".gitattributes"]


def test_a_lone_surrogate_is_refused_wherever_it_stands(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo, half = new_repo(), "x \ud800 y"
    refused(post_lines(server, repo, add("a.txt"), summary=half), 400)
    refused(post(server, f"/api/models/{repo}/discussions", {"title": half, "description": half}), 400)
    refused(post(server, f"/api/models/{repo}/tag/main", {"tag": "v1", "message": half}), 400)
    refused(post(server, "/api/collections", {"title": half}), 400)
    assert post_lines(server, repo, add("a.txt"), summary="a whole pair: \U0001f600")[0] == 200


def test_names_that_differ_by_case_only(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo = new_repo()
    assert post_lines(server, repo, add("a.txt", b"small"), add("A.txt", b"LARGE"))[0] == 200
    assert (
        server.fetch(f"/{repo}/resolve/main/a.txt")[2] == b"small"
        and server.fetch(f"/{repo}/resolve/main/A.txt")[2] == b"LARGE"
    )
    owner, name = repo.split("/")
    refused(post(server, "/api/repos/create", {"name": name.upper(), "organization": owner.upper()}), 409)


@pytest.mark.parametrize(
    "path",
    [
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "%252e%252e%252fx",
        "%c0%ae%c0%ae%c0%afx",
        "..%5c..%5cx",
        "%ff%fe",
        "a%0d%0aX-Evil:%201",
        "//etc/passwd",
        "./.git/config",
        "a" * 5000,
    ],
)
def test_encoded_paths_lead_nowhere(server: Server, new_repo: Callable[..., str], path: str) -> None:  # noqa: F811
    repo = new_repo()
    for address in (
        f"/{repo}/resolve/main/{path}",
        f"/api/models/{repo}/tree/main/{path}",
        f"/{repo}/resolve/{path}/x",
        f"/{repo}/tree/main/{path}",
    ):
        answer = server.fetch(address)
        refused(answer, 404)
        assert "X-Evil" not in answer[1]
    assert refused(server.fetch(f"/{repo}/resolve/main/%00"), 400)


def test_raw_bytes_on_the_request_line(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    for line in (
        b"GET /\xc0\xae\xc0\xae/\xff/resolve/main/x HTTP/1.1\r\n",
        b"GET /%zz/%/resolve/main/% HTTP/1.1\r\n",
        b"GET http://evil/api/models/x/y HTTP/1.1\r\n",
    ):
        assert raw(server, line + HOSTS + b"Connection: close\r\n\r\n").split(b" ")[1] in (b"400", b"404", b"501")
    assert b" 200 " not in raw(server, b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n")[:20]
    assert server.fetch("/health")[0] == 200


# ---- headers


@pytest.mark.parametrize(
    "name", ['a"; filename="x.html', "a;b.txt", "سلام.txt", "a\u2028b.txt", "%0d%0a.txt", "<script>.txt"]
)
def test_file_names_cannot_write_headers(server: Server, new_repo: Callable[..., str], name: str) -> None:  # noqa: F811
    repo = new_repo()
    assert post_lines(server, repo, add(name, b"content"))[0] == 200
    status, headers, body = server.fetch(f"/{repo}/resolve/main/{quote(name, safe='')}")
    assert (status, body) == (200, b"content")
    assert re.fullmatch(r"inline; filename\*=UTF-8''[\w.%~-]+", headers["content-disposition"])
    page = server.fetch(f"/{repo}/tree/main", Accept="text/html")[2].decode()
    assert "<script>" not in page and 'filename="x' not in page


def test_messages_cannot_write_headers(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo = new_repo()
    for path in (
        f"/{repo}/resolve/main/a%0d%0aSet-Cookie:%20x=1",
        f"/api/models/{repo}/revision/a%0d%0aSet-Cookie:%20x=1",
        f"/{repo}/blob/main/a%0d%0aSet-Cookie:%20x=1",
    ):
        assert "set-cookie" not in {key.lower() for key in server.fetch(path)[1]}
    answer = server.fetch("/api/models", **{"X-Amzn-Trace-Id": "mine"})
    assert answer[1]["x-request-id"] == "mine"  # the client's name for a request comes back, as on the public Hub


@pytest.mark.parametrize(
    "value",
    [
        "bytes=0-1,3-4",
        "bytes=-0",
        "bytes=99-",
        "bytes=5-2",
        "bytes=" + "9" * 6000 + "-",
        "bytes=-" + "9" * 18,
        "items=0-1",
        "bytes=0x1-2",
        "bytes=--1",
        "bytes=" + ",".join("0-" for _ in range(5000)),
    ],
)
def test_ranges_cannot_be_abused(server: Server, new_repo: Callable[..., str], value: str) -> None:  # noqa: F811
    repo, data = new_repo(), b"0123456789"
    server.api().upload_file(repo_id=repo, path_in_repo="w.bin", path_or_fileobj=data)
    answer = server.fetch(f"/{repo}/resolve/main/w.bin", Range=value)
    assert (
        answer[2] == data
        and answer[0] in (200, 206)
        or "10 bytes" in refused(answer, 416)
        and answer[1]["content-range"] == "bytes */10"
    )


def test_conditions_cannot_be_abused(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo, path = new_repo(), "/{}/resolve/main/w.bin"
    server.api().upload_file(repo_id=repo, path_in_repo="w.bin", path_or_fileobj=b"0123456789")
    etag = server.fetch(path.format(repo))[1]["etag"]
    for value, status in (
        (etag, 304),
        (f"W/{etag}", 304),
        (f'"a", {etag}', 304),
        ("*", 304),
        ('"a"' * 3000, 200),
        ("", 200),
    ):
        assert server.fetch(path.format(repo), **{"If-None-Match": value})[0] == status
    assert server.fetch(path.format(repo), **{"If-Range": '"old"', "Range": "bytes=0-1"})[::2] == (200, b"0123456789")
    hidden = new_repo(private=True)
    server.api().upload_file(repo_id=hidden, path_in_repo="w.bin", path_or_fileobj=b"0123456789")
    refused(server.fetch(path.format(hidden), **{"If-None-Match": "*"}), 404)  # a condition tells a stranger nothing


# ---- bodies


def test_bodies_of_the_wrong_shape_never_fail_the_server(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo = new_repo()
    slug = server.api().create_collection("Odd", exists_ok=True).slug
    num = server.api().create_discussion(repo, "A talk").num
    bodies = {
        f"/api/models/{repo}/preupload/main": {"files": [{"path": "a", "size": 1, "sample": ""}], "gitIgnore": ""},
        f"/{repo}.git/info/lfs/objects/batch": {
            "operation": "upload",
            "transfers": ["basic"],
            "objects": [{"oid": "0" * 64, "size": 1}],
        },
        "/api/repos/create": {
            "name": "x",
            "organization": "lora-hub",
            "type": "model",
            "visibility": "private",
            "sdk": "gradio",
        },
        "/api/repos/move": {"fromRepo": repo, "toRepo": "alice/other", "type": "model"},
        "/api/validate-yaml": {"content": "# x", "repoType": "model"},
        f"/api/models/{repo}/branch/b": {"startingPoint": "main"},
        f"/api/models/{repo}/tag/main": {"tag": "t", "message": "m"},
        f"/api/models/{repo}/discussions": {"title": "A title", "description": "d", "pullRequest": False},
        f"/api/models/{repo}/discussions/{num}/comment": {"comment": "c"},
        f"/api/models/{repo}/discussions/{num}/status": {"status": "closed", "comment": "c"},
        f"/api/models/{repo}/discussions/{num}/title": {"title": "Another"},
        f"/api/models/{repo}/user-access-request/grant": {"user": "bob"},
        f"/api/models/{repo}/user-access-request/handle": {"user": "bob", "status": "accepted"},
        "/api/collections": {"title": "t", "namespace": "alice", "description": "d", "private": True},
        f"/api/collections/{slug}/items": {"item": {"id": repo, "type": "model"}, "note": "n"},
    }
    for path, body in bodies.items():
        for name in body:
            for odd in (None, 3, -1.5, True, "x\0", {}, [{"a": 1}], [None], [[]], 10**30):
                status, _, answer = post(server, path, {**body, name: odd})
                assert status < 500 or status == 501, (path, name, odd, answer)
                if status == 200 and path == "/api/repos/create":
                    made = json.loads(answer)["name"]
                    for kind in ("model", "dataset", "space"):
                        server.api().delete_repo(made, repo_type=kind, missing_ok=True)
        for odd in ([], 3, "x", None):
            assert post(server, path, odd)[0] < 500
    for odd in (None, 3, [], {}, "x", 10**30):
        for key in ("path", "oid", "size", "content", "encoding"):
            for kind in ("file", "lfsFile", "deletedFile", "deletedFolder", "header"):
                line = {
                    "key": kind,
                    "value": {"path": "a", "oid": "0" * 64, "size": 1, "content": "", "encoding": "base64", key: odd},
                }
                assert post_lines(server, repo, line)[0] < 500, line
        assert post_lines(server, repo, add("a"), summary=odd, description=odd, parentCommit=odd)[0] < 500
    assert server.fetch(f"/api/models/{repo}")[0] in (200, 404)


def test_an_upload_larger_than_announced_is_cut_off(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    """What nobody was allowed to send is never kept: neither the rest of an upload nor a stranger's."""
    href, before = lfs_link(server, new_repo(), b"ten bytes."), set((server.folder / "incoming").iterdir())
    assert "longer" in refused(server.fetch(href, method="PUT", body=b"x" * 10_000_000), 413)
    refused(server.fetch(href[:-2], method="PUT", body=b"x" * 10_000_000), 403)
    refused(server.fetch("/api/models/closed/none/commit/main", method="POST", body=b"x" * 10_000_000), 404)
    assert set((server.folder / "incoming").iterdir()) == before
    huge = {"operation": "upload", "transfers": ["multipart"], "objects": [{"oid": "0" * 64, "size": 10**18}]}
    refused(post(server, f"/{new_repo()}.git/info/lfs/objects/batch", huge), 422)


def test_bodies_without_a_length(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo = new_repo()
    lines = "\n".join(
        json.dumps(line) for line in ({"key": "header", "value": {"summary": "x"}}, add("a.txt", b"chunked"))
    ).encode()
    head = (
        f"POST /api/models/{repo}/commit/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ALICE}\r\nConnection: "
        f"close\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunks = b"".join(
        f"{len(lines[n : n + 7]):x}\r\n".encode() + lines[n : n + 7] + b"\r\n" for n in range(0, len(lines), 7)
    )
    assert b" 200 " in raw(server, head.encode() + chunks + b"0\r\n\r\n")[:20]
    assert server.fetch(f"/{repo}/resolve/main/a.txt")[2] == b"chunked"
    raw(server, head.encode() + chunks[:50], whole=False)  # it ends in the middle
    assert b" 400 " in raw(server, head.encode() + b"zz\r\nx")[:20]
    assert len(server.api().list_repo_commits(repo)) == 2 and list((server.folder / "incoming").iterdir()) == []


def test_connections_that_never_finish_block_nobody(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo = new_repo()
    host, port = server.url.removeprefix("http://").split(":")
    beginnings = (
        b"GET /api/models HTTP/1.1\r\nHost:",
        (
            f"POST /api/models/{repo}/commit/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
            f"{ALICE}\r\nContent-Length: "
            f"1000\r\n\r\n{{"
        ).encode(),
    )
    held = [socket.create_connection((host, int(port))) for _ in range(200)]
    try:
        for n, connection in enumerate(held):
            connection.sendall(beginnings[n % 2])
        times = []
        for n in range(5):
            began = time.monotonic()
            assert (
                post_lines(server, repo, add(f"{n}.txt"))[0] == 200
                and server.fetch(f"/{repo}/resolve/main/{n}.txt")[0] == 200
            )
            times.append(time.monotonic() - began)
        assert min(times) < 5, times
    finally:
        for connection in held:
            connection.close()


# ---- cards


def hostile_metadata() -> dict[str, str]:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=False)
    )
    return {
        "10 MB": "tags: [" + "x, " * 3_000_000 + "]",
        "billion laughs": bomb,
        "deep lists": "a: " + "[" * 90_000,
        "deep maps": "a: " + "{a: " * 20_000,
        "deep blocks": "\n".join(" " * n + "a:" for n in range(400)),
        "not a number": "a: .nan\nb: .inf",
        "surrogate": 'a: "\\ud800"\ntags: ["\\udfff"]',
        "odd keys": "a: {2020-01-01: x, null: y, 1.5: z}",
        "huge number": "a: 0x" + "f" * 9000,
        "tag": "a: !!python/object/apply:os.system [id]",
        "odd values": "a: !!bool maybe",
        "odd date": "a: !!timestamp soon",
        "no digits": "a: !!int ''",
        "numbers as texts": (
            "tags: [1, 2.5, true, {a: 1}]\nlicense: [[a]]\nbase_model: {a: 1}\ndatasets: 3\nlanguage: false"
        ),
    }


@pytest.mark.parametrize("name", list(hostile_metadata()))
def test_hostile_metadata_does_no_harm(server: Server, new_repo: Callable[..., str], name: str) -> None:  # noqa: F811
    """It is refused by the check of the card; put in all the same, the repository and its listing can still be read."""
    repo, card, began = new_repo(), f"---\n{hostile_metadata()[name]}\n---\n# A card\n", time.monotonic()
    assert server.fetch("/api/validate-yaml", method="POST", body=json.dumps({"content": card}).encode())[0] in (
        200,
        400,
        413,
    )
    assert post_lines(server, repo, add("README.md", card.encode()))[0] == 200
    status, _, body = server.fetch(f"/api/models/{repo}")
    assert status == 200 and len(body) < 400_000
    assert server.fetch(f"/api/models?search={repo.split('/')[1]}&full=true&cardData=true")[0] == 200
    assert "A card" in server.fetch(f"/{repo}")[2].decode() or name == "10 MB"
    assert time.monotonic() - began < 20


def test_hostile_files_that_facts_are_read_from(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    odd = {
        "config.json": (
            b'{"architectures": [NaN, "\\ud800"], "model_type": {"a": Infinity}, "quantization_config": '
            b'{"x": "\\udfff", "n": NaN}}'
        ),
        "adapter_config.json": b'{"peft_type": ["x"], "task_type": NaN, "base_model_name_or_path": "a\\ud800"}',
        "a.safetensors": safetensors(a=(2, 2)).replace(b"[2, 2]", b"[1e999, 2]"),
        "b.safetensors": (
            len(text := b'{"a": {"dtype": "F\\ud800", "shape": [' + b"9" * 4000 + b", " + b"9" * 4000 + b"]}}")
        ).to_bytes(8, "little")
        + text,
        "c.safetensors": b"\xff" * 8 + b"{}",
        "d.safetensors": b"",
    }
    repo = new_repo()
    assert post_lines(server, repo, *(add(path, data) for path, data in odd.items()))[0] == 200
    assert server.fetch(f"/api/models/{repo}")[0] == 200 and server.fetch(f"/{repo}")[0] == 200
    assert (
        server.fetch(f"/api/models?search={repo.split('/')[1]}&full=true&config=true&expand=safetensors&expand=config")[
            0
        ]
        == 200
    )
    assert (
        post_lines(server, repo, add("config.json", b"[" * 500_000))[0] == 200
        and server.fetch(f"/api/models/{repo}")[0] == 200
    )


MARKDOWN = {
    "script": "<script>alert(1)</script>",
    "image": "<img src=x onerror=alert(1)>",
    "comment": "<!-- --><script>alert(1)</script><!-- -->",
    "svg": "<svg/onload=alert(1)>",
    "half an address": "[a](http://[x) ![b](//[x) [c](http://[)",
    "link": (
        "[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](&#106;avascript:alert(1)) [d](vbscript:x) "
        "[e](data:text/html,<script>alert(1)</script>)"
    ),
    "split link": "[a](java\nscript:alert(1)) <javascript:alert(1)> [a]: javascript:alert(1)",
    "title": '[a](x "onmouseover=alert(1) \\" x=")',
    "style": '<style>*{}</style><a style="x">',
    "frame": '<iframe srcdoc="<script>alert(1)</script>">',
    "meta": '<meta http-equiv="refresh" content="0;url=//evil">',
}


@pytest.mark.parametrize("name", list(MARKDOWN))
def test_cards_are_shown_without_what_could_act(server: Server, new_repo: Callable[..., str], name: str) -> None:  # noqa: F811
    from html.parser import HTMLParser

    repo, seen = new_repo(), []
    card = f"---\ntags: ['<script>alert(1)</script>']\n---\n{MARKDOWN[name]}\n"
    assert post_lines(server, repo, add("README.md", card.encode()), summary=MARKDOWN[name])[0] == 200

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            seen.append((tag, dict(attributes)))

    for path in (f"/{repo}", f"/{repo}/commits/main", f"/{repo}/commit/main", "/lora-hub"):
        status, headers, body = server.fetch(path)
        assert (
            status == 200
            and "default-src 'none'" in headers["content-security-policy"]
            and "script-src" not in headers["content-security-policy"]
        )
        Reader().feed(body.decode())
    assert {tag for tag, _ in seen} & {"script", "iframe", "svg", "object", "embed", "form", "base"} == set()
    assert sum(tag == "style" for tag, _ in seen) == sum(tag == "html" for tag, _ in seen) > 0
    for tag, attributes in seen:
        assert not any(
            attribute.startswith("on") or attribute in ("srcdoc", "style", "http-equiv") for attribute in attributes
        ), (tag, attributes)
        address = re.sub(r"\s", "", attributes.get("href") or attributes.get("src") or "").lower()
        assert not address.startswith(("javascript:", "vbscript:", "data:text")), address


@pytest.mark.parametrize(
    "piece", ["<!--", "[", "![a](", "> ", "* ", "`" * 3 + "`", "**a", "|a", "<a ", "&#", "- ", "[a]: ", "_*", "\\"]
)
def test_cards_that_are_costly_to_read(server: Server, new_repo: Callable[..., str], piece: str) -> None:  # noqa: F811
    repo, began = new_repo(), time.monotonic()
    assert post_lines(server, repo, add("README.md", (piece * (2_000_000 // len(piece))).encode()))[0] == 200
    assert server.fetch(f"/{repo}")[0] == 200
    assert time.monotonic() - began < 20


# ---- who may


def test_upload_links_are_good_for_one_thing_only(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    """Somebody else's link: altered, for another repository, replayed with other bytes, after the repository is
    gone."""
    mine, other, data = new_repo(), new_repo("alice"), b"of alice"
    href, foreign = lfs_link(server, mine, data), lfs_link(server, other, data)
    (start, link), (_, theirs) = href.split("link="), foreign.split("link=")
    (what, when, signature), (their_what, _, their_signature) = link.rsplit(".", 2), theirs.rsplit(".", 2)
    own = URLSafeTimedSerializer("the server's key is another one")
    facts = own.load_payload(what.encode())  # who has a link may read it
    assert (facts["oid"], facts["size"]) == (hashlib.sha256(data).hexdigest(), len(data))
    for altered in (
        "",
        link[:-2],
        f"{their_what}.{when}.{signature}",
        f"{what}.{when}.{their_signature}",
        f"{what}.zzzzzz.{signature}",
        f"{what}.{when}.",
        f"{what}.{when}.%C3%A9",
        what,
        own.dumps(facts),
        own.dumps(facts | {"size": 9}),
        "." + link,
        link + "\0",
        link * 50,
    ):
        refused(server.fetch(f"{start}link={quote(altered, safe='%')}", method="PUT", body=data), 400, 403)
    for part in ("0", "2", "x", "-1", "%2e%2e%2fx", "1" * 5000):
        refused(server.fetch(href.replace("/lfs/1", f"/lfs/{part}"), method="PUT", body=data), 400)
    refused(server.fetch(href.replace("/lfs/1", "/lfs"), method="POST", body=b"{}"), 400)  # nothing came yet
    assert server.fetch(href, method="PUT", body=data)[0] == 200
    refused(server.fetch(href, method="PUT", body=b"mallory!"), 400)
    oid = hashlib.sha256(data).hexdigest()
    assert (
        post_lines(server, mine, {"key": "lfsFile", "value": {"path": "w.bin", "oid": oid, "size": len(data)}})[0]
        == 200
    )
    assert server.fetch(f"/{mine}/resolve/main/w.bin")[2] == data
    line = {"key": "lfsFile", "value": {"path": "w.bin", "oid": oid, "size": len(data)}}
    refused(
        post_lines(
            server,
            server.api("carol").create_repo("carol/taker", exist_ok=True).repo_id,
            {**line, "value": {**line["value"], "oid": "0" * 64}},
            token=TOKENS["carol"],
        ),
        400,
    )
    server.api().delete_repo(other)
    refused(server.fetch(foreign, method="PUT", body=data), 404)
    last = lfs_link(server, dropped := new_repo(), data)
    server.api().delete_repo(dropped)
    new_repo()  # takes the row of the one that was there
    refused(server.fetch(last, method="PUT", body=data), 404)


def test_a_member_who_reads_cannot_write(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo, bob = new_repo(private=True), TOKENS["bob"]
    assert server.fetch(f"/api/models/{repo}", token=bob)[0] == 200
    for method, path, body in (
        ("POST", f"/api/models/{repo}/preupload/main", {"files": []}),
        ("PUT", f"/api/models/{repo}/settings", {"private": False}),
        ("POST", f"/api/models/{repo}/tag/main", {"tag": "v1"}),
        ("POST", f"/api/models/{repo}/branch/b", {}),
        ("DELETE", f"/api/models/{repo}/branch/main", {}),
        ("DELETE", f"/api/models/{repo}/tag/v1", {}),
        ("POST", f"/api/models/{repo}/super-squash/main", {"message": "x"}),
        ("GET", f"/api/models/{repo}/auth-check/write", {}),
        ("GET", f"/api/models/{repo}/user-access-request/pending", {}),
        ("DELETE", "/api/repos/delete", {"name": repo.split("/")[1], "organization": "lora-hub"}),
        ("POST", "/api/repos/move", {"fromRepo": repo, "toRepo": "bob/taken"}),
        ("POST", "/api/repos/create", {"name": "bobs", "organization": "lora-hub"}),
        ("POST", "/api/collections", {"title": "t", "namespace": "lora-hub"}),
    ):
        refused(
            server.fetch(path, method=method, body=json.dumps(body).encode() if method != "GET" else None, token=bob),
            403,
        )
    refused(post_lines(server, repo, add("x"), token=bob), 403)
    assert len(server.api().list_repo_commits(repo)) == 1


def test_a_stranger_sees_nothing_of_a_private_repo(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo, absent = new_repo(private=True), "lora-hub/never-there"
    href = lfs_link(server, repo, b"secret weights")
    assert server.fetch(href, method="PUT", body=b"secret weights")[0] == 200
    oid = hashlib.sha256(b"secret weights").hexdigest()
    commit = json.loads(
        post_lines(
            server,
            repo,
            {"key": "lfsFile", "value": {"path": "w.bin", "oid": oid, "size": 14}},
            add("a.txt", b"secret text"),
        )[2]
    )["commitOid"]
    paths = [
        "/api/models/{}",
        "/api/models/{}/revision/main",
        "/api/models/{}/tree/main",
        "/api/models/{}/commits/main",
        "/api/models/{}/refs",
        "/api/models/{}/discussions",
        "/api/models/{}/auth-check",
        "/{}/resolve/main/w.bin",
        "/{}/resolve/main/a.txt",
        "/{}",
        "/{}/tree/main",
        "/{}/commits/main",
        "/{}/blob/main/a.txt",
        f"/{{}}/resolve/{commit}/a.txt",
        f"/{{}}/commit/{commit}",
    ]
    for token in ("", TOKENS["carol"]):
        for path in paths:
            words = [refused(server.fetch(path.format(name), token=token), 404) for name in (repo, absent)]
            assert words[0] == words[1], path  # not a word tells them apart
        refused(
            server.fetch(f"/api/models/{repo}/paths-info/main", method="POST", body=b"paths=a.txt", token=token), 404
        )
        refused(post_lines(server, repo, add("x"), token=token), 404)
        refused(post(server, f"/{repo}.git/info/lfs/objects/batch", {"objects": []}, token), 404)
        assert (
            repo
            not in server.fetch("/api/models?limit=1000", token=token)[2].decode()
            + server.fetch("/lora-hub", token=token)[2].decode()
        )


def test_tokens_are_taken_from_the_header_only(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo = new_repo(private=True)
    for name in ("token", "access_token", "authorization", "api_key"):
        refused(server.fetch(f"/api/whoami-v2?{name}={ALICE}"), 401)
        refused(server.fetch(f"/api/models/{repo}?{name}={ALICE}"), 404)
    for value in (
        f"Basic {ALICE}",
        f"bearer{ALICE}",
        "Bearer",
        "Bearer ",
        f"Bearer {ALICE}x",
        f"Bearer {ALICE[:-1]}",
        "Bearer \xff" * 3,
        "Bearer " + "x" * 9000,
    ):
        refused(server.fetch("/api/whoami-v2", Authorization=value), 401)
    assert ALICE not in server.log


def test_many_at_once_are_all_answered(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    """Refusals while others upload: nobody's error becomes somebody else's."""
    repo, statuses = new_repo(), []

    def ask(n: int) -> None:
        answer = server.fetch(f"/{repo}/resolve/main/none-{n}") if n % 2 else post_lines(server, repo, add(f"{n}.txt"))
        statuses.append((n % 2, answer[0], n % 2 == 0 or f"none-{n}" in json.loads(answer[2])["error"]))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [(0, 200, True)] * 20 + [(1, 404, True)] * 20
