"""A password that changes while somebody signs in with the old one, which is let in nowhere (R65).

PostgreSQL lets both go on at once; who comes second waits, and finds what the first has done.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from fieldpost_server.accounts.users import set_password, switch_off, switch_on
from fieldpost_server.identity.door import Door
from fieldpost_server.office import account, sign_in

OLD, NEW = "correct horse", "another horse of mine"
PAUSE_S = 1.0
"""So long somebody stands still in a transaction, where the other has to wait for its end."""


class Meanwhile:
    """Does something while somebody else is in the middle of something."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.found: list[Any] = []
        self.thread = threading.Thread(target=lambda: self.found.append(work()))

    def begin(self) -> None:
        """Begin it, once; it is waited for unless it waits itself."""
        if self.thread.ident is None:
            self.thread.start()
            self.thread.join(PAUSE_S)

    def end(self) -> Any:
        self.thread.join(30)
        return self.found[0]


def paused(patch: pytest.MonkeyPatch, place: Any, name: str, meanwhile: Meanwhile) -> None:
    """Let something else happen right before a step."""
    step = getattr(place, name)

    def after(*given: Any, **named: Any) -> Any:
        meanwhile.begin()
        return step(*given, **named)

    patch.setattr(place, name, after)


def is_in(client: Any) -> bool:
    return bool(client.get("/account").status_code == 200)


def off_and_on(session: Any) -> None:
    switch_off(session, "dora")
    switch_on(session, "dora", seats=100)


def new_password(session: Any) -> None:
    set_password(session, "dora", NEW)


@pytest.mark.long
@pytest.mark.passes("account-locked")
@pytest.mark.parametrize("change", [new_password, off_and_on])
def test_no_session_of_the_old_password_outlives_it(
    office: Any, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None]
) -> None:
    """Changed or switched off between the look at the password and the session: it ends."""
    client = office.client()
    meanwhile = Meanwhile(lambda: office.write(change))
    paused(monkeypatch, sign_in, "enter", meanwhile)
    client.post("/sign-in", data={"name": "dora", "password": OLD})
    meanwhile.end()

    assert not is_in(client)


@pytest.mark.long
def test_no_second_step_of_the_old_password_lets_in(
    office: Any, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changed between the look at who stands there and the look at her code: it is over."""
    phone, _ = people.add_app(office.client("dora"))
    client = office.client()
    people.sign_in(client, "dora")
    meanwhile = Meanwhile(lambda: office.write(new_password))
    paused(monkeypatch, Door, "guess_of", meanwhile)
    answer = people.show_code(client, phone.code())
    meanwhile.end()

    assert 422 == answer.status_code
    assert not is_in(client)


@pytest.mark.long
def test_of_two_new_passwords_by_the_old_one_the_first_holds(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who knows only the old password does not change the new one, however closely she comes."""
    mine, other = office.client("dora"), office.client("dora")
    theirs = {"old": OLD, "new": "what somebody else has chosen"}
    meanwhile = Meanwhile(lambda: other.post("/account/password", data=theirs).status_code)
    paused(monkeypatch, account, "store_password", meanwhile)
    answer = mine.post("/account/password", data={"old": OLD, "new": NEW})

    assert (303, 422) == (answer.status_code, meanwhile.end())
    assert is_in(mine)
    signed_in = office.client().post("/sign-in", data={"name": "dora", "password": NEW})
    assert 303 == signed_in.status_code
