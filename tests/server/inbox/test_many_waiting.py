"""Very many envelopes of a device that wait: the office's pages take no square of them."""

import time
import uuid
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from apps.sender import ANNA, Sender, edit
from fieldpost.errors import Code, problem
from fieldpost.odp.replay.result import Result
from fieldpost.wire.receipts import Outcome
from fieldpost_server.inbox.applier import receipt_of
from fieldpost_server.inbox.failed_envelopes import trouble_of
from fieldpost_server.inbox.ledger import keep_envelope, locked_device
from fieldpost_server.storage import tables

MOST_GROWTH = 2.5
MANY = 1_000


def waiting(office: Any, count: int) -> list[str]:
    """Let a new device have so many envelopes that wait for each other; return their ids."""
    sender, ids = Sender(office), list[str]()
    result = Result(Outcome.WAITING, (problem(Code.PREDECESSOR_MISSING),))

    def keep(session: Session) -> None:
        locked_device(session, sender.device, ANNA)
        for number in range(1, count + 1):
            after = (number - 1,) if number > 1 else ()
            made = sender.next(edit(number, 5, 50), id=str(uuid.uuid4()), after=after)
            ids.append(made.id)
            signed = office.home.inbox.signer.signed(receipt_of(made, result))
            keep_envelope(session, made, signed, is_new=True)

    office.home.inbox.signer.ready()
    office.write(keep)
    return ids


def seconds_of(office: Any, identity: str, count: int) -> float:
    """Return the processor's seconds for what one repair shows, the least of three."""
    found = []
    for _ in range(3):
        with office.database.read_session() as session:
            begun = time.process_time()
            trouble = trouble_of(session, office.home.app, ANNA, identity)
            found.append(time.process_time() - begun)
            assert count == len(trouble.envelopes)
    return min(found)


@pytest.mark.long
@pytest.mark.parametrize("asked", [0, -1], ids=["first", "last"])
def test_twice_as_many_waiting_cost_about_twice(office: Any, asked: int) -> None:
    """What a repair needs to know costs no square of what waits, wherever in it one asks."""
    few, many = (seconds_of(office, waiting(office, n)[asked], n) for n in (MANY, 2 * MANY))

    assert many <= MOST_GROWTH * few, (few, many)
    kept = office.rows(sa.select(sa.func.count()).select_from(tables.envelope))
    assert 3 * MANY == kept[0][0]
