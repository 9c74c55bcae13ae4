"""The embedded Hub's figures: `python tests/bench/bench_hub.py [--only NAME ...] [--repos 10000] [--kills 100] [--large
1000000000]`

NAMES: files (up and down against a bare PUT and GET through the same framework, in turns), listing, writers, latency,
kills. Prints a table with goals and one line of JSON; status 1 where a goal is missed. Run it on a quiet machine.
"""

import argparse
import functools
import hashlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), *(str(room) for room in (ROOT / "tests").iterdir() if room.is_dir())]
os.environ |= {
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "NO_PROXY": "127.0.0.1",
}

from test_local_hub import ACCOUNTS, CARD, TOKENS, Server, start_server  # noqa: E402

ALICE = TOKENS["alice"]
MIB = 1024 * 1024
# what any server of this framework has to do: take the bytes into a file, flushed; send them from a file
BARE = """
import os, socket, sys, uvicorn
from pathlib import Path
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response
from starlette.routing import Route
place = Path(sys.argv[1])
async def put(request):
    with open(place / "raw", "wb") as file:
        async for chunk in request.stream():
            await run_in_threadpool(file.write, chunk)
        await run_in_threadpool(os.fsync, file.fileno())
    return Response()
async def get(request):
    return FileResponse(place / "raw")
app = Starlette(routes=[Route("/raw", put, methods=["PUT"]), Route("/raw", get)])
listener = socket.create_server(("127.0.0.1", 0))
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print(listener.getsockname()[1], flush=True)
config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", http="h11", ws="none", loop="asyncio")
uvicorn.Server(config).run(sockets=[listener])
"""
Row = tuple[str, float, str, float | None]  # what, value, unit, the most it may be


def start_hub(place: Path) -> Server:
    (place / "accounts.json").write_text(json.dumps(ACCOUNTS))
    return start_server(place / "hub", "--accounts", str(place / "accounts.json"))


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def send(url: str, method: str, path: str, file: Path | None = None, **headers: str) -> None:
    """One request with a file as its body; the answer's bytes go nowhere, as they come."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=600, blocksize=MIB)
    body = open(file, "rb") if file else None
    connection.request(
        method, path, body, {**headers, **({"Content-Length": str(file.stat().st_size)} if file else {})}
    )
    answer = connection.getresponse()
    while answer.read(MIB):
        pass
    assert answer.status == 200, answer.status
    connection.close()


def peak_mib(process: subprocess.Popen) -> float:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def write_file(file: Path, size: int) -> str:
    """Random bytes; their sha256."""
    block, digest = os.urandom(1_000_000), hashlib.sha256()
    with open(file, "wb") as out:
        for n in range(size // len(block)):
            piece = os.urandom(8) + n.to_bytes(8, "little") + block[16:]
            digest.update(piece)
            out.write(piece)
    return digest.hexdigest()


def lfs_link(hub: Server, repo: str, oid: str, size: int) -> str:
    body = json.dumps({"operation": "upload", "transfers": ["basic"], "objects": [{"oid": oid, "size": size}]}).encode()
    answer = json.loads(hub.fetch(f"/{repo}.git/info/lfs/objects/batch", method="POST", body=body, token=ALICE)[2])
    return answer["objects"][0]["actions"]["upload"]["href"].removeprefix(hub.url)


def commit(hub: Server, repo: str, *operations: dict, **header: str) -> tuple[int, dict]:
    lines = [{"key": "header", "value": {"summary": "x", **header}}, *operations]
    body = "\n".join(map(json.dumps, lines)).encode()
    status, _, answer = hub.fetch(f"/api/models/{repo}/commit/main", method="POST", body=body, token=ALICE)
    return status, json.loads(answer)


def add(path: str, text: str) -> dict:
    return {"key": "file", "value": {"path": path, "content": text, "encoding": "utf-8"}}


def link(path: str, oid: str, size: int) -> dict:
    return {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": oid, "size": size}}


def files(args: argparse.Namespace, place: Path) -> list[Row]:
    """Up and down of 100 MB on the wire against a bare server, then of 1 GB with the real client."""
    from huggingface_hub import HfApi, hf_hub_download

    size, hub = 100_000_000, start_hub(place)
    bare = subprocess.Popen([sys.executable, "-c", BARE, str(place)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    raw = f"http://127.0.0.1:{bare.stdout.readline().strip()}"
    hub.api().create_repo("lora-hub/files")
    times: dict[str, list[float]] = {name: [] for name in ("bare up", "hub up", "bare down", "hub down")}
    for n in range(args.rounds):
        oid = write_file(place / "sent", size)
        href = lfs_link(hub, "lora-hub/files", oid, size)
        pairs = [
            ("bare up", lambda: send(raw, "PUT", "/raw", place / "sent")),
            ("hub up", lambda href=href: send(hub.url, "PUT", href, place / "sent")),
        ]
        for name, act in pairs[:: 1 if n % 2 else -1]:
            times[name].append(timed(act))
        assert commit(hub, "lora-hub/files", link(f"{n}.bin", oid, size))[0] == 200
        path = f"/lora-hub/files/resolve/main/{n}.bin"
        pairs = [
            ("bare down", lambda: send(raw, "GET", "/raw")),
            ("hub down", lambda path=path: send(hub.url, "GET", path)),
        ]
        for name, act in pairs[:: 1 if n % 2 else -1]:
            times[name].append(timed(act))
    bare.kill()
    best = {name: min(values) for name, values in times.items()}
    rows: list[Row] = [(f"100 MB, {name}", value, "s", None) for name, value in best.items()]
    rows += [("100 MB up, hub / bare", best["hub up"] / best["bare up"], "x", 1.3)]
    rows += [("100 MB down, hub / bare", best["hub down"] / best["bare down"], "x", 1.3)]
    write_file(place / "sent", args.large)
    api, name = HfApi(endpoint=hub.url, token=ALICE), f"{args.large / 1e9:g} GB by the client"
    rows.append(
        (
            f"{name}, up",
            timed(
                lambda: api.upload_file(
                    repo_id="lora-hub/files", path_in_repo="large.bin", path_or_fileobj=place / "sent"
                )
            ),
            "s",
            None,
        )
    )
    (place / "sent").unlink()
    fetch = functools.partial(
        hf_hub_download, "lora-hub/files", "large.bin", endpoint=hub.url, token=ALICE, cache_dir=place / "cache"
    )
    rows += [
        (f"{name}, down", timed(fetch), "s", None),
        (f"{name}, server's peak memory", peak_mib(hub.process), "MiB", 200),
    ]
    hub.kill()
    return rows


def fill(folder: Path, count: int) -> None:
    """`count` adapters of fifty kinds by five owners, written by the server's own modules."""
    from lora_hub.local_hub.store import Store

    store, trees = Store(folder), []
    for kind in range(50):
        card = (
            CARD.replace("task:spam", f"task:kind-{kind}")
            .replace("apache-2.0", ("mit", "apache-2.0")[kind % 2])
            .encode()
        )
        config = (
            b'{"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": '
            b'"HuggingFaceTB/SmolLM2-135M-Instruct"}'
        )
        with store.adding() as add_file:
            trees.append({"README.md": add_file(card), "adapter_config.json": add_file(config)})
    with store.write() as db:
        for n in range(count):
            owner = ("lora-hub", "alice", "bob", "closed", "carol")[n % 5]
            repo = store.add_repo("model", owner, f"adapter-{n:05}", private=owner == "closed", creator="alice")
            store.add_commit(repo, "refs/heads/main", trees[n % 50], (), "alice", "initial commit")
            values = (n * 7919 % 10007, n * 61 % 9999, repo.id)
            db.execute("UPDATE repos SET downloads = ?, modified = created - ? WHERE id = ?", values)


def listing(args: argparse.Namespace, place: Path) -> list[Row]:
    """Median of 20, on the wire with a connection of its own each."""
    fill(place / "hub", args.repos)
    hub, rows = start_hub(place), []
    queries = {
        "author and tag": "author=lora-hub&filter=lora-hub&filter=task:kind-5&limit=100",
        "author and tag, all fields": "author=lora-hub&filter=lora-hub&filter=lora&limit=100&full=true&cardData=true",
        "tag that all have, search, by downloads": "filter=lora-hub&search=adapter+99&sort=downloads&limit=100",
        "search for nothing": "search=no-such-adapter&limit=100",
        "base model, by creation": (
            "filter=base_model:adapter:HuggingFaceTB/SmolLM2-135M-Instruct&sort=createdAt&limit=100"
        ),
        "author, a page of 1,000": "author=lora-hub&filter=lora-hub&limit=1000",
        "no filter, the fullest page": "limit=1000&full=true&cardData=true",
    }
    for name, query in queries.items():
        for who, token in (("stranger", ""), ("alice", ALICE)):
            status, _, body = hub.fetch(f"/api/models?{query}", token=token)
            assert status == 200 and (json.loads(body) or "nothing" in name)
            times = [timed(lambda: hub.fetch(f"/api/models?{query}", token=token)) for _ in range(20)]  # noqa: B023
            goal = 100.0 if "no filter" not in name else None
            rows.append(
                (
                    f"{args.repos} repos: {name} ({who}, {len(json.loads(body))})",
                    1000 * statistics.median(times),
                    "ms",
                    goal,
                )
            )
    hub.kill()
    return rows


def writers(args: argparse.Namespace, place: Path) -> list[Row]:
    """20 at once: each to a repository of its own, all to one, and all from one parent, of whom one may win."""
    hub = start_hub(place)
    api = hub.api()
    repos = [api.create_repo(f"lora-hub/writer-{n}").repo_id for n in range(20)]
    one, each = api.create_repo("lora-hub/shared").repo_id, 5

    def write(n: int, repo: str, path: str, parent: bool = False) -> list[int]:
        statuses = []
        for k in range(each):
            data = f"{n} {k} {path}".encode() * 1000
            oid, header = hashlib.sha256(data).hexdigest(), {}
            assert hub.fetch(lfs_link(hub, repo, oid, len(data)), method="PUT", body=data)[0] == 200
            if parent:
                header["parentCommit"] = json.loads(hub.fetch(f"/api/models/{repo}?expand=sha")[2])["sha"]
            statuses.append(
                commit(hub, repo, add(f"{path}-{k}.txt", str(n)), link(f"{path}-{k}.bin", oid, len(data)), **header)[0]
            )
        return statuses

    rows, counts, kept = [], {}, 0
    for name, act in {
        "to 20 repos": lambda n: write(n, repos[n], "a"),
        "to one": lambda n: write(n, one, f"{n}"),
        "to one, from the head seen": lambda n: write(n, one, f"p{n}", True),
    }.items():
        began = time.perf_counter()
        with ThreadPoolExecutor(20) as pool:
            statuses = [status for some in pool.map(act, range(20)) for status in some]
        counts[name] = {status: statuses.count(status) for status in sorted(set(statuses))}
        kept += statuses.count(200) if "one" in name else 0
        rows.append(
            (
                f"20 writers {name} {counts[name]}",
                1000 * (time.perf_counter() - began) / len(statuses),
                "ms a commit",
                None,
            )
        )
        bad = len([status for status in statuses if status not in ((200, 412) if "head" in name else (200,))])
        rows.append((f"20 writers {name}: errors but 412", float(bad), "", 0.0))
    files = len(api.list_repo_files(one)) - 1 + sum(len(api.list_repo_files(repo)) - 1 for repo in repos)
    lost = 2 * kept + 2 * 20 * each - files
    rows += [("20 writers: acknowledged files that are not there", float(lost), "", 0.0)]
    rows += [
        (
            "20 writers: acknowledged commits not in the history",
            float(abs(kept + 1 - len(api.list_repo_commits(one)))),
            "",
            0.0,
        )
    ]
    hub.kill()
    return rows


def latency(args: argparse.Namespace, place: Path) -> list[Row]:
    """One after another, median of 20."""
    hub = start_hub(place)
    repo = hub.api().create_repo("lora-hub/latency").repo_id
    body = json.dumps({"files": [{"path": f"{n}.bin", "size": 9, "sample": ""} for n in range(10)]}).encode()
    preupload = lambda n: hub.fetch(f"/api/models/{repo}/preupload/main", method="POST", body=body, token=ALICE)  # noqa: E731
    acts = {
        "preupload of 10 files": preupload,
        "commit of a small file": lambda n: commit(hub, repo, add("a.txt", str(n))),
        "commit of 100 small files": lambda n: commit(hub, repo, *(add(f"d/{k}.txt", f"{n} {k}") for k in range(100))),
        "info of a repo": lambda n: hub.fetch(f"/api/models/{repo}"),
        "a small file": lambda n: hub.fetch(f"/{repo}/resolve/main/.gitattributes"),
    }
    rows = [
        (name, 1000 * statistics.median([timed(lambda: act(n)) for n in range(20)]), "ms", None)
        for name, act in acts.items()
    ]  # noqa: B023
    hub.kill()
    return rows


def kills(args: argparse.Namespace, place: Path) -> list[Row]:
    from test_local_hub_kills import kill_again_and_again

    (place / "accounts.json").write_text(json.dumps(ACCOUNTS))
    running: list[Server] = []

    def start() -> Server:
        running.append(start_server(place / "hub", "--accounts", str(place / "accounts.json")))
        return running[-1]

    try:
        told = kill_again_and_again(start, args.kills)
    finally:
        running[-1].process.kill()
    what = f"{told['kills']} times kill -9, fsck clean after each: commits acknowledged, all there with their bytes"
    return [(what, told["acknowledged"], "", None)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=["files", "listing", "writers", "latency", "kills"])
    parser.add_argument("--repos", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--large", type=int, default=1_000_000_000, help="bytes")
    parser.add_argument("--rounds", type=int, default=5, help="of 100 MB, in turns; the best counts")
    args, rows = parser.parse_args(), []
    for name in args.only:
        with tempfile.TemporaryDirectory() as place:
            made = globals()[name](args, Path(place))
        for what, value, unit, goal in made:
            met = "" if goal is None else f"goal {goal:g}: {'met' if value <= goal else 'NOT MET'}"
            print(f"{what:90} {value:9.2f} {unit:12} {met}", flush=True)
        rows += made
    print(json.dumps({what: round(value, 3) for what, value, _, _ in rows}))
    return 0 if all(goal is None or value <= goal for _, value, _, goal in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
