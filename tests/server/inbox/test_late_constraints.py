"""Constraints that the database checks at the commit only: the form hears of them (R22, R36)."""

from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Patient
from apps.fakes import ADA
from apps.sender import Sender, codes
from fieldpost.home import Submission
from fieldpost.users import User
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import Outcome

DORA = User("dora", "", frozenset({"Doctor"}))
LATE = """
ALTER TABLE patient DROP CONSTRAINT patient_number_key,
    ADD CONSTRAINT patient_number_key UNIQUE (number) DEFERRABLE INITIALLY DEFERRED
"""


def _patient(key: str, number: str) -> Operation:
    values = {"name": "Grace Hopper", "number": number, "insured": False}
    return Operation("insert", "patient", (key,), values)


@pytest.fixture
def late(office: Any) -> Any:
    """An office in which two patients may share a number until the transaction ends."""
    if office.database.dialect == "postgresql":
        office.run(sa.text(LATE))
    taken = sa.text("UPDATE patient SET number = 'P-1' WHERE name = :name")
    office.run(taken.bindparams(name=_name(office)))
    return office


def _name(office: Any) -> str:
    return str(office.rows(sa.select(Patient.name).where(Patient.id == ADA))[0][0])


def test_what_is_refused_at_the_commit_is_said_at_its_field(late: Any) -> None:
    """A device's form is refused once, and not tried again for ever (R22, R36)."""
    sender = Sender(late)
    made = sender.next(_patient("11111111-1111-4111-8111-111111111111", "P-1"), page="patient")
    receipt = sender.send(made)

    assert (Outcome.INVALID, ["not_unique"]) == (receipt.outcome, codes(receipt))
    assert ["number"] == [each.path for each in receipt.problems]
    online = Submission("patient", (_patient("21111111-1111-4111-8111-111111111111", "P-1"),))
    assert ["not_unique"] == codes(late.home.inbox.commit(DORA, online, late.home.new_id()))
