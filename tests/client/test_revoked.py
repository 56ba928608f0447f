"""A revoked device obeys its office's order, and nobody else's (R17, R46, R49, R52)."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from ed25519 import Key
from fieldpost.wire.signatures import KEPT, KIND, WIPE
from fieldpost_client.platform.base import StoreError
from fieldpost_client.platform.host import Fault
from fieldpost_client.revocation.wipe_order import NAME
from fieldpost_server.accounts.devices import find_device
from fieldpost_server.devices.revocations import revocations, revoke_device
from fieldpost_server.devices.standings import standings
from fieldpost_server.signing.keyring import rotate
from fieldpost_server.storage import tables


def revoke(office: Any, desk: Any, *, hand_over: bool = True) -> None:
    device = desk.home.state.device
    office.write(
        lambda session: revoke_device(session, find_device(session, device), hand_over=hand_over)
    )


def sync(desk: Any) -> Any:
    """Do a sync as the shell has it done; returns the order that it brought."""
    return asyncio.run(desk.client.synchronise(signed_in=False))["revoked"]


def tell(desk: Any) -> Any:
    told = {"persisted": True, "used": 5, "quota": 10, "drafts": 1}
    return asyncio.run(desk.client.revocation.tell(told))["revoked"]


def hand_over(desk: Any, drafts: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = asyncio.run(desk.client.revocation.hand_over(drafts))
    return found


def stored(desk: Any) -> Any:
    return asyncio.run(desk.store.read("session", NAME))


def revocation(office: Any, desk: Any) -> Any:
    device = desk.home.state.device
    with office.database.read_session() as session:
        return revocations(session, [device])[device]


class Between:
    """Stands between device and office and changes what a revoked device is told."""

    def __init__(self, server: Any, change: Callable[[dict[str, Any]], Any]) -> None:
        self.server, self.change = server, change

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if b"device_revoked" in message.get("body", b""):
                data = json.loads(message["body"])
                for each in (data["error"], *data["error"]["problems"]):
                    each["detail"] = self.change(each["detail"])
                message = {**message, "body": json.dumps(data).encode()}
            await send(message)

        await self.server(scope, receive, sent)


def order(detail: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {**detail, "order": {**detail["order"], **parts}}


def forged(detail: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """Return the order of somebody who has a key of his own, and lists it."""
    key = Key()
    said = {n: v for n, v in detail["order"].items() if n not in ("key", "signature")}
    listed = [*detail["signing_keys"], key.listed()]
    return {"order": key.receipt(**{**said, **parts}), "signing_keys": listed}


@pytest.mark.parametrize(
    "change",
    [
        lambda _: {},
        lambda _: [],
        lambda _: {"order": None},
        lambda d: {"order": d["order"]["signature"]},
        lambda d: order(d, hand_over=False),
        lambda d: order(d, device="d-00000000-0000-4000-8000-000000000000"),
        lambda d: order(d, **{KIND: KEPT}),
        lambda d: order(d, revoked_at="2020-01-01T00:00:00.000+00:00"),
        lambda d: order(d, signature=""),
        lambda d: order(d, key="0000000000000000"),
        lambda d: order(d, more=1),
        forged,
        lambda d: forged(d, **{KIND: WIPE}),
    ],
)
def test_an_order_that_the_office_has_not_signed_changes_nothing(
    office: Any, desk: Any, change: Any
) -> None:
    """Whatever stands between says what it likes: the work stays, and is shown (R17, R46)."""
    desk.add("Mine")
    revoke(office, desk)
    desk.platform.server = Between(office.server, change)

    assert (None, None) == (sync(desk), tell(desk))
    assert stored(desk) is None
    assert ["Mine"] == [r for r in desk.remarks() if r == "Mine"]
    assert "later" == hand_over(desk)["outcome"]
    assert [] == office.envelopes()


def test_a_receipt_of_the_office_is_no_order(office: Any, desk: Any) -> None:
    """What it signs says what it is: nothing else of it can wipe a device (R46)."""
    desk.add("Sent")
    desk.sync()
    receipt = json.loads(office.envelopes()[0].receipt)
    revoke(office, desk)
    desk.platform.server = Between(office.server, lambda d: {**d, "order": receipt})

    assert (None, None) == (sync(desk), stored(desk))


def test_the_order_of_another_device_is_none(office: Any, desk: Any, make_desk: Any) -> None:
    """It names the device that it is for (R46)."""
    other = make_desk("bob")
    other.download()
    heard: list[Any] = []

    def overhear(detail: dict[str, Any]) -> dict[str, Any]:
        heard.append(detail)
        return detail

    other.platform.server = Between(office.server, overhear)
    revoke(office, other)
    revoke(office, desk)
    assert tell(other) is not None
    desk.platform.server = Between(office.server, lambda _: heard[0])

    assert (None, None) == (sync(desk), stored(desk))


@pytest.mark.parametrize("kind", ["portal", "silence"])
def test_what_is_no_answer_of_the_office_wipes_nothing(desk: Any, kind: str) -> None:
    """The sign-in page of a network, or nobody: the work stays (R17, R49)."""
    desk.platform.faults = [Fault("/sync", kind, times=99)]
    assert (None, None, None) == (sync(desk), tell(desk), stored(desk))


@pytest.mark.parametrize("contact", [sync, tell])
def test_a_revoked_device_hears_its_order_at_the_next_contact(
    office: Any, desk: Any, contact: Any
) -> None:
    """Whatever the contact is; it is stored before anything is done (R49, R52)."""
    revoke(office, desk, hand_over=False)
    heard = contact(desk)

    assert (False, False) == (heard["hand_over"], heard["is_done"])
    assert heard == stored(desk)
    assert revocation(office, desk).told_at is not None


def test_the_work_is_at_the_office_before_the_device_is_wiped(office: Any, desk: Any) -> None:
    """Everything that it has not sent, and what could not be is counted (R15, R49, R52)."""
    desk.add("One")
    desk.add("Two")
    revoke(office, desk)
    sync(desk)
    done = hand_over(desk, drafts=1)

    assert "handed_over" == done["outcome"]
    assert (True, 2, 1) == tuple(done["order"][n] for n in ("is_done", "handed", "left"))
    assert done["order"] == stored(desk)
    assert ["Of ann", "Of bob", "One", "Two"] == [r.remarks for r in office.rows()]
    found = revocation(office, desk)
    assert (2, 1) == (found.handed, found.left)


def test_what_may_not_be_handed_over_is_not_sent(office: Any, desk: Any) -> None:
    """Where the administrator did not allow it (R49, R52)."""
    desk.add("Junk")
    revoke(office, desk, hand_over=False)
    sync(desk)
    desk.platform.server = None
    done = hand_over(desk, drafts=2)

    assert ("handed_over", 0, 3) == (
        done["outcome"],
        done["order"]["handed"],
        done["order"]["left"],
    )
    assert [] == office.envelopes()


def test_who_signs_in_again_hands_over_and_gets_nothing(office: Any, desk: Any) -> None:
    """A new session of the owner opens the revoked device for nothing else (R46, R52)."""
    desk.add("Mine")
    revoke(office, desk)
    desk.platform.headers["cookie"] = office.cookie("ann")

    assert sync(desk)["hand_over"]
    assert "handed_over" == hand_over(desk)["outcome"]
    assert "Mine" in [r.remarks for r in office.rows()]


def test_without_a_session_the_owner_is_asked_to_sign_in(office: Any, desk: Any) -> None:
    """It cannot show which device it is: nothing is lost, it goes on after signing in (R22)."""
    desk.add("Mine")
    revoke(office, desk)
    sync(desk)
    desk.platform.headers.pop("cookie")
    found = hand_over(desk)
    assert ("later", "signed_out") == (found["outcome"], found["activity"])
    desk.platform.headers["cookie"] = office.cookie("ann")
    assert "handed_over" == hand_over(desk)["outcome"]


def test_the_office_may_change_its_mind(office: Any, desk: Any) -> None:
    """What waits for a connection to hand over is told at the next that it need not (R52)."""
    desk.add("Junk")
    revoke(office, desk)
    sync(desk)
    desk.platform.faults = [Fault("/sync/push", "request")]
    found = hand_over(desk)
    assert ("later", "offline") == (found["outcome"], found["activity"])
    revoke(office, desk, hand_over=False)

    assert ("handed_over", 1) == (hand_over(desk)["outcome"], stored(desk)["left"])
    assert [] == office.envelopes()


def test_a_new_key_that_the_old_one_vouches_for_signs_orders(office: Any, desk: Any) -> None:
    """The office has changed its key since the last contact: its order counts (R46)."""
    office.write(lambda session: rotate(session, None))
    office.server.state.home.inbox.signer._checked = 0.0
    revoke(office, desk)
    assert sync(desk)["hand_over"]


def test_a_key_that_nobody_vouches_for_signs_none(office: Any, desk: Any) -> None:
    """Whoever has put up an office of his own wipes nothing (R46)."""
    office.write(lambda session: rotate(session, None, distrust=True))
    office.server.state.home.inbox.signer._checked = 0.0
    revoke(office, desk)
    assert (None, None) == (sync(desk), stored(desk))


STEPS = [
    Fault("/sync/keys", "request"),
    Fault("/sync/keys", "answer"),
    Fault("/sync/push", "request"),
    Fault("/sync/push", "lines", lines=1),
    Fault("/sync/push", "answer"),
    Fault("/sync/push", "status", status=503),
    Fault("/sync/handed-over", "request"),
    Fault("/sync/handed-over", "answer"),
]


@pytest.mark.parametrize("fault", STEPS, ids=lambda f: f"{f.path}-{f.kind}")
def test_a_hand_over_that_was_cut_off_goes_on(office: Any, desk: Any, fault: Fault) -> None:
    """Wherever the line breaks or the device dies: once each, and only then it is done (R15)."""
    for remarks in ("One", "Two", "Three"):
        desk.add(remarks)
    revoke(office, desk)
    sync(desk)
    desk.platform.faults = [fault]
    hand_over(desk)
    desk.restart()
    assert stored(desk)["hand_over"]
    done = hand_over(desk)

    assert ("handed_over", 3, 0) == (
        done["outcome"],
        done["order"]["handed"],
        done["order"]["left"],
    )
    assert 3 == len(office.envelopes())
    assert 1 == [r.remarks for r in office.rows()].count("Two")


def test_a_device_that_dies_at_any_write_goes_on(
    office: Any, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each write of the way may be the last: nothing is lost, nothing twice (R15, R17)."""
    desk.add("One")
    desk.add("Two")
    revoke(office, desk)
    write, deaths = desk.store.write, 0
    while True:
        left = [deaths]

        async def dying(operations: Any, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise StoreError("UnknownError", "the device has died")
            await write(operations)

        monkeypatch.setattr(desk.store, "write", dying)
        sync(desk)
        found = hand_over(desk)
        monkeypatch.setattr(desk.store, "write", write)
        desk.restart()
        if found["outcome"] == "handed_over":
            break
        deaths += 1
        assert deaths < 20

    assert deaths >= 3
    assert stored(desk)["is_done"]
    assert ["One", "Two"] == [r.remarks for r in office.rows()][2:]


def test_an_office_in_trouble_is_waited_for(office: Any, desk: Any, monkeypatch: Any) -> None:
    """What it could not take just now is not thrown away (R17)."""
    desk.add("One")
    revoke(office, desk)
    sync(desk)
    inbox = office.server.state.home.inbox

    def broken(*_: Any) -> Any:
        raise RuntimeError("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(inbox, "_received", broken)
        assert "later" == hand_over(desk)["outcome"]
    assert "handed_over" == hand_over(desk)["outcome"]
    assert "One" in [r.remarks for r in office.rows()]


def test_an_office_that_was_put_back_does_not_hold_the_device_up(office: Any, desk: Any) -> None:
    """It has forgotten that it revoked: the order stands, the work arrives (R46, R49)."""
    desk.add("One")
    revoke(office, desk)
    sync(desk)
    desk.platform.headers["cookie"] = office.cookie("ann")
    device = tables.device_revocation
    office.write(lambda session: session.execute(sa.delete(device)))
    office.write(lambda session: session.execute(sa.update(tables.device).values(revoked=False)))

    assert "handed_over" == hand_over(desk)["outcome"]
    assert "One" in [r.remarks for r in office.rows()]


def test_a_device_tells_how_it_stands(office: Any, desk: Any) -> None:
    """What waits, what needs somebody, drafts and storage, as it knows them (R52)."""
    desk.add("Waits")
    assert tell(desk) is None
    device = desk.home.state.device
    with office.database.read_session() as session:
        found = standings(session, [device])[device]

    assert (1, 0, 1, True, 5, 10) == (
        found.waiting,
        found.attention,
        found.drafts,
        found.persisted,
        found.used,
        found.quota,
    )


def test_the_store_keeps_an_order_that_is_sound_only(desk: Any) -> None:
    """A damaged order is none: what is not proven wipes nothing."""
    for broken in (None, 1, "x", {}, {"revoked_at": 1}, {"hand_over": True}):
        asyncio.run(desk.store.write([("put", "session", NAME, broken)]))
        assert "later" == hand_over(desk)["outcome"]
