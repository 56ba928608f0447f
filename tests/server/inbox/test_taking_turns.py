"""Two connections at once: whoever waited for a lock decides by what is there then (R26, R38)."""

import hashlib
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from apps import errands
from apps.clinic import Visit
from apps.sender import ANNA, Chain, NewVisit, Sender, codes, count
from fieldpost.home import Submission, Upload
from fieldpost.pages import Changes
from fieldpost.users import SUPERVISOR, User
from fieldpost.wire.envelope import Envelope, Operation, Void
from fieldpost.wire.receipts import Outcome, Receipt
from fieldpost_server.signing.signer import Signer

BOSS = User("boss", "", frozenset({SUPERVISOR}))
LIMIT_S = 20
_WAITING = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

Settle = Callable[[Any, Sender, Envelope, Envelope], Receipt]


def _discarded_there(office: Any, _: Sender, made: Envelope, __: Envelope) -> Receipt:
    receipt: Receipt = office.home.inbox.discard(BOSS, made.id, "e-boss")
    return receipt


def _repaired_there(office: Any, _: Sender, made: Envelope, repair: Envelope) -> Receipt:
    submission = Submission("visit", repair.operations, supersedes=(made.id,))
    receipt: Receipt = office.home.inbox.commit(BOSS, submission, "e-boss")
    return receipt


def _discarded_here(_: Any, sender: Sender, made: Envelope, __: Envelope) -> Receipt:
    void = Void(made.id, made.digest)
    return sender.send(sender.next(number=made.number, previous=made.previous, voids=void))


def _repaired_here(_: Any, sender: Sender, __: Envelope, repair: Envelope) -> Receipt:
    return sender.send(repair)


SETTLED: dict[str, Settle] = {
    "discarded at the office": _discarded_there,
    "repaired at the office": _repaired_there,
    "discarded on the device": _discarded_here,
    "repaired on the device": _repaired_here,
}


def _until_it_waits(office: Any, sending: threading.Thread) -> None:
    """Return when somebody waits for a lock; on SQLite only one writes, whoever comes first."""
    end = time.monotonic() + LIMIT_S
    while office.database.dialect == "postgresql" and sending.is_alive():
        if office.rows(_WAITING) != [(0,)]:
            return
        assert time.monotonic() < end, "nobody waits"


def at_once(
    office: Any,
    monkeypatch: pytest.MonkeyPatch,
    first: Callable[[], Receipt],
    second: Callable[[], Receipt],
) -> list[Receipt]:
    """Do one thing, and another one while the first is done and not yet committed."""
    is_done, may_end = threading.Event(), threading.Event()
    signed, receipts = Signer.signed, dict[int, Receipt]()

    def slowly(signer: Signer, receipt: Receipt) -> Receipt:
        if threading.current_thread() is threads[0] and receipt.is_applied:
            is_done.set()
            assert may_end.wait(LIMIT_S)
        return signed(signer, receipt)

    def do(place: int, what: Callable[[], Receipt]) -> None:
        receipts[place] = what()

    threads = [threading.Thread(target=do, args=pair) for pair in enumerate((first, second))]
    monkeypatch.setattr(Signer, "signed", slowly)
    threads[0].start()
    assert is_done.wait(LIMIT_S)
    threads[1].start()
    _until_it_waits(office, threads[1])
    may_end.set()
    for thread in threads:
        thread.join(LIMIT_S)
    return [receipts[0], receipts[1]]


@pytest.mark.parametrize("how", SETTLED)
def test_what_is_settled_at_this_moment_is_not_applied_as_well(
    office: Any, visit: NewVisit, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work that somebody discards or repairs while it is sent again ends in one way (R26, R38)."""
    sender, content = Sender(office), b"%PDF some report"
    upload = Upload("report.pdf", "application/pdf", content)
    sha256 = hashlib.sha256(content).hexdigest()
    report = {"sha256": sha256, "size": len(content), "type": upload.type, "name": upload.name}
    made = sender.next(visit(-1, report=report), attachments=(sha256,))
    assert Outcome.WAITING is sender.send(made).outcome
    repair = sender.next(visit(-9, score=5), supersedes=(made.id,))
    # what settles it comes late: the device has gone on
    sender.send(sender.next(visit(-2)))
    office.home.store.keep(upload, ANNA)
    before = count(office, Visit, Visit.report.is_not(None))

    settled, again = at_once(
        office,
        monkeypatch,
        lambda: SETTLED[how](office, sender, made, repair),
        lambda: sender.send(made),
    )

    assert Outcome.ACCEPTED is settled.outcome
    assert not again.is_applied
    assert before == count(office, Visit, Visit.report.is_not(None))


def _errands(session: Session) -> None:
    session.add(errands.Errand(id=1, mark="one", assignee="anna"))
    session.flush()
    session.add_all(errands.Item(id=n, errand_id=1, mark=f"one {n}") for n in (1, 2))


def _item(key: int) -> Operation:
    return Operation(
        "insert", "item", (key,), {"errand_id": 1, "mark": f"one {key}"}, at="items[2]"
    )


def _look() -> Operation:
    return Operation("look", "errand", (1,), {}, {"title": None}, rows={"items": [[1], [2]]})


CROSSING: dict[str, tuple[Changes, tuple[Operation, ...], tuple[Operation, ...], list[str]]] = {
    "a rule over the child rows": (Changes.MERGE, (_item(-1),), (_item(-2),), ["rule"]),
    "a strict page's child rows": (
        Changes.STRICT,
        (_look(), _item(-1)),
        (_look(), _item(-2)),
        ["rows_changed_by_others"],
    ),
}


@pytest.mark.passes("record-held", on="postgresql")
@pytest.mark.parametrize("what", CROSSING)
def test_two_forms_of_one_record_at_once_are_judged_one_after_the_other(
    open_office: Any, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Child rows of one record are never saved past what the other has just done (R34, R37)."""
    office = open_office(errands.app, _errands, ("errand", "item"))
    changes, first, second, expected = CROSSING[what]
    monkeypatch.setattr(errands.app.pages["errand"], "changes", changes)
    one, other = (Chain(f"d-{uuid.uuid4()}", "anna", errands.app) for _ in range(2))
    texts = [one.next(*first).to_text(), other.next(*second).to_text()]
    inbox = office.home.inbox
    receipts = at_once(
        office,
        monkeypatch,
        lambda: inbox.receive(texts[0], ANNA, one.device),
        lambda: inbox.receive(texts[1], ANNA, other.device),
    )

    assert Outcome.ACCEPTED is receipts[0].outcome
    assert expected == codes(receipts[1])
