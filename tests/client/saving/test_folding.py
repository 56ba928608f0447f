"""Saving a form again before a sync: one envelope, where that changes nothing else (R18)."""

import asyncio
from typing import Any

import pytest

from fieldpost_client.platform.memory import Crash
from fieldpost_client.sync.push import Push
from inspections.models import Finding

EDIT = "/pages/inspection/records/1/edit"
ROW = {"findings[0]._key": "", "findings[0].severity": "2", "findings[0].note": "Loose"}


def pending(desk: Any) -> list[Any]:
    return [desk.home.outbox.entries[n] for n in sorted(desk.home.outbox.entries)]


def record_url(answer: dict[str, Any]) -> str:
    return str(answer["headers"]["location"]).partition("?")[0]


def test_a_new_record_that_is_edited_stays_one_envelope(desk: Any, office: Any) -> None:
    """What was added and then corrected arrives as it is, once (R18, R21)."""
    address = record_url(desk.add("First", **ROW))
    desk.save(f"{address}/edit", remarks="Second")
    desk.restart()
    (entry,) = pending(desk)
    here = desk.remarks()
    report = desk.sync()

    assert (1, "") == (entry.number, entry.envelope.previous)
    assert {"insert"} == {o.do for o in entry.envelope.operations}
    assert sorted(["Of ann", "Second"]) == sorted(here)
    assert 1 == report["accepted"]
    assert "Second" in [row.remarks for row in office.rows()]
    assert ["Loose"] == [finding.note for finding in office.rows(Finding)]


def test_two_edits_are_compared_with_what_was_seen_first(desk: Any, office: Any) -> None:
    """Others' changes are told from one's own, also after the second save (R18, R37)."""
    desk.save(EDIT, score="11")
    desk.save(EDIT, score="12", remarks="Mine")
    (entry,) = pending(desk)
    office.change(1, next_due_on=None, score=22)
    desk.sync()
    (told,) = pending(desk)

    (operation,) = entry.envelope.operations
    assert {"score": 12, "remarks": "Mine"} == operation.set
    assert (None, "Of ann") == (operation.was["score"], operation.was["remarks"])
    assert {"mine": 12, "theirs": 22, "was": None} == told.receipt.problems[0].detail


def test_what_may_have_been_sent_is_never_changed(desk: Any, office: Any) -> None:
    """From the moment on at which a sync begins, a save makes an envelope of its own (R18, R32)."""
    desk.save(EDIT, score="11")
    asyncio.run(Push(desk.home).gather())
    desk.restart()
    desk.save(EDIT, score="12")
    first, second = pending(desk)
    desk.sync()

    assert (1,) == second.envelope.after
    assert first.envelope.digest == second.envelope.previous
    assert 12 == office.rows()[0].score


def test_other_records_and_other_forms_in_between_are_not_folded(desk: Any) -> None:
    """Only what was saved last can be folded: the order of things stays (R18)."""
    desk.save(EDIT, score="11")
    desk.add("Between")
    desk.save(EDIT, score="12")

    assert [(), (), (1,)] == [e.envelope.after for e in pending(desk)]


def test_a_change_that_is_taken_back_still_says_so(desk: Any, office: Any) -> None:
    """Two saves that undo each other stay two: an envelope without a change is none (R18)."""
    desk.save(EDIT, score="11")
    desk.save(EDIT, score="")
    report = desk.sync()

    assert 2 == report["accepted"]
    assert office.rows()[0].score is None


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_while_folding_loses_nothing(desk: Any, office: Any, moment: str) -> None:
    """Either the first save is there or both are; never none, never half (R21)."""
    desk.save(EDIT, score="11")
    fields = {**desk.form(EDIT), "score": "12"}
    desk.store.crash = {desk.store.writes + 1: moment}
    with pytest.raises(Crash):
        desk.post(EDIT, fields)
    desk.store.crash = {}
    desk.restart()
    desk.sync()

    assert {"before": 11, "after": 12}[moment] == office.rows()[0].score
    assert {} == desk.home.outbox.entries


def test_pictures_come_along(desk: Any, office: Any) -> None:
    """An envelope folded of two holds the pictures of both (R18, R43)."""
    shots = [desk.store.stage(content) for content in (b"\xff\xd8\xff one", b"\xff\xd8\xff two")]
    photo = [
        f'[{{"sha256": "{sha}", "size": 7, "type": "image/jpeg", "name": "p.jpg"}}]'
        for sha in shots
    ]
    address = record_url(desk.add("With", **ROW, **{"findings[0].photos": photo[0]}))
    fields = desk.form(f"{address}/edit")
    both = f"{photo[0][:-1]}, {photo[1][1:]}"
    desk.post(f"{address}/edit", {**fields, "findings[0].photos": both})
    (entry,) = pending(desk)
    report = desk.sync()

    assert shots == list(entry.envelope.attachments)
    assert ("done", 1) == (report["outcome"], report["accepted"])
    (finding,) = office.rows(Finding)
    assert shots == [each.sha256 for each in finding.photos]
