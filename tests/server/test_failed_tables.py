"""A table that cannot be read, or decided, is left out and named; all others arrive (R27)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.sql.functions import FunctionElement

from apps.clinic import Patient, Reading, Visit, Ward
from apps.fakes import ADA
from fieldpost_server.accounts.users import give_role
from fieldpost_server.feed.cursor import MAX_LACKS, Cursor
from fieldpost_server.scope.replication_plan import TablePlan
from fieldpost_server.storage.unreadable_rows import UnreadableRows

VISITS = sa.select(Visit.id).order_by(Visit.id)
WARDS = sa.select(Ward.name).order_by(Ward.code)


class Failing(FunctionElement[bool]):
    """A function that no database has."""

    type = sa.Boolean()
    inherit_cache = True
    name = "no_such_function"


Break = Callable[[Any, pytest.MonkeyPatch], Callable[[], None]]
"""Spoils the table 'visit'; returns what mends it again."""


def _scope(scope: Callable[[Any], Any]) -> Break:
    def spoil(office: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        monkeypatch.setattr(office.home.app.pages["visit"], "scope", scope)
        return monkeypatch.undo

    return spoil


def _rename(office: Any, _: pytest.MonkeyPatch) -> Callable[[], None]:
    office.run(sa.text("ALTER TABLE visit RENAME COLUMN score TO points"))
    return lambda: office.run(sa.text("ALTER TABLE visit RENAME COLUMN points TO score"))


def _wire(_: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let an author's own type raise while a value is made ready to travel."""
    usual = TablePlan.read

    def read(self: Any, session: Any, *more: Any) -> Iterator[Any]:
        for row in usual(self, session, *more):
            if self.model.name == "visit":
                raise ValueError("what an author's own type may raise")
            yield row

    monkeypatch.setattr(TablePlan, "read", read)
    return monkeypatch.undo


BREAKS: dict[str, Break] = {
    "its scope raises": _scope(lambda user: {}[user.name]),
    "its scope forgets its return": _scope(lambda _: None),
    "its scope asks what the database refuses": _scope(lambda _: Failing()),
    "a column is gone": _rename,
    "an author's type raises": _wire,
}


@pytest.mark.long
@pytest.mark.parametrize("kind", BREAKS)
def test_all_other_tables_arrive(office: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A pull and a first download go without it, say so, and the next one brings what it lacked."""
    early = office.device("anna")
    before = early.read(VISITS)
    office.run(sa.update(Visit).values(summary="Changed meanwhile"))
    mend = BREAKS[kind](office, monkeypatch)
    office.run(sa.update(Ward).values(name="Other"))

    pulled = early.pull()
    late = office.device("anna")
    again = early.pull()

    assert before
    assert before == early.read(VISITS)
    assert [("Other",)] * 2 == early.read(WARDS) == late.read(WARDS)
    assert [] == late.read(VISITS)
    for answer in (pulled, again):
        assert "visit" in answer["failed"]
        parts = (answer["put"], answer["remove"], answer["replace"], answer["digests"])
        assert not any("visit" in part for part in parts)
        assert "ward" in answer["digests"]

    mend()
    for device in (early, late):
        after = device.pull()
        assert {} == after["failed"]
        assert before == device.read(VISITS)
        assert [("Changed meanwhile",)] == device.read(sa.select(Visit.summary).distinct())
        assert [] == device.client.runner.run(device.replica.differences(after["digests"]))


def test_what_hangs_on_an_undecided_table_is_undecided(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Child rows and links of rows that nobody may be sent are sent to nobody (R8)."""
    BREAKS["its scope raises"](office, monkeypatch)
    late = office.device("anna")

    failed = late.pull()["failed"]

    assert {"visit", "order", "dose", "reading", "visit & ward"} == failed.keys()
    assert [] == late.read(sa.select(Reading.id))
    assert 2 == len(late.read(sa.select(Patient.id)))
    assert {"table_undecided"} == {why["code"] for why in failed.values()}
    assert "'Visit'" in failed["visit"]["message"]
    assert "KeyError" not in failed["visit"]["message"]


@pytest.mark.parametrize("kind", BREAKS)
def test_rows_that_were_somebodys_before_do_not_stay(
    office: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Where roles, pages or app are others by now, nobody can say that they are still hers."""
    device = office.device("anna")
    assert device.read(VISITS)
    BREAKS[kind](office, monkeypatch)
    office.write(
        lambda session: give_role(
            session, "anna", "Doctor", known_roles=office.home.app.roles, seats=100
        )
    )

    answer = device.pull()

    assert "visit" in answer["failed"]
    assert "visit" in answer["replace"]
    assert [] == device.read(VISITS)


@pytest.mark.parametrize("kind", BREAKS)
def test_whoever_looks_after_the_server_reads_which_it_is(
    office: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """Health, the designer and the log name the table, whose download it is, and why (R61)."""
    device, admin = office.device("anna"), office.client("admin")
    mend = BREAKS[kind](office, monkeypatch)

    device.pull()
    device.pull()
    health, told = admin.get("/health"), office.health()
    designer = admin.get("/designer")

    words = "&#39;visit&#39; was left out of the downloads of anna ("
    assert (503, 200) == (health.status_code, designer.status_code)
    assert words in designer.text
    if kind != "a column is gone":  # that one is a model's own, and named as such
        assert words.replace("&#39;", "'") in told["checks"]["tables"]
    said = [vars(r)["fields"] for r in caplog.records if r.message == "table left out"]
    assert 1 == sum(each["table"] == "visit" for each in said)

    mend()
    device.pull()
    office.home.unreadable = UnreadableRows(office.home.app, office.database)
    assert office.health()["ok"]
    assert "was left out" not in admin.get("/designer").text


def test_a_table_that_nobody_can_read_is_named_before_anybody_asks(office: Any) -> None:
    """Health reads all tables now and then: no download has to fail first."""
    office.run(sa.text("ALTER TABLE ward RENAME COLUMN name TO title"))

    found = office.home.unreadable.tables()

    assert ["'ward' cannot be read ("] == [each[: len("'ward' cannot be read (")] for each in found]


def test_one_row_as_evidence(office: Any) -> None:
    """A record of the other pages is there, whatever fails beside it."""
    office.run(sa.text("ALTER TABLE visit RENAME COLUMN score TO points"))

    assert (ADA,) in office.device("anna").read(sa.select(Patient.id))


@pytest.mark.parametrize("count", [1, 4, 5, 4 * MAX_LACKS, 4 * MAX_LACKS + 1, 500])
def test_a_cursor_says_what_it_lacks(count: int) -> None:
    """It fits into an envelope, and where it cannot name a table it is of no plan (R45)."""
    names = [f"table {n:03}" for n in range(count)]
    cursor = Cursor("0" * 32, 10**18, "a" * 16)

    for failed in (names[:1], names[-1:], names):
        found = Cursor.parse(str(cursor.lacking(names, failed)))
        assert len(str(found)) <= 100
        assert (found.plan, found.lacked(names)) in ((cursor.plan, set(failed)), ("", set()))
    assert cursor == cursor.lacking(names, [])
