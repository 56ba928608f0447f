"""Passkeys: made and asked for at the configured address only, each challenge once (R65, R66)."""

import json
from typing import Any

import pytest
import sqlalchemy as sa

from apps.offices import office_like
from apps.soft_passkey import SoftPasskey
from fieldpost_server.storage import tables

PUBLIC = "https://field.example.com"


@pytest.fixture
def key(office: Any, people: Any) -> SoftPasskey:
    """The passkey of dora."""
    made = SoftPasskey()
    answer = people.add_passkey(office.client("dora"), made)
    assert answer.status_code == 200, answer.text
    return made


def asked(office: Any, people: Any, name: str = "dora") -> Any:
    """Return a browser that has shown the password of somebody."""
    client = office.client()
    people.sign_in(client, name)
    return client


def test_a_passkey_lets_in(office: Any, people: Any, key: SoftPasskey) -> None:
    """After the password, and its account page says when (R65)."""
    client = asked(office, people)

    assert 'data-passkey="get"' in client.get("/sign-in/second").text
    assert 303 == people.use_passkey(client, key).status_code
    assert people.is_in(client)
    assert "Passkey for localhost" in client.get("/account").text


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:8001"},
        {"type": "webauthn.create"},
        {"challenge": "AAAA"},
    ],
    ids=str,
)
def test_what_another_site_asked_for_lets_nobody_in(
    office: Any, people: Any, key: SoftPasskey, wrong: dict[str, str]
) -> None:
    """Another address, act or challenge than ours is refused (R65, R66)."""
    client = asked(office, people)

    assert 422 == people.use_passkey(client, key, **wrong).status_code
    assert not people.is_in(client)


def test_another_site_another_key_and_another_person(
    office: Any, people: Any, key: SoftPasskey
) -> None:
    """Neither a foreign host's answer, nor a key that is not hers lets anybody in (R65)."""
    other = SoftPasskey()
    people.add_passkey(office.client("bert"), other)
    forged = SoftPasskey(id=key.id)
    foreign = SoftPasskey(id=key.id, key=key.key, site="evil.example")

    for wrong in (other, forged, foreign, SoftPasskey()):
        client = asked(office, people)
        assert 422 == people.use_passkey(client, wrong).status_code
        assert not people.is_in(client)


def test_an_answer_is_good_once(office: Any, people: Any, key: SoftPasskey) -> None:
    """Its challenge is over, whether it was right or wrong, and is bound to its sign-in (R65)."""
    client = asked(office, people)
    options = client.post("/sign-in/second/options").json()
    answer = {"credential": key.sign(options)}
    client.post("/sign-in/second/passkey", data={"credential": "{}"})
    assert 422 == client.post("/sign-in/second/passkey", data=answer).status_code

    mine, other = asked(office, people), asked(office, people)
    options = mine.post("/sign-in/second/options").json()
    other.post("/sign-in/second/options")
    answer = {"credential": key.sign(options)}
    assert 422 == other.post("/sign-in/second/passkey", data=answer).status_code
    assert 303 == mine.post("/sign-in/second/passkey", data=answer).status_code


@pytest.mark.passes("challenge-taken", "passkey-unasked", "passkey-unjudged")
def test_a_challenge_runs_out(office: Any, people: Any, key: SoftPasskey) -> None:
    """What was asked for is answered soon, or not at all (R65)."""
    client = asked(office, people)
    options = client.post("/sign-in/second/options").json()
    people.clock(301)
    answer = client.post("/sign-in/second/passkey", data={"credential": key.sign(options)})

    assert 422 == answer.status_code


def test_a_copy_that_counts_by_itself_is_refused(office: Any, people: Any) -> None:
    """A key that was copied has signed less often than the one that is known (R65)."""
    key = SoftPasskey(count=5)
    people.add_passkey(office.client("dora"), key)
    copy = SoftPasskey(id=key.id, key=key.key, count=5)

    assert 303 == people.use_passkey(asked(office, people), key).status_code
    assert 422 == people.use_passkey(asked(office, people), copy).status_code


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(
    "answer",
    ["", "{}", "[]", "null", "x", "[" * 500, '{"rawId": 1}', "9" * 30_000, '{"rawId": "\\u0000"}'],
    ids=lambda text: text[:12],
)
def test_garbage_lets_nobody_in(office: Any, people: Any, answer: str) -> None:
    """What no browser says is answered in words (R66)."""
    client = asked(office, people)
    client.post("/sign-in/second/options")
    mine = office.client("bert")
    mine.post("/account/factors/passkey/options")

    sent = {"credential": answer}
    assert 422 == client.post("/sign-in/second/passkey", data=sent).status_code
    assert 422 == mine.post("/account/factors/passkey/made", data=sent).status_code
    assert [("dora",)] == office.rows(sa.select(tables.passkey.c.user))


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature"])
def test_every_part_that_was_changed_is_refused(
    office: Any, people: Any, key: SoftPasskey, part: str
) -> None:
    """The signature is over all of it (R65, R66)."""
    client = asked(office, people)
    for change in ((0, -6), (0, 0), (4, None)):
        options = client.post("/sign-in/second/options").json()
        answer = json.loads(key.sign(options))
        answer["response"][part] = answer["response"][part][slice(*change)]
        sent = {"credential": json.dumps(answer)}
        assert 422 == client.post("/sign-in/second/passkey", data=sent).status_code


def test_the_site_comes_from_the_settings_and_never_from_the_request(office: Any) -> None:
    """Whatever Host a request names, a passkey is for the public address (R65)."""
    with office_like(office, origin=PUBLIC) as public:
        options = public.client("dora").post("/account/factors/passkey/options").json()
    assert "field.example.com" == options["rp"]["id"]
    plain = office.client("dora")
    named = plain.post("/account/factors/passkey/options", headers={"Host": "evil.example"}).json()

    assert "localhost" == named["rp"]["id"]
    assert "dora" not in options["user"]["id"]


@pytest.mark.parametrize(
    "origin", ["http://field.example.com", "https://192.0.2.7", "https://[::1]"]
)
def test_where_browsers_take_none_it_is_said(office: Any, origin: str) -> None:
    """Without https, or at a bare number, passkeys are not offered, and the page says why (R65)."""
    with office_like(office, origin=origin) as served:
        client = served.client("dora")
        page = client.get("/account").text
        answer = client.post("/account/factors/passkey/options")

        assert ("Add a passkey" in page, "Passkeys need an address with https" in page) == (
            False,
            True,
        )
        assert (409, "passkeys_elsewhere") == (answer.status_code, answer.json()["error"]["code"])


def test_whose_passkeys_are_for_another_address_has_her_recovery_codes(
    office: Any, people: Any
) -> None:
    """When the office moves, her passkeys are not asked for, and she is not locked out (R65)."""
    page = people.add_passkey(office.client("dora"), SoftPasskey())
    with office_like(office, origin=PUBLIC) as moved:
        client = asked(moved, people)
        shown = client.get("/sign-in/second").text

        assert ('data-passkey="get"' in shown, "Recovery code" in shown) == (False, True)
        assert 303 == people.show_code(client, people.recovery_codes(page)[0]).status_code


def test_a_passkey_is_one_persons(office: Any, people: Any, key: SoftPasskey) -> None:
    """One that is known is taken by nobody else, and not twice (R65)."""
    for name in ("dora", "bert"):
        client = office.client()
        people.sign_in(client, name)
        if name == "dora":
            people.use_passkey(client, key)
        assert 422 == people.add_passkey(client, key).status_code


@pytest.mark.passes("factor-kept-unanswered", "passkey-unkept")
def test_all_passkeys_of_a_person_name_her_alike(
    office: Any, people: Any, key: SoftPasskey
) -> None:
    """An authenticator keeps one account of hers, and excludes what it has (R65)."""
    client = asked(office, people)
    people.use_passkey(client, key)
    options = client.post("/account/factors/passkey/options").json()
    people.add_passkey(client, SoftPasskey())
    handles = office.rows(sa.select(tables.passkey.c.handle))

    assert [(options["user"]["id"],)] * 2 == handles
    assert 1 == len(options["excludeCredentials"])
