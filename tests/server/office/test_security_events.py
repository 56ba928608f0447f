"""Security events: who did what to whom, and from where (R34, R65, R66)."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost_server.accounts import security_events
from fieldpost_server.accounts.security_events import Actor, Event, delete_old_events, record
from fieldpost_server.storage import tables
from fieldpost_server.storage.tables import utc_now


def kept(office: Any) -> list[tuple[str, str, str]]:
    """Return who, what and whom of all events, the oldest first."""
    table = tables.security_event
    query = sa.select(table.c.who, table.c.what, table.c.whom).order_by(table.c.id)
    return office.rows(query)  # type: ignore[no-any-return]


def new_ones(office: Any, known: int) -> list[tuple[str, str, str]]:
    return kept(office)[known:]


@pytest.mark.parametrize(
    ("address", "fields", "what"),
    [
        ("/people", {"user": "zoe"}, [Event.USER_ADDED, Event.INVITED]),
        ("/people/role", {"role": "Doctor", "give": "true"}, [Event.ROLE_GIVEN]),
        ("/people/role", {"role": "Doctor", "give": "false"}, [Event.ROLE_TAKEN]),
        ("/people/active", {"active": "false"}, [Event.SWITCHED_OFF]),
        ("/people/active", {"active": "true"}, [Event.SWITCHED_ON]),
        ("/people/password", {"password": "words of the office"}, [Event.PASSWORD_SET]),
        ("/people/invitation", {}, [Event.INVITED]),
        ("/people/sessions", {"session": "all"}, [Event.SESSIONS_ENDED]),
        ("/designer/users/dora", {"role": "Doctor", "give": "true"}, [Event.ROLE_GIVEN]),
        ("/designer/users/dora", {"role": "Doctor", "give": "false"}, [Event.ROLE_TAKEN]),
    ],
)
def test_what_an_administrator_does_to_somebody_is_kept(
    office: Any, address: str, fields: dict[str, str], what: list[Event]
) -> None:
    """By whom, to whom; and nothing where it was refused (R34)."""
    admin, dora = office.client("admin"), office.client("dora")
    known = len(kept(office))
    dora.post(address, data={"user": "dora", **fields})
    assert [] == new_ones(office, known)
    admin.post(address, data={"user": "dora", **fields})

    whom = fields.get("user", "dora")
    assert [("admin", str(each), whom) for each in what] == new_ones(office, known)


@pytest.mark.passes("own-password-unjudged", "password-changed-unanswered", "session-not-ended")
def test_what_people_do_at_the_door_is_kept(office: Any) -> None:
    """Signing in and out, refused attempts, one's own password (R65)."""
    office.client().post("/sign-in", data={"name": "dora", "password": "wrong"})
    office.client().post("/sign-in", data={"name": "my password!", "password": "x"})
    dora = office.client("dora")
    dora.post("/account/password", data={"old": "wrong", "new": "x"})
    dora.post("/account/password", data={"old": "correct horse", "new": "four words of hers"})
    dora.post("/sign-out")
    dora.post("/sign-out")

    assert [
        ("", "sign-in refused", "dora"),
        ("", "sign-in refused", ""),
        ("dora", "signed in", ""),
        ("dora", "sign-in refused", "dora"),
        ("dora", "password changed", "dora"),
        ("dora", "signed out", ""),
    ] == kept(office)


def test_what_happens_to_a_device_is_kept(office: Any) -> None:
    """Its first contact, its name, its end; not each contact (R52)."""
    device, admin = office.device("anna"), office.client("admin")
    device.register()
    known = len(kept(office))
    admin.post("/devices/name", data={"device": device.id, "name": "x"})
    admin.post("/devices/revoke", data={"device": device.id})

    assert 1 == kept(office).count(("anna", "device registered", device.id))
    assert [
        ("admin", "device named", "anna"),
        ("admin", "device revoked", "anna"),
    ] == new_ones(office, known)


@pytest.mark.parametrize("user", ["anna", "dora"])
def test_events_are_for_administrators(office: Any, user: str) -> None:
    """Nobody else reads who was where (R34)."""
    assert 403 == office.client(user).get("/security-events").status_code


def test_events_are_found_by_all_their_words(office: Any) -> None:
    """However they are written, and across pages (R65)."""
    admin = office.client("admin")
    for n in range(60):
        actor = Actor("Zoë", f"10.0.0.{n}")
        office.write(lambda s, a=actor: record(s, a, Event.ROLE_GIVEN, "dora", "Doctor"))
    first = admin.get("/security-events", params={"q": "zoe role DORA"}).text
    older = admin.get("/security-events", params={"q": "zoe 10.0.0.7"}).text

    assert (50, 1) == (first.count('<li class="entry"'), older.count('<li class="entry"'))
    assert "Older" in first
    assert "Nothing contains" in admin.get("/security-events", params={"q": "zoe 100%"}).text
    for before in ("x", "9" * 30, "-1", "\u0663", "2"):
        shown = admin.get("/security-events", params={"q": "zoe", "before": before})
        assert 200 == shown.status_code


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r\nsigned in", "\x1b[2J", "\0", "\u202e", "\ud800", "x" * 9999]
)
def test_nobody_forges_an_event_from_outside(office: Any, text: str) -> None:
    """Whatever was typed is cut, and no character of it can look like another line (R66)."""
    office.client().post(
        "/sign-in", data={"name": text.encode("utf-8", "replace"), "password": "x"}
    )
    office.write(lambda s: record(s, Actor(text, text), Event.SIGNED_IN, text, text))
    table = tables.security_event
    columns = (table.c.who, table.c.whom, table.c.address, table.c.detail)
    words = [word for row in office.rows(sa.select(*columns)) for word in row]

    assert [] == [word for word in words if not word.isprintable() or len(word) > 500]
    assert 200 == office.client("admin").get("/security-events").status_code


def test_events_are_forgotten_after_a_time(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting says when; strangers' attempts are bounded in number, too (R66)."""
    for _ in range(5):
        office.client().post("/sign-in", data={"name": "nobody", "password": "x"})
    office.client("admin")
    assert 0 == office.write(lambda s: delete_old_events(s, 365))
    monkeypatch.setattr(security_events, "MOST_REFUSED", 2)

    assert 3 == office.write(lambda s: delete_old_events(s, 365))
    assert ["sign-in refused"] * 2 + ["signed in"] == [what for _, what, _ in kept(office)]
    later = utc_now() + timedelta(days=366)
    assert 3 == office.write(lambda s: delete_old_events(s, 365, later))
