"""A signed receipt proves a loss only of an envelope that was kept (R33, R56)."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings

from apps import clinic
from apps.fakes import ADA
from apps.sender import Chain, NewVisit, edit
from fieldpost.wire.envelope import Operation
from fieldpost.wire.signatures import ANSWER, KEPT
from fieldpost_server.storage import tables
from garbage import Spoiled, spoiled


def lines(device: Any, visit: NewVisit) -> list[str]:
    """Return lines of a push that are answered in every way the server has."""
    sound = device.envelope(visit(-1, score=50))
    data = json.loads(sound.to_text())
    return [
        "x",
        "[]",
        "[" * 200,
        json.dumps({**data, "digest": "sha256:" + "0" * 64}),
        json.dumps({**data, "format": 99}),
        device.envelope(visit(-9), user="bert").to_text(),
        sound.to_text(),
        sound.to_text(),
        device.envelope(visit(-2, score=7)).to_text(),
        device.envelope(edit(4711, 10, 50)).to_text(),
        device.envelope(visit(-3), attachments=("sha256:" + "1" * 64,)).to_text(),
        device.envelope(visit(-4), app="another").to_text(),
    ]


def timelines(office: Any) -> int:
    found = office.rows(sa.select(sa.func.count()).select_from(tables.history))
    return int(found[0][0])


def test_no_receipt_of_an_office_that_was_never_put_back_begins_a_timeline(
    office: Any, visit: NewVisit
) -> None:
    """Whatever was answered, reported back at once it changes nothing for anybody."""
    device = office.device("anna", download=False)
    every = lines(device, visit)
    before = timelines(office)
    answer = device.client.post(
        "/sync/push", content="\n".join(every).encode(), headers=device.headers
    )
    receipts = answer.text.splitlines()
    for receipt in receipts:
        report = {"device": device.id, "forgotten": [receipt]}
        assert 200 == device.client.post("/sync/device", json=report).status_code

    assert len(every) == len(receipts)
    assert {"accepted", "duplicate", "invalid"} <= {json.loads(r)["outcome"] for r in receipts}
    assert before == timelines(office)


def test_what_is_signed_says_what_it_means(office: Any, visit: NewVisit) -> None:
    """`kept` stands on receipts of envelopes that are in the ledger, and on no others."""
    device = office.device("anna", download=False)
    for receipt in device.push(*lines(device, visit)):
        kept = office.rows(
            sa.select(tables.envelope.c.id).where(
                tables.envelope.c.id == receipt["envelope"],
                tables.envelope.c.digest == receipt["digest"],
            )
        )
        assert (KEPT if kept else ANSWER) == receipt["kind"], receipt


SOUND = Chain("d-1", "anna", clinic.app).next(
    Operation(
        "insert",
        "visit",
        (-1,),
        {"patient_id": str(ADA), "visited_on": "2026-11-23", "kind": "first", "nurse": "anna"},
    )
)


@given(envelope=spoiled(SOUND.to_text()))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_answer_at_all_begins_a_timeline(office: Any, envelope: Spoiled) -> None:
    """Whatever anybody sends, its answer reported back at once changes nothing for others."""
    device = office.devices[0] if office.devices else office.device("anna", download=False)
    before = timelines(office)
    line = envelope.line(device=("d-1", device.id), user=("anna", device.user))
    answer = device.client.post("/sync/push", content=line, headers=device.headers)
    receipts = answer.text.splitlines() if answer.status_code == 200 else []
    call = {"device": device.id, "forgotten": receipts}
    assert 200 == device.client.post("/sync/device", json=call).status_code

    assert before == timelines(office)


def lost_receipt(office: Any, device: Any, visit: NewVisit) -> str:
    """Return a receipt of an envelope that the database then forgets."""
    (receipt,) = device.push(
        device.envelope(visit(-device.chain.number - 1, score=50, nurse=device.user))
    )
    office.run(sa.delete(tables.envelope).where(tables.envelope.c.id == receipt["envelope"]))
    return json.dumps(receipt)


def report(device: Any, receipt: str) -> Any:
    return device.client.post("/sync/device", json={"device": device.id, "forgotten": [receipt]})


def test_a_second_timeline_within_a_day_needs_a_second_person(
    office: Any, visit: NewVisit, caplog: pytest.LogCaptureFixture
) -> None:
    """One person's devices make everybody download anew once a day at most, and it is told."""
    anna, hers, bert = (office.device(n, download=False) for n in ("anna", "anna", "bert"))
    before = timelines(office)
    seen = []
    for device in (anna, anna, hers, bert):
        seen.append(report(device, lost_receipt(office, device, visit)).status_code)
        seen.append(timelines(office) - before)
    notices = office.health()["notices"]

    assert [200, 1, 409, 1, 409, 1, 200, 2] == seen
    assert any("A device of bert" in each for each in notices)
    assert "report of a restore waits" in caplog.text
    desk = office.client("admin").get("/envelopes").text
    assert "was put back to a backup" in desk


def test_a_restore_that_comes_a_day_later_is_believed(office: Any, visit: NewVisit) -> None:
    """An office that is put back twice in its life is no attack."""
    device = office.device("anna", download=False)
    assert 200 == report(device, lost_receipt(office, device, visit)).status_code
    table = tables.history
    office.run(sa.update(table).values(began_at=tables.utc_now() - timedelta(days=2)))

    assert 200 == report(device, lost_receipt(office, device, visit)).status_code
