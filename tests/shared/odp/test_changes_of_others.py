"""Three ways to treat what others changed meanwhile: merge, strict, last save wins (R37, R40)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Base, Order, Visit, own_visits
from apps.fakes import ANNA, FakeHome, rows
from fieldpost.app import App
from fieldpost.errors import Code, DefinitionError
from fieldpost.odp.form.processor import Processed, delete_records, process
from fieldpost.odp.form.rows import Row, opened_from, row_from_opened
from fieldpost.odp.replay.links import Links
from fieldpost.pages import Changes, ChildList, Page
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import Outcome

ORDERS = ChildList("orders", ["group", "share"])
FORM = ("patient", "visited_on", "weight", "score", "summary", ORDERS)
Change = Callable[[Row], None]


def clinic_that(changes: Changes | str) -> App:
    """Return the clinic with a page of visits that treats changes by others in this way."""
    page = Page(Visit, offline=True, scope=own_visits, form=FORM, changes=changes)
    return App("Clinic", Base, name="clinic", pages=[page])


def home_that(changes: Changes | str) -> FakeHome:
    made = FakeHome(clinic_that(changes))
    made.add(*rows())
    return made


@pytest.fixture
def strict() -> FakeHome:
    """A home whose page of visits is strict."""
    return home_that(Changes.STRICT)


@pytest.fixture
def last() -> FakeHome:
    """A home in which the last save of a visit wins."""
    return home_that(Changes.LAST_WINS)


@pytest.fixture
def merging() -> FakeHome:
    """A home that merges."""
    return home_that(Changes.MERGE)


def opened(home: FakeHome, key: int = 1) -> dict[str, Any]:
    page = home.app.pages["visit"]
    with home.session() as session:
        row = session.get(Visit, key)
        return opened_from(page.layout, row, links=Links(session, home.app, ANNA))


def save(home: FakeHome, seen: dict[str, Any], change: Change) -> Processed:
    page = home.app.pages["visit"]
    row = row_from_opened(page.layout, seen)
    change(row)
    return process(home, ANNA, page, row, seen)


def put(**texts: str) -> Change:
    return lambda row: row.texts.update(texts)


def put_order(index: int, **texts: str) -> Change:
    return lambda row: row.lists["orders"][index].texts.update(texts)


def elsewhere(home: FakeHome, model: Any, key: int, **values: Any) -> None:
    home.run_sql(sa.update(model).where(model.id == key).values(**values))


def told(outcome: Processed) -> list[tuple[Code, str]]:
    return sorted((p.code, p.path) for p in outcome.problems)


def visit(home: FakeHome, key: int = 1) -> Visit:
    found = home.get(Visit, key)
    assert found is not None
    return found


# merge


def test_a_value_is_compared_by_what_it_means(merging: FakeHome) -> None:
    """Another spelling of the same number is no change by others (R37)."""
    was = {"weight": "70.5", "score": 50}
    operation = Operation("update", "visit", (1,), {"weight": "71"}, was)

    assert Outcome.ACCEPTED is merging.do(operation).outcome
    assert Decimal("71.00") == visit(merging).weight


def test_both_may_change_one_row_of_a_list(merging: FakeHome) -> None:
    """Fields of child rows are merged as those of the record are (R37)."""
    seen = opened(merging)
    elsewhere(merging, Order, 1, share=99)
    outcome = save(merging, seen, put_order(0, group="bone"))

    assert outcome.receipt is not None
    assert Outcome.MERGED is outcome.receipt.outcome
    found = merging.get(Order, 1)
    assert found is not None
    assert ("bone", 99) == (found.group, found.share)


def test_both_changed_one_field_of_a_row(merging: FakeHome) -> None:
    """The conflict stands at the row's place in the worker's form, wherever it is now (R38)."""
    seen = opened(merging)
    merging.run_sql(sa.insert(Order).values(id=-5, visit_id=1, group="first of all", share=1))
    elsewhere(merging, Order, 2, share=99)
    outcome = save(merging, seen, put_order(1, share="50"))

    assert [(Code.CHANGED_BY_OTHERS, "orders[1].share")] == told(outcome)
    assert {"mine": 50, "theirs": 99, "was": 20} == outcome.problems[0].detail


def test_rows_in_another_order_are_found_by_their_keys(merging: FakeHome) -> None:
    """A form that shows its rows in another order changes the rows that it means (R37)."""
    seen = opened(merging)

    def swap(row: Row) -> None:
        row.lists["orders"].reverse()
        row.lists["orders"][0].texts["share"] = "21"

    outcome = save(merging, seen, swap)

    assert outcome.is_saved
    found = [merging.get(Order, key) for key in (1, 2)]
    assert [10, 21] == [each.share for each in found if each is not None]


def test_deleting_what_others_deleted_is_noted(merging: FakeHome) -> None:
    """Both wanted it gone: it is, and the receipt says so (R40)."""
    found = merging.do(Operation("delete", "visit", (77,), {}, {"score": 1}))

    assert Outcome.ACCEPTED is found.outcome
    assert [Code.ALREADY_DELETED] == [p.code for p in found.notes]


# strict


def test_nothing_changed_by_others_is_accepted(strict: FakeHome) -> None:
    """A strict page is as quick as any where nobody was in between (R37)."""
    outcome = save(strict, opened(strict), put(score="60"))

    assert outcome.is_saved
    assert 60 == visit(strict).score
    looks = [o for o in strict.envelopes[0].operations if o.do == "look"]
    assert ["visit", "order", "order"] == [o.model for o in looks]
    assert {"orders": [[1], [2]]} == looks[0].rows


@pytest.mark.parametrize(
    ("model", "key", "values", "place"),
    [
        (Visit, 1, {"summary": "Others"}, "summary"),
        (Order, 2, {"share": 99}, "orders[1].share"),
    ],
)
def test_any_change_by_others_is_a_conflict(
    strict: FakeHome, model: Any, key: int, values: dict[str, Any], place: str
) -> None:
    """Also of fields and rows that the worker did not touch (R37)."""
    seen = opened(strict)
    elsewhere(strict, model, key, **values)
    outcome = save(strict, seen, put(score="60"))

    assert [(Code.CHANGED_BY_OTHERS, place)] == told(outcome)
    detail = outcome.problems[0].detail
    assert detail["mine"] == detail["was"] != detail["theirs"]
    assert 50 == visit(strict).score


def test_a_row_that_others_added_is_a_conflict(strict: FakeHome) -> None:
    """A list with other rows is another record (R37)."""
    seen = opened(strict)
    strict.run_sql(sa.insert(Order).values(id=9, visit_id=1, group="new", share=1))
    outcome = save(strict, seen, put(score="60"))

    assert [(Code.ROWS_CHANGED_BY_OTHERS, "orders")] == told(outcome)
    assert 50 == visit(strict).score


def test_a_row_that_others_deleted_is_a_conflict(strict: FakeHome) -> None:
    """It is named at its place, and as a change of its list (R37, R40)."""
    seen = opened(strict)
    strict.run_sql(sa.delete(Order).where(Order.id == 2))
    outcome = save(strict, seen, put(score="60"))

    assert {(Code.DELETED_BY_OTHERS, "orders[1]"), (Code.ROWS_CHANGED_BY_OTHERS, "orders")} == set(
        told(outcome)
    )


def test_a_strict_delete_looks_at_the_rows_as_well(strict: FakeHome) -> None:
    """Nobody deletes what others have added to meanwhile (R37, R40)."""
    seen = opened(strict)
    elsewhere(strict, Order, 1, share=11)
    outcome = delete_records(strict, ANNA, strict.app.pages["visit"], [seen])

    assert [(Code.CHANGED_BY_OTHERS, "orders[0].share")] == told(outcome)
    assert visit(strict)


def test_a_strict_page_wants_to_know_what_was_seen(strict: FakeHome) -> None:
    """An envelope without looks proves nothing, so it is refused in words (R37)."""
    found = strict.do(Operation("update", "visit", (1,), {"score": 60}, {"score": 50}))

    assert (Outcome.INVALID, [Code.LOOKS_MISSING]) == (
        found.outcome,
        [p.code for p in found.problems],
    )


def test_looks_of_a_page_that_is_strict_no_more_do_no_harm(merging: FakeHome) -> None:
    """What was saved under the stricter setting is merged under the new one (R37)."""
    look = Operation("look", "visit", (1,), {}, {"summary": "other"}, "", {"orders": [[9]]})
    change = Operation("update", "visit", (1,), {"score": 60}, {"score": 50})

    assert Outcome.ACCEPTED is merging.do(look, change).outcome


def test_a_look_tells_nothing_of_what_is_not_shown(strict: FakeHome) -> None:
    """Neither rows of others nor fields that the form does not show leak through it (R34, R67)."""
    change = Operation("update", "visit", (1,), {"score": 60}, {"score": 50})
    of_another = Operation("look", "visit", (2,), {}, {"score": 1})
    hidden = Operation("look", "visit", (1,), {}, {"nurse": "guess"}, "", {"orders": [[1], [2]]})

    assert Outcome.FORBIDDEN is strict.do(of_another, change).outcome
    assert Outcome.ACCEPTED is strict.do(hidden, change).outcome


# last save wins


def test_the_last_save_wins_and_tells_what_it_overwrote(last: FakeHome) -> None:
    """What is lost is recorded: whose it was is on the record's trail (R37)."""
    seen = opened(last)
    elsewhere(last, Visit, 1, score=70, summary="Others")
    outcome = save(last, seen, put(score="60"))

    assert outcome.receipt is not None
    assert Outcome.MERGED is outcome.receipt.outcome
    assert (60, "Others") == (visit(last).score, visit(last).summary)
    (note,) = outcome.receipt.notes
    assert (Code.OVERWRITTEN, "score") == (note.code, note.path)
    assert {"mine": 60, "theirs": 70, "was": 50} == note.detail


def test_the_last_delete_wins(last: FakeHome) -> None:
    """A record that others changed goes all the same, and the receipt says so (R37, R40)."""
    seen = opened(last)
    elsewhere(last, Visit, 1, score=70)
    outcome = delete_records(last, ANNA, last.app.pages["visit"], [seen])

    assert outcome.is_saved
    assert outcome.receipt is not None
    assert [Code.OVERWRITTEN] == [n.code for n in outcome.receipt.notes]
    assert last.get(Visit, 1) is None


def test_nobody_wins_over_a_deleted_record(last: FakeHome) -> None:
    """Where there is no row, there is nothing to overwrite (R40)."""
    seen = opened(last)
    last.run_sql(sa.delete(Order).where(Order.visit_id == 1))
    last.run_sql(sa.text('DELETE FROM "visit & ward" WHERE visit = 1'))
    last.run_sql(sa.delete(Visit).where(Visit.id == 1))
    outcome = save(last, seen, put(score="60"))

    assert [(Code.DELETED_BY_OTHERS, "")] == told(outcome)


def test_an_unknown_way_is_refused_when_the_app_is_made() -> None:
    """A typing mistake in a page shows at once, in words."""
    with pytest.raises(DefinitionError, match="Choose one of: merge, strict, last_wins"):
        clinic_that("sometimes")
