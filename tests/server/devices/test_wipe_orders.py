"""What a revoked device is ordered, and what it may still do (R34, R46, R49, R52)."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from described import fits
from fieldpost.wire.signatures import ANSWER, KEPT, KIND, SIGNATURE, WIPE, signed_bytes
from fieldpost_server.devices.revocations import revocations
from fieldpost_server.devices.standings import standings
from fieldpost_server.signing.keyring import public_keys
from fieldpost_server.storage import tables

HANDING = {"Fieldpost-Handing-Over": "1"}
STANDING = {"waiting": 2, "attention": 1, "drafts": 0, "persisted": True, "used": 1, "quota": 9}


def revoke(office: Any, device: Any, work: str, user: str = "admin") -> None:
    fields = {"device": device.id, "work": work}
    assert 303 == office.client(user).post("/devices/revoke", data=fields).status_code


def told(answer: Any) -> dict[str, Any]:
    """Return what a device that was revoked is told."""
    error = answer.json()["error"]
    assert (403, "device_revoked") == (answer.status_code, error["code"])
    detail: dict[str, Any] = error.get("detail", {})
    assert not detail or fits("Revoked", detail), detail
    return detail


def pushed(device: Any, *envelopes: Any, **headers: str) -> Any:
    body = "\n".join(each.to_text() for each in envelopes)
    sent = {**device.headers, **HANDING, **headers}
    return device.client.post("/sync/push", content=body, headers=sent)


def handed_over(device: Any, left: Any = 0) -> Any:
    headers = {**device.headers, **HANDING}
    return device.client.post("/sync/handed-over", json={"left": left}, headers=headers)


def revocation(office: Any, device: Any) -> Any:
    with office.database.read_session() as session:
        return revocations(session, [device.id])[device.id]


def standing(office: Any, device: Any) -> Any:
    with office.database.read_session() as session:
        return standings(session, [device.id]).get(device.id)


@pytest.mark.parametrize("work", ["hand_over", "nothing", ""])
def test_the_order_is_signed_and_says_what_it_is(office: Any, work: str) -> None:
    """It names its kind, the device and whether that hands over its work (R46, R49)."""
    device = office.device("anna", download=False)
    revoke(office, device, work)
    order = told(device.ask())["order"]
    with office.database.read_session() as session:
        keys = {key.id: key for key in public_keys(session)}

    assert (WIPE, device.id, "anna") == (order[KIND], order["device"], order["user"])
    assert (work != "nothing") is order["hand_over"]
    assert keys[order["key"]].verifies(signed_bytes(order), order[SIGNATURE])
    other = {**order, "device": f"d-{'0' * 8}"}
    assert not keys[order["key"]].verifies(signed_bytes(other), order[SIGNATURE])


def test_no_receipt_is_an_order_and_no_order_a_receipt(office: Any, visit: Any) -> None:
    """Everything that is signed names its kind, and each kind is told apart by it (R46)."""
    device = office.device("anna", download=False)
    receipts = [
        *device.push(device.envelope(visit(-1))),
        *device.push("no envelope"),
        *device.push(device.envelope(visit(-2), user="bert")),
    ]
    revoke(office, device, "nothing")
    order = told(device.ask())["order"]

    assert {KEPT, ANSWER} == {each[KIND] for each in receipts}
    assert not any(fits("WipeOrder", each) for each in receipts)
    assert not fits("Receipt", order)


def test_a_device_hands_over_what_it_is_allowed_to(office: Any, visit: Any) -> None:
    """Its ended session sends its work, twice without effect, and gets nothing (R15, R49, R52)."""
    device = office.device("anna", download=False)
    waiting = [device.envelope(visit(-1)), device.envelope(visit(-2))]
    revoke(office, device, "hand_over")
    assert told(device.client.post("/sync/push", content=b"", headers=device.headers))
    for outcome in ("accepted", "duplicate"):
        answer = pushed(device, *waiting)
        receipts = [json.loads(line) for line in answer.text.splitlines()]
        assert [outcome] * 2 == [each["outcome"] for each in receipts], answer.text
    for path in ("/sync/keys", "/sync/image", "/sync/pull?cursor=", "/attachments/" + "0" * 64):
        assert told(device.client.get(path, headers={**device.headers, **HANDING}))
    assert [204, 204] == [handed_over(device, 1).status_code for _ in range(2)]
    assert told(pushed(device, device.envelope(visit(-3)))), "that was all"
    found = revocation(office, device)

    assert (True, 2, 1) == (found.hand_over, found.handed, found.left)
    assert found.told_at is not None
    assert found.handed_at is not None
    page = office.client("admin").get("/devices").text
    assert "it handed over 2 entries" in page


@pytest.mark.passes("device-revoked-unordered", "order-untold")
def test_files_of_handed_over_work_arrive(office: Any) -> None:
    """The pieces of its pictures are taken, and none is given out (R42, R49)."""
    device, content = office.device("anna", download=False), b"a picture"
    revoke(office, device, "hand_over")
    sha256 = hashlib.sha256(content).hexdigest()
    path, headers = f"/sync/attachments/{sha256}", {**device.headers, **HANDING}
    piece = {"Upload-Offset": "0", "Upload-Length": "9", "Upload-Type": "text/plain"}
    sent = device.client.request("PATCH", path, content=content, headers={**headers, **piece})

    assert (204, "9") == (sent.status_code, sent.headers["Upload-Offset"])
    there = device.client.request("HEAD", path, headers=headers)
    assert "9" == there.headers["Upload-Offset"]
    assert told(device.client.get(path, headers=headers))
    plain = device.client.request("PATCH", path, content=content, headers=device.headers)
    assert told(plain)


@pytest.mark.passes("handed-over-unnoted")
def test_nothing_is_taken_that_was_not_allowed(office: Any, visit: Any) -> None:
    """Neither without the administrator's word, nor by others, nor after the wipe (R49, R52)."""
    device, other = office.device("anna", download=False), office.device("anna", download=False)
    bert = office.device("bert", download=False)
    made = device.envelope(visit(-1))
    revoke(office, device, "nothing")
    assert told(pushed(device, made))
    assert told(handed_over(device))
    revoke(office, device, "hand_over")
    stranger = office.client().post(
        "/sync/push", content=made.to_text(), headers={**device.headers, **HANDING}
    )
    assert 401 == stranger.status_code
    # a session in use, of another device and of another user, that claims to be the revoked one
    assert 403 == pushed(bert, made, **{"Fieldpost-Device": device.id}).status_code
    assert 404 == handed_over(other).status_code
    token = device.client.cookies["fieldpost_session"]
    device.client.cookies.set("fieldpost_signed_out", device.id)
    device.client.get("/sign-in")
    revoke(office, device, "hand_over")
    assert [] == office.rows(sa.select(tables.envelope))
    device.client.cookies.clear()
    device.client.cookies.set("fieldpost_session", token)
    assert told(pushed(device, made))


def test_the_word_may_change_until_it_is_wiped(office: Any) -> None:
    """What was to hand over its work is told not to, and the other way (R52)."""
    device = office.device("anna", download=False)
    revoke(office, device, "hand_over")
    assert told(device.ask())["order"]["hand_over"] is True
    revoke(office, device, "nothing")
    assert told(device.ask())["order"]["hand_over"] is False
    assert "Change the order" in office.client("admin").get("/devices").text


def test_who_has_no_session_is_told_only_what_costs_no_work(office: Any) -> None:
    """A lost device whose cookie is gone wipes itself, unless it is to hand over first (R49)."""
    device, stranger = office.device("anna", download=False), office.client()
    assert 401 == stranger.get("/sync/keys", headers=device.headers).status_code
    revoke(office, device, "hand_over")
    assert 401 == stranger.get("/sync/keys", headers=device.headers).status_code
    revoke(office, device, "nothing")
    assert told(stranger.get("/sync/keys", headers=device.headers))["order"]["device"] == device.id
    for unknown in ("d-nothing", "", "d-00000000-0000-4000-8000-000000000000"):
        headers = {**device.headers, "Fieldpost-Device": unknown}
        assert 401 == stranger.get("/sync/keys", headers=headers).status_code


def test_work_of_a_user_who_is_switched_off_waits(office: Any, visit: Any) -> None:
    """Nobody acts as her; her device keeps what it has until somebody decides (R17, R49)."""
    device = office.device("anna", download=False)
    made = device.envelope(visit(-1))
    revoke(office, device, "hand_over")
    admin = office.client("admin")
    admin.post("/people/active", data={"user": "anna", "active": "false"})
    assert told(pushed(device, made))["order"]["hand_over"] is True
    admin.post("/people/active", data={"user": "anna", "active": "true"})
    assert 200 == pushed(device, made).status_code


@pytest.mark.passes("not-empty-unkept")
def test_what_was_revoked_before_there_were_orders_is_not_wiped(office: Any) -> None:
    """Nobody has decided that: it is told that it was revoked, as before (R49)."""
    device = office.device("anna", download=False)
    office.run(sa.update(tables.device).values(revoked=True))

    assert {} == told(device.client.get("/sync/keys", headers=device.headers))
    assert "Change the order" in office.client("admin").get("/devices").text


@pytest.mark.passes("standing-half-told", "standing-untold")
def test_a_device_tells_how_it_stands(office: Any) -> None:
    """Storage, what waits, browser and version, as last told, for administrators and owner."""
    device = office.device("anna", download=False)
    agent = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"
    headers = {**device.headers, "User-Agent": agent}
    told_ = {**STANDING, "app_version": "sha256:new"}
    answer = device.client.post("/sync/standing", json=told_, headers=headers)
    found = standing(office, device)

    assert 204 == answer.status_code
    assert (2, 1, True, "sha256:new") == (
        found.waiting,
        found.attention,
        found.persisted,
        found.app_version,
    )
    for page in (office.client("admin").get("/devices"), office.client("anna").get("/account")):
        assert "2 not sent, 1 to be seen to, 0 not saved" in page.text
        assert "storage: kept for good" in page.text
        assert "Chrome on Android" in page.text


@pytest.mark.parametrize(
    "part",
    [{"waiting": -1}, {"waiting": True}, {"quota": 1.5}, {"persisted": 1}, {"attention": None}],
)
def test_a_standing_out_of_shape_is_refused(office: Any, part: dict[str, Any]) -> None:
    """What a device tells is believed in shape only (R66)."""
    device = office.device("anna", download=False)
    answer = device.client.post("/sync/standing", json={**STANDING, **part}, headers=device.headers)

    assert (400, "malformed") == (answer.status_code, answer.json()["error"]["code"])
    assert standing(office, device) is None


def test_an_emptied_device_is_believed_by_its_session_or_where_it_was_revoked(office: Any) -> None:
    """Whoever knows the id of a device in use cannot say that it is empty (R49, R52)."""
    device, other = office.device("anna", download=False), office.device("bert", download=False)
    other.client.cookies.set("fieldpost_signed_out", device.id)
    other.client.get("/sign-in")
    assert standing(office, device) is None
    device.client.cookies.set("fieldpost_signed_out", device.id)
    device.client.get("/sign-in")
    assert standing(office, device).emptied_at is not None
    assert 401 == device.ask().status_code
    assert "nothing is left on it" in office.client("admin").get("/devices").text


def test_nobody_says_for_a_device_that_it_has_handed_over(office: Any, visit: Any) -> None:
    """Who knows its id cannot end what it has to send; who says it is empty is heard of (R49)."""
    device = office.device("anna", download=False)
    revoke(office, device, "hand_over")
    stranger = office.client()
    stranger.cookies.set("fieldpost_signed_out", device.id)
    stranger.get("/sign-in")
    assert standing(office, device) is None
    assert 200 == pushed(device, device.envelope(visit(-1))).status_code
    revoke(office, device, "nothing")
    stranger.get("/sign-in")
    assert standing(office, device).emptied_at is not None
    assert told(device.client.get("/sync/keys", headers=device.headers))
    assert standing(office, device).emptied_at is None


def test_a_device_that_says_twice_that_it_is_empty_says_it_once(office: Any) -> None:
    """The first time counts, also without a session (R34, R49)."""
    device = office.device("anna", download=False)
    revoke(office, device, "nothing")
    for _ in range(2):
        stranger = office.client()
        stranger.cookies.set("fieldpost_signed_out", device.id)
        stranger.get("/sign-in")
    events = office.rows(sa.select(tables.security_event.c.what))

    assert 1 == [what for (what,) in events].count("device emptied")
    assert ">Wiped<" in office.client("admin").get("/devices").text
    # and then nothing is left to be ordered
    assert "Change the order" not in office.client("admin").get("/devices").text


def test_the_app_says_when_a_device_is_locked(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where it says so; the office tells its devices with their settings (R49)."""
    device = office.device("anna", download=False)
    assert "lock_after_s" not in device.register()["settings"]
    monkeypatch.setattr(office.home.app, "lock_after", timedelta(days=3))
    assert 259_200 == device.register()["settings"]["lock_after_s"]
