"""Rows with keys of every sort are added, changed, deleted, and point to their own kind (R36)."""

from typing import Any

import pytest

from apps.depot import SORTS, Order, Slot, Sort, app, rows
from apps.fakes import FakeBrowser, FakeHome
from fieldpost.errors import Code
from fieldpost.odp.replay.result import Result
from fieldpost.schema.fields import Kind
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import NewKey, Outcome


@pytest.fixture
def home() -> FakeHome:
    """A home with some rows of each kind; the next counted key is 3."""
    made = FakeHome(app)
    for some in rows():
        made.add(*some)
    return made


@pytest.fixture(params=SORTS)
def sort(request: pytest.FixtureRequest) -> Sort:
    """Every sort of key."""
    return SORTS[request.param]


def told(result: Result) -> tuple[Outcome, list[tuple[Code, str]]]:
    return result.outcome, [(p.code, p.path) for p in result.problems]


def find(home: FakeHome, sort: Sort, which: int) -> Any:
    """Return a new row by the key that it has in the end."""
    model = app.model_of(sort.cls)
    key = model.key_from_json(list(sort.keys[which]))
    if model.generated_key:
        key = (home.keys.real(sort.model, key[0]),)
    return home.get(sort.cls, *key)


def test_rows_are_added_changed_and_deleted_by_their_key(home: FakeHome, sort: Sort) -> None:
    """Whatever the key, an envelope finds its row by it, in a later envelope too (R31, R36)."""
    key = sort.keys[0]
    added = home.do(sort.new(0), page=sort.page)
    assert (Outcome.ACCEPTED, []) == told(added)

    changed = Operation("update", sort.model, key, {"name": "Changed"}, {"name": "New 0"})
    assert (Outcome.ACCEPTED, []) == told(home.do(changed, page=sort.page))
    assert "Changed" == find(home, sort, 0).name

    conflict = Operation("update", sort.model, key, {"name": "Other"}, {"name": "New 0"})
    assert (Outcome.CONFLICT, [(Code.CHANGED_BY_OTHERS, "name")]) == told(
        home.do(conflict, page=sort.page)
    )

    gone = Operation("delete", sort.model, key, {}, {"name": "Changed"})
    assert (Outcome.ACCEPTED, []) == told(home.do(gone, page=sort.page))
    assert find(home, sort, 0) is None


def test_a_new_row_points_to_a_new_row_of_the_same_envelope(home: FakeHome, sort: Sort) -> None:
    """Two new rows of one kind may come together, one above the other (R31, R36)."""
    result = home.do(sort.new(0), sort.new(1, sort.keys[0]), page=sort.page)

    assert (Outcome.ACCEPTED, []) == told(result)
    _assert_is_below(home, sort)


def test_a_new_row_points_to_one_of_an_earlier_envelope(home: FakeHome, sort: Sort) -> None:
    """A temporary key stands for its row in every later envelope (R31)."""
    first = home.do(sort.new(0), page=sort.page)
    second = home.do(sort.new(1, sort.keys[0]), page=sort.page)

    assert [Outcome.ACCEPTED] * 2 == [first.outcome, second.outcome]
    _assert_is_below(home, sort)


def test_a_row_is_put_below_another_and_taken_out_again(home: FakeHome, sort: Sort) -> None:
    """What a row points to is changed and emptied like any other value (R36, R37)."""
    home.do(sort.new(0), sort.new(1), page=sort.page)
    above, empty = sort.below(sort.keys[0]), dict.fromkeys(sort.pointing)
    put = Operation("update", sort.model, sort.keys[1], above, empty)
    assert (Outcome.ACCEPTED, []) == told(home.do(put, page=sort.page))
    _assert_is_below(home, sort)

    out = Operation("update", sort.model, sort.keys[1], empty, above)
    assert (Outcome.ACCEPTED, []) == told(home.do(out, page=sort.page))
    assert {None} == {getattr(find(home, sort, 1), a) for a in sort.pointing}


def _assert_is_below(home: FakeHome, sort: Sort) -> None:
    above, below = find(home, sort, 0), find(home, sort, 1)
    assert app.model_of(sort.cls).key_of(above) == tuple(
        getattr(below, attribute) for attribute in sort.pointing
    )


def test_a_row_below_one_that_is_not_there_is_refused(home: FakeHome, sort: Sort) -> None:
    """What points to nothing waits where the key is temporary, and is refused otherwise (R31)."""
    result = home.do(sort.new(1, sort.keys[0]), page=sort.page)

    if sort.cls is Order:
        assert (Outcome.WAITING, [(Code.PREDECESSOR_MISSING, "")]) == told(result)
    else:
        first = app.model_of(sort.cls).by_attribute[sort.pointing[0]].name
        assert (Outcome.INVALID, [(Code.NO_SUCH_ROW, first)]) == told(result)


def test_a_row_that_others_point_to_cannot_go(home: FakeHome, sort: Sort) -> None:
    """The delete of a row is refused while one of its own kind refers to it (R19)."""
    home.do(sort.new(0), sort.new(1, sort.keys[0]), page=sort.page)
    result = home.do(Operation("delete", sort.model, sort.keys[0]), page=sort.page)

    if sort.cls is Order:
        # its child rows belong to it
        assert (Outcome.ACCEPTED, []) == told(result)
        assert find(home, sort, 1) is None
    else:
        assert (Outcome.INVALID, [(Code.STILL_REFERRED_TO, "")]) == told(result)
        assert {"model": sort.model, "count": 1} == result.problems[0].detail


def test_a_form_makes_rows_below_rows_of_its_own_kind(home: FakeHome) -> None:
    """A child list may hold rows of the same kind, new ones below a new one (R13, R31)."""
    fields = {"name": "Whole", "parts[0].name": "Half", "parts[1].name": "Other half"}
    answer = FakeBrowser(home).post("/pages/order/new", fields)

    assert (303, "/pages/order/records/3?done=saved") == (answer.status, answer.headers["location"])
    with home.session() as session:
        whole = session.get_one(Order, 3)
        assert ["Half", "Other half"] == [part.name for part in whole.parts]
    again = FakeBrowser(home).get("/pages/order/records/3/edit").text
    assert again.index("Half") < again.index("Other half")


def test_real_keys_of_one_kind_are_told_once_each(home: FakeHome) -> None:
    """The receipt names the key that each temporary one became (R31)."""
    result = home.do(SORTS["counted"].new(0), SORTS["counted"].new(1, (-7,)), page="order")

    assert (NewKey("order", -7, 3), NewKey("order", -8, 4)) == result.keys


def test_negative_numbers_are_temporary_only_where_keys_are_counted(home: FakeHome) -> None:
    """Part of a key that people choose may be negative, and means itself (R36)."""
    home.do(SORTS["composite"].new(1), page="shelf-slot")

    assert home.get(Slot, "E", -7) is not None


def test_one_part_of_a_key_of_several_is_no_choice() -> None:
    """A pointer to a composite key is filled in part by part, each by its own kind (R14, R36)."""
    fields = app.models["shelf slot"].fields

    assert {"above_aisle": Kind.TEXT, "above_number": Kind.INTEGER} == {
        name: fields[name].kind for name in ("above_aisle", "above_number")
    }


def test_addresses_lead_to_rows_with_keys_of_every_sort(home: FakeHome, sort: Sort) -> None:
    """Slashes, commas, spaces, percent signs and umlauts in a key lead to its record (R36)."""
    home.do(sort.new(0), page=sort.page)
    browser = FakeBrowser(home)
    listed = browser.get(f"/pages/{sort.page}?q=new").text
    address = listed.split('<a href="/pages/' + sort.page + "/records/")[1].split('"')[0]

    answer = browser.get(f"/pages/{sort.page}/records/{address}")
    assert (200, True) == (answer.status, "New 0" in answer.text)
    assert 200 == browser.get(f"/pages/{sort.page}/records/{address}/edit").status


def test_only_rows_with_the_whole_key_refer_to_a_row(home: FakeHome) -> None:
    """A row whose composite key shares a part with another's is free to go (R19, R36)."""
    slots = SORTS["composite"]
    home.do(slots.new(0), slots.new(1, slots.keys[0]), page=slots.page)
    home.add(Slot(aisle="W/1", number=8, name="Same aisle"))

    gone = home.do(Operation("delete", "shelf slot", ("W/1", 8)), page=slots.page)

    assert (Outcome.ACCEPTED, []) == told(gone)
