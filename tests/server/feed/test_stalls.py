"""What holds back the change feed is named in health and log; pulls go on meanwhile (R45)."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from apps.clinic import Visit
from apps.fakes import ADA
from apps.offices import office_like
from fieldpost_server.feed.stalls import Holder, HorizonWatch, oldest_writer
from fieldpost_server.operations import housekeeping
from fieldpost_server.storage import tables

WRITE = "UPDATE visit SET summary = 'a secret in a query' WHERE id = 2"


@pytest.fixture
def busy(office: Any) -> Any:
    """The office, where it has a horizon."""
    if office.database.dialect != "postgresql":
        pytest.skip("SQLite has one writer, which holds nothing back")
    return office


@contextmanager
def importer(
    office: Any, *, first: str = WRITE, end: str = "ROLLBACK"
) -> Iterator[psycopg.Connection]:
    """Open another program's transaction that has written and does not end."""
    url = office.database.engine.url.set(drivername="postgresql")
    plain = url.render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True, application_name="importer") as connection:
        connection.execute("SET lock_timeout = '20s'")
        connection.execute("BEGIN")
        try:
            connection.execute(first)
            yield connection
        finally:
            connection.execute(end)


def holder_of(office: Any) -> Holder | None:
    with office.database.read_session() as session:
        return oldest_writer(session)


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [
        (record.getMessage(), record.levelname)
        for record in caplog.records
        if record.getMessage().startswith("change feed")
    ]


def test_nobody_holds_back_the_feed_at_rest(office: Any) -> None:
    """Without a transaction that has written there is no holder, on either database (R45)."""
    assert holder_of(office) is None
    assert HorizonWatch(office.database, 0).look() is None


def test_health_names_the_session(busy: Any) -> None:
    """Health says since when, and whose session it is, but nothing of its query (R45)."""
    with office_like(busy, stalled_after_s=0) as strict:
        with importer(busy) as connection:
            answer = strict.client().get("/health")
            patient = busy.client().get("/health")
            words = strict.health()["checks"]["horizon"]

            assert (503, 200) == (answer.status_code, patient.status_code)
            named = f"session {connection.info.backend_pid} ('importer', idle in transaction, "
            assert named + "newest statement 20" in words
            assert "secret" not in words

        assert "ok" == strict.health()["checks"]["horizon"]


def test_the_oldest_id_holds_back_not_the_oldest_start(busy: Any) -> None:
    """A transaction that only read at first holds nothing back until it writes (R45)."""
    with importer(busy, first="SELECT 1 FROM visit") as early, importer(busy) as late:
        pids = early.info.backend_pid, late.info.backend_pid
        held = [holder_of(busy)]
        early.execute("INSERT INTO ward (code, name) VALUES ('Z', 'New')")
        held.append(holder_of(busy))
        late.execute("ROLLBACK")
        held.append(holder_of(busy))

    assert [pids[1], pids[1], pids[0]] == [found and found.pid for found in held]


def test_a_prepared_transaction_is_named(busy: Any) -> None:
    """A transaction that was prepared belongs to no session and holds back all the same (R45)."""
    with importer(busy, end="ROLLBACK PREPARED 'import of today'") as connection:
        connection.execute("PREPARE TRANSACTION 'import of today'")
        with office_like(busy, stalled_after_s=0) as strict:
            words = strict.health()["checks"]["horizon"]
        found = holder_of(busy)

        assert "the prepared transaction 'import of today'" in words
        assert found is not None
        assert {"age_s", "transaction", "user", "prepared"} == set(found.to_json())


def test_readers_and_replication_slots_hold_nothing_back(busy: Any) -> None:
    """An old snapshot or a slot keeps old rows from being cleaned, and no cursor back (R45)."""
    engine = busy.database.engine
    create = "SELECT pg_create_logical_replication_slot('feed', 'pgoutput')"
    with engine.connect() as admin, busy.database.read_session() as reader:
        reader.execute(sa.select(Visit.id)).all()
        device = busy.device("anna")
        admin.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(create)
        try:
            busy.run(sa.update(Visit).values(score=5))
            first, second = device.pull(), device.pull()
            assert holder_of(busy) is None
        finally:
            admin.exec_driver_sql("SELECT pg_drop_replication_slot('feed')")

    assert [1] == [row["id"] for row in first["put"]["visit"]]
    assert {} == second["put"]


def test_a_server_that_may_not_see_others_reports_the_stall(busy: Any) -> None:
    """Without rights on other roles' sessions the age is that of the oldest change held back."""
    role = "keeper"
    busy.run(
        sa.text(f"CREATE ROLE {role}"),
        sa.text(f"GRANT SELECT ON fieldpost_change TO {role}"),
    )
    try:
        with importer(busy) as connection:
            busy.run(sa.update(Visit).where(Visit.id == 1).values(score=5))
            busy.run(sa.update(tables.change).values(at=tables.change.c.at - 1000))
            with busy.database.read_session() as session:
                session.execute(sa.text(f"SET LOCAL ROLE {role}"))
                found = oldest_writer(session)

            assert found is not None
            assert (connection.info.backend_pid, "importer") == (found.pid, found.application)
            assert found.age_s > 900
            assert (None, None) == (found.state, found.query_start)
            assert "state not shown" in str(found)
    finally:
        busy.run(sa.text(f"DROP OWNED BY {role}"), sa.text(f"DROP ROLE {role}"))


def test_a_stall_is_logged_once_when_it_begins_and_once_when_it_ends(
    busy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The log holds two lines for each stall, however often the server looks (R45)."""
    caplog.set_level(logging.INFO, "fieldpost")
    watch = HorizonWatch(busy.database, 0)
    with importer(busy) as connection:
        assert None not in [watch.look() for _ in range(3)]
        assert [("change feed stalled", "WARNING")] == logged(caplog)
        fields = vars(caplog.records[-1])["fields"]
        assert connection.info.backend_pid == fields["pid"]
        assert ("importer", "idle in transaction") == (fields["application"], fields["state"])
        assert {"age_s", "transaction", "user", "query_start"} <= fields.keys()
        assert "secret" not in str(fields)
    assert [None] * 3 == [watch.look() for _ in range(3)]
    ended = [("change feed stalled", "WARNING"), ("change feed released", "INFO")]
    assert ended == logged(caplog)

    with importer(busy):
        watch.look()
    with importer(busy):
        watch.look()
    watch.look()
    assert ended * 3 == logged(caplog)


def test_the_running_server_logs_a_stall_unasked(
    busy: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Housekeeping looks by itself: nobody needs to ask for health (R45)."""
    caplog.set_level(logging.INFO, "fieldpost")
    monkeypatch.setattr(housekeeping, "WATCH_EVERY_S", 0.005)
    looks: list[Holder | None] = []
    look = HorizonWatch.look

    def noted(watch: HorizonWatch) -> Holder | None:
        looks.append(look(watch))
        return looks[-1]

    monkeypatch.setattr(HorizonWatch, "look", noted)

    async def serve() -> None:
        async with housekeeping.housekeeping(strict.home, strict.settings):
            with importer(busy):
                await until(lambda: sum(found is not None for found in looks) >= 3)
            await until(lambda: looks[-3:] == [None] * 3)

    with office_like(busy, stalled_after_s=0) as strict:
        asyncio.run(serve())

    assert ["change feed stalled", "change feed released"] == [words for words, _ in logged(caplog)]


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not happened():  # noqa: ASYNC110 - the server looks in a thread of its own
            await asyncio.sleep(0)


def test_pulls_go_on_while_the_feed_is_stalled(busy: Any) -> None:
    """A pull brings what came since the stall began, the newest too, and ends equal (R45)."""
    device = busy.device("anna")
    with importer(busy, end="COMMIT"):
        busy.run(sa.update(Visit).where(Visit.id == 1).values(score=5))
        first = device.pull()
        busy.run(sa.update(Visit).where(Visit.id == 1).values(score=10))
        second, third = device.pull(), device.pull()
        assert [5, 10, 10] == [p["put"]["visit"][0]["score"] for p in (first, second, third)]
        assert first["cursor"] == second["cursor"] == third["cursor"]
        assert [] == asyncio.run(device.replica.differences(third["digests"]))

    last, rest = device.pull(), device.pull()
    assert [1] == [row["id"] for row in last["put"]["visit"]]
    assert {} == rest["put"] == rest["remove"]


def test_what_a_stalled_pull_sends_again_is_bounded(busy: Any) -> None:
    """However long it lasts, a pull sends no more than limit or table, whichever is less (R66)."""
    with office_like(busy, max_pull_keys=5) as narrow:
        device = narrow.device("anna")
        with importer(busy):
            for number in range(100, 140):
                row = {"id": number, "patient_id": ADA, "visited_on": date(2026, 11, 23)}
                busy.run(
                    sa.insert(Visit).values(nurse="anna", **row),
                    sa.delete(Visit).where(Visit.id == number),
                )
            answer = device.pull()

        assert {"visit", "order"} <= set(answer["replace"])
        assert [1] == [row["id"] for row in answer["put"]["visit"]]
        assert {} == answer["remove"]
