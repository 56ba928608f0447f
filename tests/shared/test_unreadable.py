"""What stands in the place of a value that cannot be read goes everywhere without harm."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Patient
from apps.fakes import ADA, FakeBrowser, FakeHome, rows
from fieldpost.errors import Code, InputError
from fieldpost.odp.form.rows import opened_from
from fieldpost.replication.replica_tables import replica_engine
from fieldpost.schema.unreadable import Unreadable, is_readable, keep_reading


@pytest.fixture
def home() -> FakeHome:
    """A home whose engine goes on where a value cannot be read; Ada has no birthday."""
    made = FakeHome()
    keep_reading(made.engine, strict=True)
    made.add(*rows())
    made.run_sql(sa.text("UPDATE patient SET born_on = '0000-00-00' WHERE carer = 'anna'"))
    return made


def test_a_mapped_object_has_it_as_an_attribute(home: FakeHome) -> None:
    """A row is read whole, and says what could not be read."""
    with home.session() as session:
        ada = session.get_one(Patient, ADA)

        assert Unreadable("0000-00-00") == ada.born_on
        assert "Ada Ärmel" == ada.name
        assert "unreadable" == str(ada.born_on)


def test_people_read_so_in_lists_and_records(home: FakeHome) -> None:
    """A worker sees which value it is, and that it is not empty."""
    browser = FakeBrowser(home)

    assert 2 == browser.get("/pages/patient").text.count(">unreadable<")
    assert ">unreadable<" in browser.get(f"/pages/patient/records/{ADA}").text


def test_a_form_does_not_open_on_it(home: FakeHome) -> None:
    """A form could but lose what it cannot show: the field is named."""
    layout = home.app.pages["patient"].layout
    with home.session() as session, pytest.raises(InputError) as caught:
        opened_from(layout, session.get_one(Patient, ADA))

    assert [Code.UNREADABLE] == [p.code for p in caught.value.problems]
    assert "Born on holds a value that cannot be read" in caught.value.problems[0].message


def test_rows_with_it_are_told_from_others() -> None:
    """None is a value like others."""
    assert is_readable((1, None, "x", date(2026, 1, 1)))
    assert not is_readable((1, Unreadable("x")))
    assert is_readable(())


def test_a_device_goes_on_as_well() -> None:
    """An app that changed meanwhile meets rows of before: none of them stops the start."""
    broken: Any = sa.literal_column("'soon'", sa.Date)
    with replica_engine().connect() as connection:
        assert (Unreadable("soon"), 1) == tuple(connection.execute(sa.select(broken, 1)).one())


def test_titles_of_such_rows_are_words(home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """An author's `__str__` that fails on it is left aside."""
    monkeypatch.setattr(Patient, "__str__", lambda self: f"born {self.born_on:%Y}", raising=False)
    with home.session() as session:
        ada = session.get_one(Patient, ADA)
        ada_title = home.app.models["patient"].title_of(ada)

    assert "Ada Ärmel" == ada_title
