"""Supervisors see, repair and discard what devices sent, on both databases (R38, R39, R59)."""

import re
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Order, Patient, Visit
from apps.fakes import ADA
from apps.sender import ANNA, NewVisit, Sender, codes, count, edit
from client_forms import FormReader
from fieldpost.users import SUPERVISOR
from fieldpost.wire.envelope import Envelope, Operation
from fieldpost.wire.receipts import Outcome
from fieldpost_server.accounts.users import add_user
from fieldpost_server.office.supervision import Wanted, listed

PASSWORD = "correct horse"


@pytest.fixture
def sender(office: Any) -> Sender:
    """Anna's device."""
    return Sender(office)


@pytest.fixture
def desk(office: Any) -> Any:
    """The browser of a supervisor."""
    roles = {"roles": [SUPERVISOR], "known_roles": office.home.app.roles, "seats": 100}
    office.write(lambda session: add_user(session, "boss", PASSWORD, **roles))
    return office.client("boss")


def change(office: Any, cls: Any, key: Any, **values: Any) -> None:
    statement = sa.update(cls).where(cls.id == key).values(**values)
    office.write(lambda session: session.execute(statement))


def a_conflict(office: Any, sender: Sender, visit: NewVisit) -> tuple[int, Envelope]:
    """Return a visit that others gave 70, and Anna's envelope that wants 10 and could not."""
    key = int(sender.send(sender.next(visit(score=50))).record[0])
    change(office, Visit, key, score=70)
    refused = sender.next(edit(key, 10, 50))
    assert Outcome.CONFLICT is sender.send(refused).outcome
    return key, refused


def post(client: Any, address: str, fields: dict[str, str]) -> Any:
    return client.post(address, data=fields)


def test_a_supervisor_finds_what_needs_attention(
    office: Any, desk: Any, sender: Sender, visit: NewVisit
) -> None:
    """The list shows who, when and what came of it, and the way to repair it (R59)."""
    _, refused = a_conflict(office, sender, visit)
    text = desk.get("/envelopes").text

    assert [refused.id] == re.findall(r'href="/envelopes/([^"?]+)"', text)
    for words in ("Conflict", "anna", refused.device, f"/repair/{refused.id}"):
        assert words in text
    assert 2 == len(re.findall(r'<li class="entry"', desk.get("/envelopes?show=all").text))
    assert 'href="/envelopes"' in desk.get("/").text


@pytest.mark.parametrize(
    ("search", "found"),
    [("anna", 2), ("ÄNNA visit", 2), ("visits", 2), ("bert", 0), ("%", 0), ("d-", 2), ("'\0", 0)],
)
def test_envelopes_are_searched(
    office: Any, desk: Any, sender: Sender, visit: NewVisit, search: str, found: int
) -> None:
    """User, device, id and page are found in any case, every word of them (R59, R66)."""
    a_conflict(office, sender, visit)
    answer = desk.get("/envelopes", params={"show": "all", "q": search})

    assert 200 == answer.status_code
    assert found == len(re.findall(r'<li class="entry"', answer.text))


def test_the_list_comes_in_pages(office: Any, sender: Sender, visit: NewVisit) -> None:
    """Each page begins after the last line of the one before, whatever arrives meanwhile (R59)."""
    for number in range(5):
        sender.send(sender.next(visit(-1 - number)))
    with office.database.read_session() as session:
        every = [row.id for row in listed(session, office.home.app, Wanted("all"), 10)]
        pages, last = [], None
        for _ in range(3):
            rows = listed(session, office.home.app, Wanted("all", before=last), 2)
            pages += [row.id for row in rows]
            last = (rows[-1].received_at, rows[-1].id)

    assert 5 == len(every)
    assert every == pages


@pytest.mark.parametrize("before", ["x", "2026-11-23T08:00:00", "2026-11-23T08:00:00+00:00", " "])
def test_a_forged_place_shows_the_first_page(desk: Any, before: str) -> None:
    """What is no place in the list is none (R66)."""
    assert 200 == desk.get("/envelopes", params={"before": before}).status_code


@pytest.mark.parametrize("user", ["anna", "dora"])
def test_others_have_no_such_pages(office: Any, sender: Sender, visit: NewVisit, user: str) -> None:
    """Envelopes of all devices are for supervisors; nobody repairs the work of others (R34)."""
    _, refused = a_conflict(office, sender, visit)
    bert = office.client("bert")
    client = office.client(user)

    for address in ("/envelopes", f"/envelopes/{refused.id}"):
        assert 403 == client.get(address).status_code
    for address in (f"/repair/{refused.id}", f"/repair/{refused.id}/discard"):
        assert 404 == bert.get(address).status_code
        assert 404 == post(bert, address, {"score": "1"}).status_code
    assert 404 == bert.get(f"/entries/{refused.id}").status_code


def test_a_supervisor_repairs_and_the_trail_tells(
    office: Any, desk: Any, sender: Sender, visit: NewVisit
) -> None:
    """The same form, saved, takes the place of the refused one; what waited follows (R38, R59)."""
    key, refused = a_conflict(office, sender, visit)
    behind = sender.next(edit(key, 20, 10), after=(refused.number,))
    sender.send(behind)
    fields = FormReader(desk.get(f"/repair/{refused.id}").text).fields
    # both of Anna's entries are repaired at once
    assert "20" == fields["score"]
    done = post(desk, f"/repair/{refused.id}", {**fields, "score": "15"})
    shown = desk.get(f"/envelopes/{refused.id}").text
    again = sender.send(refused)

    assert f"/pages/visit/records/{key}?done=repaired" == done.headers["location"]
    assert [(15,)] == office.rows(sa.select(Visit.score).where(Visit.id == key))
    assert again.settled is not None
    assert ("superseded", "boss") == (again.settled.how, again.settled.user)
    assert "Repaired by boss" in shown
    assert f"/envelopes/{again.settled.by}" in shown
    assert f"/envelopes/{refused.id}" in desk.get(f"/envelopes/{again.settled.by}").text
    assert "Nothing needs attention" in desk.get("/envelopes").text
    assert 404 == desk.get(f"/repair/{refused.id}").status_code


def test_rows_that_a_supervisor_repairs_are_those_of_the_device(
    office: Any, desk: Any, sender: Sender, visit: NewVisit
) -> None:
    """What the device saved on top of a refused record finds it after the repair (R31, R38)."""
    wrong = sender.next(visit(-1, score=7))
    sender.send(wrong)
    order = Operation("insert", "order", (-2,), {"group": "b", "visit_id": -1}, at="orders[0]")
    behind = sender.next(order, after=(wrong.number,))
    sender.send(behind)
    fields = FormReader(desk.get(f"/repair/{wrong.id}").text).fields
    done = post(desk, f"/repair/{wrong.id}", {**fields, "score": "10"})

    assert 303 == done.status_code, done.text
    assert "[-1]" == fields["_new"]
    assert 1 == count(office, Order, Order.group == "b")
    assert sender.send(behind).settled is not None or sender.send(behind).is_applied


def test_keys_that_became_real_are_those_of_the_form(
    office: Any, desk: Any, sender: Sender, visit: NewVisit
) -> None:
    """An envelope that names a temporary key is repaired on the record that it became (R31)."""
    key = int(sender.send(sender.next(visit(-1, score=50))).record[0])
    change(office, Visit, key, score=70)
    refused = sender.next(edit(-1, 10, 50))
    sender.send(refused)
    fields = FormReader(desk.get(f"/repair/{refused.id}").text).fields
    done = post(desk, f"/repair/{refused.id}", fields)

    assert f"/pages/visit/records/{key}?done=repaired" == done.headers["location"]
    assert [(10,)] == office.rows(sa.select(Visit.score).where(Visit.id == key))


def test_a_supervisor_discards(office: Any, desk: Any, sender: Sender, visit: NewVisit) -> None:
    """After the warning the envelope is settled, and its worker is told by whom (R39, R59)."""
    key, refused = a_conflict(office, sender, visit)
    asked = desk.get(f"/repair/{refused.id}/discard")
    done = post(desk, f"/repair/{refused.id}/discard", {})
    again = sender.send(refused)

    assert "Discard for good" in asked.text
    assert "/envelopes?done=discarded" == done.headers["location"]
    assert again.settled is not None
    assert ("discarded", "boss") == (again.settled.how, again.settled.user)
    assert "Discarded by boss" in desk.get(f"/envelopes/{refused.id}").text
    assert [(70,)] == office.rows(sa.select(Visit.score).where(Visit.id == key))


def test_an_entry_shows_what_it_holds(
    office: Any, desk: Any, sender: Sender, visit: NewVisit
) -> None:
    """Fields with old and new values, in words, and what the server said (R25, R59)."""
    _, refused = a_conflict(office, sender, visit)
    text = desk.get(f"/envelopes/{refused.id}").text
    words = " ".join(re.sub(r"<[^>]*>", " ", text).split())

    assert "Points of 100 50 → is now 10" in words
    assert "Arrived at the office: conflict" in words
    assert "it is now &#39;70&#39;" in words
    assert 404 == desk.get("/envelopes/nobody").status_code


def test_a_worker_repairs_at_the_office_what_is_hers(
    office: Any, sender: Sender, visit: NewVisit
) -> None:
    """Signed in online, she has the same form for her own entries (R38)."""
    key, refused = a_conflict(office, sender, visit)
    anna = office.client("anna")
    shell = {"Fieldpost-Shell": "1"}
    fields = FormReader(anna.get(f"/repair/{refused.id}", headers=shell).text).fields
    done = anna.post(f"/repair/{refused.id}", data={**fields, "score": "70"}, headers=shell)

    assert f"/pages/visit/records/{key}?done=kept" == done.headers["location"]
    assert [] == codes(sender.send(sender.next(edit(key, 80, 70))))


def test_a_repair_that_breaks_a_rule_settles_nothing(
    office: Any, desk: Any, sender: Sender
) -> None:
    """The form comes back with the words, and the envelope still needs somebody (R39)."""
    change(office, Patient, ADA, carer="boss")
    wrong = sender.next(
        Operation(
            "insert",
            "visit",
            (-1,),
            {"patient_id": str(ADA), "visited_on": "2026-11-23", "kind": "first", "urgent": True},
        )
    )
    sender.send(wrong, ANNA)
    fields = FormReader(desk.get(f"/repair/{wrong.id}").text).fields
    again = post(desk, f"/repair/{wrong.id}", fields)

    assert 422 == again.status_code
    assert "Say why it is urgent." in again.text
    assert wrong.id in desk.get("/envelopes").text
