"""However transactions of other programs interleave, no device misses a change (R45, R46).

`FIELDPOST_SEQUENCES=20000` tells that many stories on each database.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from feed.story import Stories
from fieldpost_server.feed import changes, horizon, touched_rows, triggers
from fieldpost_server.scope.replication_plan import captured_tables
from fieldpost_server.storage import tables

pytestmark = pytest.mark.long

WANTED = int(os.environ.get("FIELDPOST_SEQUENCES", "0")) or 40
SOON = 150
"""A broken feed shows within so many stories."""

NEWEST = sa.select(sa.func.coalesce(sa.func.max(tables.change.c.seq), 0))


@pytest.fixture
def stories(office: Any) -> Iterator[Stories]:
    url = office.database.engine.url.render_as_string(hide_password=False)
    made = Stories(office.database, url)
    yield made
    made.close()


def fails_at(stories: Stories) -> int:
    """Return the first story in which a device differs from its scope."""
    for seed in range(SOON):
        try:
            stories.tell(seed)
        except AssertionError:
            return seed
    return SOON


def test_no_device_misses_a_change(stories: Stories) -> None:
    """After every pull a device equals the scope of its snapshot, and at last of all (R45, R46)."""
    for seed in range(WANTED):
        stories.tell(seed)

    told = stories.told
    wanted = {"writes", "COMMIT", "ROLLBACK", "savepoint", "back", "pulled late", "pulled at once"}
    if stories.database.dialect == "postgresql":
        wanted |= {"COMMIT what was prepared", "ROLLBACK what was prepared", "held up"}
    assert set() == {what for what in wanted if told[what] < WANTED / 10}, told


def test_a_truncate_while_a_pull_reads_is_made_good_by_the_next(stories: Stories) -> None:
    """PostgreSQL shows an older snapshot a truncated table as empty; its cursor is before (R45)."""
    if stories.database.dialect != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    stories.tell(0)
    device, other = stories.devices[0], stories.programs[0]
    device.begin(0)
    other.run('TRUNCATE reading, "visit & ward"')
    assert device.finish(1)

    device.begin(1)
    assert device.finish(1)
    assert {} == device.rows["reading"] == device.rows["visit & ward"]


def newest_number(session: Session) -> int:
    return session.scalar(NEWEST) or 0


def following_transaction(session: Session) -> int:
    found: int = session.scalar(
        sa.text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    )
    return found


def after_number(_: Session, position: int) -> sa.ColumnElement[bool]:
    return tables.change.c.seq > position


def after_transaction(_: Session, position: int) -> sa.ColumnElement[bool]:
    return tables.change.c.transaction >= position


@pytest.mark.parametrize(
    ("position", "since"),
    [(newest_number, after_number), (following_transaction, after_transaction)],
    ids=["number", "next transaction"],
)
def test_a_feed_that_skips_late_commits_is_caught(
    stories: Stories,
    monkeypatch: pytest.MonkeyPatch,
    position: Callable[[Session], int],
    since: Callable[[Session, int], Any],
) -> None:
    """The stories find a cursor by number, or by the next transaction: both skip (R45)."""
    if stories.database.dialect != "postgresql":
        pytest.skip("SQLite has one writer: a number is the order of commits")
    moment_of = horizon.current_moment

    def wrong(session: Session) -> horizon.Moment:
        return replace(moment_of(session), position=position(session), oldest=0, newest=1 << 62)

    monkeypatch.setattr(changes, "current_moment", wrong)
    monkeypatch.setattr(changes, "_since", since)

    assert fails_at(stories) < SOON


def test_a_feed_that_skips_one_number_is_caught(
    stories: Stories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stories find a reader that is one change too far (R45)."""
    if stories.database.dialect != "sqlite":
        pytest.skip("PostgreSQL's cursors are transactions")
    monkeypatch.setattr(changes, "_since", lambda _, position: tables.change.c.seq > position + 1)

    assert fails_at(stories) < SOON


@pytest.mark.parametrize("what", ["_children", "_swept"])
def test_a_pull_that_forgets_other_rows_is_caught(
    stories: Stories, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The stories find a pull without the child rows of what changed, or without sweeps (R46)."""
    if what == "_swept" and stories.database.dialect == "sqlite":
        pytest.skip("no statement of SQLite changes a table without naming its rows")

    def forgetful(*_: Any, **__: Any) -> set[Any]:
        return set()

    monkeypatch.setattr(touched_rows, what, forgetful)

    assert fails_at(stories) < SOON


def test_a_lost_trigger_is_caught(stories: Stories) -> None:
    """The stories need every trigger: without any one of them a device differs (R45)."""
    engine, captured = stories.database.engine, captured_tables(stories.devices[0].app)
    if stories.database.dialect == "postgresql":
        table = "reading"
        disable = "ALTER TABLE reading DISABLE TRIGGER {}"
        query = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'reading'::regclass AND NOT "
        query += "tgisinternal ORDER BY 1"
    else:
        table = "patient"
        disable = "DROP TRIGGER {}"
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'patient'"
    with engine.connect() as connection:
        names = [row[0] for row in connection.exec_driver_sql(query)]
    for name in names:
        with engine.begin() as connection:
            connection.exec_driver_sql(disable.format(name))

        assert fails_at(stories) < SOON, name
        assert [table] == triggers.install(engine, captured)
