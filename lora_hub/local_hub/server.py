"""Runs the embedded Hub: its folder, its lock, its port, its log.

`python -m lora_hub.local_hub [serve|fsck|gc] --port P --dir D [--accounts FILE]`. Once it listens, `server.json` in the
folder says {url, port, pid, id, accounts}. One folder has one server: a second one refuses. No token is ever logged.
"""

import argparse
import fcntl
import json
import logging
import os
import socket
import sys
import time
from pathlib import Path

from ..errors import HubError

PUBLIC_HUB = "https://huggingface.co"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def lock(directory: Path) -> object:
    """Takes the folder for this process as long as the answer lives. Raises HubError where another server has it."""
    directory.mkdir(parents=True, exist_ok=True)
    os.chmod(directory, 0o700)
    file = open(directory / "server.lock", "w")
    for wait in (0.1,) * 30 + (0,):  # one that was just told to stop needs a moment
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if not wait:
                raise HubError(f"Another embedded Hub already serves {directory}.",
                               f"Its address is in {directory / 'server.json'}.") from error
            time.sleep(wait)
    return file


def listen(host: str, port: int) -> socket.socket:
    # TCP by name: asyncio switches Nagle's delay (40 ms an answer) off only where the socket says that it is TCP
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(256)
    except (OSError, OverflowError) as error:
        raise HubError(f"The embedded Hub cannot listen on {host}:{port}: {error}.", "Choose another port.") from error
    return listener


def run(port: int, directory: Path, accounts: Path | None = None, organization: str = "", *, host: str = "127.0.0.1",
        upstream: str = "", jobs: bool = False) -> None:
    """Serves until it is told to stop. `port` 0 takes a free one. Raises HubError where it cannot start."""
    if host not in LOOPBACK and jobs:
        raise HubError(f"Jobs run commands on this machine; with --jobs the Hub does not listen on {host}.", "Leave out --jobs or --host.")
    if host not in LOOPBACK and accounts is None:
        raise HubError(f"Without accounts the embedded Hub listens on this machine only, not on {host}.",
                       "Name users in a file and pass it as --accounts.")
    held, listener = lock(directory), listen(host, port)

    import uvicorn

    from .accounts import Accounts
    from .app import Hub
    from .store import Store, new_id, write_whole
    from .upstream import Upstream

    for leftover in (directory / "incoming").glob("*"):  # uploads that a killed server never finished
        leftover.unlink()
    if not (identity := directory / "id").exists():
        write_whole(identity, new_id())
    try:
        known = Accounts(directory, accounts, organization or os.environ.get("LORA_HUB_ORG") or "lora-hub")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise HubError(f"The accounts file {accounts} cannot be used: {error}.",
                       "Its form is at the top of lora_hub/local_hub/accounts.py.") from error
    upstream = upstream or os.environ.get("LORA_HUB_UPSTREAM") or PUBLIC_HUB
    far = None if upstream == "off" else Upstream(upstream, directory / "upstream")
    app, port = Hub(Store(directory), known, identity.read_text(), far, jobs), listener.getsockname()[1]
    record = {"url": f"http://{host}:{port}", "port": port, "pid": os.getpid(), "id": app.hub_id, "accounts": accounts is not None}
    write_whole(directory / "server.json", json.dumps(record))
    print(f"Embedded Hub of {directory}: {record['url']}", file=sys.stderr, flush=True)
    # idle connections are kept longer than clients keep them, so that no request meets one that is just being closed;
    # uvicorn's own Date may be two seconds old, and the client takes newer lines of a log for the future
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", http="h11", ws="none",
                            loop="asyncio", timeout_keep_alive=60, timeout_graceful_shutdown=2, server_header=False, date_header=False)
    with held:
        uvicorn.Server(config).run(sockets=[listener])


def check(action: str, directory: Path) -> int:
    """`fsck` (status 1 where something is damaged) and `gc`, while no server serves the folder."""
    from .check import fsck, gc

    with lock(directory):
        if action == "gc":
            print("{} unused files removed, {} bytes".format(*gc(directory)))
            return 0
        problems = fsck(directory)
        print("\n".join([*problems, f"{len(problems)} problems"]))
        return 1 if problems else 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lora_hub hub", description="The embedded Hub: a small Hub on this machine.")
    parser.add_argument("action", nargs="?", default="serve", choices=["serve", "fsck", "gc"],
                        help="serve (the default), prove the store sound, or remove what nothing refers to")
    parser.add_argument("--port", type=int, default=0, help="port; 0 (the default) takes a free one")
    parser.add_argument("--dir", type=Path, help="folder; default $LORA_HUB_HOME/hub")
    parser.add_argument("--accounts", type=Path, help="YAML or JSON file of users and organizations")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; one of the network needs --accounts")
    parser.add_argument("--org", default="", help="organization without accounts; default $LORA_HUB_ORG or lora-hub")
    parser.add_argument("--upstream", default="", help="Hub that reads go on to, or off; default $LORA_HUB_UPSTREAM or the public Hub")
    parser.add_argument("--jobs", action="store_true", help="let users run jobs: commands, as processes of this machine")
    args = parser.parse_args(argv)
    home = Path(os.environ.get("LORA_HUB_HOME") or Path.home() / ".lora_hub").expanduser()
    directory = (args.dir or home / "hub").expanduser().resolve()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        if args.action != "serve":
            return check(args.action, directory)
        run(args.port, directory, args.accounts, args.org, host=args.host, upstream=args.upstream, jobs=args.jobs)
    except HubError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
