"""Settings from the environment: our folder, the organization, the Hub, the port.

Functions that read the environment when called, so that a test isolates everything with one
`monkeypatch.setenv("LORA_HUB_HOME", ...)`.

| variable | meaning | default |
|---|---|---|
| LORA_HUB_HOME | our folder on disk | ~/.lora_hub |
| LORA_HUB_ORG | organization that adapters are published to | lora-hub |
| LORA_HUB_MAX_UPLOAD_MB | largest dataset file, MB | 512 |
| LORA_HUB_SLOTS | runs that may train at once on this machine | 1 |
| LORA_HUB_PORT | port of the page | 7860 |
| LORA_HUB_BIND | IP address that the page listens on; 0.0.0.0: all of this machine's | 127.0.0.1; in a Space 0.0.0.0 |
| LORA_HUB_ROOT_PATH | path of the page behind a proxy, such as /lora | |
| LORA_HUB_HOSTS | host names that serve the page besides this machine's own, separated by commas | |
| LORA_HUB_PROXIES | addresses and networks of proxies whose X-Forwarded-For is believed, with commas | 127.0.0.1 |
| LORA_HUB_MCP | `1`: an MCP server with the functions for programs at /mcp | |
| LORA_HUB_SERVE | `1`: the adapters behind OpenAI's wire at /v1 | |
| LORA_HUB_LOG_LEVEL | `debug`, `info` or `warning`: what the page's process logs | info |
| LORA_HUB_HUB | `embedded` or `public`; unset: public if there is a token or this is a Space | |
| LORA_HUB_UPSTREAM | Hub from which the embedded one reads what it does not hold, or `off` | https://huggingface.co |
| LORA_HUB_IDLE_MINUTES | the embedded Hub stops after so many minutes without use; 0: never | 10 |
| LORA_HUB_SPEED | `off`: how fast this machine is is not measured | |
| LORA_HUB_LOCALE | folder of the languages besides English (languages.py reads it) | the package's own |
| HF_ENDPOINT | address of another Hub, such as a team's | |
| HF_TOKEN | the token for the Hub in use; never written anywhere | |
| LORA_HUB_STATE | dataset repo in which an app without a lasting disk keeps its runs and files | |
| LORA_HUB_STATE_KEY | the key that they are encrypted with there: any text of 32 characters or more | |
| LORA_HUB_SERVICE_TOKEN | the Space's own token, if people sign in and the Space publishes for them | |
| LORA_HUB_JUDGE_URL, LORA_HUB_JUDGE_MODEL | an OpenAI-compatible address and its model, a judge of test sets | |
| LORA_HUB_JUDGE_KEY | the key for it; never written anywhere, and sent to no other address if there is one | |
| OAUTH_CLIENT_ID | turns sign-in on; a Space with `hf_oauth: true` sets it and its three companions | |
| OAUTH_CLIENT_SECRET, OAUTH_SCOPES, OPENID_PROVIDER_URL | the companions of OAUTH_CLIENT_ID | |
"""

import ipaddress
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _
from lora_hub.core.variables import is_address as is_address
from lora_hub.core.variables import is_loopback as is_loopback
from lora_hub.core.variables import read_address, read_number, read_switch

HUBS = ("public", "embedded")
LOG_LEVELS = ("debug", "info", "warning")
# The names that the Hub allows for users and organizations.
NAMESPACE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?")

# The secret of a Space that publishes everybody's adapters, if the organization wants that.
SERVICE_TOKEN = "LORA_HUB_SERVICE_TOKEN"
# The secret with which what the app stores is encrypted where it is kept in a repo.
STATE_KEY = "LORA_HUB_STATE_KEY"
# The secret that goes to an OpenAI-compatible address that judges test sets.
JUDGE_KEY = "LORA_HUB_JUDGE_KEY"
# The app's variables that no run's process or other child process receives.
SECRETS = (SERVICE_TOKEN, STATE_KEY, JUDGE_KEY, "OAUTH_CLIENT_SECRET")

ROOT_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")


def without_secrets() -> dict[str, str]:
    """The environment for a child process that asks no Hub and needs no secret."""
    secret = {*SECRETS, "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}
    return {name: value for name, value in os.environ.items() if name not in secret}


def check() -> None:
    """Checks every variable before anything starts, so that none turns out wrong in the middle of the work. Raises
    SpecError naming the variable, its value and what is allowed."""
    check_home()
    for ask in (
        organization,
        max_upload_bytes,
        slots,
        hub_idle_minutes,
        asked_hub,
        hub_address,
        upstream,
        hosts,
        proxies,
        bind,
        root_path,
        log_level,
        has_mcp,
        has_endpoint,
        measures_speed,
        state_repo,
    ):
        ask()
    _port("LORA_HUB_PORT")


def home() -> Path:
    """Our folder. It holds datasets/, runs/, hub/ and cache/."""
    return Path(os.environ.get("LORA_HUB_HOME") or Path.home() / ".lora_hub").expanduser().resolve()


def check_home() -> None:
    """Raises SpecError if our folder cannot exist, because it or a parent is a file."""
    folder = home()
    file = next((part for part in (folder, *folder.parents) if part.exists() and not part.is_dir()), None)
    if file is None:
        return
    raise SpecError(
        _("LORA_HUB_HOME is to be a folder, and in {folder} the part {file} is a file.")
        if file != folder
        else _("LORA_HUB_HOME is to be a folder, and {folder} is a file."),
        _("Set it to a folder that you may write to, or unset it."),
        folder=folder,
        file=file,
    )


def hide_progress() -> None:
    """Tells the libraries (`huggingface_hub`, and transformers, which follows it) not to draw progress bars if standard
    error is not a terminal; in a log each step of a bar is a line. Call it before they are imported."""
    if sys.stderr is None or not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def datasets_dir(owner: str = "") -> Path:
    """Where dataset files are stored: those of the local user, or of a person who signs in."""
    return people_dir() / owner / "datasets" if owner else home() / "datasets"


def comparisons_dir(owner: str = "") -> Path:
    """Where kept comparisons and votes are stored: those of the local user, or of a person who signs in."""
    return people_dir() / owner / "comparisons" if owner else home() / "comparisons"


def people_dir() -> Path:
    """A folder for each person who signs in; the local user has our folder itself."""
    return home() / "people"


def runs_dir() -> Path:
    return home() / "runs"


def hub_dir() -> Path:
    """The embedded Hub's folder."""
    return home() / "hub"


def hub_idle_minutes() -> float:
    """Minutes after which an unused embedded Hub stops; 0: never. Raises SpecError if LORA_HUB_IDLE_MINUTES is not a
    number from 0 up."""
    return read_number("LORA_HUB_IDLE_MINUTES", 10, least=0, most=1e6)


def organization() -> str:
    """Raises SpecError if LORA_HUB_ORG is not a valid organization name."""
    return check_namespace(os.environ.get("LORA_HUB_ORG") or "lora-hub", "LORA_HUB_ORG")


def check_namespace(name: str, where: str) -> str:
    """The name of a user or an organization, unchanged. where: the variable or option it came from. Raises SpecError if
    it is not valid."""
    if not NAMESPACE.fullmatch(name):
        raise SpecError(
            _("{where} is {name!r}, which can be no organization's name."),
            _("Give letters, digits, `-`, `_` and `.` only, such as lora-hub."),
            where=where,
            name=name[:60],
        )
    return name


def state_repo() -> str:
    """The repo in LORA_HUB_STATE; empty if unset. Raises SpecError if it is not of the form ORG/NAME."""
    name = os.environ.get("LORA_HUB_STATE", "").strip()
    parts = name.split("/")
    if name and (len(parts) != 2 or not all(NAMESPACE.fullmatch(part) for part in parts)):
        raise SpecError(
            _("LORA_HUB_STATE is {name!r}, which is not of the form ORG/NAME."),
            _("Name a dataset repo, such as our-team/lora-hub-state, or unset it."),
            name=name[:120],
        )
    return name


def asked_hub() -> str:
    """The kind of Hub requested: "public", "embedded", or "" if LORA_HUB_HUB is unset. Raises SpecError for another
    value."""
    asked = os.environ.get("LORA_HUB_HUB") or ""
    if asked and asked not in HUBS:
        raise SpecError(_("LORA_HUB_HUB is {asked!r}."), _("It is `public`, `embedded` or unset."), asked=asked)
    return asked


def log_level() -> str:
    """What the page's process logs: a level of Python's logging. Raises SpecError for any other."""
    told = (os.environ.get("LORA_HUB_LOG_LEVEL") or "info").strip().lower()
    if told not in LOG_LEVELS:
        raise SpecError(
            _("LORA_HUB_LOG_LEVEL is {level!r}."), _("It is `debug`, `info`, `warning` or unset."), level=told[:40]
        )
    return told.upper()


def hub_address() -> str:
    """The address in HF_ENDPOINT without a trailing slash; empty if unset. Raises SpecError if it is not an address."""
    return read_address("HF_ENDPOINT", os.environ.get("HF_ENDPOINT") or "")


def upstream() -> str:
    """LORA_HUB_UPSTREAM: an address, "off", or empty if unset. Raises SpecError if it is neither."""
    told = os.environ.get("LORA_HUB_UPSTREAM") or ""
    return told if told == "off" else read_address("LORA_HUB_UPSTREAM", told)


def max_upload_bytes() -> int:
    """Raises SpecError if LORA_HUB_MAX_UPLOAD_MB is not a number above 0."""
    return int(read_number("LORA_HUB_MAX_UPLOAD_MB", 512, least=0.001, most=1e9) * 1e6)


def slots() -> int:
    """Raises SpecError if LORA_HUB_SLOTS is not a whole number from 1 up."""
    return int(read_number("LORA_HUB_SLOTS", 1, least=1, most=1000, whole=True))


def hosts() -> tuple[str, ...]:
    """The names in LORA_HUB_HOSTS, such as those of a proxy in front of the page. Raises SpecError if one is not a host
    name."""
    names = tuple(name for name in os.environ.get("LORA_HUB_HOSTS", "").replace(",", " ").split() if name)
    for name in names:
        if not HOST.fullmatch(name):
            raise SpecError(
                _("LORA_HUB_HOSTS names {name!r}, which is no name of a machine."),
                _("Give names without http:// and port, such as lora.example.org, with commas between them."),
                name=name[:100],
            )
    return names


def proxies() -> tuple[str, ...]:
    """The addresses and networks in LORA_HUB_PROXIES: of a request that comes from one of them, the last address in
    X-Forwarded-For that is none of them is the visitor's. Raises SpecError if one is neither."""
    told = tuple(one for one in os.environ.get("LORA_HUB_PROXIES", "").replace(",", " ").split() if one)
    for one in told:
        try:
            ipaddress.ip_network(one)
        except ValueError as error:
            raise SpecError(
                _("LORA_HUB_PROXIES names {name!r}, which is neither an IP address nor a network of them."),
                _("Give such as 10.0.0.7 or 10.0.0.0/8, with commas between them."),
                name=one[:100],
            ) from error
    return told


def has_mcp() -> bool:
    """Whether the app is an MCP server, too. Raises SpecError."""
    return read_switch("LORA_HUB_MCP")


def has_endpoint() -> bool:
    """Whether the app answers over OpenAI's wire, too. Raises SpecError."""
    return read_switch("LORA_HUB_SERVE")


def measures_speed() -> bool:
    """Whether this machine's speed is measured, once and in the background, to say what a training will take. Raises
    SpecError."""
    asked = os.environ.get("LORA_HUB_SPEED", "").strip()
    if asked not in ("", "off"):
        raise SpecError(
            _("The environment variable {name} is {text!r}."),
            _("It is `off` or unset."),
            name="LORA_HUB_SPEED",
            text=asked[:100],
        )
    return not asked


def bind() -> str:
    """The IP address that the page listens on. Raises SpecError if LORA_HUB_BIND is none."""
    told = (os.environ.get("LORA_HUB_BIND") or "").strip() or ("0.0.0.0" if in_space() else "127.0.0.1")
    try:
        return str(ipaddress.ip_address(told))
    except ValueError as error:
        raise SpecError(
            _("LORA_HUB_BIND is {address!r}, which is no IP address."),
            _("Give one of this machine's, 0.0.0.0 for all of them, or leave it out: then only this machine gets in."),
            address=told[:100],
        ) from error


def is_open_to_others() -> bool:
    """Whether other machines reach the page."""
    return not ipaddress.ip_address(bind()).is_loopback


def root_path() -> str:
    """The path of the page behind a proxy, without a slash at its end; "" for none. Raises SpecError if
    LORA_HUB_ROOT_PATH is not a path."""
    told = (os.environ.get("LORA_HUB_ROOT_PATH") or "").strip().rstrip("/")
    if told and not ROOT_PATH.fullmatch(told):
        raise SpecError(
            _("LORA_HUB_ROOT_PATH is {path!r}, which is no path."),
            _("Give it as /lora or /tools/lora: letters, digits, '-', '_', '.' and '~'."),
            path=told[:100],
        )
    return told


def port() -> int:
    """Raises SpecError if LORA_HUB_PORT (or Gradio's own GRADIO_SERVER_PORT) is not a port. 0: any free port."""
    return _port("LORA_HUB_PORT" if os.environ.get("LORA_HUB_PORT") else "GRADIO_SERVER_PORT")


def _port(name: str) -> int:
    return int(read_number(name, 7860, least=0, most=65535, whole=True))


def in_space() -> bool:
    """True inside a Hugging Face Space."""
    return bool(os.environ.get("SPACE_ID"))


def has_zero_gpu() -> bool:
    """True inside a Space on ZeroGPU, which borrows a GPU for each question; the Hub sets this variable."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def signs_in() -> bool:
    """Whether people sign in here: in every Space, and wherever OAUTH_CLIENT_ID is set. Elsewhere the app belongs to
    whoever uses this machine."""
    return in_space() or has_sign_in()


def sign_in_host() -> str:
    """The host, and port if it has one, of the Hub that people sign in with; empty if there is none."""
    return urlsplit(os.environ.get("OPENID_PROVIDER_URL", "").strip()).netloc.rpartition("@")[2]


def has_sign_in() -> bool:
    """Whether there is a Hub to sign in with; a Space has one if its card says `hf_oauth: true`."""
    return bool(os.environ.get("OAUTH_CLIENT_ID"))
