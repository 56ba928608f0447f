"""Sums over rows: any row can be taken out again, in little memory."""

import random
import uuid
from decimal import Decimal

import pytest
import sqlalchemy as sa

from apps.allotments import Base, Tool, app
from fieldpost.replication.checksum import row_digest, table_digest
from fieldpost.users import User
from fieldpost_server.feed import triggers
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.proofs.checksums import Checksums, count
from fieldpost_server.proofs.row_sums import CROWDED, Counter, RowSums
from fieldpost_server.scope.replication_plan import captured_tables, plan_for
from fieldpost_server.storage.database import Database


def sums_of(rows: dict[int, int]) -> RowSums:
    counter = Counter()
    for number, digest in rows.items():
        counter.add(number, digest)
    return counter.sums()


def digest_of(rows: dict[int, int]) -> dict[str, object]:
    return {"count": len(rows), "sum": f"{sum(rows.values()) % 2**128:032x}"}


@pytest.mark.parametrize("step", [1, 1_000, 2**40 + 1])
def test_rows_come_and_go(step: int) -> None:
    """After any changes the sum is that of the rows, and nothing of former rows is kept (R47)."""
    chance = random.Random(step)
    rows = {n * step % 2**64: chance.randrange(2**128) for n in range(500)}
    sums = sums_of(rows)
    for _ in range(60):
        gone = set(chance.sample(sorted(rows), min(len(rows), 10))) | {chance.randrange(2**64)}
        put = {n * step % 2**64: chance.randrange(2**128) for n in chance.sample(range(900), 15)}
        rows = {n: digest for n, digest in rows.items() if n not in gone} | put
        sums = sums.changed(gone, put)

        assert digest_of(rows) == sums.digest
        assert 24 * len(rows) == sum(map(len, sums.buckets))


def test_what_was_known_before_stays_as_it_was() -> None:
    """A change makes new sums: whoever reads an older snapshot has the older ones (R47)."""
    before = sums_of({1: 10, 2: 20})
    after = before.changed([1], {2: 21, 3: 30})

    assert (digest_of({1: 10, 2: 20}), digest_of({2: 21, 3: 30})) == (before.digest, after.digest)


def test_buckets_stay_small_as_a_table_grows() -> None:
    """One row costs as much in a table that has grown as in one that was counted so large."""
    sums = sums_of({})
    for start in range(0, 20_000, 500):
        sums = sums.changed([], {n: n for n in range(start, start + 500)})

    assert max(len(bucket) // 24 for bucket in sums.buckets) <= 2 * CROWDED
    assert digest_of({n: n for n in range(20_000)}) == sums.digest


def test_rows_with_one_number_are_not_told_apart() -> None:
    """Where two rows have one key, or none, their sum is right and kept as a whole (R47)."""
    counter = Counter()
    for number, digest in ((1, 5), (1, 6), (None, 7)):
        counter.add(number, digest)

    assert {"count": 3, "sum": f"{18:032x}"} == counter.sums().digest
    assert not counter.sums().is_whole


def test_rows_without_a_key_are_counted_anew(database: Database) -> None:
    """SQLite lets a key be empty: such rows are counted again whenever one has changed (R47)."""
    if database.dialect != "sqlite":
        pytest.skip("PostgreSQL refuses empty keys")
    keyless = str(sa.schema.CreateTable(Tool.__table__)).replace(  # type: ignore[arg-type]  # a table
        "code VARCHAR(20) NOT NULL", "code VARCHAR(20)"
    )
    with database.engine.begin() as connection:
        connection.exec_driver_sql(keyless)
        Base.metadata.create_all(connection)
    triggers.install(database.engine, captured_tables(app))
    kept = Checksums(app)
    statements = [
        "INSERT INTO member (garden, name) VALUES ('n', 'anna')",
        "INSERT INTO plot (id, label, garden) VALUES (1, 'P', 'n')",
        "INSERT INTO tool (plot_label, name) VALUES ('P', 'Spade'), ('P', 'Rake')",
        "UPDATE tool SET name = 'Hoe' WHERE name = 'Rake'",
        "DELETE FROM tool WHERE name = 'Spade'",
    ]
    for sql in statements:
        with database.engine.begin() as connection:
            connection.exec_driver_sql(sql)
        with database.read_session() as session:
            full = plan_for(app, User("anna"), [app.page("plot")])
            found = kept.digests(session, FailedTables(full))["tool"]
            assert count(session, full["tool"]).digest == found
    assert 1 == found["count"]


def test_a_sum_is_what_travels() -> None:
    """What is kept is added up as device and protocol do (R47)."""
    rows = [{"id": uuid.UUID(int=n).hex, "amount": str(Decimal(n) / 8)} for n in range(50)]
    sums = sums_of({n: row_digest(row) for n, row in enumerate(rows)})

    assert table_digest(rows) == sums.digest
