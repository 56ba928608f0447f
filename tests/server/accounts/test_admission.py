"""Signing in costs much, so it is admitted and counted before it is judged (R65, R66)."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fieldpost_server.accounts.passwords import verify_password
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
