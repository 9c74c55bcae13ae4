"""Timeouts for slow clients: half-open connections, headers and bodies that arrive byte by byte, bodies without an end.

uvicorn waits for ever in each of these cases. A connection costs a socket and some memory, and both are limited.
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
# The time a body may take, plus one second per this many bytes received.
BODY_SECONDS, SLOWEST_BYTES = 60.0, 4096
# How much of a refused body is read.
DRAIN_BYTES, DRAIN_SECONDS = 64 << 20, 10.0


class Impatient(H11Protocol):
    """uvicorn's protocol class, but it closes a connection whose request has not begun in time."""

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
    """A request's body, limited to a number of bytes. Raises HubFault 413 if it has more, 408 if it arrives too
    slowly."""
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
    """Reads the rest of a refused body, because clients only read the response after sending everything. Returns
    whether that was all; of an endless body only a limited amount is read."""
    left = DRAIN_BYTES
    # it was read to its end, or the client is gone
    with suppress(RuntimeError, ClientDisconnect):
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                async for chunk in request.stream():
                    if (left := left - len(chunk)) < 0:
                        return False
        except TimeoutError:
            return False
    return True
