"""Repair, discard and the trail on a device, against the real server (R25, R38, R39, R40)."""

import asyncio
import html
import re
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost.errors import Code, problem
from fieldpost.web.display.outcomes import OUTCOMES
from fieldpost.wire.receipts import Outcome, Receipt, Settled
from fieldpost_client.outbox.outbox import Entry
from fieldpost_client.platform.memory import Crash
from fieldpost_client.sync.push import Push
from inspections.models import Finding, Inspection

EDIT = "/pages/inspection/records/1/edit"


def words_of(page: dict[str, Any]) -> str:
    """Return a page's words without its tags."""
    main = page["body"].partition("<main")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", main)).split())


def a_conflict(desk: Any, office: Any) -> str:
    """Return the address of the repair of an edit that met another one."""
    desk.save(EDIT, score="11", next_due_on="2027-05-01")
    office.change(1, score=22, remarks="Of the office")
    desk.sync()
    return repairs(desk)[0]


def repairs(desk: Any) -> list[str]:
    text = desk.get("/sync")["body"]
    return re.findall(r'class="button primary"[^>]*href="(/repair/[^"]+)"', text)


def entries(desk: Any) -> list[str]:
    return re.findall(r'data-state="(\w+)"', desk.get("/sync")["body"].partition("<main")[2])


def test_a_conflict_is_repaired_without_a_connection(desk: Any, office: Any) -> None:
    """The form shows theirs beside mine; what is saved reaches the office as one change (R38)."""
    address = a_conflict(desk, office)
    fields = desk.form(address)
    text = desk.get(address)["body"]
    done = desk.post(address, {**fields, "score": "15"})
    mine = desk.rows()[0]
    waiting = entries(desk)
    report = desk.sync()
    theirs = office.rows()[0]

    assert ("11", "2027-05-01", "Of the office") == tuple(
        fields[name] for name in ("score", "next_due_on", "remarks")
    )
    assert 'value="put:theirs:score"' in text
    assert "/pages/inspection/records/1?done=repaired" == done["headers"]["location"]
    assert (15, "Of the office") == (mine.score, mine.remarks)
    assert ["waiting", "settled"] == waiting
    assert "clean" == report["status"]["state"]
    assert (15, "Of the office", "2027-05-01") == (
        theirs.score,
        theirs.remarks,
        str(theirs.next_due_on),
    )
    assert {} == desk.home.outbox.entries


def test_the_trail_says_what_replaced_what(desk: Any, office: Any) -> None:
    """Both entries lead to each other, with who, when and what (R25, R38)."""
    address = a_conflict(desk, office)
    refused = address.rpartition("/")[2]
    desk.post(address, {**desk.form(address), "score": "15"})
    desk.sync()
    told = words_of(desk.get(f"/entries/{refused}"))
    replaced = re.findall(r'href="/entries/([^"]+)"', desk.get(f"/entries/{refused}")["body"])
    repair = desk.get(f"/entries/{replaced[0]}")

    assert "Score empty → is now 11" in told
    assert "Saved by ann" in told
    assert "Repaired by ann" in told
    assert f"/entries/{refused}" in repair["body"]
    assert "Score 22 → is now 15" in words_of(repair)


def test_a_discarded_edit_is_gone_on_both_sides(desk: Any, office: Any) -> None:
    """It says what will be lost; then theirs holds here at once, and the office is told (R39)."""
    address = a_conflict(desk, office)
    refused = address.rpartition("/")[2]
    asked = words_of(desk.get(f"{address}/discard"))
    done = desk.post(f"{address}/discard", {})
    seen = desk.rows()[0]
    here = words_of(desk.get(f"/entries/{refused}"))
    report = desk.sync()

    assert "Score empty → is now 11" in asked
    assert "/sync?done=discarded" == done["headers"]["location"]
    assert (22, None) == (seen.score, seen.next_due_on)
    assert "It was discarded on this device." in here
    assert "clean" == report["status"]["state"]
    assert 22 == office.rows()[0].score
    assert [] == repairs(desk)


def test_edits_saved_on_top_are_part_of_one_repair(desk: Any, office: Any) -> None:
    """Two entries of one record wait for one decision (R38, R39)."""
    desk.save(EDIT, score="11")
    # the first may have been sent, so that the second is an entry of its own
    asyncio.run(Push(desk.home).gather())
    desk.save(EDIT, remarks="Mine")
    office.change(1, score=22)
    desk.sync()
    text, listed = words_of(desk.get("/sync")), entries(desk)
    (address,) = repairs(desk)
    fields = desk.form(address)
    desk.post(address, fields)
    desk.sync()

    assert ["attention", "waiting"] == listed
    assert "Waits for Inspections: North bridge" in text
    assert ("11", "Mine") == (fields["score"], fields["remarks"])
    assert (11, "Mine") == (office.rows()[0].score, office.rows()[0].remarks)
    assert {} == desk.home.outbox.entries


def test_an_invalid_new_record_is_corrected_in_its_form(desk: Any, office: Any) -> None:
    """Its rows keep their keys, and what was saved on top of it follows (R39)."""
    desk.add(
        "Wrong",
        **{"findings[0].severity": "2", "findings[0].note": "Loose", "findings[0]._key": ""},
    )
    office.write(lambda session: session.execute(sa.text("UPDATE site SET opened_on='2026-12-01'")))
    desk.sync()
    (address,) = repairs(desk)
    text = desk.get(address)["body"]
    desk.post(address, {**desk.form(address), "inspected_on": "2026-12-02"})
    desk.sync()

    assert 'id="f-inspected_on-problem"' in text
    assert "Loose" in text
    assert ["Loose"] == [finding.note for finding in office.rows(Finding)]
    assert {} == desk.home.outbox.entries


def test_a_deleted_record_is_restored_with_its_rows(desk: Any, office: Any) -> None:
    """The device still knows what the record was, rows that nobody changed included (R40)."""
    desk.save(
        EDIT,
        **{"findings[0]._key": "", "findings[0].severity": "2", "findings[0].note": "Loose"},
    )
    desk.sync()
    desk.save(EDIT, score="11")
    for statement in ("DELETE FROM finding", "DELETE FROM inspection WHERE id = 1"):
        office.write(lambda session, s=statement: session.execute(sa.text(s)))
    desk.sync()
    (address,) = repairs(desk)
    words = words_of(desk.get(address))
    done = desk.post(address, desk.form(address))
    desk.sync()
    restored = [row for row in office.rows() if row.assignee == "ann"]

    assert "Somebody deleted this inspection after you had opened it." in words
    assert 303 == done["status"], words_of(done)
    assert [11] == [row.score for row in restored]
    assert ["Loose"] == [finding.note for finding in office.rows(Finding)]


def test_a_supervisors_repair_is_told_at_the_next_sync(desk: Any, office: Any) -> None:
    """The worker reads who settled her entry and when, and has the repaired data (R38, R59)."""
    address = a_conflict(desk, office)
    refused = address.rpartition("/")[2]
    office.add_user("boss", "Supervisor")
    home = office.server.state.home
    boss = home_user(home, "boss")
    trouble = home.trouble(boss, refused)
    assert () == home.discard(boss, trouble)
    desk.sync()
    told = words_of(desk.get("/sync"))

    assert "Discarded by boss" in told
    assert [] == repairs(desk)
    assert 22 == desk.rows()[0].score
    assert "clean" == desk.home.status()["state"]
    assert 404 == desk.get(address)["status"]


def home_user(home: Any, name: str) -> Any:
    from fieldpost_server.accounts.users import find_user

    with home.session() as session:
        return find_user(session, name)


def test_a_crash_while_a_repair_is_saved_loses_nothing(desk: Any, office: Any) -> None:
    """Either the repair is there after the restart, or the trouble still is (R21, R38)."""
    for moment in ("before", "after"):
        office.change(1, score=None, remarks="Of ann")
        desk.sync()
        address = a_conflict(desk, office)
        fields = {**desk.form(address), "score": "15"}
        desk.store.crash = {desk.store.writes + 1: moment}
        with pytest.raises(Crash):
            desk.post(address, fields)
        desk.store.crash = {}
        desk.restart()
        if moment == "before":
            desk.post(address, {**desk.form(address), "score": "15"})
        desk.sync()

        assert 15 == office.rows()[0].score
        assert {} == desk.home.outbox.entries


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_words_of_its_own(outcome: Outcome) -> None:
    """The worker reads for each of the nine outcomes what it means for her (R25)."""
    words = [OUTCOMES[str(each)].own for each in Outcome]

    assert 1 == words.count(OUTCOMES[str(outcome)].own)


def test_an_entry_that_waits_for_a_repair_says_so(desk: Any) -> None:
    """Only where a repair on this device is what it waits for, the worker is sent to one (R25)."""
    desk.save(EDIT, score="11")
    (first,) = desk.home.outbox.entries.values()
    sent = receipt(first, Outcome.WAITING, problem(Code.PREDECESSOR_MISSING, count=1))
    desk.home.outbox.entries[first.number] = first.with_receipt(sent)
    desk.save(EDIT, score="12")
    second = max(desk.home.outbox.entries.values(), key=lambda entry: entry.number)
    waits = receipt(second, Outcome.WAITING, problem(Code.PREDECESSOR_OPEN, count=1))
    desk.home.outbox.entries[second.number] = second.with_receipt(waits)
    before = words_of(desk.get("/sync"))
    desk.home.outbox.entries[first.number] = first.with_receipt(receipt(first, Outcome.CONFLICT))

    assert "waits for an entry that needs attention" not in before
    assert "waits for an entry that needs attention" in words_of(desk.get("/sync"))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (Code.PREDECESSOR_OPEN, "waits for an earlier entry"),
        (Code.PREDECESSOR_MISSING, "waits for an earlier entry"),
        (Code.ATTACHMENT_MISSING, "waits for its pictures or files"),
    ],
)
def test_what_an_entry_waits_for_is_said(desk: Any, code: Code, words: str) -> None:
    """Waiting is not one thing: each kind has its words (R25)."""
    desk.add("Waits")
    (entry,) = desk.home.outbox.entries.values()
    waits = receipt(entry, Outcome.WAITING, problem(code, count=1))
    desk.home.outbox.entries[entry.number] = entry.with_receipt(waits)

    assert words in words_of(desk.get("/sync"))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("superseded", "Repaired by boss, 23 Nov 2026"),
        ("discarded", "Discarded by boss, 23 Nov 2026"),
    ],
)
def test_who_settled_an_entry_is_said(desk: Any, how: str, words: str) -> None:
    """An entry that somebody else has settled says who and when (R25, R38)."""
    desk.add("Settled")
    (entry,) = desk.home.outbox.entries.values()
    settled = Settled(how, "e-9", "boss", "2026-11-23T08:00:00+00:00")
    told = receipt(entry, Outcome.CONFLICT, settled=settled)
    desk.home.outbox.entries[entry.number] = entry.with_receipt(told)
    page = desk.get("/sync")

    assert words in words_of(page)
    assert ["settled"] == entries(desk)
    assert [] == repairs(desk)


def receipt(entry: Entry, outcome: Outcome, *problems: Any, settled: Any = None) -> Receipt:
    envelope = entry.envelope
    return Receipt(
        envelope.id,
        envelope.device,
        envelope.number,
        envelope.digest,
        outcome,
        problems,
        settled=settled,
    )


def test_an_entry_that_is_not_sent_yet_can_be_discarded(desk: Any, office: Any) -> None:
    """A form saved by mistake is taken back before anybody has seen it (R39)."""
    desk.add("By mistake")
    (entry,) = desk.home.outbox.entries.values()
    page = desk.get(f"/entries/{entry.envelope.id}")
    done = desk.post(f"/repair/{entry.envelope.id}/discard", {})
    desk.sync()

    assert f"/repair/{entry.envelope.id}/discard" in page["body"]
    assert 303 == done["status"]
    assert ["Of ann", "Of bob"] == [row.remarks for row in office.rows(Inspection)]
    assert ["Of ann"] == desk.remarks()


@pytest.mark.parametrize("address", ["/entries/x", "/repair/x", "/repair/x/discard"])
def test_an_unknown_entry_is_not_found(desk: Any, address: str) -> None:
    """What this device does not know, it says so in words (R66)."""
    assert 404 == desk.get(address)["status"]
