"""Replay: an envelope is applied whole, merged, or refused with all that is wrong (R30-R37)."""

import uuid
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Dose, Drug, Order, Patient, Reading, Visit, Ward
from apps.fakes import ADA, BERT, DOCTOR, FakeHome, rows
from fieldpost import rules
from fieldpost.errors import Code
from fieldpost.odp.replay.result import Result
from fieldpost.rules import broken_rules, rule, rules_of
from fieldpost.wire.envelope import Operation
from fieldpost.wire.receipts import NewKey, Outcome

TODAY = {"patient_id": str(ADA), "visited_on": "2026-11-23"}


@pytest.fixture
def home() -> FakeHome:
    """A home with a visit of Anna's, one of Bert's, and their patients."""
    made = FakeHome()
    made.add(*rows())
    return made


def insert(model: str, key: Any, at: str = "", **values: Any) -> Operation:
    return Operation("insert", model, key if isinstance(key, tuple) else (key,), values, at=at)


def update(
    model: str, key: Any, new: dict[str, Any], was: dict[str, Any], at: str = ""
) -> Operation:
    return Operation("update", model, key if isinstance(key, tuple) else (key,), new, was, at)


def delete(model: str, key: Any, was: dict[str, Any] | None = None, at: str = "") -> Operation:
    return Operation("delete", model, key if isinstance(key, tuple) else (key,), {}, was or {}, at)


def told(result: Result) -> tuple[Outcome, list[tuple[Code, str]]]:
    return result.outcome, sorted((p.code, p.path) for p in result.problems)


def untouched(home: FakeHome) -> bool:
    """Say whether the rows are those that the test began with."""
    with home.session() as session:
        counts = [
            session.scalar(sa.select(sa.func.count()).select_from(cls))
            for cls in (Visit, Order, Patient, Dose)
        ]
        visit = session.get(Visit, 1)
        return counts == [2, 2, 3, 0] and visit is not None and visit.score == 50


# accepted


def test_three_levels_with_temporary_keys_are_accepted(home: FakeHome) -> None:
    """Temporary keys become real ones in keys and foreign keys at any depth (R30, R31, R36)."""
    result = home.do(
        insert("visit", -7, **TODAY, weight="70.50"),
        insert("order", -8, "orders[0]", visit_id=-7, group="blood", share=1),
        insert("dose", (-8, 1), "orders[0].doses[0]", order_id=-8, number=1, amount="2.50"),
        insert(
            "reading",
            str(uuid.UUID(int=77)),
            "orders[0].doses[0].readings[0]",
            order_id=-8,
            dose_number=1,
            value=9,
        ),
    )

    assert (Outcome.ACCEPTED, []) == told(result)
    assert (NewKey("visit", -7, 3), NewKey("order", -8, 3)) == result.keys
    assert (3,) == result.record
    dose = home.get(Dose, 3, 1)
    reading = home.get(Reading, uuid.UUID(int=77))
    assert dose is not None
    assert Decimal("2.50") == dose.amount
    assert reading is not None
    assert (3, 1) == (reading.order_id, reading.dose_number)


def test_defaults_are_filled_in_at_replay_in_the_users_name(home: FakeHome) -> None:
    """What the form does not show, columns' defaults fill in (R15, R35)."""
    home.do(insert("visit", -7, **TODAY))
    visit = home.get(Visit, 3)

    assert visit is not None
    assert ("anna", "first", False) == (visit.nurse, visit.kind.value, visit.urgent)


def test_an_edit_of_what_was_seen_is_accepted(home: FakeHome) -> None:
    """A field that nobody else changed takes the new value (R30)."""
    result = home.do(update("visit", 1, {"score": 55}, {"score": 50, "weight": "70.50"}))
    visit = home.get(Visit, 1)

    assert (Outcome.ACCEPTED, []) == told(result)
    assert visit is not None
    assert (55, Decimal("70.50")) == (visit.score, visit.weight)


def test_a_delete_takes_the_child_rows_along(home: FakeHome) -> None:
    """A record goes with everything that belongs to it (R19)."""
    assert (Outcome.ACCEPTED, []) == told(home.do(delete("visit", 1, {"score": 50})))

    assert home.get(Visit, 1) is None
    assert home.get(Order, 1) is None


def test_deleting_what_is_gone_already_is_accepted(home: FakeHome) -> None:
    """Two who delete the same row want the same."""
    assert Outcome.ACCEPTED is home.do(delete("order", 99, at="orders[0]")).outcome


def test_keys_of_text_and_uuid_are_taken_as_they_are(home: FakeHome) -> None:
    """UUID keys are real from the start, and so is a reference to one in the same form (R36)."""
    first, second = str(uuid.UUID(int=50)), str(uuid.UUID(int=51))
    result = home.do(
        insert("patient", first, name="Nora", ward_code="A 1/2"),
        insert("patient", second, name="Nils", sent_by_id=first),
        page="patient",
    )
    nils = home.get(Patient, uuid.UUID(int=51))

    assert (Outcome.ACCEPTED, [], ()) == (*told(result), result.keys)
    assert nils is not None
    assert uuid.UUID(int=50) == nils.sent_by_id


# merged and in conflict


def test_fields_that_only_one_side_changed_are_merged(home: FakeHome) -> None:
    """Somebody else's field keeps their value, mine takes mine (R37)."""
    result = home.do(update("visit", 1, {"score": 55}, {"score": 50, "weight": "60.00"}))
    visit = home.get(Visit, 1)

    assert (Outcome.MERGED, []) == told(result)
    assert visit is not None
    assert (55, Decimal("70.50")) == (visit.score, visit.weight)


def test_the_same_change_on_both_sides_is_no_conflict(home: FakeHome) -> None:
    """Both sides wanting the same value agree (R37)."""
    result = home.do(update("visit", 1, {"score": 50}, {"score": 40}))

    assert Outcome.ACCEPTED is result.outcome


def test_a_field_changed_by_both_is_a_conflict_with_all_three_values(home: FakeHome) -> None:
    """The three values travel with the conflict; nothing of the envelope is applied (R37)."""
    result = home.do(
        update("visit", 1, {"score": 45, "summary": "new"}, {"score": 40, "summary": None}),
        insert("order", -7, "orders[2]", visit_id=1, group="x"),
    )

    assert (Outcome.CONFLICT, [(Code.CHANGED_BY_OTHERS, "score")]) == told(result)
    assert {"mine": 45, "theirs": 50, "was": 40} == result.problems[0].detail
    assert "Points of 100 was changed by somebody else" in result.problems[0].message
    assert untouched(home)


def test_a_conflict_in_a_child_row_names_its_place(home: FakeHome) -> None:
    """The path of a conflict is the one of the form (R37, R38)."""
    result = home.do(update("order", 2, {"share": 1}, {"share": 2}, "orders[1]"))

    assert (Outcome.CONFLICT, [(Code.CHANGED_BY_OTHERS, "orders[1].share")]) == told(result)


def test_an_edit_of_a_deleted_record_is_a_conflict(home: FakeHome) -> None:
    """A record that others deleted is not made again in silence (R40)."""
    result = home.do(update("visit", 77, {"score": 5}, {"score": 0}))

    assert (Outcome.CONFLICT, [(Code.DELETED_BY_OTHERS, "")]) == told(result)


def test_deleting_what_others_changed_is_a_conflict(home: FakeHome) -> None:
    """Nobody's change disappears without anybody having seen it (R37)."""
    result = home.do(delete("visit", 1, {"score": 40}))

    assert (Outcome.CONFLICT, [(Code.CHANGED_BY_OTHERS, "")]) == told(result)
    assert untouched(home)


# forbidden


FORBIDDEN: dict[str, tuple[list[Operation], dict[str, Any], tuple[Code, str]]] = {
    "unknown page": ([insert("visit", -1, **TODAY)], {"page": "x"}, (Code.UNKNOWN_PAGE, "")),
    "page of another role": (
        [insert("Drug %s list", -1, name="Aspirin")],
        {"page": "drugs"},
        (Code.PAGE_FORBIDDEN, ""),
    ),
    "read-only page": (
        [update("ward", "B", {"name": "New"}, {"name": "Ärzte"})],
        {"page": "ward"},
        (Code.OPERATION_FORBIDDEN, ""),
    ),
    "model of another page": (
        [insert("ward", "C", "x", code="C", name="New")],
        {},
        (Code.UNKNOWN_MODEL, "x"),
    ),
    "private field": (
        [update("patient", str(ADA), {"secret": "told"}, {"secret": None})],
        {"page": "patient"},
        (Code.FIELD_FORBIDDEN, "secret"),
    ),
    "field that the form does not show": (
        [update("patient", str(ADA), {"carer": "bert"}, {"carer": "anna"})],
        {"page": "patient"},
        (Code.FIELD_FORBIDDEN, "carer"),
    ),
    "field that does not exist": (
        [update("visit", 1, {"metadata": 1}, {"metadata": 2})],
        {},
        (Code.UNKNOWN_FIELD, "metadata"),
    ),
    "changing a key": (
        [update("visit", 1, {"id": 5}, {"id": 1})],
        {},
        (Code.FIELD_FORBIDDEN, "id"),
    ),
    "moving a child to another parent": (
        [update("order", 1, {"visit_id": 2}, {"visit_id": 1}, "orders[0]")],
        {},
        (Code.FIELD_FORBIDDEN, "orders[0].visit"),
    ),
    "record of another user": (
        [update("visit", 2, {"score": 5}, {"score": None})],
        {},
        (Code.ROW_FORBIDDEN, ""),
    ),
    "deleting a record of another user": ([delete("visit", 2)], {}, (Code.ROW_FORBIDDEN, "")),
    "child of another user's record": (
        [insert("order", -1, "orders[0]", visit_id=2, group="x")],
        {},
        (Code.ROW_FORBIDDEN, ""),
    ),
    "giving a record away": (
        [update("visit", 1, {"nurse": "bert"}, {"nurse": "anna"})],
        {},
        (Code.ROW_FORBIDDEN, ""),
    ),
    "making a record for another user": (
        [insert("visit", -1, **TODAY, nurse="bert")],
        {},
        (Code.ROW_FORBIDDEN, ""),
    ),
}


@pytest.mark.parametrize("attempt", FORBIDDEN)
def test_what_the_user_may_not_do_is_refused_whole(home: FakeHome, attempt: str) -> None:
    """Writes outside of page, fields and scope are refused with the place named (R34)."""
    operations, parts, expected = FORBIDDEN[attempt]
    result = home.do(*operations, insert("visit", -99, **TODAY), **parts) if (
        parts.get("page", "visit") == "visit"
    ) else home.do(*operations, **parts)  # fmt: skip

    assert Outcome.FORBIDDEN is result.outcome
    assert expected in [(p.code, p.path) for p in result.problems]
    assert untouched(home)


def test_a_refusal_does_not_tell_what_is_in_the_row(home: FakeHome) -> None:
    """Who guesses a key learns nothing about the row, not even through a conflict (R34, R67)."""
    home.run_sql(sa.update(Visit).where(Visit.id == 2).values(summary="confidential"))
    result = home.do(update("visit", 2, {"summary": "mine"}, {"summary": "guess"}))

    assert Outcome.FORBIDDEN is result.outcome
    assert "confidential" not in repr(result)


def test_roles_open_pages(home: FakeHome) -> None:
    """Who has the page's role may write through it (R34)."""
    result = home.do(insert("Drug %s list", -1, name="Aspirin"), user=DOCTOR, page="drugs")
    drug = home.get(Drug, 1)

    assert (Outcome.ACCEPTED, []) == told(result)
    assert drug is not None
    assert "Aspirin" == drug.name


# invalid


def test_all_problems_come_at_once_each_with_its_path(home: FakeHome) -> None:
    """Nobody repairs an envelope one message at a time (R16)."""
    result = home.do(
        insert("visit", -7, patient_id="nobody", score=101),
        insert("order", -8, "orders[0]", visit_id=-7, group=None, share=True),
        insert("dose", (-8, 1), "orders[0].doses[0]", order_id=-8, number=1, amount="1.234"),
    )

    assert (
        Outcome.INVALID,
        [
            (Code.NOT_A_MULTIPLE, "score"),
            (Code.NOT_A_WHOLE_NUMBER, "orders[0].share"),
            (Code.NOT_AN_ID, "patient"),
            (Code.REQUIRED, "orders[0].group"),
            (Code.REQUIRED, "visited_on"),
            (Code.TOO_LARGE, "score"),
            (Code.TOO_MANY_DIGITS, "orders[0].doses[0].amount"),
        ],
    ) == told(result)
    assert untouched(home)


def test_rules_speak_with_the_paths_of_the_form(home: FakeHome) -> None:
    """A rule counts rows in its object; its words stand at the row of the form (R15, R16)."""
    result = home.do(
        update("visit", 1, {"urgent": True}, {"urgent": False}),
        update("order", 2, {"share": 101}, {"share": 20}, "orders[7]"),
        insert("order", -8, "orders[9]", visit_id=1, group="x", share=500),
        insert("dose", (-8, 1), "orders[9].doses[3]", order_id=-8, number=1, amount="0"),
    )

    assert (
        Outcome.INVALID,
        [
            (Code.RULE, "orders[7].share"),
            (Code.RULE, "orders[9].doses[3].amount"),
            (Code.RULE, "orders[9].share"),
            (Code.RULE, "summary"),
        ],
    ) == told(result)
    assert "Say why it is urgent." in [p.message for p in result.problems]
    assert untouched(home)


def test_a_rule_that_breaks_is_a_problem_not_a_crash() -> None:
    """An author's mistake refuses the envelope in words and keeps the work."""

    @rule(Ward)
    def broken(ward: Ward) -> None:
        raise ZeroDivisionError(ward.name)

    (found,) = broken_rules(Ward(code="X", name="Y"))

    assert (Code.RULE_FAILED, "") == (found.code, found.path)
    assert "'broken' could not be checked (ZeroDivisionError: Y; " in found.message
    assert [] == list(broken_rules(Ward(code="X", name="Y"), patient=True))
    assert 1 == len(rules_of(Ward))
    rules._registered.pop(Ward)


def test_a_chosen_row_that_is_gone_is_named(home: FakeHome) -> None:
    """The words are ours, not the database's (R16)."""
    result = home.do(
        insert("visit", -7, patient_id=str(uuid.UUID(int=404)), visited_on="2026-01-01")
    )

    assert (Outcome.INVALID, [(Code.NO_SUCH_ROW, "patient")]) == told(result)


def test_a_value_that_must_be_unique_is_named(home: FakeHome) -> None:
    """A unique constraint speaks at its field (R16)."""
    key = str(uuid.UUID(int=60))
    result = home.do(insert("patient", key, name="Double", number="A-1"), page="patient")

    assert (Outcome.INVALID, [(Code.NOT_UNIQUE, "number")]) == told(result)
    assert untouched(home)


@pytest.mark.parametrize("was_there", [False, True])
def test_two_new_rows_with_one_key_are_named(home: FakeHome, was_there: bool) -> None:
    """No row of a form is lost behind another, not even where an old one makes room (R16, R30)."""
    home.add(*[Dose(order_id=1, number=1, amount=Decimal(5))] * was_there)
    result = home.do(
        *[delete("dose", (1, 1), at="orders[0].doses[0]")] * was_there,
        insert("dose", (1, 1), "orders[0].doses[1]", order_id=1, number=1, amount="1"),
        insert("dose", (1, 1), "orders[0].doses[2]", order_id=1, number=1, amount="2"),
    )

    assert (Outcome.INVALID, [(Code.NOT_UNIQUE, "orders[0].doses[2].number")]) == told(result)
    dose = home.get(Dose, 1, 1)
    assert (dose.amount if dose else None) == (Decimal(5) if was_there else None)


def test_a_row_that_others_refer_to_cannot_go(home: FakeHome) -> None:
    """A delete is refused naming what and how many refer to the row (R19)."""
    home.add(Visit(id=5, patient_id=ADA, visited_on=date(2026, 1, 1), nurse="anna"))
    result = home.do(delete("patient", str(ADA)), page="patient")

    assert (Outcome.INVALID, [(Code.STILL_REFERRED_TO, "")]) == told(result)
    assert {"model": "visit", "count": 2} == result.problems[0].detail
    assert home.get(Patient, ADA) is not None


def test_an_integer_beyond_the_column_is_a_problem(home: FakeHome) -> None:
    """Both databases refuse alike what only one of them would store (R36)."""
    result = home.do(update("order", 1, {"share": 1 << 40}, {"share": 10}, "orders[0]"))

    assert (Outcome.INVALID, [(Code.TOO_LARGE, "orders[0].share")]) == told(result)


# waiting


def test_an_unknown_temporary_key_waits(home: FakeHome) -> None:
    """What depends on an envelope that has not arrived waits for it (R27, R31)."""
    result = home.do(insert("order", -8, "orders[0]", visit_id=-7, group="x"))

    assert (Outcome.WAITING, [(Code.PREDECESSOR_MISSING, "")]) == told(result)
    assert untouched(home)


def test_a_temporary_key_of_an_earlier_envelope_still_counts(home: FakeHome) -> None:
    """Keys are kept for good: a later envelope may use the temporary one (R31)."""
    home.do(insert("visit", -7, **TODAY))
    added = home.do(insert("order", -8, "orders[0]", visit_id=-7, group="x"))
    changed = home.do(update("visit", -7, {"score": 10}, {"score": None}))
    gone = home.do(delete("order", -8, at="orders[0]"))

    assert [Outcome.ACCEPTED] * 3 == [added.outcome, changed.outcome, gone.outcome]
    visit = home.get(Visit, 3)
    assert visit is not None
    assert 10 == visit.score
    assert home.get(Order, 3) is None


def test_users_do_not_see_each_other(home: FakeHome) -> None:
    """Bert writes to his visit and Anna to hers (R34)."""
    mine = home.do(update("visit", 2, {"score": 5}, {"score": None}), user=BERT)
    theirs = home.do(update("visit", 1, {"score": 5}, {"score": 50}), user=BERT)

    assert [Outcome.ACCEPTED, Outcome.FORBIDDEN] == [mine.outcome, theirs.outcome]
