"""A judge behind an OpenAI-compatible address: `POST URL/chat/completions`, one prompt a request, its reply as text.

    url = check_url("http://127.0.0.1:8000/v1")               raises SpecError where nothing may be sent to
    ask_all(url, "qwen", prompts, keep=..., cancelled=...)    keep(place, reply), as the replies come

The key comes from LORA_HUB_JUDGE_KEY when a request is made and is nowhere else. Nothing is sent but to this address:
redirects are not followed. What comes back is a stranger's: no more of it is read than MOST_REPLY bytes within
REPLY_SECONDS, and its text is only ever read as a verdict (`judge.read_verdict`).
"""

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from lora_hub.core import settings
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import _

PATH = "/chat/completions"
MOST_URL, MOST_NAME = 500, 200
MOST_REPLY = 256 * 1024  # bytes
CONNECT_SECONDS, REPLY_SECONDS = 10.0, 60.0
# Of one reply: "A", "B" or "tie"; and of one that explains itself first.
MOST_TOKENS, MOST_EXPLAINED = 16, 600
AT_ONCE, TRIES = 4, 3
# Before another try, seconds: doubled each time, and no longer than the server may ask for.
PAUSE, MOST_PAUSE = 1.0, 20.0
# A server that sends a byte now and then keeps its threads; nobody waits for them longer than this.
SILENT_SECONDS, POLL_SECONDS = 2 * REPLY_SECONDS, 0.2


def own_url() -> str:
    """The address that whoever set up the app chose; "" without one. Raises SpecError."""
    given = os.environ.get("LORA_HUB_JUDGE_URL", "").strip()
    return check_url(given) if given else ""


def own_model() -> str:
    return os.environ.get("LORA_HUB_JUDGE_MODEL", "").strip()


def check_url(url: str, plain_http: bool = False) -> str:
    """The address as requests begin with it. plain_http: http is allowed to other machines, too. Raises SpecError for
    what is no address, for one that holds a key, and for http to another machine."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if parts.scheme not in ("http", "https") or not host or len(url) > MOST_URL or not url.strip().isprintable():
        raise SpecError(
            _("{url!r} is no address of a judge."),
            _("Give one such as https://example.com/v1, or http://127.0.0.1:8000/v1."),
            url=url[:100],
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise SpecError(
            _("The address of a judge holds nothing but host, port and path."),
            _("Set its key as {name} in the environment.", name=settings.JUDGE_KEY),
        )
    if parts.scheme == "http" and not plain_http and not settings.is_loopback(host):
        raise SpecError(
            _("Over http, everybody between here and {host} could read what is sent."),
            _("Give an https address, or allow it with --judge-http in the shell."),
            host=host,
        )
    named = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/").removesuffix(PATH).rstrip("/")
    return f"{parts.scheme}://{named}{f':{port}' if port else ''}{path}"


def ask_all(
    url: str,
    model: str,
    prompts: Sequence[str],
    *,
    keep: Callable[[int, str], None],
    cancelled: Callable[[], bool],
    most_tokens: int = MOST_TOKENS,
) -> None:
    """Asks each prompt by itself, some at once. keep: is given each reply's place and text in this thread as they come;
    a reply without a text is "", and so is one of more than MOST_TOKENS that was cut off. cancelled: is asked several
    times a second. Raises LoraHubError where the address cannot be asked; what was kept before stays kept."""
    waiting, alone, stop = iter(range(len(prompts))), threading.Lock(), threading.Event()
    told: queue.Queue[tuple[int, str] | BaseException] = queue.Queue()

    def work() -> None:
        try:
            with _client(url) as client:
                while not stop.is_set():
                    with alone:
                        place = next(waiting, None)
                    if place is None:
                        return
                    told.put((place, _ask(client, url, model, prompts[place], stop, most_tokens)))
        except BaseException as error:
            told.put(error)

    for _thread in range(min(AT_ONCE, len(prompts))):
        threading.Thread(target=work, daemon=True).start()
    try:
        for _prompt in prompts:
            one = _next(told, url, cancelled)
            if one is None:
                return
            if isinstance(one, BaseException):
                raise one
            keep(*one)
    finally:
        stop.set()


def _next(told: queue.Queue, url: str, cancelled: Callable[[], bool]) -> Any:
    """What a thread told; None where the person ended it."""
    until = time.monotonic() + SILENT_SECONDS
    while not cancelled():
        with contextlib.suppress(queue.Empty):
            return told.get(timeout=POLL_SECONDS)
        if time.monotonic() > until:
            raise _trouble(url, _("it does not answer within {seconds:.0f} s", seconds=SILENT_SECONDS))
    return None


def _client(url: str) -> Any:
    import httpx

    return httpx.Client(
        follow_redirects=False,
        timeout=httpx.Timeout(REPLY_SECONDS, connect=CONNECT_SECONDS),
        trust_env=not settings.is_loopback(urlsplit(url).hostname or ""),  # proxies, for other machines
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "lora-hub"},
    )


def _headers(url: str) -> dict[str, str]:
    """The key, if it is meant for this address: one that was set with an address is for no other."""
    key, own = os.environ.get(settings.JUDGE_KEY, "").strip(), own_url()
    is_its = not own or urlsplit(own)[:2] == urlsplit(url)[:2]
    if key and not (key.isascii() and key.isprintable()):
        raise SpecError(_("{name} is no key.", name=settings.JUDGE_KEY), _("Set it anew, without line breaks."))
    return {"Authorization": f"Bearer {key}"} if key and is_its else {}


def _ask(client: Any, url: str, model: str, prompt: str, stop: threading.Event, most_tokens: int) -> str:
    import httpx

    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "max_tokens": most_tokens,
    }
    reason, headers = _("it does not answer"), _headers(url)
    for attempt in range(TRIES):
        pause = PAUSE * 2**attempt
        try:
            with client.stream("POST", url + PATH, json=body, headers=headers) as response:
                code = response.status_code
                if code == 200:
                    return _text_of(_read(response), is_whole=most_tokens > MOST_TOKENS)
                reason = _("it answers with {code}", code=code)
                if code != 429 and code < 500:
                    break
                wanted = response.headers.get("retry-after", "")
                pause = min(float(wanted), MOST_PAUSE) if wanted.isascii() and wanted.isdigit() else pause
        except httpx.TransportError as error:
            reason = _("it cannot be reached ({kind})", kind=type(error).__name__)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _trouble(url, _("its answer cannot be read ({kind})", kind=type(error).__name__)) from None
        if attempt + 1 < TRIES and stop.wait(pause):
            break
    raise _trouble(url, reason)


def _read(response: Any) -> bytes:
    """The body; b"" where it is too long or takes too long."""
    until, body = time.monotonic() + REPLY_SECONDS, b""
    for chunk in response.iter_raw(16 * 1024):
        body += chunk
        if len(body) > MOST_REPLY or time.monotonic() > until:
            return b""
    return body


def _text_of(body: bytes, is_whole: bool) -> str:
    """The reply's text; "" where it has none, or was cut off and has to be whole."""
    import orjson

    try:
        choice = orjson.loads(body)["choices"][0]
        text = "" if is_whole and choice.get("finish_reason") == "length" else choice["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return ""
    return text if isinstance(text, str) else ""


def _trouble(url: str, reason: Any) -> LoraHubError:
    return LoraHubError(
        _("The judge at {host} cannot be asked: {reason}.", host=urlsplit(url).hostname, reason=reason),
        _("Check its address, its model and {name}, then run the test again: what was judged is kept.").filled(
            {"name": settings.JUDGE_KEY}
        ),
    )
