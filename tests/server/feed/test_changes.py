"""The change feed never skips a commit (R45), on SQLite and PostgreSQL."""

import threading
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from fieldpost.errors import Code, DefinitionError, InputError
from fieldpost_server.feed import changes, horizon, triggers
from fieldpost_server.feed.cursor import Cursor
from fieldpost_server.restore import timelines
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database

metadata = sa.MetaData()
site = sa.Table(
    "site",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("code", sa.String(20), unique=True),
)
visit = sa.Table(
    "visit",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("site_id", sa.ForeignKey(site.c.id, ondelete="CASCADE", onupdate="CASCADE")),
)
odd = sa.Table(
    'order "of" %s :x it\'s',
    metadata,
    sa.Column('First "Name"', sa.String(50), primary_key=True),
    sa.Column("50% :done", sa.Date, primary_key=True),
    sa.Column("select", sa.Integer),
)
TABLES = [site, visit, odd]


@pytest.fixture
def feed(database: Database) -> Database:
    """A database with three tables and their triggers."""
    metadata.create_all(database.engine)
    triggers.install(database.engine, TABLES)
    return database


def cursor_of(database: Database) -> Cursor:
    with database.read_session() as session:
        return horizon.current_moment(session).cursor()


def since(database: Database, cursor: Cursor) -> changes.ChangeSet:
    with database.read_session() as session:
        return changes.read_changes(session, cursor, TABLES)


def run(database: Database, *statements: sa.Executable | str) -> None:
    with database.engine.begin() as connection:
        for statement in statements:
            if isinstance(statement, str):
                connection.exec_driver_sql(statement)
            else:
                connection.execute(statement)


def test_insert_update_and_delete_are_seen(feed: Database) -> None:
    """Each kind of change brings the row's key, with the key's own type."""
    before, visited = cursor_of(feed), uuid4()
    run(
        feed,
        sa.insert(site).values(id=1, code="a"),
        sa.insert(visit).values(id=visited, site_id=1),
    )

    assert {"site": {(1,)}, "visit": {(visited,)}} == since(feed, before).changed

    before = cursor_of(feed)
    run(feed, sa.update(site).values(code="b"))
    assert {"site": {(1,)}} == since(feed, before).changed

    before = cursor_of(feed)
    run(feed, sa.delete(visit))
    assert {"visit": {(visited,)}} == since(feed, before).changed


def test_nothing_changed(feed: Database) -> None:
    """Reading changes nothing, and a cursor stays good."""
    before = cursor_of(feed)
    run(feed, sa.select(site))

    found = since(feed, before)

    assert ({}, set(), False) == (found.changed, found.whole, found.reset)


def test_plain_sql_of_other_programs_is_seen(feed: Database) -> None:
    """Statements of any program count, many rows at once too."""
    before = cursor_of(feed)
    run(
        feed,
        "INSERT INTO site (id, code) VALUES (1, 'a'), (2, 'b'), (3, 'c')",
        "DELETE FROM site WHERE id < 3",
    )

    assert {"site": {(1,), (2,), (3,)}} == since(feed, before).changed


def test_cascades_are_seen(feed: Database) -> None:
    """Rows that the database itself deletes or changes along are recorded."""
    first, second = uuid4(), uuid4()
    run(
        feed,
        sa.insert(site).values([{"id": 1}, {"id": 2}]),
        sa.insert(visit).values([{"id": first, "site_id": 1}, {"id": second, "site_id": 2}]),
    )
    before = cursor_of(feed)

    run(feed, "DELETE FROM site WHERE id = 1", "UPDATE site SET id = 5 WHERE id = 2")

    assert {"site": {(1,), (2,), (5,)}, "visit": {(first,), (second,)}} == since(
        feed, before
    ).changed


def test_names_that_need_quoting_and_composite_keys(feed: Database) -> None:
    """Names may hold quotes, colons and percent signs; a changed key brings the old and the new."""
    from datetime import date

    run(feed, sa.insert(odd).values(('O\'Hara "é"', date(2026, 11, 23), 1)))
    before = cursor_of(feed)

    run(feed, sa.update(odd).values({odd.c['First "Name"']: "B"}))

    keys = {('O\'Hara "é"', date(2026, 11, 23)), ("B", date(2026, 11, 23))}
    assert {odd.name: keys} == since(feed, before).changed


def test_rolled_back_changes_are_not_seen(feed: Database) -> None:
    """A transaction that rolls back leaves nothing behind."""
    before = cursor_of(feed)
    with feed.engine.connect() as connection:
        connection.execute(sa.insert(site).values(id=1))
        connection.rollback()

    assert {} == since(feed, before).changed


def test_replace_in_sqlite_brings_the_row_it_deleted(feed: Database) -> None:
    """INSERT OR REPLACE fires no DELETE trigger, and the replaced row is recorded all the same."""
    if feed.dialect != "sqlite":
        pytest.skip("SQLite's statement")
    run(feed, sa.insert(site).values([{"id": 1, "code": "a"}, {"id": 2, "code": "b"}]))
    before = cursor_of(feed)

    run(feed, "INSERT OR REPLACE INTO site (id, code) VALUES (9, 'a')")
    assert {"site": {(1,), (9,)}} == since(feed, before).changed

    before = cursor_of(feed)
    run(feed, "UPDATE OR REPLACE site SET code = 'b' WHERE id = 9")
    assert {"site": {(2,), (9,)}} == since(feed, before).changed


def test_truncate_makes_the_table_whole(feed: Database) -> None:
    """TRUNCATE names no rows: the whole table is to be read again."""
    run(feed, sa.insert(site).values(id=1))
    before = cursor_of(feed)
    truncate = "TRUNCATE site CASCADE" if feed.dialect == "postgresql" else "DELETE FROM site"

    run(feed, truncate)

    found = since(feed, before)
    if feed.dialect == "postgresql":
        assert {"site", "visit"} == found.whole
    else:
        assert {"site": {(1,)}} == found.changed


def test_a_transaction_that_began_first_and_committed_last_is_seen(feed: Database) -> None:
    """A reader between two commits misses neither: the late one comes with its next reading."""
    if feed.dialect != "postgresql":
        pytest.skip("SQLite has one writer")
    before = cursor_of(feed)
    with feed.engine.connect() as slow, feed.engine.connect() as quick:
        slow.execute(sa.insert(site).values(id=1))
        quick.execute(sa.insert(site).values(id=2))
        quick.commit()
        between = since(feed, before)
        slow.commit()

    assert {"site": {(2,)}} == between.changed
    assert (1,) in since(feed, between.cursor).changed["site"]
    after = since(feed, between.cursor).cursor
    assert {} == since(feed, after).changed


def test_a_snapshot_reads_changes_and_rows_of_the_same_moment(feed: Database) -> None:
    """What commits while a pull reads belongs wholly to the next one."""
    before = cursor_of(feed)
    run(feed, sa.insert(site).values(id=1))
    with feed.read_session() as session:
        found = changes.read_changes(session, before, TABLES)
        run(feed, sa.insert(site).values(id=2))
        rows = set(session.scalars(sa.select(site.c.id)))
        again = changes.read_changes(session, before, TABLES)

    assert {1} == rows
    assert {"site": {(1,)}} == found.changed == again.changed
    assert (2,) in since(feed, found.cursor).changed["site"]


def test_a_reader_beside_many_writers_misses_nothing(feed: Database) -> None:
    """Long, short and rolled-back transactions interleave; the replica equals the table."""
    done = threading.Event()

    def write(first: int) -> None:
        for number in range(first, first + 20):
            with feed.engine.connect() as connection:
                connection.execute(sa.insert(site).values(id=number))
                if feed.dialect == "postgresql":
                    connection.exec_driver_sql(f"SELECT pg_sleep({number % 5 / 500})")
                connection.rollback() if number % 4 == 3 else connection.commit()

    replica: set[int] = set()
    cursor = cursor_of(feed)

    def pull() -> None:
        nonlocal cursor
        with feed.read_session() as session:
            found = changes.read_changes(session, cursor, TABLES)
            keys = [k[0] for k in found.changed.get("site", ())]
            here = set(session.scalars(sa.select(site.c.id).where(site.c.id.in_(keys))))
        replica.difference_update(keys)
        replica.update(here)
        cursor = found.cursor

    writers = [threading.Thread(target=write, args=(n * 100,)) for n in range(4)]
    for writer in writers:
        writer.start()
    while any(w.is_alive() for w in writers):
        pull()
    done.set()
    pull()
    with feed.read_session() as session:
        assert set(session.scalars(sa.select(site.c.id))) == replica


def test_rights_of_other_programs_are_enough(feed: Database) -> None:
    """A program with rights on its table only can write; the triggers have their owner's rights."""
    if feed.dialect != "postgresql":
        pytest.skip("SQLite has no roles")
    before = cursor_of(feed)
    role = f"other_{uuid4().hex}"
    run(feed, f"CREATE ROLE {role}", f"GRANT SELECT, INSERT ON site TO {role}")
    try:
        run(
            feed,
            f"SET LOCAL ROLE {role}",
            "SET LOCAL search_path = ''",
            "INSERT INTO public.site (id) VALUES (1)",
        )
        assert {"site": {(1,)}} == since(feed, before).changed
    finally:
        run(feed, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_replication_role_does_not_silence_the_triggers(feed: Database) -> None:
    """Rows that replication applies are seen."""
    if feed.dialect != "postgresql":
        pytest.skip("PostgreSQL's setting")
    before = cursor_of(feed)
    run(feed, "SET LOCAL session_replication_role = replica", "INSERT INTO site (id) VALUES (1)")

    assert {"site": {(1,)}} == since(feed, before).changed


def test_installing_again_changes_nothing(feed: Database) -> None:
    """Install may be run at any time."""
    before = cursor_of(feed)

    assert [] == triggers.install(feed.engine, TABLES)
    assert not since(feed, before).reset
    with feed.engine.connect() as connection:
        assert [] == triggers.uninstalled(connection, TABLES)


def test_a_lost_trigger_is_found_and_its_table_read_again(feed: Database) -> None:
    """A table that was rebuilt without triggers is reported, repaired and sent whole."""
    before = cursor_of(feed)
    with feed.engine.begin() as connection:
        visit.drop(connection)
        visit.create(connection)
        assert [visit] == triggers.uninstalled(connection, TABLES)

    assert ["visit"] == triggers.install(feed.engine, TABLES)
    assert {"visit"} == since(feed, before).whole


def test_a_disabled_trigger_is_found(feed: Database) -> None:
    """A disabled trigger counts as missing."""
    if feed.dialect != "postgresql":
        pytest.skip("SQLite cannot disable triggers")
    run(feed, "ALTER TABLE site DISABLE TRIGGER fieldpost_insert")

    with feed.engine.connect() as connection:
        assert [site] == triggers.uninstalled(connection, TABLES)


def test_triggers_of_tables_that_left_the_app_go(feed: Database) -> None:
    """A smaller app keeps only its own triggers."""
    before = cursor_of(feed)
    triggers.install(feed.engine, [site])
    run(feed, sa.insert(visit).values(id=uuid4()))

    assert {} == since(feed, before).changed


def test_a_changed_key_gets_new_triggers(feed: Database) -> None:
    """After the model's key changed, install makes the triggers that fit it."""
    wider = sa.Table(
        "site",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("code", sa.String(20), primary_key=True),
    )
    assert ["site"] == triggers.install(feed.engine, [wider, visit, odd])

    with feed.read_session() as session:
        before = horizon.current_moment(session).cursor()
    run(feed, sa.insert(wider).values(id=1, code="a"))
    with feed.read_session() as session:
        found = changes.read_changes(session, before, [wider])
    assert {"site": {(1, "a")}} == found.changed


@pytest.mark.parametrize(("kind", "primary"), [(sa.LargeBinary, True), (sa.Integer, False)])
def test_tables_without_a_usable_key_are_refused(
    database: Database, kind: type, primary: bool
) -> None:
    """Words say what is wrong with the table's key."""
    table = sa.Table("bad", sa.MetaData(), sa.Column("id", kind, primary_key=primary))
    with pytest.raises(DefinitionError, match="primary key"):
        triggers.install(database.engine, [table])


def test_a_cursor_of_another_history_resets(feed: Database) -> None:
    """A cursor that another database made says nothing here."""
    assert since(feed, Cursor("0" * 32, 1)).reset


def test_a_cursor_of_the_future_resets(feed: Database) -> None:
    """A server that was put back to an older backup asks for a full download (R56)."""
    now = cursor_of(feed)

    assert since(feed, Cursor(now.timeline, now.position + 1_000_000)).reset


def test_pruning_keeps_a_minimum_and_resets_older_cursors(feed: Database) -> None:
    """A device that was away too long gets a full download instead of an error (R48)."""
    before = cursor_of(feed)
    for number in range(10):
        run(feed, sa.insert(site).values(id=number))
    middle = cursor_of(feed)
    for number in range(10, 15):
        run(feed, sa.insert(site).values(id=number))
    later = tables.utc_now() + timedelta(days=1)

    assert 0 == feed.write(lambda s: changes.prune_changes(s, older_than=later, at_least=1000))
    assert 10 + 3 == feed.write(lambda s: changes.prune_changes(s, older_than=later, at_least=5))

    assert since(feed, before).reset
    assert {(n,) for n in range(10, 15)} == since(feed, middle).changed["site"]


def test_pruning_everything_keeps_current_cursors(feed: Database) -> None:
    """A device that is up to date stays so, and new changes get new numbers."""
    run(feed, sa.insert(site).values(id=1))
    now = cursor_of(feed)
    later = tables.utc_now() + timedelta(days=1)
    feed.write(lambda s: changes.prune_changes(s, older_than=later, at_least=0))

    assert not since(feed, now).reset
    run(feed, sa.insert(site).values(id=2))
    assert {"site": {(2,)}} == since(feed, now).changed


def test_a_dump_restored_elsewhere_starts_a_new_history(feed: Database) -> None:
    """Transaction ids of another server would mean nothing: all cursors get a reset."""
    if feed.dialect != "postgresql":
        pytest.skip("SQLite's counter is in the file")
    before = cursor_of(feed)
    run(feed, sa.insert(tables.change).values(transaction=10**12, table_name="site", at=0))

    triggers.install(feed.engine, TABLES)

    assert since(feed, before).reset


def test_keys_of_a_dump_restored_elsewhere_mean_what_they_meant(feed: Database) -> None:
    """All rows that it brings are those of before, and none that is made later (R26)."""
    if feed.dialect != "postgresql":
        pytest.skip("SQLite's counter is in the file")
    run(feed, "INSERT INTO site DEFAULT VALUES", "INSERT INTO site DEFAULT VALUES")
    with feed.read_session() as session:
        before = timelines.present_timeline(session)
    run(feed, sa.insert(tables.change).values(transaction=10**12, table_name="site", at=0))
    triggers.install(feed.engine, TABLES)
    run(feed, "INSERT INTO site DEFAULT VALUES")

    with feed.read_session() as session:
        assert before != timelines.present_timeline(session)
        assert 2 == (timelines.marks_since(session, before) or {})["site"]


def test_however_much_has_changed_few_keys_are_read(feed: Database) -> None:
    """A table with too many changed keys counts as changed whole; others keep theirs (R66)."""
    before = cursor_of(feed)
    many = [{"id": number} for number in range(200)]
    run(feed, sa.insert(site).values(many), "DELETE FROM site WHERE id > 50")
    run(feed, sa.insert(odd).values(("x", tables.utc_now().date(), 1)))

    with feed.read_session() as session:
        rows = session.execute(changes._changed_keys(session, before.position, 21)).all()
        found = changes.read_changes(session, before, TABLES, max_keys=20)
        all_of_them = changes.read_changes(session, before, TABLES, max_keys=200)

    assert 21 + 1 == len(rows)
    assert ({"site"}, {odd.name}) == (found.whole, set(found.changed))
    assert (set(), 200) == (all_of_them.whole, len(all_of_them.changed["site"]))


def test_cursors_survive_their_text() -> None:
    """A cursor reads back from its text."""
    cursor = Cursor("ab" * 16, 42, "c-_9")

    assert cursor == Cursor.parse(str(cursor))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f1",
        "f2." + "a" * 32 + ".1.",
        "f1." + "a" * 32 + ".-1.",
        "f1." + "a" * 32 + ".\u0661.",
        "f1." + "a" * 32 + "." + "9" * 19 + ".",
        "f1." + "a" * 32 + ".1." + "x" * 9000,
        "\0",
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    """Broken cursors get the catalogue's error (R66)."""
    with pytest.raises(InputError) as caught:
        Cursor.parse(text)

    assert [Code.BAD_CURSOR] == [p.code for p in caught.value.problems]


def test_uuid_keys_are_uuids(feed: Database) -> None:
    """UUID keys come back as UUID, whatever the database stores."""
    before, visited = cursor_of(feed), uuid4()
    run(feed, sa.insert(visit).values(id=visited))

    (key,) = since(feed, before).changed["visit"]
    assert isinstance(key[0], UUID)
