"""Signing in and out (R6, R65)."""

from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from apps.offices import office_like
from fieldpost_server.cli.demo import DEMO_USERS
from fieldpost_server.storage import tables

HTML = {"Accept": "text/html"}


def sign_in(client: Any, name: str = "dora", password: str = "correct horse", **more: str) -> Any:
    return client.post("/sign-in", data={"name": name, "password": password, **more})


def test_the_cookie_is_for_the_server_only(office: Any) -> None:
    """Scripts cannot read the session's cookie, other sites cannot send it (R65)."""
    answer = sign_in(office.client())
    cookie = answer.headers["set-cookie"]

    assert (303, "/") == (answer.status_code, answer.headers["location"])
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "path=/" in cookie.lower()


def test_the_token_is_not_in_the_database(office: Any) -> None:
    """A stolen backup opens no session (R65)."""
    client = office.client("dora")
    token = client.cookies["fieldpost_session"]

    assert token not in repr(office.rows(sa.select(tables.session)))


def test_a_wrong_password_and_an_unknown_name_look_the_same(office: Any) -> None:
    """Nobody learns from the answer who has an account (R65)."""
    client = office.client()
    answers = [sign_in(client, "dora", "wrong"), sign_in(client, "nobody", "wrong")]

    texts = {a.text.replace("dora", "NAME").replace("nobody", "NAME") for a in answers}
    assert [422, 422] == [a.status_code for a in answers]
    assert 1 == len(texts)
    assert "User name or password is wrong" in answers[0].text
    assert "set-cookie" not in answers[0].headers


def test_a_name_is_found_however_it_is_capitalised(office: Any) -> None:
    """Phones begin with a capital letter (R6)."""
    assert 303 == sign_in(office.client(), " Dora ").status_code


def test_guessing_is_throttled(office: Any) -> None:
    """After five wrong passwords even the right one has to wait, and is told how long (R65)."""
    client = office.client()
    for _ in range(5):
        assert 422 == sign_in(client, password="wrong").status_code
    answer = sign_in(client)

    assert 429 == answer.status_code
    assert "Too many attempts. Wait" in answer.text
    assert 303 == sign_in(office.client(), "anna").status_code


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/\r\nSet-Cookie: x=1",
        "evil",
    ],
)
def test_signing_in_leads_nowhere_else(office: Any, wanted: str) -> None:
    """The address to go on to is one of this server (R65)."""
    answer = sign_in(office.client(), next=wanted)

    assert (303, "/") == (answer.status_code, answer.headers["location"])


def test_signing_in_leads_to_the_page_that_was_asked_for(office: Any) -> None:
    """Who follows a link and signs in is where the link led."""
    client = office.client()
    sent = client.get("/pages/drugs", headers=HTML)

    assert (303, "/sign-in?next=" + quote("/pages/drugs")) == (
        sent.status_code,
        sent.headers["location"],
    )
    assert "/pages/drugs" in client.get(sent.headers["location"]).text
    assert "/pages/drugs" == sign_in(client, next="/pages/drugs").headers["location"]


def test_signing_out_ends_the_session_on_the_server(office: Any) -> None:
    """A cookie that somebody copied is worth nothing afterwards (R49, R65)."""
    client = office.client("dora")
    token = client.cookies["fieldpost_session"]
    answer = client.post("/sign-out")
    thief = office.client()
    copied = thief.get("/sync/pull", headers={"Cookie": f"fieldpost_session={token}"})

    assert (303, "/sign-in") == (answer.status_code, answer.headers["location"])
    assert 401 == copied.status_code
    assert [] == office.rows(sa.select(tables.session))


@pytest.mark.parametrize("token", ["", "x", "%00", "a" * 5000])
def test_a_forged_cookie_opens_nothing(office: Any, token: str) -> None:
    """Whatever the cookie holds, it is no session (R66)."""
    answer = office.client().get("/sync/pull", headers={"Cookie": f"fieldpost_session={token}"})

    assert (401, "signed_out") == (answer.status_code, answer.json()["error"]["code"])


def test_a_user_who_was_switched_off_is_out_at_once(office: Any) -> None:
    """Switching a user off is enforced at the next contact (R46)."""
    client = office.client("dora")
    office.run(sa.update(tables.user).values(active=False))

    assert 401 == client.get("/sync/pull").status_code
    assert 422 == sign_in(office.client()).status_code


def test_the_sign_in_page_says_no_passwords_outside_of_the_demo(office: Any) -> None:
    """Demo accounts are named in the demo only."""
    assert "worker1" not in office.client().get("/sign-in").text


def test_the_demo_names_everybody_whom_it_has(office: Any) -> None:
    """Whoever tries the demo sees all accounts on its sign-in page."""
    with office_like(office, demo=True) as demo:
        text = demo.client().get("/sign-in").text

    assert ", ".join(name for name, _, _ in DEMO_USERS) in text
