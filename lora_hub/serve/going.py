"""One question on its way: a thread asks it, its pieces come to the event loop, and its client may go away meanwhile.

going = Going(threads, lambda cancelled: use_cases.ask_model(..., cancelled=cancelled))
async with going:
    going.watch(request)
    async for piece in going.pieces(): ...
"""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.requests import ClientDisconnect, Request

from lora_hub.models import Piece

# What is told when nothing more comes.
_END = object()


class Going:
    """threads: one of them is taken until it has ended. ask: yields the pieces; `cancelled` says whether nobody waits
    for them any more. ended: called by the event loop when the thread is free again."""

    def __init__(
        self,
        threads: ThreadPoolExecutor,
        ask: Callable[[Callable[[], bool]], Iterator[Piece]],
        ended: Callable[[], None],
    ) -> None:
        self.gone = threading.Event()
        self._events: asyncio.Queue[Any] = asyncio.Queue()
        self._watching: asyncio.Task | None = None
        self._ended = ended
        loop = asyncio.get_running_loop()

        def put(told: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._take, told)

        def work() -> None:
            try:
                with contextlib.closing(ask(self.gone.is_set)) as pieces:
                    for piece in pieces:
                        put(piece)
                        if self.gone.is_set():
                            break
            except Exception as error:
                put(error)
            put(_END)

        threads.submit(contextvars.copy_context().run, work)

    def _take(self, told: Any) -> None:
        if told is _END:
            self._ended()
        self._events.put_nowait(told)

    async def __aenter__(self) -> "Going":
        return self

    async def __aexit__(self, *exception: Any) -> None:
        self.leave()

    def leave(self) -> None:
        """Nobody waits for it any more."""
        self.gone.set()
        self.unwatch()

    def watch(self, request: Request) -> None:
        """Looks after the client of a request whose body has been read."""

        async def work() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            self.gone.set()

        self._watching = asyncio.create_task(work())

    def unwatch(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def pieces(self) -> AsyncIterator[Piece]:
        """The pieces. Raises what answering raised, and ClientDisconnect."""
        while (told := await self._events.get()) is not _END:
            if isinstance(told, Exception):
                raise told
            yield told
        if self.gone.is_set():
            raise ClientDisconnect
