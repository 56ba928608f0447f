"""Values travel without loss, and what is none is refused with its code (R16, R66)."""

import json
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Kind, app
from fieldpost.errors import Code
from fieldpost.schema.fields import Field
from fieldpost.schema.validation import read_json, read_text, value_problems
from fieldpost.types import Attachment

PICTURE = Attachment("ab" * 32, 8123, "image/png", "signature.png")


def field(name: str) -> Field:
    model, _, attribute = name.rpartition(".")
    return app.models[model or "visit"].by_attribute[attribute]


GOOD: list[tuple[str, Any, Any]] = [
    ("patient.id", uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    ("visited_on", date(2026, 11, 23), "2026-11-23"),
    ("rang_at", time(14, 30, 5), "14:30:05"),
    (
        "starts_at",
        datetime(2026, 11, 23, 7, 15, 4, 112000, UTC),
        "2026-11-23T07:15:04.112000+00:00",
    ),
    ("kind", Kind.follow_up, "follow-up"),
    ("urgent", False, False),
    ("weight", Decimal("70.50"), "70.50"),
    ("temperature", 36.6, 36.6),
    ("score", 55, 55),
    ("summary", "Ä\nö\t𝄞 \u202e\"'<&>", "Ä\nö\t𝄞 \u202e\"'<&>"),
    ("signature", PICTURE, PICTURE.to_json()),
    ("photos", [PICTURE], [PICTURE.to_json()]),
    ("photos", [], []),
]


@pytest.mark.parametrize(("name", "value", "data"), GOOD)
def test_values_come_back_from_json(name: str, value: Any, data: Any) -> None:
    """What a device packs is what the server unpacks, through the text of JSON."""
    codec = field(name).codec

    assert data == codec.encode(value)
    assert value == codec.decode(json.loads(json.dumps(codec.encode(value))))


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, v, _ in GOOD])
def test_values_come_back_from_a_form(name: str, value: Any) -> None:
    """What an input shows is what it gives back: an untouched form changes nothing (R18)."""
    codec = field(name).codec

    assert value == codec.from_text(codec.to_text(value))


BAD_JSON: list[tuple[str, Any, Code]] = [
    ("visited_on", "2026-W01-1", Code.NOT_A_DATE),
    ("visited_on", "20261123", Code.NOT_A_DATE),
    ("visited_on", "2026-02-30", Code.NOT_A_DATE),
    ("visited_on", "2026-11-23T00:00", Code.NOT_A_DATE),
    ("visited_on", "٢٠٢٦-11-23", Code.NOT_A_DATE),
    ("visited_on", 20261123, Code.NOT_A_DATE),
    ("rang_at", "24:00", Code.NOT_A_TIME),
    ("rang_at", "1430", Code.NOT_A_TIME),
    ("starts_at", "2026-11-23T08:15", Code.NOT_A_MOMENT),
    ("starts_at", "2026-11-23", Code.NOT_A_MOMENT),
    ("starts_at", "0001-01-01T00:00+23:59", Code.NOT_A_MOMENT),
    ("score", True, Code.NOT_A_WHOLE_NUMBER),
    ("score", 1.0, Code.NOT_A_WHOLE_NUMBER),
    ("score", "1", Code.NOT_A_WHOLE_NUMBER),
    ("weight", 1.5, Code.NOT_A_NUMBER),
    ("weight", "NaN", Code.NOT_A_NUMBER),
    ("weight", "Infinity", Code.NOT_A_NUMBER),
    ("weight", "1e5", Code.NOT_A_NUMBER),
    ("weight", "1" * 41, Code.NOT_A_NUMBER),
    ("weight", "٣", Code.NOT_A_NUMBER),
    ("temperature", float("nan"), Code.NOT_A_NUMBER),
    ("temperature", float("inf"), Code.NOT_A_NUMBER),
    ("temperature", True, Code.NOT_A_NUMBER),
    ("temperature", 10**400, Code.NOT_A_NUMBER),
    ("urgent", 1, Code.NOT_A_YES_OR_NO),
    ("urgent", "true", Code.NOT_A_YES_OR_NO),
    ("kind", "second", Code.NOT_A_CHOICE),
    ("kind", ["first"], Code.NOT_A_CHOICE),
    ("summary", "a\0b", Code.NOT_TEXT),
    ("summary", "a\x1bb", Code.NOT_TEXT),
    ("summary", "a\ud800b", Code.NOT_TEXT),
    ("summary", 7, Code.NOT_TEXT),
    ("patient.id", "7", Code.NOT_AN_ID),
    ("patient.id", "0" * 31 + "٣", Code.NOT_AN_ID),
    ("patient.id", "urn:uuid:" + "0" * 32, Code.NOT_AN_ID),
    ("patient.id", 7, Code.NOT_AN_ID),
    ("signature", "ab" * 32, Code.NOT_AN_ATTACHMENT),
    ("signature", {**PICTURE.to_json(), "sha256": "AB" * 32}, Code.NOT_AN_ATTACHMENT),
    ("signature", {**PICTURE.to_json(), "size": -1}, Code.NOT_AN_ATTACHMENT),
    ("signature", {**PICTURE.to_json(), "more": 1}, Code.NOT_AN_ATTACHMENT),
    ("photos", PICTURE.to_json(), Code.NOT_AN_ATTACHMENT),
    ("photos", [PICTURE.to_json()] * 51, Code.NOT_AN_ATTACHMENT),
]


@pytest.mark.parametrize(("name", "data", "code"), BAD_JSON, ids=repr)
def test_json_that_is_no_value_is_refused(name: str, data: Any, code: Code) -> None:
    """Nothing is guessed: each bad value has its code, its place and words (R16, R66)."""
    value, fault = read_json(field(name), data, "orders[1].x")

    assert value is None
    assert fault is not None
    assert (code, "orders[1].x") == (fault.code, fault.path)
    assert field(name).label in fault.message


BAD_TEXT: list[tuple[str, str, Code]] = [
    ("visited_on", "23.11.2026", Code.NOT_A_DATE),
    ("score", "12.5", Code.NOT_A_WHOLE_NUMBER),
    ("score", "0x10", Code.NOT_A_WHOLE_NUMBER),
    ("score", "1_000", Code.NOT_A_WHOLE_NUMBER),
    ("temperature", "1_000", Code.NOT_A_NUMBER),
    ("temperature", "infinity", Code.NOT_A_NUMBER),
    ("temperature", "1e400", Code.NOT_A_NUMBER),
    ("temperature", "nan", Code.NOT_A_NUMBER),
    ("temperature", "warm", Code.NOT_A_NUMBER),
    ("urgent", "perhaps", Code.NOT_A_YES_OR_NO),
    ("photos", "[" * 20_000, Code.NOT_AN_ATTACHMENT),
]


@pytest.mark.parametrize(("name", "text", "code"), BAD_TEXT, ids=lambda v: repr(v)[:30])
def test_input_that_is_no_value_is_refused(name: str, text: str, code: Code) -> None:
    """What a person typed is never read as something that she did not mean (R16)."""
    _, fault = read_text(field(name), text, name)

    assert fault is not None
    assert code == fault.code


def test_line_ends_of_forms_become_one_character() -> None:
    """A text does not change because a form was opened and saved (R18)."""
    assert ("a\nb\nc", None) == read_text(field("summary"), "a\r\nb\rc", "summary")


@pytest.mark.parametrize("space", ["\x1d", "\x85", "\u2003", "\n"])
def test_spaces_of_all_kinds_around_a_number_do_no_harm(space: str) -> None:
    """What a person does not see changes neither the number nor ends the program (R66)."""
    for name, value in (("score", 5), ("weight", Decimal(5)), ("temperature", 5.0)):
        assert (value, None) == read_text(field(name), f"{space}5{space}", name)


def test_nothing_but_spaces_is_nothing() -> None:
    """An input with spaces only counts as empty."""
    assert (None, None) == read_text(field("score"), "  ", "score")


OUTSIDE: list[tuple[str, Any, Code]] = [
    ("score", -1, Code.TOO_SMALL),
    ("score", 101, Code.TOO_LARGE),
    ("score", 7, Code.NOT_A_MULTIPLE),
    ("orders.share", 1 << 31, Code.TOO_LARGE),
    ("orders.share", -(1 << 31) - 1, Code.TOO_SMALL),
    ("weight", Decimal(-1), Code.TOO_SMALL),
    ("weight", Decimal("1.234"), Code.TOO_MANY_DIGITS),
    ("weight", Decimal(12345), Code.TOO_MANY_DIGITS),
    ("weight", Decimal("1" * 40), Code.TOO_MANY_DIGITS),
    ("weight", Decimal("0." + "0" * 39 + "1"), Code.TOO_MANY_DIGITS),
    ("patient.name", "x", Code.TOO_SHORT),
    ("patient.name", "x" * 81, Code.TOO_LONG),
    ("summary", "x" * 2001, Code.TOO_LONG),
    ("visited_on", None, Code.REQUIRED),
]


@pytest.mark.parametrize(("name", "value", "code"), OUTSIDE, ids=lambda v: repr(v)[:30])
def test_values_outside_the_constraints_are_named(name: str, value: Any, code: Code) -> None:
    """What the model says is checked, also what the databases would truncate or refuse (R16)."""
    each = field(name.replace("orders.", "order."))

    assert code in [p.code for p in value_problems(each, value, name)]


def test_values_at_the_limits_are_good() -> None:
    """The limits themselves belong to what is allowed."""
    limits = [
        ("score", 0),
        ("score", 100),
        ("weight", Decimal("9999.99")),
        ("weight", Decimal("1." + "0" * 40)),
    ]

    for name, value in limits:
        assert [] == list(value_problems(field(name), value, name))
    assert [] == list(value_problems(field("order.share"), (1 << 31) - 1, "share"))


def test_a_default_stands_in_for_a_value_that_was_not_given() -> None:
    """A column that fills itself in is not demanded (R15)."""
    kind = field("kind")

    assert [] == list(value_problems(kind, None, "kind", absent=True))
    assert [Code.REQUIRED] == [p.code for p in value_problems(kind, None, "kind")]


def test_decimals_and_moments_survive_sqlite() -> None:
    """SQLite gives back the decimal and the moment that were written (R36)."""
    table = app.models["visit"].table
    engine = sa.create_engine("sqlite://")
    moment = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(
            sa.insert(table).values(
                patient_id=uuid.UUID(int=1),
                visited_on=date(2026, 1, 1),
                nurse="anna",
                weight=Decimal("0.10"),
                starts_at=moment,
            )
        )
        row = connection.execute(sa.select(table)).one()

    assert (Decimal("0.10"), moment) == (row.weight, row.starts_at)
    assert "0.10" == str(row.weight)
    engine.dispose()
