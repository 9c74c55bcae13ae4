"""Other sites cannot use the page through a visitor's browser."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route

from lora_hub.core import settings
from lora_hub.core.errors import SpecError
from lora_hub.ui.frame.guard import HUB_FRAMES, LOOPBACK, Guard


async def ask(hosts, method: str = "POST", **headers: str) -> int:
    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse("ours")

    app = Starlette(routes=[Route("/", answer, methods=["GET", "POST"])], middleware=[Middleware(Guard, hosts=hosts)])
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:7860") as client:
        return (await client.request(method, "/", headers=given)).status_code


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:7860", 200),
        ("localhost:7860", 200),
        ("LOCALHOST.", 200),
        ("[::1]:7860", 200),
        ("lora.example.org", 200),
        ("evil.example", 421),
        ("evil.example:7860", 421),
        ("127.0.0.1.evil.example", 421),
        ("127.0.0.1@evil.example", 421),
        ("localhost:7860@evil.example", 421),
        ("", 421),
        ("[::1", 421),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.anyio
async def test_only_names_of_this_machine_are_answered_to(host: str, status: int, method: str) -> None:
    assert await ask((*LOOPBACK, "lora.example.org"), method, host=host) == status
    assert await ask((), method, host=host) == 200  # in a Space, whose proxy looks at names


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # no browser
        ({"sec_fetch_site": "same-origin", "origin": "http://127.0.0.1:7860"}, 200),
        ({"sec_fetch_site": "same-origin", "origin": "https://behind-a-proxy.example"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"origin": "http://127.0.0.1:7860"}, 200),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site", "origin": "http://127.0.0.1:3000"}, 403),
        ({"origin": "http://127.0.0.1:3000"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
@pytest.mark.parametrize("hosts", [(), LOOPBACK])
@pytest.mark.anyio
async def test_what_changes_anything_comes_from_the_page_itself(headers: dict, status: int, hosts) -> None:
    assert await ask(hosts, "POST", **headers) == status
    assert await ask(hosts, "GET", **headers) == 200


@pytest.mark.parametrize("frames", [(), HUB_FRAMES])
@pytest.mark.anyio
async def test_no_other_site_shows_the_page_within_its_own(frames: tuple[str, ...]) -> None:
    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse("ours")

    async def words(request: Request) -> PlainTextResponse:
        return PlainTextResponse("ours")

    routes = [Route("/", page), Route("/words", words)]
    app = Starlette(routes=routes, middleware=[Middleware(Guard, frames=frames)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:7860") as client:
        told, other = (await client.get("/")).headers, (await client.get("/words")).headers
    assert told["content-security-policy"] == " ".join(("frame-ancestors 'self'", *frames))
    assert told["cache-control"] == "private, no-cache" and "cache-control" not in other


def test_names_of_a_proxy_come_from_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("LORA_HUB_HOSTS", "lora.example.org, other")
    assert settings.hosts() == ("lora.example.org", "other")
    monkeypatch.setenv("LORA_HUB_HOSTS", "http://lora.example.org")
    with pytest.raises(SpecError, match="http://lora.example.org"):
        settings.check()
