"""What is done for every envelope does not take longer the more of them there are."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost.wire.envelope import Operation, Void

SMALL = {"fieldpost_signing_key", "fieldpost_page_setting"}
"""Tables of a few rows, which are read whole."""

MOST_STATEMENTS = {"sqlite": 11, "postgresql": 7}
"""For one more envelope."""

OURS = re.compile(r"^SCAN (fieldpost_\w+)")


@contextmanager
def statements(engine: sa.Engine) -> Iterator[dict[str, Any]]:
    """Collect what is run meanwhile, with the parameters of the last run."""
    found: dict[str, Any] = {}

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, many: bool) -> None:
        found[statement] = parameters[0] if many else parameters

    sa.event.listen(engine, "before_cursor_execute", note)
    yield found
    sa.event.remove(engine, "before_cursor_execute", note)


@contextmanager
def runs(engine: sa.Engine) -> Iterator[list[str]]:
    """Collect each run of a statement, in their order."""
    found: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        found.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    yield found
    sa.event.remove(engine, "before_cursor_execute", note)


def scanned(engine: sa.Engine, found: dict[str, Any]) -> set[tuple[str, str]]:
    """Return Fieldpost's tables that are read from one end to the other, and by what."""
    scans = set()
    with engine.connect() as connection:
        for statement, parameters in found.items():
            if not statement.lstrip().startswith(("SELECT", "WITH", "UPDATE", "DELETE", "INSERT")):
                continue
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            scans |= {(m[1], statement) for row in plan if (m := OURS.match(row[3]))}
    return scans


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_envelope_reads_all_others(office: Any, visit: Any) -> None:
    """New, changed, repeated, refused, waiting and discarded envelopes use indices (R26)."""
    anna = office.device("anna")
    engine = office.database.engine
    with statements(engine) as found:
        first = anna.envelope(visit(-1))
        key = anna.push(first, first)[0]["keys"][0]["real"]
        change = anna.envelope(edit(key, "70.5"))
        lost = anna.envelope(edit(999_999, "70.5"))
        behind = anna.envelope(edit(key, "80"), after=(lost.number,))
        told = anna.push(change, lost, behind)
        void = {"voids": Void(lost.id, lost.digest), "number": lost.number}
        told += anna.push(anna.envelope(previous=change.digest, **void))
        anna.pull()

    wanted = ["accepted", "conflict", "waiting", "accepted"]
    assert wanted == [receipt["outcome"] for receipt in told[:4]]
    assert len(found) > 20
    assert SMALL >= {table for table, _ in scanned(engine, found)}


def test_one_more_envelope_takes_few_statements(office: Any, visit: Any) -> None:
    """A form without files costs a push few statements: on PostgreSQL each is a way there and back.

    Whatever is added to every envelope is paid here first, and in `bench/replay.py` then.
    """
    anna = office.device("anna")
    anna.push(*(anna.envelope(visit(-number)) for number in range(1, 4)))
    one, two = [anna.envelope(visit(-4))], [anna.envelope(visit(-key)) for key in (5, 6)]
    engine = office.database.engine
    with runs(engine) as of_one:
        anna.push(*one)
    with runs(engine) as of_two:
        told = anna.push(*two)

    assert ["accepted"] * 2 == [receipt["outcome"] for receipt in told]
    more = len(of_two) - len(of_one)
    assert 0 < more <= MOST_STATEMENTS[engine.dialect.name], of_two[-more:]


def edit(key: int, weight: str) -> Operation:
    return Operation("update", "visit", (key,), {"weight": weight}, {"weight": None})
