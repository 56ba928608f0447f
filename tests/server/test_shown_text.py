"""Lists have the same rows in the same order on every database as on a device (R10, R36)."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from apps import stock
from apps.fakes import ANNA, FakeBrowser, FakeHome
from fieldpost.web.lists.list_query import ListQuery, run_list

pytestmark = pytest.mark.long

SHELL = {"Accept": "text/html", "Fieldpost-Shell": "1"}
QUERIES = [
    {},
    *({"sort": sort} for sort in stock.SORTS),
    *({"q": words} for words in stock.SEARCHES),
    {"sort": "-condition,lent,-note"},
    {"sort": "shelf,-name", "q": "a"},
]
COLLATIONS = {
    "unicode": "",
    "bytes": "TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C' ENCODING 'UTF8'",
    "phone book": (
        "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk-ka-shifted-kf-upper' "
        "LOCALE 'C.UTF-8' ENCODING 'UTF8'"
    ),
}


@pytest.fixture(
    params=["sqlite", *(pytest.param(n, marks=pytest.mark.postgresql) for n in COLLATIONS)]
)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of an empty database: SQLite, and PostgreSQL sorted in three ways."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    cluster = request.getfixturevalue("postgres")
    with cluster.connect() as connection:
        connection.execute(f'CREATE DATABASE "shown text" {COLLATIONS[request.param]}')
    yield cluster.url("shown text")
    cluster.drop("shown text")


def test_office_and_device_show_the_same_pages(open_office: Any) -> None:
    """Whatever is searched for or sorted by, page for page, whatever the database's collation.

    What a device finds is compared with plain Python in `tests/shared/test_shown_text.py`.
    """
    office = open_office(stock.app, lambda session: session.add_all(stock.rows()), ())
    client, device = office.client("anna"), office.device("anna")
    home = FakeHome(stock.app)
    home.add(*stock.rows())
    browser = FakeBrowser(home)

    for query in QUERIES:
        online = stock.shown(lambda address: client.get(address, headers=SHELL).text, **query)
        assert stock.shown(lambda address: browser.get(address).text, **query) == online, query
        assert [line[0] for line in online] == on_device(device, query), query


def on_device(device: Any, query: dict[str, str]) -> list[str]:
    """Return the keys of a list's rows, all its pages, as the replica of a device has them."""
    page, found = stock.app.page("thing"), []
    sort = tuple(n for n in query.get("sort", "").split(",") if n)
    with Session(device.replica.connection) as session:
        for number in range(1, 9):
            asked = ListQuery(query.get("q", ""), sort, number)
            result = run_list(session, stock.app, page, ANNA, asked)
            found += [row.code for row in result.rows]
            if result.last == number:
                return found
    raise AssertionError("the list has no end")
