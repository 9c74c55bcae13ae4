"""The files beside the store in an embedded Hub's folder: who serves it, who uses it, and its address.

    server.json   {url, port, pid, id, accounts, again, ended}: the last server; see `read_record`
    server.lock   held by a process that serves, checks or tidies the folder
    users.lock    held, shared, by every connected process: the server stops only when it gets this lock exclusively
    start.lock    held while a server is started, so that a second starter finds the first one's server

The locks (core/file_lock) are released when their process ends, however it ends. Standard library only, because
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
# Below Linux's range of ephemeral ports (32768 and up), so that a port that was free once stays free.
FIRST_PORT, PORTS, PORT_TRIES = 20_000, 10_000, 5


def take_lock(file: Path, *, shared: bool = False, seconds: float = 0.0, create: bool = True) -> IO[bytes] | None:
    """The open file that holds the lock until it is closed; None if others hold it for longer than `seconds`.

    `create`: False writes nothing, and raises FileNotFoundError if the file does not exist.
    """
    descriptor = take(file, shared=shared, seconds=seconds, create=create)
    return None if descriptor is None else open(descriptor, "rb")


def is_locked(file: Path) -> bool:
    """Whether somebody holds a lock exclusively right now. Writes nothing."""
    return is_held(file)


def write_whole(path: Path, text: str) -> None:
    """Writes a small file, readable only by its owner, atomically."""
    temporary = path.with_name(f".{path.name}")
    temporary.touch(0o600)
    temporary.write_text(text)
    temporary.replace(path)


def read_record(folder: Path) -> dict[str, Any]:
    """What the last server of a folder wrote about itself; empty if there was none or the file is damaged.

    `url`, `port`, `pid`; `id`: of that server process, as /health reports it; `accounts`: whether it knows users by
    tokens; `again`: the arguments to start it again, if it was started by hand; `ended`: "stopped" or "idle" after an
    orderly end, missing if it was killed.
    """
    try:
        record = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):  # missing or damaged: the next server writes a new one
        return {}
    return record if isinstance(record, dict) else {}


def find_server(folder: Path, seconds: float = HEALTH_SECONDS) -> str | None:
    """The address of this folder's live server; None if there is none, or if another program now has its port."""
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
    """The ports that a folder's server tries, in order: its last one, then some derived from the folder's name, then
    any. So a client that has read the address once finds the server there again."""
    had = read_record(folder).get("port")
    first = int(hashlib.sha256(os.fsencode(folder)).hexdigest()[:8], 16)
    named = [FIRST_PORT + (first + n) % PORTS for n in range(PORT_TRIES)]
    return list(dict.fromkeys([*([had] if isinstance(had, int) and 0 < had < 65536 else []), *named, 0]))
