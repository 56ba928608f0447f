"""What only the database checks is said with the labels of the form (R16)."""

from typing import Any

import pytest

from apps import oddments
from fieldpost.wire.envelope import Operation

BOTH = "this value of Amount and Least ("
REFUSED = {
    "read at the form": ((0, 0), "too_small", "Amount must be more than 0. Correct it."),
    "by its name": ((5, 6), "check_broken", BOTH + "enough)"),
    "by its text, or the name that PostgreSQL made": ((13, 1), "check_broken", "of Amount ("),
    "of several columns": ((50, 50), "check_broken", BOTH),
}


@pytest.fixture
def office(open_office: Any) -> Any:
    """A server with nothing in stock."""
    return open_office(oddments.app, lambda _: None, ("stock",))


@pytest.mark.parametrize("kind", REFUSED)
def test_a_broken_check_names_its_fields(office: Any, kind: str) -> None:
    """A worker reads which value it is, and finds it marked when she repairs it."""
    (amount, least), code, words = REFUSED[kind]
    device = office.device("anna")

    new = Operation("insert", "stock", (-1,), {"amount": amount, "least": least})
    (receipt,) = device.push(device.envelope(new, page="stock"))

    (found,) = receipt["problems"]
    assert "invalid" == receipt["outcome"]
    assert (code, "amount") == (found["code"], found["path"])
    assert words in found["message"]


def test_a_column_that_only_the_database_wants_is_named(office: Any) -> None:
    """A model that lets be empty what the database does not is no riddle for the worker."""
    alter = "ALTER TABLE thing ALTER COLUMN number SET NOT NULL"
    if office.database.dialect == "sqlite":
        pytest.skip("SQLite cannot change a column")
    with office.database.engine.begin() as connection:
        connection.exec_driver_sql(alter)
    device = office.device("anna")

    new = Operation("insert", "thing", (-1,), {"name": "x"})
    (receipt,) = device.push(device.envelope(new, page="thing"))

    assert [("required", "number", "Fill in Number.")] == [
        (p["code"], p["path"], p["message"]) for p in receipt["problems"]
    ]
