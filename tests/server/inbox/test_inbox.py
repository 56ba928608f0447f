"""The inbox: every envelope is applied exactly once, whole or not at all (R26, R27, R30-R36)."""

import hashlib
import json
import threading
import uuid
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Dose, Order, Patient, Reading, Visit
from apps.fakes import ADA
from apps.sender import ANNA, NewVisit, Sender, codes, count, edit
from fieldpost.home import Submission, Upload
from fieldpost.wire.envelope import Envelope, Operation
from fieldpost.wire.receipts import Outcome, Receipt
from fieldpost_server.inbox.inbox import Inbox
from fieldpost_server.storage import tables
from fieldpost_server.storage.database import Database


@pytest.fixture
def sender(office: Any) -> Sender:
    """Anna's device."""
    return Sender(office)


def mine(office: Any) -> int:
    return count(office, Visit, Visit.nurse == "anna")


def test_the_key_of_a_deleted_row_is_never_another_rows(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """An edit that was made offline meets no newer row under an old key (R30, R35)."""
    (old,) = sender.send(sender.next(visit(-1))).record
    office.run(sa.delete(Visit).where(Visit.id == old))
    office.write(lambda s: s.add(Visit(patient_id=ADA, visited_on=date(2026, 11, 3), nurse="anna")))
    (theirs,) = office.rows(sa.select(sa.func.max(Visit.id)))[0]
    (new,) = sender.send(sender.next(visit(-2))).record
    late = sender.send(sender.next(edit(old, 60, None)))

    assert Outcome.CONFLICT is late.outcome
    assert ["deleted_by_others"] == codes(late)
    assert old < theirs < new


def test_a_form_with_three_levels_becomes_rows(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """Real keys are given on both databases, in composite keys too (R30, R31, R36)."""
    receipt = sender.send(
        sender.next(
            visit(-7, weight="70.50", starts_at="2026-11-23T08:15:00+01:00"),
            Operation("insert", "order", (-8,), {"visit_id": -7, "group": "x", "share": 5}),
            Operation("insert", "dose", (-8, 1), {"order_id": -8, "number": 1, "amount": "2.5"}),
            Operation(
                "insert",
                "reading",
                (str(uuid.UUID(int=77)),),
                {"order_id": -8, "dose_number": 1, "value": 9},
            ),
        )
    )
    real = {key.model: key.real for key in receipt.keys}

    assert Outcome.ACCEPTED is receipt.outcome
    assert {"visit", "order"} == set(real)
    assert (real["visit"],) == receipt.record
    assert [(real["visit"],)] == office.rows(
        sa.select(Order.visit_id).where(Order.id == real["order"])
    )
    assert 1 == count(office, Dose, Dose.order_id == real["order"])
    assert [(real["order"], 1)] == office.rows(sa.select(Reading.order_id, Reading.dose_number))


def test_the_same_envelope_twice_gives_the_first_receipt(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """An answer that was lost on the way is given again, with the same keys (R26, R32)."""
    made = sender.next(visit())
    first, second = sender.send(made), sender.send(made)

    assert [Outcome.ACCEPTED, Outcome.DUPLICATE] == [first.outcome, second.outcome]
    assert first.keys == second.keys
    assert first.received_at == second.received_at
    assert 2 == mine(office)


def test_the_same_id_with_other_content_is_refused_by_name(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """An id stands for one content for good (R32)."""
    made = sender.next(visit())
    sender.send(made)
    other = sender.next(visit(-2), id=made.id, number=made.number, previous=made.previous)
    receipt = sender.send(other)

    assert (Outcome.MISMATCH, ["other_content"]) == (receipt.outcome, codes(receipt))
    assert 2 == mine(office)
    assert Outcome.DUPLICATE is sender.send(made).outcome


def test_a_number_is_used_once(office: Any, sender: Sender, visit: NewVisit) -> None:
    """Two envelopes with one number cannot both be this device's history (R33)."""
    first = sender.next(visit())
    sender.send(first)
    receipt = sender.send(sender.next(visit(-2), number=1, previous=""))

    assert (Outcome.MISMATCH, ["number_taken"]) == (receipt.outcome, codes(receipt))
    assert 2 == mine(office)


def test_a_broken_chain_is_refused(office: Any, sender: Sender, visit: NewVisit) -> None:
    """A history that was rewritten shows (R33)."""
    sender.send(sender.next(visit()))
    receipt = sender.send(sender.next(visit(-2), previous="sha256:" + "0" * 64))

    assert (Outcome.MISMATCH, ["broken_chain"]) == (receipt.outcome, codes(receipt))
    assert 2 == mine(office)


def test_the_first_envelope_has_nothing_before_it(sender: Sender, visit: NewVisit) -> None:
    """Number 1 begins a chain."""
    receipt = sender.send(sender.next(visit(), previous="sha256:" + "0" * 64))

    assert ["broken_chain"] == codes(receipt)


def test_what_does_not_depend_on_a_gap_is_applied(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """An envelope that never arrived does not stop the ones after it (R27)."""
    sender.next(visit())
    receipt = sender.send(sender.next(visit(-2)))

    assert Outcome.ACCEPTED is receipt.outcome
    assert 2 == mine(office)


def test_a_conflict_after_a_gap_waits_for_the_predecessor(office: Any, sender: Sender) -> None:
    """What was made on top of work that has not arrived is judged when it has (R27, R31)."""
    first, second = sender.next(edit(1, 60, 50)), sender.next(edit(1, 70, 60))
    early = sender.send(second)
    assert (Outcome.WAITING, ["predecessor_missing"]) == (early.outcome, codes(early))
    assert [(50,)] == office.rows(sa.select(Visit.score).where(Visit.id == 1))

    sender.send(first)
    (late,) = office.home.inbox.retry_waiting(ANNA, sender.device)

    assert (second.id, Outcome.ACCEPTED) == (late.envelope, late.outcome)
    assert [(70,)] == office.rows(sa.select(Visit.score).where(Visit.id == 1))
    assert Outcome.DUPLICATE is sender.send(second).outcome


def test_what_waits_for_an_app_of_another_name_is_tried_once(
    office: Any, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app that was renamed meanwhile does not keep a push busy without end (R31, R61)."""
    sender.next(edit(1, 60, 50))
    waiting = sender.next(edit(1, 70, 60))
    assert Outcome.WAITING is sender.send(waiting).outcome
    monkeypatch.setattr(office.home.app, "name", "renamed")

    (told,) = office.home.inbox.retry_waiting(ANNA, sender.device)

    assert (waiting.id, Outcome.FORBIDDEN, ["wrong_app"]) == (
        told.envelope,
        told.outcome,
        codes(told),
    )


def test_an_unknown_temporary_key_waits_for_its_envelope(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """Envelopes may arrive out of order: temporary keys still resolve (R31)."""
    first = sender.next(visit(-7))
    second = sender.next(Operation("insert", "order", (-8,), {"visit_id": -7, "group": "x"}))
    assert Outcome.WAITING is sender.send(second).outcome
    assert [] == office.home.inbox.retry_waiting(ANNA, sender.device)

    real = sender.send(first).keys[0].real
    assert Outcome.ACCEPTED is sender.send(second).outcome
    assert 1 == count(office, Order, Order.visit_id == real)


def test_temporary_keys_belong_to_their_device(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """The -1 of one device is not the -1 of another (R31)."""
    sender.send(sender.next(visit(-1)))
    other = Sender(office)

    receipt = other.send(other.next(edit(-1, 5, None)))

    assert Outcome.INVALID is receipt.outcome
    assert ["depends_on_discarded"] == codes(receipt)
    assert Outcome.ACCEPTED is sender.send(sender.next(edit(-1, 5, None))).outcome


@pytest.mark.passes("row-locked")
def test_a_refusal_leaves_only_its_receipt(office: Any, sender: Sender, visit: NewVisit) -> None:
    """All of an envelope or nothing of it; what is wrong is kept with it (R30, R59)."""
    made = sender.next(
        Operation("insert", "order", (-8,), {"visit_id": 1, "group": "new"}, at="orders[2]"),
        Operation("update", "visit", (1,), {"urgent": True}, {"urgent": False}),
    )
    receipt = sender.send(made)

    assert (Outcome.INVALID, ["rule"]) == (receipt.outcome, codes(receipt))
    assert 2 == count(office, Order, Order.visit_id == 1)
    assert [] == office.rows(sa.select(tables.key))
    assert [("invalid", made.to_text(), receipt.signed)] == office.rows(
        sa.select(tables.envelope.c.outcome, tables.envelope.c.content, tables.envelope.c.receipt)
    )
    assert Outcome.INVALID is sender.send(made).outcome
    assert Outcome.ACCEPTED is sender.send(sender.next(visit())).outcome


def test_the_databases_own_refusal_is_in_words(office: Any, sender: Sender) -> None:
    """A unique constraint speaks the same on both databases, at its field (R16, R36)."""
    receipt = sender.send(
        sender.next(
            Operation(
                "insert", "patient", (str(uuid.uuid4()),), {"name": "Double", "number": "A-1"}
            ),
            page="patient",
        )
    )

    assert (Outcome.INVALID, [("not_unique", "number")]) == (
        receipt.outcome,
        [(str(p.code), p.path) for p in receipt.problems],
    )
    assert 3 == count(office, Patient)


@pytest.mark.parametrize(
    ("new", "was", "outcome"),
    [
        ({"score": 55}, {"score": 50, "weight": "70.50"}, Outcome.ACCEPTED),
        ({"score": 55}, {"score": 50, "weight": "1.00"}, Outcome.MERGED),
        ({"score": 55}, {"score": 45}, Outcome.CONFLICT),
    ],
)
def test_merging_is_the_same_on_both_databases(
    office: Any, sender: Sender, new: dict[str, Any], was: dict[str, Any], outcome: Outcome
) -> None:
    """Three-way merge by what was seen, not by a version (R36, R37)."""
    receipt = sender.send(sender.next(Operation("update", "visit", (1,), new, was)))

    assert outcome is receipt.outcome
    expected = 50 if outcome is Outcome.CONFLICT else 55
    assert [(expected,)] == office.rows(sa.select(Visit.score).where(Visit.id == 1))


def test_an_envelope_of_somebody_else_is_refused_and_not_kept(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """User, device and app must be those of the session (R34)."""
    for parts, code in (
        ({"user": "bert"}, "wrong_user"),
        ({"device": f"d-{uuid.uuid4()}"}, "wrong_device"),
        ({"app": "other"}, "wrong_app"),
    ):
        receipt = sender.send(sender.next(visit(), **parts, number=1, previous=""))
        assert (Outcome.FORBIDDEN, [code]) == (receipt.outcome, codes(receipt))
    assert 0 == count(office, tables.envelope)


def test_receipts_survive_the_process(office: Any, sender: Sender, visit: NewVisit) -> None:
    """The receipt is in the database, written in the envelope's transaction (R32)."""
    made = sender.next(visit())
    first = sender.send(made)
    database = Database(office.settings.database_url)
    inbox = Inbox(office.home.app, database)
    again = inbox.receive(made.to_text(), ANNA, sender.device)
    database.close()

    assert (Outcome.DUPLICATE, first.keys) == (again.outcome, again.keys)


def test_concurrent_pushes_of_one_envelope_apply_it_once(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """A tap on Sync twice, or two connections at once, changes nothing (R26)."""
    made = sender.next(visit())
    receipts: list[Receipt] = []
    barrier = threading.Barrier(4)

    def push() -> None:
        barrier.wait()
        receipts.append(sender.send(made))

    threads = [threading.Thread(target=push) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    outcomes = sorted(str(r.outcome) for r in receipts)
    assert ["accepted", "duplicate", "duplicate", "duplicate"] == outcomes
    assert 1 == len({r.keys for r in receipts})
    assert 2 == mine(office)


def test_two_devices_that_change_one_field_at_once_do_not_overwrite(
    office: Any, sender: Sender
) -> None:
    """One of two simultaneous changes is a conflict, never a lost update (R37)."""
    other = Sender(office)
    ours, theirs = sender.next(edit(1, 60, 50)), other.next(edit(1, 70, 50))
    receipts: list[Receipt] = []
    barrier = threading.Barrier(2)

    def push(who: Sender, what: Envelope) -> None:
        barrier.wait()
        receipts.append(who.send(what))

    threads = [
        threading.Thread(target=push, args=pair) for pair in ((sender, ours), (other, theirs))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ["accepted", "conflict"] == sorted(str(r.outcome) for r in receipts)
    accepted = next(r for r in receipts if r.outcome is Outcome.ACCEPTED)
    assert [(60 if accepted.envelope == ours.id else 70,)] == office.rows(
        sa.select(Visit.score).where(Visit.id == 1)
    )


@pytest.mark.passes("arriving-part-cut", "arriving-part-left", "whole-part-unplaced")
def test_an_envelope_waits_for_its_attachments(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """No record without its photo (R43)."""
    content = b"%PDF some report"
    upload = Upload("report.pdf", "application/pdf", content)
    sha256 = hashlib.sha256(content).hexdigest()
    reference = {"sha256": sha256, "size": len(content), "type": upload.type, "name": upload.name}
    made = sender.next(visit(report=reference), attachments=(sha256,))
    early = sender.send(made)
    assert (Outcome.WAITING, ["attachment_missing"]) == (early.outcome, codes(early))
    assert {"missing": [sha256]} == early.problems[0].detail
    assert 1 == mine(office)

    office.home.store.keep(upload, ANNA)
    assert Outcome.ACCEPTED is sender.send(made).outcome
    assert 2 == mine(office)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff", b"[]", b"[" * 100_000, json.dumps({"format": 9}).encode()]
)
def test_garbage_gets_a_receipt(office: Any, sender: Sender, text: bytes) -> None:
    """Whatever arrives, the answer is a receipt with words (R66)."""
    receipt = office.home.inbox.receive(text, ANNA, sender.device)

    assert (Outcome.INVALID, "") == (receipt.outcome, receipt.envelope)
    assert receipt.problems


def test_work_online_goes_through_the_same_inbox(office: Any) -> None:
    """What somebody saves online is an envelope with a receipt too; what is refused is not (R2)."""
    good = Submission("visit", (edit(1, 60, 50),))
    bad = Submission("visit", (edit(1, 7, 60),))
    late = Submission("visit", (edit(1, 70, 50),))
    receipts = [office.home.commit(ANNA, each) for each in (good, bad, late)]

    assert [Outcome.ACCEPTED, Outcome.INVALID, Outcome.CONFLICT] == [r.outcome for r in receipts]
    assert [("web-anna", 1, "accepted")] == office.rows(
        sa.select(tables.envelope.c.device, tables.envelope.c.number, tables.envelope.c.outcome)
    )
