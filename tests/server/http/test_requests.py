"""What every request meets: headers, limits, errors in one shape, the log (R65, R66)."""

import logging
import threading
from typing import Any

import pytest

from apps.offices import office_like
from fieldpost.web.framework import posted_forms
from fieldpost_server.log import JsonFormatter

HTML = {"Accept": "text/html"}


@pytest.mark.parametrize("address", ["/sign-in", "/", "/health", "/nowhere", "/sync/pull", "/%00"])
def test_every_answer_carries_the_security_headers(office: Any, address: str) -> None:
    """No inline scripts, no frames, no guessing of types; errors included (R65)."""
    headers = office.client().get(address).headers

    policy = headers["content-security-policy"]
    assert "'unsafe-inline'" not in policy
    assert "'unsafe-eval'" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("scheme", "headers", "is_trusted"),
    [
        ("https", {}, True),
        ("http", {"Sec-Fetch-Site": "same-origin"}, True),
        ("http", {}, False),
    ],
)
def test_what_only_trusted_addresses_heed_is_sent_there_only(
    office: Any, scheme: str, headers: dict[str, str], *, is_trusted: bool
) -> None:
    """A browser on plain HTTP would complain of it in its console, at every page (R65)."""
    answer = office.client().get(f"{scheme}://testserver/sign-in", headers=headers)

    assert is_trusted == ("cross-origin-opener-policy" in answer.headers)


def test_robots_are_told_that_nothing_is_for_them(office: Any) -> None:
    """Without signing in, and not by the sign-in page."""
    answer = office.client().get("/robots.txt")

    assert (200, "User-agent: *\nDisallow: /\n") == (answer.status_code, answer.text)


@pytest.mark.parametrize(
    ("address", "headers", "is_small"),
    [
        ("/designer", {}, True),
        ("/designer?done=saved", {}, False),
        ("/designer?done=saved", {"Sec-Fetch-Site": "same-origin"}, True),
        ("/designer?done=saved", {"Sec-Fetch-Site": "cross-site"}, False),
        ("/designer", {"Accept-Encoding": "identity"}, False),
        ("/health", {}, False),
    ],
)
def test_large_pages_are_compressed(
    office: Any, address: str, headers: dict[str, str], *, is_small: bool
) -> None:
    """Pages that repeat what an address says only if they were asked for by our own (R65)."""
    answer = office.client("admin").get(address, headers=headers)

    assert 200 == answer.status_code
    assert is_small == (answer.headers.get("content-encoding") == "gzip")
    if is_small:
        assert "Accept-Encoding" in answer.headers["vary"]
        assert int(answer.headers["content-length"]) < len(answer.text) / 2
        assert "</html>" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://office:8080"},
    ],
)
def test_other_sites_change_nothing(office: Any, headers: dict[str, str]) -> None:
    """A form on another site, sent with the user's cookie, is refused (R65)."""
    admin = office.client("admin")

    for address in ("/designer/pages/visit", "/sign-out", "/sync/push", "/pages/visit/new"):
        answer = admin.post(address, data={"offline": "false"}, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "foreign_origin"
    assert admin.get("/designer").status_code == 200
    assert admin.get("/", headers=headers).status_code == 200


def test_bodies_are_bounded_before_they_are_read(office: Any) -> None:
    """A body that is too large is refused, whether it says its length or not (R66)."""

    async def endless() -> Any:
        for _ in range(10_000):
            yield b"x" * 1000

    with office_like(office, max_body_bytes=1000) as narrow:
        client = narrow.client("dora")
        said = client.post("/sync/device", content=b"x" * 1001)
        unsaid = client.post("/sync/device", content=endless())

    for answer in (said, unsaid):
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "too_big"


@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("GET", "/sync/nowhere", 404, "not_found"),
        ("DELETE", "/sync/push", 405, "method_not_allowed"),
        ("GET", "/attachments/x", 404, "not_found"),
        ("GET", "/sync/pull", 400, "bad_cursor"),
        ("POST", "/sync/push", 403, "wrong_device"),
    ],
)
def test_errors_of_calls_have_one_shape(
    office: Any, method: str, address: str, status: int, code: str
) -> None:
    """``{"error": {"code", "message", …}}``, with the catalogue's words."""
    answer = office.client("anna").request(method, address)

    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/pages/nowhere", 404),
        ("GET", "/pages/patient/records/nowhere", 404),
        ("GET", "/pages/patient/records/%00", 404),
        ("GET", "/pages/visit/records/99999999999999999999999", 404),
        ("GET", "/pages/visit/records/1", 404),
        ("GET", "/pages/visit?q=%00", 200),
        ("GET", "/pages/visit?page=999999999999999999999999", 200),
        ("GET", "/pages/visit?sort=nonsense", 200),
        ("GET", "/pages/drugs", 200),
        ("DELETE", "/pages/visit", 405),
        ("POST", "/designer", 405),
    ],
)
def test_errors_of_pages_are_pages(office: Any, method: str, address: str, status: int) -> None:
    """A person gets words on a page, and never a trace; odd input is no trouble (R66)."""
    answer = office.client("dora").request(method, address, headers=HTML)

    assert answer.status_code == status
    assert "text/html" in answer.headers["content-type"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"],
)
def test_unreadable_forms_are_refused(office: Any, content_type: str) -> None:
    """Broken form bodies get words, not a trace."""
    headers = {"Content-Type": content_type}
    for address in ("/pages/patient/new", "/sign-in", "/designer/pages/visit"):
        answer = office.client("admin").post(
            address, content=b"\xff\x00=&&--x\r\n", headers=headers
        )
        assert answer.status_code < 500
        assert "Traceback" not in answer.text


@pytest.mark.parametrize("address", ["/pages/patient/new", "/sign-in", "/designer/pages/visit"])
@pytest.mark.parametrize("name", ["posted_parts", "posted_pairs"])
def test_forms_are_read_in_the_pool(
    office: Any, monkeypatch: pytest.MonkeyPatch, address: str, name: str
) -> None:
    """The event loop reads no form, with files or without, however small it is (R66)."""
    threads = []
    reading = getattr(posted_forms, name)

    def watched(*body: Any) -> Any:
        threads.append(threading.current_thread().name)
        return reading(*body)

    monkeypatch.setattr(posted_forms, name, watched)
    kind = {"files": {"x": ("", b"")}} if name == "posted_parts" else {}
    office.client("admin").post(address, data={"a": "1"}, **kind)

    assert threads
    assert [] == [each for each in threads if "AnyIO worker" not in each]


def test_trouble_is_said_without_its_trace(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the server fails the trace goes to the log only, with the headers all the same."""

    def broken(*_: object) -> Any:
        raise RuntimeError("a secret of the server")

    dora, anna = office.client("dora"), office.client("anna")
    monkeypatch.setattr(type(office.home), "session", broken)
    page, call = dora.get("/pages/patient"), anna.get("/sync/image")

    assert (page.status_code, call.status_code) == (500, 500)
    assert call.json()["error"]["code"] == "server_trouble"
    assert "secret" not in page.text + call.text
    assert "content-security-policy" in page.headers


def test_requests_are_logged_without_their_contents(
    office: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """One JSON line for each request: who, what, how long; no query, form or token."""
    client = office.client("dora")
    with caplog.at_level(logging.INFO, "fieldpost"):
        client.get("/pages/patient?q=Ärmel")

    (record,) = [r for r in caplog.records if r.getMessage() == "request"]
    line = JsonFormatter().format(record)
    assert '"path": "/pages/patient"' in line
    assert '"user": "dora"' in line
    assert '"status": 200' in line
    assert "Ärmel" not in line
