"""`kill -9` at random moments of uploads and commits: nothing acknowledged is lost, and `hub fsck` is clean.

A handful here; LORA_HUB_TEST_KILLS says how many, and tests/bench/bench_hub.py does a hundred.
"""

import hashlib
import http.client
import json
import os
import random
import threading
import time
from collections.abc import Callable

from test_local_hub import TOKENS, Server, _client  # noqa: F401
from test_local_hub_store import add, check, own, post_lines  # noqa: F401

ALICE = TOKENS["alice"]
REPO = "lora-hub/killed"
WRITERS = 3


class Writer(threading.Thread):
    """Uploads and commits until the server is gone; `acknowledged` is what it was told is kept: path -> (commit,
    bytes)."""

    def __init__(self, server: Server, name: str, acknowledged: dict[str, tuple[str, bytes]]):
        super().__init__()
        self.server, self.prefix, self.acknowledged, self.dice = server, name, acknowledged, random.Random(name)

    def run(self) -> None:
        for count in range(100_000):
            try:
                self.write(f"{self.prefix}/{count}")
            except (
                OSError,
                ValueError,
                KeyError,
                http.client.HTTPException,
            ):  # the server was killed in the middle of it
                return

    def write(self, path: str) -> None:
        large, small = self.dice.randbytes(self.dice.choice([10, 5_000, 700_000])), path.encode() * 50
        oid, size = hashlib.sha256(large).hexdigest(), len(large)
        asked = {"operation": "upload", "transfers": ["basic"], "objects": [{"oid": oid, "size": size}]}
        answer = self.server.fetch(
            f"/{REPO}.git/info/lfs/objects/batch", method="POST", body=json.dumps(asked).encode(), token=ALICE
        )
        href = json.loads(answer[2])["objects"][0]["actions"]["upload"]["href"].removeprefix(self.server.url)
        assert self.server.fetch(href, method="PUT", body=large)[0] == 200
        link = {"key": "lfsFile", "value": {"path": f"{path}.bin", "algo": "sha256", "oid": oid, "size": size}}
        status, _, body = post_lines(self.server, REPO, link, add(f"{path}.txt", small))
        assert status == 200, body
        commit = json.loads(body)["commitOid"]
        self.acknowledged |= {f"{path}.bin": (commit, large), f"{path}.txt": (commit, small)}


def kill_again_and_again(start: Callable[[], Server], kills: int, seed: int = 7) -> dict[str, float]:
    """Kills the server that `start` starts over one folder; AssertionError where something acknowledged is not
    there."""
    dice, acknowledged = random.Random(seed), {}
    for round in range(kills):
        server = start()
        if round == 0:
            server.api().create_repo(REPO)
        writers = [Writer(server, f"{round}-{n}", acknowledged) for n in range(WRITERS)]
        for writer in writers:
            writer.start()
        time.sleep(dice.random() * 0.6)
        server.process.kill()
        server.process.wait()
        for writer in writers:
            writer.join()
        assert check(server.folder) == (0, "0 problems\n"), f"after kill {round + 1}"
    server = start()
    history = {commit.commit_id for commit in server.api().list_repo_commits(REPO)}
    for path, (commit, data) in acknowledged.items():
        assert commit in history, f"{path}: commit {commit} is lost"
        for revision in ("main", commit):
            assert server.fetch(f"/{REPO}/resolve/{revision}/{path}")[2] == data, f"{path} at {revision}"
    assert not list((server.folder / "incoming").iterdir())
    return {"kills": kills, "acknowledged": len(acknowledged) // 2, "commits": len(history)}


def test_kill_9_loses_nothing_acknowledged(own: Callable[[], Server]) -> None:  # noqa: F811
    told = kill_again_and_again(own, int(os.environ.get("LORA_HUB_TEST_KILLS") or 6))
    assert told["acknowledged"] >= 1, told


def test_what_a_killed_server_left_half_done_is_cleared_away(own: Callable[[], Server]) -> None:  # noqa: F811
    """An upload that stops in the middle leaves a file that no blob is made of, gone at the next start."""
    import socket

    server = own()
    server.api().create_repo(REPO)
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /api/models/{REPO}/commit/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ALICE}\r\n"
        connection.sendall(head.encode() + b"Content-Length: 100000000\r\n\r\n" + b"x" * 9_000_000)
        until = time.monotonic() + 10
        while not any((server.folder / "incoming").iterdir()) and time.monotonic() < until:
            time.sleep(0.01)
        left = list((server.folder / "incoming").iterdir())
        server.process.kill()
        server.process.wait()
    assert left and all(file.exists() for file in left)
    assert check(server.folder) == (0, "0 problems\n")
    again = own()
    assert list((again.folder / "incoming").iterdir()) == [] and len(again.api().list_repo_commits(REPO)) == 1
