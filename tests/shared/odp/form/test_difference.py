"""A form becomes operations: what changed, no more and no less (R18, R21, R31)."""

import itertools
import uuid
from typing import Any

import pytest

from apps.clinic import Dose, Reading, Visit, app
from apps.fakes import ADA, FakeHome, rows
from fieldpost.errors import Code, InputError
from fieldpost.odp.form.difference import Differ, Difference
from fieldpost.odp.form.rows import Row, opened_from, row_from_opened, row_from_post
from fieldpost.pages import Form

FORM: Form = app.pages["visit"].layout
NEW_ID = "00000000-0000-0000-0000-0000000000ff"


def compare(row: Row, opened: Any = None, form: Form = FORM) -> Difference:
    numbers = itertools.count(-7, -1)
    return Differ(lambda: next(numbers), lambda: NEW_ID).compare(form, row, opened)


def posted(fields: dict[str, str], opened: Any = None, form: Form = FORM) -> Difference:
    return compare(row_from_post(form, fields.items()), opened, form)


@pytest.fixture
def opened() -> dict[str, Any]:
    """What the form shows of a visit with two orders, a dose and a reading."""
    home = FakeHome()
    home.add(*rows())
    home.add(Dose(order_id=1, number=1, amount=2), Reading(
        id=uuid.UUID(int=5), order_id=1, dose_number=1, value=7
    ))  # fmt: skip
    with home.session() as session:
        return opened_from(FORM, session.get(Visit, 1))


def test_an_unchanged_form_makes_no_operation(opened: dict[str, Any]) -> None:
    """Saving a form in which nothing changed makes nothing (R18)."""
    found = compare(row_from_opened(FORM, opened), opened)

    assert Difference() == found


def test_an_edit_sends_what_changed_and_what_was_seen(opened: dict[str, Any]) -> None:
    """`set` holds the changed field only, `was` everything that the form showed (R37)."""
    row = row_from_opened(FORM, opened)
    row.texts["score"] = "55"
    found = compare(row, opened)

    (operation,) = found.operations
    assert ("update", "visit", (1,), {"score": 55}) == (
        operation.do,
        operation.model,
        operation.key,
        operation.set,
    )
    assert opened["values"] == operation.was


def test_emptying_a_field_is_a_change_but_empty_text_for_none_is_not(
    opened: dict[str, Any],
) -> None:
    """An input cannot tell empty from none, so that is no change; taking a value away is one."""
    row = row_from_opened(FORM, opened)
    row.texts |= {"summary": "", "photos": "[]", "weight": ""}

    assert [{"weight": None}] == [o.set for o in compare(row, opened).operations]


@pytest.mark.parametrize("text", ["a\r\nb", "a\rb", " ", "\n"])
def test_what_another_program_wrote_is_no_change(opened: dict[str, Any], text: str) -> None:
    """A form that was only opened and saved makes nothing, whatever line ends a row has (R18)."""
    opened["values"]["summary"] = text
    row = row_from_opened(FORM, opened)
    row.texts["summary"] = "\r\n".join(text.splitlines()) if text.strip() else text

    assert [] == compare(row, opened).operations


def test_child_rows_are_edited_added_and_deleted(opened: dict[str, Any]) -> None:
    """A child list's changes are operations with their place; deletes come first (R13)."""
    row = row_from_opened(FORM, opened)
    orders = row.lists["orders"]
    orders[0].texts["share"] = "11"
    orders[1].deleted = True
    orders.append(Row("orders[2]", None, {"group": "x-ray"}))
    found = compare(row, opened).operations

    assert [
        ("delete", (2,), {}, "orders[1]"),
        ("update", (1,), {"share": 11}, "orders[0]"),
        ("insert", (-7,), {"group": "x-ray", "visit_id": 1}, "orders[2]"),
    ] == [(o.do, o.key, o.set, o.at) for o in found]


def test_a_new_form_is_written_parents_first_with_temporary_keys() -> None:
    """Keys link three levels, temporary ones inside composite ones too (R31, R36)."""
    found = posted(
        {
            "patient": str(ADA),
            "visited_on": "2026-11-23",
            "kind": "first",
            "nurse": "anna",
            "orders[0].group": "blood",
            "orders[0].doses[0].number": "1",
            "orders[0].doses[0].amount": "2.5",
            "orders[0].doses[0].readings[0].value": "9",
        }
    )

    assert [] == found.problems
    assert [
        ("visit", (-7,)),
        ("order", (-8,)),
        ("dose", (-8, 1)),
        ("reading", (NEW_ID,)),
    ] == [(o.model, o.key) for o in found.operations]
    assert {"amount": "2.5", "number": 1, "order_id": -8} == found.operations[2].set
    assert {"value": 9, "order_id": -8, "dose_number": 1} == found.operations[3].set
    assert "orders[0].doses[0].readings[0]" == found.operations[3].at


def test_a_new_row_that_was_removed_again_leaves_nothing(opened: dict[str, Any]) -> None:
    """A row added and removed in the same form makes no operation."""
    row = row_from_opened(FORM, opened)
    row.lists["orders"].append(Row("orders[2]", None, {"group": ""}, deleted=True))

    assert Difference() == compare(row, opened)


def test_deleting_a_row_does_not_ask_for_its_children(opened: dict[str, Any]) -> None:
    """A deleted row takes its children along; there is one operation."""
    row = row_from_opened(FORM, opened)
    row.lists["orders"][0].deleted = True

    assert [("delete", "order", (1,))] == [
        (o.do, o.model, o.key) for o in compare(row, opened).operations
    ]


def test_problems_are_all_collected_each_at_its_field() -> None:
    """All problems of a form are shown at once, each with its path (R16)."""
    found = posted(
        {
            "patient": "",
            "visited_on": "23.11.",
            "score": "7",
            "orders[0].group": "",
            "orders[3].group": "x",
            "orders[3].share": "some",
        }
    )

    assert {
        ("patient", Code.REQUIRED),
        ("visited_on", Code.NOT_A_DATE),
        ("score", Code.NOT_A_MULTIPLE),
        ("orders[0].group", Code.REQUIRED),
        ("orders[3].share", Code.NOT_A_WHOLE_NUMBER),
    } == {(p.path, p.code) for p in found.problems}


def test_a_row_that_the_form_was_not_opened_on_is_refused(opened: dict[str, Any]) -> None:
    """A forged key of a child row is a problem, not an update of somebody's row."""
    row = row_from_opened(FORM, opened)
    row.lists["orders"][0].key = [99]

    assert [("orders[0]", Code.MALFORMED)] == [
        (p.path, p.code) for p in compare(row, opened).problems
    ]


def test_new_attachments_are_named_once(opened: dict[str, Any]) -> None:
    """What an envelope waits for: every new file, no known one, each once (R43)."""
    old, new = "a" * 64, "b" * 64
    reference = '{{"sha256": "{}", "size": 1, "type": "image/png", "name": "n"}}'
    opened = {**opened, "values": {**opened["values"], "photos": [
        {"sha256": old, "size": 1, "type": "image/png", "name": "n"}
    ]}}  # fmt: skip
    row = row_from_opened(FORM, opened)
    row.texts["photos"] = f"[{reference.format(old)}, {reference.format(new)}]"
    row.texts["signature"] = reference.format(new)

    assert [new] == compare(row, opened).attachments


def test_typed_keys_are_kept_and_uuid_keys_made() -> None:
    """UUID and natural keys are real from the start (R36)."""
    patients = posted({"name": "Zoe"}, form=app.pages["patient"].layout)

    assert (NEW_ID,) == patients.operations[0].key


def test_a_list_with_too_many_rows_is_refused() -> None:
    """Rows of a posted form are bounded (R66)."""
    fields = {f"orders[{i}].group": "x" for i in range(5001)}

    with pytest.raises(InputError) as caught:
        row_from_post(FORM, fields.items())
    assert [Code.TOO_BIG] == [p.code for p in caught.value.problems]


@pytest.mark.parametrize("key", ["{", "7", '{"a": 1}', "[" * 20_000])
def test_a_key_that_cannot_be_read_is_refused(key: str) -> None:
    """A damaged hidden key is an input error, not a crash (R66)."""
    with pytest.raises(InputError):
        row_from_post(FORM, [("orders[0]._key", key)])


def test_order_rows_keep_the_places_that_were_posted() -> None:
    """Numbers of rows may have gaps; the places in messages are the posted ones."""
    row = row_from_post(FORM, [("orders[7].group", "b"), ("orders[2].group", "a")])

    assert ["orders[2]", "orders[7]"] == [r.at for r in row.lists["orders"]]
