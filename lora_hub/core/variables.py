"""One environment variable of a known kind, checked: a number, a switch, an address.

    read_number("LORA_HUB_SLOTS", 1, least=1, most=1000, whole=True)     1.0
    read_switch("LORA_HUB_MCP")                                          False

`settings.py` says which variables there are.
"""

import ipaddress
import math
import os
from urllib.parse import urlsplit

from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _


def is_address(url: str) -> bool:
    """Whether it is an http or https address with a host, and a port that is one."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # unclosed brackets, or a port that is not a number
        return False


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, whatever any name server says."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_address(name: str, url: str) -> str:
    """An address of a Hub without a slash at its end, "" unchanged. Raises SpecError if it is none."""
    url = url.rstrip("/")
    if url and not is_address(url):
        raise SpecError(
            _("{name} is {url!r}, which is no address of a Hub."),
            _("Give it whole, as http://hub.example:8000, or leave it out."),
            name=name,
            url=url,
        )
    return url


def read_switch(name: str) -> bool:
    """Whether it is `1`. Raises SpecError for anything but `1`, `0` and nothing."""
    asked = os.environ.get(name, "").strip()
    if asked not in ("", "0", "1"):
        said = _("The environment variable {name} is {text!r}.")
        raise SpecError(said, _("It is `1`, `0` or unset."), name=name, text=asked[:100])
    return asked == "1"


def read_number(name: str, default: float, *, least: float, most: float, whole: bool = False) -> float:
    """A number from the environment; the default if unset or empty. Raises SpecError naming the variable and its
    value."""
    text = (os.environ.get(name) or "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most or (whole and value != int(value)):
        raise SpecError(
            _(
                "The environment variable {name} is {text!r}, which is not a whole number from {least:.12g} to "
                "{most:.12g}."
            )
            if whole
            else _(
                "The environment variable {name} is {text!r}, which is not a number from {least:.12g} to {most:.12g}."
            ),
            _("Set it to one, such as {name}={default}, or unset it."),
            name=name,
            text=text[:60],
            least=least,
            most=most,
            default=f"{default:g}",
        )
    return value
