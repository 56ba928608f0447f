"""What holds for every value, text and envelope, as far as Hypothesis can tell (R16, R18, R36)."""

import json
from datetime import UTC, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps import fakes
from apps.clinic import Kind as VisitKind
from apps.clinic import app
from fieldpost.odp.form.difference import Differ
from fieldpost.odp.form.rows import opened_from_text, row_from_opened, row_from_post
from fieldpost.replication.rows import row_from_wire, row_to_wire
from fieldpost.schema.fields import Field, Kind
from fieldpost.schema.validation import value_problems
from fieldpost.text.canonical import canonical, digest
from fieldpost.text.jsontext import parse
from fieldpost.types import Attachment
from fieldpost.wire.envelope import Envelope, Operation, read_envelope
from parity.cases import trees

MANY = settings(derandomize=True, database=None, deadline=None, max_examples=200)
SOME = settings(derandomize=True, database=None, deadline=None, max_examples=60)

FIELDS = {
    f"{model.name}.{name}": field
    for model in app.models.values()
    for name, field in model.fields.items()
    # what links rows has no column; `tests/shared` shows how it travels
    if field.kind is not Kind.LINKS
}

letters = st.characters(codec="utf-8", exclude_categories=["Cc", "Cn"])
texts = st.text(st.one_of(letters, st.sampled_from("\n\t")))
references = st.builds(
    Attachment,
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.integers(0, 1 << 60),
    st.sampled_from(["image/png", "text/plain"]),
    st.text(letters, max_size=255),
)
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: texts,
    Kind.LONG_TEXT: texts,
    Kind.INTEGER: st.integers(-(10**29), 10**29),
    Kind.DATE: st.dates(),
    Kind.TIME: st.times(),
    # as both databases give them
    Kind.DATETIME: st.datetimes(timezones=st.just(UTC)),
    Kind.YES_NO: st.booleans(),
    Kind.CHOICE: st.sampled_from(VisitKind),
    Kind.ID: st.uuids(),
    Kind.SIGNATURE: references,
    Kind.PHOTO: references,
    Kind.FILE: references,
    Kind.PHOTOS: st.lists(references, max_size=5),
}


def values_of(field: Field) -> st.SearchStrategy[Any]:
    """Return a strategy for typed values of a field."""
    if field.kind is Kind.LOOKUP:
        assert field.target is not None
        key = app.models[field.target].key[0]
        return values_of(app.models[field.target].by_attribute[key])
    if field.kind is Kind.DECIMAL:
        if field.name == "temperature":
            return st.floats(allow_nan=False, allow_infinity=False)
        return st.decimals(-(10**20), 10**20, places=15)
    return VALUES[field.kind]


@pytest.mark.parametrize("name", FIELDS)
@MANY
@given(data=st.data())
def test_a_value_comes_back_from_json_and_from_a_form(name: str, data: st.DataObject) -> None:
    """Decoding what was encoded, and reading what is shown, give the same value (R18)."""
    field = FIELDS[name]
    value = data.draw(values_of(field))
    codec = field.codec
    encoded = codec.encode(value)

    assert value == codec.decode(parse(canonical(encoded)))
    assert encoded == codec.encode(codec.decode(encoded))
    assert value == codec.from_text(codec.to_text(value))
    assert all(problem.message for problem in value_problems(field, value, "x"))


@pytest.mark.parametrize("name", FIELDS)
@SOME
@given(data=st.data())
def test_a_value_comes_back_from_a_download(name: str, data: st.DataObject) -> None:
    """What a row holds on the server is what it holds on the device (R36, R47)."""
    field = FIELDS[name]
    table, column = field.column.table, field.column.name
    value = data.draw(values_of(field))
    assert table is not None
    travels = row_to_wire(table, {column: value})
    back = row_from_wire(table, parse(canonical(travels)))

    assert value == back[column]
    assert travels == row_to_wire(table, back)


def _has_text(data: Any) -> bool:
    try:
        canonical(data).encode()
    except (ValueError, UnicodeEncodeError):
        return False
    return True


documents = trees.filter(_has_text)


@MANY
@given(documents)
def test_canonical_text_is_stable(data: Any) -> None:
    """The text of what was read from a text is that text, in whatever order it came (R32)."""
    text = canonical(data)

    assert text == canonical(parse(text))
    assert text == canonical(parse(json.dumps(data, indent=2)))
    assert digest(data) == digest(parse(json.dumps(data, ensure_ascii=True)))


OPERATIONS = st.builds(
    Operation,
    st.sampled_from(["insert", "update", "delete"]),
    texts.map(lambda text: text[:50]),
    st.lists(st.integers(-(1 << 62), 1 << 62) | texts, min_size=1, max_size=3).map(tuple),
    st.dictionaries(texts, st.none() | st.booleans() | st.integers() | texts, max_size=3),
    st.dictionaries(texts, st.none() | st.floats(allow_nan=False, allow_infinity=False)),
    texts.map(lambda text: text[:50]),
)


def _sound(operation: Operation) -> Operation:
    new = {} if operation.do == "delete" else operation.set
    was = {**operation.was, **new} if operation.do == "update" else operation.was
    return Operation(operation.do, operation.model, operation.key, new, was, operation.at)


ZONES = [timezone(timedelta(minutes=minutes)) for minutes in (-719, -30, 0, 345, 840)]
names = st.text(letters, min_size=1, max_size=100)


@MANY
@given(
    st.lists(OPERATIONS.map(_sound), min_size=1, max_size=4),
    st.integers(1, (1 << 53) - 1),
    names,
    st.datetimes(timezones=st.sampled_from(ZONES)).map(lambda moment: moment.isoformat()),
    st.lists(references.map(lambda reference: reference.sha256), max_size=3),
)
def test_an_envelope_comes_back_equal(
    operations: list[Operation], number: int, name: str, saved_at: str, files: list[str]
) -> None:
    """What is read is what was sealed, to the last byte of its text (R32)."""
    sealed: Envelope = fakes.envelope(
        *operations, number=number, id=name, user=name, saved_at=saved_at, attachments=tuple(files)
    )
    text = sealed.to_text()

    assert sealed == read_envelope(text) == read_envelope(text.encode())
    assert text == read_envelope(json.dumps(json.loads(text), indent=1)).to_text()


raw_texts = st.text(st.one_of(letters, st.sampled_from("\n\t\r ")), min_size=1, max_size=20)


@MANY
@given(raw_texts, raw_texts, st.decimals(0, 9999, places=2), st.floats(-50, 50))
def test_an_untouched_form_changes_nothing(
    group: str, summary: str, weight: Decimal, temperature: float
) -> None:
    """Whatever another program has written, opening and saving the form makes nothing (R18)."""
    form = app.pages["visit"].layout
    values: dict[str, Any] = {field.attribute: None for field in form.fields.values()}
    values |= {
        "patient_id": str(fakes.ADA),
        "visited_on": "2026-11-23",
        "kind": "first",
        "urgent": False,
        "nurse": "anna",
        "summary": summary,
        "weight": str(weight),
        "temperature": temperature,
    }
    child = {"key": [1], "values": {"group": group, "share": None}, "children": {"doses": []}}
    opened = {"key": [1], "values": values, "children": {"orders": [child]}}
    read = opened_from_text(form, json.dumps(opened))
    row = row_from_opened(form, opened)
    # browsers send every line end as CR LF
    posted = {name: _as_sent(text) for name, text in row.texts.items()}
    below = row.lists["orders"][0]
    posted |= {f"{below.at}.{name}": _as_sent(text) for name, text in below.texts.items()}
    posted[f"{below.at}._key"] = "[1]"
    found = Differ(lambda: -1, lambda: "").compare(form, row_from_post(form, posted.items()), read)

    assert ([], []) == (found.operations, found.problems)


def _as_sent(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
