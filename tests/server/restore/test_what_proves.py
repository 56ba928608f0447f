"""A signed receipt proves a loss only of an envelope that was kept (R33, R56)."""

import json
from typing import Any

import sqlalchemy as sa

from apps.sender import NewVisit, edit
from fieldpost_server.storage import tables


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
