"""Reads of repositories that this Hub does not hold go to an upstream Hub, anonymously: the caller's token stays here.

Files are streamed and cached on disk under their ETag, up to a limit. An unreachable upstream costs two seconds once
and is then not tried for a minute. Every response from there has the header `X-Upstream-Hub`. If the upstream cannot be
asked, the response is "not found" with the header `X-Upstream-Unreachable` and an explanation.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .faults import HubFault
from .lfs import PIECE
from .reading import SAFE, send_file

REACH_SECONDS, ANSWER_SECONDS, REST_SECONDS = 2.0, 20.0, 60.0
PASSED = "content-type link x-repo-commit x-linked-etag x-linked-size x-error-code x-error-message".split()


class Upstream:
    """One upstream Hub at `url`; `folder` caches its files, at most `limit` bytes."""

    def __init__(self, url: str, folder: Path, limit: int = 20 * 1024**3):
        self.url, self.folder, self.limit = url.rstrip("/"), folder, limit
        self.client, self.known_up, self.resting_until = None, False, 0.0

    def _unreachable(self, known: bool) -> HubFault:
        """As far as this Hub can tell, a repo that it does not have does not exist, so the client's `repo_exists`
        returns False; the sentence says that the upstream was not asked. A file that the upstream listed a moment ago
        (`known`) is a failure: 424, which no client retries."""
        words = f"this Hub does not hold it, and the upstream Hub {self.url}, which may, cannot be reached"
        if known:
            return HubFault(424, f"Not to be had: {words}")
        return HubFault(
            404, f"Repository not found: {words}", "RepoNotFound", headers={"X-Upstream-Unreachable": self.url}
        )

    async def _send(self, method: str, path: str, request: Request, body: bytes = b"", *, known: bool = False) -> Any:
        """The upstream's response with its body unread. Redirects are followed, except for HEAD, which wants the Hub's
        own headers. Raises HubFault if there is no response; see `_unreachable`."""
        import httpx  # here, because a Hub that never asks an upstream starts sooner

        if time.monotonic() < self.resting_until:
            raise self._unreachable(known)
        own = {"User-Agent": "lora-hub-embedded", "Accept-Encoding": "identity"}
        self.client = self.client or httpx.AsyncClient(
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=REACH_SECONDS), headers=own
        )
        kept = {
            name: request.headers[name]
            for name in ("content-type", "range")
            if name in request.headers and method != "HEAD"
        }
        sent = self.client.build_request(
            method, f"{self.url}{path}?{request.url.query}".rstrip("?"), headers=kept, content=body
        )
        try:
            async with asyncio.timeout(ANSWER_SECONDS if self.known_up else REACH_SECONDS):
                answer = await self.client.send(sent, stream=True, follow_redirects=method != "HEAD")
        except (OSError, httpx.HTTPError) as error:
            self.known_up, self.resting_until = False, time.monotonic() + REST_SECONDS
            raise self._unreachable(known) from error
        self.known_up = True
        return answer

    def _passed(self, answer: Any, request: Request) -> dict[str, str]:
        """The headers that are passed on. The next page of a list is requested through this Hub, too."""
        kept = {
            name: answer.headers[name].replace(self.url, str(request.base_url)[:-1])
            for name in PASSED
            if name in answer.headers
        }
        return kept | {"X-Upstream-Hub": self.url}

    async def ask(self, request: Request, path: str, body: bytes = b"") -> Response:
        """A response of the API, read in full."""
        answer = await self._send(request.method, path, request, body)
        content = (await answer.aread()).replace(b'"xetHash":', b'"-":')  # Xet addresses lead past this server
        return Response(content, answer.status_code, self._passed(answer, request))

    async def file(self, request: Request, path: str) -> Response:
        """A file: its metadata, or its bytes from the cache, else streamed and cached."""
        head = await self._send("HEAD", path, request)
        await head.aclose()
        if head.headers.get("location", "").startswith("/"):  # a renamed repository
            return await self.file(request, head.headers["location"].split("?")[0])
        headers = self._passed(head, request)
        etag = (head.headers.get("x-linked-etag") or head.headers.get("etag") or "").removeprefix("W/").strip('"')
        size = int(head.headers.get("x-linked-size") or head.headers.get("content-length") or -1)
        if head.is_error or not etag or size < 0:
            return Response(status_code=max(head.status_code, 400), headers=headers)
        headers["content-type"], kept = (
            "application/octet-stream",
            self.folder / hashlib.sha256(etag.encode()).hexdigest(),
        )
        if whole := kept.exists() and kept.stat().st_size == size:
            kept.touch()
        if whole or request.method == "HEAD":
            return send_file(request, kept, etag, size, headers)
        answer = await self._send("GET", path, request, known=True)
        part = {name: answer.headers[name] for name in ("content-length", "content-range") if name in answer.headers}
        return StreamingResponse(
            self._copy(answer, kept, size), answer.status_code, SAFE | {"ETag": f'"{etag}"'} | headers | part
        )

    async def _copy(self, answer: Any, kept: Path, size: int) -> AsyncIterator[bytes]:
        """Passes the bytes on. A completely received file is cached, and the least recently used ones are removed."""
        self.folder.mkdir(exist_ok=True)
        temporary, total = self.folder / f".{secrets.token_hex(8)}", 0
        try:
            with open(temporary, "wb") as file:
                async for piece in answer.aiter_raw(PIECE):
                    await run_in_threadpool(file.write, piece)
                    yield piece
            if answer.is_success and temporary.stat().st_size == size:
                temporary.replace(kept)
            for file in sorted(self.folder.glob("[!.]*"), key=lambda file: file.stat().st_mtime, reverse=True):
                if (total := total + file.stat().st_size) > self.limit:
                    file.unlink()
        finally:
            temporary.unlink(missing_ok=True)
            await answer.aclose()
