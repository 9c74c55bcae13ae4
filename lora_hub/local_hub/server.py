"""Runs the embedded Hub, and manages its folder while no server runs: its lock, port, log and orderly end.

`python -m lora_hub hub [serve|stop|fsck|gc|backup FOLDER] --dir D [--accounts FILE] ...`, or without the app's own
command line `python -m lora_hub.local_hub`. One folder has one server; `folder` says how it is found. Tokens are never
logged.
"""

import argparse
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import HubError, SpecError
from . import folder as places

# Files of a Hub's folder that exist before its store; any other file means that the folder is not meant for a Hub.
OUR_FILES = {
    places.RECORD,
    places.SERVER_LOCK,
    places.USERS_LOCK,
    places.START_LOCK,
    f".{places.RECORD}",
    "log.txt",
    "token",
    ".token",
}
HARMLESS_FILES = {"lost+found", ".DS_Store"}
LOCK_SECONDS, STOP_SECONDS, WATCH_SECONDS = 3.0, 10.0, 5.0


class AlreadyServed(HubError):
    """Another process serves the folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the embedded Hub; `start` takes their values."""
    setting, home = os.environ.get, os.environ.get("LORA_HUB_HOME") or Path.home() / ".lora_hub"
    parser.add_argument(
        "action",
        nargs="?",
        default="serve",
        choices=("serve", "stop", "fsck", "gc", "backup"),
        help="stop ends the running one, fsck checks the store, gc tidies it, backup copies it, also while it runs",
    )
    parser.add_argument("to", nargs="?", type=Path, metavar="FOLDER", help="where backup puts the copy")
    parser.add_argument(
        "--port", type=_port, default=0, help="port; 0 (the default) takes the folder's own, or a free one"
    )
    parser.add_argument("--dir", type=Path, default=Path(home, "hub"), help="folder; default $LORA_HUB_HOME/hub")
    parser.add_argument("--accounts", type=Path, help="YAML or JSON file of users and organizations")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; one of the network needs --accounts")
    parser.add_argument(
        "--org", default=setting("LORA_HUB_ORG") or "lora-hub", help="organization where there are no accounts"
    )
    parser.add_argument(
        "--upstream",
        type=_address,
        default=setting("LORA_HUB_UPSTREAM") or "https://huggingface.co",
        help="Hub for other reads, or off",
    )
    parser.add_argument(
        "--jobs", action="store_true", help="let users run jobs: commands, as processes of this machine"
    )
    parser.add_argument(
        "--idle",
        type=_minutes,
        default=0.0,
        metavar="MINUTES",
        help="end when nobody has used it for so long; 0: never",
    )
    parser.add_argument(
        "--for-home", action="store_true", help=argparse.SUPPRESS
    )  # started by a process that needed it, not by hand


def _port(text: str) -> int:
    """argparse shows the message of the error that a type raises."""
    if not 0 <= (port := int(text)) <= 65535:
        raise ValueError(text)
    return port


def _minutes(text: str) -> float:
    if not 0 <= (minutes := float(text)) < float("inf"):
        raise ValueError(text)
    return minutes


def _address(text: str) -> str:
    parts = urlsplit(text)
    if text != "off" and not (parts.scheme in ("http", "https") and parts.hostname):
        raise ValueError(text)
    return text


# argparse names a value's type by its function.
_port.__name__, _minutes.__name__, _address.__name__ = (
    "port (0 to 65535)",
    "number of minutes",
    "address of a Hub, or `off`",
)


def start(options: argparse.Namespace) -> dict[str, Any] | None:
    """Serves until told to stop, or runs another `options.action` (see `add_arguments`). Prints the result and returns
    it by name. Raises SpecError for options that do not fit together, and HubError if the action fails or the store is
    damaged."""
    if options.action == "serve" and getattr(options, "json", False):
        raise SpecError(
            "`hub` serves until it is ended, and has no result to print as JSON.",
            "--json goes with stop, fsck, gc and backup.",
        )
    if (options.action == "backup") != (options.to is not None):
        raise SpecError(
            "Only `backup` takes a folder to copy to, and it needs one.", "python -m lora_hub hub backup FOLDER"
        )
    directory = options.dir.expanduser().resolve()
    if file := next((part for part in (directory, *directory.parents) if part.is_file()), None):
        raise HubError(f"{file} is a file, not a folder.", "Give the folder of an embedded Hub as --dir.")
    try:
        act = {"serve": serve, "stop": stop, "fsck": check, "gc": tidy, "backup": back_up}[options.action]
        return act(options, directory)
    except (FileExistsError, NotADirectoryError) as error:
        raise HubError(
            f"{error.filename or directory} is not a folder.", "Give the folder of an embedded Hub as --dir."
        ) from error
    except PermissionError as error:
        raise HubError(
            f"{error.filename or directory} may not be read or written by this user.",
            "Choose another --dir, or mend its rights.",
        ) from error


# ---- at rest


def _locked(directory: Path, *, create: bool) -> Any:
    """Takes the folder's lock. Raises AlreadyServed."""
    held = places.take_lock(
        directory / places.SERVER_LOCK, seconds=LOCK_SECONDS, create=create
    )  # a server that was just told to stop needs a moment
    if held is None:
        raise AlreadyServed(
            f"Another embedded Hub already serves {directory}.",
            f"Its address is in {directory / places.RECORD}; `python -m lora_hub hub stop --dir {directory}` ends it.",
        )
    return held


def check(options: argparse.Namespace, directory: Path) -> dict[str, Any]:
    """Verifies the store without writing anything. Raises HubError if it is damaged, in use, or not a Hub's."""
    from .upkeep import fsck, need_store

    try:
        held = _locked(directory, create=False)
    except FileNotFoundError:  # not a Hub's folder, or a copy that was never served
        held = None
    try:
        need_store(directory)
        problems = fsck(directory)
    finally:
        if held is not None:
            held.close()
    if problems:
        print(*problems, sep="\n")
        damaged = HubError(
            f"The store in {directory} is damaged.", "Put the files named above back from a copy of the folder."
        )
        damaged.also = {"problems": problems}
        raise damaged
    print("0 problems")
    return {"problems": []}


def tidy(options: argparse.Namespace, directory: Path) -> dict[str, Any]:
    from .upkeep import gc, need_store

    if not places.is_locked(directory / places.SERVER_LOCK):  # before a lock file is created there
        need_store(directory)
    with _locked(directory, create=True):
        need_store(directory)
        files, size = gc(directory)
    print(f"{files} unused files removed, {size} bytes")
    return {"files": files, "bytes": size}


def back_up(options: argparse.Namespace, directory: Path) -> dict[str, Any]:
    from .upkeep import backup, need_store

    need_store(directory, live=places.is_locked(directory / places.SERVER_LOCK))
    files, size = backup(directory, options.to.expanduser().resolve())
    print(f"{files} files, {size} bytes copied to {options.to}")
    return {"files": files, "bytes": size, "folder": str(options.to)}


def stop(options: argparse.Namespace, directory: Path) -> dict[str, Any]:
    """Stops the folder's server in order. Raises HubError if it does not stop, or if the folder is not a Hub's."""
    from .upkeep import need_store

    if places.find_server(directory) is None:
        need_store(directory)
        print("it does not run")
        return {"stopped": False}
    os.kill(places.read_record(directory)["pid"], signal.SIGTERM)
    held = places.take_lock(directory / places.SERVER_LOCK, seconds=STOP_SECONDS)
    if held is None:
        raise HubError(
            f"The embedded Hub of {directory} does not end.",
            f"Its process is {places.read_record(directory).get('pid')}.",
        )
    held.close()
    print("stopped")
    return {"stopped": True}


# ---- serving


def _check_place(options: argparse.Namespace, directory: Path) -> None:
    """Raises HubError if the folder is not a Hub's and not empty, or if it is a Hub's whose database is lost."""
    from .upkeep import is_store, need_store

    if not directory.exists() or is_store(directory):
        return
    if (directory / "blobs").is_dir():
        need_store(directory)
    accounts = options.accounts.expanduser().resolve() if options.accounts else None
    ours = OUR_FILES | HARMLESS_FILES | ({"hub.sqlite"} if _is_empty(directory / "hub.sqlite") else set())
    strange = sorted(entry.name for entry in directory.iterdir() if entry.name not in ours and entry != accounts)
    if strange:
        raise HubError(
            f"{directory} is no embedded Hub's folder, and not empty: it holds {strange[0]!r}.",
            "Give a new or an empty folder as --dir.",
        )


def _is_empty(file: Path) -> bool:
    """Whether the database was still being created when its process was killed."""
    return file.is_file() and file.stat().st_size == 0


def serve(options: argparse.Namespace, directory: Path) -> None:
    """Serves the folder until told to stop, or until it has been idle for the time given by `--idle`."""
    if options.host not in ("127.0.0.1", "localhost") and (options.jobs or options.accounts is None):
        raise SpecError(
            f"Without accounts, or with jobs, the embedded Hub listens on this machine only, not on {options.host}.",
            "Name users in a file and pass it as --accounts, without --jobs; or leave out --host.",
        )
    from .accounts import Accounts

    _check_place(options, directory)
    accounts = Accounts(directory, options.accounts, options.org) if options.accounts else None
    new = next((part for part in reversed((directory, *directory.parents)) if not part.exists()), None)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(directory, create=True):
        os.chmod(directory, 0o700)
        try:
            listener = _listen(options, directory)
        except HubError:
            _unmake(directory, new)
            raise
        _run(options, directory, listener, accounts or Accounts(directory, None, options.org))


def _unmake(directory: Path, new: Path | None) -> None:
    """Removes the folders of a Hub that failed to start. new: the first folder that was created for it."""
    if new is None:
        return
    (directory / places.SERVER_LOCK).unlink()
    with contextlib.suppress(OSError):  # something else was put there in the meantime
        for folder in (directory, *directory.parents):
            folder.rmdir()
            if folder == new:
                return


def _listen(options: argparse.Namespace, directory: Path) -> socket.socket:
    """A socket at the requested port, or at the first free one of the folder's ports."""
    ports = [options.port] if options.port else places.ports_of(directory)
    for port in ports:
        try:
            listener = socket.create_server((options.host, port), backlog=256)
        except (OSError, OverflowError) as error:
            if port == ports[-1]:
                raise HubError(
                    f"The embedded Hub cannot listen on {options.host}:{port}: {error}.", "Choose another port."
                ) from error
            continue
        # connections inherit it; otherwise Nagle's algorithm delays a response by 40 ms
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    raise AssertionError("there is always a port to try")


def _run(options: argparse.Namespace, directory: Path, listener: socket.socket, accounts: Any) -> None:
    import uvicorn

    from .app import Hub
    from .patience import Impatient
    from .store import Store
    from .upstream import Upstream

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    port, host = listener.getsockname()[1], "127.0.0.1" if options.host in ("0.0.0.0", "localhost") else options.host
    far = None if options.upstream == "off" else Upstream(options.upstream, directory / "upstream")
    store = Store(directory)
    app = Hub(store, accounts, far, options.jobs)
    record = {
        "url": f"http://{host}:{port}",
        "port": port,
        "pid": os.getpid(),
        "id": app.id,
        "accounts": bool(options.accounts),
    }
    if not options.for_home:
        record["again"] = _again(options, directory, port)
    places.write_whole(directory / places.RECORD, json.dumps(record))
    logging.info("Embedded Hub of %s: %s", directory, record["url"])
    # idle connections stay open longer than clients keep them, so that no request meets a connection that is being
    # closed; uvicorn's own Date may be two seconds old, and the client would take newer log lines for future ones
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        http=Impatient,
        ws="none",
        loop="asyncio",
        timeout_keep_alive=60,
        timeout_graceful_shutdown=2,
        server_header=False,
        date_header=False,
    )
    server, ended = uvicorn.Server(config), {"how": "stopped"}
    if options.idle > 0:
        threading.Thread(target=_watch, args=(app, server, directory, options.idle * 60, ended), daemon=True).start()
    # uvicorn shuts down in order and then sends itself the signal again; by then the signal must not kill the cleanup
    # below
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if directory.is_dir():
            store.close()
            places.write_whole(directory / places.RECORD, json.dumps(record | {"ended": ended["how"]}))
        logging.info("Embedded Hub of %s: ended (%s)", directory, ended["how"])


def _again(options: argparse.Namespace, directory: Path, port: int) -> list[str]:
    """The arguments that would start this server again."""
    again = [
        "--dir",
        str(directory),
        "--port",
        str(port),
        "--host",
        options.host,
        "--org",
        options.org,
        "--upstream",
        options.upstream,
    ]
    again += ["--accounts", str(options.accounts.expanduser().resolve())] if options.accounts else []
    again += ["--idle", f"{options.idle:g}"] if options.idle else []
    return again + (["--jobs"] if options.jobs else [])


def _watch(app: Any, server: Any, directory: Path, seconds: float, ended: dict[str, Any]) -> None:
    """Stops a server that has had no request and no connected user for so many seconds."""
    used = time.monotonic()
    while not server.should_exit:
        time.sleep(min(seconds / 4, WATCH_SECONDS))
        try:
            lock = places.take_lock(directory / places.USERS_LOCK)
        except FileNotFoundError:  # the folder was removed: there is nothing left to serve
            server.should_exit = True
            return
        if lock is None or app.busy:
            used = time.monotonic()
        if time.monotonic() - max(used, app.used) >= seconds and lock is not None:
            # the lock is held to the end: a process that connects now waits, and starts the next server
            ended |= {"how": "idle", "lock": lock}
            server.should_exit = True
        elif lock is not None:
            lock.close()
