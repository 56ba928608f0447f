"""What stands in front of everything: headers, origins, limits, errors in one shape (R65, R66)."""

import logging
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Visit
from fieldpost_server.database import Database
from fieldpost_server.log import JsonFormatter
from fieldpost_server.settings import Settings

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


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://office"}, {"Sec-Fetch-Site": "same-origin"}, {}]
)
def test_the_own_site_and_programs_are_let_in(office: Any, headers: dict[str, str]) -> None:
    """Requests of the app's own pages, and of programs without a browser, go through."""
    admin = office.client("admin")

    assert admin.post("/designer/pages/visit", data={}, headers=headers).status_code == 303


def test_behind_a_proxy_the_public_origin_counts(office: Any) -> None:
    """Where a proxy changes the Host header, the setting says who we are."""
    object.__setattr__(office.settings, "origin", "https://field.example")
    admin = office.client("admin")

    own = admin.post("/designer/pages/visit", headers={"Origin": "https://field.example"})
    other = admin.post("/designer/pages/visit", headers={"Origin": "http://office"})

    assert (own.status_code, other.status_code) == (303, 403)


def test_bodies_are_bounded_before_they_are_read(office: Any) -> None:
    """A body that is too large is refused, whether it says its length or not (R66)."""
    object.__setattr__(office.settings, "max_body_bytes", 1000)
    client = office.client("dora")

    async def endless() -> Any:
        for _ in range(10_000):
            yield b"x" * 1000

    said = client.post("/pages/patient/new", content=b"x" * 1001)
    unsaid = client.post("/pages/patient/new", content=endless())
    wrong = client.post("/sync/device", content=b"x", headers={"Content-Length": "-1"})

    for answer in (said, unsaid):
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "too_big"
    assert wrong.status_code == 413


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


def test_a_race_for_a_new_row_is_run_again(fieldpost_database: Database) -> None:
    """A row that somebody else inserted meanwhile is found by the second attempt, once."""
    database, calls = fieldpost_database, list[int]()

    def always_taken(session: Any) -> None:
        calls.append(1)
        table = sa.table("fieldpost_meta", sa.column("name"), sa.column("value"))
        session.execute(sa.insert(table).values([{"name": "x", "value": ""}] * 2))

    with pytest.raises(sa.exc.IntegrityError):
        database.write(always_taken)
    assert len(calls) == 2


def test_a_read_session_is_one_moment_and_writes_nothing(office: Any) -> None:
    """Whatever commits meanwhile, a snapshot stays the same."""
    query = sa.select(sa.func.count()).select_from(Visit)
    with office.database.read_session() as session:
        before = session.scalar(query)
        office.run(sa.delete(Visit).where(Visit.id == 2))
        after = session.scalar(query)

    assert before == after == 2


def test_a_write_session_rolls_back_what_raises(office: Any) -> None:
    """Nothing of a failed transaction stays."""

    def work(session: Any) -> None:
        session.execute(sa.delete(Visit))
        raise ValueError

    with pytest.raises(ValueError, match=""):
        office.write(work)
    assert len(office.rows(sa.select(Visit.id))) == 2


def test_sqlite_is_durable(fieldpost_database: Database) -> None:
    """What is committed survives a power cut, and references are kept."""
    if fieldpost_database.dialect != "sqlite":
        pytest.skip("SQLite's settings")
    with fieldpost_database.engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }

    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_settings_come_from_the_environment() -> None:
    """Each setting is a variable, an override wins, and faults are said in words."""
    environment = {
        "FIELDPOST_SEATS": "5",
        "PORT": "8123",
        "FIELDPOST_DEMO": "yes",
        "FIELDPOST_DATABASE": "postgresql://x/y",
    }

    settings = Settings.from_environment(environment, seats=None, host="::1")

    assert (settings.seats, settings.port, settings.demo, settings.host) == (5, 8123, True, "::1")
    assert settings.database_url == "postgresql+psycopg://x/y"
    assert Settings().database_url.startswith("sqlite:////")


@pytest.mark.parametrize(
    ("name", "value"), [("FIELDPOST_SEATS", "many"), ("PORT", "-1"), ("FIELDPOST_DEMO", "maybe")]
)
def test_settings_that_cannot_be_read_are_named(name: str, value: str) -> None:
    """The message names the variable."""
    with pytest.raises(Exception, match=name):
        Settings.from_environment({name: value})
