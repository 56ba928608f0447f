"""Second factors are set up, named, removed and reset (R52, R65)."""

import re
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa

from apps.offices import office_like
from apps.soft_passkey import SoftPasskey
from fieldpost_server.storage import tables

BASE = "/account/factors"
DOOR = "/sign-in/factors"


def ids_in(page: Any) -> list[str]:
    text = page.text.split('id="factors-head"')[1]
    return re.findall(
        r'factors/remove"><input type="hidden" name="id" value="([0-9a-f]{32})"', text
    )


def test_everybody_adds_names_and_removes_her_own(office: Any, people: Any, events: Any) -> None:
    """With the last one her recovery codes end, and the password alone lets in again (R65)."""
    client = office.client("dora")
    people.add_app(client, name="My phone")
    people.add_passkey(client, SoftPasskey())
    page = client.get("/account")

    assert ["My phone" in page.text, "10 recovery codes left" in page.text] == [True, True]
    assert 2 == len(ids_in(page))
    for identity in ids_in(page):
        answer = client.post(f"{BASE}/remove", data={"id": identity})
        assert "/account?done=deleted" == answer.headers["location"]
    assert "left" not in client.get("/account").text.split("factors-head")[1].split("</section>")[0]
    assert "/" == people.sign_in(office.client(), "dora").headers["location"]
    assert ("second factor removed", "dora", "passkey: Key") in events("dora")


def test_nobody_removes_what_is_anothers(office: Any, people: Any) -> None:
    """An id of somebody else's factor is none (R65)."""
    dora, bert = office.client("dora"), office.client("bert")
    people.add_app(dora)
    (identity,) = ids_in(dora.get("/account"))
    bert.post(f"{BASE}/remove", data={"id": identity})

    assert [identity] == ids_in(dora.get("/account"))


def test_an_app_counts_only_with_a_right_code(office: Any, people: Any) -> None:
    """Until then the password alone lets in, and the same code is shown for another try (R65)."""
    client = office.client("dora")
    page = client.post(f"{BASE}/authenticator")
    again = people.confirm_app(client, page, "000000")

    assert (422, people.secret_in(page)) == (again.status_code, people.secret_in(again))
    assert "/" == people.sign_in(office.client(), "dora").headers["location"]


def test_a_secret_is_never_shown_again(office: Any, people: Any) -> None:
    """Once it counts, and once it has run out, its id shows nothing (R65)."""
    client = office.client("dora")
    page = client.post(f"{BASE}/authenticator")
    secret = people.secret_in(page)
    phone, _ = people.add_app(client)
    shown = [people.confirm_app(client, page, "000000"), client.get("/account")]
    late = client.post(f"{BASE}/authenticator")
    people.clock(1801)
    shown.append(people.confirm_app(client, late, "000000"))

    for answer in shown:
        text = answer.text.replace(" ", "")
        assert not any(each in text for each in (secret, phone.secret, people.secret_in(late)))


@pytest.mark.passes("authenticator-begun")
def test_one_cannot_finish_what_another_has_begun(office: Any, people: Any) -> None:
    """The id of somebody else's beginning is none (R65)."""
    dora, bert = office.client("dora"), office.client("bert")
    page = dora.post(f"{BASE}/authenticator")
    code = pyotp.TOTP(people.secret_in(page)).at(tables.utc_now())
    answer = people.confirm_app(bert, page, code)

    assert (422, False) == (answer.status_code, people.secret_in(page) in answer.text)


def test_there_is_no_end_of_them(office: Any, people: Any) -> None:
    """Three apps and ten passkeys are the most (R66)."""
    client = office.client("dora")
    for _ in range(3):
        people.add_app(client)
    for _ in range(10):
        assert people.add_passkey(client, SoftPasskey()).status_code in (200, 303)

    assert 409 == client.post(f"{BASE}/authenticator").status_code
    assert 409 == client.post(f"{BASE}/passkey/options").status_code


@pytest.mark.passes("codes-unseen")
def test_new_recovery_codes_take_the_place_of_the_old(office: Any, people: Any) -> None:
    """What was on the lost sheet lets nobody in (R65)."""
    client = office.client("dora")
    _, first = people.add_app(client)
    second = client.post(f"{BASE}/codes")
    other = office.client()
    people.sign_in(other, "dora")

    assert 422 == people.show_code(other, people.recovery_codes(first)[0]).status_code
    assert 303 == people.show_code(other, people.recovery_codes(second)[0]).status_code
    assert 404 == office.client("bert").post(f"{BASE}/codes").status_code


def test_an_administrator_resets_them(office: Any, people: Any, events: Any) -> None:
    """On the page of the person and by command; who has lost all signs in again (R52, R65)."""
    dora, admin = office.client("dora"), office.client("admin")
    people.add_app(dora, name="Lost phone")
    assert "Lost phone" in admin.get("/people?user=dora").text
    assert 403 == dora.post("/people/factors", data={"user": "dora"}).status_code
    answer = admin.post("/people/factors", data={"user": "dora"})

    assert "/people?user=dora&done=saved" == answer.headers["location"]
    assert "/" == people.sign_in(office.client(), "dora").headers["location"]
    assert ("second factors reset", "admin", "1") in events("dora")


@pytest.mark.passes("account-half-given-back")
def test_an_account_that_was_taken_over_is_given_back(
    office: Any, people: Any, events: Any
) -> None:
    """One form ends every way in, and shows the one that is left, once (R46, R65)."""
    dora, admin = office.client("dora"), office.client("admin")
    people.add_app(dora)
    assert 403 == dora.post("/people/give-back", data={"user": "dora"}).status_code
    page = admin.post("/people/give-back", data={"user": "dora"})
    code = page.text.split("/invitation?code=")[1].split('"')[0]

    assert not people.is_in(dora)
    assert 422 == people.sign_in(office.client(), "dora").status_code
    client = office.client()
    client.post("/invitation", data={"code": code, "password": "four words of mine"})
    assert people.is_in(client)
    for table in (tables.authenticator, tables.passkey, tables.recovery_code, tables.identity):
        assert [] == office.rows(sa.select(table.c.user).where(table.c.user == "dora"))
    assert ("account given back", "admin", "") in events("dora")
    assert 404 == admin.post("/people/give-back", data={"user": "nobody"}).status_code


@pytest.fixture
def strict(office: Any) -> Any:
    """A server that demands a second factor of administrators and doctors."""
    with office_like(office, second_factor_roles="Admin, Doctor") as served:
        yield served


def test_a_role_may_need_one(strict: Any, people: Any) -> None:
    """Who has none sets one up at her next sign-in, and is in with it (R65)."""
    client = strict.client()
    people.sign_in(client, "dora")
    page = client.get("/sign-in/second").text

    assert ("Your role needs more than a password" in page, people.is_in(client)) == (True, False)
    phone, answer = people.add_app(client, DOOR)
    assert 10 == len(people.recovery_codes(answer))
    assert people.is_in(client)
    other = strict.client()
    people.sign_in(other, "dora")
    assert 303 == people.show_code(other, phone.code()).status_code
    assert "/" == people.sign_in(strict.client(), "bert").headers["location"]


def test_a_passkey_does_as_well(strict: Any, people: Any) -> None:
    """It is made at the door, and lets in the next time (R65)."""
    client, key = strict.client(), SoftPasskey()
    people.sign_in(client, "dora")

    assert 200 == people.add_passkey(client, key, DOOR).status_code
    assert people.is_in(client)
    other = strict.client()
    people.sign_in(other, "dora")
    assert 303 == people.use_passkey(other, key).status_code


def test_the_dialog_of_a_device_says_where_to_set_it_up(strict: Any) -> None:
    """It has no place for that, and names the page that has (R65)."""
    shell = {"Fieldpost-Shell": "1"}
    data = {"name": "dora", "password": "correct horse"}
    answer = strict.client().post("/sign-in", data=data, headers=shell)

    assert (422, True) == (answer.status_code, "http://office/sign-in" in answer.text)


@pytest.mark.passes("factor-there", "factors-locked")
def test_the_last_one_stays_where_the_role_needs_it(strict: Any, people: Any) -> None:
    """It is removed when there is another one (R65)."""
    client = strict.client()
    people.sign_in(client, "dora")
    people.add_app(client, DOOR)
    (identity,) = ids_in(client.get("/account"))

    assert 409 == client.post(f"{BASE}/remove", data={"id": identity}).status_code
    people.add_passkey(client, SoftPasskey())
    assert 303 == client.post(f"{BASE}/remove", data={"id": identity}).status_code


@pytest.mark.parametrize(
    "way", ["authenticator", "authenticator/code", "passkey", "passkey/options", "passkey/made"]
)
def test_a_password_adds_nothing_where_there_is_a_factor(
    strict: Any, people: Any, way: str
) -> None:
    """Who has only the password of somebody sets up no way in of her own (R65)."""
    first, thief = strict.client(), strict.client()
    people.sign_in(first, "dora")
    people.sign_in(thief, "dora")
    begun = thief.post(f"{DOOR}/authenticator")
    people.add_app(first, DOOR)

    for client in (thief, strict.client()):
        if client is not thief:
            people.sign_in(client, "dora")
        answer = client.post(f"{DOOR}/{way}", data={"id": "x", "code": "1", "credential": "{}"})
        assert (answer.status_code, answer.headers.get("location")) in (
            (303, "/sign-in"),
            (422, None),
        )
        assert not people.is_in(client)
    assert begun.status_code == 200
    assert 1 == len(ids_in(first.get("/account")))


@pytest.mark.passes("passkey-unmade")
def test_without_a_half_sign_in_nothing_is_set_up(strict: Any) -> None:
    """A stranger is led to the sign-in (R65)."""
    stranger = strict.client()

    assert "/sign-in" == stranger.post(f"{DOOR}/authenticator").headers["location"]
    assert 422 == stranger.post(f"{DOOR}/passkey/options").status_code
