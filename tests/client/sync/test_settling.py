"""Device and server agree on how each envelope ended, whatever got lost (R26, R33, R39, R56)."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost_client.outbox.outbox import CONFIRMED, SETTLED
from fieldpost_client.platform.host import Fault
from fieldpost_server.storage import tables

EDIT = "/pages/inspection/records/1/edit"


def discard(desk: Any, number: int) -> dict[str, Any]:
    entry = desk.home.outbox.entries[number]
    answer: dict[str, Any] = desk.post(f"/repair/{entry.envelope.id}/discard", {})
    return answer


def states(desk: Any) -> list[str]:
    return [e.state for e in desk.home.outbox.history.values()]


def test_a_discard_that_comes_too_late_is_told_so(desk: Any, office: Any) -> None:
    """The answer to a push was lost, the worker discards: it was applied, and she sees it (R26)."""
    desk.save(EDIT, score="11")
    desk.platform.faults.append(Fault("/sync/push", "answer"))
    desk.sync()
    discard(desk, 1)
    gone = desk.rows()[0].score
    desk.sync()

    assert gone is None
    assert 11 == office.rows()[0].score == desk.rows()[0].score
    assert {} == desk.home.outbox.entries
    assert [CONFIRMED] == states(desk)
    assert "clean" == desk.home.status()["state"]


def test_a_discard_whose_answer_is_lost_counts_once(desk: Any, office: Any) -> None:
    """The void is sent again and known (R26, R39)."""
    desk.save(EDIT, score="11")
    discard(desk, 1)
    desk.platform.faults.append(Fault("/sync/push", "answer"))
    desk.sync()
    desk.save(EDIT, score="12")
    report = desk.sync()

    assert "done" == report["outcome"]
    assert 12 == office.rows()[0].score
    assert {} == desk.home.outbox.entries
    voids = [row for row in office.envelopes() if row.void]
    assert [(1, "accepted")] == [(row.number, row.outcome) for row in voids]


def test_a_discard_after_the_office_has_settled_is_told_so(desk: Any, office: Any) -> None:
    """Worker and supervisor end the same entry: the first counts, the other is told (R38, R39)."""
    desk.save(EDIT, score="11")
    office.change(1, score=22)
    desk.sync()
    office.add_user("boss", "Supervisor")
    home = office.server.state.home
    from fieldpost_server.accounts.users import find_user

    with home.session() as session:
        boss = find_user(session, "boss")
    refused = desk.home.outbox.entries[1].envelope.id
    assert () == home.discard(boss, home.trouble(boss, refused))
    discard(desk, 1)
    desk.sync()

    assert {} == desk.home.outbox.entries
    assert [SETTLED] == states(desk)
    (kept,) = desk.home.outbox.history.values()
    assert "boss" == kept.receipt.settled.user
    assert "Discarded by boss" in desk.get("/sync")["body"]


def test_a_server_put_back_to_a_backup_gets_again_what_it_forgot(
    desk: Any, office: Any, back_up: Callable[[], Any]
) -> None:
    """What was confirmed and then forgotten is sent once more, and applied once (R33, R56)."""
    desk.save(EDIT, score="11")
    desk.sync()
    backup = back_up()
    desk.add("After the backup")
    desk.save(EDIT, remarks="After the backup, too")
    desk.sync()
    assert "After the backup, too" == office.rows()[0].remarks
    backup.restore(desk)
    forgotten = [row.remarks for row in office.rows()]
    report = desk.sync()

    assert ["Of ann", "Of bob"] == forgotten
    assert ("done", 2) == (report["outcome"], report["accepted"])
    assert ["After the backup, too", "Of bob", "After the backup"] == [
        row.remarks for row in office.rows()
    ]
    assert sorted(["After the backup, too", "After the backup"]) == sorted(desk.remarks())
    assert {} == desk.home.outbox.entries


def test_numbers_that_are_nowhere_are_named(desk: Any, office: Any) -> None:
    """What the office lacks and the device has no more is said in words (R33)."""
    for number in range(3):
        desk.add(f"Number {number}")
    desk.sync()
    table = tables.envelope
    office.write(lambda s: s.execute(sa.delete(table).where(table.c.number == 2)))
    kept = [e for e in desk.home.outbox.history.values() if e.number == 2]
    for entry in kept:
        del desk.home.outbox.history[entry.envelope.id]
    report = desk.sync()

    assert [[2, 2]] == report["lacking"]
    assert "Never arrived at the office" in desk.get("/sync")["body"]
    assert "number 2" in desk.get("/sync")["body"]


@pytest.mark.long
def test_one_bad_envelope_among_a_hundred_stops_only_what_depends_on_it(
    desk: Any, office: Any
) -> None:
    """Ninety-eight go through, one needs attention, one waits for that (R27)."""
    desk.save(EDIT, score="11")
    addresses = [desk.add(f"Number {n}")["headers"]["location"] for n in range(98)]
    desk.save(EDIT, remarks="Depends")
    office.change(1, score=22)
    report = desk.sync()

    assert 98 == len(addresses)
    assert (98, 1, 1) == (report["accepted"], report["attention"], report["waiting"])
    assert [1, 100] == sorted(desk.home.outbox.entries)
    assert (22, "Of ann") == (office.rows()[0].score, office.rows()[0].remarks)
    assert 100 == len(office.rows())
