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
from pathlib import Path

from ..errors import HubError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the embedded Hub can be started with; `start` takes the answers."""
    setting, home = os.environ.get, os.environ.get("LORA_HUB_HOME") or Path.home() / ".lora_hub"
    parser.add_argument("action", nargs="?", default="serve", choices=("serve", "fsck", "gc"), help="fsck checks the store, gc tidies it")
    parser.add_argument("--port", type=int, default=0, help="port; 0 (the default) takes a free one")
    parser.add_argument("--dir", type=Path, default=Path(home, "hub"), help="folder; default $LORA_HUB_HOME/hub")
    parser.add_argument("--accounts", type=Path, help="YAML or JSON file of users and organizations")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; one of the network needs --accounts")
    parser.add_argument("--org", default=setting("LORA_HUB_ORG") or "lora-hub", help="organization where there are no accounts")
    parser.add_argument("--upstream", default=setting("LORA_HUB_UPSTREAM") or "https://huggingface.co", help="Hub for other reads, or off")
    parser.add_argument("--jobs", action="store_true", help="let users run jobs: commands, as processes of this machine")


def start(options: argparse.Namespace) -> None:
    """Serves until it is told to stop; or proves the store sound, or cleans it, while no server serves the folder.
    `options`: see `add_arguments`. Raises HubError where it cannot start, and for a damaged store."""
    from filelock import FileLock, Timeout

    from .store import fsck, gc

    if options.host not in ("127.0.0.1", "localhost") and (options.jobs or options.accounts is None):
        raise HubError(f"Without accounts, or with jobs, the embedded Hub listens on this machine only, not on {options.host}.",
                       "Name users in a file and pass it as --accounts, without --jobs; or leave out --host.")
    directory = options.dir.expanduser().resolve()
    directory.mkdir(parents=True, exist_ok=True)
    os.chmod(directory, 0o700)
    try:
        with FileLock(directory / "server.lock", timeout=3):  # one that was just told to stop needs a moment
            if options.action == "serve":
                serve(options, directory)
            elif options.action == "gc":
                print("{} unused files removed, {} bytes".format(*gc(directory)))
            elif problems := fsck(directory):
                print(*problems, sep="\n")
                raise HubError(f"The store in {directory} is damaged.", "Put the files named above back from a copy of the folder.")
            else:
                print("0 problems")
    except Timeout as error:
        raise HubError(f"Another embedded Hub already serves {directory}.", f"Its address is in {directory / 'server.json'}.") from error


def serve(options: argparse.Namespace, directory: Path) -> None:
    import uvicorn

    from .accounts import Accounts
    from .app import Hub
    from .store import Store, write_whole
    from .upstream import Upstream

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        listener = socket.create_server((options.host, options.port), backlog=256)
    except (OSError, OverflowError) as error:
        raise HubError(f"The embedded Hub cannot listen on {options.host}:{options.port}: {error}.", "Choose another port.") from error
    # connections inherit it: without, Nagle's delay makes an answer 40 ms late
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    far = None if options.upstream == "off" else Upstream(options.upstream, directory / "upstream")
    app, port = Hub(Store(directory), Accounts(directory, options.accounts, options.org), far, options.jobs), listener.getsockname()[1]
    record = {"url": f"http://{options.host}:{port}", "port": port, "pid": os.getpid(), "id": app.id, "accounts": bool(options.accounts)}
    write_whole(directory / "server.json", json.dumps(record))
    logging.info("Embedded Hub of %s: %s", directory, record["url"])
    # idle connections are kept longer than clients keep them, so that no request meets one that is just being closed;
    # uvicorn's own Date may be two seconds old, and the client takes newer lines of a log for the future
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", http="h11", ws="none",
                            loop="asyncio", timeout_keep_alive=60, timeout_graceful_shutdown=2, server_header=False, date_header=False)
    uvicorn.Server(config).run(sockets=[listener])
