"""A device has exactly its user's rows, and stays equal to the server (R8, R35, R45-R48, R67)."""

import asyncio
import random
import uuid
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Dose, Drug, Kind, Order, Patient, Reading, Visit, Ward
from apps.fakes import ADA, BERTS, ERIC
from apps.offices import office_like
from fieldpost.users import User
from fieldpost_server.accounts.users import give_role, take_role
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.proofs import checksums
from fieldpost_server.proofs.checksums import count
from fieldpost_server.scope.page_settings import set_offline
from fieldpost_server.scope.replication_plan import plan_for
from fieldpost_server.storage import tables

VISITS = sa.select(Visit.id).order_by(Visit.id)
ORDERS = sa.select(Order.id).order_by(Order.id)


def differences(device: Any, answer: dict[str, Any]) -> list[str]:
    return asyncio.run(device.replica.differences(answer["digests"]))


def keys(found: Iterable[Any]) -> set[Any]:
    return {row[0] for row in found}


def test_the_image_holds_the_rows_in_scope_with_children_and_lookups(office: Any) -> None:
    """Own visits, their orders, and what lookups point to; nothing of anybody else (R8)."""
    device = office.device("anna")

    assert keys(device.read(VISITS)) == {1}
    assert keys(device.read(ORDERS)) == {1, 2}
    assert keys(device.read(sa.select(Patient.id))) == {ADA, ERIC}
    assert keys(device.read(sa.select(Ward.code))) == {"A 1/2", "B"}


def test_values_arrive_as_they_are(office: Any) -> None:
    """Decimals, dates and choices read on the device as on the server."""
    query = sa.select(Visit.weight, Visit.visited_on, Visit.kind, Visit.score).where(Visit.id == 1)

    assert office.device("anna").read(query) == [
        (Decimal("70.50"), date(2026, 11, 1), Kind.first, 50)
    ]


def test_private_columns_never_leave_the_server(office: Any) -> None:
    """A private column is in no image and in no pull (R67)."""
    device = office.device("anna")
    assert device.read(sa.select(Patient.secret).distinct()) == [(None,)]
    assert b"never tell" not in device.replica.image()

    office.run(sa.update(Patient).where(Patient.id == ADA).values(secret="still not"))

    assert "still not" not in device.ask().text


def test_pages_of_other_roles_are_not_downloaded(office: Any) -> None:
    """An offline page that the user may not open brings nothing."""
    office.run(sa.insert(Drug).values(id=1, name="Aspirin"))
    office.write(lambda s: set_offline(s, office.home.app, "drugs", offline=True))

    assert office.device("anna").read(sa.select(Drug.id)) == []


def test_only_what_changed_travels(office: Any) -> None:
    """A pull brings the changed rows, a second one nothing (R45)."""
    device = office.device("anna")
    office.run(sa.update(Visit).where(Visit.id == 1).values(score=75))

    first, second = device.pull(), device.pull()

    assert [row["id"] for row in first["put"]["visit"]] == [1]
    assert (first["remove"], first["replace"]) == ({}, [])
    assert (second["put"], second["remove"], second["replace"]) == ({}, {}, [])
    assert device.read(sa.select(Visit.score)) == [(75,)]
    assert differences(device, second) == []


def test_a_record_that_enters_the_scope_brings_its_children(office: Any) -> None:
    """A visit given to Anna arrives with orders that did not change themselves (R46)."""
    office.run(sa.insert(Order).values(id=9, visit_id=2, group="blood"))
    device = office.device("anna")

    office.run(sa.update(Visit).where(Visit.id == 2).values(nurse="anna"))

    answer = device.pull()
    assert keys(device.read(VISITS)) == {1, 2}
    assert keys(device.read(ORDERS)) == {1, 2, 9}
    assert differences(device, answer) == []


def test_a_record_that_leaves_the_scope_goes_with_its_children(office: Any) -> None:
    """A visit given to somebody else is removed from the device, three levels deep (R46)."""
    reading = uuid.uuid4()
    office.run(
        sa.insert(Dose).values(order_id=1, number=1, amount=1),
        sa.insert(Reading).values(id=reading, order_id=1, dose_number=1, value=7),
    )
    device = office.device("anna")
    assert device.read(sa.select(Reading.id)) == [(reading,)]

    office.run(sa.update(Visit).where(Visit.id == 1).values(nurse="bert"))

    answer = device.pull()
    for column in (Visit.id, Order.id, Dose.number, Reading.id):
        assert device.read(sa.select(column)) == []
    assert differences(device, answer) == []


def test_deleted_rows_go(office: Any) -> None:
    """Rows that any program deletes disappear from the device."""
    device = office.device("anna")
    office.run(sa.delete(Order).where(Order.id == 2), sa.delete(Ward).where(Ward.code == "B"))

    answer = device.pull()

    assert answer["remove"] == {"order": [[2]], "ward": [["B"]]}
    assert differences(device, answer) == []


def test_rows_that_were_left_behind_go_with_their_parent(office: Any) -> None:
    """A program that looks at no foreign keys deletes a parent alone: its child rows go (R46)."""
    given = {"order_id": 1, "dose_number": 3, "value": 1}
    office.run(
        sa.insert(Dose).values(order_id=1, number=3, amount=1),
        sa.insert(Reading).values(id=uuid.uuid4(), **given),
    )
    device = office.device("anna")
    is_postgresql = office.database.dialect == "postgresql"
    careless = (
        "SET session_replication_role = replica" if is_postgresql else "PRAGMA foreign_keys=0"
    )
    with office.database.engine.connect() as connection:
        # SQLite heeds the pragma outside of transactions only
        connection.connection.cursor().execute(careless)
        connection.execute(sa.delete(Dose))
        connection.commit()
        connection.invalidate()

    answer = device.pull()

    assert device.read(sa.select(Reading.id)) == []
    assert differences(device, answer) == []


def test_composite_and_uuid_keys_are_removed_by_their_values(office: Any) -> None:
    """Keys of every kind travel as the device stores them (R36)."""
    reading = uuid.uuid4()
    office.run(
        sa.insert(Dose).values(order_id=1, number=3, amount=1),
        sa.insert(Reading).values(id=reading, order_id=1, dose_number=3, value=1),
    )
    device = office.device("anna")
    office.run(sa.delete(Reading), sa.delete(Dose))

    answer = device.pull()

    assert answer["remove"] == {"dose": [[1, 3]], "reading": [[str(reading)]]}
    assert device.read(sa.select(Reading.id)) == device.read(sa.select(Dose.number)) == []


def test_many_changes_send_the_table_whole(office: Any) -> None:
    """With more changed keys than the limit the table and its child lists are replaced."""
    many = [
        {"id": n, "patient_id": ADA, "visited_on": date(2026, 1, 1), "nurse": "anna"}
        for n in range(1000, 1050)
    ]
    with office_like(office, max_pull_keys=20) as narrow:
        device = narrow.device("anna")
        office.run(sa.insert(Visit).values(many))
        answer = device.pull()

        assert {"visit", "order", "dose", "reading"} <= set(answer["replace"])
        assert len(device.read(VISITS)) == 51
        assert keys(device.read(ORDERS)) == {1, 2}
        assert differences(device, answer) == []


def test_many_child_rows_of_few_records_send_the_table_whole(office: Any) -> None:
    """Child rows beyond the limit are not gathered one by one, nor those below them (R46, R66)."""
    orders = [{"id": n, "visit_id": 2, "group": "many"} for n in range(1000, 1050)]
    doses = [{"order_id": n, "number": 1, "amount": 1} for n in range(1000, 1050)]
    office.run(sa.insert(Order).values(orders), sa.insert(Dose).values(doses))
    with office_like(office, max_pull_keys=20) as narrow:
        device = narrow.device("anna")
        office.run(sa.update(Visit).where(Visit.id == 2).values(nurse="anna"))
        answer = device.pull()

        assert {"order", "dose", "reading"} == set(answer["replace"])
        assert [2] == [row["id"] for row in answer["put"]["visit"]]
        assert len(device.read(ORDERS)) == 52
        assert differences(device, answer) == []


def test_a_truncated_parent_takes_its_children_along(office: Any) -> None:
    """TRUNCATE names no keys: table and child lists are sent whole."""
    if office.database.dialect != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    device = office.device("anna")
    office.run(sa.text("TRUNCATE visit CASCADE"))

    answer = device.pull()

    assert device.read(VISITS) == device.read(ORDERS) == []
    assert differences(device, answer) == []


def test_a_page_switched_to_offline_arrives_and_switched_off_goes(office: Any) -> None:
    """The designer's switch reaches the device at its next sync (R57)."""
    device, app = office.device("anna"), office.home.app
    office.write(lambda s: set_offline(s, app, "visit", offline=False))

    answer = device.pull()
    assert answer["settings"]["offline"] == ["patient", "ward"]
    assert device.read(VISITS) == device.read(ORDERS) == []
    assert set(answer["digests"]) == {"patient", "ward"}

    office.write(lambda s: set_offline(s, app, "visit", offline=True))

    answer = device.pull()
    assert keys(device.read(VISITS)) == {1}
    assert differences(device, answer) == []


def test_a_role_given_or_taken_decides_at_the_next_pull(office: Any) -> None:
    """Roles count at the next contact (R46)."""
    office.run(sa.insert(Drug).values(id=1, name="Aspirin"))
    office.write(lambda s: set_offline(s, office.home.app, "drugs", offline=True))
    device, roles = office.device("anna"), office.home.app.roles

    office.write(lambda s: give_role(s, "anna", "Doctor", known_roles=roles, seats=100))
    device.pull()
    assert device.read(sa.select(Drug.name)) == [("Aspirin",)]

    office.write(lambda s: take_role(s, "anna", "Doctor"))
    device.pull()
    assert device.read(sa.select(Drug.name)) == []


def test_a_device_may_ask_for_a_table_whole(office: Any) -> None:
    """A difference that the proof shows is repaired (R47)."""
    device = office.device("anna")
    device.replica.apply({"remove": {"visit": [[1]]}})
    answer = device.pull()
    assert differences(device, answer) == ["visit"]

    repaired = device.ask(replace=["visit", "no such table"]).json()
    device.replica.apply(repaired)

    assert repaired["replace"] == ["visit"]
    assert differences(device, repaired) == []


def test_a_cursor_from_too_long_ago_asks_for_a_full_download(office: Any) -> None:
    """A device that was away for a year gets a reset, not an error (R48)."""
    device = office.device("anna")
    office.run(sa.insert(tables.change).values(table_name="visit", key="[1]", at=0))
    history = device.cursor.split(".")[1]

    reset = device.ask(cursor=device.cursor.replace(history, "0" * 32)).json()

    assert reset["reset"]
    assert (reset["put"], reset["digests"]) == ({}, {})
    device.download()
    assert differences(device, device.pull()) == []


@pytest.mark.parametrize("cursor", ["", "nonsense", "f1.zz.1.", "f1." + "a" * 32 + ".1.é"])
def test_a_broken_cursor_is_refused_by_name(office: Any, cursor: str) -> None:
    """What is no cursor gets the catalogue's error (R66)."""
    answer = office.device("anna", download=False).ask(cursor=cursor)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_cursor"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_devices_stay_equal_whatever_others_do(office: Any, seed: int) -> None:
    """After any changes by anybody each pull ends equal to the server (R45, R47)."""
    chance = random.Random(seed)
    devices = [office.device("anna"), office.device("bert")]
    for _ in range(12):
        for _ in range(chance.randrange(4)):
            office.run(_anything(chance))
        device = chance.choice(devices)
        answer = device.pull()

        assert differences(device, answer) == []
        own = sa.select(Visit.id).where(Visit.nurse == device.user)
        assert keys(device.read(VISITS)) == keys(office.rows(own))


def _anything(chance: random.Random) -> sa.Executable:
    """Return a statement that some program runs."""
    visit = sa.select(Visit.id).order_by(Visit.id).limit(1).scalar_subquery()
    nurse = chance.choice(["anna", "bert", "zoe"])
    number = chance.randrange(1000, 10**9)
    choices: list[sa.Executable] = [
        sa.insert(Visit).values(
            id=number, patient_id=BERTS, visited_on=date(2026, 1, 1), nurse=nurse
        ),
        sa.update(Visit).where(Visit.id == visit).values(nurse=nurse),
        sa.update(Visit).values(nurse=nurse),
        sa.insert(Order).from_select(
            ["id", "visit_id", "group"],
            sa.select(sa.literal(number), Visit.id, sa.literal("x")).limit(1),
        ),
        sa.update(Order).values(visit_id=visit),
        sa.delete(Order).where(Order.id % 2 == chance.randrange(2)),
        sa.update(Patient).values(carer=nurse),
        sa.insert(Ward).values(code=str(number), name="New"),
        sa.delete(Ward).where(Ward.code != "B"),
        sa.update(Patient)
        .where(Patient.id == ERIC)
        .values(number=str(number), ward_code=chance.choice([None, "B"])),
    ]
    return chance.choice(choices)


def test_a_table_is_counted_once(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proof costs what changed: rows are counted once for all who see the same (R47)."""
    counted: list[str] = []

    def noted(session: Any, entry: Any) -> Any:
        counted.append(entry.model.name)
        return count(session, entry)

    monkeypatch.setattr(checksums, "count", noted)
    device = office.device("anna")
    assert set(device.pull()["digests"]) == set(counted)
    counted.clear()

    device.pull()
    office.run(sa.update(Visit).where(Visit.id == 1).values(nurse="bert"))
    answer = device.pull()
    assert [] == counted
    assert {"count": 0, "sum": "0" * 32} == answer["digests"]["visit"]
    assert differences(device, answer) == []

    counted.clear()
    office.device("bert").pull()
    assert "visit" in counted


def test_in_time_every_table_is_counted_again(office: Any) -> None:
    """What was counted is not believed for ever: a fault of the change feed shows at last (R47)."""
    app = office.home.app
    plan = plan_for(app, User("anna"), [app.page("ward")])
    believing, doubting = checksums.Checksums(app), checksums.Checksums(app, believe_s=0)

    def counts() -> list[Any]:
        with office.database.read_session() as session:
            found = (p.digests(session, FailedTables(plan)) for p in (believing, doubting))
            return [digest["ward"]["count"] for digest in found]

    assert counts() == [2, 2]
    unseen = sa.delete(tables.change).where(tables.change.c.table_name == "ward")
    office.run(sa.delete(Ward).where(Ward.code == "B"), unseen)

    assert counts() == [2, 1]


def test_what_a_later_reader_counted_is_not_believed(office: Any) -> None:
    """Two devices pull while a program commits: each gets the digests of its own rows (R47)."""
    app, database = office.home.app, office.database
    plan = plan_for(app, User("anna"), [app.page("ward")])
    remembered = checksums.Checksums(app)

    with database.write_session() as program, database.read_session() as early:
        program.execute(sa.insert(Ward).values(code="N", name="New"))
        if database.dialect == "postgresql":
            # one that began later and ended before; SQLite has one writer
            office.run(sa.update(Patient).where(Patient.id == ERIC).values(number="7"))
        # the snapshot is taken while the program's transaction runs
        before = count(early, plan["ward"]).digest
        program.commit()
        with database.read_session() as late:
            after = remembered.digests(late, FailedTables(plan))["ward"]

        assert before["count"] + 1 == after["count"]
        assert before == remembered.digests(early, FailedTables(plan))["ward"]


def test_a_device_that_is_not_registered_gets_no_data(office: Any) -> None:
    """Image and pull are for devices that the server knows, and has not revoked (R46)."""
    device = office.device("anna")
    office.run(sa.update(tables.device).values(revoked=True))

    for address in ("/sync/image", f"/sync/pull?cursor={device.cursor}"):
        answer = device.client.get(address, headers=device.headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "device_revoked")
        assert device.client.get(address).json()["error"]["code"] == "wrong_device"
