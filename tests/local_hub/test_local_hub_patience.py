"""Slow clients are disconnected: connections without a request, headers and bodies byte by byte, endless bodies."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import uvicorn

from lora_hub.local_hub import patience
from lora_hub.local_hub.accounts import Accounts
from lora_hub.local_hub.app import Hub
from lora_hub.local_hub.store import Store

# A machine that does other things, too, is slow and not wrong: what is waited for comes within this.
PATIENCE = 30.0


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A Hub that waits for a fraction of a second."""
    monkeypatch.setattr(patience, "HEADER_SECONDS", 0.4)
    monkeypatch.setattr(patience, "BODY_SECONDS", 0.4)
    monkeypatch.setattr(patience, "DRAIN_BYTES", 1 << 20)
    listener = socket.create_server(("127.0.0.1", 0))
    store = Store(tmp_path / "hub")
    app = Hub(store, Accounts(tmp_path / "hub", None, "lora-hub"))
    config = uvicorn.Config(app, http=patience.Impatient, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(PATIENCE)
    store.close()


def ask(port: int, *sent: bytes, pause: float = 0.0) -> bytes:
    """What comes until the server ends the connection; the last of `sent` is sent again and again."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        going = True

        def send() -> None:
            with suppress(OSError):
                for piece in sent[:-1]:
                    connection.sendall(piece)
                while going and sent:
                    connection.sendall(sent[-1])
                    time.sleep(pause)

        sender = threading.Thread(target=send)
        sender.start()
        got = []
        with suppress(ConnectionResetError):
            while piece := connection.recv(65_536):
                got.append(piece)
        going = False
        connection.close()
        sender.join(PATIENCE)
    return b"".join(got)


def test_a_connection_that_asks_nothing_is_ended(port: int) -> None:
    assert ask(port) == b""


def test_headers_drop_by_drop_are_not_waited_for(port: int) -> None:
    assert ask(port, b"GET /health HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n", pause=0.05) == b""


def test_a_second_request_drop_by_drop_is_not_waited_for(port: int) -> None:
    whole = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = ask(port, whole, b"GET /health HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n", pause=0.05)
    assert answer.startswith(b"HTTP/1.1 200") and answer.count(b"HTTP/1.1") == 1


def test_a_body_drop_by_drop_is_refused(port: int) -> None:
    head = b"POST /api/repos/create HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    answer = ask(port, head, b" ", pause=0.05)
    assert answer.startswith(b"HTTP/1.1 408") and b"comes too slowly" in answer


def test_a_refused_body_without_an_end_is_not_read_to_its_end(port: int) -> None:
    for path, status in ((b"/api/nothing-here", b"501"), (b"/api/repos/create", b"413")):
        head = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = ask(port, head, b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        # the answer may be lost to a client that is still sending: what counts is that it is not read on
        assert not answer or answer.startswith(b"HTTP/1.1 " + status)


def test_a_slow_answer_is_none_of_it(port: int) -> None:
    """Who has asked in time and waits is not ended."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.connect()
        connection.auto_open = 0  # a connection that was ended is not opened again without a word
        for rest in (0.8, 0):  # longer than a beginning is waited for: it rests between two requests
            connection.request("GET", "/health")
            answer = connection.getresponse()
            assert answer.status == 200 and b"hub" in answer.read()
            time.sleep(rest)
