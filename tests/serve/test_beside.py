"""The endpoint at /v1 of the app's own server, behind a setting that is off by default."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from lora_hub.api import Endpoints
from lora_hub.compare import Comparer
from lora_hub.core import settings
from lora_hub.core.errors import SpecError
from lora_hub.people import LOCAL, STRANGER
from lora_hub.serve import Beside
from lora_hub.ui import app
from lora_hub.ui.frame import asking
from lora_hub.ui.frame.page import Labels

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture
def page(hub: object) -> Iterator[TestClient]:
    """The app's own middleware, as `launch_arguments` has it, before a page of one line."""
    given = app.launch_arguments(Labels(), Endpoints(Comparer(), SimpleNamespace()))["app_kwargs"]["middleware"]
    kept = [one for one in given if one.cls.__name__ in ("Guard", "Beside")]
    inner = Starlette(
        routes=[Route("/{path:path}", lambda _request: PlainTextResponse("page"), methods=["GET", "POST"])]
    )
    inner.user_middleware = kept
    with TestClient(inner, base_url="http://127.0.0.1:7860") as client:
        yield client


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORA_HUB_SERVE", "1")


def test_it_is_off_by_default(page: TestClient) -> None:
    assert page.get("/v1/models").text == "page" and not settings.has_endpoint()


def test_it_lists_and_refuses_where_it_is_on(on: None, page: TestClient) -> None:
    assert [one["id"] for one in page.get("/v1/models").json()["data"]][:2] == ["base", "auto"]
    assert page.get("/").text == page.get("/v2/models").text == page.get("/health").text == "page"
    told = page.post("/v1/completions", json={"model": "none-such", "prompt": "x"})
    assert told.status_code == 404 and told.json()["error"]["code"] == "model_not_found"
    told = page.post("/v1/completions", json={"model": "/etc", "prompt": "x"})
    assert told.status_code == 404
    # a page of another site is refused by the app's guard
    cross = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    assert page.post("/v1/completions", json={"model": "base", "prompt": "x"}, headers=cross).status_code == 403


def test_a_stranger_gets_nothing(on: None, page: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    door = next(one.kwargs["door"] for one in page.app.user_middleware if one.cls is Beside)
    monkeypatch.setattr(door, "_who_asks", lambda _scope: STRANGER)
    for told in (page.get("/v1/models"), page.post("/v1/completions", json={"model": "base", "prompt": "x"})):
        assert told.status_code == 401 and told.json()["error"]["code"] == "invalid_api_key"
    assert asking.who_asks_in({}) == LOCAL


def test_a_setting_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORA_HUB_SERVE", "yes")
    with pytest.raises(SpecError, match="LORA_HUB_SERVE"):
        settings.has_endpoint()
