"""What may enter where people sign in: only addresses that the page uses, uploads by people who may train, forms up to
a size; and how many browser sessions are kept."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lora_hub.people import STRANGER, Person, limits, policy
from lora_hub.people.pace import Pace
from lora_hub.ui.frame import doors, sessions_kept
from lora_hub.ui.frame.asking import ASKING

WILL, EVE = (Person(id=name, roles={"lora-hub": "write"}) for name in ("will", "eve"))
RITA = Person(id="rita", roles={"lora-hub": "read"})


@pytest.fixture(autouse=True)
def _people_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTH_CLIENT_ID", "the-app")


class Place:
    """The doors, before a server that keeps what it is sent as Gradio does."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.taken = folder, 0
        anything = Route("/{path:path}", self.answer, methods=["GET", "POST"])
        self.app = Starlette(routes=[anything], middleware=[Middleware(doors.Doors)])

    async def answer(self, request: Request) -> JSONResponse:
        async for chunk in request.stream():
            self.taken += len(chunk)
        if request.url.path != doors.UPLOAD:
            return JSONResponse({"reached": request.url.path})
        kept = self.folder / f"{self.taken}.csv"
        kept.write_bytes(b"x")
        return JSONResponse([str(kept)])

    def ask(self, person: Person, method: str, path: str, content=None) -> tuple[int, str]:
        async def app(scope, receive, send) -> None:
            scope[ASKING] = lambda: person
            await self.app(scope, receive, send)

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.request(method, path, content=content)

        answer = asyncio.run(asked())
        return answer.status_code, answer.text


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def stream(size: int) -> AsyncIterator[bytes]:
    """A body of which nobody says how long it is."""
    for _ in range(size // 65_536):
        yield b"x" * 65_536


@pytest.mark.parametrize(
    "path", ["/", "/config", "/assets/a.js", "/gradio_api/queue/data", "/gradio_api/heartbeat/x", "/theme.css"]
)
def test_what_the_page_asks_for(path: str, place: Place) -> None:
    assert place.ask(STRANGER, "GET", path)[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/proxy=http://10.0.0.1/",
        "/gradio_api/component_server",
        "/gradio_api/deep_link",
        "/gradio_api/process_recording",
        "/gradio_api/run/predict",
        "/gradio_api/call/x",
        "/gradio_api/run-history/records",
        "/gradio_api/openapi.json",
        "/gradio_api/",
        "/monitoring",
        "/dev/reload",
        "/configs",
        "/login",
        "/gradio_api/file/etc/passwd",
    ],
)
@pytest.mark.parametrize("person", [STRANGER, WILL])
def test_what_nobody_asks_for_is_not_there(path: str, person: Person, place: Place) -> None:
    for method in ("GET", "POST"):
        status, said = place.ask(person, method, path)
        assert status == 404 and "no such address" in said and "این صفحه" in said


def test_who_may_not_train_uploads_nothing(place: Place) -> None:
    policy.write(policy.Policy(strangers="compare"))
    for person, said in ((STRANGER, "nobody is signed in"), (RITA, "rita is a member who reads")):
        status, told = place.ask(person, "POST", doors.UPLOAD, b"x" * 100)
        assert (status, place.taken) == (403, 0) and said in told


@pytest.mark.parametrize("content", [b"x" * 3_000_000, 3_000_000])
def test_an_upload_is_bounded_while_it_arrives(content, place: Place) -> None:
    policy.write(policy.Policy(upload_mb=1))
    body = stream(content) if isinstance(content, int) else content
    status, told = place.ask(WILL, "POST", doors.UPLOAD, body)
    assert status == 413 and "more than 1 MB at once" in told and place.taken <= 1_200_000
    assert place.ask(WILL, "POST", doors.UPLOAD, b"x" * 900_000)[0] == 200


def test_nobody_uploads_more_at_once_than_they_ask(place: Place) -> None:
    """Files that arrive count towards nobody's disk yet."""
    will = replace(WILL, pace=Pace())
    going = [will.pace.begin(limits.MOST_AT_ONCE) for _ in range(limits.MOST_AT_ONCE)]
    status, told = place.ask(will, "POST", doors.UPLOAD, b"x" * 100)
    assert all(going) and (status, place.taken) == (403, 0) and "8 requests of yours" in told
    will.pace.end()
    for _ in range(3):  # each gives its place back, also one that is refused
        assert place.ask(will, "POST", doors.UPLOAD, b"x" * 100)[0] == 200
        assert place.ask(will, "POST", doors.UPLOAD, b"x" * 200_000_000)[0] == 413


def test_a_form_is_bounded_by_what_one_may(place: Place) -> None:
    join = "/gradio_api/queue/join"
    for person, most in ((STRANGER, doors.LITTLE_BYTES), (RITA, doors.LITTLE_BYTES), (WILL, doors.FORM_BYTES)):
        place.taken = 0
        assert place.ask(person, "POST", join, stream(most + 200_000))[0] == 413 and place.taken <= most
        assert place.ask(person, "POST", join, b"x" * most)[0] == 200


def test_an_uploaded_file_is_handed_to_whoever_sent_it(place: Place) -> None:
    [path] = json.loads(place.ask(WILL, "POST", doors.UPLOAD, b"a,b\n1,2\n")[1])
    assert place.ask(WILL, "GET", doors.FILE + path)[0] == 200
    for person in (EVE, RITA, STRANGER):
        assert place.ask(person, "GET", doors.FILE + path)[0] == 403
    for other in ("/etc/passwd", "http://127.0.0.1/", f"{path}.gz", ""):
        assert place.ask(WILL, "GET", doors.FILE + other)[0] == 403


def test_uploads_that_nobody_takes_over_go(tmp_path: Path) -> None:
    now = [0.0]
    uploads = doors.Uploads(clock=lambda: now[0])
    files = [tmp_path / f"{n}.csv" for n in range(6)]
    for file in files:
        file.write_bytes(b"x")
        uploads.add(WILL, [str(file)])
    assert [file.exists() for file in files] == [False] * 2 + [True] * doors.MOST_WAITING
    theirs = tmp_path / "theirs.csv"
    theirs.write_bytes(b"x")
    now[0] = doors.WAITING_SECONDS
    uploads.add(EVE, [str(theirs)])
    files[-1].unlink()  # a dataset was made of it
    now[0] += 1
    uploads.add(WILL, [])
    assert not any(file.exists() for file in files) and theirs.exists()
    assert uploads.is_of(EVE, str(theirs)) and not uploads.is_of(WILL, str(files[-2]))


class Queue:
    """As much of Gradio's as is counted."""

    def __init__(self) -> None:
        self.pending_messages_per_session: OrderedDict = OrderedDict()
        self.pending_event_ids_session: dict[str, set[str]] = {}
        self.event_ids_to_events: dict = {}

    async def push(self, body, request, username) -> tuple:
        body.session_hash = body.session_hash or f"call-{len(self.event_ids_to_events)}"
        self.pending_messages_per_session[body.session_hash] = []
        name = f"{body.session_hash}-{len(self.event_ids_to_events)}"
        self.pending_event_ids_session.setdefault(body.session_hash, set()).add(name)
        self.event_ids_to_events[name] = SimpleNamespace(alive=True)
        return True, name, "success"


def test_who_opens_many_sessions_loses_their_own_oldest() -> None:
    queue = Queue()
    states = SimpleNamespace(lock=Lock(), session_data={}, time_last_used={})
    public = SimpleNamespace(api_visibility="public", api_name="runs", inputs=[])
    app = SimpleNamespace(state_holder=states)
    sessions_kept.SessionsKept(SimpleNamespace(_queue=queue, fns={1: public}, app=app))

    def join(person: Person, name: str | None, called: int = 0) -> tuple:
        if name is not None:
            states.session_data[name] = states.time_last_used[name] = "0.4 MB"
        request = SimpleNamespace(scope={ASKING: lambda: person}, headers={})
        body = SimpleNamespace(session_hash=name, fn_index=called, data=[])
        return asyncio.run(queue.push(body=body, request=request, username=None))

    assert join(WILL, "wills")[0]
    for number in range(2 * sessions_kept.MOST_OF_STRANGERS):
        assert join(STRANGER, f"made-up-{number}")[0]
    kept = [f"made-up-{n}" for n in range(sessions_kept.MOST_OF_STRANGERS, 2 * sessions_kept.MOST_OF_STRANGERS)]
    for known in (queue.pending_messages_per_session, queue.pending_event_ids_session, states.session_data):
        assert list(known) == ["wills", *kept]
    # A call by HTTP is a session, too. It pushes out no page, and those first whose responses were fetched.
    assert join(WILL, None, called=1)[0]
    for _number in range(3 * sessions_kept.MOST_OF_ONE):
        _is_pushed, name, _state = join(WILL, None, called=1)
        session = name.rpartition("-")[0]
        queue.pending_event_ids_session.pop(session)
    programs = [name for name in queue.pending_messages_per_session if name.startswith("call-")]
    assert len(programs) == sessions_kept.MOST_OF_ONE and len(queue.pending_event_ids_session[programs[0]]) == 1
    assert "wills" in queue.pending_messages_per_session
    assert [join(WILL, "wills")[2] for _ in range(sessions_kept.MOST_EVENTS)].count("queue_full") == 1
