"""The table of references holds every reference of every row, whoever has written it (R43, R67)."""

import json
import random
import statistics
import string
import time
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from fieldpost.types import Attachment, AttachmentType
from fieldpost_server.feed import reference_triggers, triggers
from fieldpost_server.feed.attachment_references import AT_ONCE, places_of
from fieldpost_server.feed.reference_triggers import rebuild_references
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database, is_taken

STORIES = 12
STATEMENTS = 25
DIGESTS = [letter * 64 for letter in "0123456789abcdef"[:6]]

metadata = sa.MetaData()
note = sa.Table(
    "note",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("code", sa.Integer, unique=True),
    sa.Column("photo", AttachmentType("photo")),
    sa.Column("photos", AttachmentType("photos", several=True)),
)
odd = sa.Table(
    'odd "name" of %s :x it\'s',
    metadata,
    sa.Column('First "Name"', sa.String(50), primary_key=True),
    sa.Column("50% :done", sa.Uuid, primary_key=True),
    sa.Column('it\'s :a %s "file"', AttachmentType("file")),
)
TABLES = [note, odd]
UUIDS = ["00000000-0000-4000-8000-00000000000" + digit for digit in "123"]


@pytest.fixture
def kept(database: Database) -> Database:
    metadata.create_all(database.engine)
    triggers.install(database.engine, TABLES)
    return database


def told(sha256: str, name: str = "a.png") -> Attachment:
    return Attachment(sha256, 5, "image/png", name)


def scan(database: Database) -> set[tuple[str, str, tuple[Any, ...], str]]:
    """Return all references, found by reading all rows."""
    found = set()
    with database.read_session() as session:
        for table in TABLES:
            keys = [c.name for c in table.primary_key.columns]
            for row in session.execute(sa.select(table)).mappings():
                for column in table.columns:
                    if not isinstance(column.type, AttachmentType):
                        continue
                    value = row[column.name]
                    for each in value if isinstance(value, list) else [value]:
                        if isinstance(each, Attachment):
                            key = tuple(row[name] for name in keys)
                            found.add((table.name, column.name, key, each.sha256))
    return found


def asked(database: Database) -> set[tuple[str, str, tuple[Any, ...], str]]:
    """Return all references, as the table of references tells them."""
    with database.read_session() as session:
        return {
            (place.table, place.column, key, sha256)
            for sha256 in DIGESTS
            for place in places_of(session, TABLES, sha256)
            for key in place.keys
        }


def any_value(chance: random.Random, *, several: bool) -> Any:
    if several:
        return [
            told(d, chance.choice(DIGESTS)) for d in chance.sample(DIGESTS, chance.randint(0, 3))
        ]
    return chance.choice([None, told(chance.choice(DIGESTS), f'"sha256": "{DIGESTS[0]}"')])


def any_statement(chance: random.Random, dialect: str) -> Any:
    """Return any statement of any program."""
    one, other = chance.randint(1, 6), chance.randint(1, 6)
    photo, photos = any_value(chance, several=False), any_value(chance, several=True)
    values = {"id": one, "code": chance.choice([None, other]), "photo": photo, "photos": photos}
    first, second, file = list(odd.columns)
    parts = {
        first.name: chance.choice(["x", "y'"]),
        second.name: sa.Uuid().python_type(UUIDS[one % 3]),
    }
    value = ":photo" if dialect == "sqlite" else "CAST(:photo AS json)"
    plain = sa.text(f"UPDATE note SET photo = {value} WHERE id = :id")
    upsert = "INSERT INTO note (id) VALUES (:id) ON CONFLICT (id) DO UPDATE SET photo = NULL"
    every = [
        sa.insert(note).values(values),
        sa.insert(note).values([{**values, "id": n, "code": None} for n in range(one, one + 3)]),
        sa.insert(odd).values({**parts, file.name: photo}),
        sa.update(note).where(note.c.id == one).values(photo=photo),
        sa.update(note).where(note.c.id > one).values(photos=photos),
        sa.update(note).where(note.c.id == one).values(code=other),
        sa.update(note).where(note.c.id == one).values(id=other + 6),
        sa.update(note).values(id=note.c.id + 20),
        sa.update(odd).values({first.name: chance.choice(["x", "z%s"]), file.name: photo}),
        sa.delete(note).where(note.c.id == one),
        sa.delete(odd).where(second == parts[second.name]),
        plain.bindparams(photo=json.dumps(told(chance.choice(DIGESTS)).to_json()), id=one),
        plain.bindparams(photo=json.dumps({"n": [1, {"sha256": "short"}]}), id=one),
        sa.text(upsert).bindparams(id=one),
        plain.bindparams(photo='{"name": "a"}', id=one),
    ]
    if dialect == "postgresql":
        every += [
            sa.text("TRUNCATE note"),
            plain.bindparams(photo='{"name": "\\u0000 is no jsonb"}', id=one),
        ]
    else:
        every += [
            sa.insert(note).prefix_with("OR REPLACE").values({**values, "code": None}),
            sa.insert(note).prefix_with("OR IGNORE").values(values),
            plain.bindparams(photo="no JSON {", id=one),
            plain.bindparams(photo=b"\xff\x00 no text", id=one),
        ]
    return chance.choice(every)


def tell(database: Database, chance: random.Random) -> None:
    for _ in range(STATEMENTS):
        try:
            with database.engine.begin() as connection:
                connection.execute(any_statement(chance, database.dialect))
                if chance.random() < 0.1:
                    connection.rollback()
        except DBAPIError as error:
            # what is taken already is the program's own fault, nothing else may be
            if not is_taken(error):
                raise


@pytest.mark.parametrize("seed", range(STORIES))
def test_references_are_those_of_a_scan(kept: Database, seed: int) -> None:
    """After any statements of any programs, the table names what reading all rows would."""
    tell(kept, random.Random(seed))

    assert scan(kept) == asked(kept)


MANY = 100_000
MOST_S = 0.05


@pytest.mark.long
def test_an_attachment_among_many_is_found_at_once(kept: Database) -> None:
    """With 100,000 rows the first look at an attachment takes no 50 ms (R67)."""
    is_sqlite = kept.dialect == "sqlite"
    digest = "printf('%064x', n)" if is_sqlite else "lpad(to_hex(n), 64, '0')"
    told_as = f"""'{{"sha256":"' || {digest} || '","size":5,"type":"image/png","name":"a.png"}}'"""
    values = [f"CAST({each} AS {'text' if is_sqlite else 'json'})" for each in (told_as, "'[]'")]
    numbers = f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {MANY})"
    rows = f"{numbers} SELECT n, {', '.join(values)} FROM c"
    with kept.engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO note (id, photo, photos) {rows}")
    seconds = []
    for number in range(1, MANY, MANY // 20):
        sha256 = f"{number:064x}"
        # nothing of the one before is left but what the database itself keeps
        kept.engine.dispose()
        begun = time.perf_counter()
        with kept.read_session() as session:
            places = list(places_of(session, TABLES, sha256))
        seconds.append(time.perf_counter() - begun)
        assert [("note", "photo", [(number,)])] == [(p.table, p.column, p.keys) for p in places]

    assert statistics.median(seconds) < MOST_S, seconds


def test_a_row_that_is_replaced_by_another_leaves_too_much_at_most(kept: Database) -> None:
    """SQLite deletes it without any trigger: nothing is missing, what is too much is looked at."""
    if kept.dialect != "sqlite":
        pytest.skip("SQLite's statement")
    with kept.engine.begin() as connection:
        for key, sha256 in ((1, DIGESTS[0]), (2, DIGESTS[1])):
            replaced = sa.insert(note).prefix_with("OR REPLACE")
            connection.execute(replaced.values(id=key, code=7, photo=told(sha256)))

    assert {("note", "photo", (2,), DIGESTS[1])} == scan(kept)
    assert {("note", "photo", (1,), DIGESTS[0]), ("note", "photo", (2,), DIGESTS[1])} == asked(kept)
    triggers.install(kept.engine, TABLES)
    with kept.engine.begin() as connection:
        rebuild_references(connection, TABLES, triggers.schema_of(connection))
    assert scan(kept) == asked(kept)


def test_rows_of_before_are_found_after_the_installation(database: Database) -> None:
    """An older database has no references: `fieldpost db install` writes them."""
    metadata.create_all(database.engine)
    with database.engine.begin() as connection:
        for key in range(AT_ONCE + 5):
            connection.execute(sa.insert(note).values(id=key, photo=told(DIGESTS[key % 2])))
    triggers.install(database.engine, TABLES)

    assert scan(database) == asked(database)
    assert AT_ONCE + 5 == len(scan(database))


def test_a_missing_trigger_of_references_is_no_gap_in_the_feed(kept: Database) -> None:
    """It is found and put right, and no device downloads the table anew because of it (R45)."""
    name = next(
        t.name
        for t in triggers_of(kept)
        if not t.is_feed and t.table is note and "DELETE" in t.sql.upper()
    )
    with kept.engine.begin() as connection:
        on = " ON note" if kept.dialect == "postgresql" else ""
        connection.execute(sa.text(f"DROP TRIGGER {name}{on}"))
        assert [note] == triggers.uninstalled(connection, TABLES)
        before = connection.scalar(sa.select(sa.func.max(tables.change.c.seq)))

    assert ["note"] == triggers.install(kept.engine, TABLES)
    with kept.engine.begin() as connection:
        assert [] == triggers.uninstalled(connection, TABLES)
        assert before == connection.scalar(sa.select(sa.func.max(tables.change.c.seq)))


def test_triggers_of_an_older_version_are_replaced(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`fieldpost db install` puts the present ones in their place, and the feed has no gap."""
    metadata.create_all(database.engine)
    with monkeypatch.context() as older:
        older.setattr(reference_triggers, "_of", lambda t: f"WHERE table_name IN ('{t.name}')")
        triggers.install(database.engine, [note])
    with database.engine.begin() as connection:
        connection.execute(sa.insert(note).values(id=1, photo=told(DIGESTS[0])))
        before = connection.scalar(sa.select(sa.func.max(tables.change.c.seq)))
        assert [note] == triggers.uninstalled(connection, [note])

    assert ["note"] == triggers.install(database.engine, [note])
    with database.engine.begin() as connection:
        assert [] == triggers.uninstalled(connection, [note])
        assert before == connection.scalar(sa.select(sa.func.max(tables.change.c.seq)))
        assert {t.definition for t in triggers._triggers(connection, [note])} == ours(connection)
    assert scan(database) == asked(database)


def ours(connection: sa.Connection) -> set[str]:
    """Return the definitions of all triggers of ours that are there."""
    if connection.dialect.name == "postgresql":
        functions = "SELECT proname FROM pg_proc WHERE proname LIKE 'fieldpost_changes_%'"
        return set(connection.scalars(sa.text(functions)))
    return {sql for _, _, sql in triggers._present(connection)}


def test_references_are_kept_however_few_rows_of_a_statement_have_any(kept: Database) -> None:
    """One row of many that refers is enough, whichever of its columns does; so is one that did."""
    rows = [
        {"id": n, "photo": None, "photos": [told(DIGESTS[1])] if n == 5 else None}
        for n in range(1, 9)
    ]
    with kept.engine.begin() as connection:
        connection.execute(sa.insert(note).values(rows))
        connection.execute(sa.insert(note).values([{"id": n} for n in range(20, 25)]))
    assert {("note", "photos", (5,), DIGESTS[1])} == scan(kept) == asked(kept)

    with kept.engine.begin() as connection:
        connection.execute(sa.update(note).where(note.c.id < 9).values(photo=told(DIGESTS[2])))
    assert 9 == len(scan(kept))
    assert scan(kept) == asked(kept)
    with kept.engine.begin() as connection:
        connection.execute(sa.update(note).values(photo=None))
        connection.execute(sa.delete(note).where(note.c.id > 3))
    assert set() == scan(kept) == asked(kept)


def triggers_of(database: Database) -> list[Any]:
    with database.engine.connect() as connection:
        return triggers._triggers(connection, TABLES)


@pytest.mark.long
def test_a_look_costs_the_same_however_many_rows_there_are(kept: Database) -> None:
    """No plan reads all references, or all rows: a look uses the index of digests."""
    letters = random.Random(1)
    with kept.engine.begin() as connection:
        for start in range(0, 20_000, 1000):
            rows = [
                {"id": n, "photo": told("".join(letters.choices(string.hexdigits[:16], k=64)))}
                for n in range(start, start + 1000)
            ]
            connection.execute(sa.insert(note), rows)
    with kept.engine.begin() as connection:
        connection.execute(sa.text("ANALYZE"))
        where = "FROM fieldpost_attachment_reference WHERE sha256 = '1' AND table_name IN ('note')"
        explain = "EXPLAIN QUERY PLAN" if kept.dialect == "sqlite" else "EXPLAIN"
        plan = " ".join(
            str(row) for row in connection.execute(sa.text(f"{explain} SELECT key {where}"))
        )
    scanned = "SCAN fieldpost" if kept.dialect == "sqlite" else "Seq Scan"

    assert "sha256" in plan
    assert scanned not in plan
