"""What the feed cannot name row by row is counted anew: no proof is of other rows (R45-R47)."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from fieldpost.app import App
from fieldpost.pages import Page
from fieldpost.replication.checksum import table_digest
from fieldpost.users import User
from fieldpost_server.feed import triggers
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.feed.scope_delta import cursor_now, read_delta
from fieldpost_server.proofs import unsure_tables
from fieldpost_server.proofs.checksums import Checksums
from fieldpost_server.scope.replication_plan import captured_tables, plan_for
from fieldpost_server.storage.database import Database


class Base(DeclarativeBase):
    """Tables with keys that are hard to name."""


class Collated(Base):
    """Its key takes capitals for letters."""

    __tablename__ = "collated"
    code: Mapped[str] = mapped_column(sa.String(9, collation="NOCASE"), primary_key=True)
    n: Mapped[int]


class Named(Base):
    """A name of it is unique, however it is written."""

    __tablename__ = "named"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(9))
    __table_args__ = (sa.Index("named_lower", sa.text("lower(name)"), unique=True),)


class Secret(Base):
    """The database knows more of it."""

    __tablename__ = "secret"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(9))


class Measure(Base):
    """A float for a key."""

    __tablename__ = "measure"
    id: Mapped[float] = mapped_column(primary_key=True)
    n: Mapped[int]


class Amount(Base):
    """A decimal in a key."""

    __tablename__ = "amount"
    id: Mapped[Decimal] = mapped_column(sa.Numeric(20, 4), primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int]


class Visit(Base):
    """A key that other programs write in their own way."""

    __tablename__ = "visit"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    n: Mapped[int]
    notes: Mapped[list["Note"]] = relationship(cascade="all, delete-orphan")


class Note(Base):
    """A child row of a visit."""

    __tablename__ = "note"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    visit_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Visit.id))


PLAIN = [Named, Secret, Measure, Amount]
ANNA = User("anna", "Anna", frozenset({"Offline"}))


class Server:
    """A database and what is proven of it."""

    def __init__(self, database: Database) -> None:
        models = [*PLAIN, *([Collated] if database.dialect == "sqlite" else [])]
        tables = [model.__table__ for model in (*models, Visit, Note)]
        pages = [Page(model, offline=True) for model in models]
        scope = lambda _: Visit.n < 10  # noqa: E731 - a scope
        self.app = App("Keys", Base, [*pages, Page(Visit, offline=True, scope=scope)])
        self.database, self.kept = database, Checksums(self.app)
        Base.metadata.create_all(database.engine, tables)  # type: ignore[arg-type]  # tables
        self.captured = [t for t in captured_tables(self.app) if t in tables]
        triggers.install(database.engine, self.captured)

    def write(self, *statements: str) -> None:
        """Run what other programs write, and compare what is proven with the rows after each."""
        for statement in statements:
            with self.database.engine.begin() as connection:
                connection.exec_driver_sql(statement)
            self.compare()

    def compare(self) -> None:
        """Raise AssertionError where what is proven is not what is there."""
        with self.database.read_session() as session:
            plan = plan_for(self.app, ANNA, self.app.pages.values())
            found = self.kept.digests(session, FailedTables(plan))
            for name, entry in plan.items():
                assert table_digest(map(entry.to_wire, entry.read(session))) == found[name], name


@pytest.fixture
def server(database: Database) -> Server:
    """A server with these tables."""
    return Server(database)


FIRST = str(uuid4())
OTHER = str(uuid4())
STORIES: dict[str, tuple[str, list[str]]] = {
    "floats": (
        "",
        [
            "INSERT INTO measure VALUES (0.1, 1), (0.30000000000000004, 1)",
            "UPDATE measure SET n = 2",
            "UPDATE measure SET id = id + 0.00000000000000006",
            "DELETE FROM measure WHERE n = 2",
        ],
    ),
    "digits of a session": (
        "postgresql",
        [
            "SET LOCAL extra_float_digits = -10; INSERT INTO measure VALUES (0.1::float8 + 0.2, 1)",
            "SET LOCAL extra_float_digits = -10; UPDATE measure SET n = 2",
        ],
    ),
    "decimals": (
        "",
        [
            "INSERT INTO amount VALUES (1, 1, 1), (1.5, 1, 1), (1234567890123456.7501, 1, 1)",
            "UPDATE amount SET n = 2",
            "UPDATE amount SET id = id + 1",
            "DELETE FROM amount WHERE id > 2",
        ],
    ),
    "UUIDs of other programs": (
        "",
        [
            f"INSERT INTO visit VALUES ('{FIRST.upper()}', 1), ('{OTHER}', 1)",
            "UPDATE visit SET n = 2",
            f"INSERT INTO note SELECT '{OTHER.upper()}', id FROM visit WHERE id <> '{OTHER}'",
            "UPDATE visit SET n = 20",
            "UPDATE visit SET n = 3",
            "DELETE FROM note",
            f"DELETE FROM visit WHERE id = '{OTHER}'",
        ],
    ),
    "child rows of a UUID": (
        "",
        [
            f"INSERT INTO visit VALUES ('{UUID(FIRST).hex}', 1)",
            f"INSERT INTO note VALUES ('{OTHER.upper()}', '{UUID(FIRST).hex}')",
            "UPDATE visit SET n = 20",
            "UPDATE visit SET n = 3",
            "UPDATE visit SET n = 4",
        ],
    ),
    "collations": (
        "sqlite",
        [
            "INSERT INTO collated VALUES ('ABC', 1), ('x', 1)",
            "UPDATE collated SET code = 'abc' WHERE code = 'ABC'",
            "INSERT OR REPLACE INTO collated VALUES ('X', 2)",
            "UPDATE OR REPLACE collated SET code = 'ABC' WHERE code = 'X'",
        ],
    ),
    "names in any letters": (
        "sqlite",
        [
            "INSERT INTO named VALUES (1, 'a'), (2, 'b')",
            "INSERT OR REPLACE INTO named VALUES (3, 'A')",
            "UPDATE OR REPLACE named SET name = 'B' WHERE id = 3",
        ],
    ),
    "what only the database knows": (
        "sqlite",
        [
            "INSERT INTO secret VALUES (1, 'a'), (2, 'b')",
            "CREATE UNIQUE INDEX unheard ON secret (name)",
            "INSERT OR REPLACE INTO secret VALUES (3, 'a')",
            "DROP INDEX unheard",
            "CREATE UNIQUE INDEX unheard ON secret (id, name COLLATE NOCASE)",
            "INSERT OR REPLACE INTO secret VALUES (4, 'B')",
        ],
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_what_is_proven_is_of_the_rows(server: Server, story: str) -> None:
    """Whatever keys and indexes a table has, and whoever writes them (R45-R47)."""
    only, statements = STORIES[story]
    if only not in ("", server.database.dialect):
        pytest.skip("another database's words")
    server.compare()
    server.write(*statements)


def test_proofs_that_trust_every_key_are_caught(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stories see a proof that is brought forward where rows cannot be named."""
    monkeypatch.setattr(unsure_tables, "_names_all", lambda *_: True)
    story = "names in any letters" if server.database.dialect == "sqlite" else "digits of a session"
    server.compare()
    with pytest.raises(AssertionError):
        server.write(*STORIES[story][1])


def test_keys_of_a_collation_leave_devices(server: Server) -> None:
    """A key that differs in its letters alone is another key: the former one is removed (R46)."""
    if server.database.dialect != "sqlite":
        pytest.skip("SQLite's collation")
    server.write("INSERT INTO collated VALUES ('ABC', 1), ('x', 1)")
    plan = plan_for(server.app, ANNA, server.app.pages.values())
    with server.database.read_session() as session:
        before = cursor_now(session, "p")
    server.write(
        "UPDATE collated SET code = 'abc' WHERE code = 'ABC'",
        "INSERT OR REPLACE INTO collated VALUES ('X', 2)",
    )
    with server.database.read_session() as session:
        delta: Any = read_delta(session, server.app, FailedTables(plan), "p", before)

    assert [["ABC"], ["x"]] == sorted(delta.remove["collated"])
    assert ["X", "abc"] == sorted(row["code"] for row in delta.put["collated"])
