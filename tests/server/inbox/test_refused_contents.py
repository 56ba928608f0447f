"""What refused envelopes keep is bounded, and the chain still proves (R25, R32, R66)."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost.wire.envelope import Envelope, Operation, Void
from fieldpost_server.inbox.chain_audit import check_chain
from fieldpost_server.inbox.refused_contents import Bounds, let_go
from fieldpost_server.storage import tables

Visit = Callable[..., Operation]


def bound(office: Any, number: int = 0, size: int = 0) -> None:
    office.home.inbox.bounds = Bounds(number, size)


def refused(device: Any, visit: Visit, key: int) -> Envelope:
    made: Envelope = device.envelope(visit(-key, score=400))
    return made


def discard(device: Any, envelope: Envelope, previous: str) -> Any:
    voids = Void(envelope.id, envelope.digest)
    made = device.envelope(previous=previous, voids=voids, number=envelope.number)
    return device.push(made)[0]


def contents(office: Any) -> list[str]:
    table = tables.envelope
    query = sa.select(table.c.content).where(sa.not_(table.c.void)).order_by(table.c.number)
    return [content for (content,) in office.rows(query)]


def faults(office: Any, device: Any) -> list[str]:
    with office.database.read_session() as session:
        return check_chain(session, device.id).faults


@pytest.mark.passes("settled-envelope-untouched")
@pytest.mark.parametrize("bounded", ["number", "size"])
def test_only_so_much_is_kept_of_what_cannot_be_applied(
    office: Any, visit: Visit, bounded: str
) -> None:
    """One more waits on its device, in words; whatever can be applied is applied."""
    anna = office.device("anna", download=False)
    made = [refused(anna, visit, key) for key in (1, 2, 3)]
    good = anna.envelope(visit(-4))
    size = len(made[1].to_text())
    bound(office, **({"number": 2} if bounded == "number" else {"size": 2 * size + 50}))
    told = anna.push(*made, good)
    again = anna.push(made[0], made[2])

    assert ["invalid", "invalid", "retry"] == [each["outcome"] for each in told[:3]]
    assert "refused_full" == told[2]["problems"][0]["code"]
    assert "waits on your device" in told[2]["problems"][0]["message"]
    assert "accepted" == told[3]["outcome"]
    # what was kept before is answered as before
    assert ["invalid", "retry"] == [each["outcome"] for each in again]
    assert "accepted" == discard(anna, made[0], "")["outcome"]
    assert "invalid" == anna.push(made[2])[0]["outcome"]
    assert [] == faults(office, anna)


def test_nobody_suffers_from_what_others_keep(office: Any, visit: Visit) -> None:
    """The bound is of each user."""
    bound(office, number=1)
    outcomes = []
    for user, patient in (("anna", {}), ("bert", {"nurse": "bert"})):
        device = office.device(user, download=False)
        outcomes.append(device.push(device.envelope(visit(-1, score=400, **patient)))[0]["outcome"])

    assert ["invalid", "invalid"] == outcomes


@pytest.mark.passes("contents-let-go")
def test_discarded_contents_go_the_oldest_first(office: Any, visit: Visit) -> None:
    """Receipt and digest stay, so the chain proves; what somebody may still repair stays whole."""
    anna = office.device("anna", download=False)
    made = [refused(anna, visit, key) for key in (1, 2, 3, 4)]
    anna.push(*made)
    before = ["", *(each.digest for each in made)]
    for number in (0, 1, 2):
        assert "accepted" == discard(anna, made[number], before[number])["outcome"]
    bound(office, number=2)
    count = office.write(lambda session: let_go(session, office.home.inbox.bounds))
    kept = contents(office)
    again = office.write(lambda session: let_go(session, office.home.inbox.bounds))
    pages = [office.client("anna").get(f"/entries/{each.id}") for each in (made[0], made[3])]

    assert (2, 0) == (count, again)
    assert ["", "", made[2].to_text(), made[3].to_text()] == kept
    assert [] == faults(office, anna)
    assert [200, 200] == [page.status_code for page in pages]
    assert "is not kept any more" in pages[0].text
    assert "is not kept any more" not in pages[1].text
    # it is answered as it was, and settles nothing anew
    (told,) = anna.push(made[0])
    assert ("invalid", made[0].digest) == (told["outcome"], told["digest"])
    assert "discarded" == told["settled"]["how"]
    assert 200 == office.client("admin").get("/envelopes").status_code
    bound(office, number=1)
    office.write(lambda session: let_go(session, office.home.inbox.bounds))
    assert ["", "", "", made[3].to_text()] == contents(office)


def test_a_content_that_was_taken_out_is_noticed(office: Any, visit: Visit) -> None:
    """Only of what was discarded a content may be missing."""
    anna = office.device("anna", download=False)
    anna.push(anna.envelope(visit(-1)), refused(anna, visit, 2))
    office.run(sa.update(tables.envelope).values(content=""))

    found = faults(office, anna)
    assert ["1: its content", "2: its content"] == [words[:14] for words in found]
