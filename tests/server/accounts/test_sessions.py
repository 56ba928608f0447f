"""Sessions, passwords and the throttle, each by itself (R6, R65)."""

from contextlib import suppress
from datetime import timedelta
from typing import Any, Literal

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy.orm import Session

from apps.offices import office_like
from fieldpost.errors import InputError
from fieldpost_server.accounts import passwords, throttle
from fieldpost_server.accounts.passwords import renewed_hash, verify_password
from fieldpost_server.accounts.sessions import delete_expired, find_session, start_session
from fieldpost_server.accounts.users import NO_PASSWORD, password_of, set_password
from fieldpost_server.settings import Settings
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database

PASSWORD = "correct horse"


def test_the_sign_in_page_has_its_labels(office: Any) -> None:
    """Fields and button have the names that people and tests know; no demo account is shown."""
    page = office.client().get("/sign-in").text

    assert '<label for="name">User name</label>' in page
    assert '<label for="password">Password</label>' in page
    assert '<button class="button primary" type="submit">Sign in</button>' in page
    assert "demo" not in page


def test_the_cookie_is_secure_behind_https(office: Any) -> None:
    """With https, or a public address with https, the cookie never travels in the clear."""
    with office_like(office, origin="https://field.example") as public:
        answer = public.client().post("/sign-in", data={"name": "anna", "password": PASSWORD})

    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("name", ["anna", "nobody", "", "x" * 5000, "an\0na"])
def test_a_wrong_password_and_an_unknown_user_are_told_the_same(office: Any, name: str) -> None:
    """Nobody learns from the answer whether a user exists."""
    answer = office.client().post("/sign-in", data={"name": name, "password": "wrong"})

    assert answer.status_code == 422
    assert "User name or password is wrong." in answer.text
    assert "set-cookie" not in answer.headers


def test_sessions_end_when_unused_and_in_any_case(fieldpost_database: Database) -> None:
    """Idle and absolute expiry both end a session."""
    database = fieldpost_database
    settings = Settings(session_idle_hours=10, session_hours=24)
    user = database.write(lambda s: _add(s, "anna"))
    token = database.write(lambda s: start_session(s, user))
    now = tables.utc_now()

    def found(hours: float) -> bool:
        with database.read_session() as session:
            return find_session(session, token, settings, now + timedelta(hours=hours)) is not None

    assert found(9)
    assert not found(11)
    with database.read_session() as session:
        seen = find_session(session, token, settings, now + timedelta(hours=1))
    assert seen is not None
    assert seen.stale
    values = {"last_seen_at": now + timedelta(hours=20)}
    database.write(lambda s: s.execute(sa.update(tables.session).values(values)))
    assert found(21)
    assert not found(25)
    later = now + timedelta(hours=25)
    assert database.write(lambda s: delete_expired(s, settings, later)) == 1


def test_a_new_password_ends_all_sessions(fieldpost_database: Database) -> None:
    """Whoever knew the old password is out."""
    database = fieldpost_database
    user = database.write(lambda s: _add(s, "anna"))
    token = database.write(lambda s: start_session(s, user))

    database.write(lambda s: set_password(s, "ANNA", "another horse"))

    with database.read_session() as session:
        assert find_session(session, token, Settings()) is None
        found, stored = password_of(session, "anna")
    assert user == found
    assert (False, True) == tuple(verify_password(stored, p) for p in (PASSWORD, "another horse"))


def test_outdated_hashes_are_renewed(
    fieldpost_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the recommended parameters grow, a password is hashed anew at its next use."""
    database = fieldpost_database
    database.write(lambda s: _add(s, "anna"))
    monkeypatch.setattr(
        passwords, "_hasher", PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    )

    with database.read_session() as session:
        _, stored = password_of(session, "anna")
    renewed = renewed_hash(str(stored), PASSWORD)

    assert "m=16,t=2,p=1" in renewed
    assert "" == renewed_hash(renewed, PASSWORD)


@pytest.mark.parametrize("password", ["", "short", "x" * 2000])
def test_short_and_endless_passwords_are_refused(password: str) -> None:
    """Both limits are said in words."""
    with pytest.raises(InputError, match="password"):
        passwords.hash_password(password)
    assert not passwords.verify_password(None, password)


@pytest.mark.parametrize("stored", ["", NO_PASSWORD + "ab"])
def test_who_has_no_password_takes_as_long_as_nobody(
    monkeypatch: pytest.MonkeyPatch, stored: str
) -> None:
    """A clock does not tell who was invited, or comes by a provider; nothing lets them in (R65)."""
    hashed = list[str]()

    class Counted(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - its name
            with suppress(VerificationError):
                super().verify(hash, password)
            # not where it is no hash at all
            hashed.append(str(hash))
            raise VerificationError

    monkeypatch.setattr(passwords, "_hasher", Counted())
    for each in (stored, None):
        assert not passwords.verify_password(each, "nobody has this password")

    assert 2 == len(hashed)


def test_the_wait_grows_and_is_forgotten(fieldpost_database: Database) -> None:
    """It doubles up to a quarter of an hour for one address, a minute for the user elsewhere."""
    database, now = fieldpost_database, tables.utc_now()

    def wait(address: str, at: Any = now) -> int:
        with database.read_session() as session:
            return throttle.seconds_to_wait(session, throttle.Guess("anna", address), at)

    waits = []
    for _ in range(20):
        database.write(lambda s: throttle.record_failure(s, throttle.Guess("anna", "here"), now))
        waits.append(wait("here"))
    assert waits[:8] == [0, 0, 0, 0, 1, 2, 4, 8]
    assert waits[-1] == 900
    assert wait("elsewhere") == 0

    def from_everywhere(session: Session) -> None:
        for number in range(40):
            throttle.record_failure(session, throttle.Guess("anna", f"bot{number}"), now)

    database.write(from_everywhere)
    assert 0 < wait("elsewhere") <= 60

    assert wait("elsewhere", now + timedelta(minutes=2)) == 0
    later = now + timedelta(hours=2)
    database.write(lambda s: throttle.delete_old(s, later))
    with database.read_session() as session:
        assert session.scalar(sa.select(sa.func.count(tables.sign_in_failure.c.subject))) == 0


def test_signing_in_forgets_earlier_slips(office: Any) -> None:
    """A person who remembers at last starts with a clean slate."""
    client = office.client()
    for _ in range(4):
        client.post("/sign-in", data={"name": "anna", "password": "wrong"})
    assert client.post("/sign-in", data={"name": "anna", "password": PASSWORD}).status_code == 303

    found = office.rows(sa.select(tables.sign_in_failure.c.subject))

    assert [subject for (subject,) in found] == ["address:127.0.0.1"]


def _add(session: Any, name: str) -> Any:
    from fieldpost_server.accounts.users import add_user

    return add_user(session, name, PASSWORD, seats=1)


@pytest.mark.passes("session-untouched")
def test_a_session_that_is_used_stays(office: Any) -> None:
    """A request long after the last one is noted, so that who works is not signed out (R6)."""
    client = office.client("anna")
    long_ago = tables.utc_now() - timedelta(hours=1)
    office.run(sa.update(tables.session).values(last_seen_at=long_ago))
    assert 200 == client.get("/pages/visit").status_code

    ((seen,),) = office.rows(sa.select(tables.session.c.last_seen_at))
    assert long_ago < seen
