"""One row that cannot be read stops nothing: it is left out, shown as what it is, and named."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from apps import oddments
from apps.oddments import Daily, Part, Thing
from fieldpost import rules
from fieldpost.schema.fields import Kind
from fieldpost.schema.row_order import sort_by
from fieldpost.schema.unreadable import Unreadable
from fieldpost.users import User
from fieldpost.wire.envelope import Operation
from fieldpost.wording.places import UNSORTED
from fieldpost.wording.titles import Titles
from fieldpost_server.storage.unreadable_rows import MOST, UnreadableRows

pytestmark = pytest.mark.long

SQLITE = {
    "a date of zeros": ("day", "'0000-00-00'"),
    "a date with a time": ("day", "'2026-11-23 10:00:00'"),
    "a date as a number": ("day", "20261123"),
    "an empty date": ("day", "''"),
    "a time beyond the day": ("clock", "'25:00:00'"),
    "a time with an offset": ("clock", "'10:00:00+02:00'"),
    "a moment of words": ("moment", "'yesterday'"),
    "a moment of zeros": ("moment", "'0000-00-00 00:00:00'"),
    "a naive moment with an offset": ("local", "'2026-11-23T10:00:00+02:00'"),
    "words for a number": ("number", "'abc'"),
    "a part of a number": ("number", "1.5"),
    "words for a decimal": ("amount", "'12,50 EUR'"),
    "an infinite decimal": ("amount", "9e999"),
    "words for a float": ("rate", "'high'"),
    "words for yes or no": ("flag", "'maybe'"),
    "no identifier": ("token", "'123'"),
    "a number for an identifier": ("token", "123"),
    "no choice": ("kind", "'huge'"),
    "an empty choice": ("kind", "''"),
    "bytes for a text": ("name", "x'ff00'"),
    "bytes that are no text": ("name", "CAST(x'c328' AS TEXT)"),
    "broken JSON": ("photos", "'[{'"),
    "JSON that is no photo": ("photos", "'[1]'"),
    "JSON of another kind": ("photos", "'7'"),
    "no JSON": ("extra", "'{'"),
    "JSON that is not a number": ("extra", "'NaN'"),
    "text for bytes": ("raw", "'abc'"),
}
POSTGRESQL = {
    "an infinite date": ("day", "'infinity'"),
    "a date before Christ": ("day", "'0044-03-15 BC'"),
    "a date beyond 9999": ("day", "'12026-11-23'"),
    "an infinite moment": ("moment", "'-infinity'"),
    "a moment beyond 9999": ("moment", "'12026-11-23 10:00:00+00'"),
    "a moment before Christ": ("local", "'0044-03-15 10:00:00 BC'"),
    "an infinite naive moment": ("local", "'infinity'"),
    "a time after the last": ("clock", "'24:00:00'"),
    "no number": ("amount", "'NaN'"),
    "no choice": ("kind", "'huge'"),
    "JSON that is no photo": ("photos", "'[1]'"),
}
SOUND = (1, 2, 3)
FIRST_BAD = 11

Kinds = Mapping[int, tuple[str, str]]
"""By the key of a row: the kind of its bad value, and the column that holds it."""


def fill(session: Session) -> None:
    session.add_all([Thing(id=n, name=f"Thing {n}", parts=[Part(id=n)]) for n in SOUND])


@pytest.fixture
def office(open_office: Any) -> Any:
    """A server with three sound things."""
    return open_office(oddments.app, fill, ("thing", "part"))


@pytest.fixture
def kinds(office: Any) -> Kinds:
    """Make the bad rows, one of each kind that this database takes; return what they are."""
    every = POSTGRESQL if office.database.dialect == "postgresql" else SQLITE
    office.write(
        lambda session: session.add_all(
            Thing(id=FIRST_BAD + n, name="Bad") for n in range(len(every))
        )
    )
    return {FIRST_BAD + n: (kind, column) for n, (kind, (column, _)) in enumerate(every.items())}


def spoil(office: Any) -> None:
    every = POSTGRESQL if office.database.dialect == "postgresql" else SQLITE
    for n, (column, sql) in enumerate(every.values()):
        office.run(sa.text(f"UPDATE thing SET {column} = {sql} WHERE id = {FIRST_BAD + n}"))


def there(device: Any) -> list[int]:
    return [key for (key,) in device.read(sa.select(Thing.id).order_by(Thing.id))]


def test_rows_that_cannot_be_read_stop_no_device(office: Any, kinds: Kinds) -> None:
    """They are in no image and no pull, all others are, and both sides prove the same sum."""
    early = office.device("anna")
    assert [*SOUND, *kinds] == there(early)
    spoil(office)
    office.run(sa.text("UPDATE thing SET name = 'Other' WHERE id = 3"))

    late = office.device("anna")
    pulled = early.pull()

    assert list(SOUND) == there(late)
    assert list(SOUND) == there(early)
    assert len(SOUND) == pulled["digests"]["thing"]["count"]
    for device in (early, late):
        assert [] == device.client.runner.run(device.replica.differences(pulled["digests"]))
    whole = early.ask(replace=["thing"]).json()
    assert list(SOUND) == sorted(row["id"] for row in whole["put"]["thing"])


def test_the_office_sees_what_is_the_matter(office: Any, kinds: Kinds) -> None:
    """The list and the record show everything else, and the form says why it is not there."""
    spoil(office)
    client = office.client("admin")

    listed = client.get("/pages/thing")
    shown = {key: client.get(f"/pages/thing/records/{key}") for key in kinds}
    forms = {
        (kind, do): client.get(f"/pages/thing/records/{key}/{do}")
        for key, (kind, column) in kinds.items()
        if column in oddments.SHOWN
        for do in ("edit", "delete")
    }

    unreadable = {key for key, (_, column) in kinds.items() if column in oddments.SHOWN}
    assert (200, len(unreadable)) == (listed.status_code, listed.text.count(">unreadable<"))
    assert dict.fromkeys(kinds, 200) == {key: each.status_code for key, each in shown.items()}
    assert unreadable == {key for key, each in shown.items() if "unreadable" in each.text}
    assert dict.fromkeys(forms, 422) == {what: each.status_code for what, each in forms.items()}
    assert all("holds a value that cannot be read" in each.text for each in forms.values())


@pytest.mark.parametrize(
    "query",
    ["sort=-name", "q=bad", "q=2026", *(f"q=bad&sort=-{column}" for column in oddments.SHOWN)],
)
def test_lists_are_sorted_and_searched_beside_them(office: Any, kinds: Kinds, query: str) -> None:
    """Whatever stands in a column, a list that sorts or searches by it is a list."""
    spoil(office)

    assert kinds
    assert 200 == office.client("admin").get(f"/pages/thing?{query}").status_code


def test_they_are_named_with_table_key_and_column(office: Any, kinds: Kinds) -> None:
    """Health, the log and the designer say where they are, and nobody says what they are."""
    assert 200 == office.client().get("/health").status_code
    spoil(office)
    # what was found a moment ago is believed for a while
    office.home.unreadable = UnreadableRows(office.home.app, office.database)

    health = office.client().get("/health")
    designer = office.client("admin").get("/designer")

    assert 503 == health.status_code
    assert office.health()["checks"]["rows"].startswith("cannot be read, and are on no device: ")
    assert {(column, str(key)) for key, (_, column) in kinds.items()} == {
        (each.column, each.key) for each in office.home.unreadable.find()
    }
    for key, (_, column) in kinds.items():
        assert f"&#39;{column}&#39; of &#39;thing&#39; {key}<" in designer.text


def test_the_log_names_what_a_download_leaves_out(
    office: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reads the log learns of it when it happens."""
    wrong = "infinity" if office.database.dialect == "postgresql" else "0000-00-00"
    key = 4711 + (office.database.dialect == "sqlite")
    office.write(lambda session: session.add(Thing(id=key, name="Bad")))
    office.run(sa.text(f"UPDATE thing SET day = '{wrong}' WHERE id = {key}"))

    office.device("anna")

    said = [vars(r)["fields"] for r in caplog.records if r.message.startswith("row left out")]
    assert {"table": "thing", "key": str(key), "column": "day"} in said


def test_however_many_there_are_some_are_named(office: Any) -> None:
    """A column that was filled with nonsense does not fill the page (R66)."""
    wrong = "infinity" if office.database.dialect == "postgresql" else "0000-00-00"
    office.write(
        lambda session: session.add_all(Thing(id=1_000 + n, name="x") for n in range(2 * MOST))
    )
    office.run(sa.text(f"UPDATE thing SET day = '{wrong}'"))

    assert MOST == len(office.home.unreadable.find())
    assert " and 80 more. " in office.health()["checks"]["rows"]


def test_a_corrected_row_comes_back(office: Any, kinds: Kinds) -> None:
    """Nothing else has to be done: the next sync brings it."""
    spoil(office)
    device = office.device("anna")
    for key, (_, column) in kinds.items():
        office.run(sa.text(f"UPDATE thing SET {column} = NULL WHERE id = {key}"))

    device.pull()

    assert [*SOUND, *kinds] == there(device)


def test_other_fields_of_them_can_still_be_saved(
    office: Any, kinds: Kinds, caplog: pytest.LogCaptureFixture
) -> None:
    """What a device saved before counts: it is decided, and touches nothing else."""
    device = office.device("anna")
    spoil(office)
    sent = {}
    for key, (kind, column) in kinds.items():
        was = {"name": "Bad", column: None} if column in oddments.SHOWN else {"name": "Bad"}
        if column != "name":
            sent[kind] = device.envelope(Operation("update", "thing", (key,), {"name": "Me"}, was))

    receipts = device.push(*sent.values())

    outcomes = {kind: each["outcome"] for kind, each in zip(sent, receipts, strict=True)}
    expected = {
        kind: "merged" if column in oddments.SHOWN else "accepted"
        for kind, column in kinds.values()
        if kind in sent
    }
    assert expected == outcomes
    assert [(len(sent),)] == office.rows(sa.select(sa.func.count()).where(Thing.name == "Me"))
    assert "envelope not applied" not in caplog.text


@pytest.fixture
def on_rules(monkeypatch: pytest.MonkeyPatch) -> Callable[[type, Callable[[Any], Any]], None]:
    """Return what registers a rule for one test."""
    monkeypatch.setattr(rules, "_registered", dict(rules._registered))
    return lambda model, check: rules._registered.update({model: [rules.Rule(model, check)]})


def test_no_rule_is_handed_one(office: Any, kinds: Kinds, on_rules: Any) -> None:
    """What is saved of such a row is refused, because nobody can judge it, and names the value."""
    handed = list[int]()
    on_rules(Thing, lambda thing: handed.append(thing.id))
    device = office.device("anna")
    spoil(office)
    sent = {
        key: device.envelope(Operation("update", "thing", (key,), {"number": 7}, {"number": None}))
        for key, (_, column) in kinds.items()
        if column != "number"
    }
    sound = device.envelope(Operation("update", "thing", (1,), {"number": 7}, {"number": None}))

    receipts = device.push(*sent.values(), sound)

    assert {1} == set(handed)
    assert "accepted" == receipts[-1]["outcome"]
    for key, receipt in zip(sent, receipts, strict=False):
        (found,) = receipt["problems"]
        column = kinds[key][1]
        path = column if column in oddments.SHOWN else ""
        assert ("invalid", "unreadable", path) == (receipt["outcome"], found["code"], found["path"])


QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "is it there": lambda value: not value,
    "is it this": lambda value: value == 7,
    "is it another": lambda value: value != 7,
    "is it one of these": lambda value: value in (1, 2),
    "is it less": lambda value: value < 7,
    "is it more": lambda value: value >= 7,
    "how much is it with another": lambda value: value + 1,
    "how long is it": len,
    "what is in it": list,
    "what year is it of": lambda value: value.year,
    "how is it written": lambda value: f"{value:%Y}",
    "what is it called": lambda value: value.upper(),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_rule_learns_anything_of_one_behind_a_relationship(
    office: Any, kinds: Kinds, on_rules: Any, question: str
) -> None:
    """A rule that asks has failed: it never takes it for a value, or for none."""
    ask = QUESTIONS[question]
    on_rules(Part, lambda part: ask(getattr(part.thing, kinds[part.thing_id][1])) and None)
    office.write(lambda session: session.add_all(Part(id=k, thing_id=k) for k in kinds))
    device = office.device("anna")
    spoil(office)
    sent = [
        device.envelope(
            Operation("update", "part", (key,), {"day": "2026-11-23"}, {"day": None}, at="parts[0]")
        )
        for key in kinds
    ]

    receipts = device.push(*sent)

    assert [["rule_failed"]] * len(kinds) == [[p["code"] for p in r["problems"]] for r in receipts]


def test_what_cannot_be_named_is_in_no_order(office: Any) -> None:
    """Rows are sorted by title and key; one whose key cannot be read is left out."""
    wrong = "infinity" if office.database.dialect == "postgresql" else "0000-00-00"
    days = (wrong, "2026-11-24", "2026-11-23")
    for day in days:
        office.run(sa.text(f"INSERT INTO daily (day, note) VALUES ('{day}', 'same')"))

    with office.database.read_session() as session:
        titles = Titles(session, office.home.app, User("admin"))
        target = office.home.app.models["daily"]
        every = [key for key, _ in titles.every(target)]
        rows = titles.rows_in_order(target, session.scalars(sa.select(Daily)))

    assert [(date(2026, 11, 23),), (date(2026, 11, 24),)] == every
    assert every == [(row.day,) for row in rows]


@pytest.mark.parametrize("turned", [False, True])
def test_child_rows_are_sorted_with_it_last(office: Any, kinds: Kinds, *, turned: bool) -> None:
    """Whatever column a relationship sorts by, what cannot be read stands with what is empty."""
    spoil(office)
    model = office.home.app.models["thing"]
    with office.database.read_session() as session:
        things = list(session.scalars(sa.select(Thing)))
        for column in {column for _, column in kinds.values() if column in oddments.SHOWN}:
            field = model.by_attribute[column]
            if field.kind in UNSORTED or field.kind in (Kind.TEXT, Kind.LONG_TEXT):
                continue
            sort_by(things, [(field, turned)], office.home.app.order)
            found = [getattr(thing, column) for thing in things]
            assert all(v is None or type(v) is Unreadable for v in found), column


def test_a_child_row_that_cannot_be_read_leaves_its_record(office: Any) -> None:
    """The record is there without it on devices, and with it at the office, where it says so."""
    wrong = "infinity" if office.database.dialect == "postgresql" else "0000-00-00"
    office.run(sa.text(f"UPDATE part SET day = '{wrong}' WHERE id = 2"))
    device, client = office.device("anna"), office.client("admin")

    shown = client.get("/pages/thing/records/2")

    assert [(1,), (2,), (3,)] == device.read(sa.select(Thing.id).order_by(Thing.id))
    assert [(1,), (3,)] == device.read(sa.select(Part.id).order_by(Part.id))
    assert "unreadable" in shown.text
    assert 422 == client.get("/pages/thing/records/2/edit").status_code
    assert 200 == client.get("/pages/thing/records/1/edit").status_code


def test_a_key_that_cannot_be_read_stops_nothing(office: Any) -> None:
    """A row that nobody can name is nowhere, and the others are everywhere."""
    wrong = "infinity" if office.database.dialect == "postgresql" else "0000-00-00"
    early = office.device("anna")
    office.run(sa.text("INSERT INTO daily (day, note) VALUES ('2026-11-23', 'good')"))
    office.run(sa.text(f"INSERT INTO daily (day, note) VALUES ('{wrong}', 'bad')"))

    early.pull()
    late = office.device("anna")
    listed = office.client("admin").get("/pages/daily")
    sought = office.client("admin").get("/pages/daily?q=o&sort=-note")

    for device in (early, late):
        assert [("good",)] == device.read(sa.select(Daily.note))
    assert "good" in listed.text
    assert "good" in sought.text
    assert f"'{wrong}'" in office.health()["checks"]["rows"]
