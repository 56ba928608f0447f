"""What changed past the change feed is found: beside pulls after an hour, by them after a day."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Patient, Ward
from fieldpost.replication.checksum import table_digest
from fieldpost.users import User
from fieldpost_server.feed import changes, scope_delta
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.feed.stalls import HorizonWatch
from fieldpost_server.operations import housekeeping as keeping
from fieldpost_server.proofs import checksums, kept_sums
from fieldpost_server.proofs.checksums import Checksums, count
from fieldpost_server.proofs.countings import BeingCounted, Countings
from fieldpost_server.restore.timelines import begin_timeline
from fieldpost_server.scope.replication_plan import captured_tables, plan_for
from fieldpost_server.sync import calls


@pytest.fixture
def untriggered(office: Any) -> Callable[[sa.Executable], None]:
    """Run a statement that no trigger sees, as a program that switches them off does."""

    def run(statement: sa.Executable) -> None:
        with office.database.engine.begin() as connection:
            if office.database.dialect == "postgresql":
                connection.exec_driver_sql("ALTER TABLE ward DISABLE TRIGGER ALL")
                connection.execute(statement)
                connection.exec_driver_sql("ALTER TABLE ward ENABLE TRIGGER ALL")
                return
            query = "SELECT name, sql FROM sqlite_master WHERE type='trigger' AND tbl_name='ward'"
            there = connection.exec_driver_sql(query).all()
            for name, _ in there:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            connection.execute(statement)
            for _, sql in there:
                connection.exec_driver_sql(sql)

    return run


UNSEEN = sa.update(Ward).where(Ward.code == "B").values(name="Past the feed")


def digest(office: Any, kept: Checksums) -> Any:
    plan = plan_for(office.home.app, User("anna"), [office.home.app.page("ward")])
    with office.database.read_session() as session:
        return kept.digests(session, FailedTables(plan))["ward"]


def rows(office: Any) -> Any:
    plan = plan_for(office.home.app, User("anna"), [office.home.app.page("ward")])
    with office.database.read_session() as session:
        return count(session, plan["ward"]).digest


@pytest.mark.passes("recount-due", "recount-begun", "recount-read")
def test_what_bypassed_the_feed_is_found_and_mended(office: Any, untriggered: Any) -> None:
    """A table that is due is counted anew beside the pulls; the next pull mends devices (R47)."""
    kept = office.home.checksums
    device = office.device("anna")
    device.pull()
    untriggered(UNSEEN)
    answer = device.pull()
    assert [] == asyncio.run(device.replica.differences(answer["digests"]))
    assert [] == kept.recount(office.database)

    kept.keep_s = 0
    device.pull()
    assert ["ward"] == kept.recount(office.database)
    answer = device.pull()
    assert ["ward"] == asyncio.run(device.replica.differences(answer["digests"]))

    device.replica.apply(device.ask(replace=["ward"]).json())
    assert ("Past the feed",) in device.read(sa.select(Ward.name))
    assert [] == kept.recount(office.database)


def test_after_a_day_a_pull_counts_itself(office: Any, untriggered: Any) -> None:
    """Nobody is answered from what was counted longer ago than that (R47)."""
    believing, doubting = Checksums(office.home.app), Checksums(office.home.app, believe_s=0)
    before = digest(office, believing)
    assert before == digest(office, doubting)
    untriggered(UNSEEN)

    assert before == digest(office, believing)
    assert rows(office) == digest(office, doubting)


def test_a_new_timeline_owes_nothing_to_the_former(office: Any, untriggered: Any) -> None:
    """A database that was put back is counted anew, whatever is kept of it (R47)."""
    kept = Checksums(office.home.app)
    before = digest(office, kept)
    untriggered(UNSEEN)
    office.write(lambda s: begin_timeline(s, captured_tables(office.home.app)))

    assert before != digest(office, kept) == rows(office)


def test_counting_anew_tells_nothing_where_all_is_well(office: Any) -> None:
    """Changes that the feed has seen are no findings, whenever they come (R47)."""
    kept = Checksums(office.home.app, keep_s=0)
    for name in ("Heart and lungs", "Kidneys"):
        digest(office, kept)
        office.run(sa.update(Ward).where(Ward.code == "B").values(name=name))
        digest(office, kept)
        assert [] == kept.recount(office.database)
        assert rows(office) == digest(office, kept)


def test_who_reads_an_older_snapshot_counts_nothing(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pulls at the same time are answered from sums of their own moments (R47)."""
    kept = Checksums(office.home.app)
    digest(office, kept)
    plan = plan_for(office.home.app, User("anna"), [office.home.app.page("ward")])
    with office.database.read_session() as early:
        expected = count(early, plan["ward"]).digest
        for name in ("Heart and lungs", "Kidneys", "Lungs"):
            office.run(sa.update(Ward).where(Ward.code == "B").values(name=name))
            assert expected != digest(office, kept)
        monkeypatch.setattr(checksums, "count", None)

        assert expected == kept.digests(early, FailedTables(plan))["ward"]
        assert rows(office) == digest(office, kept)


def noted_counts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that gets the name of each table which is counted."""
    counted: list[str] = []
    usual = checksums.count

    def noted(session: Any, entry: Any) -> Any:
        counted.append(entry.model.name)
        return usual(session, entry)

    monkeypatch.setattr(checksums, "count", noted)
    return counted


def test_memory_is_bounded(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process keeps what so many rows came to; of more it keeps the sums, and counts changes."""
    monkeypatch.setattr(kept_sums, "MOST_ROWS", 4)
    counted = noted_counts(monkeypatch)
    kept, app = Checksums(office.home.app), office.home.app
    plans = [plan_for(app, User(name), [app.page("patient")]) for name in ("anna", "bert")]

    def pull() -> None:
        with office.database.read_session() as session:
            for plan in plans:
                for name, found in kept.digests(session, FailedTables(plan)).items():
                    rows = map(plan[name].to_wire, plan[name].read(session))
                    assert table_digest(rows) == found
                assert kept._kept.rows <= 4

    pull()
    first = len(counted)
    for _ in range(3):
        pull()
    assert first == len(counted)
    for number in range(3):
        office.run(sa.update(Patient).values(name=f"Turn {number}"))
        pull()
    assert first < len(counted)


def test_what_is_counted_anew_stays_so(
    office: Any, untriggered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pull that looked before the count puts nothing of before in its place (R47)."""
    kept = Checksums(office.home.app, keep_s=0)
    digest(office, kept)
    untriggered(UNSEEN)
    digest(office, kept)
    forward = Checksums._brought_forward

    def slow(self: Checksums, *given: Any) -> Any:
        found = forward(self, *given)
        monkeypatch.setattr(Checksums, "_brought_forward", forward)
        assert ["ward"] == self.recount(office.database)
        return found

    monkeypatch.setattr(Checksums, "_brought_forward", slow)
    assert rows(office) != digest(office, kept)
    assert rows(office) == digest(office, kept)


def test_users_who_see_the_same_rows_share_their_sums(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that all may read is counted once for all of them, and own rows for their owner."""
    counted: list[str] = []
    usual = checksums.count

    def noted(session: Any, entry: Any) -> Any:
        counted.append(entry.model.name)
        return usual(session, entry)

    monkeypatch.setattr(checksums, "count", noted)
    for name in ("anna", "bert"):
        office.device(name).pull()

    assert (1, 2) == (counted.count("ward"), counted.count("visit"))


def test_a_server_counts_anew_while_it_runs(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to ask: it belongs to the housekeeping of every process (R47)."""
    asked: list[Any] = []

    async def run() -> None:
        heard, loop = asyncio.Event(), asyncio.get_running_loop()

        def recount(database: Any) -> None:
            asked.append(database)
            loop.call_soon_threadsafe(heard.set)

        monkeypatch.setattr(office.home.checksums, "recount", recount)
        # what is cancelled goes on in its thread, with a connection
        monkeypatch.setattr(keeping, "tidy", lambda *_: None)
        monkeypatch.setattr(HorizonWatch, "look", lambda _: None)
        async with keeping.housekeeping(office.home, office.settings):
            await asyncio.wait_for(heard.wait(), 30)

    asyncio.run(run())

    assert [office.database] == asked


def test_a_scope_that_fails_below_leaves_nothing_believed(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hangs on a table that cannot be read is counted when that has changed (R47)."""
    kept, app = Checksums(office.home.app), office.home.app
    plan = plan_for(app, User("anna"), [app.page("visit")])
    with office.database.read_session() as session:
        kept.digests(session, FailedTables(plan))
    office.run(sa.update(Patient).values(number=None))
    office.run(sa.text("UPDATE visit SET nurse = 'bert'"))
    counted: list[str] = []
    usual = checksums.count

    def noted(session: Any, entry: Any) -> Any:
        counted.append(entry.model.name)
        return usual(session, entry)

    monkeypatch.setattr(checksums, "count", noted)
    with office.database.read_session() as session:
        failed = FailedTables(plan)
        failed.causes["order"] = "it cannot be read"
        found = kept.digests(session, failed)
        expected = {n: usual(session, plan[n]).digest for n in plan if n != "order"}

    assert expected == found
    assert {"dose", "reading"} <= set(counted)
    assert "patient" not in counted


@pytest.mark.passes("counting-begun")
def test_devices_that_pull_at_once_are_counted_once(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pull waits for another that counts the same rows, and gets its own moment's sums (R47)."""
    devices = [office.device("anna") for _ in range(3)]
    counted: list[str] = []
    waits, may_go = threading.Event(), threading.Event()
    usual, wait = checksums.count, BeingCounted.wait

    def noted(session: Any, entry: Any) -> Any:
        counted.append(entry.model.name)
        if entry.model.name == "ward":
            assert may_go.wait(30)
        return usual(session, entry)

    def waiting(self: BeingCounted) -> None:
        waits.set()
        wait(self)

    monkeypatch.setattr(checksums, "count", noted)
    monkeypatch.setattr(BeingCounted, "wait", waiting)
    with ThreadPoolExecutor(3) as pool:
        pulls = [pool.submit(device.ask) for device in devices]
        assert waits.wait(30)
        office.run(sa.update(Ward).where(Ward.code == "B").values(name="Meanwhile"))
        may_go.set()
        answers = [pull.result().json() for pull in pulls]

    assert 1 == counted.count("ward")
    for device, answer in zip(devices, answers, strict=True):
        device.replica.apply(answer)
        assert [] == asyncio.run(device.replica.differences(answer["digests"]))


def test_each_table_is_counted_once_however_many_there_are(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pull waits as long as others get on with its tables, and reads nothing twice (R47, R66)."""
    monkeypatch.setattr(calls, "PATIENCE", 2)
    devices = [office.device("anna") for _ in range(4)]
    counted, deltas = noted_counts(monkeypatch), list[str]()
    slowly, read = checksums.count, scope_delta.read_delta

    def slow(session: Any, entry: Any) -> Any:
        time.sleep(0.1)
        return slowly(session, entry)

    def noted(*given: Any, **more: Any) -> Any:
        deltas.append("delta")
        return read(*given, **more)

    monkeypatch.setattr(checksums, "count", slow)
    monkeypatch.setattr(calls, "read_delta", noted)
    with ThreadPoolExecutor(4) as pool:
        for answer in [pool.submit(device.ask) for device in devices]:
            assert answer.result().json()["digests"].keys() >= {"ward", "patient", "visit"}

    assert 4 < len(counted) == len(set(counted))
    # each its own, and one that it threw away where they all began at once
    assert len(deltas) <= 8


def test_a_table_that_others_count_in_vain_is_counted(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a count of others does not come to an end, a pull counts itself (R66)."""
    device, waited = office.device("anna"), list[bytes]()
    office.home.checksums._countings._running = running = Endless()
    monkeypatch.setattr(BeingCounted, "wait", lambda self: waited.append(self.query))

    assert 200 == device.ask().status_code
    assert calls.PATIENCE == len(waited)
    assert {} == running


class Endless(dict[bytes, threading.Event]):
    """Somebody counts whatever is asked for, until one of it was asked for often enough."""

    def __bool__(self) -> bool:
        return True

    def get(self, query: bytes, default: Any = None) -> Any:  # noqa: ARG002 - a dictionary's
        """Return what another one counts."""
        return threading.Event()


def test_the_feed_is_read_twice_at_most(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many moments the sums of a pull are of (R45, R47)."""
    app, reads = office.home.app, list[Any]()
    kept, read = Checksums(app), changes.read_changes
    plan = plan_for(app, User("anna"), [app.page("visit")])
    for number, name in enumerate(plan):
        office.run(sa.update(Ward).where(Ward.code == "B").values(name=f"Turn {number}"))
        with office.database.read_session() as session:
            kept.digests(session, FailedTables({name: plan[name]}))

    def noted(*given: Any, **more: Any) -> Any:
        reads.append(given)
        return read(*given, **more)

    monkeypatch.setattr(checksums, "read_changes", noted)
    office.run(sa.update(Patient).values(name="Another"))
    with office.database.read_session() as session:
        found = kept.digests(session, FailedTables(plan))
        for name, entry in plan.items():
            assert table_digest(map(entry.to_wire, entry.read(session))) == found[name]

    assert 3 < len(plan)
    assert 2 == len(reads)


def test_whoever_waits_goes_on_when_counting_ends() -> None:
    """However a count ends, those that wait for it are told, and the next may begin (R66)."""
    countings = Countings()

    def count_in_vain() -> BeingCounted:
        with countings.one(b"q", patient=True):
            try:
                with countings.one(b"q", patient=True):
                    pytest.fail("two count the same")
            except BeingCounted as other:
                return other

    count_in_vain().wait()

    with countings.one(b"q", patient=True):
        pass
