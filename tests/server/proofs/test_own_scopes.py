"""What a scope asks of its own table decides on other rows of it, too (R45-R47)."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, mapped_column, relationship

from fieldpost.app import App
from fieldpost.pages import Page
from fieldpost.replication.checksum import table_digest
from fieldpost.users import User
from fieldpost_server.feed import triggers
from fieldpost_server.feed.cursor import Cursor
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.feed.scope_delta import cursor_now, read_delta
from fieldpost_server.proofs.checksums import Checksums
from fieldpost_server.scope.replication_plan import Plan, captured_tables, plan_for
from fieldpost_server.storage.database import Database


class Base(DeclarativeBase):
    """Areas within areas."""


shared = sa.Table(
    "shared",
    Base.metadata,
    sa.Column("area_id", sa.ForeignKey("area.id"), primary_key=True),
    sa.Column("tag", sa.ForeignKey("tag.code"), primary_key=True),
)


class Tag(Base):
    """What areas are linked to."""

    __tablename__ = "tag"
    code: Mapped[str] = mapped_column(sa.String(9), primary_key=True)


class Area(Base):
    """An area, in another one."""

    __tablename__ = "area"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None]
    worker: Mapped[str] = mapped_column(sa.String(50))
    notes: Mapped[list["Note"]] = relationship(cascade="all, delete-orphan")
    tags: Mapped[list[Tag]] = relationship(secondary=shared)


class Note(Base):
    """A child row of an area."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    area_id: Mapped[int] = mapped_column(sa.ForeignKey(Area.id))


class Other(Base):
    """A table that asks nothing of areas."""

    __tablename__ = "other"
    id: Mapped[int] = mapped_column(primary_key=True)
    area: Mapped[int]


UPPER = aliased(Area)
LINKED = shared.alias()
MINE = sa.select(Area.id).where(Area.worker == "anna")
SCOPES: dict[str, tuple[Any, bool]] = {
    "plain": (Area.worker == "anna", False),
    "asks another": (sa.exists().where(Other.area == Area.id), False),
    "in another": (Area.id.in_(sa.select(Other.area)), False),
    "another, correlated": (
        sa.select(Other.id).where(Other.area == Area.id).correlate(Area).exists(),
        False,
    ),
    "in its own": (Area.parent_id.in_(MINE), True),
    "under its own": (
        sa.exists().where(UPPER.id == Area.parent_id, UPPER.worker == "anna"),
        True,
    ),
    "another with its own": (
        Area.parent_id.in_(
            sa.select(Other.area).join(UPPER, UPPER.id == Other.area).where(UPPER.worker == "anna")
        ),
        True,
    ),
    "the last of its own": (
        Area.id == sa.select(sa.func.max(Area.id)).where(Area.worker == "anna").scalar_subquery(),
        True,
    ),
    "a named part": (Area.parent_id.in_(sa.select(MINE.cte().c.id)), True),
    "either": (sa.or_(Area.worker == "bert", Area.parent_id.in_(MINE)), True),
    "words of one database": (
        Area.parent_id.in_(MINE.where(sa.cast(Area.worker, sa.JSON)["x"].as_string() == "y")),
        True,
    ),
}
ANNA = User("anna", "Anna", frozenset({"Offline"}))


def app_of(scope: Any) -> App:
    """Return an app whose areas have a scope."""
    page = Page(Area, offline=True, scope=lambda _: scope, list=["worker", "tags"])
    return App("Areas", Base, [page])


@pytest.fixture
def areas(database: Database) -> Database:
    """A database with some areas: one above two, and others."""
    Base.metadata.create_all(database.engine)
    with database.engine.begin() as connection:
        rows = [(1, None, "bert"), (2, 1, "x"), (3, 1, "y"), (4, None, "anna"), (5, 4, "x")]
        connection.execute(
            sa.insert(Area), [{"id": n, "parent_id": p, "worker": w} for n, p, w in rows]
        )
        connection.execute(sa.insert(Tag).values(code="t"))
        connection.execute(sa.insert(Note), [{"id": n, "area_id": n} for n in range(1, 6)])
        connection.execute(sa.insert(shared), [{"area_id": n, "tag": "t"} for n in range(1, 6)])
        connection.execute(sa.insert(Other), [{"id": n, "area": n} for n in range(1, 4)])
    return database


class Device:
    """A device that applies what pulls bring, and compares."""

    def __init__(self, database: Database, app: App) -> None:
        self.database, self.app, self.kept = database, app, Checksums(app)
        self.rows: dict[str, dict[str, Any]] = {}
        self.cursor: Cursor | None = None
        self.keys: Callable[[str], list[str]] = lambda name: [
            column.name for column in app.base.metadata.tables[name].primary_key.columns
        ]

    def pull(self) -> None:
        """Raise AssertionError where the device differs from the server, or from its proof."""
        with self.database.read_session() as session:
            plan = plan_for(self.app, ANNA, self.app.pages.values())
            self._apply(session, plan)
            found = self.kept.digests(session, FailedTables(plan))
            for name, entry in plan.items():
                real = table_digest(map(entry.to_wire, entry.read(session)))
                assert real == found[name], name
                assert real == table_digest(self.rows[name].values()), name

    def _apply(self, session: Session, plan: Plan) -> None:
        start = self.cursor or cursor_now(session, "")
        delta = read_delta(session, self.app, FailedTables(plan), "p", start)
        self.cursor = delta.cursor
        for name in delta.replace:
            self.rows[name] = {}
        for name, keys in delta.remove.items():
            for key in keys:
                self.rows[name].pop(repr(key), None)
        for name, rows in delta.put.items():
            for row in rows:
                self.rows[name][repr([row[part] for part in self.keys(name)])] = row


CHANGES = [
    sa.update(Area).where(Area.id == 1).values(worker="anna"),
    sa.update(Area).where(Area.id == 4).values(worker="bert"),
    sa.insert(Area).values(id=9, parent_id=2, worker="anna"),
    sa.update(Area).where(Area.id == 2).values(worker="anna"),
    sa.delete(Other).where(Other.id == 1),
    sa.delete(shared).where(shared.c.area_id == 2),
    sa.update(Area).where(Area.id == 1).values(worker="bert"),
]


@pytest.mark.parametrize("form", SCOPES)
def test_whatever_a_scope_asks_devices_follow(areas: Database, form: str) -> None:
    """Rows come and go with other rows of their own table, and child rows and links with them."""
    scope, asks = SCOPES[form]
    app = app_of(scope)
    watches = {
        name: entry.watches for name, entry in plan_for(app, ANNA, app.pages.values()).items()
    }
    assert [asks] * 3 == ["area" in watches[name] for name in ("area", "note", "shared")]
    if form == "words of one database":
        return
    triggers.install(areas.engine, captured_tables(app))
    device = Device(areas, app)
    device.pull()
    for change in CHANGES:
        with areas.engine.begin() as connection:
            connection.execute(change)
        device.pull()


def test_links_that_a_scope_asks_decide_on_other_links(areas: Database) -> None:
    """Where links let a record in, one link more or less brings or takes all its links."""
    page = Page(
        Area,
        offline=True,
        scope=lambda _: sa.exists().where(LINKED.c.area_id == Area.id, LINKED.c.tag == "t"),
        list=["worker", "tags"],
    )
    app = App("Areas", Base, [page])
    triggers.install(areas.engine, captured_tables(app))
    device = Device(areas, app)
    with areas.engine.begin() as connection:
        connection.execute(sa.insert(Tag).values(code="u"))
        connection.execute(sa.insert(shared).values(area_id=1, tag="u"))
    device.pull()
    with areas.engine.begin() as connection:
        connection.execute(sa.delete(shared).where(shared.c.area_id == 1, shared.c.tag == "t"))
    device.pull()
