"""Runs the embedded Hub: its folder, its lock, its port, its log.

`python -m lora_hub.local_hub --port P --dir D [--accounts FILE]`. Once it listens, `server.json` in the folder says
{url, port, pid, id}. One folder has one server: a second one refuses. No token is ever logged.
"""

import argparse
import fcntl
import json
import logging
import os
import secrets
import socket
import sys
import time
from pathlib import Path

from ..errors import HubError

PUBLIC_HUB = "https://huggingface.co"


def run(port: int, directory: Path, accounts: Path | None = None, organization: str = "", *, host: str = "127.0.0.1",
        upstream: str = "") -> None:
    """Serves until it is told to stop. `port` 0 takes a free one. Raises HubError where it cannot start."""
    organization = organization or os.environ.get("LORA_HUB_ORG") or "lora-hub"
    upstream = upstream or os.environ.get("LORA_HUB_UPSTREAM") or PUBLIC_HUB
    if accounts is None and host not in ("127.0.0.1", "localhost", "::1"):
        raise HubError(f"Without accounts the embedded Hub listens on this machine only, not on {host}.", "Name users in a file and pass it as --accounts.")
    directory.mkdir(parents=True, exist_ok=True)
    os.chmod(directory, 0o700)
    lock = open(directory / "server.lock", "w")
    for wait in (0.1,) * 30 + (0,):  # one that was just told to stop needs a moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if not wait:
                raise HubError(f"Another embedded Hub already serves {directory}.", f"Its address is in {directory / 'server.json'}.") from error
            time.sleep(wait)
    try:
        # TCP by name: asyncio switches Nagle's delay (40 ms an answer) off only where the socket says that it is TCP
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(256)
    except OSError as error:
        raise HubError(f"The embedded Hub cannot listen on {host}:{port} ({error.strerror}).", "Choose another --port, or 0 for a free one.") from error

    import uvicorn

    from .accounts import Accounts
    from .app import Hub
    from .store import Store
    from .upstream import Upstream

    for leftover in (directory / "incoming").glob("*"):  # uploads that a killed server never finished
        leftover.unlink()
    identity = directory / "id"
    if not identity.exists():
        identity.write_text(secrets.token_hex(12))
    hub_id = identity.read_text()
    try:
        known = Accounts(directory, accounts, organization)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise HubError(f"The accounts file {accounts} cannot be used: {error}.", "See the form in lora_hub/local_hub/accounts.py.") from error
    app = Hub(Store(directory), known, hub_id, None if upstream == "off" else Upstream(upstream, directory / "upstream"))
    port = listener.getsockname()[1]
    write_json(directory / "server.json", {"url": f"http://{host}:{port}", "port": port, "pid": os.getpid(), "id": hub_id})
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", http="h11", ws="none", loop="asyncio",
                            timeout_graceful_shutdown=2, server_header=False)
    print(f"Embedded Hub of {directory}: http://{host}:{port}", file=sys.stderr, flush=True)
    uvicorn.Server(config).run(sockets=[listener])


def write_json(path: Path, value: dict) -> None:
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_text(json.dumps(value))
    os.replace(temporary, path)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lora_hub hub", description="The embedded Hub: a small Hub on this machine.")
    parser.add_argument("--port", type=int, default=0, help="port; 0 (the default) takes a free one")
    parser.add_argument("--dir", type=Path, default=None, help="folder; default $LORA_HUB_HOME/hub")
    parser.add_argument("--accounts", type=Path, default=None, help="YAML or JSON file of users and organizations")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--org", default="", help="the organization without an accounts file; default $LORA_HUB_ORG or lora-hub")
    parser.add_argument("--upstream", default="", help="Hub that reads fall through to, or off; default $LORA_HUB_UPSTREAM or the public Hub")
    args = parser.parse_args(argv)
    home = Path(os.environ.get("LORA_HUB_HOME") or Path.home() / ".lora_hub").expanduser()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        run(args.port, (args.dir or home / "hub").resolve(), args.accounts, args.org, host=args.host, upstream=args.upstream)
    except HubError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
