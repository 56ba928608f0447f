"""What travels is what the schemas say, and they change with the protocol only."""

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from apps.clinic import Kind, Visit
from apps.sender import edit
from described import check_answer, fits
from fieldpost.wire import protocol
from fieldpost.wire.envelope import Envelope, Operation, Void
from fieldpost.wire.receipts import Outcome
from fieldpost_server.sync.schemas import wire_digest

NewVisit = Callable[..., Operation]


def test_the_wire_changes_with_the_protocol_only() -> None:
    """Who changes a schema gives the protocol a new number and its digest."""
    assert protocol.WIRE_DIGESTS[protocol.PROTOCOL] == wire_digest(), (
        "what travels has changed: raise PROTOCOL (and FORMAT, where it is the envelope), "
        "say in the history what is new, and write the digest beside it"
    )


@pytest.mark.parametrize(
    ("title", "newest"), [("protocol", protocol.PROTOCOL), ("envelope's format", protocol.FORMAT)]
)
def test_every_version_has_its_line_of_history(title: str, newest: int) -> None:
    """The module that holds the versions says of each one what was new."""
    history = str(protocol.__doc__).partition(f"History of the {title}:\n")[2].partition("\n\n")[0]

    assert list(range(1, newest + 1)) == [
        int(number) for number in re.findall(r"^    (\d+): \S", history, re.MULTILINE)
    ]


def void_of(envelope: Envelope, identity: str) -> Envelope:
    voids = Void(envelope.id, envelope.digest)
    return replace(
        envelope, id=identity, operations=(), attachments=(), after=(), voids=voids
    ).sealed()


class Talk:
    """A device and an office; every answer is held against the description on its way."""

    def __init__(self, office: Any, visit: NewVisit, monkeypatch: pytest.MonkeyPatch) -> None:
        self.office, self.visit, self.monkeypatch = office, visit, monkeypatch
        self.device = office.device("anna")
        self.receipts: list[dict[str, Any]] = []

    def push(self, *envelopes: Envelope | str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.device.push(*envelopes)
        self.receipts += found
        return found

    def change_elsewhere(self, key: int, **values: Any) -> None:
        self.office.run(sa.update(Visit).where(Visit.id == key).values(**values))

    def apply(self) -> int:
        """Get an envelope applied, again, merged, and one with a note; return its record's key."""
        made = self.device.envelope(self.visit(score=50))
        key = int(self.push(made, made)[0]["record"][0])
        self.change_elsewhere(key, kind=Kind.follow_up)
        seen = {"score": 50, "kind": "first"}
        self.push(self.device.envelope(Operation("update", "visit", (key,), {"score": 55}, seen)))
        return key

    def refuse(self, key: int) -> None:
        """Get each refusal, and what waits."""
        device = self.device
        self.change_elsewhere(key, score=70)
        conflict = device.envelope(edit(key, 10, 55))
        behind = device.envelope(edit(key, 20, 10), after=(conflict.number,))
        invalid = device.envelope(self.visit(-5, score=-1))
        forbidden = device.envelope(Operation("insert", "drug", (-6,), {"name": "x"}))
        mismatch = replace(conflict, page="patient").sealed()
        missing = device.envelope(self.visit(-7), attachments=("f" * 64,))
        self.push(conflict, behind, invalid, forbidden, mismatch, missing, "{}", '"\\ud800"')
        self.push(void_of(invalid, str(uuid.uuid4())), void_of(invalid, str(uuid.uuid4())), invalid)
        self.push(device.envelope(edit(key, 10, 70), supersedes=(conflict.id,)), conflict)
        asked = {"envelopes": [conflict.id, behind.id, invalid.id, "nobody's"]}
        answer = device.client.post("/sync/receipts", json=asked, headers=device.headers)
        self.receipts += [json.loads(line) for line in answer.content.splitlines()]

    def fail(self) -> None:
        """Get the server into trouble."""

        def broken(_: object) -> Any:
            raise RuntimeError("the author's mistake")

        with self.monkeypatch.context() as patch:
            patch.setattr(self.office.home.app.page("visit"), "scope", broken)
            self.push(self.device.envelope(self.visit(-8)))

    def delete(self, key: int) -> None:
        """Delete a record twice: the second time there is nothing to do but to note it."""
        gone = Operation("delete", "visit", (key,), {}, {"score": 20})
        self.push(self.device.envelope(gone), self.device.envelope(gone))


@pytest.fixture
def talk(office: Any, visit: NewVisit, monkeypatch: pytest.MonkeyPatch) -> Talk:
    """Anna's device and the office."""
    return Talk(office, visit, monkeypatch)


def test_receipts_of_every_outcome_are_described(talk: Talk) -> None:
    """Each outcome, a void, a repair and a note travel as the schemas say (R27, R38, R39)."""
    key = talk.apply()
    talk.refuse(key)
    talk.delete(key)
    talk.fail()

    assert set(Outcome) == {Outcome(receipt["outcome"]) for receipt in talk.receipts}
    assert {"superseded", "discarded"} == {
        receipt["settled"]["how"] for receipt in talk.receipts if receipt["settled"]
    }
    assert {"already_deleted"} == {n["code"] for r in talk.receipts for n in r["notes"]}
    assert [7, 8] == [receipt["line"] for receipt in talk.receipts if "line" in receipt]


def test_pulls_with_everything_in_them_are_described(talk: Talk) -> None:
    """Rows put, keys removed, tables as a whole, and a reset travel as the schemas say."""
    key = talk.apply()
    first = talk.device.pull()
    talk.change_elsewhere(key, score=70)
    talk.change_elsewhere(1, nurse="bert")
    second = talk.device.ask(replace=["patient"]).json()
    reset = talk.device.ask(cursor="f1." + "0" * 32 + ".1.").json()

    assert [[key]] == [[row["id"]] for row in first["put"]["visit"]]
    assert "visit" in second["put"]
    assert "visit" in second["remove"]
    assert ["patient"] == second["replace"]
    assert reset["reset"]


def test_errors_of_every_call_are_described(office: Any) -> None:
    """Every refusal has the one shape of errors (R66)."""
    device, stranger = office.device("anna", download=False), office.client()
    client, headers = device.client, device.headers
    statuses = [
        stranger.get("/sync/pull").status_code,
        client.get("/sync/pull", headers=headers).status_code,
        client.get("/sync/keys").status_code,
        client.post("/sync/device", content=b"[").status_code,
        client.post("/sync/push", content=b"x\n" * 10_001, headers=headers).status_code,
        client.post("/sync/receipts", json={"envelopes": 1}, headers=headers).status_code,
        client.get(f"/attachments/{'0' * 64}").status_code,
        client.request("PATCH", f"/sync/attachments/{'0' * 64}", content=b"x").status_code,
        client.request("PUT", f"/attachments/{'0' * 64}", content=b"x").status_code,
    ]

    assert [401, 400, 403, 400, 413, 400, 404, 400, 422] == statuses


def test_the_description_is_served(office: Any) -> None:
    """Who makes a client gets the calls from the server itself, when she is signed in."""
    found = office.client("anna").get("/sync/openapi.json").json()
    routes = {r.path for r in office.application.routes if r.path.startswith("/sync/")}

    assert "3.1.0" == found["openapi"]
    assert set() == routes - found["paths"].keys()
    assert 401 == office.client().get("/sync/openapi.json").status_code


def test_what_nobody_has_described_shows() -> None:
    """The tests of this server fail where an answer has a part that the schemas do not name."""
    request = httpx.Request("GET", "http://office/sync/keys")
    key = {"id": "0" * 16, "public": "AAAA", "created_at": "2026-11-23T07:15:09.004+00:00"}
    sound = {"signing_keys": [{**key, "endorsed_by": None, "endorsement": None}]}

    check_answer(httpx.Response(200, json=sound, request=request))
    unlike: list[Any] = [{**sound, "new": 1}, {"signing_keys": [key]}, []]
    for answer in unlike:
        with pytest.raises(AssertionError):
            check_answer(httpx.Response(200, json=answer, request=request))
    with pytest.raises(AssertionError):
        check_answer(httpx.Response(202, json=sound, request=request))
    assert not fits("Receipt", {})
