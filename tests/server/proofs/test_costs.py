"""What a pull of few changes costs does not depend on how many rows its user has (R45, R47)."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from apps.allotments import Base, Bed, Job, Member, Plot, Tool, app
from fieldpost.users import User
from fieldpost_server.feed import triggers
from fieldpost_server.feed.cursor import Cursor
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.feed.scope_delta import Delta, cursor_now, read_delta
from fieldpost_server.proofs import checksums, kept_sums
from fieldpost_server.proofs.checksums import Checksums
from fieldpost_server.scope.replication_plan import captured_tables, plan_for
from fieldpost_server.storage.database import Database

pytestmark = pytest.mark.long

ANNA = User("anna", "Anna", frozenset({"Offline"}))
OFFLINE = [page for page in app.pages.values() if page.offline]
FEW, MANY = 1_500, 12_000
STEPS = 10
"""SQLite tells of each so many steps of its machine."""


class Reader:
    """Pulls as the server does, and says how much the database had to do for it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.kept = Checksums(app)
        self.cursor: Cursor | None = None

    def pull(self) -> tuple[Delta | None, int]:
        """Return what has changed, and the rows (SQLite: the steps) that it took to find out."""
        with self.database.read_session() as session:
            tell = self._watch(session)
            failed = FailedTables(plan_for(app, ANNA, OFFLINE))
            delta = self.cursor and read_delta(session, app, failed, "p", self.cursor)
            self.kept.digests(session, failed)
            assert {} == failed.causes
            self.cursor = cursor_now(session, "p")
            return delta or None, tell()

    def _watch(self, session: Session) -> Any:
        if self.database.dialect == "sqlite":
            told = [0]

            def note() -> None:
                told[0] += STEPS

            driver: Any = session.connection().connection.driver_connection
            driver.set_progress_handler(note, STEPS)
            return lambda: (driver.set_progress_handler(None, 0), told[0])[1]
        query = sa.text(
            "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
        )
        # what a connection has counted before it has told of it, or not yet: the difference says
        before = int(session.scalar(query) or 0)
        return lambda: int(session.scalar(query) or 0) - before


def fill(database: Database, first: int, beyond: int) -> None:
    numbers = range(first, beyond)
    with database.engine.begin() as connection:
        jobs = [{"id": n, "worker": "anna", "text": f"Dig {n}"} for n in numbers]
        connection.execute(sa.insert(Job), jobs)
        plots = [{"id": n, "label": f"P{n}", "garden": "north"} for n in numbers]
        connection.execute(sa.insert(Plot), plots)
        beds = [{"id": n, "plot_id": n, "crop": "leek"} for n in numbers]
        connection.execute(sa.insert(Bed), beds)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def ten_changes(database: Database, turn: int) -> None:
    with database.engine.begin() as connection:
        # rows far apart
        for n in range(turn + 10, turn + 1_010, 250):
            connection.execute(sa.update(Job).where(Job.id == n).values(text=f"Turn {turn}"))
            connection.execute(sa.update(Plot).where(Plot.id == n).values(keeper_id=None))
        connection.execute(sa.delete(Bed).where(Bed.id == turn + 20))
        following = sa.select(sa.func.max(Job.id) + 1).scalar_subquery()
        connection.execute(sa.insert(Job).values(id=following, worker="anna", text="New"))


@pytest.fixture
def garden(database: Database) -> Database:
    """A database with the app's tables, in which Anna may see everything."""
    Base.metadata.create_all(database.engine)
    triggers.install(database.engine, captured_tables(app))
    with database.engine.begin() as connection:
        connection.execute(sa.insert(Member).values(garden="north", name="anna"))
        connection.execute(sa.insert(Tool).values(code="T", plot_label="P1", name="Spade"))
    return database


def cost(database: Database) -> int:
    """Return what a pull of ten changes costs, once everything was counted."""
    reader = Reader(database)
    reader.pull()
    found = []
    for turn in range(3):
        ten_changes(database, turn)
        delta, took = reader.pull()
        assert delta is not None
        assert [] == [name for name in delta.replace if name in delta.put]
        assert 5 == len(delta.put["job"])
        found.append(took)
    return min(found)


def test_a_pull_reads_what_has_changed(garden: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """With eight times the rows the database does as much for ten changes as before (R45)."""
    fill(garden, 1, FEW)
    few = cost(garden)
    fill(garden, FEW + 100, MANY)
    many = cost(garden)

    assert many < 1.5 * few, (few, many)
    # the measure sees a pull that counts
    monkeypatch.setattr(checksums, "FEW_KEYS", -1)
    monkeypatch.setattr(kept_sums, "MOST_ROWS", 0)
    monkeypatch.setattr(kept_sums, "MOST_TABLES", 0)
    assert cost(garden) > 10 * many
