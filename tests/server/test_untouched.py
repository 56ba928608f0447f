"""A form never changes what nobody touched, on both databases and on a device (R18, R36)."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from apps import samples
from apps.samples import ROWS, THINGS, statements
from browser_forms import BrowserForm
from fieldpost.odp.form.rows import opened_from
from fieldpost.odp.replay.merge import is_same

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
    for statement in THINGS + [s for n in range(ROWS) for s in statements(n, dialect)]:
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


def test_a_device_gets_every_row(office: Any) -> None:
    """A row with a value that its column's type cannot read stops no download, and is in it."""
    device = office.device("anna")

    assert [(ROWS,)] == device.read(sa.select(sa.func.count()).select_from(samples.Sample))
    assert 200 == office.client("anna").get("/pages/sample", headers=SHELL).status_code
    form = samples.app.pages["sample"].layout
    with Session(device.replica.connection) as session, office.database.read_session() as there:
        for row in session.scalars(sa.select(samples.Sample)):
            theirs = there.get_one(samples.Sample, row.id)
            values, hers = opened_from(form, theirs)["values"], opened_from(form, row)["values"]
            known = form.model.by_attribute
            assert [] == [n for n in values if not is_same(known[n], values[n], hers)]


def test_bytes_that_are_no_text_stop_nothing(office: Any) -> None:
    """SQLite keeps half of a character where another program wrote it; the row can be used."""
    if office.database.dialect != "sqlite":
        return
    office.run(sa.text("UPDATE sample SET name = CAST(x'61eda08062' AS TEXT) WHERE id = 0"))
    client, before = office.client("anna"), _hex(office)
    form = BrowserForm(client.get("/pages/sample/records/0/edit", headers=SHELL).text)
    pairs = [*form.filled(state="changed"), ("_action", "save")]
    answer = client.post("/pages/sample/records/0/edit", data=_multi(pairs), headers=SHELL)

    assert "saved" == answer.headers["location"].partition("=")[2], answer.text
    assert before == _hex(office)
    assert office.device("anna").replica is not None


def _hex(office: Any) -> Any:
    return office.rows(sa.text("SELECT hex(name) FROM sample WHERE id = 0"))


def _multi(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found
