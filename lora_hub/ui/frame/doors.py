"""Where people sign in: the addresses that the page itself uses, and size limits for what arrives through them.

Gradio serves some thirty more addresses: a proxy, functions of components, links that keep a page's state on disk. The
page needs none of these, so they are refused. Uploads are only for people who may train. They are limited while they
arrive, belong to their sender, and are deleted after a while if no dataset was made of them.
"""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from lora_hub.api import NAMES
from lora_hub.core import settings
from lora_hub.core.errors import AccessError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.people import Person, limits, rules
from lora_hub.people.rules import Action
from lora_hub.ui.frame.asking import SENT, who_asks_in
from lora_hub.ui.frame.guard import refuse
from lora_hub.ui.frame.outside import inner_path

API = "/gradio_api/"
UPLOAD, FILE = f"{API}upload", f"{API}file="
# Addresses that the page's scripts request, besides its own files.
USED = (
    "queue/join",
    "queue/data",
    "heartbeat/",
    "cancel",
    "reset",
    "upload_progress",
    "info",
    "startup-events",
    *(f"call/{name}" for name in NAMES),
    *(f"call/v2/{name}" for name in NAMES),
)
PAGES = ("/", "/config", "/favicon.ico", "/robots.txt", "/manifest.json", "/theme.css", f"{API}theme.css")
ASSETS = ("/assets/", "/static/", "/svelte/", f"{API}custom_component/")
# The largest form from somebody who may train (it may contain a pasted file), and from anybody else.
FORM_BYTES, LITTLE_BYTES = 16 << 20, 1 << 20
AROUND_FILE_BYTES = 64 << 10
# How many uploads of one person may wait to become a dataset, and for how long.
MOST_WAITING, WAITING_SECONDS = 4, 600.0


class Doors:
    """ASGI middleware. It stands behind the one that identifies the person."""

    def __init__(self, app: Any) -> None:
        self.app, self.uploads = app, Uploads()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope[SENT] = self.uploads.is_of
        path = inner_path(scope)
        if not _is_used(path):
            await refuse(404, _("The page has no such address."), scope, receive, send)
            return
        try:
            person = await run_in_threadpool(who_asks_in, scope) if _concerns_a_person(scope, path) else None
            if path.startswith(UPLOAD) and scope["method"] == "POST" and person is not None:
                await self._upload(person, scope, receive, send)
            elif path.startswith(FILE) and not (person and self.uploads.is_of(person, path[len(FILE) :])):
                await refuse(403, _("This is no file of yours."), scope, receive, send)
            elif person is not None and scope["method"] == "POST":
                most = FORM_BYTES if rules.may(person, Action.TRAIN) else LITTLE_BYTES
                await self._bounded(most, scope, receive, send)
            else:
                await self.app(scope, receive, send)
        except LoraHubError as error:
            await refuse(403 if isinstance(error, AccessError) else 400, error.said, scope, receive, send)

    async def _upload(self, person: Person, scope: Any, receive: Any, send: Any) -> None:
        rules.check(person, Action.TRAIN)
        limits.check_pace(person)
        most = limits.largest_upload()
        told = bytearray()

        async def keep(message: dict) -> None:
            if message["type"] == "http.response.body" and len(told) < AROUND_FILE_BYTES:
                told.extend(message.get("body", b""))
            await send(message)

        with limits.under_way(person):  # what arrives is on the disk, and counts as nobody's yet
            await self._bounded(most + AROUND_FILE_BYTES, scope, receive, keep)
        self.uploads.add(person, _paths(told))

    async def _bounded(self, most: int, scope: Any, receive: Any, send: Any) -> None:
        """Serves a request whose body has at most `most` bytes. A larger one is refused before it is read in full."""
        said = _("That is more than {most:,.0f} MB at once.", most=most / limits.MB)
        length = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"")
        if length.isdigit() and int(length) > most:
            await refuse(413, said, scope, receive, send)
            return
        left, has_begun = most, False

        async def count() -> Any:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            return {"type": "http.disconnect"} if left < 0 else message

        async def watch(message: dict) -> None:
            nonlocal has_begun
            if left >= 0:
                has_begun = True
                await send(message)

        try:
            await self.app(scope, count, watch)
        except ClientDisconnect:
            pass
        if left < 0 and not has_begun:
            await refuse(413, said, scope, receive, send)


class Uploads:
    """Remembers who sent each file in the page's upload folder. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._known: dict[str, tuple[str, float]] = {}  # path -> (person, when it came)
        self._timer: threading.Timer | None = None

    def add(self, person: Person, paths: list[str]) -> None:
        """Registers files that a person sent. Removes that person's oldest files beyond the limit, and everybody's that
        have waited too long."""
        with self._lock:
            now = self._clock()
            for path in paths:
                self._known[path] = (person.id, now)
            mine = [path for path, (owner, _came) in self._known.items() if owner == person.id]
            for path in mine[:-MOST_WAITING]:
                self._remove(path)
            self._remove_late(now)

    def _remove_late(self, now: float) -> None:
        """Also sees to it that the oldest file left is looked at in time: one timer for all, not a thread for each
        upload."""
        late = [path for path, (_owner, came) in self._known.items() if now - came > WAITING_SECONDS]
        for path in late:
            self._remove(path)
        if self._timer is None and self._known:
            oldest = min(came for _owner, came in self._known.values())
            self._timer = threading.Timer(oldest + WAITING_SECONDS + 1 - now, self._wake)
            self._timer.daemon = True
            self._timer.start()

    def _wake(self) -> None:
        with self._lock:
            self._timer = None
            self._remove_late(self._clock())

    def is_of(self, person: Person, path: str) -> bool:
        """Whether this person sent the file at this path."""
        with self._lock:
            return bool(person.id) and self._known.get(path, ("", 0.0))[0] == person.id

    def _remove(self, path: str) -> None:
        self._known.pop(path, None)
        Path(path).unlink(missing_ok=True)


def _is_used(path: str) -> bool:
    if path in PAGES or path.startswith((*ASSETS, FILE)) or (settings.has_mcp() and path == "/mcp"):
        return True
    inner = path.removeprefix(API)
    return inner != path and (inner.startswith(USED) or inner.rstrip("/") == "upload")


def _concerns_a_person(scope: Any, path: str) -> bool:
    return scope["method"] == "POST" or path.startswith(FILE)


def _paths(told: bytes | bytearray) -> list[str]:
    """The paths in Gradio's answer to an upload."""
    try:
        found = json.loads(bytes(told))
    except ValueError:  # it was refused
        return []
    return [path for path in found if isinstance(path, str)] if isinstance(found, list) else []
