"""What stands in an embedded Hub's folder beside its store: who serves it, who uses it, and how it is reached.

    server.json   {url, port, pid, id, accounts, again, ended}: the last server; see `read_record`
    server.lock   held by whoever serves the folder, checks it or tidies it
    users.lock    held, shared, by everybody who is connected: the server ends only when it gets this one for itself
    start.lock    held by whoever starts a server, so that of two the second finds the first one's

The locks (core/file_lock) go with their process however it ends. Standard library only, because
`lora_hub.hub.endpoint` reads this before anything else may be imported.
"""

import hashlib
import json
import os
import urllib.request
from pathlib import Path
from typing import IO, Any

from ..core.file_lock import POLL_SECONDS as POLL_SECONDS
from ..core.file_lock import alone as alone
from ..core.file_lock import is_held, take

SERVER_LOCK, USERS_LOCK, START_LOCK, RECORD = "server.lock", "users.lock", "start.lock", "server.json"
HEALTH_SECONDS = 4.0
# Below the range that Linux takes ports for outgoing connections from (32768 and up): what is free once stays free.
FIRST_PORT, PORTS, PORT_TRIES = 20_000, 10_000, 5


def take_lock(file: Path, *, shared: bool = False, seconds: float = 0.0, create: bool = True) -> IO[bytes] | None:
    """The open file that holds the lock until it is closed; None where others hold it for longer than `seconds`.

    `create`: False writes nothing, and raises FileNotFoundError where there is no such file.
    """
    descriptor = take(file, shared=shared, seconds=seconds, create=create)
    return None if descriptor is None else open(descriptor, "rb")


def is_locked(file: Path) -> bool:
    """Whether somebody holds a lock, and does not share it, at this moment. Writes nothing."""
    return is_held(file)


def write_whole(path: Path, text: str) -> None:
    """Writes a small file that only its owner reads, whole or not at all."""
    temporary = path.with_name(f".{path.name}")
    temporary.touch(0o600)
    temporary.write_text(text)
    temporary.replace(path)


def read_record(folder: Path) -> dict[str, Any]:
    """What the last server of a folder said of itself; empty where there was none, or the file is damaged.

    `url`, `port`, `pid`; `id`: of this run of it, as /health tells it; `accounts`: whether it knows users by their
    tokens;
    `again`: the arguments to start it with as it was, for one that was started by hand; `ended`: "stopped" or "idle"
    where it ended in order, missing where it was killed.
    """
    try:
        record = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):  # none yet, or a file that was damaged: either way the next server writes a new one
        return {}
    return record if isinstance(record, dict) else {}


def find_server(folder: Path, seconds: float = HEALTH_SECONDS) -> str | None:
    """The address of the live server of this folder; None where there is none, or another program has its port now."""
    record = read_record(folder)
    if not record.get("url") or not record.get("id"):
        return None
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{record['url']}/health", timeout=seconds) as answer:
            return record["url"] if json.load(answer).get("hub") == record["id"] else None
    except (OSError, ValueError, AttributeError):  # URLError is an OSError
        return None


def ports_of(folder: Path) -> list[int]:
    """The ports that a folder's server tries, in order: the one it had, then some that follow from the folder's name,
    then any. A client that has read an address once finds the server there again."""
    had = read_record(folder).get("port")
    first = int(hashlib.sha256(os.fsencode(folder)).hexdigest()[:8], 16)
    named = [FIRST_PORT + (first + n) % PORTS for n in range(PORT_TRIES)]
    return list(dict.fromkeys([*([had] if isinstance(had, int) and 0 < had < 65536 else []), *named, 0]))
