"""The page's path behind a proxy, the address that says whether it is well, and the settings of both."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lora_hub import __version__
from lora_hub.core import settings
from lora_hub.core.errors import SpecError
from lora_hub.people import Sessions
from lora_hub.ui.frame.guard import LOOPBACK, Guard
from lora_hub.ui.frame.outside import Outside
from lora_hub.ui.frame.sign_in import Provider, SignIn


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def echo(request: Request) -> JSONResponse:
    return JSONResponse({"path": request.scope["path"], "base": str(request.base_url)})


def client(root_path: str = "", reached: list[bool] | None = None, **guard: object) -> httpx.AsyncClient:
    """A page below a path, which looks at the Hub; reached: the Hub's answers, one a look."""
    answers = [True] if reached is None else reached
    sign_in = {
        "provider": Provider("app", "secret", "openid", "http://127.0.0.1:9"),
        "sessions": Sessions(lambda token: None),
        "look_up": lambda token: None,
    }
    middleware = [
        Middleware(Outside, root_path=root_path, hub_kind="embedded", reaches_hub=lambda: answers.pop(0)),
        Middleware(Guard, hosts=LOOPBACK, **guard),
        Middleware(SignIn, **sign_in),
    ]
    app = Starlette(routes=[Route("/{rest:path}", echo)], middleware=middleware)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:7860")


@pytest.mark.anyio
async def test_health_needs_nothing_and_tells_nothing() -> None:
    """Neither a known host name nor sign-in; the Hub is asked once in a while, and its absence is no illness."""
    async with client(reached=[False]) as page:
        for name in ("127.0.0.1:7860", "10.1.2.3", "lora.svc.cluster.local"):
            answer = await page.get("/health", headers={"host": name})
            assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
            assert answer.json() == {
                "status": "ok",
                "version": __version__,
                "hub": {"kind": "embedded", "reachable": False},
            }
        assert (await page.head("/health")).status_code == 200
        assert (await page.get("/", headers={"host": "10.1.2.3"})).status_code == 421
        assert (await page.post("/health", headers={"sec-fetch-site": "cross-site"})).status_code == 403


@pytest.mark.parametrize("path", ["/lora/a/b", "/a/b"], ids=["the proxy leaves it", "the proxy takes it off"])
@pytest.mark.anyio
async def test_the_page_stands_below_a_path(path: str) -> None:
    async with client("/lora") as page:
        assert (await page.get(path)).json() == {"path": "/lora/a/b", "base": "http://127.0.0.1:7860/lora/"}
        assert (await page.get("/lora/health")).json()["status"] == (await page.get("/health")).json()["status"] == "ok"
        moved = await page.get("/lora?tab=runs")
        assert (moved.status_code, moved.headers["location"]) == (307, "/lora/?tab=runs")
        assert (await page.get("/loraine")).json()["path"] == "/lora/loraine", "a name that begins alike is another"


@pytest.mark.parametrize("root_path", ["", "/lora", "/login"])
@pytest.mark.anyio
async def test_signing_out_comes_back_to_the_page(root_path: str) -> None:
    async with client(root_path) as page:
        left = await page.post(f"{root_path}/logout?next=%3Ftab%3Druns")
        assert (left.status_code, left.headers["location"]) == (303, f"{root_path}/?tab=runs")
        back = await page.get(f"{root_path}/login/callback?error=access_denied")
        assert (back.status_code, back.headers["location"]) == (303, f"{root_path}/")


@pytest.mark.anyio
async def test_where_others_reach_it_addresses_are_names_too() -> None:
    """No site can point an IP address anywhere; a name it can."""
    names = {"10.1.2.3:7860": 200, "[fd00::1]:7860": 200, "evil.example": 421, "10.1.2.3.evil.example": 421}
    async with client(addresses=True) as page:
        assert {name: (await page.get("/", headers={"host": name})).status_code for name in names} == names
    async with client() as page:
        assert (await page.get("/", headers={"host": "10.1.2.3:7860"})).status_code == 421


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LORA_HUB_BIND", "everywhere"),
        ("LORA_HUB_BIND", "127.0.0.1:80"),
        ("LORA_HUB_PROXIES", "*"),
        ("LORA_HUB_PROXIES", "proxy.example.org"),
        ("LORA_HUB_PROXIES", "10.0.0.1/8"),
        ("LORA_HUB_ROOT_PATH", "lora"),
        ("LORA_HUB_ROOT_PATH", "/a//b"),
        ("LORA_HUB_ROOT_PATH", "/.."),
        ("LORA_HUB_ROOT_PATH", "http://x/lora"),
        ("LORA_HUB_ROOT_PATH", '/"><script>'),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SpecError, match=name) as told:
        settings.check()
    assert value in told.value.message and told.value.in_language("fa")[0] != told.value.message


def test_what_the_settings_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (settings.bind(), settings.root_path(), settings.is_open_to_others()) == ("127.0.0.1", "", False)
    monkeypatch.setenv("LORA_HUB_ROOT_PATH", "/tools/lora/")
    assert settings.root_path() == "/tools/lora"
    for address, is_open in (("::1", False), ("127.0.0.2", False), ("0.0.0.0", True), ("::", True), ("10.0.0.1", True)):
        monkeypatch.setenv("LORA_HUB_BIND", address)
        assert settings.bind() == address and settings.is_open_to_others() is is_open
