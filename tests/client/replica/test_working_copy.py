"""Envelopes that wait are replayed when a device starts: one by one, and with few statements."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

from fieldpost.odp.replay.replay import replay as real_replay
from fieldpost.odp.replay.result import Result
from fieldpost.replication.replica_tables import replica_engine
from fieldpost.wire.envelope import Envelope
from fieldpost.wire.receipts import Outcome
from fieldpost_client import main
from fieldpost_client.replica import working_copy
from inspections.models import Finding

FINDINGS = {
    f"findings[{number}].{name}": value
    for number, note in enumerate(("Loose rail", "Rust"))
    # a browser sends all of a form's fields
    for name, value in {
        "_key": "",
        "area": "",
        "severity": "3",
        "note": note,
        "photos": "",
        "due_on": "",
        "cost": "",
        "resolved": "false",
    }.items()
}
MOST_STATEMENTS = 12
"""For one form, its savepoint included; it takes nine or less."""


@contextmanager
def counted(desk: Any) -> Iterator[list[str]]:
    """Collect the statements that a working copy's databases are asked for."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    engine = desk.home.copy.replica.connection.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield found
    sa.event.remove(engine, "before_cursor_execute", note)


def test_replaying_a_new_form_takes_few_statements(desk: Any) -> None:
    """A new form with two child rows costs a start few statements."""
    with counted(desk) as before:
        desk.restart()
    desk.add("New", **FINDINGS)
    with counted(desk) as after:
        desk.restart()

    assert {} == desk.home.working.failures
    assert len(after) - len(before) <= MOST_STATEMENTS, after


@pytest.mark.parametrize("key", [1, -1])
def test_replaying_an_edit_takes_few_statements(desk: Any, key: int) -> None:
    """An edit with two new child rows costs a start few statements, of a new record or an old."""
    desk.add("New")
    with counted(desk) as before:
        desk.restart()
    desk.save(f"/pages/inspection/records/{key}/edit", remarks="Edited", **FINDINGS)
    with counted(desk) as after:
        desk.restart()

    assert {} == desk.home.working.failures
    assert len(after) - len(before) <= MOST_STATEMENTS, after


@pytest.mark.parametrize("how", ["refused", "raised"])
def test_one_that_fails_stops_no_other(
    desk: Any, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """What cannot be replayed leaves nothing behind, and all others are in the lists (R23)."""
    for remarks in ("First", "Second", "Third"):
        desk.add(remarks, **FINDINGS)

    def replay(envelope: Envelope, *others: Any) -> Result:
        found = real_replay(envelope, *others)
        if envelope.number != 2:
            return found
        if how == "raised":
            raise RuntimeError("an app that has changed")
        return Result(Outcome.INVALID)

    monkeypatch.setattr(working_copy, "replay", replay)
    desk.restart()

    assert {"Of ann", "First", "Third"} == set(desk.remarks())
    assert 4 == len(desk.rows(Finding))
    second = desk.home.outbox.entries[2].envelope.id
    assert {second} == set(desk.home.working.failures)


def test_a_warm_start_compiles_nothing_of_a_new_form(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a new form's replay needs of SQL was compiled before the memory snapshot."""
    desk.add("New", **FINDINGS)
    # what saving has compiled is not to help
    replica_engine.cache_clear()
    monkeypatch.setenv(main.APP, "inspections.app:app")
    main.warm()
    compiled: list[str] = []
    make = SQLCompiler.__init__

    def noting(self: Any, dialect: Any, statement: Any, *args: Any, **more: Any) -> None:
        make(self, dialect, statement, *args, **more)
        compiled.append(str(self))

    monkeypatch.setattr(SQLCompiler, "__init__", noting)
    desk.restart()

    assert [] == compiled
    assert ["New"] == desk.remarks()[:1]
