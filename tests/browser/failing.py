"""Tests that fail on purpose; `test_evidence.py` runs them to see what they leave."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from browser.window import Window

pytestmark = pytest.mark.browser


def test_that_misses_something(new_desk: Callable[[str], Window]) -> None:
    desk = new_desk("office")
    expect(desk.page.get_by_text("what no page says")).to_be_visible(timeout=100)


def test_whose_page_complains(new_desk: Callable[[str], Window]) -> None:
    desk = new_desk("office")
    desk.page.evaluate("console.error('a complaint of the page')")
