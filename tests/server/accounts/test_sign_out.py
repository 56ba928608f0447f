"""Signing out without a connection ends the session at the next contact (R49, R65)."""

from typing import Any

import sqlalchemy as sa

from fieldpost_server.accounts.sessions import COOKIE
from fieldpost_server.accounts.sign_out import LEFT
from fieldpost_server.storage import tables


def test_a_device_that_was_left_offline_signs_nobody_in(office: Any) -> None:
    """With the mark, the first contact ends the session on the server and takes the mark away."""
    client = office.client("anna")
    client.cookies.set(LEFT, "1", domain="office.local", path="/")

    answer = client.get("/", headers={"Accept": "text/html"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert f"{LEFT}=;" in answer.headers["set-cookie"]
    assert [] == office.rows(sa.select(tables.session))
    assert LEFT not in client.cookies


def test_the_next_person_can_sign_in_at_once(office: Any) -> None:
    """Signing in with the mark still there starts a session that stays."""
    client = office.client("anna")
    old = client.cookies[COOKIE]
    client.cookies.set(LEFT, "1", domain="office.local", path="/")

    client.post("/sign-in", data={"name": "bert", "password": "correct horse"})

    assert client.cookies[COOKIE] != old
    assert client.get("/", headers={"Fieldpost-Shell": "1"}).status_code == 200
    assert [("bert",)] == office.rows(sa.select(tables.session.c.user))
