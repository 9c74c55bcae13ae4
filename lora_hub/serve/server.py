"""A server for the endpoint alone (`python -m lora_hub serve`).

    serve(shelf, engine, keys, host="127.0.0.1", port=8000, ready=print)       until it is told to end

SIGTERM and SIGINT: what runs is finished, new questions are refused with 503, and then it ends; a second one ends it at
once.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _
from lora_hub.people import Person
from lora_hub.serve.door import Door
from lora_hub.serve.keys import Keys

# What is answered when it is told to end is waited for so long.
FINISH_SECONDS = 120.0
_LOOK_SECONDS = 0.05
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(shelf: Any, engine: Any, keys: Keys, *, host: str, port: int, ready: Callable[[str], None] = print) -> None:
    """Serves until it is told to end. port: 0: any free one. ready: is told the address of /v1. Raises LoraHubError
    where the port cannot be used."""

    def who_asks(scope: dict[str, Any]) -> Person:
        sent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"), "")
        return keys.who_asks(sent)

    # A site can point its own name at 127.0.0.1 and have a browser ask; with keys it lacks one.
    door = Door(shelf, engine, who_asks, is_allowed=None if len(keys) else _is_this_machine)
    config = uvicorn.Config(
        door,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
    )
    with _listen(host, port) as listening:
        server = _Server(config, door)
        shown = f"[{host}]" if ":" in host else host
        server.said = lambda: ready(f"http://{shown}:{listening.getsockname()[1]}/v1")
        server.run(sockets=[listening])


class _Server(uvicorn.Server):
    """Ends in two steps: first it finishes what runs."""

    def __init__(self, config: uvicorn.Config, door: Door) -> None:
        super().__init__(config)
        self._door, self._is_ending = door, False
        self.said: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.said()

    def handle_exit(self, sig: int, frame: Any) -> None:
        if self._is_ending:
            self.should_exit = self.force_exit = True
            return
        self._is_ending = True
        self._door.end()
        self._loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        self._finishing = self._loop.create_task(self._end_when_idle())

    async def _end_when_idle(self) -> None:
        until = self._loop.time() + FINISH_SECONDS
        while self._door.under_way and self._loop.time() < until:
            await asyncio.sleep(_LOOK_SECONDS)
        self.should_exit = True


def _is_this_machine(host: str) -> bool:
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    return name in LOOPBACK


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(256)
    except OSError as error:
        listening.close()
        raise LoraHubError(
            _("Port {port} cannot be used: {reason}."),
            _("Give another one with --port."),
            port=str(port),
            reason=(error.strerror or str(error)).rstrip("."),
        ) from error
    return listening
