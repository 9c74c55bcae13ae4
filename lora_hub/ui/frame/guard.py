"""Who may talk to the page's server from within a browser: the page itself, and no other site that is open beside it.

A site can make a visitor's browser send what it likes to 127.0.0.1 (cross-site requests), and can make its own name
mean 127.0.0.1 (DNS rebinding), so that the browser takes our answers for its own; and it can show our page within its
own, under something else that is clicked (clickjacking). Against the first: what changes
anything must come from our own page, which browsers say (Fetch Metadata, `Sec-Fetch-Site`; older ones: `Origin`).
Against the second: on a laptop only names of this machine are answered to. Against the third: the page says in whose
frames it may stand. A program that is no browser sends neither.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from lora_hub.core import languages
from lora_hub.core.messages import Message, _

# Where the Hub shows a Space.
HUB_FRAMES = ("https://huggingface.co", "https://*.huggingface.co")
# Names of this machine's own addresses.
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CHANGES_NOTHING = ("GET", "HEAD", "OPTIONS")


class Guard:
    """ASGI middleware. hosts: the names that the server is answered under; empty: under any (a Space stands behind a
    proxy that looks at that itself). frames: the sites that show the page within theirs, besides itself."""

    def __init__(self, app: Any, hosts: Sequence[str] = (), frames: Sequence[str] = ()) -> None:
        self.app, self.hosts = app, {host.lower() for host in hosts}
        # The page says who is signed in: nobody between keeps it for the next one.
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
        if self.hosts and _name(host) not in self.hosts:
            return 421, _(
                "This page is not answered under the name {name!r}. Open it as http://127.0.0.1, or name it in "
                "LORA_HUB_HOSTS.",
                name=_name(host)[:100],
            )
        if scope["type"] == "http" and scope["method"] in CHANGES_NOTHING:
            return None
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


async def refuse(status: int, said: Message, scope: Any, receive: Any, send: Any) -> None:
    """Answers a request with a refusal, in each language: nothing is known of who asks."""
    from starlette.responses import PlainTextResponse

    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    told = "\n".join(said.in_language(language) for language in languages.languages())
    await PlainTextResponse(told + "\n", status)(scope, receive, send)
