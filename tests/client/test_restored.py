"""The office is put back to an earlier backup: devices send again what it has forgotten."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost_client.outbox.outbox import HISTORY_LENGTH
from fieldpost_client.platform.host import Fault
from fieldpost_client.platform.memory import Crash
from fieldpost_server.inbox.dependencies import missing_numbers

pytestmark = pytest.mark.long

EDIT = "/pages/inspection/records/1/edit"
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 1_000


def saved(office: Any) -> list[str]:
    return [row.remarks for row in office.rows()]


def missing(office: Any, desk: Any) -> list[list[int]]:
    with office.database.read_session() as session:
        return missing_numbers(session, desk.home.state.device)


def is_in_step(office: Any, desk: Any) -> bool:
    """Say whether a device has nothing left to do, and the rows of its worker."""
    own = [r for r in office.rows() if r.assignee == desk.home.user.name]
    here = [(r.id, r.remarks, r.score) for r in desk.rows()]
    is_same = sorted((r.id, r.remarks, r.score) for r in own) == sorted(here)
    return is_same and not desk.home.outbox.entries and not missing(office, desk)


def test_what_was_forgotten_is_sent_again(
    desk: Any, office: Any, back_up: Callable[[], Any]
) -> None:
    """After one sync everything is there once, edits of new records included (R26)."""
    desk.add("Known")
    desk.sync()
    backup = back_up()
    desk.add("Forgotten")
    desk.save(EDIT, score="11")
    desk.sync()
    desk.save("/pages/inspection/records/4/edit", score="12")
    desk.sync()
    backup.restore(desk)
    forgotten = saved(office)
    report = desk.sync()

    assert ["Of ann", "Of bob", "Known"] == forgotten
    assert ("done", True, 3) == (report["outcome"], report["full"], report["accepted"])
    assert ["Of ann", "Of bob", "Known", "Forgotten"] == saved(office)
    assert [11, None, None, 12] == [row.score for row in office.rows()]
    assert is_in_step(office, desk)
    assert 0 == desk.sync()["sent"]


@pytest.mark.usefixtures("desk")  # an office that has its signing key
def test_a_device_that_was_forgotten_is_taken_in_again(
    make_desk: Callable[..., Any], office: Any, back_up: Callable[[], Any]
) -> None:
    """A backup from before the device's first download does not shut it out (R26)."""
    backup = back_up()
    late = make_desk("bob")
    late.download()
    late.add("Forgotten")
    late.sync()
    late.add("Not sent yet")
    backup.restore(late)
    report = late.sync()

    assert "done" == report["outcome"], report["problems"]
    assert {"Of ann", "Of bob", "Forgotten", "Not sent yet"} == set(saved(office))
    assert 4 == len(saved(office))
    assert is_in_step(office, late)


@pytest.mark.usefixtures("desk")  # an office that has its signing key
def test_nobody_takes_over_a_device_that_was_forgotten(
    make_desk: Callable[..., Any], office: Any, back_up: Callable[[], Any]
) -> None:
    """With somebody else signed in the device stays its worker's, and sends nothing (R49)."""
    backup = back_up()
    late = make_desk("bob")
    late.download()
    late.add("Forgotten")
    late.sync()
    backup.restore(late)
    own, late.platform.headers["cookie"] = late.platform.headers["cookie"], office.cookie("ann")
    refused = late.sync()
    late.platform.headers["cookie"] = own

    assert ("trouble", "device_of_another") == (refused["outcome"], refused["problems"][0]["code"])
    assert "done" == late.sync()["outcome"]
    assert ["Of ann", "Of bob", "Forgotten"] == saved(office)


@pytest.mark.parametrize("moved_on", [False, True])
def test_several_devices_come_back(
    make_desk: Callable[..., Any], office: Any, back_up: Callable[[], Any], *, moved_on: bool
) -> None:
    """Each brings its own, also when the office has worked on meanwhile (R26, R47)."""
    desks = [make_desk("ann"), make_desk("ann"), make_desk("bob")]
    for desk in desks:
        desk.download()
    backup = back_up()
    for number, desk in enumerate(desks):
        desk.add(f"First of {number}")
        desk.sync()
        desk.add(f"Second of {number}")
        desk.sync()
    backup.restore(*desks)
    if moved_on:
        for number in range(30):
            office.change(1, score=number)
    for _ in range(2):
        for desk in reversed(desks):
            assert "done" == desk.sync()["outcome"]

    wanted = [f"{which} of {n}" for n in range(3) for which in ("First", "Second")]
    assert sorted([*wanted, "Of ann", "Of bob"]) == sorted(saved(office))
    assert [True] * 3 == [is_in_step(office, desk) for desk in desks]


@pytest.mark.parametrize("restart", [False, True])
def test_files_are_sent_again(
    desk: Any, office: Any, back_up: Callable[[], Any], *, restart: bool
) -> None:
    """A record that was forgotten comes back with its picture (R26, R43)."""
    backup = back_up()
    sha256 = desk.store.stage(PNG, "image/png", "s.png")
    reference = {"sha256": sha256, "size": len(PNG), "type": "image/png", "name": "s.png"}
    desk.add("Signed", signature=json.dumps(reference))
    desk.sync()
    backup.restore(desk)
    # the folder of files was put back as well
    (office.settings.data / "attachments" / sha256[:2] / sha256).unlink(missing_ok=True)
    if restart:
        desk.restart()
    report = desk.sync()

    assert ("done", 0) == (report["outcome"], report["waiting"])
    assert sha256 == office.rows()[-1].signature.sha256
    assert is_in_step(office, desk)
    assert sha256 in desk.store.tables["attachments"]


def test_a_file_that_waits_is_sent_again(
    desk: Any, office: Any, back_up: Callable[[], Any]
) -> None:
    """What had arrived of an envelope that had not is not believed to be there still (R43)."""
    backup = back_up()
    sha256 = desk.store.stage(PNG, "image/png", "s.png")
    reference = {"sha256": sha256, "size": len(PNG), "type": "image/png", "name": "s.png"}
    desk.add("Signed", signature=json.dumps(reference))
    desk.platform.faults = [Fault("/sync/push", "request")]
    assert "offline" == desk.sync()["outcome"]
    backup.restore(desk)

    assert ("done", 0) == (desk.sync()["outcome"], desk.home.status()["waiting"])
    assert sha256 == office.rows()[-1].signature.sha256


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_while_it_is_sent_again(
    desk: Any, office: Any, back_up: Callable[[], Any], moment: str
) -> None:
    """The power cut at any write of that sync loses nothing and doubles nothing (R21, R26)."""
    backup = back_up()
    desk.add("One")
    desk.add("Two")
    desk.sync()
    names = ["Of ann", "Of bob", "One", "Two"]
    for write in range(1, 12):
        backup.restore(desk)
        desk.store.crash = {desk.store.writes + write: moment}
        try:
            desk.sync()
        except Crash:
            desk.restart()
        desk.store.crash = {}

        assert "done" == desk.sync()["outcome"]
        assert names == saved(office), f"write {write}"
        assert is_in_step(office, desk)


@pytest.mark.parametrize("kind", ["request", "answer", "lines", "death"])
@pytest.mark.parametrize("skip", [0, 1])
def test_an_answer_that_is_lost_while_it_is_sent_again(
    desk: Any, office: Any, back_up: Callable[[], Any], kind: str, skip: int
) -> None:
    """A connection that breaks over it is tried again, and each is applied once (R26)."""
    backup = back_up()
    for name in ("One", "Two", "Three"):
        desk.add(name)
    desk.sync()
    backup.restore(desk)
    desk.add("Four")
    desk.platform.faults = [Fault("/sync/push", kind, lines=1, skip=skip)]
    desk.sync()
    desk.platform.faults = []
    desk.restart()
    for _ in range(2):
        assert "done" == desk.sync()["outcome"]

    assert {"Of ann", "Of bob", "One", "Two", "Three", "Four"} == set(saved(office))
    assert 6 == len(saved(office))
    assert is_in_step(office, desk)


@pytest.mark.parametrize("end", ["repaired", "discarded", "discarded at the office", "open"])
def test_what_was_refused_is_known_again(
    desk: Any, office: Any, back_up: Callable[[], Any], end: str
) -> None:
    """Refused envelopes and what became of them are told anew, so that none is missing (R26)."""
    office.add_user("boss", "Supervisor")
    office.change(1, remarks="Theirs")
    backup = back_up()
    desk.save(EDIT, remarks="Mine")
    desk.sync()
    (entry,) = desk.home.outbox.entries.values()
    address = f"/repair/{entry.envelope.id}"
    if end == "repaired":
        desk.post(address, {**desk.form(address), "remarks": "Both"})
    elif end == "discarded":
        desk.post(f"{address}/discard", {})
    elif end == "discarded at the office":
        settle(office, entry.envelope.id)
    desk.sync()
    desk.add("Later")
    desk.sync()
    backup.restore(desk)
    for _ in range(2):
        assert "done" == desk.sync()["outcome"]

    assert [] == missing(office, desk)
    assert ["Both" if end == "repaired" else "Theirs", "Of bob", "Later"] == saved(office)
    is_open = end in ("open", "discarded at the office")
    assert int(is_open) == desk.home.status()["attention"]
    assert is_open or is_in_step(office, desk)


def settle(office: Any, envelope: str) -> None:
    from fieldpost_server.accounts.users import find_user

    home = office.server.state.home
    with home.session() as session:
        boss = find_user(session, "boss")
    assert () == home.discard(boss, home.trouble(boss, envelope))


def test_a_repair_stands_for_what_it_has_repaired(
    desk: Any, office: Any, back_up: Callable[[], Any]
) -> None:
    """What was refused and repaired is not applied in the place of its repair (R26, R38)."""
    backup = back_up()
    desk.save(EDIT, next_due_on="2027-01-01", score="11")
    office.write(lambda session: session.execute(sa.text("UPDATE inspection SET score = 12")))
    desk.sync()
    (entry,) = desk.home.outbox.entries.values()
    address = f"/repair/{entry.envelope.id}"
    desk.post(address, {**desk.form(address), "score": "12", "next_due_on": "2027-02-02"})
    desk.sync()
    backup.restore(desk)
    for _ in range(2):
        desk.sync()

    assert "2027-02-02" == str(office.rows()[0].next_due_on)
    assert is_in_step(office, desk)


def test_only_the_newest_are_known(desk: Any, office: Any, back_up: Callable[[], Any]) -> None:
    """What a device does not have any more is named, and all else comes back (R26)."""
    backup = back_up()
    total = HISTORY_LENGTH + 3
    for number in range(total):
        desk.add(f"Form {number:03}")
    desk.sync()
    backup.restore(desk)
    report = desk.sync()

    assert [[1, 3]] == report["lacking"]
    assert "numbers 1 to 3" in desk.get("/sync")["body"]
    assert [f"Form {number:03}" for number in range(3, total)] == saved(office)[2:]
    assert [[1, 3]] == missing(office, desk)


def test_edits_that_were_not_sent_yet_find_their_records(
    desk: Any, office: Any, back_up: Callable[[], Any]
) -> None:
    """What builds on forgotten records is applied once these are there again (R26, R27)."""
    backup = back_up()
    desk.add("A")
    desk.add("B")
    desk.sync()
    for key, score in ((3, "31"), (4, "41")):
        desk.save(f"/pages/inspection/records/{key}/edit", score=score)
    backup.restore(desk)
    for _ in range(2):
        assert "done" == desk.sync()["outcome"]

    assert [31, 41] == [row.score for row in office.rows()[2:]]
    assert is_in_step(office, desk)


def test_edits_never_reach_the_record_of_another(
    make_desk: Callable[..., Any], office: Any, back_up: Callable[[], Any]
) -> None:
    """Records that come back under each other's keys keep their own edits (R26, R31)."""
    one, two = make_desk("ann"), make_desk("ann")
    for desk in (one, two):
        desk.download()
    backup = back_up()
    for key, desk in ((3, one), (4, two)):
        desk.add(f"Of desk {key}")
        desk.sync()
        desk.save(f"/pages/inspection/records/{key}/edit", score=f"{key}0")
        desk.sync()
    backup.restore(one, two)
    for desk in (two, one, two):
        desk.sync()

    found = {row.remarks: row.score for row in office.rows()}
    assert {"Of ann": None, "Of bob": None, "Of desk 3": 30, "Of desk 4": 40} == found
    assert [True, True] == [is_in_step(office, desk) for desk in (one, two)]
