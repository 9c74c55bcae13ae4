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
from functools import cached_property
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .faults import HubFault
from .lfs import PIECE
from .reading import SAFE, send_file

REACH_SECONDS = 2.0
ANSWER_SECONDS = 20.0
REST_SECONDS = 60.0
CACHE_BYTES = 20 * 1024**3
PASSED = "content-type etag link x-repo-commit x-linked-etag x-linked-size x-error-code x-error-message".split()
OF_PART = ("content-length", "content-range")


def _without_xet(part: dict) -> dict:
    """Xet addresses lead past this server."""
    return {key: value for key, value in part.items() if key != "xetHash"}


class Upstream:
    """One upstream Hub at `url`; `folder` holds its files."""

    def __init__(self, url: str, folder: Path, limit: int = CACHE_BYTES):
        self.url, self.folder, self.limit = url.rstrip("/"), folder, limit
        self.known_up, self.resting_until = False, 0.0

    @cached_property
    def client(self) -> Any:
        import httpx

        timeout = httpx.Timeout(ANSWER_SECONDS, connect=REACH_SECONDS)
        return httpx.AsyncClient(timeout=timeout, headers={"User-Agent": "lora-hub-embedded", "Accept-Encoding": "identity"})

    async def _send(self, method: str, path: str, request: Request, header: str, *, follow: bool = True, **more: bytes) -> Any:
        """The upstream's answer, its body not read; `header` is the one of the request that goes there. HubFault 424,
        which no client retries, where it cannot be had."""
        import httpx

        unreachable = HubFault(424, f"This Hub does not hold it, and the upstream Hub {self.url} cannot be reached")
        if time.monotonic() < self.resting_until:
            raise unreachable
        kept = {header: request.headers[header]} if header in request.headers else {}
        sent = self.client.build_request(method, f"{self.url}{path}?{request.url.query}".rstrip("?"), headers=kept, **more)
        try:
            async with asyncio.timeout(ANSWER_SECONDS if self.known_up else REACH_SECONDS):
                answer = await self.client.send(sent, stream=True, follow_redirects=follow)
        except (TimeoutError, httpx.HTTPError, OSError) as error:
            self.known_up, self.resting_until = False, time.monotonic() + REST_SECONDS
            raise unreachable from error
        self.known_up = True
        return answer

    def _passed(self, answer: Any, request: Request) -> tuple[int, dict[str, str]]:
        """The status and the headers that are passed on."""
        kept = {name: answer.headers[name] for name in PASSED if name in answer.headers} | {"X-Upstream-Hub": self.url}
        if "link" in kept:
            kept["link"] = kept["link"].replace(self.url, f"{request.url.scheme}://{request.url.netloc}")
        missing = kept.get("x-error-code") == "RepoNotFound"  # the public Hub says 401 to strangers, with the same code
        return 404 if missing else answer.status_code, kept

    async def ask(self, request: Request, path: str, body: bytes = b"") -> Response:
        """An answer of the API, read whole."""
        answer = await self._send(request.method, path, request, "content-type", content=body)
        content, (status, kept) = await answer.aread(), self._passed(answer, request)
        await answer.aclose()
        if status == 200 and "json" in kept.get("content-type", ""):
            content = json.dumps(json.loads(content, object_hook=_without_xet)).encode()
        return Response(content, status, kept)

    async def file(self, request: Request, path: str) -> Response:
        """A file: its facts, or its bytes from the disk where they were kept, else streamed and kept."""
        head = await self._send("HEAD", path, request, "", follow=False)
        await head.aclose()
        if head.is_redirect and head.headers.get("location", "").startswith("/"):  # a renamed repository
            return await self.file(request, head.headers["location"].split("?")[0])
        status, headers = self._passed(head, request)
        etag = (head.headers.get("x-linked-etag") or head.headers.get("etag") or "").removeprefix("W/").strip('"')
        size = int(head.headers.get("x-linked-size") or head.headers.get("content-length") or -1)
        if status >= 400 or not etag or size < 0:
            return Response(status_code=max(status, 400), headers=headers)
        headers["content-type"], kept = "application/octet-stream", self.folder / hashlib.sha256(etag.encode()).hexdigest()
        if whole := kept.exists() and kept.stat().st_size == size:
            os.utime(kept)
        if whole or request.method == "HEAD":
            return send_file(request, kept, etag, size, headers)
        answer = await self._send("GET", path, request, "range")
        status, part = answer.status_code, {name: answer.headers[name] for name in OF_PART if name in answer.headers}
        if status not in (200, 206):
            await answer.aclose()
            raise HubFault(502, f"The upstream Hub answered {status}")
        headers |= SAFE | {"etag": f'"{etag}"'} | part
        return StreamingResponse(self._copy(answer, kept if status == 200 else None, size), status, headers)

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
