"""Which submissions say the same: those of one form that was sent twice, and no others (R26)."""

import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from apps import clinic
from fieldpost.odp.form.once import content_digest, says_same
from fieldpost.wire.envelope import Operation

MODELS = clinic.app.models
ADA = str(uuid.UUID(int=99))


def visit(key: int, **values: Any) -> tuple[Operation, ...]:
    """Return a new visit with an order, a dose of it and a reading of that, as one form makes it.

    Args:
        key: temporary key of the visit; that of the order comes after it.
        values: of the visit.
    """
    order, reading = key - 1, str(uuid.UUID(int=-key))
    return (
        Operation("insert", "visit", (key,), {"patient_id": ADA, **values}),
        Operation("insert", "order", (order,), {"group": "x", "visit_id": key}, at="orders[0]"),
        Operation(
            "insert", "dose", (order, 1), {"number": 1, "order_id": order}, at="orders[0].doses[0]"
        ),
        Operation("insert", "reading", (reading,), {"order_id": order, "value": 5}, at="readings"),
    )


def both(some: tuple[Operation, ...], others: tuple[Operation, ...]) -> bool:
    """Say whether they are the same; the server and a device look at them in their own ways."""
    is_same = says_same(MODELS, some, others)
    assert is_same is (content_digest(MODELS, some) == content_digest(MODELS, others))
    return is_same


SAME: tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...] = (
    ({}, {}),
    # typed, and as large as a key that was given out
    ({"score": -1}, {"score": -1}),
    ({"score": -4}, {"score": -4}),
    ({"score": -1, "summary": "a"}, {"summary": "a", "score": -1}),
    ({"summary": "new 0"}, {"summary": "new 0"}),
    ({"score": 1 << 62}, {"score": 1 << 62}),
    # somebody has travelled: her clock says something else of the same moment
    ({"starts_at": "2026-07-01T09:55:00+02:00"}, {"starts_at": "2026-07-01T08:55:00+01:00"}),
    ({"starts_at": "2026-07-01T09:55:00+02:00"}, {"starts_at": "2026-07-01T07:55:00Z"}),
    ({"starts_at": "0001-01-01T00:00:00+01:00"}, {"starts_at": "0001-01-01T00:00:00+01:00"}),
)
OTHER: tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...] = (
    # each as large as the key of its own submission
    ({"score": -1}, {"score": -4}),
    ({"score": -2}, {"score": -5}),
    ({"temperature": -0.0}, {"temperature": 0.0}),
    ({"urgent": True}, {"urgent": 1}),
    ({"urgent": False}, {"urgent": 0}),
    ({"score": 1 << 62}, {"score": (1 << 62) + 1}),
    ({"score": 0}, {"score": None}),
    ({"summary": ""}, {"summary": None}),
    ({"summary": "\u00e9"}, {"summary": "e\u0301"}),
    ({"weight": "1.0"}, {"weight": "1.00"}),
    ({"starts_at": "2026-07-01T09:55:00+02:00"}, {"starts_at": "2026-07-01T09:55:00+01:00"}),
    # a text is no moment, and what looks like a key is none
    ({"summary": "2026-07-01T09:55:00+02:00"}, {"summary": "2026-07-01T07:55:00+00:00"}),
    ({"summary": str(uuid.UUID(int=1))}, {"summary": str(uuid.UUID(int=4))}),
    ({"wards": [["A"]]}, {"wards": [["B"]]}),
)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_form_again(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """Sent twice it says the same, whatever keys its rows were given each time."""
    assert both(visit(-1, **one), visit(-4, **other))


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another_form(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """What differs in anything that was filled in is something else, and nothing of it is lost."""
    assert not both(visit(-1, **one), visit(-4, **other))


def test_rows_that_point_to_others() -> None:
    """Which new row belongs to which other is part of what a form says."""
    first, second = visit(-1), visit(-5)
    turned = (*first[:1], *second[:1], *first[1:])
    others = (*first[:1], *second[:1], *second[1:])
    assert 2 == len({content_digest(MODELS, each) for each in (turned, others)})


def test_of_a_model_that_is_gone() -> None:
    """Keys that were given out are still told apart from others, after an update of the app."""
    gone = [
        (Operation("insert", "gone", (key,), {"name": "x"}),) for key in (-1, -2, ADA, "typed", "t")
    ]
    same = [[says_same(MODELS, one, other) for other in gone] for one in gone]
    made = [True, True, True, False, False]
    assert [made, made, made, [*[False] * 3, True, False], [*[False] * 4, True]] == same
