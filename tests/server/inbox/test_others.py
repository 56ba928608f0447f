"""Who changed what an envelope has met is said where the ledger knows it (R25, R38, R59)."""

import json
import tracemalloc
import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Visit
from apps.sender import ANNA, NewVisit, Sender, edit
from client_forms import FormReader
from fieldpost.users import SUPERVISOR
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import Outcome
from fieldpost_server.accounts.users import add_user
from fieldpost_server.storage import tables

PASSWORD = "correct horse"


@pytest.fixture
def sender(office: Any) -> Sender:
    """Anna's device."""
    return Sender(office)


@pytest.fixture
def desk(office: Any) -> Any:
    """The browser of Bea Boss, who may see and change everything."""
    roles = {"roles": [SUPERVISOR], "known_roles": office.home.app.roles, "seats": 100}
    office.write(
        lambda session: add_user(session, "bea", PASSWORD, display_name="Bea Boss", **roles)
    )
    return office.client("bea")


def saved_online(desk: Any, key: int, score: str) -> None:
    address = f"/pages/visit/records/{key}/edit"
    fields = FormReader(desk.get(address).text).fields
    assert 303 == desk.post(address, data={**fields, "score": score}).status_code


def test_a_conflict_names_whose_change_it_met(desk: Any, sender: Sender, visit: NewVisit) -> None:
    """The receipt, the entry and its repair say who; nobody reads "yours" of another's (R38)."""
    key = int(sender.send(sender.next(visit(score=50))).record[0])
    saved_online(desk, key, "70")
    refused = sender.send(sender.next(edit(key, 10, 50)))
    repair = desk.get(f"/repair/{refused.envelope}").text
    entry = desk.get(f"/envelopes/{refused.envelope}").text

    assert Outcome.CONFLICT is refused.outcome
    assert "Points of 100 was changed by Bea Boss meanwhile" in refused.problems[0].message
    assert "Bea Boss" == refused.problems[0].detail["who"]
    assert "Bea Boss changed this visit after anna had opened it." in repair
    assert "is not known" not in repair
    assert "yours" not in entry


def test_a_deletion_is_named_as_well(desk: Any, sender: Sender, visit: NewVisit) -> None:
    """Who deleted what somebody else works on is known, too (R40)."""
    key = int(sender.send(sender.next(visit(score=50))).record[0])
    gone = desk.post(f"/pages/visit/records/{key}/delete", data={})
    refused = sender.send(sender.next(edit(key, 10, 50)))

    assert 303 == gone.status_code
    assert "This record was deleted by Bea Boss meanwhile." == refused.problems[0].message
    assert "Bea Boss deleted this visit" in desk.get(f"/repair/{refused.envelope}").text


def test_what_no_envelope_did_has_no_name(
    office: Any, desk: Any, sender: Sender, visit: NewVisit
) -> None:
    """Another program may have written over what a person had saved: then nobody is named."""
    key = int(sender.send(sender.next(visit(score=50))).record[0])
    saved_online(desk, key, "70")
    statement = sa.update(Visit).where(Visit.id == key).values(score=80)
    office.write(lambda session: session.execute(statement))
    refused = sender.send(sender.next(edit(key, 10, 50)))

    assert "by somebody else meanwhile" in refused.problems[0].message
    assert "who" not in refused.problems[0].detail
    assert "is not known" in desk.get(f"/repair/{refused.envelope}").text


def test_the_list_of_entries_says_who_did_what_with_what(
    office: Any, desk: Any, sender: Sender, visit: NewVisit
) -> None:
    """Each line has the record's title, what was done and the person's name (R59)."""
    key = int(sender.send(sender.next(visit(score=50))).record[0])
    saved_online(desk, key, "70")
    change = sa.update(Visit).where(Visit.id == key).values(score=80)
    office.write(lambda session: session.execute(change))
    deletion = Operation("delete", "visit", (key,), {}, {"score": 70})
    assert Outcome.CONFLICT is sender.send(sender.next(deletion), ANNA).outcome
    text = desk.get("/envelopes?show=all").text

    title = desk.get(f"/envelopes/{sender_first(office)}").text.partition("<h1>")[2]
    for done in ("Added", "Changed", "Deleted"):
        assert f'<span class="row-done">{done}</span>' in text
    assert "Bea Boss (bea), saved" in text
    assert 3 == text.count(">Visits: ")
    assert title.startswith("Visits: ")


def sender_first(office: Any) -> str:
    from fieldpost_server.storage import tables

    rows = office.rows(sa.select(tables.envelope.c.id).order_by(tables.envelope.c.received_at))
    return str(rows[0][0])


def test_what_is_looked_through_for_a_name_is_bounded(
    office: Any, desk: Any, sender: Sender, visit: NewVisit
) -> None:
    """A page with many large envelopes takes no more memory for a conflict than a few (R22)."""
    made = sender.next(visit(score=50))
    key = int(sender.send(made).record[0])
    saved_online(desk, key, "70")
    _make_large(office, made.id, 60, 500_000)
    late = sender.next(edit(key, 10, 50))
    tracemalloc.start()
    refused = sender.send(late)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "was changed by Bea Boss meanwhile" in refused.problems[0].message
    assert 8_000_000 > peak


def _make_large(office: Any, identity: str, count: int, characters: int) -> None:
    """Add envelopes to the ledger that are as old as one of it, and hold much."""
    table = tables.envelope
    (row,) = office.rows(sa.select(table).where(table.c.id == identity))
    like = dict(zip(table.c.keys(), row, strict=True))
    content = json.loads(like["content"])
    content["operations"][0]["set"]["summary"] = "x" * characters
    like["content"] = json.dumps(content)
    for number in range(count):
        other = {"id": str(uuid.uuid4()), "device": f"d-{uuid.uuid4()}", "number": number + 1}
        office.run(sa.insert(table).values({**like, **other}))
