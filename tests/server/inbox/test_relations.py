"""What envelopes say of each other: what they build on, repair and discard (R27, R31, R38, R39)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Visit
from apps.sender import ANNA, NewVisit, Sender, codes, count, edit
from fieldpost.errors import NotFound
from fieldpost.home import Submission
from fieldpost.users import SUPERVISOR, User
from fieldpost.wire.envelope import Envelope, Operation, Void
from fieldpost.wire.receipts import Outcome, Receipt
from fieldpost_server.inbox.dependencies import missing_numbers

BOSS = User("boss", "", frozenset({SUPERVISOR}))
BEN = User("ben", "", frozenset({"Offline"}))


@pytest.fixture
def sender(office: Any) -> Sender:
    """Anna's device."""
    return Sender(office)


VOID = "00000000-0000-4000-8000-000000000001"


def reading(office: Any, work: Callable[[Any], Any]) -> Any:
    with office.database.read_session() as session:
        return work(session)


def score(office: Any, key: int) -> Any:
    return office.rows(sa.select(Visit.score).where(Visit.id == key))[0][0]


def change_elsewhere(office: Any, key: int, value: int) -> None:
    statement = sa.update(Visit).where(Visit.id == key).values(score=value)
    office.write(lambda session: session.execute(statement))


def a_visit(sender: Sender, visit: NewVisit) -> int:
    """Return the key of a visit of Anna's with the score 50."""
    receipt = sender.send(sender.next(visit(score=50)))
    return int(receipt.record[0])


def a_conflict(office: Any, sender: Sender, visit: NewVisit) -> tuple[int, Envelope, Receipt]:
    """Return a visit that others gave 70, and Anna's envelope that wants 10 and could not."""
    key = a_visit(sender, visit)
    change_elsewhere(office, key, 70)
    refused = sender.next(edit(key, 10, 50))
    return key, refused, sender.send(refused)


def void_of(envelope: Envelope, identity: str = VOID) -> Envelope:
    voids = Void(envelope.id, envelope.digest)
    return replace(envelope, id=identity, operations=(), after=(), voids=voids).sealed()


def test_what_builds_on_a_refused_envelope_waits_and_others_go_through(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """One bad envelope stops only those that depend on it (R27)."""
    key, refused, receipt = a_conflict(office, sender, visit)
    behind = sender.send(sender.next(edit(key, 20, 10), after=(refused.number,)))
    other = sender.send(sender.next(visit(-9)))

    assert Outcome.CONFLICT is receipt.outcome
    assert (Outcome.WAITING, ["predecessor_open"]) == (behind.outcome, codes(behind))
    assert {"numbers": [refused.number]} == behind.problems[0].detail
    assert Outcome.ACCEPTED is other.outcome
    assert 70 == score(office, key)


def test_a_repair_is_applied_and_brings_what_waited(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """The repair takes the place of the refused one; what was built on that follows (R38)."""
    key, refused, _ = a_conflict(office, sender, visit)
    behind = sender.next(edit(key, 20, 10), after=(refused.number,))
    sender.send(behind)
    repair = sender.send(sender.next(edit(key, 10, 70), supersedes=(refused.id,)))
    freed = office.home.inbox.retry_waiting(ANNA, sender.device)

    assert Outcome.ACCEPTED is repair.outcome
    assert [Outcome.ACCEPTED] == [r.outcome for r in freed]
    assert 20 == score(office, key)


def test_the_first_receipt_tells_what_took_its_place(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """The trail says which envelope replaced which, who did it and when (R38)."""
    key, refused, first = a_conflict(office, sender, visit)
    repair = sender.next(edit(key, 10, 70), supersedes=(refused.id,))
    sender.send(repair)
    again = sender.send(refused)

    assert first.settled is None
    assert again.settled is not None
    assert ("superseded", repair.id, "anna") == (
        again.settled.how,
        again.settled.by,
        again.settled.user,
    )
    assert (Outcome.CONFLICT, first.problems) == (again.outcome, again.problems)


def test_a_repair_of_a_new_record_keeps_its_temporary_key(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """What points to a new record finds it, whichever envelope brought it (R31)."""
    refused = sender.next(visit(-5, score=-1))
    assert Outcome.INVALID is sender.send(refused).outcome
    behind = sender.next(edit(-5, 90, 5), after=(refused.number,))
    assert Outcome.WAITING is sender.send(behind).outcome
    repair = sender.send(sender.next(visit(-5, score=5), supersedes=(refused.id,)))
    (freed,) = office.home.inbox.retry_waiting(ANNA, sender.device)

    assert Outcome.ACCEPTED is freed.outcome
    assert repair.record == freed.record
    assert 90 == score(office, int(repair.record[0]))


def test_what_was_applied_cannot_be_repaired(office: Any, sender: Sender, visit: NewVisit) -> None:
    """Nothing is applied a second time under another id (R32)."""
    made = sender.next(visit(-3))
    sender.send(made)
    before = count(office, Visit)
    receipt = sender.send(sender.next(visit(-3), supersedes=(made.id,)))

    assert (Outcome.INVALID, ["already_applied"]) == (receipt.outcome, codes(receipt))
    assert before == count(office, Visit)


def test_a_temporary_key_stands_for_one_row(office: Any, sender: Sender, visit: NewVisit) -> None:
    """A client that uses a key twice makes no second row (R31, R32)."""
    sender.send(sender.next(visit(-3)))
    before = count(office, Visit)
    receipt = sender.send(sender.next(visit(-3)))

    assert (Outcome.INVALID, ["temporary_taken"]) == (receipt.outcome, codes(receipt))
    assert before == count(office, Visit)


def test_the_second_of_two_repairs_is_told_of_the_first(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """Worker and supervisor may repair at the same time: one counts, the other is told (R38)."""
    key, refused, _ = a_conflict(office, sender, visit)
    by_boss = Submission("visit", (edit(key, 80, 70),), supersedes=(refused.id,))
    assert Outcome.ACCEPTED is office.home.inbox.commit(BOSS, by_boss, "e-boss").outcome
    receipt = sender.send(sender.next(edit(key, 10, 80), supersedes=(refused.id,)))

    assert (Outcome.CONFLICT, ["already_settled"]) == (receipt.outcome, codes(receipt))
    assert "boss has settled this in the meantime (repaired)" in receipt.problems[0].message
    assert 80 == score(office, key)


def test_a_supervisors_repair_frees_what_waited_on_the_device(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """The office repairs a new record of a device: its key is known from then on (R31, R38)."""
    refused = sender.next(visit(-5, score=-1))
    sender.send(refused)
    behind = sender.next(edit(-5, 90, 5), after=(refused.number,))
    sender.send(behind)
    repair = Submission("visit", (visit(-5, score=5),), supersedes=(refused.id,))
    receipt = office.home.inbox.commit(BOSS, repair, "e-boss")
    told = sender.send(refused)

    assert Outcome.ACCEPTED is receipt.outcome
    assert Outcome.DUPLICATE is sender.send(behind).outcome
    assert 90 == score(office, int(receipt.record[0]))
    assert told.settled is not None
    assert "boss" == told.settled.user
    assert [("visit", -5, receipt.record[0])] == [(k.model, k.temporary, k.real) for k in told.keys]


def test_a_new_record_that_a_supervisor_repairs_stays_the_workers(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """Defaults mean who did the work, not who put it right: the worker keeps it (R35, R38)."""
    without_nurse = {k: v for k, v in visit(-5, score=5).set.items() if k != "nurse"}
    refused = sender.next(Operation("insert", "visit", (-5,), {**without_nurse, "score": -1}))
    sender.send(refused)
    operation = Operation("insert", "visit", (-5,), without_nurse)
    repair = Submission("visit", (operation,), supersedes=(refused.id,))
    receipt = office.home.inbox.commit(BOSS, repair, "e-boss")

    assert Outcome.ACCEPTED is receipt.outcome
    nurses = office.rows(sa.select(Visit.nurse).where(Visit.id == receipt.record[0]))
    assert [("anna",)] == nurses


def test_only_a_supervisor_repairs_the_work_of_others(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """Knowing an id is not enough (R34)."""
    key, refused, _ = a_conflict(office, sender, visit)
    repair = Submission("visit", (edit(key, 80, 70),), supersedes=(refused.id,))
    receipt = office.home.inbox.commit(BEN, repair, "e-ben")

    assert (Outcome.FORBIDDEN, ["not_your_envelope"]) == (receipt.outcome, codes(receipt))
    assert ["not_your_envelope"] == codes(office.home.inbox.discard(BEN, refused.id, "e-ben"))
    assert 70 == score(office, key)


def test_a_void_takes_the_number_of_what_it_discards(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """The sequence stays unbroken, whichever of the two the next one was sealed after (R33)."""
    sender.send(sender.next(visit(-1)))
    dropped = sender.next(visit(-2))
    void = void_of(dropped)
    after_dropped = sender.next(visit(-3))
    receipts = [sender.send(e) for e in (void, void, after_dropped)]
    sender.last = void.digest
    sender.number = dropped.number
    sender.next(visit(-4))

    assert [Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.ACCEPTED] == [r.outcome for r in receipts]
    assert [] == reading(office, lambda s: missing_numbers(s, sender.device))


def test_the_next_may_follow_the_void(sender: Sender, visit: NewVisit) -> None:
    """A device may seal its next envelope after the void as well (R33)."""
    dropped = sender.next(visit(-2))
    void = void_of(dropped)
    sender.send(void)
    sender.last = void.digest

    assert Outcome.ACCEPTED is sender.send(sender.next(visit(-3))).outcome


def test_what_was_discarded_is_refused_when_it_arrives_late(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """A message that was on its way for long brings nothing back (R39)."""
    dropped = sender.next(visit(-2))
    before = count(office, Visit)
    sender.send(void_of(dropped))
    receipt = sender.send(dropped)

    assert (Outcome.MISMATCH, ["was_discarded"]) == (receipt.outcome, codes(receipt))
    assert before == count(office, Visit)


def test_what_was_applied_cannot_be_discarded(sender: Sender, visit: NewVisit) -> None:
    """The answer was lost, the worker discards: she is told that it had arrived (R26, R39)."""
    made = sender.next(visit(-2))
    applied = sender.send(made)
    receipt = sender.send(void_of(made))

    assert (Outcome.MISMATCH, ["already_applied"]) == (receipt.outcome, codes(receipt))
    told = receipt.problems[0].detail["receipt"]
    assert (made.id, "accepted") == (told["envelope"], told["outcome"])
    assert applied.record == tuple(told["record"])
    assert Outcome.DUPLICATE is sender.send(made).outcome


def test_a_refused_envelope_is_discarded_and_what_needs_it_is_told(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """Nothing is stuck behind what was discarded: it gets an outcome of its own (R27, R39)."""
    refused = sender.next(visit(-5, score=-1))
    sender.send(refused)
    behind = sender.next(edit(-5, 90, 5), after=(refused.number,))
    sender.send(behind)
    assert Outcome.ACCEPTED is sender.send(void_of(refused)).outcome
    (freed,) = office.home.inbox.retry_waiting(ANNA, sender.device)

    assert (Outcome.INVALID, ["depends_on_discarded"]) == (freed.outcome, codes(freed))
    assert "discarded" == sender.send(refused).settled.how  # type: ignore[union-attr]  # that is asked


@pytest.mark.passes(
    "discarded-rest-waits", "envelopes-locked", "online-save-uncommitted", "settled-void-unkept"
)
def test_a_supervisor_discards(office: Any, sender: Sender, visit: NewVisit) -> None:
    """The office may end what nobody repairs; its device is told by whom (R39, R59)."""
    _, refused, _ = a_conflict(office, sender, visit)
    receipt = office.home.inbox.discard(BOSS, refused.id, "e-boss")
    told = sender.send(refused)

    assert Outcome.ACCEPTED is receipt.outcome
    assert told.settled is not None
    assert ("discarded", "boss", "e-boss") == (
        told.settled.how,
        told.settled.user,
        told.settled.by,
    )
    with pytest.raises(NotFound):
        office.home.inbox.discard(BOSS, "nobody's", "e-2")


def test_a_repair_that_arrives_before_what_it_repairs_counts_alone(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """In whatever order they come, the repaired work is applied once (R26, R31)."""
    first = sender.next(visit(-5, score=5))
    repair = sender.next(visit(-5, score=60), supersedes=(first.id,))
    receipts = [sender.send(repair), sender.send(first), sender.send(first)]

    assert Outcome.ACCEPTED is receipts[0].outcome
    assert ["was_superseded"] == codes(receipts[1])
    assert ["was_superseded"] == codes(receipts[2])
    assert [] == reading(office, lambda s: missing_numbers(s, sender.device))
    assert [(60,)] == office.rows(sa.select(Visit.score).where(Visit.id == receipts[0].record[0]))


def test_missing_numbers_are_named(office: Any, sender: Sender, visit: NewVisit) -> None:
    """The server can say which envelopes never arrived (R33)."""
    made = [sender.next(visit(-n)) for n in range(1, 10)]
    for index in (2, 3, 5, 8):
        sender.send(made[index])

    assert [[1, 2], [5, 5], [7, 8]] == reading(office, lambda s: missing_numbers(s, sender.device))
    assert [[1, 2]] == reading(office, lambda s: missing_numbers(s, sender.device, 1))


def test_rules_that_changed_are_mentioned(office: Any, sender: Sender, visit: NewVisit) -> None:
    """Who saved under older rules is told that they changed (R41)."""
    office.home.inbox.applier.app_version = "2"
    receipt = sender.send(sender.next(visit(-1, score=-1)))
    unknown = sender.send(
        sender.next(Operation("insert", "visit", (-2,), {"mood": "good"}), app_version="1")
    )
    same = sender.send(sender.next(visit(-3, score=-1), app_version="2"))

    assert ["rules_changed", "too_small", "not_a_multiple"] == codes(receipt)
    assert (Outcome.INVALID, ["rules_changed", "model_changed"]) == (
        unknown.outcome,
        codes(unknown),
    )
    assert "mood" in unknown.problems[1].message
    assert ["too_small", "not_a_multiple"] == codes(same)
