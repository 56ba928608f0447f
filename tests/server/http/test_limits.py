"""Every address has its own limit on what it reads (R66)."""

import gzip
import tracemalloc
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
from starlette.routing import Route

from apps.offices import office_like
from fieldpost_server.http.authentication import _is_public
from fieldpost_server.http.bodies import BodyLimit


def test_every_address_bounds_its_body(office: Any) -> None:
    """An announced size is refused at once, an endless body while it comes (R66)."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 500

    limits = {"max_body_bytes": 1000, "max_push_bytes": 2000, "max_attachment_bytes": 3000}
    with office_like(office, **limits) as small:
        device = small.device("anna", download=False)
        headers = {
            **device.headers,
            "Content-Type": "application/x-www-form-urlencoded",
            "Upload-Offset": "0",
            "Upload-Length": "100",
        }
        for method, address in (
            ("POST", "/pages/visit/new"),
            ("POST", "/sign-in"),
            ("POST", "/sync/device"),
            ("POST", "/sync/push"),
            ("PATCH", "/sync/attachments/" + "a" * 64),
            ("PUT", "/attachments/" + "a" * 64),
        ):
            asked = device.client.request
            announced = asked(method, address, content=bytes(3001), headers=headers)
            streamed = asked(method, address, content=endless(), headers=headers)

            assert (413, "too_big") == (announced.status_code, announced.json()["error"]["code"])
            assert 413 == streamed.status_code, address


def test_strangers_send_little(office: Any) -> None:
    """What takes a post without a session takes no more than its own forms need (R66)."""
    guard = BodyLimit(office.application, office.settings)
    posts = {
        route.path
        for route in office.application.routes
        if isinstance(route, Route) and "POST" in (route.methods or ())
    }
    open_ = {path for path in posts if _is_public(path)}

    assert {"/sign-in", "/sign-in/second/passkey", "/invitation"} <= open_
    assert {64 << 10} == {guard.limit(path) for path in open_}


CALLS = (
    ("POST", "/sync/device"),
    ("POST", "/sync/push"),
    ("PATCH", "/sync/attachments/" + "a" * 64),
    ("PUT", "/attachments/" + "a" * 64),
)
LIMIT = 1 << 20
PIECE = bytes(64 << 10)


def spent(call: Callable[[], Any]) -> tuple[Any, int]:
    """Return the answer of a call, and the most bytes that were in use meanwhile."""
    tracemalloc.start()
    try:
        return call(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("method", "address"), CALLS)
def test_a_body_beyond_the_limit_is_not_kept(office: Any, method: str, address: str) -> None:
    """An announced body is not read at all, another up to the limit; memory stays small (R66)."""
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1_000):
            read += len(PIECE)
            yield PIECE

    names = "max_body_bytes", "max_push_bytes", "max_attachment_bytes"
    with office_like(office, **dict.fromkeys(names, LIMIT)) as small:
        device = small.device("anna", download=False)
        headers = {**device.headers, "Upload-Offset": "0", "Upload-Length": "100"}

        def send(**announced: str) -> Any:
            said = headers | announced
            return device.client.request(method, address, content=endless(), headers=said)

        answer, most = spent(lambda: send(**{"Content-Length": str(LIMIT + 1)}))
        assert (413, 0) == (answer.status_code, read)
        assert most < LIMIT

        answer, most = spent(send)
        assert 413 == answer.status_code
        assert read <= LIMIT + 2 * len(PIECE)
        assert most < 3 * LIMIT


def test_a_push_that_unpacks_to_more_than_the_limit_is_not_unpacked(office: Any) -> None:
    """A small body cannot take much memory: unpacking stops at the limit (R66)."""
    body = gzip.compress(bytes(200 * LIMIT))
    with office_like(office, max_push_bytes=LIMIT) as small:
        device = small.device("anna", download=False)
        headers = {**device.headers, "Content-Encoding": "gzip"}
        send = partial(device.client.post, "/sync/push", content=body, headers=headers)
        answer, most = spent(send)

    assert 413 == answer.status_code
    assert most < 5 * LIMIT


@pytest.mark.parametrize(
    ("method", "address", "headers"),
    [
        ("PATCH", "/sync/attachments/nothing", {}),
        ("PUT", "/attachments/nothing", {}),
        ("PATCH", "/sync/attachments/" + "a" * 64, {"Upload-Length": "x"}),
        ("PATCH", "/sync/attachments/" + "a" * 64, {"Upload-Length": "9" * 15}),
        ("POST", "/sync/device", {"Fieldpost-Protocol": "9"}),
        ("POST", "/sync/push", {"Fieldpost-Device": "d-unknown"}),
    ],
)
def test_what_a_header_makes_impossible_is_refused_unread(
    office: Any, method: str, address: str, headers: dict[str, str]
) -> None:
    """No body is read for a call that its address or headers refuse (R66)."""
    device, read = office.device("anna", download=False), 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield PIECE

    said = {**device.headers, "Upload-Offset": "0", "Upload-Length": "100"} | headers
    answer = device.client.request(method, address, content=body(), headers=said)

    assert 400 <= answer.status_code < 500
    assert 0 == read


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "²"])
def test_a_length_that_is_no_number_is_refused(office: Any, length: str) -> None:
    """A broken header is an error of the client's (R66)."""
    headers = {"Content-Length": length.encode("utf-8")}
    answer = office.client("dora").post("/pages/drugs/new", content=b"", headers=headers)

    assert 400 <= answer.status_code < 500
