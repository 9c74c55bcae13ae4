"""Sign in with Hugging Face, or with any Hub that speaks OpenID Connect: three addresses, and the person of each
request.

    /login/huggingface?next=?tab=runs    redirects to the Hub
    /login/callback                      the Hub redirects back here, and the session begins
    /logout                              (POST) ends the session

A program sends a token of the Hub instead, as `Authorization: Bearer hf_...`, with every request.

Gradio's own button (`gr.LoginButton`) keeps the token in a cookie, signed but readable. Here the browser only has a
random session name; the token stays in `people.Sessions`.

| variable | meaning |
|---|---|
| OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET, OAUTH_SCOPES, OPENID_PROVIDER_URL | as a Space with `hf_oauth: true` has them |
| SPACE_HOST | the address that the Hub sends people back to |
"""

import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from lora_hub.core import languages
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import Message, _
from lora_hub.people import Person, Sessions
from lora_hub.ui.frame.asking import ASKING
from lora_hub.ui.frame.outside import inner_path

logger = logging.getLogger("lora_hub.ui")
LOGIN, CALLBACK, LOGOUT = "/login/huggingface", "/login/callback", "/logout"
MOST_SECONDS = 8 * 3600
# Holds only the state of an unfinished sign-in, signed, for ten minutes.
STATE_COOKIE, STATE_SECONDS = "lora_hub_signing_in", 600
LONGEST_TOKEN = 4096


@dataclass(frozen=True)
class Provider:
    """The Hub that people sign in with. Raises SpecError if a variable is missing."""

    client_id: str
    client_secret: str
    scopes: str
    url: str

    @staticmethod
    def from_environment() -> "Provider":
        names = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")
        values = [os.environ.get(name, "").strip() for name in names]
        missing = [name for name, value in zip(names, values, strict=True) if not value]
        if missing:
            raise SpecError(
                _("People are to sign in (OAUTH_CLIENT_ID is set), but {name} is not set."),
                _("In a Space `hf_oauth: true` in its README sets all four; elsewhere set it, or none of them."),
                name=missing[0],
            )
        return Provider(values[0], values[1], values[2], values[3].rstrip("/"))


class SignIn:
    """ASGI middleware. It answers the three addresses and adds the person to every other request. look_up: token ->
    person, or None if the Hub does not accept the token."""

    def __init__(
        self, app: Any, provider: Provider, sessions: Sessions, look_up: Callable[[str], Person | None]
    ) -> None:
        self.app, self.sessions, self.look_up = app, sessions, look_up
        self.is_secure = bool(os.environ.get("SPACE_HOST"))
        self.cookie = "__Host-lora_hub_session" if self.is_secure else "lora_hub_session"
        self._provider = provider
        self._client: Any = None
        self.site = "none" if self.is_secure else "lax"  # a Space is shown inside a frame of the Hub's own page
        self.routes = Starlette(
            routes=[
                Route(LOGIN, self.begin, methods=["GET"]),
                Route(CALLBACK, self.come_back, methods=["GET"]),
                Route(LOGOUT, self.end, methods=["POST"]),
            ],
            middleware=[
                Middleware(
                    SessionMiddleware,
                    secret_key=secrets.token_hex(32),
                    session_cookie=STATE_COOKIE,
                    max_age=STATE_SECONDS,
                    same_site=self.site,
                    https_only=self.is_secure,
                )
            ],
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and inner_path(scope) in (LOGIN, CALLBACK, LOGOUT):
            await self.routes({**scope, "app": None}, receive, send)
            return
        if scope["type"] in ("http", "websocket"):
            address, token = (scope.get("client") or ("",))[0], _token(scope)
            if token:
                scope[ASKING] = lambda: self.sessions.find_program(token, address)
            else:
                name = self._session_name(scope)
                scope[ASKING] = lambda: self.sessions.find(name, address)
        await self.app(scope, receive, send)

    async def begin(self, request: Request) -> Response:
        """Redirects to the Hub."""
        request.session.clear()  # remove what an abandoned sign-in left
        request.session["next"] = _inside(request.query_params.get("next", ""))
        host = os.environ.get("SPACE_HOST", "").partition(",")[0].strip()
        back = f"https://{host}{CALLBACK}" if host else str(request.base_url).rstrip("/") + CALLBACK
        try:
            return await self._hub().authorize_redirect(request, back)
        except Exception as error:
            logger.warning("sign-in: the Hub cannot be asked: %s", type(error).__name__)
            return _told(502, _("The Hub that people sign in with cannot be reached. Try again later."))

    async def come_back(self, request: Request) -> Response:
        """Called back by the Hub: exchanges the code for a token and begins the session."""
        to = _page(request) + request.session.get("next", "")
        if "error" in request.query_params:  # the person declined
            request.session.clear()
            return RedirectResponse(to, 303)
        try:
            granted = await self._hub().authorize_access_token(request)
            token = str(granted["access_token"])
            person = await run_in_threadpool(self.look_up, token)
        except LoraHubError as error:
            return _told(502, error.said)
        except Exception as error:  # the state or code is another browser's, already used, or expired
            logger.info("sign-in: refused: %s", type(error).__name__)
            request.session.clear()
            return _told(400, _("This sign-in is not valid any more. Sign in again from the page."))
        request.session.clear()
        if person is None:
            return _told(400, _("The Hub does not accept the token that it has just given. Begin again."))
        seconds = min(float(granted.get("expires_in") or MOST_SECONDS), MOST_SECONDS)
        self.sessions.close(request.cookies.get(self.cookie, ""))
        answer = RedirectResponse(to, 303)
        answer.set_cookie(self.cookie, self.sessions.open(person, seconds), max_age=int(seconds), **self._cookie())
        return answer

    async def end(self, request: Request) -> Response:
        """Forgets the session and its token."""
        self.sessions.close(request.cookies.get(self.cookie, ""))
        answer = RedirectResponse(_page(request) + _inside(request.query_params.get("next", "")), 303)
        answer.delete_cookie(self.cookie, **self._cookie())
        return answer

    def _cookie(self) -> dict[str, Any]:
        return {"path": "/", "httponly": True, "secure": self.is_secure, "samesite": self.site}

    def _session_name(self, scope: Any) -> str:
        sent = b"; ".join(value for name, value in scope["headers"] if name.lower() == b"cookie")
        try:
            found = SimpleCookie(sent.decode("latin-1")[:16_384]).get(self.cookie)
        except CookieError:
            return ""
        return found.value if found else ""

    def _hub(self) -> Any:
        """The provider's OAuth client, made at the first sign-in because its library is slow to import."""
        if self._client is None:
            from authlib.integrations.starlette_client import OAuth

            known = OAuth()
            known.register(
                name="hub",
                client_id=self._provider.client_id,
                client_secret=self._provider.client_secret,
                client_kwargs={"scope": self._provider.scopes, "code_challenge_method": "S256"},
                server_metadata_url=f"{self._provider.url}/.well-known/openid-configuration",
            )
            self._client = known.hub
        return self._client


def _token(scope: Any) -> str:
    """The token of the Hub that a program sends, in either of the headers in which the Hub's clients do."""
    headers = {name.lower(): value for name, value in scope["headers"]}
    for name in (b"x-hf-authorization", b"authorization"):
        kind, _space, token = headers.get(name, b"").decode("latin-1").partition(" ")
        if kind.lower() == "bearer" and 0 < len(token) <= LONGEST_TOKEN:
            return token.strip()
    return ""


def _page(request: Request) -> str:
    """The page's own address: "/", or "/lora/" behind a proxy."""
    return (request.scope.get("root_path") or "") + "/"


def _inside(next_one: str) -> str:
    """The query string to return to on our own page; anything else returns to the page as it first opens."""
    return next_one[:2000] if next_one.startswith("?") and "\\" not in next_one else ""


def _told(status: int, said: Message) -> Response:
    lines = [said.in_language(language) for language in languages.languages()]
    return PlainTextResponse("\n".join(lines) + "\n", status)
