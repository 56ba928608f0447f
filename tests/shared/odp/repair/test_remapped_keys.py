"""Lost keys in an envelope are read as the temporary ones that they came from (R26, R31)."""

from typing import Any

import pytest

from apps import clinic, depot
from apps.fakes import envelope
from fieldpost.app import App
from fieldpost.odp.repair.remapped_keys import (
    Named,
    named_keys,
    record_key,
    renumbered,
    reopened,
    timeline_of,
)
from fieldpost.wire.envelope import Operation

LOST = {("order", 7): -7, ("visit", 3): -3}
HISTORY = "0" * 32


def read(app: App, operation: Operation) -> Operation:
    (found,) = renumbered(app, envelope(operation), LOST).operations
    return found


def named(app: App, operation: Operation) -> list[tuple[str, int, str]]:
    found = named_keys(app, envelope(operation))
    return [(each.model, each.key, each.path) for each in found]


def test_a_key_is_read_wherever_it_is_named() -> None:
    """Keys, references to them, what was seen and rows of a list are of the row that is meant."""
    look = Operation("look", "visit", (3,), was={"score": 3}, rows={"orders": [[7], [8]]})
    assert Operation(
        "look", "visit", (-3,), was={"score": 3}, rows={"orders": [[-7], [8]]}
    ) == read(clinic.app, look)

    order = Operation("insert", "order", (-9,), {"visit_id": 3, "share": 7, "group": "x"})
    assert {"visit_id": -3, "share": 7, "group": "x"} == read(clinic.app, order).set

    was = Operation("update", "order", (7,), {"visit_id": 2}, {"visit_id": 3})
    assert ((-7,), {"visit_id": -3}) == (read(clinic.app, was).key, read(clinic.app, was).was)


def test_a_part_of_a_composite_key_may_be_a_counted_one() -> None:
    """A dose has its order's key, a reading both of its dose's."""
    dose = Operation("delete", "dose", (7, 7), {}, {"amount": "1"})
    assert (-7, 7) == read(clinic.app, dose).key

    reading = Operation("insert", "reading", ("x",), {"order_id": 7, "dose_number": 7})
    assert {"order_id": -7, "dose_number": 7} == read(clinic.app, reading).set


def test_links_are_read_by_the_rows_that_they_lead_to() -> None:
    """Links to counted keys are keys as others are."""
    linked = Operation("update", "order", (1,), {"after": [[7], [9]]}, {"after": [[7]]})
    found = read(depot.app, linked)

    assert ({"after": [[-7], [9]]}, {"after": [[-7]]}) == (found.set, found.was)


def test_the_envelope_stays_what_it_was() -> None:
    """Id, number and digest are those that it was sealed with; without lost keys it is itself."""
    made = envelope(Operation("delete", "visit", (3,), {}, {"score": 3}))
    found = renumbered(clinic.app, made, LOST)

    assert (made.id, made.number, made.digest) == (found.id, found.number, found.digest)
    assert made is renumbered(clinic.app, made, {})


def test_names_and_keys_of_another_shape_are_let_be() -> None:
    """What a replay will refuse is refused there, with its words."""
    odd = [
        Operation("update", "nothing", (3,), {"x": 3}, {"x": 3}),
        Operation("update", "visit", (3, 3), {"nothing": 3, "score": True}, {}),
        Operation("update", "visit", ("3",), {"wards": "x", "score": None}, {}),
        Operation("look", "visit", (1,), {}, {}, rows={"nothing": [[3]]}),
    ]
    assert odd == [read(clinic.app, operation) for operation in odd]
    assert [] == [each for operation in odd[:3] for each in named(clinic.app, operation)]


def test_what_is_named_has_its_place_in_the_form() -> None:
    """Temporary keys and those of new rows are not named: nobody else can have them."""
    order = Operation("insert", "order", (-9,), {"visit_id": 3, "group": "x"}, at="orders[0]")
    look = Operation("look", "visit", (3,), was={"score": 1}, rows={"orders": [[7], [-8]]})

    assert [("visit", 3, "orders[0].visit")] == named(clinic.app, order)
    assert [("visit", 3, ""), ("order", 7, "")] == named(clinic.app, look)
    assert [("order", 9, "after")] == named(
        depot.app, Operation("update", "order", (-1,), {"after": [[9]]}, {"after": []})
    )
    assert [Named("order", 7, "x")] == list(
        named_keys(clinic.app, envelope(Operation("delete", "dose", (7, 1), at="x")))
    )


def test_names_of_before_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """An envelope that calls its table by a former name is read, too (R41)."""
    monkeypatch.setattr(clinic.app, "renamed", {"call": "visit", "call.points": "score"})
    old = Operation("update", "call", (3,), {"points": 1}, {"points": 2})
    found = read(clinic.app, old)

    assert ("visit", (-3,), {"score": 1}) == (found.model, found.key, found.set)


def test_what_a_form_was_opened_on_is_read_alike() -> None:
    """A repair that begins from it finds the record and its rows."""
    layout = clinic.app.pages["visit"].layout
    order: dict[str, Any] = {"key": [7], "values": {"share": 7}, "children": {"doses": []}}
    opened = {"key": [3], "values": {"score": 3}, "children": {"orders": [order]}, "base": "x"}
    found = reopened(clinic.app.models, layout, opened, LOST)

    assert ([-3], "x") == (found["key"], found["base"])
    assert [-7] == found["children"]["orders"][0]["key"]
    assert {"share": 7} == found["children"]["orders"][0]["values"]
    assert (-3,) == record_key(clinic.app.models["visit"], (3,), LOST)
    assert () == record_key(clinic.app.models["visit"], (), LOST)


def test_a_cursor_names_its_history() -> None:
    """What is none names no history."""
    assert HISTORY == timeline_of(f"f1.{HISTORY}.12.{'1' * 16}")
    others = ("", "x", "f1.x.1", f"f2.{HISTORY}.1", f"f1.{HISTORY}", f"f1.{HISTORY}0.1")
    assert [""] * 6 == [timeline_of(text) for text in others]
