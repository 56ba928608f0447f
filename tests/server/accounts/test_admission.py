"""Signing in costs much, so it is admitted and counted before it is judged (R65, R66)."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fieldpost.errors import Code, InputError
from fieldpost_server.accounts.known_browsers import KNOWN
from fieldpost_server.accounts.passwords import (
    MIN_CHARACTERS,
    common_passwords,
    verify_password,
)
from fieldpost_server.accounts.throttle import Guess, record_failure
from fieldpost_server.accounts.users import set_password
from fieldpost_server.office import sign_in
from fieldpost_server.storage import tables

PASSWORD = "correct horse"


def attempt(client: Any, name: str, password: str) -> int:
    status: int = client.post("/sign-in", data={"name": name, "password": password}).status_code
    return status


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Checks of passwords that take until the event is set."""
    done = threading.Event()

    def waits(stored: str | None, password: str) -> bool:
        done.wait(20)
        return verify_password(stored, password)

    monkeypatch.setattr(sign_in, "verify_password", waits)
    return done


def test_a_burst_is_answered_at_once_and_holds_up_nobody(
    office: Any, held: threading.Event
) -> None:
    """Few are checked at a time, others are told to come again, and the database is free."""
    clients = [office.client() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(attempt, c, f"x{i}", "wrong") for i, c in enumerate(clients)]
        deadline = time.monotonic() + 15
        while sum(a.done() for a in answers) < 8 - sign_in.MOST_HASHES:
            assert time.monotonic() < deadline, "a burst waits for passwords"
            time.sleep(0.01)
        # while the others are being checked
        office.write(lambda session: session.execute(tables.meta.update().values(value="x")))
        held.set()
        statuses = [answer.result() for answer in answers]

    assert {422, 503} == set(statuses), statuses
    assert (sign_in.MOST_HASHES, 8 - sign_in.MOST_HASHES) == (
        statuses.count(422),
        statuses.count(503),
    )


def test_who_is_asked_to_wait_is_told_how_long(office: Any) -> None:
    """A program reads it from Retry-After, a person from the words."""
    client = office.client()
    statuses = [attempt(client, "anna", "wrong") for _ in range(7)]
    answer = client.post("/sign-in", data={"name": "anna", "password": PASSWORD})

    assert 429 in statuses
    assert 429 == answer.status_code
    assert 0 < int(answer.headers["retry-after"])


def test_guesses_at_once_are_no_more_than_guesses_in_a_row(office: Any) -> None:
    """Attempts are counted before they are judged: no burst slips through."""
    clients = [office.client() for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda c: attempt(c, "anna", "wrong"), clients))

    assert statuses.count(422) <= 6


@pytest.mark.long
def test_people_who_sign_in_rightly_use_nothing_up(office: Any) -> None:
    """A whole office behind one address may come in the morning."""
    client = office.client()

    assert {303} == {attempt(client, "anna", PASSWORD) for _ in range(70)}


def test_the_shell_is_not_led_elsewhere_when_it_signs_out(office: Any) -> None:
    """Not every browser ends a request whose redirect is not followed."""
    client = office.client("anna")
    answer = client.post("/sign-out", headers={"Fieldpost-Shell": "1"})

    assert 204 == answer.status_code
    assert 401 == client.get("/", headers={"Fieldpost-Shell": "1"}).status_code


def guesses_of_strangers(office: Any, name: str, count: int) -> None:
    """Have so many others fail, each from an address of its own, and all from this one."""

    def work(session: Any) -> None:
        for number in range(count):
            record_failure(session, Guess(name, f"10.0.0.{number}"))
            record_failure(session, Guess(name, "127.0.0.1"))

    office.write(work)


@pytest.mark.long
def test_strangers_cannot_lock_out_a_browser_that_is_known(office: Any) -> None:
    """While others guess on, whoever has signed in there before comes in at the first attempt."""
    hers, strange = office.client("anna"), office.client()
    assert 204 == hers.post("/sign-out", headers={"Fieldpost-Shell": "1"}).status_code
    seen = []
    for _ in range(5):
        guesses_of_strangers(office, "anna", 160)
        seen.append(attempt(hers, "anna", PASSWORD))
        seen.append(attempt(strange, "anna", PASSWORD))

    assert [303, 429] * 5 == seen


def test_a_known_browser_may_not_guess_either(office: Any) -> None:
    """It has its own few attempts, for its own user and for nobody else."""
    hers = office.client("anna")
    wrong = [attempt(hers, "anna", "wrong") for _ in range(7)]
    others = [attempt(hers, "dora", "wrong") for _ in range(7)]

    assert [422] * 5 + [429] * 2 == wrong == others
    # what happened there is no matter of her other browsers
    assert 303 == attempt(office.client(), "anna", PASSWORD)


def test_a_new_password_makes_all_browsers_strange(office: Any) -> None:
    """What a thief has kept is worth nothing afterwards; what is made up never was."""
    hers, forged = office.client("anna"), office.client()
    forged.cookies.set(KNOWN, f"{'0' * 32}.{'0' * 64}")
    office.write(lambda session: set_password(session, "anna", "quite another horse"))
    guesses_of_strangers(office, "anna", 160)

    assert 429 == attempt(hers, "anna", "quite another horse")
    assert 429 == attempt(forged, "anna", "quite another horse")


@pytest.mark.parametrize(
    "password",
    ["password", "12345678", "        ", "abababab", "Dora-2026", "doradora", "QWERTYUIOP"],
)
def test_what_anybody_would_try_is_no_password(office: Any, password: str) -> None:
    """Neither common ones, nor a user's name, nor a few characters again and again (R65)."""
    with pytest.raises(InputError) as refused:
        office.write(lambda session: set_password(session, "dora", password))

    assert Code.PASSWORD_COMMON is refused.value.problems[0].code
    assert 303 == attempt(office.client(), "dora", PASSWORD)


def test_the_list_of_common_passwords_is_long_enough() -> None:
    """At least the 3,000 most common ones that are long enough (ASVS 5.0, 6.2.4)."""
    assert 3_000 <= sum(len(each) >= MIN_CHARACTERS for each in common_passwords())
