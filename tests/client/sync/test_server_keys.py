"""A device believes nobody but its server: receipts are verified as they arrive (R33)."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from ed25519 import Key, verified
from fieldpost_client.platform.host import HostPlatform
from fieldpost_client.replica.server_keys import ServerKeys, first_use, followed
from fieldpost_server.signing.keyring import rotate


class Liar:
    """Stands between device and server and changes lines of the answers to pushes."""

    def __init__(self, server: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.server, self.change = server, change

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if message["type"] == "http.response.body" and scope["path"] == "/sync/push":
                lines = message.get("body", b"").decode().splitlines()
                told = [json.dumps(self.change(json.loads(line))) + "\n" for line in lines]
                message = {**message, "body": "".join(told).encode()}
            await send(message)

        await self.server(scope, receive, sent)


def server_keys(desk: Any) -> ServerKeys:
    found: ServerKeys = desk.home.state.server_keys
    return found


def turn(office: Any, **how: bool) -> str:
    """Replace the office's key, and let the server notice at once."""
    made: str = office.write(lambda session: rotate(session, None, **how))
    office.server.state.home.inbox.signer._checked = 0.0
    return made


@pytest.mark.parametrize(
    "change",
    [
        lambda r: {**r, "outcome": "accepted", "keys": []},
        lambda r: {**r, "received_at": "2020-01-01T00:00:00.000+00:00"},
        lambda r: {**r, "more": 1},
        lambda r: {n: v for n, v in r.items() if n != "signature"},
        lambda r: {**r, "signature": ""},
        lambda r: {**r, "signature": 7},
        lambda r: {**r, "signature": "no base64!"},
        lambda r: {**r, "key": "0000000000000000"},
        lambda r: {n: v for n, v in r.items() if n != "key"},
        lambda r: Key().receipt(**{n: v for n, v in r.items() if n not in ("key", "signature")}),
    ],
)
def test_a_receipt_that_was_not_signed_so_changes_nothing(
    desk: Any, office: Any, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """It is counted and said in words; the envelope waits, and goes through later (R32, R33)."""
    desk.add("Loose rail")
    desk.platform.server = Liar(office.server, change)
    report = desk.sync()

    assert ("unverified", 1, 0) == (report["outcome"], report["unverified"], report["accepted"])
    assert ["receipt_unverified"] == [p["code"] for p in report["problems"]]
    assert ("attention", 1) == (report["status"]["state"], report["status"]["waiting"])
    assert desk.store.tables["outbox"][1]["receipt"] is None
    assert "pending" == desk.home.outbox.entries[1].state

    desk.platform.server = office.server
    report = desk.sync()
    assert ("done", 1, 0) == (report["outcome"], report["accepted"], report["unverified"])
    assert ["Of ann", "Of bob", "Loose rail"] == [row.remarks for row in office.rows()]


def test_one_forged_receipt_leaves_the_others(desk: Any, office: Any) -> None:
    """Genuine receipts of the same push count (R27, R33)."""
    for name in ("One", "Two", "Three"):
        desk.add(name)
    desk.platform.server = Liar(
        office.server, lambda r: {**r, "outcome": "invalid"} if r["number"] == 2 else r
    )
    report = desk.sync()

    assert (2, 1) == (report["accepted"], report["unverified"])
    assert [2] == list(desk.home.outbox.entries)


def test_the_signed_receipt_is_kept_and_shown(desk: Any) -> None:
    """What the office has signed is on the device, in the outbox and after it (R25, R33)."""
    desk.add("Kept")
    desk.sync()
    (kept,) = desk.store.tables["history"].values()
    desk.restart()
    receipt = json.loads(kept["signed"])

    assert "accepted" == receipt["outcome"]
    assert receipt["key"] in server_keys(desk).believed
    (entry,) = desk.home.outbox.history.values()
    assert kept["signed"] == entry.signed
    assert receipt["signature"] in desk.get("/sync")["body"]
    assert receipt["key"] in desk.get("/sync")["body"]


def test_receipts_that_need_attention_are_signed_too(desk: Any, office: Any) -> None:
    """A refusal is verified and kept with its signature (R33)."""
    desk.save("/pages/inspection/records/1/edit", remarks="Mine")
    office.change(1, remarks="Theirs")
    report = desk.sync()

    assert (1, 0) == (report["attention"], report["unverified"])
    assert "conflict" == json.loads(desk.home.outbox.entries[1].signed)["outcome"]


def test_a_device_follows_every_endorsed_key(desk: Any, office: Any) -> None:
    """However many rotations it missed, and in the very sync that meets the new key (R33)."""
    first = list(server_keys(desk).believed)
    made = [turn(office) for _ in range(3)]
    desk.add("After three rotations")
    report = desk.sync()

    assert ("done", 1, 0) == (report["outcome"], report["accepted"], report["unverified"])
    assert 1 == desk.platform.requests.count(("GET", "/sync/keys"))
    desk.restart()
    assert [*first, *made] == list(server_keys(desk).believed)


def test_a_pull_brings_new_keys(desk: Any, office: Any) -> None:
    """A device that only pulls learns of them too (R33)."""
    made = turn(office)
    desk.sync()

    assert made in server_keys(desk).believed
    assert ("GET", "/sync/keys") not in desk.platform.requests


def test_a_distrusted_key_asks_for_a_new_sign_in(desk: Any, office: Any) -> None:
    """Nothing that is signed with the new key counts before she has signed in (R33)."""
    (old,) = server_keys(desk).believed
    new = turn(office, distrust=True)
    desk.add("Meanwhile")
    report = desk.sync()

    assert ("identity_changed", 1, 0) == (
        report["outcome"],
        report["unverified"],
        report["accepted"],
    )
    assert ["identity_changed"] == [p["code"] for p in report["problems"]]
    desk.restart()
    assert "identity has changed" in desk.home.status()["words"]
    assert "identity_changed" == desk.sync()["outcome"]

    report = asyncio.run(desk.client.sync.sync(signed_in=True))
    assert ("done", 1) == (report["outcome"], report["accepted"])
    assert ([new], [old]) == (list(server_keys(desk).believed), list(server_keys(desk).former))
    assert ["Of ann", "Of bob", "Meanwhile"] == [row.remarks for row in office.rows()]


def test_signing_in_alone_gives_no_trust_away(desk: Any, office: Any) -> None:
    """A session that ended is no reason to believe a stranger: first it is said in words (R33)."""
    turn(office, distrust=True)
    desk.add("Meanwhile")
    report = asyncio.run(desk.client.sync.sync(signed_in=True))

    assert ("identity_changed", 0) == (report["outcome"], report["accepted"])


def test_a_key_that_cannot_be_stored_is_not_believed(desk: Any, office: Any) -> None:
    """Trust is durable before it counts (R33)."""
    turn(office)
    desk.add("Waits")
    desk.store.fail = {desk.store.writes + 1: "QuotaExceededError"}
    report = desk.sync()

    assert ("trouble", ["storage_full"]) == (
        report["outcome"],
        [p["code"] for p in report["problems"]],
    )
    assert 1 == len(server_keys(desk).believed)
    assert 1 == desk.sync()["accepted"]


@pytest.fixture
def platform() -> HostPlatform:
    """A device that can verify."""
    return HostPlatform(verifier=verified)


def test_the_first_key_is_believed_and_none_before_it(platform: HostPlatform) -> None:
    """Whoever gets to know the office now has no use for its retired keys (R33)."""
    old, new = Key(), Key()
    found = asyncio.run(followed(platform, ServerKeys(), [old.listed(), new.listed(old)]))

    assert ServerKeys({new.id: new.public}) == found


def test_only_endorsements_of_believed_keys_count(platform: HostPlatform) -> None:
    """A chain that breaks anywhere ends there (R33)."""
    first, second, third, thief = Key(), Key(), Key(), Key()
    held = ServerKeys({first.id: first.public})
    forged = {**second.listed(thief), "endorsed_by": first.id}
    swapped = {**second.listed(first), "public": thief.public}
    misnamed = {**thief.listed(first), "id": second.id}
    for broken in (second.listed(), second.listed(thief), forged, swapped, misnamed):
        listed = [first.listed(), broken, third.listed(second)]
        found = asyncio.run(followed(platform, held, listed))
        assert (held.believed, True) == (found.believed, found.changed), broken

    sound = [first.listed(), second.listed(first), third.listed(second)]
    found = asyncio.run(followed(platform, held, sound))
    assert ([first.id, second.id, third.id], False) == (list(found.believed), found.changed)


@pytest.mark.parametrize("listed", [None, [], {}, "x", [1, None, {}], [{"public": "?", "id": 1}]])
def test_a_server_without_keys_changes_no_trust(platform: HostPlatform, listed: Any) -> None:
    """What is no list of keys is looked at no further (R33)."""
    key = Key()
    held = ServerKeys({key.id: key.public})

    assert held == asyncio.run(followed(platform, held, listed))
    assert held == first_use(held, listed)


def test_a_believed_key_that_comes_back_ends_the_doubt(platform: HostPlatform) -> None:
    """Where the server was mistaken, or somebody stood between, the next contact heals it (R33)."""
    mine, stranger = Key(), Key()
    held = ServerKeys({mine.id: mine.public})
    doubted = asyncio.run(followed(platform, held, [stranger.listed()]))
    assert doubted.changed
    assert held == asyncio.run(followed(platform, doubted, [mine.listed()]))
