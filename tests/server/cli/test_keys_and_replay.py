"""The command line lists and rotates keys, and rehearses or retries envelopes (R33, R59, R61)."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Visit
from fieldpost.wire.envelope import Operation
from fieldpost_server.storage import tables

Command = Callable[..., tuple[int, str]]
NewVisit = Callable[..., Operation]


def outcome(said: tuple[int, str]) -> tuple[int, str]:
    return said[0], json.loads(said[1])["outcome"]


def visits(office: Any) -> list[Any]:
    found: list[Any] = office.rows(sa.select(Visit.id, Visit.nurse).order_by(Visit.id))
    return found


def ledger(office: Any) -> list[Any]:
    kept = (tables.envelope, tables.key, tables.device)
    return [office.rows(sa.select(table)) for table in kept]


def test_keys_are_made_at_install_and_listed(command: Command) -> None:
    """A new server has a key before its first device comes (R33)."""
    assert 0 == command("db", "install")[0]
    status, words = command("keys", "list")
    (line,) = words.splitlines()

    assert 0 == status
    assert ("signs", "not endorsed") == tuple(line.split("\t")[3:])
    command("db", "install")
    assert words == command("keys", "list")[1]


def test_keys_are_rotated_with_and_without_trust(command: Command) -> None:
    """The list says of each key what it is now, and which one vouches for it (R33)."""
    command("db", "install")
    assert 0 == command("keys", "rotate")[0]
    assert "tell their users" in command("keys", "rotate", "--distrust")[1]
    parts = [line.split("\t") for line in command("keys", "list")[1].splitlines()]

    assert ["retired", "distrusted", "signs"] == [part[3].partition(" ")[0] for part in parts]
    endorsed = f"endorsed by {parts[0][0]}"
    assert ["not endorsed", endorsed, "not endorsed"] == [part[4] for part in parts]


def test_the_signature_of_a_kept_receipt_is_shown(
    command: Command, office: Any, visit: NewVisit
) -> None:
    """Which key has signed it, and whether it still says what was signed (R33, R59)."""
    device = office.device("anna", download=False)
    (receipt,) = device.push(made := device.envelope(visit()))
    found = json.loads(command("envelopes", "show", made.id)[1])
    assert {"key": receipt["key"], "verifies": True, "words": ""} == found["signature"]

    command("keys", "rotate", "--distrust")
    found = json.loads(command("envelopes", "show", made.id)[1])
    assert (True, "the key is distrusted: others may have signed with it") == (
        found["signature"]["verifies"],
        found["signature"]["words"],
    )
    forged = {**receipt, "received_at": "2020-01-01T00:00:00.000+00:00"}
    office.run(sa.update(tables.envelope).values(receipt=json.dumps(forged)))
    found = json.loads(command("envelopes", "show", made.id)[1])
    assert (False, "its receipt is not what was signed") == (
        found["signature"]["verifies"],
        found["signature"]["words"],
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"record": [99]}, "1: its receipt is not what was signed"),
        ({"signature": "AAAA"}, "1: its receipt is not what was signed"),
        ({"signature": ""}, "1: its receipt is not signed"),
        ({"key": "0123456789abcdef"}, "1: its receipt is signed with a key that is not known"),
    ],
)
def test_a_kept_receipt_that_was_changed_is_found(
    command: Command, office: Any, visit: NewVisit, change: dict[str, Any], words: str
) -> None:
    """Nobody rewrites what became of an envelope unseen (R33)."""
    device = office.device("anna", download=False)
    (receipt,) = device.push(device.envelope(visit()))
    assert 0 == command("envelopes", "verify")[0]
    text = json.dumps({**receipt, **change})
    office.run(sa.update(tables.envelope).values(receipt=text))
    status, said = command("envelopes", "verify", device.id)

    assert (1, True) == (status, words in said), said


def test_receipts_stay_sound_through_rotations(
    command: Command, office: Any, visit: NewVisit
) -> None:
    """Retired keys stay listed, so that what they have signed can be verified (R33)."""
    device = office.device("anna", download=False)
    for number in range(1, 4):
        device.push(device.envelope(visit(-number)))
        command("keys", "rotate")
        office.home.inbox.signer._checked = 0.0

    assert 0 == command("envelopes", "verify")[0]


def test_receipts_from_before_there_was_a_key_are_no_fault(
    command: Command, office: Any, visit: NewVisit
) -> None:
    """An older ledger is not called damaged (R33)."""
    device = office.device("anna", download=False)
    (receipt,) = device.push(device.envelope(visit()))
    plain = {n: v for n, v in receipt.items() if n not in ("key", "signature")}
    before = tables.utc_now().replace(year=2001)
    values = {"receipt": json.dumps(plain), "received_at": before}
    office.run(sa.update(tables.envelope).values(**values))

    assert 0 == command("envelopes", "verify")[0]


def test_a_rehearsal_says_what_would_happen_and_changes_nothing(
    command: Command, office: Any, visit: NewVisit
) -> None:
    """A supporter sees what a refused envelope would come to now; nothing is kept (R59)."""
    device = office.device("anna", download=False)
    refused, applied = device.envelope(visit(nurse="bert")), device.envelope(visit(-2))
    device.push(refused, applied)
    before = visits(office), ledger(office)
    status, words = command("envelopes", "replay", refused.id)
    found = json.loads(words)

    assert (1, "forbidden", False) == (status, found["outcome"], found["applied"])
    assert ["row_forbidden"] == [p["code"] for p in found["problems"]]
    assert (0, "accepted") == outcome(command("envelopes", "replay", applied.id))
    assert before == (visits(office), ledger(office))


def test_what_is_not_there_cannot_be_rehearsed(
    command: Command, office: Any, visit: NewVisit
) -> None:
    """An unknown envelope or user is named (R59)."""
    assert "No envelope 'no-such'" in command("envelopes", "replay", "no-such")[1]
    device = office.device("anna", download=False)
    device.push(made := device.envelope(visit()))
    office.run(sa.update(tables.user).where(tables.user.c.name == "anna").values(active=False))
    status, words = command("envelopes", "replay", made.id)

    assert (1, True) == (status, "anna" in words), words


@pytest.mark.passes("rehearsal-undone")
def test_a_waiting_envelope_is_applied_once(command: Command, office: Any, visit: NewVisit) -> None:
    """With --apply it goes through the inbox as its own user's, and only while it waits (R32)."""
    device = office.device("anna", download=False)
    content = b"what the patient has signed"
    sha256 = hashlib.sha256(content).hexdigest()
    told = {"sha256": sha256, "size": len(content), "type": "text/plain", "name": "a"}
    made = device.envelope(visit(report=told), attachments=(sha256,))
    (receipt,) = device.push(made)
    assert "waiting" == receipt["outcome"]
    status, words = command("envelopes", "replay", "--apply", made.id)
    assert (1, "waiting") == (status, json.loads(words)["outcome"])
    before = visits(office)

    device.upload(content, "text/plain")
    assert (0, "accepted") == outcome(command("envelopes", "replay", made.id))
    assert before == visits(office)
    assert (0, "accepted") == outcome(command("envelopes", "replay", "--apply", made.id))
    status, words = command("envelopes", "replay", "--apply", made.id)
    assert (1, True) == (status, "was decided before: it is 'accepted'" in words), words
    assert len(before) + 1 == len(visits(office))
    assert ["duplicate"] == [again["outcome"] for again in device.push(made)]
    assert 0 == command("envelopes", "verify", device.id)[0]
