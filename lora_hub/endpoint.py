"""Which Hub this process talks to, decided before `huggingface_hub` is imported: the public one, or the embedded one.

`connect()` decides, finds or starts the embedded Hub's server, and sets the environment that the client reads at its
import. Standard library only; the server is another process and outlives this one when it is killed.

| variable | effect |
|---|---|
| LORA_HUB_HUB | `public` or `embedded`; unset: public in a Space or where HF_TOKEN or HF_ENDPOINT is set |
"""

import fcntl
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import settings
from .errors import HubError

PUBLIC_URL = "https://huggingface.co"
LOCAL_USER = "local"
START_SECONDS = 30.0
POLL_SECONDS = 0.02


@dataclass
class HubConnection:
    """The Hub in use. `kind`: "embedded" or "public". `started_here`: this process started the embedded server."""

    kind: str
    url: str
    organization: str
    user: str = ""
    started_here: bool = False
    _server: "subprocess.Popen | None" = None

    def close(self) -> None:
        """Ends the embedded server if this process started it; otherwise leaves it alone."""
        if self._server is None:
            return
        self._server.terminate()
        try:
            self._server.wait(5)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._server, self.started_here = None, False


def wanted_kind() -> str:
    """"public" or "embedded", from the environment. Raises HubError for another value of LORA_HUB_HUB."""
    asked = os.environ.get("LORA_HUB_HUB", "")
    if asked not in ("", "public", "embedded"):
        raise HubError(
            f"LORA_HUB_HUB is {asked!r}.", "It is `public`, `embedded` or unset.",
            message_fa=f"مقدار LORA_HUB_HUB برابر «{asked}» است.", hint_fa="یا «public» یا «embedded» بدهید، یا هیچ.",
        )  # fmt: skip
    if asked:
        return asked
    chosen = settings.in_space() or os.environ.get("HF_TOKEN") or os.environ.get("HF_ENDPOINT")
    return "public" if chosen else "embedded"


def connect(*, start: bool = True) -> HubConnection:
    """Decides, and sets the environment for `huggingface_hub`. Raises HubError where the embedded Hub cannot be had,
    where the client was imported before with another address, or where `start` is False and no server runs."""
    if wanted_kind() == "public":
        url = (os.environ.get("HF_ENDPOINT") or PUBLIC_URL).rstrip("/")
        _check_client(url)
        return HubConnection("public", url, settings.organization())
    folder = settings.hub_dir()
    url, server = find_server(folder), None
    if url is None and not start:
        raise HubError(
            f"The embedded Hub of {folder} is not running.", "Start it with `python -m lora_hub hub`.",
            message_fa=f"هابِ همراه در «{folder}» به کار نیفتاده است.", hint_fa="آن را با «python -m lora_hub hub» راه بیندازید.",
        )  # fmt: skip
    if url is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder / "start.lock"):  # of two that start at once, the second finds the first one's server
                url = find_server(folder)
                if url is None:
                    url, server = _start(folder)
        except OSError as error:
            raise HubError(
                f"The embedded Hub's folder {folder} cannot be used: {error.strerror}.",
                "Set LORA_HUB_HOME to a folder that you may write to.",
                message_fa=f"پوشهٔ هابِ همراه، «{folder}»، به کار نمی‌آید ({error.strerror}).",
                hint_fa="در LORA_HUB_HOME پوشه‌ای بگذارید که اجازهٔ نوشتن در آن هست.",
            ) from error  # fmt: skip
    _check_client(url)
    user, token = LOCAL_USER, os.environ.get("HF_TOKEN", "")
    if _read_record(folder).get("accounts"):
        user = ""
        if not token:
            raise HubError(
                f"The embedded Hub of {folder} knows its users by their tokens, and none was given.", "Set HF_TOKEN to yours.",
                message_fa=f"هابِ همراه در «{folder}» کاربرانش را با توکن می‌شناسد، و توکنی داده نشده است.",
                hint_fa="توکن خود را در HF_TOKEN بگذارید.",
            )  # fmt: skip
    else:
        token = (folder / "token").read_text().strip()
    cache = settings.home() / "cache"
    addresses = [part for part in os.environ.get("NO_PROXY", "").split(",") if part]
    addresses += [name for name in ("127.0.0.1", "localhost") if name not in addresses]
    os.environ |= {"LORA_HUB_HUB": "embedded",  # children decide as we did, although they see HF_ENDPOINT
                   "HF_ENDPOINT": url, "HF_TOKEN": token, "HF_HUB_DISABLE_XET": "1",
                   "HF_HUB_DISABLE_TELEMETRY": "1", "DISABLE_SAFETENSORS_CONVERSION": "1",
                   "NO_PROXY": ",".join(addresses), "no_proxy": ",".join(addresses),
                   "HF_HOME": str(cache), "HF_HUB_CACHE": str(cache / "hub")}
    return HubConnection("embedded", url, settings.organization(), user, server is not None, server)


def _check_client(url: str) -> None:
    client = sys.modules.get("huggingface_hub.constants")
    if client is not None and client.ENDPOINT.rstrip("/") != url:
        raise HubError(
            f"huggingface_hub was imported while the Hub was {client.ENDPOINT}, and now it is {url}.",
            "Call lora_hub.endpoint.connect() before anything imports huggingface_hub, or start again.",
            message_fa=f"کتابخانهٔ huggingface_hub وقتی بار شد که هاب {client.ENDPOINT} بود، و اکنون {url} است.",
            hint_fa="پیش از بارکردنِ آن lora_hub.endpoint.connect() را فرا بخوانید، یا برنامه را از نو راه بیندازید.",
        )  # fmt: skip


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read_record(folder: Path) -> dict:
    try:
        record = json.loads((folder / "server.json").read_text())
    except (OSError, ValueError):  # no server yet, or a folder that was damaged: either way a new one is written
        return {}
    return record if isinstance(record, dict) else {}


def find_server(folder: Path, seconds: float = 4.0) -> str | None:
    """The address of the live server of this folder; None where there is none, or another one has its port now."""
    record = _read_record(folder)
    if not record.get("url") or not record.get("id"):
        return None
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{record['url']}/health", timeout=seconds) as answer:
            return record["url"] if json.load(answer).get("hub") == record["id"] else None
    except (OSError, ValueError, AttributeError, urllib.error.URLError):
        return None


def _start(folder: Path) -> tuple[str, subprocess.Popen]:
    """Starts the server, on the port it had before where that is free, so that links stay valid."""
    before = _read_record(folder).get("port") or 0
    for port in dict.fromkeys((before, 0)):
        with open(folder / "log.txt", "ab") as log:
            command = [sys.executable, "-m", "lora_hub.local_hub", "--port", str(port), "--dir", str(folder),
                       "--org", settings.organization()]
            root = str(Path(__file__).resolve().parent.parent)
            paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                      env={**os.environ, "PYTHONPATH": paths})
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and server.poll() is None:
            if _read_record(folder).get("pid") == server.pid and (url := find_server(folder)):
                return url, server
            time.sleep(POLL_SECONDS)
        if server.poll() is None:
            server.kill()
            server.wait()
    lines = (folder / "log.txt").read_text(errors="replace").strip().splitlines()
    raise HubError(
        f"The embedded Hub of {folder} did not start: {lines[-1] if lines else 'no word from it'}", f"Its log is {folder / 'log.txt'}.",
        message_fa=f"هابِ همراه در «{folder}» راه نیفتاد" + (f" ({lines[-1]})." if lines else " و چیزی نگفت."),
        hint_fa=f"گزارش آن را در «{folder / 'log.txt'}» ببینید.",
    )  # fmt: skip
