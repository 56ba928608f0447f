"""A file of saved work is handed in: by its user, or at a supervisor's desk (R15, R49, R50)."""

import hashlib
import json
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Visit
from fieldpost_server.storage import tables


def handed_in(client: Any, *envelopes: Any) -> list[dict[str, Any]]:
    body = "\n".join(each if isinstance(each, str) else each.to_text() for each in envelopes)
    answer = client.post("/sync/hand-in", content=body)
    assert 200 == answer.status_code, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def outcomes(told: list[dict[str, Any]]) -> list[str]:
    return [each["outcome"] for each in told]


def test_work_arrives_once_by_file_and_by_device(office: Any, visit: Any) -> None:
    """By another session of its user, twice, and then by the device itself (R15, R50)."""
    device, anna = office.device("anna", download=False), office.client("anna")
    made = [device.envelope(visit(-1)), device.envelope(visit(-2))]

    assert ["accepted"] * 2 == outcomes(handed_in(anna, *made))
    assert ["duplicate"] * 2 == outcomes(handed_in(anna, *made))
    assert ["duplicate"] * 2 == outcomes(device.push(*made))
    assert 2 == len(office.rows(sa.select(tables.envelope)))


@pytest.mark.passes("handed-in-unanswered", "handed-in-unrecorded")
def test_a_supervisor_hands_in_for_a_worker(office: Any, visit: Any) -> None:
    """As its own user, with her rights; who brought it is kept (R34, R50)."""
    device, admin = office.device("anna", download=False), office.client("admin")
    told = handed_in(admin, device.envelope(visit(-1)))
    kept = office.rows(sa.select(tables.envelope.c.user, tables.envelope.c.device))
    event = tables.security_event
    columns = sa.select(event.c.who, event.c.whom, event.c.detail)
    events = office.rows(columns.where(event.c.what == "work handed in"))

    assert [("accepted", "anna")] == [(each["outcome"], each["user"]) for each in told]
    assert [("anna", device.id)] == kept
    assert [("admin", "anna", f"{device.id}, 1 entries")] == events


def test_nobody_else_hands_it_in(office: Any, visit: Any) -> None:
    """Neither another worker, nor under the name of a device that is none of hers (R46, R50)."""
    device, bert = office.device("anna", download=False), office.client("bert")
    own = office.device("bert", download=False)
    made = device.envelope(visit(-1))
    pretended = own.envelope(visit(-2), user="anna")
    foreign = own.envelope(visit(-3), device=device.id)
    unknown = own.envelope(visit(-4), device="d-00000000-0000-4000-8000-000000000000")

    told = handed_in(bert, made, pretended, foreign, unknown, "no envelope")
    assert ["forbidden"] * 4 + ["invalid"] == outcomes(told)
    assert ["forbidden"] == outcomes(handed_in(office.client("admin"), foreign))
    assert [] == office.rows(sa.select(tables.envelope))
    assert 401 == office.client().post("/sync/hand-in", content=made.to_text()).status_code


def test_what_stands_in_the_way_is_told_to_its_user_only(office: Any, visit: Any) -> None:
    """A supervisor learns that somebody has to see to it, and looks at the desk (R46)."""
    device = office.device("anna", download=False)
    made = device.envelope(visit(-1, score=4711))
    at_the_desk = handed_in(office.client("admin"), made)
    own = handed_in(office.client("anna"), made)

    assert outcomes(at_the_desk) == outcomes(own)
    assert outcomes(own) != ["accepted"]
    assert ("", True) == (at_the_desk[0]["message"], bool(own[0]["message"]))


def test_a_revoked_device_hands_in_by_a_supervisor_only(office: Any, visit: Any) -> None:
    """What was not to be handed over needs somebody who decides that (R49, R52)."""
    device = office.device("anna", download=False)
    anna, admin = office.client("anna"), office.client("admin")
    made = device.envelope(visit(-1))
    for work, expected in (("nothing", "forbidden"), ("hand_over", "accepted")):
        admin.post("/devices/revoke", data={"device": device.id, "work": work})
        assert [expected] == outcomes(handed_in(anna, made))
    admin.post("/devices/revoke", data={"device": device.id, "work": "nothing"})
    second = device.envelope(visit(-2))
    assert ["forbidden"] == outcomes(handed_in(anna, second))
    assert ["accepted"] == outcomes(handed_in(admin, second))


@pytest.mark.passes("attachment-half-handed-on", "handed-in-files-only")
def test_pictures_that_a_supervisor_brings_are_the_workers(office: Any, visit: Any) -> None:
    """A record with a file is whole after it was handed in (R42, R50)."""
    device, admin, content = office.device("anna", download=False), office.client("admin"), b"note"
    sha256 = hashlib.sha256(content).hexdigest()
    reference = {"sha256": sha256, "size": 4, "type": "text/plain", "name": "a.txt"}
    made = device.envelope(visit(-1, report=reference), attachments=(sha256,))
    before = len(office.rows(sa.select(Visit.id)))
    assert ["waiting"] == outcomes(handed_in(admin, made))
    headers = {"Content-Type": "text/plain"}
    admin.request("PUT", f"/attachments/{sha256}?name=a.txt", content=content, headers=headers)

    assert ["accepted"] == outcomes(handed_in(admin, made))
    assert before + 1 == len(office.rows(sa.select(Visit.id)))


def test_the_page_is_for_everybody(office: Any) -> None:
    """Workers hand in their own files, supervisors those of others (R50)."""
    for user in ("anna", "dora", "admin"):
        page = office.client(user).get("/hand-in", headers={"Fieldpost-Shell": "1"})
        assert 200 == page.status_code
        assert "Hand in a file" in page.text
    assert "any worker" in office.client("admin").get("/hand-in").text
