"""Which browser requests the page's server accepts: those of the page itself, not those of other sites open beside it.

- Cross-site requests: a site can make a visitor's browser send anything to 127.0.0.1. So whatever changes something
  must come from our own page, which browsers report (Fetch Metadata, `Sec-Fetch-Site`; older ones: `Origin`).
- DNS rebinding: a site can point its own name at 127.0.0.1, so that the browser takes our responses for its own. So on
  a laptop the server only answers to names of this machine; where other machines reach it, to IP addresses too, which
  no site can point anywhere.
- Programs: only the public functions (api/endpoints.py) are called by their name.
- Clickjacking: a site can show our page inside its own, under something else that is clicked. So the page says which
  sites may frame it.

A program that is not a browser sends none of these headers.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from lora_hub.api import NAMES
from lora_hub.core import languages
from lora_hub.core.messages import Message, _

# The site that shows Spaces in a frame.
HUB_FRAMES = ("https://huggingface.co", "https://*.huggingface.co")
# Names of this machine's own addresses.
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CHANGES_NOTHING = ("GET", "HEAD", "OPTIONS")
# A program names the function that it calls in the address.
CALL = re.compile(r"/gradio_api/(?:call(?:/v2)?|run|api)/([^/]*)/?$")


class Guard:
    """ASGI middleware.

    hosts: the host names that the server answers to; empty: any, as in a Space, whose proxy checks them itself.
    addresses: also to any IP address. frames: the sites that may show the page in a frame, besides itself.
    """

    def __init__(
        self, app: Any, hosts: Sequence[str] = (), frames: Sequence[str] = (), addresses: bool = False
    ) -> None:
        self.app, self.hosts, self.addresses = app, {host.lower() for host in hosts}, addresses
        # The page contains who is signed in, so no shared cache may keep it for the next visitor.
        self._of_pages = [
            (b"content-security-policy", " ".join(("frame-ancestors 'self'", *frames)).encode()),
            (b"cache-control", b"private, no-cache"),
        ]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            refused = self._refusal(scope)
            if refused is not None:
                status, said = refused
                await refuse(status, said, scope, receive, send)
                return

        async def tell(message: Any) -> None:
            if message["type"] == "http.response.start" and _is_html(message["headers"]):
                message = {**message, "headers": [*message["headers"], *self._of_pages]}
            await send(message)

        await self.app(scope, receive, tell)

    def _refusal(self, scope: Any) -> tuple[int, Message] | None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if self.hosts and _name(host) not in self.hosts and not (self.addresses and _is_address(_name(host))):
            return 421, _(
                "This page is not answered under the name {name!r}. Open it as http://127.0.0.1, or name it in "
                "LORA_HUB_HOSTS.",
                name=_name(host)[:100],
            )
        if scope["type"] == "http" and scope["method"] in CHANGES_NOTHING:
            return None
        called = CALL.search(scope["path"])
        if called and called[1] not in NAMES:
            return 404, _("There is no such function for programs. There are: {names}.", names=NAMES)
        site, origin = headers.get(b"sec-fetch-site", ""), headers.get(b"origin", "")
        foreign = site not in ("same-origin", "none") if site else bool(origin) and urlsplit(origin).netloc != host
        return (403, _("Another site's page asked for this. Ask from this page itself.")) if foreign else None


def _is_html(headers: Any) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in headers)


def _name(host: str) -> str:
    """The name in a Host header: without its port, and an IPv6 address without brackets."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def refuse(status: int, said: Message, scope: Any, receive: Any, send: Any) -> None:
    """Sends a refusal in every language, because nothing is known about the person."""
    from starlette.responses import PlainTextResponse

    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    told = "\n".join(said.in_language(language) for language in languages.languages())
    await PlainTextResponse(told + "\n", status)(scope, receive, send)
