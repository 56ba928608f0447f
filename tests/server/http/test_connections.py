"""Connections that stand still end, over a real socket (R66)."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from fieldpost_server.http import bodies, connections
from fieldpost_server.http.connections import HEADER_BYTES, Connection

pytestmark = pytest.mark.long

PATIENCE_S = 30.0


@contextmanager
def listening(application: Any) -> Iterator[tuple[str, int]]:
    """Serve an application as `fieldpost serve` does, in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application,
        log_config=None,
        lifespan="off",
        http=Connection,
        h11_max_incomplete_event_size=HEADER_BYTES,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        listener.close()


def ended(connection: socket.socket) -> bytes:
    """Return all that comes until the other end closes."""
    connection.settimeout(PATIENCE_S)
    found = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return found
        if not piece:
            return found
        found += piece


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moments instead of a minute."""
    monkeypatch.setattr(connections, "HEADERS_S", 0.5)
    monkeypatch.setattr(connections, "UNREAD_S", 0.5)
    monkeypatch.setattr(bodies, "SILENCE_S", 0.5)


FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
BODY = b"POST /sign-in HTTP/1.1\r\nHost: x\r\n" + FORM + b"Content-Length: 60000\r\n\r\n"
PIECES = (b"GET /robots.txt HT", b"TP/1.1\r\nHost: x\r\n", b"Connection: close\r\n\r\n")


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"GET /sign-in HTTP/1.1\r\nHost: ", b""),
        (BODY, b"HTTP/1.1 408"),
        (BODY + b"n", b"HTTP/1.1 408"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * (HEADER_BYTES + 9), b"HTTP/1.1 400"),
        (b"GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200"),
        (b"GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /rob", b"HTTP/1.1 200"),
    ],
    ids=["nothing", "half", "no-body", "half-body", "headers", "kept-alive", "half-after-one"],
)
def test_what_stands_still_ends(office: Any, sent: bytes, answer: bytes) -> None:
    """A connection that sends nothing, or half of something, is closed from our side."""
    with listening(office.application) as where, socket.create_connection(where) as connection:
        connection.sendall(sent)
        said = ended(connection)

    assert said[:12] == answer


@pytest.mark.usefixtures("hurried")
def test_a_body_below_the_lowest_rate_ends(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then does not hold a place, though it never stands still."""
    monkeypatch.setattr(bodies, "LOWEST_RATE", 1_000)
    begun = time.monotonic()
    with listening(office.application) as where, socket.create_connection(where) as connection:
        connection.sendall(BODY)
        connection.settimeout(0.05)
        said = b""
        while not said and time.monotonic() - begun < PATIENCE_S:
            connection.sendall(b"n")
            try:
                said = connection.recv(65536)
            except TimeoutError:
                continue

    assert b"HTTP/1.1 408" == said[:12]
    assert b"connection: close" in said.lower()


@pytest.mark.usefixtures("hurried")
def test_an_answer_that_nobody_reads_ends() -> None:
    """What is made for a client that does not read is not kept for ever."""

    async def large(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(64 << 20)})

    with listening(large) as where, socket.create_connection(where) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(3)
        read = len(ended(connection))

    assert read < 64 << 20


def test_somebody_slow_is_not_cut_off(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request in two pieces, with a pause that any line may make, is answered."""
    monkeypatch.setattr(connections, "HEADERS_S", 10)
    with listening(office.application) as where, socket.create_connection(where) as connection:
        for piece in (
            b"GET /robots.txt HT",
            b"TP/1.1\r\nHost: x\r\n",
            b"Connection: close\r\n\r\n",
        ):
            connection.sendall(piece)
            time.sleep(0.3)
        said = ended(connection)

    assert b"HTTP/1.1 200" == said[:12]


def test_idle_connections_keep_nobody_out(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hundred half requests are gone a moment later, and a page was there meanwhile."""
    monkeypatch.setattr(connections, "HEADERS_S", 1.0)
    with listening(office.application) as where:
        idle = [socket.create_connection(where) for _ in range(300)]
        try:
            for each in idle:
                each.sendall(b"GET /sign-in HTTP/1.1\r\n")
            with socket.create_connection(where) as asking:
                asking.sendall(b"GET /robots.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert b"HTTP/1.1 200" == ended(asking)[:12]
            assert {b""} == {ended(each) for each in idle}
        finally:
            for each in idle:
                each.close()
