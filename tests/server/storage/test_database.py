"""The two kinds of transaction, and the settings."""

from typing import Any

import pytest
import sqlalchemy as sa

from apps.clinic import Order, Visit
from fieldpost_server.settings import Settings
from fieldpost_server.storage.database import Database

HTML = {"Accept": "text/html"}


@pytest.mark.passes("rolled-back-before-retry")
def test_a_race_for_a_new_row_is_run_again(fieldpost_database: Database) -> None:
    """A row that somebody else inserted meanwhile is found by the second attempt, once."""
    database, calls = fieldpost_database, list[int]()

    def always_taken(session: Any) -> None:
        calls.append(1)
        table = sa.table("fieldpost_meta", sa.column("name"), sa.column("value"))
        session.execute(sa.insert(table).values([{"name": "x", "value": ""}] * 2))

    with pytest.raises(sa.exc.IntegrityError):
        database.write(always_taken)
    assert len(calls) == 2


def test_a_read_session_is_one_moment_and_writes_nothing(office: Any) -> None:
    """Whatever commits meanwhile, a snapshot stays the same."""
    query = sa.select(sa.func.count()).select_from(Visit)
    with office.database.read_session() as session:
        before = session.scalar(query)
        office.run(sa.delete(Visit).where(Visit.id == 2))
        after = session.scalar(query)

    assert before == after == 2


def test_a_write_session_rolls_back_what_raises(office: Any) -> None:
    """Nothing of a failed transaction stays."""

    def work(session: Any) -> None:
        session.execute(sa.delete(Order))
        raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        office.write(work)
    assert len(office.rows(sa.select(Order.id))) == 2


def test_sqlite_is_durable(fieldpost_database: Database) -> None:
    """What is committed survives a power cut, and references are kept."""
    if fieldpost_database.dialect != "sqlite":
        pytest.skip("SQLite's settings")
    with fieldpost_database.engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }

    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_settings_come_from_the_environment() -> None:
    """Each setting is a variable, an override wins, and faults are said in words."""
    environment = {
        "FIELDPOST_SEATS": "5",
        "PORT": "8123",
        "FIELDPOST_DEMO": "yes",
        "FIELDPOST_DATABASE": "postgresql://x/y",
    }

    settings = Settings.from_environment(environment, seats=None, host="::1")

    assert (settings.seats, settings.port, settings.demo, settings.host) == (5, 8123, True, "::1")
    assert settings.database_url == "postgresql+psycopg://x/y"
    assert Settings().database_url.startswith("sqlite:////")


@pytest.mark.parametrize(
    ("name", "value"), [("FIELDPOST_SEATS", "many"), ("PORT", "-1"), ("FIELDPOST_DEMO", "maybe")]
)
def test_settings_that_cannot_be_read_are_named(name: str, value: str) -> None:
    """The message names the variable."""
    with pytest.raises(Exception, match=name):
        Settings.from_environment({name: value})
