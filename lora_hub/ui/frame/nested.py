"""How deep what is sent may be nested, before a library reads it: 100,000 opening brackets end Python's own reader of
JSON in a RecursionError, which is no answer to anybody.

is_too_deep(b'{"data": [[1], [2]]}')    False
"""

import re
from typing import Any

from lora_hub.core.messages import _
from lora_hub.ui.frame.guard import CHANGES_NOTHING, refuse

# Far more than anything that is asked of us has, and far less than Python's readers bear.
DEEPEST = 64
# Linear: nothing is given back, and a text that does not end takes all that follows.
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.S)
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class Nested:
    """ASGI middleware. It hands on a body as a whole; files, which are no JSON, pass as they come. It stands
    behind the one that bounds how large a body may be."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] in CHANGES_NOTHING or _is_files(scope["headers"]):
            await self.app(scope, receive, send)
            return
        parts, has_more = [], True
        while has_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            parts.append(message.get("body", b""))
            has_more = message.get("more_body", False)
        body = b"".join(parts)
        if is_too_deep(body):
            said = _(
                "What was sent is nested more than {most} levels deep, or its brackets do not match.", most=DEEPEST
            )
            await refuse(400, said, scope, receive, send)
            return
        whole: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

        async def hand_on() -> Any:
            return whole.pop() if whole else await receive()

        await self.app(scope, hand_on, send)


def is_too_deep(body: bytes) -> bool:
    """Whether JSON is nested deeper than DEEPEST. Of what is no JSON: whether it may be, as where more than so many
    brackets do not match. Takes time in proportion to the body's length."""
    if b"\0" in body:  # another encoding than UTF-8, in which JSON has to be; Python would read it all the same
        return True
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return False
    left = _TEXT.sub(b"", body).translate(None, _ALL_BUT_BRACKETS)
    for _level in range(DEEPEST):  # each takes the innermost pairs away
        before, left = left, left.replace(b"[]", b"").replace(b"{}", b"")
        if len(left) in (0, len(before)):
            break
    return bool(left)


def _is_files(headers: Any) -> bool:
    kind = next((value for name, value in headers if name.lower() == b"content-type"), b"")
    return kind.lower().startswith(b"multipart/form-data")
