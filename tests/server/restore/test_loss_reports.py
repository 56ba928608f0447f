"""A server that was put back hears of it, and takes no key for another row's (R26, R31)."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Order, Visit
from apps.fakes import ADA
from apps.put_back import Backup
from client_forms import FormReader
from fieldpost.pages import Changes
from fieldpost.users import SUPERVISOR
from fieldpost.wire.envelope import Operation
from fieldpost.wire.protocol import MAX_REPORTED
from fieldpost_server.accounts.users import add_user
from fieldpost_server.cli.main import main
from fieldpost_server.inbox.chain_audit import check_chain
from fieldpost_server.restore import restore_notices
from fieldpost_server.storage import tables

pytestmark = pytest.mark.long

NewVisit = Callable[..., Operation]
OTHER = {"patient_id": ADA, "visited_on": date(2026, 11, 23), "kind": "first", "nurse": "anna"}
WAS = {"patient_id": str(ADA), "visited_on": "2026-11-23", "kind": "first", "nurse": "anna"}


def edit(key: int, score: int, was: int | None = None) -> Operation:
    return Operation("update", "visit", (key,), {"score": score}, {**WAS, "score": was})


def histories(office: Any) -> list[str]:
    query = sa.select(tables.history.c.id).order_by(tables.history.c.number)
    return [row[0] for row in office.rows(query)]


def lost(office: Any) -> list[tuple[Any, ...]]:
    table = tables.lost_key
    found: list[tuple[Any, ...]] = office.rows(
        sa.select(table.c.device, table.c.model, table.c.real, table.c.temporary)
    )
    return found


def scores(office: Any, summary: str) -> list[int | None]:
    query = sa.select(Visit.score).where(Visit.summary == summary)
    return [row[0] for row in office.rows(query)]


def add_online(office: Any, summary: str = "Another's") -> int:
    def work(session: Any) -> int:
        row = Visit(**OTHER, summary=summary)
        session.add(row)
        session.flush()
        return int(row.id)

    key: int = office.write(work)
    return key


def report(device: Any, receipts: Any, base: Any = None, status: int = 200) -> Any:
    asked = {"device": device.id, "forgotten": receipts}
    asked["base"] = device.cursor if base is None else base
    answer = device.client.post("/sync/device", json=asked)
    assert status == answer.status_code, answer.text
    return answer.json()


def text(receipt: Any) -> str:
    return json.dumps(receipt, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Story:
    """A device whose visit was applied under a key that an office then forgot."""

    def __init__(self, office: Any, visit: NewVisit) -> None:
        self.office = office
        self.device = office.device("anna")
        self.backup = Backup(office)
        self.insert = self.envelope(visit(summary="Mine"))
        (self.receipt,) = self.device.push(self.insert)
        self.key = int(self.receipt["record"][0])

    def envelope(self, *operations: Operation, **parts: Any) -> Any:
        return self.device.envelope(*operations, **{"base": self.device.cursor, **parts})

    def put_back(self) -> int:
        """Return the key of the visit that somebody online adds afterwards: the same one."""
        self.backup.restore()
        return add_online(self.office)

    def told(self) -> None:
        self.put_back()
        report(self.device, [text(self.receipt)])


@pytest.fixture
def story(office: Any, visit: NewVisit) -> Story:
    """Return Anna's device before the office is put back."""
    return Story(office, visit)


@pytest.mark.passes(
    "loss-report-half-kept",
    "pull-snapshot",
    "refusal-unkept",
    "report-in-line",
    "restore-notice-unwritten",
    "timeline-locked",
    "timeline-without-borders",
)
def test_a_report_begins_one_new_history(office: Any, story: Story, visit: NewVisit) -> None:
    """All devices get an image then; a report that is repeated changes nothing (R26, R47)."""
    other = office.device("bert")
    theirs = other.envelope(visit(nurse="bert", patient_id=str(ADA)), base=other.cursor)
    other.push(theirs)
    cursor, before = story.device.cursor, histories(office)
    assert story.key == story.put_back()
    for _ in range(2):
        report(story.device, [text(story.receipt)])
        report(story.device, [text(story.receipt)] * 2, base="")

    assert 2 == len(histories(office))
    assert before == histories(office)[:1]
    assert [(story.device.id, "visit", story.key, -1)] == lost(office)
    assert story.device.ask(cursor=cursor).json()["reset"]


@pytest.mark.parametrize("base", ["", "f1.x.1.", "f1." + "0" * 40 + ".1.", "\0"])
def test_a_report_without_a_base_is_of_the_history_of_its_receipts(
    office: Any, story: Story, base: str
) -> None:
    """A device whose data is damaged has no cursor; its keys are known all the same (R26, R66)."""
    first = story.envelope(edit(story.key, 30))
    story.put_back()
    report(story.device, [text(story.receipt)], base)
    receipts = story.device.push(story.insert, first)

    assert ["accepted", "accepted"] == [r["outcome"] for r in receipts]
    assert [30] == scores(office, "Mine")


def test_a_second_restore_begins_another_history(
    office: Any, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was received after the present history began proves a later restore (R26)."""
    monkeypatch.setattr(restore_notices, "ONE_IN", timedelta(0))  # a day passes in between
    story.told()
    backup = Backup(office)
    story.device.chain.begin()
    (again,) = story.device.push(story.insert)
    backup.restore()
    report(story.device, [text(again)])

    assert 3 == len(histories(office))


@pytest.mark.parametrize(
    "how", ["forged", "unsigned", "another's", "known", "waiting", "none", "{"]
)
def test_what_proves_nothing_changes_nothing(
    office: Any, story: Story, visit: NewVisit, how: str
) -> None:
    """Only what this server has signed for the device, and has not, counts (R33, R66)."""
    other = office.device("anna")
    (theirs,) = other.push(other.envelope(visit()))
    waits = story.envelope(visit(-5), attachments=("0" * 64,))
    (waiting,) = story.device.push(waits)
    if how != "known":
        story.put_back()
    unsigned = {n: part for n, part in story.receipt.items() if n != "signature"}
    told = {
        "forged": text({**story.receipt, "received_at": "2027-01-01T00:00:00.000+00:00"}),
        "unsigned": text(unsigned),
        "another's": text(theirs),
        "known": text(story.receipt),
        "waiting": text(waiting),
        "none": "null",
        "{": "{",
    }[how]
    report(story.device, [told])

    assert 1 == len(histories(office))
    assert [] == lost(office)


@pytest.mark.parametrize(
    ("receipts", "base"),
    [({}, ""), ("x", ""), ([1], ""), (["x"] * (MAX_REPORTED + 1), ""), (["x"], 1), (["x"], "é")],
)
def test_a_malformed_report_is_refused(story: Story, receipts: Any, base: Any) -> None:
    """It is bounded, and holds texts (R66)."""
    answer = report(story.device, receipts, base, 400)
    assert "malformed" == answer["error"]["code"]


def test_lost_keys_lead_to_their_rows(office: Any, story: Story) -> None:
    """An edit waits for its record, and finds it under its new key (R26, R27, R31)."""
    change = story.envelope(edit(story.key, 30))
    story.told()
    receipts = story.device.push(change)
    receipts += story.device.push(story.insert)

    assert ["waiting", "accepted", "accepted"] == [r["outcome"] for r in receipts]
    assert [30] == scores(office, "Mine")
    assert [None] == scores(office, "Another's")
    assert [story.insert.digest, change.digest] == [r["digest"] for r in receipts[1:]]
    with office.database.read_session() as session:
        assert [] == check_chain(session, story.device.id).faults


def operations_on(key: int) -> dict[str, list[Operation]]:
    order = Operation("insert", "order", (-9,), {"visit_id": key, "group": "blood"}, at="orders[0]")
    look = Operation("look", "visit", (key,), was=WAS, rows={"orders": []})
    own = edit(1, 60, 50)
    return {
        "update": [edit(key, 30)],
        "delete": [Operation("delete", "visit", (key,), was=WAS)],
        "reference": [order],
        "look": [look, own],
    }


@pytest.mark.parametrize("what", ["update", "delete", "reference", "look"])
def test_rows_that_were_made_since_are_a_conflict(
    office: Any, story: Story, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Nothing of it is applied, though every value fits; the place is told (R26, R37)."""
    monkeypatch.setattr(office.home.app.pages["visit"], "changes", Changes.STRICT)
    # a key that the device knows from a pull, of a row that is gone for good
    backup = Backup(office)
    gone = add_online(office, "Gone")
    change = story.envelope(*operations_on(gone)[what])
    backup.restore()
    story.put_back()
    key = add_online(office)
    report(story.device, [text(story.receipt)])
    story.device.push(story.insert)
    (receipt,) = story.device.push(change)

    assert gone == key
    assert ("conflict", "made_since") == (receipt["outcome"], receipt["problems"][0]["code"])
    place = "orders[0].visit" if what == "reference" else ""
    assert place == receipt["problems"][0]["path"]
    assert [None, None] == scores(office, "Another's")
    assert 2 == office.rows(sa.select(sa.func.count()).select_from(Order))[0][0]
    assert [50] == [r[0] for r in office.rows(sa.select(Visit.score).where(Visit.id == 1))]


def test_rows_that_were_there_before_are_none(office: Any, story: Story) -> None:
    """An edit of what both states have goes through, as one without a base does (R26, R37)."""
    changes = [
        story.envelope(Operation("update", "visit", (1,), {"score": 60}, {"score": 50})),
        story.envelope(edit(story.key + 1, 40), base=""),
    ]
    story.told()
    add_online(office, "Second")
    receipts = story.device.push(story.insert, *changes)

    assert ["accepted", "accepted", "accepted"] == [r["outcome"] for r in receipts]
    assert [40] == scores(office, "Second")


def test_what_may_not_be_seen_is_forbidden_as_before(office: Any, story: Story) -> None:
    """A record of others is not told to have been made since (R34)."""
    change = story.envelope(edit(story.key + 1, 40))
    story.told()
    office.run(sa.insert(Visit).values({**OTHER, "nurse": "bert"}))
    receipts = story.device.push(story.insert, change)

    assert ["accepted", "forbidden"] == [r["outcome"] for r in receipts]


def test_nothing_is_believed_where_a_whole_table_may_have_changed(
    office: Any, story: Story
) -> None:
    """Where no key is told, every record may be another one (R26)."""
    change = story.envelope(Operation("update", "visit", (1,), {"score": 60}, {"score": 50}))
    story.put_back()
    now = int(tables.utc_now().timestamp())
    office.run(sa.insert(tables.change).values(table_name="visit", key=None, at=now))
    report(story.device, [text(story.receipt)])
    receipts = story.device.push(story.insert, change)

    assert ["accepted", "conflict"] == [r["outcome"] for r in receipts]


def test_a_history_that_is_not_known_is_not_believed(story: Story) -> None:
    """What was made in one that this database forgot may mean any row (R26)."""
    base = f"f1.{'0' * 32}.1.{'0' * 16}"
    change = Operation("update", "visit", (1,), {"score": 60}, {"score": 50})
    (receipt,) = story.device.push(story.envelope(change, base=base))

    assert ("conflict", "made_since") == (receipt["outcome"], receipt["problems"][0]["code"])


def test_however_many_keys_are_named_it_is_judged(story: Story) -> None:
    """A list of a great many rows is no trouble of the server's (R66)."""
    many = [[key] for key in range(1_000, 71_000)]
    look = Operation("look", "visit", (1,), was={"score": 50}, rows={"orders": many})
    change = story.envelope(look, edit(1, 60, 50))
    story.told()
    receipts = story.device.push(story.insert, change)

    assert ["accepted", "merged"] == [r["outcome"] for r in receipts]


@pytest.fixture
def boss(office: Any) -> Any:
    """Return the browser of a supervisor."""
    roles = {"roles": [SUPERVISOR], "known_roles": office.home.app.roles, "seats": 100}
    office.write(lambda session: add_user(session, "boss", "correct horse", **roles))
    return office.client("boss")


@pytest.mark.parametrize("way", ["repaired", "discarded"])
@pytest.mark.parametrize("whose", ["own", "another's"])
@pytest.mark.usefixtures("boss")
def test_a_supervisor_decides_about_it(
    office: Any, visit: NewVisit, boss: Any, way: str, whose: str
) -> None:
    """The form shows the record that is meant: the device's own, or the one in doubt (R38)."""
    story = Story(office, visit)
    key = story.key if whose == "own" else story.key + 1
    change = story.envelope(edit(key, 30, 20))
    story.told()
    add_online(office, "Second")
    other = story.envelope(edit(story.key, 25)) if whose == "own" else None
    receipts = story.device.push(*filter(None, (story.insert, other, change)))
    address = f"/repair/{change.id}"
    fields = FormReader(boss.get(address).text).fields
    if way == "repaired":
        boss.post(address, data=fields)
    else:
        boss.post(f"{address}/discard", data={})

    assert "conflict" == receipts[-1]["outcome"]
    shown = "Mine" if whose == "own" else "Second"
    assert shown == fields["summary"]
    kept = 25 if whose == "own" else None
    assert [30 if way == "repaired" else kept] == scores(office, shown)
    assert [None] == scores(office, "Another's")


def test_whoever_puts_it_back_may_say_so_at_once(office: Any, story: Story) -> None:
    """No device need prove it then, and reports belong to the same restore (R26, R47)."""
    backup = Backup(office)
    gone = add_online(office, "Gone")
    change = story.envelope(edit(gone, 30))
    backup.restore()
    story.backup.restore()
    url = str(office.settings.database_url)
    assert 0 == main(["--app", "apps.clinic:app", "--database", url, "db", "restored"])
    assert story.key == add_online(office)
    assert gone == add_online(office)
    report(story.device, [text(story.receipt)])
    receipts = story.device.push(story.insert, change)

    assert 2 == len(histories(office))
    assert ["accepted", "conflict"] == [r["outcome"] for r in receipts]
    assert [None, None] == scores(office, "Another's")
