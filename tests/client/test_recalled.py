"""Keys that an office gave out, forgot and gave out again: no work reaches another's record."""

import itertools
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost.pages import Changes
from fieldpost.wire.protocol import MAX_REPORT_BYTES, MAX_REPORTED
from fieldpost_client.outbox.outbox import ATTENTION
from fieldpost_client.platform.host import Fault
from fieldpost_client.platform.memory import Crash
from fieldpost_client.sync.resend import loss_reports
from fieldpost_server.storage import tables
from inspections.app import app as inspections
from inspections.models import Equipment, Finding, Inspection, inspection_equipment

pytestmark = pytest.mark.long

THIRD = "/pages/inspection/records/3"
THIRD_NEW = "/pages/inspection/records/-1"
ROW = {"findings[0]._key": "", "findings[0].severity": "2", "findings[0].note": "Loose"}
BackUp = Callable[[], Any]


def add_online(office: Any, remarks: str = "Of another", **more: Any) -> int:
    """Let somebody online add an inspection of Ann's; return its key."""

    def work(session: Any) -> int:
        values = {"site_id": 1, "inspected_on": date(2026, 11, 23), "assignee": "ann"}
        row = Inspection(**values, remarks=remarks, **more)
        session.add(row)
        session.flush()
        return int(row.id)

    key: int = office.write(work)
    return key


def scores(office: Any) -> dict[str, int | None]:
    return {row.remarks: row.score for row in office.rows()[2:]}


def histories(office: Any) -> list[str]:
    with office.database.read_session() as session:
        query = sa.select(tables.history.c.id).order_by(tables.history.c.number)
        return list(session.scalars(query))


def lost(office: Any) -> list[tuple[Any, ...]]:
    with office.database.read_session() as session:
        table = tables.lost_key
        query = sa.select(table.c.model, table.c.real, table.c.temporary)
        return [tuple(row) for row in session.execute(query.order_by(table.c.real))]


def problems(desk: Any) -> list[list[str]]:
    return [
        [problem.code for problem in entry.receipt.problems]
        for entry in desk.home.outbox.of_state(ATTENTION)
    ]


def synced(desk: Any, times: int = 2) -> None:
    for _ in range(times):
        assert "done" == desk.sync()["outcome"]


@pytest.mark.parametrize("sent", [False, True])
def test_an_edit_follows_its_record_to_another_key(
    desk: Any, office: Any, back_up: BackUp, *, sent: bool
) -> None:
    """Where somebody online got the key meanwhile, her record stays as it is (R26, R31)."""
    backup = back_up()
    desk.add("Mine")
    desk.sync()
    desk.save(f"{THIRD}/edit", score="30")
    if sent:
        desk.sync()
    backup.restore(desk)
    assert 3 == add_online(office)
    synced(desk)

    assert {"Of another": None, "Mine": 30} == scores(office)
    assert [("inspection", 3, -1)] == lost(office)
    assert {"Of another", "Mine", "Of ann"} == set(desk.remarks())
    assert {} == desk.home.outbox.entries


def test_a_chain_of_edits_comes_out_on_its_record(desk: Any, office: Any, back_up: BackUp) -> None:
    """A new record, an edit that had arrived and one that had not end on one row (R26, R27)."""
    backup = back_up()
    desk.add("Mine")
    desk.sync()
    desk.save(f"{THIRD}/edit", score="30")
    desk.sync()
    desk.save(f"{THIRD}/edit", next_due_on="2027-01-01")
    desk.save(f"{THIRD}/edit", score="31")
    backup.restore(desk)
    add_online(office, "Mine")  # every value of `was` would fit
    synced(desk)

    found = [(r.id, r.score, str(r.next_due_on)) for r in office.rows()[2:]]
    assert [(3, None, "None"), (4, 31, "2027-01-01")] == found
    assert {} == desk.home.outbox.entries


def test_a_deletion_deletes_its_own_record(desk: Any, office: Any, back_up: BackUp) -> None:
    """Another's record with the same values stays, and the worker's own goes (R26, R31)."""
    backup = back_up()
    desk.add("Mine")
    desk.sync()
    desk.post(f"{THIRD}/delete", desk.form(f"{THIRD}/delete"))
    backup.restore(desk)
    add_online(office, "Mine")
    synced(desk)

    assert [3] == [row.id for row in office.rows()[2:]]
    assert {} == desk.home.outbox.entries


def test_new_rows_and_links_go_to_their_own_record(desk: Any, office: Any, back_up: BackUp) -> None:
    """What is added to a record, or links it, is not added to another's (R26, R31)."""
    office.write(lambda session: session.add(Equipment(id=1, name="Hammer")))
    backup = back_up()
    desk.add("Mine")
    desk.sync()
    desk.save(f"{THIRD}/edit", **ROW, equipment="[1]")
    backup.restore(desk)
    add_online(office, "Mine")
    synced(desk)

    assert [4] == [row.inspection_id for row in office.rows(Finding)]
    with office.database.read_session() as session:
        assert [(4, 1)] == [tuple(row) for row in session.execute(sa.select(inspection_equipment))]


def test_looks_are_at_their_own_record(
    desk: Any, office: Any, back_up: BackUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strict page compares what was seen with the record that was seen (R26, R31)."""
    backup = back_up()
    desk.add("Mine", **ROW)
    desk.sync()
    monkeypatch.setattr(inspections.pages["inspection"], "changes", Changes.STRICT)
    desk.save(f"{THIRD}/edit", score="30")
    backup.restore(desk)
    other = add_online(office, "Mine")
    office.write(lambda s: s.add(Finding(inspection_id=other, severity=2, note="Loose")))
    synced(desk)

    assert [None, 30] == [row.score for row in office.rows()[2:]]
    assert {} == desk.home.outbox.entries


def test_a_form_that_was_open_meanwhile_is_saved_to_its_own_record(
    desk: Any, office: Any, back_up: BackUp
) -> None:
    """What is typed while the office is put back goes where it was meant to go (R26, R31)."""
    backup = back_up()
    desk.add("Mine")
    desk.sync()
    form = desk.form(f"{THIRD}/edit")
    backup.restore(desk)
    add_online(office, "Mine")
    desk.sync()
    desk.post(f"{THIRD}/edit", {**form, "score": "30"})
    here = [(row.id, row.score) for row in desk.rows()]
    synced(desk)

    assert [(1, None), (3, None), (4, 30)] == here
    assert [None, 30] == [row.score for row in office.rows()[2:]]


def test_a_form_that_was_open_meanwhile_builds_on_what_is_pending(
    desk: Any, office: Any, back_up: BackUp
) -> None:
    """It names the entry that brings its record, whatever key its form knew (R27)."""
    backup = back_up()
    desk.add("Mine")
    desk.sync()
    form = desk.form(f"{THIRD}/edit")
    backup.restore(desk)
    add_online(office, "Mine")
    desk.platform.faults = [Fault("/sync/push", "request")]
    assert "offline" == desk.sync()["outcome"]
    desk.post(f"{THIRD}/edit", {**form, "score": "30"})
    (_, edit) = desk.home.outbox.entries.values()
    links = [each.url for each in desk.home.sync_overview(desk.home.user).entries]
    desk.restart()
    synced(desk)

    assert ((1,), (3,)) == (edit.envelope.after, edit.envelope.operations[0].key)
    assert ["/pages/inspection/records/-1"] * 2 == links
    assert [None, 30] == [row.score for row in office.rows()[2:]]


def test_a_conflict_about_a_record_with_another_key_is_repaired(
    desk: Any, office: Any, back_up: BackUp
) -> None:
    """The form shows the worker's own record, not the one that has its key now (R38)."""
    backup = back_up()
    desk.add("Mine")
    desk.save(f"{THIRD_NEW}/edit", next_due_on="2027-01-01")
    desk.sync()
    office.change(3, score=25)
    desk.sync()
    desk.save(f"{THIRD}/edit", score="30")
    backup.restore(desk)
    add_online(office)
    desk.add("Later")
    desk.sync()
    office.change(4, score=20)
    synced(desk)
    (entry,) = desk.home.outbox.of_state(ATTENTION)
    address = f"/repair/{entry.envelope.id}"
    fields = desk.form(address)
    desk.post(address, fields)
    synced(desk)

    assert ("Mine", "30") == (fields["remarks"], fields["score"])
    assert {"Of another": None, "Mine": 30, "Later": None} == scores(office)
    assert {} == desk.home.outbox.entries


def a_doubt(desk: Any, office: Any, back_up: BackUp) -> str:
    """Return the address of the repair of an edit that names another's record by now."""
    backup = back_up()
    add_online(office, "First online")
    desk.sync()
    desk.save(f"{THIRD}/edit", score="30")
    desk.add("Mine")
    desk.sync()
    desk.save(f"{THIRD}/edit", next_due_on="2027-01-01")
    backup.restore(desk)
    add_online(office, "Second online")
    desk.sync()
    (first, *_) = desk.home.outbox.of_state(ATTENTION)
    return f"/repair/{first.envelope.id}"


def test_an_edit_of_what_another_made_since_is_asked_about(
    desk: Any, office: Any, back_up: BackUp
) -> None:
    """A record that others made is never taken for one that is gone, but shown (R26, R37)."""
    address = a_doubt(desk, office, back_up)

    assert [["made_since"], ["made_since"]] == problems(desk)
    assert {"Second online": None, "Mine": None} == scores(office)
    assert "put back to an earlier state" in desk.get(address)["body"]
    assert "another record" in desk.home.sync_overview(desk.home.user).entries[0].words


@pytest.mark.parametrize("way", ["repaired", "discarded"])
def test_the_worker_decides_about_it(desk: Any, office: Any, back_up: BackUp, way: str) -> None:
    """Repair applies it to the record that the form shows, discard to none (R38, R39)."""
    address = a_doubt(desk, office, back_up)
    if way == "repaired":
        assert "Second online" == desk.form(address)["remarks"]
        desk.post(address, desk.form(address))
    else:
        desk.post(f"{address}/discard", {})
    synced(desk)

    expected = (30, "2027-01-01") if way == "repaired" else (None, "None")
    (row,) = [r for r in office.rows() if r.remarks == "Second online"]
    assert expected == (row.score, str(row.next_due_on))
    assert {} == desk.home.outbox.entries


def test_what_is_older_than_the_backup_is_not_asked_about(
    desk: Any, office: Any, back_up: BackUp
) -> None:
    """Edits of records that both states have go through, the newest record included (R26)."""
    old = add_online(office, "Old")
    desk.sync()
    backup = back_up()
    for score in ("11", "12"):
        desk.save(f"/pages/inspection/records/{old}/edit", score=score)
        desk.sync()
    desk.save(f"/pages/inspection/records/{old}/edit", remarks="Not sent")
    backup.restore(desk)
    add_online(office)
    synced(desk)

    assert {"Not sent": 12, "Of another": None} == scores(office)
    assert {} == desk.home.outbox.entries


def test_several_devices_begin_one_history(
    make_desk: Callable[..., Any], office: Any, back_up: BackUp
) -> None:
    """The first report begins a new history, the others belong to the same restore (R26, R47)."""
    desks = [make_desk("ann"), make_desk("ann"), make_desk("bob")]
    for desk in desks:
        desk.download()
    backup = back_up()
    for number, desk in enumerate(desks):
        desk.add(f"Of {number}")
        desk.sync()
    backup.restore(*desks)
    before = histories(office)
    for desk in (*desks, *desks):
        synced(desk, 1)

    assert (1, 2) == (len(before), len(histories(office)))
    assert [3, 4, 5] == sorted(real for _, real, _ in lost(office))
    assert {"Of 0", "Of 1", "Of 2"} == set(scores(office))


def test_a_device_that_has_lost_nothing_asks_about_records_of_since(
    make_desk: Callable[..., Any], office: Any, back_up: BackUp
) -> None:
    """Another's report makes it safe: old records are edited, younger ones are in doubt (R26)."""
    one, two = make_desk("ann"), make_desk("ann")
    for desk in (one, two):
        desk.download()
    backup = back_up()
    one.add("Of one")
    add_online(office, "First online")
    for desk in (one, two):
        desk.sync()
    two.save("/pages/inspection/records/1/edit", score="11")
    two.save("/pages/inspection/records/4/edit", score="44")
    backup.restore(one, two)
    add_online(office, "Second online")
    add_online(office, "Third online")
    for desk in (one, two):
        synced(desk)

    assert [["made_since"]] == problems(two)
    assert {"Second online": None, "Third online": None, "Of one": None} == scores(office)
    assert 11 == office.rows()[0].score


def test_a_link_to_a_row_that_was_made_since_is_asked_about(
    desk: Any, office: Any, back_up: BackUp
) -> None:
    """What a record is linked to is told at its field (R26, R37)."""
    backup = back_up()
    office.write(lambda session: session.add(Equipment(id=1, name="Hammer")))
    desk.add("Mine")
    desk.sync()
    desk.save("/pages/inspection/records/1/edit", equipment="[1]")
    backup.restore(desk)
    office.write(lambda session: session.add(Equipment(id=1, name="Ladder")))
    synced(desk)

    (entry,) = desk.home.outbox.of_state(ATTENTION)
    assert [("made_since", "equipment")] == [(p.code, p.path) for p in entry.receipt.problems]
    with office.database.read_session() as session:
        assert [] == session.execute(sa.select(inspection_equipment)).all()


def test_reports_are_bounded(desk: Any) -> None:
    """So many receipts go at once, and so many bytes; what is too large stays here (R66)."""
    desk.add("Mine")
    (entry,) = desk.home.outbox.entries.values()

    def sizes(*texts: str) -> list[tuple[str, int]]:
        former = tuple({"base": text[0], "signed": text} for text in texts)
        return [(b, len(some)) for b, some in loss_reports([replace(entry, forgotten=former)])]

    assert [] == sizes()
    assert [("a", MAX_REPORTED), ("a", 1), ("b", 1)] == sizes(*["a"] * (MAX_REPORTED + 1), "b")
    large = "a" * (MAX_REPORT_BYTES // 2)
    assert [("a", 2), ("a", 1)] == sizes(large, large, large)
    assert [("a", 2)] == sizes("a", large * 2 + "a", "a")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_while_the_office_is_told(
    desk: Any, office: Any, back_up: BackUp, moment: str
) -> None:
    """The power cut at any write leaves the duty to tell it, and nothing is mixed up (R21, R26)."""
    backup = back_up()
    desk.add("Mine")
    desk.sync()
    desk.save(f"{THIRD}/edit", score="30")
    stored, crashed = deepcopy(desk.store.tables), True
    for write in itertools.count(1):
        desk.store.tables = deepcopy(stored)
        desk.restart()
        backup.restore(desk)
        add_online(office, "Mine")
        desk.store.crash = {desk.store.writes + write: moment}
        try:
            desk.sync()
            crashed = False
        except Crash:
            desk.restart()
        desk.store.crash = {}
        synced(desk)

        assert [None, 30] == [row.score for row in office.rows()[2:]], f"write {write}"
        assert {} == desk.home.outbox.entries
        if not crashed:
            break
    assert write > 9


@pytest.mark.parametrize("kind", ["request", "answer"])
@pytest.mark.parametrize("skip", [0, 1])
def test_a_report_that_is_lost_is_told_again(
    desk: Any, office: Any, back_up: BackUp, kind: str, skip: int
) -> None:
    """Nothing is sent again before the office knows what it has forgotten (R26)."""
    backup = back_up()
    desk.add("Mine")
    desk.sync()
    desk.save(f"{THIRD}/edit", score="30")
    backup.restore(desk)
    add_online(office, "Mine")
    desk.platform.faults = [Fault("/sync/device", kind, skip=skip)]
    assert "offline" == desk.sync()["outcome"]
    seen = len(office.envelopes())
    desk.platform.faults = []
    desk.restart()
    synced(desk)

    assert 0 == seen
    assert [None, 30] == [row.score for row in office.rows()[2:]]
    assert 2 == len(histories(office))


def test_an_office_that_is_put_back_twice_is_told_twice(
    desk: Any, office: Any, back_up: BackUp
) -> None:
    """A backup from before the report makes it forget that, too (R26)."""
    backup = back_up()
    desk.add("Mine")
    desk.sync()
    desk.save(f"{THIRD}/edit", score="30")
    backup.restore(desk)
    add_online(office, "Mine")
    desk.platform.faults = [Fault("/sync/push", "request")]
    assert "offline" == desk.sync()["outcome"]
    backup.restore(desk)
    add_online(office, "Mine")
    add_online(office, "Mine")
    synced(desk)

    assert [None, None, 30] == [row.score for row in office.rows()[2:]]
    assert {} == desk.home.outbox.entries
