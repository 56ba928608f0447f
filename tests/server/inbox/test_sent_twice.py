"""A form is one envelope however often it arrives, also for people who work online (R26, R32)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Drug, Order, Patient, Visit
from apps.fakes import ADA
from apps.sender import NewVisit, Sender, count, edit
from client_forms import FormReader
from fieldpost.users import SUPERVISOR
from fieldpost_server.accounts.users import add_user
from fieldpost_server.storage import tables

SHELL = {"Accept": "text/html", "Fieldpost-Shell": "1"}
VISIT = {
    "patient": str(ADA),
    "visited_on": "2026-11-23",
    "kind": "first",
    "nurse": "anna",
    "orders[0]._key": "",
    "orders[0].group": "blood",
    "orders[0].doses[0].number": "1",
    "orders[0].doses[0].amount": "2",
}
PAGES = {"visit": VISIT, "patient": {"name": "Vera Neu", "carer": "anna"}}


def fields_of(client: Any, address: str) -> dict[str, str]:
    return FormReader(client.get(address, headers=SHELL).text).fields


def send(client: Any, address: str, fields: dict[str, str]) -> Any:
    return client.post(address, headers=SHELL, data=fields)


def envelopes(office: Any) -> int:
    return count(office, tables.envelope)


@pytest.mark.parametrize("page", PAGES)
def test_a_new_record_that_is_sent_twice_is_one(office: Any, page: str) -> None:
    """The second answer is the first one's: after a double tap, a lost answer, a step back."""
    client = office.client("anna")
    address = f"/pages/{page}/new"
    fields = {**fields_of(client, address), **PAGES[page]}
    before = count(office, Visit), count(office, Patient), count(office, Order)
    first, second = (send(client, address, fields) for _ in range(2))
    after = count(office, Visit), count(office, Patient), count(office, Order)

    assert 303 == first.status_code, first.text
    assert (303, first.headers["location"]) == (second.status_code, second.headers["location"])
    assert 1 == envelopes(office)
    assert 1 == after[0] + after[1] - before[0] - before[1]
    assert int(page == "visit") == after[2] - before[2]


def test_numbers_that_look_like_keys_are_none(office: Any) -> None:
    """A negative number that somebody types is no key that her new rows were given."""
    client = office.client("anna")
    fields = {**fields_of(client, "/pages/visit/new"), **VISIT, "orders[0].share": "-1"}
    before = count(office, Visit)
    answers = [send(client, "/pages/visit/new", fields) for _ in range(3)]
    other = send(client, "/pages/visit/new", {**fields, "orders[0].share": "-3"})

    assert [303] * 3 == [answer.status_code for answer in answers]
    assert 422 == other.status_code
    assert "This form was saved before" in other.text
    assert 1 == count(office, Visit) - before


def test_two_that_arrive_at_once_are_one(office: Any) -> None:
    """Requests of two threads or processes take turns, and both get the first receipt."""
    client = office.client("anna")
    fields = {**fields_of(client, "/pages/visit/new"), **VISIT}
    others = [office.client("anna") for _ in range(4)]
    before = count(office, Visit)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda each: send(each, "/pages/visit/new", fields), others))

    assert 1 == count(office, Visit) - before
    assert 1 == len({answer.headers["location"] for answer in answers})


def test_a_new_record_that_is_sent_again_with_other_content(office: Any) -> None:
    """No second record is made, nothing typed is lost, and a link leads to what was saved."""
    client = office.client("anna")
    fields = {**fields_of(client, "/pages/visit/new"), **VISIT}
    first = send(client, "/pages/visit/new", fields)
    before = count(office, Visit)
    answer = send(client, "/pages/visit/new", {**fields, "summary": "typed after that"})

    assert 422 == answer.status_code
    assert "This form was saved before" in answer.text
    assert f'href="{first.headers["location"].partition("?")[0]}"' in answer.text
    assert "typed after that" in answer.text
    assert before == count(office, Visit)


def test_an_edit_that_is_sent_twice_is_one(office: Any) -> None:
    """The same edit again is answered; another one on the same page is saved."""
    client = office.client("anna")
    fields = fields_of(client, "/pages/visit/records/1/edit")
    answers = [
        send(client, "/pages/visit/records/1/edit", {**fields, "summary": words})
        for words in ("one", "one", "two")
    ]

    # the third was opened on what was there before the first: it says so, and is no second save
    assert [303, 303, 422] == [answer.status_code for answer in answers]
    assert 1 == envelopes(office)
    another = send(client, "/pages/visit/records/1/edit", {**fields, "score": "15"})
    assert 303 == another.status_code
    assert 2 == envelopes(office)


def test_a_deletion_that_is_sent_twice_is_one(office: Any) -> None:
    """The second answer is the first one's, not that there is no such record."""
    client = office.client("anna")
    fields = fields_of(client, "/pages/visit/records/1/delete")
    answers = [send(client, "/pages/visit/records/1/delete", fields) for _ in range(2)]

    assert ["/pages/visit?done=deleted"] * 2 == [a.headers["location"] for a in answers]
    assert 1 == envelopes(office)
    assert 404 == send(client, "/pages/visit/records/1/delete", {}).status_code


def test_the_id_of_somebody_else_is_no_answer(office: Any) -> None:
    """Who sends another's id gets a record of her own, and learns nothing of the other."""
    anna, dora = office.client("anna"), office.client("dora")
    fields = {**fields_of(dora, "/pages/drugs/new"), "name": "Zinc"}
    send(dora, "/pages/drugs/new", fields)
    stolen = {**fields_of(anna, "/pages/visit/new"), **VISIT, "_envelope": fields["_envelope"]}
    answer = send(anna, "/pages/visit/new", stolen)

    assert 303 == answer.status_code
    assert "/pages/visit/records/" in answer.headers["location"]
    assert 1 == count(office, Drug, Drug.name == "Zinc")


@pytest.mark.parametrize("odd", ["", "x", "é" * 36, "../../etc", "0" * 36])
def test_an_id_that_is_none_is_replaced(office: Any, odd: str) -> None:
    """A form with anything in place of its id is saved all the same (R66)."""
    client = office.client("anna")
    answer = send(client, "/pages/visit/new", {**VISIT, "_envelope": odd})

    assert 303 == answer.status_code, answer.text


def test_a_form_that_is_shown_again_keeps_its_id(office: Any) -> None:
    """With problems, with a row added, searched in: it stays the same form."""
    client = office.client("anna")
    fields = fields_of(client, "/pages/visit/new")
    for more in ({}, {"_action": "add:orders"}, {"_action": "show"}):
        shown = FormReader(send(client, "/pages/visit/new", {**fields, **more}).text).fields
        assert fields["_envelope"] == shown["_envelope"]


@pytest.fixture
def desk(office: Any) -> Any:
    """The browser of a supervisor."""
    roles = {"roles": [SUPERVISOR], "known_roles": office.home.app.roles, "seats": 100}
    office.write(lambda session: add_user(session, "boss", "correct horse", **roles))
    return office.client("boss", "correct horse")


def a_conflict(office: Any, visit: NewVisit) -> tuple[int, str]:
    sender = Sender(office)
    key = int(sender.send(sender.next(visit(score=50))).record[0])
    change = sa.update(Visit).where(Visit.id == key).values(score=70)
    office.write(lambda session: session.execute(change))
    refused = sender.next(edit(key, 10, 50))
    sender.send(refused)
    return key, refused.id


def test_a_repair_that_is_sent_twice_is_one(office: Any, desk: Any, visit: NewVisit) -> None:
    """The second answer leads to the record, too (R38)."""
    key, refused = a_conflict(office, visit)
    fields = {**fields_of(desk, f"/repair/{refused}"), "score": "15"}
    before = envelopes(office)
    answers = [send(desk, f"/repair/{refused}", fields) for _ in range(2)]

    assert [f"/pages/visit/records/{key}?done=repaired"] * 2 == [
        answer.headers["location"] for answer in answers
    ]
    assert 1 == envelopes(office) - before


def test_a_discard_that_is_sent_twice_is_one(office: Any, desk: Any, visit: NewVisit) -> None:
    """The second answer says that it is discarded, too (R39)."""
    _, refused = a_conflict(office, visit)
    before = envelopes(office)
    answers = [send(desk, f"/repair/{refused}/discard", {}) for _ in range(2)]

    assert ["/envelopes?done=discarded"] * 2 == [a.headers["location"] for a in answers]
    assert 1 == envelopes(office) - before
