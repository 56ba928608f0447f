"""The command line shows and checks what the inbox holds (R32, R33, R59, R61)."""

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost.wire.envelope import Operation, Void
from fieldpost_server.storage import tables

Command = Callable[..., tuple[int, str]]
NewVisit = Callable[..., Operation]


@pytest.fixture
def command(command: Command) -> Command:
    """Return a function that runs `fieldpost envelopes` and gives its status and its words."""
    return partial(command, "envelopes")


@pytest.fixture
def sent(office: Any, visit: NewVisit) -> Any:
    """Anna's device, which has sent three envelopes; the second is not allowed."""
    device = office.device("anna", download=False)
    first, third = device.envelope(visit()), None
    second = device.envelope(visit(-2, nurse="bert"))
    third = device.envelope(visit(-3))
    outcomes = [receipt["outcome"] for receipt in device.push(first, second, third)]
    assert ["accepted", "forbidden", "accepted"] == outcomes
    device.sent = [first, second, third]
    return device


def damage(office: Any, number: int, **values: Any) -> None:
    table = tables.envelope
    office.run(sa.update(table).where(table.c.number == number).values(**values))


def test_envelopes_are_listed_and_chosen(command: Command, sent: Any) -> None:
    """By device, user and outcome, the newest first (R59)."""
    status, everything = command("list")
    assert 0 == status
    assert {"1", "2", "3"} == {line.split("\t")[2] for line in everything.splitlines()}
    _, refused = command("list", "--user", "anna", "--outcome", "forbidden")
    assert [sent.sent[1].id] == [line.split("\t")[0] for line in refused.splitlines()]
    assert (0, "") == command("list", "--device", "d-nobody")
    assert 1 == len(command("list", "--limit", "1")[1].splitlines())


def test_one_envelope_is_shown_with_its_receipt(command: Command, sent: Any) -> None:
    """What was sent and what became of it, under the id that the device shows (R25, R59)."""
    status, words = command("show", sent.sent[0].id)
    found = json.loads(words)

    assert 0 == status
    assert sent.sent[0].digest == found["envelope"]["digest"] == found["receipt"]["digest"]
    assert "accepted" == found["receipt"]["outcome"]
    status, words = command("show", "no-such")
    assert (1, "No envelope 'no-such' has arrived. Check the id.\n") == (status, words)


def test_a_sound_chain_is_called_sound(command: Command, sent: Any) -> None:
    """The check goes through every envelope of a device (R33)."""
    assert (0, f"{sent.id}: 3 envelopes up to number 3, sound\n") == command("verify", sent.id)
    assert 0 == command("verify")[0]
    status, words = command("verify", "d-nobody")
    assert (1, True) == (status, words.startswith("No envelope of a device 'd-nobody'"))


def test_numbers_that_never_arrived_are_named(
    command: Command, office: Any, visit: NewVisit
) -> None:
    """A gap is no fault of the chain, but it is said (R33)."""
    device = office.device("anna", download=False)
    made = [device.envelope(visit(-number)) for number in range(1, 7)]
    device.push(made[0], made[3], made[5])
    status, words = command("verify", device.id)

    assert (0, True) == (status, "never arrived: 2, 3, 5" in words), words


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"content": "{}"}, "2: its content cannot be trusted"),
        ({"user": "bert"}, "2: the column 'user' differs from the envelope"),
        ({"previous": "sha256:0"}, "2: the column 'previous' differs from the envelope"),
        ({"digest": "sha256:0"}, "3: it does not follow number 2"),
        ({"receipt": "{"}, "2: its receipt cannot be read"),
        ({"outcome": "accepted"}, "2: its receipt is about something else"),
    ],
)
def test_what_was_changed_behind_the_inbox_is_found(
    command: Command, office: Any, sent: Any, values: dict[str, str], words: str
) -> None:
    """Nobody rewrites a device's history unseen (R33)."""
    damage(office, 2, **values)
    status, said = command("verify", sent.id)

    assert 1 == status
    assert words in said


def test_a_chain_with_voids_is_sound_whichever_the_next_follows(
    command: Command, office: Any, visit: NewVisit
) -> None:
    """A void shares the number of what it discards, whether that has arrived or not (R33, R39)."""
    device = office.device("anna", download=False)
    kept = device.envelope(visit())
    refused = device.envelope(visit(-2, nurse="bert"))
    behind = device.envelope(visit(-3))
    never_sent = device.envelope(visit(-4))
    last = device.envelope(visit(-5))
    voids = [
        replace(
            e, id=str(uuid.UUID(int=e.number)), operations=(), voids=Void(e.id, e.digest)
        ).sealed()
        for e in (refused, never_sent)
    ]
    told = [r["outcome"] for r in device.push(kept, refused, voids[0], behind, voids[1], last)]
    status, words = command("verify", device.id)

    assert ["accepted", "forbidden", "accepted", "accepted", "accepted", "accepted"] == told
    assert (0, f"{device.id}: 6 envelopes up to number 5, sound") == (status, words.strip())


def test_two_with_one_number_are_found(command: Command, office: Any, visit: NewVisit) -> None:
    """A number stands for one envelope, and for the void that discards it (R33)."""
    device = office.device("anna", download=False)
    device.push(device.envelope(visit()), device.envelope(visit(-2)))
    table = tables.envelope
    office.run(sa.update(table).where(table.c.number == 2).values(number=1, void=True))
    status, words = command("verify", device.id)

    assert 1 == status
    assert "its number is also that of" in words
