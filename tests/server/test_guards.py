"""In front of everything: foreign origins and endless bodies (R65, R66)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from apps.offices import office_like


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://office.evil.example"},
        {"Origin": "http://office:81"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_requests_of_other_sites_are_refused(office: Any, headers: dict[str, str]) -> None:
    """A page of another origin cannot act in the user's name (R65)."""
    client = office.client("dora")
    for address in ("/pages/drugs/new", "/sign-in", "/sign-out", "/sync/push"):
        answer = client.post(address, data={"name": "Aspirin"}, headers=headers)

        assert (403, "foreign_origin") == (answer.status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://office"},
        {"Origin": "http://office", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_own_requests_and_programs_pass(office: Any, headers: dict[str, str]) -> None:
    """What the browser calls the same origin is, and programs say nothing."""
    client = office.client("dora")

    answer = client.post("/pages/drugs/new", data={"name": "Aspirin"}, headers=headers)
    assert 303 == answer.status_code


def test_behind_a_proxy_the_public_address_counts(office: Any) -> None:
    """With a public address set, the Host header says nothing (R65)."""
    with office_like(office, origin="https://field.example") as proxied:
        client = proxied.client("dora")
        own, foreign = (
            client.post("/pages/drugs/new", data={"name": "Aspirin"}, headers={"Origin": origin})
            for origin in ("https://field.example", "http://office")
        )

    assert [303, 403] == [own.status_code, foreign.status_code]


def test_too_large_bodies_are_refused(office: Any) -> None:
    """An announced size is refused at once, an endless body while it comes (R66)."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 500

    with office_like(
        office, max_body_bytes=1000, max_push_bytes=2000, max_attachment_bytes=3000
    ) as small:
        device = small.device("anna", download=False)
        for method, address in (
            ("POST", "/pages/visit/new"),
            ("POST", "/sign-in"),
            ("POST", "/sync/device"),
            ("POST", "/sync/push"),
            ("PATCH", "/sync/attachments/" + "a" * 64),
            ("PUT", "/attachments/" + "a" * 64),
        ):
            upload = {**device.headers, "Upload-Offset": "0", "Upload-Length": "100"}
            announced = device.client.request(method, address, content=bytes(3001), headers=upload)
            streamed = device.client.request(method, address, content=endless(), headers=upload)

            assert (413, "too_big") == (
                announced.status_code,
                announced.json()["error"]["code"],
            ), address
            assert 413 == streamed.status_code, address


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "²"])
def test_a_length_that_is_no_number_is_refused(office: Any, length: str) -> None:
    """A broken header is an error of the client's (R66)."""
    headers = {"Content-Length": length.encode("utf-8")}
    answer = office.client("dora").post("/pages/drugs/new", content=b"", headers=headers)

    assert 400 <= answer.status_code < 500


def test_every_answer_carries_the_security_headers(office: Any) -> None:
    """No inline script, no eval, no frames, on pages, errors and refusals alike (R65)."""
    client = office.client("dora")
    answers = [
        client.get("/"),
        client.get("/nonsense"),
        client.get("/sync/nonsense"),
        office.client().get("/sign-in"),
        client.post("/", headers={"Origin": "http://evil"}),
    ]

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "unsafe-inline" not in policy
        assert "'unsafe-eval'" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "nosniff" == answer.headers["x-content-type-options"]
