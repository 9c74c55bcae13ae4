"""How long the server waits for somebody who does not go on: half-open connections, headers and bodies that come drop
by drop, bodies without an end.

uvicorn waits for ever in each of these; a connection costs a socket and a little memory, and there are not many.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from starlette.requests import ClientDisconnect, Request
from uvicorn.protocols.http.h11_impl import H11Protocol

from .faults import HubFault, refuse

HEADER_SECONDS = 30.0
# A body may take so long, and a second more for each so many bytes that have come.
BODY_SECONDS, SLOWEST_BYTES = 60.0, 4096
# So much of a refused body is taken in.
DRAIN_BYTES, DRAIN_SECONDS = 64 << 20, 10.0


class Impatient(H11Protocol):
    """uvicorn's own, which ends a connection whose request has not begun in time."""

    _late: Any = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._late is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._late = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


async def pieces(request: Request, most: int) -> AsyncIterator[bytes]:
    """A request's body, of at most so many bytes. HubFault 413 where it has more, 408 where it comes too slowly."""
    began, taken, stream = time.monotonic(), 0, request.stream()
    while True:
        left = BODY_SECONDS + taken / SLOWEST_BYTES - (time.monotonic() - began)
        try:
            chunk = await asyncio.wait_for(anext(stream), left)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise HubFault(408, "The request body comes too slowly") from error
        taken += len(chunk)
        refuse(taken > most, 413, "The request body is longer than it may be here")
        yield chunk


async def drain(request: Request) -> bool:
    """Takes in the rest of a refused body, because clients read an answer when they have sent everything. Whether that
    was all: of one without an end only so much."""
    left = DRAIN_BYTES
    # it was read to its end, or nobody waits for the answer
    with suppress(RuntimeError, ClientDisconnect):
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                async for chunk in request.stream():
                    if (left := left - len(chunk)) < 0:
                        return False
        except TimeoutError:
            return False
    return True
