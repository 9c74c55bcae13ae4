"""The addresses of OpenAI's wire, as an ASGI app.

    door = Door(shelf, engine, who_asks)             who_asks: a request's scope -> Person; it may ask the Hub
    GET  /v1/models, /v1/models/NAME
    POST /v1/chat/completions, /v1/completions       whole, or a stream of server-sent events
    POST /v1/classify                                ours: the label, with the chance of each

Each question has a thread while it is answered, and so a place among `MOST_AT_ONCE`. The answer itself is made in the
running batch of its base. A client that goes away is gone from there with the next step.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lora_hub import use_cases
from lora_hub.core.errors import AccessError, PaceError
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import AUTO, BASE
from lora_hub.models import NoModel, Piece, Wanted
from lora_hub.people import Person, rules
from lora_hub.people.rules import Action
from lora_hub.serve import faults
from lora_hub.serve.faults import Refusal
from lora_hub.serve.going import Going
from lora_hub.serve.replies import Reply, classified, event, model_object
from lora_hub.serve.requests import (
    MOST_BYTES,
    Asking,
    ChatRequest,
    ClassifyRequest,
    CompletionRequest,
    Kind,
    read_request,
)

# Questions that are answered at the same time; each has a thread.
MOST_AT_ONCE = 96
# In which a body has to arrive.
BODY_SECONDS = 30.0


class Door:
    """ASGI app. shelf, engine: of `models`, or what does the same. is_allowed: which Host headers are answered;
    None: any."""

    def __init__(
        self,
        shelf: Any,
        engine: Any,
        who_asks: Callable[[dict[str, Any]], Person],
        *,
        is_allowed: Callable[[str], bool] | None = None,
    ) -> None:
        self._shelf, self._engine, self._who_asks, self._is_allowed = shelf, engine, who_asks, is_allowed
        self._threads = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="serve")
        self._is_ending = False
        self.under_way = self._answering = 0  # touched by the event loop alone
        self._app = Starlette(
            routes=[
                Route("/health", self._health),
                Route("/v1/models", self._models),
                Route("/v1/models/{name:path}", self._model),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/completions", self._complete, methods=["POST"]),
                Route("/v1/classify", self._classify, methods=["POST"]),
            ],
            exception_handlers={HTTPException: _tell_http},
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.under_way += 1
        try:
            host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
            if self._is_allowed is not None and not self._is_allowed(host):
                refused = Refusal(421, _("This server is not asked by the name {name!r}."), name=host[:100])
                await faults.tell(refused)(scope, receive, send)
            elif self._is_ending:
                await faults.tell(faults.ending())(scope, receive, send)
            else:
                await self._app(scope, receive, send)
        finally:
            self.under_way -= 1

    def end(self) -> None:
        """From now on new requests are refused; those that are under way go on."""
        self._is_ending = True

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _models(self, request: Request) -> Response:
        return await self._told(request, self._list)

    async def _model(self, request: Request) -> Response:
        def find(person: Person) -> dict[str, Any]:
            name = request.path_params["name"]
            found = next((one for one in self._list(person)["data"] if name in (one["id"], one.get("root"))), None)
            if found is None:
                raise NoModel(
                    _("There is no model {name!r} here."), _("GET /v1/models lists what there is."), name=name[:200]
                )
            return found

        return await self._told(request, find)

    def _list(self, person: Person) -> dict[str, Any]:
        shelved = use_cases.list_models(person, self._shelf)
        found = [model_object(BASE, "lora-hub", 0)]
        if self._engine.bases is not None:
            found.append(model_object(AUTO, "lora-hub", 0))
        found += [
            model_object(
                one.name,
                one.repo.partition("/")[0] or "lora-hub",
                one.created,
                root=one.repo or one.name,
                parent=BASE,
                revision=one.revision,
                task=one.task,
            )
            for one in shelved
        ]
        return {"object": "list", "data": found}

    async def _told(self, request: Request, work: Callable[[Person], dict[str, Any]]) -> Response:
        try:
            return JSONResponse(await self._in_thread(lambda: work(self._person(request.scope))))
        except Exception as error:
            return faults.tell(error)

    async def _chat(self, request: Request) -> Response:
        return await self._answered(request, ChatRequest)

    async def _complete(self, request: Request) -> Response:
        return await self._answered(request, CompletionRequest)

    async def _classify(self, request: Request) -> Response:
        try:
            person, asked = await self._asked(request, ClassifyRequest)
            wanted = asked.wanted()
            async with self._go(person, wanted) as going:
                going.watch(request)
                pieces = [piece async for piece in going.pieces()]
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:
            return faults.tell(error)
        return JSONResponse(classified(wanted, pieces))

    async def _answered(self, request: Request, kind: type[Asking]) -> Response:
        going = None
        try:
            person, asked = await self._asked(request, kind)
            wanted = asked.wanted()
            reply = Reply(asked, wanted)
            going = self._go(person, wanted)
            going.watch(request)
            pieces = going.pieces()
            if asked.stream:
                first = await anext(pieces, None)  # what is wrong with a question is told before its stream begins
                going.unwatch()  # whoever sends a stream looks after its client
                return StreamingResponse(
                    _stream(going, reply, first, pieces, asked.with_usage),
                    media_type="text/event-stream",
                    headers={"cache-control": "no-store", "x-accel-buffering": "no"},
                )
            async with going:
                async for piece in pieces:
                    reply.add(piece)
            return JSONResponse(reply.whole())
        except ClientDisconnect:  # nobody reads it
            return Response(status_code=499)
        except Exception as error:
            if going is not None:
                going.leave()
            return faults.tell(error)

    async def _asked(self, request: Request, kind: type[Kind]) -> tuple[Person, Kind]:
        """Who asks, and what. The person first: of a stranger nothing is read."""
        person = await self._in_thread(lambda: self._person(request.scope))
        return person, read_request(kind, await _read_body(request))

    def _person(self, scope: dict[str, Any]) -> Person:
        """Who asks. Raises Refusal where a key is needed and there is none, or one that is not known: whoever is known
        and may not is told so by what they ask."""
        try:
            person = self._who_asks(scope)
        except PaceError:
            raise
        except AccessError as error:
            raise faults.no_key() from error
        if not person.is_local and not person.is_signed_in and not rules.may(person, Action.COMPARE):
            raise faults.no_key()
        return person

    def _go(self, person: Person, wanted: Wanted) -> Going:
        """Asks. Raises Refusal where all threads are taken."""
        if self._answering >= MOST_AT_ONCE:
            raise Refusal(
                503,
                _("{most} questions are answered at this moment."),
                _("Ask again in a moment."),
                most=MOST_AT_ONCE,
            )

        def ask(cancelled: Callable[[], bool]) -> Iterator[Piece]:
            return use_cases.ask_model(person, self._shelf, self._engine, wanted.model, wanted, cancelled=cancelled)

        def ended() -> None:
            self._answering -= 1

        self._answering += 1
        return Going(self._threads, ask, ended)

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, work)


class Beside:
    """ASGI middleware: what lies below /v1 is the door's, and all else the app's. It stands behind the one that knows
    who asks."""

    def __init__(self, app: Any, door: Door) -> None:
        self.app, self.door = app, door

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_ours = scope["type"] == "http" and scope["path"].startswith(f"{scope.get('root_path') or ''}/v1/")
        await (self.door if is_ours else self.app)(scope, receive, send)


async def _stream(
    going: Going, reply: Reply, first: Piece | None, pieces: AsyncIterator[Piece], with_usage: bool
) -> AsyncIterator[bytes]:
    """The events of an answer. It is closed where the client goes away, and then nothing is answered any more."""
    async with going:
        try:
            for chunk in reply.add(first) if first is not None else ():
                yield event(chunk)
            async for piece in pieces:
                chunks = reply.add(piece)
                if chunks:
                    yield b"".join(map(event, chunks))
            if with_usage:
                yield event(reply.usage_chunk())
            yield event("[DONE]")
        except ClientDisconnect:
            return
        except Exception as error:  # the stream has begun: its status can no longer say it
            yield event(faults.fault(error)[1])


async def _read_body(request: Request) -> bytes:
    """The body, of at most `MOST_BYTES`. JSON alone is read: what a page of another site can send without asking first
    is not. Raises Refusal."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, _("The body is {kind!r}."), _("Send application/json."), kind=kind[:60])
    too_large = Refusal(413, _("The body has more than {most:,} bytes."), _("Send less."), most=MOST_BYTES)
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MOST_BYTES:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MOST_BYTES:
                    raise too_large
    except TimeoutError:
        raise Refusal(408, _("The body did not arrive in {seconds:.0f} seconds."), seconds=BODY_SECONDS) from None
    return bytes(body)


async def _tell_http(request: Request, error: HTTPException) -> Response:
    """What Starlette refuses by itself: an address or a method that is not there."""
    said: Message = _("There is no {method} {path} here.")
    refusal = Refusal(
        error.status_code,
        said,
        _("There are GET /v1/models and POST /v1/chat/completions, /v1/completions, /v1/classify."),
        method=request.method[:20],
        path=request.url.path[:200],
    )
    response = faults.tell(refusal)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response
