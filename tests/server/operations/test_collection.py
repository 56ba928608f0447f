"""Attachments that nothing refers to go after a time of grace, and no other (R43, R66)."""

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from apps.clinic import Visit
from fieldpost.types import Attachment
from fieldpost.wire.envelope import Operation, Void
from fieldpost_server.feed import triggers
from fieldpost_server.feed.triggers import install
from fieldpost_server.inbox import applier
from fieldpost_server.inbox.ledger import keep_envelope
from fieldpost_server.operations import collection
from fieldpost_server.operations.collection import collect, note_unused, unused
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.storage import tables
from fieldpost_server.storage.tables import utc_now

TEXT = b"what somebody has written"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def told(content: bytes) -> dict[str, Any]:
    return {"sha256": digest(content), "size": len(content), "type": "text/plain", "name": "a.txt"}


def is_there(office: Any, content: bytes = TEXT) -> bool:
    row = sa.select(tables.attachment.c.sha256).where(tables.attachment.c.sha256 == digest(content))
    has_row = bool(office.rows(row))
    assert has_row == office.home.store.path(digest(content)).exists()
    return has_row


def round_of(office: Any, now: datetime | None = None, days: int = 90) -> int:
    """Collect as housekeeping does, at a moment."""
    moment = now or utc_now()
    office.database.write(lambda session: note_unused(session, moment))
    every = captured_tables(office.home.app)
    return collect(office.home.store, moment - timedelta(days=days), every)


def in_a_year(office: Any) -> int:
    """Collect twice: what is noted as unused now has been so for long."""
    round_of(office)
    return round_of(office, utc_now() + timedelta(days=365))


def push(device: Any, visit: Callable[..., Operation], **values: Any) -> Any:
    made = device.envelope(visit(report=told(TEXT), **values), attachments=(digest(TEXT),))
    return made, device.push(made)[0]


@pytest.fixture
def anna(office: Any) -> Any:
    made = office.device("anna", download=False)
    made.upload(TEXT, "text/plain")
    return made


def test_what_nothing_refers_to_goes_after_the_time_of_grace(office: Any, anna: Any) -> None:
    """Not before; and it can be brought again, as if it had never been there."""
    now = utc_now()
    first = [round_of(office, now), round_of(office, now + timedelta(days=89))]
    is_kept = is_there(office)
    last = round_of(office, now + timedelta(days=91))

    assert [0, 0] == first
    assert is_kept
    assert (1, False) == (last, is_there(office))
    assert [] == office.rows(sa.select(tables.attachment_bringer))
    assert 404 == anna.client.get(f"/attachments/{digest(TEXT)}").status_code
    assert 204 == anna.upload(TEXT, "text/plain").status_code
    assert is_there(office)


@pytest.mark.passes("still-unused")
def test_who_sends_it_again_begins_the_time_anew(office: Any, anna: Any) -> None:
    """A form that is still open keeps its files."""
    now = utc_now()
    round_of(office, now)
    anna.upload(TEXT, "text/plain")
    kept = round_of(office, now + timedelta(days=91))
    anna.client.request("PUT", f"/attachments/{digest(TEXT)}", content=TEXT)

    assert (0, True) == (kept, is_there(office))
    assert 0 == round_of(office, now + timedelta(days=182))
    assert is_there(office)


def test_what_a_record_refers_to_stays(
    office: Any, anna: Any, visit: Callable[..., Operation]
) -> None:
    """As long as the record does; then it goes, and not at once."""
    _, receipt = push(anna, visit)
    kept = in_a_year(office)
    office.run(sa.delete(Visit).where(Visit.id == receipt["record"][0]))

    assert (0, True) == (kept, is_there(office))
    assert 0 == round_of(office, utc_now() + timedelta(days=365))
    assert 1 == round_of(office, utc_now() + timedelta(days=730))


def test_what_another_program_refers_to_stays(
    office: Any, anna: Any, visit: Callable[..., Operation]
) -> None:
    """Plain SQL counts as much as an envelope."""
    (plain,) = anna.push(anna.envelope(visit()))
    at = sa.update(Visit).where(Visit.id == plain["record"][0])
    office.run(at.values(report=Attachment(**told(TEXT))))

    assert (0, True) == (in_a_year(office), is_there(office))


def test_nothing_goes_while_a_trigger_is_missing(
    office: Any, anna: Any, visit: Callable[..., Operation]
) -> None:
    """As after a migration that made a table anew: what refers to what was not noted (R43)."""
    every = captured_tables(office.home.app)
    (plain,) = anna.push(anna.envelope(visit()))
    with office.database.engine.begin() as connection:
        names = [trigger for table, trigger, _ in triggers._present(connection) if table == "visit"]
        on = " ON visit" if connection.dialect.name == "postgresql" else ""
        for name in names:
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"{on}')
    at = sa.update(Visit).where(Visit.id == plain["record"][0])
    office.run(at.values(report=Attachment(**told(TEXT))))

    assert (0, True) == (in_a_year(office), is_there(office))
    install(office.database.engine, every)
    assert (0, True) == (in_a_year(office), is_there(office))


def test_what_a_refused_envelope_brings_stays_until_its_end(
    office: Any, anna: Any, visit: Callable[..., Operation]
) -> None:
    """Whoever repairs it has its files; when it is discarded nobody needs them."""
    made, receipt = push(anna, visit, score=400)
    kept = in_a_year(office)
    void = {"voids": Void(made.id, made.digest), "number": made.number}
    (discarded,) = anna.push(anna.envelope(previous="", **void))

    assert "invalid" == receipt["outcome"]
    assert (0, True) == (kept, is_there(office))
    assert "accepted" == discarded["outcome"]
    assert (1, False) == (in_a_year(office), is_there(office))


@pytest.mark.passes("attachments-held")
def test_what_a_waiting_envelope_brings_stays(
    office: Any, anna: Any, visit: Callable[..., Operation]
) -> None:
    """One of its files may have arrived long before the other."""
    other = b"on its way"
    made = anna.envelope(
        visit(report=told(TEXT), sketch=None), attachments=(digest(TEXT), digest(other))
    )
    (waits,) = anna.push(made)

    assert "waiting" == waits["outcome"]
    assert (0, True) == (in_a_year(office), is_there(office))


@pytest.mark.passes("old-upload-locked")
def test_an_upload_that_goes_on_stays(office: Any, anna: Any) -> None:
    """What nobody has gone on with is deleted, what somebody has is not."""
    for content in (b"first" * 9, b"second" * 9):
        anna.upload(content, "text/plain", end=10)
    old, young = sorted((office.settings.attachments / "uploads").iterdir())
    long_ago = (utc_now() - timedelta(days=91)).timestamp()
    os.utime(old, (long_ago, long_ago))

    assert 1 == office.home.store.delete_abandoned(utc_now() - timedelta(days=90))
    assert [young] == list((office.settings.attachments / "uploads").iterdir())


@pytest.mark.passes("attachment-held", "file-undeleted", "stray-file-left")
@pytest.mark.usefixtures("anna")
def test_a_file_without_a_row_goes_when_it_is_old(office: Any) -> None:
    """An upload that died between file and row leaves nothing for ever."""
    path = office.home.store.path(digest(b"stray"))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"stray")
    young = round_of(office)
    long_ago = (utc_now() - timedelta(days=91)).timestamp()
    os.utime(path, (long_ago, long_ago))

    assert (0, 1) == (young, round_of(office))
    assert not path.exists()
    assert is_there(office)


def test_a_push_that_has_begun_keeps_what_it_refers_to(
    office: Any, anna: Any, visit: Callable[..., Operation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collection waits for it, and finds the reference (on both databases)."""
    round_of(office)
    inside, go_on = threading.Event(), threading.Event()
    real = keep_envelope

    def slow(*parts: Any, **more: Any) -> Any:
        inside.set()
        go_on.wait(60)
        return real(*parts, **more)

    monkeypatch.setattr(applier, keep_envelope.__name__, slow)
    held = office.home.store.held

    def begun(sha256: str) -> Any:
        go_on.set()
        return held(sha256)

    monkeypatch.setattr(office.home.store, "held", begun)
    with ThreadPoolExecutor(2) as pool:
        pushed = pool.submit(push, anna, visit)
        assert inside.wait(60)
        collected = pool.submit(
            collect,
            office.home.store,
            utc_now() + timedelta(days=1),
            captured_tables(office.home.app),
        )
        receipt, count = pushed.result(60)[1], collected.result(60)

    assert ("accepted", 0) == (receipt["outcome"], count)
    assert is_there(office)


def test_a_push_that_comes_too_late_waits_for_the_bytes(
    office: Any, anna: Any, visit: Callable[..., Operation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No record ever refers to what is gone: its envelope waits, and the file is sent again."""
    round_of(office)
    inside, go_on = threading.Event(), threading.Event()
    real = collection._forgotten

    def slow(session: Session, *parts: Any) -> Any:
        found = real(session, *parts)
        inside.set()
        go_on.wait(60)
        return found

    monkeypatch.setattr(collection, "_forgotten", slow)
    references = sa.select(tables.attachment_reference.c.table_name)
    with ThreadPoolExecutor(2) as pool:
        collected = pool.submit(
            collect,
            office.home.store,
            utc_now() + timedelta(days=1),
            captured_tables(office.home.app),
        )
        assert inside.wait(60)
        pushed = pool.submit(push, anna, visit)
        if office.database.dialect == "postgresql":
            blocked(office)
        go_on.set()
        made, receipt = pushed.result(60)
        count = collected.result(60)

    assert (1, "waiting") == (count, receipt["outcome"])
    assert not is_there(office)
    assert {("fieldpost_envelope",)} == set(office.rows(references))
    anna.upload(TEXT, "text/plain")
    assert "accepted" == anna.push(made)[0]["outcome"]
    assert is_there(office)


def blocked(office: Any) -> None:
    """Return when a transaction waits for another one's row."""
    waits = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    turns = threading.Event()
    for _ in range(600):
        if office.rows(waits)[0][0]:
            return
        turns.wait(0.05)
    raise AssertionError("nobody waits")


@pytest.mark.passes("unused-unnoted")
@pytest.mark.usefixtures("anna")
def test_what_would_go_is_listed(office: Any) -> None:
    """With since when, before anything is deleted."""
    with office.database.read_session() as session:
        before = unused(session)
    round_of(office)
    with office.database.read_session() as session:
        after = unused(session)

    assert [(digest(TEXT), len(TEXT), None)] == [(u.sha256, u.size, u.since) for u in before]
    assert after[0].since is not None
    assert is_there(office)


@pytest.mark.passes("attachment-locked", "collected-file-left")
@pytest.mark.usefixtures("anna")
def test_nothing_is_deleted_while_a_backup_copies(office: Any) -> None:
    """A backup has every file of its point; the next round goes on (R66)."""
    with office.home.store.undisturbed():
        meanwhile = in_a_year(office)

    assert (0, 1) == (meanwhile, in_a_year(office))
