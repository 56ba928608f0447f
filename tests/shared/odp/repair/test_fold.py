"""Folding: two envelopes of one record, one after the other, do what the folded one does (R18)."""

import random
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Order, Visit, app
from apps.fakes import ANNA, Book, FakeHome, rows
from fieldpost.odp.form.difference import Differ
from fieldpost.odp.form.rows import Row, new_row, opened_from, row_from_opened
from fieldpost.odp.repair.fold import folded, places_of_rows
from fieldpost.odp.replay.links import Links
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import Outcome

pytestmark = pytest.mark.long


class KeptKeys(Book):
    """Rows keep their temporary keys, as on a device."""

    def real(self, model: str, temporary: int) -> int:  # noqa: ARG002 - the protocol's
        return temporary

    def chosen(self, model: str, temporary: int) -> int:  # noqa: ARG002 - the protocol's
        return temporary


def home_with_rows() -> FakeHome:
    made = FakeHome()
    made.keys = KeptKeys()
    made.add(*rows())
    return made


def everything(home: FakeHome) -> list[Any]:
    tables = (Visit.__table__, Order.__table__)
    with home.engine.connect() as connection:
        return [sorted(map(tuple, connection.execute(sa.select(t)))) for t in tables]


def changed_at_random(row: Row, dice: random.Random) -> None:
    """Change, add and remove as somebody would who cannot decide."""
    page = app.pages["visit"]
    for _ in range(dice.randint(1, 3)):
        orders = row.lists["orders"]
        what = dice.choice(["score", "summary", "add", "edit", "remove"])
        if what == "score":
            row.texts["score"] = str(dice.choice([5, 10, 50]))
        elif what == "summary":
            row.texts["summary"] = dice.choice(["a", "b", ""])
        elif what == "add":
            fresh = new_row(page.layout.lists["orders"].form, f"orders[{len(orders)}]")
            fresh.texts |= {"group": dice.choice("xyz"), "share": "5"}
            orders.append(fresh)
        elif orders and what == "edit":
            dice.choice(orders).texts["share"] = str(dice.randint(1, 9))
        elif orders:
            dice.choice(orders).deleted = True


def edited(home: FakeHome, dice: random.Random) -> tuple[list[Operation], dict[Any, str]]:
    """Fill in the visit's form; return what that changes, and where its rows stand."""
    layout = home.app.pages["visit"].layout
    with home.session() as session:
        seen = opened_from(layout, session.get(Visit, 1), links=Links(session, home.app, ANNA))
    row = row_from_opened(layout, seen)
    changed_at_random(row, dice)
    found = Differ(home.temporary_key, home.new_id).compare(layout, row, seen)
    assert [] == found.problems
    return found.operations, dict(places_of_rows(layout, seen))


@pytest.mark.parametrize("seed", range(60))
def test_folded_edits_do_what_both_did(seed: int) -> None:
    """Whatever was typed in two forms, one after the other, the rows end up the same (R18)."""
    dice = random.Random(seed)
    one, other = home_with_rows(), home_with_rows()
    first, _ = edited(one, dice)
    if first:
        assert Outcome.ACCEPTED is one.do(*first).outcome
    then, places = edited(one, dice)
    if then:
        assert Outcome.ACCEPTED is one.do(*then).outcome
    operations = folded(first, then, places)
    if operations:
        assert Outcome.ACCEPTED is other.do(*operations).outcome

    assert everything(one) == everything(other)


def test_a_row_that_was_added_and_removed_leaves_no_trace() -> None:
    """What came and went between two saves is nobody's business (R18)."""
    added = Operation("insert", "order", (-3,), {"visit_id": 1, "group": "x"}, at="orders[2]")
    removed = Operation("delete", "order", (-3,), {}, {"group": "x"}, "orders[2]")

    assert [] == folded([added], [removed], {})


def test_a_change_that_was_taken_back_is_none() -> None:
    """Back to what it was is no change (R18)."""
    there = Operation("update", "visit", (1,), {"score": 5}, {"score": 50, "summary": None})
    back = Operation("update", "visit", (1,), {"score": 50}, {"score": 5, "summary": None})

    assert [] == folded([there], [back], {})


def test_what_was_seen_first_counts() -> None:
    """The folded change is compared with what the first form showed (R18, R37)."""
    first = Operation("update", "visit", (1,), {"score": 5}, {"score": 50, "summary": None})
    then = Operation("update", "visit", (1,), {"summary": "a"}, {"score": 5, "summary": None})
    (found,) = folded([first], [then], {})

    assert {"score": 5, "summary": "a"} == found.set
    assert {"score": 50, "summary": None} == found.was


def test_a_deleted_row_is_compared_with_what_was_seen_first() -> None:
    """Deleting after an edit is deleting what was there before it (R18, R40)."""
    edit = Operation("update", "order", (1,), {"share": 5}, {"share": 10})
    delete = Operation("delete", "order", (1,), {}, {"share": 5}, "orders[0]")

    assert [Operation("delete", "order", (1,), {}, {"share": 10}, "orders[0]")] == folded(
        [edit], [delete], {}
    )
