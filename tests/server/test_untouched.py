"""A form never changes what nobody touched, on both databases and on a device (R18, R36)."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from apps import samples
from apps.samples import ROWS, Part, Sample, every_statement, unreadable
from browser_forms import BrowserForm
from fieldpost.odp.form.rows import opened_from
from fieldpost.odp.replay.merge import is_same

pytestmark = pytest.mark.long

SHELL = {"Accept": "text/html", "Fieldpost-Shell": "1"}
TABLES = (("sample", "id"), ("part", "sample_id"), ("sample_thing", "sample_id"))


@pytest.fixture
def office(open_office: Any) -> Any:
    """A server with rows of another program."""
    made = open_office(samples.app, lambda _: None, ("sample", "part"))
    dialect = made.database.dialect
    writing = made.database.engine.raw_connection()
    driver, cursor = writing.driver_connection, writing.cursor()
    if dialect == "postgresql":
        driver.autocommit = True
        cursor.execute("ALTER TYPE kind ADD VALUE 'gone'")
    else:
        cursor.execute("PRAGMA foreign_keys = OFF")
    for statement in every_statement(dialect):
        cursor.execute(statement)
    cursor.close()
    writing.invalidate()
    return made


def stored(office: Any, number: int) -> dict[str, str]:
    """Return a record as its database writes it, not as a type of ours would read it."""
    text = "CAST(t.* AS TEXT)" if office.database.dialect == "postgresql" else "*"
    with office.database.engine.connect() as connection:
        return {
            table: repr(
                connection.exec_driver_sql(
                    f"SELECT {text} FROM {table} AS t WHERE {key} = {number}"
                ).all()
            )
            for table, key in TABLES
        }


def test_untouched_forms_change_nothing(office: Any) -> None:
    """Opened and saved as they are, nothing had changed, and all rows are as they were."""
    client = office.client("anna")
    for number in range(ROWS):
        address, before = f"/pages/sample/records/{number}/edit", stored(office, number)
        opened = client.get(address, headers=SHELL)
        assert 200 == opened.status_code, (number, opened.text)
        pairs = [*BrowserForm(opened.text).pairs, ("_action", "save")]
        answer = client.post(address, data=_multi(pairs), headers=SHELL)

        assert 303 == answer.status_code, (number, answer.text)
        assert "unchanged" == answer.headers["location"].partition("=")[2]
        assert before == stored(office, number)


def test_a_change_elsewhere_changes_only_that(office: Any) -> None:
    """Another field is edited: only that one changes."""
    client = office.client("anna")
    for number in range(ROWS):
        address, before = f"/pages/sample/records/{number}/edit", stored(office, number)
        form = BrowserForm(client.get(address, headers=SHELL).text)
        pairs = [*form.filled(state="changed"), ("_action", "save")]
        answer = client.post(address, data=_multi(pairs), headers=SHELL)
        assert "saved" == answer.headers["location"].partition("=")[2], (number, answer.text)
        office.run(sa.text(f"UPDATE sample SET state = 'open' WHERE id = {number}"))

        assert before == stored(office, number)


def test_a_device_gets_every_row_that_can_be_read(office: Any) -> None:
    """Each of them is there as it is at the office; the others are left out and stop nothing."""
    device = office.device("anna")
    kept = range(ROWS)
    bad = unreadable(office.database.dialect)
    whole = {number for number, (place, _) in bad.items() if place.startswith("part.")}

    assert {*kept, *whole} == {key for (key,) in device.read(sa.select(Sample.id))}
    assert {*kept, *bad} - whole == {key for (key,) in device.read(sa.select(Part.id))}
    form = samples.app.pages["sample"].layout
    with Session(device.replica.connection) as session, office.database.read_session() as there:
        for row in session.scalars(sa.select(Sample).where(Sample.id.in_(kept))):
            theirs = there.get_one(Sample, row.id)
            values, hers = opened_from(form, theirs)["values"], opened_from(form, row)["values"]
            known = form.model.by_attribute
            assert [] == [n for n in values if not is_same(known[n], values[n], hers)]


def test_what_cannot_be_read_stays_as_it_is(office: Any) -> None:
    """The office shows its record, and refuses the forms that could only lose it."""
    client = office.client("anna")
    assert 200 == client.get("/pages/sample", headers=SHELL).status_code
    for number, value in unreadable(office.database.dialect).items():
        address, before = f"/pages/sample/records/{number}", stored(office, number)
        shown = client.get(address, headers=SHELL)
        forms = [client.get(f"{address}/{do}", headers=SHELL) for do in ("edit", "delete")]
        deleted = client.post(f"{address}/delete", headers=SHELL)

        assert (200, True) == (shown.status_code, "unreadable" in shown.text), value
        assert [422, 422, 422] == [each.status_code for each in (*forms, deleted)], value
        assert before == stored(office, number)


def _multi(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found
