"""A browser that was put back to an earlier state goes on, nothing is doubled (R32, R33, R56)."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fieldpost_client.platform.host import Fault
from fieldpost_client.platform.memory import Crash
from inspections.models import Finding

EDIT = "/pages/inspection/records/1/edit"
ROW = {"findings[0]._key": "", "findings[0].severity": "2", "findings[0].note": "Loose"}


@pytest.fixture
def put_back(desk: Any) -> Any:
    """Ann's device: a new record waits; then it was copied, sent that and one more, and came back.

    What it sent after the copy it does not know of any more.
    """
    desk.add("Known to both", **ROW)
    before = copy.deepcopy(desk.store.tables)
    desk.sync()
    desk.save(EDIT, score="11")
    desk.sync()
    desk.store.tables = before
    desk.restart()
    return desk


def remarks(office: Any) -> list[str]:
    return sorted(row.remarks for row in office.rows())


def test_what_was_saved_since_arrives_once(put_back: Any, office: Any) -> None:
    """Its numbers were used before: it goes on under another id, in the same sync (R33, R56)."""
    device = put_back.home.state.device
    put_back.add("Saved after the copy came back")
    put_back.save(EDIT, score="11", next_due_on="2027-05-01")
    report = put_back.sync()

    assert ("done", "clean") == (report["outcome"], report["status"]["state"])
    assert device != put_back.home.state.device
    assert ["Known to both", "Of ann", "Of bob", "Saved after the copy came back"] == remarks(
        office
    )
    assert (11, "2027-05-01") == (office.rows()[0].score, str(office.rows()[0].next_due_on))
    assert ["Loose"] == [finding.note for finding in office.rows(Finding)]
    assert {} == put_back.home.outbox.entries
    assert 2 == len({row.device for row in office.envelopes()})


def test_what_was_saved_on_top_finds_its_record(put_back: Any, office: Any) -> None:
    """A record whose real key came back with the answer is named by that key from then on (R31)."""
    (entry,) = put_back.home.outbox.entries.values()
    address = f"/pages/inspection/records/{entry.record[0]}/edit"
    # the copy has sent the first; whatever is saved now is an envelope of its own
    put_back.home.state.sent_to = 1
    put_back.save(address, remarks="Known to both, edited")
    put_back.sync()

    assert ["Known to both, edited", "Of ann", "Of bob"] == remarks(office)
    assert {} == put_back.home.outbox.entries


def test_a_conflict_stays_one_under_the_new_id(put_back: Any, office: Any) -> None:
    """Others' work is not overwritten by going on (R37)."""
    put_back.save(EDIT, score="12")
    report = put_back.sync()
    (entry,) = put_back.home.outbox.entries.values()

    assert ("done", 1) == (report["outcome"], report["status"]["attention"])
    assert "conflict" == str(entry.receipt.outcome)
    assert 11 == office.rows()[0].score
    put_back.post(
        f"/repair/{entry.envelope.id}",
        {**put_back.form(f"/repair/{entry.envelope.id}"), "score": "13"},
    )
    put_back.sync()
    assert 13 == office.rows()[0].score
    assert {} == put_back.home.outbox.entries


@pytest.mark.long
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 11))
def test_a_crash_while_enrolling_loses_nothing(
    put_back: Any, office: Any, number: int, moment: str
) -> None:
    """At whatever write the power fails, the next sync brings everything, once (R21, R26)."""
    put_back.add("Saved after the copy came back")
    put_back.store.crash = {put_back.store.writes + number: moment}
    with pytest.raises(Crash):
        put_back.sync()
    put_back.store.crash = {}
    put_back.restart()
    put_back.sync()

    assert 1 == remarks(office).count("Saved after the copy came back")
    assert {} == put_back.home.outbox.entries


@pytest.mark.parametrize("claim", ["1", "999"], ids=["applied", "refused"])
def test_work_whose_id_another_has_used_arrives_under_another(
    desk: Any, make_desk: Callable[..., Any], office: Any, claim: str
) -> None:
    """An id is seen in files and logs: who sends it first ends nobody's work (R21, R33)."""
    desk.add("Known to both", **ROW)
    (entry,) = desk.home.outbox.entries.values()
    address = f"/pages/inspection/records/{entry.record[0]}/edit"
    # the first may have been sent: what follows is an envelope of its own
    desk.home.state.sent_to = 1
    desk.save(address, remarks="Known to both, edited")
    bob = make_desk("bob")
    bob.download()
    bob.platform.ids = lambda: entry.envelope.id
    bob.add("Of a thief")
    (thief,) = bob.home.outbox.entries.values()
    if claim == "999":
        bad = replace(thief.envelope.operations[0], set={"site_id": 999})
        made = replace(thief.envelope, operations=(bad,)).sealed()
        bob.home.outbox.entries[thief.number] = replace(thief, envelope=made, text=made.to_text())
    assert entry.envelope.id == thief.envelope.id
    bob.sync()
    report = desk.sync()

    assert ("done", "clean") == (report["outcome"], report["status"]["state"])
    assert {} == desk.home.outbox.entries
    expected = ["Known to both, edited", "Of a thief", "Of ann", "Of bob"]
    assert [each for each in expected if claim == "1" or each != "Of a thief"] == remarks(office)
    assert ["Loose"] == [finding.note for finding in office.rows(Finding)]


def test_an_answer_that_is_lost_meanwhile_does_no_harm(put_back: Any, office: Any) -> None:
    """The first push under the new id is sent again (R26)."""
    put_back.add("Saved after the copy came back")
    put_back.platform.faults.append(Fault("/sync/push", "answer", skip=1))
    put_back.sync()
    put_back.sync()

    assert 1 == remarks(office).count("Saved after the copy came back")
    assert {} == put_back.home.outbox.entries
