"""Ids are what the protocol says, and nobody settles what she has never seen (R32, R34, R66)."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from apps.sender import NewVisit, Sender, codes, edit
from fieldpost.users import User
from fieldpost.wire.envelope import Envelope, Void
from fieldpost.wire.receipts import Outcome

BERT = User("bert", "", frozenset({"Offline"}))
GOOD = "01938f2a-0000-7000-8000-000000000001"
BAD = {
    "empty": "",
    "a word": "x",
    "in capitals": GOOD.upper(),
    "without hyphens": GOOD.replace("-", ""),
    "in braces": f"{{{GOOD}}}",
    "with a space": f" {GOOD}",
    "with a line end": f"{GOOD}\n",
    "other digits": GOOD.replace("0", "\N{ARABIC-INDIC DIGIT ZERO}"),
    "a path": "../../../../etc/passwd",
}
PLACES: dict[str, Callable[[Envelope, str], Envelope]] = {
    "its own": lambda made, text: replace(made, id=text),
    "of what it repairs": lambda made, text: replace(made, supersedes=(text,)),
    "of what it discards": lambda made, text: replace(
        made, operations=(), voids=Void(text, "sha256:1")
    ),
    "of its device": lambda made, text: replace(made, device=f"d-{text}"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", PLACES)
def test_an_id_that_is_no_uuid_is_refused(
    office: Any, visit: NewVisit, place: str, bad: str
) -> None:
    """One id has one spelling, wherever it stands; nothing is kept of such an envelope."""
    sender = Sender(office)
    sent = PLACES[place](sender.next(visit()), BAD[bad]).sealed()
    receipt = sender.send(sent)

    assert Outcome.INVALID is receipt.outcome
    assert {"malformed"} == set(codes(receipt))
    assert "" == receipt.envelope


@pytest.mark.parametrize("bad", BAD)
def test_a_device_registers_under_a_uuid(office: Any, bad: str) -> None:
    """What a device calls itself is made by chance, and by nobody's choice."""
    answer = office.client("anna").post("/sync/device", json={"device": f"d-{BAD[bad]}"})

    assert (400, "malformed") == (answer.status_code, answer.json()["error"]["code"])


def bert_of(office: Any) -> Sender:
    made = Sender(office)
    made.user = "bert"
    return made


ATTACKS: dict[str, Callable[[Sender, Envelope, Any], Envelope]] = {
    "a void": lambda sender, made, _: replace(
        sender.next(), voids=Void(made.id, made.digest)
    ).sealed(),
    "a repair": lambda sender, made, new: sender.next(new, supersedes=(made.id,)),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_others_settle_nothing_that_has_not_arrived(
    office: Any, visit: NewVisit, attack: str
) -> None:
    """Anna's work is applied, whatever Bert has said of its id before it came."""
    anna, bert = Sender(office), bert_of(office)
    made = anna.next(visit())
    berts = visit(nurse="bert", patient_id=str(uuid.UUID(int=9)))
    before = bert.send(ATTACKS[attack](bert, made, berts), BERT)
    receipt = anna.send(made)

    assert before.is_applied, codes(before)
    assert Outcome.ACCEPTED is receipt.outcome, codes(receipt)
    assert receipt.settled is None
    assert Outcome.DUPLICATE is anna.send(made).outcome


CLAIMS: dict[str, Callable[[NewVisit], Any]] = {
    "applied": lambda visit: visit(nurse="bert", patient_id=str(uuid.UUID(int=9))),
    "refused": lambda visit: visit(nurse="bert", score=400),
    "waiting": lambda _: edit(-7, 1, None),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_an_id_that_another_has_used_ends_nobodys_work(
    office: Any, visit: NewVisit, claim: str
) -> None:
    """It is said as such, nothing is kept in its place, and under another id it is taken."""
    anna, bert = Sender(office), bert_of(office)
    made = anna.next(visit())
    bert.send(bert.next(CLAIMS[claim](visit), id=made.id), BERT)
    receipt = anna.send(made)
    again = anna.send(replace(made, id=str(uuid.uuid4())).sealed())

    assert (Outcome.MISMATCH, ["id_taken"]) == (receipt.outcome, codes(receipt))
    assert Outcome.ACCEPTED is again.outcome, codes(again)


def test_who_saved_it_settles_it_before_it_arrives(office: Any, visit: NewVisit) -> None:
    """A repair that comes first holds for the same user: what it repairs is not applied."""
    anna = Sender(office)
    made = anna.next(visit(score=400))
    repair = anna.next(visit(-9), supersedes=(made.id,))
    first, then = anna.send(repair), anna.send(made)

    assert first.is_applied
    assert ["was_superseded"] == codes(then)


def test_a_refused_envelope_of_another_is_not_repaired(office: Any, visit: NewVisit) -> None:
    """What has arrived is settled by whoever saved it, and by supervisors (R34)."""
    anna, bert = Sender(office), bert_of(office)
    refused = anna.next(visit(score=400))
    assert Outcome.INVALID is anna.send(refused).outcome
    receipt = bert.send(bert.next(edit(2, 1, None), supersedes=(refused.id,)), BERT)

    assert ["not_your_envelope"] == codes(receipt)
