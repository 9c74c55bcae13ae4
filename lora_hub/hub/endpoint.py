"""Which Hub this process talks to, decided before `huggingface_hub` is imported: the public one, another one that
HF_ENDPOINT names (a team's), or the embedded one of this home.

`connect()` decides, finds or starts the embedded Hub's server, and sets the environment that the client reads at its
import. The embedded Hub belongs to its folder, not to whoever started it: everybody who needs it starts it where it
does not run, everybody who is connected keeps it alive, and it ends itself when nobody has used it for a while.
Standard library only.

| variable | effect |
|---|---|
| LORA_HUB_HUB | `public` or `embedded`; unset: not embedded in a Space or where HF_TOKEN or HF_ENDPOINT is set |
| HF_ENDPOINT | the address of another Hub, such as a team's |
| LORA_HUB_CONNECTED_TO | set by `connect` for children: HF_ENDPOINT and HF_TOKEN are its own words, not a person's |
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from lora_hub.core import settings
from lora_hub.core.errors import HubError, LoraHubError, SpecError
from lora_hub.core.messages import Message, _
from lora_hub.core.processes import with_package
from lora_hub.local_hub.folder import (
    POLL_SECONDS,
    SERVER_LOCK,
    START_LOCK,
    USERS_LOCK,
    alone,
    find_server,
    is_locked,
    read_record,
    take_lock,
)

PUBLIC_URL = "https://huggingface.co"
LOCAL_USER = "local"
START_SECONDS = 30.0
LEASE_SECONDS = 10.0  # a server that is just ending lets go well before


@dataclass
class HubConnection:
    """The Hub in use. `kind`: "embedded", "public", or "other" for one that HF_ENDPOINT names. `started_here`: this
    process started the embedded server. `token_aside`: a token was given that this machine's own Hub does not know.

    While it is open, the embedded server does not end for want of use."""

    kind: str
    url: str
    organization: str
    user: str = ""
    started_here: bool = False
    folder: Path | None = None
    token_aside: bool = False
    _lease: IO[bytes] | None = field(default=None, repr=False)

    @property
    def notes(self) -> list[Message]:
        """What a person should know about the choice."""
        aside = _(
            "HF_TOKEN is not used: LORA_HUB_HUB=embedded names this machine's own Hub, which has a token of its own."
        )
        return [aside] if self.token_aside else []

    def wake(self) -> None:
        """Starts the embedded server where it does not run any more. Raises HubError where it cannot be had."""
        if self.folder is None:
            return
        url, started = _serve(self.folder)
        self.started_here |= started
        if url != self.url:  # another program took its port while it was down
            _tell_client(url)
            self.url = url

    def close(self) -> None:
        """Does not need the Hub any more. It goes on for others, and ends itself when there are none."""
        global _connection
        if self._lease is not None:
            self._lease.close()
            self._lease = None
        if _connection is self:
            _connection = None


# The client reads its address once in a process, so what is connected is the process, too.
_connection: HubConnection | None = None


def wake() -> None:
    """Starts the embedded Hub that this process is connected to, where it has ended or was killed. Raises HubError."""
    if _connection is not None:
        _connection.wake()


@contextmanager
def connected() -> Iterator[HubConnection]:
    """The connection of this process, or one for the block where there is none. Raises HubError."""
    if _connection is not None:
        yield _connection
        return
    connection = connect()
    try:
        yield connection
    finally:
        connection.close()


def wanted_kind() -> str:
    """The kind of Hub ("public", "other" or "embedded") from the environment. Raises SpecError for another value of
    LORA_HUB_HUB."""
    asked = settings.asked_hub()
    if asked == "embedded":
        return asked
    if os.environ.get("HF_ENDPOINT"):
        return kind_of(os.environ["HF_ENDPOINT"])
    return "public" if asked or settings.in_space() or os.environ.get("HF_TOKEN") else "embedded"


def kind_of(url: str) -> str:
    """The kind: "embedded" for the address of the embedded Hub that this process is connected to, "public" for
    huggingface.co, else "other"."""
    if _connection is not None and _connection.kind == "embedded" and url.rstrip("/") == _connection.url:
        return "embedded"
    host = (urlsplit(url).hostname or "").lower()
    return "public" if host in ("huggingface.co", "hf.co") or host.endswith((".huggingface.co", ".hf.co")) else "other"


def connect(*, start: bool = True) -> HubConnection:
    """Decides, and sets the environment for `huggingface_hub`. Raises SpecError where a variable says what can't be,
    HubError where the embedded Hub cannot be had, where the client was imported before with another address, or where
    `start` is False and no server runs."""
    global _connection
    kind = wanted_kind()
    _connection = _connect_embedded(start) if kind == "embedded" else _connect_elsewhere(kind)
    return _connection


def _connect_elsewhere(kind: str) -> HubConnection:
    url = settings.hub_address() or PUBLIC_URL
    _check_client(url)
    if urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1"):
        _past_proxies()
    return HubConnection(kind, url, settings.organization())


def _connect_embedded(start: bool) -> HubConnection:
    folder = settings.hub_dir()
    _check_contradiction(folder)
    if not start and find_server(folder) is None:
        raise HubError(
            _("The embedded Hub of {folder} is not running."),
            _("Start it with `python -m lora_hub hub`."),
            folder=folder,
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Taken before the server is looked for: one that is found with this in hand does not end under us.
        lease = take_lock(folder / USERS_LOCK, shared=True, seconds=LEASE_SECONDS)
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        url, started = _serve(folder)
        if (client := _client_url()) and client == os.environ.get("LORA_HUB_CONNECTED_TO"):
            _tell_client(url)  # it knows this same Hub already, which may have moved since
        _check_client(url)
        user, aside, token = (
            LOCAL_USER,
            False,
            "" if os.environ.get("LORA_HUB_CONNECTED_TO") else os.environ.get("HF_TOKEN", ""),
        )
        if read_record(folder).get("accounts"):
            user, token = "", os.environ.get("HF_TOKEN", "")
            if not token:
                raise HubError(
                    _("The embedded Hub of {folder} knows its users by their tokens, and none was given."),
                    _("Set HF_TOKEN to yours."),
                    folder=folder,
                )
        else:
            given, token = token, (folder / "token").read_text().strip()
            aside = given not in ("", token)
    except BaseException:
        if lease is not None:
            lease.close()
        raise
    cache = settings.home() / "cache"
    _past_proxies()
    os.environ |= {
        "LORA_HUB_HUB": "embedded",  # children decide as we did, although they see HF_ENDPOINT
        "HF_ENDPOINT": url,
        "LORA_HUB_CONNECTED_TO": url,
        "HF_TOKEN": token,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DISABLE_SAFETENSORS_CONVERSION": "1",
        "HF_HOME": str(cache),
        "HF_HUB_CACHE": str(cache / "hub"),
    }
    return HubConnection("embedded", url, settings.organization(), user, started, folder, aside, lease)


def _check_contradiction(folder: Path) -> None:
    """Raises SpecError where LORA_HUB_HUB says the embedded Hub and HF_ENDPOINT another one: either could be meant."""
    url = os.environ.get("HF_ENDPOINT", "").rstrip("/")
    if url and url not in (os.environ.get("LORA_HUB_CONNECTED_TO"), read_record(folder).get("url")):
        raise SpecError(
            _("LORA_HUB_HUB=embedded means this machine's own Hub, and HF_ENDPOINT names another one: {url}."),
            _("Leave LORA_HUB_HUB out to use that one, or HF_ENDPOINT to use your own."),
            url=url,
        )


def _past_proxies() -> None:
    """No proxy stands between this machine and itself."""
    names = [part for part in os.environ.get("NO_PROXY", "").split(",") if part]
    names += [name for name in ("127.0.0.1", "localhost") if name not in names]
    os.environ |= {"NO_PROXY": ",".join(names), "no_proxy": ",".join(names)}


def _client_url() -> str:
    """The address that the client has read; empty where it was not imported yet."""
    client = sys.modules.get("huggingface_hub.constants")
    return client.ENDPOINT.rstrip("/") if client else ""


def _check_client(url: str) -> None:
    client = _client_url()
    if client and client != url:
        raise HubError(
            _("huggingface_hub was imported while the Hub was {client}, and now it is {url}."),
            _("Call lora_hub.hub.endpoint.connect() before anything imports huggingface_hub, or start again."),
            client=client,
            url=url,
        )


def _tell_client(url: str) -> None:
    """Tells the client libraries that are loaded already where the same Hub is now; children read the environment."""
    os.environ |= {"HF_ENDPOINT": url, "LORA_HUB_CONNECTED_TO": url}
    if client := sys.modules.get("huggingface_hub.constants"):
        client.ENDPOINT = url
        client.HUGGINGFACE_CO_URL_TEMPLATE = url + "/{repo_id}/resolve/{revision}/{filename}"
    if api := sys.modules.get("huggingface_hub.hf_api"):
        api.api.endpoint = url  # what the client's plain functions go through
    if datasets := sys.modules.get("datasets.config"):
        datasets.HF_ENDPOINT = url
        datasets.HUB_DATASETS_URL = url + "/datasets/{repo_id}/resolve/{revision}/{path}"


def _unusable(folder: Path, error: OSError) -> HubError:
    return HubError(
        _("The embedded Hub's folder {folder} cannot be used: {reason}."),
        _("Set LORA_HUB_HOME to a folder that you may write to."),
        folder=folder,
        reason=error.strerror,
    )


def _serve(folder: Path) -> tuple[str, bool]:
    """(the address of the folder's server, whether it was started for this). Raises HubError where it cannot be had."""
    if url := find_server(folder):
        return url, False
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(folder / START_LOCK):
            if url := find_server(folder):
                return url, False
            return _start(folder)
    except LoraHubError:
        raise
    except OSError as error:
        raise _unusable(folder, error) from error


def _end(server: subprocess.Popen) -> None:
    if server.poll() is None:
        server.kill()
    server.wait()


def _start(folder: Path) -> tuple[str, bool]:
    """Starts the server and waits until it answers: as it was before where it was started by hand, with accounts
    perhaps, and was killed. One with accounts that somebody ended is not ours to start."""
    record = read_record(folder)
    again = [part for part in record.get("again") or () if isinstance(part, str)]
    if record.get("accounts") and record.get("ended"):
        command = "python -m lora_hub hub " + " ".join(again)
        raise HubError(
            _("The Hub of {folder}, which has accounts, was ended."),
            _("Start it again: `{command}`."),
            folder=folder,
            command=command,
        )
    if not again or record.get("ended"):
        again = [
            "--for-home",
            "--dir",
            str(folder),
            "--org",
            settings.organization(),
            "--idle",
            f"{settings.hub_idle_minutes():g}",
        ]
    root = str(Path(__file__).resolve().parents[2])
    # Whose token starts it is none of its business.
    kept = {name: value for name, value in os.environ.items() if name not in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")}
    with open(folder / "log.txt", "ab") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "lora_hub.local_hub", *again],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=with_package(kept),
            cwd=root,
        )
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if url := find_server(folder):
            ours = read_record(folder).get("pid") == server.pid
            if not ours:  # one that was started by hand was quicker; ours must not wait for its end
                _end(server)
            return url, ours
        # One that was started by hand at this moment may have the folder: it is just about to answer.
        if server.poll() is not None and not is_locked(folder / SERVER_LOCK):
            break
        time.sleep(POLL_SECONDS)
    _end(server)
    lines = (folder / "log.txt").read_text(errors="replace").strip().splitlines()
    raise HubError(
        _("The embedded Hub of {folder} did not start: {reason}", reason=lines[-1])
        if lines
        else _("The embedded Hub of {folder} did not start and said nothing."),
        _("Its log is {log}."),
        folder=folder,
        log=folder / "log.txt",
    )
