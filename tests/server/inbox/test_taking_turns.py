"""Two connections at once: whoever waited for a lock decides by what is there then (R26, R38)."""

import hashlib
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Visit
from apps.sender import ANNA, NewVisit, Sender, count
from fieldpost.home import Submission, Upload
from fieldpost.users import SUPERVISOR, User
from fieldpost.wire.envelope import Envelope, Void
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


def _until_it_waits(office: Any) -> None:
    """Return when somebody waits for a lock; on SQLite only one writes, whoever comes first."""
    end = time.monotonic() + LIMIT_S
    while office.database.dialect == "postgresql" and office.rows(_WAITING) == [(0,)]:
        assert time.monotonic() < end, "nobody waits"


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

    is_settled, may_end = threading.Event(), threading.Event()
    signed, receipts = Signer.signed, dict[str, Receipt]()

    def slowly(signer: Signer, receipt: Receipt) -> Receipt:
        if threading.current_thread() is settling and receipt.is_applied:
            is_settled.set()
            assert may_end.wait(LIMIT_S)
        return signed(signer, receipt)

    def settle() -> None:
        receipts["settled"] = SETTLED[how](office, sender, made, repair)

    def send_again() -> None:
        receipts["again"] = sender.send(made)

    settling, sending = threading.Thread(target=settle), threading.Thread(target=send_again)
    monkeypatch.setattr(Signer, "signed", slowly)
    settling.start()
    assert is_settled.wait(LIMIT_S)
    sending.start()
    _until_it_waits(office)
    may_end.set()
    settling.join(LIMIT_S)
    sending.join(LIMIT_S)

    assert Outcome.ACCEPTED is receipts["settled"].outcome
    assert not receipts["again"].is_applied
    assert before == count(office, Visit, Visit.report.is_not(None))
