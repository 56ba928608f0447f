"""Devices: seen, named and revoked (R34, R46, R52)."""

import re
import threading
import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost.errors import Forbidden
from fieldpost.users import User
from fieldpost.wire.envelope import Operation
from fieldpost_server.accounts.devices import devices, find_device, note_contact, revoke
from fieldpost_server.accounts.sessions import find_session, start_session
from fieldpost_server.storage import tables


def revoked(client: Any, device: str, **more: str) -> Any:
    return client.post("/devices/revoke", data={"device": device, **more})


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def calls(device: Any) -> list[Any]:
    """Return the answers to all that a device asks with a session."""
    client, headers = device.client, device.headers
    return [
        client.post("/sync/device", json={"device": device.id}),
        client.get("/sync/image", headers=headers),
        client.get("/sync/pull", params={"cursor": device.cursor}, headers=headers),
        client.get("/sync/keys", headers=headers),
        client.post("/sync/push", content=b"", headers=headers),
        client.get("/attachments/" + "0" * 64, headers=headers),
    ]


@pytest.mark.parametrize("user", ["anna", "dora"])
def test_the_list_of_devices_is_for_administrators(office: Any, user: str) -> None:
    """Nobody else sees, names or revokes devices of others (R34)."""
    device, client = office.device("bert", download=False), office.client(user)
    fields = {"device": device.id, "name": "mine"}
    answers = [client.get("/devices"), client.post("/devices/name", data=fields)]
    answers.append(revoked(client, device.id))

    assert [403, 404, 404] == [each.status_code for each in answers]
    assert [] == office.rows(sa.select(tables.device_name))
    assert 200 == device.client.get("/sync/keys", headers=device.headers).status_code


def test_a_device_is_shown_with_what_is_missing(office: Any, visit: Any) -> None:
    """User, last contact, what waits and which numbers never arrived (R52)."""
    device = office.device("anna", download=False)
    first, lost = device.envelope(visit(-1)), device.envelope(visit(-2))
    change = Operation("update", "visit", (-2,), {"kind": "second"}, {"kind": "first"})
    receipts = device.push(first, device.envelope(change))
    assert ["accepted", "waiting"] == [each["outcome"] for each in receipts], lost
    admin = office.client("admin")
    text = re.sub(r"\s+", " ", admin.get("/devices").text)

    assert device.id in text
    assert "anna" in text
    assert "newest entry no. 3; missing no. 2; 1 waits at the office" in text
    assert device.id in admin.get("/devices?q=ANNA").text
    assert device.id not in admin.get("/devices?q=bert").text


@pytest.mark.passes("device-unchanged")
def test_a_device_has_a_name(office: Any) -> None:
    """An administrator, or its owner, calls it what people call it (R52)."""
    device, admin = office.device("anna", download=False), office.client("admin")
    for client, name in ((admin, "The old tablet"), (office.client("anna"), "Mine")):
        done = client.post("/devices/name", data={"device": device.id, "name": name})
        assert 303 == done.status_code
        assert name in admin.get("/devices").text
    for bad in ("x" * 101, "a\nb"):
        refused = admin.post("/devices/name", data={"device": device.id, "name": bad})
        assert 400 == refused.status_code
    assert "Mine" in admin.get("/devices").text


def test_a_revoked_device_gets_nothing_and_is_told_so(office: Any) -> None:
    """Sessions that it used end, and every call of it is answered `device_revoked` (R46, R52)."""
    device, other = office.device("anna"), office.client("anna")
    assert 303 == revoked(office.client("admin"), device.id).status_code

    assert {(403, "device_revoked")} == {code_of(each) for each in calls(device)}
    assert 200 == other.get("/account").status_code
    assert "Revoked" in office.client("admin").get("/devices").text


def test_a_revoked_device_gets_no_new_id_with_the_old_session(office: Any) -> None:
    """Whoever has found it cannot begin anew; her owner can, by signing in (R52)."""
    device = office.device("anna")
    revoked(office.client("admin"), device.id)
    fresh = {"device": f"d-{uuid.uuid4()}"}
    assert (403, "device_revoked") == code_of(device.client.post("/sync/device", json=fresh))
    data = {"name": "anna", "password": "correct horse"}
    assert 303 == device.client.post("/sign-in", data=data).status_code

    assert {(403, "device_revoked")} == {code_of(each) for each in calls(device)[:5]}
    assert 200 == device.client.post("/sync/device", json=fresh).status_code


def test_all_sessions_that_a_device_has_used_end(office: Any) -> None:
    """Also one that it uses without registering anew, and one from before this was kept (R52)."""
    device, later = office.device("anna"), office.client("anna")
    old = office.client("anna")
    assert 200 == later.get("/sync/keys", headers=device.headers).status_code
    before = len(office.rows(sa.select(tables.session)))
    office.write(lambda session: revoke(session, find_device(session, device.id)))

    assert 2 == before - len(office.rows(sa.select(tables.session)))
    assert (403, "device_revoked") == code_of(later.get("/sync/keys", headers=device.headers))
    another = office.device("anna")
    office.run(sa.delete(tables.session_origin))
    office.write(lambda session: revoke(session, find_device(session, another.id)))
    assert 401 == old.get("/sync/pull").status_code


def test_an_owner_revokes_her_own(office: Any) -> None:
    """Whoever has lost a device need not wait for an administrator (R52)."""
    device, anna = office.device("anna"), office.client("anna")
    page = anna.get("/account").text
    done = revoked(anna, device.id, back="account")

    assert device.id in page
    assert "/account?done=saved" == done.headers["location"]
    assert (403, "device_revoked") == code_of(device.ask())
    assert 200 == anna.get("/account").status_code


@pytest.mark.parametrize("device", ["", "d-nothing", "web-anna", "d-\0", "d-%"])
def test_what_is_no_device_cannot_be_revoked(office: Any, device: str) -> None:
    """What the server keeps for people who work online is none either (R66)."""
    office.device("anna", download=False)

    assert 404 == revoked(office.client("admin"), device).status_code
    with office.database.read_session() as session:
        assert [False] == [each.revoked for each in devices(session)]


def test_a_contact_at_the_moment_of_the_end_opens_nothing(office: Any) -> None:
    """A session that the device begins to use while it is revoked ends, too (R52)."""
    device = office.device("anna", download=False)
    start, outcomes = threading.Barrier(2), dict[str, bool]()
    late = office.write(lambda session: start_session(session, User("anna")))

    def contact() -> None:
        start.wait()
        try:
            office.write(lambda session: note_contact(session, device.id, late))
            outcomes["noted"] = True
        except Forbidden:
            outcomes["noted"] = False

    def end() -> None:
        start.wait()
        office.write(lambda session: revoke(session, find_device(session, device.id)))

    threads = [threading.Thread(target=work) for work in (contact, end)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with office.database.read_session() as session:
        found = find_session(session, late, office.settings)

    # either it was noted, and ended with the device, or it was refused
    assert outcomes["noted"] == (found is None)
