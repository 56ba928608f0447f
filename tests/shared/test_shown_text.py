"""A list finds what it shows and sorts as people read, on a device (R10, R36)."""

import pytest

from apps import stock
from apps.fakes import FakeBrowser, FakeHome


@pytest.fixture(scope="module")
def browser() -> FakeBrowser:
    """A browser of a device with generated things."""
    home = FakeHome(stock.app)
    home.add(*stock.rows())
    return FakeBrowser(home)


@pytest.fixture(scope="module")
def every(browser: FakeBrowser) -> list[stock.Line]:
    """All lines of the list."""
    return stock.shown(lambda address: browser.get(address).text)


@pytest.mark.parametrize("words", stock.SEARCHES)
def test_a_search_finds_what_the_list_shows(
    browser: FakeBrowser, every: list[stock.Line], words: str
) -> None:
    """Titles, days, choices, numbers and linked rows are found by the words that stand there."""
    found = stock.shown(lambda address: browser.get(address).text, q=words)

    assert stock.ROWS == len(every)
    assert stock.holding(every, words) == found


@pytest.mark.parametrize("sort", stock.SORTS)
def test_a_list_is_sorted_as_it_reads(
    browser: FakeBrowser, every: list[stock.Line], sort: str
) -> None:
    """What is shown is what is sorted by; nothing comes last, and no row twice."""
    lines = stock.shown(lambda address: browser.get(address).text, sort=sort)

    assert sorted(every) == sorted(lines)
    stock.check_order(lines, sort)
