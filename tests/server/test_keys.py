"""Keys of every sort, self-references and links, all the way through a server (R31, R36, R45)."""

import asyncio
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from apps import depot
from apps.depot import BERTS, PLANE, SAW, SORTS, Gadget, Order, Slot, Sort, Town
from apps.fakes import ANNA
from fieldpost.wire.envelope import Operation
from fieldpost_server.feed import triggers
from fieldpost_server.proofs import checksums
from fieldpost_server.scope.replication_plan import captured_tables

pytestmark = pytest.mark.long

P, S = [str(PLANE)], [str(SAW)]
GADGETS = depot.order_gadgets.c


def _fill(session: Session) -> None:
    for some in depot.rows():
        session.add_all(some)
        session.flush()
    depot.links(session)


@pytest.fixture
def office(open_office: Callable[..., Any]) -> Any:
    """A server with the depot; `anna` and `bert` are field workers."""
    return open_office(depot.app, _fill, ['"order"'])


@pytest.fixture(params=SORTS)
def sort(request: pytest.FixtureRequest) -> Sort:
    """Every sort of key."""
    return SORTS[request.param]


def outcomes(receipts: list[dict[str, Any]]) -> list[str]:
    return [receipt["outcome"] for receipt in receipts]


def assert_equal(device: Any, answer: dict[str, Any]) -> None:
    """Fail where the device's tables are not what the server's digests are of."""
    assert asyncio.run(device.replica.differences(answer["digests"])) == []


def named(holder: Any, sort: Sort, name: str) -> list[tuple[Any, ...]]:
    """Return the keys of rows with a name, on the server or on a device."""
    model = depot.app.model_of(sort.cls)
    query = sa.select(*(model.column(a) for a in model.key)).where(model.column("name") == name)
    return (holder.rows if hasattr(holder, "rows") else holder.read)(query)  # type: ignore[no-any-return]


def above(office: Any, sort: Sort, name: str) -> list[tuple[Any, ...]]:
    """Return what rows with a name point to."""
    model = depot.app.model_of(sort.cls)
    query = sa.select(*(model.column(a) for a in sort.pointing))
    return list(office.rows(query.where(model.column("name") == name)))


def test_rows_go_from_one_device_to_another(office: Any, sort: Sort) -> None:
    """Added, changed and deleted on one device, a row is so on another, proven (R36, R45, R47)."""
    one, other = office.device("anna"), office.device("anna")
    assert outcomes(one.push(one.envelope(sort.new(0), page=sort.page))) == ["accepted"]
    for device in (one, other):
        answer = device.pull()
        assert len(answer["put"][sort.model]) == 1
        assert named(device, sort, "New 0") == named(office, sort, "New 0")
        assert len(named(office, sort, "New 0")) == 1
        assert_equal(device, answer)

    key = sort.keys[0]
    changed = Operation("update", sort.model, key, {"name": "Changed"}, {"name": "New 0"})
    assert outcomes(one.push(one.envelope(changed, page=sort.page))) == ["accepted"]
    (typed,) = named(office, sort, "Changed")
    assert_equal(other, other.pull())
    assert named(other, sort, "Changed") == [typed]

    real = depot.app.model_of(sort.cls).key_to_json(typed)
    gone = Operation("delete", sort.model, tuple(real), {}, {"name": "Changed"})
    assert outcomes(other.push(other.envelope(gone, page=sort.page))) == ["accepted"]
    answer = one.pull()
    assert answer["remove"] == {sort.model: [real]}
    assert named(one, sort, "Changed") == []
    assert_equal(one, answer)


def test_two_devices_conflict_over_one_field_of_one_row(office: Any, sort: Sort) -> None:
    """Rows are the same rows on both devices, whatever their keys (R36, R37)."""
    one, other = office.device("anna"), office.device("anna")
    one.push(one.envelope(sort.new(0), page=sort.page))
    (typed,) = named(office, sort, "New 0")
    real = tuple(depot.app.model_of(sort.cls).key_to_json(typed))

    def edit(key: tuple[Any, ...], name: str) -> Operation:
        return Operation("update", sort.model, key, {"name": name}, {"name": "New 0"})

    mine = one.push(one.envelope(edit(sort.keys[0], "Mine"), page=sort.page))
    theirs = other.push(other.envelope(edit(real, "Theirs"), page=sort.page))

    assert (outcomes(mine), outcomes(theirs)) == (["accepted"], ["conflict"])
    assert named(office, sort, "Mine") == [typed]


def test_temporary_keys_hold_across_envelopes_and_syncs(office: Any, sort: Sort) -> None:
    """A row points to one of an earlier envelope, in the same push or in a later one (R31)."""
    device = office.device("anna", download=False)
    first = device.envelope(sort.new(0), page=sort.page)
    second = device.envelope(sort.new(1, sort.keys[0]), page=sort.page)
    assert outcomes(device.push(first, second)) == ["accepted", "accepted"]
    assert above(office, sort, "New 1") == named(office, sort, "New 0")

    empty = dict.fromkeys(sort.pointing)
    later = Operation("update", sort.model, sort.keys[1], empty, sort.below(sort.keys[0]))
    assert outcomes(device.push(device.envelope(later, page=sort.page))) == ["accepted"]
    back = Operation("update", sort.model, sort.keys[1], sort.below(sort.keys[0]), empty)
    assert outcomes(device.push(device.envelope(back, page=sort.page))) == ["accepted"]
    assert above(office, sort, "New 1") == named(office, sort, "New 0")


def test_what_arrives_too_early_waits_and_is_applied_later(office: Any, sort: Sort) -> None:
    """Out of order, an envelope waits for the one with the row it points to (R27, R31)."""
    device = office.device("anna", download=False)
    first = device.envelope(sort.new(0), page=sort.page)
    second = device.envelope(sort.new(1, sort.keys[0]), page=sort.page)

    assert outcomes(device.push(second)) == ["waiting"]
    assert named(office, sort, "New 1") == []

    assert outcomes(device.push(first)) == ["accepted", "accepted"]
    assert above(office, sort, "New 1") == named(office, sort, "New 0")
    assert outcomes(device.push(second)) == ["duplicate"]


def test_a_row_and_one_below_it_come_in_one_envelope(office: Any, sort: Sort) -> None:
    """Two new rows of one kind, one above the other, arrive on every device (R31, R36)."""
    device = office.device("anna")
    both = device.envelope(sort.new(0), sort.new(1, sort.keys[0]), page=sort.page)

    assert outcomes(device.push(both)) == ["accepted"]
    assert above(office, sort, "New 1") == named(office, sort, "New 0")
    assert_equal(device, device.pull())
    assert named(device, sort, "New 1") == named(office, sort, "New 1")


# links


def links(holder: Any, table: sa.Table) -> set[tuple[Any, ...]]:
    """Return the rows of a table of links, on the server or on a device."""
    keys = sa.select(*table.primary_key.columns)
    return set((holder.rows if hasattr(holder, "rows") else holder.read)(keys))


def edit(attribute: str, new: Any, was: Any, key: Any = 1) -> Operation:
    return Operation("update", "order", (key,), {attribute: new}, {attribute: was})


def test_the_image_holds_the_links_between_rows_that_are_there(office: Any) -> None:
    """Links of a record come with it; those to rows of others do not exist there (R8, R67)."""
    anna, bert = office.device("anna"), office.device("bert")

    assert links(anna, depot.order_gadgets) == {(1, PLANE)}
    assert links(bert, depot.order_gadgets) == {(1, BERTS)}
    assert links(anna, depot.order_slots) == {(1, "N", 1)}
    assert str(BERTS).encode() not in anna.replica.image()
    assert BERTS.hex.encode() not in anna.replica.image()
    assert_equal(anna, anna.pull())


@pytest.mark.parametrize(
    ("table", "operation", "page"),
    [
        (depot.order_gadgets, edit("gadgets", [P, S], [P]), "order"),
        (depot.order_slots, edit("slots", [["S,", 2]], [["N", 1]]), "order"),
        (depot.order_orders, edit("after", [[2]], []), "order"),
        (
            depot.gadget_towns,
            Operation("update", "Gadget", tuple(P), {"towns": [["A/1"], ["b 2"]]}, {"towns": []}),
            "gadget",
        ),
        (
            depot.slot_towns,
            Operation("update", "shelf slot", ("N", 1), {"towns": [["A/1"]]}, {"towns": []}),
            "shelf-slot",
        ),
    ],
    ids=lambda given: given.name if isinstance(given, sa.Table) else None,
)
def test_links_between_keys_of_every_sort_reach_other_devices(
    office: Any, table: sa.Table, operation: Operation, page: str
) -> None:
    """Linked on one device, rows are linked on another, and unlinked again (R14, R36, R45, R47)."""
    one, other = office.device("anna"), office.device("anna")
    before = links(one, table)
    assert outcomes(one.push(one.envelope(operation, page=page))) == ["accepted"]
    answer = other.pull()
    after = links(other, table)
    assert after == links(office, table) - {(1, BERTS)} != before
    assert_equal(other, answer)

    back = Operation(
        "update", operation.model, operation.key, dict(operation.was), dict(operation.set)
    )
    assert outcomes(other.push(other.envelope(back, page=page))) == ["accepted"]
    answer = one.pull()
    assert links(one, table) == before
    assert_equal(one, answer)


def test_additions_and_removals_of_two_devices_both_hold(office: Any) -> None:
    """What one links and the other takes away meanwhile merges; others' links stay (R37)."""
    one, other = office.device("anna"), office.device("anna")
    first = one.push(one.envelope(edit("gadgets", [P, S], [P])))
    second = other.push(other.envelope(edit("gadgets", [], [P])))

    assert (outcomes(first), outcomes(second)) == (["accepted"], ["merged"])
    assert links(office, depot.order_gadgets) == {(1, SAW), (1, BERTS)}


def test_links_made_at_the_same_moment_are_all_kept(office: Any) -> None:
    """Two who link the same rows, and others, at once: nothing is lost, nothing twice (R37)."""
    office.run(sa.insert(Slot).values([{"aisle": "Q", "number": n, "name": "Q"} for n in range(4)]))
    devices = [office.device("anna", download=False) for _ in range(4)]
    ready, found = threading.Barrier(4), list[str]()

    def push(number: int) -> None:
        new = [["N", 1], ["S,", 2], ["Q", number]]
        device = devices[number]
        text = device.envelope(edit("slots", new, [["N", 1]])).to_text()
        ready.wait()
        receipt = office.home.inbox.receive(text, ANNA, device.id)
        found.append(str(receipt.outcome))

    threads = [threading.Thread(target=push, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == ["accepted", "merged", "merged", "merged"]
    expected = {(1, "N", 1), (1, "S,", 2), *((1, "Q", n) for n in range(4))}
    assert links(office, depot.order_slots) == expected


def test_a_link_to_a_new_row_waits_for_it_and_becomes_real(office: Any) -> None:
    """Temporary keys inside links resolve across envelopes that arrive out of order (R27, R31)."""
    device = office.device("anna")
    first = device.envelope(SORTS["counted"].new(0))
    second = device.envelope(edit("after", [[-7], [2]], []))
    third = device.envelope(SORTS["counted"].new(1, after=[[-7]]))

    assert outcomes(device.push(second, third)) == ["waiting", "waiting"]
    assert outcomes(device.push(first)) == ["accepted"] * 3
    ((new,),) = named(office, SORTS["counted"], "New 0")
    ((late,),) = named(office, SORTS["counted"], "New 1")
    assert links(office, depot.order_orders) == {(1, new), (1, 2), (late, new)}
    assert_equal(device, device.pull())
    assert links(device, depot.order_orders) == {(1, new), (1, 2), (late, new)}


def test_links_come_and_go_with_the_rows_on_both_ends(office: Any) -> None:
    """A row that enters the scope brings its links, one that leaves takes them along (R46)."""
    anna, bert = office.device("anna"), office.device("bert")
    office.run(sa.update(Gadget).where(Gadget.id == PLANE).values(owner="bert"))
    for device, expected in ((anna, set()), (bert, {(1, PLANE), (1, BERTS)})):
        answer = device.pull()
        assert links(device, depot.order_gadgets) == expected
        assert_equal(device, answer)

    office.run(sa.delete(depot.order_gadgets).where(GADGETS.gadget_id == BERTS))
    answer = bert.pull()
    assert answer["remove"] == {"order_gadget": [[1, str(BERTS)]]}
    assert_equal(bert, answer)


def test_a_deleted_record_takes_its_links_from_every_device(office: Any) -> None:
    """Nothing of a deleted record is left behind (R19, R45)."""
    device = office.device("anna")
    was = {"gadgets": [P], "slots": [["N", 1]]}
    gone = device.envelope(Operation("delete", "order", (1,), {}, was))

    assert outcomes(device.push(gone)) == ["accepted"]
    answer = device.pull()
    for table in (depot.order_gadgets, depot.order_slots):
        assert links(office, table) == links(device, table) == set()
    assert_equal(device, answer)


def test_a_row_that_is_linked_cannot_be_deleted(office: Any) -> None:
    """Both databases say in the same words how many rows are linked to it (R19)."""
    device = office.device("anna", download=False)
    linked = Operation("update", "Gadget", tuple(P), {"towns": [["A/1"]]}, {"towns": []})
    device.push(device.envelope(linked, page="gadget"))

    gone = device.envelope(Operation("delete", "town", ("A/1",)), page="town")
    (receipt,) = device.push(gone)

    assert [p["code"] for p in receipt["problems"]] == ["still_referred_to"]
    assert office.rows(sa.select(Town.name).where(Town.code == "A/1")) == [("Årup",)]


def test_links_are_proven_again_when_either_end_changed(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sum over links follows when they, or what decides on them, were touched (R47)."""
    followed: list[str] = []
    follow = checksums._changed

    def noted(session: Any, entry: Any, *more: Any) -> Any:
        followed.append(entry.model.name)
        return follow(session, entry, *more)

    monkeypatch.setattr(checksums, "_changed", noted)
    device = office.device("anna")
    device.pull()
    for change in (
        sa.update(Gadget).where(Gadget.id == SAW).values(name="Sharp"),
        sa.update(Order).where(Order.id == 2).values(name="Renamed"),
        sa.insert(depot.order_gadgets).values(order_id=2, gadget_id=SAW),
    ):
        followed.clear()
        office.run(change)
        assert_equal(device, device.pull())
        assert "slot_town" not in followed
    assert "order_gadget" in followed


@pytest.mark.parametrize("seed", range(2))
def test_devices_stay_equal_whatever_happens_to_links(office: Any, seed: int) -> None:
    """After any changes by anybody each pull ends equal to the server (R45, R47)."""
    chance = random.Random(seed)
    devices = [office.device("anna"), office.device("bert")]
    for _ in range(10):
        for _ in range(chance.randrange(1, 4)):
            office.run(_anything(chance))
        for device in chance.sample(devices, 1):
            assert_equal(device, device.pull())


def _anything(chance: random.Random) -> sa.Executable:
    """Return a statement that some program runs."""
    gadget = chance.choice([PLANE, SAW, BERTS])
    order = chance.choice([1, 2])
    link = sa.select(sa.literal(order), Gadget.id).where(Gadget.id == gadget)
    there = sa.exists().where(GADGETS.order_id == order, GADGETS.gadget_id == gadget)
    choices: list[sa.Executable] = [
        sa.insert(depot.order_gadgets).from_select(["order_id", "gadget_id"], link.where(~there)),
        sa.delete(depot.order_gadgets).where(GADGETS.gadget_id == gadget),
        sa.update(Gadget).where(Gadget.id == gadget).values(owner=chance.choice(["anna", "bert"])),
        sa.delete(depot.order_slots),
        sa.insert(depot.order_slots).from_select(
            ["order", "slot aisle", "slot number"],
            sa.select(sa.literal(2), Slot.aisle, Slot.number).where(
                ~sa.exists().where(depot.order_slots.c.order == 2)
            ),
        ),
        sa.update(Order).where(Order.id == order).values(amount=chance.randrange(100)),
    ]
    return chance.choice(choices)


def test_tables_of_links_are_watched_by_triggers(office: Any) -> None:
    """Every table of an association has its triggers, and says so when one is missing (R45)."""
    watched = captured_tables(depot.app)
    assert {*depot.app.link_tables, *depot.app.models} == {table.name for table in watched}
    with office.database.read_session() as session:
        assert triggers.uninstalled(session.connection(), watched) == []
