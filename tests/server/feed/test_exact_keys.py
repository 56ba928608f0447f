"""A key that the feed cannot give back exactly loses no change: its table is read whole (R45)."""

import enum
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from fieldpost.schema.column_types import AwareDateTime, ExactDecimal
from fieldpost_server.feed import changes, horizon, triggers
from fieldpost_server.storage.database import Database


class Colour(enum.Enum):
    """A key of few values."""

    RED = "r"


KINDS: dict[str, tuple[Any, list[str]]] = {
    "number": (sa.Integer, ["1", "-7"]),
    "decimal": (ExactDecimal(10, 2), ["1", "1.5", "0", "12345678.25"]),
    "plain": (sa.Numeric(10, 0), ["1", "1000"]),
    "float": (sa.Float, ["0.5", "0.1"]),
    "double": (sa.Double, ["0.5", "0.1", "3"]),
    "text": (sa.String(20), ["'é'", "'1'", "''"]),
    "colour": (sa.Enum(Colour, name="colours"), ["'RED'"]),
    "uuid": (sa.Uuid, ["'a0eebc999c0b4ef8bb6d6bb9bd380a11'"]),
    "letters": (sa.Uuid(native_uuid=False), ["'a0eebc999c0b4ef8bb6d6bb9bd380a11'"]),
    "date": (sa.Date, ["'2026-01-31'"]),
    "moment": (sa.DateTime, ["'2026-01-31 10:00:00.000000'"]),
    "aware": (AwareDateTime, ["'2026-01-31 10:00:00.000000'"]),
    "flag": (sa.Boolean, ["true"]),
}
ODD = {
    "sqlite": {
        "uuid": ["'A0EEBC999C0B4EF8BB6D6BB9BD380A11'", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
        "moment": ["'2026-01-31 10:00:00'", "'2026-01-31T10:00:00'", "'garbage'"],
        "aware": ["'2026-01-31T10:00:00'"],
        "date": ["20260131", "'0000-00-00'"],
        "flag": ["5"],
        "colour": ["'GREEN'"],
        "decimal": ["'x'"],
    },
    "postgresql": {
        "letters": ["'A0EEBC999C0B4EF8BB6D6BB9BD380A11'"],
        "decimal": ["'NaN'"],
        "date": ["'infinity'", "'0044-03-15 BC'"],
        "moment": ["'-infinity'"],
    },
}
metadata = sa.MetaData()
TABLES = {
    name: sa.Table(
        f"t_{name}",
        metadata,
        sa.Column("id", kind, primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("n", sa.Integer, default=0),
    )
    for name, (kind, _) in KINDS.items()
}


@pytest.fixture
def feed(database: Database) -> Database:
    """A database with a table for each type, and their triggers."""
    metadata.create_all(database.engine)
    triggers.install(database.engine, TABLES.values())
    return database


def seen(database: Database, sql: str, name: str) -> tuple[changes.ChangeSet, list[Any]]:
    """Run a statement; return what the feed says, and the rows that its keys find."""
    with database.read_session() as session:
        before = horizon.current_moment(session).cursor()
    with database.engine.begin() as connection:
        connection.exec_driver_sql(sql)
    table = TABLES[name]
    with database.read_session() as session:
        found = changes.read_changes(session, before, TABLES.values())
        keys = [key[0] for key in found.changed.get(f"t_{name}", ())]
        return found, list(session.execute(sa.select(table.c.part).where(table.c.id.in_(keys))))


@pytest.mark.parametrize("name", KINDS)
def test_changes_are_found_by_keys_of_every_type(feed: Database, name: str) -> None:
    """Written as its type writes it, a key comes back as that value, also as a part (R45)."""
    for part, value in enumerate(KINDS[name][1]):
        found, rows = seen(feed, f"INSERT INTO t_{name} VALUES ({value}, {part}, 0)", name)
        assert (set(), [(part,)]) == (found.whole, rows)
        found, rows = seen(feed, f"UPDATE t_{name} SET n = 1 WHERE part = {part}", name)
        assert (set(), [(part,)]) == (found.whole, rows)


@pytest.mark.parametrize("name", sorted({n for names in ODD.values() for n in names}))
def test_a_key_written_in_another_way_makes_its_table_whole(feed: Database, name: str) -> None:
    """Whatever other programs write for a key, no change of its row is passed over (R45)."""
    if name not in ODD[feed.dialect]:
        pytest.skip("the other database's way")
    for part, value in enumerate(ODD[feed.dialect][name]):
        for sql in (
            f"INSERT INTO t_{name} VALUES ({value}, {part}, 0)",
            f"UPDATE t_{name} SET n = 1 WHERE part = {part}",
            f"DELETE FROM t_{name} WHERE part = {part}",
        ):
            found, _ = seen(feed, sql, name)
            assert {f"t_{name}"} == found.whole, sql


def test_a_uuid_that_is_stored_as_letters_is_one(feed: Database) -> None:
    """On both databases the key is the value, not its letters (R45)."""
    found, _ = seen(
        feed, f"INSERT INTO t_letters VALUES ({KINDS['letters'][1][0]}, 1, 0)", "letters"
    )

    assert {"t_letters": {(UUID("a0eebc999c0b4ef8bb6d6bb9bd380a11"), 1)}} == found.changed
