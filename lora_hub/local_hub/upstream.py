"""Reads of repositories that this Hub does not hold go to an upstream Hub, anonymously: the caller's token stays here.

Files are streamed and kept on disk under their ETag, up to a limit. An upstream that cannot be reached costs two
seconds once and is then left alone for a minute. Whatever comes from there carries the header `X-Upstream-Hub`.
"""

import asyncio
import hashlib
import json
import os
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .faults import HubFault
from .lfs import PIECE, read_pieces
from .reading import SAFE, parse_range

REACH_SECONDS = 2.0
ANSWER_SECONDS = 20.0
REST_SECONDS = 60.0
CACHE_BYTES = 20 * 1024**3
PASSED = "content-type etag link x-repo-commit x-linked-etag x-linked-size x-error-code x-error-message".split()


def _without_xet(value: Any) -> Any:
    """Xet addresses lead past this server."""
    if isinstance(value, dict):
        return {key: _without_xet(item) for key, item in value.items() if key != "xetHash"}
    return [_without_xet(item) for item in value] if isinstance(value, list) else value


class Upstream:
    """One upstream Hub at `url`; `folder` holds its files."""

    def __init__(self, url: str, folder: Path, limit: int = CACHE_BYTES):
        self.url, self.folder, self.limit = url.rstrip("/"), folder, limit
        self.client: Any = None
        self.known_up, self.resting_until = False, 0.0

    async def _send(self, method: str, path: str, request: Request, *, body: bytes = b"", follow: bool = True,
                    **headers: str | None) -> Any:
        """The upstream's answer, its body not read. HubFault 424, which no client retries, where it cannot be had."""
        import httpx

        if self.client is None:
            timeout = httpx.Timeout(ANSWER_SECONDS, connect=REACH_SECONDS)
            self.client = httpx.AsyncClient(timeout=timeout, headers={"User-Agent": "lora-hub-embedded"})
        unreachable = f"This Hub does not hold it, and the upstream Hub {self.url} cannot be reached"
        if time.monotonic() < self.resting_until:
            raise HubFault(424, unreachable)
        kept = {"Accept-Encoding": "identity"} | {k.replace("_", "-"): v for k, v in headers.items() if v}
        address = f"{self.url}{path}?{request.url.query}".rstrip("?")
        sent = self.client.build_request(method, address, content=body or None, headers=kept)
        try:
            async with asyncio.timeout(ANSWER_SECONDS if self.known_up else REACH_SECONDS):
                answer = await self.client.send(sent, stream=True, follow_redirects=follow)
        except (TimeoutError, httpx.HTTPError, OSError) as error:
            self.known_up, self.resting_until = False, time.monotonic() + REST_SECONDS
            raise HubFault(424, unreachable) from error
        self.known_up = True
        return answer

    def _headers(self, answer: Any, request: Request) -> dict[str, str]:
        kept = {name: answer.headers[name] for name in PASSED if name in answer.headers}
        if "link" in kept:
            kept["link"] = kept["link"].replace(self.url, f"{request.url.scheme}://{request.url.netloc}")
        return kept | {"X-Upstream-Hub": self.url}

    async def ask(self, request: Request, path: str, body: bytes = b"") -> Response:
        """An answer of the API, read whole."""
        kind = request.headers.get("content-type")
        answer = await self._send(request.method, path, request, body=body, Content_Type=kind)
        content, kept = await answer.aread(), self._headers(answer, request)
        await answer.aclose()
        if answer.status_code == 200 and "json" in kept.get("content-type", ""):
            content = json.dumps(_without_xet(json.loads(content))).encode()
        missing = kept.get("x-error-code") == "RepoNotFound"  # the public Hub says 401 to strangers, with the same code
        return Response(content, 404 if missing else answer.status_code, kept)

    async def file(self, request: Request, path: str) -> Response:
        """A file: its facts, or its bytes from the disk where they were kept, else streamed and kept."""
        head = await self._send("HEAD", path, request, follow=False)
        await head.aclose()
        if head.is_redirect and head.headers.get("location", "").startswith("/"):  # a renamed repository
            return await self.file(request, head.headers["location"].split("?")[0])
        headers = self._headers(head, request)
        etag = (head.headers.get("x-linked-etag") or head.headers.get("etag") or "").removeprefix("W/").strip('"')
        size = int(head.headers.get("x-linked-size") or head.headers.get("content-length") or -1)
        if head.status_code >= 400 or not etag or size < 0:
            missing = headers.get("x-error-code") == "RepoNotFound"
            return Response(status_code=404 if missing else max(head.status_code, 400), headers=headers)
        headers |= SAFE | {"etag": f'"{etag}"', "Content-Length": str(size), "content-type": "application/octet-stream"}
        if request.method == "HEAD":
            return Response(status_code=200, headers=headers)
        kept = self.folder / hashlib.sha256(etag.encode()).hexdigest()
        span = parse_range(request.headers.get("range", ""), size)
        first, last = span or (0, size - 1)
        headers |= {"Content-Range": f"bytes {first}-{last}/{size}"} if span else {}
        headers["Content-Length"] = str(last - first + 1)
        if kept.exists() and kept.stat().st_size == size:
            os.utime(kept)
            return StreamingResponse(read_pieces(kept, first, last - first + 1), 206 if span else 200, headers)
        answer = await self._send("GET", path, request, Range=request.headers["range"] if span else None)
        if answer.status_code not in (200, 206):
            await answer.aclose()
            raise HubFault(502, f"The upstream Hub answered {answer.status_code}")
        return StreamingResponse(self._copy(answer, None if span else kept, size), 206 if span else 200, headers)

    async def _copy(self, answer: Any, kept: Path | None, size: int) -> AsyncIterator[bytes]:
        """Passes the bytes on; a whole file also goes to the disk, and counts only when it came whole."""
        self.folder.mkdir(exist_ok=True)
        temporary = self.folder / f".{secrets.token_hex(8)}"
        try:
            with open(os.devnull if kept is None else temporary, "wb") as file:
                async for piece in answer.aiter_raw(PIECE):
                    await run_in_threadpool(file.write, piece)
                    yield piece
            if kept is not None and temporary.stat().st_size == size:
                os.replace(temporary, kept)
                self._shrink()
        finally:
            temporary.unlink(missing_ok=True)
            await answer.aclose()

    def _shrink(self) -> None:
        """Drops the files that were longest not asked for, down to the limit."""
        files = sorted(self.folder.glob("[!.]*"), key=lambda file: file.stat().st_mtime)
        total = sum(file.stat().st_size for file in files)
        while total > self.limit and len(files) > 1:
            total -= files[0].stat().st_size
            files.pop(0).unlink()
