"""Every address has its own limit on what it reads (R66)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from apps.offices import office_like


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


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "²"])
def test_a_length_that_is_no_number_is_refused(office: Any, length: str) -> None:
    """A broken header is an error of the client's (R66)."""
    headers = {"Content-Length": length.encode("utf-8")}
    answer = office.client("dora").post("/pages/drugs/new", content=b"", headers=headers)

    assert 400 <= answer.status_code < 500
