"""JSON is refused where it is nested too deep, before anything reads it."""

import json
import time

import pytest

from lora_hub.ui.frame.nested import DEEPEST, is_too_deep


def nested(levels: int) -> bytes:
    return b"[" * levels + b"1" + b"]" * levels


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", False),
        (nested(DEEPEST), False),
        (nested(DEEPEST + 1), True),
        (b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1), True),
        (b"[" * 100_000, True),
        (json.dumps([[1], {"a": []}] * 1000).encode(), False),
        # Brackets in a text are none, whatever is escaped in it; after a text they are.
        (json.dumps(["[" * 1000, '\\"{' * 1000, "\\\\"] * 3).encode(), False),
        (b'["\\\\", ' + nested(DEEPEST) + b"]", True),
        (b"\xef\xbb\xbf" + nested(DEEPEST + 1), True),
        # In another encoding brackets could be hidden.
        ("[1]".encode("utf-16"), True),
    ],
)
def test_brackets_are_counted_outside_of_texts(body: bytes, expected: bool) -> None:
    assert is_too_deep(body) is expected


@pytest.mark.parametrize("piece", [b"[", b"[]", b'"\\', b'\\"', b"[]{", b"[{},", b'"[",'])
def test_the_count_takes_no_time_that_grows_faster_than_the_body(piece: bytes) -> None:
    began = time.process_time()
    is_too_deep(piece * ((1 << 20) // len(piece)) + b"[" * 100)
    assert time.process_time() - began < 2


def test_a_visitor_behind_a_proxy_is_known_by_their_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the visitor writes before the proxy's own word is not believed."""
    import asyncio

    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    from lora_hub.core import settings

    monkeypatch.setenv("LORA_HUB_PROXIES", "10.0.0.0/8, 192.0.2.7")
    seen = []

    async def app(scope, receive, send) -> None:
        seen.append(scope["client"][0])

    page = ProxyHeadersMiddleware(app, ",".join(settings.proxies()))
    for client, said in (
        ("10.1.2.3", b"1.1.1.1, 203.0.113.5"),
        ("10.1.2.3", b"203.0.113.5, 192.0.2.7"),
        ("203.0.113.9", b"1.1.1.1"),
    ):
        scope = {"type": "http", "client": (client, 1), "headers": [(b"x-forwarded-for", said)]}
        asyncio.run(page(scope, None, None))
    assert seen == ["203.0.113.5", "203.0.113.5", "203.0.113.9"]
