"""Every envelope ends up applied exactly once, whatever happens on the way."""

import asyncio
import json
from typing import Any

import pytest

from client_forms import posted
from ed25519 import Key
from fieldpost_client.platform.host import Fault
from fieldpost_client.platform.memory import Crash
from fieldpost_client.replica.server_keys import ServerKeys
from fieldpost_client.sync.push import Push

EDIT = "/pages/inspection/records/1/edit"


def test_sync_empties_the_outbox(desk: Any, office: Any) -> None:
    """After a sync the record has its real key and nothing waits (R24, R35)."""
    desk.add("Loose rail")
    report = desk.sync()
    assert (report["outcome"], report["sent"], report["accepted"]) == ("done", 1, 1)
    assert report["status"]["state"] == "clean"
    assert desk.home.outbox.entries == {}
    assert [r.remarks for r in office.rows()] == ["Of ann", "Of bob", "Loose rail"]
    assert [r.id for r in desk.rows()] == [1, 3]
    assert "Applied at the office" in desk.get("/sync")["body"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("/sync/push", "request"),
        Fault("/sync/push", "answer"),
        Fault("/sync/push", "lines", lines=1),
        Fault("/sync/push", "death", lines=1),
        Fault("/sync/pull", "request"),
        Fault("/sync/pull", "answer"),
    ],
)
def test_lost_connection_applies_once(desk: Any, office: Any, fault: Fault) -> None:
    """A connection lost anywhere: the next sync goes on, each envelope applied once (R26)."""
    for name in ("One", "Two", "Three"):
        desk.add(name)
    desk.platform.faults.append(fault)
    report = desk.sync()
    assert report["outcome"] == "offline"
    assert sorted(desk.remarks()) == ["Of ann", "One", "Three", "Two"]
    assert desk.sync()["outcome"] == "done"
    assert [r.remarks for r in office.rows()] == ["Of ann", "Of bob", "One", "Two", "Three"]
    assert sorted(desk.remarks()) == ["Of ann", "One", "Three", "Two"]
    assert desk.home.status()["state"] == "clean"


def test_twenty_envelopes_and_a_dying_server(desk: Any, office: Any) -> None:
    """Twenty saved forms arrive once each although the server dies among them (R26)."""
    names = [f"Form {number:02}" for number in range(20)]
    for name in names:
        desk.add(name)
    desk.platform.faults += [
        Fault("/sync/push", "death", lines=7),
        Fault("/sync/push", "death", lines=3),
    ]
    assert desk.sync()["outcome"] == "offline"
    desk.restart()
    assert desk.sync()["outcome"] == "offline"
    report = desk.sync()
    assert (report["outcome"], report["sent"]) == ("done", 10)
    assert [r.remarks for r in office.rows()][2:] == names
    assert [e.number for e in office.envelopes()] == list(range(1, 21))


@pytest.mark.parametrize("moment", ["before", "after"])
def test_crash_at_every_write_of_a_sync(desk: Any, office: Any, moment: str) -> None:
    """A power cut at any store write of a sync loses nothing and doubles nothing (R21, R26)."""
    saved = 0
    for number in range(1, 6):
        saved += 1
        desk.add(f"Form {saved}")
        desk.store.crash = {desk.store.writes + number: moment}
        try:
            desk.sync()
        except Crash:
            assert desk.restart()["ready"]
            assert f"Form {saved}" in desk.remarks()
        desk.store.crash = {}
    assert desk.sync()["outcome"] == "done"
    assert sorted(r.remarks for r in office.rows()[2:]) == [f"Form {n + 1}" for n in range(saved)]
    assert sorted(desk.remarks()) == sorted(["Of ann", *(f"Form {n + 1}" for n in range(saved))])


def test_store_that_refuses_a_receipt(desk: Any, office: Any) -> None:
    """When a receipt cannot be stored the envelope is asked about again (R22, R26)."""
    desk.add("One")
    desk.store.fail = {desk.store.writes + 1: "QuotaExceededError"}
    report = desk.sync()
    assert report["outcome"] == "trouble"
    assert "no space left" in report["problems"][0]["message"]
    assert desk.sync()["outcome"] == "done"
    assert len(office.rows()) == 3


def test_changes_of_both_sides_are_merged(desk: Any, office: Any) -> None:
    """Fields that only one side changed are merged (R37)."""
    desk.save(EDIT, remarks="Mine")
    office.change(1, score=77)
    report = desk.sync()
    assert (report["accepted"], report["attention"]) == (1, 0)
    (row,) = desk.rows()
    assert (row.remarks, row.score) == ("Mine", 77)
    assert "somebody else" in desk.get("/sync")["body"]


def test_conflict_is_kept(desk: Any, office: Any) -> None:
    """Both changed one field: nothing is overwritten, the envelope waits for a decision (R37)."""
    desk.save(EDIT, remarks="Mine")
    office.change(1, remarks="Theirs")
    report = desk.sync()
    assert (report["outcome"], report["accepted"], report["attention"]) == ("done", 0, 1)
    assert desk.remarks() == ["Theirs"]
    assert office.rows()[0].remarks == "Theirs"
    desk.restart()
    status = desk.home.status()
    assert (status["state"], status["attention"]) == ("attention", 1)
    (entry,) = desk.home.outbox.entries.values()
    assert entry.receipt.problems[0].detail == {"mine": "Mine", "theirs": "Theirs", "was": "Of ann"}
    desk.add("Goes through")
    assert desk.sync()["accepted"] == 1


def test_pending_work_is_rebased(desk: Any, office: Any) -> None:
    """What is saved while a sync runs is replayed on the new replica and waits for the next."""
    office.change(1, score=12)
    desk.add("Before")
    fields = {**desk.form(EDIT), "remarks": "While it ran"}
    fetch = desk.platform.fetch

    async def busy(method: str, path: str, headers: Any = None, body: Any = None) -> Any:
        if path.startswith("/sync/pull"):
            answer = await desk.client.request(posted(EDIT, fields))
            assert answer["status"] == 303
        return await fetch(method, path, headers, body)

    desk.platform.fetch = busy
    report = desk.sync()
    desk.platform.fetch = fetch
    assert report["outcome"] == "done"
    assert report["status"]["words"] == "1 waiting"
    assert [(r.remarks, r.score) for r in desk.rows()] == [("While it ran", 12), ("Before", None)]
    assert desk.sync()["accepted"] == 1
    assert [r.remarks for r in office.rows()] == ["While it ran", "Of bob", "Before"]


def test_temporary_keys_across_syncs(desk: Any, office: Any) -> None:
    """A form opened on a temporary key is saved after the sync, to the real record (R31)."""
    desk.add("New")
    opened = desk.form("/pages/inspection/records/-1/edit")
    desk.save("/pages/inspection/records/-1/edit", remarks="Changed before")
    desk.sync()
    assert desk.get("/pages/inspection/records/-1")["headers"]["location"].endswith("/3")
    late = desk.post("/pages/inspection/records/-1/edit", {**opened, "score": "40"})
    assert late["status"] == 303
    assert late["headers"]["location"].startswith("/pages/inspection/records/3")
    assert [(r.id, r.score) for r in desk.rows()] == [(1, None), (3, 40)]
    desk.restart()
    assert desk.sync()["accepted"] == 1
    row = office.rows()[-1]
    assert (row.id, row.remarks, row.score) == (3, "Changed before", 40)


def test_push_without_pull_shows_real_keys(desk: Any) -> None:
    """When the sync breaks off after the receipts, later saves still find the record (R31)."""
    desk.add("New")
    desk.platform.faults.append(Fault("/sync/pull", "request"))
    assert desk.sync()["outcome"] == "offline"
    assert [r.id for r in desk.rows()] == [1, 3]
    desk.save("/pages/inspection/records/3/edit", remarks="Later")
    desk.restart()
    assert sorted(desk.remarks()) == ["Later", "Of ann"]
    assert desk.sync()["accepted"] == 1
    assert sorted(desk.remarks()) == ["Later", "Of ann"]


def test_foreign_receipts_change_nothing(desk: Any) -> None:
    """A receipt for something else, or for other content, confirms nothing (R32)."""
    desk.add("Mine")
    entry = desk.home.outbox.entries[1]
    push, key = Push(desk.home), Key()
    desk.home.state.server_keys = ServerKeys({key.id: key.public})
    receipt = key.receipt(envelope="someone-elses", outcome="accepted", digest="x")
    forged = key.receipt(envelope=entry.envelope.id, outcome="accepted", digest="sha256:0")
    for line in (json.dumps(receipt), json.dumps(forged), "<html>", "[1]", '{"outcome": "x"}'):
        asyncio.run(push._take(line))
    assert push.report.unknown == ["someone-elses", entry.envelope.id]
    assert push.report.unreadable == 3
    assert desk.home.outbox.entries[1].state == "pending"


def test_no_connection_says_so(desk: Any) -> None:
    """Online means that the server answered (R28)."""
    desk.add("One")
    server, desk.platform.server = desk.platform.server, None
    assert desk.sync()["outcome"] == "offline"
    assert desk.home.status()["words"] == "No connection, 1 waiting"
    desk.platform.server = server
    assert desk.sync()["status"]["state"] == "clean"


def test_ended_session_asks_for_a_sign_in(desk: Any) -> None:
    """When the session has ended the work is kept and a sign-in is asked for."""
    desk.add("One")
    cookie = desk.platform.headers.pop("cookie")
    report = desk.sync()
    assert (report["outcome"], report["status"]["state"]) == ("signed_out", "attention")
    desk.platform.headers["cookie"] = cookie
    assert desk.sync()["accepted"] == 1


def test_other_user_sends_nothing(desk: Any, office: Any) -> None:
    """With somebody else signed in to the server this device's work stays where it is."""
    desk.add("One")
    desk.platform.headers["cookie"] = office.cookie("bob")
    report = desk.sync()
    assert report["outcome"] == "trouble"
    assert (report["accepted"], report["attention"]) == (0, 0)
    assert office.envelopes() == []
    assert desk.home.status()["waiting"] == 1


def test_two_syncs_at_once_are_one(desk: Any, office: Any) -> None:
    """A tap on Sync twice does it once (R26)."""
    desk.add("One")

    async def both() -> Any:
        return await asyncio.gather(desk.client.sync.sync(), desk.client.sync.sync())

    first, second = asyncio.run(both())
    assert first == second
    assert len(office.envelopes()) == 1


def test_sign_out_forgets(desk: Any) -> None:
    """After signing out nothing of the user is left in memory (R49)."""
    asyncio.run(desk.client.sign_out())
    assert desk.home.state.user is None
    assert desk.get("/")["status"] == 421
