"""Runs the embedded Hub: its folder, its lock, its port, its log.

`python -m lora_hub hub [serve|fsck|gc] --port P --dir D [--accounts FILE]`, or without the app's own command line
`python -m lora_hub.local_hub`. Once it listens, `server.json` in the folder says {url, port, pid, id, accounts}. One
folder has one server: a second one refuses. No token is ever logged.
"""

import argparse
import json
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

from ..errors import HubError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the embedded Hub can be started with; `start` takes the answers."""
    setting, home = os.environ.get, os.environ.get("LORA_HUB_HOME") or Path.home() / ".lora_hub"
    parser.add_argument("action", nargs="?", default="serve", choices=("serve", "fsck", "gc"),
                        help="serve (the default), prove the store sound, or remove what nothing refers to")
    parser.add_argument("--port", type=int, default=0, help="port; 0 (the default) takes a free one")
    parser.add_argument("--dir", type=Path, default=Path(home, "hub"), help="folder; default $LORA_HUB_HOME/hub")
    parser.add_argument("--accounts", type=Path, help="YAML or JSON file of users and organizations")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; one of the network needs --accounts")
    parser.add_argument("--org", default=setting("LORA_HUB_ORG") or "lora-hub", help="organization where there are no accounts")
    parser.add_argument("--upstream", default=setting("LORA_HUB_UPSTREAM") or "https://huggingface.co",
                        help="Hub that reads go on to, or off; default $LORA_HUB_UPSTREAM or the public Hub")
    parser.add_argument("--jobs", action="store_true", help="let users run jobs: commands, as processes of this machine")


def lock(directory: Path) -> Any:
    """Takes the folder for this process until the answer is released. Raises HubError where another server has it."""
    from filelock import FileLock, Timeout

    directory.mkdir(parents=True, exist_ok=True)
    os.chmod(directory, 0o700)
    try:
        return FileLock(directory / "server.lock").acquire(timeout=3)  # one that was just told to stop needs a moment
    except Timeout as error:
        raise HubError(f"Another embedded Hub already serves {directory}.", f"Its address is in {directory / 'server.json'}.") from error


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


def start(options: argparse.Namespace) -> None:
    """Serves until it is told to stop; or proves the store sound, or cleans it, while no server serves the folder.
    `options`: see `add_arguments`. Raises HubError where it cannot start, and for a damaged store."""
    if options.host not in LOOPBACK and (options.jobs or options.accounts is None):
        raise HubError(f"Without accounts, or with jobs, the embedded Hub listens on this machine only, not on {options.host}.",
                       "Name users in a file and pass it as --accounts, without --jobs; or leave out --host.")
    directory = options.dir.expanduser().resolve()
    with lock(directory):
        if options.action == "serve":
            serve(options, directory)
            return
        from .check import fsck, gc

        if options.action == "gc":
            print("{} unused files removed, {} bytes".format(*gc(directory)))
            return
        problems = fsck(directory)
        print("\n".join([*problems, f"{len(problems)} problems"]))
        if problems:
            raise HubError(f"The store in {directory} is damaged.", "Put the files named above back from a copy of the folder.")


def serve(options: argparse.Namespace, directory: Path) -> None:
    listener = listen(options.host, options.port)

    import uvicorn

    from .accounts import Accounts
    from .app import Hub
    from .store import Store, new_id, write_whole
    from .upstream import Upstream

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    for leftover in (directory / "incoming").glob("*"):  # uploads that a killed server never finished
        leftover.unlink()
    if not (identity := directory / "id").exists():
        write_whole(identity, new_id())
    try:
        accounts = Accounts(directory, options.accounts, options.org)
    except (OSError, ValueError) as error:
        raise HubError(f"The accounts file {options.accounts} cannot be used: {error}.",
                       "Its form is at the top of lora_hub/local_hub/accounts.py.") from error
    far = None if options.upstream == "off" else Upstream(options.upstream, directory / "upstream")
    app, port = Hub(Store(directory), accounts, identity.read_text(), far, options.jobs), listener.getsockname()[1]
    url = f"http://{options.host}:{port}"
    write_whole(directory / "server.json", json.dumps({"url": url, "port": port, "pid": os.getpid(), "id": app.hub_id,
                                                       "accounts": options.accounts is not None}))
    print(f"Embedded Hub of {directory}: {url}", file=sys.stderr, flush=True)
    # idle connections are kept longer than clients keep them, so that no request meets one that is just being closed;
    # uvicorn's own Date may be two seconds old, and the client takes newer lines of a log for the future
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", http="h11", ws="none",
                            loop="asyncio", timeout_keep_alive=60, timeout_graceful_shutdown=2, server_header=False, date_header=False)
    uvicorn.Server(config).run(sockets=[listener])
