"""What belongs to the server or to a saved record, no client takes (R30, R34)."""

from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Order, Visit
from apps.sender import NewVisit, Sender, codes, count
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import Outcome


@pytest.mark.parametrize("key", [2**63 - 1, 101, 1, 0])
def test_a_key_that_the_database_counts_is_not_chosen(
    office: Any, visit: NewVisit, key: int
) -> None:
    """Such an insert is refused, and the next one of somebody else is applied as ever."""
    sender = Sender(office)
    refused = sender.send(sender.next(visit(key)))
    after = sender.send(sender.next(visit(-2)))

    assert Outcome.FORBIDDEN is refused.outcome
    assert "field_forbidden" in codes(refused)
    assert after.is_applied
    assert 1 == count(office, Visit, Visit.id == after.record[0])


def test_a_counted_key_is_not_set_either(office: Any, visit: NewVisit) -> None:
    """Neither beside a temporary key, nor as the key of a child row."""
    sender = Sender(office)
    beside = sender.send(sender.next(visit(-1, id=5000)))
    child = Operation("insert", "order", (4000,), {"group": "b", "visit_id": -3}, at="orders[0]")
    below = sender.send(sender.next(visit(-3), child))

    assert [Outcome.FORBIDDEN, Outcome.FORBIDDEN] == [beside.outcome, below.outcome]
    assert 0 == count(office, Visit, Visit.id == 5000)
    assert 0 == count(office, Order, Order.id == 4000)


RIGHTS = {
    # do: (may edit, may only add)
    "insert": (True, False),
    "update": (True, False),
    "delete": (True, False),
}


@pytest.mark.parametrize("do", RIGHTS)
@pytest.mark.parametrize("edit", [True, False])
def test_child_rows_of_a_saved_record_need_the_right_to_edit(
    office: Any, visit: NewVisit, monkeypatch: pytest.MonkeyPatch, do: str, *, edit: bool
) -> None:
    """On a page that only adds, nobody changes, adds or deletes rows of what was saved."""
    sender = Sender(office)
    new = Operation("insert", "order", (-2,), {"group": "b", "visit_id": -1}, at="orders[0]")
    saved = sender.send(sender.next(visit(-1), new))
    assert saved.is_applied
    key = office.rows(sa.select(Order.id).where(Order.visit_id == saved.record[0]))[0][0]
    page = office.home.app.page("visit")
    monkeypatch.setattr(page, "edit", edit)
    operation = {
        "insert": Operation("insert", "order", (-9,), {"group": "x", "visit_id": saved.record[0]}),
        "update": Operation("update", "order", (key,), {"group": "x"}, {"group": "b"}),
        "delete": Operation("delete", "order", (key,), {}, {"group": "b"}),
    }[do]
    receipt = sender.send(sender.next(operation))

    assert RIGHTS[do][0 if edit else 1] is receipt.is_applied
    if not edit:
        assert Outcome.FORBIDDEN is receipt.outcome
        assert [("b",)] == office.rows(sa.select(Order.group).where(Order.id == key))


def test_a_new_record_brings_its_rows_on_a_page_that_only_adds(
    office: Any, visit: NewVisit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every depth: what comes with a record is part of adding it."""
    monkeypatch.setattr(office.home.app.page("visit"), "edit", False)
    sender = Sender(office)
    order = Operation("insert", "order", (-2,), {"group": "b", "visit_id": -1}, at="orders[0]")
    dose = Operation(
        "insert",
        "dose",
        (-2, 1),
        {"order_id": -2, "number": 1, "amount": "2.00"},
        at="orders[0].doses[0]",
    )
    receipt = sender.send(sender.next(visit(-1), order, dose))

    assert receipt.is_applied, codes(receipt)
